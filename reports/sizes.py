"""How many pupils stand behind a figure, as it may be printed beside the flow of pupils.

The flow prints how many pupils of an arm were enrolled and how many the primary analysis has, after disclosure control.
Another number of the same pupils (those of another analysis, or the rows of a file about them) tells by subtraction how
many lack something. Such a number is printed as it is only where the flow prints the same one; otherwise it is rounded
to the threshold, so that what lies between two printed numbers is never known to the pupil.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from analysis.results import Estimate
from reports.counted import Pupils, What
from reports.disclosure import Count, round_pupil_count
from reports.evidence import Evidence
from reports.flow import build_flows_by_place
from reports.selection import as_estimate, as_float, convert_to_records, get_reference_arm, has_countries

Sizes = Mapping[str, Count]
"""Estimate id to the number of pupils behind it, as it may be printed."""

Place = tuple[str, str]
"""An arm and a country."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the flow prints of an arm's pupils in a country; None where it prints nothing."""

    enrolled: int | None = None
    analysed: int | None = None

    def shown_analysed(self) -> Count:
        """Return the number of the analysed: what the flow keeps back is kept back wherever else it would stand."""
        return Count(value=self.analysed)

    def shown(self, n: int, threshold: int) -> Count:
        """Return a number of these pupils, rounded where it is not one of those that the flow prints."""
        if n in (0, self.enrolled, self.analysed):
            return Count(value=n)
        if self.enrolled is None or n > self.enrolled:
            return round_pupil_count(n, threshold=threshold)
        # Rounded by what is missing: a rounded n close to the number enrolled would leave it few values.
        missing = threshold * ((2 * (self.enrolled - n) + threshold) // (2 * threshold))
        value = self.enrolled - missing
        return Count(value=value if value >= threshold else None, is_rounded=True)


def compute_printed_sizes(evidence: Evidence) -> Sizes:
    """Return the number of pupils behind each estimate as it may be printed, by its id.

    Parameters
    ----------
    evidence
        With the flow and the estimates of all countries, whichever country a report is about.

    Returns
    -------
    dict
        Estimate id to a count: exact where the flow prints the same number, else rounded to the threshold. A number of
        several arms or countries is the sum of theirs as they are printed, and tells nothing further.
    """
    return evidence.once("sizes", _compute_printed_sizes)


def _compute_printed_sizes(evidence: Evidence) -> Sizes:
    limit = evidence.disclosure_threshold
    rows = [as_estimate(row) for row in convert_to_records(evidence.estimates)]
    exact = {(row.plan_entry, row.arm, row.country): row.n_pupils for row in rows if row.quantity == "mean"}
    known = _collect_known_sizes(evidence)
    of_analysed = _find_entries_by_size(evidence, exact, "analysed", operator.eq, all)
    # Pupils who are on no list of the baseline are not among the enrolled.
    beyond = _find_entries_by_size(evidence, exact, "baseline", operator.lt, any)
    shown = {
        key: known[key[1:]].shown_analysed()
        if key[0] in of_analysed
        else _suppress_withheld_count(
            known.get(key[1:], _Known()).shown(n, limit), is_withheld=key[0] in evidence.withheld
        )
        for key, n in exact.items()
    }
    return {row.estimate_id: _compute_row_size(row, evidence, exact, shown, of_analysed, beyond) for row in rows}


def _collect_known_sizes(evidence: Evidence) -> Mapping[Place, _Known]:
    sizes_by_place: dict[Place, _Known] = {}
    where = {country: country if has_countries(evidence) else "" for country in ("", *evidence.countries)}
    flows = build_flows_by_place(evidence, where.values())
    for country, place in where.items():
        for entry in flows[place].arms if flows else ():
            numbers = [None if step.pupils is None else step.pupils.value for step in (entry.baseline, entry.analysed)]
            sizes_by_place[entry.arm.name, country] = _Known(*numbers)
    return sizes_by_place


def _find_entries_by_size(
    evidence: Evidence,
    exact: Mapping[tuple[str, str, str], int],
    step: str,
    compare: Callable[[int, int], bool],
    together: Callable[[Iterable[bool]], bool],
) -> set[str]:
    """Return the plan entries whose numbers of pupils, by arm and country, compare with those of a step of the flow."""
    flow = evidence.flow
    if flow.empty:
        return set()
    rows = flow[flow["step"] == step]
    counts = {
        (str(row["arm"]), str(row["country"])): int(as_float(row["n_pupils"])) for row in convert_to_records(rows)
    }
    if len(evidence.countries) == 1:
        counts |= {(arm, ""): n for (arm, _), n in counts.items()}
    of_entry: dict[str, list[bool]] = {}
    for (entry, arm, country), n in exact.items():
        if (country or not has_countries(evidence)) and n:
            of_entry.setdefault(entry, []).append(compare(counts.get((arm, country), -1), n))
    return {entry for entry, same in of_entry.items() if together(same)}


def _compute_row_size(
    row: Estimate,
    evidence: Evidence,
    exact: Mapping[tuple[str, str, str], int],
    shown: Mapping[tuple[str, str, str], Count],
    of_analysed: set[str],
    beyond: set[str],
) -> Count:
    """Return the number of a row: that of the arms and countries which add up to it."""
    limit = evidence.disclosure_threshold
    every = tuple(arm.name for arm in evidence.arms)
    pair = (row.arm, row.reference or get_reference_arm(evidence).name)
    countries = [place for place in evidence.countries if any((row.plan_entry, arm, place) in exact for arm in every)]
    places = [row.country] if row.country or not countries else countries
    if row.plan_entry in of_analysed:
        places = [row.country]
    for arms in ((row.arm,), pair, every):
        keys = [(row.plan_entry, arm, place) for arm in arms for place in places]
        keys = [key for key in keys if key in exact]
        if keys and sum(exact[key] for key in keys) == row.n_pupils:
            counts = [shown[key] for key in keys]
            # What is kept back may be large: a sum without it would be another number.
            is_whole = row.plan_entry in of_analysed or row.plan_entry in evidence.withheld
            is_hidden = is_whole and any(count.value is None for count in counts)
            count = Count(value=None) if is_hidden else _sum(counts)
            return count.of(_build_size_pupils(keys, row.plan_entry, of_analysed, beyond))
    alone = Pupils(what="rows", name=row.estimate_id)
    count = round_pupil_count(row.n_pupils, threshold=limit).of(alone)
    return _suppress_withheld_count(count, is_withheld=row.plan_entry in evidence.withheld)


def _suppress_withheld_count(count: Count, *, is_withheld: bool) -> Count:
    """Return a count, or one that is suppressed where it is withheld; one that the flow prints tells nothing new."""
    return replace(count, value=None, is_rounded=False) if is_withheld and count.is_rounded else count


def _build_size_pupils(
    keys: Iterable[tuple[str, str, str]], entry: str, of_analysed: set[str], beyond: set[str]
) -> Pupils:
    pairs = list(keys)
    arms = tuple(dict.fromkeys(arm for _, arm, _ in pairs))
    countries = tuple(dict.fromkeys(country for _, _, country in pairs if country))
    if entry in of_analysed:
        return Pupils(what="analysed", arms=arms, countries=countries)
    what: What = "rows" if entry in beyond else "outcome"
    return Pupils(what=what, name=entry, arms=arms, countries=countries)


def _sum(counts: Iterable[Count]) -> Count:
    """Add counts up; those that are not printed count as nothing and make the sum a rounded one."""
    parts = list(counts)
    values = [count.value for count in parts if count.value is not None]
    is_rounded = any(count.is_rounded or count.value is None for count in parts)
    return Count(value=sum(values) if values else None, is_rounded=is_rounded)


def get_printed_size(estimate: Estimate | None, sizes: Sizes) -> Count:
    """Return the number of pupils behind one estimate as it may be printed; nobody where there is none."""
    return Count(value=0) if estimate is None else sizes[estimate.estimate_id]
