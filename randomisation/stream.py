"""The published random stream: SHA-256 in counter mode, unbiased whole numbers, shuffles.

It stands on nothing but SHA-256, so that the same seed gives the same numbers on any machine, in any language, with any
version of any library. ALGORITHM.md states it for re-implementation.
"""

from __future__ import annotations

import hashlib
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TypeVar

from data_schema.errors import DesignError
from randomisation.canonical import is_plain

ALGORITHM = "crocoos-stratified-1"
"""Name and version of the published algorithm of stratified and complete draws; it is part of what is hashed."""

SIMPLE, MATCHED, CONSTRAINED = "crocoos-simple-1", "crocoos-matched-1", "crocoos-constrained-1"
"""Names and versions of the published algorithms of the other designs."""

MINIMISED = "crocoos-minimised-1"
"""Name and version of the published algorithm of minimisation."""

MISFITS = "crocoos-misfits-1"
"""Name and version of the published algorithm of stratified draws with a strategy of their own for misfits."""

_WORDS = 2**64
_Item = TypeVar("_Item")


class Source(ABC):
    """A source of random whole numbers."""

    __slots__ = ()

    @abstractmethod
    def below(self, bound: int) -> int:
        """Return a whole number from 0 to `bound` - 1, each with the same probability; `bound` is 1 or more."""

    def shuffle(self, items: list[_Item]) -> None:
        """Put a list in random order, in place (Fisher and Yates, from the end)."""
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]


class WordSource(Source):
    """Whole numbers made from a sequence of 64-bit words, without bias.

    Parameters
    ----------
    words
        Whole numbers from 0 to 2**64 - 1; as many as are asked for.
    """

    __slots__ = ("_words",)

    def __init__(self, words: Iterator[int]) -> None:
        self._words = words

    def below(self, bound: int) -> int:
        """Return the next word modulo `bound`, leaving out the last, incomplete run; a bound of 1 takes none."""
        if bound == 1:
            return 0
        limit = _WORDS - _WORDS % bound
        word = next(self._words)
        while word >= limit:
            word = next(self._words)
        return word % bound


def open_published_stream(seed: str, *, algorithm: str = ALGORITHM) -> WordSource:
    """Open the published stream of a seed.

    Parameters
    ----------
    seed
        Any text; its UTF-8 bytes count.
    algorithm
        Name of the algorithm that the numbers are for; each has its own.

    Examples
    --------
    >>> stream = open_published_stream("2027-03-01 Lottó 4 19 33 61 88")
    >>> [stream.below(6) + 1 for _ in range(8)]
    [5, 2, 6, 6, 2, 6, 4, 1]
    """
    return WordSource(_iterate_stream_words(seed, algorithm))


def _iterate_stream_words(seed: str, algorithm: str) -> Iterator[int]:
    prefix = f"{algorithm}\n{seed}\n".encode()
    block = 0
    while True:
        yield from struct.unpack(">4Q", hashlib.sha256(prefix + str(block).encode()).digest())
        block += 1


def check_seed(seed: str) -> None:
    """Raise DesignError if a text cannot be a seed: empty, spaces around it, characters that do not print."""
    if not isinstance(seed, str) or not is_plain(seed):
        raise DesignError(
            "seed",
            f"{seed!r} cannot be a seed.",
            "State a text on one line without spaces around it, such as the result of a public draw.",
        )
