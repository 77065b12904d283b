"""Rows of another school or wave are known as copies, and schools that are merely alike are not."""

from __future__ import annotations

import numpy as np
import pytest

from data_schema.placing import Copy, find_copies


def found_in(said: np.ndarray) -> list[Copy]:
    """Return the copies among groups, one per row, of which each says one thing of each pupil by number."""
    n_groups, size = said.shape
    group = np.repeat(np.arange(n_groups), size)
    who = np.tile(np.arange(size), n_groups)
    return find_copies(who, said.ravel(), group, np.arange(n_groups), range(n_groups))


@pytest.mark.parametrize("size", [12, 60, 250])
@pytest.mark.parametrize("power", [0.5, 1.5, 3.0])
@pytest.mark.parametrize("is_sorted", [False, True])
def test_schools_whose_pupils_often_say_the_same_are_no_copies(size: int, power: float, is_sorted: bool) -> None:
    rng = np.random.default_rng(round(size * power))
    weights = 1 / np.arange(1, 41) ** power
    said = rng.choice(40, size=(40, size), p=weights / weights.sum())
    assert found_in(np.sort(said, axis=1) if is_sorted else said) == []


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_a_school_that_sends_what_another_sent_is_found_even_where_most_pupils_say_the_same(power: float) -> None:
    rng = np.random.default_rng(7)
    weights = 1 / np.arange(1, 41) ** power
    said = rng.choice(40, size=(20, 80), p=weights / weights.sum())
    said[13] = np.where(np.arange(80) % 25 == 0, 39, said[4])
    (one,) = found_in(said)
    assert (one.group, one.source) == (13, 4)
    assert len(one.positions) >= 40
