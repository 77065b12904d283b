"""Re-draws of an allocation that was drawn elsewhere: permutations of its arms within strata.

How such a draw was made is not known, only its result; given how many schools of each stratum went to each arm, every
permutation within strata is as likely as the one that was made, as long as schools of a stratum were treated alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from randomisation.canonical import sha256


def permute_within_strata(actual: np.ndarray, strata: Sequence[str], *, n_draws: int, seed: str) -> np.ndarray:
    """Permute arms within strata.

    Parameters
    ----------
    actual
        Shape (J,), position of each school's arm.
    strata
        Length J, each school's stratum.
    n_draws
        B, 1 or more.
    seed
        Text that settles the permutations.

    Returns
    -------
    numpy.ndarray
        Shape (B, J); each row has in every stratum the arms of ``actual``.

    Examples
    --------
    >>> permute_within_strata(np.array([0, 1, 0, 1]), ["a", "a", "b", "b"], n_draws=3, seed="x").shape
    (3, 4)
    """
    words = [int(sha256(seed.encode())[place : place + 8], 16) for place in range(0, 64, 8)]
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))
    draws = np.tile(np.asarray(actual), (n_draws, 1))
    labels = np.asarray(strata)
    for label in sorted(set(strata)):
        places = np.flatnonzero(labels == label)
        order = generator.random((n_draws, len(places))).argsort(axis=1)
        draws[:, places] = np.asarray(actual)[places][order]
    return draws
