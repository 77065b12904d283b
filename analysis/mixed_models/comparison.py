"""Likelihood-ratio tests of two fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_schema.errors import EstimationError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.mixed_models.fit import MixedFit


def likelihood_ratio_test(smaller: MixedFit, larger: MixedFit) -> pd.DataFrame:
    """Test a fit against a larger one of the same rows.

    Parameters
    ----------
    smaller, larger
        Both by maximum likelihood, or both by restricted maximum likelihood with the same fixed effects.

    Returns
    -------
    pandas.DataFrame
        One row: statistic, df (further parameters), p_value, distribution. Where one variance more is tested (with c
        covariances) the distribution is the even mixture of chi-squared with c and c + 1 degrees of freedom, since a
        variance cannot be negative; with v independent variances the binomial mixture of 0 to v, an approximation;
        otherwise plain chi-squared, which is conservative.

    Raises
    ------
    EstimationError
        When the fits are not of the same rows and outcome, not by the same likelihood, or not nested.

    References
    ----------
    Self and Liang (1987), JASA 82, 605-610; Stram and Lee (1994), Biometrics 50, 1171-1177.
    """
    import pandas as pd
    from scipy import stats

    fixed = _require_nested_fits(smaller, larger)
    variances, covariances = (
        b - a for a, b in zip(_count_variance_parameters(smaller), _count_variance_parameters(larger), strict=True)
    )
    if min(fixed, variances, covariances) < 0 or fixed + variances + covariances == 0:
        raise _create_comparison_error(
            "the second does not have all parameters of the first and more.", "Put the smaller first."
        )
    statistic = max(2 * (larger.log_likelihood - smaller.log_likelihood), 0.0)
    weights = _compute_mixture_weights(variances, covariances)
    degrees = fixed + covariances + np.arange(len(weights)) + variances - (len(weights) - 1)
    tails = np.where(degrees > 0, stats.chi2.sf(statistic, np.maximum(degrees, 1)), float(statistic <= 0))
    return pd.DataFrame(
        [
            {
                "statistic": statistic,
                "df": fixed + variances + covariances,
                "p_value": float(weights @ tails),
                "distribution": " + ".join(
                    f"{weight:g} chi2({degree})" for weight, degree in zip(weights, degrees, strict=True)
                ),
            }
        ]
    )


def _compute_mixture_weights(variances: int, covariances: int) -> np.ndarray:
    if variances == 1:
        return np.array([0.5, 0.5])
    if variances > 1 and covariances == 0:
        from scipy import stats

        return np.asarray(stats.binom.pmf(np.arange(variances + 1), variances, 0.5))
    return np.ones(1)


def _require_nested_fits(smaller: MixedFit, larger: MixedFit) -> int:
    """Return the number of further fixed effects."""
    for fit in (smaller, larger):
        if fit.working is None:
            raise _create_comparison_error(f"one was not fitted: {fit.convergence.reason}", "Mend it first.")
    assert smaller.working is not None  # noqa: S101  # checked above
    assert larger.working is not None  # noqa: S101  # checked above
    if (smaller.outcome, smaller.n_pupils) != (larger.outcome, larger.n_pupils):
        raise _create_comparison_error("they are not of the same rows and outcome.", "Leave the same rows out of both.")
    if smaller.method != larger.method:
        raise _create_comparison_error("one is by restricted likelihood, one not.", "Fit both with the same `reml`.")
    fixed = larger.working.sums.n_fixed - smaller.working.sums.n_fixed
    same = set(smaller.working.sums.basis.names) == set(larger.working.sums.basis.names)
    if smaller.working.reml and (fixed != 0 or not same):
        raise _create_comparison_error(
            "restricted likelihoods of different fixed effects cannot be compared.", "Fit both with reml=False."
        )
    return fixed


def _count_variance_parameters(fit: MixedFit) -> tuple[int, int]:
    covariances = sum(bool(part.other) for part in fit.components)
    residual = sum(part.group == "residual" for part in fit.components)
    return len(fit.components) - covariances - residual, covariances + residual - 1


def _create_comparison_error(problem: str, remedy: str) -> EstimationError:
    return EstimationError("likelihood-ratio test of two fits", problem, remedy)
