"""The published stream: its bytes, its numbers, its shuffles."""

from __future__ import annotations

import hashlib
import itertools
from fractions import Fraction

import pytest

from randomisation.settlements import iterate_chance_courses
from randomisation.stream import Source, WordSource, open_published_stream

WORD = 2**64


def shuffled(source: Source, n: int) -> tuple[int, ...]:
    items = list(range(n))
    source.shuffle(items)
    return tuple(items)


def test_words_are_the_bytes_of_sha256_over_name_seed_and_block() -> None:
    stream = open_published_stream("őszi sorsolás")
    digests = [
        hashlib.sha256(b"crocoos-stratified-1\n" + "őszi sorsolás".encode() + b"\n" + n).digest() for n in (b"0", b"1")
    ]
    expected = [int.from_bytes(digest[i : i + 8], "big") for digest in digests for i in (0, 8, 16, 24)]
    # With a bound of 2**63 a number is a word without its leading bit, and no word is left out.
    assert [stream.below(2**63) for _ in range(8)] == [word % 2**63 for word in expected]


def test_a_bound_of_one_takes_no_word() -> None:
    source = WordSource(iter([]))
    assert source.below(1) == 0


@pytest.mark.parametrize("bound", [2, 3, 10, 2**63 + 1, WORD])
def test_words_of_the_incomplete_last_run_are_left_out(bound: int) -> None:
    limit = WORD // bound * bound
    words = [limit, WORD - 1, limit - 1] if limit < WORD else [limit - 1]
    assert WordSource(iter(words)).below(bound) == bound - 1


def test_every_number_has_the_same_count_of_words() -> None:
    bound = 5
    last_run = range(WORD - 6, WORD)
    kept = [word for word in last_run if word < WORD - WORD % bound]
    taken = [WordSource(iter([word, 0])).below(bound) for word in last_run]
    assert len(kept) == 5
    assert sorted(taken[: len(kept)]) == [0, 1, 2, 3, 4]
    assert taken[len(kept) :] == [0]


def test_every_order_of_four_is_equally_likely() -> None:
    found: dict[tuple[int, ...], Fraction] = {}
    for order, share in iterate_chance_courses(lambda source: shuffled(source, 4), most=100):
        found[order] = found.get(order, Fraction(0)) + share
    assert found == dict.fromkeys(itertools.permutations(range(4)), Fraction(1, 24))


def test_numbers_of_a_seed_never_change() -> None:
    stream = open_published_stream("2027-03-01")
    assert [stream.below(10) for _ in range(12)] == [8, 2, 3, 5, 0, 0, 8, 0, 3, 0, 2, 2]
    assert shuffled(open_published_stream("a"), 10) != shuffled(open_published_stream("b"), 10)
