"""Simulated trials whose truths are known, answered by the function that fills results/estimates.csv.

A cell is a kind of trial. Each simulated trial of it is answered by `estimate_effects`, and each row of the answer that
has an interval or a p-value is held against the truth of its quantity. A quantity without a truth here is an error, so
that a new one cannot be printed without having been simulated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from hashlib import sha256
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd
from scipy import optimize, stats

from analysis.effects import estimate_effects
from analysis.questions import Question
from analysis.results import Estimate
from analysis.time_to_event import fit_cox
from analysis.variance_components import design_components

Kind = Literal["continuous", "binary", "count", "ordinal", "time_to_event"]

Layout = Literal["strata", "pairs", "three_arms", "countries", "quarter"]
"""Half of the schools of each of four strata; pairs; three arms; three countries apart; a quarter in the pilot arm."""

ARMS = ("control", "pilot", "full")
COVARIATE_SHARE = 0.3
"""Share of pupils' variance of a score that the covariate explains."""

COVARIATE_SLOPE = 0.3
"""Slope of the covariate on the log odds of an event, and of a higher answer."""

SCHOOL_SPREAD = 0.4
"""Standard deviation of schools' log odds, of events and of answers."""

COUNT_SPREAD, COUNT_SLOPE, DISPERSION = 0.3, 0.2, 0.8
"""Of counts: standard deviation of schools' log rates, slope of the covariate on them, and dispersion of pupils."""

THRESHOLDS = (-2.0, -0.8, 0.4, 1.6)
"""Of answers in five categories: log odds of a category or a lower one in the middle school of the reference arm."""

HORIZON, FOLLOW_UP = 12.0, 18.0
"""Months by which pupils with an event are counted, and until which they are followed."""

LOST = (0.2, 0.35)
"""Share of pupils who are lost from view before the horizon, in the reference arm and in the others."""

MANY_SCHOOLS = 6000
"""Schools of a trial that shows what a quantity without a formula converges to."""

APART = 0.8
"""How far apart neighbouring countries' means are, in standard deviations."""

STRATUM_SHIFT = 0.2
"""How far apart neighbouring strata's means are, in standard deviations."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(61)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A kind of trial.

    Parameters
    ----------
    model
        Model of the plan.
    layout
        How schools are drawn.
    n_schools
        Randomised schools.
    control, treated
        Risk in the reference arm and in the first arm compared with it; for a score their means in standard deviations,
        for a count their means, for answers by how much the log odds of a higher one are moved.
    kind
        Of the outcome.
    icc
        Intraclass correlation of a score within arms and strata.
    treated_spread
        How many times the pilot schools' deviations are those of the others.
    n_draws
        Re-draws; 0 for no randomisation inference.
    """

    model: str
    layout: Layout
    n_schools: int
    control: float
    treated: float
    kind: Kind
    icc: float = 0.15
    treated_spread: float = 1.0
    n_draws: int = 0

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms of the trial, the reference first."""
        return ARMS if self.layout == "three_arms" else ARMS[:2]

    @property
    def name(self) -> str:
        """What tables call it."""
        what = f"d = {self.treated - self.control:g}"
        if self.kind == "binary":
            what = f"{100 * self.control:g} % → {100 * self.treated:g} %"
        if self.kind == "time_to_event":
            what = f"{100 * self.control:g} % → {100 * self.treated:g} % within a time, some lost"
        if self.kind == "count":
            what = f"{self.control:g} → {self.treated:g} days"
        if self.kind == "ordinal":
            what = f"odds ratio {math.exp(self.treated - self.control):.2f}"
        spread = "" if self.treated_spread == 1 else f", pilot schools' deviations × {self.treated_spread:g}"
        redrawn = ", with re-draws" if self.n_draws else ""
        return f"{self.model}, {self.layout}, {self.n_schools} schools, {what}{spread}{redrawn}"

    def mean_of(self, arm: str) -> float:
        """Return the risk or mean of an arm; a third arm is like the reference, so that its contrasts have truths."""
        stated = self.stated_of(arm)
        return 1 + sum(shares_above(stated)) if self.kind == "ordinal" else stated

    def stated_of(self, arm: str) -> float:
        """Return what the cell states of an arm: ``control`` or ``treated``."""
        return self.treated if arm == "pilot" else self.control


RISKS = ((0.03, 0.03), (0.05, 0.05), (0.15, 0.15), (0.05, 0.15), (0.15, 0.05), (0.05, 0.10))
"""Risks in the reference arm and in the pilot arm."""


def cells() -> tuple[Cell, ...]:
    """Return the kinds of trials that the table of estimates is simulated in."""
    every, middle = (8, 12, 20, 40, 60), (12, 20, 40)
    both: tuple[str, ...] = ("linear_mixed", "linear_cluster")
    scored = [_score(n, treated, model=model) for model, n, treated in product(both, every, (0.0, 0.8))]
    # All risks where schools are fewest, in the middle and most; between them those without and with a large effect.
    some = (RISKS[2], *RISKS[3:5])
    shares = [_event(n, risks) for n in every for risks in (some if n in (12, 40) else RISKS)]
    others: tuple[str, ...] = ("linear_mixed", "logistic_mixed")
    shares += [_event(n, risks, model=model) for model, n, risks in product(others, middle, (RISKS[1], *RISKS[3:5]))]
    layouts: dict[Layout, tuple[int, ...]] = {"pairs": (8, 20, 60), "three_arms": (12, 24, 60), "countries": (24, 60)}
    for layout, numbers in layouts.items():
        scored += [_score(n, treated, layout=layout) for n, treated in product(numbers, (0.0, 0.8))]
        shares += [_event(n, (0.05, 0.15), layout=layout) for n in numbers]
    answering = ("linear_mixed", "linear_cluster", "ordinal_mixed")
    answers = [_answer(model, n, treated) for model, n, treated in product(answering, middle, (0.0, 0.6))]
    leaving = [_time(n, risks) for n, risks in product(middle, (RISKS[1], *RISKS[2:5:2]))]
    uneven = _score(12, 0.0, layout="quarter")
    counting = ("linear_mixed", "linear_cluster", "count_mixed")
    counts = [_count(model, n, treated) for model, n, treated in product(counting, middle, (6.0, 4.0))]
    return (
        *map(_redrawn, scored),
        *shares,
        *counts,
        *answers,
        *map(_redrawn, leaving),
        uneven,
        replace(uneven, treated_spread=3.0),
    )


def _redrawn(cell: Cell) -> Cell:
    """Return a cell with randomisation inference, where it is simulated: its other rows are the same without."""
    models = ("linear_mixed", "survival_cluster")
    chosen = cell.layout != "countries" and cell.model in models and cell.n_schools in (8, 20, 24)
    return replace(cell, n_draws=199) if chosen else cell


def _score(n_schools: int, treated: float, *, model: str = "linear_mixed", layout: Layout = "strata") -> Cell:
    return Cell(model=model, layout=layout, n_schools=n_schools, control=0.0, treated=treated, kind="continuous")


def _count(model: str, n_schools: int, treated: float) -> Cell:
    return Cell(model=model, layout="strata", n_schools=n_schools, control=6.0, treated=treated, kind="count")


def _answer(model: str, n_schools: int, treated: float) -> Cell:
    return Cell(model=model, layout="strata", n_schools=n_schools, control=0.0, treated=treated, kind="ordinal")


def _time(n_schools: int, risks: tuple[float, float]) -> Cell:
    return replace(_event(n_schools, risks, model="survival_cluster"), kind="time_to_event")


def _event(
    n_schools: int, risks: tuple[float, float], *, model: str = "linear_cluster", layout: Layout = "strata"
) -> Cell:
    control, treated = risks
    return Cell(model=model, layout=layout, n_schools=n_schools, control=control, treated=treated, kind="binary")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One simulated trial: pupils, the drawn schools in order, their arms' positions and the re-draws."""

    pupils: pd.DataFrame
    schools: tuple[str, ...]
    actual: np.ndarray
    draws: np.ndarray | None


def simulate_trial(cell: Cell, seed: int) -> Trial:
    """Simulate a trial of a cell: 10 to 30 pupils per school, one covariate, strata by rank."""
    # Each cell has trials of its own: the same deviations in several cells would say the same thing several times.
    rng = np.random.default_rng([seed, *sha256(cell.name.encode()).digest()[:8]])
    strata, countries = _strata_of(cell)
    actual = _draw(cell, strata, rng)
    sizes = rng.integers(10, 31, cell.n_schools)
    school = np.repeat(np.arange(cell.n_schools), sizes)
    covariate = rng.normal(size=len(school))
    outcome = _outcomes(cell, strata, countries, actual, school, covariate, rng)
    names = np.array([f"S{place:03d}" for place in range(cell.n_schools)])
    pupils = pd.DataFrame(
        {
            "outcome": outcome,
            "covariate": covariate,
            "school_id": names[school],
            "arm": np.array(cell.arms)[actual[school]],
            "stratum": np.array([f"s{place}" for place in strata])[school],
        }
    )
    if cell.kind == "time_to_event":
        pupils["outcome"], pupils["outcome.time"] = _seen(outcome, actual[school], rng)
    if cell.layout == "countries":
        pupils["country"] = np.array(["AA", "BB", "CC"])[countries[school]]
    draws = np.stack([_draw(cell, strata, rng) for _ in range(cell.n_draws)]) if cell.n_draws else None
    return Trial(pupils=pupils, schools=tuple(names), actual=actual, draws=draws)


def _strata_of(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Return each school's stratum and country."""
    places = np.arange(cell.n_schools)
    if cell.layout == "pairs":
        return places // 2, np.zeros(cell.n_schools, dtype=int)
    if cell.layout == "countries":
        country = places * 3 // cell.n_schools
        return 2 * country + places % 2, country
    n_strata = 1 if cell.layout == "quarter" or cell.n_schools < 12 else 2 if cell.n_schools < 20 else 4
    return places % n_strata, np.zeros(cell.n_schools, dtype=int)


def _draw(cell: Cell, strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the position of each school's arm: equal shares per stratum, left-over schools by lot."""
    arms = np.zeros(cell.n_schools, dtype=int)
    n_arms = len(cell.arms)
    for stratum in np.unique(strata):
        members = rng.permutation(np.flatnonzero(strata == stratum))
        if cell.layout in ("quarter",):
            arms[members[: len(members) // 3]] = 1
            continue
        order = rng.permutation(n_arms)
        arms[members] = order[np.arange(len(members)) % n_arms]
    return arms


def _outcomes(
    cell: Cell,
    strata: np.ndarray,
    countries: np.ndarray,
    actual: np.ndarray,
    school: np.ndarray,
    covariate: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    spread = np.where(actual == 1, cell.treated_spread, 1.0)
    if cell.kind == "count":
        rates = np.log([cell.mean_of(arm) for arm in cell.arms]) - (COUNT_SPREAD**2 + COUNT_SLOPE**2) / 2
        level = rates[actual] + COUNT_SPREAD * rng.normal(size=cell.n_schools)
        pupils = rng.gamma(1 / DISPERSION, DISPERSION, len(school))
        counts: np.ndarray = rng.poisson(np.exp(level[school] + COUNT_SLOPE * covariate) * pupils).astype(float)
        return counts
    if cell.kind == "ordinal":
        moved = np.array([cell.stated_of(arm) for arm in cell.arms])[actual] + SCHOOL_SPREAD * rng.normal(
            size=cell.n_schools
        )
        latent = moved[school] + COVARIATE_SLOPE * covariate + rng.logistic(size=len(school))
        scores: np.ndarray = 1.0 + np.digitize(latent, THRESHOLDS)
        return scores
    if cell.kind in ("binary", "time_to_event"):
        levels = np.array([_intercept(cell.mean_of(arm)) for arm in cell.arms])
        school_level = levels[actual] + SCHOOL_SPREAD * rng.normal(size=cell.n_schools)
        risk: np.ndarray = 1 / (1 + np.exp(-(school_level[school] + COVARIATE_SLOPE * covariate)))
        if cell.kind == "time_to_event":
            return risk
        events: np.ndarray = (rng.random(len(school)) < risk).astype(float)
        return events
    means = np.array([cell.mean_of(arm) for arm in cell.arms])
    school_level = (
        means[actual]
        + _shift_of(cell, strata, countries)
        + spread * math.sqrt(cell.icc) * rng.normal(size=cell.n_schools)
    )
    within = 1 - cell.icc
    noise = math.sqrt(within * (1 - COVARIATE_SHARE)) * rng.normal(size=len(school))
    outcomes: np.ndarray = school_level[school] + math.sqrt(within * COVARIATE_SHARE) * covariate + noise
    return outcomes


def _seen(risk: np.ndarray, arm: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return who was seen to have the event, and until when each pupil was seen.

    Hazards are constant, such that the risk is that of an event by the horizon.
    """
    event = rng.exponential(-HORIZON / np.log1p(-risk))
    lost = rng.exponential(-HORIZON / np.log1p(-np.where(arm == 0, *LOST)))
    until = np.minimum(lost, FOLLOW_UP)
    return (event <= until).astype(float), np.minimum(event, until)


def _shift_of(cell: Cell, strata: np.ndarray, countries: np.ndarray) -> np.ndarray:
    """Return how far each school's stratum or country is from the first one, in standard deviations."""
    shift: np.ndarray = APART * countries if cell.layout == "countries" else STRATUM_SHIFT * (strata % 4)
    return shift


@lru_cache(maxsize=64)
def _intercept(risk: float) -> float:
    """Return the log odds at which schools' and pupils' deviations average to a risk."""
    spread = math.hypot(SCHOOL_SPREAD, COVARIATE_SLOPE)

    def excess(level: float) -> float:
        return float(_WEIGHTS @ (1 / (1 + np.exp(-(level + spread * _NODES)))) / _WEIGHTS.sum()) - risk

    return float(optimize.brentq(excess, -12, 12))


@lru_cache(maxsize=64)
def shares_above(moved: float, *, spread: float = math.hypot(SCHOOL_SPREAD, COVARIATE_SLOPE)) -> tuple[float, ...]:
    """Return the shares of pupils above each category but the highest, over schools' and pupils' deviations."""
    eta = moved + spread * _NODES - np.array(THRESHOLDS)[:, None]
    return tuple(float(_WEIGHTS @ (1 / (1 + np.exp(-row))) / _WEIGHTS.sum()) for row in eta)


def question_of(cell: Cell) -> Question:
    """Return what the plan asks in a trial of a cell."""
    return Question(
        plan_entry="main",
        outcome="outcome",
        kind=cell.kind,
        role="primary",
        model=cell.model,
        arms=cell.arms,
        covariates=("covariate",),
        horizon=HORIZON if cell.kind == "time_to_event" else math.nan,
        strata=None if len(set(_strata_of(cell)[0])) == 1 else "stratum",
    )


def answer(cell: Cell, seed: int) -> list[Estimate]:
    """Simulate a trial and return the rows that results/estimates.csv would have."""
    trial = simulate_trial(cell, seed)
    return estimate_effects(
        trial.pupils, question_of(cell), schools=trial.schools, actual=trial.actual, draws=trial.draws
    )


Truth = Callable[[Cell, str, str], float]
"""The truth of a quantity in a cell, for an arm and the one that it is compared with; NaN where the cell has none."""


def _difference(cell: Cell, arm: str, reference: str) -> float:
    if arm == "any":
        others = [cell.mean_of(other) for other in cell.arms[1:]]
        return sum(others) / len(others) - cell.control
    return cell.mean_of(arm) - cell.mean_of(reference)


def _odds(risk: float) -> float:
    return risk / (1 - risk)


def _marginal_odds_ratio(cell: Cell, arm: str, reference: str) -> float:
    return _odds(cell.mean_of(arm)) / _odds(cell.mean_of(reference))


def _superiority(cell: Cell, arm: str, reference: str) -> float:
    low, high = (-np.diff([1.0, *shares_above(cell.stated_of(one)), 0.0]) for one in (reference, arm))
    return float(high @ (np.cumsum(low) - low / 2))


def _share_difference(place: int, cell: Cell, arm: str, reference: str) -> float:
    high, low = (shares_above(cell.stated_of(one))[place] for one in (arm, reference))
    return high - low


def _odds_ratio(cell: Cell, arm: str, reference: str) -> float:
    if cell.kind == "ordinal":
        return math.exp(cell.stated_of(arm) - cell.stated_of(reference))
    return math.exp(_intercept(cell.mean_of(arm)) - _intercept(cell.mean_of(reference)))


def _needed(cell: Cell, arm: str, reference: str) -> float:
    difference = _difference(cell, arm, reference)
    return -1 / difference if difference else math.inf


def _icc(cell: Cell, _arm: str, _reference: str) -> float:
    """Within arms and strata; of an event only where the arms are alike, else the correlation differs by arm."""
    if cell.kind == "count":
        return _icc_of_counts(cell.control) if cell.control == cell.treated else math.nan
    if cell.kind == "continuous":
        return cell.icc if cell.treated_spread == 1 else math.nan
    if cell.control != cell.treated:
        return math.nan
    if cell.kind == "ordinal":
        return _icc_of_scores(cell.control)
    if cell.kind == "time_to_event":
        return _in_many_schools(replace(cell, n_schools=20, n_draws=0))[1]
    level = _intercept(cell.control)
    risks = np.array(
        [_WEIGHTS @ (1 / (1 + np.exp(-(level + SCHOOL_SPREAD * u + COVARIATE_SLOPE * _NODES)))) for u in _NODES]
    )
    weights = _WEIGHTS / _WEIGHTS.sum()
    risks = risks / _WEIGHTS.sum()
    between = float(weights @ risks**2 - (weights @ risks) ** 2)
    return between / (cell.control * (1 - cell.control))


@lru_cache(maxsize=64)
def _in_many_schools(cell: Cell) -> tuple[float, float]:
    """Return the hazard ratio and the intraclass correlation to which those of a cell's trials converge.

    Hazards are proportional given the school and the covariate and not over all schools, and pupils' parts in a share
    vary by more than events do.
    """
    trial, question = simulate_trial(replace(cell, n_schools=MANY_SCHOOLS, n_draws=0), 0), question_of(cell)
    prepared = question.outcome_kind.prepare(trial.pupils, question)
    model = replace(question.effect_model(), outcome="outcome.event")
    fit = fit_cox(prepared, model, time="outcome.time", se_type="school_robust")
    ratio = 1.0 if cell.control == cell.treated else math.exp(fit.estimate("arm[pilot]").estimate)
    return ratio, design_components(prepared, question).icc


def _icc_of_counts(mean: float) -> float:
    """Return the share of the variance of counts that lies between schools, by the moments of log-normal rates."""
    between = mean**2 * math.expm1(COUNT_SPREAD**2)
    squared = mean**2 * math.exp(COUNT_SPREAD**2 + COUNT_SLOPE**2)
    return between / (mean + (1 + DISPERSION) * squared - mean**2)


def _icc_of_scores(moved: float) -> float:
    """Return the share of the variance of scores that lies between schools, by quadrature over schools and pupils."""
    weights = _WEIGHTS / _WEIGHTS.sum()
    means = [1 + sum(shares_above(moved + SCHOOL_SPREAD * u, spread=COVARIATE_SLOPE)) for u in _NODES]
    between = float(weights @ np.square(means) - (weights @ means) ** 2)
    shares = -np.diff([1.0, *shares_above(moved), 0.0])
    scores = np.arange(1, len(shares) + 1)
    return between / float(shares @ scores**2 - (shares @ scores) ** 2)


def _standardised(cell: Cell, arm: str, reference: str) -> float:
    """Return the difference in deviations; NaN where these differ by arm: of counts and answers with an effect."""
    difference = _difference(cell, arm, reference)
    if cell.treated_spread != 1 or (cell.kind in ("count", "ordinal") and difference):
        return math.nan
    return difference


def _standardised_unconditionally(cell: Cell, arm: str, reference: str) -> float:
    """Return the difference in deviations of a model that knows neither arms nor strata: their means add to it."""
    strata, countries = _strata_of(cell)
    actual = _draw(cell, strata, np.random.default_rng(0))
    means = np.array([cell.mean_of(name) for name in cell.arms])[actual] + _shift_of(cell, strata, countries)
    return _standardised(cell, arm, reference) / math.sqrt(1 + float(np.var(means, ddof=1)))


def _further_country(cell: Cell, arm: str, reference: str) -> float:
    """Return the effect in a further country: the same here, since effects do not differ between countries."""
    return _difference(cell, arm, reference)


TRUTHS: Mapping[str, Truth] = {
    "difference": _difference,
    "pooled_difference": _difference,
    "prediction_interval": _further_country,
    "randomisation_test": _difference,
    "randomisation_interval": _difference,
    "difference_robust": _difference,
    "hedges_g": _standardised,
    "hedges_g_unconditional": _standardised_unconditionally,
    "risk_ratio": lambda cell, arm, reference: cell.mean_of(arm) / cell.mean_of(reference),
    "rate_ratio": lambda cell, arm, reference: cell.mean_of(arm) / cell.mean_of(reference),
    "marginal_odds_ratio": _marginal_odds_ratio,
    "odds_ratio": _odds_ratio,
    "hazard_ratio": lambda cell, _arm, _reference: _in_many_schools(replace(cell, n_schools=20, n_draws=0))[0],
    "cox_index": lambda cell, arm, reference: math.log(_marginal_odds_ratio(cell, arm, reference)) / 1.65,
    "number_needed_to_treat": _needed,
    "probability_of_superiority": _superiority,
    **{f"share_difference_above_{place + 1}": partial(_share_difference, place) for place in range(len(THRESHOLDS))},
    "icc": _icc,
}
"""Quantity to its truth."""

NO_EFFECT: Mapping[str, float] = {
    **dict.fromkeys(("risk_ratio", "rate_ratio", "marginal_odds_ratio", "odds_ratio", "hazard_ratio"), 1.0),
    "probability_of_superiority": 0.5,
}
"""What a quantity is without an effect, where that is not 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one row of one simulated trial stood to the truth.

    ``held`` is None without an interval or truth, ``rejected`` None without a p-value or where there is an effect.
    """

    quantity: str
    place: str
    cautioned: bool
    failed: bool
    held: bool | None
    rejected: bool | None


def outcomes_of(cell: Cell, seed: int) -> Iterator[Outcome]:
    """Give how every row with an interval or a p-value of a simulated trial stood to the truth."""
    for row in answer(cell, seed):
        has_interval = not (math.isnan(row.conf_low) and math.isnan(row.conf_high))
        has_test = not math.isnan(row.p_value)
        if not (has_interval or has_test or (row.status == "failed" and row.quantity in TRUTHS)):
            continue
        truth = TRUTHS[row.quantity](cell, row.arm, row.reference or cell.arms[0])
        at_null = math.isclose(truth, NO_EFFECT.get(row.quantity, 0.0), abs_tol=1e-12) or math.isinf(truth)
        yield Outcome(
            quantity=row.quantity,
            place="country" if row.country else "all",
            cautioned=bool(row.caution),
            failed=row.status == "failed",
            held=None if math.isnan(truth) or not has_interval else _holds(row, truth),
            rejected=row.p_value <= 0.05 if at_null and has_test else None,
        )


def _holds(row: Estimate, truth: float) -> bool:
    """Whether a row's interval holds the truth; that of a number needed to treat may pass through infinity."""
    if row.quantity == "number_needed_to_treat":
        low, high = (math.inf if end == 0 else 1 / end for end in (row.conf_low, row.conf_high))
        return min(low, high) - 1e-12 <= (0.0 if math.isinf(truth) else 1 / truth) <= max(low, high) + 1e-12
    return row.conf_low - 1e-12 <= truth <= row.conf_high + 1e-12


def lowest_honest(n_trials: int, *, level: float = 0.95, probability: float = 0.001) -> float:
    """Return the coverage that an honest interval falls short of with a small probability in a number of trials."""
    return float(stats.binom.ppf(probability, n_trials, level)) / n_trials if n_trials else 0.0


def highest_honest(n_trials: int, *, level: float = 0.05, probability: float = 0.001) -> float:
    """Return the rejection rate that an honest test exceeds with a small probability in a number of trials."""
    return float(stats.binom.isf(probability, n_trials, level)) / n_trials if n_trials else 1.0


def judge(table: pd.DataFrame) -> pd.DataFrame:
    """Return counts of cells with coverage, rejection rate and whether either is dishonest without a caution.

    A caution excuses a row, and whether a row has one depends on its data: those without are no sample of all, and an
    honest interval can fail among them. So a rate is dishonest only when both that of all rows and that of the rows
    without a caution are outside what chance allows.

    Parameters
    ----------
    table
        One row per cell and quantity with ``intervals``, ``held``, ``tests``, ``rejected`` of rows without a caution,
        and the same of rows with one.

    Returns
    -------
    DataFrame
        ``coverage`` and ``rejection`` are those of all rows.
    """
    intervals, held = (table[name] + table[f"cautioned_{name}"] for name in ("intervals", "held"))
    tests, rejected = (table[name] + table[f"cautioned_{name}"] for name in ("tests", "rejected"))
    too_low = _is_short(intervals, held) & _is_short(table["intervals"], table["held"])
    too_high = _is_above(tests, rejected) & _is_above(table["tests"], table["rejected"])
    coverage, rejection = held / intervals.where(intervals > 0), rejected / tests.where(tests > 0)
    return table.assign(coverage=coverage, rejection=rejection, dishonest=too_low | too_high)


def _is_short(intervals: pd.Series, held: pd.Series) -> pd.Series:
    return held / intervals.where(intervals > 0) < intervals.map(lowest_honest)


def _is_above(tests: pd.Series, rejected: pd.Series) -> pd.Series:
    return rejected / tests.where(tests > 0) > tests.map(highest_honest)
