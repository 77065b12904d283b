"""Means and shares of arms that may be printed: in tables, pictures and sentences alike."""

from __future__ import annotations

import math

from analysis.results import Estimate
from reports.disclosure import hidden_shares, is_small
from reports.evidence import AnalysisFacts, Evidence
from reports.selection import Estimates, has_countries, outcome_of

Means = dict[tuple[str, str], Estimate | None]
"""Arm and country to a mean that may be printed, or to None where it is suppressed."""


def places(evidence: Evidence) -> tuple[str, ...]:
    """Return the country codes under which there are estimates, all together ("") first."""
    return ("", *evidence.countries) if has_countries(evidence) else ("",)


def shown_means(evidence: Evidence, analysis: AnalysisFacts, estimates: Estimates) -> Means:
    """Return the arms' means or shares by arm and country, None where they are suppressed.

    A share is suppressed when it stands for few pupils, or would give such a share away; a mean when it is of few.
    What was not estimated has no entry.
    """
    limit = evidence.disclosure_threshold
    found: Means = {}
    for arm in evidence.arms:
        for place in places(evidence):
            mean = estimates.usable(analysis.name, "mean", arm=arm.name, country=place)
            if mean is not None and math.isfinite(mean.estimate):
                found[arm.name, place] = None if is_small(mean.n_pupils, threshold=limit) else mean
    if outcome_of(evidence, analysis).kind == "binary":
        found.update(dict.fromkeys(_secret(evidence, analysis, estimates) & set(found)))
    return found


def shown_adjusted_mean(
    estimates: Estimates, analysis: AnalysisFacts, shown: Means, *, arms: tuple[str, str], country: str
) -> Estimate | None:
    """Return the adjusted mean of an arm; None when there is none, or when it would tell a suppressed mean.

    Parameters
    ----------
    shown
        As `shown_means` returns them.
    arms
        The reference and the arm.
    """
    if any(shown.get((arm, country)) is None for arm in arms):
        return None
    mean = estimates.usable(analysis.name, "adjusted_mean", arm=arms[1], country=country)
    return mean if mean is not None and math.isfinite(mean.estimate) else None


def _secret(evidence: Evidence, analysis: AnalysisFacts, estimates: Estimates) -> set[tuple[str, str]]:
    rows = [place for place in places(evidence) if place] or [""]
    cells = [
        [estimates.usable(analysis.name, "mean", arm=arm.name, country=place) for arm in evidence.arms]
        for place in rows
    ]
    hidden = hidden_shares(
        [[math.nan if cell is None else cell.estimate for cell in row] for row in cells],
        [[0 if cell is None else cell.n_pupils for cell in row] for row in cells],
        threshold=evidence.disclosure_threshold,
        rows_as_one=True,
    )
    named = rows if rows == [""] else [*rows, ""]
    return {(arm.name, place) for i, place in enumerate(named) for j, arm in enumerate(evidence.arms) if hidden[i, j]}
