"""Power by simulation agrees with the formulas where these hold, and with the test's level where nothing is true."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from analysis.power import SchoolTrial, power_of
from analysis.power_simulation import TrueOutcome, compute_school_loadings, find_latent_icc, simulated_power
from analysis.published_iccs import DESIGN_PARAMETERS, PRETEST, design_parameters
from analysis.questions import Question
from data_schema.errors import EstimationError
from randomisation import Arm, Constraint, Design

SCHOOLS = pd.DataFrame(
    {
        "school_id": [f"{n:02d}" for n in range(40)],
        "country": ["HU", "RS"] * 20,
        "size": [20] * 40,
        "prior": np.random.default_rng(1).normal(size=40),
    }
)
DESIGN = Design(arms=(Arm(name="control"), Arm(name="pilot")), strata=("country",))


def question(*, kind: str = "continuous", model: str = "linear_mixed") -> Question:
    values: dict[str, object] = {"plan_entry": "main", "outcome": "y", "role": "primary", "arms": DESIGN.names}
    return Question(kind=kind, model=model, **values)  # type: ignore[arg-type]


def test_it_agrees_with_the_formula() -> None:
    truth = TrueOutcome(effect=0.4, icc=0.1, r2_school=0.4, r2_pupil=0.3)
    found = simulated_power(SCHOOLS, DESIGN, truth, question=question(), n_simulations=300)
    size = SchoolTrial(
        n_schools=40, pupils_per_school=20, icc=0.1, r2_school=0.4, r2_pupil=0.3, n_strata=2, n_covariates=1
    )
    assert found.power == pytest.approx(power_of(size, effect=0.4), abs=3.5 * found.mc_error)
    assert found.mean_estimate == pytest.approx(0.4, abs=3.5 * found.sd_estimate / 300**0.5)
    assert found.mean_std_error == pytest.approx(found.sd_estimate, rel=0.15)
    assert found.coverage > 0.91
    assert str(found).startswith(f"power {found.power:.3f} (Monte Carlo error 0.0")


def test_without_an_effect_it_is_the_level_of_the_test() -> None:
    constraint = Constraint(variables=("prior",), best_share=0.3)
    design = Design(arms=DESIGN.arms, strata=("country",), constraint=constraint)
    found = simulated_power(
        SCHOOLS, design, TrueOutcome(effect=0.0, icc=0.2, r2_strata=0.5), question=question(), n_simulations=300
    )
    assert found.power < 0.05 + 3.5 * (0.05 * 0.95 / 300) ** 0.5


def test_a_binary_outcome_has_the_risks_and_the_correlation_that_are_stated() -> None:
    truth = TrueOutcome(effect=-0.1, icc=0.1, control_risk=0.25)
    asked = question(kind="binary", model="linear_cluster")
    found = simulated_power(SCHOOLS, DESIGN, truth, question=asked, n_simulations=150)
    assert found.mean_estimate == pytest.approx(-0.1, abs=3.5 * found.sd_estimate / 150**0.5)
    size = SchoolTrial(n_schools=40, pupils_per_school=20, icc=0.1)
    variance = (0.25 * 0.75 + 0.15 * 0.85) / 2
    assert found.sd_estimate == pytest.approx(size.std_error * variance**0.5, rel=0.2)


def test_a_time_until_an_event_has_the_power_of_its_share_where_all_are_seen_to_the_horizon() -> None:
    truth = TrueOutcome(effect=-0.1, icc=0.1, control_risk=0.25)
    shares = question(kind="binary", model="linear_cluster")
    times = replace(shares, kind="time_to_event", model="survival_cluster", horizon=9.0)
    found, same = (
        simulated_power(SCHOOLS, DESIGN, truth, question=asked, n_simulations=20) for asked in (times, shares)
    )
    assert (found.power, found.mean_estimate) == pytest.approx((same.power, same.mean_estimate))
    assert found.sd_estimate == pytest.approx(same.sd_estimate)


def test_simulations_are_the_same_however_many_there_are_and_progress_is_told() -> None:
    truth = TrueOutcome(effect=0.4, icc=0.1)
    told: list[tuple[int, int]] = []
    found = simulated_power(
        SCHOOLS.iloc[::-1], DESIGN, truth, question=question(), pupils=10, n_simulations=4, seed="s",
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    again = simulated_power(SCHOOLS, DESIGN, truth, question=question(), pupils=10, n_simulations=4, seed="s")
    assert again == found
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_latent_correlations_give_back_the_correlation_of_the_values() -> None:
    for icc, risk in ((0.02, 0.1), (0.2, 0.5), (0.5, 0.9)):
        latent = find_latent_icc(icc, risk=risk)
        generator = np.random.default_rng(1)
        from scipy.special import ndtri

        school = generator.standard_normal(400_000) * latent**0.5
        one, other = (school + generator.standard_normal((2, 400_000)) * (1 - latent) ** 0.5) < ndtri(risk)
        assert np.corrcoef(one, other)[0, 1] == pytest.approx(icc, abs=0.01)
    assert find_latent_icc(0.0, risk=0.3) == 0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"icc": 1.0}, "1.0 is no such share"),
        ({"r2_strata": 0.6, "r2_school": 0.6}, "1.2 is no such share"),
        ({"control_risk": 0.3}, "make no risks"),
    ],
)
def test_an_impossible_truth_cannot_be_made(changes: dict[str, float], problem: str) -> None:
    with pytest.raises(EstimationError, match=problem):
        TrueOutcome(**{"effect": -0.4, "icc": 0.1, **changes})


def test_what_cannot_be_simulated_is_said() -> None:
    truth = TrueOutcome(effect=0.4, icc=0.1)
    with pytest.raises(EstimationError, match="1 is too few"):
        simulated_power(SCHOOLS, DESIGN, truth, question=question(), n_simulations=1)
    with pytest.raises(EstimationError, match="no column 'pupils'"):
        simulated_power(SCHOOLS, DESIGN, truth, question=question(), pupils="pupils")
    with pytest.raises(EstimationError, match="A school has no pupils"):
        simulated_power(SCHOOLS.assign(size=0), DESIGN, truth, question=question())
    with pytest.raises(EstimationError, match="The outcome is binary"):
        simulated_power(SCHOOLS, DESIGN, truth, question=question(kind="binary"))


def test_every_published_correlation_has_a_source_and_lies_in_its_range() -> None:
    table = design_parameters()
    assert len(table) == len(DESIGN_PARAMETERS)
    assert table["source"].str.contains(r"\(20\d\d\)").all()
    ranged = table.dropna()
    assert ((ranged["icc_low"] < ranged["icc"]) & (ranged["icc"] < ranged["icc_high"])).all()
    assert "(2007)" in PRETEST


@pytest.mark.parametrize("matched", [False, True])
def test_lost_schools_move_simulation_and_formula_alike(matched: bool) -> None:
    from randomisation import Matching

    matching = Matching(variables=("prior",)) if matched else None
    design = Design(arms=DESIGN.arms, kind="matched" if matched else "stratified", matching=matching)
    truth = TrueOutcome(effect=0.0, icc=0.3)
    found = simulated_power(
        SCHOOLS, design, truth, question=question(), n_simulations=100, schools_lost=0.3, pupils_lost=0.5
    )
    size = SchoolTrial(
        n_schools=40, pupils_per_school=20, icc=0.3, n_strata=20 if matched else 1, schools_lost=0.3, pupils_lost=0.5
    )
    assert found.sd_estimate == pytest.approx(size.std_error, rel=0.15)
    if matched:
        # Without what the broken pairs lose, the formula would promise a fifth more precision.
        assert size.std_error == pytest.approx(replace(size, n_strata=1).std_error / 0.7**0.5)


def test_each_country_has_the_correlation_that_is_stated_for_it() -> None:
    truth = TrueOutcome(effect=0.0, icc={"HU": 0.6, "RS": 0.0})
    loadings = compute_school_loadings(truth, SCHOOLS["country"])
    assert loadings["other"][:2] ** 2 == pytest.approx([0.6, 0.0])
    assert loadings["noise"][:2] ** 2 == pytest.approx([0.4, 1.0])
    found = simulated_power(SCHOOLS, DESIGN, truth, question=question(), n_simulations=100)
    one = SchoolTrial(n_schools=40, pupils_per_school=20, icc=0.3, n_strata=2)
    assert found.sd_estimate == pytest.approx(one.std_error, rel=0.15)
    with pytest.raises(EstimationError, match="none of RS"):
        compute_school_loadings(replace(truth, icc={"HU": 0.1}), SCHOOLS["country"])


def test_covariates_explain_the_shares_of_a_binary_outcome_that_are_stated() -> None:
    truth = TrueOutcome(effect=0.0, icc=0.08, control_risk=0.15, r2_strata=0.2, r2_school=0.4, r2_pupil=0.2)
    own = {name: float(part[0]) for name, part in compute_school_loadings(truth, pd.Series(["HU"])).items()}
    assert sum(part**2 for part in own.values()) == pytest.approx(1)
    generator = np.random.default_rng(3)
    strata, known, other = generator.standard_normal((3, 300_000))
    level = own["strata"] * strata + own["school"] * known + own["other"] * other
    baseline, noise = generator.standard_normal((2, 2, 300_000))
    event = level + own["pupil"] * baseline + own["noise"] * noise < NormalDist().inv_cdf(0.15)
    variance = 0.15 * 0.85
    between = np.cov(event[0], event[1])[0, 1]
    assert between / variance == pytest.approx(0.08, abs=0.006)
    assert np.cov(event[0], known)[0, 1] ** 2 / (0.08 * variance) == pytest.approx(0.4, abs=0.03)
    assert np.cov(event[0], baseline[0])[0, 1] ** 2 / (0.92 * variance) == pytest.approx(0.2, abs=0.01)
    with pytest.raises(EstimationError, match="explains that much of an event"):
        compute_school_loadings(replace(truth, r2_pupil=0.6), pd.Series(["HU"]))
