"""Means and shares of arms that may be printed: in tables, pictures and sentences alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.results import Estimate
from reports.disclosure import MOST_DECIMALS, Count, compute_mean_decimals, find_hidden_shares, is_small
from reports.evidence import AnalysisFacts, Evidence
from reports.selection import Estimates, get_outcome, has_countries
from reports.sizes import compute_printed_sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean(Estimate):
    """A mean or share that may be printed; ``decimals`` is how many it may have at most, in the estimate's units."""

    decimals: int

    @classmethod
    def of(cls, row: Estimate, decimals: int) -> Mean:
        """Return an estimate with the decimals that it may have, and no further ones."""
        estimate = row.estimate if decimals == MOST_DECIMALS else round(row.estimate, decimals)
        return cls(**row.to_dict() | {"estimate": estimate}, decimals=decimals)  # type: ignore[arg-type]


Means = dict[tuple[str, str], Mean | None]
"""Arm and country to a mean that may be printed, or to None where it is suppressed."""


def find_places(evidence: Evidence) -> tuple[str, ...]:
    """Return the country codes under which there are estimates, all together ("") first."""
    return ("", *evidence.countries) if has_countries(evidence) else ("",)


def compute_shown_means(evidence: Evidence, analysis: AnalysisFacts, estimates: Estimates) -> Means:
    """Return the arms' means or shares by arm and country, None where they are suppressed.

    A share is suppressed when it represents few pupils, or would give such a share away; a mean when it is of few. A
    mean whose number of pupils is not printed exactly has no decimals that would tell it (`compute_mean_decimals`).
    What was not estimated has no entry.
    """
    return evidence.once(f"means of {analysis.name}", lambda known: _compute_shown_means(known, analysis, estimates))


def _compute_shown_means(evidence: Evidence, analysis: AnalysisFacts, estimates: Estimates) -> Means:
    limit, sizes = evidence.disclosure_threshold, compute_printed_sizes(evidence)
    of_shares = get_outcome(evidence, analysis).outcome_kind.is_share
    least = 2 if of_shares else 0  # tenths are too coarse a share to say anything
    means_by_place: Means = {}
    for arm in evidence.arms:
        for place in find_places(evidence):
            mean = estimates.usable(analysis.name, "mean", arm=arm.name, country=place)
            if mean is not None and math.isfinite(mean.estimate):
                size = sizes[mean.estimate_id]
                is_known = size.value is not None and not size.is_rounded and analysis.missing_outcome == "leave_out"
                is_kept_back = analysis.name in evidence.withheld and not is_known
                means_by_place[arm.name, place] = (
                    None if is_kept_back else _make_printable_mean(mean, size, limit, least=least)
                )
    if of_shares:
        means_by_place.update(dict.fromkeys(_find_secret_means(evidence, analysis, estimates) & set(means_by_place)))
    return means_by_place


def _make_printable_mean(mean: Estimate, size: Count, limit: int, *, least: int) -> Mean | None:
    decimals = compute_mean_decimals(mean.estimate, mean.n_pupils, size, threshold=limit)
    if decimals is None or decimals < least or is_small(mean.n_pupils, threshold=limit):
        return None
    return Mean.of(mean, decimals)


def find_shown_adjusted_mean(
    estimates: Estimates, analysis: AnalysisFacts, shown: Means, *, arms: tuple[str, str], country: str
) -> Mean | None:
    """Return the adjusted mean of an arm; None when there is none, or when it would tell a suppressed mean.

    Less the difference it is the mean of the reference, and has no more decimals than that.

    Parameters
    ----------
    shown
        As `compute_shown_means` returns them.
    arms
        The reference and the arm.
    """
    reference = shown.get((arms[0], country))
    if reference is None or shown.get((arms[1], country)) is None:
        return None
    mean = estimates.usable(analysis.name, "adjusted_mean", arm=arms[1], country=country)
    return Mean.of(mean, reference.decimals) if mean is not None and math.isfinite(mean.estimate) else None


def _find_secret_means(evidence: Evidence, analysis: AnalysisFacts, estimates: Estimates) -> set[tuple[str, str]]:
    rows = [place for place in find_places(evidence) if place] or [""]
    cells = [
        [estimates.usable(analysis.name, "mean", arm=arm.name, country=place) for arm in evidence.arms]
        for place in rows
    ]
    hidden = find_hidden_shares(
        [[math.nan if cell is None else cell.estimate for cell in row] for row in cells],
        [[0 if cell is None else cell.n_pupils for cell in row] for row in cells],
        threshold=evidence.disclosure_threshold,
        rows_as_one=True,
    )
    named = rows if rows == [""] else [*rows, ""]
    return {(arm.name, place) for i, place in enumerate(named) for j, arm in enumerate(evidence.arms) if hidden[i, j]}
