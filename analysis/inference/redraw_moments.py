"""What re-draws of the arms leave as it is: each school's moments of outcome, covariates and moderators.

Arms are constant within schools, so that a column of the arms (or of an arm times a moderator) is a school's indicator
times columns that no draw changes. Strata are absorbed: with a weight w_j = 1 / (1 + l n_j) a school, partialling their
effects out is taking off means, at no cost in their number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from analysis.guards import (
    describe_explained_outcome,
    find_independent_columns,
    read_numeric_column,
    require_filled,
    standardise_varying_columns,
    validate_frame,
)
from analysis.intercept_search import InterceptSums, find_intercept_optima
from analysis.specs import Model
from analysis.sums import compute_school_products
from analysis.terms import Columns, design_columns
from data_schema.errors import EstimationError


# No slots: what follows from the fields is kept once it is asked for, and cannot change.
@dataclass(frozen=True, kw_only=True)
class RedrawMoments:
    """Moments by school of [X C 1 y]: p covariates, k carriers (the constant first, then the moderator), the outcome.

    Parameters
    ----------
    schools
        Names of the J schools with the outcome.
    products
        Shape (J, p + k + 2, p + k + 2), cross-products; covariates and outcome scaled, less their strata's means.
    n_covariates, n_carriers
        p and k.
    stratum
        Shape (J,), position of each school's stratum; all 0 without strata.
    unit
        The outcome's scale: effects are in its multiples.
    carrier_unit
        The same of each carrier, shape (k,).
    """

    schools: tuple[str, ...]
    products: np.ndarray
    n_covariates: int
    n_carriers: int
    stratum: np.ndarray
    unit: float
    carrier_unit: np.ndarray

    @cached_property
    def n(self) -> np.ndarray:
        """Pupils of each school, shape (J,)."""
        return np.asarray(self.products[:, -2, -2])

    @cached_property
    def sums(self) -> np.ndarray:
        """Column sums by school, shape (J, q)."""
        return np.asarray(self.products[:, -2, :])

    @cached_property
    def total(self) -> np.ndarray:
        """Cross-products of all pupils, shape (q, q)."""
        return np.asarray(self.products.sum(axis=0))

    @cached_property
    def ratio(self) -> float:
        """The variance ratio of the model without arms, by restricted maximum likelihood."""
        return estimate_null_variance_ratio(self)

    @property
    def n_strata(self) -> int:
        """Number of strata, 1 without any."""
        return int(self.stratum.max()) + 1

    @property
    def free(self) -> int:
        """Pupils less covariates and strata."""
        return round(float(self.n.sum())) - self.n_covariates - self.n_strata

    @property
    def carriers(self) -> slice:
        """Where the carriers are."""
        return slice(self.n_covariates, self.n_covariates + self.n_carriers)

    def less_effects(self, arms: np.ndarray, effects: np.ndarray) -> RedrawMoments:
        """Take effects off the outcome.

        Parameters
        ----------
        arms
            Shape (A, J), indicators of the arms other than the reference.
        effects
            Shape (A, k), what each arm adds to each carrier, in scaled units.
        """
        change = np.zeros((len(self.n), self.products.shape[1], self.products.shape[1]))
        change += np.eye(self.products.shape[1])
        change[:, self.carriers, -1] = -(arms.T @ effects)
        return replace(self, products=change.transpose(0, 2, 1) @ self.products @ change)


def compute_redraw_moments(frame: pd.DataFrame, model: Model, *, moderator: str | None = None) -> RedrawMoments | str:
    """Make the moments of a model of the arms.

    Parameters
    ----------
    frame
        One row per pupil.
    model
        Arms are not looked at; strata of whole schools are absorbed.
    moderator
        Numeric column whose interaction with the arms is asked for; it becomes a covariate too. Rows without it are
        left out.

    Returns
    -------
    RedrawMoments or str
        Or a sentence that says why the outcome cannot be analysed.
    """
    plain = replace(model, arm=None, arms=())
    frame = validate_frame(frame, (*plain.columns, moderator), place=model.place)
    covariates = model.covariates
    if moderator is not None:
        frame = frame[np.isfinite(read_numeric_column(frame, moderator))]
        covariates = covariates if moderator in covariates else (*covariates, moderator)
    columns = design_columns(frame, replace(plain, strata=None, covariates=covariates))
    if columns.reason:
        return columns.reason
    stratum = _find_stratum_of_each_school(frame, model, columns)
    carried = [np.ones(len(columns.y))]
    if moderator is not None:
        carried.append(columns.x[:, columns.names.index(moderator)])
    return _scale_redraw_moments(columns, np.column_stack(carried), stratum)


def _find_stratum_of_each_school(frame: pd.DataFrame, model: Model, columns: Columns) -> np.ndarray:
    """Return each school's stratum, all 0 without strata."""
    if model.strata is None:
        return np.zeros(len(columns.schools), dtype=int)
    require_filled(frame, model.strata, "stratum", place=model.place)
    by_school = frame.groupby(frame[model.school].astype(str), observed=True)[model.strata]
    first = by_school.transform("first")
    if (frame[model.strata] != first).any():
        raise EstimationError(
            f"column '{model.strata}'",
            "has several strata in one school.",
            "Give every row the stratum of its school of randomisation.",
        )
    labels = by_school.first().astype(str).reindex(list(columns.schools))
    return np.asarray(pd.factorize(labels, sort=True)[0])


def _scale_redraw_moments(columns: Columns, carried: np.ndarray, stratum: np.ndarray) -> RedrawMoments | str:
    """Take strata's means off covariates and outcome, scale, and leave out covariates that repeat others.

    Where strata and covariates explain the outcome without the arms, the sentence that says so.
    """
    level = stratum[columns.school]
    sizes = np.bincount(level).astype(float)
    values, centre, lengths = standardise_varying_columns(np.column_stack([columns.x[:, 1:], columns.y]))
    values = values / np.where(lengths > 0, lengths, 1.0)
    for k in range(values.shape[1]):
        values[:, k] -= (np.bincount(level, weights=values[:, k]) / sizes)[level]
    inner = values[:, :-1]
    independent_places = find_independent_columns(np.where(np.sqrt((inner**2).mean(axis=0)) > 1e-9, inner, 0.0))
    # The moderator's origin is moved to its mean, which leaves its slope what it is.
    moved = carried.copy()
    moved[:, 1:] -= carried[:, 1:].mean(axis=0)
    units = np.append(1.0, moved[:, 1:].std(axis=0))
    moved = moved / np.where(units > 0, units, 1.0)
    every = np.column_stack([inner[:, independent_places], moved, np.ones(len(values)), values[:, -1]])
    left = (
        values[:, -1]
        - inner[:, independent_places] @ np.linalg.lstsq(inner[:, independent_places], values[:, -1], rcond=None)[0]
    )
    size = float(np.abs(centre[-1])) / lengths[-1]
    explained = describe_explained_outcome(float(np.sqrt((left**2).mean())), spread=1.0, size=size)
    if explained:
        return explained
    return RedrawMoments(
        schools=columns.schools,
        products=compute_school_products(every, columns.school, n_schools=len(columns.schools)),
        n_covariates=len(independent_places),
        n_carriers=carried.shape[1],
        stratum=stratum,
        unit=float(lengths[-1]),
        carrier_unit=units,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedMoments:
    """The moments at a variance ratio, strata and covariates partialled out of the outcome.

    Parameters
    ----------
    weight, shrink
        Shape (J,), 1 / (1 + l n) and l / (1 + l n).
    stratum_weight
        Shape (S,), sum of w n by stratum.
    means
        Shape (S, q), weighted means by stratum.
    inverse
        Shape (p, p), of X'WX less strata.
    beta
        Shape (p,), covariates' coefficients.
    residual
        y'Wy less strata and covariates.
    log_det
        Of everything but the arms.
    """

    weight: np.ndarray
    shrink: np.ndarray
    stratum_weight: np.ndarray
    means: np.ndarray
    inverse: np.ndarray
    beta: np.ndarray
    residual: float
    log_det: float


def weight_redraw_moments(moments: RedrawMoments, ratio: float) -> WeightedMoments:
    """Weigh the moments for a ratio of the schools' variance over the pupils'."""
    p = moments.n_covariates
    weight = 1 / (1 + ratio * moments.n)
    shrink = ratio * weight
    totals = np.zeros((moments.n_strata, moments.sums.shape[1]))
    np.add.at(totals, moments.stratum, weight[:, None] * moments.sums)
    of_stratum = totals[:, -2]
    means = totals / of_stratum[:, None]
    products = moments.total - (moments.sums * shrink[:, None]).T @ moments.sums
    products = products - (means * of_stratum[:, None]).T @ means
    inverse = np.linalg.inv(products[:p, :p])
    beta = inverse @ products[:p, -1]
    log_det = float(
        np.log1p(ratio * moments.n).sum() + np.log(of_stratum).sum() + np.linalg.slogdet(products[:p, :p])[1]
    )
    return WeightedMoments(
        weight=weight,
        shrink=shrink,
        stratum_weight=of_stratum,
        means=means,
        inverse=inverse,
        beta=beta,
        residual=float(products[-1, -1] - beta @ products[:p, -1]),
        log_det=log_det,
    )


def estimate_null_variance_ratio(moments: RedrawMoments) -> float:
    """Return the variance ratio of the model without arms, by restricted maximum likelihood."""
    p, order = moments.n_covariates, np.argsort(moments.stratum, kind="stable")
    # The constant represents the first stratum, the others are absorbed.
    chosen = [moments.products.shape[1] - 2, *range(p), moments.products.shape[1] - 1]
    sums = InterceptSums(
        by_group=moments.sums[order][None, :, chosen],
        n=moments.n[order][None],
        total=moments.total[np.ix_(chosen, chosen)][None],
        starts=np.searchsorted(moments.stratum[order], np.arange(moments.n_strata)),
        n_rows=np.array([round(float(moments.n.sum()))]),
        n_fixed=p + moments.n_strata,
        log_weights=np.zeros(1),
    )
    return float(find_intercept_optima(sums, reml=True).theta[0]) ** 2
