"""Whole schools drawn with replacement: a school's likelihood counts as often as it was drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.binary.fitting import BinaryFit, arm_risks, fitted_parts
from analysis.binary.separation import weak_prior
from analysis.quadrature import Problem, maximise, sums_by_school

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
    rng = np.random.default_rng(seed)
    start = np.append(optimum.beta, max(optimum.school_sd, 0.1))
    draws = []
    for _ in range(n_bootstrap):
        drawn = _reweighted(problem, _school_weights(arm, rng), arm=arm)
        best = maximise(drawn.data, n_nodes=_NODES, start=start)
        if not best.reason:
            shares, _ = arm_risks(drawn, best.beta, best.school_sd, terms=binary.terms, n_nodes=2 * _NODES)
            draws.append(shares * binary.share_informative + binary.share_left_out_events)
    return np.array(draws).reshape(len(draws), len(binary.terms) + 1)


def _arm_of_school(problem: Problem, terms: tuple[str, ...]) -> np.ndarray:
    """Return the position of each school's arm, 0 for the reference."""
    arm = np.zeros(problem.data.n_schools, dtype=int)
    for place, term in enumerate(terms, start=1):
        values = problem.data.x[problem.data.starts, problem.names.index(term)]
        arm[np.isclose(values, problem.level(term, 1.0))] = place
    return arm


def _school_weights(arm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return how often each school is drawn, as many draws as an arm has schools."""
    weights = np.zeros(len(arm))
    for place in np.unique(arm):
        mine = np.flatnonzero(arm == place)
        weights[mine] = np.bincount(rng.integers(len(mine), size=len(mine)), minlength=len(mine))
    return weights


def _reweighted(problem: Problem, weights: np.ndarray, *, arm: np.ndarray) -> Problem:
    data = problem.data
    events, count = sums_by_school(data, data.events) * weights, sums_by_school(data, data.count) * weights
    by_arm = [(events[arm == place].sum(), count[arm == place].sum()) for place in np.unique(arm)]
    separated = any(had in (0.0, all_of) for had, all_of in by_arm)
    prior = weak_prior(problem) if separated else data.prior
    return replace(problem, data=replace(data, school_weight=weights, prior=prior))
