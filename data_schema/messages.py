"""What intake says to schools, in their languages.

Findings are written in English where they are made. Their sentences are patterns with slots; a sentence that fits one
is said in another language by its translation. A test holds every finding to them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from data_schema.fields import select_label
from data_schema.language import message
from data_schema.sentences import REASONS, SENTENCES
from data_schema.vocabulary import describe_vocabulary, get_heading

if TYPE_CHECKING:
    from data_schema.fields import Field
    from data_schema.language import Catalogue
    from data_schema.tables import Table

USUAL_LABELS = (
    message("Baseline"), message("Follow-up"), message("First follow-up"), message("Second follow-up"),
    message("Endline"),
)  # fmt: skip
"""Labels that protocols often give to waves, and that are said in every language without being asked for."""

_OF_CELLS = {"value": "What stands here", **dict.fromkeys(("one", "other", "what", "hours", "file"), "...")}
"""Slots that hold what is in a cell, and what is in their place where it must not be shown."""

_OF_ROWS = dict.fromkeys(("n_rows", "all_rows", "n_values", "n_records"), "...")
"""The same of slots that hold how many rows there are, which are pupils."""

_UNTOLD = "There is a question about it."

_NAMES = frozenset(("key", "column", "columns", "table", "tables", "answers"))
"""Slots that hold names of fields, tables or codes."""

_NAME = re.compile(r"'[^']*'|[A-Za-z]\w*")
_QUOTED = re.compile(r"(?<!\w)'([^']*)'(?!\w)|\"([^\"]*)\"")
_OR = re.compile(r"(?<=['\"]) or (?=['\"])")

_LANGUAGES = {"HU": "hu", "RS": "sr", "SI": "sl", "ME": "sr-Latn", "BA": "sr-Latn", "HR": "sr-Latn"}
_ROW = re.compile(r"\brow (\d+)")
_SHEET = re.compile(r"\bsheet ('[^']*'|\"[^\"]*\")")
_COLUMN = re.compile(r"\bcolumn ('[^']*'|\"[^\"]*\")")
_SPAN = re.compile(r"\b(\d+) to (\d+)\b")
_JOINED = re.compile(r"\b(row \d+) and ")
_SLOT = re.compile(r"\{(\w+)\}")


@lru_cache(maxsize=1)
def _compile_sentence_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    compiled_patterns = []
    for sentence in SENTENCES:
        parts = _SLOT.split(sentence)
        pattern = "".join(re.escape(part) if k % 2 == 0 else f"(?P<{part}>.*?)" for k, part in enumerate(parts))
        compiled_patterns.append((sentence, re.compile(pattern, re.DOTALL)))
    # The most telling first: "{value} is not a whole number." before "{value} is not a number."
    return tuple(sorted(compiled_patterns, key=lambda pair: -len(_SLOT.sub("", pair[0]))))


def translate_sentence(text: str, catalogue: Catalogue) -> str:
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
        Its translation, with what was in its slots; the text itself where there is none.
    """
    for sentence, pattern in _compile_sentence_patterns():
        match = pattern.fullmatch(text)
        if match:
            slots = {name: _translate_slot_value(name, value, catalogue) for name, value in match.groupdict().items()}
            return catalogue.text(sentence, **slots)
    return catalogue.template(text) if text and "{" not in text else text


def remove_cell_values(text: str) -> str:
    """Return a finding's sentence without what is in the cells that it is about.

    A sentence that is not known says nothing but that there is a question: whatever it holds, it holds it back.

    Examples
    --------
    >>> remove_cell_values("'55' is above the greatest possible value, 5.")
    'What stands here is above the greatest possible value, 5.'
    """
    return _suppress_slots(text, _OF_CELLS)


def remove_row_counts(text: str) -> str:
    """Return a finding's sentence without what is in cells, and without numbers of rows either.

    Examples
    --------
    >>> remove_row_counts("No answer on consent for 1 of the 29 pupils of the school 'SI-002'.")
    "No answer on consent for ... of the ... pupils of the school 'SI-002'."
    """
    return _suppress_slots(text, {**_OF_CELLS, **_OF_ROWS})


def _suppress_slots(text: str, instead: Mapping[str, str]) -> str:
    for sentence, pattern in _compile_sentence_patterns():
        match = pattern.fullmatch(text)
        if match:
            slots = {name: _suppress_slot_value(name, value, instead) for name, value in match.groupdict().items()}
            return sentence.format(**slots)
    return _UNTOLD


def _suppress_slot_value(slot: str, value: str, instead: Mapping[str, str]) -> str:
    """Return what was in a slot, or dots where that is of a cell or names a file."""
    if slot in ("place", "places") and not _ROWS.fullmatch(value):
        return "..."
    return instead.get(slot, value)


_ROWS = re.compile(r"(?:rows? )?[\d, to.]+")


def get_field_label(field: Field, catalogue: Catalogue, *, about: str = "pupil") -> str:
    """Return what people call a field in a language; its English label where there is no other."""
    language = catalogue.language.code
    field_label = select_label(field.labels, language) or get_heading(field.name, language, about=about)
    return (
        f"{field_label[0].upper()}{field_label[1:]}"
        if field_label
        else translate_sentence(field.label or field.name, catalogue)
    )


def get_field_question(field: Field, catalogue: Catalogue, *, about: str = "pupil") -> str:
    """Return the wording for a person who is asked individually: of a question of a scale, or the field's label."""
    language = catalogue.language.code
    wording = describe_vocabulary(field.name, language, about=about).wording
    return (
        wording
        if wording and not select_label(field.labels, language)
        else get_field_label(field, catalogue, about=about)
    )


def get_table_label(table: Table, catalogue: Catalogue) -> str:
    """Return what people call a table in a language; its English label where there is no other."""
    table_label = select_label(table.labels, catalogue.language.code)
    return table_label or translate_sentence(table.label or table.name, catalogue)


def find_untranslated_places(table: Table, catalogue: Catalogue) -> tuple[str, ...]:
    """Return what of a table has no word in a language, as places of a protocol: nobody should meet it unawares."""
    language = catalogue.language.code
    place = f"[tables.{table.name}]"
    untranslated = [] if select_label(table.labels, language) or catalogue.knows(table.label) else [place]
    for field in table.fields:
        field_label = select_label(field.labels, language) or get_heading(field.name, language, about=table.about)
        if not field_label and not catalogue.knows(field.label):
            untranslated.append(f"{place} {field.name}")
        for code in field.codes:
            label = code.label or code.name
            if not (select_label(code.labels, language) or catalogue.knows(label) or label.isdecimal()):
                untranslated.append(f"{place} {field.name}: {code.name}")
    return tuple(untranslated)


def get_answer_labels(field: Field, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the answers of a field in a language: words that intake understands, or the codes' names."""
    language = catalogue.language.code
    words = (
        (code, select_label(code.labels, language) or translate_sentence(code.label or code.name, catalogue))
        for code in field.codes
    )
    return tuple(word if field.code_of(word) is code else code.name for code, word in words)


def _translate_slot_value(slot: str, value: str, catalogue: Catalogue) -> str:
    """Return what was in a slot, with the names in it said as people say them."""
    if value == "What stands here" or (slot == "what" and value in REASONS):
        return catalogue.text(value)
    if catalogue.language.code == "en":
        return value
    if slot == "status":
        return _translate_word("answers", value.replace(" ", "_"), catalogue)
    if slot in _NAMES:
        listed = value.replace(" and no column ", ", ").replace(" and ", ", ")
        value = _NAME.sub(
            lambda found: found[0].replace(bare := found[0].strip("'"), _translate_word(slot, bare, catalogue)), listed
        )
    if slot in ("place", "places", "rows"):
        value = _translate_places(value, catalogue)
    value = _OR.sub(lambda _: f" {catalogue.text('or')} ", value)
    return _QUOTED.sub(lambda found: catalogue.text("'{name}'", name=found[1] or found[2] or ""), value)


def _translate_places(places: str, catalogue: Catalogue) -> str:
    """Return where something stands, file by file, as people say it."""
    place_text = _SPAN.sub(r"\1–\2", _JOINED.sub(r"\1; ", places))
    place_text = _ROW.sub(lambda found: catalogue.text("row {n}", n=found[1]), place_text)
    place_text = _SHEET.sub(lambda found: catalogue.text("sheet {name}", name=found[1]), place_text)
    return _COLUMN.sub(lambda found: catalogue.text("column {name}", name=found[1]), place_text)


def _translate_word(slot: str, word: str, catalogue: Catalogue) -> str:
    """Return what people call a field, a table or an answer of the standard tables; any other word as it is."""
    if slot == "answers":
        label = _index_code_labels().get(word, "")
        return catalogue.template(label) if label else word
    if slot in ("table", "tables"):
        label = _index_table_labels().get(word, "")
        return catalogue.template(label) if label else word
    return get_heading(word, catalogue.language.code) or word


@lru_cache(maxsize=1)
def _index_code_labels() -> dict[str, str]:
    from data_schema.school_tables import standard_tables

    fields = [field for table in standard_tables().values() for field in table.fields]
    return {code.name: code.label for field in fields for code in field.codes}


@lru_cache(maxsize=1)
def _index_table_labels() -> dict[str, str]:
    from data_schema.school_tables import standard_tables

    return {name: table.label for name, table in standard_tables().items()}


def translate_country_name(code: str, name: str, catalogue: Catalogue) -> str:
    """Return the name of a country in a language; the protocol's own where it is not simply the English one.

    Examples
    --------
    >>> from data_schema.language import Catalogue, Language
    >>> hungarian = Catalogue("data_schema", Language("hu"))
    >>> translate_country_name("RS", "Serbia", hungarian), translate_country_name("RS", "Vojvodina", hungarian)
    ('Szerbia', 'Vojvodina')
    """
    from babel import Locale

    if name != Locale.parse("en").territories.get(code):
        return name
    return str(Locale.parse(catalogue.language.locale).territories.get(code, name))


def get_language_of_country(country: str) -> str:
    """Return the code of the language in which a country's schools are written to; English for those not known."""
    return _LANGUAGES.get(country, "en")
