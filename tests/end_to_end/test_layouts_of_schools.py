"""Files as schools lay them out: no column of the school, classes as headings; read as the protocol says."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from data_schema.errors import ProtocolError
from data_schema.store import Store
from evaluation.cli.main import crocoos
from evaluation.trial import Trial
from tests.support.answers import answered
from tests.support.tiny import PROTOCOL, frame_text, plain_files, pupil_ids, school_ids, tiny_trial

SCHOOL = school_ids()[2]
FILE = f"before/pupil_{SCHOOL}.csv"
RULE = 'pattern = "before/pupil_*"'


def without_school(text: str, *above: str) -> str:
    """Return a file without its first column, in which its school stands, and with lines above its header."""
    return "\n".join([*above, *(line.partition(";")[2] for line in text.splitlines()), ""])


def trial_of(folder: Path, *, keys: str, file: str = FILE, title: str = "") -> Trial:
    """Make a trial in which one school's list has no column of the school, under another name if so wished."""
    files = plain_files()
    files[file] = without_school(files.pop(FILE), *([title] if title else []))
    return tiny_trial(folder / "trial", protocol=PROTOCOL.replace(RULE, f"{RULE}\n{keys}"), files=files)


def pupils(trial: Trial) -> pd.DataFrame:
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        return store.table("pupil")


def counts(trial: Trial, file: str) -> list[int]:
    returned = pd.read_csv(trial.paths.store / "returns.csv")
    (row,) = returned.loc[returned["file"] == file, ["sent", "kept", "asked", "refused"]].to_numpy().tolist()
    return [int(n) for n in row]


def test_a_file_without_a_school_is_refused_with_the_key_that_helps_and_read_with_it(tmp_path: Path) -> None:
    before = trial_of(tmp_path / "without", keys="")
    answer = CliRunner().invoke(crocoos, ["collect", str(before.paths.root)])
    assert "Add the column 'school_id', or say where it is with 'school_from' in [[inbox]]." in answer.output
    after = trial_of(tmp_path / "with", keys='school_from = "file"')
    assert CliRunner().invoke(crocoos, ["plan", str(after.paths.root)]).exit_code == 0
    after.collect()
    assert len(pupils(after)) == len(pupils(before)) + 12
    assert set(pupils(after).query(f"source_file == '{FILE}'")["school_id"]) == {SCHOOL}


def test_the_answer_which_school_it_is_takes_the_file_in(tmp_path: Path) -> None:
    trial = trial_of(tmp_path, keys='school_from = "title"', title="List of the pupils")
    trial.collect()
    assert counts(trial, FILE) == [12, 0, 12, 0]
    workbooks = sorted((trial.paths.store / "queries").glob("*.xlsx"))
    name, content = answered(workbooks, file=FILE, row="None", value=SCHOOL)
    (trial.paths.inbox / name).write_bytes(content)
    findings = trial.collect().findings
    assert len(pupils(trial).query(f"source_file == '{FILE}'")) == 12
    assert [str(one) for one in findings if one.severity != "note" and one.file == FILE] == []
    answers = pd.read_csv(trial.paths.store / "answers.csv")
    assert answers[["row", "column", "status"]].to_numpy().tolist() == [[0, "school_id", "applied"]]


def test_a_title_names_the_school_as_the_frame_does(tmp_path: Path) -> None:
    trial = trial_of(tmp_path, keys='school_from = "title"', file="before/pupil_x.csv", title=f"School {SCHOOL} - 2027")
    trial.collect()
    assert set(pupils(trial).query("source_file == 'before/pupil_x.csv'")["school_id"]) == {SCHOOL}


WIDE = """
[[inbox]]
pattern = "after/absences_*"
table = "signals"
wave = "after"
wide = { across = "month", field = "absences_unjustified" }

[[outcomes]]
name = "average_mark"
"""


def test_months_as_columns_are_read_asked_about_and_counted(tmp_path: Path) -> None:
    files = plain_files()
    name = f"after/absences_{SCHOOL}.csv"
    rows = [f"{SCHOOL};{pupil};{place};{place + 1};" for place, pupil in enumerate(pupil_ids(SCHOOL))]
    rows[3] = rows[3].replace(";3;", ";many;")
    files[name] = "\n".join(["school_id;pupil_id;2027-11;Oktober 2027;december 2027", *rows, ""])
    protocol = PROTOCOL.replace('[[outcomes]]\nname = "average_mark"\n', WIDE, 1)
    trial = tiny_trial(tmp_path / "trial", protocol=protocol, files=files)
    assert CliRunner().invoke(crocoos, ["plan", str(trial.paths.root)]).exit_code == 0
    answer = CliRunner().invoke(crocoos, ["collect", str(trial.paths.root)])
    assert f"{name}, row 5, column '2027-11': 'many' is not a whole number." in answer.output
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        frame = store.table("signals")
    assert frame["month"].value_counts().to_dict() == {"2027-10": 12, "2027-11": 12}
    assert frame["absences_unjustified"].sum() == sum(range(12)) - 3 + sum(range(1, 13))
    assert counts(trial, name) == [24, 24, 0, 0]


def test_a_file_that_is_named_for_one_school_and_numbered_as_another_waits_for_an_answer(tmp_path: Path) -> None:
    name = f"before/{SCHOOL} Prežihov Voranc.csv"
    frame = frame_text().replace(f"School {SCHOOL}", "Osnovna šola Tabor").replace("School SI-04", "OŠ Prežihov Voranc")
    files = plain_files()
    files[name] = without_school(files.pop(FILE))
    protocol = PROTOCOL.replace(RULE, 'pattern = "before/*"\nschool_from = "file"')
    trial = tiny_trial(tmp_path / "trial", protocol=protocol, frame=frame, files=files)
    questions = [str(one) for one in trial.collect().findings if one.file == name and one.severity != "note"]
    assert len(questions) == 1
    assert "Is 'SI-04' meant?" in questions[0]
    assert counts(trial, name) == [12, 0, 12, 0]
    workbooks = sorted((trial.paths.store / "queries").glob("*.xlsx"))
    answer, content = answered(workbooks, file=name, row="None", value=SCHOOL)
    (trial.paths.inbox / answer).write_bytes(content)
    trial.collect()
    assert set(pupils(trial).query("source_file == @name")["school_id"]) == {SCHOOL}


def test_two_rules_for_one_file_stop_the_plan_or_are_named_when_it_is_read(tmp_path: Path) -> None:
    rule = '\n[[inbox]]\npattern = "{}"\ntable = "pupil"\nwave = "before"\nschool_from = "file"\n'
    same = PROTOCOL.replace("\n[[outcomes]]", rule.format("before/pupil_*") + "\n[[outcomes]]", 1)
    with pytest.raises(ProtocolError, match="another rule has the same pattern and means the same sheets"):
        tiny_trial(tmp_path / "same", protocol=same)
    other = PROTOCOL.replace("\n[[outcomes]]", rule.format(FILE) + "\n[[outcomes]]", 1)
    trial = tiny_trial(tmp_path / "other", protocol=other)
    (refusal,) = [one for one in trial.collect().findings if one.severity == "refused"]
    assert "they differ in 'school_from'; it is not read." in refusal.problem
    assert counts(trial, FILE) == [12, 0, 0, 12]
