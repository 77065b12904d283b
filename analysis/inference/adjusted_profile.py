"""The school variance of a model with a random school intercept, freed of what maximum likelihood loses.

Maximum likelihood divides by schools where it should divide by schools less school-level columns: with twenty schools
in ten pairs the variance between schools comes out at half its size, and tests are twice as often wrong as they say.
The adjusted profile likelihood adds the log determinant of the coefficients' information to the deviance, which for a
linear model is restricted maximum likelihood.
Sources: Cox and Reid (1987), JRSS B 49, 1-39; Breslow and Clayton (1993), JASA 88, 9-25, for the information.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import optimize

from analysis.quadrature import Optimum, Patterns, deviance_and_gradient, information

# Enough for a variance; the estimates themselves are made with more.
_MOST_NODES = 7
_FEW_NODES = 5
_STEPS = 20
_NO_STEP = 1e-8
# With more schools fewer nodes do.
_FEW_SCHOOLS = 40
# With fewer schools the adjusted profile may lie far from the maximum, and is searched as a whole.
_LEAST_SCHOOLS = 8
_SECANTS = 4
_CLOSE = 1e-3
# A school standard deviation below this is near its boundary, where the profile is not a parabola.
_SMALL = 0.1
# A step of this part of the standard deviation is the last: what is left is of its square.
_SHORT = 0.02
_DIFFERENCE = 0.01

_Profile = Callable[[float, np.ndarray], tuple[np.ndarray, float, float]]


def compute_adjusted_vcov(data: Patterns, optimum: Optimum, *, n_nodes: int) -> np.ndarray:
    """Return the variance of (beta, school_sd) at the school variance that few schools call for.

    Parameters
    ----------
    data
        The patterns.
    optimum
        Of the likelihood; what it says of the school's standard deviation is not used.
    n_nodes
        Nodes of the quadrature.

    Returns
    -------
    numpy.ndarray
        Shape (p + 1, p + 1), zero in the row and column of the standard deviation.
    """
    p = len(optimum.beta)
    near = _take_single_newton_step(data, optimum) if optimum.school_sd > _SMALL else None
    beta, school_sd = near or find_adjusted_profile_maximum(data, optimum.beta, optimum.school_sd, n_nodes=n_nodes)
    vcov = np.zeros((p + 1, p + 1))
    vcov[:p, :p] = np.linalg.pinv(information(data, beta, school_sd), hermitian=True)
    return vcov


def _take_single_newton_step(data: Patterns, optimum: Optimum) -> tuple[np.ndarray, float] | None:
    """Take Newton's step from the maximum likelihood; None when it is too long to be the last.

    The deviance's curvature along its profile is that of the standard deviation's variance, and the coefficients follow
    it as their covariance says.
    """
    variance = float(optimum.vcov[-1, -1])
    path = optimum.vcov[:-1, -1] / variance
    step = _DIFFERENCE * optimum.school_sd
    ahead, behind = (
        float(np.linalg.slogdet(information(data, optimum.beta + s * path, optimum.school_sd + s))[1])
        for s in (step, -step)
    )
    shift = -(ahead - behind) / (2 * step) * variance / 2
    if abs(shift) > _SHORT * optimum.school_sd:
        return None
    return optimum.beta + shift * path, optimum.school_sd + shift


def find_adjusted_profile_maximum(
    data: Patterns, beta: np.ndarray, school_sd: float, *, n_nodes: int
) -> tuple[np.ndarray, float]:
    """Return the coefficients and the school standard deviation at the greatest adjusted profile likelihood.

    Parameters
    ----------
    data
        The patterns.
    beta, school_sd
        The maximum likelihood estimates.
    n_nodes
        Nodes of the quadrature; more than seven are not used.
    """
    nodes = min(n_nodes, _MOST_NODES if data.n_schools <= _FEW_SCHOOLS else _FEW_NODES)

    def compute_profile_at_sd(sd: float, start: np.ndarray) -> tuple[np.ndarray, float, float]:
        """Return the best coefficients at a standard deviation, their determinant, and the deviance's slope there."""
        coefficients, _, gradient = find_best_beta(data, start, sd, n_nodes=nodes)
        return coefficients, float(np.linalg.slogdet(information(data, coefficients, sd))[1]), float(gradient[-1])

    if data.n_schools >= _LEAST_SCHOOLS and school_sd > _SMALL:
        near = _find_profile_root(beta, school_sd, profile=compute_profile_at_sd)
        if near is not None:
            return near

    start_beta = beta

    def compute_adjusted_deviance(sd: float) -> float:
        nonlocal start_beta  # each place begins where the last one ended
        start_beta, value, _ = find_best_beta(data, start_beta, sd, n_nodes=nodes)
        return value + float(np.linalg.slogdet(information(data, start_beta, sd))[1])

    top = max(3 * school_sd, 2.0)
    minimum = optimize.minimize_scalar(
        compute_adjusted_deviance, bounds=(0.0, top), method="bounded", options={"xatol": 1e-4}
    )
    sd = float(minimum.x) if minimum.fun < compute_adjusted_deviance(0.0) - 1e-8 else 0.0
    return find_best_beta(data, start_beta, sd, n_nodes=n_nodes)[0], sd


def _find_profile_root(beta: np.ndarray, school_sd: float, *, profile: _Profile) -> tuple[np.ndarray, float] | None:
    """Find where the adjusted profile is flat by secants from the maximum likelihood; None when they do not settle.

    The deviance's slope along the profile is exact, the determinant's is its difference between the last two places.
    """
    low, high = school_sd, school_sd * 1.02
    coefficients, below_determinant, below = profile(low, beta)
    for _ in range(_SECANTS):
        coefficients, determinant, above = profile(high, coefficients)
        if above == below:
            return None
        bend = (determinant - below_determinant) / (high - low)
        new = high - (above + bend) * (high - low) / (above - below)
        if not 0.5 * school_sd < new < 2 * school_sd:
            return None
        low, below, below_determinant, high = high, above, determinant, new
        if abs(high - low) < _CLOSE * school_sd:
            return coefficients, high
    return None


def find_best_beta(
    data: Patterns, start: np.ndarray, school_sd: float, *, n_nodes: int, tolerance: float = 1e-5
) -> tuple[np.ndarray, float, np.ndarray]:
    """Minimise the deviance over the coefficients by scoring steps that are halved when they lead up.

    Parameters
    ----------
    data
        The patterns.
    start
        Shape (p,), where to begin.
    school_sd
        Standard deviation of the school intercept, which stays as it is.
    n_nodes
        Nodes of the quadrature.
    tolerance
        The step after which the search ends; what is left is of its square.

    Returns
    -------
    tuple
        The coefficients, the deviance, and its derivatives by (beta, school_sd).
    """
    p, beta = len(start), start
    value, gradient = deviance_and_gradient(data, beta, school_sd, n_nodes=n_nodes)
    for _ in range(_STEPS):
        step = np.linalg.lstsq(2 * information(data, beta, school_sd), -gradient[:p], rcond=None)[0]
        if float(np.abs(step).max()) < _NO_STEP:
            break
        while True:
            new_value, new_gradient = deviance_and_gradient(data, beta + step, school_sd, n_nodes=n_nodes)
            if new_value <= value + 1e-10 or float(np.abs(step).max()) < _NO_STEP:
                break
            step = step / 2
        beta, value, gradient = beta + step, new_value, new_gradient
        if float(np.abs(step).max()) < tolerance:
            break
    return beta, value, gradient
