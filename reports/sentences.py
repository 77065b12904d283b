"""From an estimate to a sentence.

What may be said follows from the interval and from which way is good, by one rule (`verdict`): an interval that
excludes no difference says "reduced" or "raised"; any other says what the data are compatible with. The word
"significant" does not occur. Effects are of being drawn into an arm, whatever the school then did.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from analysis.results import Estimate
from reports.blocks import Inline, Span
from reports.evidence import AnalysisFacts, ArmFacts, Evidence, OutcomeFacts
from reports.means import Mean, shown_adjusted_mean, shown_means
from reports.numbers import Sign, is_zero
from reports.selection import (
    Estimates,
    all_estimates,
    compared_arms,
    focus,
    main_analyses,
    outcome_of,
    reference_arm,
)
from reports.words import Value, Words, message


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


def verdict(estimate: Estimate | None, *, direction: str) -> Verdict:
    """Return what an interval allows to say.

    Parameters
    ----------
    estimate
        A difference with its interval; None when there is none.
    direction
        Which way is good: "lower" or "higher".

    Examples
    --------
    >>> verdict(Estimate(estimate=-2.0, conf_low=-3.0, conf_high=-1.0), direction="lower").value
    'better'
    >>> verdict(Estimate(estimate=-2.0, conf_low=-5.0, conf_high=1.0), direction="lower").value
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
        return verdict(self.difference, direction=self.outcome.direction)

    @property
    def scale(self) -> float:
        """What figures are multiplied by: 100 for shares, which are printed per 100 pupils."""
        return 100.0 if self.outcome.kind == "binary" else 1.0


def comparison(
    evidence: Evidence,
    analysis: AnalysisFacts,
    *,
    arm: ArmFacts | None = None,
    country: str | None = None,
    estimates: Estimates | None = None,
) -> Comparison:
    """Collect what is known about one arm, one analysis and one place.

    Parameters
    ----------
    arm
        By default the first one that is compared.
    country
        By default the one that the report is about.
    estimates
        The estimates if they have been made ready already.
    """
    found = estimates or all_estimates(evidence)
    place = focus(evidence) if country is None else country
    reference, other = reference_arm(evidence), arm or compared_arms(evidence)[0]
    outcome = outcome_of(evidence, analysis)
    shown = shown_means(evidence, analysis, found)
    return Comparison(
        analysis=analysis,
        outcome=outcome,
        reference=reference,
        arm=other,
        country=place,
        difference=found.find(analysis.name, "difference", arm=other.name, country=place),
        mean_reference=shown.get((reference.name, place)),
        mean_arm=shown.get((other.name, place)),
        adjusted_mean=shown_adjusted_mean(found, analysis, shown, arms=(reference.name, other.name), country=place),
        test=found.usable(analysis.name, "randomisation_test", arm=other.name, country=place),
        digits=_digits(found, analysis, outcome, other),
        repeated=sum(entry.outcome == analysis.outcome for entry in main_analyses(evidence)) > 1,
        is_of_several=len(compared_arms(evidence)) > 1,
    )


def _digits(found: Estimates, analysis: AnalysisFacts, outcome: OutcomeFacts, arm: ArmFacts) -> int:
    """Return the decimals that the precision bears: one for pupils per 100, else to the place of the standard error."""
    if outcome.kind == "binary":
        return 1
    everywhere = found.find(analysis.name, "difference", arm=arm.name)
    error = everywhere.std_error if everywhere is not None else math.nan
    if not (math.isfinite(error) and error > 0):
        return 2
    return min(max(0, -math.floor(math.log10(error))), 4)


def schools_of(words: Words, arm: ArmFacts) -> str:
    """Return what running text calls the schools of an arm, such as "pilot schools".

    Examples
    --------
    >>> from reports.words import words
    >>> schools_of(words("en"), ArmFacts(name="pilot", label="Pilot", is_reference=False))
    'pilot schools'
    >>> schools_of(words("en"), ArmFacts(name="a", label="Success for All", is_reference=False))
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
_ROUNDING = 1e-9


def arm_name(words: Words, arm: ArmFacts) -> str:
    """Return what a figure calls an arm: "pilot schools", or its label where that would be long."""
    phrase = schools_of(words, arm)
    return phrase if len(phrase) <= _LONG else arm.label


def who_of(words: Words, outcome: OutcomeFacts) -> str:
    """Return the pupils who had the event of a binary outcome, as a plural noun."""
    if outcome.who:
        return outcome.who
    if outcome.event:
        return words.text("pupils who {event}", event=outcome.event)
    return words.text("pupils with “{outcome}”", outcome=outcome.label)


def unit_of(outcome: OutcomeFacts) -> str:
    """Return the unit of a continuous outcome for running text, without what stands in brackets."""
    return outcome.unit.split(" (")[0]


def figure(words: Words, one: Comparison, value: float, *, of: Estimate | None, plain: bool = False) -> Span:
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
    if isinstance(of, Mean) and mean_digits(one, of) < one.digits:
        # No further decimals, not even to tell a small share from none: they could tell a number of pupils.
        text = words.numbers.decimal(one.scale * value, digits=mean_digits(one, of), sign=sign)
    else:
        text = words.numbers.estimate(one.scale * value, digits=one.digits, sign=sign)
    return Span(text=text, estimate_id=of.estimate_id if of is not None else "")


def mean_digits(one: Comparison, mean: Mean) -> int:
    """Return with how many decimals a mean is printed in the outcome's units."""
    return min(one.digits, max(mean.decimals - round(math.log10(one.scale)), 0))


_FINDINGS = {
    ("event", "less"): message("Fewer pupils {event} in {schools}"),
    ("event", "more"): message("More pupils {event} in {schools}"),
    ("event", "unclear lower"): message("We cannot say whether fewer pupils {event} in {schools}"),
    ("event", "unclear higher"): message("We cannot say whether more pupils {event} in {schools}"),
    ("label", "less"): message("{outcome}: lower in {schools}"),
    ("label", "more"): message("{outcome}: higher in {schools}"),
    ("label", "unclear lower"): message("{outcome}: lower or higher in {schools}, we cannot say"),
    ("label", "unclear higher"): message("{outcome}: higher or lower in {schools}, we cannot say"),
}


def finding(words: Words, one: Comparison) -> str:
    """Return the finding as a title, without figures."""
    outcome = one.outcome
    if one.verdict is Verdict.NONE:
        return words.text("{outcome}: the effect could not be estimated", outcome=outcome.label)
    named = "event" if outcome.kind == "binary" and outcome.event else "label"
    what = f"unclear {outcome.direction}" if one.verdict is Verdict.UNCLEAR else "more" if _grew(one) else "less"
    return words.text(
        _FINDINGS[named, what], event=outcome.event, outcome=outcome.label, schools=schools_of(words, one.arm)
    )


def levels(words: Words, one: Comparison) -> Inline:
    """Return a sentence with the level of both arms, which differ by the estimate; empty when one is not there.

    That of the reference is observed, that of the other arm is adjusted by the planned model, and said to be where it
    is not the observed one as well.
    """
    before, after = one.mean_reference, one.adjusted_mean
    if before is None or after is None:
        return ()
    values: dict[str, Value] = {
        "first": figure(words, one, before.estimate, of=before),
        "second": _adjusted_level(words, one, after),
        "reference": schools_of(words, one.reference),
        "schools": schools_of(words, one.arm),
    }
    if one.outcome.kind == "binary" and one.outcome.event:
        template = message("Of every 100 pupils, {first} {event} in {reference} and {second} in {schools}.")
        return words.line(template, event=one.outcome.event, **values)
    if one.outcome.kind == "binary":
        template = message("{outcome}: {first} of every 100 pupils in {reference} and {second} in {schools}.")
        return words.line(template, outcome=one.outcome.label, **values)
    template = message("{outcome}: the mean was {first} {unit} in {reference} and {second} in {schools}.")
    return words.line(template, outcome=one.outcome.label, unit=unit_of(one.outcome), **values)


def _adjusted_level(words: Words, one: Comparison, mean: Estimate) -> Inline:
    said, observed = figure(words, one, mean.estimate, of=mean), one.mean_arm
    if observed is not None and figure(words, one, observed.estimate, of=observed).text == said.text:
        return (said,)
    return words.line("{mean} (adjusted)", mean=said)


def effect(words: Words, one: Comparison) -> Inline:
    """Return the sentence that answers the question: reduced, raised, or what the data are compatible with."""
    difference = one.difference
    if difference is None or one.verdict is Verdict.NONE:
        text = words.text("The effect on “{outcome}” could not be estimated.", outcome=one.outcome.label)
        return words.joined([text, why_not(words, one)])
    if one.verdict is Verdict.UNCLEAR:
        return _unclear(words, one, difference)
    low, high = sorted((abs(difference.conf_low), abs(difference.conf_high)))
    values: dict[str, Value] = {
        "schools": schools_of(words, one.arm),
        "size": figure(words, one, difference.estimate, of=difference, plain=True),
        "level": words.numbers.level(difference.conf_level),
        "low": figure(words, one, low, of=difference, plain=True),
        "high": figure(words, one, high, of=difference, plain=True),
    }
    if one.outcome.kind == "binary":
        template = _RAISED_NUMBER if _grew(one) else _REDUCED_NUMBER
        return words.line(template, who=who_of(words, one.outcome), **values)
    template = _RAISED_MEAN if _grew(one) else _REDUCED_MEAN
    return words.line(template, unit=unit_of(one.outcome), **values)


def why_not(words: Words, one: Comparison) -> str:
    """Return why there is no estimate, as a sentence; empty where nobody knows."""
    if one.analysis.since == "removed":
        return words.text("It was removed from the protocol after the plan was frozen.")
    return one.difference.reason if one.difference is not None else ""


_REDUCED_NUMBER = message(
    "Being drawn as one of the {schools} reduced the number of {who} by {size} per 100 pupils"
    " ({level} interval: {low} to {high})."
)
_RAISED_NUMBER = message(
    "Being drawn as one of the {schools} raised the number of {who} by {size} per 100 pupils"
    " ({level} interval: {low} to {high})."
)
_REDUCED_MEAN = message(
    "Being drawn as one of the {schools} reduced the mean by {size} {unit} ({level} interval: {low} to {high})."
)
_RAISED_MEAN = message(
    "Being drawn as one of the {schools} raised the mean by {size} {unit} ({level} interval: {low} to {high})."
)


def _unclear(words: Words, one: Comparison, difference: Estimate) -> Inline:
    values: dict[str, Value] = {
        "schools": schools_of(words, one.arm),
        "low": amount(words, one, difference.conf_low, of=difference),
        "high": amount(words, one, difference.conf_high, of=difference),
        "best": amount(words, one, difference.estimate, of=difference),
        "level": words.numbers.level(difference.conf_level),
    }
    if one.outcome.kind == "binary":
        template = message(
            "We cannot say whether being drawn as one of the {schools} changed the number of {who}: the data are"
            " compatible with anything between {low} and {high} per 100 pupils ({level} interval; best single estimate:"
            " {best})."
        )
        return words.line(template, who=who_of(words, one.outcome), **values)
    if not one.outcome.unit:
        template = message(
            "We cannot say whether being drawn as one of the {schools} changed the mean: the data are compatible with"
            " anything between {low} and {high} ({level} interval; best single estimate: {best})."
        )
        return words.line(template, **values)
    template = message(
        "We cannot say whether being drawn as one of the {schools} changed the mean: the data are compatible with"
        " anything between {low} and {high}, in {unit} ({level} interval; best single estimate: {best})."
    )
    return words.line(template, unit=unit_of(one.outcome), **values)


def answer(words: Words, one: Comparison) -> Inline:
    """Return levels and effect; where the direction is unclear that comes first, lest two levels read as a finding."""
    said = [levels(words, one), effect(words, one)]
    return words.joined(said[::-1] if one.verdict is Verdict.UNCLEAR else said)


def needed(words: Words, one: Comparison, number: Estimate | None) -> Inline:
    """Return how many pupils it takes for one fewer or more to have an event; empty where there is no number.

    Parameters
    ----------
    number
        The number needed to treat: above zero for one event fewer, below for one more. Where the data do not rule out
        no effect its interval runs through infinity, and the first limit is the greater.
    """
    if number is None or number.status == "failed" or not one.outcome.event or one.verdict is Verdict.NONE:
        return ()
    values: dict[str, Value] = {
        "schools": schools_of(words, one.arm),
        "event": one.outcome.event,
        "level": words.numbers.level(number.conf_level),
    }

    def pupils(value: float) -> Span:
        text = words.numbers.count(math.ceil(abs(value) - 1e-9)) if math.isfinite(value) else "∞"
        return Span(text=text, estimate_id=number.estimate_id)

    if one.verdict is Verdict.UNCLEAR:
        template = message(
            "The data rule out neither that one pupil fewer of every {low} in {schools} {event}, nor one more of every"
            " {high} ({level} interval)."
        )
        fewer, more = max(number.conf_low, number.conf_high), min(number.conf_low, number.conf_high)
        return words.line(template, low=pupils(fewer), high=pupils(more), **values)
    low, high = sorted((abs(number.conf_low), abs(number.conf_high)))
    template = _ONE_MORE if number.estimate < 0 else _ONE_FEWER
    return words.line(template, n=pupils(number.estimate), low=pupils(low), high=pupils(high), **values)


_ONE_FEWER = message(
    "Of every {n} pupils in {schools}, one fewer {event} than otherwise would have ({level} interval: one of every"
    " {low} to one of every {high})."
)
_ONE_MORE = message(
    "Of every {n} pupils in {schools}, one more {event} than otherwise would have ({level} interval: one of every"
    " {low} to one of every {high})."
)


def amount(words: Words, one: Comparison, value: float, *, of: Estimate) -> Inline:
    """Return a difference as "2.3 fewer", "0.7 more" (pupils), "0.1 lower" (means) or "no difference"."""
    number = figure(words, one, value, of=of, plain=True)
    if is_zero(one.scale * value):
        return (Span(text=words.text("no difference"), estimate_id=of.estimate_id),)
    pupils = one.outcome.kind == "binary"
    if value < 0:
        return words.line("{n} fewer", n=number) if pupils else words.line("{n} lower", n=number)
    return words.line("{n} more", n=number) if pupils else words.line("{n} higher", n=number)


def check(words: Words, one: Comparison) -> Inline:
    """Return what the randomisation test adds; empty when none was made.

    A test that does not agree with the interval of the planned model is said to, whichever of the two is the more
    favourable; and a test that so few draws cannot make reject, whatever the effect, is said to be one.
    """
    difference, test = one.difference, one.test
    if difference is None or test is None or not math.isfinite(test.p_value) or one.verdict is Verdict.NONE:
        return ()
    p = Span(text=words.numbers.p_value(test.p_value, alpha=1 - difference.conf_level), estimate_id=test.estimate_id)
    opening = words.line("A randomisation test gives {p}.", p=p)
    if test.n_draws and test.is_exact and one.is_of_several:
        opening = words.plural_line(
            "A randomisation test over {n} way to divide the schools of these two arms, the only one, gives {p}.",
            "A randomisation test over all {n} ways to divide the schools of these two arms gives {p}.",
            test.n_draws,
            p=p,
        )
    elif test.n_draws and test.is_exact:
        opening = words.plural_line(
            "A randomisation test over {n} possible allocation, the only one, gives {p}.",
            "A randomisation test over all {n} possible allocations gives {p}.",
            test.n_draws,
            p=p,
        )
    elif test.n_draws:
        opening = words.plural_line(
            "A randomisation test with {n} re-draw of the allocation gives {p}.",
            "A randomisation test with {n} re-draws of the allocation gives {p}.",
            test.n_draws,
            p=p,
        )
    if not _can_reject(test):
        idle = words.text("With so few of them, no effect of any size would give a p-value that is small enough.")
        return words.joined([opening, idle])
    if not disagrees(one):
        return opening
    warning = words.text(
        "The interval of the planned model and this test do not agree here, so the result is to be read with caution."
    )
    return words.joined([opening, warning])


def _can_reject(test: Estimate) -> bool:
    """Whether some effect could be so large that the test rejects it."""
    return "few_allocations" not in test.cautions


def disagrees(one: Comparison) -> bool:
    """Whether the planned model's interval and the randomisation test, where that can reject, say different things."""
    if one.difference is None or one.test is None or not math.isfinite(one.test.p_value):
        return False
    if not _can_reject(one.test):
        return False
    clear = one.verdict in (Verdict.BETTER, Verdict.WORSE)
    # A test of level alpha rejects at p = alpha as well; the sum keeps 1 - 0.95 from being a little more or less.
    return one.verdict is not Verdict.NONE and clear != (one.test.p_value + one.difference.conf_level <= 1 + _ROUNDING)


def _grew(one: Comparison) -> bool:
    return (one.verdict is Verdict.BETTER) == (one.outcome.direction == "higher")


def span(words: Words, one: Comparison) -> Inline:
    """Return an interval in words: "0.5 to 4.1 fewer", "between 3.4 fewer and 0.8 more"; empty when there is none."""
    difference = one.difference
    if difference is None or one.verdict is Verdict.NONE:
        return ()
    if one.verdict is Verdict.UNCLEAR:
        low, high = (amount(words, one, end, of=difference) for end in (difference.conf_low, difference.conf_high))
        return words.line("between {low} and {high}", low=low, high=high)
    near, far = sorted((difference.conf_low, difference.conf_high), key=abs)
    return words.line(
        "{near} to {far}",
        near=figure(words, one, near, of=difference, plain=True),
        far=amount(words, one, far, of=difference),
    )


def short(words: Words, one: Comparison) -> Inline:
    """Return a result in one short clause for lists: outcome, difference, interval; or that it was not estimated."""
    difference = one.difference
    if difference is None or one.verdict is Verdict.NONE:
        return words.line("{outcome}: not estimated.", outcome=one.outcome.label)
    values: dict[str, Value] = {
        "outcome": one.outcome.label,
        "amount": amount(words, one, difference.estimate, of=difference),
        "level": words.numbers.level(difference.conf_level),
        "interval": span(words, one),
    }
    if one.outcome.kind == "binary":
        return words.line("{outcome}: {amount} per 100 pupils ({level} interval: {interval}).", **values)
    if not one.outcome.unit:
        return words.line("{outcome}: {amount} ({level} interval: {interval}).", **values)
    unit = unit_of(one.outcome)
    return words.line("{outcome}: {amount}, in {unit} ({level} interval: {interval}).", unit=unit, **values)
