"""Which kind of signal carries the warning, and whether predicted risks are what happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.quadrature import Patterns, WeakPrior
from analysis.quadrature.search import fit_without_schools
from analysis.warning_signals.evaluation import SignalQuestion, SignalRows, read_signal_rows
from analysis.warning_signals.measures import compute_share_interval, compute_signal_areas, draw_school_counts
from data_schema.errors import EstimationError

_TWO_DEVIATIONS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalShares:
    """What kinds of signals carry, and how well the risk that they make together is calibrated.

    Parameters
    ----------
    table
        ``kind``, ``measure`` ("auc" of the kind alone, "auc_without" it, "loss" by leaving it out; kind "all": "auc",
        "calibration_slope", "calibration_intercept"), ``estimate``, ``std_error``, ``conf_low``, ``conf_high``.
    calibration
        A row a tenth of predicted risk: ``predicted``, ``observed``, ``n_pupils``.
    risk
        Predicted risk of each pupil by a model made in the other schools, on the index of the frame.
    """

    table: pd.DataFrame
    calibration: pd.DataFrame
    risk: pd.Series[float]

    def tidy(self) -> pd.DataFrame:
        """Return the table."""
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: pupils, leavers by prediction, and the mean distance of predicted from observed."""
        gap = (self.calibration["predicted"] - self.calibration["observed"]).abs()
        weight = self.calibration["n_pupils"] / self.calibration["n_pupils"].sum()
        return pd.DataFrame([{"n_pupils": len(self.risk), "calibration_error": float((gap * weight).sum())}])


def signal_shares(
    frame: pd.DataFrame,
    question: SignalQuestion,
    kinds: Mapping[str, tuple[str, ...]],
    *,
    n_folds: int = 10,
    n_bootstrap: int = 499,
    seed: int = 0,
    conf_level: float = 0.95,
) -> SignalShares:
    """Ask which of attendance, behaviour and marks carries the warning.

    Parameters
    ----------
    frame
        One row per pupil.
    question
        Its signals are those of ``kinds``, each in one.
    kinds
        Kind to its columns, two kinds or more.
    n_folds
        Groups of schools; each pupil's risk comes from a logistic model of the schools of the other groups (with a weak
        prior, signals standardised, missing ones at the mean).
    n_bootstrap, seed
        Draws of whole schools; the models stay as they are.
    conf_level
        Level of the intervals.

    Raises
    ------
    EstimationError
        When kinds and signals do not agree, or there are fewer schools than two.
    """
    named = [column for columns in kinds.values() for column in columns]
    if sorted(named) != sorted(question.signals) or len(kinds) < 2:
        raise EstimationError(
            f"signals of '{question.outcome}'",
            "kinds and signals differ.",
            "Put each signal in one of two or more kinds.",
        )
    rows = read_signal_rows(frame, question)
    if len(rows.schools) < 2:
        raise EstimationError(f"signals of '{question.outcome}'", "one school is too few.", "Use two or more.")
    fold = _assign_schools_to_folds(len(rows.schools), n_folds=n_folds, seed=seed)
    draws = draw_school_counts(len(rows.schools), n_bootstrap=n_bootstrap, seed=seed)
    risk = _predict_left_out_risk(rows, question.signals, fold)
    whole_area = _compute_areas_of_draws(risk, rows, draws)
    table = [_build_share_row("all", "auc", whole_area, df=len(rows.schools) - 1, conf_level=conf_level)]
    for kind, columns in kinds.items():
        alone = _compute_areas_of_draws(_predict_left_out_risk(rows, columns, fold), rows, draws)
        others = tuple(name for name in question.signals if name not in columns)
        without = _compute_areas_of_draws(_predict_left_out_risk(rows, others, fold), rows, draws)
        table.append(_build_share_row(kind, "auc", alone, df=len(rows.schools) - 1, conf_level=conf_level))
        table.append(_build_share_row(kind, "auc_without", without, df=len(rows.schools) - 1, conf_level=conf_level))
        table.append(
            _build_plain_row(kind, "loss", whole_area - without, df=len(rows.schools) - 1, conf_level=conf_level)
        )
    for measure, values in _compute_calibration(risk, rows, draws).items():
        table.append(_build_plain_row("all", measure, values, df=len(rows.schools) - 1, conf_level=conf_level))
    return SignalShares(
        table=pd.DataFrame(table),
        calibration=_summarise_risk_tenths(risk, rows.left),
        risk=pd.Series(risk, index=rows.frame.index),
    )


def _assign_schools_to_folds(n_schools: int, *, n_folds: int, seed: int) -> np.ndarray:
    """Deal schools to groups; shape (J,)."""
    order = np.random.default_rng(seed).permutation(n_schools)
    fold = np.empty(n_schools, dtype=int)
    fold[order] = np.arange(n_schools) % min(n_folds, n_schools)
    return fold


def _predict_left_out_risk(rows: SignalRows, signals: tuple[str, ...], fold: np.ndarray) -> np.ndarray:
    """Return each pupil's risk by a model of the schools of the other groups."""
    values = np.column_stack([rows.signal(name) for name in signals])
    empty = [name for name, column in zip(signals, values.T, strict=True) if np.isnan(column).all()]
    if empty:
        raise EstimationError(f"signal '{empty[0]}'", "is missing for every pupil.", "Leave it out.")
    values = np.where(np.isnan(values), np.nanmean(values, axis=0), values)
    spread = values.std(axis=0)
    x = np.column_stack([np.ones(len(values)), (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)])
    risk = np.empty(len(values))
    for group in np.unique(fold):
        held = fold[rows.school] == group
        beta = _fit_penalised_logit(x[~held], rows.left[~held])
        risk[held] = 1 / (1 + np.exp(-x[held] @ beta))
    return risk


def _fit_penalised_logit(
    x: np.ndarray, left: np.ndarray, weight: np.ndarray | None = None, *, prior: bool = True
) -> np.ndarray:
    factors = np.full(x.shape[1], _TWO_DEVIATIONS)
    factors[0] = 0.0
    weight = np.ones(len(left)) if weight is None else weight
    data = Patterns(
        x=x,
        school=np.zeros(len(left), dtype=int),
        count=weight,
        events=left * weight,
        n_schools=1,
        prior=WeakPrior(factors=factors) if prior else None,
    )
    return fit_without_schools(data)


def _compute_areas_of_draws(risk: np.ndarray, rows: SignalRows, draws: np.ndarray) -> np.ndarray:
    """Return the area with all schools, then of every draw, shape (B + 1,)."""
    return compute_signal_areas(risk, rows.left, rows.school, np.vstack([np.ones(draws.shape[1]), draws]))


def _compute_calibration(risk: np.ndarray, rows: SignalRows, draws: np.ndarray) -> dict[str, np.ndarray]:
    """Return slope and intercept of the outcome's log odds on the predicted ones: 1 and 0 when right (Cox 1958)."""
    inner = np.clip(risk, 1e-9, 1 - 1e-9)
    log_odds = np.log(inner / (1 - inner))
    x = np.column_stack([np.ones(len(risk)), log_odds])
    weights = [np.ones(len(risk)), *(draw[rows.school] for draw in draws)]
    slopes = np.array([_fit_penalised_logit(x, rows.left, weight, prior=False)[1] for weight in weights])
    # The intercept is that with a slope of one: how far risks are too low (above 0) or too high as a whole.
    large = np.array([_find_calibration_shift(log_odds, rows.left, weight) for weight in weights])
    return {"calibration_slope": slopes, "calibration_intercept": large}


def _find_calibration_shift(log_odds: np.ndarray, left: np.ndarray, weight: np.ndarray) -> float:
    """Return what must be added to the log odds for as many events as there are."""
    shift = 0.0
    for _ in range(50):
        chance = 1 / (1 + np.exp(-(log_odds + shift)))
        step = float(weight @ (left - chance)) / max(float(weight @ (chance * (1 - chance))), 1e-12)
        shift += float(np.clip(step, -2.0, 2.0))
        if abs(step) < 1e-10:
            break
    return shift


def _summarise_risk_tenths(risk: np.ndarray, left: np.ndarray) -> pd.DataFrame:
    tenth = np.minimum((pd.Series(risk).rank(method="average", pct=True).to_numpy() * 10).astype(int), 9)
    table = pd.DataFrame({"tenth": tenth + 1, "predicted": risk, "observed": left}).groupby("tenth")
    named = {"predicted": ("predicted", "mean"), "observed": ("observed", "mean"), "n_pupils": ("observed", "size")}
    return table.agg(**named).reset_index()


def _build_share_row(kind: str, measure: str, values: np.ndarray, *, df: int, conf_level: float) -> dict[str, object]:
    error, low, high = compute_share_interval(float(values[0]), values[1:], df=df, conf_level=conf_level)
    return {
        "kind": kind,
        "measure": measure,
        "estimate": float(values[0]),
        "std_error": error,
        "conf_low": low,
        "conf_high": high,
    }


def _build_plain_row(kind: str, measure: str, values: np.ndarray, *, df: int, conf_level: float) -> dict[str, object]:
    from scipy import stats

    usable = values[1:][np.isfinite(values[1:])]
    error = float(usable.std(ddof=1)) if len(usable) > 1 else np.nan
    half = float(stats.t.isf((1 - conf_level) / 2, df)) * error
    return {
        "kind": kind,
        "measure": measure,
        "estimate": float(values[0]),
        "std_error": error,
        "conf_low": float(values[0]) - half,
        "conf_high": float(values[0]) + half,
    }
