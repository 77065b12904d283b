"""What the outcomes' models offer in tests and intervals, family by family, with the truth that each is about."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import outcome_trials as trials
import pandas as pd
from outcome_trials import ARMS, Scenario
from scipy import special

from analysis import Estimate, Model, fit_linear_clustered, randomisation_inference
from analysis.binary import risk_effects
from analysis.counts import rate_effects
from analysis.gee import fit_gee
from analysis.ordinal import ordinal_effects
from analysis.time_to_event import fit_cox

TERM = "arm[pilot]"
LEFT = Model(outcome="left", school="school", arm="arm", arms=ARMS)
ABSENT = Model(outcome="absent", school="school", arm="arm", arms=ARMS)
ANSWER = Model(outcome="answer", school="school", arm="arm", arms=ARMS)
_MANY_SCHOOLS = 3000

Found = Iterator[tuple[str, Estimate, float | None]]


def _re_draws(frame: pd.DataFrame, n_draws: int, seed: int) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    by_school = frame.drop_duplicates("school")
    actual = (by_school["arm"] == "pilot").to_numpy().astype(int)
    draws = np.random.default_rng(seed).permuted(np.tile(actual, (n_draws, 1)), axis=1)
    return tuple(map(str, by_school["school"])), actual, draws


def risks(scenario: Scenario, seed: int) -> Found:
    """Yield the headline of a dropout trial, by every road."""
    frame, truth = trials.leaving(scenario, seed), scenario.difference()
    effects = risk_effects(frame, LEFT)
    yield "logistic, risk difference (delta)", effects.row("risk_difference", "pilot"), truth
    ratio = scenario.share(treated=True) / scenario.share(treated=False)
    yield "logistic, risk ratio (delta)", effects.row("risk_ratio", "pilot"), ratio
    row = effects.fit.estimate(TERM)
    yield "logistic, log odds ratio", row, scenario.effect
    coefficients = effects.fit.coefficients
    if coefficients is not None:
        place = coefficients.names.index(TERM)
        error = math.sqrt(coefficients.vcov[place, place])
        z, half = row.estimate / error, 1.96 * error
        wald = Estimate(p_value=2 * special.ndtr(-abs(z)), conf_low=row.estimate - half, conf_high=row.estimate + half)
        yield "(glmer's Wald z of the log odds ratio)", wald, scenario.effect
    yield "linear, CR2, risk difference", fit_linear_clustered(frame, LEFT).estimate(TERM), truth
    for kind in ("kauermann_carroll", "fay_graubard", "mancl_derouen", "robust"):
        yield f"GEE, {kind}, risk difference", fit_gee(frame, LEFT, se_type=kind).difference(TERM), truth
    schools, actual, draws = _re_draws(frame, 399, seed)
    inverted = randomisation_inference(frame, LEFT, schools=schools, actual=actual, draws=draws)["pilot"]
    row = Estimate(p_value=inverted.p_value, conf_low=inverted.conf_low, conf_high=inverted.conf_high)
    yield "re-draws of the linear model, inverted", row, truth


def bootstrap(scenario: Scenario, seed: int) -> Found:
    """Yield the bootstrap of whole schools, 399 draws."""
    frame = trials.leaving(scenario, seed)
    effects = risk_effects(frame, LEFT, interval="cluster_bootstrap", n_bootstrap=399, seed=seed)
    row = effects.row("risk_difference", "pilot")
    yield "logistic, risk difference (cluster bootstrap)", row, scenario.difference()


def times(scenario: Scenario, seed: int) -> Found:
    """Yield what is said of the hazard of leaving."""
    frame = trials.leaving(scenario, seed)
    hazard = log_hazard_ratio(scenario)
    yield "Cox, schools left out in turn", fit_cox(frame, LEFT, time="time").estimate(TERM), hazard
    yield "Cox, school sandwich", fit_cox(frame, LEFT, time="time", se_type="school_robust").estimate(TERM), hazard


@lru_cache
def log_hazard_ratio(scenario: Scenario) -> float:
    """Return what Cox's model converges to: hazards over all schools are not proportional, so by a very large trial."""
    if scenario.effect == 0:
        return 0.0
    many = Scenario(n_schools=_MANY_SCHOOLS, dropout=scenario.dropout, icc=scenario.icc, effect=scenario.effect)
    return fit_cox(trials.leaving(many, 1), LEFT, time="time", se_type="school_robust").estimate(TERM).estimate


def counted(scenario: Scenario, seed: int) -> Found:
    """Yield differences in days and rate ratios of overdispersed counts."""
    frame = trials.counts(scenario, seed)
    yield from _rates(frame, scenario)
    fit = fit_gee(frame, ABSENT, link="log", exposure="days")
    yield "GEE with a log link, log rate ratio", fit.estimate(TERM), scenario.effect


def counted_with_zeros(scenario: Scenario, seed: int) -> Found:
    """Yield the same where a fifth of the pupils is never absent, by the models that know of them."""
    yield from _rates(trials.counts_with_zeros(scenario, seed), scenario, never=trials.NEVER_ABSENT)


def _rates(frame: pd.DataFrame, scenario: Scenario, *, never: float = 0.0) -> Found:
    """Yield differences in days and rate ratios, with zero inflation where a share is ``never`` absent."""
    mean_days = float(frame["days"].mean()) / float(np.mean(trials.COUNT_DAYS))
    days = (1 - never) * trials.rate_difference(scenario) * mean_days
    for family in ("negative_binomial", "poisson"):
        effects = rate_effects(frame, ABSENT, family=family, exposure="days", zero_inflated=never > 0)
        name = ("zero-inflated " if never else "") + family.replace("_", " ")
        yield f"{name}, difference in days", effects.row("mean_difference", "pilot"), days
        yield f"{name}, rate ratio", effects.row("rate_ratio", "pilot"), math.exp(scenario.effect)


def ordered(scenario: Scenario, seed: int) -> Found:
    """Yield differences of shares and odds ratios of answers in four categories."""
    effects = ordinal_effects(trials.answers(scenario, seed), ANSWER)
    truth = trials.answers_difference(scenario)
    quantity = "share_difference_above_1"
    known = {row.quantity for row in effects.rows}
    if quantity in known:
        yield "ordinal, difference of shares", effects.row(quantity, "pilot"), truth
    yield "ordinal, odds ratio", effects.row("odds_ratio", "pilot"), math.exp(scenario.effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Methods that one trial serves.

    Parameters
    ----------
    title
        Of its tables.
    found
        Yields a name, a row, and the truth that its interval should hold (None where there is none to know).
    trials
        Trials a scenario without an effect, and with one.
    by_dropout
        Whether scenarios differ by dropout.
    """

    title: str
    found: Callable[[Scenario, int], Found]
    trials: tuple[int, int]
    by_dropout: bool = True


FAMILIES: dict[str, Family] = {
    "risks": Family(title="Left or not", found=risks, trials=(100, 80)),
    "times": Family(title="Time to leaving", found=times, trials=(80, 80)),
    "counts": Family(title="Days of absence", found=counted, trials=(250, 250), by_dropout=False),
    "ordinal": Family(title="Ordered answers", found=ordered, trials=(120, 120), by_dropout=False),
    "bootstrap": Family(title="Left or not: bootstrap", found=bootstrap, trials=(60, 16)),
    "zeros": Family(title="Days of absence, never absent", found=counted_with_zeros, trials=(60, 40), by_dropout=False),
}
