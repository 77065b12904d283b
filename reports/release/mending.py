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
from reports.flow import build_flows_by_place
from reports.means import Mean, compute_shown_means, find_places
from reports.release.gate import find_imputed_analyses, nobody
from reports.release.links import collect_file_links
from reports.release.reading import ROUNDED_MARK, Printed, build_fact
from reports.release.search import ContradictionError
from reports.release.system import MeanFact, Solved, infer_pupil_counts
from reports.selection import all_estimates, as_estimate, convert_to_records, get_outcome
from reports.sizes import compute_printed_sizes
from reports.tables.data_returns import SENT, TOGETHER, iterate_printed_files


def suppress_recoverable(evidence: Evidence, kinds: Mapping[str, str]) -> Evidence:
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
            solved = _infer_from_evidence(evidence, kinds)
        except ContradictionError:
            return evidence  # reports say what they can; the gate refuses to publish them
        named = frozenset(pupils.name for pupils in solved.sets if pupils.what in ("outcome", "event")) & everything
        are_files = any(pupils.what == "files" for pupils in solved.sets)
        files = [frozenset({file_level}) for file_level in (SENT, TOGETHER) if are_files]
        options = (*files, named, _find_entries_of_analysed(evidence), everything)
        further = next((entries - evidence.withheld for entries in options if entries - evidence.withheld), None)
        if not solved.recovered or further is None:
            return evidence
        evidence = replace(evidence, withheld=evidence.withheld | further)


def _find_entries_of_analysed(evidence: Evidence) -> frozenset[str]:
    """Return the plan entries whose pupils are those of the flow's last step."""
    sizes, rows = compute_printed_sizes(evidence), [as_estimate(row) for row in convert_to_records(evidence.estimates)]
    sets = {row.plan_entry: sizes[row.estimate_id].pupils for row in rows if row.quantity == "mean"}
    return frozenset(entry for entry, pupils in sets.items() if pupils is not None and pupils.what == "analysed")


def _infer_from_evidence(evidence: Evidence, kinds: Mapping[str, str]) -> Solved:
    limit, printed = evidence.disclosure_threshold, list(_iterate_printed_counts(evidence))
    facts = [*(build_fact(printed_number, threshold=limit) for printed_number in printed), *nobody(printed)]
    means = list(dict.fromkeys(_iterate_mean_facts(evidence, kinds)))
    outcomes = {entry.name: entry.outcome for entry in evidence.analyses}
    assumed = {entry.name: entry.missing_outcome for entry in evidence.analyses if entry.missing_outcome != "leave_out"}
    reasons = dict.fromkeys(
        printed_number.pupils.name for printed_number in printed if printed_number.pupils.what == "lost"
    )
    imputed = find_imputed_analyses(outcomes, _find_entries_of_analysed(evidence), assumed, reasons)
    links = collect_file_links(evidence)
    return infer_pupil_counts(list(dict.fromkeys(facts)), means, threshold=limit, imputed=imputed, links=links)


def _iterate_printed_counts(evidence: Evidence) -> Iterator[Printed]:
    """Yield the numbers of the flow and behind the estimates, as they will be printed."""
    for flow in build_flows_by_place(evidence, find_places(evidence)).values():
        for arm in flow.arms:
            steps = (arm.baseline, arm.joined, arm.analysed, *(step for _, step in arm.missing))
            yield from (
                _as_printed(step.pupils, step.pupils.pupils) for step in steps if step.pupils and step.pupils.pupils
            )
    counts = (*compute_printed_sizes(evidence).values(), *iterate_printed_files(evidence))
    yield from (_as_printed(count, count.pupils) for count in counts if count.pupils)


def _as_printed(count: Count, pupils: Pupils) -> Printed:
    text = "" if count.value is None else f"{ROUNDED_MARK if count.is_rounded else ''}{count.value}"
    return Printed(pupils=pupils, text=text)


def _iterate_mean_facts(evidence: Evidence, kinds: Mapping[str, str]) -> Iterator[MeanFact]:
    """Yield what the means that will be printed tell."""
    estimates, sizes = all_estimates(evidence), compute_printed_sizes(evidence)
    for entry in evidence.analyses:
        kind = kinds.get(get_outcome(evidence, entry).name, "")
        for mean in compute_shown_means(evidence, entry, estimates).values() if kind in ("binary", "whole") else ():
            pupils = None if mean is None else sizes[mean.estimate_id].pupils
            if mean is not None and pupils is not None:
                low, high = _compute_rounding_ends(mean, is_share=kind == "binary")
                low = 0.0 if mean.method == KAPLAN_MEIER else low
                yield MeanFact(pupils=pupils, low=low, high=high, is_share=kind == "binary")


def _compute_rounding_ends(mean: Mean, *, is_share: bool) -> tuple[float, float]:
    half = 0.5 * 10.0**-mean.decimals * (1 + 1e-9)
    return max(mean.estimate - half, 0.0) if is_share else mean.estimate - half, mean.estimate + half
