"""A command that is called wrongly says what to do, and doing so succeeds."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from evaluation.cli.main import crocoos
from tests.support.problem_texts import files_that_state
from tests.support.protocols import ROOT
from tests.support.tiny import PROTOCOL, plain_files, tiny_trial

UNSEEDED = PROTOCOL.replace('seed = "a lottery"\n', "")
FILE = next(iter(plain_files()))

WRONG: dict[str, tuple[str, list[list[str]]]] = {
    "plan --reason why": ("--reason belongs to --freeze.", [["plan --freeze --reason why"]]),
    "assign --seed-from lottery": ("--seed-from belongs to --commit.", [["assign --commit --seed-from lottery"]]),
    "assign --commit --seed 1": ("leave out --reveal and --seed.", [["assign --commit"]]),
    "assign --commit --replace SI-01": ("state one of them.", [["assign --commit"]]),
    "log --reason why": ("--reason belongs to --begin-again or --accept.", [["log"]]),
    "log --begin-again --accept --reason why": ("or neither to read the log.", [["log"]]),
    "power --icc 2": ("such as 0.1 or HU=0.1.", [["power --icc 0.1 --pupils-per-school 25"]]),
    f"withdraw {FILE} --restore --superseded-by other.csv --reason why": (
        "leave one of the two options out.",
        [[f"withdraw {FILE} --reason why", f"withdraw {FILE} --restore --reason why"]],
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_call_is_right_after_its_remedy(wrong: str, tmp_path: Path) -> None:
    remedy, mends = WRONG[wrong]
    for at, calls in enumerate(mends):
        folder = tiny_trial(tmp_path / str(at), protocol=UNSEEDED).paths.root
        done = CliRunner().invoke(crocoos, [*wrong.split(), str(folder)])
        assert done.exit_code == 2
        assert remedy in " ".join(done.output.split())
        for call in calls:
            done = CliRunner().invoke(crocoos, [*call.split(), str(folder)])
            assert done.exit_code == 0, f"{done.output}{done.exception}"


def test_every_wrong_call_is_tried() -> None:
    makers = ("UsageError", "BadParameter")
    n = sum(
        (ROOT / file).read_text("utf-8").count(f"{one}(")
        for one in makers
        for file in files_that_state([one], "evaluation/cli")
    )
    assert n == len(WRONG)
