"""Each school's sums."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import Model, design_columns, school_sums
from analysis.simulation import simulate_scores
from analysis.sums import school_cross_products

MODEL = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline",))


def test_sums_go_back_to_least_squares_of_the_columns_as_they_were() -> None:
    columns = design_columns(simulate_scores(6, 9, icc=0.2, effect=0.4, seed=1), MODEL)
    sums = school_sums(columns)
    scaled = np.linalg.solve(sums.total[:-1, :-1], sums.total[:-1, -1])
    matrix, shift = sums.to_original()
    expected = np.linalg.lstsq(columns.x, columns.y, rcond=None)[0]
    assert matrix @ scaled + shift == pytest.approx(expected, rel=1e-10)


def test_sums_by_school_add_up_to_the_sums_of_all() -> None:
    sums = school_sums(design_columns(simulate_scores(6, 9, icc=0.2, effect=0.4, seed=1, size_cv=0.5), MODEL))
    assert sums.by_school.sum(axis=0) == pytest.approx(sums.total[0], abs=1e-10)
    assert sums.n.sum() == sums.n_pupils == sums.total[0, 0]


def test_a_column_that_repeats_others_is_dropped_and_named() -> None:
    frame = simulate_scores(6, 9, icc=0.2, effect=0.4, seed=1)
    frame["again"] = 3 * frame["baseline"] + 2
    model = Model(
        outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline", "again")
    )
    sums = school_sums(design_columns(frame, model))
    assert sums.names == ("(Intercept)", "arm[pilot]", "baseline")
    assert sums.dropped == ("again",)


def test_cross_products_of_schools_are_symmetric_and_those_of_their_rows() -> None:
    rng = np.random.default_rng(1)
    values, school = rng.standard_normal((12, 3)), np.repeat(np.arange(3), 4)
    products = school_cross_products(values, school, n_schools=3)
    for place in range(3):
        assert products[place] == pytest.approx(values[school == place].T @ values[school == place])
