"""Files that are withdrawn or corrected, waves that are frozen: kept out, undone with a reason, and all of it told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from data_schema.errors import DataError, ProtocolError, StaleError, StorageError
from data_schema.store import Store
from evaluation.cli.main import crocoos
from evaluation.provenance import hash_file
from evaluation.trial import Trial
from evaluation.trial_log import Event
from tests.support.answers import answered
from tests.support.trials import clock, drawn_trial, short_protocol


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trial = drawn_trial(tmp_path_factory.mktemp("decisions") / "trial", text=short_protocol())
    trial.collect()
    return trial.paths.root


@pytest.fixture
def trial(collected: Path, tmp_path: Path) -> Trial:
    shutil.copytree(collected, tmp_path / "trial")
    return Trial(tmp_path / "trial", clock=clock)


def run(trial: Trial, *arguments: str) -> Result:
    command, *rest = arguments
    return CliRunner().invoke(crocoos, [command, rest[0], str(trial.paths.root), *rest[1:]])


def pupil_file(trial: Trial) -> Path:
    return min((trial.paths.inbox / "baseline" / "HU").glob("pupil_*.csv"))


def named(trial: Trial, path: Path) -> str:
    return path.relative_to(trial.paths.inbox).as_posix()


def content(trial: Trial) -> str:
    return str(json.loads((trial.paths.store / "content.json").read_text())["sha256"])


def test_a_corrected_file_takes_the_place_of_the_first_and_can_be_undone(trial: Trial) -> None:
    old = pupil_file(trial)
    new = old.with_name(old.name.replace(".csv", "_corrected.csv"))
    text = old.read_bytes()
    assert b";9;" in text
    new.write_bytes(text.replace(b";9;", b";10;"))
    inbox = {path: hash_file(path) for path in trial.paths.inbox.rglob("*") if path.is_file()}
    before = content(trial)
    contradicting = trial.collect()
    assert contradicting.returns["asked"].sum() > 10
    told = [one.problem for one in contradicting.findings if "contradict rows of" in one.problem]
    assert len(told) == 1
    assert (
        run(trial, "withdraw", named(trial, old), "--superseded-by", named(trial, new), "--reason", "grades").exit_code
        == 0
    )
    assert {one.stage: one.state for one in trial.status()}["collect"] == "stale"
    corrected = trial.collect()
    row = corrected.returns[corrected.returns["file"] == named(trial, old)].iloc[0]
    assert row["refused"] == row["sent"] > 10
    assert [one.severity for one in corrected.findings if f"{named(trial, new)} takes its place" in one.problem] == [
        "note"
    ]
    assert not [one for one in corrected.findings if "contradict" in one.problem]
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        pupils = store.table("pupil")
    assert set(pupils.loc[pupils["source_file"] == named(trial, new), "grade"].dropna()) >= {10}
    assert content(trial) != before
    assert run(trial, "withdraw", named(trial, new), "--reason", "it was the wrong year").exit_code == 0
    assert run(trial, "withdraw", named(trial, old), "--restore", "--reason", "the first was right").exit_code == 0
    trial.collect()
    assert content(trial) == before
    # What a school sent is never touched.
    assert inbox == {path: hash_file(path) for path in trial.paths.inbox.rglob("*") if path.is_file()}
    events = [entry.event for entry in trial.log().of(Event.FILE_WITHDRAWN, Event.FILE_RESTORED)]
    assert events == ["file withdrawn", "file withdrawn", "file restored"]


def test_a_withdrawn_file_that_comes_again_with_another_content_is_another_file(trial: Trial) -> None:
    file = pupil_file(trial)
    trial.withdraw(file=named(trial, file), reason="half of it is missing")
    trial.collect()
    file.write_bytes(file.read_bytes().replace(b";9;", b";10;"))
    again = trial.collect()
    row = again.returns[again.returns["file"] == named(trial, file)].iloc[0]
    assert row["kept"] > row["refused"]


def test_a_file_whose_place_is_taken_by_one_that_is_not_there_any_more_is_told(trial: Trial) -> None:
    old = pupil_file(trial)
    new = old.with_name("pupil_new.csv")
    new.write_bytes(old.read_bytes().replace(b";9;", b";10;"))
    trial.withdraw(file=named(trial, old), superseded_by=named(trial, new), reason="corrected")
    new.unlink()
    found = [one for one in trial.collect().findings if one.file == named(trial, old)]
    assert [one.severity for one in found] == ["refused"]
    assert "which is not there" in found[0].problem


def test_the_same_file_twice_changes_nothing(trial: Trial) -> None:
    before = content(trial)
    file = pupil_file(trial)
    shutil.copy(file, file.with_name("pupil_copy_of_it.csv"))
    made = trial.collect()
    assert content(trial) == before
    assert any("is the same as" in one.problem for one in made.findings)


def test_what_cannot_be_withdrawn_says_why(trial: Trial) -> None:
    file = named(trial, pupil_file(trial))
    for arguments, problem in (
        ({"file": "baseline/nothing.csv", "reason": "x"}, "no such file"),
        ({"file": "../trial.toml", "reason": "x"}, "no such file"),
        ({"file": file, "reason": " "}, "there is none"),
        ({"file": file, "reason": "x", "superseded_by": file}, "its own place"),
        ({"file": file, "reason": "x", "superseded_by": "nothing.csv"}, "no such file"),
    ):
        with pytest.raises(DataError, match=problem):
            trial.withdraw(**arguments)
    with pytest.raises(DataError, match="not withdrawn"):
        trial.restore(file=file, reason="x")
    assert run(trial, "withdraw", file, "--restore", "--superseded-by", file, "--reason", "x").exit_code == 2
    assert not trial.log().of(Event.FILE_WITHDRAWN, Event.FILE_RESTORED)


def test_a_frozen_wave_is_changed_by_no_later_file_and_its_hash_is_told(trial: Trial) -> None:
    answer = run(trial, "freeze", "baseline", "--json")
    assert answer.exit_code == 0, answer.output
    frozen = json.loads(answer.output)
    assert {one.stage: one.state for one in trial.status()}["collect"] == "fresh"
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        assert json.loads(store.facts()["frozen"]) == [{name: frozen[name] for name in ("wave", "frozen", "sha256")}]
    before = content(trial)
    file = pupil_file(trial)
    late = file.with_name(file.name.replace(".csv", "_late.csv"))
    text = file.read_bytes().splitlines(keepends=True)
    late.write_bytes(text[0] + text[1].replace(b";9;", b";10;"))
    made = trial.collect()
    assert content(trial) == before
    row = made.returns[made.returns["file"] == named(trial, late)].iloc[0]
    assert row["refused"] == row["sent"] == 1
    assert any("was frozen before this file came" in one.problem for one in made.findings)
    # Another wave goes on.
    min((trial.paths.inbox / "followup").rglob("status_*.csv")).unlink()
    trial.collect()
    assert content(trial) != before
    with pytest.raises(DataError, match="frozen already"):
        trial.freeze(wave="baseline")
    with pytest.raises(DataError, match="there is none"):
        trial.thaw(wave="baseline", reason="")
    assert run(trial, "freeze", "baseline", "--thaw", "--reason", "the school was closed in May").exit_code == 0
    thawed = trial.collect()
    assert thawed.returns.loc[thawed.returns["file"] == named(trial, late), "asked"].item() == 1
    assert content(trial) != before


def test_a_frozen_wave_whose_file_is_changed_or_gone_stops_collect_before_it_writes(trial: Trial) -> None:
    trial.freeze(wave="baseline")
    before = content(trial)
    file = pupil_file(trial)
    whole = file.read_bytes()
    school = file.stem.split("_")[1]
    for change in (lambda: file.write_bytes(whole.replace(b";9;", b";10;")), file.unlink):
        change()
        with pytest.raises(DataError, match="was frozen on 2027-09-01") as raised:
            trial.collect()
        assert school in str(raised.value)
        assert content(trial) == before
    file.write_bytes(whole)
    trial.collect()
    assert content(trial) == before


def test_an_erased_pupil_leaves_a_frozen_wave_too(trial: Trial) -> None:
    frozen = trial.freeze(wave="baseline")
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        pupil = str(store.table("pupil")["pupil_id"].iloc[0])
    trial.erase(pupil=pupil)
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        assert pupil not in set(store.table("pupil")["pupil_id"])
        assert json.loads(store.facts()["frozen"])[0]["sha256"] == frozen.sha256


def test_answers_that_come_after_a_wave_was_frozen_are_told_and_not_used(trial: Trial) -> None:
    asked = pd.read_csv(trial.paths.store / "questions.csv", dtype=str).query("severity == 'question'")
    place = asked[asked["column"] == "absences_justified"].iloc[0]
    assert place["file"].startswith("baseline/")
    workbooks = (trial.paths.store / "queries").glob("*.xlsx")
    _, workbook = answered(workbooks, file=place["file"], row=place["row"], value=3)
    trial.freeze(wave="baseline")
    before = content(trial)
    (trial.paths.inbox / "answers.xlsx").write_bytes(workbook)
    made = trial.collect()
    assert content(trial) == before
    assert any("was frozen before the answer" in one.problem for one in made.findings)
    trial.thaw(wave="baseline", reason="the school answered")
    assert trial.collect().n_answers == 1
    assert content(trial) != before


def test_what_cannot_be_frozen_says_why(trial: Trial) -> None:
    with pytest.raises(ProtocolError, match="no wave"):
        trial.freeze(wave="nothing")
    with pytest.raises(DataError, match="not frozen"):
        trial.thaw(wave="baseline", reason="x")
    pupil_file(trial).unlink()
    with pytest.raises(StaleError, match="it is stale"):
        trial.freeze(wave="baseline")


def test_a_changed_log_of_decisions_stops_everything(trial: Trial) -> None:
    trial.withdraw(file=named(trial, pupil_file(trial)), reason="a")
    log = trial.paths.log
    for text in (log.read_text().replace('"a"', '"b"'), "{", "\n"):
        log.write_text(text)
        with pytest.raises(StorageError, match=r"log\.jsonl"):
            trial.collect()
