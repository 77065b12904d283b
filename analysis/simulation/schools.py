"""The sampling frame of a simulated trial."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from analysis.simulation.names import convert_cyrillic_to_latin
from analysis.simulation.spec import SimulatedCountry, SimulatedTrial
from analysis.simulation.streams import stream

PRIOR_LOGIT_SD = 0.45
"""Standard deviation of a school's prior dropout rate about its type's, in log odds."""

PRIOR_MEAN = {"vocational": 3.2, "mixed": 3.5, "general": 4.0}
"""Mean mark (1-5, 5 is best) with which pupils enter, by school type."""

DISADVANTAGED = {"vocational": 0.35, "mixed": 0.25, "general": 0.15}
"""Share of disadvantaged pupils by school type."""

CLASSES_OF_A_SCHOOL = 4
"""Year groups in an upper secondary school: its size is this many times the first year."""

_TOWNS = {
    "HU": ("Szeged", "Miskolc", "Pécs", "Győr", "Eger", "Szolnok", "Kaposvár", "Ózd", "Salgótarján", "Baja"),
    "RS": ("Ниш", "Суботица", "Крагујевац", "Зрењанин", "Чачак", "Лесковац", "Ваљево", "Краљево", "Пирот", "Шабац"),
    "SI": ("Maribor", "Celje", "Kranj", "Velenje", "Koper", "Ptuj", "Trbovlje", "Sežana", "Jesenice", "Domžale"),
}
_SCHOOL_NAMES = {
    "HU": {"vocational": "{town}i Technikum {n}.", "general": "{town}i Gimnázium {n}."},
    "RS": {"vocational": "Техничка школа {n}, {town}", "general": "Гимназија {n}, {town}"},
    "SI": {"vocational": "Srednja poklicna šola {n}, {town}", "general": "Gimnazija {n}, {town}"},
}
_OTHER_NAMES = {"vocational": "Vocational School {n}", "general": "General School {n}"}


def simulate_schools(spec: SimulatedTrial, *, seed: int) -> pd.DataFrame:
    """Simulate the schools that take part.

    Parameters
    ----------
    spec
        The trial.
    seed
        Seed of the simulation, 0 or more.

    Returns
    -------
    pandas.DataFrame
        One row per school, sorted by `school_id`, with the fields of the standard school table: `school_id`, `name`,
        `country`, `region`, `settlement`, `type`, `size` (pupils), `prior_dropout_rate` (share), `prior_attainment`
        (mean entry mark, 1-5), `share_disadvantaged` (share), `director_since` (year), `consent` (always true).
        Nothing is missing.

    Examples
    --------
    >>> simulate_schools(SimulatedTrial.crocoos(), seed=1).groupby(["country", "type"]).size().to_dict()
    {('HU', 'general'): 9, ('HU', 'vocational'): 17, ('RS', 'general'): 7, ('RS', 'vocational'): 13, \
('SI', 'general'): 5, ('SI', 'vocational'): 11}
    """
    frames = [
        _simulate_country_schools(country, spec, stream(seed, f"schools {country.code}")) for country in spec.countries
    ]
    return pd.concat(frames, ignore_index=True).sort_values("school_id", ignore_index=True)


def _simulate_country_schools(
    country: SimulatedCountry, spec: SimulatedTrial, rng: np.random.Generator
) -> pd.DataFrame:
    n = country.n_schools
    kinds = np.array(["vocational"] * country.vocational + ["general"] * country.general)
    # Types come in no order, so that a school's number does not tell its type.
    kinds = kinds[rng.permutation(n)]
    numbers = country.first_school + np.arange(n)
    trouble = rng.standard_normal(n)
    low, high = spec.pupils_per_school
    first_year = rng.integers(low, high, size=n, endpoint=True)
    entry = _get_values_by_type(kinds, PRIOR_MEAN) - 0.12 * trouble + 0.14 * rng.standard_normal(n)
    disadvantaged = expit(
        logit(_get_values_by_type(kinds, DISADVANTAGED)) + 0.3 * trouble + 0.35 * rng.standard_normal(n)
    )
    return pd.DataFrame(
        {
            "school_id": [country.school_id_format.format(country=country.code, number=number) for number in numbers],
            "name": _build_school_names(country.code, kinds),
            "country": country.code,
            "region": [country.regions[i % len(country.regions)] for i in range(n)],
            "settlement": rng.choice(["city", "town", "village"], size=n, p=[0.4, 0.5, 0.1]),
            "type": kinds,
            "size": first_year * CLASSES_OF_A_SCHOOL,
            "prior_dropout_rate": compute_prior_rate(_get_values_by_type(kinds, spec.base_dropout), trouble).round(3),
            "prior_attainment": entry.clip(1.0, 5.0).round(2),
            "share_disadvantaged": disadvantaged.round(3),
            "director_since": spec.start_year - rng.integers(0, 16, size=n),
            "consent": True,
        }
    )


def compute_prior_rate(base: np.ndarray, trouble: np.ndarray) -> np.ndarray:
    """Dropout rate of the years before (share) of schools with the given standardised trouble."""
    rate: np.ndarray = expit(logit(base) + PRIOR_LOGIT_SD * trouble).clip(0.005, 0.6)
    return rate


def infer_prior_trouble(base: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Standardised trouble that a prior dropout rate tells of, within 3 either way; 0 where it is missing."""
    trouble = (logit(rate.clip(0.005, 0.6)) - logit(base)) / PRIOR_LOGIT_SD
    result: np.ndarray = np.nan_to_num(trouble, nan=0.0).clip(-3, 3)
    return result


def _get_values_by_type(kinds: np.ndarray, values: dict[str, float]) -> np.ndarray:
    return np.array([values[kind] for kind in kinds])


def _build_school_names(country: str, kinds: np.ndarray) -> list[str]:
    towns = _TOWNS.get(country, ("",))
    patterns = _SCHOOL_NAMES.get(country, _OTHER_NAMES)
    return [
        convert_cyrillic_to_latin(patterns[kind].format(n=i // len(towns) + 1, town=towns[i % len(towns)]))
        for i, kind in enumerate(kinds)
    ]
