"""One column of a trial's data: its type, its headers, its answers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from typing import Literal, get_args

from data_schema.errors import ProtocolError
from data_schema.language import SMALL_TO_LATIN, to_latin

FieldType = Literal["identifier", "text", "code", "yes_no", "date", "month", "year", "whole_number", "number"]
Privacy = Literal["open", "quasi_identifier", "identifier", "direct"]
FilledInBy = Literal["school", "pupil", "partner", "evaluator"]
Scope = Literal["school", "country", "trial"]
CheckDigits = Literal[
    "national", "luhn", "verhoeff", "damm", "mod_11_2", "mod_11_10", "mod_37_2", "mod_37_36", "mod_97_10"
]
"""How an identifier tells that it was mistyped: as those of persons of its country do, by a published algorithm, or by
one of ISO/IEC 7064."""

FIELD_TYPES: tuple[FieldType, ...] = get_args(FieldType)
NUMERIC_TYPES: tuple[FieldType, ...] = ("year", "whole_number", "number")

Labels = tuple[tuple[str, str], ...]
"""Code of a language and a label in it, of those that a protocol states itself."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_SPACES = re.compile(r"[\s_]+")
_NO_LETTERS = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff⁰¹²³⁴⁵⁶⁷⁸⁹ªº"))
"""Hyphens that show only at the end of a line, signs that show nothing, and marks of footnotes."""

_NOT_A_LETTER = re.compile(r"[\W_]+")


def normalise_word(text: str) -> str:
    """Bring a word to the form in which words are compared: no case, no accents, single spaces.

    Accents go because keyboards leave them out ("decak" for "dečak"); Serbian Cyrillic becomes Latin, so that a word is
    the same in both.

    Examples
    --------
    >>> normalise_word(" LEFT_early "), normalise_word("Đak"), normalise_word("Ђак")
    ('left early', 'dak', 'dak')
    """
    if text.isascii():
        return _SPACES.sub(" ", text.casefold()).strip()
    bare = unicodedata.normalize("NFKD", text.casefold().translate(SMALL_TO_LATIN)).replace("đ", "d")
    return _SPACES.sub(" ", "".join(c for c in bare if not unicodedata.combining(c))).strip()


def normalise_header(text: str) -> str:
    """Bring a header to the form in which headers are compared: as `folded`, and without punctuation and footnotes.

    Examples
    --------
    >>> normalise_header("School-ID:"), normalise_header("Aver\u00adage mark\u00b9")
    ('school id', 'average mark')
    """
    if not text.isascii():
        text = text.translate(_NO_LETTERS)
    return _NOT_A_LETTER.sub(" ", normalise_word(text)).strip()


def select_label(labels: Labels, language: str) -> str:
    """Return the label in a language, "" when there is none; Serbian Latin is made from Cyrillic.

    Examples
    --------
    >>> select_label((("sr", "Хоби"),), "sr-Latn"), select_label((("sr", "Хоби"),), "hu")
    ('Hobi', '')
    """
    known = dict(labels)
    if language == "sr-Latn" and language not in known:
        return to_latin(known.get("sr", ""))
    return known.get(language, "")


def _collect_spellings(labels: Labels) -> tuple[str, ...]:
    return (*(text for _, text in labels), select_label(labels, "sr-Latn"))


@dataclass(frozen=True, slots=True)
class Code:
    """One answer of a field with a list of answers.

    Parameters
    ----------
    name
        What is stored.
    label
        What people read, in English.
    synonyms
        Further words that schools write for it, in any case and with or without accents. The name and the labels are
        always understood.
    labels
        What people read in other languages, where the toolkit does not know it.
    """

    name: str
    label: str = ""
    synonyms: tuple[str, ...] = ()
    labels: Labels = ()

    @property
    def words(self) -> tuple[str, ...]:
        """Every word that means this code, folded, each once."""
        return _fold_words(self)


@lru_cache(maxsize=4096)
def _fold_words(code: Code) -> tuple[str, ...]:
    """Fold the words of a code once: every answer of every pupil is compared with them."""
    spellings = (code.name, code.label, *code.synonyms, *_collect_spellings(code.labels))
    return tuple(dict.fromkeys(normalise_word(word) for word in spellings if word.strip()))


YES_NO = (
    Code("yes", "Yes", ("y", "true", "1", "igen", "i", "igaz", "da", "d", "да", "д", "tačno", "тачно")),
    Code("no", "No", ("n", "false", "0", "nem", "hamis", "ne", "не", "н", "netačno", "нетачно")),
)
"""Words for yes and no in English, Hungarian, Serbian (both scripts) and Slovenian."""


@dataclass(frozen=True, slots=True)
class Field:
    """One typed column of a table.

    Parameters
    ----------
    name
        Name of the column in the data: a letter, then letters, digits and underscores.
    type
        "identifier" (text that never loses a leading zero), "text", "code" (one of `codes`), "yes_no", "date", "month"
        ("2027-10"), "year", "whole_number" or "number".
    label
        What people read, in English.
    headers
        Further spellings of the column's header that intake accepts, whatever their case, accents and punctuation.
        The name and the labels are always accepted.
    labels
        What people read in other languages, where the toolkit does not know it.
    codes
        Answers, for the types "code" and "yes_no"; the latter has words for yes and no in five languages when none
        are given.
    minimum, maximum
        Least and greatest value, for numbers and years; None where there is no limit.
    required
        Whether a missing value is worth a question to the school.
    unit
        Unit of a number, for labels ("hours per month").
    privacy
        "open"; "quasi_identifier": open, and with others of its kind it may single a pupil out for those who know the
        school, which is counted when rows leave; "identifier": becomes a pseudonym; "direct": names and the like, which
        go to the key table only.
    filled_in_by
        Who fills it in.
    waves
        Waves in which it is asked; every wave of its table when empty.
    asked_if
        A field of the same record and the answers of it with which this one is asked; None when it always is. Nobody
        misses a value that was not to be asked.
    pattern
        For identifiers, country to the regular expression that a whole identifier fits; the country "" represents all
        that have none of their own. Rows with another identifier are asked about.
    check_digits
        For identifiers, country to how their check digits are made, as `pattern`.
    doubtful
        Words that may mean more than one answer, with these answers: they are asked about.
    scope
        For identifiers of pupils, where one is one pupil's: in a "school", a "country" or the "trial".
    special
        Whether it is of a special category (health, ethnicity, religion), which a trial collects only where its
        protocol states the legal basis.

    Raises
    ------
    ProtocolError
        When the field contradicts itself.

    Examples
    --------
    >>> Field("size", "whole_number", label="Pupils", minimum=1).maximum is None
    True
    """

    name: str
    type: FieldType
    _: KW_ONLY
    label: str = ""
    headers: tuple[str, ...] = ()
    labels: Labels = ()
    codes: tuple[Code, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    required: bool = False
    unit: str = ""
    privacy: Privacy = "open"
    filled_in_by: FilledInBy = "school"
    special: bool = False
    waves: tuple[str, ...] = ()
    asked_if: tuple[str, tuple[str, ...]] | None = None
    doubtful: tuple[tuple[str, tuple[str, ...]], ...] = ()
    pattern: tuple[tuple[str, str], ...] = ()
    check_digits: tuple[tuple[str, CheckDigits], ...] = ()
    scope: Scope = "school"

    def __post_init__(self) -> None:
        if self.type == "yes_no" and not self.codes:
            object.__setattr__(self, "codes", YES_NO)
        for problem, remedy in self._find_contradictions():
            raise ProtocolError(f"field {self.name!r}", problem, remedy)

    @property
    def is_private(self) -> bool:
        """Whether values must not be shown in findings, repairs and stores."""
        return self.privacy in ("identifier", "direct")

    @property
    def header_keys(self) -> tuple[str, ...]:
        """Every header that means this field, as `normalise_header` makes it, each once."""
        return _list_header_keys(self)

    def is_asked_in(self, wave: str) -> bool:
        """Whether it is asked in a wave."""
        return not self.waves or wave in self.waves

    def code_of(self, word: str) -> Code | None:
        """Return the code that a word means, or None."""
        wanted = normalise_word(word)
        return next((code for code in self.codes if wanted in code.words), None)

    def _find_contradictions(self) -> Iterator[tuple[str, str]]:
        if not _NAME.fullmatch(self.name):
            yield "it is no name for a column.", "Use a letter, then letters, digits and underscores."
        for name, value, known in (
            ("type", self.type, FIELD_TYPES),
            ("privacy", self.privacy, get_args(Privacy)),
            ("filled_in_by", self.filled_in_by, get_args(FilledInBy)),
            ("scope", self.scope, get_args(Scope)),
        ):
            if value not in known:
                yield f"{name} {value!r} is not known.", f"Use one of {', '.join(known)}."
        yield from self._find_code_problems()
        yield from self._find_range_problems()
        yield from self._find_pattern_problems()

    def _find_pattern_problems(self) -> Iterator[tuple[str, str]]:
        if self.type != "identifier" and (self.pattern or self.check_digits or self.scope != "school"):
            yield (
                f"it is of type {self.type!r} and has a pattern, check digits or a scope.",
                "Leave them to identifiers.",
            )
        known = get_args(CheckDigits)
        for _, name in self.check_digits:
            if name not in known:
                yield f"check digits of the kind {name!r} are not known.", f"Use one of {', '.join(known)}."
        for _, pattern in self.pattern:
            try:
                re.compile(pattern)
            except re.error as error:
                yield f"its pattern {pattern!r} is no regular expression: {error}.", "Write one, such as '7[0-9]{10}'."

    def _find_code_problems(self) -> Iterator[tuple[str, str]]:
        if (self.type in ("code", "yes_no")) != bool(self.codes):
            yield (
                f"it is of type {self.type!r} and has {len(self.codes)} codes.",
                "List codes for the types 'code' and 'yes_no', and for no other.",
            )
        if self.type == "yes_no" and {code.name for code in self.codes} != {"yes", "no"}:
            yield "its codes are not 'yes' and 'no'.", "Use the type 'code' for other answers."
        owner: dict[str, str] = {}
        for code in self.codes:
            for word in code.words:
                if owner.setdefault(word, code.name) != code.name:
                    yield (
                        f"{word!r} means both {owner[word]!r} and {code.name!r}.",
                        "Leave the word out of one of them, or of both so that schools are asked.",
                    )
        if len({code.name for code in self.codes}) < len(self.codes):
            yield "two of its codes have one name.", "Give each code a name of its own."

    def _find_range_problems(self) -> Iterator[tuple[str, str]]:
        limits = [limit for limit in (self.minimum, self.maximum) if limit is not None]
        if limits and self.type not in NUMERIC_TYPES:
            yield f"it is of type {self.type!r} and has a least or greatest value.", "Limit numbers and years only."
        if limits != sorted(limits):
            yield f"its minimum {self.minimum} is above its maximum {self.maximum}.", "Exchange the two."


@lru_cache(maxsize=4096)
def _list_header_keys(field: Field) -> tuple[str, ...]:
    """Bring the headers of a field to the form in which they are compared, once for all files."""
    spellings = (field.name, field.label, *field.headers, *_collect_spellings(field.labels))
    return tuple(dict.fromkeys(normalise_header(text) for text in spellings if text.strip()))
