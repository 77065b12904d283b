"""The tables that schools keep: pupils, status, signals, survey, implementation, costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.simulation.potential import N_ITEMS, Numbers, Potential, counts
from analysis.simulation.spec import SimulatedTrial
from analysis.simulation.streams import stream

Flags = NDArray[np.bool_]

_PUPIL_FIELDS = [
    "school_id",
    "pupil_id",
    "name",
    "class",
    "grade",
    "birth_year",
    "gender",
    "disadvantaged",
    "prior_average",
    "consent",
    "wave",
]
_KEYS = ["school_id", "pupil_id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that is settled before the records are written.

    Arrays by school follow `schools`: `treated`, `doses`, `lost`, `without_survey` (which includes the lost ones).
    """

    spec: SimulatedTrial
    schools: pd.DataFrame
    people: pd.DataFrame
    potential: Potential
    treated: Flags
    doses: Numbers
    lost: Flags
    without_survey: Flags

    def by_pupil(self, by_school: np.ndarray) -> np.ndarray:
        """Value of each pupil's school."""
        value: np.ndarray = by_school[self.people["school"].to_numpy()]
        return value

    def observed(self, both: np.ndarray) -> np.ndarray:
        """Of potential values, shape (2, n_pupils, ...), those of the arm that the school has."""
        value: np.ndarray = both[self.by_pupil(self.treated).astype(int), np.arange(len(self.people))]
        return value

    def outcome(self, name: str) -> np.ndarray:
        """Realised outcome in the arm that the school has, shape (n_pupils,)."""
        return self.observed(self.potential.frame[[f"{name}_0", f"{name}_1"]].to_numpy().T)


def simulate_records(situation: Situation, *, seed: int) -> dict[str, pd.DataFrame]:
    """All tables, by name; each sorted by school, pupil and wave."""
    status = _draw_pupil_status(situation, seed=seed)
    still_there = (status == "enrolled") & ~situation.by_pupil(situation.lost)
    return {
        "pupil": _build_pupil_table(situation),
        "status": _build_status_table(situation, status, seed=seed),
        "signals": _build_signals_table(situation, still_there, seed=seed),
        "survey": _build_survey_table(situation, still_there, seed=seed),
        "implementation": _build_implementation_table(situation, seed=seed),
        "costs": _build_costs_table(situation, seed=seed),
    }


def _build_pupil_table(situation: Situation) -> pd.DataFrame:
    people = situation.people
    sent = ~(people["joined"].to_numpy() & situation.by_pupil(situation.lost))
    baseline, followup = situation.spec.waves
    wave = np.where(people["joined"], followup, baseline)
    table: pd.DataFrame = people.assign(wave=wave).loc[sent, _PUPIL_FIELDS]
    return table.reset_index(drop=True)


def _draw_pupil_status(situation: Situation, *, seed: int) -> np.ndarray:
    spec = situation.spec
    left = situation.outcome("dropout") == 1
    moving, unknown = stream(seed, "status").random((2, left.size))
    status = np.select([left, moving < spec.transfers], ["left_early", "transferred"], default="enrolled")
    share = np.where(left, spec.unknown_status_leavers, spec.unknown_status)
    return np.where(unknown < share, "unknown", status)


def _build_status_table(situation: Situation, status: np.ndarray, *, seed: int) -> pd.DataFrame:
    spec = situation.spec
    rng = stream(seed, "status details")
    first = pd.Timestamp(f"{spec.months_baseline[-1]}-01") + pd.DateOffset(months=1)
    last = pd.Timestamp(f"{spec.months_followup[0]}-01")
    days = pd.to_timedelta((rng.random(status.size) * (last - first).days).astype(int), unit="D")
    gone = np.isin(status, ["left_early", "transferred"])
    confirmed = pd.array(rng.random(status.size) >= spec.unconfirmed_transfers, dtype="boolean")
    confirmed[status != "transferred"] = pd.NA
    table = situation.people[_KEYS].assign(
        status=status,
        status_date=pd.Series(first + days).where(gone),
        destination_confirmed=confirmed,
        average_mark=np.where(status == "enrolled", situation.outcome("average_mark"), np.nan),
        wave=spec.waves[1],
    )
    return table[~situation.by_pupil(situation.lost)].reset_index(drop=True)


def _build_signals_table(situation: Situation, still_there: np.ndarray, *, seed: int) -> pd.DataFrame:
    spec, potential = situation.spec, situation.potential
    baseline, followup = spec.waves
    mark_before = situation.people["prior_average"].to_numpy()
    mark_after = situation.outcome("average_mark")
    absences = situation.observed(potential.absences)
    at_baseline = ~situation.people["joined"].to_numpy()
    parts = [
        _build_month_of_signals(situation, month, baseline, potential.absences_baseline[:, k], mark_before, seed=seed)[
            at_baseline
        ]
        for k, month in enumerate(spec.months_baseline)
    ] + [
        _build_month_of_signals(situation, month, followup, absences[:, k], mark_after, seed=seed)[still_there]
        for k, month in enumerate(spec.months_followup)
    ]
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


def _build_month_of_signals(
    situation: Situation, month: str, wave: str, unjustified: np.ndarray, mark: np.ndarray, *, seed: int
) -> pd.DataFrame:
    """One month's distress signals of every pupil."""
    rng = stream(seed, f"signals {month}")
    n = unjustified.size
    shown = (mark + 0.15 * rng.standard_normal(n)).clip(1, 5).round(1)
    lateness, notices, failing, justified = rng.random((4, n))
    frame = situation.people[_KEYS].assign(
        month=month,
        absences_justified=counts(justified, 6.0).astype(int),
        absences_unjustified=unjustified.astype(int),
        absences_undecided=0,  # registers are closed when they are sent
        lateness=counts(lateness, 0.5 + 0.15 * unjustified).astype(int),
        behaviour_notices=counts(notices, 0.15 + 0.03 * unjustified).astype(int),
        average_mark=shown,
        failing_subjects=counts(failing, np.exp(0.7 - 1.2 * (shown - 2.0))).clip(max=8).astype(int),
    )
    risky = (frame["absences_unjustified"] >= 15) | (frame["failing_subjects"] >= 3) | (frame["behaviour_notices"] >= 3)
    return frame.assign(risk_flag=risky, wave=wave)


def _build_survey_table(situation: Situation, still_there: np.ndarray, *, seed: int) -> pd.DataFrame:
    spec, potential = situation.spec, situation.potential
    answers = {scale: situation.observed(items) for scale, items in potential.items.items()}
    asked = still_there & ~situation.by_pupil(situation.without_survey)
    at_baseline = ~situation.people["joined"].to_numpy()
    baseline, followup = spec.waves
    parts = [
        _build_questionnaires(situation, baseline, potential.items_baseline, asked=at_baseline, seed=seed),
        _build_questionnaires(situation, followup, answers, asked=asked, seed=seed),
    ]
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


def _build_questionnaires(
    situation: Situation, wave: str, answers: dict[str, np.ndarray], *, asked: np.ndarray, seed: int
) -> pd.DataFrame:
    """List the questionnaires that came back in a wave; the index is the pupil's row."""
    spec, rng = situation.spec, stream(seed, f"questionnaires {wave}")
    n = len(situation.people)
    columns = {f"{scale}_{k + 1}": answers[scale][:, k] for scale in N_ITEMS for k in range(N_ITEMS[scale])}
    wish = 2.0 - 0.5 * (answers["engagement"].mean(axis=1) - 3.4) + 0.7 * rng.standard_normal(n)
    columns["leave_intent"] = np.rint(wish).clip(1, 4)
    answered: Flags = (rng.random(n) >= spec.survey_nonresponse) & asked
    is_answered = rng.random((n, len(columns))) >= spec.item_nonresponse
    table = situation.people[_KEYS].copy()
    for k, (name, values) in enumerate(columns.items()):
        table[name] = pd.Series(values, index=table.index).where(is_answered[:, k]).astype("Int64")
    table["wave"] = wave
    return table.loc[answered]


def _build_implementation_table(situation: Situation, *, seed: int) -> pd.DataFrame:
    """Count what pilot schools did in the year before follow-up; weak schools did a fraction of it."""
    dose, size = situation.doses, situation.schools["size"].to_numpy()
    # Random numbers for all schools, so that a school's record does not depend on who else is a pilot school.
    u = stream(seed, "implementation records").random((9, dose.size))
    opened = counts(u[3], 0.05 * size * dose)
    table = pd.DataFrame(
        {
            "school_id": situation.schools["school_id"],
            "team_meetings": counts(u[0], 16 * dose),
            "mentor_visits": counts(u[1], 9 * dose),
            "peer_events": counts(u[2], 3 * dose),
            "plans_opened": opened,
            "plans_reviewed": np.floor(opened * (0.5 + 0.5 * u[4])),
            "cross_sector_contacts": counts(u[5], 8 * dose),
            "afternoon_programmes": counts(u[6], 5 * dose),
            "director_commitment": np.rint(1.5 + 2.2 * dose + 1.5 * (u[7] - 0.5)).clip(1, 5),
        }
    )
    indicators = table.columns.drop("school_id")
    table[indicators] = table[indicators].astype("Int64")
    table["wave"] = situation.spec.waves[1]
    return table.loc[situation.treated & ~situation.lost].reset_index(drop=True)


def _build_costs_table(situation: Situation, *, seed: int) -> pd.DataFrame:
    """Hours and money of pilot schools, by the ingredients method; control schools have none."""
    known = {country.code: country for country in situation.spec.countries}
    noise = stream(seed, "costs").normal(1.0, 0.15, size=(3, len(situation.schools))).clip(0.5, 1.5)
    rows: list[dict[str, object]] = []
    for j in np.flatnonzero(situation.treated & ~situation.lost):
        code, dose = situation.schools["country"].iloc[j], situation.doses[j]
        currency, hourly, materials = ("EUR", 15.0, 600.0)
        if code in known:
            currency, hourly, materials = known[code].currency, known[code].hourly_cost, known[code].materials
        shared = {"currency": currency, "price_year": situation.spec.start_year}
        school = {"school_id": situation.schools["school_id"].iloc[j]}
        hours = {"team_time": round(180 * dose * noise[0, j]), "mentor_time": round(90 * dose * noise[1, j])}
        rows += [
            school | {"item": item, "hours": float(spent), "amount": round(spent * hourly, 2)} | shared
            for item, spent in hours.items()
        ]
        rows.append(
            school | {"item": "materials", "hours": np.nan, "amount": round(materials * noise[2, j], 2)} | shared
        )
    return pd.DataFrame(rows, columns=["school_id", "item", "hours", "amount", "currency", "price_year"])
