"""Each school's cross-products."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.sums import compute_school_products


def test_cross_products_of_schools_are_symmetric_and_those_of_their_rows() -> None:
    rng = np.random.default_rng(1)
    values, school = rng.standard_normal((12, 3)), np.repeat(np.arange(3), 4)
    products = compute_school_products(values, school, n_schools=3)
    for place in range(3):
        assert products[place] == pytest.approx(values[school == place].T @ values[school == place])
