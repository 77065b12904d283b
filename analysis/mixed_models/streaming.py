"""Sums of large frames, block of rows by block of rows, so that memory stays that of the frame.

For sums of columns with random intercepts, which most models of large trials are; other models, and columns that come
close to being combinations of others, take the road of `analysis.mixed_models.moments`, whose figures are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from analysis.formula import MixedFormula
from analysis.guards import FLAT, SAME_OUTCOME, describe_explained_outcome, is_numeric
from analysis.mixed_models.basis import Basis, compute_cholesky_pivots
from analysis.mixed_models.columns import (
    MOST_DENSE_LEVELS,
    FixedDesign,
    select_factors_of_few_levels,
    translate_column_names,
)
from analysis.mixed_models.compact import Compact, encode_column_compactly, encode_values_compactly, iterate_row_slices
from analysis.mixed_models.groupings import (
    Grouping,
    describe_school_factors,
    format_labels,
    group_labels,
    sort_nested_groupings,
)
from analysis.mixed_models.moments import Block, Described, Level, Moments, ordered
from analysis.mixed_models.plain_design import PlainDesign, build_plain_design
from analysis.mixed_models.reading import (
    convert_to_categorical,
    find_model_columns,
    parse_formula_text,
    parse_plain_terms,
)
from analysis.terms import INTERCEPT
from data_schema.errors import EstimationError

# Frames of fewer rows are as quick as a whole.
LEAST_ROWS = 20_000
_BLOCK = 32_768
_SUSPICIOUS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Columns as they are in the frame, and how they become those of the model; ``complete`` None for all rows."""

    design: PlainDesign
    data: dict[str, pd.Series[Any] | pd.Categorical[Any]]
    outcome: str
    complete: np.ndarray | None
    n_rows: int
    n: int

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Return stretches of rows with the columns [X y] of those that are complete."""
        for rows in iterate_row_slices(self.n_rows, length=_BLOCK):
            if self.complete is None or self.complete[rows].any():
                part = {name: self._read_column_values(name, rows) for name in self.design.columns}
                yield rows, np.column_stack([self.design.matrix(part), self._read_column_values(self.outcome, rows)])

    def chosen(self, codes: np.ndarray, rows: slice) -> np.ndarray:
        """Return the codes of a stretch's complete rows."""
        return codes[rows] if self.complete is None else codes[rows][self.complete[rows]]

    def _read_column_values(self, name: str, rows: slice) -> np.ndarray | pd.Categorical[Any]:
        column = self.data[name]
        if isinstance(column, pd.Categorical):
            return column[rows] if self.complete is None else column[rows][self.complete[rows]]
        values = column.iloc[rows].to_numpy(dtype=float, na_value=np.nan)
        return np.asarray(values if self.complete is None else values[self.complete[rows]])


def compute_streamed_sums(
    read: MixedFormula, frame: pd.DataFrame, *, reference: Mapping[str, str], least_rows: int = LEAST_ROWS
) -> tuple[Moments, Described] | None:
    """Make the sums of a model of a large frame.

    Parameters
    ----------
    read
        The formula.
    frame
        One row per pupil.
    reference
        Reference levels of factors, by column.
    least_rows
        Frames of fewer rows are left to `moments`.

    Returns
    -------
    tuple or None
        The sums and what a result says about its data; None where the other road is to be taken.
    """
    if len(frame) < least_rows or any(term.columns != "1" for term in read.random):
        return None
    if read.outcome not in frame.columns:
        return None
    used = find_model_columns(read, frame, also=())
    complete, n_missing = _find_complete_rows(frame, used)
    if complete is not None and not complete.any():
        return None
    notes: list[str] = []
    source, levels = _build_stream_source(read, frame, complete, reference=reference, notes=notes)
    if source is None or any(len(levels[name]) > MOST_DENSE_LEVELS for name in source.design.columns if name in levels):
        return None
    groupings = _build_compact_groupings(read, frame, source)
    spec = source.design
    design = FixedDesign(spec=spec, levels=levels, terms=dict(spec.term_indices), factors=spec.term_variables)
    centre, spread_y = _compute_column_means(source)
    streamed_moments = _compute_streamed_moments(source, groupings, centre, spread_y)
    if streamed_moments is None:
        return None
    described = Described(
        outcome=read.outcome,
        formula=str(read),
        columns=translate_column_names(spec.column_names),
        design=design,
        n_missing=n_missing,
        notes=(*notes, *_describe_school_factors(design, levels, source, groupings)),
        random=tuple((":".join(term.grouping), (INTERCEPT,), None) for term in read.random),
        levels=levels,
        means={name: float(centre[spec.term_indices[name][0]]) for name in spec.columns if name not in levels},
    )
    return streamed_moments, described


def _find_complete_rows(frame: pd.DataFrame, used: list[str]) -> tuple[np.ndarray | None, dict[str, int]]:
    """Return which rows miss nothing, None for all of them, and how many miss what."""
    complete: np.ndarray | None = None
    n_missing: dict[str, int] = {}
    for name in used:
        gone = frame[name].isna().to_numpy()
        if gone.any():
            n_missing[name] = int(gone.sum())
            complete = ~gone if complete is None else complete & ~gone
    if complete is not None:
        n_missing["rows"] = len(frame) - int(complete.sum())
    return complete, n_missing


def _build_stream_source(
    read: MixedFormula,
    frame: pd.DataFrame,
    complete: np.ndarray | None,
    *,
    reference: Mapping[str, str],
    notes: list[str],
) -> tuple[_Source | None, dict[str, tuple[str, ...]]]:
    data: dict[str, Any] = {}
    levels: dict[str, tuple[str, ...]] = {}
    terms = parse_plain_terms(parse_formula_text(read.fixed))
    if terms is None:
        return None, levels
    for name in dict.fromkeys([*(name for term in terms for name in term.columns), read.outcome]):
        values = frame[name]
        if not is_numeric(values) or name in reference:
            data[name] = convert_to_categorical(
                name, values, reference=reference.get(name), notes=notes, complete=complete
            )
            levels[name] = tuple(format_labels(data[name].categories))
        else:
            data[name] = values
    design = build_plain_design(terms, data)
    if design is None or read.outcome in levels or set(reference) - set(levels) or len(frame) == 0:
        return None, levels
    n = len(frame) if complete is None else int(complete.sum())
    source = _Source(design=design, data=data, outcome=read.outcome, complete=complete, n_rows=len(frame), n=n)
    return source, levels


def _build_compact_groupings(read: MixedFormula, frame: pd.DataFrame, source: _Source) -> tuple[Grouping, ...]:
    """Return the groupings, their codes in as few bytes as hold them."""
    asked = dict.fromkeys(term.grouping for term in read.random)
    columns = {name: encode_column_compactly(frame[name], source.complete) for names in asked for name in names}
    groupings = []
    for names in asked:
        column = columns[names[0]]
        labels = _format_group_names(frame[names[0]], column)
        for name in names[1:]:
            column, labels = _join_column_combinations(
                (column, labels), (columns[name], _format_group_names(frame[name], columns[name])), source
            )
        groupings.append(Grouping(name=":".join(names), codes=column.codes, labels=tuple(labels)))
    if source.complete is None:
        return sort_nested_groupings(groupings)
    # Rows that do not count have any code, which must not seem to cross.
    alone = [replace(grouping, codes=grouping.codes[source.complete]) for grouping in groupings]
    order = [grouping.name for grouping in sort_nested_groupings(alone)]
    return tuple(sorted(groupings, key=lambda grouping: order.index(grouping.name)))


def _format_group_names(values: pd.Series[Any], column: Compact) -> list[str]:
    return (
        format_labels(column.labels) if isinstance(values.dtype, pd.CategoricalDtype) else group_labels(column.labels)
    )


def _join_column_combinations(
    outer: tuple[Compact, list[str]], other: tuple[Compact, list[str]], source: _Source
) -> tuple[Compact, list[str]]:
    """Return the combinations of two columns that are there, and their names."""
    column, labels = outer
    inner, others = other
    width = len(others)
    both = encode_values_compactly(
        source.n_rows, lambda rows: column.codes[rows].astype(np.int64) * width + inner.codes[rows], source.complete
    )
    return both, [f"{labels[place // width]}:{others[place % width]}" for place in both.labels]


def _describe_school_factors(
    design: FixedDesign, levels: dict[str, tuple[str, ...]], source: _Source, groupings: tuple[Grouping, ...]
) -> list[str]:
    factors = select_factors_of_few_levels(design, levels, source.data)
    if not factors or source.complete is None:
        return describe_school_factors(factors, groupings)
    return describe_school_factors(
        {name: values[source.complete] for name, values in factors.items()},
        tuple(replace(grouping, codes=grouping.codes[source.complete]) for grouping in groupings),
    )


def _compute_streamed_moments(
    source: _Source, groupings: tuple[Grouping, ...], means: np.ndarray, spread_y: float
) -> Moments | None:
    centre = np.append(0.0, means[1:])
    total, sums = _compute_cross_products(source, centre, groupings[0])
    names = translate_column_names(source.design.column_names)
    size = np.sqrt(np.diag(total) / source.n)
    if (size[:-1] <= FLAT * np.abs(centre[:-1])).any():
        return None
    scale = np.where(size > 0, size, 1.0)
    total, sums = total / np.outer(scale, scale), sums / scale
    gram = total[:-1, :-1]
    if compute_cholesky_pivots(gram / source.n).min() < _SUSPICIOUS:
        return None
    taken = np.linalg.solve(gram, total[:-1, -1])
    left = float(total[-1, -1] - taken @ total[:-1, -1]) / source.n
    reason = SAME_OUTCOME
    if spread_y > 0.0:
        reason = describe_explained_outcome(max(left, 0.0) ** 0.5, spread=1.0, size=abs(float(centre[-1] / scale[-1])))
    residual_scale = np.sqrt(left) if not reason else 1.0
    change = np.eye(len(total))
    change[:-1, -1], change[-1, -1] = -taken / residual_scale, 1 / residual_scale
    matrix = np.diag(1 / scale[:-1])
    matrix[0] -= centre[:-1] / scale[:-1]
    shift = matrix @ taken * scale[-1]
    shift[0] += centre[-1]
    basis = Basis(
        names=names, matrix=matrix, shift=shift, scale=float(scale[-1] * residual_scale), dropped={}, reason=reason
    )
    levels = _build_levels_from_sums(source, groupings, sums @ change)
    return Moments(
        basis=basis,
        p=len(names),
        total=(change.T @ total @ change)[None],
        levels=levels,
        strata=None,
        n_rows=np.array([source.n]),
        residual_name="",
        residual=(),
        log_weights=0.0,
    )


def _compute_column_means(source: _Source) -> tuple[np.ndarray, float]:
    """Return means of [X y], and the outcome's range.

    Raises
    ------
    EstimationError
        When a value is infinite.
    """
    total = np.zeros(len(source.design.column_names) + 1)
    low, high = np.inf, -np.inf
    for _, block in source.blocks():
        total += block.sum(axis=0)
        low, high = min(low, float(block[:, -1].min())), max(high, float(block[:, -1].max()))
    if not np.isfinite(total).all():
        place = int(np.flatnonzero(~np.isfinite(total))[0])
        names = [*source.design.column_names, source.outcome]
        raise EstimationError(
            f"column '{names[place]}'", "holds infinite values.", "Correct them or set them to missing."
        )
    return total / source.n, high - low


def _compute_cross_products(source: _Source, centre: np.ndarray, finest: Grouping) -> tuple[np.ndarray, np.ndarray]:
    """Return cross-products of the centred columns, and their sums by finest group."""
    total = np.zeros((len(centre), len(centre)))
    sums = np.zeros((len(finest.labels), len(centre)))
    for rows, block in source.blocks():
        values = block - centre
        total += values.T @ values
        codes = source.chosen(finest.codes, rows).astype(np.int32)
        ones, ends = np.ones(len(codes)), np.arange(len(codes) + 1)
        sums += sparse.csc_matrix((ones, codes, ends), shape=(len(sums), len(codes))) @ values
    return total, sums


def _build_levels_from_sums(source: _Source, groupings: tuple[Grouping, ...], sums: np.ndarray) -> tuple[Level, ...]:
    """Return the levels, from the sums by finest group."""
    small = []
    for grouping in groupings:
        codes = np.zeros(len(sums), dtype=np.intp)
        for rows in iterate_row_slices(source.n_rows):
            codes[source.chosen(groupings[0].codes, rows)] = source.chosen(grouping.codes, rows)
        small.append(Grouping(name=grouping.name, codes=codes, labels=grouping.labels))
    codes_of, parents, labels = ordered(tuple(small), None)
    levels = []
    for k, grouping in enumerate(small):
        gathered = np.column_stack([np.bincount(codes_of[k], weights=column) for column in sums.T])
        levels.append(
            Level(
                name=grouping.name,
                labels=labels[k],
                blocks=(Block(names=(INTERCEPT,), start=0, change=np.eye(1)),),
                places=np.zeros(1, dtype=np.intp),
                cross=gathered[None, :, None, :],
                parent=parents[k],
            )
        )
    return tuple(levels)
