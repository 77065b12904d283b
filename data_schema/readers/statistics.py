"""Files of statistics programs (Stata .dta, SPSS .sav) -> cells with their types, coded answers as their labels."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from data_schema.readers.archives import UnreadableError
from data_schema.readers.limits import N_CELLS
from data_schema.readers.sheets import Cell, Reading, Row, Sheet, ensure_text_bounds, refuse_file

STATA_STARTS = (b"<stata_dta>", *(bytes([version]) for version in (113, 114, 115)))
SPSS_STARTS = (b"$FL2", b"$FL3")
_STATA_BYTE_ORDERS = (1, 2)
_REMEDY = "Save the table as .xlsx or as 'CSV UTF-8' and send that."


def is_stata(content: bytes) -> bool:
    """Whether bytes are a Stata file: by their mark, or by the four bytes with which older ones start."""
    if content.startswith(STATA_STARTS[0]):
        return True
    old = content.startswith(STATA_STARTS[1:]) and content[2:4] == b"\x01\x00"
    return old and content[1] in _STATA_BYTE_ORDERS


def is_spss(content: bytes) -> bool:
    """Whether bytes are an SPSS file."""
    return content.startswith(SPSS_STARTS)


def read_statistics(content: bytes, *, file: str) -> Reading:
    """Read a Stata or SPSS file, in memory.

    Parameters
    ----------
    content
        The file's content; see `is_stata` and `is_spss`.
    file
        What findings call it.

    Returns
    -------
    Reading
        One sheet without a name: the variables' names in row 1, then one row an observation. The variables' labels
        are its second headers. A coded value is its label, where it has one; missing values are None.
    """
    import pyreadstat

    read = pyreadstat.read_sav if is_spss(content) else pyreadstat.read_dta
    try:
        # The output is a dict of lists: ReadStat knows more kinds of missing values than a data frame does.
        _, about = read(io.BytesIO(content), metadataonly=True, output_format="dict")
        width = max(len(about.column_names), 1)
        columns, about = read(io.BytesIO(content), output_format="dict", row_limit=N_CELLS // width + 1)
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, ValueError, OverflowError, OSError):
        return refuse_file(file, "It is damaged: its content is not that of the program's files.", _REMEDY)
    n_rows = max((len(values) for values in columns.values()), default=0)
    if n_rows * width > N_CELLS:
        return refuse_file(file, "It is too large.", "Send it in parts, or as CSV.")
    try:
        cells = [_convert_cells(values, about.variable_value_labels.get(name, {})) for name, values in columns.items()]
    except UnreadableError as error:
        return refuse_file(file, f"It cannot be read: {error}.", _REMEDY)
    rows: tuple[Row, ...] = (tuple(columns), *zip(*cells, strict=True))
    labels = tuple(str(about.column_names_to_labels.get(name) or "") for name in columns)
    return Reading(sheets=(Sheet(file=file, sheet="", rows=rows, labels=labels),))


# pyreadstat's values are of any type that the file has.
def _convert_cells(values: list[Any], labels: Mapping[Any, str]) -> list[Cell]:
    known = {key: str(label) for key, label in labels.items()}
    return [_convert_cell(value, known) for value in values]


def _convert_cell(value: object, labels: Mapping[Any, str]) -> Cell:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if labels and value in labels:
        return labels[value]
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, str):
        return ensure_text_bounds(value) or None
    return value if isinstance(value, int | bool | date) else str(value)
