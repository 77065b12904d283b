"""From an estimate to a sentence.

What may be said follows from the interval and from which way is good, by one rule (`verdict`): an interval that
excludes no difference says "reduced" or "raised"; any other says what the data are compatible with. The word
"significant" does not occur. Effects are of being drawn into an arm, whatever the school then did.
"""

from __future__ import annotations

import math

from analysis.results import Estimate
from reports.blocks import Inline, Span
from reports.comparisons import Comparison, Verdict, describe_event, describe_schools_of_arm, format_figure
from reports.evidence import AnalysisFacts, ArmFacts, Evidence, OutcomeFacts
from reports.kinds import words_of_kind
from reports.means import compute_shown_means, find_shown_adjusted_mean
from reports.numbers import is_zero
from reports.selection import (
    Estimates,
    all_estimates,
    find_main_analyses,
    get_compared_arms,
    get_focus_country,
    get_outcome,
    get_reference_arm,
)
from reports.words import Value, Words, message

_ROUNDING = 1e-9


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
    known_estimates = estimates or all_estimates(evidence)
    place = get_focus_country(evidence) if country is None else country
    reference, other = get_reference_arm(evidence), arm or get_compared_arms(evidence)[0]
    outcome = get_outcome(evidence, analysis)
    shown = compute_shown_means(evidence, analysis, known_estimates)
    return Comparison(
        analysis=analysis,
        outcome=outcome,
        reference=reference,
        arm=other,
        country=place,
        difference=known_estimates.find(analysis.name, "difference", arm=other.name, country=place),
        mean_reference=shown.get((reference.name, place)),
        mean_arm=shown.get((other.name, place)),
        adjusted_mean=find_shown_adjusted_mean(
            known_estimates, analysis, shown, arms=(reference.name, other.name), country=place
        ),
        test=known_estimates.usable(analysis.name, "randomisation_test", arm=other.name, country=place),
        digits=_compute_digits(known_estimates, analysis, outcome, other),
        repeated=is_repeated(evidence, analysis),
        is_of_several=len(get_compared_arms(evidence)) > 1,
    )


def is_repeated(evidence: Evidence, analysis: AnalysisFacts) -> bool:
    """Whether the plan has several main analyses of an analysis's outcome."""
    return sum(entry.outcome == analysis.outcome for entry in find_main_analyses(evidence)) > 1


def _compute_digits(found: Estimates, analysis: AnalysisFacts, outcome: OutcomeFacts, arm: ArmFacts) -> int:
    everywhere = found.find(analysis.name, "difference", arm=arm.name)
    return words_of_kind(outcome).digits(everywhere.std_error if everywhere is not None else math.nan)


def describe_finding(words: Words, one: Comparison) -> str:
    """Return the finding as a title, without figures."""
    outcome = one.outcome
    if one.verdict is Verdict.NONE:
        return words.text("{outcome}: the effect could not be estimated", outcome=outcome.label)
    what = (
        f"unclear {outcome.direction}"
        if one.verdict is Verdict.UNCLEAR
        else "more"
        if _is_level_raised(one)
        else "less"
    )
    return words_of_kind(outcome).finding(words, one, what, describe_schools_of_arm(words, one.arm))


def describe_levels(words: Words, one: Comparison) -> Inline:
    """Return a sentence with the level of both arms, which differ by the estimate; empty when one is not there.

    That of the reference is observed, that of the other arm is adjusted by the planned model, and said to be where it
    is not the observed one as well.
    """
    before, after = one.mean_reference, one.adjusted_mean
    if before is None or after is None:
        return ()
    values: dict[str, Value] = {
        "first": format_figure(words, one, before.estimate, of=before),
        "second": _format_adjusted_level(words, one, after),
        "reference": describe_schools_of_arm(words, one.reference),
        "schools": describe_schools_of_arm(words, one.arm),
    }
    return words_of_kind(one.outcome).levels(words, one, values)


def _format_adjusted_level(words: Words, one: Comparison, mean: Estimate) -> Inline:
    adjusted_level, observed = format_figure(words, one, mean.estimate, of=mean), one.mean_arm
    if observed is not None and format_figure(words, one, observed.estimate, of=observed).text == adjusted_level.text:
        return (adjusted_level,)
    return words.line("{mean} (adjusted)", mean=adjusted_level)


def describe_effect(words: Words, one: Comparison) -> Inline:
    """Return the sentence that answers the question: reduced, raised, or what the data are compatible with."""
    difference = one.difference
    if difference is None or one.verdict is Verdict.NONE:
        text = words.text("The effect on “{outcome}” could not be estimated.", outcome=one.outcome.label)
        return words.joined([text, describe_failure_reason(words, one)])
    if one.verdict is Verdict.UNCLEAR:
        return _describe_unclear_effect(words, one, difference)
    low, high = sorted((abs(difference.conf_low), abs(difference.conf_high)))
    values: dict[str, Value] = {
        "schools": describe_schools_of_arm(words, one.arm),
        "size": format_figure(words, one, difference.estimate, of=difference, plain=True),
        "level": words.numbers.level(difference.conf_level),
        "low": format_figure(words, one, low, of=difference, plain=True),
        "high": format_figure(words, one, high, of=difference, plain=True),
    }
    return words_of_kind(one.outcome).effect(words, one, values, raised=_is_level_raised(one))


def describe_failure_reason(words: Words, one: Comparison) -> str:
    """Return why there is no estimate, as a sentence; empty where nobody knows."""
    if one.analysis.since == "removed":
        return words.text("It was removed from the protocol after the plan was frozen.")
    return one.difference.reason if one.difference is not None else ""


def _describe_unclear_effect(words: Words, one: Comparison, difference: Estimate) -> Inline:
    values: dict[str, Value] = {
        "schools": describe_schools_of_arm(words, one.arm),
        "low": format_amount(words, one, difference.conf_low, of=difference),
        "high": format_amount(words, one, difference.conf_high, of=difference),
        "best": format_amount(words, one, difference.estimate, of=difference),
        "level": words.numbers.level(difference.conf_level),
    }
    return words_of_kind(one.outcome).unclear_effect(words, one, values)


def answer(words: Words, one: Comparison) -> Inline:
    """Return levels and effect; where the direction is unclear that comes first, lest two levels read as a finding."""
    sentences = [describe_levels(words, one), describe_effect(words, one)]
    return words.joined(sentences[::-1] if one.verdict is Verdict.UNCLEAR else sentences)


def describe_number_needed(words: Words, one: Comparison, number: Estimate | None) -> Inline:
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
        "schools": describe_schools_of_arm(words, one.arm),
        "event": describe_event(words, one.outcome),
        "level": words.numbers.level(number.conf_level),
    }

    def format_pupils(value: float) -> Span:
        text = words.numbers.count(math.ceil(abs(value) - 1e-9)) if math.isfinite(value) else "∞"
        return Span(text=text, estimate_id=number.estimate_id)

    if one.verdict is Verdict.UNCLEAR:
        template = message(
            "The data rule out neither that one pupil fewer of every {low} in {schools} {event}, nor one more of every"
            " {high} ({level} interval)."
        )
        fewer, more = max(number.conf_low, number.conf_high), min(number.conf_low, number.conf_high)
        return words.line(template, low=format_pupils(fewer), high=format_pupils(more), **values)
    low, high = sorted((abs(number.conf_low), abs(number.conf_high)))
    template = _ONE_MORE if number.estimate < 0 else _ONE_FEWER
    return words.line(
        template, n=format_pupils(number.estimate), low=format_pupils(low), high=format_pupils(high), **values
    )


_ONE_FEWER = message(
    "Of every {n} pupils in {schools}, one fewer {event} than otherwise would have ({level} interval: one of every"
    " {low} to one of every {high})."
)
_ONE_MORE = message(
    "Of every {n} pupils in {schools}, one more {event} than otherwise would have ({level} interval: one of every"
    " {low} to one of every {high})."
)


def format_amount(words: Words, one: Comparison, value: float, *, of: Estimate) -> Inline:
    """Return a difference as "2.3 fewer", "0.7 more" (pupils), "0.1 lower" (means) or "no difference"."""
    number = format_figure(words, one, value, of=of, plain=True)
    if is_zero(one.scale * value):
        return (Span(text=words.text("no difference"), estimate_id=of.estimate_id),)
    return words_of_kind(one.outcome).amount(words, number, below=value < 0)


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
    if not has_disagreement(one):
        return opening
    warning = words.text(
        "The interval of the planned model and this test do not agree here, so the result is to be read with caution."
    )
    return words.joined([opening, warning])


def _can_reject(test: Estimate) -> bool:
    """Whether some effect could be so large that the test rejects it."""
    return "few_allocations" not in test.cautions


def has_disagreement(one: Comparison) -> bool:
    """Whether the planned model's interval and the randomisation test, where that can reject, say different things."""
    if one.difference is None or one.test is None or not math.isfinite(one.test.p_value):
        return False
    if not _can_reject(one.test):
        return False
    clear = one.verdict in (Verdict.BETTER, Verdict.WORSE)
    # A test of level alpha rejects at p = alpha as well; the sum keeps 1 - 0.95 from being a little more or less.
    return one.verdict is not Verdict.NONE and clear != (one.test.p_value + one.difference.conf_level <= 1 + _ROUNDING)


def _is_level_raised(one: Comparison) -> bool:
    return (one.verdict is Verdict.BETTER) == (one.outcome.direction == "higher")


def format_interval_in_words(words: Words, one: Comparison) -> Inline:
    """Return an interval in words: "0.5 to 4.1 fewer", "between 3.4 fewer and 0.8 more"; empty when there is none."""
    difference = one.difference
    if difference is None or one.verdict is Verdict.NONE:
        return ()
    if one.verdict is Verdict.UNCLEAR:
        low, high = (
            format_amount(words, one, end, of=difference) for end in (difference.conf_low, difference.conf_high)
        )
        return words.line("between {low} and {high}", low=low, high=high)
    near, far = sorted((difference.conf_low, difference.conf_high), key=abs)
    return words.line(
        "{near} to {far}",
        near=format_figure(words, one, near, of=difference, plain=True),
        far=format_amount(words, one, far, of=difference),
    )


def summarise_comparison(words: Words, one: Comparison) -> Inline:
    """Return a result in one short clause for lists: outcome, difference, interval; or that it was not estimated."""
    difference = one.difference
    if difference is None or one.verdict is Verdict.NONE:
        return words.line("{outcome}: not estimated.", outcome=one.outcome.label)
    values: dict[str, Value] = {
        "outcome": one.outcome.label,
        "amount": format_amount(words, one, difference.estimate, of=difference),
        "level": words.numbers.level(difference.conf_level),
        "interval": format_interval_in_words(words, one),
    }
    return words_of_kind(one.outcome).short(words, one, values)
