"""Whether the pupils who have an outcome were alike at baseline, by the limits of the What Works Clearinghouse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from randomisation.balance import ADJUST, SATISFIED
from reports.blocks import Column, Inline, Table
from reports.evidence import ArmFacts, Evidence
from reports.selection import (
    as_float,
    convert_to_records,
    find_main_analyses,
    get_compared_arms,
    get_outcome,
    select_focus_rows,
)
from reports.tables.balance import find_hidden_rows, format_row_label
from reports.tables.cells import HIDDEN
from reports.tables.layout import Line, build_table, line
from reports.words import Words, message

Verdict = Literal["satisfied", "adjusted", "unadjusted", "not_satisfied", "unknown"]

VERDICTS: dict[Verdict, str] = {
    "satisfied": message("equivalent"),
    "adjusted": message("equivalent, since the analysis adjusts for what differs"),
    "unadjusted": message("not equivalent: the analysis does not adjust for what differs"),
    "not_satisfied": message("not equivalent: too far apart for an adjustment"),
    "unknown": message("not known: a difference is undefined or may not be printed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """What the baseline says of one outcome's analysed sample and one arm.

    Parameters
    ----------
    outcome, arm
        Whose.
    verdict
        The worst of its characteristics; a key of `VERDICTS`.
    furthest
        The row of the characteristic that differs most, among those that may be printed; None without one.
    """

    outcome: str
    arm: ArmFacts
    verdict: Verdict
    furthest: dict[str, object] | None


def judge_equivalences(evidence: Evidence) -> list[Equivalence]:
    """Return the verdict of each outcome of the main analyses and each compared arm, of the report's country or all."""
    return evidence.once("equivalences", _judge_outcomes)


def _judge_outcomes(evidence: Evidence) -> list[Equivalence]:
    if evidence.equivalence.empty:
        return []
    found = []
    for outcome in dict.fromkeys(get_outcome(evidence, entry).name for entry in find_main_analyses(evidence)):
        frame = evidence.equivalence[evidence.equivalence["outcome"] == outcome]
        if frame.empty:
            continue
        frame = select_focus_rows(frame.assign(hidden=find_hidden_rows(frame, evidence.disclosure_threshold)), evidence)
        for arm in _find_compared_arms(evidence, frame):
            rows = convert_to_records(frame[frame["arm"] == arm.name])
            shown = [row for row in rows if not row["hidden"] and math.isfinite(as_float(row["std_difference"]))]
            furthest = max(shown, key=lambda row: abs(as_float(row["std_difference"])), default=None)
            found.append(Equivalence(outcome=outcome, arm=arm, verdict=_find_worst_verdict(rows), furthest=furthest))
    return found


def _find_compared_arms(evidence: Evidence, frame: pd.DataFrame) -> list[ArmFacts]:
    """Return the compared arms that the outcome has; where it compares other groups, these by their names."""
    known = {arm.name: arm for arm in get_compared_arms(evidence)}
    names = dict.fromkeys(map(str, frame["arm"]))
    return [known.get(name) or ArmFacts(name=name, label=name, is_reference=False) for name in names]


def _find_worst_verdict(rows: list[dict[str, object]]) -> Verdict:
    """Return the worst verdict of the rows, also of those that may not be printed."""
    classes = {(str(row["wwc"]), row["adjusted"] in (True, "True")) for row in rows}
    if any(name == "not_satisfied" for name, _ in classes):
        return "not_satisfied"
    if ("adjust", False) in classes:
        return "unadjusted"
    if not classes or any(name not in ("adjust", "satisfied") for name, _ in classes):
        return "unknown"
    return "adjusted" if ("adjust", True) in classes else "satisfied"


def build_equivalence_table(evidence: Evidence, words: Words, *, anchor: str = "equivalence") -> Table | None:
    """Return one row per outcome and arm: the largest difference and the verdict; None where nothing is known."""
    judged_outcomes = judge_equivalences(evidence)
    if not judged_outcomes:
        return None
    return build_table(
        words,
        words.text("Pupils with each outcome, at baseline"),
        columns=(
            Column(label=words.text("Outcome"), width=2.4),
            Column(label=words.text("Largest difference"), width=2.4),
            Column(label=words.text("Standardised difference"), align="right", width=1.3),
            Column(label=words.text("The arms are"), width=2.6),
        ),
        lines=[
            _build_equivalence_line(
                evidence, words, judged_outcome, alone=len({each.arm.name for each in judged_outcomes}) == 1
            )
            for judged_outcome in judged_outcomes
        ],
        threshold=evidence.disclosure_threshold,
        note=[
            words.text(
                "Of pupils whose outcome is known. Numbers: difference over the standard deviation within arms; shares:"
                " Cox index. Limits of the What Works Clearinghouse: up to {low} equivalent, up to {high} equivalent if"
                " the analysis adjusts for the characteristic, beyond that not equivalent.",
                low=words.numbers.decimal(SATISFIED, digits=2),
                high=words.numbers.decimal(ADJUST, digits=2),
            )
        ],
        anchor=anchor,
    )


def _build_equivalence_line(evidence: Evidence, words: Words, one: Equivalence, *, alone: bool) -> Line:
    label = next(outcome.label for outcome in evidence.outcomes if outcome.name == one.outcome)
    if not alone:
        label = words.text("{outcome}: {arm}", outcome=label, arm=one.arm.label)
    if one.furthest is None:
        return line(label, HIDDEN, HIDDEN, words.text(VERDICTS[one.verdict]))
    number = words.numbers.decimal(as_float(one.furthest["std_difference"]), digits=2, sign="both")
    return line(label, format_row_label(words, one.furthest), number, words.text(VERDICTS[one.verdict]))


def describe_equivalence(evidence: Evidence, words: Words) -> Inline:
    """Describe which outcomes' analysed samples are not equivalent at baseline, or of how many all are."""
    judged_outcomes = judge_equivalences(evidence)
    labels = {outcome.name: outcome.label for outcome in evidence.outcomes}

    def find_outcome_labels(*verdicts: Verdict) -> list[str]:
        return list(
            dict.fromkeys(
                labels[judged_outcome.outcome]
                for judged_outcome in judged_outcomes
                if judged_outcome.verdict in verdicts
            )
        )

    apart, unknown = find_outcome_labels("unadjusted", "not_satisfied"), find_outcome_labels("unknown")
    sentences = []
    if apart:
        sentences.append(
            words.text(
                "Among the pupils whose outcome is known, the arms were not equivalent at baseline for: {outcomes}.",
                outcomes=words.listed(apart),
            )
        )
    if unknown:
        sentences.append(
            words.text("It is not known whether they were equivalent for: {outcomes}.", outcomes=words.listed(unknown))
        )
    if not sentences:
        sentences.append(
            words.text(
                "Among the pupils whose outcome is known, the arms were equivalent at baseline for every outcome, after"
                " the adjustments of the plan."
            )
        )
    return words.joined(sentences)
