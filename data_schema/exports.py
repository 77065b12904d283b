"""Frames -> files that others open: CSV that no spreadsheet runs, Parquet, Stata and SPSS with labels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from data_schema.fields import NUMERIC_TYPES, Field

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.tables import Table

_LONGEST_NAME = {"dta": 32, "sav": 64}
_STATA = "_all _b byte _coef _cons double float if in int long _n _pi _pred _rc _skip strl using with"
_SPSS = "all and by eq ge gt le lt ne not or to with"
_RESERVED = frozenset((*_STATA.split(), *_SPSS.split(), *(f"str{k}" for k in range(1, 2046))))

_STARTS = ("=", "+", "-", "@", "\t", "\n")
"""Signs with which a spreadsheet takes a text for a formula."""


def encode_csv(frame: pd.DataFrame) -> bytes:
    """Write a frame as CSV for people: UTF-8 with its mark, commas, no formula.

    Parameters
    ----------
    frame
        Any frame; its index is left out.

    Returns
    -------
    bytes
        The file. A text that a spreadsheet would run as a formula (it starts with ``=``, ``+``, ``-``, ``@`` or a
        control character) has an apostrophe before it, which intake takes off again from a number. Numbers of numeric
        columns stay as they are.
    """
    safe = frame.copy()
    for name in frame.columns:
        column = frame[name]
        if column.dtype.kind in "OTSU" or str(column.dtype) in ("str", "string", "category"):
            safe[name] = column.astype(object).map(_escape_formula)
    safe.columns = [_escape_formula(name) for name in frame.columns]
    text: str = safe.to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8-sig")


def _escape_formula(value: object) -> object:
    if not isinstance(value, str):
        return value
    # Line ends of one kind: another one ends the record for some programs.
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.startswith(_STARTS) else text


def encode_stata(frame: pd.DataFrame, table: Table) -> bytes:
    """Write a table as a Stata file with labels of its variables and answers.

    Parameters
    ----------
    frame
        Rows of the table, as they are stored.
    table
        The table.
    """
    return _encode_by_pyreadstat(frame, table, kind="dta")


def encode_spss(frame: pd.DataFrame, table: Table) -> bytes:
    """Write a table as an SPSS file with labels of its variables and answers."""
    return _encode_by_pyreadstat(frame, table, kind="sav")


def _encode_by_pyreadstat(frame: pd.DataFrame, table: Table, *, kind: Literal["dta", "sav"]) -> bytes:
    """Write a file of a statistics program; answers become numbers from 1 with their labels, yes and no 1 and 0."""
    import tempfile

    import pyreadstat

    plain, labels = _encode_answers(frame, table)
    known = {field.name: field.label for field in table.fields}
    names = _build_short_names([str(name) for name in plain.columns], longest=_LONGEST_NAME[kind])
    columns: dict[str, str | None] = {
        # A name that the program does not take stands before the label.
        short: ((known.get(name) or name) if short == name else f"{name}: {known.get(name) or ''}")[:80]
        for name, short in names.items()
        if name in known or short != name
    }
    plain = plain.rename(columns=names)
    labels = {names[name]: of for name, of in labels.items()}
    # Pseudonymised data only: names never get here, so that a file beside the target gives nobody away.
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/data.{kind}"
        write = pyreadstat.write_dta if kind == "dta" else pyreadstat.write_sav
        write(plain, path, column_labels=columns, variable_value_labels=labels)
        return _remove_creation_time(Path(path).read_bytes())


_STATA_TIME = re.compile(rb"(<timestamp>\x11)\d\d \w{3} \d{4} \d\d:\d\d")
_SPSS_TIME = slice(92, 109)
"""Where the header of an SPSS file has the day and the time at which it was made."""


def _remove_creation_time(content: bytes) -> bytes:
    """Return a file without the time at which it was made: the same rows give the same bytes."""
    if content.startswith(b"$FL2"):
        return content[: _SPSS_TIME.start] + b"01 Jan 7000:00:00" + content[_SPSS_TIME.stop :]
    return _STATA_TIME.sub(rb"\g<1>01 Jan 1970 00:00", content, count=1)


def _build_short_names(names: Sequence[str], *, longest: int) -> dict[str, str]:
    """Return the names that a statistics program takes: short enough, none of its own words, each another one."""
    short_names: dict[str, str] = {}
    taken = {name for name in names if len(name) <= longest and name not in _RESERVED}
    for name in names:
        short, n = name, 0
        while short in _RESERVED or len(short) > longest or (short != name and short in taken):
            n += 1
            ending = f"_{n}"
            short = f"{name[: longest - len(ending)]}{ending}"
        short_names[name] = short
        taken.add(short)
    return short_names


def _encode_answers(frame: pd.DataFrame, table: Table) -> tuple[pd.DataFrame, dict[str, dict[float | int, str]]]:
    coded_frame = frame.copy()
    labels: dict[str, dict[float | int, str]] = {}
    for field in table.fields:
        if field.name not in coded_frame:
            continue
        column = coded_frame[field.name]
        if field.type == "code":
            numbers = {code.name: number for number, code in enumerate(field.codes, start=1)}
            coded_frame[field.name] = column.astype(object).map(numbers).astype("float64")
            labels[field.name] = {number: code.label or code.name for number, code in enumerate(field.codes, start=1)}
        elif field.type == "yes_no":
            coded_frame[field.name] = column.astype("boolean").astype("Float64").astype("float64")
            labels[field.name] = {1: "Yes", 0: "No"}
        elif field.type == "date":
            coded_frame[field.name] = [
                None if missing else day.date() for day, missing in zip(column, column.isna(), strict=True)
            ]
        elif field.type in NUMERIC_TYPES:
            coded_frame[field.name] = column.astype("Float64").astype("float64")
    for name in coded_frame.columns:
        if coded_frame[name].dtype.kind not in "fiM" and not labels.get(str(name)):
            coded_frame[name] = coded_frame[name].astype(object).where(coded_frame[name].notna(), None)
    return coded_frame, labels


def encode_parquet(frame: pd.DataFrame, *, schema: Mapping[str, object] | None = None) -> bytes:
    """Write a frame as a Parquet file.

    Parameters
    ----------
    frame
        Any frame; its index is left out.
    schema
        JSON values that describe it, such as `build_table_schema` returns them: labels of fields and answers. They are
        kept in the file's metadata under the key "table_schema".
    """
    import json
    import tempfile

    import duckdb

    known = frame.copy()
    for name in frame.columns:
        if frame[name].dtype.kind in "OTSU" or str(frame[name].dtype) in ("str", "string"):
            known[name] = frame[name].astype(object).where(frame[name].notna(), None)
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"temp_directory": folder}) as connection:
        path = Path(folder) / "data.parquet"
        connection.register("rows_to_write", known)
        text = "" if schema is None else json.dumps(schema, ensure_ascii=False).replace("'", "''")
        about = f", KV_METADATA {{table_schema: '{text}'}}" if text else ""
        place = str(path).replace("'", "''")
        connection.execute(f"COPY (SELECT * FROM rows_to_write) TO '{place}' (FORMAT PARQUET{about})")  # noqa: S608 -- our own path
        return path.read_bytes()


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
    >>> from data_schema import standard_tables
    >>> build_table_schema(standard_tables()["status"])["primaryKey"]
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
