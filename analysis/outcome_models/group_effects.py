"""How groups' effects enter the linear predictor, what they are, and what a factor's levels do, averaged over them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.effect_sizes import number_needed_to_treat
from analysis.quadrature import Response
from analysis.results import EffectRows, Estimate
from analysis.standardised import Standardised, build_failed_rows
from data_schema.errors import EstimationError

if TYPE_CHECKING:
    from analysis.outcome_models.fit import OutcomeFit


_FEW_NODES = 15
_MANY_NODES = 40
_NARROW = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEffects:
    """Predicted effects of the groups of one grouping.

    Parameters
    ----------
    grouping
        Its name.
    labels
        Of the J groups.
    names
        Columns that the effects are of, length q.
    estimates, errors
        Shape (J, q), modes given the estimates, and conditional standard deviations.
    sd
        Shape (q,), standard deviations over groups.
    """

    grouping: str
    labels: tuple[str, ...]
    names: tuple[str, ...]
    estimates: np.ndarray
    errors: np.ndarray
    sd: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The distribution of the groups' part: a row's is normal with mean zero.

    Parameters
    ----------
    theta
        Standard deviations, outermost first; with a slope the Cholesky factor (a, b, c) of intercept and slope, the
        slope's column centred and scaled.
    slope
        Position, centre and scale of the slope's column; None for intercepts.
    """

    theta: np.ndarray
    slope: tuple[int, float, float] | None = None

    def sd(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each row's standard deviation, shape (N,), and its derivatives by theta, shape (N, m).

        Parameters
        ----------
        x
            Shape (N, p), columns as they were.
        """
        if self.slope is None:
            total = float(np.sqrt((self.theta**2).sum()))
            by_theta = self.theta / total if total > 0 else np.zeros_like(self.theta)
            return np.full(len(x), total), np.tile(by_theta, (len(x), 1))
        place, centre, scale = self.slope
        a, b, c = self.theta
        w = (x[:, place] - centre) / scale
        level = a + b * w
        total = np.hypot(level, c * w)
        safe = np.where(total > 0, total, 1.0)
        by_theta = np.column_stack([level / safe, level * w / safe, c * w**2 / safe])
        return total, np.where(total[:, None] > 0, by_theta, 0.0)


def compute_averaged_outcome(
    eta: np.ndarray, sd: np.ndarray, response: Response
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each row's mean outcome over groups, and its derivatives by ``eta`` and ``sd``; shapes (N,).

    Parameters
    ----------
    eta
        Shape (N,), the linear predictor of the middle group.
    sd
        Shape (N,), of the groups.
    response
        The outcome's distribution.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(
        _FEW_NODES if float(sd.max(initial=0.0)) < _NARROW else _MANY_NODES
    )
    weights = weights / weights.sum()
    mean, by_eta, by_sd = np.zeros(len(eta)), np.zeros(len(eta)), np.zeros(len(eta))
    for node, weight in zip(nodes, weights, strict=True):
        value, slope = response.mean(eta + sd * node)
        mean += weight * value
        by_eta += weight * slope
        by_sd += weight * node * slope
    return mean, by_eta, by_sd


_OF_SHARES = ("risk_difference", "risk_ratio", "marginal_odds_ratio", "number_needed_to_treat")
_OF_RATES = ("rate_ratio", "rate_difference", "mean_difference")


def build_standardised_effects(fit: OutcomeFit, factor: str, *, per: float, conf_level: float) -> EffectRows:
    """Return rows of a factor's levels; see `OutcomeFit.effects`."""
    levels = fit.made.described.levels.get(factor)
    if levels is None or factor not in {name for used in fit.made.described.design.factors.values() for name in used}:
        raise EstimationError(
            f"effects of '{fit.outcome}'",
            f"'{factor}' is not a factor of the formula.",
            f"Use one of {', '.join(sorted(fit.made.described.levels)) or 'its text columns'}.",
        )
    if not per > 0:
        raise EstimationError(f"effects of '{fit.outcome}'", f"rates per {per:g} units mean nothing.", "Use 1, or 100.")
    binary = fit.family == "binomial"
    shared = fit.fitted.fit.effect_row(outcome=fit.outcome, conf_level=conf_level, se_type="delta")
    shared = replace(shared, n_schools=fit.n_schools, n_pupils=fit.n_pupils)
    if fit.coefficients is None:
        own_quantity, contrasts = ("risk", _OF_SHARES) if binary else ("rate", _OF_RATES)
        return EffectRows(rows=build_failed_rows(shared, arms=levels, own=own_quantity, contrasts=contrasts))
    means = _compute_standardised_means(fit, factor, levels)
    rows = (
        _build_share_rows(shared, means)
        if binary
        else _build_rate_rows(shared, means, per=per, exposure=float(fit.made.exposure.mean()))
    )
    return EffectRows(rows=tuple(rows))


def _compute_standardised_means(fit: OutcomeFit, factor: str, levels: tuple[str, ...]) -> Standardised:
    """Average the fitted mean over the fit's pupils, weighted by exposure, with every pupil at each level."""
    coefficients, fitted = fit.coefficients, fit.fitted
    assert coefficients is not None and fitted.spread is not None  # noqa: S101, PT018  # asked for only then
    assert fitted.response is not None and fitted.vcov is not None  # noqa: S101, PT018
    weight = fit.made.exposure / fit.made.exposure.sum()
    values, slopes, varying = [], [], []
    for level in levels:
        x = fit.design(fit.made.frame.assign(**{factor: level}))
        sd, by_theta = fitted.spread.sd(x)
        mean, by_eta, by_sd = compute_averaged_outcome(x @ coefficients.estimate, sd, fitted.response)
        values.append(float(weight @ mean))
        slopes.append(np.concatenate([(weight * by_eta) @ x, (weight * by_sd) @ by_theta]))
        varying.append(x)
    changed = np.any([(x != varying[0]).any(axis=0) for x in varying], axis=0)
    return Standardised.by_delta(
        np.array(values),
        np.array(slopes),
        fitted.vcov,
        terms=tuple(f"{factor}[{level}]" for level in levels[1:]),
        df=float(coefficients.df[changed].min(initial=np.inf)),
        arms=levels,
    )


def _build_share_rows(shared: Estimate, means: Standardised) -> list[Estimate]:
    rows = [means.own(shared, place, quantity="risk", scale="log_odds") for place in range(len(means.arms))]
    for place in range(1, len(means.arms)):
        difference = means.difference(shared, place, quantity="risk_difference")
        rows += [
            difference,
            means.ratio(shared, place, quantity="risk_ratio"),
            means.odds_ratio(shared, place, quantity="marginal_odds_ratio"),
            number_needed_to_treat(difference),
        ]
    return rows


def _build_rate_rows(shared: Estimate, means: Standardised, *, per: float, exposure: float) -> list[Estimate]:
    by_unit = means.times(per)
    rows = [by_unit.own(shared, place, quantity="rate", scale="log") for place in range(len(means.arms))]
    for place in range(1, len(means.arms)):
        rows += [
            means.ratio(shared, place, quantity="rate_ratio"),
            by_unit.difference(shared, place, quantity="rate_difference"),
            means.times(exposure).difference(shared, place, quantity="mean_difference"),
        ]
    return rows
