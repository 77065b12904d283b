"""What intake says to schools, in their languages.

Findings are written in English where they are made. Their sentences are patterns with slots; a sentence that fits one
is said in another language by its translation. What fits none appears in English.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from data_schema.language import message
from data_schema.vocabulary import heading_of

if TYPE_CHECKING:
    from data_schema.fields import Field
    from data_schema.language import Catalogue

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
    "There is a question about it.",
)
"""Sentences that findings are made of, with their slots; the ids of the catalogue's messages."""

USUAL_LABELS = (
    message("Baseline"), message("Follow-up"), message("First follow-up"), message("Second follow-up"),
    message("Endline"),
)  # fmt: skip
"""Labels that protocols often give to waves, and that are said in every language without being asked for."""

_OF_CELLS = {"value": "What stands here", "one": "...", "other": "...", "what": "..."}
"""Slots that hold what stands in a cell, and what stands in their place where it must not be shown."""

_UNTOLD = "There is a question about it."

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
            slots = {name: _inner(value, catalogue) for name, value in found.groupdict().items()}
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
            return sentence.format(**{name: _OF_CELLS.get(name, value) for name, value in found.groupdict().items()})
    return _UNTOLD


def label_in(field: Field, catalogue: Catalogue, *, about: str = "pupil") -> str:
    """Return what people call a field in a language; its label in the protocol's where there is no other."""
    own = heading_of(field.name, catalogue.language.code, about=about)
    return f"{own[0].upper()}{own[1:]}" if own else translated(field.label or field.name, catalogue)


def answers_in(field: Field, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the answers of a field in a language: words that intake understands, or the codes' names."""
    words = ((code, translated(code.label or code.name, catalogue)) for code in field.codes)
    return tuple(word if field.code_of(word) is code else code.name for code, word in words)


def _inner(value: str, catalogue: Catalogue) -> str:
    if value == "What stands here":
        return catalogue.text(value)
    return _ROW.sub(lambda found: f"{catalogue.text('row')} {found[1]}", value)


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
