"""Marked values of invented persons, planted wherever a file can hold a word, and the search for them in all bytes."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
from openpyxl import Workbook
from openpyxl.comments import Comment

from tests.support.tiny import N_PUPILS, PROTOCOL, frame_text, pupil_ids, school_ids

LISTED = "Zsómbeld Quvrwixő"
UNLISTED = "Vraxolda Hunzipek"
STAFF = "Mérdona Tyxilvar"
PHONE = "+386 41 987 651"
E_MAIL = "vraxolda.hunzipek@quvrwix.example"
NATIONAL = "1503011500000"
BORN = ("17.03.2011", "2011-03-17", "17. marec 2011")
PERSONS = (LISTED, UNLISTED, STAFF, PHONE, E_MAIL, NATIONAL, *BORN)
"""What is planted."""

_WANTED = ("quvrwix", "zsómbeld", "zsombeld", "hunzipek", "vraxolda", "tyxilvar", "mérdona", "merdona", "987 651")
WANTED = (*_WANTED, "987651", NATIONAL, *BORN, "2011, 3, 17")
"""What is looked for, in small letters and in capitals."""

STAFF_TABLE = """
[tables.staff]
label = "Staff"
by_wave = false
about = "school"
key = ["school_id", "role"]

[[tables.staff.fields]]
name = "school_id"
type = "identifier"

[[tables.staff.fields]]
name = "role"
type = "text"

[[tables.staff.fields]]
name = "person"
type = "text"
privacy = "direct"

[[tables.pupil.fields]]
name = "note"
type = "text"

[[tables.pupil.fields]]
name = "locker"
type = "identifier"

[[inbox]]
pattern = "before/staff_*"
table = "staff"

[[inbox]]
pattern = "before/*/pupil_*"
table = "pupil"
wave = "before"

[[inbox]]
pattern = "after/*/status_*"
table = "status"
wave = "after"
"""

MARKED_PROTOCOL = PROTOCOL + STAFF_TABLE
_HEADER = ("school_id", "pupil_id", "name", "class", "birth_year", "gender", "consent", "note", "locker")


def _pupil(school: str, at: int) -> dict[str, object]:
    words = (f"Pupil{'abcdefghijklmn'[at]} {school[3:]}", "9.a", 2011 + at % 3, ("girl", "boy")[at % 2], "yes", None)
    return dict(zip(_HEADER, (school, pupil_ids(school)[at], *words, f"L{at}"), strict=True))


def _list(school: str, changes: Mapping[int, Mapping[str, object]]) -> list[list[object]]:
    rows = [{**_pupil(school, at), **changes.get(at, {})} for at in range(N_PUPILS)]
    return [list(_HEADER), *([row[name] for name in _HEADER] for row in rows)]


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    lines = [";".join("" if cell is None else str(cell) for cell in row) for row in rows]
    return "\n".join([*lines, ""]).encode()


def _xlsx(sheets: Mapping[str, Sequence[Sequence[object]]], change: Callable[[Workbook], None] | None = None) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    if change is not None:
        change(book)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def _beside_cells(book: Workbook) -> None:
    """Plant where no cell is: comments, properties, titles of columns, headers and footers of the page."""
    sheet = book.worksheets[0]
    sheet["B3"].comment = Comment(f"{UNLISTED}, {PHONE}", STAFF)
    book.properties.creator, book.properties.title, book.properties.description = STAFF, UNLISTED, E_MAIL
    sheet.oddHeader.center.text = f"{UNLISTED} {PHONE}"  # type: ignore[union-attr]
    sheet.oddFooter.center.text = E_MAIL  # type: ignore[union-attr]


def _everywhere(school: str) -> list[list[object]]:
    """Return a list of pupils with a person in each of its columns, one after the other."""
    changes: dict[int, dict[str, object]] = {}
    columns = [name for name in _HEADER if name != "name"]
    values = [LISTED, UNLISTED, PHONE, E_MAIL, NATIONAL, *BORN, STAFF]
    for at in range(N_PUPILS):
        changes[at] = {columns[at % len(columns)]: values[at % len(values)]}
    changes[0] = {"name": LISTED, "note": f"{STAFF} called {UNLISTED}, {PHONE}"}
    return _list(school, changes)


def _status(school: str, changes: Mapping[int, Sequence[object]], more: Sequence[object] = ()) -> list[list[object]]:
    marks = [2 + (5 * at + int(school[3:])) % 5 / 2 for at in range(N_PUPILS)]
    rows: list[list[object]] = [[school, pupil, "enrolled", marks[at]] for at, pupil in enumerate(pupil_ids(school))]
    for at, change in changes.items():
        rows[at] = list(change)
    return [["school_id", "pupil_id", "status", "average_mark", *more], *rows]


def marked_files() -> dict[str, bytes]:
    """Return the files of an inbox in which persons are in every channel that a file has."""
    schools = school_ids()
    swapped = _list(schools[1], {at: {"name": f"{LISTED}{'abcdefghijkl'[at]}"} for at in range(N_PUPILS)})
    swapped[0] = ["school_id", "pupil_id", "class", "name", *_HEADER[4:]]
    years = _list(schools[2], {at: {"birth_year": BORN[at % 3]} for at in range(6)})
    headers = _list(schools[3], {})
    headers = [[*row, "x", "x", "x"] for row in headers]
    headers[0][-3:] = [UNLISTED, PHONE, f"class ({E_MAIL})"]
    pupil = pupil_ids(schools[4])
    return {
        f"before/pupil_{schools[0]}.csv": _csv(_everywhere(schools[0])),
        f"before/pupil_{schools[1]}.csv": _csv(swapped),
        f"before/pupil_{schools[2]}.csv": _csv(years),
        f"before/pupil_{schools[3]}.csv": _csv(headers),
        f"before/{UNLISTED}/pupil_{LISTED}.xlsx": _xlsx(
            {UNLISTED: [[f"List of {STAFF}, {PHONE}"], *_list(schools[4], {2: {"gender": UNLISTED}})]}, _beside_cells
        ),
        f"before/pupil_{E_MAIL}.csv": _csv(_list(schools[5], {3: {"class": NATIONAL, "gender": STAFF}})),
        f"before/pupil_{BORN[1]}.csv": _csv(_list(schools[6], {})),
        f"before/pupil_{schools[7]}.csv": _csv(
            [[UNLISTED, PHONE], *_list(schools[7], {4: {"locker": LISTED}}), [E_MAIL]]
        ),
        f"before/staff_{UNLISTED}.csv": _csv(
            [["school_id", "role", "person"], [schools[0], "mentor", STAFF], [schools[1], UNLISTED, PHONE]]
        ),
        f"{UNLISTED}.txt": f"{LISTED} {PHONE}".encode(),
        f"before/{PHONE}/nothing_{STAFF}.docx": b"PK" + UNLISTED.encode(),
        f"after/status_{schools[0]}.csv": _csv(_status(schools[0], {1: [schools[0], *[UNLISTED] * 3]})),
        f"after/status_{schools[1]}.csv": _csv(
            _status(schools[1], {2: [schools[1], pupil_ids(schools[1])[2], "enrolled", 3, UNLISTED, PHONE]})
        ),
        f"after/status_{schools[2]}.csv": _csv(_status(schools[2], {}))
        + f'{schools[2]};"{LISTED};{UNLISTED}\n{PHONE}'.encode(),
        f"after/status_{schools[3]}.xlsx": _xlsx({"Status": _status(schools[3], {})})[:-300] + UNLISTED.encode(),
        f"after/{LISTED}.zip": _zip(
            {
                f"{UNLISTED}/status_{LISTED}.csv": _csv(
                    _status(schools[4], {5: [schools[4], pupil[5], STAFF, E_MAIL]})
                ),
                f"{STAFF}.csv": UNLISTED.encode(),
            }
        ),
        f"after/status_{schools[5]}.sav": b"$FL2" + f"@(#) {UNLISTED} {PHONE}".encode() * 40,
        f"after/status_{schools[6]}.csv": _odk(schools[6]),
        f"after/status_{schools[7]}.csv": _csv(_status(schools[7], {0: [UNLISTED, PHONE, NATIONAL, BORN[0]]})),
        f"after/status_{NATIONAL}_{schools[7]}.csv": _csv(_status(schools[7], {})),
    }


def _zip(members: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.comment = UNLISTED.encode()
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def _odk(school: str) -> bytes:
    """Return a file as a server of XLSForms exports it, with the person who sent it and the device."""
    rows = _status(school, {}, ("meta-instanceID", "SubmitterName", "DeviceID", "username"))
    return _csv([rows[0], *([*row, f"uuid:{at}", STAFF, PHONE, E_MAIL] for at, row in enumerate(rows[1:]))])


def contents(folder: Path, *, apart_from: Sequence[str] = ("inbox", "private")) -> Iterator[tuple[str, bytes]]:
    """Yield every file below a folder and its name, and what is packed in it: archives, databases, pages."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.split("/")[0] in apart_from:
            continue
        yield f"the name of {name!r}", name.encode(errors="surrogateescape")
        if path.is_file():
            yield from _unpacked(name, path.read_bytes(), path)


def _unpacked(name: str, content: bytes, path: Path) -> Iterator[tuple[str, bytes]]:
    yield name, content
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield f"{name}/{member}", member.encode() + archive.read(member)
    if content.startswith(b"\x1f\x8b"):
        yield name, gzip.decompress(content)
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
            for schema, table in tables:
                yield f"{name}/{table}", str(connection.table(f'{schema}."{table}"').fetchall()).encode()
    if path.suffix == ".parquet":
        yield name, str(duckdb.read_parquet(str(path)).fetchall()).encode()
    if path.suffix == ".pdf":
        from pypdf import PdfReader

        pages = PdfReader(io.BytesIO(content))
        yield name, "\n".join([str(pages.metadata), *(page.extract_text() for page in pages.pages)]).encode()


def places_of(wanted: Sequence[str], texts: Iterator[tuple[str, bytes]]) -> list[tuple[str, str]]:
    """Return where any of some words stands, in small letters or capitals, in the usual encodings or as escapes."""
    signs = {
        (word, spelt.encode(encoding))
        for word in wanted
        for spelt in (word, word.upper(), word.title(), word.encode("unicode_escape").decode())
        for encoding in ("utf-8", "utf-16-le")
    }
    return [(name, word) for name, content in texts for word, sign in sorted(signs) if sign in content]


def marked_frame() -> str:
    """Return a sampling frame with columns of persons that nothing reads."""
    head, *rows = frame_text().splitlines()
    lines = [f"{head},principal,phone,contact,born"]
    lines += [f"{row},{STAFF} {at},{PHONE},{E_MAIL},{BORN[0]}" for at, row in enumerate(rows)]
    return "\n".join([*lines, ""])
