"""Columns as small codes, and the memory of a large model."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import mixed_model
from analysis.mixed_models import compact
from analysis.mixed_models.compact import encode_column_compactly, iterate_row_slices, move_label_first
from analysis.simulation import simulate_scores


@given(
    values=st.lists(st.integers(0, 300), min_size=1, max_size=90),
    holes=st.lists(st.booleans(), min_size=90, max_size=90),
    kind=st.sampled_from(["int64", "float64", "str", "category", "object"]),
)
def test_codes_of_stretches_are_those_of_pandas_factorize(values: list[int], holes: list[bool], kind: str) -> None:
    complete = np.array(holes[: len(values)])
    column = pd.Series(values).astype(pd.api.types.pandas_dtype(kind))
    expected, labels = pd.factorize(column[complete], sort=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compact, "STRETCH", 20)
        found = encode_column_compactly(column, complete)
    assert found.labels == list(labels)
    np.testing.assert_array_equal(found.codes[complete], expected)


def test_codes_take_no_more_bytes_than_they_need() -> None:
    for n_labels, width in ((100, 1), (200, 2), (40_000, 4)):
        found = encode_column_compactly(pd.Series(np.arange(n_labels)[::-1]))
        assert found.codes.itemsize == width
        np.testing.assert_array_equal(found.codes, np.arange(n_labels)[::-1])


def test_categories_without_complete_rows_are_gone_and_a_reference_comes_first() -> None:
    column = pd.Series(pd.Categorical(["b", None, "c", "a"], categories=["d", "c", "b", "a"]))
    found = encode_column_compactly(column, np.array([True, False, True, False]))
    assert (found.labels, found.gone) == (["c", "b"], ["d", "a"])
    assert found.codes[[0, 2]].tolist() == [1, 0]
    turned = move_label_first(found, first=1)
    assert turned.labels == ["b", "c"]
    assert turned.codes[[0, 2]].tolist() == [0, 1]


def test_stretches_cover_all_rows_once() -> None:
    assert [(rows.start, rows.stop) for rows in iterate_row_slices(7, length=3)] == [(0, 3), (3, 6), (6, 7)]


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("school", ["int64", "category"])
def test_a_large_model_needs_less_than_half_of_its_frame_beside_it(school: str, missing: bool) -> None:
    frame = simulate_scores(1000, 2500, icc=0.15, effect=0.2, seed=1)
    frame["school"] = frame["school"].astype(pd.api.types.pandas_dtype(school))
    frame["arm"] = frame["arm"].astype("category")
    if missing:
        frame.loc[::40, "score"] = np.nan
    mixed_model("score ~ arm + baseline + (1 | school)", frame.head(30_000))  # imports do not count
    tracemalloc.start()
    fit = mixed_model("score ~ arm + baseline + (1 | school)", frame)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert fit.status == "ok"
    assert fit.n_pupils == (2_437_500 if missing else 2_500_000)
    assert peak < 0.5 * frame.memory_usage(deep=True).sum()
