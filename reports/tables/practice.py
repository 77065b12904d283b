"""What schools did, and what it cost, arm by arm."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import pandas as pd

from reports.blocks import Column, Table
from reports.disclosure import MINIMUM_SCHOOLS, Count
from reports.evidence import Evidence
from reports.selection import (
    as_float,
    convert_to_records,
    get_focus_country,
    get_reference_arm,
    has_countries,
    select_focus_rows,
)
from reports.tables.cells import HIDDEN, format_place_label
from reports.tables.layout import Cell, Line, build_table, line
from reports.words import Words

_WHOLE_FROM = 20
"""Amount from which money is printed without decimals."""


def implementation_table(evidence: Evidence, words: Words, *, anchor: str = "implementation-table") -> Table | None:
    """Return what schools put into practice: each indicator in each arm; None when nothing was reported."""
    rows = select_focus_rows(evidence.implementation, evidence)
    if rows.empty:
        return None
    reference = get_reference_arm(evidence).label
    note = [words.text("Difference: the mean of the arm less that of {arm}.", arm=reference)]
    return build_table(
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
        lines=[
            indicator_line
            for wave, of_wave in iterate_by_wave(rows)
            for indicator_line in _iterate_indicator_lines(evidence, words, wave, of_wave)
        ],
        threshold=evidence.disclosure_threshold,
        note=[*note, *([describe_few_schools(words)] if _has_few(rows) else [])],
        anchor=anchor,
    )


def costs_table(evidence: Evidence, words: Words, *, anchor: str = "costs-table") -> Table | None:
    """Return costs per school and per pupil in each arm, by country; None when none were reported."""
    rows = evidence.costs
    if rows.empty:
        return None
    if get_focus_country(evidence):
        rows = rows[rows["country"].isin(["", get_focus_country(evidence)])]
    elif not has_countries(evidence):
        rows = select_focus_rows(rows, evidence)
    lines: list[Line] = []
    for country, of_place in rows.groupby("country", sort=False):
        if has_countries(evidence):
            lines.append(line(format_place_label(evidence, words, str(country)), kind="section"))
        lines += [_build_cost_line(evidence, words, row) for row in convert_to_records(of_place)]
    return build_table(
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
        note=[describe_few_schools(words)] if _has_few(rows) else [],
        anchor=anchor,
    )


def format_money(words: Words, amount: float, *, currency: str) -> str:
    """Return an amount of money with its currency: no decimals from 20 on, two below."""
    if not math.isfinite(amount):
        return words.numbers.decimal(amount)
    digits = 0 if abs(amount) >= _WHOLE_FROM else 2
    return words.text("{currency} {amount}", currency=currency, amount=words.numbers.estimate(amount, digits=digits))


def describe_few_schools(words: Words) -> str:
    """Return what hides figures of few schools."""
    return words.text(
        "Figures of fewer than {n} schools are not printed, to keep schools from being identified.",
        n=words.numbers.count(MINIMUM_SCHOOLS),
    )


def get_arm_label(evidence: Evidence, name: str) -> str:
    """Return what an arm is called."""
    return next(arm.label for arm in evidence.arms if arm.name == name)


def is_printable(row: Mapping[str, object]) -> bool:
    """Whether a row rests on so many schools that its figures may be printed."""
    return as_float(row["n_schools"]) >= MINIMUM_SCHOOLS


def iterate_by_indicator(rows: pd.DataFrame) -> Iterator[tuple[str, dict[str, dict[str, object]]]]:
    """Yield each indicator's label, and its row in each arm that reported it, of the rows of one place and wave."""
    for _, of_indicator in rows.groupby("indicator", sort=False):
        rows_by_arm = {str(row["arm"]): row for row in convert_to_records(of_indicator)}
        yield str(of_indicator["label"].iloc[0]), rows_by_arm


def compute_arm_difference(rows: Mapping[str, Mapping[str, object]], arm: str, *, reference: str) -> float:
    """Return an arm's mean less that of the reference; NaN where one of the two is of too few schools, or missing."""
    if any(name not in rows or not is_printable(rows[name]) for name in (arm, reference)):
        return math.nan
    return as_float(rows[arm]["difference"])


def iterate_by_wave(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of each wave; the wave's name is "" where there is one alone, so that it need not be said."""
    waves = rows.groupby("wave", sort=False)
    for wave, of_wave in waves:
        yield (str(wave) if waves.ngroups > 1 else ""), of_wave


def format_indicator_head(evidence: Evidence, words: Words, label: str, wave: str) -> str:
    """Return what an indicator is called, with its wave unless that is ""."""
    if not wave:
        return label
    wave_label = evidence.waves[wave][0] if wave in evidence.waves else wave
    return words.text("{indicator}, {wave}", indicator=label, wave=wave_label)


def _has_few(rows: pd.DataFrame) -> bool:
    return bool((rows["n_schools"] < MINIMUM_SCHOOLS).any())


def _iterate_indicator_lines(evidence: Evidence, words: Words, wave: str, rows: pd.DataFrame) -> Iterator[Line]:
    reference = get_reference_arm(evidence).name
    for label, rows_by_arm in iterate_by_indicator(rows):
        yield line(format_indicator_head(evidence, words, label, wave), kind="section")
        for arm in evidence.arms:
            if arm.name in rows_by_arm:
                contrast = compute_arm_difference(rows_by_arm, arm.name, reference=reference)
                yield _build_arm_line(words, arm.label, rows_by_arm[arm.name], contrast, is_reference=arm.is_reference)


def _build_arm_line(
    words: Words, label: str, row: Mapping[str, object], contrast: float, *, is_reference: bool
) -> Line:
    figures: list[Cell] = [
        words.numbers.estimate(as_float(row[name]), digits=digits) if is_printable(row) else HIDDEN
        for name, digits in (
            ("mean", 1),
            ("minimum", _compute_range_digits(row)),
            ("maximum", _compute_range_digits(row)),
        )
    ]
    difference: Cell = "" if is_reference else words.numbers.estimate(contrast, digits=1, sign="both")
    if not is_reference and not is_printable(row):
        difference = HIDDEN
    return line(label, Count(value=_count_schools(row), unit="schools"), *figures, difference)


def _count_schools(row: Mapping[str, object]) -> int:
    return int(as_float(row["n_schools"]))


def _compute_range_digits(row: Mapping[str, object]) -> int:
    ends = (as_float(row["minimum"]), as_float(row["maximum"]))
    return 0 if all(math.isfinite(end) and end == round(end) for end in ends) else 1


def _build_cost_line(evidence: Evidence, words: Words, row: Mapping[str, object]) -> Line:
    figures: list[Cell] = [
        format_money(words, as_float(row[name]), currency=str(row["currency"])) if is_printable(row) else HIDDEN
        for name in ("cost_per_school", "cost_per_pupil")
    ]
    return line(get_arm_label(evidence, str(row["arm"])), Count(value=_count_schools(row), unit="schools"), *figures)
