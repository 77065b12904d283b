"""What becomes of one cell: a value, the repairs that led to it, or a question."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

Value = str | bool | int | float | date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanCell:
    """A cell after cleaning.

    Parameters
    ----------
    value
        Its value; None when it is missing or must be asked about.
    rules
        Names of the repairs that were made, in their order.
    problem, remedy
        What to ask; empty when there is nothing. ``{value}`` in the problem represents what was in the cell.
    thousands
        For a number that has a second reading: what it is if its mark divides thousands ("1.234"); `value` is what it
        is if the mark is a decimal one.
    mark
        The mark in question, and for a number without doubt ".d", ",d", ".t" or ",t": the mark and what it was used
        for.
    """

    value: Value = None
    rules: tuple[str, ...] = ()
    problem: str = ""
    remedy: str = ""
    thousands: int | None = None
    mark: str = ""

    def after(self, rules: tuple[str, ...]) -> CleanCell:
        """Return the cell with repairs that were made before."""
        return replace(self, rules=(*rules, *self.rules)) if rules else self


NOTHING = CleanCell()
"""An empty cell."""


def asked(problem: str, remedy: str) -> CleanCell:
    """Return a cell without value and with a question."""
    return CleanCell(problem=problem, remedy=remedy)


def format_value(value: object) -> str:
    """Write a cell or a value as text, as short as it is clear.

    Examples
    --------
    >>> format_value(3.0), format_value(True), format_value(None)
    ('3', 'yes', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else str(value)
