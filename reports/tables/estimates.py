"""The appendix: every estimate by its id."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace

import pandas as pd

from analysis.results import Estimate
from reports.blocks import Column, Span, Table
from reports.disclosure import Count
from reports.evidence import Evidence
from reports.means import Mean, compute_shown_means
from reports.selection import (
    all_estimates,
    as_estimate,
    as_float,
    convert_to_records,
    get_focus_country,
    get_reference_arm,
)
from reports.sizes import Sizes, compute_printed_sizes, get_printed_size
from reports.tables.cautions import Marks, assign_caution_marks, describe_caution_marks, mark_cell
from reports.tables.cells import HIDDEN
from reports.tables.layout import Cell, Line, build_table, line
from reports.tables.ratios import is_revealing_few
from reports.words import Words


def estimates_table(evidence: Evidence, words: Words, *, anchor: str = "estimates") -> Table:
    """Return all estimates in the units in which they were computed, an id per row, grouped by plan entry.

    The means that disclosure control keeps out of other tables are kept out here as well.
    """
    means = _compute_printed_means(evidence)
    place = get_focus_country(evidence)
    endless = any(_is_endless(as_estimate(row)) for row in convert_to_records(evidence.estimates))
    rows = [as_estimate(row) for row in convert_to_records(evidence.estimates)]
    rows = [row for row in rows if not place or row.country in ("", place)]
    reference = get_reference_arm(evidence).name
    hidden = {row.estimate_id for row in rows if _is_revealing(row, _find_suppressed_means(means), evidence)}
    # That few pupils had an event is nothing to say of a figure that is suppressed for it, or for another's sake.
    rows = [replace(row, caution="") if row.estimate_id in hidden else row for row in rows]
    marks, sizes = assign_caution_marks(rows), compute_printed_sizes(evidence)
    lines: list[Line] = []
    reasons: dict[str, str] = {}
    for entry in dict.fromkeys(row.plan_entry for row in rows):
        lines.append(line((Span(text=words.text("{entry}/", entry=entry), strong=True),), kind="section"))
        for row in (row for row in rows if row.plan_entry == entry):
            if row.status == "failed" and row.reason:
                reasons.setdefault(row.reason, row.estimate_id)
            secret = row.estimate_id in hidden
            digits = _compute_most_digits(row, means, reference=reference)
            lines.append(_build_estimate_line(words, row, marks, sizes, digits=digits, secret=secret))
    return build_table(
        words,
        words.text("All estimates, by id"),
        columns=(
            Column(label=words.text("Estimate id"), width=3.9),
            Column(label=words.text("Estimate"), align="right", width=1.1),
            Column(label=words.text("Standard error"), align="right", width=1.1),
            Column(label=words.text("Interval"), align="right", width=1.9),
            Column(label=words.text("df"), align="right", width=0.8),
            Column(label=words.text("p"), align="right", width=0.8),
            Column(label=words.text("Schools"), align="right", width=0.9),
            Column(label=words.text("Pupils"), align="right", width=0.9),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[
            words.text(
                "Shares are between 0 and 1 here. An id is the plan entry in the heading, then country, quantity and"
                " arm."
            ),
            *(
                [words.text("Boundary: a variance was estimated as zero.")]
                if any(row.status == "boundary" for row in rows)
                else []
            ),
            *(
                [
                    words.text(
                        "A number needed to treat whose interval ends below its start runs through no effect at all."
                    )
                ]
                if endless
                else []
            ),
            *describe_caution_marks(words, marks),
            *(words.text("{id}: not estimated. {reason}", id=first, reason=why) for why, first in reasons.items()),
        ],
        anchor=anchor,
    )


# Figures that, beside the difference, give the reference arm's share away.
_TELLING = (
    "adjusted_mean",
    "cox_index",
    "risk_ratio",
    "rate_ratio",
    "marginal_odds_ratio",
    "odds_ratio",
    "hazard_ratio",
)

# Spreads of a binary outcome follow from its share.
_SPREADS = ("school_sd", "pupil_sd", "level_sd")


def _is_revealing(row: Estimate, suppressed: Collection[tuple[str, str, str]], evidence: Evidence) -> bool:
    """Whether a row is, or gives away, a share that is suppressed, or a category of few pupils."""
    if is_revealing_few(row, threshold=evidence.disclosure_threshold):
        return True
    reference = get_reference_arm(evidence).name
    if row.quantity == "mean":
        return (row.plan_entry, row.arm, row.country) in suppressed
    if row.quantity in _SPREADS:
        return any((entry, place) == (row.plan_entry, row.country) for entry, _, place in suppressed)
    arms = (row.arm, reference) if row.quantity in _TELLING else ()
    return any((row.plan_entry, arm, row.country) in suppressed for arm in arms)


def _is_endless(row: Estimate) -> bool:
    return row.quantity == "number_needed_to_treat" and row.conf_low > row.conf_high


def build_published_estimates(evidence: Evidence) -> pd.DataFrame:
    """Return the table of estimates as it may be published: what no report prints is not in it either.

    Parameters
    ----------
    evidence
        Of all countries.

    Returns
    -------
    pandas.DataFrame
        `Evidence.estimates` without the figures of suppressed means and of what gives them away, whose status is
        "suppressed", with numbers of pupils as tables print them (``n_pupils_rounded`` says which are rounded) and with
        no more decimals than bear meaning.
    """
    publishable, means = evidence.estimates.copy(), _compute_printed_means(evidence)
    reference = get_reference_arm(evidence).name
    secret = [
        _is_revealing(as_estimate(row), _find_suppressed_means(means), evidence)
        for row in convert_to_records(publishable)
    ]
    figures = [name for name in _FIGURES if name in publishable]
    publishable.loc[secret, figures] = math.nan
    publishable.loc[secret, "status"] = "suppressed"
    if "caution" in publishable:
        publishable.loc[secret, "caution"] = ""
    sizes = compute_printed_sizes(evidence)
    counts = [sizes[str(name)] for name in publishable["estimate_id"]]
    publishable["n_pupils"] = pd.array([count.value for count in counts], dtype="Int64")
    place = list(publishable.columns).index("n_pupils")
    publishable.insert(place + 1, "n_pupils_rounded", ["yes" if count.is_rounded else "no" for count in counts])
    for name in figures:
        publishable[name] = _as_published(publishable, name, means, reference=reference)
    return publishable


_FIGURES = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
_DIGITS = {"statistic": 3, "df": 1, "p_value": 5}
"""Decimals of figures that are not in the outcome's units."""


def _as_published(made: pd.DataFrame, name: str, means: Printed, *, reference: str) -> pd.Series:
    """Round a figure to one decimal more than the tables print: with fifteen, a mean gives its number of pupils away.

    A mean, which has no error to tell how exact it is, has the table's decimals.
    """
    rows = [as_estimate(row) for row in convert_to_records(made)]
    digits = [
        _DIGITS.get(name, _compute_most_digits(row, means, reference=reference) + (row.quantity not in _MEANS))
        for row in rows
    ]
    return pd.Series(
        [round(as_float(value), decimals) for value, decimals in zip(made[name], digits, strict=True)], index=made.index
    )


_MEANS = ("mean", "adjusted_mean")


def _compute_most_digits(row: Estimate, means: Printed, *, reference: str) -> int:
    """Return the decimals of a row's figures: those of its precision, of a mean no more than it may have."""
    arm = {"mean": row.arm, "adjusted_mean": reference}.get(row.quantity)
    mean = None if arm is None else means.get((row.plan_entry, arm, row.country))
    return _compute_precision_digits(row) if mean is None else min(_compute_precision_digits(row), mean.decimals)


Printed = Mapping[tuple[str, str, str], Mean | None]
"""Plan entry, arm and country to a mean as it may be printed; None where it is suppressed."""


def _compute_printed_means(evidence: Evidence) -> Printed:
    estimates = all_estimates(evidence)
    return {
        (entry.name, *key): mean
        for entry in evidence.analyses
        for key, mean in compute_shown_means(evidence, entry, estimates).items()
    }


def _find_suppressed_means(means: Printed) -> set[tuple[str, str, str]]:
    return {key for key, mean in means.items() if mean is None}


def _build_estimate_line(words: Words, row: Estimate, marks: Marks, sizes: Sizes, *, digits: int, secret: bool) -> Line:
    numbers = words.numbers
    failed = row.status == "failed"

    def format_row_value(value: float) -> Cell:
        write = numbers.decimal if row.quantity in _MEANS else numbers.estimate
        return HIDDEN if secret else write(math.nan if failed else value, digits=digits)

    ends = (math.nan, math.nan) if failed else (row.conf_low, row.conf_high)
    return line(
        mark_cell(_format_estimate_name(words, row), row, marks),
        format_row_value(row.estimate),
        format_row_value(row.std_error),
        HIDDEN if secret else numbers.interval(*ends, digits=digits),
        numbers.decimal(math.nan if failed else row.df, digits=1),
        numbers.p_figure(math.nan if failed else row.p_value, alpha=1 - row.conf_level),
        Count(value=row.n_schools, unit="schools"),
        get_printed_size(row, sizes),
    )


def _format_estimate_name(words: Words, row: Estimate) -> Cell:
    identity = Span(text=row.estimate_id.removeprefix(f"{row.plan_entry}/"), estimate_id=row.estimate_id)
    return words.line("{id} (boundary)", id=identity) if row.status == "boundary" else identity


def _compute_precision_digits(row: Estimate) -> int:
    """Return decimals that show about three figures of the precision."""
    scale = next((abs(v) for v in (row.std_error, row.estimate, row.conf_high) if math.isfinite(v) and v != 0), 1.0)
    return min(max(2 - math.floor(math.log10(scale)), 0), 5)
