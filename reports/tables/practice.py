"""What schools did, and what it cost, arm by arm."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import pandas as pd

from reports.blocks import Column, Table
from reports.disclosure import MINIMUM_SCHOOLS, Count
from reports.evidence import Evidence
from reports.selection import as_float, focus, has_countries, of_focus, records, reference_arm
from reports.tables.cells import HIDDEN, place_label
from reports.tables.layout import Cell, Line, line, table
from reports.words import Words

_WHOLE_FROM = 20
"""Amount from which money is printed without decimals."""


def implementation_table(evidence: Evidence, words: Words, *, anchor: str = "implementation-table") -> Table | None:
    """Return what schools put into practice: each indicator in each arm; None when nothing was reported."""
    rows = of_focus(evidence.implementation, evidence)
    if rows.empty:
        return None
    reference = reference_arm(evidence).label
    note = [words.text("Difference: the mean of the arm less that of {arm}.", arm=reference)]
    return table(
        words,
        words.text("What schools put into practice"),
        columns=(
            Column(label=words.text("Indicator and arm"), width=3.2),
            Column(label=words.text("Schools"), align="right"),
            Column(label=words.text("Mean"), align="right"),
            Column(label=words.text("Lowest"), align="right"),
            Column(label=words.text("Highest"), align="right"),
            Column(label=words.text("Difference"), align="right"),
        ),
        lines=[made for wave, of_wave in by_wave(rows) for made in _indicators(evidence, words, wave, of_wave)],
        threshold=evidence.disclosure_threshold,
        note=[*note, *([few_schools_note(words)] if _has_few(rows) else [])],
        anchor=anchor,
    )


def costs_table(evidence: Evidence, words: Words, *, anchor: str = "costs-table") -> Table | None:
    """Return costs per school and per pupil in each arm, by country; None when none were reported."""
    rows = evidence.costs
    if rows.empty:
        return None
    if focus(evidence):
        rows = rows[rows["country"].isin(["", focus(evidence)])]
    elif not has_countries(evidence):
        rows = of_focus(rows, evidence)
    lines: list[Line] = []
    for country, of_place in rows.groupby("country", sort=False):
        if has_countries(evidence):
            lines.append(line(place_label(evidence, words, str(country)), kind="section"))
        lines += [_cost(evidence, words, row) for row in records(of_place)]
    return table(
        words,
        words.text("What it cost"),
        columns=(
            Column(label=words.text("Arm"), width=2.4),
            Column(label=words.text("Schools"), align="right"),
            Column(label=words.text("Cost per school"), align="right", width=1.6),
            Column(label=words.text("Cost per pupil"), align="right", width=1.6),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[few_schools_note(words)] if _has_few(rows) else [],
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
        "Figures of fewer than {n} schools are not printed, to keep schools from being identified.",
        n=words.numbers.count(MINIMUM_SCHOOLS),
    )


def arm_label(evidence: Evidence, name: str) -> str:
    """Return what an arm is called."""
    return next(arm.label for arm in evidence.arms if arm.name == name)


def is_printable(row: Mapping[str, object]) -> bool:
    """Whether a row rests on so many schools that its figures may be printed."""
    return as_float(row["n_schools"]) >= MINIMUM_SCHOOLS


def by_indicator(rows: pd.DataFrame) -> Iterator[tuple[str, dict[str, dict[str, object]]]]:
    """Yield each indicator's label, and its row in each arm that reported it, of the rows of one place and wave."""
    for _, of_indicator in rows.groupby("indicator", sort=False):
        found = {str(row["arm"]): row for row in records(of_indicator)}
        yield str(of_indicator["label"].iloc[0]), found


def difference_of(rows: Mapping[str, Mapping[str, object]], arm: str, *, reference: str) -> float:
    """Return an arm's mean less that of the reference; NaN where one of the two is of too few schools, or missing."""
    if any(name not in rows or not is_printable(rows[name]) for name in (arm, reference)):
        return math.nan
    return as_float(rows[arm]["difference"])


def by_wave(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of each wave; the wave's name is "" where there is one alone, so that it need not be said."""
    waves = rows.groupby("wave", sort=False)
    for wave, of_wave in waves:
        yield (str(wave) if waves.ngroups > 1 else ""), of_wave


def indicator_head(evidence: Evidence, words: Words, label: str, wave: str) -> str:
    """Return what an indicator is called, with its wave unless that is ""."""
    if not wave:
        return label
    said = evidence.waves[wave][0] if wave in evidence.waves else wave
    return words.text("{indicator}, {wave}", indicator=label, wave=said)


def _has_few(rows: pd.DataFrame) -> bool:
    return bool((rows["n_schools"] < MINIMUM_SCHOOLS).any())


def _indicators(evidence: Evidence, words: Words, wave: str, rows: pd.DataFrame) -> Iterator[Line]:
    reference = reference_arm(evidence).name
    for label, found in by_indicator(rows):
        yield line(indicator_head(evidence, words, label, wave), kind="section")
        for arm in evidence.arms:
            if arm.name in found:
                contrast = difference_of(found, arm.name, reference=reference)
                yield _in_arm(words, arm.label, found[arm.name], contrast, is_reference=arm.is_reference)


def _in_arm(words: Words, label: str, row: Mapping[str, object], contrast: float, *, is_reference: bool) -> Line:
    figures: list[Cell] = [
        words.numbers.estimate(as_float(row[name]), digits=digits) if is_printable(row) else HIDDEN
        for name, digits in (("mean", 1), ("minimum", _digits(row)), ("maximum", _digits(row)))
    ]
    difference: Cell = "" if is_reference else words.numbers.estimate(contrast, digits=1, sign="both")
    if not is_reference and not is_printable(row):
        difference = HIDDEN
    return line(label, Count(value=_n_schools(row), unit="schools"), *figures, difference)


def _n_schools(row: Mapping[str, object]) -> int:
    return int(as_float(row["n_schools"]))


def _digits(row: Mapping[str, object]) -> int:
    ends = (as_float(row["minimum"]), as_float(row["maximum"]))
    return 0 if all(math.isfinite(end) and end == round(end) for end in ends) else 1


def _cost(evidence: Evidence, words: Words, row: Mapping[str, object]) -> Line:
    figures: list[Cell] = [
        money(words, as_float(row[name]), currency=str(row["currency"])) if is_printable(row) else HIDDEN
        for name in ("cost_per_school", "cost_per_pupil")
    ]
    return line(arm_label(evidence, str(row["arm"])), Count(value=_n_schools(row), unit="schools"), *figures)
