"""The simulated CroCooS trial, whose true effects are known: intervals hold the truth as often as they say.

Populations of schools and pupils are simulated with both potential outcomes; each is allocated anew, many times, within
strata of country and school type, and analysed as the plan of such a trial would. The truth is the population's own:
the mean difference of its pupils' expectations.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from analysis import Fit, Model, design_columns
from analysis.clustered import fit_clustered_columns
from analysis.linear import fit_mixed_columns
from analysis.simulation import SimulatedTrial, simulate_pupils, simulate_schools
from analysis.terms import Columns

pytestmark = pytest.mark.slow

N_POPULATIONS, N_ALLOCATIONS = 12, 25
N_TRIALS = N_POPULATIONS * N_ALLOCATIONS
# Three Monte Carlo standard errors below 95 %. Above it intervals may lie: effects differ from school to school, and
# then the usual variance is too large for the average effect of the schools at hand (Neyman 1923).
LEAST = 0.95 - 3 * math.sqrt(0.05 * 0.95 / N_TRIALS)
COVARIATES = ("prior_average", "disadvantaged", "prior_dropout_rate")
PLACES = ("", "HU", "RS", "SI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Pupils with both potential outcomes, and what is true of them."""

    pupils: pd.DataFrame
    schools: pd.DataFrame
    truth: dict[str, dict[str, float]]


def simulated(seed: int) -> Population:
    spec = SimulatedTrial.crocoos()
    schools = simulate_schools(spec, seed=seed)
    data = simulate_pupils(spec, schools, dict.fromkeys(schools["school_id"], "control"), seed=seed)
    baseline = data.tables["pupil"].query("wave == 'baseline'")[
        ["school_id", "pupil_id", "prior_average", "disadvantaged"]
    ]
    pupils = data.potential.merge(baseline, on=["school_id", "pupil_id"]).merge(
        schools[["school_id", "type", "prior_dropout_rate"]], on="school_id"
    )
    pupils["disadvantaged"] = pupils["disadvantaged"].astype(float)
    pupils["stratum"] = pupils["country"] + " " + pupils["type"]
    schools = schools.assign(stratum=schools["country"] + " " + schools["type"])
    return Population(pupils=pupils, schools=schools, truth=data.truth)


@pytest.fixture(scope="module")
def populations() -> list[Population]:
    return [simulated(seed) for seed in range(N_POPULATIONS)]


def allocations(population: Population, *, seed: int) -> Iterator[dict[str, bool]]:
    """Half of each stratum to the pilot, the odd school by chance."""
    rng = np.random.default_rng(seed)
    for _ in range(N_ALLOCATIONS):
        chosen: dict[str, bool] = {}
        for _, stratum in population.schools.groupby("stratum"):
            rank = rng.permutation(len(stratum))
            half = len(stratum) // 2 + (len(stratum) % 2) * int(rng.integers(2))
            chosen |= dict(zip(stratum["school_id"], rank < half, strict=True))
        yield chosen


def columns_of(pupils: pd.DataFrame, outcome: str) -> Columns:
    """Columns of the plan's model, the arm's column to be filled in by each allocation."""
    model = Model(
        outcome=f"{outcome}_0", school="school_id", covariates=COVARIATES, strata="stratum", arm=None, arms=()
    )
    columns = design_columns(pupils, model)
    return replace(
        columns,
        names=(columns.names[0], "arm[pilot]", *columns.names[1:]),
        x=np.insert(columns.x, 1, 0.0, axis=1),
        arm_terms={"pilot": "arm[pilot]"},
    )


def fits(population: Population, outcome: str, place: str, *, seed: int) -> Iterator[Fit]:
    pupils = population.pupils if place == "" else population.pupils.query("country == @place")
    columns = columns_of(pupils, outcome)
    off, on = (pupils[f"{outcome}_{arm}"].to_numpy() for arm in (0, 1))
    for chosen in allocations(population, seed=seed):
        pilot = pupils["school_id"].map(chosen).to_numpy(dtype=bool)
        x = columns.x.copy()
        x[:, 1] = pilot
        filled = replace(columns, x=x, y=np.where(pilot, on, off))
        yield fit_clustered_columns(filled) if outcome == "dropout" else fit_mixed_columns(filled)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("outcome", ["dropout", "engagement"])
def test_intervals_hold_the_simulated_truth(populations: list[Population], outcome: str, place: str) -> None:
    held, errors, spread = [], [], []
    for seed, population in enumerate(populations):
        truth = population.truth[outcome][place]
        for fit in fits(population, outcome, place, seed=seed):
            row = fit.estimate("arm[pilot]")
            held.append(row.conf_low <= truth <= row.conf_high)
            errors.append(row.estimate - truth)
            spread.append(row.std_error)
    assert len(held) == N_TRIALS
    assert np.mean(held) > LEAST
    # Not by being vague: the estimates scatter about the truth as much as their standard errors say, and on both sides.
    assert float(np.std(errors)) > 0.75 * float(np.mean(spread))
    # The mean error of twelve populations scatters by 0.07 of a trial's standard error.
    assert abs(float(np.mean(errors))) < 0.3 * float(np.std(errors))


@pytest.mark.parametrize("outcome", ["dropout", "engagement"])
def test_intervals_do_not_hold_what_is_not_true(populations: list[Population], outcome: str) -> None:
    rows = [
        fit.estimate("arm[pilot]")
        for seed, population in enumerate(populations)
        for fit in fits(population, outcome, "", seed=seed)
    ]
    assert np.mean([row.conf_low <= 0 <= row.conf_high for row in rows]) < 0.5
    for population in populations:
        assert population.truth["dropout"][""] < -0.015
        assert population.truth["engagement"][""] > 0.08
