"""Kenward and Roger's method against its published n-by-n form, and where its result is known by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.inference.kenward_roger import compute_kenward_roger
from analysis.mixed import mixed_model


def trial(n_schools: int = 9, *, seed: int = 1, equal: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    sizes = np.full(n_schools, equal) if equal else rng.integers(2, 9, size=n_schools)
    school = np.repeat(np.arange(n_schools), sizes)
    x = rng.standard_normal(school.size)
    u = rng.standard_normal((n_schools, 2))
    return pd.DataFrame(
        {
            "school": school,
            "country": school % 3,
            "arm": np.where(school % 2 == 0, "control", "pilot"),
            "x": x,
            "weight": 0.5 + rng.random(school.size),
            "sex": rng.choice(["boy", "girl"], size=school.size),
            "score": x + 0.8 * u[school, 0] + 0.4 * u[school, 1] * x + rng.standard_normal(school.size),
        }
    )


def published(frame: pd.DataFrame, x: np.ndarray, parts: list[np.ndarray], values: np.ndarray) -> dict[str, Any]:
    """The method as the paper states it, with V = sum of values[i] parts[i]."""
    v = np.linalg.inv(sum(value * part for value, part in zip(values, parts, strict=True)))
    phi = np.linalg.inv(x.T @ v @ x)
    p = [-x.T @ v @ part @ v @ x for part in parts]
    q = [[x.T @ v @ a @ v @ b @ v @ x for b in parts] for a in parts]
    r = len(parts)
    information = np.empty((r, r))
    for i in range(r):
        for j in range(r):
            trace = np.trace(v @ parts[i] @ v @ parts[j])
            information[i, j] = trace - 2 * np.trace(phi @ q[i][j]) + np.trace(phi @ p[i] @ phi @ p[j])
    spread = 2 * np.linalg.inv(information)
    inner = sum(spread[i, j] * (q[i][j] - p[i] @ phi @ p[j]) for i in range(r) for j in range(r))
    a = [np.array([(phi @ p[i] @ phi)[k, k] for i in range(r)]) for k in range(len(phi))]
    df = np.array([2 * phi[k, k] ** 2 / (a[k] @ spread @ a[k]) for k in range(len(phi))])
    return {"adjusted": phi + 2 * phi @ inner @ phi, "df": df, "n": len(frame)}


CASES = {
    "intercept": "score ~ arm + x + (1 | school)",
    "slope": "score ~ arm + x + (1 + x | school)",
    "uncorrelated": "score ~ arm + x + (1 + x || school)",
    "nested": "score ~ arm + x + (1 | country/school)",
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("weights", [None, "weight"])
def test_sums_give_the_published_variance_and_degrees_of_freedom(case: str, weights: str | None) -> None:
    frame = trial(12)
    fit = mixed_model(CASES[case], frame, weights=weights)
    assert fit.coefficients is not None
    x = np.column_stack([np.ones(len(frame)), frame["arm"] == "pilot", frame["x"]]).astype(float)
    z = {"(Intercept)": np.ones(len(frame)), "x": frame["x"].to_numpy()}
    parts, values = [], []
    for part in fit.components:
        if part.group == "residual":
            parts.append(np.diag(1 / frame["weight"]) if weights else np.eye(len(frame)))
        else:
            codes = frame[part.group.split(":")].astype(str).agg(":".join, axis=1).to_numpy()
            left, right = z[part.term], z[part.other or part.term]
            block = (np.outer(left, right) + np.outer(right, left)) / (1 if part.other else 2)
            parts.append(block * (codes[:, None] == codes[None, :]))
        values.append(part.variance)
    wanted = published(frame, x, parts, np.array(values))
    np.testing.assert_allclose(fit.coefficients.vcov, wanted["adjusted"], rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(fit.coefficients.df, wanted["df"], rtol=1e-6)


def test_with_equal_schools_an_arm_has_schools_less_two_degrees_of_freedom_and_no_adjustment() -> None:
    fit = mixed_model("score ~ arm + (1 | school)", trial(10, equal=5, seed=4))
    row = fit.estimate("arm[pilot]")
    plain = mixed_model("score ~ arm + (1 | school)", trial(10, equal=5, seed=4), df_method="satterthwaite")
    assert row.df == pytest.approx(8, rel=1e-9)
    assert row.std_error == pytest.approx(plain.estimate("arm[pilot]").std_error, rel=1e-9)


def test_a_joint_test_of_one_effect_is_its_t_test_squared() -> None:
    fit = mixed_model("score ~ arm + x + (1 + x | school)", trial(12))
    row, joint = fit.estimate("arm[pilot]"), fit.f_test("arm").iloc[0]
    assert joint["statistic"] == pytest.approx(row.statistic**2, rel=1e-9)
    assert joint["df_denominator"] == pytest.approx(row.df, rel=1e-9)
    assert joint["p_value"] == pytest.approx(row.p_value, rel=1e-6)


def test_the_adjusted_variance_is_never_smaller_for_a_school_level_effect() -> None:
    for seed in range(5):
        fit = mixed_model("score ~ arm + x + (1 | school)", trial(seed=seed))
        assert fit.working is not None
        adjusted = compute_kenward_roger(fit.working.at)
        assert adjusted.adjusted[1, 1] >= adjusted.phi[1, 1] * (1 - 1e-12)
