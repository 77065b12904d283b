"""The tables as Frictionless Table Schemas, which other programs read beside the CSV files."""

from __future__ import annotations

from data_schema.fields import Field
from data_schema.tables import Table

_SCHEMA_TYPES = {
    "yes_no": "boolean", "date": "date", "month": "yearmonth", "year": "year", "whole_number": "integer",
    "number": "number",
}  # fmt: skip


def build_table_schema(table: Table) -> dict[str, object]:
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
    fields = [_build_schema_field(field) for field in table.fields if field.privacy != "direct"]
    if table.by_wave:
        fields.append({"name": "wave", "type": "string", "title": "Wave", "constraints": {"required": True}})
    return {"fields": fields, "primaryKey": key, "missingValues": [""]}


def _build_schema_field(field: Field) -> dict[str, object]:
    limits: dict[str, object] = {}
    if field.required and field.asked_if is None:
        limits["required"] = True
    for name, limit in (("minimum", field.minimum), ("maximum", field.maximum)):
        if limit is not None:
            limits[name] = limit if field.type == "number" else int(limit)
    if field.type == "code":
        limits["enum"] = [code.name for code in field.codes]
    schema_field: dict[str, object] = {
        "name": field.name,
        "type": _SCHEMA_TYPES.get(field.type, "string"),
        "title": field.label or field.name,
    }
    if field.special:
        schema_field["specialCategory"] = True
    if field.unit:
        schema_field["description"] = f"Unit: {field.unit}."
    if field.type == "yes_no":
        schema_field |= {"trueValues": ["True", "true", "yes"], "falseValues": ["False", "false", "no"]}
    return schema_field | ({"constraints": limits} if limits else {})
