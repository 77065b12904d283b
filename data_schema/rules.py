"""Which file below the inbox is which table."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from types import MappingProxyType

from data_schema.errors import ProtocolError
from data_schema.fields import normalise_header
from data_schema.tables import Table

SCHOOL_SOURCES = ("file", "folder", "title", "sheet")
"""Where the school of a file's rows may be stated: the file's name, a folder's, lines above the header, the sheet's."""

CLASS_SOURCES = (*SCHOOL_SOURCES, "headings")
"""Where the class of rows may be stated; in headings, a row with nothing but a class is of the rows below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wide:
    """Says that the values of a field stand as columns: a column per month, say.

    Parameters
    ----------
    across
        The field whose values columns represent, or "wave".
    columns
        Header to value, for headers that nobody else would know.
    school_year
        Year in which the school year begins that months without a year are of; 0 where it is to be stated otherwise.
    field
        The field that their cells are of; empty where the header says it, above or below or beside each value.
    """

    across: str
    school_year: int = 0
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    field: str = ""


@dataclass(frozen=True, slots=True)
class InboxRule:
    """Says what files of a pattern hold.

    Parameters
    ----------
    pattern
        Path below the inbox, parts divided by "/": ``*`` and ``?`` match characters of one part, ``**`` for any
        number of parts. Upper and lower case are the same.
    table
        Name of the table that lies there.
    wave
        Wave that it is about; empty for tables that are not collected by wave.
    sheet
        Name of the sheet, in which ``*`` and ``?`` match characters, so that ``*`` means all sheets; when empty,
        those with a header of the table. CSV files have no sheets.
    units
        Unit that a header may state, such as "days", to what one of it is in the unit of the field.
    school_from
        Where the school is stated, if not in a column: one of `SCHOOL_SOURCES`; empty otherwise.
    class_from
        Where the class is stated, if not in a column: one of `CLASS_SOURCES`; empty otherwise.
    headers
        Header of one's own to the field that it means; it counts before all words that are known.
    dictionary
        Path below the inbox of the data dictionary of the REDCap project that the files are of; empty for others.
    wide
        What columns represent, where a row of a sheet is many records; None otherwise.

    Examples
    --------
    >>> rule = InboxRule("baseline/*/pupil_*.csv", "pupil", wave="baseline")
    >>> rule.matches("baseline/HU/Pupil_031201.CSV"), rule.matches("baseline/pupil_031201.csv")
    (True, False)
    """

    pattern: str
    table: str
    _: KW_ONLY
    wave: str = ""
    sheet: str = ""
    units: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    school_from: str = ""
    class_from: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    dictionary: str = ""
    wide: Wide | None = None

    @property
    def own_headers(self) -> dict[str, str]:
        """Headers that the rule names, in the form in which headers are compared, to their fields."""
        return {normalise_header(header): name for header, name in self.headers.items()}

    @property
    def told_elsewhere(self) -> frozenset[str]:
        """Fields that need no column."""
        stated_sources = {"school_id": self.school_from, "class": self.class_from}
        return frozenset(name for name, source in stated_sources.items() if source)

    @property
    def means_all_sheets(self) -> bool:
        """Whether the rule names sheets by a pattern."""
        return any(sign in self.sheet for sign in "*?")

    def means_sheet(self, sheet: str) -> bool:
        """Whether a sheet has the pattern that the rule names."""
        return (
            re.fullmatch(_convert_to_expression(_normalise_text(self.sheet.strip())), _normalise_text(sheet.strip()))
            is not None
        )

    def matches(self, path: str) -> bool:
        """Whether a path below the inbox is one of the rule's files."""
        return re.fullmatch(_convert_to_expression(_normalise_text(self.pattern)), _normalise_text(path)) is not None

    def is_dictionary(self, path: str) -> bool:
        """Whether a path below the inbox is the one of the rule's data dictionary."""
        return bool(self.dictionary) and _normalise_text(path) == _normalise_text(self.dictionary)

    def matches_otherwise(self, path: str) -> bool:
        """Whether a path would be one of the rule's files if it were of the kind that the rule names."""
        head, _, kind = self.pattern.rpartition(".")
        stem, _, sent = path.rpartition(".")
        # A pattern of any name says nothing but the kind.
        if not head.strip("*/?") or kind.casefold() not in _KINDS or sent.casefold() not in _KINDS:
            return False
        return self.matches(f"{stem}.{kind}")


_TABLES = "csv tsv txt tab xlsx xlsm xls xlsb ods dta sav zsav pdf numbers html htm xml"
_KINDS = frozenset(_TABLES.split())
"""Ends of the names of files that hold, or should hold, tables."""


def find_rules_for_file(path: str, rules: Sequence[InboxRule]) -> tuple[tuple[InboxRule, ...], bool]:
    """Return the rules that speak of a file.

    Parameters
    ----------
    path
        Its path below the inbox.
    rules
        The rules.

    Returns
    -------
    tuple
        The rules whose pattern it has; where there are none, those whose pattern it would have if it were of another
        kind, such as .ods for .xlsx; and whether they are such.
    """
    exact = tuple(rule for rule in rules if rule.matches(path))
    return (exact, False) if exact else (tuple(rule for rule in rules if rule.matches_otherwise(path)), True)


def select_distinct_rules(rules: Iterable[InboxRule]) -> list[InboxRule]:
    """Return rules of which no two say the same of a sheet, whatever the patterns by which they come to it."""
    distinct: list[InboxRule] = []
    for rule in rules:
        if not any(_extract_reading_rule(rule) == _extract_reading_rule(other) for other in distinct):
            distinct.append(rule)
    return distinct


def can_share_sheet(rules: Sequence[InboxRule]) -> bool:
    """Whether rules can all read one sheet: a single rule, or rules of several tables in a row of REDCap's."""
    return len(rules) == 1 or (
        all(rule.dictionary for rule in rules) and len({rule.table for rule in rules}) == len(rules)
    )


COLLISION = "another rule has the same pattern and means the same sheets."


def has_certain_collision(one: InboxRule, other: InboxRule) -> bool:
    """Whether each sheet that one of two rules speaks of is the other's, too, and they read it in different ways."""
    is_same = (_normalise_text(one.pattern), _normalise_text(one.sheet.strip())) == (
        _normalise_text(other.pattern),
        _normalise_text(other.sheet.strip()),
    )
    # Without a sheet's name, the header tells for which of two tables a sheet is, and REDCap's events for which wave.
    is_of_both = one.wave == other.wave or "" in (one.wave, other.wave)
    is_told = not one.sheet.strip() and (one.table != other.table or not is_of_both)
    differ = _extract_reading_rule(one) != _extract_reading_rule(other)
    return is_same and differ and not is_told and not can_share_sheet((one, other))


def find_differing_keys(rules: Sequence[InboxRule]) -> list[str]:
    """Return the keys in which rules say different things of a sheet."""
    readings = [_extract_reading_rule(rule) for rule in rules]
    names = [rule_field.name for rule_field in fields(InboxRule)]
    return [name for name in names if any(getattr(reading, name) != getattr(readings[0], name) for reading in readings)]


def _extract_reading_rule(rule: InboxRule) -> InboxRule:
    return replace(rule, pattern="", sheet="")


def generate_common_pattern(files: Sequence[str]) -> str:
    """Return a pattern of paths with as many parts: what they have in common, and * for the rest.

    Examples
    --------
    >>> generate_common_pattern(["before/SI-01.xlsx", "before/SI-02.xlsx"])
    'before/SI-*.xlsx'
    """
    parts = []
    for names in zip(*(file.split("/") for file in files), strict=True):
        first = posixpath.commonprefix(names)
        if len(set(names)) == 1:
            parts.append(first)
            continue
        last = posixpath.commonprefix([name[len(first) :][::-1] for name in names])[::-1]
        # A piece of an identifier says nothing.
        parts.append(f"{first.rstrip('0123456789')}*{last.lstrip('0123456789')}")
    return "/".join(parts)


def _normalise_text(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _convert_to_expression(pattern: str) -> str:
    expression = ""
    for part in re.split(r"(\*\*/|\*\*|\*|\?)", pattern):
        expression += {"**/": r"(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
    return expression


def check_rules(rules: Sequence[InboxRule], *, tables: Mapping[str, Table], waves: Collection[str]) -> None:
    """Check that rules name tables and waves that there are, and that no two speak of the same sheets.

    Raises
    ------
    ProtocolError
        When one does not, or two do.
    """
    for index, rule in enumerate(rules):
        place = f"inbox rule {rule.pattern!r}"
        table = tables.get(rule.table)
        if table is None:
            raise ProtocolError(place, f"table {rule.table!r} is not known.", f"Name one of {', '.join(tables)}.")
        is_of_waves = rule.wide is not None and rule.wide.across == "wave"
        if table.by_wave and rule.wave not in waves and not (is_of_waves and not rule.wave):
            problem = f"wave {rule.wave!r} is not known, and {rule.table!r} is collected by wave."
            raise ProtocolError(place, problem, f"Name one of {', '.join(waves)}.")
        if rule.wave and not table.by_wave:
            raise ProtocolError(place, f"{rule.table!r} is not collected by wave.", "Leave the wave out.")
        if "country" in table.names:
            problem = f"{rule.table!r} has a field 'country', which intake adds itself."
            raise ProtocolError(place, problem, "Leave the field out: the school tells the country.")
        if any(has_certain_collision(rule, other) for other in rules[:index]):
            raise ProtocolError(place, COLLISION, "Keep one of them, or make their patterns or sheets differ.")


def describe_contradiction(rules: Sequence[InboxRule]) -> str:
    """Return what is wrong with rules that read one sheet in different ways."""
    meanings = dict.fromkeys((rule.table, rule.wave) for rule in rules)
    if len(meanings) > 1:
        tables = " and ".join(f"{table!r} ({wave or 'no wave'})" for table, wave in meanings)
        return f"Rules say that it is {tables}; it is not read."
    patterns = " and ".join(repr(pattern) for pattern in dict.fromkeys(rule.pattern for rule in rules))
    keys = ", ".join(map(repr, find_differing_keys(rules)))
    return f"More than one rule speaks of it ({patterns}), and they differ in {keys}; it is not read."
