"""Persons are planted wherever a trial's files can hold a word; none is in a byte outside inbox and private."""

from __future__ import annotations

import io
import traceback
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result

from data_schema.findings import Findings
from data_schema.store import Store
from evaluation.cli.main import crocoos
from evaluation.trial import Trial
from tests.support.marks import (
    BORN,
    E_MAIL,
    LISTED,
    MARKED_PROTOCOL,
    NATIONAL,
    PERSONS,
    PHONE,
    STAFF,
    UNLISTED,
    WANTED,
    contents,
    marked_files,
    marked_frame,
    places_of,
)
from tests.support.tiny import N_PUPILS, frame_text, pupil_ids, school_ids, tiny_trial

OWN = ("schools.csv", "inbox", "private")
"""What people wrote themselves, and where persons belong."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trial, list[str]]:
    """Return a trial whose files hold persons everywhere, collected twice, and what was printed."""
    trial = tiny_trial(
        tmp_path_factory.mktemp("persons") / "trial", protocol=MARKED_PROTOCOL, files={}, frame=marked_frame()
    )
    for name, content in marked_files().items():
        path = trial.paths.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    said = [_said(command, trial) for command in (["plan", "--freeze"], ["assign"], ["collect", "--all"])]
    _answer_with_persons(trial)
    said.append(_said(["collect", "--json"], trial))
    return Trial(trial.paths.root, clock=trial.clock), said


def _said(command: list[str], trial: Trial, *, fails: bool = False) -> str:
    """Run a command; returns what it printed, or how it failed."""
    answer = CliRunner().invoke(crocoos, [command[0], *command[1:], str(trial.paths.root)])
    assert (answer.exit_code != 0) == fails, answer.output
    error = answer.exception
    return answer.output + ("" if error is None else "".join(traceback.format_exception(error)[-1:]))


def _answer_with_persons(trial: Trial) -> None:
    """Send the questions back with a person in each answer, and in whatever else a workbook has."""
    for at, path in enumerate(sorted((trial.paths.store / "queries").glob("*.xlsx"))):
        book = openpyxl.load_workbook(path)
        book.worksheets[0].protection.sheet = False
        for row, cells in enumerate(book.worksheets[0].iter_rows(min_row=5)):
            if str(cells[10].value).startswith("{"):
                person = PERSONS[(row + at) % len(PERSONS)]
                cells[8].value = (person, f"not recorded, ask {person}", f"yes, says {person}")[row % 3]
        book.worksheets[0].title = UNLISTED
        book.properties.creator = STAFF
        made = io.BytesIO()
        book.save(made)
        (trial.paths.inbox / f"{path.stem} {LISTED}.xlsx").write_bytes(made.getvalue())


def _found(trial: Trial, printed: list[str]) -> list[tuple[str, str]]:
    texts: Iterator[tuple[str, bytes]] = iter([("printed", text.encode()) for text in printed])
    return [*places_of(WANTED, contents(trial.paths.root, apart_from=OWN)), *places_of(WANTED, texts)]


def test_the_search_finds_what_is_planted_where_it_was_planted(told: tuple[Trial, list[str]]) -> None:
    trial, _ = told
    found = places_of(WANTED, contents(trial.paths.root, apart_from=("private",)))
    assert len({word for _, word in found}) > 8
    assert len(found) > 100


def test_no_person_leaves_the_inbox_when_it_is_collected(told: tuple[Trial, list[str]]) -> None:
    trial, printed = told
    assert _found(trial, printed) == []


def test_rows_with_persons_in_the_wrong_place_are_kept_and_counted(told: tuple[Trial, list[str]]) -> None:
    trial, _ = told
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        pupils, imports = store.table("pupil"), store.imports()
    assert (imports["sent"] == imports["kept"] + imports["asked"] + imports["refused"]).all()
    for school in school_ids()[1:3]:
        assert (pupils["school_id"] == school).sum() == N_PUPILS
    swapped, years = (pupils[pupils["school_id"] == school] for school in school_ids()[1:3])
    assert swapped["class"].isna().all()
    # Rows are in the order of pseudonyms.
    assert sorted(years["birth_year"]) == sorted([2011] * 6 + [2011 + at % 3 for at in range(6, N_PUPILS)])


def test_the_school_is_asked_about_each_kind_of_person(told: tuple[Trial, list[str]]) -> None:
    trial, _ = told
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        asked = str(Findings(one for one in store.findings() if one.severity == "question"))
    for kind in ("name of a pupil", "names of persons", "e-mail address", "full date of birth", "The name of the file"):
        assert kind in asked


def test_a_file_that_is_called_otherwise_is_withdrawn_and_restored_by_both_its_names(
    told: tuple[Trial, list[str]],
) -> None:
    trial, _ = told
    (sent,) = [name for name in trial.inbox_files() if name.endswith(f"pupil_{LISTED}.xlsx")]
    called = _withdrawn(trial, ["withdraw", sent])
    assert called.startswith("before/withheld-")
    for name in (called, sent):
        _said(["withdraw", name, "--restore", "--reason", "a slip"], trial)
        _said(["withdraw", called, "--reason", "sent twice"], trial)
        printed = _said(["collect"], trial)
        with Store.open_read(trial.paths.store / "trial.duckdb") as store:
            imports = store.imports()
        (row,) = imports.loc[imports["file"] == called, ["sent", "refused"]].to_numpy().tolist()
        assert row == [N_PUPILS, N_PUPILS]
        assert _found(trial, [printed]) == []
    _said(["withdraw", sent, "--restore", "--reason", "a slip"], trial)


def _withdrawn(trial: Trial, command: list[str]) -> str:
    printed = _said([*command, "--reason", "sent twice"], trial)
    assert _found(trial, [printed]) == []
    return trial.log().entries[-1].detail["file"]


@pytest.mark.parametrize("person", [LISTED, UNLISTED, STAFF, PHONE, E_MAIL, NATIONAL, *BORN])
def test_no_person_enters_the_log_by_a_reason(told: tuple[Trial, list[str]], person: str) -> None:
    trial, _ = told
    file = f"after/status_{school_ids()[0]}.csv"
    before = trial.paths.log.read_bytes()
    printed = _said(["withdraw", file, "--reason", f"as told by {person}"], trial, fails=True)
    assert "it may say something of a person" in printed
    assert _found(trial, [printed]) == []
    assert trial.paths.log.read_bytes() == before


@pytest.mark.parametrize(
    "reason",
    ["the school sent a corrected list", "School SI-03 closed in May 2027", "Sent twice. The second is right", "Slip"],
)
def test_an_ordinary_reason_enters_the_log(told: tuple[Trial, list[str]], reason: str) -> None:
    trial, _ = told
    file = f"after/status_{school_ids()[0]}.csv"
    _said(["withdraw", file, "--reason", reason], trial)
    assert trial.log().entries[-1].detail["reason"] == reason
    _said(["withdraw", file, "--restore", "--reason", "a slip"], trial)


def test_what_is_typed_is_not_repeated_by_an_error(told: tuple[Trial, list[str]]) -> None:
    trial, _ = told
    commands = (["withdraw", f"{UNLISTED}.csv"], ["withdraw", f"{UNLISTED}.csv", "--restore"])
    assert _found(trial, [_said([*one, "--reason", "a slip"], trial, fails=True) for one in commands]) == []


@pytest.mark.parametrize("column", ["school_id", "country", "type", "size", "consent"])
@pytest.mark.parametrize("person", [UNLISTED, PHONE, E_MAIL, NATIONAL, BORN[0]])
def test_no_error_about_the_frame_repeats_a_person(tmp_path: Path, person: str, column: str) -> None:
    head, first, *others = frame_text().splitlines()
    cells = dict(zip(head.split(","), first.split(","), strict=True)) | {column: person}
    frame = "\n".join([f"{head},consent", *(f"{row},yes" for row in others), ""])
    row = ",".join(cells.get(name, "yes") for name in f"{head},consent".split(","))
    trial = tiny_trial(tmp_path / "trial", frame=f"{frame}{row}\n", files={})
    answer = CliRunner().invoke(crocoos, ["plan", str(trial.paths.root)])
    assert _found(trial, [answer.output + str(answer.exception)]) == []


@pytest.mark.slow
def test_no_person_leaves_by_any_command(told: tuple[Trial, list[str]]) -> None:
    trial, _ = told
    pupil = pupil_ids(school_ids()[6])[3]
    commands = [
        ["collect"], ["status"], ["log"], ["checks", "--by-arm"], ["codebook"], ["returns"], ["power"], ["certificate"],
        ["verify"], ["balance"], ["impact"], ["export", "SI"], ["forms", "--wave", "after"], ["freeze", "before"],
        ["erase", pupil, "--school", school_ids()[6]], ["collect", "--json"], ["balance"], ["impact"], ["export", "SI"],
        ["report"], ["publish"], ["status", "--json"],
    ]  # fmt: skip
    answers = {" ".join(command): _in_order(command, trial) for command in commands}
    # What a command that fails leaves behind must hold no person either.
    assert _found(trial, [one.output + str(one.exception) for one in answers.values()]) == []
    assert [command for command, one in answers.items() if one.exit_code] == []
    made = [name for name, _ in contents(trial.paths.root, apart_from=OWN)]
    for kind in (".pdf", ".html", ".parquet", ".dta", ".sav", ".duckdb/pupil"):
        assert any(name.endswith(kind) for name in made), kind


def _in_order(command: list[str], trial: Trial) -> Result:
    """Run a command whose folder stands behind its first words."""
    at = {"export": 2, "erase": 2, "freeze": 2}.get(command[0], 1)
    return CliRunner().invoke(crocoos, [*command[:at], str(trial.paths.root), *command[at:]])
