"""Writing all at once: a whole folder under its own name, whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_schema.errors import StorageError
from evaluation.provenance import (
    get_partial_folder,
    get_previous_folder,
    hash_bytes,
    read_record,
    recover,
    stage_folder,
)
from evaluation.stages.order import stage_status


def write(folder: Path, text: str, **inputs: str) -> None:
    with stage_folder(folder, stage="test", inputs=inputs) as partial:
        (partial / "a.txt").write_text(text, encoding="utf-8")


def _fail(folder: Path) -> None:
    with stage_folder(folder, stage="test", inputs={}) as partial:
        (partial / "a.txt").write_text("second", encoding="utf-8")
        raise ZeroDivisionError


def test_the_record_names_what_was_read_and_written(tmp_path: Path) -> None:
    write(tmp_path / "out", "first", frame="abc")
    record = read_record(tmp_path / "out")
    assert record is not None
    assert record.inputs == {"frame": "abc"}
    assert record.outputs == {"a.txt": hash_bytes(b"first")}


def test_a_stage_that_fails_leaves_the_old_folder_and_no_rest(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, "first")
    with pytest.raises(ZeroDivisionError):
        _fail(folder)
    assert (folder / "a.txt").read_text(encoding="utf-8") == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_run_killed_between_the_two_renames_is_brought_back(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, "first")
    folder.rename(get_previous_folder(folder))
    get_partial_folder(folder).mkdir()
    recover(folder)
    assert (folder / "a.txt").read_text(encoding="utf-8") == "first"
    write(folder, "second")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_run_killed_before_the_old_folder_was_removed_keeps_the_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, "second")
    get_previous_folder(folder).mkdir()
    recover(folder)
    assert (folder / "a.txt").read_text(encoding="utf-8") == "second"
    assert not get_previous_folder(folder).exists()


def test_an_earlier_killed_run_leaves_nothing_in_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    get_partial_folder(folder).mkdir()
    (get_partial_folder(folder) / "half.txt").write_text("half", encoding="utf-8")
    write(folder, "whole")
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "stage.json"]


def test_a_file_in_place_of_the_folder_is_an_error_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(StorageError, match="file"):
        write(tmp_path / "file" / "out", "first")


def test_status_says_what_has_changed(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert stage_status("test", folder, inputs={}, stale_before=()).state == "missing"
    write(folder, "first", frame="abc", store="def")
    now = {"frame": "abc", "store": "def"}
    assert stage_status("test", folder, inputs=now, stale_before=()).state == "fresh"
    later = {"frame": "xyz", "plan": "new", "store": ""}
    changed = stage_status("test", folder, inputs=later, stale_before=("assign",))
    assert changed.state == "stale"
    assert changed.reasons == (
        "frame has changed.",
        "plan is new since.",
        "store is gone.",
        "The stage before it, assign, is not fresh.",
    )
    (folder / "a.txt").write_text("edited", encoding="utf-8")
    edited = stage_status("test", folder, inputs=now, stale_before=())
    assert edited.reasons == ("a.txt was changed or removed after it was written.",)


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, "first")
    (folder / "stage.json").write_text("{", encoding="utf-8")
    assert read_record(folder) is None
