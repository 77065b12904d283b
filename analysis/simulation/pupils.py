"""What schools would send about the pupils of a simulated trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.simulation.people import build_school_frame, simulate_people
from analysis.simulation.potential import (
    Potential,
    compute_true_effects,
    draw_school_doses,
    simulate_potential_outcomes,
)
from analysis.simulation.records import Situation, simulate_records
from analysis.simulation.spec import SimulatedTrial
from analysis.simulation.streams import stream
from data_schema.errors import DesignError

_KEYS = ["school_id", "pupil_id", "country"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedData:
    """A simulated trial's data, and the truth behind them.

    Parameters
    ----------
    schools
        The school table that the pupils were simulated for, sorted by `school_id`.
    tables
        Standard table to its rows, with the field names of `data_schema.tables`: `pupil`, `status`, `signals`,
        `survey`, `implementation`, `costs`. Pupils are under their raw `pupil_id` and `name`, as schools send them.
        Every table but `costs` has a column `wave`. The pupil table lists at baseline the pupils who were there, and
        at follow-up only those who joined.
    truth
        Outcome to country to the true effect of being allocated to the arm, in the units of the data: a risk
        difference (share) for `dropout`, points for `engagement` and `belonging` (mean of the items), marks for
        `average_mark`, hours a month for `absences_unjustified`. Country "" is all countries together, each pupil
        counting once. It is about the pupils at baseline in all schools, also those that were lost, and does not
        depend on the allocation.
    potential
        One row per pupil at baseline: `school_id`, `pupil_id`, `country` and for each outcome of `truth` the
        expectations `{outcome}_expected_0` and `_1` (0 is the reference arm) and the realisations `{outcome}_0`, `_1`.
    """

    schools: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    truth: dict[str, dict[str, float]]
    potential: pd.DataFrame


def simulate_pupils(
    spec: SimulatedTrial, schools: pd.DataFrame, allocation: Mapping[str, str], *, seed: int
) -> SimulatedData:
    """Simulate the pupils of a trial, from baseline to follow-up.

    The same seed with another allocation gives the same pupils with the same baseline and the same potential outcomes;
    the order of the schools' rows is of no effect.

    Parameters
    ----------
    spec
        The trial.
    schools
        School table; `school_id` and `country` are needed. `type`, `size`, `prior_dropout_rate`, `prior_attainment`
        and `share_disadvantaged` are used where they are there, so that a real frame can be rehearsed with.
    allocation
        School to arm, for every school; the arms are those of `spec`.
    seed
        Seed of the simulation, 0 or more.

    Returns
    -------
    SimulatedData
        The tables and the truth.

    Raises
    ------
    DesignError
        When a school has no arm, or an arm that `spec` does not know.

    Examples
    --------
    >>> from analysis.simulation import SimulatedTrial, simulate_schools
    >>> spec = SimulatedTrial.small()
    >>> schools = simulate_schools(spec, seed=1)
    >>> everyone = dict.fromkeys(schools["school_id"], "control")
    >>> data = simulate_pupils(spec, schools, everyone, seed=1)
    >>> int((data.tables["pupil"]["wave"] == "baseline").sum())
    240
    >>> data.truth["dropout"][""] < 0
    True
    """
    frame = build_school_frame(spec, schools)
    treated = _find_treated_schools(spec, frame, allocation)
    people = simulate_people(spec, frame, seed=seed)
    potential = simulate_potential_outcomes(spec, frame, people, seed=seed)
    lost, without_survey = _draw_silent_schools(spec, len(frame), seed=seed)
    situation = Situation(
        spec=spec,
        schools=frame,
        people=people,
        potential=potential,
        treated=treated,
        doses=draw_school_doses(spec, frame, seed=seed),
        lost=lost,
        without_survey=without_survey,
    )
    there = ~people["joined"].to_numpy()
    return SimulatedData(
        schools=schools.sort_values("school_id", ignore_index=True),
        tables=simulate_records(situation, seed=seed),
        truth=compute_true_effects(potential.frame[there], people.loc[there, "country"]),
        potential=_select_present_pupils(people, potential, there),
    )


def _find_treated_schools(spec: SimulatedTrial, frame: pd.DataFrame, allocation: Mapping[str, str]) -> np.ndarray:
    arms = [allocation.get(school) for school in frame["school_id"]]
    for school, arm in zip(frame["school_id"], arms, strict=True):
        if arm not in (spec.arm, spec.reference_arm):
            raise DesignError(
                f"allocation, school {school}",
                "it has no arm." if arm is None else f"arm {arm!r} is not one of the simulated trial.",
                f"Give it {spec.arm!r} or {spec.reference_arm!r}.",
            )
    return np.array([arm == spec.arm for arm in arms])


def _draw_silent_schools(spec: SimulatedTrial, n_schools: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Schools that send nothing at follow-up, and those whose survey alone is missing."""
    rank = stream(seed, "silent schools").permutation(n_schools)
    lost = rank < spec.schools_lost
    return lost, (rank < spec.schools_lost + spec.schools_without_survey) | lost


def _select_present_pupils(people: pd.DataFrame, potential: Potential, there: np.ndarray) -> pd.DataFrame:
    return pd.concat([people[_KEYS], potential.frame], axis=1)[there].reset_index(drop=True)
