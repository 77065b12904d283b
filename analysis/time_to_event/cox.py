"""Cox's model of the time to an event, with errors for schools."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from analysis.guards import binary_reason, checked_frame, numeric_column
from analysis.results import Coefficients, Convergence, Fit, failed_fit
from analysis.specs import Model
from analysis.sums import scaled_columns
from analysis.terms import INTERCEPT, Columns, columns_with
from analysis.time_to_event.partial_likelihood import Stratum, Ties, maximise_partial, score_residuals, stratum
from data_schema.errors import EstimationError

CoxErrors = Literal["school_jackknife", "school_robust"]

_NO_WEIGHTS = "Schools had different chances of the arms, and the model of hazards takes no weights."

# Leaving every school out in turn takes one fit per school; with more of them the two errors are the same.
_MOST_REFITS = 200


def fit_cox(
    frame: pd.DataFrame,
    model: Model,
    *,
    time: str,
    ties: Ties = "efron",
    se_type: CoxErrors = "school_jackknife",
) -> Fit:
    """Fit Cox's model of an event.

    Parameters
    ----------
    frame
        One row per pupil.
    model
        Which column plays which part; the outcome is 1 where the pupil had the event and 0 where it was last seen
        without it. Strata have baseline hazards of their own.
    time
        Column of the time, 0 or more: when the event came or the pupil was last seen.
    ties
        How pupils who leave at the same time are counted.
    se_type
        "school_jackknife": a fit without each school in turn, which holds for few schools; with more than 200 schools
        it is "school_robust" with the factor J / (J - 1). "school_robust": the sandwich of score residuals summed by
        school (Lin and Wei), as R's ``coxph(cluster =)`` has it.

    Returns
    -------
    Fit
        Coefficients are log hazard ratios; degrees of freedom are schools less school-level columns and one.
        ``convergence.objective`` is minus twice the log partial likelihood.

    References
    ----------
    Efron (1977), JASA 72, 557-565; Lin and Wei (1989), JASA 84, 1074-1078; Lipsitz and Parzen (1996), Biometrics 52,
    291-298, for the jackknife.
    """
    if ties not in get_args(Ties) or se_type not in get_args(CoxErrors):
        raise EstimationError(
            f"time '{time}'",
            f"ties='{ties}' with se_type='{se_type}' is unknown.",
            f"Use {' or '.join(get_args(Ties))}, and {' or '.join(get_args(CoxErrors))}.",
        )
    frame = checked_frame(frame, (*model.columns, time), place=model.place)
    times, event = numeric_column(frame, time), numeric_column(frame, model.outcome)
    seen = np.isfinite(times) & np.isfinite(event)
    labels = {"method": f"cox_{ties}", "se_type": se_type, "df_method": "between"}
    n_missing = int((~seen).sum())
    rows = frame.loc[seen]
    # Strata have baseline hazards of their own and are no columns.
    columns = columns_with(rows, replace(model, strata=None, weights=None), event[seen])
    reason = _NO_WEIGHTS if model.weights is not None else columns.reason
    reason = reason or binary_reason(columns.y, model.outcome) or _impossible_time(times[seen])
    reason = reason or _arm_without_events(columns)
    if reason:
        return failed_fit(reason, **labels, n_missing_outcome=n_missing)
    strata = None if model.strata is None else rows[model.strata]
    problem = _Problem.of(columns, times[seen], strata, ties=ties)
    beta, value, information, reason = maximise_partial(problem.strata, np.zeros(len(problem.names)))
    reason = reason or ("" if problem.df >= 1 else "There are no more schools than school-level columns.")
    if reason:
        return failed_fit(reason, **labels, n_missing_outcome=n_missing)
    vcov = _variance(problem, beta, information, se_type=se_type)
    back = np.diag(1 / problem.scale)
    return Fit(
        method=labels["method"],
        se_type=se_type,
        df_method="between",
        coefficients=Coefficients(
            names=problem.names,
            estimate=back @ beta,
            vcov=back @ vcov @ back,
            # An arm without its one school has no hazard ratio: the jackknife and the sandwich know no error of it.
            df=np.where(np.isin(problem.names, columns.lone_terms), np.nan, float(problem.df)),
        ),
        convergence=Convergence(status="converged", objective=-2 * value),
        n_pupils=len(columns.y),
        n_schools=len(columns.schools),
        n_missing_outcome=n_missing,
        n_missing_covariate=columns.n_missing_covariate,
        dropped=tuple(name for name in columns.names if name not in (*problem.names, INTERCEPT)),
    )


def _impossible_time(time: np.ndarray) -> str:
    return "" if (time >= 0).all() else "A time is below 0."


def _arm_without_events(columns: Columns) -> str:
    groups = {arm: columns.x[:, columns.names.index(term)] == 1 for arm, term in columns.arm_terms.items()}
    groups["reference"] = ~np.any(list(groups.values()), axis=0)
    for arm, rows in groups.items():
        if not columns.y[rows].any():
            return f"Nobody in the arm {arm} had the event: the hazard ratio is zero or infinite."
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """Scaled columns with their risk sets."""

    names: tuple[str, ...]
    x: np.ndarray
    scale: np.ndarray
    time: np.ndarray
    event: np.ndarray
    school: np.ndarray
    stratum: np.ndarray
    ties: Ties
    strata: list[Stratum]
    df: int

    @classmethod
    def of(cls, columns: Columns, time: np.ndarray, strata: pd.Series[str] | None, *, ties: Ties) -> _Problem:
        kept, values, _, scale = scaled_columns(columns)
        keep = [k for k, place in enumerate(kept) if columns.names[place] != INTERCEPT]
        x = values[:, :-1][:, keep]
        codes = np.zeros(len(x), dtype=int) if strata is None else pd.factorize(strata)[0]
        event = columns.y == 1
        first = np.unique(columns.school, return_index=True)[1]
        constant = (x == x[first][columns.school]).all(axis=0)
        return cls(
            names=tuple(columns.names[kept[k]] for k in keep),
            x=x,
            scale=scale[keep],
            time=time,
            event=event,
            school=columns.school,
            stratum=codes,
            ties=ties,
            strata=_strata(codes, np.ones(len(x), dtype=bool), x=x, time=time, event=event, ties=ties),
            df=len(columns.schools) - int(constant.sum()) - 1,
        )

    def without(self, school: int) -> list[Stratum]:
        """Return the risk sets without a school."""
        kept = self.school != school
        return _strata(self.stratum, kept, x=self.x, time=self.time, event=self.event, ties=self.ties)


def _strata(
    codes: np.ndarray, kept: np.ndarray, *, x: np.ndarray, time: np.ndarray, event: np.ndarray, ties: Ties
) -> list[Stratum]:
    """Return the strata that have an event; the others tell nothing."""
    rows = [np.flatnonzero(kept & (codes == code)) for code in np.unique(codes)]
    return [stratum(mine, x=x, time=time, event=event, ties=ties) for mine in rows if event[mine].any()]


def _variance(problem: _Problem, beta: np.ndarray, information: np.ndarray, *, se_type: CoxErrors) -> np.ndarray:
    n_schools = int(problem.school.max()) + 1
    if se_type == "school_jackknife" and n_schools <= _MOST_REFITS:
        refits = [maximise_partial(problem.without(j), beta) for j in range(n_schools)]
        left_out = np.array([found for found, _, _, reason in refits if not reason])
        if len(left_out) == n_schools:
            spread = left_out - left_out.mean(axis=0)
            return np.asarray((n_schools - 1) / n_schools * spread.T @ spread)
    residuals = score_residuals(problem.strata, beta, n_pupils=len(problem.time))
    by_school = np.zeros((n_schools, len(beta)))
    np.add.at(by_school, problem.school, residuals)
    inverse = np.linalg.inv(information)
    factor = n_schools / (n_schools - 1) if se_type == "school_jackknife" else 1.0
    return np.asarray(factor * inverse @ (by_school.T @ by_school) @ inverse)
