"""The simulated trial: its truth, its random numbers, its tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy.special import logit

from analysis.simulation import (
    TRUE_OUTCOMES,
    SimulatedCountry,
    SimulatedData,
    SimulatedOutcome,
    SimulatedTrial,
    simulate_pupils,
    simulate_schools,
    simulate_scores,
)
from analysis.simulation.names import convert_cyrillic_to_latin
from data_schema.errors import DesignError

LARGE = SimulatedTrial(
    countries=(
        SimulatedCountry(code="HU", vocational=200, general=100, school_id_format="{number:06d}"),
        SimulatedCountry(code="SI", vocational=200, general=100),
    ),
    pupils_per_school=(20, 40),
    schools_lost=0,
    schools_without_survey=0,
)


def alternate(spec: SimulatedTrial, schools: pd.DataFrame, *, first: int = 0) -> dict[str, str]:
    return {
        school: (spec.arm, spec.reference_arm)[(row + first) % 2]
        for row, school in enumerate(schools["school_id"].sort_values())
    }


def everyone(arm: str, schools: pd.DataFrame) -> dict[str, str]:
    return dict.fromkeys(schools["school_id"], arm)


@pytest.fixture(scope="module")
def large_schools() -> pd.DataFrame:
    return simulate_schools(LARGE, seed=7)


@pytest.fixture(scope="module")
def all_control(large_schools: pd.DataFrame) -> SimulatedData:
    return simulate_pupils(LARGE, large_schools, everyone("control", large_schools), seed=7)


@pytest.fixture(scope="module")
def all_pilot(large_schools: pd.DataFrame) -> SimulatedData:
    return simulate_pupils(LARGE, large_schools, everyone("pilot", large_schools), seed=7)


@pytest.fixture(scope="module")
def crocoos() -> SimulatedData:
    spec = SimulatedTrial.crocoos()
    schools = simulate_schools(spec, seed=2027)
    return simulate_pupils(spec, schools, alternate(spec, schools), seed=2027)


def test_the_crocoos_preset_has_62_schools_two_thirds_of_them_vocational() -> None:
    schools = simulate_schools(SimulatedTrial.crocoos(), seed=3)
    assert schools["country"].value_counts().to_dict() == {"HU": 26, "RS": 20, "SI": 16}
    assert (schools["type"] == "vocational").sum() == 41
    assert schools["school_id"].is_unique
    assert schools["school_id"].str.startswith("0").sum() == 26


def test_the_school_table_has_the_standard_fields_and_nothing_missing() -> None:
    schools = simulate_schools(SimulatedTrial.crocoos(), seed=3)
    assert list(schools) == [
        "school_id",
        "name",
        "country",
        "region",
        "settlement",
        "type",
        "size",
        "prior_dropout_rate",
        "prior_attainment",
        "share_disadvantaged",
        "director_since",
        "consent",
    ]
    assert schools.notna().all(axis=None)
    assert schools["prior_dropout_rate"].between(0, 1).all()


def test_every_school_has_40_to_90_pupils_at_baseline(crocoos: SimulatedData) -> None:
    pupils = crocoos.tables["pupil"].query("wave == 'baseline'").groupby("school_id").size()
    assert pupils.min() >= 40
    assert pupils.max() <= 90
    assert len(pupils) == 62


def test_the_truth_is_the_mean_difference_of_the_expectations(all_control: SimulatedData) -> None:
    potential = all_control.potential
    for outcome in TRUE_OUTCOMES:
        difference = potential[f"{outcome}_expected_1"] - potential[f"{outcome}_expected_0"]
        assert all_control.truth[outcome][""] == pytest.approx(difference.mean(), abs=1e-12)
        for country in ("HU", "SI"):
            mine = difference[potential["country"] == country].mean()
            assert all_control.truth[outcome][country] == pytest.approx(mine, abs=1e-12)


@pytest.mark.parametrize("outcome", TRUE_OUTCOMES)
def test_realised_potential_outcomes_average_to_the_truth(all_control: SimulatedData, outcome: str) -> None:
    potential = all_control.potential
    realised = potential[f"{outcome}_1"] - potential[f"{outcome}_0"]
    # Pupils are independent given their expectations, so the error of the mean is that of pupils, not of schools.
    error = (realised - potential[f"{outcome}_expected_1"] + potential[f"{outcome}_expected_0"]).std()
    limit = 4 * error / np.sqrt(len(potential))
    assert all_control.truth[outcome][""] == pytest.approx(realised.mean(), abs=limit)


def test_the_records_of_two_counterfactual_trials_differ_by_the_truth(
    all_control: SimulatedData, all_pilot: SimulatedData
) -> None:
    def share_of_leavers(data: SimulatedData) -> float:
        status = data.tables["status"].merge(data.potential[["school_id", "pupil_id"]], on=["school_id", "pupil_id"])
        known = status[status["status"] != "unknown"]
        return float((known["status"] == "left_early").mean())

    # The unknown statuses, more frequent among leavers, shrink the difference by about 2 %.
    difference = share_of_leavers(all_pilot) - share_of_leavers(all_control)
    assert difference == pytest.approx(all_control.truth["dropout"][""], abs=0.003)


def test_without_unknown_statuses_the_records_hold_the_realised_dropout(large_schools: pd.DataFrame) -> None:
    spec = replace(LARGE, unknown_status=0.0, unknown_status_leavers=0.0)
    data = simulate_pupils(spec, large_schools, alternate(spec, large_schools), seed=7)
    arms = alternate(spec, large_schools)
    merged = data.potential.merge(data.tables["status"], on=["school_id", "pupil_id"], validate="one_to_one")
    realised = merged["dropout_1"].where(merged["school_id"].map(arms) == spec.arm, merged["dropout_0"])
    assert ((merged["status"] == "left_early") == (realised == 1)).all()


def test_dropout_without_the_intervention_is_at_the_base_rate_of_the_type(all_control: SimulatedData) -> None:
    kinds = all_control.potential["school_id"].map(all_control.schools.set_index("school_id")["type"])
    shares = all_control.potential["dropout_expected_0"].groupby(kinds).mean()
    assert shares["vocational"] == pytest.approx(0.13, abs=0.015)
    assert shares["general"] == pytest.approx(0.06, abs=0.015)


def test_the_intraclass_correlation_of_the_log_odds_of_dropout_is_the_specified_one() -> None:
    spec = replace(LARGE, dropout=SimulatedOutcome(icc=0.2))
    schools = simulate_schools(spec, seed=5)
    data = simulate_pupils(spec, schools, everyone("control", schools), seed=5)
    expected = data.potential["dropout_expected_0"]
    log_odds = pd.Series(logit(expected)).groupby(data.potential["school_id"]).mean()
    kinds = schools.set_index("school_id")["type"].reindex(log_odds.index)
    within_type = log_odds - log_odds.groupby(kinds).transform("mean")
    school_sd = np.sqrt(0.2 / 0.8 * np.pi**2 / 3)
    # Schools also differ in their pupils' covariates, which adds a little.
    assert within_type.std() == pytest.approx(school_sd, rel=0.15)


def test_weak_schools_get_their_part_of_the_effect_only() -> None:
    full = replace(LARGE, weak_schools=0.0, engagement=SimulatedOutcome(effect=0.3))
    weak = replace(full, weak_schools=0.9999, weak_dose=0.5)
    schools = simulate_schools(full, seed=5)
    arms = everyone("control", schools)
    effects = [simulate_pupils(spec, schools, arms, seed=5).truth["engagement"][""] for spec in (full, weak)]
    assert effects[1] / effects[0] == pytest.approx(0.5, abs=0.02)


def test_no_effect_is_exactly_no_difference() -> None:
    nothing = SimulatedOutcome(effect=0.0, effect_sd=0.0)
    spec = replace(
        SimulatedTrial.small(),
        dropout=nothing,
        engagement=nothing,
        belonging=nothing,
        average_mark=nothing,
        absences_unjustified=nothing,
    )
    schools = simulate_schools(spec, seed=1)
    data = simulate_pupils(spec, schools, everyone("pilot", schools), seed=1)
    assert set(data.truth["dropout"].values()) == {0.0}
    for outcome in TRUE_OUTCOMES:
        assert (data.potential[f"{outcome}_0"] == data.potential[f"{outcome}_1"]).all()


def test_effects_vary_between_countries_by_their_standard_deviation() -> None:
    effects = []
    spec = replace(SimulatedTrial.small(), average_mark=SimulatedOutcome(effect=0.0, effect_sd=0.5), weak_schools=0.0)
    for seed in range(40):
        schools = simulate_schools(spec, seed=seed)
        truth = simulate_pupils(spec, schools, everyone("control", schools), seed=seed).truth["average_mark"]
        effects += [truth["HU"], truth["RS"]]
    assert np.std(effects) == pytest.approx(0.47, abs=0.12)


def test_the_allocation_changes_no_pupil_no_baseline_and_no_potential_outcome() -> None:
    spec = SimulatedTrial.crocoos()
    schools = simulate_schools(spec, seed=11)
    one = simulate_pupils(spec, schools, alternate(spec, schools), seed=11)
    other = simulate_pupils(spec, schools, alternate(spec, schools, first=1), seed=11)
    assert_frame_equal(one.potential, other.potential)
    assert_frame_equal(one.tables["pupil"], other.tables["pupil"])
    assert one.truth == other.truth
    for table in ("survey", "signals"):
        assert_frame_equal(
            one.tables[table].query("wave == 'baseline'").reset_index(drop=True),
            other.tables[table].query("wave == 'baseline'").reset_index(drop=True),
        )
    assert not one.tables["status"].equals(other.tables["status"])


def test_a_school_that_keeps_its_arm_keeps_its_records() -> None:
    spec = SimulatedTrial.small()
    schools = simulate_schools(spec, seed=4)
    arms = alternate(spec, schools)
    first, last = schools["school_id"].iloc[[0, -1]]
    changed = {**arms, last: spec.arm if arms[last] == spec.reference_arm else spec.reference_arm}
    one, other = (simulate_pupils(spec, schools, allocation, seed=4) for allocation in (arms, changed))
    for table in ("status", "signals", "survey"):
        mine, again = (data.tables[table].set_index("school_id").loc[[first]] for data in (one, other))
        assert_frame_equal(mine, again)


def test_the_same_seed_gives_the_same_trial_and_another_seed_another() -> None:
    spec = SimulatedTrial.small()
    schools = simulate_schools(spec, seed=1)
    assert_frame_equal(schools, simulate_schools(spec, seed=1))
    one, again, other = (simulate_pupils(spec, schools, alternate(spec, schools), seed=seed) for seed in (1, 1, 2))
    for name, table in one.tables.items():
        assert_frame_equal(table, again.tables[name])
    assert not one.tables["pupil"].equals(other.tables["pupil"])


def test_the_order_of_the_schools_is_of_no_effect() -> None:
    spec = SimulatedTrial.small()
    schools = simulate_schools(spec, seed=1)
    shuffled = schools.sample(frac=1.0, random_state=3)
    one = simulate_pupils(spec, schools, alternate(spec, schools), seed=1)
    other = simulate_pupils(spec, shuffled, alternate(spec, schools), seed=1)
    assert_frame_equal(one.schools, other.schools)
    for name, table in one.tables.items():
        assert_frame_equal(table, other.tables[name])


def test_input_frames_are_left_as_they_were() -> None:
    spec = SimulatedTrial.small()
    schools = simulate_schools(spec, seed=1)
    before = schools.copy(deep=True)
    simulate_pupils(spec, schools, alternate(spec, schools), seed=1)
    assert_frame_equal(schools, before)


def test_a_frame_with_nothing_but_schools_and_countries_is_enough() -> None:
    spec = SimulatedTrial.small()
    schools = pd.DataFrame({"school_id": ["a", "b"], "country": ["IL", "IL"]})
    data = simulate_pupils(spec, schools, {"a": "pilot", "b": "control"}, seed=1)
    assert len(data.potential) == 40
    assert set(data.truth["dropout"]) == {"", "IL"}


def test_covariates_and_early_signals_predict_dropout(all_control: SimulatedData) -> None:
    merged = all_control.potential.merge(
        all_control.tables["pupil"].query("wave == 'baseline'"), on=["school_id", "pupil_id"]
    )
    left = merged["dropout_0"]
    assert left[merged["disadvantaged"]].mean() > left[~merged["disadvantaged"]].mean() + 0.02
    assert left[merged["prior_average"] < 3].mean() > left[merged["prior_average"] > 4].mean() + 0.03
    signals = all_control.tables["signals"].query("wave == 'baseline'")
    merged = all_control.potential.merge(signals, on=["school_id", "pupil_id"])
    often_absent = merged["absences_unjustified"] > 10
    assert merged["dropout_0"][often_absent].mean() > merged["dropout_0"][~often_absent].mean() + 0.02


def test_prior_dropout_of_a_school_predicts_its_dropout(all_control: SimulatedData) -> None:
    rate = all_control.potential.groupby("school_id")["dropout_0"].mean()
    prior = all_control.schools.set_index("school_id")["prior_dropout_rate"]
    assert rate.corr(prior.reindex(rate.index)) > 0.5


def test_values_are_within_the_ranges_of_the_standard_tables(crocoos: SimulatedData) -> None:
    tables = crocoos.tables
    for item in ("engagement_1", "engagement_4", "belonging_1", "belonging_3"):
        assert set(tables["survey"][item].dropna().unique()) == {1, 2, 3, 4, 5}
    assert set(tables["survey"]["leave_intent"].dropna().unique()) == {1, 2, 3, 4}
    assert tables["status"]["average_mark"].dropna().between(1, 5).all()
    assert set(tables["status"]["status"]) == {"enrolled", "transferred", "left_early", "unknown"}
    assert (tables["signals"].select_dtypes("number") >= 0).all(axis=None)
    assert set(tables["pupil"]["gender"]) <= {"girl", "boy", "other"}


def test_pupils_are_unique_within_school_and_wave(crocoos: SimulatedData) -> None:
    for name in ("pupil", "status", "survey"):
        assert not crocoos.tables[name].duplicated(["school_id", "pupil_id", "wave"]).any()
    assert not crocoos.tables["signals"].duplicated(["school_id", "pupil_id", "month"]).any()


def test_those_who_left_have_a_date_and_send_nothing_more(crocoos: SimulatedData) -> None:
    status = crocoos.tables["status"]
    gone = status[status["status"].isin(["left_early", "transferred"])]
    assert gone["status_date"].notna().all()
    assert gone["average_mark"].isna().all()
    assert status.loc[status["status"] == "transferred", "destination_confirmed"].notna().all()
    for name in ("survey", "signals"):
        later = crocoos.tables[name].query("wave == 'followup'")
        assert later.merge(gone, on=["school_id", "pupil_id"]).empty


def test_joiners_are_in_no_baseline_table_and_not_in_the_truth(crocoos: SimulatedData) -> None:
    joined = crocoos.tables["pupil"].query("wave == 'followup'")
    assert 60 < len(joined) < 200
    assert joined.merge(crocoos.potential, on=["school_id", "pupil_id"]).empty
    for name in ("survey", "signals"):
        before = crocoos.tables[name].query("wave == 'baseline'")
        assert before.merge(joined, on=["school_id", "pupil_id"]).empty
    assert len(joined.merge(crocoos.tables["status"], on=["school_id", "pupil_id"])) == len(joined)


def test_a_lost_school_and_two_without_a_survey_are_silent_at_follow_up(crocoos: SimulatedData) -> None:
    tables = crocoos.tables
    assert tables["status"]["school_id"].nunique() == 61
    assert tables["signals"].query("wave == 'followup'")["school_id"].nunique() == 61
    assert tables["survey"].query("wave == 'followup'")["school_id"].nunique() == 59
    assert tables["survey"].query("wave == 'baseline'")["school_id"].nunique() == 62


def test_only_pilot_schools_have_implementation_and_costs(crocoos: SimulatedData) -> None:
    arms = alternate(SimulatedTrial.crocoos(), crocoos.schools)
    for name in ("implementation", "costs"):
        assert set(crocoos.tables[name]["school_id"].map(arms)) == {"pilot"}
    currencies = crocoos.tables["costs"].merge(crocoos.schools, on="school_id").groupby("country")["currency"].unique()
    assert {code: list(names) for code, names in currencies.items()} == {"HU": ["HUF"], "RS": ["RSD"], "SI": ["EUR"]}


def test_serbian_names_come_in_both_scripts_one_script_a_school(crocoos: SimulatedData) -> None:
    serbian = crocoos.tables["pupil"].query("school_id.str.startswith('RS')")
    cyrillic = serbian["name"].str.contains("[А-Яа-яЂђЈјЉљЊњЋћЏџ]")
    by_school = cyrillic.groupby(serbian["school_id"]).agg(["min", "max"])
    assert (by_school["min"] == by_school["max"]).all()
    assert by_school["min"].nunique() == 2


def test_serbian_cyrillic_becomes_latin_letter_by_letter() -> None:
    assert convert_cyrillic_to_latin("Његован Џајић, Жељана Љубичић") == "Njegovan Džajić, Željana Ljubičić"


def test_a_school_without_an_arm_is_named() -> None:
    spec = SimulatedTrial.small()
    schools = simulate_schools(spec, seed=1)
    arms = alternate(spec, schools)
    del arms["031203"]
    with pytest.raises(DesignError, match="school 031203: it has no arm"):
        simulate_pupils(spec, schools, arms, seed=1)


def test_an_unknown_arm_is_named() -> None:
    spec = SimulatedTrial.small()
    schools = simulate_schools(spec, seed=1)
    with pytest.raises(DesignError, match="'pilto' is not one"):
        simulate_pupils(spec, schools, everyone("pilto", schools), seed=1)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"countries": ()}, "countries"),
        ({"countries": (SimulatedCountry(code="HU", vocational=6, general=1),) * 2}, "names one twice"),
        ({"pupils_per_school": (30, 20)}, "pupils_per_school"),
        ({"joiners": 1.2}, "joiners"),
        ({"schools_lost": 12}, "schools_lost"),
        ({"schools_lost": -1}, "schools_lost"),
        ({"arm": "control"}, "both arms"),
        ({"base_dropout": {"vocational": 0.1}}, "base_dropout"),
        ({"base_dropout": {"vocational": 0.0, "general": 0.1, "mixed": 0.1}}, "log odds"),
    ],
)
def test_an_impossible_trial_cannot_be_made(changes: dict[str, object], text: str) -> None:
    with pytest.raises(DesignError, match=text):
        replace(SimulatedTrial.small(), **changes)  # type: ignore[arg-type]  # wrong on purpose


def test_impossible_outcomes_and_countries_cannot_be_made() -> None:
    with pytest.raises(DesignError, match="icc"):
        SimulatedOutcome(icc=1.0)
    with pytest.raises(DesignError, match="effect_sd"):
        SimulatedOutcome(effect_sd=-0.1)
    with pytest.raises(DesignError, match="country SI"):
        SimulatedCountry(code="SI", vocational=0, general=0)


def test_scores_have_the_variance_the_icc_and_the_effect_that_were_asked_for() -> None:
    scores = simulate_scores(4000, 20, icc=0.2, effect=0.3, seed=3, r2_school=0.6, r2_pupil=0.4)
    means = scores.groupby("arm")["score"].mean()
    # Standard error of the difference about 0.015.
    assert means["pilot"] - means["control"] == pytest.approx(0.3, abs=0.06)
    centred = scores["score"] - scores["arm"].map(means)
    within = centred.groupby(scores["school"]).var().mean()
    between = centred.groupby(scores["school"]).mean().var() - within / 20
    assert within == pytest.approx(0.8, abs=0.02)
    assert between == pytest.approx(0.2, abs=0.02)
    inside = scores[["baseline", "score"]] - scores.groupby("school")[["baseline", "score"]].transform("mean")
    assert inside["baseline"].corr(inside["score"]) ** 2 == pytest.approx(0.4, abs=0.02)


def test_scores_with_another_effect_are_of_the_same_pupils() -> None:
    none, some = (simulate_scores(10, 5, icc=0.1, effect=effect, seed=1) for effect in (0.0, 0.5))
    assert_frame_equal(none[["school", "arm", "baseline"]], some[["school", "arm", "baseline"]])
    assert (some["score"] - none["score"]).to_numpy() == pytest.approx(0.5 * (none["arm"] == "pilot").to_numpy())


def test_score_arms_have_the_share_that_was_asked_for_and_are_never_empty() -> None:
    schools = simulate_scores(30, 3, icc=0.1, effect=0.0, seed=1, arm_share=0.3).drop_duplicates("school")
    assert schools["arm"].value_counts().to_dict() == {"control": 21, "pilot": 9}
    assert simulate_scores(4, 3, icc=0.1, effect=0.0, seed=1, arm_share=0.01)["arm"].nunique() == 2


def test_score_schools_of_unequal_size_have_the_mean_and_variation_asked_for() -> None:
    sizes = simulate_scores(3000, 40, icc=0.1, effect=0.0, seed=1, size_cv=0.5).groupby("school").size()
    assert sizes.mean() == pytest.approx(40, rel=0.05)
    assert sizes.std() / sizes.mean() == pytest.approx(0.5, rel=0.08)


@pytest.mark.parametrize(
    ("n_schools", "pupils", "icc", "size_cv"), [(1, 5, 0.1, 0.0), (5, 0, 0.1, 0.0), (5, 5, 1.1, 0.0), (5, 5, 0.1, -1.0)]
)
def test_impossible_scores_are_refused(n_schools: int, pupils: int, icc: float, size_cv: float) -> None:
    with pytest.raises(DesignError, match="out of its range"):
        simulate_scores(n_schools, pupils, icc=icc, effect=0.0, seed=1, size_cv=size_cv)
