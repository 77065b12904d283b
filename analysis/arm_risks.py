"""Shares by arm of a linear model of a binary outcome, as if every pupil of the trial were in each arm.

With b the coefficients and x_a the mean of the model's columns over pupils whose arm is set to a, the share of arm a is
x_a'b. Whatever is made of shares (a difference, the logarithm of a ratio or of an odds ratio) is by the delta method a
contrast of b, whose variance is robust by school (CR2) and whose degrees of freedom are Satterthwaite's of that very
contrast: neither arm's share is taken as known, and the shares' different spread is in the robust variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from analysis.clustered import build_clustered_design
from analysis.inference.cluster_designs import ClusterDesign
from analysis.inference.cluster_robust import SeType, contrast_inference
from analysis.linear import Fitted
from analysis.mixed_models.basis import Basis
from analysis.mixed_models.cluster_rows import build_cluster_rows
from analysis.mixed_models.columns import build_school_columns
from analysis.mixed_models.moments import convert_columns_to_basis
from analysis.mixed_models.robust import compute_robust_errors
from analysis.results import Estimate
from analysis.standardised import Standardised
from analysis.terms import Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustShares(Standardised):
    """Standardised shares whose contrasts have errors by school.

    Parameters
    ----------
    design
        The model's least squares, ordinary or generalised, by school.
    rows
        Shape (A, p), each arm's mean of the scaled columns.
    se_type
        Which errors.
    """

    design: ClusterDesign
    rows: np.ndarray
    se_type: SeType

    def labelled(self, shared: Estimate) -> Estimate:
        """Return a row with the names of its error and degrees of freedom."""
        return replace(shared, se_type=self.se_type, df_method="satterthwaite")

    def inference(self, slope: np.ndarray) -> tuple[float, float]:
        """Return a weighted sum's error and its Satterthwaite degrees of freedom."""
        contrast_test = contrast_inference(self.design, (slope @ self.rows)[None, None, :], se_type=self.se_type)
        return math.sqrt(max(float(contrast_test.vcov[0, 0]), 0.0)), float(contrast_test.df[0])


def estimate_clustered_shares(
    columns: Columns, arms: tuple[str, ...], *, weights: np.ndarray | None, se_type: SeType = "CR2"
) -> RobustShares:
    """Return the shares of least squares.

    Parameters
    ----------
    columns
        As `analysis.design_columns` returns them, without a reason.
    arms
        The reference first.
    weights
        Of the schools; None for equal ones.
    se_type
        Which errors; see `analysis.cluster_robust`.
    """
    basis, design = build_clustered_design(columns, weights=weights)
    return _compute_arm_shares(columns, arms, basis=basis, design=design, se_type=se_type)


def estimate_mixed_shares(columns: Columns, arms: tuple[str, ...], found: Fitted) -> RobustShares:
    """Return the shares of the linear multilevel model.

    Parameters
    ----------
    columns, arms
        See `estimate_clustered_shares`.
    found
        The model, fitted.
    """
    if found.working is None:
        raise ValueError("The fit failed and has no shares.")
    mixed_columns_of_model = build_school_columns(columns)
    rows = build_cluster_rows(
        mixed_columns_of_model, convert_columns_to_basis(mixed_columns_of_model), place="shares by arm"
    )
    sums = found.working.sums
    errors = compute_robust_errors(rows, sums, found.working.optimum, se_type="CR2")
    return _compute_arm_shares(columns, arms, basis=sums.basis, design=errors.design, se_type=errors.se_type)


def _compute_arm_shares(
    columns: Columns, arms: tuple[str, ...], *, basis: Basis, design: ClusterDesign, se_type: SeType
) -> RobustShares:
    column_positions = [columns.names.index(name) for name in basis.names]
    terms = tuple(columns.arm_terms[arm] for arm in arms[1:])
    means = np.tile(columns.x.mean(axis=0), (len(arms), 1))
    for place, term in enumerate(terms):
        column = columns.names.index(term)
        means[:, column] = 0.0
        means[place + 1, column] = 1.0
    as_they_were = means[:, column_positions]
    rows = as_they_were @ (basis.matrix * basis.scale)
    every = contrast_inference(design, rows[:, None, :], se_type=se_type, tests=False)
    return RobustShares(
        arms=arms,
        terms=terms,
        values=rows @ design.beta + as_they_were @ basis.shift,
        vcov=every.vcov,
        df=math.nan,  # each contrast has its own
        design=design,
        rows=rows,
        se_type=se_type,
    )
