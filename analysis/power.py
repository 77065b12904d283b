"""Sample size by formula: what a school trial can detect, and how many schools it needs.

The formulas are those of Bloom (1995, 2005) and of Dong and Maynard (2013), PowerUp!, J. Research on Educational
Effectiveness 6(1), 24-67: the minimum detectable effect size is a multiple of the standard error of the effect, both in
standard deviations of the outcome.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from data_schema.errors import EstimationError

Alternative = Literal["two-sided", "one-sided"]

POWER, CONF_LEVEL = 0.8, 0.95

_PLACE = "sample size"
_MOST_SCHOOLS = 1_000_000
_FAR = 8.0


class TrialSize(Protocol):
    """What formulas ask of a trial's size."""

    @property
    def std_error(self) -> float:
        """Standard error of the effect, in standard deviations of the outcome."""
        ...

    @property
    def df(self) -> float:
        """Degrees of freedom of its t statistic."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolTrial:
    """The size of a trial that draws schools.

    Parameters
    ----------
    n_schools
        Schools that are drawn, in all arms that are compared.
    pupils_per_school
        Mean number of pupils per school; with classes, of pupils per class.
    icc
        Share of the outcome's variance that lies between schools.
    share_treated
        Share of the schools that is in the arm of interest.
    r2_school, r2_pupil
        Shares of the variance between schools, and between pupils within schools (classes), that covariates explain;
        strata and pairs explain variance between schools, too, and belong to `r2_school`.
    n_covariates
        Covariates of schools in the model, each at the price of a degree of freedom.
    n_strata
        Strata (or pairs: half the number of schools) in the model.
    effects_differ
        Whether the model has an effect for each stratum and averages them, at the price of two degrees of freedom a
        stratum instead of one.
    size_cv
        Coefficient of variation of the numbers of pupils per school.
    schools_lost, pupils_lost
        Shares of schools, and of pupils in the schools that stay, without an outcome. In pairs, a school whose partner
        is lost says nothing about the effect and counts as lost, too.
    classes_per_school, icc_class, r2_class
        With classes: their number a school, the share of the variance that lies between classes of a school, and the
        share of it that covariates explain. 1 and 0 without.

    Examples
    --------
    Dong and Maynard's cluster trial of two levels, as in PowerUpR: 20 schools of 15 pupils.

    >>> round(mdes(SchoolTrial(n_schools=20, pupils_per_school=15, icc=0.17)), 3)
    0.629
    """

    n_schools: float
    pupils_per_school: float
    icc: float
    share_treated: float = 0.5
    r2_school: float = 0.0
    r2_pupil: float = 0.0
    n_covariates: int = 0
    n_strata: int = 1
    effects_differ: bool = False
    size_cv: float = 0.0
    schools_lost: float = 0.0
    pupils_lost: float = 0.0
    classes_per_school: float = 1.0
    icc_class: float = 0.0
    r2_class: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_above_zero(self, "n_schools", "pupils_per_school", "classes_per_school")
        _check_shares(self, "icc", "icc_class", "r2_school", "r2_pupil", "r2_class", "schools_lost", "pupils_lost")
        _check_between(self.share_treated, "share_treated")
        if self.icc + self.icc_class >= 1:
            raise _create_power_error(
                "icc", f"{self.icc} and {self.icc_class} leave nothing between pupils.", "Correct them."
            )
        if self.size_cv < 0:
            raise _create_power_error("size_cv", f"{self.size_cv} is below 0.", "State 0 or more.")

    @property
    def are_pairs(self) -> bool:
        """Whether the strata are pairs: half as many as schools."""
        return self.n_strata * 2 >= self.n_schools

    @property
    def schools_analysed(self) -> float:
        """Schools with an outcome that can be compared; of pairs, the expected number in pairs that are whole."""
        share_remaining = 1 - self.schools_lost
        return self.n_schools * (share_remaining**2 if self.are_pairs else share_remaining)

    @property
    def strata_analysed(self) -> float:
        """Strata, or pairs that are whole."""
        return self.n_strata * ((1 - self.schools_lost) ** 2 if self.are_pairs else 1)

    @property
    def variance_between(self) -> float:
        """Variance between schools that covariates leave."""
        return self.icc * (1 - self.r2_school)

    @property
    def variance_within(self) -> float:
        """Variance of a mean of a school's pupils around the school, that covariates leave."""
        classes = self.icc_class * (1 - self.r2_class) / self.classes_per_school
        pupils = (1 - self.icc - self.icc_class) * (1 - self.r2_pupil)
        return classes + pupils / (self.classes_per_school * self.pupils_per_school * (1 - self.pupils_lost))

    @property
    def efficiency(self) -> float:
        """Information of schools of unequal size relative to schools of equal size.

        van Breukelen, Candel and Berger (2007), Statistics in Medicine 26, 2589-2603: 1 - CV^2 L (1 - L), L being the
        reliability of a school's mean; the coefficient of variation should not be above 0.7 or so.
        """
        reliability = self.variance_between / (self.variance_between + self.variance_within)
        return max(1 - self.size_cv**2 * reliability * (1 - reliability), 0.01)

    @property
    def std_error(self) -> float:
        """Standard error of the effect, in standard deviations of the outcome."""
        spread = self.share_treated * (1 - self.share_treated) * self.schools_analysed
        return math.sqrt((self.variance_between + self.variance_within) / (spread * self.efficiency))

    @property
    def df(self) -> float:
        """Degrees of freedom: schools less strata, effects and covariates."""
        effects = self.strata_analysed if self.effects_differ else 1
        return self.schools_analysed - self.strata_analysed - effects - self.n_covariates


@dataclass(frozen=True, slots=True, kw_only=True)
class WithinSchoolTrial:
    """The size of a trial that draws classes, or pupils, within each of its schools.

    Parameters
    ----------
    n_schools
        Schools, each of which holds all arms.
    pupils_per_school
        Pupils per school, in all arms; with classes, pupils per class.
    icc
        Share of the outcome's variance that lies between schools.
    effect_heterogeneity
        Variance of the effect between schools over the variance of the outcome between schools; 0 for one effect.
    schools_are_a_sample
        Whether the effect is to hold for schools like these (then the schools less one are the degrees of freedom), or
        for these schools.
    classes_per_school, icc_class
        With classes that are drawn: their number a school and the share of the variance between them. Pupils are drawn
        where there are none.
    share_treated, r2_school, r2_class, r2_pupil, pupils_lost
        As for `SchoolTrial`; `r2_school` is of the variance of the effect between schools.

    Examples
    --------
    Dong and Maynard's multisite trial, as in PowerUpR: pupils drawn in 20 schools.

    >>> sizes = WithinSchoolTrial(n_schools=20, pupils_per_school=15, icc=0.17, effect_heterogeneity=0.5)
    >>> round(mdes(sizes), 3)
    0.366
    """

    n_schools: float
    pupils_per_school: float
    icc: float
    effect_heterogeneity: float = 0.0
    schools_are_a_sample: bool = True
    classes_per_school: float = 0.0
    icc_class: float = 0.0
    share_treated: float = 0.5
    r2_school: float = 0.0
    r2_class: float = 0.0
    r2_pupil: float = 0.0
    pupils_lost: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_above_zero(self, "n_schools", "pupils_per_school")
        _check_shares(self, "icc", "icc_class", "r2_school", "r2_class", "r2_pupil", "pupils_lost")
        _check_between(self.share_treated, "share_treated")
        if self.icc + self.icc_class >= 1:
            raise _create_power_error(
                "icc", f"{self.icc} and {self.icc_class} leave nothing between pupils.", "Correct them."
            )
        if (self.icc_class > 0) != (self.classes_per_school > 0):
            raise _create_power_error("icc_class", "Classes need a number and a share of the variance.", "State both.")

    @property
    def std_error(self) -> float:
        """Standard error of the effect, in standard deviations of the outcome."""
        spread = self.share_treated * (1 - self.share_treated) * self.n_schools
        pupils = self.pupils_per_school * max(self.classes_per_school, 1) * (1 - self.pupils_lost)
        within = (1 - self.icc - self.icc_class) * (1 - self.r2_pupil) / (spread * pupils)
        classes = self.icc_class * (1 - self.r2_class)
        if classes:
            within += classes / (spread * self.classes_per_school)
        effects = self.icc * self.effect_heterogeneity * (1 - self.r2_school) / self.n_schools
        return math.sqrt(within + (effects if self.schools_are_a_sample else 0.0))

    @property
    def df(self) -> float:
        """Degrees of freedom: schools less one, or units that are drawn less two in each school."""
        if self.schools_are_a_sample:
            return self.n_schools - 1
        units = self.classes_per_school or self.pupils_per_school * (1 - self.pupils_lost)
        return self.n_schools * (units - 2)


def mdes(
    size: TrialSize, *, power: float = POWER, conf_level: float = CONF_LEVEL, alternative: Alternative = "two-sided"
) -> float:
    """Return the minimum detectable effect size: the true effect that is found with the given power.

    Parameters
    ----------
    size
        `SchoolTrial` or `WithinSchoolTrial`.
    power
        Chance to find the effect, such as 0.8.
    conf_level
        One minus the level of the test.
    alternative
        "two-sided" or "one-sided".

    Returns
    -------
    float
        In standard deviations of the outcome; the multiplier is t(level) + t(power), as in PowerUp!.

    Raises
    ------
    EstimationError
        When there are too few schools for a degree of freedom.
    """
    return _compute_error_multiplier(size, power=power, conf_level=conf_level, alternative=alternative) * size.std_error


def _compute_error_multiplier(size: TrialSize, *, power: float, conf_level: float, alternative: Alternative) -> float:
    from scipy import stats

    _check_between(power, "power")
    df = _require_positive_df(size)
    return float(stats.t.isf(_compute_tail_probability(conf_level, alternative), df) + stats.t.ppf(power, df))


def _compute_tail_probability(conf_level: float, alternative: Alternative) -> float:
    _check_between(conf_level, "conf_level")
    if alternative not in ("two-sided", "one-sided"):
        raise _create_power_error("alternative", f"'{alternative}' is not known.", "Use 'two-sided' or 'one-sided'.")
    return (1 - conf_level) / (2 if alternative == "two-sided" else 1)


def _require_positive_df(size: TrialSize) -> float:
    if size.df < 1:
        raise _create_power_error(
            "n_schools", f"{size.df:g} degrees of freedom are left.", "Recruit more schools, or use fewer strata."
        )
    return size.df


def power_of(
    size: TrialSize, *, effect: float, conf_level: float = CONF_LEVEL, alternative: Alternative = "two-sided"
) -> float:
    """Return the chance to find a true effect, by the noncentral t distribution.

    Parameters
    ----------
    size
        `SchoolTrial` or `WithinSchoolTrial`.
    effect
        True effect, in standard deviations of the outcome.
    conf_level, alternative
        As for `mdes`.

    Examples
    --------
    >>> round(power_of(SchoolTrial(n_schools=20, pupils_per_school=15, icc=0.17), effect=0.629), 2)
    0.8
    """
    from scipy import stats

    df, tail = _require_positive_df(size), _compute_tail_probability(conf_level, alternative)
    shift = abs(effect) / size.std_error
    limit = stats.t.isf(tail, df)
    power = float(stats.nct.sf(limit, df, shift))
    # A significant effect of the wrong sign; beyond 8 standard errors there is none, and scipy has no number for it.
    wrong = float(stats.nct.cdf(-limit, df, shift)) if alternative == "two-sided" and shift < _FAR else 0.0
    return min(power + wrong, 1.0)


def schools_needed(
    size: SchoolTrial | WithinSchoolTrial,
    *,
    effect: float,
    power: float = POWER,
    conf_level: float = CONF_LEVEL,
    alternative: Alternative = "two-sided",
) -> int:
    """Return the number of schools with which an effect is found with the given power.

    Parameters
    ----------
    size
        The trial; its own number of schools does not count, unless strata are pairs (half as many as schools), which
        then stay pairs.
    effect
        True effect, in standard deviations of the outcome.
    power, conf_level, alternative
        As for `mdes`.

    Raises
    ------
    EstimationError
        When no number of schools is enough.

    Examples
    --------
    >>> schools_needed(SchoolTrial(n_schools=2, pupils_per_school=15, icc=0.17), effect=0.629)
    20
    """
    if effect == 0:
        raise _create_power_error("effect", "It is 0.", "State the effect that the trial should be able to find.")
    pairs = isinstance(size, SchoolTrial) and size.n_strata * 2 == size.n_schools > 2

    def is_powerful_enough(n_schools: int) -> bool:
        sized: SchoolTrial | WithinSchoolTrial = replace(size, n_schools=n_schools)
        if pairs and isinstance(sized, SchoolTrial):
            sized = replace(sized, n_strata=n_schools // 2)
        if sized.df < 1:
            return False
        return mdes(sized, power=power, conf_level=conf_level, alternative=alternative) <= abs(effect) * (1 + 5e-4)

    return _find_smallest_enough(is_powerful_enough, first=2)


def _find_smallest_enough(enough: Callable[[int], bool], *, first: int) -> int:
    """Return the smallest number that is enough, by doubling and halving."""
    low, high = first - 1, first
    while not enough(high):
        low, high = high, 2 * high
        if high > _MOST_SCHOOLS:
            raise _create_power_error(
                "effect", f"{_MOST_SCHOOLS} schools are not enough to find it.", "State a larger one."
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def minimum_detectable_risk(
    size: SchoolTrial | WithinSchoolTrial,
    *,
    control_risk: float,
    direction: Literal["lower", "higher"] = "lower",
    power: float = POWER,
    conf_level: float = CONF_LEVEL,
    alternative: Alternative = "two-sided",
) -> float:
    """Return the smallest difference of risks that is found with the given power, as a share.

    Parameters
    ----------
    size
        The trial; its `icc` is that of the 0/1 outcome itself, as a linear model estimates it.
    control_risk
        Share of pupils with the event in the control arm, above 0 and below 1.
    direction
        Whether the intervention is to lower or to raise it.
    power, conf_level, alternative
        As for `mdes`.

    Returns
    -------
    float
        The difference, below 0 for "lower". The outcome's variance is p (1 - p) in each arm, with the risk of that arm;
        the risk that is found solves the equation with it (Donner and Klar 2000, Design and Analysis of Cluster
        Randomization Trials, ch. 5).

    Raises
    ------
    EstimationError
        When not even the whole risk would be found.

    Examples
    --------
    >>> trial = SchoolTrial(n_schools=60, pupils_per_school=60, icc=0.05)
    >>> round(minimum_detectable_risk(trial, control_risk=0.12), 3)
    -0.055
    """
    from scipy import optimize

    _check_between(control_risk, "control_risk")
    if direction not in ("lower", "higher"):
        raise _create_power_error("direction", f"'{direction}' is not known.", "Use 'lower' or 'higher'.")
    times = _compute_error_multiplier(size, power=power, conf_level=conf_level, alternative=alternative)
    share = size.share_treated

    def compute_excess_at_difference(difference: float) -> float:
        treated = control_risk + (-difference if direction == "lower" else difference)
        variance = (1 - share) * treated * (1 - treated) + share * control_risk * (1 - control_risk)
        return difference - times * size.std_error * math.sqrt(max(variance, 0.0))

    most = control_risk if direction == "lower" else 1 - control_risk
    if compute_excess_at_difference(most) < 0:
        raise _create_power_error(
            "control_risk", f"Not even a change by the whole of {most:g} would be found.", "Recruit more schools."
        )
    detectable_difference = float(optimize.brentq(compute_excess_at_difference, 0.0, most))
    return -detectable_difference if direction == "lower" else detectable_difference


def _create_power_error(what: str, problem: str, remedy: str) -> EstimationError:
    return EstimationError(f"{_PLACE}, {what}", problem, remedy)


def _check_above_zero(size: object, *names: str) -> None:
    for name in names:
        if not 0 < getattr(size, name) < math.inf:
            raise _create_power_error(name, f"{getattr(size, name)!r} is not above 0.", "State a number above 0.")


def _check_shares(size: object, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(size, name) < 1:
            raise _create_power_error(
                name, f"{getattr(size, name)!r} is no share below 1.", "State a share such as 0.2."
            )


def _check_between(share: float, name: str) -> None:
    if not 0 < share < 1:
        raise _create_power_error(name, f"{share!r} is not between 0 and 1.", "State a share such as 0.5.")
