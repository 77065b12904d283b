"""What the tables hold: a codebook with frequencies that give nobody away, and Frictionless Table Schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from data_schema.errors import DisclosureError
from data_schema.fields import NUMERIC_TYPES, Field
from data_schema.tables import Table

if TYPE_CHECKING:
    import pandas as pd

CODEBOOK_COLUMNS = (
    "table", "wave", "field", "label", "type", "unit", "minimum", "maximum", "required", "filled_in_by", "answer",
    "answer_label", "n", "n_missing", "mean", "sd", "p10", "p90",
)  # fmt: skip
_SCHEMA_TYPES = {
    "yes_no": "boolean", "date": "date", "month": "yearmonth", "year": "year", "whole_number": "integer",
    "number": "number",
}  # fmt: skip
_LEAST_THRESHOLD = 3


def codebook(tables: Mapping[str, Table], frames: Mapping[str, pd.DataFrame], *, threshold: int) -> pd.DataFrame:
    """Describe every field of the tables, with frequencies.

    Parameters
    ----------
    tables
        The tables, by name.
    frames
        Table to its rows, as they are stored (pseudonymised); a table without rows is described without frequencies.
    threshold
        Smallest count that is told, 3 or more.

    Returns
    -------
    pandas.DataFrame
        In the order of `CODEBOOK_COLUMNS`: a row a field and wave, and for fields with answers one more for each answer
        with its count. Counts from 1 to below the threshold are missing, and so is the next smallest of the field
        where a single one would follow from the others. Mean, standard deviation and the outer tenths are told of
        twice the threshold or more values. Names, identifiers and texts have no frequencies.

    Raises
    ------
    DisclosureError
        When the threshold is below 3.
    """
    import pandas as pd

    if threshold < _LEAST_THRESHOLD:
        raise DisclosureError("codebook", f"the threshold {threshold} hides nothing.", "Use 3 or more.")
    rows: list[dict[str, object]] = []
    for name, table in tables.items():
        frame = frames.get(name)
        for field in table.fields:
            if field.privacy != "direct":
                rows += _described(table, field, frame, threshold)
    made = pd.DataFrame(rows, columns=list(CODEBOOK_COLUMNS))
    return made.astype(dict.fromkeys(("n", "n_missing"), "Int64") | dict.fromkeys(_FLOATS, "float64"))


_FLOATS = ("minimum", "maximum", "mean", "sd", "p10", "p90")


def _described(table: Table, field: Field, frame: pd.DataFrame | None, threshold: int) -> Iterator[dict[str, object]]:
    about: dict[str, object] = {
        "table": table.name, "wave": "", "field": field.name, "label": field.label, "type": field.type,
        "unit": field.unit, "minimum": field.minimum, "maximum": field.maximum, "required": field.required,
        "filled_in_by": field.filled_in_by, "answer": "", "answer_label": "",
    }  # fmt: skip
    if frame is None or field.name not in frame:
        yield about
        yield from ({**about, "answer": code.name, "answer_label": code.label} for code in field.codes)
        return
    for wave, part in frame.groupby("wave", sort=False) if len(frame) and "wave" in frame else [("", frame)]:
        column = part[field.name]
        told, missing = _hidden([int(column.notna().sum()), int(column.isna().sum())], threshold)
        yield {**about, "wave": wave, "n": told, "n_missing": missing, **_moments(field, column, threshold)}
        counts = _counts(field, column)
        for code, count in zip(field.codes, _hidden(counts, threshold), strict=True):
            yield {**about, "wave": wave, "answer": code.name, "answer_label": code.label, "n": count}


def _counts(field: Field, column: pd.Series) -> list[int]:
    values = column.dropna()
    if field.type == "yes_no":
        values = values.astype(bool).map({True: "yes", False: "no"})
    counts = values.value_counts()
    return [int(counts.get(code.name, 0)) for code in field.codes]


def _hidden(counts: Sequence[int], threshold: int) -> list[int | None]:
    """Return counts without the small ones, and without the next where a single small one would follow."""
    small = [at for at, count in enumerate(counts) if 0 < count < threshold]
    if len(small) == 1:
        others = [at for at, count in enumerate(counts) if count >= threshold]
        small += sorted(others, key=lambda at: counts[at])[:1]
    return [None if at in small else count for at, count in enumerate(counts)]


def _moments(field: Field, column: pd.Series, threshold: int) -> dict[str, object]:
    values = column.dropna()
    if field.type not in NUMERIC_TYPES or len(values) < 2 * threshold:
        return {}
    numbers = values.astype("float64")
    low, high = (float(numbers.quantile(share)) for share in (0.1, 0.9))
    return {"mean": float(numbers.mean()), "sd": float(numbers.std()), "p10": low, "p90": high}


def table_schema(table: Table) -> dict[str, object]:
    """Return a table's Frictionless Table Schema, as JSON values.

    Parameters
    ----------
    table
        The table. Direct identifiers, which no data set holds, are left out; identifiers of pupils are pseudonyms.

    Examples
    --------
    >>> from data_schema.tables import standard_tables
    >>> table_schema(standard_tables()["status"])["primaryKey"]
    ['school_id', 'pupil_id', 'wave']
    """
    key = [*table.key, *(["wave"] if table.by_wave else [])]
    fields = [_schema_field(field) for field in table.fields if field.privacy != "direct"]
    if table.by_wave:
        fields.append({"name": "wave", "type": "string", "title": "Wave", "constraints": {"required": True}})
    return {"fields": fields, "primaryKey": key, "missingValues": [""]}


def _schema_field(field: Field) -> dict[str, object]:
    limits: dict[str, object] = {}
    if field.required:
        limits["required"] = True
    for name, limit in (("minimum", field.minimum), ("maximum", field.maximum)):
        if limit is not None:
            limits[name] = limit if field.type == "number" else int(limit)
    if field.type == "code":
        limits["enum"] = [code.name for code in field.codes]
    made: dict[str, object] = {
        "name": field.name,
        "type": _SCHEMA_TYPES.get(field.type, "string"),
        "title": field.label or field.name,
    }
    if field.unit:
        made["description"] = f"Unit: {field.unit}."
    if field.type == "yes_no":
        made |= {"trueValues": ["True", "true", "yes"], "falseValues": ["False", "false", "no"]}
    return made | ({"constraints": limits} if limits else {})
