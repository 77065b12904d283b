"""Shares of the categories by arm, and what separates the arms."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.effect_sizes import odds_ratio
from analysis.ordinal.fitting import OrdinalFit, fit_ordinal
from analysis.quadrature import average_mean
from analysis.results import EffectRows, Estimate
from analysis.specs import Model
from analysis.standardised import Standardised, unestimated
from analysis.terms import arm_term
from data_schema.errors import EstimationError

_STEP = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdinalEffects(EffectRows):
    """Shares at or above a category by arm, standardised over the pupils of the trial.

    Parameters
    ----------
    fit
        The model that they come from.
    rows
        ``quantity`` is "share_above_K" (a row an arm: pupils in a category above K), "share_difference_above_K" and
        "odds_ratio" for the other arms.
    """

    fit: OrdinalFit

    def glance(self) -> pd.DataFrame:
        """Return one row for the fit."""
        return self.fit.glance()


def ordinal_effects(
    frame: pd.DataFrame, model: Model, *, n_nodes: int = 15, conf_level: float = 0.95
) -> OrdinalEffects:
    """Estimate the share of pupils above each category by arm.

    Parameters
    ----------
    frame, model, n_nodes
        See `fit_ordinal`; the model has arms.
    conf_level
        Level of the intervals.

    Returns
    -------
    OrdinalEffects
        Errors of shares by the delta method from maximum likelihood's variance, enlarged as that of the arm's
        coefficient is for few schools.

    Raises
    ------
    EstimationError
        For a model without arms.
    """
    if model.arm is None:
        raise EstimationError(f"model of '{model.outcome}'", "shares by arm need arms.", "Name the arms.")
    fit = fit_ordinal(frame, model, n_nodes=n_nodes)
    shared = fit.fit.effect_row(outcome=model.outcome, conf_level=conf_level, se_type="delta")
    if fit.parameters is None:
        return OrdinalEffects(fit=fit, rows=unestimated(shared, arms=model.arms, own="", contrasts=("odds_ratio",)))
    rows = []
    for arm in model.arms[1:]:
        ratio = odds_ratio(fit.estimate(arm_term(arm), conf_level=conf_level))
        rows.append(replace(ratio, arm=arm, outcome=model.outcome))
    for place in range(len(fit.categories) - 1):
        rows += _shares(shared, fit, model, place)
    return OrdinalEffects(fit=fit, rows=tuple(rows))


def _shares(shared: Estimate, fit: OrdinalFit, model: Model, place: int) -> list[Estimate]:
    """Return the rows of the share above one category."""
    assert fit.parameters is not None and fit.vcov is not None and fit.fit.coefficients is not None  # noqa: S101, PT018
    shares = Standardised.by_delta(
        np.array([_share_above(fit, fit.parameters, place, arm=arm, model=model) for arm in model.arms]),
        np.array([_slopes(fit, place, arm=arm, model=model) for arm in model.arms]),
        fit.vcov,
        terms=tuple(arm_term(arm) for arm in model.arms[1:]),
        df=float(fit.fit.coefficients.df[0]),
        arms=model.arms,
    )
    label = f"{fit.categories[place]:g}"
    rows = [shares.own(shared, k, quantity=f"share_above_{label}", scale="log_odds") for k in range(len(model.arms))]
    for k, term in enumerate(shares.terms, start=1):
        quantity = f"share_difference_above_{label}"
        rows.append(shares.difference(shared, k, quantity=quantity, enlarged=_enlargement(fit, term)))
    return rows


def _enlargement(fit: OrdinalFit, term: str) -> float:
    coefficients = fit.fit.coefficients
    assert coefficients is not None and coefficients.test_error is not None  # noqa: S101, PT018
    place = coefficients.names.index(term)
    return float(coefficients.test_error[place] / math.sqrt(coefficients.vcov[place, place]))


def _share_above(fit: OrdinalFit, parameters: np.ndarray, place: int, *, arm: str, model: Model) -> float:
    """Average the share above a category over pupils and schools."""
    data, scale, centre, coefficients = fit.data, fit.scale, fit.centre, fit.fit.coefficients
    assert data is not None and scale is not None and centre is not None and coefficients is not None  # noqa: S101, PT018
    c = data.n_categories - 1
    x = data.data.x.copy()
    for other in model.arms[1:]:
        k = coefficients.names.index(arm_term(other))
        x[:, k] = (float(other == arm) - centre[k]) / scale[k]
    eta = x @ parameters[c:-1] - parameters[place]
    return average_mean(eta, float(parameters[-1]), x=x, count=data.data.count)[0]


def _slopes(fit: OrdinalFit, place: int, *, arm: str, model: Model) -> np.ndarray:
    """Differentiate by central differences."""
    parameters = fit.parameters
    assert parameters is not None  # noqa: S101
    slopes = np.empty(len(parameters))
    for k in range(len(parameters)):
        step = np.zeros(len(parameters))
        step[k] = _STEP
        ahead, behind = (_share_above(fit, parameters + s, place, arm=arm, model=model) for s in (step, -step))
        slopes[k] = (ahead - behind) / (2 * _STEP)
    return slopes
