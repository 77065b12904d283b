"""What schools did, and what it cost."""

from __future__ import annotations

import math

from reports.blocks import Column, Table
from reports.disclosure import MINIMUM_SCHOOLS, Count
from reports.evidence import Evidence
from reports.selection import as_float, focus, has_countries, of_focus, records
from reports.tables.cells import HIDDEN, place_label
from reports.tables.layout import Cell, Line, line, table
from reports.words import Words

_WHOLE_FROM = 20
"""Amount from which money is printed without decimals."""


def implementation_table(evidence: Evidence, words: Words, *, anchor: str = "implementation-table") -> Table | None:
    """Return what schools put into practice, an indicator a row; None when nothing was reported."""
    rows = of_focus(evidence.implementation, evidence)
    if rows.empty:
        return None
    few = bool((rows["n_schools"] < MINIMUM_SCHOOLS).any())
    return table(
        words,
        words.text("What schools put into practice"),
        columns=(
            Column(label=words.text("Indicator"), width=3.4),
            Column(label=words.text("Schools"), align="right"),
            Column(label=words.text("Mean"), align="right"),
            Column(label=words.text("Lowest"), align="right"),
            Column(label=words.text("Highest"), align="right"),
        ),
        lines=[_indicator(words, row) for row in records(rows)],
        threshold=evidence.disclosure_threshold,
        note=[few_schools_note(words)] if few else [],
        anchor=anchor,
    )


def costs_table(evidence: Evidence, words: Words, *, anchor: str = "costs-table") -> Table | None:
    """Return costs a school and a pupil, for all countries together and each; None when none were reported."""
    rows = evidence.costs
    if rows.empty:
        return None
    if focus(evidence):
        rows = rows[rows["country"].isin(["", focus(evidence)])]
    return table(
        words,
        words.text("What it cost"),
        columns=(
            Column(label=words.text("Place") if has_countries(evidence) else words.text("Sample"), width=2.4),
            Column(label=words.text("Schools"), align="right"),
            Column(label=words.text("Cost a school"), align="right", width=1.6),
            Column(label=words.text("Cost a pupil"), align="right", width=1.6),
        ),
        lines=[_cost(evidence, words, row) for row in records(rows)],
        threshold=evidence.disclosure_threshold,
        note=[few_schools_note(words)] if (rows["n_schools"] < MINIMUM_SCHOOLS).any() else [],
        anchor=anchor,
    )


def money(words: Words, amount: float, *, currency: str) -> str:
    """Return an amount of money with its currency: no decimals from 20 on, two below."""
    if not math.isfinite(amount):
        return words.numbers.decimal(amount)
    digits = 0 if abs(amount) >= _WHOLE_FROM else 2
    return words.text("{currency} {amount}", currency=currency, amount=words.numbers.estimate(amount, digits=digits))


def few_schools_note(words: Words) -> str:
    """Return what hides figures of few schools."""
    return words.text(
        "Figures of fewer than {n} schools are not printed, so that no school can be told.",
        n=words.numbers.count(MINIMUM_SCHOOLS),
    )


def _indicator(words: Words, row: dict[str, object]) -> Line:
    n_schools = int(float(str(row["n_schools"])))
    figures: list[Cell] = [
        HIDDEN if n_schools < MINIMUM_SCHOOLS else words.numbers.estimate(as_float(row[name]), digits=digits)
        for name, digits in (("mean", 1), ("minimum", _digits(row)), ("maximum", _digits(row)))
    ]
    return line(str(row["label"]), Count(value=n_schools, unit="schools"), *figures)


def _digits(row: dict[str, object]) -> int:
    ends = (as_float(row["minimum"]), as_float(row["maximum"]))
    return 0 if all(math.isfinite(end) and end == round(end) for end in ends) else 1


def _cost(evidence: Evidence, words: Words, row: dict[str, object]) -> Line:
    n_schools = int(float(str(row["n_schools"])))
    figures: list[Cell] = [
        HIDDEN if n_schools < MINIMUM_SCHOOLS else money(words, as_float(row[name]), currency=str(row["currency"]))
        for name in ("cost_per_school", "cost_per_pupil")
    ]
    label = place_label(evidence, words, str(row["country"]))
    return line(label, Count(value=n_schools, unit="schools"), *figures)
