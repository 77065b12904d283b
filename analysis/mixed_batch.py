"""Many multilevel models in one call: outcomes, subgroups, imputations.

The columns are made once and every model's sums in one pass; the likelihoods of all models are then maximised together
(`analysis.mixed_models.intercept`), so that a model costs a fraction of a fit of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import sparse

from analysis.formula import MixedFormula, from_r, parse_formula, require_formula
from analysis.guards import as_numbers, checked_frame, require_column
from analysis.mixed import mixed_model
from analysis.mixed_models.basis import in_basis
from analysis.mixed_models.batch_inference import BatchEstimates, batch_estimates
from analysis.mixed_models.columns import MixedColumns, mixed_columns
from analysis.mixed_models.intercept import InterceptSums, intercept_optima
from analysis.results import ESTIMATE_COLUMNS, Estimate, estimates_frame
from analysis.terms import INTERCEPT
from data_schema.errors import EstimationError

# Models worked on at a time, so that memory does not grow with their number.
_CHUNK = 512
_ROW = "each outcome"  # in errors: what is wrong there is wrong for all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cells:
    """Rows by subgroup: codes of rows (-1: in none), names of the subgroups' columns and their values."""

    codes: np.ndarray
    by: tuple[str, ...]
    keys: list[tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What every model of a batch shares."""

    read: MixedFormula
    data: pd.DataFrame
    reference: Mapping[str, str] | None
    conf_level: float


def mixed_model_batch(
    formula: str,
    data: pd.DataFrame,
    *,
    outcomes: Sequence[str] = (),
    by: Sequence[str] = (),
    reference: Mapping[str, str] | None = None,
    conf_level: float = 0.95,
) -> pd.DataFrame:
    """Fit one formula to many outcomes and subgroups by restricted maximum likelihood, with Kenward and Roger's method.

    Parameters
    ----------
    formula
        As `analysis.mixed_model` reads it. Models with one random intercept are fitted together; others one by one.
    data
        One row per pupil (and imputation, when imputations are stacked).
    outcomes
        Columns that take the outcome's place in turn; the formula's own otherwise. Rows without an outcome are left out
        of that outcome's models only.
    by
        Columns whose combinations are the subgroups (or imputations) to fit.
    reference
        Reference levels of factors by column.
    conf_level
        Level of the two-sided intervals, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        The columns ``by``, then the table of estimates: one row an outcome, subgroup and effect. A model that could not
        be fitted has one row with ``status="failed"`` and a reason.

    Raises
    ------
    EstimationError
        As `analysis.mixed_model`.
    """
    require_formula(formula, data)
    read = parse_formula(from_r(formula, data.columns))
    names = list(outcomes) or [read.outcome]
    data = checked_frame(data, by, place="subgroups")
    for name in names:
        if name in data.columns:
            require_column(data, name, place=f"model of '{name}'")
    asked = _Asked(read=read, data=data, reference=reference, conf_level=conf_level)
    if _plain(read) and all(name in data.columns for name in names):
        parts = _together(asked, names, by=by)
    else:
        cells = _cells(data, by)
        parts = [
            _alone(asked, name, cells=cells, place=place, rows=np.flatnonzero(cells.codes == place))
            for place in range(len(cells.keys))
            for name in names
        ]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    order = {name: place for place, name in enumerate(names)}
    return table.sort_values(["outcome", *by], key=lambda c: c.map(order) if c.name == "outcome" else c, kind="stable")


def _plain(read: MixedFormula) -> bool:
    return len(read.random) == 1 and read.random[0].columns == "1"


def _cells(data: pd.DataFrame, by: Sequence[str]) -> _Cells:
    if not by:
        return _Cells(codes=np.zeros(len(data), dtype=np.intp), by=(), keys=[()])
    grouped = data.groupby(list(by), observed=True, sort=True)
    keys = [key if isinstance(key, tuple) else (key,) for key in grouped.indices]
    codes = np.full(len(data), -1, dtype=np.intp)
    for place, rows in enumerate(grouped.indices.values()):
        codes[rows] = place
    return _Cells(codes=codes, by=tuple(by), keys=keys)


def _together(asked: _Asked, names: Sequence[str], *, by: Sequence[str]) -> list[pd.DataFrame]:
    data = asked.data
    marked = data.assign(**{_ROW: np.arange(float(len(data)))})
    columns = mixed_columns(replace(asked.read, outcome=_ROW), marked, reference=asked.reference, absorb=False)
    cells = _cells(data.iloc[columns.rows], by)
    parts = []
    for name in names:
        y = as_numbers(data[name].iloc[columns.rows])
        for start in range(0, len(cells.keys), _CHUNK):
            chosen = np.arange(start, min(start + _CHUNK, len(cells.keys)))
            parts += _outcome(asked, columns, cells=cells, name=name, y=y, chosen=chosen)
    return parts


def _outcome(
    asked: _Asked, columns: MixedColumns, *, cells: _Cells, name: str, y: np.ndarray, chosen: np.ndarray
) -> list[pd.DataFrame]:
    """Return one outcome's rows of a stretch of subgroups."""
    kept = np.isfinite(y) & (cells.codes >= chosen[0]) & (cells.codes <= chosen[-1])
    done, parts = np.zeros(0, dtype=np.intp), []
    if kept.any() and float(np.ptp(y[kept])) > 0.0:
        done, table = _batch(columns, cells, y=y, kept=kept, chosen=chosen, conf_level=asked.conf_level)
        parts = [table.assign(outcome=name)] if len(table) else []
    for place in np.setdiff1d(chosen, done).tolist():
        parts.append(_alone(asked, name, cells=cells, place=place, rows=columns.rows[cells.codes == place]))
    return parts


def _batch(
    columns: MixedColumns, cells: _Cells, *, y: np.ndarray, kept: np.ndarray, chosen: np.ndarray, conf_level: float
) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the subgroups that can be fitted together, and their rows."""
    ready = in_basis(columns.names, columns.x[kept], y[kept], weights=None, strata=None)
    if ready.basis.reason or ready.basis.names[:1] != (INTERCEPT,):
        return np.zeros(0, dtype=np.intp), pd.DataFrame()
    codes = cells.codes[kept] - chosen[0]
    sums = _sums(
        np.column_stack([ready.x, ready.y]), group=columns.groupings[0].codes[kept], cell=codes, n_cells=len(chosen)
    )
    fits = np.flatnonzero(_estimable(sums))
    if not len(fits):
        return np.zeros(0, dtype=np.intp), pd.DataFrame()
    sums = InterceptSums(
        by_group=sums.by_group[fits],
        n=sums.n[fits],
        total=sums.total[fits],
        starts=None,
        n_rows=sums.n_rows[fits],
        n_fixed=sums.n_fixed,
        log_weights=sums.log_weights[fits],
    )
    with np.errstate(all="ignore"):
        found = intercept_optima(sums, reml=True)
        made = batch_estimates(sums, found.theta, to_original=ready.basis.matrix * ready.basis.scale)
    settled = np.isfinite(found.deviance) & (found.theta < 200.0) & (made.row_variance > 1e-13)
    settled &= (np.isfinite(made.df) & (made.errors > 0)).all(axis=1)
    table = _table(ready.basis.names, ready.basis.shift, made, conf_level=conf_level)
    boundary = found.theta < 1e-4
    for column, values in (
        ("n_schools", (sums.n > 0).sum(axis=1)),
        ("n_pupils", sums.n_rows),
        ("status", np.where(boundary, "boundary", "ok")),
    ):
        table[column] = np.repeat(values, len(ready.basis.names))
    keys = [cells.keys[place] for place in chosen[fits]]
    for k, by in enumerate(cells.by):
        table.insert(k, by, np.repeat(np.array([key[k] for key in keys]), len(ready.basis.names)))
    return chosen[fits][settled], table[np.repeat(settled, len(ready.basis.names))]


def _table(names: tuple[str, ...], shift: np.ndarray, made: BatchEstimates, *, conf_level: float) -> pd.DataFrame:
    """Return the table of estimates of models fitted together, model by model."""
    from scipy import stats

    estimate = made.estimates + shift
    statistic = estimate / made.errors
    half = stats.t.isf((1 - conf_level) / 2, made.df) * made.errors
    figures = {
        "estimate": estimate,
        "std_error": made.errors,
        "statistic": statistic,
        "df": made.df,
        "p_value": 2 * stats.t.sf(np.abs(statistic), made.df),
        "conf_low": estimate - half,
        "conf_high": estimate + half,
    }
    shared = Estimate(
        conf_level=conf_level, method="linear_mixed_reml", se_type="kenward_roger", df_method="kenward_roger"
    ).to_dict()
    columns = {name: figures[name].ravel() if name in figures else shared[name] for name in ESTIMATE_COLUMNS}
    columns["term"] = np.tile(np.array(names, dtype=object), len(estimate))
    return pd.DataFrame(columns)


def _sums(values: np.ndarray, *, group: np.ndarray, cell: np.ndarray, n_cells: int) -> InterceptSums:
    """Return sums by subgroup and group."""
    n_groups, m = int(group.max()) + 1, values.shape[1]
    ends = np.arange(len(values) + 1)
    where = cell * n_groups + group
    sizes = np.ones(len(values))
    by_group = sparse.csc_matrix((sizes, where, ends), shape=(n_cells * n_groups, len(values))) @ values
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(n_cells + 1))
    total = np.stack([values[order[a:b]].T @ values[order[a:b]] for a, b in pairwise(starts)])
    by_group = by_group.reshape(n_cells, n_groups, m)
    return InterceptSums(
        by_group=by_group,
        n=by_group[:, :, 0],
        total=total,
        starts=None,
        n_rows=np.diff(starts),
        n_fixed=m - 1,
        log_weights=np.zeros(n_cells),
    )


def _estimable(sums: InterceptSums) -> np.ndarray:
    """Return which subgroups have all columns, enough rows, and groups of which one at least has two rows."""
    there = sums.n > 0
    groups = there.sum(axis=1)
    enough = (sums.n_rows > sums.n_fixed + 1) & (groups >= 2) & (sums.n_rows > groups)
    gram = sums.total[:, :-1, :-1]
    own = np.sqrt(np.maximum(np.diagonal(gram, axis1=1, axis2=2), 0.0))
    full = (own > 0).all(axis=1)
    safe = np.where(own > 0, own, 1.0)
    roots = np.linalg.eigvalsh(gram / (safe[:, :, None] * safe[:, None, :]))
    return np.asarray(enough & full & (roots[:, 0] > 1e-6))


def _alone(asked: _Asked, name: str, *, cells: _Cells, place: int, rows: np.ndarray) -> pd.DataFrame:
    """Return the rows of a model fitted by itself; what cannot be fitted is one failed row."""
    try:
        fit = mixed_model(str(replace(asked.read, outcome=name)), asked.data.iloc[rows], reference=asked.reference)
    except EstimationError as error:
        failed = Estimate(outcome=name, method="linear_mixed_reml", status="failed", reason=str(error))
        return _labelled(estimates_frame([failed]), cells, place)
    if fit.coefficients is None:
        failed = Estimate(
            outcome=name,
            method=fit.method,
            status="failed",
            reason=fit.convergence.reason,
            n_pupils=fit.n_pupils,
        )
        return _labelled(estimates_frame([failed]), cells, place)
    return _labelled(fit.tidy(conf_level=asked.conf_level), cells, place)


def _labelled(frame: pd.DataFrame, cells: _Cells, place: int) -> pd.DataFrame:
    for k, (name, value) in enumerate(zip(cells.by, cells.keys[place], strict=True)):
        frame.insert(k, name, pd.Series([value] * len(frame)))
    return frame
