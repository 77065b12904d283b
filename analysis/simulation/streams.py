"""Independent random streams of one seed.

Each purpose (schools, pupils, survey, ...) draws from a stream of its own, so that a change in one part of a
simulated trial leaves the random numbers of every other part where they were.
"""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Make the generator for one purpose.

    Parameters
    ----------
    seed
        Seed of the whole simulation, 0 or more.
    purpose
        Name of what is drawn; other names give other, independent streams.

    Returns
    -------
    numpy.random.Generator
        A PCG64 generator seeded with (seed, CRC-32 of the purpose).
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode())])))
