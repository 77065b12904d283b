"""Trials of known truth for the outcomes' models: rare events, times, counts, ordered answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import optimize, special

ARMS = ("control", "pilot")
PUPILS = 50
TERMS = 6
LATENT = math.pi / math.sqrt(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One kind of trial.

    Parameters
    ----------
    n_schools
        Half of them in each arm.
    dropout
        Share who leave in the reference arm.
    icc
        Of the latent logistic scale; for counts it sets the schools' standard deviation too.
    effect
        Log odds ratio (of leaving, of a higher answer), or log rate ratio.
    """

    n_schools: int
    dropout: float
    icc: float
    effect: float

    @property
    def school_sd(self) -> float:
        """Standard deviation of the school intercept."""
        return math.sqrt(self.icc / (1 - self.icc)) * LATENT

    def intercept(self) -> float:
        """Return the log odds of the middle school that make the reference arm's dropout."""
        return _intercept(self.dropout, self.school_sd)

    def share(self, *, treated: bool) -> float:
        """Return the share who leave in an arm."""
        return share(self.intercept() + (self.effect if treated else 0.0), self.school_sd)

    def difference(self) -> float:
        """Return the true risk difference."""
        return self.share(treated=True) - self.share(treated=False)


def share(intercept: float, school_sd: float) -> float:
    """Average a logistic share over schools."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    return float(weights @ special.expit(intercept + school_sd * nodes) / weights.sum())


@lru_cache
def _intercept(dropout: float, school_sd: float) -> float:
    return float(optimize.brentq(lambda at: share(at, school_sd) - dropout, -12, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Schools:
    """Who is in which school and arm: sizes vary by a third, arms are drawn."""

    school: np.ndarray
    pilot: np.ndarray
    level: np.ndarray

    @classmethod
    def of(cls, scenario: Scenario, rng: np.random.Generator) -> Schools:
        """Draw sizes, arms, and a standard normal level a school, as arrays by pupil."""
        sizes = np.maximum(np.rint(rng.gamma(9, PUPILS / 9, size=scenario.n_schools)).astype(int), 5)
        pilot = rng.permutation(scenario.n_schools) % 2 == 0
        school = np.repeat(np.arange(scenario.n_schools), sizes)
        return cls(school=school, pilot=pilot[school], level=rng.standard_normal(scenario.n_schools)[school])

    def frame(self) -> pd.DataFrame:
        """Return schools and arms, one row per pupil."""
        return pd.DataFrame({"school": self.school, "arm": np.where(self.pilot, "pilot", "control")})


def leaving(scenario: Scenario, seed: int) -> pd.DataFrame:
    """Draw who left, and in which of six terms; a logistic model with a normal school intercept."""
    rng = np.random.default_rng(seed)
    schools = Schools.of(scenario, rng)
    odds = scenario.intercept() + scenario.effect * schools.pilot + scenario.school_sd * schools.level
    left = rng.random(len(odds)) < special.expit(odds)
    return schools.frame().assign(
        left=left.astype(int),
        time=np.where(left, rng.integers(1, TERMS + 1, size=len(left)), TERMS).astype(float),
    )


COUNT_MEAN = 6.0
COUNT_DAYS = (100, 180)


def count_sd(scenario: Scenario) -> float:
    """Return the schools' standard deviation of log rates: 0.14, 0.28 and 0.39 for an ICC of 0.02, 0.08 and 0.15."""
    return math.sqrt(scenario.icc)


def counts(scenario: Scenario, seed: int) -> pd.DataFrame:
    """Draw days of absence: negative binomial of dispersion 1 given the school, in 100 to 180 school days."""
    rng = np.random.default_rng(seed)
    schools = Schools.of(scenario, rng)
    days = rng.integers(*COUNT_DAYS, size=len(schools.school), endpoint=True)
    rate = np.exp(scenario.effect * schools.pilot + count_sd(scenario) * schools.level)
    mean = COUNT_MEAN * days / np.mean(COUNT_DAYS) * rate * rng.gamma(1.0, 1.0, size=len(days))
    return schools.frame().assign(days=days, absent=rng.poisson(mean))


NEVER_ABSENT = 0.2


def counts_with_zeros(scenario: Scenario, seed: int) -> pd.DataFrame:
    """Draw days of absence as `counts` does, and for a fifth of the pupils none whatever their rate."""
    frame = counts(scenario, seed)
    never = np.random.default_rng([seed, 1]).random(len(frame)) < NEVER_ABSENT
    return frame.assign(absent=frame["absent"].where(~never, 0))


def rate_difference(scenario: Scenario) -> float:
    """Return the true difference of mean days over a year of mean length."""
    return COUNT_MEAN * math.exp(scenario.icc / 2) * (math.exp(scenario.effect) - 1)


THRESHOLDS = (-1.5, 0.0, 1.5)


def answers(scenario: Scenario, seed: int) -> pd.DataFrame:
    """Draw answers in four ordered categories; a cumulative logit with a normal school intercept."""
    rng = np.random.default_rng(seed)
    schools = Schools.of(scenario, rng)
    latent = scenario.effect * schools.pilot + scenario.school_sd * schools.level
    latent = latent + rng.logistic(size=len(latent))
    return schools.frame().assign(answer=np.searchsorted(THRESHOLDS, latent))


def answers_difference(scenario: Scenario) -> float:
    """Return the true difference of the shares above the second category."""
    at = -THRESHOLDS[1]
    return share(at + scenario.effect, scenario.school_sd) - share(at, scenario.school_sd)
