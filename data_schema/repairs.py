"""One cell as it was sent -> its value, with what was repaired or what must be asked.

A repair is made only where one meaning is possible; each is recorded by name, so that intake can write it down.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date
from functools import partial

from data_schema.clean import NOTHING, CleanCell, asked
from data_schema.dates import clean_date, clean_month
from data_schema.fields import Code, Field, normalise_word
from data_schema.identifiers import PLAIN_IDENTIFIER, ask_about_non_identifier, is_spreadsheet_error
from data_schema.numerals import clean_number
from data_schema.readers.limits import LONGEST_CELL
from data_schema.readers.sheets import Cell
from data_schema.vocabulary import collect_spoken_words

_MISSING_MARKS = frozenset(
    {
        "na",
        "n/a",
        "n.a.",
        "#n/a",
        "-",
        "–",
        "—",
        "nan",
        "null",
        "nincs adat",
        "n. a.",
        "nema podataka",
        "нема података",
        "ni podatka",
        "n.d.",
        "no data",
        "none",
        "(null)",
        "\\n",
    }
)
_MISSING_TEXTS = frozenset({"NA", "N/A", "n/a", "n.a.", "#N/A", "-", "–", "—"})
_DITTO_WORDS = (
    "ditto",
    "Ditto",
    "DITTO",
    "dto",
    "dto.",
    "Dto.",
    "do.",
    "idem",
    "Idem",
    "isto",
    "Isto",
    "исто",
    "ugyanaz",
    "u.o.",
)
_DITTO = frozenset({'"', "''", "“", "”", "„", "〃", "″", "״", "´´", "``", '-"-', '-"', '"-', '–"–', '—"—', "-''-"})
_DITTO |= frozenset({"-||-", "- || -", "-//-", "||", "-II-", '--"--', '" "', '"""', "-„-", "-”-", "-“-"}) | frozenset(
    _DITTO_WORDS
)
"""Signs and words for "the same as above", which mean something only while rows stand as they do."""

_ODD_TEXTS = _MISSING_TEXTS | frozenset(_DITTO_WORDS)
PLUSES = frozenset({"+", "++", "✓", "✔", "√", "☑", "✅"})
"""Signs by which people tick."""

_PLAIN_YES_NO = {"yes": True, "no": False, "1": True, "0": False, "true": True, "false": False}
_ERROR = re.compile(r"#(?:REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!|BLOCKED!|#+)|Err:\d+")
_KEPT_AS_TEXT = re.compile(r'="([^"]*)"|\'(?=\d)(.*)')
_AS_DECIMAL = re.compile(r"\d+[.,]0")
_PLAIN = {
    "identifier": PLAIN_IDENTIFIER,
    "text": r"[^\W_][\w.,-]{0,60}(?: [\w.,()-]{1,60}){0,12}",
}
_PLAIN_CELL = {kind: re.compile(pattern) for kind, pattern in _PLAIN.items()}
_PLAIN_LINES = {kind: re.compile(rf"(?:{pattern}\n)*+{pattern}") for kind, pattern in _PLAIN.items()}
_LOST_LETTERS = re.compile(r"\ufffd|[^\W\d_]\?[^\W\d_]")
_LONGEST_ANSWER = 120
_ENDINGS = frozenset({"a", "la", "o", "lo", "na", "а", "ла", "о", "на"})
_NOTHING = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
"""Signs that show nothing, wherever they stand."""

_INVISIBLE = "\u200b\u200e\u200f\ufeff"
_WRITE_IT = "Write the value itself into each row."
_SURE_DIGITS = 10**15


def find_non_plain_cells(cells: Sequence[Cell], field: Field) -> Iterable[int]:
    """Return the positions of the cells that may mean something else than they say.

    For the many distinct values of identifiers and names: `clean_cell` says of all others that they mean themselves,
    only later.
    """
    if field.type not in _PLAIN:
        return range(len(cells))
    if _has_only_plain_lines(cells, field.type):
        return ()
    fits = _PLAIN_CELL[field.type].fullmatch
    is_composed = partial(unicodedata.is_normalized, "NFC")
    return [
        position
        for position, cell in enumerate(cells)
        if not isinstance(cell, str)
        or not fits(cell)
        or cell in _ODD_TEXTS
        or not (cell.isascii() or is_composed(cell))
    ]


def _has_only_plain_lines(cells: Sequence[Cell], kind: str) -> bool:
    """Whether all cells are plain, as one look at them as lines of one text tells: nearly always, and much sooner."""
    texts = [cell for cell in cells if isinstance(cell, str)]
    text = "\n".join(texts)
    return (
        len(texts) == len(cells)
        and text.count("\n") == len(texts) - 1
        and _PLAIN_LINES[kind].fullmatch(text) is not None
        and _ODD_TEXTS.isdisjoint(texts)
        and (text.isascii() or unicodedata.is_normalized("NFC", text))
    )


def clean_cell(cell: Cell, field: Field, *, typed: bool) -> CleanCell:
    """Read one cell as a value of a field.

    Parameters
    ----------
    cell
        What a reader found.
    field
        The field it belongs to.
    typed
        Whether the file's cells have types of their own, as workbooks' do; a number that is text there was repaired.

    Returns
    -------
    CleanCell
        Its value and the repairs; or what to ask.

    Examples
    --------
    >>> clean_cell(" 4,5 ", Field("mark", "number"), typed=False)
    CleanCell(value=4.5, rules=('spaces', 'decimal mark'), problem='', remedy='', thousands=None, mark=',d')
    """
    if cell is None:
        return NOTHING
    if not isinstance(cell, str):
        return _clean_by_type(cell, field, typed=typed)
    if len(cell) > LONGEST_CELL:
        return asked("The cell holds more text than any answer.", "Send the answer alone.")
    text = cell if cell.isascii() else unicodedata.normalize("NFC", cell.translate(_NOTHING))
    bare = text.strip().strip(_INVISIBLE).strip()
    rules: tuple[str, ...] = () if bare == cell else ("spaces",)
    text_match = _KEPT_AS_TEXT.fullmatch(bare) if bare[:1] in ("=", "'") else None
    if text_match:
        # Written so that no spreadsheet takes it for a number.
        bare, rules = (text_match[1] or text_match[2] or "").strip(), (*rules, "kept as text")
    if not bare:
        return NOTHING.after(rules)
    if bare in _DITTO and not (field.codes and field.code_of(bare)):
        return asked("{value} means 'the same as above', and says nothing by itself.", _WRITE_IT).after(rules)
    if _is_missing(bare, field):
        return CleanCell(rules=(*rules, "missing mark"))
    return (_ask_about_spreadsheet_text(bare) or _clean_by_type(bare, field, typed=typed)).after(rules)


def _ask_about_spreadsheet_text(text: str) -> CleanCell | None:
    """Ask about what only spreadsheets write: errors and formulas without a result."""
    if text[0] in "#E" and (_ERROR.fullmatch(text) or is_spreadsheet_error(text)):
        return asked("{value} is an error of a spreadsheet.", "Send the value that belongs here.")
    if text[0] == "=" and len(text) > 1:
        return asked("{value} is a formula without a result.", "Send the value that belongs here.")
    return None


def _is_missing(text: str, field: Field) -> bool:
    if field.type == "code" and field.code_of(text):
        return False
    if field.type in ("text", "identifier"):
        return text in _MISSING_TEXTS
    small = text.casefold()
    return (
        small in _MISSING_MARKS
        or small in collect_spoken_words("unknown")
        or (field.unit == "mark" and small in collect_spoken_words("no_mark"))
    )


def _clean_by_type(cell: str | date | int | float | bool, field: Field, *, typed: bool) -> CleanCell:
    match field.type:
        case "identifier":
            return _clean_identifier(cell, field)
        case "text":
            return _clean_text(cell)
        case "code":
            return _clean_code(cell, field)
        case "yes_no":
            return _clean_yes_no(cell, field)
        case "date":
            return clean_date(cell)
        case "month":
            return clean_month(cell)
        case "year" | "whole_number" | "number":
            return clean_number(cell, field, typed=typed)


def _clean_identifier(cell: str | date | float | bool, field: Field) -> CleanCell:
    if isinstance(cell, str):
        if any(re.fullmatch(pattern, cell) for _, pattern in field.pattern):
            return CleanCell(value=cell)
        if _is_scientific_notation(cell):
            return asked(
                "{value} is an identifier that a spreadsheet turned into a rounded number.",
                "Format the column as text, enter the identifiers again and send the file.",
            )
        if _AS_DECIMAL.fullmatch(cell):
            return asked(
                "{value} is an identifier that a program turned into a decimal number.",
                "Format the column as text, enter the identifiers again and send the file.",
            )
        return ask_about_non_identifier(cell, of_frame=field.name == "school_id") or CleanCell(value=cell)
    if isinstance(cell, bool | date) or not abs(cell) < _SURE_DIGITS or cell != int(cell):
        return asked(
            "{value} is not an identifier; a spreadsheet may have changed it.",
            "Format the column as text, enter the identifiers again and send the file.",
        )
    return CleanCell(value=str(int(cell)))


def _is_scientific_notation(text: str) -> bool:
    head, _, power = text.upper().partition("E+")
    return bool(power) and power.isdecimal() and head.replace(".", "").replace(",", "").isdecimal()


def _clean_text(cell: str | date | float | bool) -> CleanCell:
    if isinstance(cell, str):
        if _LOST_LETTERS.search(cell):
            return asked(
                "{value} has signs in place of letters that were lost.", "Send it again as .xlsx or as 'CSV UTF-8'."
            )
        return CleanCell(value=cell)
    if isinstance(cell, date):
        return asked(
            "{value} is a date where text belongs; a spreadsheet may have made it one.",
            "Format the column as text, enter the value again and send the file.",
        )
    return CleanCell(value=_as_text(cell))


def _as_text(cell: float | bool) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _clean_code(cell: str | date | float | bool, field: Field) -> CleanCell:
    text = cell if isinstance(cell, str) else cell.isoformat() if isinstance(cell, date) else _as_text(cell)
    bare_text = _OTHER_GENDER.sub("", normalise_word(text))
    code = field.code_of(text) or field.code_of(bare_text) or _find_code_in_parts(text, field)
    meanings = () if code else find_word_meanings(text, field) or find_word_meanings(bare_text, field)
    if meanings:
        answers = ", ".join(meanings)
        return asked(f"{{value}} has more than one meaning here: {answers}.", f"Give one of: {answers}.")
    if code is None:
        known = ", ".join(code.name for code in field.codes)
        return asked("{value} is not one of the answers.", f"Give one of: {known}.")
    if code.name == text:
        return CleanCell(value=code.name)
    return CleanCell(
        value=code.name, rules=("case" if normalise_word(code.name) == normalise_word(text) else "synonym",)
    )


def find_word_meanings(word: str, field: Field) -> tuple[str, ...]:
    """Return the answers that a word may mean, one of which only the school can choose; none for any other word."""
    wanted = normalise_word(word)
    return next((answers for known, answers in field.doubtful if normalise_word(known) == wanted), ())


_OTHER_GENDER = re.compile(r"\s*[/(]-?\s*(?:la|a|na|ica|ja|ka)\)?(?=\s|$)")
"""The ending of the other gender, within an answer or behind it: "opustil/-a šolanje", "prešao/la u drugu školu"."""


def _find_code_in_parts(text: str, field: Field) -> Code | None:
    """Return the code that all words of an answer mean: "1 - upisan", "enrolled (upisan)", "upisan/a"."""
    if len(text) > _LONGEST_ANSWER:
        return None
    pieces = re.split(r"[(),;/:=]+|\s-\s|\s–\s", text)
    words = [piece.strip(" .-–") for piece in pieces]
    answer_words = [word for word in words if word and not word.isdecimal() and normalise_word(word) not in _ENDINGS]
    codes = {field.code_of(word) for word in answer_words}
    return codes.pop() if len(codes) == 1 else None


def ask_about_tick() -> CleanCell:
    """Ask about a sign by which people tick, or about the one that stands where they do not."""
    problem = (
        "The column has signs such as '+' and '-', which may mean yes and no, present and absent, or something else."
    )
    return asked(problem, "Give yes or no.")


def _clean_yes_no(cell: str | date | float | bool, field: Field) -> CleanCell:
    if isinstance(cell, bool):
        return CleanCell(value=cell)
    text = cell if isinstance(cell, str) else "" if isinstance(cell, date) else _as_text(cell)
    if text in _PLAIN_YES_NO and field.code_of(text):
        return CleanCell(value=_PLAIN_YES_NO[text])
    code = field.code_of(text) if text else None
    if code is None:
        return ask_about_tick() if text in PLUSES else asked("{value} is neither yes nor no.", "Give yes or no.")
    rule = "case" if normalise_word(text) in _PLAIN_YES_NO else "synonym"
    return CleanCell(value=code.name == "yes", rules=(rule,))
