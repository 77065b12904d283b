"""Files of every kind that intake reads, and what transfers, disks and editors make of them."""

from __future__ import annotations

import hashlib
import io
import random
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from data_schema.intake import Intake, read_inbox
from data_schema.language import Catalogue, Language
from data_schema.personal.stand_ins import is_stand_in_for
from data_schema.queries import query_workbook
from data_schema.school_tables import standard_tables
from tests.support.bad_files import HEADER, RULES, SCHOOLS, book, books, ods, old_book, rows, stata, statuses, zipped

_ROWS = [("031201", f"{k:04d}", "enrolled", date(2027, 10, 5), True, 4.5) for k in range(1, 6)]
_FRAME = pd.DataFrame(
    {
        "school_id": ["031201"] * 6,
        "pupil_id": [f"{k:04d}" for k in range(1, 7)],
        "status": [1.0, 2.0] * 3,
        "average_mark": [4.5, 3.0, None, 2.0, 1.0, 5.0],
        "status_date": [date(2027, 10, 5)] * 6,
        "remark": ["x" * 300] * 6,
        "a_name_longer_than_of_old": ["a" * 40] * 6,
    }
)
# pyreadstat takes texts as values, too, which its types do not say.
_LABELS: dict[str, dict[Any, str]] = {
    "status": {1: "enrolled", 2: "left early"},
    "a_name_longer_than_of_old": {"a" * 40: "label"},
}
_OF_STATA = _FRAME[["school_id", "pupil_id", "average_mark"]].assign(status=["enrolled", "left_early"] * 3)
_TOKENS = (
    b"<",
    b">",
    b'"',
    b"&#0;",
    b"\x00",
    b"\xff\xfe",
    b"99999999999",
    b"-1",
    b"nan",
    b"1e999",
    b"<!DOCTYPE a>",
    b";",
)


@cache
def seeds() -> dict[str, bytes]:
    """Return a sound file of each kind, by the path below an inbox at which it is taken for a list of statuses."""
    lines = [f"031201;{k:04d};enrolled;2027-10-05;yes;4,5" for k in range(1, 6)]
    return {
        "HU/status_a.csv": rows(*lines),
        "HU/status_b.csv": rows(*lines, "031201;0006;távozott;2027.10.05.;igen;„4,5”", encoding="utf-8"),
        "HU/status_c.xlsx": book(statuses(*_ROWS)),
        "HU/book_d.xlsx": books(
            {"Status": statuses(*_ROWS), "Anketa": [["school_id", "pupil_id"], ["031201", "0001"]]}
        ),
        "HU/status_e.ods": ods(statuses(*(row[:4] for row in _ROWS))),
        "HU/status_f.dta": stata(_OF_STATA),
        "HU/status_g.dta": stata(_OF_STATA.assign(average_mark=1.5), version=114),
        "HU/status_h.sav": _spss(),
        "HU/status_i.sav": _spss(compress=True),
        "HU/status_j.xls": old_book(
            {"Status": statuses(*_ROWS), "Anketa": [["school_id", "pupil_id"], ["031201", "1"]]}
        ),
        "HU/status_k.xls": _page(lines),
        "HU/status_l.xls": _xml_workbook(lines),
        "HU/all.zip": zipped({"status_a.csv": rows(*lines), "status_b.xlsx": book(statuses(*_ROWS))}),
    }


def _table(lines: Sequence[str], cell: str, row: str) -> str:
    cells = (f"{''.join(cell.format(one) for one in line.split(';'))}" for line in (HEADER, *lines))
    return "".join(row.format(one) for one in cells)


def _page(lines: Sequence[str]) -> bytes:
    table = _table(lines, "<td>{}</td>", "<tr>{}</tr>")
    return f"<html><head><meta charset='utf-8'></head><body><table>{table}</table></body></html>".encode()


def _xml_workbook(lines: Sequence[str]) -> bytes:
    table = _table(lines, '<Cell><Data ss:Type="String">{}</Data></Cell>', '<Row ss:Height="15">{}</Row>')
    names = "urn:schemas-microsoft-com:office:spreadsheet"
    sheet = f'<Worksheet ss:Name="Status"><Table>{table}</Table></Worksheet>'
    return f'<?xml version="1.0"?><Workbook xmlns="{names}" xmlns:ss="{names}">{sheet}</Workbook>'.encode()


def _spss(*, compress: bool = False) -> bytes:
    import pyreadstat

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.sav"
        pyreadstat.write_sav(
            _FRAME,
            str(path),
            column_labels=["School", "Pupil", "Status", "Mark", "Date", "Remark", "Name"],
            variable_value_labels=_LABELS,
            missing_ranges={"average_mark": [9, {"lo": 90, "hi": 99}]},
            note=["a note"],
            compress=compress,
        )
        return path.read_bytes()


def batches(n: int, *, seed: int, size: int = 50) -> Iterator[dict[str, bytes]]:
    """Yield inboxes of damaged files; each kind comes equally often.

    Parameters
    ----------
    n
        How many files in all.
    seed
        The same seed gives the same files.
    size
        Files of an inbox.
    """
    rng = random.Random(seed)  # noqa: S311 -- no secret
    paths = sorted(seeds())
    for first in range(0, n, size):
        files = {}
        for at in range(first, min(first + size, n)):
            path = Path(paths[at % len(paths)])
            content = seeds()[path.as_posix()]
            inner = content.startswith(b"PK") and rng.random() < 0.7
            name = path.with_name(f"{path.stem}_{at}{path.suffix}").as_posix()
            files[name] = _inside(content, rng) if inner else _damaged(content, rng)
        yield files


def outcomes(files: Mapping[str, bytes]) -> dict[str, str]:
    """Read an inbox and write its questions; return what became of each file.

    Rows are "kept", the file is "told of" by a finding, or by one that says that its reader was "stopped"; "passed
    over" is a file of which nothing is kept and nothing is said.
    """
    listed = "\n".join(["school_id;pupil_id", *(f"031201;{k:04d}" for k in range(1, 10))]).encode()
    intake = read_inbox(
        {"list.csv": listed, **files}, rules=RULES, tables=standard_tables(), schools=SCHOOLS, waves=["w"]
    )
    for school, queries in intake.queries.items():
        query_workbook(queries, school=school, catalogue=Catalogue("data_schema", Language("hu")))
    counts = intake.reconciliation
    assert (counts["sent"] == counts["kept"] + counts["asked"] + counts["refused"]).all()
    return {file: _outcome(file, content, intake) for file, content in files.items()}


def _outcome(file: str, content: bytes, intake: Intake) -> str:
    counts, digest = intake.reconciliation, hashlib.sha256(content).hexdigest()
    # A damaged list may name a pupil as a file is called, which is then told of by what represents its name.
    said = [
        found.problem
        for found in intake.findings
        if found.file == file
        or found.file.startswith(f"{file}/")
        or any(is_stand_in_for(part, digest) for part in found.file.split("/"))
    ]
    if any(problem.startswith(("To read it takes", "It is damaged: the program")) for problem in said):
        return "stopped"
    if counts.loc[counts["file"].str.startswith(file), "kept"].sum():
        return "kept"
    return "told of" if said else "passed over"


def _inside(content: bytes, rng: random.Random) -> bytes:
    """Damage a part of an archive that is itself whole: deeper than the checksum, which finds all other damage."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        names = source.namelist()
        chosen = rng.choice(names)
        for name in names:
            part = source.read(name)
            target.writestr(name, _damaged(part, rng) if name == chosen else part)
    return made.getvalue()


def _damaged(content: bytes, rng: random.Random) -> bytes:
    made = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(max(len(made), 1))
        match rng.randrange(6):
            case 0:
                made[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del made[at : at + rng.randrange(1, 40)]
            case 2:
                made[at:at] = made[at : at + rng.randrange(1, 200)]
            case 3:
                token = rng.choice(_TOKENS)
                made[at : at + rng.choice((0, len(token)))] = token
            case 4:
                # A number in binary files: a count, a length, a place.
                made[at : at + 4] = rng.choice(
                    (b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"\x00\x00\x00\x00", b"\x01\x00\x00\x40")
                )
            case _:
                del made[max(at, len(made) // 2) :]
    return bytes(made)
