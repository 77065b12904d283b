"""Schools and pupils from assessment to analysis: the counts, after disclosure control."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd

from data_schema.language import message
from reports.counted import Pupils, What
from reports.disclosure import Count, protect_table
from reports.evidence import ArmFacts, Evidence
from reports.selection import as_float, convert_to_records, get_focus_country
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


def build_flow(evidence: Evidence) -> Flow | None:
    """Return the flow of schools and pupils of what the report is about; None when nothing is known.

    Counts of pupils who were lost, by reason and country, are in a table with totals for each arm, so that neither
    the report of all countries nor those of single ones give a small count away.
    """
    return build_flows_by_place(evidence, (get_focus_country(evidence),)).get(get_focus_country(evidence))


def build_flows_by_place(evidence: Evidence, places: Iterable[str]) -> dict[str, Flow]:
    """Return the flow of each of some places, "" for all together; none when nothing is known.

    What is suppressed is decided for all places at once, whichever are asked for.
    """
    if evidence.flow.empty:
        return {}
    return {
        place: evidence.once(f"flow of {place or 'all'}", partial(_build_flow_of_place, place=place))
        for place in places
    }


def _build_flow_of_place(evidence: Evidence, place: str) -> Flow:
    place_rows = _select_place_rows(evidence.flow, place)
    before = place_rows[place_rows["arm"] == ""]
    excluded = before[before["step"] == "excluded"]
    return Flow(
        assessed=_build_schools_step(before[before["step"] == "assessed"]),
        excluded=tuple(
            (reason, _build_schools_step(excluded[excluded["reason"] == reason]))
            for reason in _enumerate_reasons(excluded)
        ),
        randomised=_build_schools_step(place_rows[place_rows["step"] == "randomised"]),
        arms=tuple(arm.flow(place) for arm in evidence.once("counts of the flow", _count_arms)),
    )


def describe_missing_reason(words: Words, reason: str) -> str:
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
        def count_pupils_in_steps(*steps: str) -> dict[tuple[str, str], Count]:
            rows = frame[frame["step"].isin(steps)]
            return protect_table(_sum_pupils_by_reason(rows), threshold=evidence.disclosure_threshold)

        without = {name: count_pupils_in_steps(name) for name in ("refused", "unanswered")}
        return cls(
            arm,
            frame,
            evidence.disclosure_threshold,
            count_pupils_in_steps(*_LOSS),
            count_pupils_in_steps("joined"),
            without,
        )

    def flow(self, place: str) -> ArmFlow:
        """Return the flow of the arm in a place."""
        place_rows = _select_place_rows(self.frame, place)
        baseline, lost = place_rows[place_rows["step"] == "baseline"], place_rows[place_rows["step"].isin(_LOSS)]
        enrolled = self.lost.get(("", place), Count(value=0)).of(self._build_pupil_set("enrolled", place))
        if baseline["n_pupils"].sum() != lost["n_pupils"].sum():
            # They are not those lost and analysed, and nothing follows from the ones for the others.
            enrolled = _count_single_cell(baseline, self.limit).of(
                self._build_pupil_set("rows", place, "listed at baseline")
            )
        rule = str(next(iter(place_rows.loc[place_rows["step"].isin(("refused", "unanswered")), "reason"]), ""))
        missing = _enumerate_reasons(place_rows[place_rows["step"] == "outcome_missing"])
        return ArmFlow(
            arm=self.arm,
            randomised=_build_step(place_rows, "randomised"),
            baseline=_build_step(place_rows, "baseline", pupils=enrolled),
            joined=_build_step(place_rows, "joined", pupils=self._get_count(self.joined, "joined", place)),
            missing=tuple(
                (
                    reason,
                    _build_step(
                        place_rows, "outcome_missing", reason, pupils=self._get_count(self.lost, "lost", place, reason)
                    ),
                )
                for reason in missing
            ),
            refused=self._build_without_consent(place_rows, "refused", CONSENT_REFUSED, (rule, place)),
            unanswered=self._build_without_consent(place_rows, "unanswered", CONSENT_UNANSWERED, (rule, place)),
            rule=rule,
            analysed=_build_step(place_rows, "analysed", pupils=self._get_count(self.lost, "analysed", place)),
        )

    def _build_without_consent(
        self, own: pd.DataFrame, name: str, lost_as: str, key: tuple[str, str]
    ) -> WithoutConsent:
        # Whoever is kept out is counted among those lost: the two counts are one, and protected together.
        if (lost_as, key[1]) in self.lost:
            n = self._get_count(self.lost, "lost", key[1], lost_as)
        else:
            n = self.without[name].get(key, Count(value=0)).of(self._build_pupil_set("without_consent", key[1], name))
        return WithoutConsent(
            counted=_build_step(own, name, key[0], pupils=n), mostly=_build_step(own, f"mostly_{name}", key[0])
        )

    def _get_count(self, counts: Mapping[tuple[str, str], Count], what: What, place: str, reason: str = "") -> Count:
        """Return a count of the arm in a place, with the pupils whom it counts; nobody where there is none."""
        arm_count = counts.get(({"analysed": "\x00analysed"}.get(what, reason), place), Count(value=0))
        return arm_count.of(self._build_pupil_set(what, place, reason))

    def _build_pupil_set(self, what: What, place: str, name: str = "") -> Pupils:
        return Pupils.at(what, name, arm=self.arm.name, country=place)


def _count_arms(evidence: Evidence) -> tuple[_Counted, ...]:
    frame = evidence.flow
    return tuple(_Counted.of(frame[frame["arm"] == arm.name], arm, evidence) for arm in evidence.arms)


def _build_step(own: pd.DataFrame, name: str, reason: str = "", *, pupils: Count | None = None) -> Step:
    rows = own[(own["step"] == name) & (own["reason"] == reason)]
    return Step(schools=_count_schools(rows), pupils=pupils)


def _sum_pupils_by_reason(frame: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Return pupils by reason and country; steps without reasons have one that no protocol can have."""
    counts: dict[tuple[str, str], int] = {}
    single = frame[frame["country"] != ""]
    for row in convert_to_records(single if len(single) else frame):
        reason = str(row["reason"]) or f"\x00{row['step']}"
        key = (reason, str(row["country"]))
        counts[key] = counts.get(key, 0) + _convert_to_whole_number(row["n_pupils"])
    return counts


def _select_place_rows(frame: pd.DataFrame, place: str) -> pd.DataFrame:
    if place:
        return frame[frame["country"] == place]
    single = frame[frame["country"] != ""]
    return single if len(single) else frame


def _enumerate_reasons(frame: pd.DataFrame) -> list[str]:
    """Return the reasons: those that every trial has in one order, whichever country has which; then the others."""
    rank = {reason: position for position, reason in enumerate(_REASONS)}
    return sorted(dict.fromkeys(str(reason) for reason in frame["reason"]), key=lambda one: rank.get(one, len(rank)))


def _count_schools(rows: pd.DataFrame) -> Count | None:
    return None if rows.empty else Count(value=_convert_to_whole_number(rows["n_schools"].sum()), unit="schools")


def _build_schools_step(rows: pd.DataFrame) -> Step:
    return Step(schools=_count_schools(rows), pupils=None)


def _count_single_cell(rows: pd.DataFrame, limit: int) -> Count:
    pupils = _convert_to_whole_number(rows["n_pupils"].sum())
    return Count(value=None if 0 < pupils < limit else pupils)


def _convert_to_whole_number(value: object) -> int:
    number = as_float(value)
    return int(number) if math.isfinite(number) else 0
