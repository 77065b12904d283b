"""Zipped folders: opened in memory, within bounds, names as they were written."""

from __future__ import annotations

import io
import zipfile

import pytest

from data_schema.findings import Finding
from data_schema.readers.archives import Folder, is_folder
from tests.support.bad_files import book, ods, zipped


def contents(content: bytes) -> dict[str, bytes | Finding]:
    folder = Folder(content, file="a.zip")
    return {"": folder.refusal} if folder.refusal else {n: folder.unpacked(k) for k, n in enumerate(folder.names)}


def test_a_workbook_is_no_folder_and_a_folder_is_no_workbook() -> None:
    assert is_folder(zipped({"a.csv": b"x"}))
    assert is_folder(zipped({}))
    for other in (book([["a"]]), ods([["a"]]), b"PK", b""):
        assert not is_folder(other)


def test_files_come_by_name_without_what_systems_leave_behind() -> None:
    folder = zipped({"b/c.csv": b"2", "a.csv": b"1", "__MACOSX/a.csv": b"x", "b/.DS_Store": b"x", "b/": b""})
    assert contents(folder) == {"a.csv": b"1", "b/c.csv": b"2"}


def test_no_name_leads_out_of_the_folder() -> None:
    assert list(contents(zipped({"../../etc/a.csv": b"1", "/b.csv": b"2", "c\\d.csv": b"3"}))) == [
        "b.csv", "c/d.csv", "etc/a.csv",
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "cp852"])
def test_names_are_read_in_the_letters_in_which_they_were_written(encoding: str) -> None:
    made = io.BytesIO()
    stand_in = "x" * len("učenici.csv".encode(encoding))
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(stand_in, b"1")
    content = made.getvalue().replace(stand_in.encode(), "učenici.csv".encode(encoding))
    assert list(contents(content)) == ["učenici.csv"]


def test_too_many_files_and_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = zipped({"a.csv": b"1", "b.csv": b"22"})
    for limit, value in (("N_MEMBERS", 1), ("LARGEST_ARCHIVE", 2)):
        with monkeypatch.context() as patch:
            patch.setattr(f"data_schema.readers.archives.{limit}", value)
            (finding,) = contents(folder).values()
            assert isinstance(finding, Finding)
            assert "too much" in finding.problem
    monkeypatch.setattr("data_schema.readers.archives.LARGEST_UNPACKED", 1)
    assert isinstance(contents(folder)["b.csv"], Finding)
    assert contents(folder)["a.csv"] == b"1"


def test_a_file_with_a_password_or_damage_is_named() -> None:
    content = bytearray(zipped({"a.csv": b"1" * 50}))
    central = content.rindex(b"PK\x01\x02")
    content[central + 8] |= 1
    (locked,) = contents(bytes(content)).values()
    assert isinstance(locked, Finding)
    assert "password" in locked.problem
    damaged = zipped({"a.csv": b"1" * 50}).replace(b"a.csv", b"b.csv", 1)
    (broken,) = contents(damaged).values()
    assert isinstance(broken, Finding)
    assert "damaged" in broken.problem
    assert broken.file == "a.zip/a.csv"
