"""One arm against the reference on one outcome in one place, and what running text calls its parts.

What may be said follows from the interval and from which way is good, by one rule (`verdict`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from analysis.results import Estimate
from reports.blocks import Span
from reports.evidence import AnalysisFacts, ArmFacts, OutcomeFacts
from reports.means import Mean
from reports.numbers import Sign
from reports.words import Words, message


class Verdict(StrEnum):
    """What can be said about the direction of an effect."""

    BETTER = "better"
    WORSE = "worse"
    UNCLEAR = "unclear"
    NONE = "none"


VERDICTS = {
    Verdict.BETTER: message("Better"),
    Verdict.WORSE: message("Worse"),
    Verdict.UNCLEAR: message("Cannot say"),
    Verdict.NONE: message("Not estimated"),
}


def judge_interval(estimate: Estimate | None, *, direction: str) -> Verdict:
    """Return what an interval allows to say.

    Parameters
    ----------
    estimate
        A difference with its interval; None when there is none.
    direction
        Which way is good: "lower" or "higher".

    Examples
    --------
    >>> judge_interval(Estimate(estimate=-2.0, conf_low=-3.0, conf_high=-1.0), direction="lower").value
    'better'
    >>> judge_interval(Estimate(estimate=-2.0, conf_low=-5.0, conf_high=1.0), direction="lower").value
    'unclear'
    """
    if estimate is None or estimate.status == "failed":
        return Verdict.NONE
    if not (math.isfinite(estimate.conf_low) and math.isfinite(estimate.conf_high)):
        return Verdict.NONE
    if estimate.conf_low <= 0 <= estimate.conf_high:
        return Verdict.UNCLEAR
    return Verdict.BETTER if (estimate.conf_low > 0) == (direction == "higher") else Verdict.WORSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One arm against the reference on one outcome in one place, ready to be put into words.

    Means that disclosure control keeps out of tables are None, so that no sentence says them either. ``adjusted_mean``
    is the mean of ``arm`` as the planned model adjusts it: the reference's mean plus the difference.
    ``country`` is empty for all countries together. ``digits`` is how many decimals the outcome's figures have,
    ``repeated`` whether the plan has several main analyses of the outcome, ``is_of_several`` whether the trial has
    further arms.
    """

    analysis: AnalysisFacts
    outcome: OutcomeFacts
    reference: ArmFacts
    arm: ArmFacts
    country: str
    difference: Estimate | None
    mean_reference: Mean | None
    mean_arm: Mean | None
    adjusted_mean: Mean | None
    test: Estimate | None
    digits: int
    repeated: bool = False
    is_of_several: bool = False

    @property
    def verdict(self) -> Verdict:
        """What the interval allows to say."""
        return judge_interval(self.difference, direction=self.outcome.direction)

    @property
    def scale(self) -> float:
        """What figures are multiplied by: 100 for shares, which are printed per 100 pupils."""
        return self.outcome.outcome_kind.scale


def describe_schools_of_arm(words: Words, arm: ArmFacts) -> str:
    """Return what running text calls the schools of an arm, such as "pilot schools".

    Examples
    --------
    >>> from reports.words import words
    >>> describe_schools_of_arm(words("en"), ArmFacts(name="pilot", label="Pilot", is_reference=False))
    'pilot schools'
    >>> describe_schools_of_arm(words("en"), ArmFacts(name="a", label="Success for All", is_reference=False))
    'schools of the arm “Success for All”'
    """
    if arm.schools:
        return arm.schools
    noun = words.text("schools")
    if arm.label.casefold().endswith(noun):
        return arm.label if any(letter.isupper() for letter in arm.label[1:]) else arm.label[:1].lower() + arm.label[1:]
    if arm.label.casefold() == arm.name.replace("_", " ").casefold():
        return words.text("{arm} schools", arm=arm.name.replace("_", " "))
    return words.text("schools of the arm “{arm}”", arm=arm.label)


_LONG = 24


def format_arm_name(words: Words, arm: ArmFacts) -> str:
    """Return what a figure calls an arm: "pilot schools", or its label where that would be long."""
    phrase = describe_schools_of_arm(words, arm)
    return phrase if len(phrase) <= _LONG else arm.label


def describe_event(words: Words, outcome: OutcomeFacts) -> str:
    """Return the event of an outcome in the past tense, with the time by which it is counted; empty without words."""
    if not outcome.event or outcome.horizon is None:
        return outcome.event
    return words.text("{event} within {time}", event=outcome.event, time=describe_time_horizon(words, outcome))


def describe_time_horizon(words: Words, outcome: OutcomeFacts) -> str:
    """Return the time by which an event is counted: "12 months"."""
    time = outcome.horizon or 0.0
    digits = next((digits for digits in range(4) if round(time, digits) == time), 4)
    return words.text("{n} {unit}", n=words.numbers.decimal(time, digits=digits), unit=format_unit_in_text(outcome))


def describe_pupils_with_event(words: Words, outcome: OutcomeFacts) -> str:
    """Return the pupils who had the event of a binary outcome, as a plural noun."""
    if outcome.who:
        if outcome.horizon is None:
            return outcome.who
        return words.text("{who} within {time}", who=outcome.who, time=describe_time_horizon(words, outcome))
    if outcome.event:
        return words.text("pupils who {event}", event=describe_event(words, outcome))
    return words.text("pupils with “{outcome}”", outcome=outcome.label)


def format_unit_in_text(outcome: OutcomeFacts) -> str:
    """Return the unit of a continuous outcome for running text, without what is in brackets."""
    return outcome.unit.split(" (")[0]


def format_figure(words: Words, one: Comparison, value: float, *, of: Estimate | None, plain: bool = False) -> Span:
    """Return a figure of a comparison in the outcome's units, carrying the estimate it is from.

    Parameters
    ----------
    value
        In the units of the estimate; shares between 0 and 1.
    of
        The estimate.
    plain
        Without its sign.
    """
    sign: Sign = "none" if plain else "minus"
    if isinstance(of, Mean) and compute_mean_digits(one, of) < one.digits:
        # No further decimals, not even to tell a small share from none: they could tell a number of pupils.
        text = words.numbers.decimal(one.scale * value, digits=compute_mean_digits(one, of), sign=sign)
    else:
        text = words.numbers.estimate(one.scale * value, digits=one.digits, sign=sign)
    return Span(text=text, estimate_id=of.estimate_id if of is not None else "")


def compute_mean_digits(one: Comparison, mean: Mean) -> int:
    """Return with how many decimals a mean is printed in the outcome's units."""
    return min(one.digits, max(mean.decimals - round(math.log10(one.scale)), 0))
