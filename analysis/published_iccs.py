"""What is known of intraclass correlations of school outcomes: a small table with sources, to plan with.

A table of this size is a place to start from. Values differ between countries, school systems and outcomes; where
schools are of different types, strata by type take away much of what lies between schools.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignParameter:
    """One published finding on the share of an outcome's variance between schools or classes.

    Parameters
    ----------
    outcome, population
        Of what and of whom.
    level
        "school" or "class".
    icc
        The value; with `icc_low` and `icc_high` the quartiles or the range where they were published, else NaN.
    source
        Where it is published.
    note
        What the figures are.
    """

    outcome: str
    population: str
    level: Literal["school", "class"]
    icc: float
    icc_low: float = float("nan")
    icc_high: float = float("nan")
    source: str
    note: str = ""


_PISA = "OECD (2023), PISA 2022 Results, Volume I, Table I.B1.2.12"
_HEALTH = "Parker et al. (2023), J. Clinical Epidemiology 158, 18-26"
_SOCIAL = "Parker et al. (2025), BMC Medical Research Methodology 25:120"

DESIGN_PARAMETERS: tuple[DesignParameter, ...] = (
    DesignParameter(
        outcome="mathematics",
        population="15-year-olds, mean of OECD countries",
        level="school",
        icc=0.32,
        source=_PISA,
        note="all school types together; PISA samples pupils of a school, not classes",
    ),
    DesignParameter(
        outcome="mathematics",
        population="15-year-olds, Austria (schools of several types)",
        level="school",
        icc=0.41,
        source=_PISA,
        note="all school types together",
    ),
    DesignParameter(
        outcome="health outcomes of pupils",
        population="school-based trials, all world regions",
        level="school",
        icc=0.031,
        icc_low=0.011,
        icc_high=0.08,
        source=_HEALTH,
        note="median and quartiles of 210 trials",
    ),
    DesignParameter(
        outcome="health outcomes of pupils",
        population="school-based trials, all world regions",
        level="class",
        icc=0.063,
        icc_low=0.024,
        icc_high=0.1,
        source=_HEALTH,
        note="median and quartiles of 46 trials",
    ),
    DesignParameter(
        outcome="social and emotional functioning, pupils' reports",
        population="five trials in the United Kingdom",
        level="school",
        icc=float("nan"),
        icc_low=0.0,
        icc_high=0.04,
        source=_SOCIAL,
        note="most values; the climate of the school, which pupils share, up to 0.1",
    ),
    DesignParameter(
        outcome="social and emotional functioning, teachers' reports",
        population="five trials in the United Kingdom",
        level="school",
        icc=float("nan"),
        icc_low=0.0,
        icc_high=0.1,
        source=_SOCIAL,
        note="range",
    ),
    DesignParameter(
        outcome="social and emotional functioning, teachers' reports",
        population="five trials in the United Kingdom",
        level="class",
        icc=float("nan"),
        icc_low=0.0,
        icc_high=0.2,
        source=_SOCIAL,
        note="range",
    ),
)
"""Published intraclass correlations."""

PRETEST = (
    "Pretests of schools reduce the number of schools that are needed to about a half in elementary, a fifth in middle "
    "and a tenth in high schools of five urban districts in the United States; pretests of schools do as well as those "
    "of pupils: Bloom, Richburg-Hayes and Black (2007), Educational Evaluation and Policy Analysis 29, 30-59."
)
"""What a pretest is worth, as published; roughly R-squared of 0.5, 0.8 and 0.9 between schools."""


def design_parameters() -> pd.DataFrame:
    """Return the table of published intraclass correlations, one row a finding.

    Examples
    --------
    >>> float(design_parameters().set_index("population").loc["15-year-olds, mean of OECD countries", "icc"])
    0.32
    """
    import pandas as pd

    names = ("outcome", "population", "level", "icc", "icc_low", "icc_high", "note", "source")
    rows = [[getattr(parameter, name) for name in names] for parameter in DESIGN_PARAMETERS]
    return pd.DataFrame(rows, columns=list(names))
