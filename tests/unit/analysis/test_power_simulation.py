"""Power by simulation agrees with the formulas where these hold, and with the test's level where nothing is true."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.power import SchoolTrial, power_of
from analysis.power_simulation import TrueOutcome, latent_icc, simulated_power
from analysis.published_iccs import DESIGN_PARAMETERS, PRETEST, design_parameters
from analysis.specs import Question
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
        latent = latent_icc(icc, risk=risk)
        generator = np.random.default_rng(1)
        from scipy.special import ndtri

        school = generator.standard_normal(400_000) * latent**0.5
        one, other = (school + generator.standard_normal((2, 400_000)) * (1 - latent) ** 0.5) < ndtri(risk)
        assert np.corrcoef(one, other)[0, 1] == pytest.approx(icc, abs=0.01)
    assert latent_icc(0.0, risk=0.3) == 0


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
