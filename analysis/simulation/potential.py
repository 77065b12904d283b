"""Potential outcomes: what each pupil would do in either arm.

Every pupil has two expectations of each outcome, one per arm, and a realisation of either made from the same random
numbers. The true effect is the mean difference of the expectations over the pupils who were there at baseline; no
allocation enters it. Who leaves early depends on the school, the covariates and on the same disposition that makes
absences, so that early signals are worth something, as they are in schools.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm, poisson

from analysis.simulation.schools import DISADVANTAGED, PRIOR_MEAN, infer_prior_trouble
from analysis.simulation.spec import SimulatedOutcome, SimulatedTrial
from analysis.simulation.streams import stream

Numbers = NDArray[np.float64]

TRUE_OUTCOMES = ("dropout", "engagement", "belonging", "average_mark", "absences_unjustified")
"""Outcomes with a true effect, in the order of the correlations below."""

N_ITEMS = {"engagement": 4, "belonging": 3}
"""Items of each survey scale, answered from 1 to 5."""

GREATEST_ABSENCE = 80.0
"""Greatest expected unjustified absence in hours per month: a pupil who misses more is no longer at school."""

# Correlations between schools: their prior trouble first, then TRUE_OUTCOMES.
_CORRELATIONS = np.array(
    [
        [1.0, 0.6, -0.4, -0.3, -0.4, 0.5],
        [0.6, 1.0, -0.5, -0.4, -0.5, 0.6],
        [-0.4, -0.5, 1.0, 0.7, 0.4, -0.4],
        [-0.3, -0.4, 0.7, 1.0, 0.3, -0.3],
        [-0.4, -0.5, 0.4, 0.3, 1.0, -0.4],
        [0.5, 0.6, -0.4, -0.3, -0.4, 1.0],
    ]
)
# Slopes on prior average (a mark), disadvantaged and boy, centred.
_SLOPES = {
    "dropout": (-0.70, 0.50, 0.25),
    "engagement": (0.20, -0.15, -0.10),
    "belonging": (0.10, -0.15, 0.00),
    "average_mark": (0.75, -0.10, -0.08),
    "absences_unjustified": (-0.35, 0.30, 0.15),
}
# Standard deviations of pupils within schools, given the covariates.
_PUPIL_SD = {
    "dropout": float(np.pi / np.sqrt(3)),
    "engagement": 0.65,
    "belonging": 0.65,
    "average_mark": 0.45,
    "absences_unjustified": 0.80,
}
_ABSENCE_LOG_ODDS = 0.4  # of dropout, a standard deviation of the disposition to be absent
_ITEM_SD = 0.7
_STABLE = 0.7  # correlation of a pupil's disposition with the state in one wave
_SCALE_MEAN = {"engagement": 3.4, "belonging": 3.5}
_TYPICAL_ABSENCE = {"vocational": 5.0, "mixed": 4.0, "general": 2.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Potential:
    """Potential outcomes of the pupils, in the order of the rows that they were made from.

    Parameters
    ----------
    frame
        For each of `TRUE_OUTCOMES` the expectations `{outcome}_expected_0` and `_1` (0 is the reference arm) and the
        realisations `{outcome}_0` and `_1`.
    items
        Scale to answers at follow-up, shape (2, n_pupils, n_items), whole numbers from 1 to 5.
    items_baseline
        Scale to answers at baseline, shape (n_pupils, n_items).
    absences
        Unjustified hours by month of follow-up, shape (2, n_pupils, n_months).
    absences_baseline
        The same at baseline, shape (n_pupils, n_months).
    """

    frame: pd.DataFrame
    items: dict[str, Numbers]
    items_baseline: dict[str, Numbers]
    absences: Numbers
    absences_baseline: Numbers


def simulate_potential_outcomes(
    spec: SimulatedTrial, frame: pd.DataFrame, people: pd.DataFrame, *, seed: int
) -> Potential:
    """Simulate both arms' outcomes of every pupil.

    Parameters
    ----------
    spec
        The trial.
    frame
        Schools as `people.frame_of` returns them.
    people
        Pupils as `people.simulate_people` returns them.
    seed
        Seed of the simulation.
    """
    base = {name: _compute_pupil_predictor(name, people) for name in TRUE_OUTCOMES}
    for name, effects in _draw_school_effects(spec, frame, seed=seed).items():
        base[name] = base[name] + effects[people["school"].to_numpy()]
    shift = _draw_pupil_effects(spec, frame, people, seed=seed)
    rng = stream(seed, "dispositions")
    disposition = _draw_dispositions(len(people), rng)
    columns: dict[str, Numbers] = {}
    columns |= _simulate_dropout(
        spec, people, base["dropout"], shift["dropout"], disposition["absences_unjustified"], seed=seed
    )
    items, items_baseline = {}, {}
    for scale in N_ITEMS:
        scale_outcomes = _scale(scale, base[scale], shift[scale], disposition[scale], seed=seed)
        columns |= scale_outcomes[0]
        items[scale], items_baseline[scale] = scale_outcomes[1], scale_outcomes[2]
    columns |= _simulate_marks(people, base["average_mark"], shift["average_mark"], seed=seed)
    expected = _compute_absence_means(people, base, shift, disposition["absences_unjustified"])
    rng = stream(seed, "absences")
    at_baseline = rng.random((len(people), len(spec.months_baseline)))
    at_followup = rng.random((len(people), len(spec.months_followup)))
    absences = counts(at_followup, expected[:, :, None])
    columns |= _build_outcome_columns("absences_unjustified", expected, absences.mean(axis=2))
    return Potential(
        frame=pd.DataFrame(columns),
        items=items,
        items_baseline=items_baseline,
        absences=absences,
        absences_baseline=counts(at_baseline, 0.8 * expected[0][:, None]),
    )


def compute_true_effects(potential: pd.DataFrame, country: pd.Series) -> dict[str, dict[str, float]]:
    """Average the difference of the expectations, outcome by outcome.

    Parameters
    ----------
    potential
        The frame of `Potential`, limited to the pupils that the effect is about.
    country
        Their countries, in the same order.

    Returns
    -------
    dict
        Outcome to country to effect; country "" is all pupils together.
    """
    truth = {}
    for outcome in TRUE_OUTCOMES:
        difference = potential[f"{outcome}_expected_1"] - potential[f"{outcome}_expected_0"]
        by_country = difference.groupby(country.to_numpy()).mean()
        truth[outcome] = {"": float(difference.mean())} | {
            str(code): float(by_country[code]) for code in by_country.index
        }
    return truth


def counts(uniform: Numbers, mean: Numbers | float) -> Numbers:
    """Turn uniform numbers into Poisson counts with the given mean, by the inverse of the distribution.

    The same uniform number gives a count that never falls when the mean rises, which keeps a pupil the same pupil in
    either arm.
    """
    return np.asarray(poisson.ppf(uniform, mean), dtype=float)


def _compute_pupil_predictor(outcome: str, people: pd.DataFrame) -> Numbers:
    prior, disadvantaged, boy = _SLOPES[outcome]
    kind = people["type"]
    result: Numbers = (
        prior * (people["prior_average"] - kind.map(PRIOR_MEAN))
        + disadvantaged * (people["disadvantaged"].astype(float) - kind.map(DISADVANTAGED))
        + boy * ((people["gender"] == "boy").astype(float) - 0.5)
    ).to_numpy(dtype=float)
    return result


def _compute_school_sd(outcome: str, icc: float) -> float:
    return float(_PUPIL_SD[outcome] * np.sqrt(icc / (1 - icc)))


def _draw_school_effects(spec: SimulatedTrial, frame: pd.DataFrame, *, seed: int) -> dict[str, Numbers]:
    """Correlated school effects; what the prior dropout rate tells about them is kept to."""
    base = frame["type"].map(spec.base_dropout).to_numpy(dtype=float)
    trouble = infer_prior_trouble(base, frame["prior_dropout_rate"].to_numpy(dtype=float))
    fresh = stream(seed, "school effects").standard_normal((len(frame), len(TRUE_OUTCOMES)))
    root = np.linalg.cholesky(_CORRELATIONS)
    standard = np.column_stack([trouble, fresh]) @ root[1:].T
    return {
        name: standard[:, k] * _compute_school_sd(name, _get_outcome_spec(spec, name).icc)
        for k, name in enumerate(TRUE_OUTCOMES)
    }


def _get_outcome_spec(spec: SimulatedTrial, name: str) -> SimulatedOutcome:
    outcome: SimulatedOutcome = getattr(spec, name)
    return outcome


def draw_school_doses(spec: SimulatedTrial, frame: pd.DataFrame, *, seed: int) -> Numbers:
    """Part of the effect that each school would get if allocated: 1, or `weak_dose` in weak schools."""
    weak = stream(seed, "implementation").random(len(frame)) < spec.weak_schools
    return np.where(weak, spec.weak_dose, 1.0)


def _draw_pupil_effects(
    spec: SimulatedTrial, frame: pd.DataFrame, people: pd.DataFrame, *, seed: int
) -> dict[str, Numbers]:
    dose = draw_school_doses(spec, frame, seed=seed)[people["school"].to_numpy()]
    result = {}
    for name in TRUE_OUTCOMES:
        outcome = _get_outcome_spec(spec, name)
        by_country = {
            str(code): outcome.effect + outcome.effect_sd * stream(seed, f"effect {name} {code}").standard_normal()
            for code in frame["country"].unique()
        }
        result[name] = dose * people["country"].map(by_country).to_numpy(dtype=float)
    return result


def _draw_dispositions(n_pupils: int, rng: np.random.Generator) -> dict[str, Numbers]:
    """Draw standard normal dispositions: the engaged feel that they belong and are seldom absent."""
    engaged, belonging_part, absent = rng.standard_normal((3, n_pupils))
    return {
        "engagement": engaged,
        "belonging": 0.6 * engaged + 0.8 * belonging_part,
        "absences_unjustified": -0.3 * engaged + np.sqrt(1 - 0.3**2) * absent,
    }


def _build_outcome_columns(outcome: str, expected: Numbers, realised: Numbers) -> dict[str, Numbers]:
    return {
        f"{outcome}_expected_0": expected[0],
        f"{outcome}_expected_1": expected[1],
        f"{outcome}_0": realised[0],
        f"{outcome}_1": realised[1],
    }


def _simulate_dropout(
    spec: SimulatedTrial, people: pd.DataFrame, base: Numbers, shift: Numbers, absent: Numbers, *, seed: int
) -> dict[str, Numbers]:
    prior, disadvantaged, boy = _SLOPES["dropout"]
    school_variance = _compute_school_sd("dropout", spec.dropout.icc) ** 2
    spread = 0.4 * prior**2 + 0.2 * disadvantaged**2 + 0.25 * boy**2 + _ABSENCE_LOG_ODDS**2 + school_variance
    # Averaging a logistic curve over a spread flattens it; without this factor the mean would exceed the base rate
    # (Zeger, Liang and Albert 1988, Biometrics 44, 1049-1060).
    flattening = np.sqrt(1 + (16 * np.sqrt(3) / (15 * np.pi)) ** 2 * spread)
    intercept = people["type"].map({kind: logit(share) * flattening for kind, share in spec.base_dropout.items()})
    log_odds = intercept.to_numpy(dtype=float) + base + _ABSENCE_LOG_ODDS * absent
    expected = expit(np.stack([log_odds, log_odds + shift]))
    return _build_outcome_columns(
        "dropout", expected, (stream(seed, "dropout").random(len(people)) < expected).astype(float)
    )


def _scale(
    scale: str, base: Numbers, shift: Numbers, disposition: Numbers, *, seed: int
) -> tuple[dict[str, Numbers], Numbers, Numbers]:
    """Columns of one survey scale, its items at follow-up and at baseline."""
    rng = stream(seed, scale)
    states = rng.standard_normal((2, base.size))
    noise = _ITEM_SD * rng.standard_normal((2, base.size, N_ITEMS[scale]))
    state = _PUPIL_SD[scale] * (_STABLE * disposition + np.sqrt(1 - _STABLE**2) * states)
    before, after = _SCALE_MEAN[scale] + 0.1 + base + state[0], _SCALE_MEAN[scale] + base + state[1]
    latent = np.stack([after, after + shift])
    cuts = np.array([1.5, 2.5, 3.5, 4.5])
    expected = 1 + norm.sf((cuts - latent[:, :, None]) / _ITEM_SD).sum(axis=2)
    items = _round_answers(latent[:, :, None] + noise[1])
    return (
        _build_outcome_columns(scale, expected, items.mean(axis=2)),
        items,
        _round_answers(before[:, None] + noise[0]),
    )


def _round_answers(latent: Numbers) -> Numbers:
    return np.rint(latent).clip(1, 5)


def _simulate_marks(people: pd.DataFrame, base: Numbers, shift: Numbers, *, seed: int) -> dict[str, Numbers]:
    mean = people["type"].map(PRIOR_MEAN).to_numpy(dtype=float) - 0.1 + base
    means = np.stack([mean, mean + shift])
    sd = _PUPIL_SD["average_mark"]
    low, high = (1 - means) / sd, (5 - means) / sd
    # Mean of a normal variable that is cut off at the least and the greatest mark.
    expected = (
        norm.cdf(low)
        + 5 * norm.sf(high)
        + means * (norm.cdf(high) - norm.cdf(low))
        + sd * (norm.pdf(low) - norm.pdf(high))
    )
    realised = (means + sd * stream(seed, "marks").standard_normal(mean.size)).clip(1, 5).round(2)
    return _build_outcome_columns("average_mark", expected, realised)


def _compute_absence_means(
    people: pd.DataFrame, base: dict[str, Numbers], shift: dict[str, Numbers], absent: Numbers
) -> Numbers:
    name = "absences_unjustified"
    typical = np.log(people["type"].map(_TYPICAL_ABSENCE).to_numpy(dtype=float))
    log_mean = typical + base[name] + _PUPIL_SD[name] * absent
    return np.minimum(np.exp(np.stack([log_mean, log_mean + shift[name]])), GREATEST_ABSENCE)
