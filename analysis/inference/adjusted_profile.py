"""The school variance of a logistic model, freed of what maximum likelihood loses to the coefficients.

Maximum likelihood divides by schools where it should divide by schools less school-level columns: with twenty schools
in ten pairs the variance between schools comes out at half its size, and tests are twice as often wrong as they say.
The adjusted profile likelihood adds the log determinant of the coefficients' information to the deviance, which for a
linear model is restricted maximum likelihood.
Sources: Cox and Reid (1987), JRSS B 49, 1-39; Breslow and Clayton (1993), JASA 88, 9-25, for the information.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, special

from analysis.quadrature import Patterns, deviance_and_gradient, school_modes, sums_by_school

# Enough for a variance; the estimates themselves are made with more.
_MOST_NODES = 7
_STEPS = 20


def adjusted_profile(data: Patterns, beta: np.ndarray, school_sd: float, *, n_nodes: int) -> tuple[np.ndarray, float]:
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
    nodes = min(n_nodes, _MOST_NODES)

    def adjusted(sd: float) -> float:
        at, value = _best_beta(data, beta, sd, n_nodes=nodes)
        return value + float(np.linalg.slogdet(information(data, at, sd))[1])

    top = max(3 * school_sd, 2.0)
    found = optimize.minimize_scalar(adjusted, bounds=(0.0, top), method="bounded", options={"xatol": 1e-7})
    sd = float(found.x) if found.fun < adjusted(0.0) - 1e-8 else 0.0
    return _best_beta(data, beta, sd, n_nodes=n_nodes)[0], sd


def information(data: Patterns, beta: np.ndarray, school_sd: float) -> np.ndarray:
    """Return the information of the coefficients, X'(W - W Z (Z'WZ + I / s^2)^(-1) Z'W) X at the schools' modes."""
    fixed = data.x @ beta
    mode, curvature = school_modes(data, fixed, school_sd)
    chance = special.expit(fixed + school_sd * mode[data.school])
    weighted = (data.count * chance * (1 - chance))[:, None] * data.x
    by_school = sums_by_school(data, weighted)
    return np.asarray(data.x.T @ weighted - (by_school * (school_sd**2 / curvature)[:, None]).T @ by_school)


def _best_beta(data: Patterns, start: np.ndarray, school_sd: float, *, n_nodes: int) -> tuple[np.ndarray, float]:
    """Minimise the deviance over the coefficients by scoring steps that are halved when they lead up."""
    p, beta = len(start), start
    value, gradient = deviance_and_gradient(data, beta, school_sd, n_nodes=n_nodes)
    for _ in range(_STEPS):
        step = np.linalg.lstsq(2 * information(data, beta, school_sd), -gradient[:p], rcond=None)[0]
        while True:
            new_value, new_gradient = deviance_and_gradient(data, beta + step, school_sd, n_nodes=n_nodes)
            if new_value <= value + 1e-10 or float(np.abs(step).max()) < 1e-9:
                break
            step = step / 2
        beta, value, gradient = beta + step, new_value, new_gradient
        if float(np.abs(step).max()) < 1e-8:
            break
    return beta, value
