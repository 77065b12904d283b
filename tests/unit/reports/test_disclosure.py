"""Disclosure control: small counts stay hidden, also from those who subtract."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from data_schema.errors import DisclosureError
from reports.disclosure import (
    Count,
    check_count,
    check_threshold,
    hidden_cells,
    hidden_shares,
    protected,
    with_totals,
)

THRESHOLD = 10


@st.composite
def tables(draw: st.DrawFn) -> np.ndarray:
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    cell = st.one_of(st.just(0), st.integers(1, 12), st.integers(10, 400))
    return np.array(draw(st.lists(st.lists(cell, min_size=columns, max_size=columns), min_size=rows, max_size=rows)))


def possible_range(grid: np.ndarray, hidden: np.ndarray, cell: tuple[int, int]) -> tuple[float, float]:
    """Least and greatest value of a suppressed cell for a reader who knows all printed ones and that it is not zero."""
    places = [tuple(place) for place in np.argwhere(hidden)]
    lines = [[(i, j) for j in range(grid.shape[1])] for i in range(grid.shape[0])]
    lines += [[(i, j) for i in range(grid.shape[0])] for j in range(grid.shape[1])]
    matrix, known = [], []
    for number, line in enumerate(lines):
        across = number < grid.shape[0]
        signs = {
            (i, j): -1.0 if (j if across else i) == (grid.shape[1] if across else grid.shape[0]) - 1 else 1.0
            for i, j in line
        }
        matrix.append([signs.get((int(i), int(j)), 0.0) for i, j in places])
        known.append(-sum(signs[place] * grid[place] for place in line if not hidden[place]))
    goal = [float((int(i), int(j)) == cell) for i, j in places]
    ends = []
    for sign in (1, -1):
        found = linprog([sign * g for g in goal], A_eq=matrix, b_eq=known, bounds=(1, None))
        ends.append(np.inf if found.status == 3 else sign * float(found.fun or 0.0))
    return ends[0], ends[1]


@given(tables())
@settings(max_examples=80, deadline=None)
def test_a_suppressed_count_cannot_be_worked_out_from_the_others_and_the_totals(counts: np.ndarray) -> None:
    hidden, grid = hidden_cells(counts, threshold=THRESHOLD), with_totals(counts)
    for i, j in np.argwhere(hidden):
        low, high = possible_range(grid, hidden, (int(i), int(j)))
        assert high - low >= 1 - 1e-6


@given(tables())
def test_no_small_count_is_printed_and_no_zero_is_hidden(counts: np.ndarray) -> None:
    hidden, grid = hidden_cells(counts, threshold=THRESHOLD), with_totals(counts)
    assert not ((grid > 0) & (grid < THRESHOLD) & ~hidden).any()
    assert not hidden[grid == 0].any()


@given(tables())
def test_a_table_without_small_counts_is_printed_whole(counts: np.ndarray) -> None:
    assert not hidden_cells(np.where(counts > 0, counts + THRESHOLD, 0), threshold=THRESHOLD).any()


@given(tables())
@settings(max_examples=60, deadline=None)
def test_nothing_is_suppressed_that_need_not_be(counts: np.ndarray) -> None:
    hidden, grid = hidden_cells(counts, threshold=THRESHOLD), with_totals(counts)
    for i, j in np.argwhere(hidden & (grid >= THRESHOLD)):
        without = hidden.copy()
        without[i, j] = False
        lines = [(grid[i], without[i]), (grid[:, j], without[:, j])]
        few = any(0 < values[hides].sum() < THRESHOLD for values, hides in lines)
        ranges = [possible_range(grid, without, (int(k), int(m))) for k, m in np.argwhere(without)]
        assert few or any(high - low < 1 - 1e-6 for low, high in ranges)


def test_the_attack_used_here_finds_a_count_that_only_primary_suppression_hid() -> None:
    grid = with_totals(np.array([[3, 40], [25, 60]]))
    only_small = (grid > 0) & (grid < THRESHOLD)
    assert possible_range(grid, only_small, (0, 0)) == (3, 3)


def test_protected_counts_have_their_totals_under_an_empty_name() -> None:
    safe = protected({("moved", "a"): 4, ("stayed", "a"): 90, ("moved", "b"): 30, ("stayed", "b"): 70}, threshold=10)
    assert safe["moved", "a"] == Count(value=None)
    assert safe["", ""] == Count(value=194)


def test_a_single_row_hides_its_total_too() -> None:
    safe = protected({("joined", "a"): 4, ("joined", "b"): 40}, threshold=10)
    assert safe["joined", "a"].value is None
    assert safe["joined", ""].value is None or safe["joined", "b"].value is None


def test_a_share_that_stands_for_few_pupils_is_hidden_on_either_side() -> None:
    sizes = [[200, 200], [200, 200], [200, 200]]
    few = hidden_shares([[0.02, 0.2], [0.2, 0.2], [0.2, 0.2]], sizes, threshold=10)
    nearly_all = hidden_shares([[0.98, 0.2], [0.2, 0.2], [0.2, 0.2]], sizes, threshold=10)
    assert few[0, 0]
    assert nearly_all[0, 0]
    assert few[:3, :2].sum() >= 2
    assert not few[-1, -1]


def test_shares_beside_their_difference_are_hidden_together() -> None:
    sizes = [[200, 200], [300, 300], [400, 400]]
    hidden = hidden_shares([[0.02, 0.2], [0.2, 0.2], [0.2, 0.2]], sizes, threshold=10, rows_as_one=True)
    assert hidden[0, :2].all()
    assert hidden[:-1, 0].sum() >= 2


def test_shares_of_nobody_and_of_all_are_printed() -> None:
    assert not hidden_shares([[0.0, 1.0]], [[50, 50]], threshold=10).any()


def test_a_table_with_a_small_count_is_refused() -> None:
    with pytest.raises(DisclosureError, match="small count"):
        check_count(Count(value=9), threshold=10)
    for harmless in (Count(value=10), Count(value=0), Count(value=None), Count(value=2, unit="schools")):
        check_count(harmless, threshold=10)


@pytest.mark.parametrize("threshold", [0, 1, -5, 2.5, True, "10", None])
def test_a_threshold_that_protects_nobody_is_refused(threshold: object) -> None:
    with pytest.raises(DisclosureError, match="whole number of 2 or more"):
        check_threshold(threshold)  # type: ignore[arg-type]  # what a protocol might hold


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(DisclosureError, match="'teachers' is not a unit"):
        Count(value=3, unit="teachers")


def test_counts_that_are_no_grid_are_refused() -> None:
    with pytest.raises(DisclosureError, match="not a grid"):
        hidden_cells(np.array([1, 2]), threshold=10)
    with pytest.raises(DisclosureError, match="not a grid"):
        hidden_cells(np.array([[-1, 2]]), threshold=10)
