"""How groups' effects enter the linear predictor, and the effect of each group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.quadrature import Response

_FEW_NODES = 15
_MANY_NODES = 40
_NARROW = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEffects:
    """Predicted effects of the groups of one grouping.

    Parameters
    ----------
    grouping
        Its name.
    labels
        Of the J groups.
    names
        Columns that the effects are of, length q.
    estimates, errors
        Shape (J, q), modes given the estimates, and conditional standard deviations.
    sd
        Shape (q,), standard deviations over groups.
    """

    grouping: str
    labels: tuple[str, ...]
    names: tuple[str, ...]
    estimates: np.ndarray
    errors: np.ndarray
    sd: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The distribution of the groups' part: a row's is normal with mean zero.

    Parameters
    ----------
    theta
        Standard deviations, outermost first; with a slope the Cholesky factor (a, b, c) of intercept and slope, the
        slope's column centred and scaled.
    slope
        Position, centre and scale of the slope's column; None for intercepts.
    """

    theta: np.ndarray
    slope: tuple[int, float, float] | None = None

    def sd(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each row's standard deviation, shape (N,), and its derivatives by theta, shape (N, m).

        Parameters
        ----------
        x
            Shape (N, p), columns as they were.
        """
        if self.slope is None:
            total = float(np.sqrt((self.theta**2).sum()))
            by_theta = self.theta / total if total > 0 else np.zeros_like(self.theta)
            return np.full(len(x), total), np.tile(by_theta, (len(x), 1))
        place, centre, scale = self.slope
        a, b, c = self.theta
        w = (x[:, place] - centre) / scale
        level = a + b * w
        total = np.hypot(level, c * w)
        safe = np.where(total > 0, total, 1.0)
        by_theta = np.column_stack([level / safe, level * w / safe, c * w**2 / safe])
        return total, np.where(total[:, None] > 0, by_theta, 0.0)


def averaged(eta: np.ndarray, sd: np.ndarray, response: Response) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each row's mean outcome over groups, and its derivatives by ``eta`` and ``sd``; shapes (N,).

    Parameters
    ----------
    eta
        Shape (N,), the linear predictor of the middle group.
    sd
        Shape (N,), of the groups.
    response
        The outcome's distribution.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(
        _FEW_NODES if float(sd.max(initial=0.0)) < _NARROW else _MANY_NODES
    )
    weights = weights / weights.sum()
    mean, by_eta, by_sd = np.zeros(len(eta)), np.zeros(len(eta)), np.zeros(len(eta))
    for node, weight in zip(nodes, weights, strict=True):
        value, slope = response.mean(eta + sd * node)
        mean += weight * value
        by_eta += weight * slope
        by_sd += weight * node * slope
    return mean, by_eta, by_sd
