"""Power by simulation: the trial's own schools, its own design drawn again each time, its own analysis."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.arms import collect_observed_arms
from analysis.contrasts import estimate_difference_rows
from analysis.questions import Question
from data_schema.errors import EstimationError

if TYPE_CHECKING:
    import pandas as pd

    from randomisation.design import Design

Progress = Callable[[int, int], None]
"""Called with the number of simulations done and of all."""

SCHOOL_COVARIATE, PUPIL_COVARIATE = "baseline_of_school", "baseline_of_pupil"
"""Columns of the simulated covariates, there where they explain something."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueOutcome:
    """What is true of the simulated outcome.

    Parameters
    ----------
    effect
        Of every arm but the reference: standard deviations of a continuous outcome, a difference of risks (such as
        -0.04) of a binary one.
    icc
        Share of the variance between schools, in the reference arm: one for all, or one for each country. Of a binary
        outcome it is that of the 0/1 values, as a linear model estimates it and as the formulas take it. Such an
        outcome is simulated as an event where a normal variable is low, with the `find_latent_icc` that gives it.
    r2_strata, r2_school
        Shares of the variance between schools that strata, and a baseline covariate of schools, explain; together 1 at
        most. Of a binary outcome these, too, are shares of the variance of the 0/1 values.
    r2_pupil
        Share of the variance within schools that a baseline covariate of pupils explains.
    control_risk
        Share with the event in the reference arm; None for a continuous outcome.
    """

    effect: float
    icc: float | Mapping[str, float]
    r2_strata: float = 0.0
    r2_school: float = 0.0
    r2_pupil: float = 0.0
    control_risk: float | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        shares = {f"icc {country}".strip(): icc for country, icc in self.icc_by_country.items()}
        shares |= {"r2_pupil": self.r2_pupil, "r2_strata, r2_school": self.r2_strata + self.r2_school}
        for name, share in shares.items():
            if not 0 <= share <= 1 or (name.startswith("icc") and share == 1):
                raise _create_simulation_error(name, f"{share!r} is no such share.", "State a share such as 0.2.")
        if self.control_risk is not None and not (0 < self.control_risk < 1 and 0 < self._treated_risk < 1):
            raise _create_simulation_error(
                "control_risk", f"{self.control_risk!r} and the effect make no risks.", "State a share such as 0.12."
            )

    @property
    def _treated_risk(self) -> float:
        return (self.control_risk or 0.0) + self.effect

    @property
    def icc_by_country(self) -> dict[str, float]:
        """Correlation of each country; of the country "" where there is one for all."""
        return dict(self.icc) if isinstance(self.icc, Mapping) else {"": self.icc}

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
    schools_lost: float = 0.0,
    pupils_lost: float = 0.0,
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
        Column with the number of pupils of each school, or one number for all.
    schools_lost, pupils_lost
        Shares of schools, and of pupils in the schools that stay, without an outcome, as of `SchoolTrial`. Which
        schools are lost is drawn in each simulation, after the arms; a school that stays keeps a pupil or more.
    n_simulations
        Two or more.
    seed
        Text that settles everything; simulation number i is the same however many there are.
    progress
        Told how far it is.

    Raises
    ------
    EstimationError
        When the column of pupils is not there or has values that are not above 0, the outcome is of another kind than
        the question, or a country has no correlation.
    """
    from randomisation.redraws import replay
    from randomisation.schools import read_schools

    read = read_schools(schools, design)
    if n_simulations < 2:
        raise _create_simulation_error("n_simulations", f"{n_simulations} is too few.", "State 2 or more, best 1,000.")
    if (truth.control_risk is None) == question.outcome_kind.is_share:
        raise _create_simulation_error(
            "control_risk", f"The outcome is {question.kind}.", "State it for outcomes that are shares of pupils only."
        )
    for name, share in (("schools_lost", schools_lost), ("pupils_lost", pupils_lost)):
        if not 0 <= share < 1:
            raise _create_simulation_error(name, f"{share!r} is no share below 1.", "State a share such as 0.1.")
    asked = replace(question, covariates=truth.covariates, arms=design.names)
    base = _build_school_base(schools, read.ids, read.labels(), pupils=pupils)
    base["pupils"] = np.maximum((base["pupils"] * (1 - pupils_lost)).round(), 1).astype(int)
    loadings = compute_school_loadings(truth, base["country"])
    draws = replay(schools, design, n_draws=n_simulations, seed=seed)
    rows = []
    for number, arms in enumerate(draws):
        analysed_schools = _draw_schools_with_outcomes(len(base), schools_lost, seed=f"{seed}\n{number}")
        loadings_of_analysed = {name: values[analysed_schools] for name, values in loadings.items()}
        frame = _simulate_pupils(
            base.iloc[analysed_schools],
            arms[analysed_schools],
            truth,
            asked,
            loadings=loadings_of_analysed,
            seed=f"{seed}\n{number}",
        )
        frame = asked.outcome_kind.complete(frame, asked)
        estimates = estimate_difference_rows(frame, asked, arms=collect_observed_arms(frame, asked))
        rows.append(next(row for row in estimates if row.quantity == "difference"))
        if progress is not None:
            progress(number + 1, n_simulations)
    figures = [(row.estimate, row.std_error, row.p_value, row.conf_low, row.conf_high) for row in rows]
    return _summarise_simulations(np.array(figures, dtype=float), truth, asked)


def _draw_schools_with_outcomes(n_schools: int, share_lost: float, *, seed: str) -> np.ndarray:
    """Return the places of the schools that have outcomes; over simulations the share that is lost is as stated."""
    if share_lost == 0:
        return np.arange(n_schools)
    generator = _create_seeded_generator(f"lost\n{seed}")
    n_lost = int(n_schools * share_lost + generator.random())
    return np.sort(generator.permutation(n_schools)[min(n_lost, n_schools - 1) :])


def _create_seeded_generator(seed: str) -> np.random.Generator:
    key = np.frombuffer(hashlib.sha256(f"power\n{seed}".encode()).digest()[:16], dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key))


def _summarise_simulations(figures: np.ndarray, truth: TrueOutcome, question: Question) -> SimulatedPower:
    estimable = figures[np.isfinite(figures[:, 2])]
    n = len(figures)
    power = float((estimable[:, 2] < 1 - question.conf_level).sum() / n)
    holds = (estimable[:, 3] <= truth.effect) & (truth.effect <= estimable[:, 4])
    enough = len(estimable) > 1
    return SimulatedPower(
        power=power,
        mc_error=math.sqrt(power * (1 - power) / n),
        n_simulations=n,
        n_failed=n - len(estimable),
        mean_estimate=float(estimable[:, 0].mean()) if enough else math.nan,
        sd_estimate=float(estimable[:, 0].std(ddof=1)) if enough else math.nan,
        mean_std_error=float(estimable[:, 1].mean()) if enough else math.nan,
        coverage=float(holds.mean()) if enough else math.nan,
    )


def _build_school_base(
    schools: pd.DataFrame, ids: tuple[str, ...], strata: tuple[str, ...], *, pupils: str | int
) -> pd.DataFrame:
    """Return one row per school, sorted as draws are, with its stratum, country and number of pupils."""
    import pandas as pd

    frame = schools.set_index("school_id").loc[list(ids)]
    if isinstance(pupils, str) and pupils not in frame.columns:
        raise _create_simulation_error(
            "pupils", f"The school frame has no column '{pupils}'.", "Name one, or state a number."
        )
    counts = pd.Series(pupils, index=frame.index) if isinstance(pupils, int) else frame[pupils]
    sizes = pd.to_numeric(counts, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if not (np.isfinite(sizes) & (sizes >= 1)).all():
        raise _create_simulation_error(
            "pupils", "A school has no pupils, or nobody knows how many.", "Fill in the numbers."
        )
    country = frame["country"].astype(str).to_numpy() if "country" in frame.columns else ""
    return pd.DataFrame({"school_id": ids, "stratum": strata, "country": country, "pupils": sizes})


def _simulate_pupils(
    base: pd.DataFrame,
    arms: np.ndarray,
    truth: TrueOutcome,
    question: Question,
    *,
    loadings: Mapping[str, np.ndarray],
    seed: str,
) -> pd.DataFrame:
    """Return one row per pupil of one simulated trial."""
    import pandas as pd

    generator = _create_seeded_generator(seed)
    school = np.repeat(np.arange(len(base)), base["pupils"])
    stratum = pd.factorize(base["stratum"], sort=True)[0]
    between_strata = generator.standard_normal(stratum.max() + 1)[stratum]
    known, school_noise = generator.standard_normal((2, len(base)))
    baseline, noise = generator.standard_normal((2, len(school)))
    level = loadings["strata"] * between_strata + loadings["school"] * known + loadings["other"] * school_noise
    within = loadings["pupil"][school] * baseline + loadings["noise"][school] * noise
    return pd.DataFrame(
        {
            question.school: base["school_id"].to_numpy()[school],
            question.arm: np.array(question.arms, dtype=object)[arms][school],
            question.strata or "stratum": base["stratum"].to_numpy()[school],
            question.country: base["country"].to_numpy()[school],
            question.outcome: _convert_latent_to_outcome(level[school] + within, arms[school] > 0, truth),
            SCHOOL_COVARIATE: known[school],
            PUPIL_COVARIATE: baseline,
        }
    )


def compute_school_loadings(truth: TrueOutcome, countries: pd.Series) -> dict[str, np.ndarray]:
    """Return what the parts of the simulated variable are multiplied by, for each school.

    Parameters
    ----------
    truth
        What is true.
    countries
        Country of each school.

    Returns
    -------
    dict
        `strata`, `school` and `other` between schools, `pupil` and `noise` within; their squares add up to 1.

    Notes
    -----
    Of an event where a normal variable is low, a normal covariate with loading l explains (phi(h) l)^2 of the variance
    p (1 - p) by a linear model, phi(h) being the density at the limit h; strata explain the covariance of two pupils of
    different schools of a stratum, as `find_latent_icc` has it. The loadings give the shares that `truth` states.
    """
    by_country = truth.icc_by_country
    absent = sorted(set(countries) - set(by_country)) if isinstance(truth.icc, Mapping) else []
    if absent:
        raise _create_simulation_error("icc", f"There is none of {', '.join(absent)}.", "State one for each country.")
    loadings_by_country = {country: _compute_part_loadings(truth, icc) for country, icc in by_country.items()}
    loadings_by_school = [loadings_by_country.get(country) or loadings_by_country[""] for country in countries]
    return {
        name: np.array([loadings[name] for loadings in loadings_by_school])
        for name in ("strata", "school", "other", "pupil", "noise")
    }


def _compute_part_loadings(truth: TrueOutcome, icc: float) -> dict[str, float]:
    between, risk = icc, truth.control_risk
    strata, school, pupil = truth.r2_strata * icc, truth.r2_school * icc, truth.r2_pupil * (1 - icc)
    if risk is not None:
        from scipy import special

        limit = float(special.ndtri(risk))
        by_line = risk * (1 - risk) * 2 * math.pi * math.exp(limit**2)
        between, strata = find_latent_icc(icc, risk=risk), find_latent_icc(strata, risk=risk)
        school, pupil = school * by_line, pupil * by_line
        for name, part, variance in (("r2_school", strata + school, between), ("r2_pupil", pupil, 1 - between)):
            if part > variance + _ROUNDING:
                problem = f"No normal variable explains that much of an event with a risk of {risk:g}."
                raise _create_simulation_error(name, problem, "State a smaller share, or leave the simulation out.")
    parts = {"strata": strata, "school": school, "other": between - strata - school}
    parts |= {"pupil": pupil, "noise": 1 - between - pupil}
    return {name: math.sqrt(max(part, 0.0)) for name, part in parts.items()}


def find_latent_icc(icc: float, *, risk: float) -> float:
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
    >>> round(find_latent_icc(0.05, risk=0.12), 3)
    0.122
    """
    from scipy import optimize, special

    if icc == 0:
        return 0.0
    limit = float(special.ndtri(risk))

    def compute_icc_excess(latent: float) -> float:
        both = risk - 2 * special.owens_t(limit, math.sqrt((1 - latent) / (1 + latent)))
        return float((both - risk**2) / (risk * (1 - risk)) - icc)

    return float(optimize.brentq(compute_icc_excess, 0.0, 1 - 1e-12))


def _convert_latent_to_outcome(latent: np.ndarray, treated: np.ndarray, truth: TrueOutcome) -> np.ndarray:
    if truth.control_risk is None:
        return latent + truth.effect * treated
    from scipy.special import ndtri

    limits = ndtri(np.array([truth.control_risk, truth.control_risk + truth.effect]))
    below: np.ndarray = latent < limits[treated.astype(int)]
    return below.astype(float)


def _create_simulation_error(what: str, problem: str, remedy: str) -> EstimationError:
    return EstimationError(f"simulated power, {what}", problem, remedy)
