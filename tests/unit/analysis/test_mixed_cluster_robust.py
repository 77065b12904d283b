"""Cluster-robust errors of the multilevel engine: limiting cases, two roads to one figure, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.linear_models import linear_model
from analysis.mixed import fit_mixed_sums, mixed_model, mixed_sums
from analysis.mixed_models import columns
from analysis.mixed_models.robust import MixedSeType
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
    with pytest.raises(EstimationError, match="rests on one cluster"):
        fit.f_test("alone")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"df_method": "kenward_roger"}, "Leave df_method out"),
        ({"se_type": "CR9"}, "Use one of model, CR0, CR1, CR2, CR3"),
    ],
)
def test_what_is_not_supported_is_refused_with_a_remedy(options: dict[str, Any], told: str) -> None:
    with pytest.raises(EstimationError, match=told):
        mixed_model(PLAIN, pupils(), **{"se_type": "CR2", **options})


def test_joint_tests_need_independent_effects_and_more_clusters_than_effects() -> None:
    fit = mixed_model("score ~ third + baseline + (1 | school)", pupils(), se_type="CR2")
    assert fit.f_test("third")["df_method"].tolist() == ["hotelling"]
    with pytest.raises(EstimationError, match="none a combination of the others"):
        fit.joint_test(np.array([[0, 1, 0, 0], [0, 2, 0, 0.0]]))
    few = pupils().query("school < 6")
    small = mixed_model("score ~ third + arm + baseline + (1 | school)", few, se_type="CR2")
    with pytest.raises(EstimationError, match="6 clusters are too few for a joint test of 4 effects"):
        small.f_test(["third[b]", "third[c]", "arm[pilot]", "baseline"])


def test_joint_tests_do_not_change_with_the_basis_of_their_effects() -> None:
    fit = mixed_model("score ~ third + baseline + (1 | school)", pupils(), se_type="CR2")
    plain = fit.joint_test(np.array([[0, 1, 0, 0], [0, 0, 1, 0.0]]))
    turned = fit.joint_test(np.array([[0, 1, -3, 0], [0, 2, 1, 0.0]]))
    assert turned.statistic == pytest.approx(plain.statistic, rel=1e-9)
    assert turned.df_denominator == pytest.approx(plain.df_denominator, rel=1e-9)
    one = fit.joint_test(np.array([[0, 1, 0, 0.0]]))
    row = fit.estimate("third[b]")
    assert one.statistic == pytest.approx(row.statistic**2)
    assert one.df_denominator == pytest.approx(row.df)


def test_clusters_are_made_only_when_asked_for() -> None:
    sums = mixed_sums(PLAIN, pupils())
    assert sums.clusters is None
    with pytest.raises(EstimationError, match="clusters=True"):
        fit_mixed_sums(sums, se_type="CR2")


def paired(n_schools: int) -> pd.DataFrame:
    """Pupils of schools in pairs, one of each in either arm, with weights of three values."""
    rng = np.random.default_rng(1)
    school = np.repeat(np.arange(n_schools), 6)
    frame = pd.DataFrame({"school": school, "arm": school % 2, "stratum": (school // 2).astype(str)})
    frame["x"] = rng.normal(size=school.size) + rng.normal(size=n_schools)[school]
    frame["w"] = 1.0 + rng.integers(0, 3, school.size)
    frame["score"] = 0.3 * frame["x"] + rng.normal(size=school.size) + rng.normal(size=n_schools)[school]
    return frame


@pytest.mark.parametrize("se_type", ["CR0", "CR1", "CR2"])
@pytest.mark.parametrize("options", [{}, {"weights": "w"}, {"residual_by": "arm"}])
def test_strata_kept_out_of_the_columns_have_the_figures_of_ordinary_columns(
    se_type: MixedSeType, options: dict[str, Any]
) -> None:
    frame = paired(30)
    formula = "score ~ arm + x + stratum + (1 | school)"
    absorbed = mixed_model(formula, frame, se_type=se_type, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "MOST_DENSE_LEVELS", 1000)
        dense = mixed_model(formula, frame, se_type=se_type, **options)
    assert len(absorbed.coefficients.names) == 3  # type: ignore[union-attr]
    ours, theirs = (fit.tidy().set_index("term").sort_index() for fit in (absorbed, dense))
    assert ours.index.tolist() == theirs.index.tolist()
    for name in ("estimate", "std_error", "df"):
        np.testing.assert_allclose(ours[name].to_numpy(float), theirs[name].to_numpy(float), rtol=1e-5, atol=1e-9)
    one, other = (fit.f_test(["arm", "x"]).iloc[0] for fit in (absorbed, dense))
    assert one["statistic"] == pytest.approx(other["statistic"], rel=1e-6)
    assert one["df_denominator"] == pytest.approx(other["df_denominator"], rel=1e-6)


def test_hundreds_of_strata_cost_next_to_nothing() -> None:
    frame = paired(600)
    fit = mixed_model("score ~ arm + x + stratum + (1 | school)", frame, se_type="CR2")
    model = mixed_model("score ~ arm + x + stratum + (1 | school)", frame)
    assert fit.robust is not None
    assert fit.robust.design.columns.shape[2] == 3
    assert fit.estimate("arm").std_error == pytest.approx(model.estimate("arm").std_error, rel=0.15)
    assert len(fit.tidy()) == 302


def test_a_cluster_of_many_pupils_becomes_as_many_rows_as_it_has_columns() -> None:
    frame = simulate_scores(12, 400, icc=0.2, effect=0.3, seed=3)
    sums = mixed_sums(PLAIN, frame, clusters=True)
    assert sums.clusters is not None
    assert sums.clusters.rows.shape == (12, 2, 5)  # the intercept (and arm), the baseline


def test_more_rows_than_fit_into_memory_are_refused_with_what_to_do() -> None:
    frame = simulate_scores(40, 900, icc=0.2, effect=0.3, seed=3)
    frame["w"] = np.linspace(1, 2, len(frame))
    with pytest.raises(EstimationError, match="weights of a few values"):
        mixed_model(PLAIN, frame, weights="w", se_type="CR2")
