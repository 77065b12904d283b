"""Schools and pupils from assessment to analysis: the counts, after disclosure control."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd

from data_schema.language import message
from reports.counted import Pupils, What
from reports.disclosure import Count, protected
from reports.evidence import ArmFacts, Evidence
from reports.selection import as_float, focus, records
from reports.words import Words

CONSENT_REFUSED = "consent refused"
"""Why pupils have no outcome whom the protocol keeps out because they refused."""

CONSENT_UNANSWERED = "no answer on consent"
"""Why pupils have no outcome whom the protocol keeps out because nobody answered for them."""

DATA_ERASED = "consent withdrawn, data erased"
"""Why pupils have no outcome whose data were erased."""

KEPT_OUT = (DATA_ERASED, CONSENT_REFUSED, CONSENT_UNANSWERED)
"""Why pupils are lost of whom no analysis has anything, not even one that assumes an outcome of the others."""

_LOSS = ("outcome_missing", "analysed")
_REASONS = {
    "school sent nothing": message("School sent nothing"),
    "no record": message("No record of the pupil"),
    "unknown": message("School does not know"),
    "no answer": message("No answer"),
    DATA_ERASED: message("Consent withdrawn, data erased"),
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

    Counts of pupils who were lost, by reason and country, are in a table with totals for each arm, so that neither
    the report of all countries nor those of single ones give a small count away.
    """
    return flows_of(evidence, (focus(evidence),)).get(focus(evidence))


def flows_of(evidence: Evidence, places: Iterable[str]) -> dict[str, Flow]:
    """Return the flow of each of some places, "" for all together; none when nothing is known.

    What is suppressed is decided for all places at once, whichever are asked for.
    """
    if evidence.flow.empty:
        return {}
    return {place: evidence.once(f"flow of {place or 'all'}", partial(_flow, place=place)) for place in places}


def _flow(evidence: Evidence, place: str) -> Flow:
    own = _of_place(evidence.flow, place)
    before = own[own["arm"] == ""]
    excluded = before[before["step"] == "excluded"]
    return Flow(
        assessed=_schools_only(before[before["step"] == "assessed"]),
        excluded=tuple(
            (reason, _schools_only(excluded[excluded["reason"] == reason])) for reason in _reasons(excluded)
        ),
        randomised=_schools_only(own[own["step"] == "randomised"]),
        arms=tuple(arm.flow(place) for arm in evidence.once("counts of the flow", _count_arms)),
    )


def reason_text(words: Words, reason: str) -> str:
    """Return why pupils have no outcome, in the language of the report; a reason of the trial's own as it stands."""
    known = _REASONS.get(reason)
    return reason if known is None else words.text(known)


@dataclass(frozen=True, slots=True)
class _Counted:
    """An arm's rows of the flow, and its counts of pupils by reason and country after disclosure control."""

    arm: ArmFacts
    frame: pd.DataFrame
    limit: int
    lost: Mapping[tuple[str, str], Count]
    joined: Mapping[tuple[str, str], Count]
    without: Mapping[str, Mapping[tuple[str, str], Count]]

    @classmethod
    def of(cls, frame: pd.DataFrame, arm: ArmFacts, evidence: Evidence) -> _Counted:
        def counts(*steps: str) -> dict[tuple[str, str], Count]:
            rows = frame[frame["step"].isin(steps)]
            return protected(_pupils_by_reason(rows), threshold=evidence.disclosure_threshold)

        without = {name: counts(name) for name in ("refused", "unanswered")}
        return cls(arm, frame, evidence.disclosure_threshold, counts(*_LOSS), counts("joined"), without)

    def flow(self, place: str) -> ArmFlow:
        """Return the flow of the arm in a place."""
        own = _of_place(self.frame, place)
        baseline, lost = own[own["step"] == "baseline"], own[own["step"].isin(_LOSS)]
        enrolled = self.lost.get(("", place), Count(value=0)).of(self._pupils("enrolled", place))
        if baseline["n_pupils"].sum() != lost["n_pupils"].sum():
            # They are not those lost and analysed, and nothing follows from the ones for the others.
            enrolled = _alone(baseline, self.limit).of(self._pupils("rows", place, "listed at baseline"))
        rule = str(next(iter(own.loc[own["step"].isin(("refused", "unanswered")), "reason"]), ""))
        missing = _reasons(own[own["step"] == "outcome_missing"])
        return ArmFlow(
            arm=self.arm,
            randomised=_step(own, "randomised"),
            baseline=_step(own, "baseline", pupils=enrolled),
            joined=_step(own, "joined", pupils=self._of(self.joined, "joined", place)),
            missing=tuple(
                (reason, _step(own, "outcome_missing", reason, pupils=self._of(self.lost, "lost", place, reason)))
                for reason in missing
            ),
            refused=self._without_consent(own, "refused", CONSENT_REFUSED, (rule, place)),
            unanswered=self._without_consent(own, "unanswered", CONSENT_UNANSWERED, (rule, place)),
            rule=rule,
            analysed=_step(own, "analysed", pupils=self._of(self.lost, "analysed", place)),
        )

    def _without_consent(self, own: pd.DataFrame, name: str, lost_as: str, key: tuple[str, str]) -> WithoutConsent:
        # Whoever is kept out is counted among those lost: the two counts are one, and protected together.
        if (lost_as, key[1]) in self.lost:
            n = self._of(self.lost, "lost", key[1], lost_as)
        else:
            n = self.without[name].get(key, Count(value=0)).of(self._pupils("without_consent", key[1], name))
        return WithoutConsent(counted=_step(own, name, key[0], pupils=n), mostly=_step(own, f"mostly_{name}", key[0]))

    def _of(self, counts: Mapping[tuple[str, str], Count], what: What, place: str, reason: str = "") -> Count:
        """Return a count of the arm in a place, with the pupils whom it counts; nobody where there is none."""
        found = counts.get(({"analysed": "\x00analysed"}.get(what, reason), place), Count(value=0))
        return found.of(self._pupils(what, place, reason))

    def _pupils(self, what: What, place: str, name: str = "") -> Pupils:
        return Pupils.at(what, name, arm=self.arm.name, country=place)


def _count_arms(evidence: Evidence) -> tuple[_Counted, ...]:
    frame = evidence.flow
    return tuple(_Counted.of(frame[frame["arm"] == arm.name], arm, evidence) for arm in evidence.arms)


def _step(own: pd.DataFrame, name: str, reason: str = "", *, pupils: Count | None = None) -> Step:
    rows = own[(own["step"] == name) & (own["reason"] == reason)]
    return Step(schools=_schools(rows), pupils=pupils)


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
