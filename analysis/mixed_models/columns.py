"""A formula and a frame to the numbers of a multilevel model: fixed columns, random columns, groups, strata."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analysis.formula import MixedFormula
from analysis.mixed_models.groupings import (
    Grouping,
    build_grouping,
    build_nested_groupings,
    describe_school_factors,
    encode_grouping_values,
    is_constant_within_groups,
)
from analysis.mixed_models.plain_design import PlainDesign, build_plain_design
from analysis.mixed_models.reading import (
    as_outcome,
    find_formula_variables,
    parse_formula_text,
    parse_plain_terms,
    read_columns,
    remove_formula_term,
)
from analysis.terms import INTERCEPT, Columns
from data_schema.errors import EstimationError

# Functions of formulas beside formulaic's own.
FUNCTIONS: dict[str, Any] = {"np": np, "sqrt": np.sqrt, "abs": np.abs}
_REMEDIES = {
    "offset": "Take a known part off the outcome instead: 'score - known ~ arm + (1 | school)'.",
    "ns": "Use `cr(x, df=4)`, a natural cubic regression spline, or `bs(x, df=4)`.",
    "relevel": "Choose the reference level by reference={'arm': 'control'}.",
}
# A factor of more levels than this, constant within the outermost groups, does not become dense columns.
MOST_DENSE_LEVELS = 10

SCHOOL = "school"
"""What a model of a plan calls its grouping."""


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
        A factor of the fixed part that is not in ``x``, its reference level first; None without.
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


def build_mixed_columns(
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
        One row per pupil.
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
    model_data = read_columns(formula, frame, also=(weights, residual_by), reference=reference or {})
    data, levels = model_data.data, model_data.levels
    groupings = build_nested_groupings([term.grouping for term in formula.random], data)
    stratum = _find_strata_term(formula.fixed, levels, data, groupings[-1]) if absorb else None
    x, names, design = build_fixed_columns(formula.fixed, data, levels, without=stratum, place=place)
    return MixedColumns(
        names=names,
        x=x,
        y=read_outcome_column(formula.outcome, data),
        random=_build_random_columns(formula, data, n_rows=len(model_data.rows)),
        groupings=groupings,
        strata=None if stratum is None else _build_strata_grouping(stratum, data, levels),
        residual=None if residual_by is None else build_grouping((residual_by,), data),
        weights=None if weights is None else _read_row_weights(weights, data),
        rows=model_data.rows,
        design=design,
        n_missing=model_data.n_missing,
        notes=(
            *model_data.notes,
            *describe_school_factors(select_factors_of_few_levels(design, levels, data), groupings),
        ),
        levels=levels,
        means={name: float(values.mean()) for name, values in data.items() if name not in levels},
    )


def read_outcome_column(text: str, data: dict[str, Any]) -> np.ndarray:
    """Return the numbers of a formula's left side.

    Parameters
    ----------
    text
        A column, or arithmetic with columns.
    data
        The complete rows.

    Raises
    ------
    EstimationError
        When it is not one column of numbers.
    """
    if text in data:
        if isinstance(data[text], pd.Categorical):
            raise EstimationError(f"column '{text}'", "is not numeric.", "Turn it into numbers first.")
        return np.asarray(data[text], dtype=float)
    values, _ = _build_formula_matrix(parse_formula_text(as_outcome(text)), data, place=f"outcome '{text}'")
    if values.shape[1] != 1:
        raise EstimationError(f"outcome '{text}'", "is not one column of numbers.", "Use one numeric outcome.")
    return values[:, 0]


def _read_row_weights(name: str, data: dict[str, Any]) -> np.ndarray:
    values = data[name]
    if isinstance(values, pd.Categorical) or not (values > 0).all():
        raise EstimationError(
            f"weights '{name}'", "are not all above 0.", "Leave rows out that should not count; give the others more."
        )
    return np.asarray(values)


def select_factors_of_few_levels(
    design: FixedDesign, levels: dict[str, tuple[str, ...]], data: dict[str, Any]
) -> dict[str, pd.Categorical]:
    """Return the factors of the fixed part that have few levels."""
    used = sorted({name for names in design.factors.values() for name in names if name in levels})
    return {name: data[name] for name in used if 2 <= len(levels[name]) <= MOST_DENSE_LEVELS}


def _find_strata_term(
    fixed: str, levels: dict[str, tuple[str, ...]], data: dict[str, Any], outermost: Grouping
) -> str | None:
    """Return the term of the factor with the most levels that can be kept out of the dense columns."""
    terms = [[str(factor.expr) for factor in term.factors] for term in parse_formula_text(fixed)]
    if ["1"] not in terms:
        return None
    best, most = None, MOST_DENSE_LEVELS
    for factors in terms:
        column = get_factor_column(factors[0])
        if len(factors) != 1 or column not in data or (column not in levels and column == factors[0]):
            continue
        used = sum(factors[0] in others or column in others for others in terms)
        codes, labels = encode_grouping_values(data[column])
        if used == 1 and len(labels) > most and is_constant_within_groups(codes, outermost):
            best, most = factors[0], len(labels)
    return best


def get_factor_column(expression: str) -> str:
    """Return the column of a factor that is one: ``x`` for ``C(x)``."""
    inner = expression[2:-1].strip() if expression.startswith("C(") and expression.endswith(")") else expression
    return inner.strip("`")


def _build_strata_grouping(term: str, data: dict[str, Any], levels: dict[str, tuple[str, ...]]) -> Grouping:
    column = get_factor_column(term)
    codes, labels = encode_grouping_values(data[column])
    return Grouping(name=term, codes=codes, labels=levels.get(column, tuple(labels)))


def build_fixed_columns(
    fixed: str, data: dict[str, Any], levels: dict[str, tuple[str, ...]], *, without: str | None, place: str
) -> tuple[np.ndarray, tuple[str, ...], FixedDesign]:
    """Return the fixed columns, their names, and how they were made.

    Parameters
    ----------
    fixed
        The formula's fixed part.
    data, levels
        The complete rows, and the categories of the columns that are not numbers.
    without
        A term that is left out; None for none.
    place
        What an error is about.

    Raises
    ------
    EstimationError
        When a term cannot be evaluated or is not finite.
    """
    source = parse_formula_text(fixed) if without is None else remove_formula_term(parse_formula_text(fixed), without)
    terms = parse_plain_terms(source)
    if terms is not None and [term.name for term in terms] == ["1"]:
        n_rows = len(next(iter(data.values())))
        design = FixedDesign(spec=None, levels={}, terms={"1": (0,)}, factors={"1": ()})
        return np.ones((n_rows, 1)), (INTERCEPT,), design
    spec: Any = None if terms is None else build_plain_design(terms, data)  # or formulaic's, which is not typed
    if spec is not None:
        values = spec.matrix(data)
    else:
        values, spec = _build_formula_matrix(source, data, place=place)
    design = FixedDesign(
        spec=spec,
        levels=levels,
        terms={str(term): tuple(places) for term, places in spec.term_indices.items()},
        factors={
            str(term): tuple(sorted(str(name) for name in names if str(name) in data))
            for term, names in spec.term_variables.items()
        },
    )
    return values, translate_column_names(spec.column_names), design


def describe_term_remedy(reason: str) -> str:
    """Return what to do about a term that formulaic could not evaluate."""
    for name, remedy in _REMEDIES.items():
        if re.search(rf"\b{name}\(", reason):
            return remedy
    return "Correct the formula; functions are numpy's (`np.sqrt(x)`) and formulaic's (`C`, `poly`, `bs`, `scale`)."


def translate_column_name(name: str) -> str:
    """Return the toolkit's name of a column that formulaic named: ``arm[T.pilot]`` is ``arm[pilot]``."""
    return INTERCEPT if name == "Intercept" else name.replace("[T.", "[")


def translate_column_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the toolkit's names of columns that formulaic named."""
    return tuple(map(translate_column_name, names))


def _build_formula_matrix(source: Any, data: dict[str, Any], *, place: str) -> tuple[np.ndarray, Any]:  # noqa: ANN401  # formulaic's
    used = {name: data[name] for name in sorted(find_formula_variables(source)) if name in data}
    if not used:  # a formula of constants needs some column to know the number of rows
        used = dict(list(data.items())[:1])
    return build_specified_columns(source, pd.DataFrame(used, copy=False), place=place)


def build_specified_columns(source: Any, frame: pd.DataFrame, *, place: str) -> tuple[np.ndarray, Any]:  # noqa: ANN401
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
            matrix = source.get_model_matrix(frame, output="numpy", context=FUNCTIONS, na_action="ignore")
    except FormulaicError as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise EstimationError(place, f"a term cannot be evaluated: {reason}", describe_term_remedy(reason)) from error
    values, spec = np.asarray(matrix, dtype=float), matrix.model_spec
    finite = np.isfinite(values).all(axis=0)
    if not finite.all():
        name = translate_column_name(spec.column_names[int(np.flatnonzero(~finite)[0])])
        count = int((~np.isfinite(values[:, np.flatnonzero(~finite)[0]])).sum())
        raise EstimationError(
            f"term '{name}'", f"is not finite in {count} rows.", "Leave them out or transform otherwise."
        )
    return values, spec


def _build_random_columns(formula: MixedFormula, data: dict[str, Any], *, n_rows: int) -> tuple[RandomColumns, ...]:
    result = []
    for term in formula.random:
        z, spec, names = np.ones((n_rows, 1)), None, translate_column_names(("Intercept",))
        if term.columns != "1":
            z, spec = _build_formula_matrix(parse_formula_text(term.columns), data, place=f"random term {term}")
            names = translate_column_names(spec.column_names)
        result.append(RandomColumns(grouping=":".join(term.grouping), names=names, z=z, spec=spec))
    return tuple(result)


def build_school_columns(columns: Columns) -> MixedColumns:
    """Return a model's columns as those of a multilevel model with random intercepts of schools and groups within them.

    Parameters
    ----------
    columns
        With an intercept as the first column.
    """
    n_rows = len(columns.y)
    groupings = [Grouping(name=SCHOOL, codes=columns.school, labels=columns.schools)]
    if columns.groups is not None:
        labels = tuple(map(str, range(int(columns.groups.max()) + 1)))
        groupings.insert(0, Grouping(name=f"{SCHOOL}:{columns.level}", codes=columns.groups, labels=labels))
    ones = np.ones((n_rows, 1))
    return MixedColumns(
        names=columns.names,
        x=columns.x,
        y=columns.y,
        random=tuple(
            RandomColumns(grouping=grouping.name, names=(INTERCEPT,), z=ones, spec=None) for grouping in groupings
        ),
        groupings=tuple(groupings),
        strata=None,
        residual=None,
        weights=None,
        rows=np.arange(n_rows),
        design=FixedDesign(spec=None, levels={}, terms={}, factors={}),
    )
