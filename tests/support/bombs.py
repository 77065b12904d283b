"""Small files that become enormous when they are read: each is refused or asked about, in little memory and time.

Run as ``python -m tests.support.bombs FOLDER``: takes in each file of a folder and says what it took in all.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.bad_files import book, ods, statuses, zipped

_MANY = 250_000_000
_HEAD = "school_id;pupil_id;status"


def bombs() -> dict[str, bytes]:
    """Return path below an inbox to content."""
    return {path: make() for path, make in _BOMBS.items()}


def _packed(parts: Mapping[str, bytes | tuple[bytes, int]]) -> bytes:
    """Return an archive; a part of a text and a number is the text so many times."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, part in parts.items():
            text, times = part if isinstance(part, tuple) else (part, 1)
            with archive.open(name, "w", force_zip64=True) as entry:
                block = text * min(times, 10_000)
                for _ in range(times // min(times, 10_000)):
                    entry.write(block)
    return stream.getvalue()


def _workbook(parts: Mapping[str, bytes | tuple[bytes, int]]) -> bytes:
    """Return a sound workbook with other parts in place of its own."""
    with zipfile.ZipFile(io.BytesIO(book(statuses(("031201", "0001", "enrolled"))))) as archive:
        known: dict[str, bytes | tuple[bytes, int]] = {name: archive.read(name) for name in archive.namelist()}
    return _packed(known | dict(parts))


def _lying(content: bytes, *, said: int) -> bytes:
    """Return an archive whose directory and headers say that its first large part is small."""
    changed = bytearray(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        largest = max(archive.infolist(), key=lambda one: one.file_size)
        start = archive.start_dir
    changed[largest.header_offset + 22 : largest.header_offset + 26] = struct.pack("<I", said)
    at = start
    while changed[at : at + 4] == b"PK\x01\x02":
        name_length, extra, comment = struct.unpack("<HHH", changed[at + 28 : at + 34])
        if bytes(changed[at + 46 : at + 46 + name_length]) == largest.filename.encode():
            changed[at + 24 : at + 28] = struct.pack("<I", said)
        at += 46 + name_length + extra + comment
    return bytes(changed)


def _in_archive(times: int, name: str = "status_1.csv") -> bytes:
    return _packed({name: (b"031201;0001;enrolled\n", times)})


def _sheet(rows: bytes, times: int) -> dict[str, bytes | tuple[bytes, int]]:
    """Return the part of a sheet whose rows are some bytes so many times; it is left open at its end."""
    head = (
        b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    )
    return {"xl/worksheets/sheet1.xml": (head + rows if times == 1 else rows, times)}


def _entities() -> bytes:
    lines = b'<!DOCTYPE a [<!ENTITY e0 "aaaaaaaaaa">'
    for at in range(1, 12):
        lines += f'<!ENTITY e{at} "{f"&e{at - 1};" * 10}">'.encode()
    return _workbook({"xl/sharedStrings.xml": b'<?xml version="1.0"?>' + lines + b"]><sst><si><t>&e11;</t></si></sst>"})


def _one_text_many_times() -> bytes:
    """Return a workbook with a text of a megabyte that a hundred thousand cells name."""
    cells = b"".join(b'<c r="%s%%d" t="s"><v>0</v></c>' % letter for letter in (b"A", b"B", b"C", b"D"))
    rows = b"".join(
        b'<row r="%d">' % at + cells.replace(b"%d", str(at).encode()) + b"</row>" for at in range(1, 25_001)
    )
    space = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    text = b"a" * 1_000_000
    return _workbook(
        {
            "xl/sharedStrings.xml": b"<sst %s><si><t>" % space + text + b"</t></si></sst>",
            "xl/worksheets/sheet1.xml": b"<worksheet %s><sheetData>" % space + rows + b"</sheetData></worksheet>",
        }
    )


def _far_cell() -> bytes:
    space = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    rows = b"".join(b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (at, at) for at in range(1_048_000, 1_048_576))
    return _workbook(
        {"xl/worksheets/sheet1.xml": b"<worksheet %s><sheetData>" % space + rows + b"</sheetData></worksheet>"}
    )


def _merged_sheet() -> bytes:
    space = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    merged = b'<mergeCells count="20000">' + b'<mergeCell ref="A1:XFD1048576"/>' * 20_000 + b"</mergeCells>"
    cell = b'<row r="1"><c r="A1"><v>1</v></c></row>'
    return _workbook(
        {
            "xl/worksheets/sheet1.xml": b"<worksheet %s><sheetData>" % space
            + cell
            + b"</sheetData>"
            + merged
            + b"</worksheet>"
        }
    )


def _shared_part() -> bytes:
    """Return a workbook whose four thousand sheets are one large part."""
    n = 4_000
    space = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    relation = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    sheets = b"".join(b'<sheet name="S%d" sheetId="%d" r:id="r%d"/>' % (at, at, at) for at in range(1, n + 1))
    relations = b"".join(
        b'<Relationship Id="r%d" Type="%s/worksheet" Target="worksheets/sheet1.xml"/>' % (at, relation)
        for at in range(1, n + 1)
    )
    row = b'<row><c t="inlineStr"><is><t>031201</t></is></c></row>'
    return _workbook(
        {
            "xl/workbook.xml": b'<workbook %s xmlns:r="%s"><sheets>' % (space, relation)
            + sheets
            + b"</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            + relations
            + b"</Relationships>",
            "xl/worksheets/sheet1.xml": b"<worksheet %s><sheetData>" % space
            + row * 20_000
            + b"</sheetData></worksheet>",
        }
    )


def _repeated_rows() -> bytes:
    row = ("031201", "0001", "enrolled")
    content = ods(statuses(row))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts: dict[str, bytes | tuple[bytes, int]] = {name: archive.read(name) for name in archive.namelist()}
    cells = bytes(parts["content.xml"])  # type: ignore[arg-type]
    repeat = (
        b'<table:table-row table:number-rows-repeated="1048576">',
        b'<table:table-cell table:number-columns-repeated="16384"',
    )
    changed = cells.replace(b"<table:table-row>", repeat[0]).replace(b"<table:table-cell", repeat[1])
    return _packed(parts | {"content.xml": changed})


def _nested() -> bytes:
    content = _in_archive(2_000_000)
    for depth in range(4):
        content = zipped({f"status_{depth}_{at}.zip": content for at in range(8)})
    return content


def _many_names() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for at in range(60_000):
            archive.writestr(f"status_{at}.csv", b"")
    return stream.getvalue()


def _stata() -> bytes:
    """Return a file of Stata whose header says that it holds two thousand million rows of long texts."""
    from tests.support.mutants import seeds

    content = seeds()["HU/status_f.dta"]
    at = content.index(b"<N>") + 3
    return content[:at] + struct.pack("<Q", 2_000_000_000) + content[at + 8 :]


def _spss() -> bytes:
    from tests.support.mutants import seeds

    content = bytearray(seeds()["HU/status_h.sav"])
    content[80:84] = struct.pack("<i", 2_000_000_000)
    return bytes(content)


def _compressed_spss() -> bytes:
    """Return a file of SPSS in which a byte represents eight, and nearly all of it is one byte."""
    from tests.support.mutants import seeds

    content = seeds()["HU/status_i.sav"]
    return content + b"\xfd" * 2_000_000 + zlib.compress(bytes(50_000_000))


_BOMBS: Mapping[str, Callable[[], bytes]] = {
    "HU/archive.zip": lambda: _packed({"status_1.csv": (b"\x00", _MANY)}),
    "HU/archive_lies.zip": lambda: _lying(_in_archive(10_000_000), said=1_000),
    "HU/archives.zip": _nested,
    "HU/many_names.zip": _many_names,
    "HU/status_spaces.xlsx": lambda: _workbook({"xl/worksheets/sheet1.xml": (b" ", _MANY)}),
    "HU/status_lies.xlsx": lambda: _lying(_workbook({"xl/worksheets/sheet1.xml": (b"<row/>", 30_000_000)}), said=9_000),
    "HU/status_rows.xlsx": lambda: _workbook(_sheet(b"<row><c><v>1</v></c></row>", 8_000_000)),
    "HU/status_text.xlsx": lambda: _workbook({"xl/sharedStrings.xml": (b"<si><t>a</t></si>", 10_000_000)}),
    "HU/status_entities.xlsx": _entities,
    "HU/status_one_text.xlsx": _one_text_many_times,
    "HU/status_far_cell.xlsx": _far_cell,
    "HU/status_merged.xlsx": _merged_sheet,
    "HU/status_shared_part.xlsx": _shared_part,
    "HU/status_repeated.ods": _repeated_rows,
    "HU/status_nested.ods": lambda: _packed({"mimetype": b"x", "content.xml": (b"<a>", 5_000_000)}),
    "HU/status_columns.csv": (_HEAD + ";x" * 5_000_000).encode,
    "HU/status_quotes.csv": lambda: f'{_HEAD}\n"'.encode() + b'""' * 5_000_000,
    "HU/status_lines.csv": lambda: f"{_HEAD}\n".encode() + b"\n" * 10_000_000,
    "HU/status_gap.csv": lambda: f"{_HEAD}\n".encode() + b"; ;\r\n" * 3_000_000 + b"031201;0001;enrolled\n",
    "HU/all.zip": lambda: _packed({"status_1.csv": (b"\n", 19_000_000)}),
    "HU/status_separators.csv": lambda: f"{_HEAD}\n".encode() + b";;;;;;;;;;;;;;;;;;\n" * 700_000,
    "HU/status_one_cell.csv": lambda: f"{_HEAD}\n031201;0001;".encode() + b"a" * 10_000_000,
    "HU/status_rows.dta": _stata,
    "HU/status_rows.sav": _spss,
    "HU/status_packed.sav": _compressed_spss,
}


def main() -> int:
    """Read each file of a folder, alone, and say what became of it, how long it took and the peak of memory."""
    from tests.support.mutants import outcomes

    for path in sorted(path for path in Path(sys.argv[1]).rglob("*") if path.is_file()):
        start = time.perf_counter()
        name = path.relative_to(sys.argv[1]).as_posix()
        with _Watch() as watch:
            outcome = outcomes({name: path.read_bytes()})[name]
        seconds = round(time.perf_counter() - start, 1)
        print(json.dumps({"file": name, "outcome": outcome, "seconds": seconds, "peak_mb": round(watch.peak / 1e6)}))  # noqa: T201
    return 0


class _Watch:
    """Looks every few milliseconds at what memory this process and those that it started hold."""

    def __init__(self) -> None:
        self.peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.005):
            self.peak = max(self.peak, sum(map(_held, _family())))


def _family() -> list[int]:
    """Return this process and those that it started."""
    me = str(os.getpid())
    return [
        int(me),
        *(int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit() and _parent_of(one) == me),
    ]


def _parent_of(process: Path) -> str:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _held(pid: int) -> int:
    """Return the bytes of memory of a process; 0 when it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0


if __name__ == "__main__":
    sys.exit(main())
