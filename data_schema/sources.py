"""The school and the class of a file's rows where no column tells them: names of files, titles, sheets, headings."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType

from data_schema.clean import format_value
from data_schema.fields import normalise_header
from data_schema.layout import Layout, is_empty
from data_schema.margins import HEADING, REMARK
from data_schema.named_schools import LONGEST, SchoolFinder, find_strangers
from data_schema.readers.sheets import Cell, Row, Sheet
from data_schema.rules import InboxRule
from data_schema.tables import Table

_WORDS = (
    "class form group osztaly osztalya razred razreda odeljenje odelenje odjeljenje odeljenja oddelek oddelka odd od "
    "raz oszt"
)
_LABELS = frozenset(_WORDS.split())
"""Words for a class, as `normalise_header` makes them."""

_OTHERS = "fo ev evf st nd rd th kl g god let leto r h db oct okt nov dec sep feb"
_NO_SECTIONS = frozenset(_OTHERS.split())
"""What follows a number and makes no class of it."""

_ROMAN = "XIII|XII|XI|X|IX|VIII|VII|VI|V|IV|III|II|I"
_IN_TEXT = re.compile(
    rf"(?<![^\W_])(?:(?:1[0-3]|[1-9])(?:\s?[./-]\s?|_)?[^\W\d_](?![^\W_])"
    rf"|(?:1[0-3]|[1-9])[./-][^\W\d_]{{2,3}}(?![^\W_])"
    rf"|(?:{_ROMAN})\s?[./-]\s?(?:[^\W\d_]|\d{{1,2}})(?![^\W_]))"
)
"""A class within other words: "9.a", "9/B", "10. c", "9.kny", "IX-2"."""

_ALONE = re.compile(
    rf"(?:1[0-3]|[1-9])\s?[./_-]?\s?(?:[^\W\d_]{{1,3}}|(?<=[/-])\d{{1,2}})|(?:{_ROMAN})\s?[./_-]?\s?(?:[^\W\d_]{{1,2}}|\d{{1,2}})"
)
"""A class that stands by itself, where less is needed to know one: "9a", "2/3", "I1", "IV b"."""

_IN_BRACKETS = re.compile(r"[(\[][^)\]]*[)\]]")
_LONGEST_CLASS = 12
_N_IN_HEADING = 3


def find_classes(text: str) -> list[str]:
    """Return the classes that a text names, as they are there.

    Examples
    --------
    >>> [find_classes(text) for text in ("9.a", "9.a osztály (28 fő)", "Одељење: IX-2", "9. évfolyam", "10/B és 10/C")]
    [['9.a'], ['9.a'], ['IX-2'], [], ['10/B', '10/C']]
    """
    bare = " ".join(_IN_BRACKETS.sub(" ", text[:LONGEST]).split())
    words = [word for word in bare.split() if normalise_header(word) not in _LABELS]
    remaining_text = " ".join(words).strip(" :,;–-")
    if remaining_text and _ALONE.fullmatch(remaining_text) and _is_section(remaining_text):
        return [remaining_text]
    is_labelled = len(words) < len(bare.split()) and len(words) == 1
    if (
        is_labelled
        and len(remaining_text) <= _LONGEST_CLASS
        and any(map(str.isdigit, remaining_text))
        and not remaining_text.strip(".").isdigit()
    ):
        return [remaining_text]
    class_names = (" ".join(match[0].split()) for match in _IN_TEXT.finditer(bare) if _is_section(match[0]))
    return list(dict.fromkeys(class_names))


def _is_section(text: str) -> bool:
    return normalise_header(re.sub(r"^(?:\d+)\W*", "", text)) not in _NO_SECTIONS


def is_same_class(one: str, other: str) -> bool:
    """Whether two texts mean one class, however its parts are divided.

    Examples
    --------
    >>> is_same_class("9.a", "9/A"), is_same_class("9.a", "9.b")
    (True, False)
    """
    return normalise_header(one).replace(" ", "") == normalise_header(other).replace(" ", "")


def find_texts_of_source(sheet: Sheet, header: int, source: str) -> list[tuple[str, int | None]]:
    """Return the texts in which something is stated, with the row (from 0) of those that are in the sheet."""
    folder, name = posixpath.split(sheet.file)
    match source:
        case "file":
            return [(name.rpartition(".")[0] or name, None)]
        case "folder":
            return [(part, None) for part in folder.split("/")]
        case "sheet":
            return [(sheet.sheet, None)]
        case _:
            return [
                (text, row_position)
                for row_position, row in enumerate(sheet.rows[:header])
                for text in dict.fromkeys(format_value(cell) for cell in row if cell is not None)
            ]


def add_school_and_class(
    layout: Layout, rule: InboxRule, table: Table, finder: SchoolFinder, *, country: str, said: Cell = None
) -> Layout:
    """Give rows the school and the class that their rule says to take from elsewhere.

    Parameters
    ----------
    layout
        Where the table lies, as it was sent.
    rule
        The rule.
    table
        The table. Where it has no field for the class, headings are known, and their class is stated nowhere.
    finder
        Knows the schools of the trial.
    country
        Country of the file, as far as its path tells.
    said
        What the school answered when it was asked which one it is.

    Returns
    -------
    Layout
        The layout with a column for each of the two; where it is not sure which school it is, the file is asked about
        and none of its rows is used until then.
    """
    if layout.header is None or not layout.is_usable:
        return layout
    # Headings first: they are known by what is in their rows as they were sent.
    with_class = _add_class(layout, rule.class_from, is_told="class" in table.names) if rule.class_from else layout
    return (
        _add_school(with_class, rule.school_from, finder, country=country, said=said)
        if rule.school_from
        else with_class
    )


def _add_school(layout: Layout, source: str, finder: SchoolFinder, *, country: str, said: Cell) -> Layout:
    sheet = layout.sheet
    answered = finder.of(format_value(said)) if said is not None else frozenset()
    texts = find_texts_of_source(sheet, layout.header or 0, source)
    row_by_school = {school: row for text, row in reversed(texts) for school in finder.of(text)}
    others = None
    if len(row_by_school) == 1:
        others = finder.contradicted(next(iter(row_by_school)), [text for text, _ in texts])
    at_home = [school for school in row_by_school if not country or finder.country(school) == country]
    if len(answered) == 1:
        (school,) = answered
        note = sheet.finding(f"The school answered that it is {school!r}.", "Nothing.", severity="note")
    elif others is not None:
        return _ask_about_school(
            layout, _OTHER_NAME.format(source=source, school=repr(next(iter(row_by_school)))), others
        )
    elif len(at_home) == 1 and not find_strangers(at_home, finder.named_in_path(sheet.file)):
        (school,) = at_home
        problem = f"The school is {school!r}, told by school_from = {source!r}."
        note = sheet.finding(problem, "Nothing, if that is right.", row=row_by_school[school], severity="note")
    elif not row_by_school and "school_id" in layout.columns:
        # Rows that name their school need no other place for it.
        return layout
    else:
        problem, remedy = _describe_unsure_school(source, sorted(at_home or row_by_school), finder, country, sheet.file)
        stated_texts = [text for text, _ in texts]
        return _ask_about_school(
            layout,
            problem,
            [] if row_by_school else finder.alike(stated_texts) or finder.suggested(stated_texts),
            remedy,
        )
    filled = add_column(layout, "school_id", [school] * len(layout.rows))
    return replace(filled, school=school, findings=(*filled.findings, note))


_ANSWER = "Answer with the identifier of the school."
_OTHER_NAME = (
    "The identifier is that of the school {school}, told by school_from = {source!r}; the name beside it is another "
    "school's."
)


def _ask_about_school(layout: Layout, problem: str, suggested: Sequence[str], remedy: str = _ANSWER) -> Layout:
    """Return a layout of which it is asked which school it is of; none of its rows is used until then."""
    remedy = f"Is {' or '.join(map(repr, suggested))} meant? {remedy}" if suggested else remedy
    asked = layout.sheet.finding(problem, remedy, column="school_id")
    return replace(layout, findings=(*layout.findings, asked), is_open=True)


def _describe_unsure_school(
    source: str, found: Sequence[str], finder: SchoolFinder, country: str, file: str
) -> tuple[str, str]:
    """Return what to ask where it is not sure which school has sent a file, and the remedy."""
    remedy = _ANSWER
    if len(found) > 1:
        schools = ", ".join(map(repr, found))
        return f"More than one school can be meant, told by school_from = {source!r}: {schools}.", remedy
    if not found:
        problem = f"No school of the trial is named, by identifier or by name, where school_from = {source!r} looks."
        return problem, remedy
    (school,) = found
    problem = f"The file lies with those of {country!r}, and school_from = {source!r} tells the school {school!r}."
    if not country or finder.country(school) == country:
        named = " or ".join(map(repr, sorted(finder.named_in_path(file))))
        problem = f"The file is named for {named}, and school_from = {source!r} tells the school {school!r}."
    return problem, "Answer with the identifier of the school, or put the file where it belongs."


def add_column(layout: Layout, name: str, values: Sequence[Cell]) -> Layout:
    """Return a layout whose field has a value in each row where nothing stands.

    Parameters
    ----------
    layout
        Where the table lies.
    name
        The field. Where it has no column, it gets one before the others.
    values
        One for each of ``layout.rows``; rows that are no records get none.
    """
    rows = list(layout.sheet.rows)
    column_index = layout.columns.get(name)
    value_by_row = {place: None if k in layout.apart else values[k] for k, place in enumerate(layout.rows)}
    if column_index is not None:
        for place, value in value_by_row.items():
            row = rows[place]
            if value is not None and is_empty(row[column_index : column_index + 1]):
                rows[place] = (
                    *row[:column_index],
                    *[None] * (column_index - len(row)),
                    value,
                    *row[column_index + 1 :],
                )
        return replace(layout, sheet=replace(layout.sheet, rows=tuple(rows)))
    # Before the others, so that a row with more cells than the header stays one.
    for place, value in value_by_row.items():
        rows[place] = (value, *rows[place])
    if layout.header is not None:
        rows[layout.header] = (name, *rows[layout.header])
    sheet = replace(
        layout.sheet, rows=tuple(rows), struck=tuple((row, column + 1) for row, column in layout.sheet.struck)
    )
    columns = {name: 0, **{field: place + 1 for field, place in layout.columns.items()}}
    return replace(layout, sheet=sheet, columns=columns)


def _add_class(layout: Layout, source: str, *, is_told: bool) -> Layout:
    if source == "headings":
        return _add_class_of_headings(layout, is_told=is_told)
    texts = find_texts_of_source(layout.sheet, layout.header or 0, source)
    row_by_class = {class_name: row for text, row in reversed(texts) for class_name in find_classes(text)}
    distinct = [
        class_name
        for index, class_name in enumerate(row_by_class)
        if not any(is_same_class(class_name, other) for other in list(row_by_class)[:index])
    ]
    if len(distinct) == 1:
        (value,) = distinct
        problem = f"The class is {value!r}, told by class_from = {source!r}."
        note = layout.sheet.finding(problem, "Nothing, if that is right.", row=row_by_class[value], severity="note")
        completed_layout = _add_row_classes(layout, [value] * len(layout.rows))
        return replace(completed_layout, findings=(*completed_layout.findings, note))
    if not distinct and "class" in layout.columns:
        return layout
    problem = f"No class is named where class_from = {source!r} looks."
    if distinct:
        classes = ", ".join(map(repr, distinct))
        problem = f"More than one class can be meant, told by class_from = {source!r}: {classes}."
    asked = layout.sheet.finding(problem, "Add a column with the class and send the file again.", column="class")
    return replace(layout, findings=(*layout.findings, asked))


def _add_class_of_headings(layout: Layout, *, is_told: bool) -> Layout:
    """Give rows the class of the heading above them; the headings themselves are no records."""
    current: str | None = None
    class_by_row: list[str | None] = []
    apart = dict(layout.apart)
    class_at = layout.columns.get("class")
    for k, place in enumerate(layout.rows):
        heading = find_heading(layout.sheet.rows[place], class_at) if apart.get(k, REMARK) == REMARK else None
        if heading is not None:
            current, apart[k] = heading, HEADING
        class_by_row.append(current)
    layout_without_headings = replace(layout, apart=MappingProxyType(apart))
    return _add_row_classes(layout_without_headings, class_by_row) if is_told else layout_without_headings


def find_heading(row: Row, class_at: int | None) -> str | None:
    """Return the class of a row that holds nothing but it."""
    cells = {column_index: format_value(cell) for column_index, cell in enumerate(row) if not is_empty((cell,))}
    texts = list(dict.fromkeys(cells.values()))
    if len(texts) > _N_IN_HEADING or (class_at is not None and class_at in cells and len(texts) > 1):
        return None
    with_class = [text for text in texts if find_classes(text)]
    others = [text for text in texts if text not in with_class]
    if len(with_class) != 1 or not all(_is_label(text) for text in others):
        return None
    class_names = find_classes(with_class[0])
    return class_names[0] if len(class_names) == 1 else None


def _is_label(text: str) -> bool:
    words = normalise_header(_IN_BRACKETS.sub(" ", text)).split()
    return all(word in _LABELS for word in words)


def _add_row_classes(layout: Layout, told: Sequence[str | None]) -> Layout:
    return replace(add_column(layout, "class", told), classes=tuple(told))


def iterate_row_classes(layouts: Sequence[Layout]) -> Iterator[tuple[int, str | None]]:
    """Yield, for rows that get their class from elsewhere, their position among all rows and that class."""
    start = 0
    for layout in layouts:
        yield from ((start + k, stated_class) for k, stated_class in enumerate(layout.classes) if k not in layout.apart)
        start += len(layout.rows)
