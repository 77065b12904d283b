"""Newton's steps up a likelihood whose slopes and information come with its value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Evaluated = Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]]

_STEPS = 80
_LONGEST = 2.0
_GAIN = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """Where a climb ended.

    Parameters
    ----------
    at, value, slope, information
        The parameters, shape (m,); the log-likelihood, its slopes, and minus its curvature there.
    n_steps
        Steps taken.
    """

    at: np.ndarray
    value: float
    slope: np.ndarray
    information: np.ndarray
    n_steps: int


def find_newton_maximum(evaluated: Evaluated, start: np.ndarray, *, most: float) -> Top:
    """Take Newton's steps, cut to a third while they lead down.

    Parameters
    ----------
    evaluated
        Returns the log-likelihood, its slopes, shape (m,), and its information, shape (m, m).
    start
        Shape (m,).
    most
        A parameter beyond this ends the climb: the likelihood has no maximum.
    """
    parameters = start
    value, slope, information = evaluated(parameters)
    n_steps, moving = 0, True
    while moving and n_steps < _STEPS and float(np.abs(parameters).max()) < most:
        n_steps += 1
        values, vectors = np.linalg.eigh(information)
        step = vectors @ ((vectors.T @ slope) / np.maximum(np.abs(values), 1e-6 * float(np.abs(values).max())))
        step *= min(1.0, _LONGEST / float(np.abs(step).max()))
        while True:
            new = evaluated(parameters + step)
            if new[0] >= value - 1e-9 or float(np.abs(step).max()) < 1e-9:
                break
            step = step / 3
        moving = new[0] - value > _GAIN or float(np.abs(step).max()) > 1e-3
        parameters, (value, slope, information) = parameters + step, new
    return Top(at=parameters, value=value, slope=slope, information=information, n_steps=n_steps)
