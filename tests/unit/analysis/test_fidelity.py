"""The fidelity index: by hand, missing records, and rules that make no sense."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.fidelity import Indicator, fidelity_index
from data_schema.errors import EstimationError

RULE = (Indicator(column="meetings", target=16, weight=2), Indicator(column="visits", target=8))


def records() -> pd.DataFrame:
    return pd.DataFrame({"school_id": ["a", "b", "c"], "meetings": [8.0, 40.0, np.nan], "visits": [8.0, 0.0, 4.0]})


def test_more_than_was_agreed_counts_no_more_and_weights_count() -> None:
    index = fidelity_index(records(), RULE).tidy().set_index("school_id")["index"]
    assert index["a"] == pytest.approx((2 * 0.5 + 1) / 3)
    assert index["b"] == pytest.approx(2 / 3)


def test_a_school_of_which_too_little_is_known_has_no_index() -> None:
    fidelity = fidelity_index(records(), RULE)
    assert np.isnan(fidelity.by_school["index"].to_numpy()[2])
    known = fidelity_index(records(), RULE, least_known=0.3).by_school.set_index("school_id")
    assert known.loc["c", "index"] == pytest.approx(0.5)
    assert known.loc["c", "n_indicators"] == 1
    assert fidelity.glance()[["n_schools", "n_with_index"]].to_numpy().tolist() == [[3, 2]]


def test_it_does_not_depend_on_the_order_of_schools() -> None:
    turned = fidelity_index(records().iloc[::-1], RULE).by_school.set_index("school_id").sort_index()
    straight = fidelity_index(records(), RULE).by_school.set_index("school_id")
    pd.testing.assert_frame_equal(turned, straight)


@pytest.mark.parametrize(
    ("frame", "rule", "words"),
    [
        (records(), (), "no indicator"),
        (records(), (Indicator(column="plans", target=1),), "no column 'plans'"),
        (pd.concat([records(), records()]), RULE, "two rows"),
        (records().assign(visits=-1.0), RULE, "below 0"),
    ],
)
def test_records_that_cannot_be_read_are_refused(frame: pd.DataFrame, rule: tuple[Indicator, ...], words: str) -> None:
    with pytest.raises(EstimationError, match=words):
        fidelity_index(frame, rule)


def test_a_target_that_is_always_reached_is_refused() -> None:
    with pytest.raises(EstimationError, match="must be above 0"):
        Indicator(column="meetings", target=0)
