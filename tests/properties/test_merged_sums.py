"""Sums of stretches of the rows, in any order, give the fit of all rows in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.mixed import fit_mixed_sums, merge_mixed_sums, mixed_model, mixed_sums
from analysis.mixed_models.robust import MixedSeType


@dataclass(frozen=True)
class Case:
    """A kind of model."""

    formula: str
    weights: str | None = None
    residual_by: str | None = None
    se_type: MixedSeType = "model"


CASES = [
    Case("score ~ arm + x + (1 | school)"),
    Case("score ~ arm * x + (1 + x | school)", weights="weight"),
    Case("score ~ arm + x + (1 + x || school)"),
    Case("score ~ arm + x + (1 + x | country) + (1 | country:school)"),
    Case("score ~ 0 + arm + x + (0 + x | school)"),
    Case("score ~ x + sex + (1 | country/school)", residual_by="sex"),
    Case("score ~ arm + x + stratum + (1 | school)", residual_by="kind"),
    Case("score ~ arm + x + (1 + x | school)", se_type="CR2", residual_by="arm"),
    Case("score ~ arm + x + (1 | country/school)", se_type="CR2", weights="whole"),
    Case("score ~ arm + x + stratum + (1 | school)", se_type="CR1"),
]


def trial() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n_schools = 56
    school = np.repeat(np.arange(n_schools), rng.integers(4, 12, size=n_schools))
    n = len(school)
    u = rng.standard_normal((n_schools, 2))
    x = 300 + 20 * rng.standard_normal(n)
    return pd.DataFrame(
        {
            "school": [f"s{place:02d}" for place in school],
            "country": [f"c{place % 8}" for place in school],
            "stratum": [f"b{place % 14:02d}" for place in school],
            "arm": np.where((school // 14) % 2 == 0, "control", "pilot"),
            "sex": rng.choice(["boy", "girl"], size=n),
            # Rows of one kind can be missing from a stretch.
            "kind": np.where(np.arange(n) < 12, "new", "usual"),
            "weight": 0.5 + rng.random(n),
            "whole": rng.integers(1, 3, n),
            "x": x,
            "score": 1e4 + 0.3 * x + 0.8 * u[school, 0] + 0.03 * u[school, 1] * (x - 300) + rng.standard_normal(n),
        }
    )


FRAME = trial()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.formula} {case.se_type}")
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(order=st.permutations(range(3)), seed=st.integers(0, 10_000), by_school=st.booleans())
def test_stretches_in_any_order_give_the_fit_of_one_pass(
    case: Case,
    order: list[int],
    seed: int,
    by_school: bool,  # drawn by hypothesis
) -> None:
    rng = np.random.default_rng(seed)
    if by_school and "stratum" not in case.formula:
        names = FRAME["school"].unique()
        part = FRAME["school"].map(dict(zip(names, rng.permutation(len(names)) % 3, strict=True))).to_numpy()
    else:
        part = rng.permutation(len(FRAME)) % 3
    stretches = [FRAME[part == place].sample(frac=1, random_state=seed) for place in order]
    robust = case.se_type != "model"
    merged = merge_mixed_sums(
        [
            mixed_sums(case.formula, rows, weights=case.weights, residual_by=case.residual_by, clusters=robust)
            for rows in stretches
        ]
    )
    fit = fit_mixed_sums(merged, se_type=case.se_type)
    whole = mixed_model(case.formula, FRAME, weights=case.weights, residual_by=case.residual_by, se_type=case.se_type)
    assert fit.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-9)
    ours, theirs = (found.tidy().set_index("term").sort_index() for found in (fit, whole))
    assert ours.index.tolist() == theirs.index.tolist()
    error = theirs["std_error"].to_numpy(float)
    apart = np.abs(ours["estimate"].to_numpy(float) - theirs["estimate"].to_numpy(float))
    assert (apart < 1e-6 * error).all()
    for name in ("std_error", "df"):
        np.testing.assert_allclose(ours[name].to_numpy(float), theirs[name].to_numpy(float), rtol=2e-5)
    one, other = (
        found.variance_components().set_index(["group", "term", "other"]).sort_index() for found in (fit, whole)
    )
    assert one.index.tolist() == other.index.tolist()
    np.testing.assert_allclose(
        one["variance"], other["variance"], rtol=1e-5, atol=1e-7 * float(other["variance"].max())
    )
    effects, expected = (
        found.random_effects().set_index(["group", "label", "term"]).sort_index() for found in (fit, whole)
    )
    assert effects.index.tolist() == expected.index.tolist()
    np.testing.assert_allclose(effects["estimate"], expected["estimate"], atol=1e-5)
    if robust:
        test, same = (found.f_test(["arm[pilot]", "x"]).iloc[0] for found in (fit, whole))
        assert test["statistic"] == pytest.approx(same["statistic"], rel=1e-5)
        assert test["df_denominator"] == pytest.approx(same["df_denominator"], rel=1e-5)
