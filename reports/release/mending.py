"""Which analyses' numbers of pupils are kept back, so that no small number follows from what reports print.

Reports are made of counts after disclosure control. What these tell together is solved for before any is printed; where
a small number follows, the rounded numbers of the analysis that it is about are kept back, or those of all analyses
where it is about the flow, until none follows. What still does is refused by the gate (`reports.release.gate`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from analysis.results import KAPLAN_MEIER
from reports.counted import Pupils
from reports.disclosure import Count
from reports.evidence import Evidence
from reports.flow import flows_of
from reports.means import Mean, places, shown_means
from reports.release.gate import imputed_of, nobody
from reports.release.links import links_of_files
from reports.release.reading import ROUNDED_MARK, Printed, fact_of
from reports.release.search import ContradictionError
from reports.release.system import MeanFact, Solved, solve
from reports.selection import all_estimates, as_estimate, outcome_of, records
from reports.sizes import printed_sizes
from reports.tables.data_returns import SENT, TOGETHER, printed_files


def without_recoverable(evidence: Evidence, kinds: Mapping[str, str]) -> Evidence:
    """Return the evidence with those analyses withheld of which a number of pupils would follow.

    Parameters
    ----------
    evidence
        Of a trial.
    kinds
        Outcome to what its values are: "binary", "whole" (numbers) or anything else.
    """
    everything = frozenset(entry.name for entry in evidence.analyses)
    while True:
        try:
            solved = _solved(evidence, kinds)
        except ContradictionError:
            return evidence  # reports say what they can; the gate refuses to publish them
        named = frozenset(pupils.name for pupils in solved.sets if pupils.what in ("outcome", "event")) & everything
        are_files = any(pupils.what == "files" for pupils in solved.sets)
        files = [frozenset({one}) for one in (SENT, TOGETHER) if are_files]
        options = (*files, named, _of_analysed(evidence), everything)
        further = next((entries - evidence.withheld for entries in options if entries - evidence.withheld), None)
        if not solved.recovered or further is None:
            return evidence
        evidence = replace(evidence, withheld=evidence.withheld | further)


def _of_analysed(evidence: Evidence) -> frozenset[str]:
    """Return the plan entries whose pupils are those of the flow's last step."""
    sizes, rows = printed_sizes(evidence), [as_estimate(row) for row in records(evidence.estimates)]
    sets = {row.plan_entry: sizes[row.estimate_id].pupils for row in rows if row.quantity == "mean"}
    return frozenset(entry for entry, pupils in sets.items() if pupils is not None and pupils.what == "analysed")


def _solved(evidence: Evidence, kinds: Mapping[str, str]) -> Solved:
    limit, printed = evidence.disclosure_threshold, list(_printed(evidence))
    facts = [*(fact_of(one, threshold=limit) for one in printed), *nobody(printed)]
    means = list(dict.fromkeys(_means(evidence, kinds)))
    outcomes = {entry.name: entry.outcome for entry in evidence.analyses}
    assumed = {entry.name: entry.missing_outcome for entry in evidence.analyses if entry.missing_outcome != "leave_out"}
    reasons = dict.fromkeys(one.pupils.name for one in printed if one.pupils.what == "lost")
    imputed = imputed_of(outcomes, _of_analysed(evidence), assumed, reasons)
    links = links_of_files(evidence)
    return solve(list(dict.fromkeys(facts)), means, threshold=limit, imputed=imputed, links=links)


def _printed(evidence: Evidence) -> Iterator[Printed]:
    """Yield the numbers of the flow and behind the estimates, as they will be printed."""
    for flow in flows_of(evidence, places(evidence)).values():
        for arm in flow.arms:
            steps = (arm.baseline, arm.joined, arm.analysed, *(step for _, step in arm.missing))
            yield from (
                _as_printed(step.pupils, step.pupils.pupils) for step in steps if step.pupils and step.pupils.pupils
            )
    counts = (*printed_sizes(evidence).values(), *printed_files(evidence))
    yield from (_as_printed(count, count.pupils) for count in counts if count.pupils)


def _as_printed(count: Count, pupils: Pupils) -> Printed:
    text = "" if count.value is None else f"{ROUNDED_MARK if count.is_rounded else ''}{count.value}"
    return Printed(pupils=pupils, text=text)


def _means(evidence: Evidence, kinds: Mapping[str, str]) -> Iterator[MeanFact]:
    """Yield what the means that will be printed tell."""
    estimates, sizes = all_estimates(evidence), printed_sizes(evidence)
    for entry in evidence.analyses:
        kind = kinds.get(outcome_of(evidence, entry).name, "")
        for mean in shown_means(evidence, entry, estimates).values() if kind in ("binary", "whole") else ():
            pupils = None if mean is None else sizes[mean.estimate_id].pupils
            if mean is not None and pupils is not None:
                low, high = _ends(mean, is_share=kind == "binary")
                low = 0.0 if mean.method == KAPLAN_MEIER else low
                yield MeanFact(pupils=pupils, low=low, high=high, is_share=kind == "binary")


def _ends(mean: Mean, *, is_share: bool) -> tuple[float, float]:
    half = 0.5 * 10.0**-mean.decimals * (1 + 1e-9)
    return max(mean.estimate - half, 0.0) if is_share else mean.estimate - half, mean.estimate + half
