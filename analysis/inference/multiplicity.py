"""Several hypotheses of one family: Holm, Benjamini-Hochberg, and step-down by the greatest of shared statistics.

Holm and Benjamini-Hochberg need p-values only. The step-down of Westfall and Young, by the design's re-draws, uses that
outcomes of the same pupils are correlated: the same draw serves all of them, and what is counted is how often the
greatest statistic of those not yet rejected is as far off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from data_schema.errors import EstimationError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.inference.randomisation_intervals import StatisticName
    from analysis.specs import Model

Adjustment = Literal["holm", "benjamini_hochberg"]
_STATSMODELS: dict[Adjustment, str] = {"holm": "holm", "benjamini_hochberg": "fdr_bh"}

# Statistics that differ by rounding count as equal.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyTest:
    """One hypothesis of a family.

    Parameters
    ----------
    outcome, arm
        What is tested.
    statistic
        NaN when there is none; the family then consists of the others.
    p_value
        Of this hypothesis alone.
    p_holm, p_benjamini_hochberg
        Adjusted from the p-values.
    p_step_down
        Adjusted by shared draws (Westfall-Young): the chance of any false rejection stays below the level.
    reason
        Why there is no test; empty otherwise.
    """

    outcome: str
    arm: str
    statistic: float
    p_value: float
    p_holm: float
    p_benjamini_hochberg: float
    p_step_down: float
    reason: str = ""


def adjusted_p_values(p_values: np.ndarray, *, method: Adjustment = "holm") -> np.ndarray:
    """Adjust p-values for there being several.

    Parameters
    ----------
    p_values
        Shape (k,); NaN for hypotheses without a test, which stay NaN and are not counted.
    method
        "holm" (the chance of any false rejection) or "benjamini_hochberg" (the expected share of false ones among
        rejections, for independent or positively dependent statistics).

    Returns
    -------
    numpy.ndarray
        Shape (k,), never below ``p_values``, never above 1.

    References
    ----------
    Holm (1979), Scandinavian J. of Statistics 6, 65-70; Benjamini and Hochberg (1995), JRSS B 57, 289-300.

    Examples
    --------
    >>> adjusted_p_values(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    if method not in get_args(Adjustment):
        raise EstimationError(
            "adjusted p-values", f"'{method}' is unknown.", f"Use one of {', '.join(get_args(Adjustment))}."
        )
    from statsmodels.stats.multitest import multipletests

    values = np.asarray(p_values, dtype=float)
    adjusted = np.full(values.shape, np.nan)
    tested = np.isfinite(values)
    if tested.any():
        adjusted[tested] = multipletests(values[tested], method=_STATSMODELS[method])[1]
    return adjusted


def step_down_p_values(statistics: np.ndarray, draws: np.ndarray, *, all_draws: bool = False) -> np.ndarray:
    """Adjust for several hypotheses by the greatest of their statistics in shared draws, step by step.

    Parameters
    ----------
    statistics
        Shape (k,); their sizes are compared. NaN for hypotheses without a test.
    draws
        Shape (B, k), the same under the null hypothesis. A draw in which one is not defined is left out.
    all_draws
        Whether the draws are all that there are, so that p-values are shares; otherwise (1 + b) / (1 + B).

    Returns
    -------
    numpy.ndarray
        Shape (k,), NaN where there is no statistic.

    References
    ----------
    Westfall and Young (1993), Resampling-Based Multiple Testing, algorithm 4.1; Romano and Wolf (2016), Statistics and
    Probability Letters 113, 38-40.
    """
    adjusted = np.full(statistics.shape, np.nan)
    there = np.flatnonzero(np.isfinite(statistics))
    order = there[np.argsort(-np.abs(statistics[there]), kind="stable")]
    sizes = np.abs(draws[:, order])
    sizes = sizes[~np.isnan(sizes).any(axis=1)]
    if len(order) == 0 or len(sizes) == 0:
        return adjusted
    greatest = np.maximum.accumulate(sizes[:, ::-1], axis=1)[:, ::-1]
    as_far = (greatest >= np.abs(statistics[order]) * (1 - _ROUNDING)).sum(axis=0)
    shares = as_far / len(sizes) if all_draws else (1 + as_far) / (1 + len(sizes))
    adjusted[order] = np.maximum.accumulate(shares)
    return adjusted


def randomisation_family(
    frame: pd.DataFrame,
    models: Mapping[str, Model],
    *,
    schools: tuple[str, ...],
    actual: np.ndarray,
    draws: np.ndarray,
    statistic: StatisticName = "mixed_t",
) -> tuple[FamilyTest, ...]:
    """Test a declared family of outcomes by the same re-draws of the design (max-T step-down).

    Parameters
    ----------
    frame
        One row per pupil.
    models
        Name of each outcome (or subgroup's column) to its model; all with the same two arms.
    schools, actual, draws, statistic
        As for `analysis.randomisation_inference`; a studentised statistic, so that outcomes compare.

    Raises
    ------
    EstimationError
        When a model has more than two arms: what re-draws of all of them test is no effect of any.
    """
    from analysis.inference.randomisation_intervals import build_redraws

    for name, model in models.items():
        if len(model.arms) > 2:
            raise EstimationError(
                f"family of tests, '{name}'",
                f"it has {len(model.arms)} arms, and re-draws that are shared move the schools of all of them.",
                "Keep the pupils and schools of two arms, and re-draw these.",
            )
    labels, statistics, reasons = [], [], []
    for name, model in models.items():
        redraws = build_redraws(frame, model, schools=schools, actual=actual, draws=draws, statistic=statistic)
        for place, arm in enumerate(model.arms[1:]):
            labels.append((name, arm))
            if isinstance(redraws, str):
                statistics.append(np.full(len(draws) + 1, np.nan))
                reasons.append(redraws)
            else:
                statistics.append(redraws.statistics(np.zeros((len(model.arms) - 1, 1)))[:, place])
                undefined = "The arms cannot be distinguished from the strata in the schools that have this outcome."
                reasons.append("" if np.isfinite(statistics[-1][0]) else undefined)
    table = np.column_stack(statistics)
    return _build_family_tests(labels, table[0], table[1:], reasons=reasons)


def _build_family_tests(
    labels: list[tuple[str, str]],
    statistics: np.ndarray,
    draws: np.ndarray,
    *,
    reasons: list[str],
) -> tuple[FamilyTest, ...]:
    alone = np.array([step_down_p_values(statistics[k : k + 1], draws[:, k : k + 1])[0] for k in range(len(labels))])
    holm = adjusted_p_values(alone, method="holm")
    false_discovery = adjusted_p_values(alone, method="benjamini_hochberg")
    stepped = step_down_p_values(statistics, draws)
    return tuple(
        FamilyTest(
            outcome=outcome,
            arm=arm,
            statistic=float(statistics[k]),
            p_value=float(alone[k]),
            p_holm=float(holm[k]),
            p_benjamini_hochberg=float(false_discovery[k]),
            p_step_down=float(stepped[k]),
            reason=reasons[k],
        )
        for k, (outcome, arm) in enumerate(labels)
    )
