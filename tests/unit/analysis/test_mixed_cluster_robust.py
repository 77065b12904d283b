"""Cluster-robust errors of the multilevel engine: limiting cases, two roads to one figure, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.linear_models import linear_model
from analysis.mixed import fit_mixed_sums, mixed_model, mixed_sums
from analysis.simulation import simulate_scores
from data_schema.errors import EstimationError

PLAIN = "score ~ arm + baseline + (1 | school)"


def pupils() -> pd.DataFrame:
    frame = simulate_scores(12, 10, icc=0.2, effect=0.3, seed=3)
    rows = np.arange(len(frame))
    return frame.assign(room=rows % 3, third=np.array(["a", "b", "c"])[frame["school"] % 3], w=1.0 + rows % 2)


def test_without_a_school_variance_the_errors_are_those_of_least_squares() -> None:
    frame = pupils()
    for name in ("score", "baseline"):
        frame[name] -= frame.groupby("school")[name].transform("mean")
    fit = mixed_model("score ~ baseline + (1 | school)", frame, se_type="CR2")
    plain = linear_model("score ~ baseline", frame, cluster="school")
    assert fit.convergence.status == "boundary"
    assert fit.coefficients is not None
    np.testing.assert_allclose(fit.vcov.to_numpy(), plain.vcov.to_numpy(), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(fit.coefficients.df, plain.coefficients.df, rtol=1e-6)


def test_estimates_stay_and_every_table_says_how_errors_were_made() -> None:
    model, robust = mixed_model(PLAIN, pupils()), mixed_model(PLAIN, pupils(), se_type="CR2")
    np.testing.assert_allclose(robust.tidy()["estimate"], model.tidy()["estimate"], rtol=1e-9)
    for table in (robust.tidy(), robust.glance()):
        assert set(table["se_type"]) == {"CR2"}
        assert set(table["df_method"]) == {"satterthwaite"}
    assert set(model.glance()["se_type"]) == {"kenward_roger"}
    assert "cluster-robust (CR2)" in robust.summary()
    assert "cluster-robust" not in model.summary()


def test_contrasts_marginal_differences_and_single_tests_agree_with_the_coefficient() -> None:
    fit = mixed_model(PLAIN, pupils(), se_type="CR2")
    row = fit.estimate("arm[pilot]")
    contrast, pair = fit.contrast({"arm[pilot]": 2.0}), fit.marginal_contrasts("arm").iloc[0]
    assert contrast.std_error == pytest.approx(2 * row.std_error)
    assert contrast.df == pytest.approx(row.df)
    assert pair["df"] == pytest.approx(row.df)
    assert pair["std_error"] == pytest.approx(row.std_error)
    assert fit.f_test("arm")["p_value"][0] == pytest.approx(row.p_value)


def test_the_names_and_order_of_rooms_do_not_matter() -> None:
    frame = pupils()
    other = frame.assign(room=(frame["room"] + frame["school"]) % 3).sample(frac=1, random_state=1)
    formula = "score ~ arm + (1 | school/room)"
    ours, theirs = (mixed_model(formula, data, se_type="CR2").tidy() for data in (frame, other))
    np.testing.assert_allclose(ours[["std_error", "df"]], theirs[["std_error", "df"]], rtol=1e-6)


def test_an_effect_that_rests_on_one_school_has_no_error() -> None:
    frame = pupils().assign(alone=lambda data: (data["school"] == 0).astype(float))
    fit = mixed_model("score ~ alone + baseline + (1 | school)", frame, se_type="CR2")
    assert "rests on one group of 'school'" in fit.estimate("alone").reason
    assert "rests on one group" in fit.summary()
    assert fit.estimate("baseline").status != "failed"
    with pytest.raises(EstimationError, match="rests on one group"):
        fit.f_test("alone")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"df_method": "kenward_roger"}, "Leave df_method out"),
        ({"se_type": "CR9"}, "Use one of model, CR0, CR1, CR2, CR3"),
        ({"weights": "w"}, "random intercepts and slopes, nested groups"),
        ({"residual_by": "arm"}, "one residual variance"),
    ],
)
def test_what_is_not_supported_is_refused_with_a_remedy(options: dict[str, Any], told: str) -> None:
    with pytest.raises(EstimationError, match=told):
        mixed_model(PLAIN, pupils(), **{"se_type": "CR2", **options})


def test_joint_tests_are_refused_and_products_are_made_only_when_asked_for() -> None:
    fit = mixed_model("score ~ third + (1 | school)", pupils(), se_type="CR2")
    with pytest.raises(EstimationError, match="one at a time"):
        fit.f_test("third")
    sums = mixed_sums(PLAIN, pupils())
    assert sums.clusters is None
    with pytest.raises(EstimationError, match="clusters=True"):
        fit_mixed_sums(sums, se_type="CR2")


def test_many_strata_are_refused_with_the_model_that_takes_them() -> None:
    rng = np.random.default_rng(1)
    n_schools = 150
    school = np.repeat(np.arange(n_schools), 4)
    frame = pd.DataFrame(
        {
            "school": school,
            "arm": school % 2,
            "stratum": (school // 2).astype(str),
            "score": rng.normal(size=school.size) + rng.normal(size=n_schools)[school],
        }
    )
    with pytest.raises(EstimationError, match="fixed_effects"):
        mixed_model("score ~ arm + stratum + (1 | school)", frame, se_type="CR2")
