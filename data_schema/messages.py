"""What intake says to schools, in their languages.

Findings are written in English where they are made. Their sentences are patterns with slots; a sentence that fits one
is said in another language by its translation. What fits none appears in English.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from data_schema.fields import label_among
from data_schema.language import message
from data_schema.vocabulary import heading_of

if TYPE_CHECKING:
    from data_schema.fields import Field
    from data_schema.language import Catalogue
    from data_schema.tables import Table

SENTENCES = (
    "What stands here",
    # cells
    "{value} is not a number.",
    "{value} is not a whole number.",
    "{value} is not a year.",
    "{value} is below the least possible value, {limit}.",
    "{value} is above the greatest possible value, {limit}.",
    "{value} can be {one} or {other}: nothing in the column tells what the mark means.",
    "{value} says two things: the number is not the mark in words.",
    "{value} is not one of the answers.",
    "{value} is neither yes nor no.",
    "{value} is not a date.",
    "{value} is not a month.",
    "{value} is no day of any calendar.",
    "{value} is too far from today.",
    "{value} is a number where a date belongs.",
    "{value} can be two dates: its day may come first or second.",
    "The year in {value} has two digits, and it is not sure which of the three it is.",
    "{value} is an identifier that a spreadsheet turned into a rounded number.",
    "{value} is an identifier that a program turned into a decimal number.",
    "{value} is not an identifier; a spreadsheet may have changed it.",
    "{value} is a date where text belongs; a spreadsheet may have made it one.",
    "{value} is an error of a spreadsheet.",
    "{value} is a formula without a result.",
    "The name of a pupil stands here; it is not taken in.",
    # rows
    "{value} is no school of the trial; it differs by leading zeros or signs from one that is.",
    "{value} is no school of the trial.",
    "The row has no {column}, so nobody can tell what it is about.",
    "{column} is missing.",
    "The same pupil ({key}) stands in {places} with other values.",
    "The same record ({key}) stands in {places} with other values.",
    "The pupil of this row is in no list of pupils of the school.",
    "Another list of pupils has another {column} for this identifier: {place}.",
    "The row has more cells than the header has columns; a separator may stand inside one.",
    # files
    "It is empty.",
    "It has no rows.",
    "It has a header and no rows below it.",
    "It has no column {columns}, without which no row can be told.",
    "It has no column {columns}, which every row needs.",
    "None of its first {n} rows is a header of the table {table}.",
    "It is in the inbox, but no rule says what it is; it is not read.",
    "The workbook has no sheet {sheet}, which would hold the table {table}.",
    "It is a workbook of an old kind (.xls) or one with a password.",
    "It is damaged: {what}.",
    "It is no workbook that can be read: {what}.",
    "Its encoding is not known: its letters make sense in none of those that are tried.",
    "A quotation mark opens in this row and never closes; everything below it would be one cell.",
    # remedies
    "Check the value, and send the right one.",
    "Send the value.",
    "Send the value that belongs here.",
    "Send the number in digits, or leave the cell empty.",
    "Send the whole number in digits, or leave the cell empty.",
    "Give the number without decimals.",
    "Did a letter stand for a digit (O for 0, I for 1)? Send the number in digits.",
    "Write the number without a mark for thousands.",
    "Write the date as 2027-10-05.",
    "Write the month as 2027-10.",
    "Give one of: {answers}.",
    "Give yes or no.",
    "Check the identifier; a school that was not randomised cannot send data.",
    "Is {schools} meant? Send it with its zeros and signs; format the column as text, so that they stay.",
    "Send the row with it, or remove the row.",
    "Tell which row is right, or which identifier is wrong.",
    "Tell whether two pupils have one identifier, or which value is right.",
    "Add the pupil to the list of pupils, or correct the identifier.",
    "A pupil of the list differs by leading zeros or signs only: send the identifier as it is there.",
    "Format the column as text, enter the identifiers again and send the file.",
    "Put text that holds separators between quotation marks, or remove the extra cells.",
    "Add the column.",
    "Send it again; it may have been cut off on its way.",
    "Send the rows, if the school has them.",
    "Remove the name.",
    # across records, waves and decisions
    "The pupil is enrolled, and was {status} in {places}.",
    "Tell which is right; yes, if the pupil came back.",
    "It is {one} and was {other} in the pupil's record before.",
    "Check both marks.",
    "The absences of {month} are {hours} hours; {days} days of school have {limit}.",
    "Check the absences of the month.",
    "It was withdrawn and {file} was to take its place, which is not there; its rows are kept out.",
    "Put {file} there.",
    "The wave {wave} was frozen before this file came; its rows are kept out.",
    "Nothing; or thaw the wave with a reason: `crocoos freeze {wave} --thaw`.",
    # of what kind a file is, and what else is asked
    "Save it as 'CSV UTF-8' or as .xlsx and send it again.",
    "Its encoding cannot be told: its letters make sense in more than one.",
    "Remove the quotation mark, or save the table as .xlsx.",
    "Put a row with the names of the columns above the data: {columns}.",
    "Two of its columns are {column}: {one} and {other}.",
    "Keep one of them.",
    "Open it, save it as .xlsx without a password, and send that.",
    "It is a PDF.",
    "It is a picture.",
    "It is a text document.",
    "It is compressed.",
    "It is a database.",
    "It is a mail.",
    "It is an XML file.",
    "It is a web page, whatever its name says.",
    "It is a file for programs (JSON).",
    "It is a file for programs (Parquet).",
    "Send the table itself, as .xlsx or .csv.",
    "Send the table as .xlsx or .csv.",
    "Send the file that was attached to it.",
    "Open it in a spreadsheet program and save it as .xlsx.",
    "Open it and save the table as .xlsx.",
    "Open it in a spreadsheet program, save it as .xlsx anew, and send that.",
    "Open it in a spreadsheet program, save it anew, and send that.",
    "Save the table as .xlsx or as 'CSV UTF-8' and send that.",
    "Correct its name or its folder, or add a rule to the protocol.",
    "If it is {one}, call the sheet {other} and send it again.",
    "If it is {column}, call it so and send the file again.",
    "Send the sheet, if the school has the data.",
    "It is a folder with nothing in it.",
    "Pack it again and send it.",
    "It is a zipped folder within a zipped folder.",
    "Unpack it and send the files in it.",
    "Pack the folder anew and send it again.",
    "It has a password.",
    "Send it without a password, in a way that is safe by itself.",
    "It is too large.",
    "It is too large when it is unpacked.",
    "It holds too much: unpacked, it would fill the memory.",
    "Send it in parts.",
    "Send it in parts, or as CSV.",
    "It cannot be read: {what}.",
    "It cannot be opened: {what}.",
    "It is no table: a line has more cells than any spreadsheet.",
    "It is no table: {what}.",
    "The cell holds more text than any answer.",
    "Send the answer alone.",
    "Format the column as text, enter the value again and send the file.",
    "Rules say that it is {what}; it is not read.",
    "Make the patterns of the rules differ.",
    "This may be the pupil of an earlier list under another identifier: {place}.",
    "Answer 'yes' if it is, or send the right identifier.",
    "The answer about {place} is to an older file; it is not used.",
    "There is more than one answer about {place}, and they differ; none is used.",
    "Answer the newest questions, which `crocoos collect` wrote.",
    "There is a question about it.",
)
"""Sentences that findings are made of, with their slots; the ids of the catalogue's messages."""

USUAL_LABELS = (
    message("Baseline"), message("Follow-up"), message("First follow-up"), message("Second follow-up"),
    message("Endline"),
)  # fmt: skip
"""Labels that protocols often give to waves, and that are said in every language without being asked for."""

_OF_CELLS = {"value": "What stands here", **dict.fromkeys(("one", "other", "what", "hours", "file"), "...")}
"""Slots that hold what stands in a cell, and what stands in their place where it must not be shown."""

_UNTOLD = "There is a question about it."

_NAMES = frozenset(("key", "column", "columns", "table", "answers"))
"""Slots that hold names of fields, tables or codes."""

_WORD = re.compile(r"[A-Za-z]\w*")

_LANGUAGES = {"HU": "hu", "RS": "sr", "SI": "sl", "ME": "sr-Latn", "BA": "sr-Latn", "HR": "sr-Latn"}
_ROW = re.compile(r"\brow (\d+)")
_SLOT = re.compile(r"\{(\w+)\}")


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    made = []
    for sentence in SENTENCES:
        parts = _SLOT.split(sentence)
        pattern = "".join(re.escape(part) if k % 2 == 0 else f"(?P<{part}>.*?)" for k, part in enumerate(parts))
        made.append((sentence, re.compile(pattern, re.DOTALL)))
    # The most telling first: "{value} is not a whole number." before "{value} is not a number."
    return tuple(sorted(made, key=lambda pair: -len(_SLOT.sub("", pair[0]))))


def translated(text: str, catalogue: Catalogue) -> str:
    """Return a finding's sentence, or a label, in a language.

    Parameters
    ----------
    text
        The English text.
    catalogue
        Messages of this package in the language.

    Returns
    -------
    str
        Its translation, with what stood in its slots; the text itself where there is none.
    """
    for sentence, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found:
            slots = {name: _inner(name, value, catalogue) for name, value in found.groupdict().items()}
            return catalogue.text(sentence, **slots)
    return catalogue.template(text) if text and "{" not in text else text


def without_values(text: str) -> str:
    """Return a finding's sentence without what stands in the cells that it is about.

    A sentence that is not known says nothing but that there is a question: whatever it holds, it holds it back.

    Examples
    --------
    >>> without_values("'55' is above the greatest possible value, 5.")
    'What stands here is above the greatest possible value, 5.'
    """
    for sentence, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found:
            return sentence.format(**{name: _held_back(name, value) for name, value in found.groupdict().items()})
    return _UNTOLD


def _held_back(slot: str, value: str) -> str:
    """Return what stood in a slot, or dots where that is of a cell or names a file."""
    if slot in ("place", "places") and not _ROWS.fullmatch(value):
        return "..."
    return _OF_CELLS.get(slot, value)


_ROWS = re.compile(r"(?:rows? )?[\d, to.]+")


def label_in(field: Field, catalogue: Catalogue, *, about: str = "pupil") -> str:
    """Return what people call a field in a language; its English label where there is no other."""
    language = catalogue.language.code
    own = label_among(field.labels, language) or heading_of(field.name, language, about=about)
    return f"{own[0].upper()}{own[1:]}" if own else translated(field.label or field.name, catalogue)


def table_in(table: Table, catalogue: Catalogue) -> str:
    """Return what people call a table in a language; its English label where there is no other."""
    own = label_among(table.labels, catalogue.language.code)
    return own or translated(table.label or table.name, catalogue)


def untold(table: Table, catalogue: Catalogue) -> tuple[str, ...]:
    """Return what of a table has no word in a language, as places of a protocol: nobody should meet it unawares."""
    language = catalogue.language.code
    place = f"[tables.{table.name}]"
    found = [] if label_among(table.labels, language) or catalogue.knows(table.label) else [place]
    for field in table.fields:
        own = label_among(field.labels, language) or heading_of(field.name, language, about=table.about)
        if not own and not catalogue.knows(field.label):
            found.append(f"{place} {field.name}")
        for code in field.codes:
            label = code.label or code.name
            if not (label_among(code.labels, language) or catalogue.knows(label) or label.isdecimal()):
                found.append(f"{place} {field.name}: {code.name}")
    return tuple(found)


def answers_in(field: Field, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the answers of a field in a language: words that intake understands, or the codes' names."""
    language = catalogue.language.code
    words = (
        (code, label_among(code.labels, language) or translated(code.label or code.name, catalogue))
        for code in field.codes
    )
    return tuple(word if field.code_of(word) is code else code.name for code, word in words)


def _inner(slot: str, value: str, catalogue: Catalogue) -> str:
    """Return what stood in a slot, with the names in it said as people say them."""
    if value == "What stands here":
        return catalogue.text(value)
    if slot == "status" and catalogue.language.code != "en":
        return _said("answers", value.replace(" ", "_"), catalogue)
    if slot in _NAMES and catalogue.language.code != "en":
        value = value.replace(" and no column ", ", ")
        return _WORD.sub(lambda found: _said(slot, found[0], catalogue), value)
    return _ROW.sub(lambda found: catalogue.text("row {n}", n=found[1]), value)


def _said(slot: str, word: str, catalogue: Catalogue) -> str:
    """Return what people call a field, a table or an answer of the standard tables; any other word as it is."""
    if slot == "answers":
        label = _code_labels().get(word, "")
        return catalogue.template(label) if label else word
    if slot == "table":
        label = _table_labels().get(word, "")
        return catalogue.template(label) if label else word
    return heading_of(word, catalogue.language.code) or word


@lru_cache(maxsize=1)
def _code_labels() -> dict[str, str]:
    from data_schema.tables import standard_tables

    fields = [field for table in standard_tables().values() for field in table.fields]
    return {code.name: code.label for field in fields for code in field.codes}


@lru_cache(maxsize=1)
def _table_labels() -> dict[str, str]:
    from data_schema.tables import standard_tables

    return {name: table.label for name, table in standard_tables().items()}


def country_in(code: str, name: str, catalogue: Catalogue) -> str:
    """Return the name of a country in a language; the protocol's own where it is not simply the English one.

    Examples
    --------
    >>> from data_schema.language import Catalogue, Language
    >>> hungarian = Catalogue("data_schema", Language("hu"))
    >>> country_in("RS", "Serbia", hungarian), country_in("RS", "Vojvodina", hungarian)
    ('Szerbia', 'Vojvodina')
    """
    from babel import Locale

    if name != Locale.parse("en").territories.get(code):
        return name
    return str(Locale.parse(catalogue.language.locale).territories.get(code, name))


def language_of(country: str) -> str:
    """Return the code of the language in which a country's schools are written to; English for those not known."""
    return _LANGUAGES.get(country, "en")
