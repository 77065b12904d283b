"""XLSForms for ODK and KoBo, made from the tables."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from data_schema.fields import Field, normalise_word
from data_schema.forms import describe_field
from data_schema.messages import get_answer_labels, get_field_label, get_field_question, get_table_label
from data_schema.submissions import FORM, PUPIL_LISTED, PUPIL_TYPED
from data_schema.tables import Table
from data_schema.workbooks import save_to_bytes

if TYPE_CHECKING:
    from data_schema.language import Catalogue

_XLS_TYPES = {"date": "date", "year": "integer", "whole_number": "integer", "number": "decimal"}
_LANGUAGE_NAMES = {"en": "English (en)", "hu": "Magyar (hu)", "sr": "Српски (sr)", "sr-Latn": "Srpski (sr-Latn)",
                   "sl": "Slovenščina (sl)"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FieldForm:
    """A table as an XLSForm, one record a submission.

    Parameters
    ----------
    table
        The table.
    catalogues
        Languages of the form, the default one first.
    form_id
        Name of the form; the table's when empty.
    schools
        Identifier to name of the schools to choose from; with none the identifier is typed in.
    mark
        What stands behind the form's title, such as that the data are simulated.
    pupils
        "chosen": the pupil is chosen from a list that is attached (`encode_pupil_list`), or typed where it is not on
        it; "checked": an identifier is typed, and must be on the list; "typed": there is no list.
    """

    table: Table
    catalogues: Sequence[Catalogue]
    form_id: str = ""
    schools: Mapping[str, str] = dataclass_field(default_factory=lambda: MappingProxyType({}))
    mark: str = ""
    pupils: Literal["typed", "chosen", "checked"] = "typed"

    @property
    def name(self) -> str:
        """Name of the form."""
        return self.form_id or self.table.name

    @property
    def languages(self) -> list[str]:
        """What the form calls its languages."""
        codes = [form_catalogue.language.code for form_catalogue in self.catalogues]
        return [_LANGUAGE_NAMES.get(code, code) for code in codes]

    @cached_property
    def version(self) -> str:
        """A number made from all that the form asks and says: the same form has the same, another one another."""
        content = json.dumps(
            [self._build_survey_rows(""), self._build_choice_rows(), self._get_title()], ensure_ascii=False
        )
        return f"{int(hashlib.sha256(content.encode()).hexdigest()[:8], 16):010d}"

    def workbook(self) -> bytes:
        """Return a workbook with the sheets `survey`, `choices` and `settings`, as ODK and KoBo take it.

        Each submission says which form it was made with, and which version of it (`data_schema.submissions.FORM`).
        """
        from openpyxl import Workbook

        book = Workbook()
        survey = book.worksheets[0]
        survey.title = "survey"
        sheets = (
            (survey, self._build_survey_rows(self.version)),
            (book.create_sheet("choices"), self._build_choice_rows()),
            (book.create_sheet("settings"), self._build_settings()),
        )
        for sheet, rows in sheets:
            for row in rows:
                sheet.append(row)
        return save_to_bytes(book)

    def _build_settings(self) -> list[list[str | None]]:
        head: list[str | None] = ["form_title", "form_id", "version", "default_language"]
        return [head, [self._get_title(), self.name, self.version, self.languages[0]]]

    def _get_title(self) -> str:
        return " · ".join(filter(None, (get_table_label(self.table, self.catalogues[0]), self.mark)))

    @property
    def _chosen(self) -> Mapping[str, str]:
        is_possible = bool(self.schools) and all(_CHOICE.fullmatch(school) for school in self.schools)
        return self.schools if is_possible else {}

    def _build_survey_rows(self, version: str) -> list[list[str | None]]:
        texts = [f"{kind}::{name}" for kind in ("label", "hint", "constraint_message") for name in self.languages]
        rows: list[list[str | None]] = [[*_COLUMNS, *texts]]
        for item in self.table.fields:
            rows += (
                self._build_pupil_rows(item)
                if item.name == "pupil_id" and self.pupils != "typed"
                else [self._build_question_row(item)]
            )
        rows.append(self._make_row("calculate", FORM, calculation=f"'{self.name} {version}'"))
        return rows

    def _make_row(
        self,
        kind: str,
        name: str,
        *,
        required: bool = False,
        constraint: str | None = None,
        relevant: str | None = None,
        calculation: str | None = None,
        choice_filter: str | None = None,
        labels: Sequence[str] = (),
        hints: Sequence[str] = (),
        messages: Sequence[str] = (),
    ) -> list[str | None]:
        unsaid: Sequence[str | None] = [None] * len(self.catalogues)
        texts = [text for translations in (labels, hints, messages) for text in (translations or unsaid)]
        required_mark = "yes" if required else None
        return [kind, name, required_mark, constraint, relevant, calculation, choice_filter, *texts]

    def _build_question_row(self, item: Field) -> list[str | None]:
        hints = [describe_field(item, form_catalogue, about=self.table.about) for form_catalogue in self.catalogues]
        is_listed = bool(item.codes) or (bool(self._chosen) and item.name == "school_id")
        constraint = _build_constraint_expression(item)
        return self._make_row(
            f"select_one {item.name}" if is_listed else _XLS_TYPES.get(item.type, "text"),
            item.name,
            required=item.required or item.name in self.table.key,
            constraint=constraint,
            relevant=_build_relevance_expression(item),
            labels=[
                get_field_question(item, form_catalogue, about=self.table.about) for form_catalogue in self.catalogues
            ],
            hints=hints,
            messages=hints if constraint else (),
        )

    def _build_pupil_rows(self, item: Field) -> list[list[str | None]]:
        """Return how the pupil is asked for where there is a list of the pupils."""
        labels = [get_field_label(item, form_catalogue, about=self.table.about) for form_catalogue in self.catalogues]
        pairs = list(zip(self.catalogues, labels, strict=True))
        if self.pupils == "checked":
            (row,) = (self._build_question_row(item),)
            row[_COLUMNS.index("constraint")] = _ON_LIST
            wrong = [
                catalogue.text("It is not on the list of the school's pupils. Check it.")
                for catalogue in self.catalogues
            ]
            return [[*row[: -len(wrong)], *wrong]]
        return [
            self._make_row(
                f"select_one_from_file {PUPILS}",
                PUPIL_LISTED,
                required=True,
                choice_filter="school_id = ${school_id}",
                labels=[catalogue.text("{field}, from the list", field=label) for catalogue, label in pairs],
            ),
            self._make_row(
                "text",
                PUPIL_TYPED,
                required=True,
                relevant=f"${{{PUPIL_LISTED}}} = '{_NOT_LISTED}'",
                labels=[catalogue.text("{field}, if it is not on the list", field=label) for catalogue, label in pairs],
                hints=[
                    describe_field(item, form_catalogue, about=self.table.about) for form_catalogue in self.catalogues
                ],
            ),
            self._make_row(
                "calculate",
                item.name,
                calculation=f"if(${{{PUPIL_LISTED}}} = '{_NOT_LISTED}', ${{{PUPIL_TYPED}}}, ${{{PUPIL_LISTED}}})",
            ),
        ]

    def _build_choice_rows(self) -> list[list[str | None]]:
        rows: list[list[str | None]] = [["list_name", "name", *(f"label::{name}" for name in self.languages)]]
        for school, name in self._chosen.items():
            rows.append(["school_id", school, *([f"{school} {name}".strip()] * len(self.catalogues))])
        for item in self.table.fields:
            labels = [get_answer_labels(item, form_catalogue) for form_catalogue in self.catalogues]
            for code_index, code in enumerate(item.codes):
                rows.append([item.name, _format_choice_name(code.name), *(words[code_index] for words in labels)])
        return rows


def encode_pupil_list(pupils: Mapping[str, Sequence[Mapping[str, str]]], catalogue: Catalogue) -> bytes:
    """Return the list of pupils that is attached to a form, as CSV: identifiers and classes, never names.

    Parameters
    ----------
    pupils
        School to its pupils, each with `pupil_id` and perhaps `class`.
    catalogue
        Language of the choice for pupils who are not on the list.
    """
    content = io.StringIO()
    rows = csv.writer(content, lineterminator="\n")
    rows.writerow(["name", "label", "school_id", "key"])
    for school, listed in pupils.items():
        for pupil in listed:
            called = " · ".join(filter(None, (pupil["pupil_id"], pupil.get("class", ""))))
            rows.writerow([pupil["pupil_id"], called, school, f"{school} {pupil['pupil_id']}"])
        rows.writerow([_NOT_LISTED, catalogue.text("Not on the list"), school, ""])
    return content.getvalue().encode()


PUPILS = "pupils.csv"
"""What the attached list must be called."""

_NOT_LISTED = "not_listed"
_ON_LIST = "pulldata('pupils', 'name', 'key', concat(${school_id}, ' ', .)) != ''"
_COLUMNS = ("type", "name", "required", "constraint", "relevant", "calculation", "choice_filter")
_CHOICE = re.compile(r"[\w.-]+")
"""Names that a choice may have: without spaces."""


def _build_relevance_expression(field: Field) -> str | None:
    if field.asked_if is None:
        return None
    name, answers = field.asked_if
    return " or ".join(f"${{{name}}} = '{_format_choice_name(answer)}'" for answer in answers)


def _format_choice_name(code: str) -> str:
    """Return the name of a choice: without spaces, and understood by intake in this spelling too."""
    return normalise_word(code).replace(" ", "_")


def _build_constraint_expression(field: Field) -> str | None:
    if field.type == "month":
        return "regex(., '^[0-9]{4}-(0[1-9]|1[0-2])$')"
    limits = ((">=", field.minimum), ("<=", field.maximum))
    parts = [f". {sign} {limit:g}" for sign, limit in limits if limit is not None]
    return " and ".join(parts) or None
