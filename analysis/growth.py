"""Repeated waves and cohorts: differences wave by wave, growth, and before and after.

Errors are CR2 by school throughout: pupils who are seen several times, pupils of one cohort and a school's waves may be
alike in any way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.clustered import linear_clustered_of
from analysis.guards import checked_frame, is_numeric
from analysis.results import EffectRows, Fit, failed_row
from analysis.specs import Model
from analysis.terms import INTERCEPT, Columns, arm_term, design_columns, refuse_weights
from data_schema.errors import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveEffects(EffectRows):
    """Effects that come from several waves or cohorts.

    Parameters
    ----------
    rows
        ``quantity`` and ``term`` say what of which wave, see the functions that make them.
    fits
        The models, by what they are of.
    n_schools_compared
        Schools with data on both sides of the comparison over time.
    """

    fits: dict[str, Fit]
    n_schools_compared: int

    def glance(self) -> pd.DataFrame:
        """Return one row a model."""
        parts = [fit.glance().assign(model=name, n_compared=self.n_schools_compared) for name, fit in self.fits.items()]
        return pd.concat(parts, ignore_index=True)


def difference_in_differences(
    frame: pd.DataFrame, model: Model, *, cohort: str, after: Sequence[object], conf_level: float = 0.95
) -> WaveEffects:
    """Compare how arms changed from the cohorts before an intervention to those after it.

    Parameters
    ----------
    frame
        One row a pupil of any cohort.
    model
        With arms. Strata (pairs) may change by amounts of their own.
    cohort
        Column of the cohort or wave.
    after
        The cohorts after the start; all others are before it.
    conf_level
        Level of the interval.

    Returns
    -------
    WaveEffects
        ``quantity`` "difference_in_differences", a row per arm other than the reference: of a linear model with an
        intercept of its own for every school and every cohort. Of a binary outcome it is a difference of shares.
        Assumes that without the intervention arms would have changed alike; in a randomised trial they would, up to
        chance, and the schools' own level is taken out of the error.

    Raises
    ------
    EstimationError
        For a model without arms, a cohort that is missing, or cohorts on one side only.

    References
    ----------
    Bertrand, Duflo and Mullainathan (2004), Quarterly J. of Economics 119, 249-275; Pustejovsky and Tipton (2018) for
    CR2 with schools' own intercepts taken out.
    """
    frame = _checked(frame, model, cohort)
    late = frame[cohort].isin(list(after)).to_numpy(dtype=bool)
    if len(late) and (late.all() or not late.any()):
        raise EstimationError(
            f"column '{cohort}'",
            f"all rows are {'after' if late.all() else 'before'} the start.",
            f"Name the cohorts after it out of {', '.join(sorted(map(str, frame[cohort].unique())))}.",
        )
    known = frame.loc[frame[model.outcome].notna().to_numpy()]
    columns, n_both = _within_schools(known, model, cohort=cohort, late=known[cohort].isin(list(after)).to_numpy())
    columns = replace(columns, n_missing_outcome=len(frame) - len(known))
    fit = linear_clustered_of(columns)
    fit = replace(fit, method="difference_in_differences")
    effects = [
        replace(
            fit.estimate(_after(arm), conf_level=conf_level),
            quantity="difference_in_differences",
            arm=arm,
            outcome=model.outcome,
        )
        for arm in model.arms[1:]
    ]
    return WaveEffects(rows=tuple(effects), fits={"cohorts": fit}, n_schools_compared=n_both)


def _after(arm: str) -> str:
    return f"after:{arm_term(arm)}"


def _checked(frame: pd.DataFrame, model: Model, time: str) -> pd.DataFrame:
    refuse_weights(model)
    place = model.place
    if model.arm is None:
        raise EstimationError(place, "a comparison of arms over time needs arms.", "Name the arms.")
    frame = checked_frame(frame, (*model.columns, time), place=place)
    if frame[time].isna().any():
        raise EstimationError(
            f"column '{time}'", f"{int(frame[time].isna().sum())} rows have no wave.", "Give every row its wave."
        )
    if model.missing_covariates == "drop":
        raise EstimationError(place, "missing covariates cannot be dropped here.", "Use the indicator.")
    return frame


def _dummies(values: pd.Series[str], name: str) -> tuple[list[str], np.ndarray]:
    codes, labels = pd.factorize(values.astype(str), sort=True)
    return [f"{name}[{label}]" for label in labels[1:]], (codes[:, None] == np.arange(1, len(labels))).astype(float)


def _within_schools(frame: pd.DataFrame, model: Model, *, cohort: str, late: np.ndarray) -> tuple[Columns, int]:
    """Return columns with every school's mean taken off, and how many schools have pupils on both sides."""
    columns = design_columns(frame, replace(model, strata=None))
    if columns.reason:
        return columns, 0
    arms = list(columns.arm_terms.values())
    names = [_after(arm) for arm in columns.arm_terms]
    blocks = [columns.x[:, [columns.names.index(term) for term in arms]] * late[:, None]]
    kept = [k for k, name in enumerate(columns.names) if name not in (INTERCEPT, *arms)]
    names, blocks = names + [columns.names[k] for k in kept], [*blocks, columns.x[:, kept]]
    cohorts = _dummies(frame[cohort], cohort)
    names, blocks = names + cohorts[0], [*blocks, cohorts[1]]
    if model.strata is not None:
        strata = _dummies(frame[model.strata], "strata")
        names, blocks = names + [f"after:{name}" for name in strata[0]], [*blocks, strata[1] * late[:, None]]
    # The effects come last, so that a column that cannot be told from others is one of theirs.
    n_arms = len(arms)
    x = np.hstack(blocks)
    x, names = np.hstack([x[:, n_arms:], x[:, :n_arms]]), names[n_arms:] + names[:n_arms]
    size = np.bincount(columns.school).astype(float)
    both = np.bincount(columns.school, weights=late)
    centred = [_centred(column, columns.school, size) for column in (*x.T, columns.y)]
    done = replace(
        columns,
        names=(INTERCEPT, *names),
        x=np.column_stack([np.ones(len(columns.y)), *centred[:-1]]),
        y=centred[-1],
        arm_terms={},
    )
    return done, int(((both > 0) & (both < size)).sum())


def _centred(values: np.ndarray, school: np.ndarray, size: np.ndarray) -> np.ndarray:
    return np.asarray(values - (np.bincount(school, weights=values) / size)[school])


def wave_effects(frame: pd.DataFrame, model: Model, *, wave: str, conf_level: float = 0.95) -> WaveEffects:
    """Compare arms at every wave, their change since the first, and their growth.

    Parameters
    ----------
    frame
        One row per pupil and wave; pupils may be seen once or several times.
    model
        With arms; covariates and strata move all waves alike.
    wave
        Column of the time of the wave, a number.
    conf_level
        Level of the intervals.

    Returns
    -------
    WaveEffects
        For each arm other than the reference ``quantity`` "difference" (a row a wave, ``term`` the wave), "change" (the
        difference less that at the first wave) and "growth" (the difference's slope by the wave's time).

    Raises
    ------
    EstimationError
        For a model without arms, a wave that is missing or no number, or a single wave.
    """
    frame = _checked(frame, model, wave)
    if not is_numeric(frame[wave]):
        raise EstimationError(f"column '{wave}'", "is not numeric.", "Give the time of each wave, such as years.")
    known = frame.loc[frame[model.outcome].notna().to_numpy()]
    columns = design_columns(known, model)
    if columns.reason:
        return _nothing(columns, model, conf_level=conf_level)
    waves = np.sort(known[wave].unique())
    if len(waves) < 2:
        raise EstimationError(f"column '{wave}'", f"{len(waves)} wave is not enough for change.", "Use two or more.")
    columns = replace(columns, n_missing_outcome=len(frame) - len(known))
    time = known[wave].to_numpy(dtype=float)
    fits = {
        "difference": linear_clustered_of(_by_wave(columns, time, waves, kind="difference")),
        "change": linear_clustered_of(_by_wave(columns, time, waves, kind="change")),
        "growth": linear_clustered_of(_by_wave(columns, time, waves, kind="growth")),
    }
    rows = []
    for arm in model.arms[1:]:
        for quantity, levels in (("difference", waves), ("change", waves[1:])):
            for level in levels:
                row = fits[quantity].estimate(_at(arm, level), conf_level=conf_level)
                rows.append(replace(row, quantity=quantity, arm=arm, term=f"{level:g}", outcome=model.outcome))
        row = fits["growth"].estimate(_growth(arm), conf_level=conf_level)
        rows.append(replace(row, quantity="growth", arm=arm, term=wave, outcome=model.outcome))
    seen = pd.DataFrame({"school": columns.school, "time": time}).groupby("school")["time"].nunique()
    return WaveEffects(rows=tuple(rows), fits=fits, n_schools_compared=int((seen > 1).sum()))


def _nothing(columns: Columns, model: Model, *, conf_level: float) -> WaveEffects:
    fit = linear_clustered_of(columns)
    rows = [
        failed_row(
            replace(
                fit.estimate(arm_term(arm), conf_level=conf_level), quantity="growth", arm=arm, outcome=model.outcome
            )
        )
        for arm in model.arms[1:]
    ]
    return WaveEffects(rows=tuple(rows), fits={"growth": fit}, n_schools_compared=0)


def _at(arm: str, level: float) -> str:
    return f"{arm_term(arm)}:{level:g}"


def _growth(arm: str) -> str:
    return f"{arm_term(arm)}:time"


def _by_wave(columns: Columns, time: np.ndarray, waves: np.ndarray, *, kind: str) -> Columns:
    """Return columns in which the arms' effects differ by wave: at each, since the first, or in proportion to time."""
    at = (time[:, None] == waves).astype(float)
    names = [*columns.names, *(f"wave[{level:g}]" for level in waves[1:])]
    blocks = [columns.x, at[:, 1:]]
    if kind == "difference":
        kept = [k for k, name in enumerate(columns.names) if name not in columns.arm_terms.values()]
        names = [columns.names[k] for k in kept] + names[len(columns.names) :]
        blocks[0] = columns.x[:, kept]
    for arm, term in columns.arm_terms.items():
        own = columns.x[:, columns.names.index(term)]
        if kind == "growth":
            names.append(_growth(arm))
            blocks.append((own * (time - waves[0]))[:, None])
        else:
            first = 0 if kind == "difference" else 1
            names += [_at(arm, level) for level in waves[first:]]
            blocks.append(own[:, None] * at[:, first:])
    return replace(columns, names=tuple(names), x=np.hstack(blocks), arm_terms={})
