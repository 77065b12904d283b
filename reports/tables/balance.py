"""How alike the arms were at baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from reports.blocks import Column, Span, Table
from reports.disclosure import (
    MOST_DECIMALS,
    compute_mean_decimals,
    compute_share_step,
    find_hidden_shares,
    is_small,
    round_pupil_count,
)
from reports.evidence import Evidence
from reports.selection import as_float, convert_to_records, get_compared_arms, get_reference_arm, select_focus_rows
from reports.tables.cells import HIDDEN
from reports.tables.layout import SUPPRESSED, Cell, Line, build_table, line
from reports.words import Words, message

LEVELS = {"school": message("Schools"), "pupil": message("Pupils")}
_KEY = ["level", "variable", "category", "country", "arm"]


def balance_rows(evidence: Evidence) -> pd.DataFrame:
    """Return the rows of the balance table of what the report is about, with a column ``hidden``.

    A row about pupils is hidden when a share in it represents few pupils or would give such a share away, here or in
    the report of another country, and when its mean is of few pupils.
    """
    frame = get_rows_of_all_places(evidence)
    return frame if frame.empty else select_focus_rows(frame, evidence)


def get_rows_of_all_places(evidence: Evidence) -> pd.DataFrame:
    """Return the rows of all countries and each, with a column ``hidden``."""
    return evidence.once("rows of balance", _get_rows_of_all_places)


def _get_rows_of_all_places(evidence: Evidence) -> pd.DataFrame:
    frame = evidence.balance
    return frame if frame.empty else frame.assign(hidden=find_hidden_rows(frame, evidence.disclosure_threshold))


def balance_table(evidence: Evidence, words: Words, *, anchor: str = "balance-table") -> Table | None:
    """Return means, standardised differences and missing values at baseline; None when nothing is known."""
    rows = balance_rows(evidence)
    if rows.empty:
        return None
    lines: list[Line] = []
    arms = get_compared_arms(evidence)
    for arm in arms:
        for level, label in LEVELS.items():
            chosen = rows[(rows["level"] == level) & (rows["arm"] == arm.name)]
            if chosen.empty:
                continue
            heading = words.text(label)
            if len(arms) > 1:
                heading = words.text("{level}: {arm}", level=heading, arm=arm.label)
            lines.append(line((Span(text=heading, strong=True),), kind="section"))
            lines += [
                _build_balance_line(words, row, evidence.disclosure_threshold) for row in convert_to_records(chosen)
            ]
    return build_table(
        words,
        words.text("Schools and pupils at baseline"),
        columns=(
            Column(label=words.text("Characteristic"), width=3.4),
            Column(label=get_reference_arm(evidence).label, align="right", width=1.5),
            Column(label=arms[0].label if len(arms) == 1 else words.text("Compared schools"), align="right", width=1.5),
            Column(label=words.text("Standardised difference"), align="right", width=1.5),
            Column(label=words.text("Missing"), align="right", width=1.4),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[
            words.text("Means with standard deviations in brackets; shares in percent. Missing: in each of the arms."),
        ],
        anchor=anchor,
    )


def format_row_label(words: Words, row: pd.Series | dict[str, object]) -> str:
    """Return what a row of the balance table is about."""
    label, category = str(row["label"]), str(row["category"] or "")
    return words.text("{variable}: {category}", variable=label, category=category) if category else label


def _build_balance_line(words: Words, row: dict[str, object], limit: int) -> Line:
    missing = [_format_share_missing(words, row, side) for side in ("reference", "arm")]
    apart = words.text("{first} and {second}", first=missing[0], second=missing[1])
    both = missing[0] if missing[0] == missing[1] else apart
    if row["hidden"]:
        return line(format_row_label(words, row), HIDDEN, HIDDEN, HIDDEN, both)
    return line(
        format_row_label(words, row),
        _format_side_mean(words, row, "reference", limit),
        _format_side_mean(words, row, "arm", limit),
        words.numbers.decimal(as_float(row["std_difference"]), digits=2, sign="both"),
        both,
    )


def _format_share_missing(words: Words, row: dict[str, object], side: str) -> str:
    """Return the share of missing values: of pupils so rounded that it represents several numbers of them."""
    share = as_float(row[f"missing_{side}"])
    if row["level"] == "pupil" and 0 <= share < 1:
        step = compute_share_step(round(as_float(row[f"n_{side}"]) / (1 - share)))
        if step is None:
            return words.text(SUPPRESSED)
        step = max(step, 10.0**-_HUNDREDTHS)
        share = round(share / step) * step
    return words.numbers.percent(share, digits=0)


def _format_side_mean(words: Words, row: dict[str, object], side: str, limit: int) -> Cell:
    mean, sd = as_float(row[f"mean_{side}"]), as_float(row[f"sd_{side}"])
    most = MOST_DECIMALS
    if row["level"] == "pupil" and math.isfinite(mean):
        n = int(as_float(row[f"n_{side}"]))
        decimals = compute_mean_decimals(mean, n, round_pupil_count(n, threshold=limit), threshold=limit)
        if decimals is None:
            return HIDDEN
        most = decimals
    if row["category"]:
        return words.numbers.percent(mean, digits=min(1, max(most - 2, 0))) if most >= _HUNDREDTHS else HIDDEN
    spread = as_float(row["sd_reference"])
    digits = 2 if not math.isfinite(spread) or spread <= 0 else min(max(0, 1 - math.floor(math.log10(spread))), 3)
    number = words.numbers.decimal(mean, digits=min(digits, most))
    if not math.isfinite(sd):
        return number
    return words.text("{mean} ({sd})", mean=number, sd=words.numbers.decimal(sd, digits=min(digits, most)))


_HUNDREDTHS = 2
"""Decimals of a share that is printed as a whole percentage."""


def find_hidden_rows(frame: pd.DataFrame, limit: int) -> list[bool]:
    """Return which rows of a balance table may not be printed, because few pupils stand behind a figure of theirs."""
    secret: set[tuple[str, ...]] = set()
    pupils = frame[frame["level"] == "pupil"]
    for row in convert_to_records(pupils):
        if any(is_small(as_float(row[size]), threshold=limit) for size in ("n_reference", "n_arm")):
            secret.add(_get_row_key(row))
    shares = pupils[pupils["category"].fillna("") != ""]
    for _, group in shares.groupby(["variable", "arm"], sort=False):
        secret |= _find_secret_shares(group, limit)
    return [_get_row_key(row) in secret for row in convert_to_records(frame)]


def _find_secret_shares(group: pd.DataFrame, limit: int) -> set[tuple[str, ...]]:
    """Shares of one variable and arm that may not be printed, in rows by category and columns by country."""
    categories = list(dict.fromkeys(group["category"]))
    countries = [country for country in dict.fromkeys(group["country"]) if country] or [""]
    hidden = np.zeros((len(categories) + 1, len(countries) + 1), dtype=bool)
    for side in ("reference", "arm"):
        hidden |= find_hidden_shares(
            _build_value_grid(group, categories, countries, f"mean_{side}"),
            _build_value_grid(group, categories, countries, f"n_{side}", empty=0.0),
            threshold=limit,
        )
    named = countries if countries == [""] else [*countries, ""]
    keys = {_get_row_key(row): (row["category"], row["country"]) for row in convert_to_records(group)}
    places = {(c, k): hidden[i, j] for i, c in enumerate(categories) for j, k in enumerate(named)}
    return {key for key, place in keys.items() if places[place]}


def _build_value_grid(
    group: pd.DataFrame, categories: Sequence[str], countries: Sequence[str], column: str, *, empty: float = math.nan
) -> list[list[float]]:
    values = {(row["category"], row["country"]): as_float(row[column]) for row in convert_to_records(group)}
    return [[values.get((category, country), empty) for country in countries] for category in categories]


def _get_row_key(row: dict[str, object]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in _KEY)
