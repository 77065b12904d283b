"""A formula's columns taken out of a frame: complete rows, numbers as numbers, all else as categories."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from analysis.formula import MixedFormula
from analysis.guards import as_numbers, create_category_error, is_numeric, require_column
from analysis.mixed_models.compact import encode_column_compactly, move_label_first
from analysis.mixed_models.groupings import format_labels
from analysis.mixed_models.plain_design import PlainDesign, PlainTerm
from data_schema.errors import EstimationError

_QUOTED = re.compile(r"`([^`]+)`")


@lru_cache(maxsize=256)
def parse_formula_text(text: str) -> Any:  # noqa: ANN401  # formulaic is not typed
    """Return formulaic's formula of a text.

    Raises
    ------
    EstimationError
        When formulaic cannot read it, or it has no term.
    """
    from formulaic import Formula  # type: ignore[import-untyped,unused-ignore]
    from formulaic.errors import FormulaicError  # type: ignore[import-untyped,unused-ignore]

    try:
        formula = Formula(text)
    # Calls in a term are Python's, which formulaic reads by Python's own parser.
    except (FormulaicError, SyntaxError) as error:
        reason = str(error).split("\n", maxsplit=1)[0].rstrip(".")
        raise EstimationError(
            f"formula '{text}'", f"cannot be read: {reason}.", "Use +, :, *, I(), and functions of columns."
        ) from error
    if not len(formula):
        raise EstimationError(f"formula '{text}'", "has no column.", "Leave the intercept in, or name a column.")
    return formula


def parse_plain_terms(source: Any) -> list[PlainTerm] | None:  # noqa: ANN401  # formulaic is not typed
    """Return the terms of a formula of columns and their products; None where functions are in it.

    Parameters
    ----------
    source
        formulaic's ``Formula``.
    """
    terms = []
    for term in source:
        kinds = {factor.eval_method.name for factor in term.factors}
        if kinds not in ({"LOOKUP"}, {"LITERAL"}) or (kinds == {"LITERAL"} and str(term) != "1"):
            return None
        columns = () if kinds == {"LITERAL"} else tuple(str(factor.expr) for factor in term.factors)
        terms.append(PlainTerm(name=str(term), columns=columns))
    return terms


def remove_formula_term(source: Any, name: str) -> Any:  # noqa: ANN401  # formulaic is not typed
    """Return a formula without one of its terms.

    Parameters
    ----------
    source
        formulaic's ``Formula``.
    name
        The term as formulaic writes it.
    """
    from formulaic import Formula

    return Formula([term for term in source if str(term) != name])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadColumns:
    """A frame's complete rows of the columns that a model uses.

    Parameters
    ----------
    data
        Numbers as floats (or whole numbers), all else as categoricals.
    levels
        Categories of the columns that are not numbers.
    rows
        Shape (N,), positions in the frame.
    n_missing
        Rows left out for a missing value, by column (a row can count in several), and ``"rows"`` in all.
    notes
        Sentences on levels without rows, and on factors of one level.
    """

    data: dict[str, Any]  # numpy's arrays and pandas' categoricals
    levels: dict[str, tuple[str, ...]]
    rows: np.ndarray
    n_missing: dict[str, int]
    notes: tuple[str, ...]


def read_columns(
    formula: MixedFormula, frame: pd.DataFrame, *, also: Sequence[str | None], reference: Mapping[str, str]
) -> ReadColumns:
    """Take what a model needs out of a frame.

    Parameters
    ----------
    formula
        What is asked.
    frame
        One row per pupil.
    also
        Further columns, such as weights.
    reference
        Reference level of factors, by column.

    Raises
    ------
    EstimationError
        When a column is not there, is infinite or no numbers where it must be, or no row is complete.
    """
    place = f"model of '{formula.outcome}'"
    used = find_model_columns(formula, frame, also=also)
    missing = {name: frame[name].isna().to_numpy() for name in used}
    complete = ~np.logical_or.reduce(list(missing.values()))
    rows = np.flatnonzero(complete)
    if len(rows) == 0:
        raise _create_no_row_error(place, missing)
    notes: list[str] = []
    used_names = {
        name
        for text in (formula.fixed, *(term.columns for term in formula.random))
        for name in _find_text_variables(text)
    }
    data, levels = _clean(frame, used, rows, reference=reference, notes=dict.fromkeys(used_names, notes))
    n_missing = {name: int(gone.sum()) for name, gone in missing.items() if gone.any()}
    if n_missing:
        n_missing["rows"] = len(frame) - len(rows)
    return ReadColumns(data=data, levels=levels, rows=rows, n_missing=n_missing, notes=tuple(notes))


def _create_no_row_error(place: str, missing: Mapping[str, np.ndarray]) -> EstimationError:
    if not len(next(iter(missing.values()))):
        return EstimationError(place, "the data have no rows.", "Look at how they were read or chosen.")
    wholly = [name for name, gone in missing.items() if gone.all()]
    if wholly:
        problem = f"column '{wholly[0]}' is missing in every row."
        return EstimationError(place, problem, "Look at how it was read, or leave it out.")
    some = ", ".join(name for name, gone in missing.items() if gone.any())
    return EstimationError(place, "no row has every column.", f"Look for missing values in {some}.")


def find_model_columns(formula: MixedFormula, frame: pd.DataFrame, *, also: Sequence[str | None]) -> list[str]:
    """Return the frame's columns that a model uses, the outcome's first.

    Parameters
    ----------
    formula
        What is asked.
    frame
        The data.
    also
        Further columns; None for none.

    Raises
    ------
    EstimationError
        When one is not there or there twice, the outcome names no column, or stands on both sides.
    """
    place = f"model of '{formula.outcome}'"
    asked = (
        [formula.outcome]
        if formula.outcome in frame.columns
        else sorted(_find_text_variables(as_outcome(formula.outcome)))
    )
    if not asked:
        raise EstimationError(place, "the outcome names no column.", "Write it as 'score ~ arm + (1 | school)'.")
    explaining = {
        name
        for text in (formula.fixed, *(term.columns for term in formula.random))
        for name in _find_text_variables(text)
    }
    twice = sorted(explaining & set(asked))
    if twice:
        raise EstimationError(place, f"'{twice[0]}' stands on both sides of the tilde.", "Leave it out on the right.")
    asked += sorted(_find_text_variables(formula.fixed))
    for term in formula.random:
        asked += sorted(_find_text_variables(term.columns))
        asked += term.grouping
    used = list(dict.fromkeys([*asked, *(name for name in also if name is not None)]))
    for name in used:
        require_column(frame, name, place=place)
    return used


def _find_text_variables(text: str) -> set[str]:
    if text.isidentifier():
        return {text}
    return find_formula_variables(parse_formula_text(text))


def find_formula_variables(source: Any) -> set[str]:  # noqa: ANN401  # formulaic is not typed
    """Return the columns that a formula uses.

    formulaic does not name those inside of splines and polynomials, nor those called like one of its own functions.

    Parameters
    ----------
    source
        formulaic's ``Formula`` or ``ModelSpec``, or a `PlainDesign`.
    """
    if isinstance(source, PlainDesign):
        return set(source.columns)
    variables: set[str] = set()
    for term in getattr(source, "formula", source):
        for factor in term.factors:
            # A factor that is looked up is the name of a column, whatever it looks like.
            named = factor.eval_method.name == "LOOKUP"
            variables |= {str(factor.expr)} if named else _find_expression_names(str(factor.expr))
    return variables


def _find_expression_names(expression: str) -> set[str]:
    """Return the names in an expression that are neither called nor modules."""
    quoted = _QUOTED.findall(expression)
    try:
        nodes = list(ast.walk(ast.parse(_QUOTED.sub("None", expression), mode="eval")))
    except SyntaxError:  # formulaic will say what is wrong with it
        return set(quoted)
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    called |= {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    return {*quoted, *(node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called)}


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
        if not is_numeric(values) or name in reference:
            data[name] = convert_to_categorical(name, values, reference=reference.get(name), notes=notes.get(name, []))
            levels[name] = tuple(format_labels(data[name].categories))
        else:
            data[name] = _convert_to_numbers(values)
    for name in reference:
        if name not in levels:
            raise EstimationError(
                f"reference of '{name}'", "is not a column of the model.", "Name a factor of the formula."
            )
    return data, levels


def _convert_to_numbers(values: pd.Series[Any]) -> np.ndarray:
    """Return complete numbers; whole ones stay whole, so that groups are named by them."""
    if pd.api.types.is_integer_dtype(values):
        return np.asarray(values.to_numpy(dtype=np.int64))
    return as_numbers(values)


def convert_to_categorical(
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
    try:
        column = encode_column_compactly(values, complete)
    except TypeError as error:
        raise create_category_error(name) from error
    labels = format_labels(column.labels)
    if column.gone:
        gone = ", ".join(format_labels(column.gone))
        notes.append(f"No row of {gone} in '{name}' is left: the level is not in the model.")
    if len(labels) == 1:
        notes.append(f"Every row is '{labels[0]}' in '{name}': it has no effect in the model.")
    if reference is not None:
        if reference not in labels:
            raise EstimationError(
                f"reference of '{name}'", f"no row is '{reference}'.", f"Use one of {', '.join(labels)}."
            )
        column = move_label_first(column, first=labels.index(reference))
        labels = format_labels(column.labels)
    return pd.Categorical.from_codes(column.codes, categories=pd.Index(labels))


def as_outcome(text: str) -> str:
    """Return a formula of one column: left of the tilde signs are arithmetic, as in R."""
    return f"0 + I({text})"
