"""How each country fills in its forms: files, headers, words, decimal marks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from analysis.simulation import SimulatedData
from analysis.simulation.names import convert_cyrillic_to_latin
from data_schema.fields import Field
from data_schema.tables import Table
from evaluation.rehearsal.forms import Cell, Form

SCHOOL_TABLES = ("pupil", "status", "signals", "survey")
"""Tables that each school sends."""

PARTNER_TABLES = ("implementation", "costs")
"""Tables that the project's partner in the country sends for all its schools."""

COSTS_WAVE = "followup"
"""Wave in whose folder the costs lie; the table itself has no waves."""

_CYRILLIC = re.compile("[Ѐ-ӿ]")
_UNSAFE = re.compile(r"[^\w.-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """A country's way with forms.

    Parameters
    ----------
    files
        "csv": a CSV file for each school and table; "workbook": a workbook for each school, with a sheet for each
        table; "titled": a workbook for each school and table with a title above the header.
    words
        What it writes for codes and for "yes" and "no", used where the standard tables know the word.
    encodings
        Encodings of CSV files, dealt to the schools in turn.
    date_format
        `strftime` pattern of dates in CSV files; workbooks hold real dates.
    title
        First line of the title; the school follows on the second.
    """

    files: Literal["csv", "workbook", "titled"]
    words: Mapping[str, str] = field(default_factory=dict)
    encodings: tuple[str, ...] = ("utf-8-sig",)
    date_format: str = "%Y-%m-%d"
    title: str = ""


SHEETS = {"pupil": "Učenici", "status": "Status", "signals": "Signali", "survey": "Anketa"}

_HABITS = {
    "HU": Habits(
        files="csv",
        words={
            "girl": "lány",
            "boy": "fiú",
            "other": "egyéb",
            "enrolled": "jogviszonyban",
            "transferred": "átiratkozott",
            "completed": "végzett",
            "left_early": "lemorzsolódott",
            "unknown": "ismeretlen",
            "yes": "igen",
            "no": "nem",
        },
        encodings=("cp1250", "utf-8-sig"),
        date_format="%Y.%m.%d.",
    ),
    "RS": Habits(
        files="workbook",
        words={
            "girl": "devojčica",
            "boy": "dečak",
            "other": "drugo",
            "enrolled": "upisan",
            "transferred": "prešao",
            "completed": "završio",
            "left_early": "napustio",
            "unknown": "nepoznato",
            "yes": "da",
            "no": "ne",
        },
    ),
    "SI": Habits(
        files="titled",
        words={
            "girl": "dekle",
            "boy": "fant",
            "other": "drugo",
            "enrolled": "vpisan",
            "transferred": "prepisan",
            "completed": "končal",
            "left_early": "opustil",
            "unknown": "neznano",
            "yes": "da",
            "no": "ne",
        },
        title="Zgodnje opozarjanje na opuščanje šolanja",
    ),
}
_OTHERS = Habits(files="csv")


def get_country_habits(country: str) -> Habits:
    """Return the habits of a country; one that is not known sends plain CSV in English."""
    return _HABITS.get(country, _OTHERS)


def create_filled_forms(data: SimulatedData, tables: Mapping[str, Table]) -> list[Form]:
    """Fill in the forms of all schools and partners, tidily.

    Parameters
    ----------
    data
        The simulated trial.
    tables
        The standard tables, for the fields' types and the words that intake knows.

    Returns
    -------
    list of Form
        By wave, country, school and table.
    """
    country = data.schools.set_index("school_id")["country"]
    cyrillic = set(data.tables["pupil"].loc[data.tables["pupil"]["name"].str.contains(_CYRILLIC), "school_id"])
    forms = []
    for name in (*SCHOOL_TABLES, *PARTNER_TABLES):
        rows = data.tables[name]
        sender = rows["school_id"] if name in SCHOOL_TABLES else rows["school_id"].map(country)
        waves = rows["wave"] if "wave" in rows else pd.Series(COSTS_WAVE, index=rows.index)
        for (wave, who), part in rows.groupby([waves, sender], sort=True):
            code = str(country[part["school_id"].iloc[0]])
            forms.append(
                _build_filled_form(tables[name], part, str(wave), code, str(who), cyrillic=str(who) in cyrillic)
            )
    return sorted(forms, key=lambda form: (form.file, form.sheet))


def _build_filled_form(
    table: Table, rows: pd.DataFrame, wave: str, country: str, sender: str, *, cyrillic: bool
) -> Form:
    habits = get_country_habits(country)
    fields = [item for item in table.fields if item.name in rows]
    cells = [list(_iterate_form_cells(rows[item.name], item, habits)) for item in fields]
    partner = table.name in PARTNER_TABLES
    own_sheet = habits.files == "workbook" and not partner
    stem = f"{'school' if own_sheet else table.name}_{_UNSAFE.sub('_', sender)}"
    title = (habits.title, sender) if habits.files == "titled" and not partner else ()
    return Form(
        file=f"{wave}/{country}/{stem}.{'csv' if habits.files == 'csv' else 'xlsx'}",
        sheet="" if habits.files == "csv" else SHEETS.get(table.name, "Sheet1") if own_sheet else "Sheet1",
        table=table.name,
        wave=wave if table.by_wave else "",
        country=country,
        columns=tuple(item.name for item in fields),
        header=tuple(_translate_header(item, country, cyrillic=cyrillic) for item in fields),
        rows=tuple(zip(*cells, strict=True)),
        title=title,
        encoding=habits.encodings[sum(map(ord, sender)) % len(habits.encodings)],
    )


def _translate_header(item: Field, country: str, *, cyrillic: bool) -> str:
    """Name a column as the country does, if the standard tables know a name in its script."""
    if country != "RS":
        return item.name
    serbian = next((text for text in item.headers if _CYRILLIC.search(text)), "")
    latin = convert_cyrillic_to_latin(serbian)
    if cyrillic or latin not in item.headers:
        return serbian or item.name
    return latin


def _iterate_form_cells(values: pd.Series, item: Field, habits: Habits) -> Iterator[Cell]:
    for value, missing in zip(values, values.isna(), strict=True):
        yield None if missing else _format_form_cell(value, item, habits)


def _format_form_cell(value: object, item: Field, habits: Habits) -> Cell:
    if item.type == "yes_no":
        return translate_code("yes" if value else "no", item, habits)
    if item.type == "code":
        return translate_code(str(value), item, habits)
    if item.type == "date":
        day = pd.Timestamp(str(value)).date()
        return day.strftime(habits.date_format) if habits.files == "csv" else day
    if item.type in ("whole_number", "year"):
        return int(str(value))
    if item.type == "number":
        number = float(str(value))
        shown = int(number) if number.is_integer() else number
        return str(shown).replace(".", ",") if habits.files == "csv" else shown
    return str(value)


def translate_code(code: str, item: Field, habits: Habits) -> str:
    """Return the country's word for a code where intake knows it, and the code itself where not."""
    word = habits.words.get(code, code)
    known = {synonym.casefold() for each in item.codes if each.name == code for synonym in (*each.synonyms, each.label)}
    return word if word.casefold() in known else code
