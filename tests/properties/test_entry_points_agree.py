"""However the same numbers are handed over, every entry point gives the same answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import Estimate
from tests.support.entry_points import EVERY, LINEAR, OUTCOMES, SLOW, pupils

FRAME = pupils(n_schools=10, n_pupils=6, seed=4)
FRAME = FRAME.assign(baseline=(64 * FRAME["baseline"]).round())  # whole numbers: exact at any origin
PLAIN: dict[str, Estimate] = {}

Change = Callable[[pd.DataFrame], pd.DataFrame]
CHANGES: dict[str, Change] = {
    "an index named like the school": lambda frame: frame.set_index("school", drop=False),
    "an index named like the arm": lambda frame: frame.set_index("arm", drop=False),
    "an index of two names": lambda frame: frame.set_index(["school", "wave"], drop=False),
    "an index that repeats": lambda frame: frame.set_index(np.zeros(len(frame), dtype=int)),
    "schools as categories": lambda frame: frame.assign(school=pd.Categorical(frame["school"])),
    "arms with a category that nobody has": lambda frame: frame.assign(
        arm=pd.Categorical(frame["arm"], categories=["control", "pilot", "third"])
    ),
    "nullable numbers": lambda frame: frame.assign(
        **{name: frame[name].astype(pd.Float64Dtype()) for name in (*OUTCOMES, "baseline")}
    ),
    "whole nullable numbers": lambda frame: frame.assign(
        **{name: frame[name].astype(pd.Int64Dtype()) for name in ("left", "days", "grade", "baseline")}
    ),
    "numbers in columns of objects": lambda frame: frame.assign(
        **{name: frame[name].astype(object) for name in (*OUTCOMES, "baseline")}
    ),
    "yes and no": lambda frame: frame.assign(left=frame["left"] == 1),
    "nullable yes and no": lambda frame: frame.assign(left=(frame["left"] == 1).astype(pd.BooleanDtype())),
    "a column that nobody asked for, twice": lambda frame: (
        pd.concat([frame.assign(x=1), frame[["wave"]] * 0], axis=1)
        .pipe(lambda both: both.loc[:, ~both.columns.duplicated()])
        .assign(y=None)
    ),
}


@settings(max_examples=10, deadline=None)
@given(
    names=st.sets(st.sampled_from(sorted(CHANGES)), max_size=3),
    offset=st.sampled_from([0.0, -1e3, 1e6, 1e9, -1e9]),
    entries=st.sets(st.sampled_from(sorted(set(EVERY) - set(SLOW))), min_size=3, max_size=5),
)
def test_types_indices_and_origins_change_no_answer(names: set[str], offset: float, entries: set[str]) -> None:
    frame = FRAME.assign(baseline=FRAME["baseline"] + offset)
    for name in sorted(names):
        frame = CHANGES[name](frame)
    for name in sorted(entries):
        before = PLAIN.setdefault(name, EVERY[name](FRAME))
        after = EVERY[name](frame)
        assert after.status == before.status, name
        for figure in ("estimate", "std_error", "p_value"):
            one, other = getattr(after, figure), getattr(before, figure)
            assert one == pytest.approx(other, rel=2e-4, abs=1e-6, nan_ok=True), (name, figure)


@settings(max_examples=12, deadline=None)
@given(
    slope=st.floats(-1e3, 1e3).filter(lambda value: abs(value) > 1e-3),
    level=st.sampled_from([0.0, 1 / 3, -1e6, 1e9]),
    noise=st.sampled_from([0.0, 1.0]),
    entries=st.sets(st.sampled_from(sorted(LINEAR)), min_size=3, max_size=5),
)
def test_all_linear_models_refuse_an_outcome_without_error_and_none_with_one(
    slope: float, level: float, noise: float, entries: set[str]
) -> None:
    error = noise * abs(slope) * FRAME["score"]
    frame = FRAME.assign(score=level + slope * FRAME["baseline"] + error)
    rows = {name: LINEAR[name](frame) for name in sorted(entries)}
    assert {row.status == "failed" for row in rows.values()} == {noise == 0.0}, rows
