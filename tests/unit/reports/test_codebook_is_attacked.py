"""Whoever knows how many pupils there are reads the codebook, and looks for numbers that only one table could give."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from data_schema.fields import Field
from reports.data_pages.moments import compute_printed_moments
from reports.disclosure import Count, CrossTable, Rules, compute_mean_step, protect
from reports.release.answers import ANSWERED, MISSING, suppress_answer_counts

IntegerArray = NDArray[np.int64]


def could_be(n: int, shown: Count, step: int) -> bool:
    """Whether a number could have been printed so: half up to the step, "c" for somebody."""
    if shown.value is None:
        return n > 0
    return n == 0 if shown.value == 0 else n >= step and step * ((2 * n + step) // (2 * step)) == shown.value


@pytest.mark.parametrize(("step", "enrolled"), [(5, range(20, 26)), (10, range(50, 61)), (25, (100, 112, 113, 124))])
def test_who_did_not_answer_does_not_follow_from_who_did(step: int, enrolled: range) -> None:
    """Rounded numbers alone do not protect: of 56 pupils, ≈60 answered and "c" did not, which is one."""
    for n_rows in enrolled:
        for n_missing in (1, 2, step // 2, step - 1):
            counts: dict[tuple[str, ...], int] = {("answered", "SI"): n_rows - n_missing, ("not", "SI"): n_missing}
            (safe,) = protect([CrossTable(by=("field", "country"), counts=counts)], rules=Rules(threshold=step))
            exact = {(kind, place): counts[old, "SI"] for kind, old in _KINDS for place in ("SI", "")}
            protected = {(kind, place): safe[old, place] for kind, old in _KINDS for place in ("SI", "")}
            shown = suppress_answer_counts(exact, protected, [], threshold=step, least=step)
            possible = [
                n
                for n in range(n_rows + 1)
                if all(could_be(n, shown[MISSING, place], step) for place in ("SI", ""))
                and all(could_be(n_rows - n, shown[ANSWERED, place], step) for place in ("SI", ""))
            ]
            assert n_missing in possible
            assert len(possible) > 1, (n_rows, n_missing)


_KINDS = ((ANSWERED, "answered"), (MISSING, "not"))


def test_a_question_that_few_were_asked_and_nobody_answered_is_printed() -> None:
    """Three pupils of one country said no; the five of the other said nothing."""
    counts: dict[tuple[str, ...], int] = {("no", "RS"): 3, ("no", "HU"): 0, ("not", "RS"): 0, ("not", "HU"): 5}
    (safe,) = protect([CrossTable(by=("field", "country"), counts=counts)], rules=Rules(threshold=10))
    names = {"no": "no", MISSING: "not"}
    places = ("RS", "HU", "")
    exact = {(kind, place): sum(counts[old, one] for one in ("RS", "HU") if place in ("", one))
             for kind, old in names.items() for place in places}  # fmt: skip
    protected = {(kind, place): safe[old, place] for kind, old in names.items() for place in places}
    for place in places:
        exact[ANSWERED, place], protected[ANSWERED, place] = exact["no", place], Count(value=None)
    shown = suppress_answer_counts(exact, protected, ["no"], threshold=10, least=10)
    assert {key: count.value for key, count in shown.items() if not exact[key]} == dict.fromkeys(
        (key for key, n in exact.items() if not n), 0
    )
    assert all(count.value is None for key, count in shown.items() if exact[key])


def pupils_with(counts: Sequence[int], n_rows: int) -> pd.DataFrame:
    """Return rows of pupils in four schools: so many with 0, so many with 1, and so on; the others have no value."""
    values = [float(value) for value, n in enumerate(counts) for _ in range(n)]
    values += [math.nan] * (n_rows - len(values))
    schools = [f"S{at % 4}" for at in range(n_rows)]
    return pd.DataFrame({"lateness": values, "country": "SI", "school_id": schools})


def all_counts(n: int, highest: int) -> IntegerArray:
    """Return every way in which so many pupils can have the values from 0 up."""
    others = np.array([counts for counts in product(range(n + 1), repeat=highest) if sum(counts) <= n])
    return np.column_stack([n - others.sum(axis=1), others])


def prints(counts: IntegerArray, told: Mapping[str, float], step: float) -> NDArray[np.bool_]:
    """Whether numbers of each value, by rows, would have printed the same mean, deviation and tenths."""
    n, values = counts.sum(axis=1), np.arange(counts.shape[1])
    mean = counts @ values / n
    sd = np.sqrt(np.maximum(counts @ values**2 - n * mean**2, 0) / (n - 1))
    same = np.ones(len(counts), dtype=bool)
    for name, given in (("mean", mean), ("sd", sd)):
        if name in told:
            same &= np.abs(np.round(given / step) * step - told[name]) < 1e-6
    least = np.maximum(sd / 50, 3 / n)
    finer = step / (2.5 if f"{step:e}".startswith("5") else 2)
    possible: NDArray[np.bool_] = same & (least <= step * (1 + 1e-9)) & (least > finer * (1 - 1e-9))
    return possible


@pytest.mark.parametrize("highest", [1, 2, 3])
@pytest.mark.parametrize("step", [5, 10])
def test_no_number_of_pupils_with_a_small_whole_value_is_the_only_one_that_prints_so(highest: int, step: int) -> None:
    """Every possible table of values is tried, by one who knows how many there are and how steps are chosen."""
    rng = np.random.default_rng(highest + step)
    n_told = 0
    for _ in range(6):
        n = int(rng.integers(2 * step, 3 * step + 5))
        counts = rng.multinomial(n, [0.85, *[0.15 / highest] * highest]).tolist()
        rows = pupils_with(counts, n)
        shown = {(ANSWERED, "SI"): Count(value=n), (ANSWERED, ""): Count(value=n)}
        field = Field(name="lateness", type="whole_number", minimum=0, maximum=highest)
        told = compute_printed_moments(field, rows, counts=shown, rules=Rules(threshold=step), step=step).get("SI", {})
        n_told += len(told)
        if not told:
            continue
        every = all_counts(n, highest)
        rounded_to = compute_mean_step(sd=float(rows["lateness"].std()), n=n, unit=1)
        possible = every[prints(every, told, rounded_to)]
        assert (possible == counts).all(axis=1).any()
        for value in (at for at, number in enumerate(counts) if 0 < number < step):
            assert len(set(possible[:, value])) > 1, (counts, told)
    assert n_told > 6


@pytest.mark.parametrize("counts", [(34, 6), (59, 1), (1, 59), (35, 0, 5), (38, 1, 5), (21, 0, 0, 4)])
def test_a_deviation_that_would_tell_of_a_few_is_not_printed(counts: tuple[int, ...]) -> None:
    """Six of forty: rounded to tenths, a mean of 0.1 with a deviation of 0.4 is of no other number of ones."""
    rows, n, every = pupils_with(counts, sum(counts)), sum(counts), all_counts(sum(counts), len(counts) - 1)
    step = compute_mean_step(sd=float(rows["lateness"].std()), n=n, unit=1)
    both = {
        name: round(float(rows["lateness"].agg(how)) / step) * step for name, how in (("mean", "mean"), ("sd", "std"))
    }
    few = [value for value, n_pupils in enumerate(counts) if 0 < n_pupils < 10]
    assert any(len(set(every[prints(every, both, step)][:, value])) == 1 for value in few)
    shown = {(ANSWERED, "SI"): Count(value=n), (ANSWERED, ""): Count(value=n)}
    field = Field(name="lateness", type="whole_number", minimum=0, maximum=len(counts) - 1)
    told = compute_printed_moments(field, rows, counts=shown, rules=Rules(threshold=10), step=10)
    for moments in told.values():
        assert "sd" not in moments
        assert all(len(set(every[prints(every, moments, step)][:, value])) > 1 for value in few)


def test_a_field_that_nobody_filled_in_has_no_mean() -> None:
    field = Field(name="lateness", type="whole_number", minimum=0, maximum=1)
    shown = {(ANSWERED, "SI"): Count(value=0), (ANSWERED, ""): Count(value=0)}
    rows = pupils_with([0], 40)
    assert compute_printed_moments(field, rows, counts=shown, rules=Rules(threshold=5), step=5) == {}
