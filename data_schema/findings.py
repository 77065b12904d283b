"""What was found in the files: where, what, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import groupby
from typing import TYPE_CHECKING, Literal, overload

if TYPE_CHECKING:
    import pandas as pd

Severity = Literal["question", "refused", "note"]
SEVERITIES: tuple[Severity, ...] = ("refused", "question", "note")

ROW_STEP = 100_000_000
"""Where a row of a sheet is many records, each has the number of the row and so many times its place among them."""


def compute_sheet_row(number: int) -> int:
    """Return the row of a sheet, from 1, that a record has its cells from.

    Examples
    --------
    >>> compute_sheet_row(7), compute_sheet_row(7 + 2 * ROW_STEP)
    (7, 7)
    """
    return number % ROW_STEP


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that somebody should know about a file.

    Parameters
    ----------
    file
        Path of the file below the inbox, or its name.
    sheet
        Name of the sheet; empty for files without sheets.
    row
        Row as a spreadsheet numbers it, from 1; None when the whole file or sheet is meant.
    column
        Name of the field, or the header that is there; empty when the whole row is meant.
    value
        What is there. Never a name or an identifier of a pupil: the row says who it is.
    problem
        What is wrong, as a sentence.
    remedy
        What to do about it, as an imperative sentence.
    severity
        "question": only the sender can settle it. "refused": it was not taken in and cannot be as it is.
        "note": nothing needs to be done.
    """

    file: str
    problem: str
    remedy: str
    severity: Severity
    sheet: str = ""
    row: int | None = None
    column: str = ""
    value: str = ""

    @property
    def place(self) -> str:
        """Where it is, as words."""
        parts = [self.file]
        if self.sheet:
            parts.append(f"sheet {self.sheet!r}")
        if self.row is not None:
            parts.append(f"row {self.row}")
        if self.column:
            parts.append(f"column {self.column!r}")
        return ", ".join(parts)

    def __str__(self) -> str:
        return " ".join(f"{self.place}: {self.problem} {self.remedy}".split())


class Findings(Sequence[Finding]):
    """Findings in the order of files, sheets, rows and columns; immutable.

    Parameters
    ----------
    findings
        The findings, in any order.

    Examples
    --------
    >>> found = Findings([Finding(file="a.csv", row=3, problem="It is bad.", remedy="Mend it.", severity="note")])
    >>> str(found[0]), len(found.by_severity("question"))
    ('a.csv, row 3: It is bad. Mend it.', 0)
    """

    __slots__ = ("_findings",)

    def __init__(self, findings: Iterable[Finding] = ()) -> None:
        self._findings = tuple(sorted(findings, key=_build_sort_key))

    @overload
    def __getitem__(self, index: int) -> Finding: ...

    @overload
    def __getitem__(self, index: slice) -> Findings: ...

    def __getitem__(self, index: int | slice) -> Finding | Findings:
        return Findings(self._findings[index]) if isinstance(index, slice) else self._findings[index]

    def __len__(self) -> int:
        return len(self._findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._findings)

    def __add__(self, other: Iterable[Finding]) -> Findings:
        return Findings((*self._findings, *other))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Findings) and self._findings == other._findings

    def __hash__(self) -> int:
        return hash(self._findings)

    def __repr__(self) -> str:
        return f"Findings({list(self._findings)!r})"

    def __str__(self) -> str:
        return "\n".join(map(str, self._findings))

    def by_severity(self, severity: Severity) -> Findings:
        """Return the findings of one severity."""
        return Findings(finding for finding in self._findings if finding.severity == severity)

    def condensed(self) -> Findings:
        """Return the findings with runs that differ in nothing but the row told once, by their first row.

        For people: a file that names a wrong school in 65 rows is one line, and its problem ends with the rows.
        """
        ordered = sorted(self._findings, key=lambda found: (_build_key_without_row(found), found.row or 0))
        runs = (list(run) for _, run in groupby(ordered, key=_build_key_without_row))
        return Findings(_merge_findings(run) for run in runs)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a finding.

        Returns
        -------
        pandas.DataFrame
            `file`, `sheet`, `row` (Int64, missing for a whole file), `column`, `value`, `problem`, `remedy`,
            `severity`.
        """
        import pandas as pd

        names = ("file", "sheet", "row", "column", "value", "problem", "remedy", "severity")
        frame = pd.DataFrame(
            {name: [getattr(finding, name) for finding in self._findings] for name in names}, dtype=object
        )
        return frame.astype({name: "Int64" if name == "row" else "str" for name in names})

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Findings:
        """Make findings from what `to_frame` returned."""
        names = [item.name for item in fields(Finding)]
        cells = frame[names].astype(object).where(frame[names].notna(), None)
        rows = [dict(zip(names, row, strict=True)) for row in cells.itertuples(index=False)]
        return cls(Finding(**{**row, "row": None if row["row"] is None else int(row["row"])}) for row in rows)


def _build_sort_key(found: Finding) -> tuple[object, ...]:
    row = found.row or 0
    return (found.file, found.sheet, row, found.column, SEVERITIES.index(found.severity), found.problem, found.value)


def _build_key_without_row(found: Finding) -> tuple[str, ...]:
    return (found.file, found.sheet, found.column, found.value, found.problem, found.remedy, found.severity)


def _merge_findings(run: list[Finding]) -> Finding:
    rows = [finding.row for finding in run if finding.row is not None]
    if len(rows) < 2:
        return run[0]
    return replace(run[0], problem=f"{run[0].problem} So in {len(rows)} rows: {format_row_ranges(rows)}.")


def format_row_ranges(rows: Iterable[int]) -> str:
    """Write rows as ranges, at most six of them.

    Examples
    --------
    >>> format_row_ranges([2, 3, 4, 9])
    '2 to 4, 9'
    """
    spans: list[list[int]] = []
    for row in sorted({compute_sheet_row(row) for row in rows}):
        if spans and row == spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    texts = [str(first) if first == last else f"{first} to {last}" for first, last in spans]
    return ", ".join(texts[:6] + (["..."] if len(texts) > 6 else []))
