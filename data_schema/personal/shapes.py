"""Kinds and shapes of personal data: what a text is by how it is written, and what a school then reads."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from data_schema.patterns import is_national
from data_schema.words import find_month_number


class Kind(StrEnum):
    """What was found in a text; the value itself is never told."""

    LISTED_NAME = "name of a pupil"
    POSSIBLE_NAME = "possible name"
    PUPIL = "identifier of a pupil"
    E_MAIL = "e-mail address"
    TELEPHONE = "telephone number"
    NATIONAL = "national identifier"
    LONG_NUMBER = "long number"
    BIRTH = "date of birth"


_PROBLEMS = {
    Kind.LISTED_NAME: "The name of a pupil stands here; it is not taken in.",
    Kind.POSSIBLE_NAME: "What may be the name of a person stands here; it is not taken in.",
    Kind.PUPIL: "The identifier of a pupil stands here; it is not taken in.",
    Kind.E_MAIL: "An e-mail address stands here; it is not taken in.",
    Kind.TELEPHONE: "What may be a telephone number stands here; it is not taken in.",
    Kind.NATIONAL: "What may be the national identifier of a person stands here; it is not taken in.",
    Kind.LONG_NUMBER: "A long number, as identifiers and telephone numbers are, stands here; it is not taken in.",
    Kind.BIRTH: "What may be a full date of birth stands here; it is not taken in.",
}
_CERTAIN = (Kind.LISTED_NAME, Kind.E_MAIL)
_REMOVE = "Remove it."
_REMOVE_OR_CONFIRM = "Remove it; or answer 'yes' if it says nothing about a person."


def describe_personal_kind(kind: Kind) -> tuple[str, str]:
    """Return what is said of a cell that holds personal data, and what to do about it.

    Examples
    --------
    >>> describe_personal_kind(Kind.E_MAIL)
    ('An e-mail address stands here; it is not taken in.', 'Remove it.')
    """
    if kind is Kind.LISTED_NAME:
        return _PROBLEMS[kind], "Remove the name."
    return _PROBLEMS[kind], _REMOVE if is_certain(kind) else _REMOVE_OR_CONFIRM


def is_certain(kind: Kind) -> bool:
    """Whether no answer of a school can let it through."""
    return kind in _CERTAIN


_DIGIT = re.compile(r"\d")
_FEWEST_DIGITS = 4
"""A text with fewer digits than a date has no shape, except an address; nearly all are done with here."""

_E_MAIL = re.compile(r"[\w.+%'-]+@[\w.-]*[^\W\d_][\w.-]*")
_DIVIDER = r"\s?[-./ _]\s?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_ANY_YEAR = re.compile("(?:19|20)[0-9][0-9]")
_DATES = (
    re.compile(rf"(?<!\d){_YEAR}{_DIVIDER}(?P<one>\d{{1,2}}){_DIVIDER}(?P<two>\d{{1,2}})(?!\d)"),
    re.compile(rf"(?<!\d)(?P<one>\d{{1,2}}){_DIVIDER}(?P<two>\d{{1,2}}){_DIVIDER}{_YEAR}(?!\d)"),
    re.compile(rf"(?<!\d){_YEAR}(?P<one>\d\d)(?P<two>\d\d)(?!\d)"),
    re.compile(rf"(?<!\d)(?P<one>\d\d)(?P<two>\d\d){_YEAR}(?!\d)"),
    re.compile(
        rf"(?<!\d)(?P<one>\d{{1,2}})(?:st|nd|rd|th)?[\s._-]{{0,2}}(?P<word>[^\W\d_]+)[\s.,_-]{{0,2}}{_YEAR}(?!\d)"
    ),
    re.compile(rf"(?<!\d){_YEAR}[\s.,_-]{{0,2}}(?P<word>[^\W\d_]+)[\s._-]{{0,2}}(?P<one>\d{{1,2}})(?!\d)"),
    re.compile(rf"(?P<word>[^\W\d_]+)[\s._-]{{0,2}}(?P<one>\d{{1,2}})(?:st|nd|rd|th)?[\s.,_-]{{1,2}}{_YEAR}(?!\d)"),
)
_SHORT_DATE = re.compile(r"(?P<one>\d{1,2})[-./]\s?(?P<two>\d{1,2})[-./]\s?(?P<year>\d\d)\.?")
_SHORT_BACKWARDS = re.compile(r"(?P<year>\d\d)[-./]\s?(?P<one>\d{1,2})[-./]\s?(?P<two>\d{1,2})\.?")
_TELEPHONE = re.compile(r"(?<![\w.,+-])[+(]{0,2}\d(?:[ ()/.\u2013\u00a0-]{0,3}\d){6,15}(?!\w)")
_GROUPS = re.compile(r"\D*\d{1,3}[ /\u00a0-]\d{3}[ \u00a0-]\d{4}")
_NATIONAL = re.compile(r"(?<![^\W_])[A-Za-z]{0,6}\d(?:[ .+/-]?[\dA-Za-z]){6,18}(?![^\W_])")
_LONG_NUMBER = re.compile(r"(?<!\d)(?<!\d[.,])\d{9,}(?!\d)(?![.,]\d)")
_STAMP = re.compile(r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{4}|\d{6}|\d{9})?")
_OLDEST, _OLDEST_AT_SCHOOL = 1900, 45
_YEARS_OF_TRIAL = 10
_LONGEST = 4_000


_YOUNGEST = timedelta(days=3 * 365)
"""Nobody at a school is younger; a day this long before a trial is no event of the trial."""

_YOUNGEST_BORN = date(2023, 12, 31)
"""Nobody born later is at a school as this is written; it holds where nothing else tells."""


def compute_latest_birth(wave_dates: Mapping[str, tuple[date, date]], years: Iterable[int] = ()) -> date:
    """Return the last day that may be one of birth: some years before the trial, or in the last year that is given.

    Parameters
    ----------
    wave_dates
        Wave to its first and last day, where known.
    years
        Years that were sent in fields of years.

    Examples
    --------
    >>> waves = {"baseline": (date(2027, 9, 1), date(2027, 12, 31))}
    >>> compute_latest_birth(waves), compute_latest_birth({}, [2010, 2013])
    (datetime.date(2024, 9, 1), datetime.date(2013, 12, 31))
    """
    if wave_dates:
        return min(first for first, _ in wave_dates.values()) - _YOUNGEST
    return max((date(year, 12, 31) for year in years), default=_YOUNGEST_BORN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """Finds e-mail addresses, telephone numbers, identifiers of persons and dates of birth in texts.

    Parameters
    ----------
    countries
        Countries whose national identifiers are looked for.
    born_until
        The last day that may be somebody's day of birth: later ones are dates of what happens in a trial.
    harmless
        What is no such thing though it looks like one, such as identifiers of schools.

    Examples
    --------
    >>> shapes = Shapes(countries=["RS"], born_until=date(2020, 1, 1))
    >>> [shapes.kind_of(text) for text in ("a@b.rs", "+381 64 123 4567", "5. maj 2011.", "5. maj 2027.", "9.a")]
    [<Kind.E_MAIL: 'e-mail address'>, <Kind.TELEPHONE: 'telephone number'>, <Kind.BIRTH: 'date of birth'>, None, None]
    """

    countries: Collection[str] = ()
    born_until: date = _YOUNGEST_BORN
    harmless: Collection[str] = field(default_factory=frozenset)

    def kind_of(self, text: str) -> Kind | None:
        """Return the kind of what a text holds first; None where it holds nothing of the sort."""
        return next((kind for kind, _, _ in self.found(text)), None)

    def found(self, text: str) -> Iterator[tuple[Kind, int, int]]:
        """Yield what a text holds: its kind, and where it begins and ends; the parts may overlap."""
        if len(text) > _LONGEST or text in self.harmless or not _is_worth_searching(text):
            return
        if "@" in text:
            yield from ((Kind.E_MAIL, *match.span()) for match in _E_MAIL.finditer(text))
        yield from ((Kind.BIRTH, *span) for span in self._find_birth_dates(text))
        for pattern, kind, fits in (
            (_NATIONAL, Kind.NATIONAL, self._is_national),
            (_TELEPHONE, Kind.TELEPHONE, self._is_telephone),
            (_LONG_NUMBER, Kind.LONG_NUMBER, self._is_long),
        ):
            for shape_match in pattern.finditer(text):
                if shape_match[0] not in self.harmless and fits(shape_match[0]):
                    yield kind, *shape_match.span()

    def is_birth(self, text: str) -> bool:
        """Whether a text holds what may be a full date of birth."""
        return any(True for _ in self._find_birth_dates(text))

    def _find_birth_dates(self, text: str) -> Iterator[tuple[int, int]]:
        for pattern in _DATES if _ANY_YEAR.search(text) else ():
            for match in pattern.finditer(text):
                if self._is_possible_birth(match, int(match["year"])):
                    yield match.span()
        if self._is_short_birth(text.strip()):
            yield 0, len(text)

    def _is_short_birth(self, text: str) -> bool:
        """Whether a date with a year of two digits may be one of birth: not where its last part is a year of now."""
        last = _SHORT_DATE.fullmatch(text)
        if last and 0 <= 2000 + int(last["year"]) - self.born_until.year <= _YEARS_OF_TRIAL:
            return False
        date_matches = (last, _SHORT_BACKWARDS.fullmatch(text))
        return any(
            date_match is not None
            and self._is_possible_birth(date_match, self._convert_short_year(int(date_match["year"])))
            for date_match in date_matches
        )

    def _convert_short_year(self, year: int) -> int:
        """Return a year of two digits in full; 0 where nobody at a school is born then."""
        if 2000 + year <= self.born_until.year:
            return 2000 + year
        return 1900 + year if year >= _OLDEST_AT_SCHOOL else 0

    def _is_possible_birth(self, found: re.Match[str], year: int) -> bool:
        parts = found.groupdict()
        first_number, word = int(parts["one"]), parts.get("word")
        if word is not None:
            pairs = [(find_month_number(word) or 0, first_number)]
        else:
            two = int(parts["two"])
            pairs = [(first_number, two), (two, first_number)]
        return any(_is_day(year, month, day, until=self.born_until) for month, day in pairs)

    def _is_national(self, text: str) -> bool:
        return not _STAMP.fullmatch(text) and is_national(text.strip(), self.countries)

    def _is_telephone(self, text: str) -> bool:
        digits = "".join(sign for sign in text if sign.isdigit())
        if text.lstrip("(").startswith("+") or digits.startswith("00"):
            return 8 <= len(digits) <= 15
        if text == digits:
            return False
        if any(pattern.search(text) for pattern in _DATES):
            return False
        return (digits.startswith("0") and 8 <= len(digits) <= 12) or _GROUPS.fullmatch(text) is not None

    def _is_long(self, text: str) -> bool:
        return _STAMP.fullmatch(text) is None or int(text[:4]) <= self.born_until.year


def _is_worth_searching(text: str) -> bool:
    return "@" in text or len(_DIGIT.findall(text)) >= _FEWEST_DIGITS


def _is_day(year: int, month: int, day: int, *, until: date) -> bool:
    if not _OLDEST <= year <= until.year:
        return False
    try:
        return date(year, month, day) <= until
    except ValueError:
        return False
