"""Pupils and what is known of them before anything happens."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.simulation.names import draw_names
from analysis.simulation.schools import CLASSES_OF_A_SCHOOL, DISADVANTAGED, PRIOR_MEAN
from analysis.simulation.spec import SimulatedCountry, SimulatedTrial
from analysis.simulation.streams import stream

CLASS_SIZE = 30
"""Greatest number of pupils in a class."""

_GIRLS = {"vocational": 0.42, "mixed": 0.50, "general": 0.57}


def build_school_frame(spec: SimulatedTrial, schools: pd.DataFrame) -> pd.DataFrame:
    """Prepare the school table: sorted, every predictor there.

    Returns
    -------
    pandas.DataFrame
        `school_id`, `country`, `type` and, as floats, `size`, `prior_dropout_rate`, `prior_attainment`,
        `share_disadvantaged`; sorted by `school_id`. A predictor that `schools` lacks or misses has the value that is
        usual for the type; a type that is missing or unknown is "mixed".
    """
    frame = schools[["school_id", "country"]].copy()
    kind = schools["type"] if "type" in schools else pd.Series("mixed", index=schools.index)
    frame["type"] = kind.where(kind.isin(list(PRIOR_MEAN)), "mixed").astype(str)
    usual = {
        "size": dict.fromkeys(PRIOR_MEAN, sum(spec.pupils_per_school) / 2 * CLASSES_OF_A_SCHOOL),
        "prior_dropout_rate": spec.base_dropout,
        "prior_attainment": PRIOR_MEAN,
        "share_disadvantaged": DISADVANTAGED,
    }
    for column, by_type in usual.items():
        known = schools[column] if column in schools else pd.Series(np.nan, index=schools.index)
        frame[column] = pd.to_numeric(known).astype(float).fillna(frame["type"].map(by_type))
    return frame.sort_values("school_id", ignore_index=True)


def simulate_people(spec: SimulatedTrial, frame: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Simulate the pupils at baseline and those who join later.

    Parameters
    ----------
    spec
        The trial.
    frame
        Schools as `frame_of` returns them.
    seed
        Seed of the simulation.

    Returns
    -------
    pandas.DataFrame
        One row per pupil, by school: the fields of the pupil table, `country`, `type`, `school` (row of `frame`) and
        `joined` (whether the pupil came after baseline).
    """
    rng = stream(seed, "people")
    low, high = spec.pupils_per_school
    at_baseline = np.rint(frame["size"].to_numpy() / CLASSES_OF_A_SCHOOL).clip(low, high).astype(int)
    joining = rng.binomial(at_baseline, spec.joiners)
    school = np.repeat(np.arange(len(frame)), at_baseline + joining)
    within = np.concatenate([np.arange(n) for n in at_baseline + joining])
    kind = frame["type"].to_numpy()[school]
    gender = _draw_genders(kind, rng)
    disadvantaged = rng.random(school.size) < frame["share_disadvantaged"].to_numpy()[school]
    prior = (
        frame["prior_attainment"].to_numpy()[school]
        - 0.2 * (disadvantaged - frame["share_disadvantaged"].to_numpy()[school])
        + 0.12 * (gender == "girl")
        - 0.06
        + 0.6 * rng.standard_normal(school.size)
    )
    # A pupil in five repeated a year or started late.
    years = spec.start_year - 15 - (rng.random(school.size) < 0.2)
    people = pd.DataFrame(
        {
            "school_id": frame["school_id"].to_numpy()[school],
            "country": frame["country"].to_numpy()[school],
            "type": kind,
            "school": school,
            "joined": within >= at_baseline[school],
            "birth_year": years,
            "gender": gender,
            "disadvantaged": disadvantaged,
            "prior_average": prior.clip(1.0, 5.0).round(2),
            "consent": True,
        }
    )
    return _assign_pupil_identities(people, within, spec, frame, seed=seed)


def _draw_genders(kind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.random(kind.size)
    girls = np.array([_GIRLS[name] for name in kind])
    return np.select([drawn < girls, drawn < 0.997], ["girl", "boy"], default="other")


def _assign_pupil_identities(
    people: pd.DataFrame, within: np.ndarray, spec: SimulatedTrial, frame: pd.DataFrame, *, seed: int
) -> pd.DataFrame:
    """Give each pupil an identifier, a name, a class and a grade."""
    rng = stream(seed, "names")
    known = {country.code: country for country in spec.countries}
    cyrillic = (rng.random(len(frame)) < 0.5)[people["school"].to_numpy()]
    columns: dict[str, list[object]] = {"pupil_id": [], "name": [], "class": [], "grade": []}
    order: list[np.ndarray] = []
    numbers = frame.groupby("country").cumcount().to_numpy()[people["school"].to_numpy()]
    for code in sorted(people["country"].unique()):
        rows = np.flatnonzero(people["country"] == code)
        country = known.get(code, SimulatedCountry(code=code, vocational=1, general=0))
        girls = (people["gender"] == "girl").to_numpy()[rows]
        columns["name"] += draw_names(country.code, girls, cyrillic=cyrillic[rows], rng=rng)
        columns["pupil_id"] += [
            country.pupil_id_format.format(
                number=country.first_school + numbers[row], pupil=within[row] + 1, year=spec.start_year % 100
            )
            for row in rows
        ]
        columns["class"] += [f"{country.grade}.{'abcdefgh'[within[row] // CLASS_SIZE % 8]}" for row in rows]
        columns["grade"] += [country.grade] * rows.size
        order.append(rows)
    identities = pd.DataFrame(columns, index=np.concatenate(order)).sort_index()
    return pd.concat([people, identities], axis=1)
