"""Rows of a table that are no records: totals, headers that are repeated, remarks below the table."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from data_schema.dates import clean_date
from data_schema.fields import normalise_header
from data_schema.readers.sheets import Cell, Row
from data_schema.words import normalise_plain_word

TOTALS, HEADER, REMARK, REMOVED, UNFILLED = "totals", "header", "remark", "removed", "unfilled"
HINTS, SIGNS, HEADING = "hints", "signs", "heading"

_WORDS = (
    "total totals sum subtotal grand_total average mean összesen mindösszesen végösszeg átlag ukupno svega zbir prosek "
    "suma skupaj vsota povprečje seštevek σ ∑"
)
_TOTAL_WORDS = frozenset(normalise_plain_word(word) for word in _WORDS.split())
_LONGEST = 60
_IN_BRACKETS = re.compile(r"\s*[(\[].*[)\]]\s*", re.DOTALL)
_SIGNS = re.compile(r"[-–—=_*.:|~\s]+")
_N_HINTS = 3


def find_non_record_rows(
    rows: Sequence[Row],
    positions: Sequence[int],
    *,
    columns: Mapping[str, int],
    key: Collection[str],
    header: int,
    told_elsewhere: Collection[str] = (),
) -> dict[int, str]:
    """Find the rows below a header that are no records.

    Parameters
    ----------
    rows
        Rows of the sheet.
    positions
        Positions of the rows below the header that hold anything.
    columns
        Field to its column.
    key
        Fields of the key.
    header
        Position of the header.
    told_elsewhere
        Fields that are stated elsewhere than in a column.

    Returns
    -------
    dict
        Position of the row to what it is: `TOTALS` (a word such as "total" or "ukupno", and an empty cell or that word
        in the key), `HEADER` (the header again), `HINTS` (below the header, each cell in brackets: units and codes),
        `SIGNS` (a ruled line) or `REMARK` (one cell of words or a date, after the last record).
    """
    keys = [columns[name] for name in key if name in columns]
    title = _normalise_cells(rows[header])
    apart = {
        row_position: kind
        for row_position in _find_suspicious_rows(rows, positions, keys, title)
        if (kind := _classify_row(rows[row_position], keys, title))
    }
    apart |= dict.fromkeys(_iterate_hint_rows(rows, positions), HINTS)
    # Of a key of one field, a record that holds nothing else looks like a remark.
    if len(keys) + len(set(told_elsewhere) & set(key)) > 1:
        apart = (
            dict.fromkeys(_iterate_remark_rows_below(rows, positions, others=set(columns.values()) - set(keys)), REMARK)
            | apart
        )
    return apart


def _find_suspicious_rows(
    rows: Sequence[Row], positions: Sequence[int], keys: Sequence[int], title: list[str]
) -> list[int]:
    """Return the rows whose key has an empty cell, a word for totals, or a header: of a record, none has."""
    suspicious_rows: set[int] = set()
    for key_column in keys:
        # What starts with a digit is none of these, and most identifiers do.
        others = [
            (position, cell)
            for position in positions
            if not (
                isinstance(cell := row[key_column] if key_column < len(row := rows[position]) else None, str)
                and "0" <= cell[:1] <= "9"
            )
        ]
        odd = {cell for cell in {cell for _, cell in others} if _is_odd(cell, title)}
        suspicious_rows.update(position for position, cell in others if cell in odd)
    return sorted(suspicious_rows)


def _is_odd(cell: Cell, title: list[str]) -> bool:
    if not isinstance(cell, str):
        return cell is None
    return _is_total(cell) or _SIGNS.fullmatch(cell) is not None or normalise_header(cell) in title


def _classify_row(row: Row, keys: Sequence[int], title: list[str]) -> str | None:
    if _normalise_cells(row) == title:
        return HEADER
    without = [
        key_column
        for key_column in keys
        if key_column >= len(row) or row[key_column] is None or _is_total(row[key_column])
    ]
    if all(cell is None or (isinstance(cell, str) and _SIGNS.fullmatch(cell)) for cell in row):
        return SIGNS
    return TOTALS if without and any(_is_total(cell) for cell in row) else None


def _iterate_hint_rows(rows: Sequence[Row], positions: Sequence[int]) -> Iterator[int]:
    """Yield the rows right below the header that hold nothing but remarks in brackets."""
    for row_position in positions[:_N_HINTS]:
        cells = [
            cell for cell in rows[row_position] if cell is not None and not (isinstance(cell, str) and not cell.strip())
        ]
        if not all(isinstance(cell, str) and _IN_BRACKETS.fullmatch(cell) for cell in cells):
            return
        yield row_position


def _normalise_cells(row: Row) -> list[str]:
    return [normalise_header(cell) if isinstance(cell, str) else "" for cell in row if cell is not None]


def _is_total(cell: Cell) -> bool:
    if not isinstance(cell, str) or len(cell) > _LONGEST:
        return False
    words = normalise_plain_word(cell)
    first, last = words.partition(" ")[0], words.rpartition(" ")[2]
    return words in _TOTAL_WORDS or not {first.rstrip(":"), last.rstrip(":")}.isdisjoint(_TOTAL_WORDS)


def _iterate_remark_rows_below(
    rows: Sequence[Row], positions: Sequence[int], *, others: Collection[int]
) -> Iterator[int]:
    """Yield the rows after the last record that hold one cell, of words, which is no answer of another field."""
    for row_position in reversed(positions):
        cells = {
            place: cell
            for place, cell in enumerate(rows[row_position])
            if cell is not None and not (isinstance(cell, str) and not cell.strip())
        }
        if len(cells) != 1 or not all(place not in others and _is_remark(cell) for place, cell in cells.items()):
            return
        yield row_position


def _is_remark(cell: Cell) -> bool:
    if not isinstance(cell, str):
        return False
    text = cell.strip()
    if clean_date(text).value is not None or not any(sign.isdigit() for sign in text):
        return True
    # An identifier has digits and hardly ever more than two words.
    if any(sign.isdigit() for sign in text) and len(text.split()) < 3 and ":" not in text:
        return False
    return any(sign in text for sign in " :_*")
