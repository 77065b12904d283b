"""Linear multilevel models by formula: the way into the engine.

Model: y = X beta + sum_l Z_l u_l + e with u_l ~ N(0, Psi_l) for the groups of each level and e ~ N(0, s^2). Everything
is computed from each group's sums (`analysis.mixed_models.moments`), so that time does not grow with pupils once the
sums are made, and no matrix has more rows than there are columns of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args, overload

import numpy as np
import pandas as pd

from analysis.formula import from_r, parse_formula, require_formula
from analysis.mixed_models.cluster_rows import ClusterRows, build_cluster_rows
from analysis.mixed_models.columns import build_mixed_columns
from analysis.mixed_models.fit import MixedFit, ShownSeType
from analysis.mixed_models.intercept import find_best_likelihood
from analysis.mixed_models.jets import build_covariance_matrices, build_parameters
from analysis.mixed_models.likelihood import LikelihoodSums
from analysis.mixed_models.merging import merge_moments, require_same_columns
from analysis.mixed_models.moments import (
    Described,
    Moments,
    compute_moments,
    convert_columns_to_basis,
    describe_columns,
)
from analysis.mixed_models.random_effects import compute_back_change
from analysis.mixed_models.robust import MixedSeType, RobustErrors, compute_robust_errors
from analysis.mixed_models.search import Optimum
from analysis.mixed_models.streaming import compute_streamed_sums
from analysis.mixed_models.working import (
    MixedDfMethod,
    VarianceComponent,
    Working,
    build_model_coefficients,
    build_working,
)
from analysis.outcome_models.fit import OutcomeFit
from analysis.outcome_models.fitted import Family, LinkName
from analysis.outcome_models.route import check_family, outcome_model
from analysis.results import Coefficients, Convergence
from data_schema.errors import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedSums:
    """A model's data as sums: all that a fit needs.

    Parameters
    ----------
    moments
        The sums.
    described
        What a result says about its data.
    clusters
        The outermost groups' rows, for cluster-robust errors; None where they were not asked for.
    """

    moments: Moments
    described: Described
    clusters: ClusterRows | None = None


@overload
def mixed_model(
    formula: str,
    data: pd.DataFrame,
    *,
    family: Literal["gaussian"] = "gaussian",
    reml: bool | None = None,
    df_method: MixedDfMethod | None = None,
    weights: str | None = None,
    residual_by: str | None = None,
    reference: Mapping[str, str] | None = None,
    se_type: MixedSeType = "model",
) -> MixedFit: ...


@overload
def mixed_model(
    formula: str,
    data: pd.DataFrame,
    *,
    family: Family,
    link: LinkName | None = None,
    n_nodes: int | None = None,
    exposure: str | None = None,
    reference: Mapping[str, str] | None = None,
) -> OutcomeFit: ...


def mixed_model(
    formula: str,
    data: pd.DataFrame,
    *,
    family: Literal["gaussian"] | Family = "gaussian",
    reml: bool | None = None,
    df_method: MixedDfMethod | None = None,
    weights: str | None = None,
    residual_by: str | None = None,
    reference: Mapping[str, str] | None = None,
    se_type: MixedSeType = "model",
    link: LinkName | None = None,
    n_nodes: int | None = None,
    exposure: str | None = None,
) -> MixedFit | OutcomeFit:
    """Fit a multilevel model: linear, or of a binary outcome or a count.

    Parameters
    ----------
    formula
        In lme4's words: ``"score ~ arm + baseline + (1 | school)"``; ``(1 + x | school)`` a random slope,
        ``(1 + x || school)`` without correlation, ``(1 | country/school)`` nested groups. The fixed part is read by
        formulaic: factors, interactions, ``I()``, ``np.log()``, ``bs()``, ``poly()``.
    data
        One row per pupil. Rows with a missing value in any column of the model are left out and counted.
    family
        "gaussian" (the default: linear), "binomial" (0 or 1), "poisson" or "negative_binomial" (whole numbers). The
        arguments after ``reference`` and ``se_type`` belong to the others, those before (but for ``reference``) to the
        linear model; what does not belong is an error.
    reml
        Restricted maximum likelihood (the default), or maximum likelihood.
    df_method
        "kenward_roger" (the default with REML; adjusts the errors too) or "satterthwaite" (the default without, and
        with cluster-robust errors).
    weights
        Column of weights above 0: residual variances are inverse to them.
    residual_by
        Column whose levels have residual variances of their own.
    reference
        Reference levels of factors by column: ``{"arm": "control"}``. Otherwise the first in sorted order, or the first
        category.
    se_type
        "model" (the default), or cluster-robust errors by the outermost grouping, which are valid when the random part
        is wrong: "CR2" (unbiased where it is right), "CR0", "CR1" or "CR3", with Satterthwaite's degrees of freedom as
        clubSandwich has them, and Hotelling's T-squared tests (HTZ) of several effects.
    link
        Of a binomial: "logit" (the default), "cloglog", "log" (risk ratios) or "identity" (risk differences).
    n_nodes
        Nodes of adaptive Gauss-Hermite quadrature, 15 unless given (7 along each axis of a slope); 1 is Laplace's
        approximation.
    exposure
        Column of the time in which a count was made, such as days enrolled.

    Returns
    -------
    MixedFit or OutcomeFit
        Of a linear model or of the other families; both have ``tidy()``, ``glance()``, ``vcov``, ``predict()``,
        ``summary()``, ``variance_components()`` and ``random_effects()``. What cannot be fitted has
        ``convergence.status == "failed"`` and a reason. A variance of zero is an answer:
        "boundary".

    Raises
    ------
    EstimationError
        When the formula cannot be read, a column is not there, not numeric where it must be or infinite, groups are
        crossed, Kenward and Roger's method is asked for without REML or with cluster-robust errors, or clusters are too
        large for these.

    References
    ----------
    Bates, Maechler, Bolker and Walker (2015), J. Statistical Software 67(1), for model and criterion; Kenward and Roger
    (1997), Biometrics 53, 983-997; Pustejovsky and Tipton (2018), J. Business and Economic Statistics 36, 672-683.

    Examples
    --------
    >>> from analysis.simulation import simulate_scores
    >>> pupils = simulate_scores(24, 30, icc=0.15, effect=0.3, seed=1)
    >>> fit = mixed_model("score ~ arm + baseline + (1 | school)", pupils)
    >>> fit.convergence.status
    'converged'
    """
    require_formula(formula, data)
    linear = {"reml": reml, "df_method": df_method, "weights": weights, "residual_by": residual_by}
    linear["se_type"] = None if se_type == "model" else se_type
    others = {"link": link, "n_nodes": n_nodes, "exposure": exposure}
    check_family(formula, family=family, linear=linear, others=others)
    if family != "gaussian":
        return outcome_model(
            formula, data, family=family, link=link, n_nodes=n_nodes, exposure=exposure, reference=reference
        )
    reml = reml is not False
    _check(formula, reml=reml, df_method=df_method, se_type=se_type)
    sums = mixed_sums(
        formula,
        data,
        weights=weights,
        residual_by=residual_by,
        reference=reference,
        clusters=se_type != "model",
    )
    return fit_mixed_sums(sums, reml=reml, df_method=df_method, se_type=se_type)


def mixed_sums(
    formula: str,
    data: pd.DataFrame,
    *,
    weights: str | None = None,
    residual_by: str | None = None,
    reference: Mapping[str, str] | None = None,
    clusters: bool = False,
) -> MixedSums:
    """Make the sums of a model, to be fitted by `fit_mixed_sums`.

    Parameters
    ----------
    formula, data, weights, residual_by, reference
        As `mixed_model` has them.
    clusters
        Whether the outermost groups' rows are made too, which cluster-robust errors need.
    """
    require_formula(formula, data)
    read = parse_formula(from_r(formula, data.columns))
    if weights is None and residual_by is None and not clusters:
        streamed = compute_streamed_sums(read, data, reference=reference or {})
        if streamed is not None:
            return MixedSums(moments=streamed[0], described=streamed[1])
    for absorb in (True, False):
        columns = build_mixed_columns(
            read, data, weights=weights, residual_by=residual_by, reference=reference, absorb=absorb
        )
        prepared = convert_columns_to_basis(columns)
        model_moments = compute_moments(columns, prepared)
        # With columns that strata settle, which of them are left out depends on their order: let it be the formula's.
        if columns.strata is None or not model_moments.basis.dropped:
            break
    return MixedSums(
        moments=model_moments,
        clusters=build_cluster_rows(columns, prepared, place=f"model of '{read.outcome}'") if clusters else None,
        described=describe_columns(read, columns),
    )


def merge_mixed_sums(parts: Sequence[MixedSums]) -> MixedSums:
    """Add up the sums of stretches of the same data, such as files or years that do not fit into memory together.

    Parameters
    ----------
    parts
        Of the same formula, each with all levels of every factor that is not a stratum; one or more, of any model.
        Parts by country, for instance, cannot be merged where the country is in the formula.

    Returns
    -------
    MixedSums
        As if made of all rows at once, up to rounding; with the clusters' rows if all parts have them.

    Raises
    ------
    EstimationError
        When there are none, or the models differ: another formula, a level of a factor that a part lacks, or a function
        (``scale``, ``bs``) that made other columns of each part's rows.
    """
    if not parts:
        raise EstimationError("sums to merge", "there are none.", "Hand over one or more.")
    merged_moments, described, clusters = parts[0].moments, parts[0].described, parts[0].clusters
    for part in parts[1:]:
        share = part.moments.n / (merged_moments.n + part.moments.n)
        both = None if clusters is None or part.clusters is None else (clusters, part.clusters)
        strata = "" if merged_moments.strata is None or part.moments.strata is None else merged_moments.strata.name
        require_same_columns(described, part.described, strata=strata)
        (merged_moments, clusters), other = merge_moments(merged_moments, part.moments, both), part.described
        described = replace(
            described,
            n_missing={
                name: described.n_missing.get(name, 0) + other.n_missing.get(name, 0)
                for name in {**described.n_missing, **other.n_missing}
            },
            notes=tuple(dict.fromkeys([*described.notes, *other.notes])),
            means={name: (1 - share) * mean + share * other.means[name] for name, mean in described.means.items()},
        )
    return MixedSums(moments=merged_moments, described=described, clusters=clusters)


def fit_mixed_sums(
    sums: MixedSums,
    *,
    reml: bool = True,
    df_method: MixedDfMethod | None = None,
    se_type: MixedSeType = "model",
) -> MixedFit:
    """Fit a model from its sums.

    Parameters
    ----------
    sums
        As `mixed_sums` returns them.
    reml, df_method, se_type
        As `mixed_model` has them; cluster-robust errors need sums made with ``clusters=True``.
    """
    place = f"model of '{sums.described.outcome}'"
    _check(place, reml=reml, df_method=df_method, se_type=se_type)
    if se_type != "model" and sums.clusters is None:
        raise EstimationError(
            place,
            f"se_type='{se_type}' needs the rows of clusters, which these sums do not have.",
            "Make the sums with clusters=True.",
        )
    method = df_method or ("kenward_roger" if reml and se_type == "model" else "satterthwaite")
    model_moments = sums.moments
    reason = model_moments.basis.reason or _describe_too_few_rows(model_moments)
    if reason:
        return _create_failed_mixed_fit(sums, reason, reml=reml, df_method=method, se_type=se_type)
    with np.errstate(all="ignore"):
        best, likelihood = find_best_likelihood(model_moments, reml=reml)
    if best.reason or not np.isfinite(best.deviance):
        reason = best.reason or "The likelihood is not finite."
        return _create_failed_mixed_fit(sums, reason, reml=reml, df_method=method, se_type=se_type)
    return _fit(sums, best, likelihood, reml=reml, df_method=method, se_type=se_type)


def _check(place: str, *, reml: bool, df_method: str | None, se_type: str) -> None:
    if se_type not in get_args(MixedSeType):
        raise EstimationError(
            place, f"se_type '{se_type}' is unknown.", f"Use one of {', '.join(get_args(MixedSeType))}."
        )
    if df_method is not None and df_method not in get_args(MixedDfMethod):
        raise EstimationError(
            place, f"df_method '{df_method}' is unknown.", f"Use one of {', '.join(get_args(MixedDfMethod))}."
        )
    if df_method == "kenward_roger" and se_type != "model":
        raise EstimationError(
            place,
            f"Kenward and Roger's method has errors of its own: it does not go with se_type='{se_type}'.",
            f"Leave df_method out (Satterthwaite's go with '{se_type}'), or set se_type='model'.",
        )
    if df_method == "kenward_roger" and not reml:
        raise EstimationError(
            place,
            "Kenward and Roger's method needs restricted maximum likelihood.",
            "Set reml=True or df_method='satterthwaite'.",
        )


def _describe_too_few_rows(sums: Moments) -> str:
    if sums.n <= sums.n_fixed + 1:
        return f"{sums.n} rows are too few for a model of {sums.n_fixed} columns."
    for level in sums.levels:
        if level.n_groups < 2:
            return f"There is one group of '{level.name}': the variance between groups is not identified."
        if level.n_groups >= sums.n and len(sums.n_rows) == 1:
            return f"Every group of '{level.name}' has one row: groups and rows cannot be distinguished."
    return ""


def _create_failed_mixed_fit(
    sums: MixedSums, reason: str, *, reml: bool, df_method: MixedDfMethod, se_type: MixedSeType
) -> MixedFit:
    described = sums.described
    return MixedFit(
        formula=described.formula,
        outcome=described.outcome,
        method=_format_method_name(reml=reml),
        df_method=df_method,
        se_type=_get_shown_se_type(se_type, df_method),
        coefficients=None,
        convergence=Convergence(status="failed", reason=reason),
        described=described,
        groups={level.name: level.n_groups for level in reversed(sums.moments.levels)},
        n_pupils=sums.moments.n,
        n_missing=described.n_missing,
        dropped=sums.moments.basis.dropped,
        notes=described.notes,
    )


def _format_method_name(*, reml: bool) -> str:
    return "linear_mixed_reml" if reml else "linear_mixed_ml"


def _get_shown_se_type(se_type: MixedSeType, df_method: MixedDfMethod) -> ShownSeType:
    return "kenward_roger" if df_method == "kenward_roger" else se_type


def _fit(
    sums: MixedSums,
    best: Optimum,
    at: LikelihoodSums,
    *,
    reml: bool,
    df_method: MixedDfMethod,
    se_type: MixedSeType,
) -> MixedFit:
    model_moments, described = sums.moments, sums.described
    working = build_working(model_moments, best, at, reml=reml, df_method=df_method)
    robust = None
    if se_type != "model" and sums.clusters is not None:
        robust = compute_robust_errors(sums.clusters, model_moments, best, se_type=se_type)
    return MixedFit(
        formula=described.formula,
        outcome=described.outcome,
        method=_format_method_name(reml=reml),
        df_method=df_method,
        se_type=_get_shown_se_type(se_type, df_method),
        coefficients=_build_mixed_coefficients(working, robust),
        convergence=Convergence(
            status="boundary" if best.singular else "converged",
            objective=working.deviance,
            n_evaluations=best.n_evaluations,
        ),
        described=described,
        components=_compute_variance_components(model_moments, best),
        groups={level.name: level.n_groups for level in reversed(model_moments.levels)},
        n_pupils=model_moments.n,
        n_missing=described.n_missing,
        dropped=model_moments.basis.dropped,
        notes=described.notes,
        log_likelihood=-working.deviance / 2,
        n_parameters=model_moments.n_fixed + len(best.variances),
        working=working,
        robust=robust,
    )


def _build_mixed_coefficients(working: Working, robust: RobustErrors | None) -> Coefficients:
    if robust is None:
        return build_model_coefficients(working)
    matrix = working.to_original
    return Coefficients(
        names=working.sums.basis.names,
        estimate=working.estimate,
        vcov=matrix @ robust.vcov @ matrix.T,
        df=robust.df,
    )


def _compute_variance_components(sums: Moments, best: Optimum) -> tuple[VarianceComponent, ...]:
    which = build_parameters(sums)
    unit = sums.basis.scale**2
    components = []
    for level, scaled in zip(
        reversed(sums.levels), reversed(build_covariance_matrices(sums, which, best.variances)), strict=True
    ):
        back = compute_back_change(level)
        psi = back @ scaled @ back.T * unit
        for block in level.blocks:
            components += _compute_block_components(level.name, block.names, psi[block.start :, block.start :])
    labels = sums.residual or ("",)
    for label, value in zip(labels, best.variances[len(which.level) :] * unit, strict=True):
        components.append(
            VarianceComponent(group="residual", term=label, other="", variance=float(value), sd=float(np.sqrt(value)))
        )
    return tuple(components)


def _compute_block_components(group: str, names: tuple[str, ...], psi: np.ndarray) -> list[VarianceComponent]:
    components = []
    for a, name in enumerate(names):
        for b, other in enumerate(names[: a + 1]):
            value = float(psi[a, b])
            if a == b:
                sd = float(np.sqrt(max(value, 0.0)))
            else:
                size = float(np.sqrt(max(psi[a, a] * psi[b, b], 0.0)))
                sd = value / size if size > 0 else float("nan")
            components.append(
                VarianceComponent(group=group, term=name, other="" if a == b else other, variance=value, sd=sd)
            )
    return components
