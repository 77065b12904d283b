"""Groups of rows: how schools, classes and countries nest, and what to say of factors that divide them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from analysis.mixed_models.compact import iterate_row_slices
from data_schema.errors import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Groups of rows.

    Parameters
    ----------
    name
        ``school``, or ``country:school`` for combinations.
    codes
        Shape (N,), position of each row's group in ``labels``.
    labels
        Names of the groups, sorted; ``HU:12`` for combinations.
    """

    name: str
    codes: np.ndarray
    labels: tuple[str, ...]


def build_nested_groupings(names: Sequence[tuple[str, ...]], data: dict[str, Any]) -> tuple[Grouping, ...]:
    """Return the groupings by combinations of columns, finest first, each nested in the next.

    Parameters
    ----------
    names
        Columns of each grouping.
    data
        The columns, complete.

    Raises
    ------
    EstimationError
        When a group lies in two groups of the next coarser grouping.
    """
    return sort_nested_groupings([build_grouping(columns, data) for columns in dict.fromkeys(names)])


def build_grouping(names: tuple[str, ...], data: dict[str, Any]) -> Grouping:
    """Return the groups that the combinations of columns make."""
    codes, labels = encode_grouping_values(data[names[0]])
    for name in names[1:]:
        more, others = encode_grouping_values(data[name])
        combinations, codes = np.unique(codes * len(others) + more, return_inverse=True)
        labels = [f"{labels[place // len(others)]}:{others[place % len(others)]}" for place in combinations.tolist()]
    return Grouping(name=":".join(names), codes=np.asarray(codes, dtype=np.intp), labels=tuple(labels))


def encode_grouping_values(values: pd.Categorical | np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return codes of a column's values, and the values as text."""
    if isinstance(values, pd.Categorical):
        return np.asarray(values.codes, dtype=np.intp), format_labels(values.categories)
    codes, distinct_values = pd.factorize(values, sort=True)
    return codes, group_labels(list(distinct_values))


def group_labels(values: Sequence[Any]) -> list[str]:
    """Return groups' names as text, whole numbers without a decimal point."""
    numbers = all(isinstance(value, int | float | np.number) for value in values)
    is_whole = numbers and all(float(value).is_integer() for value in values)
    return [str(int(value)) if is_whole else str(value) for value in values]


def format_labels(labels: Iterable[Any]) -> list[str]:
    """Return labels as text."""
    return [str(label) for label in labels]


def sort_nested_groupings(groupings: Sequence[Grouping]) -> tuple[Grouping, ...]:
    """Return groupings finest first; see `build_nested_groupings`."""
    ordered = sorted(groupings, key=lambda grouping: -len(grouping.labels))
    for finer, coarser in pairwise(ordered):
        if not is_constant_within_groups(coarser.codes, finer):
            raise EstimationError(
                f"groups of '{finer.name}' and '{coarser.name}'",
                "are crossed: one lies in two of the other.",
                "This engine fits nested groups; write '(1 | outer/inner)' where inner names repeat in outer ones.",
            )
        if len(finer.labels) == len(coarser.labels):
            raise EstimationError(
                f"groups of '{finer.name}' and '{coarser.name}'",
                "are the same: how much lies between the one and how much between the other is not identified.",
                "Leave one of them out.",
            )
    return tuple(ordered)


def is_constant_within_groups(codes: np.ndarray, grouping: Grouping) -> bool:
    """Return whether codes are the same in all rows of each group."""
    first = np.zeros(len(grouping.labels), dtype=codes.dtype)
    for rows in iterate_row_slices(len(codes)):
        first[grouping.codes[rows]] = codes[rows]
    return all((first[grouping.codes[rows]] == codes[rows]).all() for rows in iterate_row_slices(len(codes)))


def describe_school_factors(factors: dict[str, pd.Categorical], groupings: tuple[Grouping, ...]) -> list[str]:
    """Return sentences on factors of which a level has one group, or that vary within a few groups only."""
    notes = []
    for name, values in factors.items():
        levels = [str(level) for level in values.categories]
        for grouping in reversed(groupings):
            there = np.zeros((len(grouping.labels), len(levels)), dtype=bool)
            for rows in iterate_row_slices(len(values)):
                there[grouping.codes[rows], np.asarray(values.codes[rows])] = True
            mixed = np.flatnonzero(there.sum(axis=1) > 1)
            if len(mixed) > 0.1 * len(there):
                continue
            if len(mixed):
                some = ", ".join(grouping.labels[place] for place in mixed[:3])
                notes.append(
                    f"{len(mixed)} of {len(there)} groups of '{grouping.name}' are in more than one level of "
                    f"'{name}': {some}."
                )
            notes += [
                f"Only one group of '{grouping.name}' has '{name}' = '{level}': its effect is that group's as well."
                for level, count in zip(levels, there.sum(axis=0), strict=True)
                if count == 1
            ]
            break
    return notes
