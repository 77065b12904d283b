"""Sample size by formula: PowerUpR's published examples, limiting cases by hand, and what is impossible."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from scipy import stats

from analysis.power import (
    SchoolTrial,
    TrialSize,
    WithinSchoolTrial,
    mdes,
    minimum_detectable_risk,
    power_of,
    schools_needed,
)
from data_schema.errors import EstimationError

TWO_LEVELS = SchoolTrial(n_schools=20, pupils_per_school=15, icc=0.17)
SAXON = SchoolTrial(
    n_schools=83, classes_per_school=2, pupils_per_school=10, icc=0.18, icc_class=0.06, share_treated=0.4,
    r2_school=0.45, r2_class=0.5, r2_pupil=0.55, n_covariates=1,
)  # fmt: skip

# PowerUpR 1.1.0, man/{cra2,cra3,bcra3r2,bira2,ira}.Rd ("cross-checks") and its vignette; three decimals.
PUBLISHED = {
    "cra2": (TWO_LEVELS, 0.629),
    "cra3": (SchoolTrial(n_schools=60, classes_per_school=3, pupils_per_school=15, icc=0.06, icc_class=0.17), 0.269),
    "bcra3f2": (
        SchoolTrial(n_schools=5 * 44, pupils_per_school=20, icc=0.1, n_strata=5, effects_differ=True),
        0.145,
    ),
    "bcra3r2": (
        WithinSchoolTrial(
            n_schools=24, classes_per_school=6, pupils_per_school=10, icc=0.13, icc_class=0.1, effect_heterogeneity=0.4
        ),
        0.246,
    ),
    "bira2": (WithinSchoolTrial(n_schools=20, pupils_per_school=15, icc=0.17, effect_heterogeneity=0.5), 0.366),
    "bira2f1": (WithinSchoolTrial(n_schools=20, pupils_per_school=15, icc=0.0, schools_are_a_sample=False), 0.325),
}


@pytest.mark.parametrize(("size", "published"), PUBLISHED.values(), ids=PUBLISHED.keys())
def test_effects_are_those_of_powerupr(size: TrialSize, published: float) -> None:
    assert mdes(size) == pytest.approx(published, abs=5.1e-4)
    assert power_of(size, effect=published) == pytest.approx(0.8, abs=0.005)


def test_the_example_of_three_levels_is_that_of_the_vignette_to_its_last_digit() -> None:
    assert round(mdes(SAXON), 2) == 0.23
    assert SAXON.df == 80
    assert round(SAXON.std_error, 3) == 0.081
    half = stats.t.isf(0.025, 80) * SAXON.std_error
    assert [round(mdes(SAXON) + sign * half, 3) for sign in (-1, 1)] == [0.069, 0.392]
    assert round(power_of(SAXON, effect=0.23), 1) == 0.8


def test_with_one_pupil_a_school_it_is_the_two_sample_t_test() -> None:
    size = SchoolTrial(n_schools=250, pupils_per_school=1, icc=0.3)
    assert size.std_error == pytest.approx(math.sqrt(4 / 250))
    assert mdes(size) == pytest.approx(0.356, abs=5e-4)  # PowerUpR: mdes.ira(n = 250)


def test_the_number_of_schools_is_the_smallest_that_is_enough() -> None:
    for effect in (0.2, 0.35, 0.629):
        n_schools = schools_needed(TWO_LEVELS, effect=effect)
        assert mdes(replace(TWO_LEVELS, n_schools=n_schools)) <= effect * 1.0005
        assert mdes(replace(TWO_LEVELS, n_schools=n_schools - 1)) > effect
    assert schools_needed(TWO_LEVELS, effect=0.629) == 20  # PowerUpR: mrss.cra2
    assert schools_needed(PUBLISHED["bira2"][0], effect=0.366) == 20  # type: ignore[arg-type]


def test_pairs_stay_pairs_when_schools_are_added() -> None:
    pairs = replace(TWO_LEVELS, n_strata=10, r2_school=0.5)
    found = schools_needed(pairs, effect=0.3)
    kept = replace(pairs, n_schools=found, n_strata=found // 2)
    assert mdes(kept) <= 0.3 * 1.0005
    assert found < schools_needed(TWO_LEVELS, effect=0.3)


def test_strata_and_covariates_cost_degrees_of_freedom() -> None:
    assert TWO_LEVELS.df == 18
    assert replace(TWO_LEVELS, n_strata=4).df == 15
    assert replace(TWO_LEVELS, n_strata=4, effects_differ=True).df == 12
    assert replace(TWO_LEVELS, n_strata=10, n_covariates=1).df == 8
    assert replace(TWO_LEVELS, schools_lost=0.1).df == 16


def test_losses_are_like_a_smaller_trial() -> None:
    lost = replace(TWO_LEVELS, schools_lost=0.1, pupils_lost=0.2)
    assert mdes(lost) == pytest.approx(mdes(replace(TWO_LEVELS, n_schools=18, pupils_per_school=12)))


def test_unequal_sizes_cost_at_most_a_quarter_of_the_squared_coefficient() -> None:
    uneven = replace(TWO_LEVELS, size_cv=0.6)
    assert 1 - 0.36 / 4 <= uneven.efficiency < 1
    assert uneven.std_error == pytest.approx(TWO_LEVELS.std_error / math.sqrt(uneven.efficiency))
    # Where only schools' means vary, their sizes do not matter.
    assert replace(uneven, icc=0.999, pupils_per_school=1000).efficiency == pytest.approx(1, abs=1e-5)


def test_uneven_arms_are_worse_and_one_sided_tests_find_more() -> None:
    assert mdes(replace(TWO_LEVELS, share_treated=1 / 3)) == pytest.approx(mdes(TWO_LEVELS) * math.sqrt(9 / 8))
    assert mdes(TWO_LEVELS, alternative="one-sided") < mdes(TWO_LEVELS)
    assert power_of(TWO_LEVELS, effect=0.4, alternative="one-sided") > power_of(TWO_LEVELS, effect=0.4)


def test_power_rises_from_the_level_of_the_test_to_one() -> None:
    powers = [power_of(TWO_LEVELS, effect=effect / 10) for effect in range(60)]
    assert powers[0] == pytest.approx(0.05)
    assert powers == sorted(powers)
    assert powers[-1] == pytest.approx(1)
    assert power_of(TWO_LEVELS, effect=-0.4) == power_of(TWO_LEVELS, effect=0.4)


def test_a_risk_solves_the_textbook_equation() -> None:
    # Donner and Klar: (z + z)^2 (p1 q1 + p2 q2) (1 + (m - 1) icc) / (m (p1 - p2)^2) schools an arm, in large samples.
    size = SchoolTrial(n_schools=2000, pupils_per_school=40, icc=0.05)
    found = minimum_detectable_risk(size, control_risk=0.12)
    treated = 0.12 + found
    times = (stats.norm.isf(0.025) + stats.norm.ppf(0.8)) ** 2
    needed = times * (0.12 * 0.88 + treated * (1 - treated)) * (1 + 39 * 0.05) / (40 * found**2)
    assert needed == pytest.approx(1000, rel=2e-3)
    assert found < 0 < minimum_detectable_risk(size, control_risk=0.12, direction="higher")


def test_the_smallest_risk_is_the_mirror_of_the_largest() -> None:
    size = SchoolTrial(n_schools=60, pupils_per_school=60, icc=0.05)
    lower = minimum_detectable_risk(size, control_risk=0.3)
    assert minimum_detectable_risk(size, control_risk=0.7, direction="higher") == pytest.approx(-lower)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"n_schools": 0}, "n_schools"),
        ({"pupils_per_school": -1}, "pupils_per_school"),
        ({"icc": 1.0}, "icc"),
        ({"icc": 0.6, "icc_class": 0.4}, "icc"),
        ({"r2_school": 1.0}, "r2_school"),
        ({"share_treated": 1.0}, "share_treated"),
        ({"size_cv": -0.1}, "size_cv"),
    ],
)
def test_an_impossible_trial_cannot_be_made(changes: dict[str, float], place: str) -> None:
    with pytest.raises(EstimationError) as caught:
        replace(TWO_LEVELS, **changes)  # type: ignore[arg-type]
    assert caught.value.place == f"sample size, {place}"


def test_what_cannot_be_answered_is_said() -> None:
    with pytest.raises(EstimationError, match="0 degrees of freedom are left"):
        mdes(replace(TWO_LEVELS, n_schools=2))
    with pytest.raises(EstimationError, match="It is 0"):
        schools_needed(TWO_LEVELS, effect=0)
    with pytest.raises(EstimationError, match="are not enough to find it"):
        schools_needed(TWO_LEVELS, effect=1e-4)
    with pytest.raises(EstimationError, match="Not even a change by the whole"):
        minimum_detectable_risk(TWO_LEVELS, control_risk=0.01)
    with pytest.raises(EstimationError, match="'sideways' is not known"):
        minimum_detectable_risk(TWO_LEVELS, control_risk=0.1, direction="sideways")  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="'both' is not known"):
        mdes(TWO_LEVELS, alternative="both")  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="Classes need a number"):
        WithinSchoolTrial(n_schools=5, pupils_per_school=5, icc=0.1, icc_class=0.1)
    with pytest.raises(EstimationError, match="leave nothing between pupils"):
        WithinSchoolTrial(n_schools=5, pupils_per_school=5, icc=0.6, icc_class=0.4, classes_per_school=2)
