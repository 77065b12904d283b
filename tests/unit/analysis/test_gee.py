"""Estimating equations: limiting cases by hand, corrections against a second implementation, and bad input."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import special

from analysis import Model
from analysis.gee import GeeErrors, GeeFit, GeeLink, fit_gee
from data_schema.errors import EstimationError

PLAIN = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"))
WITH_PRIOR = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), covariates=("prior",))
ERRORS: tuple[GeeErrors, ...] = ("robust", "fay_graubard", "kauermann_carroll", "mancl_derouen")


def drawn(n_schools: int, *, seed: int, school_sd: float = 0.7, size: int = 20) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), rng.integers(size // 2, size + 1, size=n_schools))
    pilot = school % 2 == 1
    prior = rng.standard_normal(school.size)
    odds = -1.2 - 0.5 * pilot + 0.5 * prior + school_sd * rng.standard_normal(n_schools)[school]
    left = (rng.random(school.size) < special.expit(odds)).astype(int)
    return pd.DataFrame({"school": school, "arm": np.where(pilot, "pilot", "control"), "prior": prior, "left": left})


def own_means(found: GeeFit) -> np.ndarray:
    assert found.means is not None
    return found.means.values  # noqa: PD011 -- no frame


@pytest.mark.parametrize("link", ["logit", "cloglog", "log", "identity"])
def test_every_link_gives_the_difference_of_shares_without_covariates(link: GeeLink) -> None:
    frame = drawn(14, seed=1)
    fit = fit_gee(frame, PLAIN, link=link, correlation="independence")
    share = frame.groupby("arm")["left"].mean()
    assert fit.difference("arm[pilot]").estimate == pytest.approx(share["pilot"] - share["control"], abs=1e-10)
    assert fit.correlation == 0
    if link == "log":
        assert fit.estimate("arm[pilot]").estimate == pytest.approx(math.log(share["pilot"] / share["control"]))


def test_the_plain_sandwich_of_a_difference_of_shares_by_hand() -> None:
    frame = drawn(14, seed=2)
    fit = fit_gee(frame, PLAIN, link="identity", correlation="independence", se_type="robust")
    share = frame.groupby("arm")["left"].transform("mean")
    by_school = frame.assign(residual=frame["left"] - share).groupby(["arm", "school"])["residual"].sum()
    n = frame.groupby("arm").size()
    expected = math.sqrt(sum(float((by_school[arm] ** 2).sum()) / n[arm] ** 2 for arm in ("control", "pilot")))
    assert fit.estimate("arm[pilot]").std_error == pytest.approx(expected)


def test_corrections_are_in_order_and_vanish_with_many_schools() -> None:
    few, many = drawn(10, seed=3), drawn(600, seed=3)
    errors = [fit_gee(few, WITH_PRIOR, se_type=kind).estimate("arm[pilot]").std_error for kind in ERRORS]
    assert errors[0] < errors[1] < errors[3]
    assert errors[0] < errors[2] < errors[3]
    large = [fit_gee(many, WITH_PRIOR, se_type=kind).estimate("arm[pilot]").std_error for kind in ERRORS]
    assert large == pytest.approx([large[0]] * 4, rel=0.01)


def test_mancl_and_derouen_of_equal_schools_is_by_hand_schools_over_schools_less_one() -> None:
    frame = drawn(12, seed=4).groupby("school").head(10)
    robust, corrected, half = (
        fit_gee(frame, PLAIN, link="identity", correlation="independence", se_type=kind).estimate("arm[pilot]")
        for kind in ("robust", "mancl_derouen", "kauermann_carroll")
    )
    # Six schools an arm: a school's leverage is one sixth.
    assert corrected.std_error / robust.std_error == pytest.approx(6 / 5)
    assert half.std_error / robust.std_error == pytest.approx(math.sqrt(6 / 5))
    assert corrected.df == 10


def test_mancl_and_derouen_agree_with_statsmodels() -> None:
    import statsmodels.api as sm

    frame = drawn(16, seed=5)
    x = np.column_stack([np.ones(len(frame)), frame["arm"] == "pilot", frame["prior"]]).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sm.GEE(
            frame["left"],
            x,
            groups=frame["school"],
            family=sm.families.Binomial(),
            cov_struct=sm.cov_struct.Independence(),
        ).fit(cov_type="bias_reduced", ctol=1e-12)
    ours = fit_gee(frame, WITH_PRIOR, correlation="independence", se_type="mancl_derouen").fit.coefficients
    assert ours is not None
    assert ours.estimate == pytest.approx(theirs.params.to_numpy(), abs=1e-8)
    assert np.sqrt(np.diag(ours.vcov)) == pytest.approx(theirs.bse.to_numpy(), rel=1e-7)


def test_fay_and_graubard_by_hand() -> None:
    frame = drawn(10, seed=6)
    x = np.column_stack([np.ones(len(frame)), frame["arm"] == "pilot", frame["prior"]]).astype(float)
    fit = fit_gee(frame, WITH_PRIOR, correlation="independence", se_type="fay_graubard")
    assert fit.fit.coefficients is not None
    chance = special.expit(x @ fit.fit.coefficients.estimate)
    weight, residual, school = chance * (1 - chance), frame["left"].to_numpy() - chance, frame["school"].to_numpy()
    bread = np.linalg.inv(x.T @ (weight[:, None] * x))
    middle = np.zeros((3, 3))
    for place in range(10):
        mine = school == place
        own = x[mine].T @ (weight[mine, None] * x[mine])
        score = x[mine].T @ residual[mine] / np.sqrt(1 - np.minimum(np.diag(own @ bread), 0.75))
        middle += np.outer(score, score)
    assert fit.fit.coefficients.vcov == pytest.approx(bread @ middle @ bread, rel=1e-6, abs=1e-10)


@pytest.mark.parametrize("kind", ERRORS)
def test_units_and_the_order_of_rows_do_not_matter(kind: GeeErrors) -> None:
    frame = drawn(12, seed=7)
    one = fit_gee(frame, WITH_PRIOR, se_type=kind).estimate("arm[pilot]")
    other = fit_gee(frame.assign(prior=100 * frame["prior"]).sample(frac=1, random_state=1), WITH_PRIOR, se_type=kind)
    assert other.estimate("arm[pilot]").estimate == pytest.approx(one.estimate, rel=1e-7)
    assert other.estimate("arm[pilot]").std_error == pytest.approx(one.std_error, rel=1e-6)


def test_shares_between_zero_and_one_are_a_fractional_response() -> None:
    frame = drawn(12, seed=8)
    frame["share"] = np.clip(0.5 + 0.2 * frame["prior"] + 0.1 * frame["left"], 0, 1)
    model = Model(outcome="share", school="school", arm="arm", arms=("control", "pilot"))
    fit = fit_gee(frame, model, correlation="independence")
    means = frame.groupby("arm")["share"].mean()
    assert fit.difference("arm[pilot]").estimate == pytest.approx(means["pilot"] - means["control"], abs=1e-10)


def test_counts_with_exposure_have_the_ratio_of_rates() -> None:
    frame = drawn(12, seed=9).assign(days=lambda f: 50 + 10 * (f.index % 7), absences=lambda f: f.index % 5)
    model = Model(outcome="absences", school="school", arm="arm", arms=("control", "pilot"))
    fit = fit_gee(frame, model, link="log", correlation="independence", exposure="days")
    sums = frame.groupby("arm")[["absences", "days"]].sum()
    rate = sums["absences"] / sums["days"]
    assert fit.estimate("arm[pilot]").estimate == pytest.approx(math.log(rate["pilot"] / rate["control"]))


def test_an_arm_without_events_fails_on_ratios_and_not_on_differences() -> None:
    frame = drawn(12, seed=10)
    frame.loc[frame["arm"] == "pilot", "left"] = 0
    for link in ("logit", "log", "cloglog"):
        fit = fit_gee(frame, PLAIN, link=link)
        assert fit.fit.status == "failed"
        assert "Nobody in the arm pilot" in fit.fit.convergence.reason
    assert fit_gee(frame, PLAIN, link="identity").estimate("arm[pilot]").status == "ok"


@pytest.mark.parametrize(
    ("link", "values", "words"),
    [("logit", [0, 2], "between 0 and 1"), ("log", [-1, 2], "0 or more"), ("logit", [0, 0], "same value")],
)
def test_outcomes_outside_a_links_range_fail_with_a_reason(link: GeeLink, values: list[int], words: str) -> None:
    frame = drawn(8, seed=11)
    frame["left"] = np.resize(values, len(frame))
    assert words in fit_gee(frame, PLAIN, link=link).fit.convergence.reason


def test_a_covariate_that_tells_all_events_apart_fails_with_a_reason() -> None:
    frame = drawn(10, seed=12)
    frame["prior"] = frame["left"] * 5.0 + 0.01 * np.arange(len(frame))
    fit = fit_gee(frame, WITH_PRIOR)
    assert fit.fit.status == "failed"
    assert fit.glance()["status"].tolist() == ["failed"]


def test_impossible_requests_are_refused() -> None:
    frame = drawn(8, seed=1)
    for wrong in ({"link": "probit"}, {"correlation": "nested"}, {"se_type": "CR9"}):
        with pytest.raises(EstimationError, match="is unknown"):
            fit_gee(frame, PLAIN, **wrong)  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="needs the log link"):
        fit_gee(frame, PLAIN, exposure="prior")


def test_the_table_has_a_row_a_coefficient() -> None:
    fit = fit_gee(drawn(10, seed=13), WITH_PRIOR)
    assert fit.tidy()["term"].tolist() == ["(Intercept)", "arm[pilot]", "prior"]
    assert fit.glance()["correlation"].to_numpy() == pytest.approx([fit.correlation])


@pytest.mark.parametrize("link", ["logit", "log", "cloglog"])
def test_a_stratum_without_events_leaves_the_ratio_as_it_is_and_counts_in_the_means(link: GeeLink) -> None:
    frame = drawn(16, seed=14).assign(stratum=lambda f: f["school"] // 4)
    frame.loc[frame["stratum"] == 2, "left"] = 0
    others = frame[frame["stratum"] != 2]
    model = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), strata="stratum")
    every, some = fit_gee(frame, model, link=link), fit_gee(others, model, link=link)
    assert every.estimate("arm[pilot]").estimate == pytest.approx(some.estimate("arm[pilot]").estimate)
    one, other = every.difference("arm[pilot]"), some.difference("arm[pilot]")
    assert one.estimate == pytest.approx(len(others) / len(frame) * other.estimate)
    assert (one.p_value, one.df) == pytest.approx((other.p_value, other.df))
    assert one.n_pupils == len(frame)


def test_a_stratum_in_which_everybody_had_the_event_counts_as_one_in_the_means() -> None:
    frame = drawn(16, seed=15).assign(stratum=lambda f: f["school"] // 4)
    frame.loc[frame["stratum"] == 1, "left"] = 1
    model = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), strata="stratum")
    others = frame[frame["stratum"] != 1]
    every, some = fit_gee(frame, model), fit_gee(others, model)
    expected = (own_means(some) * len(others) + len(frame) - len(others)) / len(frame)
    assert own_means(every) == pytest.approx(expected)


@pytest.mark.parametrize("link", ["logit", "log", "identity"])
def test_means_by_arm_of_a_model_of_arms_alone_are_those_observed(link: GeeLink) -> None:
    frame = drawn(14, seed=16)
    found = fit_gee(frame, PLAIN, link=link, correlation="independence")
    share = frame.groupby("arm")["left"].mean()
    assert found.means is not None
    assert own_means(found) == pytest.approx([share["control"], share["pilot"]], abs=1e-10)
    ratio = found.means.ratio(found.difference("arm[pilot]"), 1, quantity="risk_ratio")
    assert ratio.estimate == pytest.approx(share["pilot"] / share["control"])
    if link == "log":
        assert ratio.std_error == pytest.approx(found.estimate("arm[pilot]").std_error)
