"""Disclosure control: small counts stay hidden, also from those who subtract, from one table or from several."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from data_schema.errors import DisclosureError
from reports.counted import Pupils
from reports.disclosure import (
    SHARE_STEPS,
    Count,
    CrossTable,
    Rules,
    check_count,
    check_declared,
    check_threshold,
    compute_mean_decimals,
    compute_mean_step,
    compute_share_step,
    find_hidden_means,
    find_hidden_shares,
    protect,
    protect_table,
    round_pupil_count,
    round_share,
)

THRESHOLD = 10
RULES = Rules(threshold=THRESHOLD)
Key = tuple[str, ...]
Safe = dict[Key, Count]

cells = st.one_of(st.just(0), st.integers(1, 12), st.integers(10, 400))


@st.composite
def cross_tables(draw: st.DrawFn, *, by: Sequence[str] = ("row", "column"), most: int = 4) -> CrossTable:
    sizes = [draw(st.integers(1, most)) for _ in by]
    keys = list(itertools.product(*([f"{name}{k}" for k in range(size)] for name, size in zip(by, sizes, strict=True))))
    return CrossTable(by=tuple(by), counts={key: draw(cells) for key in keys})


@st.composite
def linked_tables(draw: st.DrawFn) -> list[CrossTable]:
    """Two tables of the same pupils, by one thing each and by country."""
    countries = ["HU", "RS", "SI"][: draw(st.integers(1, 3))]
    first: dict[Key, int] = {
        (f"a{k}", country): draw(cells) for k in range(draw(st.integers(2, 3))) for country in countries
    }
    second: dict[Key, int] = {}
    for country in countries:
        left = sum(count for (_, place), count in first.items() if place == country)
        for k in range(2):
            part = draw(st.integers(0, left))
            second[f"b{k}", country], left = part, left - part
        second["b2", country] = left
    return [CrossTable(by=("a", "country"), counts=first), CrossTable(by=("b", "country"), counts=second)]


@st.composite
def tables_with_schools(draw: st.DrawFn) -> CrossTable:
    keys: list[Key] = list(itertools.product(("r0", "r1", "r2"), ("c0", "c1")))
    by_school: dict[Key, dict[str, int]] = {key: {school: draw(st.integers(0, 40)) for school in "xyz"} for key in keys}
    counts = {key: sum(schools.values()) for key, schools in by_school.items()}
    return CrossTable(by=("row", "column"), counts=counts, by_school=by_school)


def sums_of(table: CrossTable, key: Key) -> int:
    return sum(
        count
        for own, count in table.counts.items()
        if all(asked in ("", is_) for asked, is_ in zip(key, own, strict=True))
    )


def name_of(table: CrossTable, key: Key) -> frozenset[tuple[str, str]]:
    return frozenset((thing, value) for thing, value in zip(table.by, key, strict=True) if value)


class Attack:
    """What a reader can work out who knows the printed cells, the sums, and that what is hidden is not zero."""

    def __init__(self, tables: Sequence[CrossTable], printed: Sequence[Mapping[Key, Count]]) -> None:
        self.places: dict[frozenset[tuple[str, str]], int] = {}
        self.known: dict[int, int] = {}
        rows = []
        for table, safe in zip(tables, printed, strict=True):
            values = [sorted({key[at] for key in table.counts}) for at in range(len(table.by))]
            for key in itertools.product(*([*own, ""] for own in values)):
                place = self.places.setdefault(name_of(table, key), len(self.places))
                if (told := safe[key].value) is not None:
                    assert told == sums_of(table, key), "what is printed is right"
                    self.known[place] = told
            for at, own in enumerate(values):
                for key in itertools.product(*([*each, ""] for each in values)):
                    if key[at] == "":
                        parts = [self.places_of(table, (*key[:at], value, *key[at + 1 :])) for value in own]
                        rows.append((self.places_of(table, key), parts))
        self.matrix = np.zeros((len(rows), len(self.places)))
        for number, (total, parts) in enumerate(rows):
            self.matrix[number, parts] += 1
            self.matrix[number, total] -= 1

    def places_of(self, table: CrossTable, key: Key) -> int:
        return self.places.setdefault(name_of(table, key), len(self.places))

    def greatest(self, name: frozenset[tuple[str, str]]) -> float:
        bounds = [(self.known[k], self.known[k]) if k in self.known else (1, None) for k in range(len(self.places))]
        goal = np.zeros(len(self.places))
        goal[self.places[name]] = -1
        found = linprog(goal, A_eq=self.matrix, b_eq=np.zeros(len(self.matrix)), bounds=bounds)
        assert found.status in (0, 3), "what is printed fits together"
        return float("inf") if found.status == 3 else -float(found.fun or 0.0)


def assert_safe(tables: Sequence[CrossTable], printed: Sequence[Safe], rules: Rules = RULES) -> None:
    """Every sensitive cell could be one that the rules would let pass, for all that is printed."""
    attack = Attack(tables, printed)
    for table, safe in zip(tables, printed, strict=True):
        for key, count in safe.items():
            own = sums_of(table, key)
            needed = rules.needed(own, largest_of(table, key))
            assert not (needed and count.value is not None), "no sensitive count is printed"
            assert not (own == 0 and count.value is None), "no zero is hidden"
            if needed:
                assert attack.greatest(name_of(table, key)) >= needed - 1e-6


def largest_of(table: CrossTable, key: Key) -> int:
    together: Counter[str] = Counter()
    for own, schools in table.by_school.items():
        if all(asked in ("", is_) for asked, is_ in zip(key, own, strict=True)):
            together.update(schools)
    return max(together.values(), default=0)


@given(cross_tables())
@settings(max_examples=60, deadline=None)
def test_a_suppressed_count_cannot_be_worked_out_from_the_others_and_the_totals(table: CrossTable) -> None:
    assert_safe([table], protect([table], rules=RULES))


@given(cross_tables(by=("status", "arm", "country"), most=3))
@settings(max_examples=25, deadline=None)
def test_nor_from_a_table_of_three_things_with_all_its_totals(table: CrossTable) -> None:
    assert_safe([table], protect([table], rules=RULES))


@given(linked_tables())
@settings(max_examples=40, deadline=None)
def test_nor_from_another_table_that_has_totals_in_common(tables: list[CrossTable]) -> None:
    printed = protect(tables, rules=RULES)
    assert_safe(tables, printed)
    first, second = printed
    for country in {key[1] for key in first}:
        assert first["", country] == second["", country], "a total is hidden in all tables or in none"


@given(tables_with_schools())
@settings(max_examples=40, deadline=None)
def test_nor_what_nearly_all_comes_from_one_school(table: CrossTable) -> None:
    rules = Rules(threshold=THRESHOLD, dominance=0.75)
    assert_safe([table], protect([table], rules=rules), rules)


@given(cross_tables())
@settings(max_examples=25, deadline=None)
def test_a_table_without_small_counts_is_printed_whole(table: CrossTable) -> None:
    large = CrossTable(by=table.by, counts={key: n + THRESHOLD if n else 0 for key, n in table.counts.items()})
    (safe,) = protect([large], rules=RULES)
    assert all(count.value is not None for count in safe.values())


@given(cross_tables())
@settings(max_examples=30, deadline=None)
def test_nothing_is_suppressed_that_need_not_be(table: CrossTable) -> None:
    (safe,) = protect([table], rules=RULES)
    for key, count in safe.items():
        own = sums_of(table, key)
        if count.value is None and not RULES.needed(own):
            attack = Attack([table], [{**safe, key: Count(value=own)}])
            others = [other for other in safe if RULES.needed(sums_of(table, other))]
            assert any(attack.greatest(name_of(table, other)) < THRESHOLD - 1e-6 for other in others)


def test_the_attack_used_here_finds_a_count_that_only_primary_suppression_hid() -> None:
    table = CrossTable(by=("a", "b"), counts={("x", "p"): 3, ("x", "q"): 40, ("y", "p"): 25, ("y", "q"): 60})
    keys: list[Key] = list(itertools.product(("x", "y", ""), ("p", "q", "")))
    naive: Safe = {key: Count(value=None if sums_of(table, key) == 3 else sums_of(table, key)) for key in keys}
    assert Attack([table], [naive]).greatest(name_of(table, ("x", "p"))) == 3
    with pytest.raises(AssertionError):
        assert_safe([table], [naive])


def test_two_small_counts_of_a_row_do_not_protect_each_other() -> None:
    table = CrossTable(by=("a",), counts={("x",): 3, ("y",): 4, ("z",): 90, ("w",): 80})
    (safe,) = protect([table], rules=RULES)
    assert safe["",].value is None or sum(safe[one,].value is None for one in "zw") == 1


def test_a_single_pupil_beside_printed_totals_takes_a_cycle_of_others_along() -> None:
    counts = {("moved", "a"): 4, ("stayed", "a"): 90, ("moved", "b"): 30, ("stayed", "b"): 70}
    safe = protect_table(counts, threshold=10)
    assert safe["moved", "a"] == Count(value=None)
    assert safe["", ""] == Count(value=194)
    assert {key for key, count in safe.items() if count.value is None} == set(counts)


def test_a_single_row_hides_its_total_too() -> None:
    safe = protect_table({("joined", "a"): 4, ("joined", "b"): 40}, threshold=10)
    assert safe["joined", "a"].value is None
    assert safe["joined", ""].value is None or safe["joined", "b"].value is None


def test_a_table_of_nobody_has_a_total_of_zero() -> None:
    assert protect_table({}, threshold=10) == {("", ""): Count(value=0)}
    assert protect_table({("a", "b"): 0}, threshold=10)["a", "b"] == Count(value=0)


def test_a_small_total_that_tables_share_is_hidden_in_both() -> None:
    one = CrossTable(by=("a", "country"), counts={("x", "HU"): 4, ("x", "RS"): 50, ("y", "RS"): 60})
    two = CrossTable(by=("b", "country"), counts={("v", "HU"): 4, ("v", "RS"): 110})
    printed = protect([one, two], rules=RULES)
    assert_safe([one, two], printed)
    assert [safe["", "HU"].value for safe in printed] == [None, None]


def test_where_printed_totals_leave_no_room_the_tables_are_suppressed_together() -> None:
    # With the common total of 12 printed, the 3 could be 11 at most.
    one = CrossTable(by=("a",), counts={("x",): 3, ("y",): 9})
    two = CrossTable(by=("b",), counts={("v",): 12})
    printed = protect([one, two], rules=Rules(threshold=12))
    assert_safe([one, two], printed, Rules(threshold=12))
    assert printed[0]["",] == printed[1]["",] == Count(value=None)


def test_tables_of_different_pupils_are_refused() -> None:
    one = CrossTable(by=("a", "country"), counts={("x", "HU"): 40})
    two = CrossTable(by=("b", "country"), counts={("v", "HU"): 41})
    with pytest.raises(DisclosureError, match="count country HU differently"):
        protect([one, two], rules=RULES)
    with pytest.raises(DisclosureError, match="count all differently"):
        protect([CrossTable(by=("a",), counts={("x",): 1}), CrossTable(by=("b",), counts={("x",): 2})], rules=RULES)


@pytest.mark.parametrize(
    ("by", "counts", "by_school", "text"),
    [
        (("a",), {("x",): -1}, {}, "not a count of 0 or more"),
        (("a",), {("x", "y"): 1}, {}, "not a count of 0 or more"),
        (("a",), {("",): 1}, {}, "not a count of 0 or more"),
        (("a", "a"), {("x", "y"): 1}, {}, "one thing twice"),
        ((), {}, {}, "counted by nothing"),
        (("a",), {("x",): 3}, {("x",): {"s": 2}}, "do not add up"),
        (("a",), {("x",): 3}, {("x",): {"s": 5, "t": -2}}, "do not add up"),
        (("a",), {("x",): 3, ("y",): 4}, {("x",): {"s": 3}}, "have no schools"),
    ],
)
def test_counts_that_are_no_table_are_refused(
    by: Key, counts: dict[Key, int], by_school: dict[Key, dict[str, int]], text: str
) -> None:
    with pytest.raises(DisclosureError, match=text):
        CrossTable(by=by, counts=counts, by_school=by_school)


def share_range(shares: np.ndarray, sizes: np.ndarray, hidden: np.ndarray, cell: tuple[int, int]) -> tuple[int, int]:
    """Least and greatest number of events of a hidden share for a reader who knows sizes, other shares and totals."""
    grid = np.pad(np.rint(shares * sizes), ((0, 1), (0, 1)))
    grid[-1], n = grid.sum(axis=0), np.pad(sizes, ((0, 1), (0, 1)))
    grid[:, -1], n[-1] = grid.sum(axis=1), n.sum(axis=0)
    n[:, -1] = n.sum(axis=1)
    places = np.arange(grid.size).reshape(grid.shape)
    matrix = np.zeros((sum(grid.shape), grid.size))
    for k in range(grid.shape[0]):
        matrix[k, places[k, :-1]], matrix[k, places[k, -1]] = 1, -1
    for k in range(grid.shape[1]):
        matrix[grid.shape[0] + k, places[:-1, k]] = 1
        matrix[grid.shape[0] + k, places[-1, k]] = -1
    # Shares of nobody and of all are printed, so that a hidden one is neither.
    bounds = [(1, m - 1) if hides else (e, e) for e, m, hides in zip(grid.flat, n.flat, hidden.flat, strict=True)]
    goal = np.zeros(grid.size)
    goal[places[cell]] = 1
    ends = [linprog(s * goal, A_eq=matrix, b_eq=np.zeros(len(matrix)), bounds=bounds).fun or 0.0 for s in (1, -1)]
    return round(ends[0]), round(-ends[1])


@given(st.lists(st.lists(st.tuples(st.integers(30, 300), st.floats(0, 1)), min_size=2, max_size=2), min_size=2,
                max_size=3))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_a_hidden_share_cannot_be_worked_out_from_the_others(rows: list[list[tuple[int, float]]]) -> None:
    sizes = np.array([[n for n, _ in row] for row in rows])
    events = np.array([[round(n * share) for n, share in row] for row in rows])
    hidden = find_hidden_shares((events / sizes).tolist(), sizes.tolist(), threshold=THRESHOLD)
    for i, j in itertools.product(range(len(rows)), range(2)):
        few = any(0 < count < THRESHOLD for count in (events[i, j], sizes[i, j] - events[i, j]))
        assert hidden[i, j] or not few
        if few:
            low, high = share_range(events / sizes, sizes, hidden, (i, j))
            assert high >= THRESHOLD or low <= sizes[i, j] - THRESHOLD or high > low


def test_a_share_that_stands_for_few_pupils_is_hidden_on_either_side() -> None:
    sizes = [[200, 200], [200, 200], [200, 200]]
    few = find_hidden_shares([[0.02, 0.2], [0.2, 0.2], [0.2, 0.2]], sizes, threshold=10)
    nearly_all = find_hidden_shares([[0.98, 0.2], [0.2, 0.2], [0.2, 0.2]], sizes, threshold=10)
    assert few[0, 0]
    assert nearly_all[0, 0]
    assert few[:3, :2].sum() >= 2
    assert not few[-1, -1]


def test_shares_beside_their_difference_are_hidden_together() -> None:
    sizes = [[200, 200], [300, 300], [400, 400]]
    hidden = find_hidden_shares([[0.02, 0.2], [0.2, 0.2], [0.2, 0.2]], sizes, threshold=10, rows_as_one=True)
    assert hidden[0, :2].all()
    assert hidden[:-1, 0].sum() >= 2


def test_shares_of_nobody_and_of_all_are_printed() -> None:
    assert not find_hidden_shares([[0.0, 1.0]], [[50, 50]], threshold=10).any()


def test_a_share_of_very_few_pupils_is_hidden_as_well_as_it_can_be() -> None:
    hidden = find_hidden_shares([[0.8, 0.5], [0.5, 0.5]], [[5, 200], [200, 200]], threshold=10)
    assert hidden[0, 0]
    assert share_range(np.array([[0.8, 0.5], [0.5, 0.5]]), np.array([[5, 200], [200, 200]]), hidden, (0, 0))[0] < 4


def test_where_a_share_cannot_be_protected_everything_is_hidden() -> None:
    for n in ([[2, 2]], [[2]]):
        assert find_hidden_shares([[0.5] * len(n[0])], n, threshold=10).all()


@pytest.mark.parametrize(("shares", "sizes"), [([[0.5]], [[5, 5]]), ([0.5], [5]), ([[0.5]], [[-5]])])
def test_shares_and_sizes_that_are_no_grids_are_refused(shares: list[list[float]], sizes: list[list[float]]) -> None:
    with pytest.raises(DisclosureError, match="not two grids"):
        find_hidden_shares(shares, sizes, threshold=10)


@given(st.integers(30, 5000), st.data())
def test_a_rounded_share_stands_for_several_counts(n: int, data: st.DataObject) -> None:
    events = data.draw(st.integers(0, n))
    shown = round_share(events / n, n)
    assert abs(shown - events / n) <= SHARE_STEPS[-1] / 2 + 1e-9
    # At the ends of the scale half of what would be rounded to 0 or 1 cannot be.
    alike = [k for k in range(max(0, events - 600), min(n, events + 600) + 1) if round_share(k / n, n) == shown]
    assert len(alike) >= (2 if shown in (0.0, 1.0) else 3)


def test_a_share_of_few_pupils_has_no_step() -> None:
    assert compute_share_step(29) is None
    assert np.isnan(round_share(0.5, 29))
    assert [compute_share_step(n) for n in (30, 60, 150, 300, 600, 3000)] == [0.1, 0.05, 0.02, 0.01, 0.005, 0.001]


def test_a_mean_of_few_pupils_or_schools_takes_another_along() -> None:
    assert find_hidden_means([100, 100], rules=RULES) == [False, False, False]
    assert find_hidden_means([15, 100, 60], rules=RULES) == [True, False, True, False]
    assert find_hidden_means([15, 0, 16], rules=RULES) == [True, False, True, False]
    assert find_hidden_means([15], rules=RULES) == [True, True]
    assert find_hidden_means([15, 0], rules=RULES) == [True, False, True]
    assert find_hidden_means([100, 90, 80], of_schools=[2, 5, 5], rules=RULES) == [True, False, True, False]
    assert find_hidden_means([100], of_schools=[2], rules=RULES) == [True, True]
    assert find_hidden_means([0], rules=RULES) == [False, True]


def test_one_part_that_is_the_whole_takes_it_along() -> None:
    assert find_hidden_means([18, 0, 3], rules=RULES) == [True, False, True, False]
    assert find_hidden_means([18, 4], of_schools=[9, 9], rules=Rules(threshold=5)) == [True, True, False]
    assert find_hidden_means([4, 0], of_schools=[2, 9], rules=Rules(threshold=2)) == [True, False, True]


def test_a_table_with_a_small_count_is_refused() -> None:
    with pytest.raises(DisclosureError, match="small count"):
        check_count(Count(value=9), threshold=10)
    for harmless in (Count(value=10), Count(value=0), Count(value=None), Count(value=2, unit="schools")):
        check_count(harmless, threshold=10)


@pytest.mark.parametrize("threshold", [0, 1, -5, 2.5, True, "10", None])
def test_a_threshold_that_protects_nobody_is_refused(threshold: object) -> None:
    with pytest.raises(DisclosureError, match="whole number of 2 or more"):
        check_threshold(threshold)  # type: ignore[arg-type]  # what a protocol might hold
    with pytest.raises(DisclosureError, match="whole number of 2 or more"):
        Rules(threshold=threshold)  # type: ignore[arg-type]  # what a protocol might hold


@pytest.mark.parametrize("dominance", [0.5, 0, -1, 1.01, True, float("nan")])
def test_a_share_of_one_school_that_protects_nobody_is_refused(dominance: float) -> None:
    with pytest.raises(DisclosureError, match="not a share above"):
        Rules(threshold=10, dominance=dominance)


def test_an_unknown_unit_and_an_unknown_option_are_refused() -> None:
    with pytest.raises(DisclosureError, match="'teachers' is not a unit"):
        Count(value=3, unit="teachers")
    with pytest.raises(TypeError):
        Rules(threshold=10, treshold=3)  # type: ignore[call-arg]  # what somebody might write


@given(n=st.integers(20, 3000), sd=st.floats(0.01, 500), values=st.data())
@settings(max_examples=50, deadline=None)
def test_a_rounded_mean_of_whole_numbers_stands_for_several_sums(n: int, sd: float, values: st.DataObject) -> None:
    total = values.draw(st.integers(0, 20 * n))
    step = compute_mean_step(sd=sd, n=n, unit=1)
    shown = round(total / n / step)
    alike = [other for other in range(total - 2 * n, total + 2 * n) if round(other / n / step) == shown]
    assert len(alike) >= 2
    assert step >= sd / 50 * (1 - 1e-9)


@given(n=st.integers(0, 3000), threshold=st.integers(2, 30))
def test_a_rounded_count_is_never_that_of_few_pupils_and_is_known_to_the_threshold_at_best(
    n: int, threshold: int
) -> None:
    count = round_pupil_count(n, threshold=threshold)
    if 0 < n < threshold:
        assert count.value is None
    else:
        assert count.value is not None
        assert count.value % threshold == 0
        assert 2 * abs(count.value - n) <= threshold
        assert count.is_rounded == (n > 0)


def test_a_number_of_pupils_says_which_pupils_it_counts() -> None:
    enrolled = Pupils(what="enrolled", arms=("pilot",))
    with pytest.raises(DisclosureError, match="does not say which pupils it counts"):
        check_declared(Count(value=40))
    for declared in (Count(value=40).of(enrolled), Count(value=40, unit="schools"), Count(value=None), Count(value=0)):
        check_declared(declared)
    assert Count(value=40).of(enrolled).pupils == enrolled


def test_a_mean_is_rounded_to_a_step_of_one_two_or_five() -> None:
    steps = [compute_mean_step(sd=sd, n=500) for sd in (0.4, 1.0, 2.4, 60.0)]
    assert steps == [0.01, 0.02, 0.05, 2.0]
    assert compute_mean_step(sd=float("nan"), n=40) == 1.0


@given(st.integers(20, 900), st.integers(0, 900), st.sampled_from([5, 10, 25]))
@settings(max_examples=200, deadline=None)
def test_a_share_beside_a_rounded_number_of_pupils_does_not_tell_that_number(n: int, events: int, step: int) -> None:
    share, size = min(events, n) / n, round_pupil_count(n, threshold=step)
    decimals = compute_mean_decimals(share, n, size, threshold=step)
    if decimals is None or size.value is None:
        return
    half = 0.5 / 10**decimals + 1e-9
    around = range(max(1, size.value - step // 2), size.value + step // 2 + 1)
    fitting = [
        one for one in around if any(abs(k / one - round(share, decimals)) <= half for k in range(one + 1))
    ]  # by trying every count, not by the product's arithmetic
    assert len(fitting) >= 3


def test_a_share_beside_an_exact_number_of_pupils_keeps_its_decimals() -> None:
    assert compute_mean_decimals(5 / 59, 59, Count(value=59), threshold=10) == 5
    assert compute_mean_decimals(5 / 59, 59, Count(value=60, is_rounded=True), threshold=10) == 1
    assert compute_mean_decimals(25 / 159, 159, Count(value=160, is_rounded=True), threshold=10) == 2
