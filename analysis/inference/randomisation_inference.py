"""Randomisation tests from the design's own re-draws.

Under the sharp null hypothesis of no effect on anybody, outcomes stay what they are whatever the allocation, so the
statistic of the actual allocation is one draw from the statistics of all allocations that the design could have made.
The school sums and the variance ratio come from the model without arms, which no re-draw changes: a test costs two
matrix products. Intervals and other statistics are in `analysis.inference.randomisation_intervals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.linear import school_fit
from analysis.mixed_models.moments import moments
from analysis.mixed_models.working import Working
from analysis.specs import Model
from analysis.sums import school_columns
from analysis.terms import design_columns
from data_schema.errors import EstimationError

# Draws worked on at a time, so that memory does not grow with their number.
_CHUNK = 1_000
# An arm of which strata and covariates leave less than this share cannot be told apart from them.
_LEAST_LEFT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomisationTest:
    """A two-sided randomisation test of one arm against the reference.

    Parameters
    ----------
    statistic
        Studentised difference of the actual allocation; NaN when the test could not be made.
    p_value
        (1 + b) / (1 + B), b re-draws being as far from zero as the actual one.
    n_draws
        B, re-draws in which the statistic is defined.
    reason
        Why there is no test; empty otherwise.
    """

    statistic: float
    p_value: float
    n_draws: int
    reason: str = ""


def randomisation_tests(
    frame: pd.DataFrame, model: Model, *, schools: tuple[str, ...], actual: np.ndarray, draws: np.ndarray
) -> dict[str, RandomisationTest]:
    """Test every arm against the reference by re-drawing the design.

    Parameters
    ----------
    frame
        One row a pupil.
    model
        With ``arm`` and ``arms``; covariates and strata are taken into account.
    schools
        Names of the randomised schools, length J; every school of the frame is one of them.
    actual
        Shape (J,), position of each school's arm in ``model.arms``.
    draws
        Shape (B, J), the same of each re-draw.

    Returns
    -------
    dict
        Arm name to its test.

    References
    ----------
    Rosenbaum (2002), Observational Studies, section 2.4; Phipson and Smyth (2010), Statistical Applications in Genetics
    and Molecular Biology 9(1), 39, for the p-value.

    Raises
    ------
    EstimationError
        When the frame has a school that was not randomised, or the draws are not of these schools and arms.
    """
    check_draws(model, schools=schools, actual=actual, draws=draws)
    columns = design_columns(frame, replace(model, arm=None, arms=()))
    chosen = places_of(columns.schools, schools)
    if columns.reason:
        return dict.fromkeys(model.arms[1:], _no_test(columns.reason))
    found = school_fit(moments(school_columns(columns)))
    if found.working is None:
        return dict.fromkeys(model.arms[1:], _no_test(found.reason))
    every = np.vstack([actual[None, :], draws])[:, chosen]
    statistics = np.vstack(
        [
            _studentised(found.working, every[start : start + _CHUNK], n_arms=len(model.arms))
            for start in range(0, len(every), _CHUNK)
        ]
    )
    return {arm: _test(statistics[:, k]) for k, arm in enumerate(model.arms[1:])}


def check_draws(model: Model, *, schools: Sequence[str], actual: np.ndarray, draws: np.ndarray) -> None:
    """Refuse an allocation or re-draws that are not of these schools and the model's arms."""
    if actual.shape != (len(schools),) or draws.ndim != 2 or draws.shape[1] != len(schools):
        raise EstimationError(
            "randomisation test",
            f"{len(schools)} schools have an allocation of shape {actual.shape} and re-draws of shape {draws.shape}.",
            "Hand over one column a school, in the order of the schools.",
        )
    for positions in (actual, draws):
        if not np.isin(positions, np.arange(len(model.arms))).all():
            raise EstimationError(
                "randomisation test",
                "a draw holds an arm that the model does not name.",
                "Name all of the design's arms.",
            )


def places_of(present: Sequence[str], schools: Sequence[str]) -> np.ndarray:
    """Return where schools stand among the randomised ones; refuse one that is none of them."""
    place = {school: k for k, school in enumerate(schools)}
    strangers = [school for school in present if school not in place]
    if strangers:
        raise EstimationError(
            f"school '{strangers[0]}'", "was never randomised.", "Leave its pupils out or correct the school's name."
        )
    return np.array([place[school] for school in present], dtype=int)


def _studentised(fitted: Working, every: np.ndarray, *, n_arms: int) -> np.ndarray:
    """Return t statistics, shape (draws, arms - 1), by partialling the model's columns out of the arms' columns."""
    sums, at = fitted.sums, fitted.at
    by_school = sums.levels[0].cross[0, :, 0, :]  # of [X y], X beginning with the intercept
    school, pupil = fitted.optimum.variances
    shrunk = 1 / (pupil + school * by_school[:, 0])
    p = sums.p
    weighted = by_school * shrunk[:, None]
    residual_sums = weighted[:, -1] - weighted[:, :p] @ at.beta
    arms = np.stack([(every == k).astype(float) for k in range(1, n_arms)], axis=1)
    across = arms @ weighted[:, :p]
    score = arms @ residual_sums
    own = arms @ (arms * weighted[:, 0]).transpose(0, 2, 1)
    length = np.sqrt(np.diagonal(own, axis1=1, axis2=2))
    length = np.where(length > 0, length, 1.0)
    information = (own - across @ at.phi @ across.transpose(0, 2, 1)) / (length[:, :, None] * length[:, None, :])
    values, vectors = np.linalg.eigh(information)
    apart = values > _LEAST_LEFT
    inverse = (vectors * np.where(apart, 1 / np.where(apart, values, 1.0), 0.0)[:, None, :]) @ vectors.transpose(
        0, 2, 1
    )
    effect = (inverse @ (score / length)[:, :, None])[:, :, 0]
    explained = (effect * score / length).sum(axis=1)
    left = np.maximum(at.residual - explained, 0.0) / max(sums.n - p - n_arms + 1, 1)
    spread = np.sqrt(np.diagonal(inverse, axis1=1, axis2=2) * left[:, None])
    # An arm with a part in a direction that cannot be told apart has no statistic in this draw.
    blurred = ((vectors**2) * ~apart[:, None, :]).sum(axis=2) > _LEAST_LEFT
    return np.asarray(effect / np.where((spread > 0) & ~blurred, spread, np.nan))


def _no_test(reason: str) -> RandomisationTest:
    return RandomisationTest(statistic=np.nan, p_value=np.nan, n_draws=0, reason=reason)


def _test(statistics: np.ndarray) -> RandomisationTest:
    actual, others = float(statistics[0]), statistics[1:]
    others = others[np.isfinite(others)]
    if not np.isfinite(actual) or len(others) == 0:
        reason = "The arms cannot be told apart from the strata in the schools that have this outcome."
        return _no_test(reason)
    # Allocations with the same statistic must count as equal in spite of rounding.
    as_far = int((np.abs(others) >= abs(actual) * (1 - 1e-9)).sum())
    return RandomisationTest(statistic=actual, p_value=(1 + as_far) / (1 + len(others)), n_draws=len(others))
