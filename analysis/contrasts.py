"""One place's answers about its arms: observed means, the plan's differences, and the same on common scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.arms import ArmData, ArmPair, mark_few_df, mark_few_schools
from analysis.estimators import ESTIMATORS, ArmModel
from analysis.questions import Question
from analysis.results import KAPLAN_MEIER, Estimate, Fit, create_failed_row
from analysis.terms import format_arm_term


def build_mean_rows(arms: Sequence[ArmData], question: Question) -> list[Estimate]:
    """Return one row per arm with its observed mean or share."""
    rows = []
    for data in arms:
        row = Estimate(
            quantity="mean",
            term=data.arm,
            arm=data.arm,
            estimate=data.mean,
            conf_level=question.conf_level,
            n_schools=len(data.sizes),
            n_pupils=int(data.sizes.sum()),
            method="observed_mean" if data.is_seen else KAPLAN_MEIER,
        )
        if row.n_pupils == 0:
            row = replace(row, status="failed", reason=f"No pupil of the arm {data.arm} has this outcome.")
        rows.append(row)
    return rows


def build_adjusted_mean_rows(
    differences: Sequence[Estimate], question: Question, *, arms: Sequence[ArmData]
) -> list[Estimate]:
    """Return the mean of each compared arm as the model adjusts it: that of the reference plus the difference.

    Beside the observed mean of the reference it shows the difference that the model estimates, which two observed means
    do not where the arms were not alike before. It has no interval: the difference has one.

    Parameters
    ----------
    differences
        As `estimate_difference_rows` returns them.
    question
        What is asked.
    arms
        As `collect_observed_arms` returns them.

    References
    ----------
    What Works Clearinghouse (2022), Procedures and Standards Handbook, version 5.0: findings are reported with the
    unadjusted mean of the comparison group and that of the intervention group made from it and the adjusted difference.
    """
    base = next(data for data in arms if data.arm == question.arms[0])
    rows = []
    for difference in differences:
        row = Estimate(
            quantity="adjusted_mean",
            term=difference.arm,
            arm=difference.arm,
            estimate=base.mean + difference.estimate,
            conf_level=question.conf_level,
            n_schools=difference.n_schools,
            n_pupils=difference.n_pupils,
            method=f"{'observed_mean' if base.is_seen else KAPLAN_MEIER}_plus_difference",
        )
        if difference.status == "failed":
            row = replace(row, estimate=np.nan, status="failed", reason=difference.reason)
        elif reason := question.outcome_kind.find_impossible_mean(row.estimate):
            row = replace(row, estimate=np.nan, status="failed", reason=reason)
        rows.append(row)
    return rows


def estimate_difference_rows(frame: pd.DataFrame, question: Question, *, arms: Sequence[ArmData]) -> list[Estimate]:
    """Return the plan's differences, one row a non-reference arm.

    An arm without outcomes fails alone: the others are compared without it.

    Parameters
    ----------
    frame
        One row per pupil of one place.
    question
        What is asked.
    arms
        As `collect_observed_arms` returns them.
    """
    model = _fit_arm_model(frame, question, arms=arms)
    return [_estimate_arm_difference(model, question, arm, arms=arms) for arm in question.arms[1:]]


def estimate_effect_rows(frame: pd.DataFrame, question: Question, *, arms: Sequence[ArmData]) -> list[Estimate]:
    """Return the plan's differences, each with what the estimator and the kind of outcome have beside it.

    Beside a linear mixed model's difference is "difference_robust", the same with CR2 errors by school, which are valid
    where the arms' variances differ; beside a difference of shares are Cox index, risk ratio, odds ratio and number
    needed to treat.

    Parameters
    ----------
    frame, question, arms
        See `estimate_difference_rows`.
    """
    model = _fit_arm_model(frame, question, arms=arms)
    by_arm = {data.arm: data for data in arms}
    rows = []
    for arm in question.arms[1:]:
        difference = _estimate_arm_difference(model, question, arm, arms=arms)
        rows += question.estimator.rows_of_difference(model, difference)
        pair = (by_arm[question.arms[0]], by_arm[arm])
        rows += question.outcome_kind.relative_rows(model, difference, pair=pair)
    return rows


def _fit_arm_model(frame: pd.DataFrame, question: Question, *, arms: Sequence[ArmData]) -> ArmModel | None:
    """Fit the question's model to the arms that have outcomes; None without a comparison or a model for weights."""
    present = tuple(data.arm for data in arms if len(data.sizes) > 0)
    if question.arms[0] not in present or len(present) < 2 or _is_lacking_weights(question):
        return None
    model = replace(question.effect_model(), arms=present)
    return question.estimator.fit(frame[frame[question.arm].astype(str).isin(present)], model)


def _estimate_arm_difference(
    model: ArmModel | None, question: Question, arm: str, *, arms: Sequence[ArmData]
) -> Estimate:
    by_arm = {data.arm: data for data in arms}
    pair: ArmPair = (by_arm[question.arms[0]], by_arm[arm])
    if _is_lacking_weights(question):
        row = _create_unweighted_failure(question, arm)
    elif model is None or any(len(data.sizes) == 0 for data in pair):
        row = _create_incomparable_failure(arm, question, present={data.arm for data in arms if len(data.sizes) > 0})
    elif not any(data.varies for data in pair):
        row = _convert_to_constant_failure(
            model.fit.difference(format_arm_term(arm), conf_level=question.conf_level), model.fit
        )
    else:
        row = model.fit.difference(format_arm_term(arm), conf_level=question.conf_level)
    row = mark_few_schools(mark_few_df(replace(row, quantity="difference", arm=arm)), pair)
    return question.outcome_kind.with_cautions(row, pair)


def _is_lacking_weights(question: Question) -> bool:
    return question.weights is not None and not question.estimator.takes_weights


def _create_unweighted_failure(question: Question, arm: str) -> Estimate:
    """Return a failed row: schools had different chances of the arms, and the model takes no weights."""
    others = [
        name for name, estimator in ESTIMATORS.items() if estimator.takes_weights and question.kind in estimator.kinds
    ]
    reason = (
        "Schools had different chances of the arms, and this model takes no weights. Plan an analysis with the model"
        f" {' or '.join(others)}, which weights each school by the inverse of its chance."
    )
    return Estimate(
        term=format_arm_term(arm), conf_level=question.conf_level, method=question.model, status="failed", reason=reason
    )


def _convert_to_constant_failure(row: Estimate, fit: Fit) -> Estimate:
    """Fail a difference of arms that do not vary, to which a third arm would lend an error: its own, or of rounding."""
    reason = "In each of the two arms every pupil has the same value of this outcome."
    return replace(create_failed_row(row), reason=fit.convergence.reason or reason)


def _create_incomparable_failure(arm: str, question: Question, *, present: set[str]) -> Estimate:
    reference = question.arms[0]
    which = f"the reference arm {reference}" if reference not in present else f"the arm {arm}"
    reason = f"No pupil of {which} has this outcome." if present else "No pupil has this outcome."
    return Estimate(
        term=format_arm_term(arm), conf_level=question.conf_level, method=question.model, status="failed", reason=reason
    )
