"""Sums of large frames, block of rows by block of rows, so that memory stays that of the frame.

For sums of columns with random intercepts, which most models of large trials are; other models, and columns that come
close to being combinations of others, take the road of `analysis.mixed_models.moments`, whose figures are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from analysis.formula import MixedFormula
from analysis.mixed_models.basis import Basis, pivots
from analysis.mixed_models.columns import (
    MOST_DENSE_LEVELS,
    FixedDesign,
    categorical,
    column_names,
    few_levels,
    parsed,
    used_columns,
)
from analysis.mixed_models.groupings import Grouping, nested_groupings, school_notes, texts
from analysis.mixed_models.moments import Block, Described, Level, Moments, ordered
from analysis.mixed_models.plain_design import PlainDesign, plain_design
from analysis.terms import INTERCEPT
from data_schema.errors import EstimationError

# Frames of fewer rows are as quick as a whole.
LEAST_ROWS = 20_000
_BLOCK = 32_768
_SUSPICIOUS = 1e-6
_CONSTANT = 1e-12
_NO_ERROR = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Columns as they are in the frame, and how they become those of the model."""

    design: PlainDesign
    data: dict[str, Any]
    outcome: str
    n: int

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Return stretches of rows with their columns [X y]."""
        for start in range(0, self.n, _BLOCK):
            rows = slice(start, min(start + _BLOCK, self.n))
            part = {name: self.data[name][rows] for name in self.design.columns}
            y = np.asarray(self.data[self.outcome][rows], dtype=float)
            yield rows, np.column_stack([self.design.matrix(part), y])


def streamed_sums(
    read: MixedFormula, frame: pd.DataFrame, *, reference: Mapping[str, str], least_rows: int = LEAST_ROWS
) -> tuple[Moments, Described] | None:
    """Make the sums of a model of a large frame.

    Parameters
    ----------
    read
        The formula.
    frame
        One row a pupil.
    reference
        Reference levels of factors, by column.
    least_rows
        Frames of fewer rows are left to `moments`.

    Returns
    -------
    tuple or None
        The sums and what a result says about its data; None where the other road is to be taken.
    """
    if len(frame) < least_rows or any(term.columns != "1" for term in read.random) or not read.outcome.isidentifier():
        return None
    used = used_columns(read, frame, weights=None, residual_by=None)
    n_missing = {name: int(count) for name in used if (count := frame[name].isna().sum())}
    if n_missing:
        complete = frame[used].notna().all(axis=1)
        n_missing["rows"] = int((~complete).sum())
        frame = frame.loc[complete, used]
    notes: list[str] = []
    source, levels = _source(read, frame, reference=reference, notes=notes)
    if source is None or any(len(levels[name]) > MOST_DENSE_LEVELS for name in source.design.columns if name in levels):
        return None
    groupings = _groupings(read, frame)
    spec = source.design
    design = FixedDesign(spec=spec, levels=levels, terms=dict(spec.term_indices), factors=spec.term_variables)
    made = _moments(source, groupings)
    if made is None:
        return None
    described = Described(
        outcome=read.outcome,
        formula=str(read),
        columns=column_names(spec.column_names),
        design=design,
        n_missing=n_missing,
        notes=(*notes, *school_notes(few_levels(design, levels, source.data), groupings)),
        random=tuple((":".join(term.grouping), (INTERCEPT,), None) for term in read.random),
        levels=levels,
        means={name: float(np.mean(source.data[name])) for name in spec.columns if name not in levels},
    )
    return made, described


def _source(
    read: MixedFormula, frame: pd.DataFrame, *, reference: Mapping[str, str], notes: list[str]
) -> tuple[_Source | None, dict[str, tuple[str, ...]]]:
    terms = [str(term) for term in parsed(read.fixed)]
    data: dict[str, Any] = {}
    levels: dict[str, tuple[str, ...]] = {}
    for name in [*terms[1:], read.outcome]:
        if name not in frame.columns:
            return None, levels
        values = frame[name]
        if name in reference or not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
            data[name] = categorical(name, values, reference=reference.get(name), notes=notes)
            levels[name] = tuple(texts(data[name].categories))
        else:
            data[name] = values.to_numpy()
    design = plain_design(terms, data)
    if design is None or read.outcome in levels or set(reference) - set(levels) or len(frame) == 0:
        return None, levels
    return _Source(design=design, data=data, outcome=read.outcome, n=len(frame)), levels


def _groupings(read: MixedFormula, frame: pd.DataFrame) -> tuple[Grouping, ...]:
    """Return the groupings with codes of half the width."""
    columns = {name for term in read.random for name in term.grouping}
    data: dict[str, Any] = {}
    for name in columns:
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values) and not isinstance(values.dtype, pd.CategoricalDtype):
            data[name] = values.to_numpy()
        else:
            data[name] = categorical(name, values, reference=None, notes=[])
    found = nested_groupings([term.grouping for term in read.random], data)
    return tuple(
        Grouping(name=grouping.name, codes=grouping.codes.astype(np.int32), labels=grouping.labels)
        for grouping in found
    )


def _moments(source: _Source, groupings: tuple[Grouping, ...]) -> Moments | None:
    centre, spread_y = _centre(source)
    finest = groupings[0]
    total, sums = _products(source, centre, finest)
    names = column_names(source.design.column_names)
    size = np.sqrt(np.diag(total) / source.n)
    if (size[:-1] <= _CONSTANT * np.abs(centre[:-1])).any():
        return None
    scale = np.where(size > 0, size, 1.0)
    total, sums = total / np.outer(scale, scale), sums / scale
    gram = total[:-1, :-1]
    if pivots(gram / source.n).min() < _SUSPICIOUS:
        return None
    taken = np.linalg.solve(gram, total[:-1, -1])
    left = float(total[-1, -1] - taken @ total[:-1, -1]) / source.n
    reason = ""
    if spread_y == 0.0:
        reason = "Every row has the same value of this outcome."
    elif left <= _NO_ERROR:
        reason = "The model explains the outcome without any error."
    rest = np.sqrt(left) if not reason else 1.0
    change = np.eye(len(total))
    change[:-1, -1], change[-1, -1] = -taken / rest, 1 / rest
    matrix = np.diag(1 / scale[:-1])
    matrix[0] -= centre[:-1] / scale[:-1]
    shift = matrix @ taken * scale[-1]
    shift[0] += centre[-1]
    basis = Basis(names=names, matrix=matrix, shift=shift, scale=float(scale[-1] * rest), dropped={}, reason=reason)
    levels = _levels(groupings, sums @ change)
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


def _centre(source: _Source) -> tuple[np.ndarray, float]:
    """Return means of [X y], that of the intercept 0, and the outcome's range.

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
    centre = total / source.n
    centre[0] = 0.0
    return centre, high - low


def _products(source: _Source, centre: np.ndarray, finest: Grouping) -> tuple[np.ndarray, np.ndarray]:
    """Return cross-products of the centred columns, and their sums by finest group."""
    total = np.zeros((len(centre), len(centre)))
    sums = np.zeros((len(finest.labels), len(centre)))
    for rows, block in source.blocks():
        values = block - centre
        total += values.T @ values
        codes = finest.codes[rows]
        ones, ends = np.ones(len(codes)), np.arange(len(codes) + 1)
        sums += sparse.csc_matrix((ones, codes, ends), shape=(len(sums), len(codes))) @ values
    return total, sums


def _levels(groupings: tuple[Grouping, ...], sums: np.ndarray) -> tuple[Level, ...]:
    """Return the levels, from the sums by finest group."""
    small = []
    for grouping in groupings:
        codes = np.zeros(len(sums), dtype=np.intp)
        codes[groupings[0].codes] = grouping.codes
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
