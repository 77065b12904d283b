"""Schools and pupils from assessment to analysis: the counts, protected, and their table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from data_schema.language import message
from reports.blocks import Column, Span, Table
from reports.disclosure import Count, protected
from reports.evidence import ArmFacts, Evidence
from reports.selection import as_float, focus, records
from reports.tables.layout import Cell, Line, line, table
from reports.words import Words

CONSENT_REFUSED = "consent refused"
"""Why pupils have no outcome whom the protocol keeps out because they refused."""

CONSENT_UNANSWERED = "no answer on consent"
"""Why pupils have no outcome whom the protocol keeps out because nobody answered for them."""

_LOSS = ("outcome_missing", "analysed")
_REASONS = {
    "school sent nothing": message("School sent nothing"),
    "no record": message("No record of the pupil"),
    "unknown": message("School does not know"),
    "no answer": message("No answer"),
    "consent withdrawn, data erased": message("Consent withdrawn, data erased"),
    CONSENT_REFUSED: message("Consent refused, data kept out"),
    CONSENT_UNANSWERED: message("No answer on consent, data kept out"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of the flow: how many schools and pupils; None where nobody counted."""

    schools: Count | None
    pupils: Count | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutConsent:
    """Pupils who did not consent, and schools with any; ``mostly``: schools most of whose pupils did not."""

    counted: Step = Step(schools=None, pupils=None)
    mostly: Step = Step(schools=None, pupils=None)

    @property
    def is_any(self) -> bool:
        """Whether there are such pupils."""
        return self.counted.schools is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFlow:
    """The way of one arm's schools and pupils; ``missing`` has reasons in order.

    ``refused`` counts who refused consent, ``unanswered`` who gave no answer where that is no consent, and ``rule`` is
    what the protocol says is done with their data; "" where there are none.
    """

    arm: ArmFacts
    randomised: Step
    baseline: Step
    joined: Step
    missing: tuple[tuple[str, Step], ...]
    analysed: Step
    refused: WithoutConsent = WithoutConsent()
    unanswered: WithoutConsent = WithoutConsent()
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The flow of a trial or of one of its countries; counts of pupils have passed disclosure control."""

    assessed: Step
    excluded: tuple[tuple[str, Step], ...]
    randomised: Step
    arms: tuple[ArmFlow, ...]


def flow_of(evidence: Evidence) -> Flow | None:
    """Return the flow of schools and pupils of what the report is about; None when nothing is known.

    Counts of pupils who were lost, by reason and country, stand in a table with totals for each arm, so that neither
    the report of all countries nor those of single ones give a small count away.
    """
    frame = evidence.flow
    if frame.empty:
        return None
    place = focus(evidence)
    arms = tuple(_arm_flow(evidence, frame[frame["arm"] == arm.name], arm) for arm in evidence.arms)
    own = _of_place(frame, place)
    before = own[own["arm"] == ""]
    return Flow(
        assessed=_schools_only(before[before["step"] == "assessed"]),
        excluded=tuple(
            (reason, _schools_only(before[(before["step"] == "excluded") & (before["reason"] == reason)]))
            for reason in _reasons(before[before["step"] == "excluded"])
        ),
        randomised=_schools_only(own[own["step"] == "randomised"]),
        arms=arms,
    )


def flow_table(evidence: Evidence, words: Words, *, anchor: str = "flow-table") -> Table | None:
    """Return the flow as a table, an arm a pair of columns; None when nothing is known."""
    flow = flow_of(evidence)
    if flow is None:
        return None
    columns = [Column(label=words.text("Step"), width=2.8)]
    for entry in flow.arms:
        columns += [
            Column(label=words.text("Schools"), align="right", width=0.9, group=entry.arm.label),
            Column(label=words.text("Pupils"), align="right", width=0.9, group=entry.arm.label),
        ]
    lines = [
        _line(words.text("Randomised"), [entry.randomised for entry in flow.arms]),
        _line(words.text("Enrolled at baseline"), [entry.baseline for entry in flow.arms]),
        *_missing_lines(words, flow),
        _line(words.text("Analysed (primary outcome)"), [entry.analysed for entry in flow.arms], kind_total=True),
    ]
    if any(entry.joined.schools is not None for entry in flow.arms):
        lines.append(_line(words.text("Joined later, not analysed"), [entry.joined for entry in flow.arms]))
    return table(
        words,
        words.text("Schools and pupils from randomisation to analysis"),
        columns=columns,
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[words.text("Schools in rows of missing outcomes: those of which no pupil has the outcome.")]
        if any(entry.missing for entry in flow.arms)
        else [],
        anchor=anchor,
    )


def reason_text(words: Words, reason: str) -> str:
    """Return why pupils have no outcome, in the language of the report; a reason of the trial's own as it stands."""
    known = _REASONS.get(reason)
    return reason if known is None else words.text(known)


def _missing_lines(words: Words, flow: Flow) -> list[Line]:
    reasons = dict.fromkeys(reason for entry in flow.arms for reason, _ in entry.missing)
    if not reasons:
        return []
    nobody = Step(schools=Count(value=0, unit="schools"), pupils=Count(value=0))
    heading = line((Span(text=words.text("Outcome missing")),), kind="section")
    return [
        heading,
        *(
            _line(reason_text(words, reason), [dict(entry.missing).get(reason, nobody) for entry in flow.arms])
            for reason in reasons
        ),
    ]


def _line(label: str, steps: Iterable[Step], *, kind_total: bool = False) -> Line:
    cells: list[Cell] = [label]
    for step in steps:
        cells += ["" if step.schools is None else step.schools, "" if step.pupils is None else step.pupils]
    return line(*cells, kind="total" if kind_total else "body")


def _arm_flow(evidence: Evidence, frame: pd.DataFrame, arm: ArmFacts) -> ArmFlow:
    place, limit = focus(evidence), evidence.disclosure_threshold
    own = _of_place(frame, place)
    lost = frame[frame["step"].isin(_LOSS)]
    kept = protected(_pupils_by_reason(lost), threshold=limit)
    came = protected(_pupils_by_reason(frame[frame["step"] == "joined"]), threshold=limit)

    def step(name: str, reason: str = "", *, pupils: Count | None) -> Step:
        rows = own[(own["step"] == name) & (own["reason"] == reason)]
        return Step(schools=_schools(rows), pupils=pupils)

    baseline = kept.get(("", place), Count(value=0))
    if own[own["step"] == "baseline"]["n_pupils"].sum() != own[own["step"].isin(_LOSS)]["n_pupils"].sum():
        baseline = _alone(own[own["step"] == "baseline"], limit)
    reasons = _reasons(own[own["step"] == "outcome_missing"])
    rule = str(next(iter(own.loc[own["step"].isin(("refused", "unanswered")), "reason"]), ""))

    def without_consent(name: str, lost_as: str) -> WithoutConsent:
        counted = protected(_pupils_by_reason(frame[frame["step"] == name]), threshold=limit)
        # Whoever is kept out is counted among those lost: the two counts are one, and protected together.
        n = kept.get((lost_as, place)) or counted.get((rule, place), Count(value=0))
        return WithoutConsent(counted=step(name, rule, pupils=n), mostly=step(f"mostly_{name}", rule, pupils=None))

    return ArmFlow(
        arm=arm,
        randomised=step("randomised", pupils=None),
        baseline=step("baseline", pupils=baseline),
        joined=step("joined", pupils=came.get(("", place), Count(value=0))),
        missing=tuple((reason, step("outcome_missing", reason, pupils=kept[reason, place])) for reason in reasons),
        refused=without_consent("refused", CONSENT_REFUSED),
        unanswered=without_consent("unanswered", CONSENT_UNANSWERED),
        rule=rule,
        analysed=step("analysed", pupils=kept.get(("\x00analysed", place), Count(value=0))),
    )


def _pupils_by_reason(frame: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Return pupils by reason and country; steps without reasons have one that no protocol can have."""
    counts: dict[tuple[str, str], int] = {}
    single = frame[frame["country"] != ""]
    for row in records(single if len(single) else frame):
        reason = str(row["reason"]) or f"\x00{row['step']}"
        key = (reason, str(row["country"]))
        counts[key] = counts.get(key, 0) + _whole(row["n_pupils"])
    return counts


def _of_place(frame: pd.DataFrame, place: str) -> pd.DataFrame:
    if place:
        return frame[frame["country"] == place]
    single = frame[frame["country"] != ""]
    return single if len(single) else frame


def _reasons(frame: pd.DataFrame) -> list[str]:
    """Return the reasons: those that every trial has in one order, whichever country has which; then the others."""
    rank = {reason: at for at, reason in enumerate(_REASONS)}
    return sorted(dict.fromkeys(str(reason) for reason in frame["reason"]), key=lambda one: rank.get(one, len(rank)))


def _schools(rows: pd.DataFrame) -> Count | None:
    return None if rows.empty else Count(value=_whole(rows["n_schools"].sum()), unit="schools")


def _schools_only(rows: pd.DataFrame) -> Step:
    return Step(schools=_schools(rows), pupils=None)


def _alone(rows: pd.DataFrame, limit: int) -> Count:
    pupils = _whole(rows["n_pupils"].sum())
    return Count(value=None if 0 < pupils < limit else pupils)


def _whole(value: object) -> int:
    number = as_float(value)
    return int(number) if math.isfinite(number) else 0
