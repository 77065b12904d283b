"""What is read before it is asked for: files that can be looked at, in their order, and none where they are few."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_schema import reading_order
from data_schema.reading_order import iterate_requests

SCHOOLS = {"HU-1": "HU", "SI-1": "SI"}


def asked(files: dict[str, Path | bytes]) -> list[tuple[str, tuple[str, ...]]]:
    requests = iterate_requests(files, schools=SCHOOLS, is_ruled=lambda file: file.startswith("SI/"))
    return [(request.file, request.countries) for request in requests]


def test_files_come_by_name_in_the_letters_of_their_country(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("school_id\n")
    monkeypatch.setattr(reading_order, "_WORTH_IT", 1)
    found = asked({"form.csv": tmp_path / "a.csv", "SI/b.csv": tmp_path / "a.csv", "c.zip": tmp_path / "a.csv"})
    assert found == [("SI/b.csv", ("SI",)), ("form.csv", ())]


def test_few_files_are_read_by_the_one_process_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("school_id\n")
    assert asked({"a.csv": tmp_path / "a.csv"}) == []


def test_what_cannot_be_looked_at_stops_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("school_id\n")
    monkeypatch.setattr(reading_order, "_WORTH_IT", 1)
    nothing = {"0.csv": tmp_path / ("x" * 5000), "1.csv": tmp_path / "gone", "2.csv": tmp_path}
    assert asked({**nothing, "a.csv": tmp_path / "a.csv"}) == [("a.csv", ())]
