"""Every estimate that a report needs of one question: arms, effects, common scales, variances, tests, pooling.

What cannot be estimated is a row with a reason, and a country that is degenerate (one school, an empty arm, no outcome)
fails alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.arms import collect_observed_arms
from analysis.contrasts import build_adjusted_mean_rows, build_mean_rows, estimate_difference_rows, estimate_effect_rows
from analysis.guards import validate_frame
from analysis.inference.design_redraws import Permutations
from analysis.inference.randomisation_intervals import randomisation_inference, test_rows
from analysis.pooling import pool_country_differences
from analysis.questions import Question
from analysis.results import Estimate, create_failed_row
from analysis.terms import format_arm_term
from analysis.variance_components import design_components, level_estimates, unconditional_components
from data_schema.errors import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Redraws:
    """The design's allocation and its re-draws; see `estimate_effects`."""

    schools: tuple[str, ...]
    actual: np.ndarray
    draws: np.ndarray
    probabilities: np.ndarray | None
    permutations: Permutations | None


def estimate_effects(
    frame: pd.DataFrame,
    question: Question,
    *,
    schools: tuple[str, ...],
    actual: np.ndarray,
    draws: np.ndarray | None,
    probabilities: np.ndarray | None = None,
    permutations: Permutations | None = None,
) -> list[Estimate]:
    """Answer a question for all countries together and, where there are several, for each.

    Parameters
    ----------
    frame
        One row per pupil of the analysed population, with the question's columns; the outcome may be missing.
    question
        What is asked.
    schools
        Names of the randomised schools, length J; every school of the frame is one of them.
    actual
        Shape (J,), position of each school's arm in ``question.arms``.
    draws
        Shape (B, J), the same of re-draws of the design; None for no randomisation test.
    probabilities, permutations
        As for `analysis.randomisation_inference`.

    Returns
    -------
    list of Estimate
        In reading order, a country after another, those of all countries (country "") first. Quantities: ``mean`` (a
        row per arm), ``difference`` (a row per arm other than the reference, by the question's model),
        ``difference_robust`` (linear mixed model only: with CR2 errors),
        ``adjusted_mean`` (a row per arm other than the reference: the reference's mean plus the difference),
        ``odds_ratio`` (logistic model only), ``hedges_g`` and ``hedges_g_unconditional``, or for shares ``cox_index``,
        of counts ``rate_ratio``, of shares ``risk_ratio``, ``marginal_odds_ratio`` and ``number_needed_to_treat``,
        ``randomisation_test`` (statistic and p-value), ``randomisation_interval`` (limits only), ``icc``,
        ``school_sd``, ``pupil_sd``, ``icc_unconditional``; where the estimator has a level within schools ``level_sd``,
        ``icc_level`` and ``icc_beside_level``; with several countries also ``pooled_difference``
        and ``prediction_interval``.
        ``estimate_id`` is "entry/country/quantity/arm", with "all" and "-" where there is none. ``reference`` is the
        arm that a row's arm is compared with.

        With three arms or more, differences between two arms other than the reference, with their tests, intervals and
        pooled differences, follow those of the reference; their ``estimate_id`` ends in "/arm/reference". No entry of
        the plan asks for them, and their ``role`` is "exploratory".

    Raises
    ------
    EstimationError
        When the frame lacks a column, a school was never randomised or is in another arm than it was drawn into,
        or a row has no country while others have.
    """
    redraws: _Redraws | None = None
    if draws is not None:
        redraws = _Redraws(
            schools=schools, actual=actual, draws=draws, probabilities=probabilities, permutations=permutations
        )
    model = question.effect_model()
    frame = validate_frame(frame, model.columns, place=model.place)
    countries = _find_countries(frame, question)
    _check_arms(frame, question, schools=schools, actual=actual)
    rows = _estimate_rows_of_place(frame, question, country="", redraws=redraws)
    if len(countries) >= 2:
        every_difference: list[Estimate] = []
        by_country: list[Estimate] = []
        for country in countries:
            country_frame = frame[frame[question.country].astype(str) == country]
            answered = _estimate_rows_of_place(country_frame, question, country=country, redraws=redraws)
            every_difference += [row for row in answered if row.quantity == "difference"]
            by_country += answered
        for arm, reference in _enumerate_arm_pairs(question):
            pair_differences = [row for row in every_difference if (row.arm, row.reference) == (arm, reference)]
            pooled = pool_country_differences(pair_differences, arm=arm, conf_level=question.conf_level)
            rows += [replace(row, reference=reference) for row in pooled]
        rows += by_country
    return [_assign_estimate_id(row, question) for row in rows]


def _find_countries(frame: pd.DataFrame, question: Question) -> list[str]:
    if question.country not in frame.columns:
        return []
    countries = frame[question.country]
    if countries.isna().any() and not countries.isna().all():
        raise EstimationError(
            f"column '{question.country}'",
            f"{int(countries.isna().sum())} rows have no country.",
            "Give every row the country of its school.",
        )
    return sorted(str(country) for country in countries.dropna().unique())


def _check_arms(frame: pd.DataFrame, question: Question, *, schools: Sequence[str], actual: np.ndarray) -> None:
    """Refuse a frame whose schools are not the randomised ones in the arms that they were drawn into."""
    drawn = {school: question.arms[int(position)] for school, position in zip(schools, actual, strict=True)}
    pairs = frame[[question.school, question.arm]].astype(str).drop_duplicates()
    for school, arm in zip(pairs[question.school], pairs[question.arm], strict=True):
        if school not in drawn:
            raise EstimationError(
                f"school '{school}'", "was never randomised.", "Leave its pupils out or correct the school's name."
            )
        if arm != drawn[school]:
            raise EstimationError(
                f"school '{school}'",
                f"is in the arm '{arm}' and was drawn into '{drawn[school]}'.",
                "Use the arm that the school was drawn into.",
            )


def _enumerate_arm_pairs(question: Question) -> list[tuple[str, str]]:
    """Return every pair of arms, each with the one that it is compared with; the reference's first."""
    return [(arm, first) for place, first in enumerate(question.arms) for arm in question.arms[place + 1 :]]


def _estimate_rows_of_place(
    frame: pd.DataFrame, question: Question, *, country: str, redraws: _Redraws | None
) -> list[Estimate]:
    kind = question.outcome_kind
    wrong = kind.find_invalid_values(frame, question)
    if wrong:
        return _create_refused_rows(frame, question, country=country, redraws=redraws, reason=wrong)
    frame = kind.prepare(frame, question)
    arms = collect_observed_arms(frame, question)
    effects = estimate_effect_rows(frame, question, arms=arms)
    differences = [row for row in effects if row.quantity == "difference"]
    design, unconditional = design_components(frame, question), unconditional_components(frame, question)
    rows = build_mean_rows(arms, question) + effects + build_adjusted_mean_rows(differences, question, arms=arms)
    rows += kind.standardised_rows(differences, arms, design=design, unconditional=unconditional)
    rows += _test_rows(frame, question, redraws=redraws, differences=differences)
    rows = [replace(row, reference=_get_reference_arm(row, question)) for row in rows]
    for place, reference in enumerate(question.arms[1:-1], start=1):
        rows += _pair_rows(frame, question, reference, question.arms[place + 1 :], redraws=redraws)
    rows += [kind.with_caution_of_spread(row) if row.quantity == "icc" else row for row in design.to_estimates()]
    rows.append(unconditional.to_unconditional_estimate())
    rows += level_estimates(frame, question)
    return [replace(row, country=country) for row in rows]


def _create_refused_rows(
    frame: pd.DataFrame, question: Question, *, country: str, redraws: _Redraws | None, reason: str
) -> list[Estimate]:
    """Return the rows of a place whose outcome is not what the plan says it is: as without an outcome, and why."""
    blank = frame.assign(**{question.outcome: np.nan})
    rows = _estimate_rows_of_place(blank, question, country=country, redraws=redraws)
    return [replace(create_failed_row(row), reason=reason) for row in rows]


def _get_reference_arm(row: Estimate, question: Question) -> str:
    """Return the arm that a row of the arms compares with; empty for one arm's mean."""
    return question.arms[0] if row.arm and row.quantity not in ("mean", "adjusted_mean") else ""


def _pair_rows(
    frame: pd.DataFrame, question: Question, reference: str, others: Sequence[str], *, redraws: _Redraws | None
) -> list[Estimate]:
    """Return arms beside one that is not the trial's reference: the same model, told from there."""
    turned = replace(question, arms=(reference, *(arm for arm in question.arms if arm != reference)))
    all_differences = estimate_difference_rows(frame, turned, arms=collect_observed_arms(frame, turned))
    differences = [row for row in all_differences if row.quantity == "difference" and row.arm in others]
    tests = _test_rows(frame, question, redraws=redraws, differences=differences, reference=reference)
    return [replace(row, reference=reference) for row in (*differences, *tests)]


def _test_rows(
    frame: pd.DataFrame,
    question: Question,
    *,
    redraws: _Redraws | None,
    differences: Sequence[Estimate],
    reference: str | None = None,
) -> list[Estimate]:
    """Return the randomisation tests, with the sizes of the differences that they are beside."""
    if redraws is None:
        return []
    inferences = randomisation_inference(
        question.outcome_kind.prepare_test(frame, question),
        question.effect_model(),
        schools=redraws.schools,
        actual=redraws.actual,
        draws=redraws.draws,
        probabilities=redraws.probabilities,
        permutations=redraws.permutations,
        reference=reference,
        compared=[row.arm for row in differences],
        conf_level=question.conf_level,
    )
    rows = []
    for difference in differences:
        shared = Estimate(
            term=format_arm_term(difference.arm),
            arm=difference.arm,
            conf_level=question.conf_level,
            n_schools=difference.n_schools,
            n_pupils=difference.n_pupils,
        )
        rows += test_rows(shared, inferences[difference.arm])
    return rows


def _assign_estimate_id(row: Estimate, question: Question) -> Estimate:
    name = f"{question.plan_entry}/{row.country or 'all'}/{row.quantity}/{row.arm or '-'}"
    is_extra = row.reference not in ("", question.arms[0])
    return replace(
        row,
        estimate_id=f"{name}/{row.reference}" if is_extra else name,
        plan_entry=question.plan_entry,
        role="exploratory" if is_extra else question.role,
        outcome=question.outcome,
    )
