"""How much of an outcome's variance lies between schools: the unconditional model's components, as rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd

from analysis.linear import METHOD, school_fit
from analysis.mixed_models.icc import icc_frame
from analysis.mixed_models.moments import moments
from analysis.results import Estimate
from analysis.specs import Question
from analysis.sums import school_columns
from analysis.terms import design_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Variances of the model with nothing but an intercept and schools.

    Parameters
    ----------
    school, pupil
        Variances between schools and between pupils of a school, squared units of the outcome; NaN when unknown.
    icc_low, icc_high
        Profile-likelihood limits of the intraclass correlation.
    conf_level
        Their level.
    n_schools, n_pupils
        Those with the outcome.
    reason
        Why there are none; empty otherwise.
    """

    school: float = math.nan
    pupil: float = math.nan
    icc_low: float = math.nan
    icc_high: float = math.nan
    conf_level: float = 0.95
    n_schools: int = 0
    n_pupils: int = 0
    reason: str = ""

    @property
    def icc(self) -> float:
        """Share of the variance that lies between schools, 0 to 1."""
        return self.school / (self.school + self.pupil)

    def to_estimates(self) -> list[Estimate]:
        """Return rows ``icc``, ``school_sd`` and ``pupil_sd``; the status is "boundary" for a school variance of 0."""
        shared = Estimate(
            conf_level=self.conf_level,
            n_schools=self.n_schools,
            n_pupils=self.n_pupils,
            method=f"{METHOD}_unconditional",
            status="failed" if self.reason else "boundary" if self.school == 0 else "ok",
            reason=self.reason,
        )
        icc = replace(shared, quantity="icc", term="icc", conf_low=self.icc_low, conf_high=self.icc_high)
        return [
            replace(icc, estimate=self.icc, se_type="profile_likelihood"),
            replace(shared, quantity="school_sd", term="school_sd", estimate=math.sqrt(self.school)),
            replace(shared, quantity="pupil_sd", term="pupil_sd", estimate=math.sqrt(self.pupil)),
        ]


def unconditional_components(frame: pd.DataFrame, question: Question) -> Components:
    """Fit the unconditional linear model of an outcome by REML.

    Parameters
    ----------
    frame
        One row a pupil of one place; a binary outcome is taken as 0 and 1.
    question
        What is asked.
    """
    columns = design_columns(frame, question.unconditional_model())
    if columns.reason:
        return Components(conf_level=question.conf_level, n_pupils=len(columns.y), reason=columns.reason)
    known = Components(conf_level=question.conf_level, n_schools=len(columns.schools), n_pupils=len(columns.y))
    if known.n_schools == known.n_pupils:
        reason = "No school has two pupils with this outcome: schools and pupils cannot be told apart."
        return replace(known, reason=reason)
    found = school_fit(moments(school_columns(columns)))
    if found.working is None:
        return replace(known, reason=found.reason)
    icc = icc_frame(found.working, conf_level=question.conf_level).iloc[0]
    return replace(
        known,
        school=found.school_variance,
        pupil=found.pupil_variance,
        icc_low=float(icc["conf_low"]),
        icc_high=float(icc["conf_high"]),
    )
