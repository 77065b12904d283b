"""Whole schools drawn with replacement: a school's likelihood counts as often as it was drawn.

An arm of J schools gets J - 1 draws, each of which counts J / (J - 1): as many draws as schools would make variances
too small by a factor of 1 - 1 / J, which is a fifth with five schools per arm.
Source: Rao and Wu (1988), JASA 83, 231-241.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.binary.fitting import BinaryFit, fitted_parts
from analysis.binary.separation import weak_prior
from analysis.quadrature import Problem, maximise, reweighted_maxima, sums_by_school

_NODES = 5


def bootstrap_risks(binary: BinaryFit, *, n_bootstrap: int, seed: int) -> np.ndarray:
    """Return risks by arm over draws of whole schools within arms.

    Parameters
    ----------
    binary
        A fit that did not fail.
    n_bootstrap
        Number of draws, two or more.
    seed
        Of the draws.

    Returns
    -------
    numpy.ndarray
        Shape (B, A), B up to ``n_bootstrap``: draws whose likelihood has no maximum, even with the weak prior that a
        draw with an arm without events gets, are left out.
    """
    problem, optimum, _ = fitted_parts(binary)
    arm = _arm_of_school(problem, binary.terms)
    weights = _school_weights(arm, n_bootstrap, np.random.default_rng(seed))
    start = np.append(optimum.beta, max(optimum.school_sd, 0.1))
    at, kept = _maxima(problem, weights, arm=arm, start=start)
    shares = _shares(problem, at[kept], weights[kept], terms=binary.terms)
    return shares * binary.share_informative + binary.share_left_out_events


def _arm_of_school(problem: Problem, terms: tuple[str, ...]) -> np.ndarray:
    """Return the position of each school's arm, 0 for the reference."""
    arm = np.zeros(problem.data.n_schools, dtype=int)
    for place, term in enumerate(terms, start=1):
        values = problem.data.x[problem.data.starts, problem.names.index(term)]
        arm[np.isclose(values, problem.level(term, 1.0))] = place
    return arm


def _school_weights(arm: np.ndarray, n_bootstrap: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each school counts, shape (B, J); an arm's sum is its number of schools."""
    weights = np.zeros((n_bootstrap, len(arm)))
    for place in np.unique(arm):
        mine = np.flatnonzero(arm == place)
        n_draws = max(len(mine) - 1, 1)
        for row, drawn in zip(weights, rng.integers(len(mine), size=(n_bootstrap, n_draws)), strict=True):
            row[mine] = np.bincount(drawn, minlength=len(mine)) * len(mine) / n_draws
    return weights


def _maxima(
    problem: Problem, weights: np.ndarray, *, arm: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return each draw's maximum, shape (B, p + 1), and whether there is one.

    All draws climb together; those with an arm in which nobody or everybody had the event, and those whose climb did
    not end at a maximum, are searched one by one.
    """
    data = problem.data
    separated = _separated(problem, weights, arm)
    at, kept = np.empty((len(weights), len(start))), np.zeros(len(weights), dtype=bool)
    if data.prior is None:
        together = np.flatnonzero(~separated)
        maxima = reweighted_maxima(data, weights[together], start=start, n_nodes=_NODES)
        at[together], kept[together] = maxima.parameters, maxima.found
    for draw in np.flatnonzero(~kept):
        prior = weak_prior(problem) if separated[draw] else data.prior
        best = maximise(replace(data, school_weight=weights[draw], prior=prior), n_nodes=_NODES, start=start)
        at[draw], kept[draw] = np.append(best.beta, best.school_sd), not best.reason
    return at, kept


def _separated(problem: Problem, weights: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Return, shape (B,), whether a draw has an arm in which nobody or everybody had the event."""
    data = problem.data
    events, count = sums_by_school(data, data.events), sums_by_school(data, data.count)
    by_arm = [
        (weights[:, arm == place] @ events[arm == place], weights[:, arm == place] @ count[arm == place])
        for place in np.unique(arm)
    ]
    return np.asarray(np.any([(had == 0) | (had == all_of) for had, all_of in by_arm], axis=0))


def _shares(problem: Problem, at: np.ndarray, weights: np.ndarray, *, terms: tuple[str, ...]) -> np.ndarray:
    """Return shares by arm, shape (B, A), standardised over the pupils of each draw."""
    data = problem.data
    counts = data.count * weights[:, data.school]
    nodes, chance = np.polynomial.hermite_e.hermegauss(2 * _NODES)
    chance = chance / chance.sum()
    shares = []
    for chosen in (None, *terms):
        fixed = at[:, :-1] @ problem.with_arm(list(terms), chosen=chosen).T
        mean = sum(c * data.response.mean(fixed + at[:, -1:] * z)[0] for z, c in zip(nodes, chance, strict=True))
        shares.append((counts * mean).sum(axis=1) / counts.sum(axis=1))
    return np.column_stack(shares)
