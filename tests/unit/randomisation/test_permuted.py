"""Permutations within strata."""

from __future__ import annotations

import numpy as np

from randomisation.permuted import permute_within_strata

ACTUAL = np.array([0, 1, 0, 1, 1, 0, 0])
STRATA = ["a", "a", "b", "b", "b", "c", "c"]


def test_every_stratum_keeps_its_arms_and_a_stratum_of_one_arm_its_schools() -> None:
    draws = permute_within_strata(ACTUAL, STRATA, n_draws=200, seed="x")
    assert (draws[:, :2].sum(axis=1) == 1).all()
    assert (draws[:, 2:5].sum(axis=1) == 2).all()
    assert (draws[:, 5:] == 0).all()


def test_every_permutation_is_equally_likely() -> None:
    draws = permute_within_strata(ACTUAL, STRATA, n_draws=6000, seed="x")
    _, counts = np.unique(draws, axis=0, return_counts=True)
    # 2 x 3 allocations, 1,000 expected each, standard deviation 29: five of them either way.
    assert len(counts) == 6
    assert np.abs(counts - 1000).max() < 5 * 29


def test_the_seed_settles_the_draws() -> None:
    first = permute_within_strata(ACTUAL, STRATA, n_draws=5, seed="x")
    assert (first == permute_within_strata(ACTUAL, STRATA, n_draws=5, seed="x")).all()
    assert (first != permute_within_strata(ACTUAL, STRATA, n_draws=5, seed="y")).any()
