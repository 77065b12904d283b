# make demo   simulate a trial and run it from protocol to site
# make test   every test
# make check  formatting, lint, types and layers
# Each sets up .venv by itself; nothing else is needed but Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO ?= demo

.PHONY: demo test check fix clean

$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (once; some minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "crocoos needs Python 3.11 or newer; name it with: make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --constraint constraints.txt pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group dev --editable .
	@touch $(READY)

demo: $(READY)
	@$(BIN)/crocoos demo $(DEMO)

test: $(READY)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --durations 15

check: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fix: $(READY)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache
