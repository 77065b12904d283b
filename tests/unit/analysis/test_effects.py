"""Questions of the plan, answered for all countries and each."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis import Estimate, Question, estimate_effects, estimates_frame, fit_linear_mixed
from data_schema.errors import EstimationError

QUESTION = Question(
    plan_entry="marks",
    outcome="mark",
    kind="continuous",
    role="secondary",
    model="linear_mixed",
    covariates=("prior",),
    arms=("control", "pilot"),
)
BINARY = replace(QUESTION, plan_entry="dropout", outcome="left", kind="binary", role="primary")


def trial(*, arms: tuple[str, ...] = ("control", "pilot"), seed: int = 1) -> pd.DataFrame:
    """Three countries, strata of schools that hold every arm, 20 pupils per school."""
    rng = np.random.default_rng(seed)
    rows = []
    for country, n_schools in (("HU", 12), ("RS", 12), ("SI", 6 if len(arms) == 2 else 12)):
        for number in range(n_schools):
            arm = arms[number % len(arms)]
            level = 0.5 * rng.standard_normal() + 0.4 * (arm != arms[0])
            for _ in range(20):
                prior = round(float(rng.normal(3.5, 0.6)), 2)
                mark = prior + level + 0.8 * rng.standard_normal()
                rows.append(
                    {
                        "school_id": f"{country}-{number:02d}",
                        "country": country,
                        "stratum": f"{country} {number // (3 * len(arms))}",
                        "arm": arm,
                        "prior": prior,
                        "mark": mark,
                        "left": float(rng.random() < 1 / (1 + math.exp(1.2 + 0.8 * level))),
                    }
                )
    return pd.DataFrame(rows)


def design(
    frame: pd.DataFrame, question: Question, *, n_draws: int = 99
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """The randomised schools, their arms, and re-draws within strata."""
    schools = frame.drop_duplicates("school_id").sort_values("school_id")
    actual = np.array([question.arms.index(arm) for arm in schools["arm"]])
    rng = np.random.default_rng(7)
    draws = np.tile(actual, (n_draws, 1))
    for places in schools.reset_index(drop=True).groupby("stratum").groups.values():
        columns = np.asarray(places)
        draws[:, columns] = rng.permuted(draws[:, columns], axis=1)
    return tuple(schools["school_id"]), actual, draws


def answer(frame: pd.DataFrame, question: Question = QUESTION, *, tested: bool = True) -> list[Estimate]:
    schools, actual, draws = design(frame, question)
    return estimate_effects(frame, question, schools=schools, actual=actual, draws=draws if tested else None)


def by_id(rows: list[Estimate]) -> dict[str, Estimate]:
    return {row.estimate_id.split("/", 1)[1]: row for row in rows}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return trial()


@pytest.fixture(scope="module")
def continuous(frame: pd.DataFrame) -> dict[str, Estimate]:
    return by_id(answer(frame))


def test_every_quantity_is_there_for_all_countries_and_each(continuous: dict[str, Estimate]) -> None:
    expected = {
        f"{place}/{rest}"
        for place in ("all", "HU", "RS", "SI")
        for rest in (
            "mean/control",
            "mean/pilot",
            "difference/pilot",
            "difference_robust/pilot",
            "adjusted_mean/pilot",
            "hedges_g/pilot",
            "hedges_g_unconditional/pilot",
            "randomisation_test/pilot",
            "randomisation_interval/pilot",
            "icc/-",
            "school_sd/-",
            "pupil_sd/-",
            "icc_unconditional/-",
        )
    } | {"all/pooled_difference/pilot", "all/prediction_interval/pilot"}
    assert set(continuous) == expected
    # Six schools can be drawn in 20 ways only, too few to reject anything at 5 %.
    beyond = continuous["SI/randomisation_interval/pilot"]
    assert {key for key, row in continuous.items() if row.status == "failed"} == {"SI/randomisation_interval/pilot"}
    assert "too few" in beyond.reason


@pytest.mark.parametrize("model", ["linear_mixed", "linear_cluster", "logistic_mixed"])
def test_a_binary_outcome_has_a_cox_index_and_odds_ratios_only_from_the_logistic_model(
    frame: pd.DataFrame, model: str
) -> None:
    rows = answer(frame, replace(BINARY, model=model))
    quantities = {row.quantity for row in rows}
    assert "cox_index" in quantities
    assert "hedges_g" not in quantities
    assert ("odds_ratio" in quantities) == (model == "logistic_mixed")
    difference = by_id(rows)["all/difference/pilot"]
    shares = frame.groupby("arm")["left"].mean()
    assert difference.estimate == pytest.approx(shares["pilot"] - shares["control"], abs=0.03)
    assert difference.std_error < 0.1


def test_ids_are_unique_and_rows_carry_their_plan_entry(frame: pd.DataFrame) -> None:
    rows = answer(frame, BINARY)
    ids = [row.estimate_id for row in rows]
    assert len(set(ids)) == len(ids)
    assert ids[0] == "dropout/all/mean/control"
    table = estimates_frame(rows)
    assert set(table["plan_entry"]) == {"dropout"}
    assert set(table["role"]) == {"primary"}
    assert set(table["outcome"]) == {"left"}


def test_a_row_that_compares_names_the_arm_that_it_compares_with(continuous: dict[str, Estimate]) -> None:
    compared = {key.split("/")[1]: row.reference for key, row in continuous.items()}
    nothing = {"mean", "adjusted_mean", "icc", "icc_unconditional", "school_sd", "pupil_sd"}
    assert compared == {quantity: "" if quantity in nothing else "control" for quantity in compared}


def test_the_difference_is_that_of_the_plans_model(frame: pd.DataFrame, continuous: dict[str, Estimate]) -> None:
    direct = fit_linear_mixed(frame, QUESTION.effect_model()).estimate("arm[pilot]")
    row = continuous["all/difference/pilot"]
    assert (row.estimate, row.std_error, row.df, row.conf_low) == (
        direct.estimate,
        direct.std_error,
        direct.df,
        direct.conf_low,
    )
    own = frame[frame["country"] == "RS"]
    alone = fit_linear_mixed(own, QUESTION.effect_model()).estimate("arm[pilot]")
    assert continuous["RS/difference/pilot"].estimate == alone.estimate


def test_means_are_those_observed(frame: pd.DataFrame, continuous: dict[str, Estimate]) -> None:
    own = frame[(frame["country"] == "SI") & (frame["arm"] == "pilot")]["mark"]
    row = continuous["SI/mean/pilot"]
    assert row.estimate == pytest.approx(own.mean())
    assert (row.n_schools, row.n_pupils, row.term) == (3, 60, "pilot")


def test_the_main_g_is_the_difference_over_the_deviation_within_arms_and_strata(
    continuous: dict[str, Estimate],
) -> None:
    total = math.hypot(continuous["HU/school_sd/-"].estimate, continuous["HU/pupil_sd/-"].estimate)
    difference, g = continuous["HU/difference/pilot"], continuous["HU/hedges_g/pilot"]
    assert 0.9 < g.estimate / (difference.estimate / total) < 1  # omega
    assert (g.p_value, g.df) == (difference.p_value, difference.df)
    assert continuous["HU/hedges_g_unconditional/pilot"].estimate != pytest.approx(g.estimate, rel=1e-3)


def test_the_icc_is_the_share_of_the_variances_with_an_interval(continuous: dict[str, Estimate]) -> None:
    icc, school, pupil = (continuous[f"all/{name}/-"] for name in ("icc", "school_sd", "pupil_sd"))
    assert icc.estimate == pytest.approx(school.estimate**2 / (school.estimate**2 + pupil.estimate**2))
    assert icc.conf_low < icc.estimate < icc.conf_high
    assert (icc.n_schools, icc.n_pupils) == (30, 600)


def test_the_pooled_difference_lies_among_the_countries(continuous: dict[str, Estimate]) -> None:
    estimates = [continuous[f"{country}/difference/pilot"].estimate for country in ("HU", "RS", "SI")]
    pooled = continuous["all/pooled_difference/pilot"]
    assert min(estimates) < pooled.estimate < max(estimates)
    assert pooled.df == 2
    assert pooled.n_schools == 30


def test_the_test_has_a_statistic_a_p_value_and_nothing_else(continuous: dict[str, Estimate]) -> None:
    row = continuous["all/randomisation_test/pilot"]
    assert 0 < row.p_value <= 1
    assert math.isfinite(row.statistic)
    assert math.isnan(row.estimate)
    assert row.method == "randomisation_test_99_draws"


def test_the_interval_of_the_test_has_limits_and_nothing_else(continuous: dict[str, Estimate]) -> None:
    for place in ("all", "HU", "RS"):
        row = continuous[f"{place}/randomisation_interval/pilot"]
        test = continuous[f"{place}/randomisation_test/pilot"]
        difference = continuous[f"{place}/difference/pilot"]
        assert row.conf_low < difference.estimate < row.conf_high
        assert (row.conf_low <= 0 <= row.conf_high) == (test.p_value > 0.05)
        assert math.isnan(row.estimate)
        assert row.method == "test_inversion_99_draws"


def test_eighteen_draws_are_too_few_for_an_interval(frame: pd.DataFrame) -> None:
    schools, actual, draws = design(frame, QUESTION, n_draws=18)
    rows = by_id(estimate_effects(frame, QUESTION, schools=schools, actual=actual, draws=draws))
    assert rows["all/randomisation_interval/pilot"].status == "failed"
    assert "too few" in rows["all/randomisation_interval/pilot"].reason
    assert rows["all/randomisation_test/pilot"].status == "ok"


def test_without_draws_there_is_no_test(frame: pd.DataFrame) -> None:
    quantities = {row.quantity for row in answer(frame, tested=False)}
    assert not {"randomisation_test", "randomisation_interval"} & quantities


def test_one_country_has_no_rows_of_its_own_and_nothing_pooled(frame: pd.DataFrame) -> None:
    rows = answer(frame[frame["country"] == "HU"])
    assert {row.country for row in rows} == {""}
    assert not {"pooled_difference", "prediction_interval"} & {row.quantity for row in rows}


def test_two_countries_are_pooled_without_a_prediction_interval(frame: pd.DataFrame) -> None:
    quantities = {row.quantity for row in answer(frame[frame["country"] != "HU"])}
    assert "pooled_difference" in quantities
    assert "prediction_interval" not in quantities


def test_a_frame_without_countries_is_one_place(frame: pd.DataFrame) -> None:
    rows = answer(frame.drop(columns="country"))
    assert {row.country for row in rows} == {""}


def test_three_arms_are_each_compared_with_the_reference() -> None:
    question = replace(QUESTION, arms=("control", "mentor", "team"))
    rows = by_id(answer(trial(arms=question.arms), question))
    for arm in ("mentor", "team"):
        for quantity in ("difference", "hedges_g", "randomisation_test", "pooled_difference", "prediction_interval"):
            assert rows[f"all/{quantity}/{arm}"].status in ("ok", "boundary")
        assert rows[f"all/randomisation_interval/{arm}"].method == "test_inversion_99_draws"
    assert "all/difference/control" not in rows


def test_an_arm_without_outcomes_fails_alone() -> None:
    question = replace(QUESTION, arms=("control", "mentor", "team"))
    frame = trial(arms=question.arms)
    frame.loc[(frame["arm"] == "mentor") & (frame["country"] == "SI"), "mark"] = np.nan
    rows = by_id(answer(frame, question))
    assert rows["SI/difference/mentor"].reason == "No pupil of the arm mentor has this outcome."
    assert rows["SI/mean/mentor"].status == "failed"
    assert rows["SI/hedges_g/mentor"].status == "failed"
    assert rows["SI/randomisation_test/mentor"].status == "failed"
    assert rows["SI/difference/team"].status in ("ok", "boundary")
    assert rows["SI/randomisation_test/team"].status == "ok"
    assert "Without SI" in rows["all/pooled_difference/mentor"].reason
    assert rows["all/pooled_difference/team"].reason == ""


def lost(frame: pd.DataFrame, case: str) -> pd.DataFrame:
    slovenian = frame["country"] == "SI"
    if case == "no outcome":
        return frame.assign(mark=frame["mark"].where(~slovenian))
    if case == "one school":
        return frame[~slovenian | (frame["school_id"] == "SI-00")]
    if case == "reference arm empty":
        return frame[~slovenian | (frame["arm"] == "pilot")]
    if case == "one value":
        return frame.assign(mark=frame["mark"].where(~slovenian, 3.0))
    return frame[~slovenian | frame["school_id"].isin(["SI-00", "SI-01"])]


@pytest.mark.parametrize("case", ["no outcome", "one school", "reference arm empty", "one value", "two schools"])
@pytest.mark.parametrize("model", ["linear_mixed", "linear_cluster"])
def test_a_degenerate_country_fails_alone(frame: pd.DataFrame, case: str, model: str) -> None:
    schools, actual, draws = design(frame, QUESTION)
    question = replace(QUESTION, model=model)
    rows = by_id(estimate_effects(lost(frame, case), question, schools=schools, actual=actual, draws=draws))
    for quantity in ("difference", "hedges_g"):
        failed = rows[f"SI/{quantity}/pilot"]
        assert failed.status == "failed"
        assert failed.reason
        assert math.isnan(failed.estimate)
        assert math.isnan(failed.conf_low)
        assert rows[f"HU/{quantity}/pilot"].status in ("ok", "boundary")
    assert rows["SI/randomisation_test/pilot"].status == "failed"
    assert rows["all/difference/pilot"].status in ("ok", "boundary")
    assert rows["all/pooled_difference/pilot"].reason == "Without SI, which could not be estimated."
    assert "all/prediction_interval/pilot" not in rows
    for row in rows.values():
        assert (row.status == "failed") == bool(row.reason) or row.quantity == "pooled_difference"


def test_an_outcome_that_nobody_has_gives_rows_that_say_so(frame: pd.DataFrame) -> None:
    for empty in (np.nan, None):
        rows = answer(frame.assign(mark=empty))
        assert {row.status for row in rows} == {"failed"}
        assert all(row.reason for row in rows)
        assert len(rows) == 4 * 13 + 1


def test_a_pair_of_which_one_school_sent_nothing_is_coped_with(frame: pd.DataFrame) -> None:
    paired = frame.assign(stratum=frame["country"] + " " + (frame["school_id"].str[-2:].astype(int) // 2).astype(str))
    schools, actual, draws = design(paired, QUESTION)
    paired.loc[paired["school_id"].isin(["HU-03", "RS-00"]), "mark"] = np.nan
    for model in ("linear_mixed", "linear_cluster"):
        question = replace(QUESTION, model=model)
        rows = by_id(estimate_effects(paired, question, schools=schools, actual=actual, draws=draws))
        for country in ("all", "HU", "RS", "SI"):
            assert rows[f"{country}/difference/pilot"].status in ("ok", "boundary")
            assert rows[f"{country}/randomisation_test/pilot"].status == "ok"
        assert rows["HU/difference/pilot"].df < 6


def test_categories_of_other_countries_do_not_enter_a_countrys_model(
    frame: pd.DataFrame, continuous: dict[str, Estimate]
) -> None:
    columns = ["school_id", "stratum", "arm", "country"]
    rows = by_id(answer(frame.astype(dict.fromkeys(columns, "category"))))
    assert {key: row.estimate for key, row in rows.items() if "difference" in key} == pytest.approx(
        {key: row.estimate for key, row in continuous.items() if "difference" in key}
    )


def test_a_covariate_that_does_not_vary_within_a_country_is_dropped_there(frame: pd.DataFrame) -> None:
    named = frame.assign(language=frame["country"].map({"HU": "hu", "RS": "sr", "SI": "sl"}))
    rows = by_id(answer(named, replace(QUESTION, covariates=("prior", "language"))))
    plain = by_id(answer(named))
    for country in ("HU", "RS", "SI"):
        key = f"{country}/difference/pilot"
        assert rows[key].estimate == pytest.approx(plain[key].estimate, rel=1e-9)


def test_the_status_of_a_pooled_difference_says_when_countries_do_not_differ(frame: pd.DataFrame) -> None:
    same = pd.concat([frame[frame["country"] == "HU"].assign(country=code) for code in ("A", "B")])
    same["school_id"] = same["country"] + same["school_id"]
    same["stratum"] = same["country"] + same["stratum"]
    row = by_id(answer(same))["all/pooled_difference/pilot"]
    assert row.status == "boundary"


def test_a_school_in_another_arm_than_drawn_is_named(frame: pd.DataFrame) -> None:
    schools, actual, _ = design(frame, QUESTION)
    wrong = actual.copy()
    wrong[0] = 1 - wrong[0]
    with pytest.raises(EstimationError, match="school 'HU-00': is in the arm 'control'"):
        estimate_effects(frame, QUESTION, schools=schools, actual=wrong, draws=None)


def test_a_school_that_was_never_randomised_is_named(frame: pd.DataFrame) -> None:
    schools, actual, _ = design(frame, QUESTION)
    with pytest.raises(EstimationError, match="school 'HU-00': was never randomised"):
        estimate_effects(frame, QUESTION, schools=schools[1:], actual=actual[1:], draws=None)


def test_rows_without_a_country_are_refused(frame: pd.DataFrame) -> None:
    schools, actual, _ = design(frame, QUESTION)
    holed = frame.assign(country=frame["country"].where(frame.index != 3))
    with pytest.raises(EstimationError, match="1 rows have no country"):
        estimate_effects(holed, QUESTION, schools=schools, actual=actual, draws=None)


def test_a_missing_column_is_named(frame: pd.DataFrame) -> None:
    schools, actual, _ = design(frame, QUESTION)
    for column in ("school_id", "arm", "mark", "prior", "stratum"):
        with pytest.raises(EstimationError, match=f"no column '{column}'"):
            estimate_effects(frame.drop(columns=column), QUESTION, schools=schools, actual=actual, draws=None)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kind": "nominal"}, "kind 'nominal'"),
        ({"model": "probit"}, "model 'probit'"),
        ({"model": "logistic_mixed"}, "needs an outcome of the kind binary"),
        ({"conf_level": 95}, "conf_level 95"),
        ({"arms": ("control",)}, "1 arm is not enough"),
        ({"arms": ("control", "control")}, "name one twice"),
        ({"covariates": ("mark",)}, "used twice"),
    ],
)
def test_a_question_that_contradicts_itself_cannot_be_made(changes: dict[str, object], text: str) -> None:
    with pytest.raises(EstimationError, match=text):
        replace(QUESTION, **changes)  # type: ignore[arg-type]  # wrong on purpose
