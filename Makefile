# make demo   simulate a trial and run it from protocol to site
# make test   every test
# make search  the properties once more, on examples that were not tried before
# make check  formatting, lint, types, layers, and how telling names and plain texts are
# make cover  every branch of the draw, of disclosure control, of the checks and of pseudonyms is run by their own tests
# make pins   write constraints.txt anew: the version and the hashes of every package that the above install
# Each sets up .venv by itself; nothing else is needed but Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO ?= demo

.PHONY: demo test search check cover fix pins clean

$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (once; some minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "crocoos needs Python 3.11 or newer; name it with: make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)
	@$(BIN)/crocoos demo $(DEMO)

test: $(READY)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --durations 15

search: $(READY)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --hypothesis-profile search $(shell grep -rl "from hypothesis" tests --include="test_*.py")

check: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/lint-imports .ci/circles.toml
	@$(BIN)/python .ci/words.py

# What must not have a branch that no test runs, and the unit tests that run it. Only these files are traced.
WHOLE := randomisation/*,reports/disclosure.py,data_schema/checks.py,data_schema/pseudonyms.py
WHOLE_TESTS := tests/unit/randomisation tests/unit/reports/test_disclosure.py \
	tests/unit/data_schema/test_checks.py tests/unit/data_schema/test_pseudonyms.py \
	tests/unit/analysis/test_contrasts_of_arms.py tests/end_to_end/test_record_rules.py \
	tests/end_to_end/test_later_schools.py tests/end_to_end/test_log_without_the_toolkit.py

cover: $(READY)
	@$(BIN)/python -m coverage run --rcfile=/dev/null --branch --include='$(WHOLE)' -m pytest -q $(WHOLE_TESTS)
	@$(BIN)/python -m coverage report --rcfile=/dev/null --show-missing --skip-covered --fail-under=100

fix: $(READY)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# The newest versions that go together on every platform, with the hashes of their files; needs uv.
pins:
	@uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-annotate --upgrade --quiet \
		--custom-compile-command "make pins" --output-file constraints.txt

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache
