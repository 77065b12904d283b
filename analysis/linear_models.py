"""Least squares by formula with errors that hold for few clusters: ``linear_model("score ~ arm", data)``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from analysis.guards import describe_constant_outcome, describe_explained_outcome
from analysis.inference.cluster_designs import (
    ClusterDesign,
    build_absorbed_design,
    build_least_squares_design,
    build_weighted_design,
)
from analysis.inference.cluster_robust import SeType, cluster_robust, compute_joint_test
from analysis.inference.kenward_roger import FTest, build_f_test_frame
from analysis.linear_columns import LinearColumns, build_new_data_matrix, read_linear_columns, remove_level_means
from analysis.mixed_models.columns import FixedDesign
from analysis.mixed_models.summary import format_coefficient_lines
from analysis.results import Coefficients, Estimate, build_t_estimate, estimates_frame
from analysis.sums import compute_school_products
from analysis.terms import INTERCEPT
from data_schema.errors import EstimationError

RobustDf = Literal["satterthwaite", "clusters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearModelFit:
    """A linear model with cluster-robust inference.

    Parameters
    ----------
    formula, outcome, cluster
        What was asked.
    coefficients
        Without those of absorbed fixed effects.
    se_type, df_method
        How errors and degrees of freedom were made.
    n_rows, n_clusters, n_missing
        Rows used, clusters, and rows left out because something is missing.
    dropped
        Columns left out because they are combinations of others.
    residual_sd
        Square root of the residual sum of squares over N - p.
    r_squared
        Share of the (weighted) outcome's variance that the model explains, fixed effects included.
    intercepts
        Estimates of the fixed effects by level; empty without.
    fixed_effects
        Their column.
    design
        The clusters' moments, of scaled columns: what bootstraps work on.
    to_original
        Map (p, p) from scaled coefficients to those of the columns as given.
    columns
        What makes the same columns of other data.
    column_names
        Names of all of them, those left out among them.
    notes
        What a reader should know, as sentences.
    reason
        Why nothing can be estimated: an outcome that does not vary, or that the columns explain; empty otherwise.
    """

    formula: str
    outcome: str
    cluster: str
    coefficients: Coefficients
    se_type: SeType
    df_method: RobustDf
    n_rows: int
    n_clusters: int
    n_missing: int
    dropped: tuple[str, ...]
    residual_sd: float
    r_squared: float
    intercepts: Mapping[str, float]
    fixed_effects: str | None
    design: ClusterDesign
    to_original: np.ndarray
    columns: FixedDesign
    column_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    reason: str = ""

    @property
    def vcov(self) -> pd.DataFrame:
        """Variance of the coefficients, terms by terms."""
        names = list(self.coefficients.names)
        return pd.DataFrame(self.coefficients.vcov, index=names, columns=names)

    def estimate(self, term: str, *, conf_level: float = 0.95) -> Estimate:
        """Return one coefficient with its t test and interval.

        Parameters
        ----------
        term
            A name in ``coefficients.names`` or ``dropped``.
        conf_level
            Level of the two-sided interval, between 0 and 1.

        Returns
        -------
        Estimate
            Failed where the fit has a ``reason``, the column was left out or the coefficient rests on one cluster.
        """
        shared = Estimate(
            term=term,
            outcome=self.outcome,
            conf_level=conf_level,
            n_schools=self.n_clusters,
            n_pupils=self.n_rows,
            method="linear_model",
            se_type=self.se_type,
            df_method=self.df_method,
        )
        if self.reason:
            return replace(shared, status="failed", reason=self.reason)
        if term in self.dropped:
            return replace(shared, status="failed", reason=f"The column {term} is a combination of other columns.")
        place = self.place(term)
        coefficients = self.coefficients
        if math.isnan(float(coefficients.df[place])):
            reason = "The coefficient rests on one cluster alone: no standard error can be estimated for it."
            return replace(shared, status="failed", reason=reason)
        return build_t_estimate(
            shared,
            estimate=float(coefficients.estimate[place]),
            std_error=math.sqrt(max(float(coefficients.vcov[place, place]), 0.0)),
            df=float(coefficients.df[place]),
        )

    def place(self, term: str) -> int:
        """Return a term's position; raises EstimationError for a term that the model does not have."""
        if term not in self.coefficients.names:
            raise EstimationError(
                f"model '{self.formula}'",
                f"has no term '{term}'.",
                f"Use one of: {', '.join(self.coefficients.names)}.",
            )
        return self.coefficients.names.index(term)

    def f_test(self, terms: str | Sequence[str]) -> pd.DataFrame:
        """Test coefficients jointly against zero (HTZ, which clubSandwich's ``Wald_test`` calls so).

        Parameters
        ----------
        terms
            A term of the formula (``"arm"``: all its columns), or names of coefficients.

        Returns
        -------
        pandas.DataFrame
            One row: term, statistic, df_numerator, df_denominator, p_value, scaling (of the Hotelling statistic),
            df_method.

        Raises
        ------
        EstimationError
            When the model has no such coefficients, one rests on one cluster alone, or clusters are too few for so
            many.

        References
        ----------
        Tipton and Pustejovsky (2015), J. Educational and Behavioral Statistics 40, 604-634.
        """
        names = self._get_term_column_names(terms)
        contrasts = np.stack([np.eye(len(self.coefficients.names))[self.place(name)] for name in names])
        tested = self.joint_test(contrasts)
        return build_f_test_frame(tested, terms if isinstance(terms, str) else " + ".join(names), df_method="hotelling")

    def joint_test(self, contrasts: np.ndarray, *, null: np.ndarray | None = None) -> FTest:
        """Test contrasts of the coefficients jointly; see `f_test`.

        Parameters
        ----------
        contrasts
            Shape (q, p), of full row rank, one per row in the order of ``coefficients.names``.
        null
            Shape (q,), their values under the null hypothesis; zeros otherwise.
        """
        self.require_fit()
        padded = np.zeros((len(contrasts), 1, self.design.scores.shape[1]))
        padded[:, 0, : len(self.to_original)] = contrasts @ self.to_original
        difference = contrasts @ self.coefficients.estimate - (0.0 if null is None else null)
        place = f"joint test of '{self.outcome}' by '{self.cluster}'"
        return compute_joint_test(self.design, padded, difference=difference, se_type=self.se_type, place=place)

    def require_fit(self) -> None:
        """Refuse to test what could not be estimated.

        Raises
        ------
        EstimationError
            With the reason.
        """
        if self.reason:
            raise EstimationError(f"model '{self.formula}'", self.reason, "Look at the outcome and the columns.")

    def _get_term_column_names(self, terms: str | Sequence[str]) -> list[str]:
        if not isinstance(terms, str):
            return list(terms)
        places = self.columns.terms
        if terms not in places:
            return [INTERCEPT if terms == "1" else terms]
        column_names = [self.column_names[place] for place in places[terms]]
        return [name for name in column_names if name in self.coefficients.names]

    def tidy(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """Return one row a coefficient, in the columns of the table of estimates."""
        return estimates_frame([self.estimate(name, conf_level=conf_level) for name in self.coefficients.names])

    def glance(self) -> pd.DataFrame:
        """Return one row for the fit: sizes, residual standard deviation, explained variance, how errors were made."""
        row = {
            "formula": self.formula,
            "n_clusters": self.n_clusters,
            "n_rows": self.n_rows,
            "n_missing": self.n_missing,
            "n_columns": self.design.n_columns,
            "residual_sd": self.residual_sd,
            "r_squared": self.r_squared,
            "se_type": self.se_type,
            "df_method": self.df_method,
            "status": "failed" if self.reason else "converged",
            "reason": self.reason,
        }
        return pd.DataFrame([row])

    def predict(self, data: pd.DataFrame) -> np.ndarray:
        """Return expected outcomes of new rows.

        Parameters
        ----------
        data
            With the formula's columns, and that of the fixed effects if there are any.

        Returns
        -------
        numpy.ndarray
            Shape (N,); NaN where a column is missing or a level of the fixed effects is not one of the fit's.
        """
        x = build_new_data_matrix(self.columns, data, place=f"prediction of '{self.outcome}'")
        places = [self.column_names.index(name) for name in self.coefficients.names]
        expected = x[:, places] @ self.coefficients.estimate
        if self.fixed_effects is None:
            return np.asarray(expected)
        levels = data[self.fixed_effects].astype(str)
        return np.asarray(expected + levels.map(dict(self.intercepts)).to_numpy(dtype=float))

    def summary(self, *, conf_level: float = 0.95) -> str:
        """Describe in plain language what was fitted and what came out."""
        lines = [
            f"Model: {self.formula}",
            f"Fitted by least squares; errors by cluster ({self.se_type}), degrees of freedom: {self.df_method}.",
            f"{self.n_rows} rows in {self.n_clusters} clusters of '{self.cluster}'.",
        ]
        if self.n_missing:
            lines.append(f"{self.n_missing} rows were left out because something is missing or their weight is 0.")
        if self.fixed_effects is not None:
            lines.append(f"{len(self.intercepts)} levels of {self.fixed_effects} have an intercept of their own.")
        if self.dropped:
            lines.append(f"Left out as combinations of other columns: {', '.join(self.dropped)}.")
        lines += self.notes
        if self.reason:
            return "\n".join([*lines, f"Nothing was estimated: {self.reason}"])
        rows = [self.estimate(name, conf_level=conf_level) for name in self.coefficients.names]
        return "\n".join([*lines, "", *format_coefficient_lines(rows)])

    def __str__(self) -> str:
        return f"{self.formula}: {self.n_rows} rows in {self.n_clusters} clusters, {self.se_type}"


def linear_model(
    formula: str,
    data: pd.DataFrame,
    *,
    cluster: str = "school",
    se_type: SeType = "CR2",
    weights: str | None = None,
    fixed_effects: str | None = None,
    reference: Mapping[str, str] | None = None,
    df_method: RobustDf = "satterthwaite",
) -> LinearModelFit:
    """Fit a linear model by least squares with cluster-robust errors.

    Parameters
    ----------
    formula
        As formulaic reads it, such as ``score ~ arm * baseline``.
    data
        One row per pupil; rows with a missing value are left out and counted.
    cluster
        Column of the school of randomisation.
    se_type
        "CR2" (unbiased under independent errors; the default, see HONESTY.md), "CR0", "CR1", "CR1S" (Stata's) or "CR3".
    weights
        Column of weights, such as inverse probabilities; None for equal ones.
    fixed_effects
        Column of strata, pairs or sites whose levels each get an intercept. Strata of whole clusters cost nothing, in
        their hundreds; they are the same model as ``+ C(stratum)``, to the last figure.
    reference
        Reference levels of factors by column: ``{"arm": "control"}``. Otherwise the first in sorted order, or the first
        category.
    df_method
        "satterthwaite" for every ``se_type`` (clubSandwich's), or "clusters": J - 1, as Stata has it.

    Returns
    -------
    LinearModelFit
        Coefficients named as the formula's columns, "arm[pilot]" for a level.

    References
    ----------
    Bell and McCaffrey (2002), Survey Methodology 28, 169-181; Pustejovsky and Tipton (2018), J. Business and Economic
    Statistics 36, 672-683.

    Examples
    --------
    >>> from analysis.simulation import simulate_scores
    >>> pupils = simulate_scores(20, 10, icc=0.2, effect=0.3, seed=1)
    >>> fit = linear_model("score ~ arm + baseline", pupils)
    >>> fit.n_clusters, round(fit.estimate("arm[pilot]").df, 1)
    (20, 17.5)
    """
    if df_method not in get_args(RobustDf):
        raise EstimationError(
            f"model '{formula}'", f"df_method '{df_method}' is unknown.", "Use 'satterthwaite' or 'clusters'."
        )
    columns = read_linear_columns(
        formula, data, cluster=cluster, weights=weights, fixed_effects=fixed_effects, reference=reference
    )
    design, matrix, shift, left = _build_scaled_design(columns, place=f"model '{formula}'")
    p = len(columns.names)
    contrasts = np.zeros((p, len(design.beta)))
    contrasts[:, :p] = matrix
    answer = cluster_robust(design, contrasts=contrasts, se_type=se_type)
    estimate = matrix @ answer.beta[:p] + shift
    residual_sd, r_squared, intercepts = _compute_explained_variance(
        columns, estimate, left, n_columns=design.n_columns
    )
    df = answer.df if df_method == "satterthwaite" else np.where(np.isnan(answer.df), np.nan, design.n_clusters - 1.0)
    return LinearModelFit(
        formula=formula,
        outcome=columns.outcome,
        cluster=cluster,
        coefficients=Coefficients(
            names=columns.names, estimate=estimate, vcov=matrix @ answer.vcov[:p, :p] @ matrix.T, df=df
        ),
        se_type=se_type,
        df_method=df_method,
        n_rows=design.n_rows,
        n_clusters=design.n_clusters,
        n_missing=columns.n_missing,
        dropped=columns.dropped,
        residual_sd=residual_sd,
        r_squared=r_squared,
        intercepts=intercepts,
        fixed_effects=fixed_effects,
        design=design,
        to_original=matrix,
        columns=columns.design,
        column_names=columns.every,
        notes=columns.notes,
        reason=_describe_failure_reason(columns, left),
    )


def _describe_failure_reason(columns: LinearColumns, left: np.ndarray) -> str:
    """Describe why there is nothing to estimate; empty when there is."""
    y = columns.y
    spread, residual_spread = float(y.std()), float(np.sqrt((left**2).mean()))
    return describe_constant_outcome(y) or describe_explained_outcome(
        residual_spread, spread=spread, size=float(np.abs(y).max())
    )


def _build_scaled_design(
    columns: LinearColumns, *, place: str
) -> tuple[ClusterDesign, np.ndarray, np.ndarray, np.ndarray]:
    """Return the clusters' moments of scaled columns, how to come back from these, and residuals of every row."""
    p, n_rows = len(columns.names), len(columns.y)
    n_columns = p + len(columns.levels)
    if p == 0 or n_rows <= n_columns:
        problem = f"{n_rows} rows and {n_columns} columns leave nothing to estimate." if p else "has no column left."
        raise EstimationError(place, problem, "Use fewer columns.")
    values = np.column_stack([columns.x, columns.y])
    centre = np.zeros(p + 1)
    if columns.level is not None:
        values = remove_level_means(values, columns.level, columns.weights)
    elif INTERCEPT in columns.names:
        centre = values.mean(axis=0)
        centre[columns.names.index(INTERCEPT)] = 0.0
        values = values - centre
    scale = np.sqrt((values**2).mean(axis=0))
    scale[scale == 0] = 1.0
    values = values / scale
    matrix, shift = np.diag(scale[-1] / scale[:p]), np.zeros(p)
    if INTERCEPT in columns.names:
        place_of = columns.names.index(INTERCEPT)
        matrix[place_of] -= scale[-1] * centre[:p] / scale[:p]
        shift[place_of] = centre[-1]
    design = _build_cluster_moments(columns, values[:, :-1], values[:, -1:])
    # Of scaled columns, whose products lose no digits of a column that stands far from zero.
    expected = values[:, :-1] @ design.beta[:p] + columns.dummies @ design.beta[p:]
    return design, matrix, shift, (values[:, -1] - expected) * scale[-1]


def _build_cluster_moments(columns: LinearColumns, x: np.ndarray, y: np.ndarray) -> ClusterDesign:
    n_rows, n_clusters = len(y), len(columns.clusters)
    x = np.hstack([x, columns.dummies])
    if columns.stratum is not None:
        products = compute_school_products(
            np.hstack([x, np.ones((n_rows, 1)), y]), columns.cluster, n_schools=n_clusters
        )
        return build_absorbed_design(products, stratum=columns.stratum, n_rows=n_rows)
    if columns.weights is not None:
        weighted = x * columns.weights[:, None]
        products = compute_school_products(np.hstack([x, weighted, y]), columns.cluster, n_schools=n_clusters)
        return build_weighted_design(products, n_rows=n_rows)
    products = compute_school_products(np.hstack([x, y]), columns.cluster, n_schools=n_clusters)
    return build_least_squares_design(products, n_rows=n_rows)


def _compute_explained_variance(
    columns: LinearColumns, estimate: np.ndarray, left: np.ndarray, *, n_columns: int
) -> tuple[float, float, dict[str, float]]:
    """Return the residual standard deviation, the share of variance explained, and the fixed effects."""
    weights = np.ones(len(columns.y)) if columns.weights is None else columns.weights
    intercepts: dict[str, float] = {}
    if columns.level is not None:
        above = weights * (columns.y - columns.x @ estimate)
        means = np.bincount(columns.level, weights=above) / np.bincount(columns.level, weights=weights)
        intercepts = dict(zip(columns.levels, map(float, means), strict=True))
    unexplained = float((weights * left**2).sum())
    middle = columns.y - np.average(columns.y, weights=weights)
    total = float((weights * middle**2).sum())
    share = 1 - unexplained / total if total > 0 else math.nan
    return math.sqrt(unexplained / (len(columns.y) - n_columns)), share, intercepts
