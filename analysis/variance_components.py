"""How much of an outcome's variance lies between schools, as rows: given the design, and without it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd

from analysis.linear import METHOD, fit_of, fit_restricted_likelihood
from analysis.mixed_models.intercept import MeanSquares
from analysis.questions import Question
from analysis.results import Estimate
from analysis.specs import Model
from analysis.terms import design_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Variances of a model with a random school intercept and no covariates.

    Parameters
    ----------
    school, pupil
        Variances between schools and between pupils of a school, squared units of the outcome; NaN when unknown.
    icc_low, icc_high
        Exact limits of the intraclass correlation under normal errors; NaN where there is no interval.
    variance_df
        Degrees of freedom of the sum of both variances.
    conf_level
        Level of the limits.
    n_schools, n_pupils
        Those with the outcome.
    reason
        Why there are none; empty otherwise.
    """

    school: float = math.nan
    pupil: float = math.nan
    icc_low: float = math.nan
    icc_high: float = math.nan
    variance_df: float = math.nan
    conf_level: float = 0.95
    n_schools: int = 0
    n_pupils: int = 0
    reason: str = ""

    @property
    def total(self) -> float:
        """Sum of both variances."""
        return self.school + self.pupil

    @property
    def icc(self) -> float:
        """Share of the variance that lies between schools, 0 to 1."""
        return self.school / self.total

    def _build_estimate_row(self, quantity: str, estimate: float, *, method: str) -> Estimate:
        return Estimate(
            quantity=quantity,
            term=quantity,
            estimate=estimate,
            conf_level=self.conf_level,
            n_schools=self.n_schools,
            n_pupils=self.n_pupils,
            method=f"{METHOD}_{method}",
            status="failed" if self.reason else "boundary" if self.school == 0 else "ok",
            reason=self.reason,
        )

    def to_estimates(self) -> list[Estimate]:
        """Return rows ``icc``, ``school_sd`` and ``pupil_sd``; the status is "boundary" for a school variance of 0."""
        icc = self._build_estimate_row("icc", self.icc, method="given_design")
        return [
            replace(icc, conf_low=self.icc_low, conf_high=self.icc_high, se_type="exact_f"),
            self._build_estimate_row("school_sd", math.sqrt(self.school), method="given_design"),
            self._build_estimate_row("pupil_sd", math.sqrt(self.pupil), method="given_design"),
        ]

    def to_unconditional_estimate(self) -> Estimate:
        """Return the row ``icc_unconditional``.

        It has no interval: what arms, strata and countries differ by is in it, and is no variance of schools drawn at
        random.
        """
        return self._build_estimate_row("icc_unconditional", self.icc, method="unconditional")


def design_components(frame: pd.DataFrame, question: Question) -> Components:
    """Fit the linear model of an outcome with the design's columns alone: arms, strata and countries.

    Its variances are those within arms and strata: what one more trial of this design plans with, and what an effect is
    standardised by.

    Parameters
    ----------
    frame
        One row per pupil of one place; a binary outcome is taken as 0 and 1.
    question
        What is asked.
    """
    named, model = _design_model(frame, question)
    return _estimate_components(named, model, conf_level=question.conf_level)


def level_estimates(frame: pd.DataFrame, question: Question) -> list[Estimate]:
    """Return rows ``level_sd``, ``icc_level`` and ``icc_beside_level`` where the estimator has a level within schools.

    They are of one model with the design's columns, random intercepts of schools and of the groups of the level within
    them: the deviation of these groups, their share of the variance, and that of schools beside them.

    Parameters
    ----------
    frame, question
        See `design_components`.
    """
    level = question.estimator.named_fields.get("level", "")
    if not level:
        return []
    named, model = _design_model(frame, question)
    columns = design_columns(named, replace(model, level=level))
    fit = fit_of(fit_restricted_likelihood(columns), columns)
    reason = fit.convergence.reason
    if not reason and not columns.level:
        reason = f"No school has two groups of '{level}' with this outcome: they cannot be distinguished from schools."
    variances = {"school": math.nan, "level": math.nan, "pupil": math.nan} if reason else dict(fit.variances)
    total = sum(variances.values())
    figures = {
        "level_sd": math.sqrt(variances["level"]),
        "icc_level": variances["level"] / total,
        "icc_beside_level": variances["school"] / total,
    }
    shared = Estimate(
        conf_level=question.conf_level,
        n_schools=len(columns.schools),
        n_pupils=len(columns.y),
        method=f"{METHOD}_given_design_with_level",
        status="failed" if reason else "boundary" if fit.convergence.status == "boundary" else "ok",
        reason=reason,
    )
    return [replace(shared, quantity=name, term=name, estimate=value) for name, value in figures.items()]


def _design_model(frame: pd.DataFrame, question: Question) -> tuple[pd.DataFrame, Model]:
    """Return the frame with the design's columns as categories, and the model of them alone."""
    fixed = [question.arm]
    if question.country in frame.columns and question.country != question.strata:
        fixed += [question.country] if not frame[question.country].isna().any() else []
    fixed = [name for name in fixed if len(frame[name].unique()) > 1]
    named = frame.assign(**{name: frame[name].astype(str) for name in fixed})
    return named, Model(
        outcome=question.outcome, school=question.school, covariates=tuple(fixed), strata=question.strata
    )


def unconditional_components(frame: pd.DataFrame, question: Question) -> Components:
    """Fit the linear model of an outcome with nothing but an intercept and schools by REML.

    Parameters
    ----------
    frame, question
        See `design_components`.
    """
    return _estimate_components(frame, question.unconditional_model(), conf_level=question.conf_level, interval=False)


def _estimate_components(frame: pd.DataFrame, model: Model, *, conf_level: float, interval: bool = True) -> Components:
    columns = design_columns(frame, model)
    if columns.reason:
        return Components(conf_level=conf_level, n_pupils=len(columns.y), reason=columns.reason)
    known = Components(conf_level=conf_level, n_schools=len(columns.schools), n_pupils=len(columns.y))
    if known.n_schools == known.n_pupils:
        reason = "No school has two pupils with this outcome: schools and pupils cannot be distinguished."
        return replace(known, reason=reason)
    mixed_fit = fit_restricted_likelihood(columns)
    if mixed_fit.working is None:
        return replace(known, reason=mixed_fit.reason)
    squares = MeanSquares.of(mixed_fit.working.sums)
    if squares.df_between < 1:
        return replace(known, reason="No schools are left over beside arms and strata to tell how schools differ.")
    low, high = squares.icc_interval(conf_level=conf_level) if interval else (math.nan, math.nan)
    icc = mixed_fit.school_variance / (mixed_fit.school_variance + mixed_fit.pupil_variance)
    return replace(
        known,
        school=mixed_fit.school_variance,
        pupil=mixed_fit.pupil_variance,
        icc_low=low,
        icc_high=high,
        variance_df=squares.total_variance_df(icc),
    )
