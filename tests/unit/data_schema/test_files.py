from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from data_schema.errors import StorageError
from data_schema.files import build_storage_error, write_whole


def test_a_file_is_written_with_the_folders_above_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "report.html"
    write_whole(path, b"text")
    assert path.read_bytes() == b"text"
    assert [file.name for file in path.parent.iterdir()] == ["report.html"], "nothing is left beside it"


@pytest.mark.skipif(os.name != "posix", reason="rights of files are POSIX's")
def test_a_report_can_be_read_by_others_as_far_as_the_mask_allows(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "report.html", b"text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "the folder may not be written to"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_what_the_disk_refuses_is_said_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    path = tmp_path / "report.html"
    write_whole(path, b"old")

    def refuse(_handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match=words) as caught:
        write_whole(path, b"new")
    assert caught.value.place == str(path)
    assert caught.value.remedy
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("a file", encoding="utf-8")
    with pytest.raises(StorageError, match=r"report\.html"):
        write_whole(tmp_path / "output" / "report.html", b"text")


def test_a_missing_file_is_named_as_missing(tmp_path: Path) -> None:
    error = build_storage_error(tmp_path / "x.html", FileNotFoundError(errno.ENOENT, "No such file or directory"))
    assert "there is no such file" in str(error)


@pytest.mark.parametrize(
    ("code", "word"), [(errno.ENOSPC, "full"), (errno.EROFS, "read-only"), (errno.EACCES, "may not be written")]
)
def test_what_the_system_cannot_do_comes_with_a_remedy(code: int, word: str) -> None:
    assert word in build_storage_error(Path("results"), OSError(code, "no")).problem


def test_an_atomic_file_replaces_the_old_one_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "private" / "key"
    write_whole(path, b"one", mode=0o600)
    write_whole(path, b"two", mode=0o600)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]
