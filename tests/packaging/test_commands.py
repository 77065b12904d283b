"""The command line: its help, its speed, its exit codes, its agreement with the library and the README."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from data_schema import errors
from evaluation.cli.commands import COMMANDS
from evaluation.cli.main import EXIT_CODES, crocoos, get_exit_code
from evaluation.trial import Trial
from tests.support.protocols import ROOT

README = (ROOT / "evaluation" / "README.md").read_text(encoding="utf-8")
RUN = "import sys; from evaluation.cli.main import run; sys.argv[0] = 'crocoos'; run()"


def crocoos_process(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_is_in_the_readme(name: str) -> None:
    answer = CliRunner().invoke(crocoos, [name, "--help"])
    assert answer.exit_code == 0
    assert COMMANDS[name].help
    assert f"crocoos {name}" in README


def test_help_has_every_command_once_on_a_line_of_its_own_that_fits() -> None:
    lines = CliRunner().invoke(crocoos, ["--help"]).output.splitlines()
    for name, command in COMMANDS.items():
        (line,) = [line for line in lines if line.startswith(f"  {name} ")]
        said = (command.help or "").split("\n\n")[0].removesuffix(".")
        assert line.split(maxsplit=1)[1].removesuffix(".") == said, "the first sentence, whole"
        assert len(line) <= 80


def test_every_stage_is_a_method_of_trial() -> None:
    for name in ("plan", "assign", "verify", "balance", "collect", "impact", "report", "publish", "status"):
        assert name in COMMANDS
        assert callable(getattr(Trial, name))


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from evaluation.cli.main import crocoos; "
        "print([name for name in ('numpy', 'pandas', 'scipy', 'matplotlib', 'duckdb', 'pydantic', 'IPython') "
        "if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_every_branch_of_the_tree_of_errors_has_an_exit_code_of_its_own() -> None:
    branches = {kind.__name__ for kind in errors.CrocoosError.__subclasses__()}
    assert branches == set(EXIT_CODES)
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)
    assert get_exit_code(errors.StaleError("a", "b", "c")) == EXIT_CODES["StaleError"]


def test_an_error_that_the_user_can_mend_has_no_traceback(tmp_path: Path) -> None:
    answer = crocoos_process("status", "nowhere", cwd=tmp_path)
    assert answer.returncode == EXIT_CODES["ProtocolError"]
    assert (
        answer.stderr == "Error: nowhere: there is no such folder. Name another, or make it: `crocoos init nowhere`.\n"
    )
    assert answer.stdout == ""


def test_a_new_user_in_an_empty_folder_gets_a_protocol_and_is_told_what_is_next(tmp_path: Path) -> None:
    made = crocoos_process("init", "mine", cwd=tmp_path)
    assert made.returncode == 0
    assert "schools.csv" in made.stdout
    status = crocoos_process("status", "mine", "--json", cwd=tmp_path)
    states = {stage["stage"]: stage["state"] for stage in json.loads(status.stdout)["stages"]}
    assert set(states.values()) == {"missing"}
    again = crocoos_process("init", "mine", cwd=tmp_path)
    assert again.returncode == EXIT_CODES["ProtocolError"]
    assert "a protocol here already" in again.stderr
    drawn = crocoos_process("assign", "mine", "--seed", "x", cwd=tmp_path)
    assert drawn.returncode == EXIT_CODES["DataError"]
    assert "schools.csv" in drawn.stderr


def test_a_folder_with_code_is_no_place_for_a_trial(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    assert crocoos_process("init", ".", cwd=tmp_path).returncode == EXIT_CODES["ProtocolError"]


@pytest.mark.parametrize("name", ["analysis.py", "reports/__init__.py"])
def test_a_file_that_hides_a_package_is_named(tmp_path: Path, name: str) -> None:
    stranger = tmp_path / name
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_text("", encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, '.'); {RUN}", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode != 0
    assert str(stranger) in answer.stderr
    assert "Rename or move it" in answer.stderr


def test_a_plain_folder_named_like_a_package_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "analysis").mkdir()
    assert crocoos_process("--version", cwd=tmp_path).returncode == 0
