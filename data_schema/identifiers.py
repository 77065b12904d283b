"""What is no identifier though one belongs there; identifiers re-used, in two schools, or alike to the eye."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from data_schema.clean import CleanCell, asked
from data_schema.dates import clean_date
from data_schema.findings import Finding, format_row_ranges
from data_schema.linking import compute_likeness, find_namesakes_elsewhere
from data_schema.words import find_month_number, normalise_plain_word

if TYPE_CHECKING:
    import pandas as pd

PLAIN_IDENTIFIER = r"(?:(?:[A-Za-z]{1,2}[-_]?)?[0-9]{1,40}|[0-9A-Za-z/_-]{0,40}[0-9]{5}[0-9A-Za-z/_-]{0,40})"
"""Identifiers that mean nothing else, as nearly all are: a number, perhaps after a letter or two, or a long one."""

_WORDS = (
    "? x xx xxx xxxx none no null nil na nan tbd unknown missing no_id not_known not_available "
    "nincs nincs_adat nincs_neki ismeretlen nem_ismert hiányzik nema nema_podataka nepoznato nepoznat nije_poznato "
    "ni ni_podatka neznano neznan ni_znano manjka test teszt"
)
_NONE = frozenset(normalise_plain_word(word.replace("_", " ")) for word in _WORDS.split())
_WITH_MONTH = re.compile(r"(?:\d{1,4}[-. /]{0,2})?([^\W\d_]{3,})\.?(?:[-. /]{0,2}\d{1,4})?\.?")
_DATE = re.compile(r"\d{1,4}[-./] ?\d{1,2}[-./] ?\d{1,4}\.?")
_ROMAN_DATE = re.compile(r"\d{1,2}\.? ?[IVX]{1,4}\.? ?\d{4}\.?")
_SHORT_DATE = re.compile(r"\d{1,2}\.\d{1,2}\.")
_ERROR = re.compile(r"#[^\W\d_][\w/ .]*[!?]?")
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹘﹣－"), "-")
_ALIKE = str.maketrans("АВЕКМНОРСТУХЈЅІаеорсухјѕі", "ABEKMHOPCTYXJSIaeopcyxjsi")
"""Letters of the Cyrillic alphabet that nobody tells from Latin ones."""

_ASK_AGAIN = "Format the column as text, enter the identifiers again and send the file."


def replace_cyrillic_look_alikes(text: str) -> str:
    """Return a text with Cyrillic letters that look like Latin ones as these."""
    return text.translate(_ALIKE)


def normalise_look(identifier: str) -> str:
    """Return what people see of an identifier: no case, no alphabet of letters that look alike, one kind of dash.

    Examples
    --------
    >>> normalise_look("АВ–12") == normalise_look("ab-12")
    True
    """
    if not identifier.isascii():
        identifier = replace_cyrillic_look_alikes(unicodedata.normalize("NFKC", identifier).translate(_DASHES))
    return "".join(identifier.split()).casefold()


def is_spreadsheet_error(text: str) -> bool:
    """Whether a text is an error of a spreadsheet in any language: "#HIÁNYZIK", "#ЗНАЧ!".

    Examples
    --------
    >>> is_spreadsheet_error("#ÉRTÉK!"), is_spreadsheet_error("#9a")
    (True, False)
    """
    return text.startswith("#") and len(text) > 2 and text == text.upper() and _ERROR.fullmatch(text) is not None


def ask_about_non_identifier(text: str, *, of_frame: bool = False) -> CleanCell | None:
    """Return what to ask about a text where an identifier belongs; None when it may be one.

    Parameters
    ----------
    text
        The text.
    of_frame
        Whether it is looked up in a list that is known, so that letters of two alphabets are seen there.

    Examples
    --------
    >>> ask_about_non_identifier("27-Jan").problem, ask_about_non_identifier("031201")
    ('{value} is a date where an identifier belongs; a spreadsheet may have made it one.', None)
    """
    if normalise_plain_word(text) in _NONE or not any(sign.isalnum() for sign in text):
        return asked(
            "{value} is no identifier; it says that there is none.", "Send the row with it, or remove the row."
        )
    if _is_date(text):
        return asked("{value} is a date where an identifier belongs; a spreadsheet may have made it one.", _ASK_AGAIN)
    if not of_frame and not text.isascii() and _has_two_alphabets(text):
        problem = "{value} has letters of two alphabets in one identifier, which people cannot tell apart."
        return asked(problem, "Enter it again in one alphabet.")
    return None


def _is_date(text: str) -> bool:
    with_month = _WITH_MONTH.fullmatch(text)
    if with_month:
        return (
            any(sign.isdigit() for sign in text)
            and find_month_number(with_month[1]) is not None
            and len(with_month[1]) > 2
        )
    if _SHORT_DATE.fullmatch(text):
        return True
    if _DATE.fullmatch(text) is None and _ROMAN_DATE.fullmatch(text) is None:
        return False
    read = clean_date(text)
    return read.value is not None or "two dates" in read.problem


def _has_two_alphabets(text: str) -> bool:
    letters = [unicodedata.name(sign, "").partition(" ")[0] for sign in text if sign.isalpha()]
    return len({letter for letter in letters if letter in ("LATIN", "CYRILLIC", "GREEK")}) > 1


PUPIL = ["school_id", "pupil_id"]
_TRAITS = ("birth_date", "birth_year", "gender")
_LEAST_ALIKE = 0.85
"""Likeness from which two names are one person's, misspelt or in another script."""


def find_identity_problems(pupils: pd.DataFrame, *, scope: str) -> Iterator[Finding]:
    """Ask about identifiers and pupils of lists that cannot be what they seem.

    Parameters
    ----------
    pupils
        The lists of pupils, with names where there are any.
    scope
        Where an identifier is one pupil's: "school", "country" or "trial".

    Yields
    ------
    Finding
        A question for a pupil whose name or birth is another one in a later list; for identifiers of a school that
        look the same; for an identifier in the lists of two schools of its scope; and for a pupil of the same name and
        birth in the lists of two schools of a wave. The rows stay.
    """
    ordered = pupils.reset_index(drop=True)
    yield from _find_reused_identifiers(ordered)
    yield from _find_similar_identifiers(ordered)
    yield from _find_identifiers_in_two_schools(ordered, scope)
    yield from find_namesakes_elsewhere(ordered)


def _find_reused_identifiers(pupils: pd.DataFrame) -> Iterator[Finding]:
    """Find one identifier with two persons, in lists of different waves."""
    if pupils["wave"].nunique() < 2:
        # Within a wave, nobody is listed twice.
        return
    by_pupil = pupils.groupby(PUPIL, sort=False)
    for name in (*(trait for trait in _TRAITS if trait in pupils), *(["name"] if "name" in pupils else [])):
        differs = by_pupil[name].transform("nunique") > 1
        for _, group in pupils[differs].groupby(PUPIL, sort=False):
            if name == "name" and not _is_another(group["name"].dropna().tolist()):
                continue
            problem = (
                f"Another list of pupils has another {name!r} for this identifier: {_describe_first_place(group)}."
            )
            remedy = "Tell whether two pupils have one identifier, or which value is right."
            yield build_question_at(pupils, int(group.index[-1]), name, problem, remedy)


def _is_another(names: Sequence[str]) -> bool:
    return any(compute_likeness(names[0], other) < _LEAST_ALIKE for other in names[1:])


def _find_similar_identifiers(pupils: pd.DataFrame) -> Iterator[Finding]:
    """Find identifiers of a school that differ by case, alphabet or dash only."""
    identifiers = pupils["pupil_id"].tolist()
    if "".join(identifiers).isdecimal():
        return
    looks: dict[tuple[str, str], dict[str, int]] = {}
    schools = pupils["school_id"].tolist()
    for row_index, identifier in enumerate(identifiers):
        if not identifier.isdecimal():
            looks.setdefault((schools[row_index], normalise_look(identifier)), {}).setdefault(identifier, row_index)
    for ways in looks.values():
        for row_index in ways.values() if len(ways) > 1 else ():
            other = next(other_index for other_index in ways.values() if other_index != row_index)
            problem = f"Another identifier of the school looks the same: {_describe_place(pupils, other)}."
            remedy = "If one pupil is meant, write it in the same letters and signs; otherwise answer 'yes'."
            yield build_question_at(pupils, row_index, "pupil_id", problem, remedy)


def _find_identifiers_in_two_schools(pupils: pd.DataFrame, scope: str) -> Iterator[Finding]:
    """Find an identifier in the lists of two schools of a wave where it should be one pupil's."""
    if scope == "school" or pupils["school_id"].nunique() < 2:
        return
    where = ["pupil_id", "wave", *(["country"] if scope == "country" else [])]
    doubled = pupils[pupils.duplicated(where, keep=False)]
    for _, group in doubled.groupby(where, sort=False):
        schools = group["school_id"].tolist()
        for row_index, school in zip(group.index, schools, strict=True):
            other = next(
                (k for k, other_school in zip(group.index, schools, strict=True) if other_school != school), None
            )
            if other is not None:
                problem = (
                    f"The same identifier is in the list of another school: {_describe_place(pupils, int(other))}."
                )
                remedy = "Remove the pupil from one list, or correct the identifier."
                yield build_question_at(pupils, int(row_index), "pupil_id", problem, remedy)


def _describe_first_place(group: pd.DataFrame) -> str:
    first = group.iloc[0]
    return f"{first['source_file']}, row {format_row_ranges([int(first['source_row'])])}"


def _describe_place(frame: pd.DataFrame, at: int) -> str:
    return f"{frame['source_file'].iloc[at]}, row {format_row_ranges([int(frame['source_row'].iloc[at])])}"


def build_question_at(frame: pd.DataFrame, at: int, column: str, problem: str, remedy: str) -> Finding:
    """Return a question about a cell of a row that knows its file, sheet and row.

    Parameters
    ----------
    frame
        Rows as intake returns them.
    at
        Position of the row.
    column, problem, remedy
        See `Finding`.
    """
    row = frame.iloc[at]
    return Finding(
        file=str(row["source_file"]),
        sheet=str(row["source_sheet"]),
        row=int(row["source_row"]),
        column=column,
        problem=problem,
        remedy=remedy,
        severity="question",
    )
