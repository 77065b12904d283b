"""One place's answers about its arms: observed means, the plan's differences, and the same on common scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.binary import fit_logistic_mixed
from analysis.clustered import fit_linear_clustered
from analysis.effect_sizes import cox_index_of, hedges_g, odds_ratio, relative_rows
from analysis.guards import numeric_column
from analysis.linear import fit_linear_mixed
from analysis.results import Estimate, Fit
from analysis.specs import Model, Question
from analysis.terms import arm_term
from analysis.variance_components import Components

_FITTERS: dict[str, Callable[[pd.DataFrame, Model], Fit]] = {
    "linear_mixed": fit_linear_mixed,
    "linear_cluster": fit_linear_clustered,
    "logistic_mixed": fit_logistic_mixed,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmData:
    """Observed outcomes of one arm at one place.

    Parameters
    ----------
    arm
        Its name.
    mean
        Mean of the pupils with an outcome; NaN without any.
    sizes
        Pupils with an outcome by school, schools without left out.
    """

    arm: str
    mean: float
    sizes: np.ndarray


def observed_arms(frame: pd.DataFrame, question: Question) -> tuple[ArmData, ...]:
    """Return every arm's observed outcomes, in the question's order.

    Parameters
    ----------
    frame
        One row a pupil of one place.
    question
        What is asked.
    """
    outcome = numeric_column(frame, question.outcome)
    arms = frame[question.arm].astype(str).to_numpy()
    schools = frame[question.school].astype(str).to_numpy()
    result = []
    for arm in question.arms:
        rows = (arms == arm) & np.isfinite(outcome)
        sizes = np.unique(schools[rows], return_counts=True)[1]
        result.append(ArmData(arm=arm, mean=float(outcome[rows].mean()) if rows.any() else np.nan, sizes=sizes))
    return tuple(result)


def mean_rows(arms: Sequence[ArmData], question: Question) -> list[Estimate]:
    """Return one row an arm with its observed mean or share."""
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
            method="observed_mean",
        )
        if row.n_pupils == 0:
            row = replace(row, status="failed", reason=f"No pupil of the arm {data.arm} has this outcome.")
        rows.append(row)
    return rows


def adjusted_mean_rows(
    differences: Sequence[Estimate], question: Question, *, arms: Sequence[ArmData]
) -> list[Estimate]:
    """Return the mean of each compared arm as the model adjusts it: that of the reference plus the difference.

    Beside the observed mean of the reference it shows the difference that the model estimates, which two observed means
    do not where the arms were not alike before. It has no interval: the difference has one.

    Parameters
    ----------
    differences
        As `difference_rows` returns them.
    question
        What is asked.
    arms
        As `observed_arms` returns them.

    References
    ----------
    What Works Clearinghouse (2022), Procedures and Standards Handbook, version 5.0: findings are reported with the
    unadjusted mean of the comparison group and that of the intervention group made from it and the adjusted difference.
    """
    base = next(data.mean for data in arms if data.arm == question.arms[0])
    rows = []
    for difference in differences:
        row = Estimate(
            quantity="adjusted_mean",
            term=difference.arm,
            arm=difference.arm,
            estimate=base + difference.estimate,
            conf_level=question.conf_level,
            n_schools=difference.n_schools,
            n_pupils=difference.n_pupils,
            method="observed_mean_plus_difference",
        )
        if difference.status == "failed":
            row = replace(row, estimate=np.nan, status="failed", reason=difference.reason)
        elif question.kind == "binary" and not 0 <= row.estimate <= 1:
            reason = "The share of the reference arm plus the difference is below 0 or above 1, which no share is."
            row = replace(row, estimate=np.nan, status="failed", reason=reason)
        rows.append(row)
    return rows


def difference_rows(frame: pd.DataFrame, question: Question, *, arms: Sequence[ArmData]) -> list[Estimate]:
    """Return the plan's differences, one row a non-reference arm, and odds ratios where the model has them.

    An arm without outcomes fails alone: the others are compared without it.

    Parameters
    ----------
    frame
        One row a pupil of one place.
    question
        What is asked.
    arms
        As `observed_arms` returns them.
    """
    present = {data.arm for data in arms if len(data.sizes) > 0}
    model = question.effect_model()
    fit: Fit | None = None
    if question.weights is not None and question.model != "linear_cluster":
        return _without_weights(question)
    if question.arms[0] in present and len(present) >= 2:
        model = replace(model, arms=tuple(arm for arm in question.arms if arm in present))
        fit = _FITTERS[question.model](frame[frame[question.arm].astype(str).isin(model.arms)], model)
    rows = []
    for arm in question.arms[1:]:
        if fit is not None and arm in present:
            difference = fit.difference(arm_term(arm), conf_level=question.conf_level)
            odds = fit.estimate(arm_term(arm), conf_level=question.conf_level)
        else:
            difference = odds = _nothing_to_compare(arm, question, present=present)
        rows.append(replace(difference, quantity="difference", arm=arm))
        if question.model == "logistic_mixed":
            rows.append(replace(odds_ratio(odds), arm=arm))
    return rows


def _without_weights(question: Question) -> list[Estimate]:
    """Return a failed row an arm: schools had different chances of the arms, and the model takes no weights."""
    reason = (
        "Schools had different chances of the arms, and this model takes no weights. Plan an analysis with the model"
        " linear_cluster, which weights each school by the inverse of its chance."
    )
    return [
        Estimate(
            quantity="difference",
            term=arm_term(arm),
            arm=arm,
            conf_level=question.conf_level,
            method=question.model,
            status="failed",
            reason=reason,
        )
        for arm in question.arms[1:]
    ]


def _nothing_to_compare(arm: str, question: Question, *, present: set[str]) -> Estimate:
    reference = question.arms[0]
    which = f"the reference arm {reference}" if reference not in present else f"the arm {arm}"
    reason = f"No pupil of {which} has this outcome." if present else "No pupil has this outcome."
    return Estimate(
        term=arm_term(arm), conf_level=question.conf_level, method=question.model, status="failed", reason=reason
    )


def standardised_rows(
    differences: Sequence[Estimate], question: Question, *, arms: Sequence[ArmData], components: Components
) -> list[Estimate]:
    """Return the differences on other scales: Hedges' g; of shares the Cox index, ratios and number needed to treat.

    Parameters
    ----------
    differences
        Rows with ``quantity="difference"``.
    question
        What is asked.
    arms
        As `observed_arms` returns them.
    components
        Of the unconditional model at the same place.
    """
    by_arm = {data.arm: data for data in arms}
    reference = by_arm[question.arms[0]]
    rows = []
    for difference in differences:
        other = by_arm[difference.arm]
        if question.kind == "binary":
            n_pupils = int(reference.sizes.sum() + other.sizes.sum())
            rows.append(cox_index_of(difference, share_reference=reference.mean, n_pupils=n_pupils))
            rows += relative_rows(difference, share_reference=reference.mean)
        else:
            rows.append(
                hedges_g(
                    difference,
                    school_variance=components.school,
                    pupil_variance=components.pupil,
                    sizes_reference=reference.sizes,
                    sizes_arm=other.sizes,
                )
            )
    return rows
