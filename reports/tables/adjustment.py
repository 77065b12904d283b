"""What allowing for covariates does to the primary estimate."""

from __future__ import annotations

import math

from analysis.adjustment import ALL, NONE
from reports.blocks import Column, Table
from reports.comparisons import Comparison
from reports.evidence import Evidence
from reports.selection import as_float, convert_to_records, get_compared_arms, get_focus_country
from reports.tables.layout import build_table, line
from reports.words import Words

WORTH_SAYING = 0.5
"""Shift, in standard errors, from which on the sentence calls it more than small."""


def select_adjustment_rows(evidence: Evidence, one: Comparison) -> list[dict[str, object]]:
    """Return the rows of an analysis and arm; none in a country's report, which has no such estimates."""
    if evidence.adjustment.empty or get_focus_country(evidence):
        return []
    wanted = (one.analysis.name, one.arm.name)
    return [row for row in convert_to_records(evidence.adjustment) if (row["plan_entry"], row["arm"]) == wanted]


def build_adjustment_table(evidence: Evidence, words: Words, one: Comparison) -> Table | None:
    """Return the estimate without covariates, with each alone and with all; None where nothing is known."""
    rows = select_adjustment_rows(evidence, one)
    if not rows:
        return None
    return build_table(
        words,
        _format_caption(evidence, words, one),
        columns=(
            Column(label=words.text("Allowing for"), width=3.0),
            Column(label=words.text("Difference"), align="right", width=1.2),
            Column(label=words.text("Moved by"), align="right", width=1.2),
            Column(label=words.text("In standard errors"), align="right", width=1.4),
        ),
        lines=[
            line(
                _format_covariates_name(evidence, words, str(row["covariates"])), *_format_row_figures(words, one, row)
            )
            for row in rows
        ],
        threshold=evidence.disclosure_threshold,
        note=[
            words.text(
                "Moves are from the estimate without covariates, in its standard errors. They show what differences at"
                " baseline mean for the estimate that the protocol asks for."
            )
        ],
        anchor=f"adjustment-{one.analysis.name}-{one.arm.name}",
    )


def _format_caption(evidence: Evidence, words: Words, one: Comparison) -> str:
    if len(get_compared_arms(evidence)) == 1:
        return words.text("What covariates do to the estimate: {outcome}", outcome=one.outcome.label)
    return words.text(
        "What covariates do to the estimate: {outcome}, {arm}", outcome=one.outcome.label, arm=one.arm.label
    )


def describe_adjustment(evidence: Evidence, words: Words, one: Comparison) -> str:
    """Describe how far all covariates together move the estimate; nothing where that is not known."""
    last = [row for row in select_adjustment_rows(evidence, one) if row["covariates"] == ALL]
    errors = as_float(last[0]["shift_in_errors"]) if last else math.nan
    if not math.isfinite(errors):
        return ""
    size = words.numbers.estimate(abs(errors), digits=1)
    if abs(errors) < WORTH_SAYING:
        return words.text(
            "Allowing for the covariates moves the estimate by {n} standard errors, which is little.", n=size
        )
    return words.text(
        "Allowing for the covariates moves the estimate by {n} standard errors: differences at baseline matter here.",
        n=size,
    )


def _format_covariates_name(evidence: Evidence, words: Words, covariates: str) -> str:
    if covariates == NONE:
        return words.text("no covariate")
    if covariates == ALL:
        return words.text("all covariates of the plan")
    return str(evidence.covariate_labels.get(covariates, covariates))


def _format_row_figures(words: Words, one: Comparison, row: dict[str, object]) -> tuple[str, str, str]:
    estimate, shift = one.scale * as_float(row["estimate"]), one.scale * as_float(row["shift"])
    first = row["covariates"] == NONE
    return (
        words.numbers.estimate(estimate, digits=one.digits, sign="both"),
        "" if first else words.numbers.estimate(shift, digits=one.digits, sign="both"),
        "" if first else words.numbers.estimate(as_float(row["shift_in_errors"]), digits=2, sign="both"),
    )
