"""One place's answers about its arms: observed means, the plan's differences, and the same on common scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.arm_risks import clustered_shares, mixed_shares
from analysis.binary.fitting import fit_binary
from analysis.binary.risks import standardised_risks
from analysis.clustered import linear_clustered_of, school_weights
from analysis.effect_sizes import hedges_g, hedges_g_unconditional, number_needed_to_treat, odds_ratio
from analysis.guards import FLAT, numeric_column
from analysis.linear import fit_of, fitted_columns
from analysis.results import Estimate, Fit, failed_row
from analysis.specs import Model, Question
from analysis.standardised import Standardised, unrelated
from analysis.terms import arm_term, design_columns
from analysis.unequal_spread import robust_fit, unequal_spread
from analysis.variance_components import Components

_FEW_EVENTS = 10
"""With fewer pupils of an arm who had the event, or who had not, intervals of shares and ratios get a caution."""

_FEW_DF = 4
"""With fewer degrees of freedom of a t statistic its distribution is no longer well approximated (Tipton 2015,
Psychological Methods 20, 375-393), so that its row gets a caution."""

_FEW_SCHOOLS, _UNLIKE = 8, 1.5
"""With fewer schools in one arm, and so many times as many in the other, any error rests on schools of both arms
differing from each other alike: with three times the deviations in the smaller arm tests with CR2 errors at 5 % reject
in 7 to 10 of 100 trials, from eight schools on in less than 7 (analysis/HONESTY.md)."""

_NODES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class _ArmModel:
    """A fitted model of the arms, and how its shares by arm are made where they are asked for.

    A mixed model has the same estimates with robust errors, and the terms whose arms spread unequally.
    """

    fit: Fit
    shares: Callable[[], Standardised]
    robust: Fit | None = None
    unequal: tuple[str, ...] = ()


def _mixed(frame: pd.DataFrame, model: Model) -> _ArmModel:
    columns = design_columns(frame, model)
    found = fitted_columns(columns)
    fit = fit_of(found, columns)
    return _ArmModel(
        fit=fit,
        shares=lambda: mixed_shares(columns, model.arms, found),
        robust=robust_fit(fit, found, columns),
        unequal=unequal_spread(found, columns),
    )


def _clustered(frame: pd.DataFrame, model: Model) -> _ArmModel:
    columns = design_columns(frame, model)
    weights = school_weights(frame, model, columns.schools)
    return _ArmModel(
        fit=linear_clustered_of(columns, weights=weights),
        shares=lambda: clustered_shares(columns, model.arms, weights=weights),
    )


def _logistic(frame: pd.DataFrame, model: Model) -> _ArmModel:
    binary = fit_binary(frame, model, link="logit", n_nodes=_NODES)
    return _ArmModel(fit=binary.fit, shares=lambda: standardised_risks(binary, model.arms))


_MODELS: dict[str, Callable[[pd.DataFrame, Model], _ArmModel]] = {
    "linear_mixed": _mixed,
    "linear_cluster": _clustered,
    "logistic_mixed": _logistic,
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
    n_events
        Pupils whose outcome is 1.
    varies
        Whether its pupils' outcomes differ.
    """

    arm: str
    mean: float
    sizes: np.ndarray
    n_events: int
    varies: bool

    @property
    def has_few_events(self) -> bool:
        """Whether so few pupils had the event, or had it not, that intervals of the share are only approximate."""
        return min(self.n_events, int(self.sizes.sum()) - self.n_events) < _FEW_EVENTS

    @property
    def is_all_alike(self) -> bool:
        """Whether nobody or everybody had the event."""
        return self.n_events in (0, int(self.sizes.sum()))


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
        values = outcome[rows]
        result.append(
            ArmData(
                arm=arm,
                mean=float(values.mean()) if rows.any() else np.nan,
                sizes=sizes,
                n_events=int((values == 1).sum()),
                varies=bool(rows.any() and np.ptp(values) > FLAT * np.abs(values).max()),
            )
        )
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
    """Return the plan's differences, one row a non-reference arm.

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
    model = _fitted(frame, question, arms=arms)
    return [_difference(model, question, arm, arms=arms) for arm in question.arms[1:]]


def effect_rows(frame: pd.DataFrame, question: Question, *, arms: Sequence[ArmData]) -> list[Estimate]:
    """Return the plan's differences and, of shares, odds ratios, Cox index, risk ratio and number needed to treat.

    Beside a linear mixed model's difference stands "difference_robust": the same with CR2 errors by school, which hold
    where the arms' variances differ. Where they seem to (`unequal_spread`) the model's own row has that caution.

    Parameters
    ----------
    frame, question, arms
        See `difference_rows`.
    """
    model = _fitted(frame, question, arms=arms)
    by_arm = {data.arm: data for data in arms}
    rows = []
    for arm in question.arms[1:]:
        difference = _difference(model, question, arm, arms=arms)
        made = [difference]
        if question.model == "linear_mixed":
            made = _with_robust(model, question, difference)
        if question.model == "logistic_mixed":
            made.append(_given_school(model, question, arm, difference=difference))
        if question.kind == "binary":
            made += _relative(model, difference, pair=(by_arm[question.arms[0]], by_arm[arm]))
        rows += made
    return rows


def _with_robust(model: _ArmModel | None, question: Question, difference: Estimate) -> list[Estimate]:
    """Return a mixed model's difference, with a caution where arms spread unequally, and the one with robust errors."""
    second = replace(difference, se_type="CR2", df_method="satterthwaite")
    if model is None or model.robust is None:
        return [difference, replace(second, quantity="difference_robust")]
    if difference.status != "failed":
        robust = model.robust.difference(difference.term, conf_level=question.conf_level)
        kept = replace(robust, arm=difference.arm, caution="")
        second = _few_df(kept)
        for code in ("few_events", "few_schools"):
            second = second.with_caution(code) if code in difference.cautions else second
    unequal = difference.term in model.unequal
    first = difference.with_caution("unequal_spread") if unequal else difference
    return [first, replace(second, quantity="difference_robust")]


def _fitted(frame: pd.DataFrame, question: Question, *, arms: Sequence[ArmData]) -> _ArmModel | None:
    """Fit the question's model to the arms that have outcomes; None without a comparison or a model for weights."""
    present = tuple(data.arm for data in arms if len(data.sizes) > 0)
    if question.arms[0] not in present or len(present) < 2 or _lacks_weights(question):
        return None
    model = replace(question.effect_model(), arms=present)
    return _MODELS[question.model](frame[frame[question.arm].astype(str).isin(present)], model)


def _difference(model: _ArmModel | None, question: Question, arm: str, *, arms: Sequence[ArmData]) -> Estimate:
    by_arm = {data.arm: data for data in arms}
    pair = (by_arm[question.arms[0]], by_arm[arm])
    if _lacks_weights(question):
        row = _without_weights(question, arm)
    elif model is None or any(len(data.sizes) == 0 for data in pair):
        row = _nothing_to_compare(arm, question, present={data.arm for data in arms if len(data.sizes) > 0})
    elif not any(data.varies for data in pair):
        row = _without_variation(model.fit.difference(arm_term(arm), conf_level=question.conf_level), model.fit)
    else:
        row = model.fit.difference(arm_term(arm), conf_level=question.conf_level)
    row = _few_schools(_few_df(replace(row, quantity="difference", arm=arm)), pair)
    return _cautioned(row, pair) if question.kind == "binary" else row


def _few_df(row: Estimate) -> Estimate:
    return row.with_caution("few_df") if row.df < _FEW_DF else row


def _few_schools(row: Estimate, pair: tuple[ArmData, ArmData]) -> Estimate:
    fewer, more = sorted(len(data.sizes) for data in pair)
    return row.with_caution("few_schools") if fewer < _FEW_SCHOOLS and more >= _UNLIKE * fewer else row


def _cautioned(row: Estimate, pair: tuple[ArmData, ArmData]) -> Estimate:
    return row.with_caution("few_events") if any(data.has_few_events for data in pair) else row


def _given_school(model: _ArmModel | None, question: Question, arm: str, *, difference: Estimate) -> Estimate:
    """Return the odds ratio given the school, which is the logistic model's own coefficient."""
    if model is None or difference.status == "failed":
        return replace(failed_row(difference), quantity="odds_ratio")
    row = model.fit.estimate(arm_term(arm), conf_level=question.conf_level)
    return replace(odds_ratio(row), arm=arm, caution=difference.caution)


def _relative(model: _ArmModel | None, difference: Estimate, *, pair: tuple[ArmData, ArmData]) -> tuple[Estimate, ...]:
    """Return two shares on other scales; where nobody or everybody of an arm had the event a linear model has none."""
    if model is None or difference.status == "failed":
        return (*unrelated(difference, difference.reason), number_needed_to_treat(difference))
    alike = next((data.arm for data in pair if data.is_all_alike), "")
    if alike and model.fit.differences is None:
        reason = f"Too few pupils of the arm {alike} had the event, or had it not, for a ratio and for odds."
        return (*unrelated(difference, reason), number_needed_to_treat(difference))
    shares = model.shares()
    n_pupils = int(sum(data.sizes.sum() for data in pair))
    place = shares.arms.index(difference.arm)
    return shares.relative(difference, place, difference=difference, n_pupils=n_pupils)


def _lacks_weights(question: Question) -> bool:
    return question.weights is not None and question.model != "linear_cluster"


def _without_weights(question: Question, arm: str) -> Estimate:
    """Return a failed row: schools had different chances of the arms, and the model takes no weights."""
    reason = (
        "Schools had different chances of the arms, and this model takes no weights. Plan an analysis with the model"
        " linear_cluster, which weights each school by the inverse of its chance."
    )
    return Estimate(
        term=arm_term(arm), conf_level=question.conf_level, method=question.model, status="failed", reason=reason
    )


def _without_variation(row: Estimate, fit: Fit) -> Estimate:
    """Fail a difference of arms that do not vary, to which a third arm would lend an error: its own, or of rounding."""
    reason = "In each of the two arms every pupil has the same value of this outcome."
    return replace(failed_row(row), reason=fit.convergence.reason or reason)


def _nothing_to_compare(arm: str, question: Question, *, present: set[str]) -> Estimate:
    reference = question.arms[0]
    which = f"the reference arm {reference}" if reference not in present else f"the arm {arm}"
    reason = f"No pupil of {which} has this outcome." if present else "No pupil has this outcome."
    return Estimate(
        term=arm_term(arm), conf_level=question.conf_level, method=question.model, status="failed", reason=reason
    )


def standardised_rows(
    differences: Sequence[Estimate],
    question: Question,
    *,
    arms: Sequence[ArmData],
    design: Components,
    unconditional: Components,
) -> list[Estimate]:
    """Return the differences of means as Hedges' g, within arms and strata and unconditional; none of shares.

    Parameters
    ----------
    differences
        Rows with ``quantity="difference"``.
    question
        What is asked.
    arms
        As `observed_arms` returns them.
    design, unconditional
        Variances at the same place, given arms, strata and countries, and of the model without them.
    """
    if question.kind == "binary":
        return []
    sizes = {data.arm: data.sizes for data in arms}
    rows = []
    for difference in differences:
        rows.append(hedges_g(difference, total_variance=design.total, variance_df=design.variance_df))
        rows.append(
            hedges_g_unconditional(
                difference,
                school_variance=unconditional.school,
                pupil_variance=unconditional.pupil,
                variance_df=unconditional.variance_df,
                sizes_reference=sizes[question.arms[0]],
                sizes_arm=sizes[difference.arm],
            )
        )
    return rows
