"""The same models by other Python packages, fitted here and now."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import Model, fit_linear_clustered, fit_linear_mixed, fit_logistic_mixed
from analysis.time_to_event import Ties, fit_cox, pseudo_values

DATA = Path(__file__).parent / "data"
SETS = ("pairs", "three_arms")


def read_set(name: str) -> tuple[pd.DataFrame, Model]:
    frame = pd.read_csv(DATA / f"{name}.csv")
    arms = ("control", *sorted(set(frame["arm"]) - {"control"}))
    return frame, Model(outcome="score", school="school_id", arm="arm", arms=arms, covariates=("baseline",))


def arm_terms(model: Model) -> dict[str, str]:
    """Our term to the name that formulas give it."""
    return {f"arm[{arm}]": f"arm[T.{arm}]" for arm in model.arms[1:]}


@pytest.mark.parametrize("name", SETS)
def test_statsmodels_finds_the_same_multilevel_model(name: str) -> None:
    import statsmodels.formula.api as smf

    frame, model = read_set(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its optimiser, on the way
        theirs = smf.mixedlm("score ~ arm + baseline", frame, groups=frame["school_id"]).fit(reml=True)
    fit = fit_linear_mixed(frame, model)
    for ours, name_there in arm_terms(model).items():
        row = fit.estimate(ours)
        assert row.estimate == pytest.approx(theirs.params[name_there], abs=1e-5 * row.std_error)
        # Its errors come from the Hessian of coefficients and variances together, ours and lme4's from the former.
        assert row.std_error == pytest.approx(theirs.bse_fe[name_there], rel=2e-3)
    assert fit.variances["pupil"] == pytest.approx(theirs.scale, rel=1e-5)
    assert fit.variances["school"] == pytest.approx(float(np.asarray(theirs.cov_re)[0, 0]), rel=1e-4)
    assert fit.convergence.objective == pytest.approx(-2 * theirs.llf, abs=1e-7)


@pytest.mark.parametrize("name", SETS)
def test_linearmodels_finds_the_same_least_squares(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages that it imports
        from linearmodels.iv import IV2SLS

    frame, model = read_set(name)
    codes = pd.Series(pd.factorize(frame["school_id"])[0], index=frame.index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = IV2SLS.from_formula("score ~ 1 + C(arm) + baseline", frame).fit(
            cov_type="clustered", clusters=codes, debiased=True
        )
    fit = fit_linear_clustered(frame, model)
    for arm in model.arms[1:]:
        row = fit.estimate(f"arm[{arm}]")
        assert row.estimate == pytest.approx(theirs.params[f"C(arm)[T.{arm}]"], rel=1e-9)
        # CR2 takes off the bias that the plain sandwich has, even with its small-sample factor, in few schools.
        assert row.std_error > 0.98 * theirs.std_errors[f"C(arm)[T.{arm}]"]


def test_statsmodels_finds_the_same_logit_where_schools_do_not_differ() -> None:
    import statsmodels.formula.api as smf

    frame, _ = read_set("pairs")
    frame["school_id"] = np.arange(len(frame)) % 20  # schools at random: nothing in common
    model = Model(outcome="left", school="school_id", covariates=("baseline",))
    fit = fit_logistic_mixed(frame, model)
    theirs = smf.logit("left ~ baseline", frame).fit(disp=0)
    assert fit.status == "boundary"
    row = fit.estimate("baseline")
    assert row.estimate == pytest.approx(theirs.params["baseline"], rel=1e-7)
    assert row.std_error == pytest.approx(theirs.bse["baseline"], rel=1e-6)
    assert fit.convergence.objective == pytest.approx(-2 * theirs.llf, abs=1e-8)


def leavers() -> pd.DataFrame:
    frame = pd.read_csv(DATA / "leaving.csv")
    return frame.assign(left=(frame["status"] == "left_early").astype(int))


LEAVING = Model(outcome="left", school="school_id", arm="arm", arms=("control", "pilot"), covariates=("prior",))


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_statsmodels_finds_the_same_hazard_ratios(ties: Ties) -> None:
    from statsmodels.duration.hazard_regression import PHReg

    frame = leavers()
    x = np.column_stack([frame["arm"] == "pilot", frame["prior"]]).astype(float)
    theirs = PHReg(frame["time"], x, status=frame["left"], ties=ties).fit()
    fit = fit_cox(frame, LEAVING, time="time", ties=ties)
    assert fit.coefficients is not None
    assert fit.coefficients.estimate == pytest.approx(theirs.params, abs=1e-7)
    assert fit.convergence.objective == pytest.approx(-2 * theirs.llf, abs=1e-6)


def test_statsmodels_finds_the_same_curves() -> None:
    from statsmodels.duration.survfunc import SurvfuncRight

    for _, mine in leavers().groupby("arm"):
        curve = SurvfuncRight(mine["time"], mine["left"])
        for time, staying in zip(curve.surv_times, curve.surv_prob, strict=True):
            parts = pseudo_values(mine["time"].to_numpy(), mine["left"].to_numpy() == 1, horizon=time)
            assert parts.mean() == pytest.approx(1 - staying, abs=1e-12)
