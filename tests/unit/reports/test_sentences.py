"""From estimates to sentences: the rule, the direction, the grammar."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.results import Estimate
from reports.blocks import join_plain_text
from reports.comparisons import Comparison, Verdict, describe_pupils_with_event, describe_schools_of_arm, judge_interval
from reports.disclosure import MOST_DECIMALS
from reports.evidence import AnalysisFacts, ArmFacts, OutcomeFacts
from reports.means import Mean
from reports.sentences import (
    answer,
    check,
    comparison,
    describe_effect,
    describe_finding,
    describe_levels,
    format_interval_in_words,
    has_disagreement,
    summarise_comparison,
)
from reports.words import words
from tests.support.sample_evidence import awards_evidence, crocoos_evidence

ENGLISH = words("en")
LEAVING = OutcomeFacts(
    name="dropout", label="Early leaving", kind="binary", direction="lower", event="left school early", who="leavers"
)
PASSING = OutcomeFacts(name="pass", label="Matriculation", kind="binary", direction="higher", event="matriculated")
MARK = OutcomeFacts(name="mark", label="Average mark", kind="continuous", direction="higher", unit="marks (1 to 5)")
ABSENCE = OutcomeFacts(name="absent", label="Absences", kind="continuous", direction="lower", unit="hours a month")


def one(outcome: OutcomeFacts, low: float, high: float, *, p: float = math.nan, digits: int = 1) -> Comparison:
    """Make a comparison from an interval; the estimate is its middle, the arms' means 0.2 and 0.2 plus it."""
    middle = (low + high) / 2

    def estimate(quantity: str, **values: float) -> Estimate:
        return Estimate(estimate_id=f"x/all/{quantity}", quantity=quantity, **values)  # type: ignore[arg-type]

    return Comparison(
        analysis=AnalysisFacts(name="x", outcome=outcome.name, role="primary", model="linear_mixed"),
        outcome=outcome,
        reference=ArmFacts(name="control", label="Control", is_reference=True),
        arm=ArmFacts(name="pilot", label="Pilot", is_reference=False),
        country="",
        difference=estimate("difference", estimate=middle, conf_low=low, conf_high=high),
        mean_reference=Mean.of(estimate("mean", estimate=0.2), MOST_DECIMALS),
        mean_arm=Mean.of(estimate("mean", estimate=0.2 + middle), MOST_DECIMALS),
        adjusted_mean=Mean.of(estimate("adjusted_mean", estimate=0.2 + middle), MOST_DECIMALS),
        test=None if math.isnan(p) else estimate("randomisation_test", p_value=p),
        digits=digits,
    )


@given(st.floats(-1, 1), st.floats(0, 1), st.sampled_from(["lower", "higher"]))
def test_a_direction_is_claimed_only_when_the_interval_excludes_no_difference(
    low: float, width: float, direction: str
) -> None:
    high = low + width
    said = judge_interval(Estimate(estimate=(low + high) / 2, conf_low=low, conf_high=high), direction=direction)
    assert (said is Verdict.UNCLEAR) == (low <= 0 <= high)
    if said is not Verdict.UNCLEAR:
        assert (said is Verdict.BETTER) == ((low > 0) == (direction == "higher"))


@pytest.mark.parametrize("estimate", [None, Estimate(status="failed"), Estimate(estimate=1.0)])
def test_nothing_is_claimed_without_an_interval(estimate: Estimate | None) -> None:
    assert judge_interval(estimate, direction="lower") is Verdict.NONE


@pytest.mark.parametrize(
    ("outcome", "low", "high", "title"),
    [
        (LEAVING, -0.04, -0.01, "Fewer pupils left school early in pilot schools"),
        (LEAVING, 0.01, 0.04, "More pupils left school early in pilot schools"),
        (LEAVING, -0.04, 0.01, "We cannot say whether fewer pupils left school early in pilot schools"),
        (PASSING, 0.01, 0.04, "More pupils matriculated in pilot schools"),
        (PASSING, -0.04, -0.01, "Fewer pupils matriculated in pilot schools"),
        (PASSING, -0.04, 0.01, "We cannot say whether more pupils matriculated in pilot schools"),
        (MARK, 0.1, 0.2, "Average mark: higher in pilot schools"),
        (MARK, -0.2, -0.1, "Average mark: lower in pilot schools"),
        (MARK, -0.1, 0.2, "Average mark: higher or lower in pilot schools, we cannot say"),
        (ABSENCE, -0.2, -0.1, "Absences: lower in pilot schools"),
        (ABSENCE, -0.2, 0.1, "Absences: lower or higher in pilot schools, we cannot say"),
    ],
)
def test_the_title_says_what_was_found(outcome: OutcomeFacts, low: float, high: float, title: str) -> None:
    assert describe_finding(ENGLISH, one(outcome, low, high)) == title


@pytest.mark.parametrize(
    ("outcome", "low", "high", "sentence"),
    [
        (
            LEAVING,
            -0.041,
            -0.005,
            "Being drawn as one of the pilot schools reduced the number of leavers by 2.3 per 100 pupils (95% interval:"
            " 0.5 to 4.1).",
        ),
        (
            PASSING,
            0.01,
            0.05,
            "Being drawn as one of the pilot schools raised the number of pupils who matriculated by 3.0 per 100 pupils"
            " (95% interval: 1.0 to 5.0).",
        ),
        (
            LEAVING,
            -0.034,
            0.008,
            "We cannot say whether being drawn as one of the pilot schools changed the number of leavers: the data are"
            " compatible with anything between 3.4 fewer and 0.8 more per 100 pupils (95% interval; best single"
            " estimate: 1.3 fewer).",
        ),
        (
            LEAVING,
            -0.04,
            0.0,
            "We cannot say whether being drawn as one of the pilot schools changed the number of leavers: the data are"
            " compatible with anything between 4.0 fewer and no difference per 100 pupils (95% interval; best single"
            " estimate: 2.0 fewer).",
        ),
        (
            MARK,
            0.1,
            0.3,
            "Being drawn as one of the pilot schools raised the mean by 0.2 marks (95% interval: 0.1 to 0.3).",
        ),
        (
            ABSENCE,
            -1.4,
            0.2,
            "We cannot say whether being drawn as one of the pilot schools changed the mean: the data are compatible"
            " with anything between 1.4 lower and 0.2 higher, in hours a month (95% interval; best single estimate: 0.6"
            " lower).",
        ),
    ],
)
def test_the_answer_reads_as_an_evaluator_would_write_it(
    outcome: OutcomeFacts, low: float, high: float, sentence: str
) -> None:
    assert join_plain_text(describe_effect(ENGLISH, one(outcome, low, high))) == sentence


def test_an_effect_that_only_rounds_to_zero_is_not_called_no_difference() -> None:
    small = one(LEAVING, -0.0304, 0.0298)
    assert "best single estimate: 0.03 fewer" in join_plain_text(describe_effect(ENGLISH, small))
    assert join_plain_text(summarise_comparison(ENGLISH, small)).startswith("Early leaving: 0.03 fewer per 100 pupils")
    barely = one(LEAVING, -0.0404, -0.0002)
    assert "interval: 0.02 to 4.0" in join_plain_text(describe_effect(ENGLISH, barely))
    assert join_plain_text(format_interval_in_words(ENGLISH, barely)) == "0.02 to 4.0 fewer"
    none = one(LEAVING, -0.03, 0.03)
    assert none.difference is not None
    exactly = replace(none, difference=replace(none.difference, estimate=1e-18))
    assert "best single estimate: no difference" in join_plain_text(describe_effect(ENGLISH, exactly))


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.99])
def test_a_test_exactly_at_its_level_agrees_with_a_clear_interval_at_every_level(level: float) -> None:
    clear = one(LEAVING, -0.04, -0.02, p=round(1 - level, 9))
    assert clear.difference is not None
    assert not has_disagreement(replace(clear, difference=replace(clear.difference, conf_level=level)))


def test_levels_are_said_for_shares_and_for_means() -> None:
    assert join_plain_text(describe_levels(ENGLISH, one(LEAVING, -0.04, -0.02))) == (
        "Of every 100 pupils, 20.0 left school early in control schools and 17.0 in pilot schools."
    )
    assert join_plain_text(describe_levels(ENGLISH, one(MARK, 0.1, 0.3))) == (
        "Average mark: the mean was 0.2 marks in control schools and 0.4 in pilot schools."
    )
    unnamed = replace(LEAVING, event="", who="")
    assert join_plain_text(describe_levels(ENGLISH, one(unnamed, -0.04, -0.02))) == (
        "Early leaving: 20.0 of every 100 pupils in control schools and 17.0 in pilot schools."
    )


def test_equal_observed_means_never_stand_beside_an_effect() -> None:
    plain_one = one(LEAVING, -0.04, -0.02)
    assert plain_one.mean_arm is not None
    apart = replace(plain_one, mean_arm=replace(plain_one.mean_arm, estimate=0.2))
    assert join_plain_text(describe_levels(ENGLISH, apart)) == (
        "Of every 100 pupils, 20.0 left school early in control schools and 17.0 (adjusted) in pilot schools."
    )
    unclear = one(LEAVING, -0.04, 0.006)
    assert join_plain_text(answer(ENGLISH, unclear)).startswith("We cannot say")
    assert join_plain_text(answer(ENGLISH, unclear)).endswith(
        "20.0 left school early in control schools and 18.3 in pilot schools."
    )


def test_levels_are_left_out_when_an_arm_has_none() -> None:
    assert describe_levels(ENGLISH, replace(one(LEAVING, -0.04, -0.02), adjusted_mean=None)) == ()


def test_what_was_not_estimated_is_said_with_its_reason() -> None:
    failed = Estimate(status="failed", reason="The outcome is missing for every pupil.")
    said = replace(one(LEAVING, -0.04, -0.02), difference=failed)
    assert describe_finding(ENGLISH, said) == "Early leaving: the effect could not be estimated"
    assert join_plain_text(describe_effect(ENGLISH, said)) == (
        "The effect on “Early leaving” could not be estimated. The outcome is missing for every pupil."
    )
    assert join_plain_text(summarise_comparison(ENGLISH, said)) == "Early leaving: not estimated."
    assert check(ENGLISH, said) == format_interval_in_words(ENGLISH, said) == ()


def test_a_test_that_disagrees_with_the_interval_is_said_to() -> None:
    agreeing, other = one(LEAVING, -0.04, -0.02, p=0.01), one(LEAVING, -0.04, -0.02, p=0.2)
    assert join_plain_text(check(ENGLISH, agreeing)).replace("\u00a0", " ") == "A randomisation test gives p = 0.010."
    assert join_plain_text(check(ENGLISH, other)).endswith(
        "do not agree here, so the result is to be read with caution."
    )
    assert not has_disagreement(agreeing)
    assert has_disagreement(other)
    assert has_disagreement(one(LEAVING, -0.04, 0.02, p=0.01))


def with_draws(low: float, high: float, *, p: float, n_draws: int, exact: bool, can_reject: bool = True) -> Comparison:
    said = one(LEAVING, low, high, p=p)
    assert said.test is not None
    method = f"randomisation_test_exact_{n_draws}_allocations" if exact else f"randomisation_test_{n_draws}_draws"
    caution = "" if can_reject else "few_allocations"
    return replace(said, test=replace(said.test, n_draws=n_draws, method=method, caution=caution))


def test_a_test_says_whether_it_counted_re_draws_or_all_allocations() -> None:
    drawn = join_plain_text(check(ENGLISH, with_draws(-0.04, -0.02, p=0.01, n_draws=2000, exact=False)))
    exact = join_plain_text(check(ENGLISH, with_draws(-0.04, -0.02, p=1 / 70, n_draws=70, exact=True)))
    assert "with 2,000 re-draws of the allocation" in drawn
    assert "over all 70 possible allocations" in exact
    assert "re-draw" not in exact
    assert check(ENGLISH, one(LEAVING, -0.04, -0.02)) == ()


def test_a_test_that_so_few_allocations_cannot_make_reject_does_not_disagree_but_says_so() -> None:
    few = with_draws(-0.04, -0.02, p=0.125, n_draws=8, exact=True, can_reject=False)
    assert not has_disagreement(few)
    assert join_plain_text(check(ENGLISH, few)).endswith(
        "no effect of any size would give a p-value that is small enough."
    )
    assert has_disagreement(with_draws(-0.04, -0.02, p=0.125, n_draws=64, exact=True))
    assert not has_disagreement(with_draws(-0.04, -0.02, p=0.06, n_draws=18, exact=False, can_reject=False))
    assert has_disagreement(with_draws(-0.04, -0.02, p=0.06, n_draws=19, exact=False))


def test_a_short_result_names_outcome_amount_and_interval() -> None:
    assert join_plain_text(summarise_comparison(ENGLISH, one(LEAVING, -0.041, -0.005))) == (
        "Early leaving: 2.3 fewer per 100 pupils (95% interval: 0.5 to 4.1 fewer)."
    )
    assert join_plain_text(summarise_comparison(ENGLISH, one(ABSENCE, -1.4, 0.2))) == (
        "Absences: 0.6 lower, in hours a month (95% interval: between 1.4 lower and 0.2 higher)."
    )
    assert join_plain_text(summarise_comparison(ENGLISH, one(replace(MARK, unit=""), 0.1, 0.3))) == (
        "Average mark: 0.2 higher (95% interval: 0.1 to 0.3 higher)."
    )


@pytest.mark.parametrize(
    ("name", "label", "phrase"),
    [
        ("pilot", "Pilot", "pilot schools"),
        ("pilot", "Pilot schools", "pilot schools"),
        ("sfa", "Success for All", "schools of the arm “Success for All”"),
        ("sfa", "SfA schools", "SfA schools"),
        ("more_time", "More time", "more time schools"),
    ],
)
def test_arms_of_any_name_can_stand_in_a_sentence(name: str, label: str, phrase: str) -> None:
    assert describe_schools_of_arm(ENGLISH, ArmFacts(name=name, label=label, is_reference=False)) == phrase


def test_a_protocol_may_say_what_an_arm_s_schools_are_called() -> None:
    arm = ArmFacts(name="a", label="Arm A", is_reference=False, schools="schools with a mentor")
    assert describe_schools_of_arm(ENGLISH, arm) == "schools with a mentor"


def test_pupils_who_had_the_event_have_a_name_for_any_outcome() -> None:
    assert describe_pupils_with_event(ENGLISH, LEAVING) == "leavers"
    assert describe_pupils_with_event(ENGLISH, PASSING) == "pupils who matriculated"
    assert describe_pupils_with_event(ENGLISH, replace(PASSING, event="")) == "pupils with “Matriculation”"


def test_every_figure_in_a_sentence_leads_to_its_estimate() -> None:
    evidence = crocoos_evidence()
    ids = set(evidence.estimates["estimate_id"])
    for entry in evidence.analyses:
        said = comparison(evidence, entry)
        for line in (
            describe_levels(ENGLISH, said),
            describe_effect(ENGLISH, said),
            check(ENGLISH, said),
            summarise_comparison(ENGLISH, said),
        ):
            numbers = [part for part in line if any(letter.isdigit() for letter in part.text)]
            bare = [part.text for part in numbers if not part.estimate_id]
            assert all(re.search(r"95%|100 pupils", text) for text in bare), bare
            assert {part.estimate_id for part in numbers if part.estimate_id} <= ids


def test_decimals_follow_the_precision_of_the_estimate() -> None:
    evidence = crocoos_evidence()
    digits = {entry.name: comparison(evidence, entry).digits for entry in evidence.analyses}
    assert digits == {"dropout": 1, "engagement": 2, "average_mark": 2, "absences": 1}


def test_a_trial_in_one_country_is_compared_under_all_schools() -> None:
    evidence = replace(awards_evidence(), country="IL")
    said = comparison(evidence, evidence.analyses[0])
    assert said.country == ""
    assert said.difference is not None
    assert said.difference.estimate == pytest.approx(0.0561)


@given(
    st.sampled_from([LEAVING, PASSING, MARK, ABSENCE]),
    st.floats(-1, 1).filter(lambda value: abs(value) > 1e-6),
    st.floats(0, 1),
    st.floats(0.0001, 1),
)
def test_no_sentence_says_significant_or_leaves_a_slot(
    outcome: OutcomeFacts, low: float, width: float, p: float
) -> None:
    said = one(outcome, low, low + width, p=p)
    text = " ".join(
        [
            describe_finding(ENGLISH, said),
            *(
                join_plain_text(f(ENGLISH, said))
                for f in (describe_levels, describe_effect, check, summarise_comparison, format_interval_in_words)
            ),
        ]
    )
    assert "significant" not in text
    assert "{" not in text
    assert "  " not in text


def test_a_test_of_two_arms_of_several_is_of_the_schools_of_these_two() -> None:
    two = with_draws(-0.04, -0.02, p=1 / 70, n_draws=70, exact=True)
    said = join_plain_text(check(ENGLISH, replace(two, is_of_several=True)))
    assert said.startswith("A randomisation test over all 70 ways to divide the schools of these two arms gives")
