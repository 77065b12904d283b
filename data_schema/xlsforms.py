"""XLSForms for ODK and KoBo, made from the tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from data_schema.fields import Field, folded
from data_schema.forms import hint_of
from data_schema.messages import answers_in, question_in, table_in
from data_schema.tables import Table
from data_schema.workbooks import saved

if TYPE_CHECKING:
    from openpyxl import Workbook

    from data_schema.language import Catalogue

_XLS_TYPES = {"date": "date", "year": "integer", "whole_number": "integer", "number": "decimal"}
_LANGUAGE_NAMES = {"en": "English (en)", "hu": "Magyar (hu)", "sr": "Српски (sr)", "sr-Latn": "Srpski (sr-Latn)",
                   "sl": "Slovenščina (sl)"}  # fmt: skip


def xlsform(
    table: Table,
    *,
    catalogues: Sequence[Catalogue],
    form_id: str = "",
    version: str = "1",
    schools: Mapping[str, str] | None = None,
    mark: str = "",
) -> bytes:
    """Write a table as an XLSForm, one record a submission.

    Parameters
    ----------
    table
        The table.
    catalogues
        Languages of the form, the default one first.
    form_id
        Name of the form; the table's when empty.
    version
        Version of the form.
    schools
        Identifier to name of the schools to choose from; with none the identifier is typed in.
    mark
        What stands behind the form's title, such as that the data are simulated.

    Returns
    -------
    bytes
        A workbook with the sheets `survey`, `choices` and `settings`, as ODK and KoBo take it.
    """
    from openpyxl import Workbook

    book = Workbook()
    survey = book.worksheets[0]
    survey.title = "survey"
    names = [_LANGUAGE_NAMES.get(one.language.code, one.language.code) for one in catalogues]
    texts = [f"{kind}::{name}" for kind in ("label", "hint", "constraint_message") for name in names]
    survey.append(["type", "name", "required", "constraint", "relevant", *texts])
    chosen = schools if schools and all(_CHOICE.fullmatch(school) for school in schools) else {}
    for field in table.fields:
        survey.append(_question(field, table, catalogues, is_chosen=bool(chosen) and field.name == "school_id"))
    _choices(book, table, catalogues, names, schools=chosen)
    settings = book.create_sheet("settings")
    settings.append(["form_title", "form_id", "version", "default_language"])
    title = " · ".join(filter(None, (table_in(table, catalogues[0]), mark)))
    settings.append([title, form_id or table.name, version, names[0]])
    return saved(book)


_CHOICE = re.compile(r"[\w.-]+")
"""Names that a choice may have: without spaces."""


def _question(field: Field, table: Table, catalogues: Sequence[Catalogue], *, is_chosen: bool) -> list[str | None]:
    """Return a row of the sheet `survey`."""
    hints = [hint_of(field, one, about=table.about) for one in catalogues]
    labels = [question_in(field, one, about=table.about) for one in catalogues]
    is_listed = bool(field.codes) or is_chosen
    kind = f"select_one {field.name}" if is_listed else _XLS_TYPES.get(field.type, "text")
    constraint = _constraint(field)
    messages: list[str | None] = [*hints] if constraint else [None] * len(hints)
    required = "yes" if field.required or field.name in table.key else None
    return [kind, field.name, required, constraint, _relevant(field), *labels, *hints, *messages]


def _relevant(field: Field) -> str | None:
    if field.asked_if is None:
        return None
    name, answers = field.asked_if
    return " or ".join(f"${{{name}}} = '{_choice(answer)}'" for answer in answers)


def _choice(code: str) -> str:
    """Return the name of a choice: without spaces, and understood by intake in this spelling too."""
    return folded(code).replace(" ", "_")


def _choices(
    book: Workbook, table: Table, catalogues: Sequence[Catalogue], names: Iterable[str], *, schools: Mapping[str, str]
) -> None:
    choices = book.create_sheet("choices")
    choices.append(["list_name", "name", *(f"label::{name}" for name in names)])
    for school, name in schools.items():
        choices.append(["school_id", school, *([f"{school} {name}".strip()] * len(catalogues))])
    for field in table.fields:
        labels = [answers_in(field, one) for one in catalogues]
        for at, code in enumerate(field.codes):
            choices.append([field.name, _choice(code.name), *(words[at] for words in labels)])


def _constraint(field: Field) -> str | None:
    if field.type == "month":
        return "regex(., '^[0-9]{4}-(0[1-9]|1[0-2])$')"
    limits = ((">=", field.minimum), ("<=", field.maximum))
    parts = [f". {sign} {limit:g}" for sign, limit in limits if limit is not None]
    return " and ".join(parts) or None
