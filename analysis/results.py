"""What is answered: one estimate, one fit, and how its optimisation ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Literal, cast, get_args

import numpy as np
import pandas as pd

from data_schema.errors import EstimationError

Status = Literal["ok", "boundary", "failed"]

Caution = Literal["few_events", "unequal_spread", "few_schools", "few_df", "few_allocations", "skewed"]
"""Why a figure that could be computed is to be read with care. Each has its sentence in `reports.tables.cautions`."""

CAUTIONS: tuple[Caution, ...] = get_args(Caution)


EXACT_TEST = "randomisation_test_exact"
"""How the method of a randomisation test begins that counts all allocations that were possible."""


KAPLAN_MEIER = "kaplan_meier"
"""The method of a share that allows for pupils who were not seen to its horizon, who are no whole number of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """How an optimisation ended; kept with every fit.

    Parameters
    ----------
    status
        "converged"; "boundary" when a variance was estimated at zero; "failed" when there is nothing to report.
    objective
        Deviance (minus twice the log-likelihood, restricted where the fit is) at the end; NaN when failed.
    n_evaluations
        How often the objective was evaluated.
    reason
        Why it failed, or which border it lies at, as a sentence; empty otherwise.
    """

    status: Literal["converged", "boundary", "failed"]
    objective: float = math.nan
    n_evaluations: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One row of the table of estimates.

    Effects are in the outcome's units, shares between 0 and 1. What could not be estimated keeps its row, with NaN
    figures, ``status="failed"`` and a ``reason``. What could be, under conditions in which its interval or test is
    known to be unreliable, has its figures and a ``caution``: codes of `CAUTIONS`, several with a space between them.
    ``reference`` names the arm that ``arm`` is compared with, and is empty where nothing is compared; ``n_draws``
    counts the re-draws, or all allocations, that a randomisation test or its interval rests on, and is 0 elsewhere.
    """

    estimate_id: str = ""
    plan_entry: str = ""
    role: str = ""
    quantity: str = ""
    term: str = ""
    estimate: float = math.nan
    std_error: float = math.nan
    statistic: float = math.nan
    df: float = math.nan
    p_value: float = math.nan
    conf_low: float = math.nan
    conf_high: float = math.nan
    conf_level: float = 0.95
    outcome: str = ""
    arm: str = ""
    reference: str = ""
    country: str = ""
    n_schools: int = 0
    n_pupils: int = 0
    n_draws: int = 0
    method: str = ""
    se_type: str = ""
    df_method: str = ""
    status: Status = "ok"
    reason: str = ""
    caution: str = ""

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """Codes of ``caution``, one by one."""
        return tuple(cast("Caution", code) for code in self.caution.split())

    @property
    def is_exact(self) -> bool:
        """Whether a randomisation test rests on all allocations that were possible, and not on re-draws."""
        return self.method.startswith(EXACT_TEST)

    def with_caution(self, code: Caution) -> Estimate:
        """Return the row with a further caution; a failed row has no figures and stays as it is."""
        if self.status == "failed" or code in self.cautions:
            return self
        return replace(self, caution=f"{self.caution} {code}".strip())

    def to_dict(self) -> dict[str, object]:
        """Return the row as a dictionary in column order."""
        return asdict(self)


ESTIMATE_COLUMNS: tuple[str, ...] = tuple(entry.name for entry in fields(Estimate))


def estimates_frame(estimates: Sequence[Estimate]) -> pd.DataFrame:
    """Return estimates as a frame, one row each, columns in the order of `Estimate`."""
    return pd.DataFrame([estimate.to_dict() for estimate in estimates], columns=list(ESTIMATE_COLUMNS))


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRows:
    """Rows of the table of estimates that one analysis made.

    Parameters
    ----------
    rows
        What they are about is in ``quantity``, ``arm`` and ``term``.
    """

    rows: tuple[Estimate, ...]

    def row(self, quantity: str, arm: str) -> Estimate:
        """Return one row.

        Parameters
        ----------
        quantity, arm
            Of the row.

        Raises
        ------
        KeyError
            When there is none.
        """
        for row in self.rows:
            if row.quantity == quantity and row.arm == arm:
                return row
        raise KeyError(f"{quantity} of {arm}")

    def tidy(self) -> pd.DataFrame:
        """Return the rows in the columns of the table of estimates."""
        return estimates_frame(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """Coefficients of a fit with what their inference needs.

    Parameters
    ----------
    names
        Terms, length p.
    estimate
        Shape (p,), in the outcome's units.
    vcov
        Shape (p, p), variance of ``estimate``.
    df
        Shape (p,), degrees of freedom of each coefficient's t statistic; infinite for a z test.
    test_error
        Shape (p,), standard errors that tests and intervals use, where they should be larger than those of ``vcov``
        because the schools are few; None where they are the same.
    """

    names: tuple[str, ...]
    estimate: np.ndarray
    vcov: np.ndarray
    df: np.ndarray
    test_error: np.ndarray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted model of any family.

    Parameters
    ----------
    method, se_type, df_method
        What was fitted, in the words of the table of estimates.
    coefficients
        None when the fit failed.
    variances
        Variance components by name: ``school`` and ``pupil`` where the model has them.
    n_pupils, n_schools
        Rows and schools in the fit.
    n_missing_outcome, n_missing_covariate
        Rows left out (outcome) and rows with a covariate filled in.
    dropped
        Columns left out because they are combinations of earlier ones.
    differences
        Differences in the outcome's units by the arms' terms where the coefficients are in another unit (log odds);
        None where the coefficients are the differences.
    """

    method: str
    se_type: str
    df_method: str
    coefficients: Coefficients | None
    convergence: Convergence
    n_pupils: int = 0
    n_schools: int = 0
    n_missing_outcome: int = 0
    n_missing_covariate: int = 0
    variances: dict[str, float] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    differences: Coefficients | None = None

    @property
    def status(self) -> Status:
        """Status of every estimate made from this fit."""
        return "ok" if self.convergence.status == "converged" else self.convergence.status

    def estimate(self, term: str, *, conf_level: float = 0.95) -> Estimate:
        """Return one coefficient with its t test and interval.

        Parameters
        ----------
        term
            A name in ``coefficients.names``.
        conf_level
            Level of the two-sided interval, between 0 and 1.

        Returns
        -------
        Estimate
            With ``status="failed"`` when the fit failed or the term was left out as collinear.
        """
        return self._build_estimate_row(self.coefficients, term, conf_level=conf_level)

    def difference(self, term: str, *, conf_level: float = 0.95) -> Estimate:
        """Return an arm's difference from the reference in the outcome's units (a share for binary outcomes).

        Parameters
        ----------
        term
            The arm's term.
        conf_level
            Level of the two-sided interval, between 0 and 1.
        """
        return self._build_estimate_row(self.differences or self.coefficients, term, conf_level=conf_level)

    def effect_row(self, *, outcome: str, conf_level: float, se_type: str) -> Estimate:
        """Return what the rows of effects that are made from this fit have in common.

        Parameters
        ----------
        outcome
            Whose effects they are.
        conf_level
            Level of their intervals.
        se_type
            How their errors are made.
        """
        return Estimate(
            outcome=outcome,
            conf_level=conf_level,
            n_schools=self.n_schools,
            n_pupils=self.n_pupils,
            method=self.method,
            se_type=se_type,
            df_method=self.df_method,
            status=self.status,
            reason=self.convergence.reason,
        )

    def _build_estimate_row(self, source: Coefficients | None, term: str, *, conf_level: float) -> Estimate:
        shared = Estimate(
            term=term,
            conf_level=conf_level,
            n_schools=self.n_schools,
            n_pupils=self.n_pupils,
            method=self.method,
            se_type=self.se_type,
            df_method=self.df_method,
        )
        if source is None:
            return replace(shared, status="failed", reason=self.convergence.reason)
        if term not in source.names:
            return replace(shared, status="failed", reason=f"The column {term} is a combination of other columns.")
        place = source.names.index(term)
        return build_t_estimate(
            shared,
            estimate=float(source.estimate[place]),
            std_error=math.sqrt(max(float(source.vcov[place, place]), 0.0)),
            df=float(source.df[place]),
            test_error=None if source.test_error is None else float(source.test_error[place]),
            status=self.status,
        )

    def tidy(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """Return one row a coefficient, in the columns of the table of estimates."""
        names = self.coefficients.names if self.coefficients is not None else ()
        return estimates_frame([self.estimate(name, conf_level=conf_level) for name in names])

    def glance(self) -> pd.DataFrame:
        """Return one row for the fit: method, sizes, variances, deviance and how it ended."""
        row: dict[str, object] = {
            "method": self.method,
            "n_schools": self.n_schools,
            "n_pupils": self.n_pupils,
            "n_missing_outcome": self.n_missing_outcome,
            "n_missing_covariate": self.n_missing_covariate,
            "deviance": self.convergence.objective,
            "status": self.convergence.status,
            "reason": self.convergence.reason,
        }
        row.update({f"variance_{name}": value for name, value in self.variances.items()})
        return pd.DataFrame([row])


def build_t_estimate(
    shared: Estimate,
    *,
    estimate: float,
    std_error: float,
    df: float,
    test_error: float | None = None,
    status: Status = "ok",
) -> Estimate:
    """Complete a row with its t test and interval.

    Parameters
    ----------
    shared
        The row's other columns; its ``conf_level`` is used.
    estimate, std_error
        In the same units.
    df
        Degrees of freedom; infinite for the normal distribution.
    test_error
        Standard error that the test and the interval use; None for ``std_error``.
    status
        Of the fit.

    Returns
    -------
    Estimate
        Failed, without figures, when the standard error is not above zero or there are no degrees of freedom.

    Raises
    ------
    EstimationError
        When the row's ``conf_level`` is not between 0 and 1.
    """
    from scipy import stats

    if not 0 < shared.conf_level < 1:
        raise EstimationError("interval", f"conf_level {shared.conf_level:g} is not between 0 and 1.", "Use 0.95.")

    error = std_error if test_error is None else test_error
    if not (math.isfinite(estimate) and std_error > 0 and error > 0 and df > 0):
        reason = "The schools are too few for the columns of the model, or the outcome varies too little, for an error."
        return replace(create_failed_row(shared), reason=reason)
    statistic = estimate / error
    half = float(stats.t.isf((1 - shared.conf_level) / 2, df)) * error
    return replace(
        shared,
        estimate=estimate,
        std_error=std_error,
        statistic=statistic,
        df=df,
        p_value=float(2 * stats.t.sf(abs(statistic), df)),
        conf_low=estimate - half,
        conf_high=estimate + half,
        status=status,
    )


def create_failed_row(row: Estimate) -> Estimate:
    """Return a row without its figures and with ``status="failed"``; what it is about stays."""
    return replace(
        row,
        status="failed",
        estimate=math.nan,
        std_error=math.nan,
        statistic=math.nan,
        df=math.nan,
        p_value=math.nan,
        conf_low=math.nan,
        conf_high=math.nan,
    )


def create_failed_fit(reason: str, *, method: str, se_type: str, df_method: str, n_missing_outcome: int = 0) -> Fit:
    """Return a fit that could not be made, with the reason that every estimate from it will carry."""
    return Fit(
        method=method,
        se_type=se_type,
        df_method=df_method,
        coefficients=None,
        convergence=Convergence(status="failed", reason=reason),
        n_missing_outcome=n_missing_outcome,
    )
