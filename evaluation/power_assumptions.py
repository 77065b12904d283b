"""What is assumed where a trial's power is estimated; formula and simulation read the same assumptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from data_schema.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Icc = float | Mapping[str, float]
"""One intraclass correlation for all schools, or one for each country."""

SIZE = "size"
"""Column of the sampling frame with the pupils of the whole school."""

FROM_FRAME = (
    "the mean of the column 'size' of the list of schools, which counts all pupils of a school. A trial that analyses "
    "some grades or classes has fewer, and can show less: state their number with --pupils-per-school"
)
STATED = "as stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What is assumed of the primary outcome.

    Parameters
    ----------
    iccs
        Intraclass correlations to look at, the first being the one that is simulated; each is one number for all
        schools, or one for each country.
    r2_school, r2_pupil
        Shares of the variance between schools (strata included), and within, that covariates explain.
    control_risk
        Share with the event in the reference arm; needed when the outcome is binary.
    pupils_per_school
        Mean number of analysed pupils per school, before losses; None for the mean of the frame's column "size", which
        counts whole schools.
    schools_lost, pupils_lost
        Shares without an outcome.
    power
        Power that is wanted.
    """

    iccs: tuple[Icc, ...] = (0.05, 0.1, 0.2)
    r2_school: float = 0.0
    r2_pupil: float = 0.0
    control_risk: float | None = None
    pupils_per_school: float | None = None
    schools_lost: float = 0.0
    pupils_lost: float = 0.0
    power: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class PupilCounts:
    """Pupils of each school before losses, and where the number comes from.

    Parameters
    ----------
    by_school
        Expected pupils with an outcome in each school of the frame, in its order.
    source
        "stated" or "frame".
    """

    by_school: np.ndarray
    source: Literal["stated", "frame"]

    @property
    def mean(self) -> float:
        """Mean of the schools."""
        return float(self.by_school.mean())

    @property
    def size_cv(self) -> float:
        """Coefficient of variation of the schools; 1 at most, beyond which the formula is not valid."""
        n = len(self.by_school)
        return min(float(self.by_school.std(ddof=1) / self.by_school.mean()), 1.0) if n > 1 else 0.0

    @property
    def note(self) -> str:
        """Where the number comes from, as words."""
        return STATED if self.source == "stated" else FROM_FRAME


def estimate_pupil_counts(schools: pd.DataFrame, assumed: Assumptions) -> PupilCounts:
    """Return the pupils of each school: sizes of the frame, in proportion to the number that is stated.

    Parameters
    ----------
    schools
        The schools that can be drawn; one without a size is taken to have the mean of the others.
    assumed
        What is assumed.

    Raises
    ------
    DataError
        When neither the frame nor anybody says how many there are.
    """
    import numpy as np

    stated = assumed.pupils_per_school
    sizes = schools[SIZE].astype(float).to_numpy() if SIZE in schools.columns else np.full(len(schools), np.nan)
    mean = float(np.nanmean(sizes)) if np.isfinite(sizes).any() else 0.0
    if not mean > 0:
        if stated is None:
            raise DataError(
                "power, --pupils-per-school",
                "No school of the list has a number of pupils in a column 'size'.",
                "State the mean number of pupils per school whose outcome is analysed, such as 25.",
            )
        sizes, mean = np.full(len(schools), stated), stated
    filled = np.where(np.isfinite(sizes), sizes, mean)
    scale = 1.0 if stated is None else stated / float(filled.mean())
    return PupilCounts(by_school=filled * scale, source="frame" if stated is None else "stated")


def group_iccs_by_country(stated: Sequence[tuple[str, float]], countries: Sequence[str]) -> tuple[Icc, ...]:
    """Return the correlations to look at from numbers that belong to a country, or to none.

    Parameters
    ----------
    stated
        Country (empty for none) and number. Without countries each number is one to look at; with them there is one
        set, in which the number without a country is that of the countries that are not named.
    countries
        The trial's countries.

    Raises
    ------
    DataError
        When a country has two numbers.

    Examples
    --------
    >>> group_iccs_by_country([("", 0.05), ("", 0.1)], ["HU", "SI"])
    (0.05, 0.1)
    >>> group_iccs_by_country([("HU", 0.1), ("", 0.05)], ["HU", "SI"])
    ({'HU': 0.1, 'SI': 0.05},)
    """
    named = [country for country, _ in stated if country]
    others = [icc for country, icc in stated if not country]
    if not named:
        return tuple(others)
    if len(named) > len(set(named)) or len(others) > 1:
        raise _build_icc_error(
            "a country, or the countries that are not named, have two numbers.", "State one for each country."
        )
    return (
        {
            **(dict.fromkeys(countries, others[0]) if others else {}),
            **{country_code: icc for country_code, icc in stated if country_code},
        },
    )


def check_iccs(iccs: Sequence[Icc], countries: Sequence[str]) -> None:
    """Refuse correlations by country that name an unknown country, leave one out or are no shares.

    Raises
    ------
    DataError
        Saying which.
    """
    for icc in iccs:
        if not isinstance(icc, Mapping):
            continue
        strange = sorted(set(icc) - set(countries))
        absent = [country for country in countries if country not in icc]
        impossible = [country for country, value in icc.items() if not 0 <= value < 1]
        if strange:
            raise _build_icc_error(f"'{strange[0]}' is not a country of this trial.", f"Use {', '.join(countries)}.")
        if absent:
            raise _build_icc_error(
                f"there is none for {', '.join(absent)}.",
                "State one for each country, or one without a country for the others, such as --icc 0.1.",
            )
        if impossible:
            raise _build_icc_error(f"that of {impossible[0]} is no share below 1.", "State a share such as 0.1.")


def compute_mean_icc(icc: Icc, schools: pd.DataFrame) -> float:
    """Return the correlation of the formulas: the mean over the schools.

    A model with one variance for all schools gives schools of one size one weight; the variance of the effect is then
    the mean of the schools' variances, which are linear in the correlation.
    """
    if not isinstance(icc, Mapping):
        return icc
    return float(sum(icc[country] for country in schools["country"]) / len(schools))


def format_icc_label(icc: Icc) -> str:
    """Return a correlation as a heading.

    Examples
    --------
    >>> format_icc_label({"HU": 0.1, "SI": 0.05})
    'ICC HU 0.1, SI 0.05'
    """
    if not isinstance(icc, Mapping):
        return f"ICC {icc:g}"
    return "ICC " + ", ".join(f"{country} {value:g}" for country, value in icc.items())


def _build_icc_error(problem: str, remedy: str) -> DataError:
    return DataError("power, --icc", problem, remedy)
