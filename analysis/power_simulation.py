"""Power by simulation: the trial's own schools, its own design drawn anew each time, its own analysis."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.contrasts import difference_rows, observed_arms
from analysis.specs import Question
from data_schema.errors import EstimationError

if TYPE_CHECKING:
    import pandas as pd

    from randomisation.design import Design

Progress = Callable[[int, int], None]
"""Called with the number of simulations done and of all."""

SCHOOL_COVARIATE, PUPIL_COVARIATE = "baseline_of_school", "baseline_of_pupil"
"""Columns of the simulated covariates, there where they explain something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueOutcome:
    """What is true of the simulated outcome.

    Parameters
    ----------
    effect
        Of every arm but the reference: standard deviations of a continuous outcome, a difference of risks (such as
        -0.04) of a binary one.
    icc
        Share of the variance between schools, in the reference arm; of a binary outcome that of the 0/1 values, as a
        linear model estimates it and as the formulas take it. Such an outcome is simulated as an event where a normal
        variable is low, with the `latent_icc` that gives it.
    r2_strata, r2_school
        Shares of the variance between schools that strata, and a baseline covariate of schools, explain; together 1 at
        most.
    r2_pupil
        Share of the variance within schools that a baseline covariate of pupils explains.
    control_risk
        Share with the event in the reference arm; None for a continuous outcome.
    """

    effect: float
    icc: float
    r2_strata: float = 0.0
    r2_school: float = 0.0
    r2_pupil: float = 0.0
    control_risk: float | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        shares = {"icc": self.icc, "r2_pupil": self.r2_pupil, "r2_strata, r2_school": self.r2_strata + self.r2_school}
        for name, share in shares.items():
            if not 0 <= share <= 1 or (name == "icc" and share == 1):
                raise _impossible(name, f"{share!r} is no such share.", "State a share such as 0.2.")
        if self.control_risk is not None and not (0 < self.control_risk < 1 and 0 < self._treated_risk < 1):
            raise _impossible(
                "control_risk", f"{self.control_risk!r} and the effect make no risks.", "State a share such as 0.12."
            )

    @property
    def _treated_risk(self) -> float:
        return (self.control_risk or 0.0) + self.effect

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the simulated covariates."""
        named = ((SCHOOL_COVARIATE, self.r2_school), (PUPIL_COVARIATE, self.r2_pupil))
        return tuple(name for name, share in named if share > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPower:
    """What simulations found.

    Parameters
    ----------
    power
        Share of simulations in which the test of the effect was significant; with a true effect of 0, its error rate.
    mc_error
        Monte Carlo standard error of that share.
    n_simulations, n_failed
        Simulations, and those in which the analysis could not be made (counted as not found).
    mean_estimate, sd_estimate, mean_std_error
        Of the estimates that could be made, in their unit.
    coverage
        Share of their intervals that hold the true effect (of a logistic model: not a number).
    """

    power: float
    mc_error: float
    n_simulations: int
    n_failed: int
    mean_estimate: float
    sd_estimate: float
    mean_std_error: float
    coverage: float

    def __str__(self) -> str:
        return f"power {self.power:.3f} (Monte Carlo error {self.mc_error:.3f}, {self.n_simulations} simulations)"


def simulated_power(
    schools: pd.DataFrame,
    design: Design,
    truth: TrueOutcome,
    *,
    question: Question,
    pupils: str | int = "size",
    n_simulations: int = 500,
    seed: str = "power",
    progress: Progress | None = None,
) -> SimulatedPower:
    """Simulate a trial again and again, and count how often its analysis finds the effect.

    Parameters
    ----------
    schools
        The school frame.
    design
        The design; each simulation is a re-draw of it, under its strata, pairs and constraints.
    truth
        What is true.
    question
        The analysis; its covariates are replaced by the simulated ones, its outcome's name does not matter.
    pupils
        Column with the number of pupils of each school who have an outcome, or one number for all.
    n_simulations
        Two or more.
    seed
        Text that settles everything; simulation number i is the same however many there are.
    progress
        Told how far it is.

    Raises
    ------
    EstimationError
        When the column of pupils is not there or does not hold numbers above 0, or the outcome is of another kind than
        the question.
    """
    from randomisation.replay import replay
    from randomisation.schools import read_schools

    read = read_schools(schools, design)
    if n_simulations < 2:
        raise _impossible("n_simulations", f"{n_simulations} is too few.", "State 2 or more, best 1,000.")
    if (truth.control_risk is None) != (question.kind == "continuous"):
        raise _impossible("control_risk", f"The outcome is {question.kind}.", "State it for binary outcomes only.")
    asked = replace(question, covariates=truth.covariates, arms=design.names)
    base = _base(schools, read.ids, read.labels(), pupils=pupils)
    icc = truth.icc if truth.control_risk is None else latent_icc(truth.icc, risk=truth.control_risk)
    draws = replay(schools, design, n_draws=n_simulations, seed=seed)
    rows = []
    for number, arms in enumerate(draws):
        frame = _simulated(base, arms, truth, asked, icc=icc, seed=f"{seed}\n{number}")
        found = difference_rows(frame, asked, arms=observed_arms(frame, asked))
        rows.append(next(row for row in found if row.quantity == "difference"))
        if progress is not None:
            progress(number + 1, n_simulations)
    figures = [(row.estimate, row.std_error, row.p_value, row.conf_low, row.conf_high) for row in rows]
    return _summary(np.array(figures, dtype=float), truth, asked)


def _summary(figures: np.ndarray, truth: TrueOutcome, question: Question) -> SimulatedPower:
    made = figures[np.isfinite(figures[:, 2])]
    n = len(figures)
    power = float((made[:, 2] < 1 - question.conf_level).sum() / n)
    holds = (made[:, 3] <= truth.effect) & (truth.effect <= made[:, 4])
    enough = len(made) > 1
    return SimulatedPower(
        power=power,
        mc_error=math.sqrt(power * (1 - power) / n),
        n_simulations=n,
        n_failed=n - len(made),
        mean_estimate=float(made[:, 0].mean()) if enough else math.nan,
        sd_estimate=float(made[:, 0].std(ddof=1)) if enough else math.nan,
        mean_std_error=float(made[:, 1].mean()) if enough else math.nan,
        coverage=float(holds.mean()) if enough else math.nan,
    )


def _base(schools: pd.DataFrame, ids: tuple[str, ...], strata: tuple[str, ...], *, pupils: str | int) -> pd.DataFrame:
    """Return one row a school, sorted as draws are, with its stratum, country and number of pupils."""
    import pandas as pd

    frame = schools.set_index("school_id").loc[list(ids)]
    if isinstance(pupils, str) and pupils not in frame.columns:
        raise _impossible("pupils", f"The school frame has no column '{pupils}'.", "Name one, or state a number.")
    counts = pd.Series(pupils, index=frame.index) if isinstance(pupils, int) else frame[pupils]
    sizes = pd.to_numeric(counts, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if not (np.isfinite(sizes) & (sizes >= 1)).all():
        raise _impossible("pupils", "A school has no pupils, or nobody knows how many.", "Fill in the numbers.")
    country = frame["country"].astype(str).to_numpy() if "country" in frame.columns else ""
    return pd.DataFrame({"school_id": ids, "stratum": strata, "country": country, "pupils": sizes.round().astype(int)})


def _simulated(
    base: pd.DataFrame, arms: np.ndarray, truth: TrueOutcome, question: Question, *, icc: float, seed: str
) -> pd.DataFrame:
    """Return one row a pupil of one simulated trial."""
    import pandas as pd

    key = np.frombuffer(hashlib.sha256(f"power\n{seed}".encode()).digest()[:16], dtype="<u8")
    generator = np.random.Generator(np.random.Philox(key=key))
    school = np.repeat(np.arange(len(base)), base["pupils"])
    stratum = pd.factorize(base["stratum"], sort=True)[0]
    between_strata = generator.standard_normal(stratum.max() + 1)[stratum]
    known, own = generator.standard_normal((2, len(base)))
    baseline, noise = generator.standard_normal((2, len(school)))
    rest = max(1 - truth.r2_strata - truth.r2_school, 0.0)
    level = math.sqrt(truth.r2_strata) * between_strata + math.sqrt(truth.r2_school) * known + math.sqrt(rest) * own
    within = math.sqrt(truth.r2_pupil) * baseline + math.sqrt(1 - truth.r2_pupil) * noise
    latent = math.sqrt(icc) * level[school] + math.sqrt(1 - icc) * within
    return pd.DataFrame(
        {
            question.school: base["school_id"].to_numpy()[school],
            question.arm: np.array(question.arms, dtype=object)[arms][school],
            question.strata or "stratum": base["stratum"].to_numpy()[school],
            question.country: base["country"].to_numpy()[school],
            question.outcome: _outcome(latent, arms[school] > 0, truth),
            SCHOOL_COVARIATE: known[school],
            PUPIL_COVARIATE: baseline,
        }
    )


def latent_icc(icc: float, *, risk: float) -> float:
    """Return the intraclass correlation of the normal variable below a binary outcome.

    Parameters
    ----------
    icc
        That of the 0/1 values, from 0 to below 1.
    risk
        Share with the event, between 0 and 1.

    Notes
    -----
    Two pupils of a school both have the event with probability Phi(h) - 2 T(h, sqrt((1 - r) / (1 + r))), with Owen's T
    and the limit h of the risk; r is solved for.

    Examples
    --------
    >>> round(latent_icc(0.05, risk=0.12), 3)
    0.122
    """
    from scipy import optimize, special

    if icc == 0:
        return 0.0
    limit = float(special.ndtri(risk))

    def excess(latent: float) -> float:
        both = risk - 2 * special.owens_t(limit, math.sqrt((1 - latent) / (1 + latent)))
        return float((both - risk**2) / (risk * (1 - risk)) - icc)

    return float(optimize.brentq(excess, 0.0, 1 - 1e-12))


def _outcome(latent: np.ndarray, treated: np.ndarray, truth: TrueOutcome) -> np.ndarray:
    if truth.control_risk is None:
        return latent + truth.effect * treated
    from scipy.special import ndtri

    limits = ndtri(np.array([truth.control_risk, truth.control_risk + truth.effect]))
    below: np.ndarray = latent < limits[treated.astype(int)]
    return below.astype(float)


def _impossible(what: str, problem: str, remedy: str) -> EstimationError:
    return EstimationError(f"simulated power, {what}", problem, remedy)
