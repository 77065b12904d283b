"""Whatever a file does to its reader is a finding about that file, and the next one is read."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path

import pytest

from data_schema.readers import Cell, ReadAhead, Reading, Request, Sheet, members, read_file
from data_schema.readers.crossing import iterate_frames, parse_reading
from data_schema.readers.process import LostError, ReaderProcess, _get_reader
from tests.support.bad_files import book, rows, zipped

STOPPER = Path(__file__).parents[3] / "support" / "stops_the_reader.sav"
"""A damaged SPSS file on which ReadStat, a library in C, ends with a segmentation fault."""

GOOD = rows("031201;0001;enrolled;;;4.5")


def test_a_file_that_ends_its_reader_by_a_signal_is_a_finding_and_the_next_one_is_read() -> None:
    (finding,) = read_file(STOPPER, file="HU/status_1.sav").findings
    assert (finding.file, finding.severity) == ("HU/status_1.sav", "refused")
    assert finding.problem == "It is damaged: the program that reads such files stopped."
    assert finding.remedy
    assert read_file(GOOD, file="HU/status_2.csv").sheets


def test_a_file_that_takes_too_long_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_schema.readers.allowance._WAIT", 0)
    reader = ReaderProcess()
    with pytest.raises(LostError, match="far longer"):
        list(reader.ask("read", GOOD * 20_000, file="a.csv", countries=[]))
    monkeypatch.undo()
    assert list(reader.ask("read", GOOD, file="a.csv", countries=[]))
    reader.stop()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is held to a limit on Linux")
def test_a_small_file_cannot_take_much_memory() -> None:
    names = b"".join(b'<c t="inlineStr"><is><t>a</t></is></c>' for _ in range(100))
    sheet = b"<worksheet><sheetData><row>" + b"<a>" * 2_000_000 + names + b"</row></sheetData></worksheet>"
    (finding,) = read_file(book_with(sheet), file="a.xlsx").findings
    assert "memory" in finding.problem or "damaged" in finding.problem


def book_with(sheet: bytes) -> bytes:
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(book([["a"]]))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return zipped({**parts, "xl/worksheets/sheet1.xml": sheet})


def test_a_reader_that_is_lost_amid_a_folder_is_replaced_and_the_other_files_come() -> None:
    folder = zipped({"a.csv": GOOD, "b.csv": GOOD, "c.sav": STOPPER.read_bytes(), "d.csv": GOOD})
    seen = {}
    for member in members(folder, file="all.zip"):
        assert isinstance(member.content, bytes)
        seen[member.name] = bool(read_file(member.content, file=member.name).sheets)
    assert seen == {"a.csv": True, "b.csv": True, "c.sav": False, "d.csv": True}


def test_two_threads_share_one_reader() -> None:
    seen: list[Reading] = []
    threads = [threading.Thread(target=lambda: seen.append(read_file(GOOD, file="a.csv"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert all(one == seen[0] and one.sheets for one in seen)


def test_a_script_without_a_main_guard_and_with_a_shadowing_file_beside_it_reads_files(tmp_path: Path) -> None:
    (tmp_path / "csv.py").write_text("raise SystemExit('shadowed')", encoding="utf-8")
    script = tmp_path / "other" / "script.py"
    script.parent.mkdir()
    script.write_text(
        "from data_schema.readers import read_file\nprint(len(read_file(b'a;b\\n1;2\\n', file='a.csv').sheets))",
        encoding="utf-8",
    )
    root = Path(__file__).parents[4]
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == ("1", "")


@pytest.mark.parametrize(
    "cells",
    [
        (),
        ((), ()),
        (("a", None), (), ("b",)),
        (("a", "b"), ("c", "d")),
        (("a", ""), ("", None)),
        (("a\x1fb", "c\td\r\n"),),
        ((1, 2.5, True, None, date(2027, 10, 5)), ("x", -(10**30), False)),
        (("š" * 10, "шифра", "\U0001f600"),),
    ],
)
def test_cells_cross_as_they_are(cells: tuple[tuple[Cell, ...], ...]) -> None:
    sheet = Sheet(
        file="a",
        sheet="s",
        rows=cells,
        separator=";",
        labels=("l",),
        hidden_rows=(1,),
        hidden_columns=(2,),
        merged=("A1:A2",),
        struck=((1, 2),),
    )
    crossed = parse_reading(iterate_frames(Reading(sheets=(sheet, sheet))))
    expected = tuple(tuple("a\ufffdb" if cell == "a\x1fb" else cell for cell in row) for row in cells)
    assert [one.rows for one in crossed.sheets] == [expected, expected]
    assert [[type(cell) for cell in row] for row in crossed.sheets[0].rows] == [[type(c) for c in row] for row in cells]
    assert crossed.sheets[0].struck == ((1, 2),)
    assert (crossed.sheets[0].labels, crossed.sheets[0].merged) == (("l",), ("A1:A2",))


@pytest.mark.parametrize("cells", [(("a\x07b", "c"),), (("a\x07b", 1),), (("a\ud800b", 1),)])
def test_signs_that_nobody_can_read_become_marks_of_lost_letters(cells: tuple[tuple[Cell, ...], ...]) -> None:
    crossed = parse_reading(iterate_frames(Reading(sheets=(Sheet(file="a", sheet="s\x00", rows=cells),))))
    assert crossed.sheets[0].rows[0][0] in ("a\ufffdb", "a?b")
    assert crossed.sheets[0].sheet == "s\ufffd"


def test_files_that_are_read_ahead_are_answered_as_they_are_read_one_by_one() -> None:
    contents = {f"{at:02d}.csv": rows(f"031201;00{at:02d};enrolled;;;4.5") for at in range(12)}
    contents["05.sav"] = STOPPER.read_bytes()
    guesses = {**contents, "03.csv": GOOD}
    with ReadAhead((Request(file, guesses[file]) for file in sorted(guesses)), n_processes=2) as read:
        # A file that is never asked for, one asked for twice, one that is not as it was thought to be.
        asked = [file for file in sorted(contents) if file != "07.csv"]
        got = {file: read(contents[file], file=file) for file in [*asked, "11.csv"]}
    assert got == {file: read_file(contents[file], file=file) for file in asked}


def test_whoever_leaves_early_leaves_no_process_behind() -> None:
    before = children()
    with pytest.raises(KeyboardInterrupt):
        left_early()
    assert children() <= before | {reader_of_this_process()}


def left_early() -> None:
    with ReadAhead((Request(f"{at}.csv", GOOD * 100_000) for at in range(9)), n_processes=2) as read:
        read(GOOD, file="0.csv")
        raise KeyboardInterrupt


def children() -> set[int]:
    """Return the processes that this one has started."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    return set(map(int, listed.read_text().split())) if listed.exists() else set()


def reader_of_this_process() -> int:
    process = _get_reader()._process
    assert process is not None
    return process.pid
