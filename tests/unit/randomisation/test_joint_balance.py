"""The joint test of balance: by hand on four schools, its size in the long run, what it leaves out."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import Arm, Design, Variable, all_allocations, balance_test, replay

TWO = Design(arms=(Arm(name="control"), Arm(name="pilot")))


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"school_id": ["a", "b", "c", "d"], **columns})


def joint(data: pd.DataFrame, actual: list[int], draws: np.ndarray, *names: str) -> dict[str, float]:
    variables = [Variable(name=name) for name in names or ("x",)]
    return balance_test(data, variables=variables, schools=("a", "b", "c", "d"), actual=actual, draws=draws)


EVERY = all_allocations(frame(), TWO).positions


def test_four_schools_by_hand() -> None:
    # x = 0 1 2 3: the six allocations differ by 2, 1, 0, 0, 1, 2 in absolute mean; second moment over the seven rows
    # (actual and all six) is (4 + 4 + 1 + 0 + 0 + 1 + 4) / 7 = 2, so the statistic of 0 0 1 1 is 4 / 2. With it, two of
    # the six re-draws are as far off: p = 3 / 7.
    found = joint(frame(x=[0, 1, 2, 3]), [0, 0, 1, 1], EVERY)
    assert found["statistic"] == pytest.approx(2, rel=1e-12)
    assert found["p_value"] == pytest.approx(3 / 7, rel=1e-12)
    assert found["n_draws"] == 6


def test_units_and_the_order_of_rows_do_not_matter() -> None:
    data = frame(x=[0, 1, 2, 3], y=[5, 1, 1, 0])
    first = joint(data, [0, 0, 1, 1], EVERY, "x", "y")
    other = joint(data.assign(x=data["x"] * 1000 - 7).iloc[::-1], [0, 0, 1, 1], EVERY, "x", "y")
    assert other == pytest.approx(first)


def test_a_variable_twice_counts_once() -> None:
    data = frame(x=[0, 1, 2, 3], y=[0, 10, 20, 30])
    assert joint(data, [0, 1, 0, 1], EVERY, "x", "y") == pytest.approx(joint(data, [0, 1, 0, 1], EVERY))


def test_a_variable_that_the_design_balances_perfectly_cannot_count_against_it() -> None:
    draws = np.array([[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 1, 0]])
    assert joint(frame(x=[0.1, 0.1, 0.7, 0.7]), [1, 0, 0, 1], draws) == {"statistic": 0, "p_value": 1, "n_draws": 3}


def test_missing_values_count_as_mean_and_as_a_variable_of_their_own() -> None:
    data = frame(x=[0, 1, 2, None])
    stated = frame(x=[0, 1, 2, 1.0], gone=[0, 0, 0, 1])
    assert joint(data, [0, 0, 1, 1], EVERY) == pytest.approx(joint(stated, [0, 0, 1, 1], EVERY, "x", "gone"))


def test_categories_are_tested_by_their_shares() -> None:
    variables = [Variable(name="t", kind="category")]
    schools = ("a", "b", "c", "d")
    found = balance_test(frame(t=list("vvgg")), variables=variables, schools=schools, actual=[0, 0, 1, 1], draws=EVERY)
    assert found == pytest.approx(joint(frame(x=[1, 1, 0, 0]), [0, 0, 1, 1], EVERY))


@pytest.mark.parametrize("values", [[1, 1, 1, 1], [None] * 4])
def test_without_a_variable_that_varies_there_is_no_test(values: list[float | None]) -> None:
    found = joint(frame(x=values), [0, 0, 1, 1], EVERY)
    assert math.isnan(found["statistic"])
    assert math.isnan(found["p_value"])
    assert found["n_draws"] == 0


def test_a_frame_without_schools_gives_no_test() -> None:
    assert joint(frame(x=[0, 1, 2, 3]).iloc[:0], [0, 0, 1, 1], EVERY)["n_draws"] == 0


def test_redraws_that_empty_an_arm_of_the_schools_at_hand_are_left_out() -> None:
    found = joint(frame(x=[0, 1, 2, 3]).iloc[:3], [0, 0, 1, 1], np.vstack([EVERY, [[0, 0, 0, 1]]]))
    assert found["n_draws"] == 6
    assert joint(frame(x=[0, 1, 2, 3]).iloc[:2], [0, 0, 1, 1], EVERY)["n_draws"] == 0
    assert joint(frame(x=[0, 1, 2, 3]), [0, 0, 1, 1], EVERY[:0])["n_draws"] == 0


def test_schools_that_were_not_randomised_are_refused() -> None:
    with pytest.raises(DesignError, match="'e' was not randomised"):
        joint(frame(x=[0, 1, 2, 3]).replace("d", "e"), [0, 0, 1, 1], EVERY)


def test_a_school_twice_is_refused() -> None:
    with pytest.raises(DesignError, match="more than one row"):
        joint(frame(x=[0, 1, 2, 3]).replace("d", "c"), [0, 0, 1, 1], EVERY)


def test_an_unknown_variable_is_refused() -> None:
    with pytest.raises(DesignError, match="no column 'z'"):
        joint(frame(x=[0, 1, 2, 3]), [0, 0, 1, 1], EVERY, "z")


def test_over_all_allocations_p_values_are_as_small_as_they_say() -> None:
    generator = np.random.default_rng(7)
    ids = [f"{n}" for n in range(8)]
    data = pd.DataFrame({"school_id": ids, "x": generator.normal(size=8), "y": generator.normal(size=8)})
    every = all_allocations(data, TWO).positions
    variables = [Variable(name="x"), Variable(name="y")]
    p_values = np.array(
        [
            balance_test(data, variables=variables, schools=ids, actual=every[k], draws=np.delete(every, k, axis=0))[
                "p_value"
            ]
            for k in range(len(every))
        ]
    )
    for level in (0.05, 0.1, 0.3, 0.5):
        share = (p_values <= level + 1e-12).mean()
        assert level - 2 / len(every) <= share <= level + 1e-12


def test_three_arms_are_tested_together() -> None:
    design = Design(arms=(Arm(name="control"), Arm(name="light"), Arm(name="full")))
    ids = [f"{n}" for n in range(9)]
    data = pd.DataFrame({"school_id": ids, "x": [0, 0, 0, 5, 5, 5, 9, 9, 9]})
    draws = replay(data, design, n_draws=400, seed="1")
    variables = [Variable(name="x")]
    apart = balance_test(data, variables=variables, schools=ids, actual=[0, 0, 0, 1, 1, 1, 2, 2, 2], draws=draws)
    mixed = balance_test(data, variables=variables, schools=ids, actual=[0, 1, 2, 0, 1, 2, 0, 1, 2], draws=draws)
    assert apart["p_value"] < 0.02
    assert mixed["p_value"] == 1
    assert mixed["statistic"] == pytest.approx(0, abs=1e-12)
