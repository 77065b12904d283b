"""A formula and a frame to the numbers of a multilevel model: fixed columns, random columns, groups, strata."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from analysis.formula import MixedFormula
from analysis.mixed_models.compact import compact_column, reordered
from analysis.mixed_models.groupings import (
    Grouping,
    coded,
    constant_within,
    grouping_of,
    nested_groupings,
    school_notes,
    texts,
)
from analysis.mixed_models.plain_design import PlainDesign, plain_design
from analysis.terms import INTERCEPT
from data_schema.errors import EstimationError

# A factor of more levels than this, constant within the outermost groups, does not become dense columns.
MOST_DENSE_LEVELS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomColumns:
    """Columns whose effects vary by group.

    Parameters
    ----------
    grouping
        Name of the grouping.
    names
        Names of the q columns.
    z
        Shape (N, q), as they are in the frame.
    spec
        formulaic's, by which they can be made again; None for an intercept alone.
    """

    grouping: str
    names: tuple[str, ...]
    z: np.ndarray
    spec: Any  # formulaic is not typed


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedDesign:
    """How fixed columns were made, so that they can be made again from other rows.

    Parameters
    ----------
    spec
        formulaic's; None where nothing but strata is fixed.
    levels
        Categories of each column that is not a number, the reference first.
    terms
        Name of each term to the positions of its columns.
    factors
        Columns of the frame that each term uses.
    """

    spec: Any  # formulaic is not typed
    levels: dict[str, tuple[str, ...]]
    terms: dict[str, tuple[int, ...]]
    factors: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedColumns:
    """The numbers of a multilevel model.

    Parameters
    ----------
    names
        Columns of ``x``, length p.
    x
        Shape (N, p).
    y
        Shape (N,), nothing missing.
    random
        The random terms.
    groupings
        Finest first, each nested in the next.
    strata
        A factor of the fixed part that does not stand in ``x``, its reference level first; None without.
    residual
        Groups of rows with residual variances of their own; None for one variance.
    weights
        Shape (N,), above 0; None for equal ones.
    rows
        Shape (N,), positions in the frame.
    design
        How ``x`` was made.
    n_missing
        Rows left out for a missing value, by column (a row can count in several), and ``"rows"`` in all.
    notes
        What a reader should know, as sentences.
    levels
        Categories of the columns that are not numbers.
    means
        Means of the columns that are.
    """

    names: tuple[str, ...]
    x: np.ndarray
    y: np.ndarray
    random: tuple[RandomColumns, ...]
    groupings: tuple[Grouping, ...]
    strata: Grouping | None
    residual: Grouping | None
    weights: np.ndarray | None
    rows: np.ndarray
    design: FixedDesign
    n_missing: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    means: dict[str, float] = field(default_factory=dict)


def mixed_columns(
    formula: MixedFormula,
    frame: pd.DataFrame,
    *,
    weights: str | None = None,
    residual_by: str | None = None,
    reference: Mapping[str, str] | None = None,
    absorb: bool = True,
) -> MixedColumns:
    """Turn a frame into the numbers of a formula.

    Parameters
    ----------
    formula
        What is asked.
    frame
        One row a pupil.
    weights
        Column of weights above 0.
    residual_by
        Column whose levels have residual variances of their own.
    reference
        Reference level of factors, by column; the first in sorted order (or of the categories) otherwise.
    absorb
        Whether factors of many levels that are constant within the outermost groups may be kept out of ``x``.

    Raises
    ------
    EstimationError
        When a column is not there, is infinite or not numeric where it must be, no row is complete, or the groupings
        are not nested.
    """
    place = f"model of '{formula.outcome}'"
    used = used_columns(formula, frame, weights=weights, residual_by=residual_by)
    missing = {name: frame[name].isna().to_numpy() for name in used}
    complete = ~np.logical_or.reduce(list(missing.values()))
    rows = np.flatnonzero(complete)
    if len(rows) == 0:
        raise EstimationError(place, "no row has every column.", f"Look for missing values in {', '.join(used)}.")
    notes: list[str] = []
    told = {name for text in (formula.fixed, *(term.columns for term in formula.random)) for name in _variables(text)}
    data, levels = _clean(frame, used, rows, reference=reference or {}, notes=dict.fromkeys(told, notes))
    groupings = nested_groupings([term.grouping for term in formula.random], data)
    stratum = _strata_term(formula.fixed, levels, data, groupings[-1]) if absorb else None
    x, names, design = _fixed(formula.fixed, data, levels, without=stratum, place=place)
    notes += school_notes(few_levels(design, levels, data), groupings)
    n_missing = {name: int(gone.sum()) for name, gone in missing.items() if gone.any()}
    if n_missing:
        n_missing["rows"] = len(frame) - len(rows)
    return MixedColumns(
        names=names,
        x=x,
        y=_outcome(formula.outcome, data),
        random=_random(formula, data, n_rows=len(rows)),
        groupings=groupings,
        strata=None if stratum is None else _strata(stratum, data, levels),
        residual=None if residual_by is None else grouping_of((residual_by,), data),
        weights=None if weights is None else _weights(weights, data),
        rows=rows,
        design=design,
        n_missing=n_missing,
        notes=tuple(notes),
        levels=levels,
        means={name: float(values.mean()) for name, values in data.items() if name not in levels},
    )


@lru_cache(maxsize=256)
def parsed(text: str) -> Any:  # noqa: ANN401  # formulaic is not typed
    """Return formulaic's formula of a text.

    Raises
    ------
    EstimationError
        When formulaic cannot read it.
    """
    from formulaic import Formula  # type: ignore[import-untyped,unused-ignore]
    from formulaic.errors import FormulaicError  # type: ignore[import-untyped,unused-ignore]

    try:
        return Formula(text)
    except FormulaicError as error:
        raise EstimationError(
            f"formula '{text}'", "cannot be read.", "Use +, :, *, I(), and functions of columns."
        ) from error


def used_columns(
    formula: MixedFormula, frame: pd.DataFrame, *, weights: str | None, residual_by: str | None
) -> list[str]:
    """Return the frame's columns that a model uses, the outcome's first.

    Raises
    ------
    EstimationError
        When one is not there.
    """
    asked = sorted(_variables(formula.outcome))
    asked += sorted(_variables(formula.fixed))
    for term in formula.random:
        asked += sorted(_variables(term.columns))
        asked += term.grouping
    asked += [name for name in (weights, residual_by) if name is not None]
    used = list(dict.fromkeys(asked))
    for name in used:
        if name not in frame.columns:
            raise EstimationError(
                f"model of '{formula.outcome}'",
                f"the data have no column '{name}'.",
                f"Use one of: {', '.join(map(str, frame.columns))}.",
            )
    return used


def _variables(text: str) -> set[str]:
    if text.isidentifier():
        return {text}
    return variables_of(parsed(text))


def variables_of(source: Any) -> set[str]:  # noqa: ANN401  # formulaic is not typed
    """Return the columns that a formula uses.

    formulaic does not name those inside of splines and polynomials, nor those called like one of its own functions.

    Parameters
    ----------
    source
        formulaic's ``Formula`` or ``ModelSpec``, or a `PlainDesign`.
    """
    if isinstance(source, PlainDesign):
        return set(source.columns)
    factors = {str(factor.expr) for term in getattr(source, "formula", source) for factor in term.factors}
    return {name for factor in factors for name in _names_in(factor)}


def _names_in(expression: str) -> set[str]:
    """Return the names in an expression that are neither called nor modules."""
    try:
        nodes = list(ast.walk(ast.parse(expression, mode="eval")))
    except SyntaxError:  # a name that is not Python's, which formulas write between backticks
        return {expression}
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    called |= {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    return {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called}


def _clean(
    frame: pd.DataFrame,
    used: Sequence[str],
    rows: np.ndarray,
    *,
    reference: Mapping[str, str],
    notes: Mapping[str, list[str]],
) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    """Return the complete rows: numbers as floats, all else as categoricals, and the categories."""
    data: dict[str, Any] = {}
    levels: dict[str, tuple[str, ...]] = {}
    every = len(rows) == len(frame)
    for name in used:
        values = frame[name] if every else frame[name].iloc[rows]
        if pd.api.types.is_datetime64_any_dtype(values):
            raise EstimationError(f"column '{name}'", "holds dates.", "Turn them into numbers, such as ages, first.")
        if name in reference or not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
            data[name] = categorical(name, values, reference=reference.get(name), notes=notes.get(name, []))
            levels[name] = tuple(texts(data[name].categories))
        else:
            data[name] = _numbers(values, name)
    for name in reference:
        if name not in levels:
            raise EstimationError(
                f"reference of '{name}'", "is not a column of the model.", "Name a factor of the formula."
            )
    return data, levels


def _numbers(values: pd.Series[Any], name: str) -> np.ndarray:
    if pd.api.types.is_integer_dtype(values):
        return np.asarray(values.to_numpy(dtype=np.int64))
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    if not np.isfinite(numbers).all():
        raise EstimationError(
            f"column '{name}'",
            f"holds {int((~np.isfinite(numbers)).sum())} infinite values.",
            "Correct them or set them to missing.",
        )
    return np.asarray(numbers)


def categorical(
    name: str,
    values: pd.Series[Any],
    *,
    reference: str | None,
    notes: list[str],
    complete: np.ndarray | None = None,
) -> pd.Categorical[Any]:
    """Return a column as categories, those without rows left out and noted, the reference first.

    Parameters
    ----------
    name, values
        The column.
    reference
        Level to be put first; None for the first in sorted order, or the first category.
    notes
        Sentences, to which one on categories without rows is added.
    complete
        Shape (N,), which rows count; None for all.

    Raises
    ------
    EstimationError
        When the reference is not a level.
    """
    column = compact_column(values, complete)
    labels = texts(column.labels)
    if column.gone:
        gone = ", ".join(texts(column.gone))
        notes.append(f"No row of {gone} in '{name}' is left: the level is not in the model.")
    if reference is not None:
        if reference not in labels:
            raise EstimationError(
                f"reference of '{name}'", f"no row is '{reference}'.", f"Use one of {', '.join(labels)}."
            )
        column = reordered(column, first=labels.index(reference))
        labels = texts(column.labels)
    return pd.Categorical.from_codes(column.codes, categories=pd.Index(labels))


def _outcome(text: str, data: dict[str, Any]) -> np.ndarray:
    if text in data:
        if isinstance(data[text], pd.Categorical):
            raise EstimationError(f"column '{text}'", "is not numeric.", "Turn it into numbers first.")
        return np.asarray(data[text], dtype=float)
    values, _ = _matrix(f"0 + {text}", data, place=f"outcome '{text}'")
    if values.shape[1] != 1:
        raise EstimationError(f"outcome '{text}'", "is not one column of numbers.", "Use one numeric outcome.")
    return values[:, 0]


def _weights(name: str, data: dict[str, Any]) -> np.ndarray:
    values = data[name]
    if isinstance(values, pd.Categorical) or not (values > 0).all():
        raise EstimationError(
            f"weights '{name}'", "are not all above 0.", "Leave rows out that should not count; give the others more."
        )
    return np.asarray(values)


def few_levels(
    design: FixedDesign, levels: dict[str, tuple[str, ...]], data: dict[str, Any]
) -> dict[str, pd.Categorical]:
    """Return the factors of the fixed part that have few levels."""
    used = sorted({name for names in design.factors.values() for name in names if name in levels})
    return {name: data[name] for name in used if 2 <= len(levels[name]) <= MOST_DENSE_LEVELS}


def _strata_term(
    fixed: str, levels: dict[str, tuple[str, ...]], data: dict[str, Any], outermost: Grouping
) -> str | None:
    """Return the term of the factor with the most levels that can be kept out of the dense columns."""
    terms = [[str(factor.expr) for factor in term.factors] for term in parsed(fixed)]
    if ["1"] not in terms:
        return None
    best, most = None, MOST_DENSE_LEVELS
    for factors in terms:
        column = _factor_column(factors[0])
        if len(factors) != 1 or column not in data or (column not in levels and column == factors[0]):
            continue
        used = sum(factors[0] in others or column in others for others in terms)
        codes, labels = coded(data[column])
        if used == 1 and len(labels) > most and constant_within(codes, outermost):
            best, most = factors[0], len(labels)
    return best


def _factor_column(expression: str) -> str:
    return expression[2:-1].strip() if expression.startswith("C(") and expression.endswith(")") else expression


def _strata(term: str, data: dict[str, Any], levels: dict[str, tuple[str, ...]]) -> Grouping:
    column = _factor_column(term)
    codes, labels = coded(data[column])
    return Grouping(name=term, codes=codes, labels=levels.get(column, tuple(labels)))


def _fixed(
    fixed: str, data: dict[str, Any], levels: dict[str, tuple[str, ...]], *, without: str | None, place: str
) -> tuple[np.ndarray, tuple[str, ...], FixedDesign]:
    terms = [str(term) for term in parsed(fixed) if str(term) != without]
    if terms == ["1"]:
        n_rows = len(next(iter(data.values())))
        design = FixedDesign(spec=None, levels={}, terms={"1": (0,)}, factors={"1": ()})
        return np.ones((n_rows, 1)), (INTERCEPT,), design
    spec: Any = plain_design(terms, data)  # or formulaic's, which is not typed
    if spec is not None:
        values = spec.matrix(data)
    else:
        values, spec = _matrix(fixed if without is None else " + ".join(terms), data, place=place)
    design = FixedDesign(
        spec=spec,
        levels=levels,
        terms={str(term): tuple(places) for term, places in spec.term_indices.items()},
        factors={
            str(term): tuple(sorted(str(name) for name in names if str(name) in data))
            for term, names in spec.term_variables.items()
        },
    )
    return values, column_names(spec.column_names), design


def column_name(name: str) -> str:
    """Return the toolkit's name of a column that formulaic named: ``arm[T.pilot]`` is ``arm[pilot]``."""
    return INTERCEPT if name == "Intercept" else name.replace("[T.", "[")


def column_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the toolkit's names of columns that formulaic named."""
    return tuple(map(column_name, names))


def _matrix(text: str, data: dict[str, Any], *, place: str) -> tuple[np.ndarray, Any]:
    source = parsed(text)
    used = {name: data[name] for name in sorted(variables_of(source)) if name in data}
    if not used:  # a formula of constants needs some column to know the number of rows
        used = dict(list(data.items())[:1])
    return evaluated(source, pd.DataFrame(used, copy=False), place=place)


def evaluated(source: Any, frame: pd.DataFrame, *, place: str) -> tuple[np.ndarray, Any]:  # noqa: ANN401
    """Return the columns of a formulaic formula or specification, and the specification that makes them again.

    Parameters
    ----------
    source
        formulaic's ``Formula`` or ``ModelSpec``, or a `PlainDesign`.
    frame
        Complete rows.
    place
        For errors.

    Raises
    ------
    EstimationError
        When a term cannot be evaluated or is not finite.
    """
    if isinstance(source, PlainDesign):
        return source.matrix(frame), source
    from formulaic.errors import FormulaicError

    try:
        with np.errstate(all="ignore"):
            matrix = source.get_model_matrix(frame, output="numpy", context={"np": np}, na_action="ignore")
    except FormulaicError as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise EstimationError(place, f"a term cannot be evaluated: {reason}", "Correct the formula.") from error
    values, spec = np.asarray(matrix, dtype=float), matrix.model_spec
    finite = np.isfinite(values).all(axis=0)
    if not finite.all():
        name = column_name(spec.column_names[int(np.flatnonzero(~finite)[0])])
        count = int((~np.isfinite(values[:, np.flatnonzero(~finite)[0]])).sum())
        raise EstimationError(
            f"term '{name}'", f"is not finite in {count} rows.", "Leave them out or transform otherwise."
        )
    return values, spec


def _random(formula: MixedFormula, data: dict[str, Any], *, n_rows: int) -> tuple[RandomColumns, ...]:
    result = []
    for term in formula.random:
        z, spec, names = np.ones((n_rows, 1)), None, column_names(("Intercept",))
        if term.columns != "1":
            z, spec = _matrix(term.columns, data, place=f"random term {term}")
            names = column_names(spec.column_names)
        result.append(RandomColumns(grouping=":".join(term.grouping), names=names, z=z, spec=spec))
    return tuple(result)
