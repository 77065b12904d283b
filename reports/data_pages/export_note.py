"""README.md of an export: what is in it, and how alike the pupils in it are, in each language of its readers.

It says nothing of how many pupils there are. k is the size of the smallest group of pupils who are alike; pupils who
are unique or suppressed are given rounded to the disclosure threshold, and those left out by their schools alone. No
other number that leaves is about the same pupils, so that nothing follows from these beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from data_schema.anonymity import Anonymity, Quasi
from data_schema.tables import Table
from reports.data_pages.common import Names, get_data_words
from reports.disclosure import round_pupil_count
from reports.tables.layout import ROUNDED
from reports.words import Words

_DECLARED = 'privacy = "quasi_identifier"'


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportNote:
    """What the README.md of an export is made of.

    Parameters
    ----------
    title
        The trial's title.
    country
        Code of the country whose data they are.
    found
        How alike the pupils are.
    threshold
        Smallest number of pupils that may be printed.
    wanted
        The k that was asked for; None where nothing was to be coarsened.
    tables, countries
        The trial's tables, by name, and the names of its countries, by code.
    """

    title: str
    country: str
    found: Anonymity
    threshold: int
    wanted: int | None = None
    tables: Mapping[str, Table] = field(default_factory=dict)
    countries: Mapping[str, str] = field(default_factory=dict)


def export_note(note: ExportNote, languages: Iterable[str]) -> str:
    """Return the text, once in each language, in Markdown.

    Parameters
    ----------
    note
        What is known.
    languages
        Codes of the languages, in order.
    """
    return "\n".join(line for language in dict.fromkeys(languages) for line in _iterate_note_lines(note, language))


def _iterate_note_lines(note: ExportNote, language: str) -> Iterator[str]:
    words = get_data_words(language)
    names = Names(words=words, tables=note.tables, waves={}, countries=note.countries)
    yield f"# {words.text('{title}: data ({country})', title=note.title, country=names.country(note.country))}"
    yield ""
    book = "`codebook.csv`"
    yield words.text(
        "Rows of pupils under pseudonyms. {file} and the pages beside it say what each field is.", file=book
    )
    yield ""
    yield f"## {words.text('k-anonymity')}"
    yield ""
    if note.found.n_groups:
        yield from _describe_k_anonymity(note, names)
        yield from _describe_coarsening(note, names)
    else:
        yield words.text("There are no rows of pupils.")
    yield ""


def _describe_k_anonymity(note: ExportNote, names: Names) -> Iterator[str]:
    words, anonymity = names.words, note.found
    unique = _format_pupil_count(anonymity.n_unique, words, note.threshold)
    yield words.text(
        "**k = {k}**: the smallest group of a school’s pupils with the same quasi-identifiers has {k}. Pupils who are "
        "unique: {unique}.",
        k=words.numbers.count(anonymity.k),
        unique=unique,
    )
    yield ""
    fields = ", ".join(_format_field_name(quasi_identifier, names) for quasi_identifier in anonymity.fields)
    yield words.text(
        "Quasi-identifiers are what people who know a pupil may know. The protocol’s tables declare them with {key}: "
        "{fields}.",
        key=f"`{_DECLARED}`",
        fields=fields or words.text("none, so that only the school counts"),
    )
    yield ""


def _describe_coarsening(note: ExportNote, names: Names) -> Iterator[str]:
    words, anonymity = names.words, note.found
    if note.wanted is None:
        command = f"`crocoos export {note.country} --k 5`"
        yield words.text(
            "Nothing was coarsened. {command} coarsens until each group has five pupils or more.", command=command
        )
        return
    wanted = words.numbers.count(note.wanted)
    yield words.text("Coarsened so that each group has {k} pupils or more:", k=wanted)
    yield ""
    changed = [
        quasi_identifier
        for quasi_identifier in anonymity.fields
        if quasi_identifier.band > 1 or quasi_identifier.is_left_out
    ]
    yield from (
        f"- {_format_field_name(quasi_identifier, names)}: {_describe_field_change(quasi_identifier, words)}"
        for quasi_identifier in changed
    )
    if not changed:
        yield f"- {words.text('no field for all pupils')}"
    suppressed = words.text(
        "pupils whose quasi-identifiers are all suppressed, because their group was too small: {n}",
        n=_format_pupil_count(anonymity.n_suppressed, words, note.threshold),
    )
    left_out = words.text(
        "schools left out of all files, because they have fewer than {k} pupils: {n}",
        k=wanted,
        n=words.numbers.count(anonymity.n_schools_left_out),
    )
    yield f"- {suppressed}"
    yield f"- {left_out}"


def _format_field_name(one: Quasi, names: Names) -> str:
    return f"{names.field(one.table, one.field)} (`{one.table}.{one.field}`)"


def _describe_field_change(one: Quasi, words: Words) -> str:
    if one.is_left_out:
        return words.text("not given, because groups would be too small")
    return words.text(
        "in bands of {width}, each given by its least value, because groups would be too small",
        width=words.numbers.count(one.band),
    )


def _format_pupil_count(n: int, words: Words, threshold: int) -> str:
    """Return a number of pupils as it may be printed: rounded, or that there are fewer than the threshold."""
    count = round_pupil_count(n, threshold=threshold)
    if count.value is None:
        return words.text("fewer than {n}", n=words.numbers.count(threshold))
    number = words.numbers.count(count.value)
    return words.text(ROUNDED, number=number) if count.is_rounded else number
