"""The trial's log: whole, missing or broken; added to in one step, before what it tells of is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_schema.errors import StorageError
from evaluation.provenance import get_partial_folder, recover, stage_folder
from evaluation.trial import Trial
from evaluation.trial_log import Event, add_log_event, build_log_announcement, export_product_folder, read_log
from tests.support.protocols import MINIMAL
from tests.support.trials import clock


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    (tmp_path / "trial.toml").write_bytes(MINIMAL.read_bytes())
    return Trial(tmp_path, clock=clock)


def test_before_anything_has_happened_the_log_is_empty_and_can_be_added_to(trial: Trial) -> None:
    assert trial.log().state == "empty"
    add_log_event(trial, Event.WAVE_THAWED, {"wave": "w"})
    log = trial.log()
    assert (log.state, log.problems) == ("whole", ())
    assert [(entry.event, entry.detail) for entry in log.entries] == [("wave thawed", {"wave": "w"})]
    assert log.last_sha256 == log.entries[0].sha256


@pytest.mark.parametrize("name", ["plan", "allocation", "store", "results", "decisions.jsonl"])
def test_a_log_is_missing_where_something_is_there_that_it_should_name(trial: Trial, name: str) -> None:
    (trial.paths.root / name).mkdir()
    assert trial.log().state == "missing"
    with pytest.raises(StorageError, match=f"the log is missing, though {name} is there"):
        add_log_event(trial, Event.WAVE_THAWED, {"wave": "w"})
    assert not trial.paths.log.exists()


def test_a_log_of_an_earlier_version_in_the_folder_of_the_draw_is_not_passed_over(trial: Trial) -> None:
    trial.paths.allocation.mkdir()
    (trial.paths.allocation / "log.jsonl").write_text("{}\n")
    assert trial.log().state == "missing"


def test_every_byte_counts_and_what_precedes_the_break_is_kept(trial: Trial) -> None:
    for wave in ("one", "two", "three"):
        add_log_event(trial, Event.WAVE_THAWED, {"wave": wave})
    whole = trial.paths.log.read_bytes()
    for place in range(len(whole)):
        trial.paths.log.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found = read_log(trial.paths.root)
        assert found.state == "broken"
        assert found.problems
        assert len(found.entries) <= whole[:place].count(b"\n") + (place == len(whole) - 1)
    with pytest.raises(StorageError, match=r"log\.jsonl"):
        add_log_event(trial, Event.WAVE_THAWED, {"wave": "four"})
    trial.paths.log.write_bytes(whole.replace(b"\n", b"\r\n"))
    assert trial.log().state == "whole", "line ends of another system are no change"


@pytest.mark.parametrize("killed_before", ["the line", "the swap"])
def test_a_folder_is_put_in_place_by_the_next_run_if_the_log_tells_of_it_and_not_otherwise(
    trial: Trial, killed_before: str
) -> None:
    class Killed(BaseException):
        """Stand for the end of the process."""

    announce = build_log_announcement(trial, Event.COLLECTED, {"data_sha256": "1"})
    left = trial.paths.root / "left"

    def run(folder: Path) -> None:
        if killed_before == "the swap":
            announce(folder)
        folder.rename(left)
        raise Killed

    folder = trial.paths.store
    with pytest.raises(Killed), stage_folder(folder, stage="collect", inputs={}, announce=run) as partial:
        (partial / "new.txt").write_text("new")
    left.rename(get_partial_folder(folder))
    recover(folder)
    assert (folder / "new.txt").exists() == (killed_before == "the swap") == bool(trial.log().entries)
    assert not list(trial.paths.root.rglob(".announced.json"))
    assert not get_partial_folder(folder).exists() or killed_before == "the line"


def test_the_same_facts_are_told_twice_only_where_that_is_asked_for(trial: Trial) -> None:
    for again in (False, False, True):
        announce = build_log_announcement(trial, Event.COLLECTED, {"data_sha256": "1"}, again=again)
        with stage_folder(trial.paths.store, stage="collect", inputs={}, announce=announce):
            pass
    assert len(trial.log().of(Event.COLLECTED)) == 2


def test_a_product_is_named_again_only_where_its_own_bytes_differ_whatever_was_written_in_between(trial: Trial) -> None:
    for name, text in (("first", "1"), ("second", "2"), ("first", "1"), ("second", "3"), ("first", "1")):
        with export_product_folder(trial, trial.paths.root / "output" / name) as folder:
            (folder / "file.txt").write_text(text, encoding="utf-8")
    named = [line.detail["folder"] for line in trial.log().of(Event.WRITTEN)]
    assert named == ["output/first", "output/second", "output/second"]
