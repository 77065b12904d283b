"""Sheets of cells -> bytes and back, to cross from one process to another.

Cells cross as text: those of a CSV file joined by a sign that none of them holds, others as JSON. Neither can run code
in the process that reads them, as a pickle can, and both are faster than one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date
from itertools import chain
from typing import Any, TypeVar

from data_schema.findings import Finding, Findings
from data_schema.readers.sheets import Cell, Reading, Row, Sheet

TEXTS, CELLS, SHEET, END = b"t", b"c", b"s", b"e"
"""Kinds of frames: rows of texts, rows of any cells, what else a sheet has (it ends its rows), the last frame."""

Frame = tuple[bytes, bytes]

_BETWEEN = "\x1f"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROL_BYTES = bytes(k for k in (*range(32), 127) if k not in b"\t\n\r\x1f")
_CONTROL_IN_JSON = (b"\\u00", b"\\b", b"\\f", b"\x7f")
_LOST = "\ufffd"
_N_ROWS = 20_000
_OF_PLACES = ("hidden_rows", "hidden_columns", "merged", "labels")


def iterate_frames(reading: Reading) -> Iterator[Frame]:
    """Yield what a reader has read, a frame at a time: while one is decoded, the next is made."""
    for sheet in reading.sheets:
        for first_row in range(0, len(sheet.rows), _N_ROWS):
            rows = sheet.rows[first_row : first_row + _N_ROWS]
            yield _encode_text_rows(rows) or (CELLS, _encode_cells(rows))
        about = {item.name: getattr(sheet, item.name) for item in fields(Sheet) if item.name != "rows"}
        yield (
            SHEET,
            _encode_json(
                {
                    **about,
                    "sheet": _replace_control_signs(sheet.sheet),
                    "labels": [*map(_replace_control_signs, sheet.labels)],
                }
            ),
        )
    yield END, _encode_json([asdict(finding) for finding in reading.findings])


def parse_reading(frames: Iterable[Frame]) -> Reading:
    """Make again what `iterate_frames` took apart.

    Raises
    ------
    ValueError, KeyError, TypeError
        When the frames are something else.
    """
    sheets: list[Sheet] = []
    findings: list[Finding] = []
    rows: list[Row] = []
    for kind, content in frames:
        if kind == TEXTS:
            rows += _decode_text_rows(content)
        elif kind == CELLS:
            rows += map(tuple, json.loads(content, object_hook=_decode_date))
        elif kind == SHEET:
            sheets.append(_build_sheet(json.loads(content), tuple(rows)))
            rows = []
        else:
            findings = [Finding(**finding_fields) for finding_fields in json.loads(content)]
    return Reading(sheets=tuple(sheets), findings=Findings(findings))


def _build_sheet(about: dict[str, Any], rows: tuple[Row, ...]) -> Sheet:
    places = {name: tuple(about[name]) for name in _OF_PLACES}
    return Sheet(**{**about, **places, "struck": tuple(map(tuple, about["struck"])), "rows": rows})


def _encode_text_rows(rows: Sequence[Row]) -> Frame | None:
    """Return rows that hold nothing but texts; None where they hold anything else."""
    widths = list(map(len, rows))
    cells: list[Cell] = list(chain.from_iterable(rows))
    has_gaps = None in cells
    if has_gaps:
        if "" in cells:
            return None
        cells = ["" if cell is None else cell for cell in cells]
    try:
        # A cell that is no text is a TypeError here: faster than to look at each.
        joined = _BETWEEN.join(cells)  # type: ignore[arg-type]
    except TypeError:
        return None
    encoded = joined.encode("utf-8", "replace")
    has_control = len(encoded.translate(None, _CONTROL_BYTES)) < len(encoded)
    if has_control or joined.count(_BETWEEN) != max(len(cells) - 1, 0):
        return None
    same = len(set(widths)) == 1
    head = {"rows": len(rows), "widths": widths[:1] if same else widths, "gaps": has_gaps}
    return TEXTS, json.dumps(head).encode() + b"\n" + encoded


def _decode_text_rows(content: bytes) -> Iterator[Row]:
    head, _, joined = content.partition(b"\n")
    about = json.loads(head)
    widths: list[int] = about["widths"]
    cells: list[Cell] = list(joined.decode().split(_BETWEEN))
    if about["gaps"]:
        cells = [cell or None for cell in cells]
    if len(widths) == 1 and widths[0]:
        return zip(*[iter(cells)] * widths[0], strict=True)
    return _split_by_widths(cells, widths if len(widths) == about["rows"] else widths * about["rows"])


def _split_by_widths(cells: Sequence[Cell], widths: Iterable[int]) -> Iterator[Row]:
    start = 0
    for width in widths:
        yield tuple(cells[start : start + width])
        start += width


def _encode_cells(rows: Sequence[Row]) -> bytes:
    """Return rows of any cells as JSON, in which a control sign stands with its number."""
    encoded = _encode_json(rows)
    has_control = any(mark in encoded for mark in _CONTROL_IN_JSON)
    return _encode_json([[_replace_control_signs(cell) for cell in row] for row in rows]) if has_control else encoded


T = TypeVar("T")


def _replace_control_signs(value: T) -> T | str:
    """Return a text with the mark of a lost letter in place of each control sign, which nobody wrote or can read."""
    return _CONTROL.sub(_LOST, value) if isinstance(value, str) else value


def _encode_json(values: object) -> bytes:
    # Half of a pair of signs, as damaged files hold, is no letter of any text: it becomes a question mark.
    return json.dumps(values, ensure_ascii=False, default=_encode_date).encode("utf-8", "replace")


def _encode_date(value: object) -> Mapping[str, str]:
    if not isinstance(value, date):
        raise TypeError
    return {"date": value.isoformat()}


def _decode_date(value: Mapping[str, str]) -> date:
    return date.fromisoformat(value["date"])
