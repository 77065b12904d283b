"""What is wrong in the sampling frame is said by plan, all at once, and refused by the draw."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from data_schema.errors import DataError
from evaluation.cli.main import crocoos
from evaluation.trial import Trial
from tests.support.tiny import PROTOCOL, school_ids, tiny_trial

STRATIFIED = PROTOCOL.replace('kind = "complete"', 'kind = "stratified"\nstrata = ["type"]')

OWN_TYPES = """
[[tables.school.fields]]
name = "type"
type = "code"
codes = [{ name = "general" }, { name = "dance", label = "School of dance" }]
"""

COVARIATE = """
[[covariates]]
name = "poverty"
label = "Poverty"
table = "school"
"""


def frame(*changes: tuple[int, str, str], header: str = "school_id,name,country,type,size") -> str:
    """Return a sampling frame with some cells changed: place of the school, column and value."""
    names = header.split(",")
    rows = [
        {"school_id": school, "name": "A school", "country": "SI", "type": "general", "size": "200", "consent": "yes"}
        | {"director_since": "2010", "poverty": "0.3"}
        for school in school_ids()
    ]
    for at, name, value in changes:
        rows[at][name] = value
    return "\n".join([header, *[",".join(row[name] for name in names) for row in rows], ""])


BAD = frame(
    (0, "type", "dance"),
    (1, "size", "abc"),
    (2, "country", "XX"),
    (3, "type", ""),
    (4, "consent", "perhaps"),
    header="school_id,name,country,type,size,consent",
)


def command(trial: Trial, *words: str) -> tuple[int, str]:
    """Run a command on a trial and return how it ended and what it said."""
    answer = CliRunner().invoke(crocoos, [*words, str(trial.paths.root)])
    return answer.exit_code, f"{answer.output}{answer.exception or ''}"


@pytest.mark.parametrize("name", ["plan", "assign"])
def test_every_finding_in_a_column_that_is_used_is_said_at_once_with_row_column_value_and_remedy(
    tmp_path: Path, name: str
) -> None:
    trial = tiny_trial(tmp_path / "trial", protocol=STRATIFIED, frame=BAD)
    code, said = command(trial, name)
    assert code != 0
    for row, column, text in (
        (2, "type", "'dance' is not one of the answers. Give one of: "),
        (3, "size", "'abc' is not a whole number."),
        (4, "country", "the country 'XX' is not one of the protocol's. Use one of SI"),
        (5, "type", "'type' is missing, and the draw needs it."),
        (6, "consent", "'perhaps' is neither yes nor no. Give yes or no."),
    ):
        assert f"row {row}, column '{column}'" in said
        assert text in said
    assert "declare the answers of 'type' under [tables.school]" in said
    assert not trial.paths.allocation.exists()


def test_the_draw_names_every_row_without_a_value_that_it_needs(tmp_path: Path) -> None:
    text = frame((3, "type", ""), (5, "type", ""))
    trial = tiny_trial(tmp_path / "trial", protocol=STRATIFIED, frame=text)
    for action in (trial.plan, trial.assign):
        with pytest.raises(DataError, match="'type' is missing, and the draw needs it") as caught:
            action()
        assert "5, 7" in str(caught.value)


def test_a_school_that_declined_needs_no_stratum(tmp_path: Path) -> None:
    text = frame((3, "type", ""), (3, "consent", "no"), header="school_id,name,country,type,size,consent")
    trial = tiny_trial(tmp_path / "trial", protocol=STRATIFIED, frame=text)
    assert command(trial, "plan")[0] == 0
    assert len(trial.assign().to_frame()) == len(school_ids()) - 1


def test_answers_of_ones_own_are_declared_in_the_protocol(tmp_path: Path) -> None:
    text = frame((0, "type", "School of dance"), (1, "type", "dance"))
    trial = tiny_trial(tmp_path / "trial", protocol=STRATIFIED + OWN_TYPES, frame=text)
    assert command(trial, "plan")[0] == 0
    drawn = trial.assign().to_frame().set_index("school_id")["stratum"]
    assert drawn[school_ids()[:2]].tolist() == ["dance", "dance"]


def test_a_column_of_numbers_with_one_word_in_it_is_refused_where_a_covariate_uses_it(tmp_path: Path) -> None:
    header = "school_id,name,country,type,size,poverty"
    text = frame((2, "poverty", "unknown"), header=header)
    trial = tiny_trial(tmp_path / "trial", protocol=PROTOCOL + COVARIATE, frame=text)
    with pytest.raises(DataError, match=r"row 4, column 'poverty'.*'unknown' is not a number"):
        trial.plan()
    (trial.paths.root / "schools.csv").write_text(frame((2, "poverty", ""), header=header), encoding="utf-8")
    trial.plan()
    (trial.paths.root / "schools.csv").write_text(frame(), encoding="utf-8")
    with pytest.raises(DataError, match="no column 'poverty', and a covariate needs it"):
        trial.plan()


def test_what_is_odd_in_a_column_that_nothing_reads_is_told_and_does_not_stop_the_plan(tmp_path: Path) -> None:
    text = frame((2, "director_since", "long ago"), header="school_id,country,director_since")
    trial = tiny_trial(tmp_path / "trial", frame=text)
    code, said = command(trial, "plan")
    assert code == 0
    assert "row 4, column 'director_since'" in said
    assert "'long ago' is not a year." in said


def test_a_plan_without_a_frame_says_that_there_is_none_yet(tmp_path: Path) -> None:
    trial = tiny_trial(tmp_path / "trial")
    (trial.paths.root / "schools.csv").unlink()
    code, said = command(trial, "plan")
    assert code == 0
    assert "schools.csv is not there yet" in said
