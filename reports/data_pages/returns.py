"""The page of returns: who has sent what, when, how complete it is, and which questions are open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from data_schema.messages import remove_row_counts, translate_sentence
from data_schema.tables import Table
from reports.blocks import (
    Block,
    Bullets,
    Column,
    Heading,
    KeyFigure,
    KeyFigures,
    Note,
    Paragraph,
    Title,
    convert_to_spans,
)
from reports.counted import Pupils, join_name_parts
from reports.data_pages.common import Names, get_data_words
from reports.disclosure import Count, compute_share_step, round_pupil_count, round_share
from reports.numbers import DASH
from reports.selection import convert_to_records
from reports.tables.data_returns import build_file_rows_set
from reports.tables.layout import SUPPRESSED, Cell, Line, build_table, line
from reports.words import Words, message


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """What is known of a trial's returns.

    Parameters
    ----------
    title
        The trial's title.
    tables, waves, countries
        The trial's tables; name to label of its waves, in their order; code to name of its countries.
    by_school, completeness, questions
        As `data_schema.returns` makes them.
    imports
        The reconciliation of intake: a row per file, sheet and table.
    received
        File to the day on which it came.
    threshold
        Smallest count of pupils that may be shown: rows about pupils are rounded to it, since reports print other
        numbers of the same pupils.
    only
        Code of the country that the page is for; all countries when empty.
    """

    title: str
    tables: Mapping[str, Table]
    waves: Mapping[str, str]
    countries: Mapping[str, str]
    by_school: pd.DataFrame
    completeness: pd.DataFrame
    questions: pd.DataFrame
    imports: pd.DataFrame
    received: Mapping[str, date]
    threshold: int
    only: str = ""

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of the page's country."""
        return frame.loc[frame["country"] == self.only] if self.only else frame

    def places(self) -> tuple[str, ...]:
        """Return the codes of the countries that the page is about."""
        return (self.only,) if self.only else tuple(self.countries)

    def day_of(self, file: str) -> date | None:
        """Return the day on which a file came; of a file in an archive, that of the archive."""
        while file and file not in self.received:
            file = file.rpartition("/")[0]
        return self.received.get(file)

    def last_day(self, files: Iterable[str]) -> date | None:
        """Return the day on which the last of some files came."""
        return max((day for file in files if (day := self.day_of(file))), default=None)


def returns_page(returns: Returns, language: str) -> tuple[Block, ...]:
    """Return the page of returns.

    Parameters
    ----------
    returns
        What is known.
    language
        Code of the language.

    Returns
    -------
    tuple of Block
        A document without anything about a pupil: no values, no names of files, no counts of pupils.
    """
    words = get_data_words(language)
    names = Names(words=words, tables=returns.tables, waves=returns.waves, countries=returns.countries)
    return (
        _build_title(returns, names),
        _build_key_figures(returns, words),
        *_iterate_overview_blocks(returns, names),
        *_iterate_missing_returns(returns, names),
        *_iterate_school_tables(returns, names),
        *_iterate_open_questions(returns, names),
    )


def _build_title(returns: Returns, names: Names) -> Title:
    words = names.words
    schools = len(set(returns.of(returns.by_school)["school_id"]))
    facts = [words.plural("{n} school", "{n} schools", schools)]
    last = returns.last_day(returns.of(returns.imports)["file"])
    if last is not None:
        facts.append(words.text("Last file: {date}", date=words.numbers.date(last)))
    place = names.country(returns.only) if returns.only else ""
    kind = words.text("Returns")
    return Title(kind=kind, text=returns.title, subtitle=place, facts=tuple(facts), layout="brief")


def _build_key_figures(returns: Returns, words: Words) -> KeyFigures:
    due = _select_due_of_schools(returns)
    cells, filled = int(due["n_cells"].sum()), int(due["n_filled"].sum())
    files, n_open = returns.of(returns.imports)["file"].nunique(), len(returns.of(returns.questions))
    returned, questions = int((due["n_rows"] > 0).sum()), words.plural("open question", "open questions", n_open)
    number = words.numbers
    return KeyFigures(
        figures=(
            KeyFigure(
                value=convert_to_spans(
                    words.text("{n} of {all}", n=number.count(returned), all=number.count(len(due)))
                ),
                label=words.text("tables of schools are here"),
            ),
            KeyFigure(
                value=convert_to_spans(_format_share_of_cells(filled, cells, words, returns.threshold)),
                label=words.text("of their cells are filled in"),
            ),
            KeyFigure(value=convert_to_spans(number.count(files)), label=words.plural("file", "files", files)),
            KeyFigure(value=convert_to_spans(number.count(n_open)), label=questions),
        )
    )


def _select_due_of_schools(returns: Returns) -> pd.DataFrame:
    """Return what schools themselves are to send in waves of which anything has come."""
    school_rows = returns.of(returns.by_school)
    begun = set(school_rows.loc[school_rows["n_rows"] > 0, "wave"])
    return school_rows.loc[
        school_rows["table"].map(lambda name: _is_schools(returns.tables[name])) & school_rows["wave"].isin(begun)
    ]


def _is_schools(table: Table) -> bool:
    return any(item.filled_in_by in ("school", "pupil") for item in table.fields if item.name not in table.key)


def _iterate_overview_blocks(returns: Returns, names: Names) -> Iterator[Block]:
    """Give the table by wave, table and country."""
    words = names.words
    completeness = returns.of(returns.completeness)
    lines: list[Line] = []
    for (wave, name), rows in completeness.groupby(["wave", "table"], sort=False):
        head = names.table_and_wave(str(name), str(wave))
        if not returns.only and len(returns.countries) > 1:
            lines.append(line(head, kind="section"))
        for row in convert_to_records(rows):
            place = names.country(str(row["country"]))
            lines.append(_build_overview_line(returns, words, head if len(rows) == 1 else place, row))
    yield Heading(text=words.text("By wave and country"), anchor="overview")
    yield build_table(
        words,
        words.text("Schools whose data are here, rows, and open questions"),
        columns=_build_overview_columns(words),
        lines=lines,
        threshold=returns.threshold,
        note=[
            words.text(
                "Filled in: share of the cells that should be filled in and are. A question keeps a whole row out, or "
                "only one of its cells."
            )
        ],
        anchor="overview-table",
    )


def _build_overview_columns(words: Words) -> tuple[Column, ...]:
    titles = (
        message("Schools"), message("Rows kept"), message("Rows asked about"), message("Rows refused"),
        message("Filled in"), message("Open questions"), message("Last file"),
    )  # fmt: skip
    heads = (Column(label=words.text("Table and wave"), width=2.4),)
    return heads + tuple(Column(label=words.text(title), align="right") for title in titles)


def _build_overview_line(returns: Returns, words: Words, head: str, row: Mapping[str, object]) -> Line:
    number = words.numbers
    imports = returns.imports
    imports_of_table = imports.loc[(imports["table"] == row["table"]) & (imports["wave"] == row["wave"])]
    last = returns.last_day(imports_of_table.loc[imports_of_table["country"] == row["country"], "file"])
    schools = number.count(float(str(row["n_returned"])))
    if _is_schools(returns.tables[str(row["table"])]):
        schools = words.text("{n} of {all}", n=schools, all=number.count(float(str(row["n_schools"]))))
    counts = [_count_rows(returns, row, name) for name in ("kept", "asked", "refused")]
    filled = _format_share_filled(returns, words, row)
    n_open = number.count(float(str(row["n_open"])))
    return line(head, schools, *counts, filled, n_open, number.date(last) if last else DASH)


def _count_rows(returns: Returns, row: Mapping[str, object], name: str) -> Count:
    """Return how many rows of a table were kept, asked about or refused; rounded unless they are about schools."""
    n = int(str(row[name]))
    if returns.tables[str(row["table"])].about == "school":
        return Count(value=n, unit="rows")
    whose = build_file_rows_set(pd.DataFrame([row]), name)
    return round_pupil_count(n, threshold=returns.threshold, unit="rows").of(whose)


def _format_share_filled(returns: Returns, words: Words, row: Mapping[str, object]) -> Cell:
    """Return the share of the cells of a table, wave and country that are filled in."""
    every = returns.by_school
    matching_rows = every.loc[(every["table"] == row["table"]) & (every["wave"] == row["wave"])]
    matching_rows = matching_rows.loc[matching_rows["country"] == row["country"]]
    n_filled, n_cells = int(matching_rows["n_filled"].sum()), int(matching_rows["n_cells"].sum())
    if returns.tables[str(row["table"])].about == "school":
        return words.numbers.percent(n_filled / n_cells, digits=0) if n_cells else DASH
    return _format_share_of_cells(n_filled, n_cells, words, returns.threshold)


def _format_share_of_cells(n_filled: int, n_cells: int, words: Words, threshold: int) -> str:
    """Return a share of cells, in steps that are as many cells wide as the threshold is pupils; "c" of few cells."""
    if not n_cells:
        return DASH
    step = compute_share_step(n_cells, alike=threshold)
    if step is None:
        return words.text(SUPPRESSED)
    share = round_share(n_filled / n_cells, n_cells, alike=threshold)
    return words.numbers.percent(share, digits=0 if step >= _PER_CENT else 1)


_PER_CENT = 0.01


def _iterate_missing_returns(returns: Returns, names: Names) -> Iterator[Block]:
    """Name the schools that have not sent all of what others have sent in a wave."""
    words = names.words
    due = _select_due_of_schools(returns)
    absent = due.loc[due["n_rows"] == 0]
    yield Heading(text=words.text("Still to come"), anchor="to-come")
    later = [wave for wave in returns.waves if wave not in set(due["wave"])]
    listed = words.listed([names.wave(wave) for wave in later])
    if later:
        yield Paragraph(text=convert_to_spans(words.text("Nothing has come yet for: {waves}.", waves=listed)))
    if absent.empty:
        yield Paragraph(text=convert_to_spans(words.text("No school is behind the others.")))
        return
    items = []
    for (wave, name), rows in absent.groupby(["wave", "table"], sort=False):
        head = names.table_and_wave(str(name), str(wave))
        schools = ", ".join(sorted(rows["school_id"]))
        items.append(convert_to_spans(words.text("{what}: {schools}", what=head, schools=schools)))
    yield Bullets(items=tuple(items))


def _iterate_school_tables(returns: Returns, names: Names) -> Iterator[Block]:
    """Give a table of schools for each country."""
    words = names.words
    due = _select_due_of_schools(returns)
    yield Heading(text=words.text("School by school"), anchor="schools")
    if due.empty:
        yield Paragraph(text=convert_to_spans(words.text("Nothing has come yet.")))
        return
    asked = returns.questions["school_id"].value_counts()
    columns = due[["wave", "table"]].drop_duplicates().to_numpy().tolist()
    for code in returns.places():
        due_in_country = due.loc[due["country"] == code]
        if due_in_country.empty:
            continue
        lines = [_build_school_line(returns, words, str(school), rows, columns, int(asked.get(school, 0)))
                 for school, rows in due_in_country.groupby("school_id", sort=True)]  # fmt: skip
        yield build_table(
            words,
            words.text("{country}: share of the cells that each school has filled in", country=names.country(code)),
            columns=_build_school_columns(names, columns),
            lines=lines,
            threshold=returns.threshold,
            note=[words.text("{dash}: nothing has come yet.", dash=DASH)],
            anchor=f"schools-{code}",
        )


def _build_school_columns(names: Names, columns: Sequence[Sequence[str]]) -> tuple[Column, ...]:
    words = names.words
    tables = tuple(Column(label=names.table(name), align="right", group=names.wave(wave)) for wave, name in columns)
    return (
        Column(label=words.text("School"), width=1.4),
        *tables,
        Column(label=words.text("Open questions"), align="right"),
        Column(label=words.text("Last file"), align="right", width=1.3),
    )


def _build_school_line(
    returns: Returns,
    words: Words,
    school: str,
    rows: pd.DataFrame,
    columns: Sequence[Sequence[str]],
    n_open: int,
) -> Line:
    number = words.numbers
    keys = zip(rows["wave"], rows["table"], strict=True)
    counts = dict(zip(keys, zip(rows["n_filled"], rows["n_cells"], strict=True), strict=True))
    cells = []
    for wave, name in columns:
        filled, all_ = counts.get((wave, name), (0, 0))
        cells.append(_format_share_of_cells(filled, all_, words, returns.threshold))
    files = {file for text in rows["files"] for file in str(text).split("|") if file}
    last = returns.last_day(files)
    return line(school, *cells, number.count(n_open), number.date(last) if last else DASH)


def _iterate_open_questions(returns: Returns, names: Names) -> Iterator[Block]:
    """Give the open questions, without what is in the cells."""
    words = names.words
    open_questions = returns.of(returns.questions)
    yield Heading(text=words.text("Open questions"), anchor="questions")
    if open_questions.empty:
        yield Paragraph(text=convert_to_spans(words.text("No question is open.")))
        return
    explanation = words.text(
        "Each school has a workbook of its own to answer in; what is in the cells is there, and not on this page."
    )
    yield Note(kind="info", text=convert_to_spans(explanation))
    lines: list[Line] = []
    for code, of_country in open_questions.groupby("country", sort=False):
        if not returns.only:
            lines.append(line(names.country(str(code)) if code else words.text("Country not known"), kind="section"))
        lines += [_build_question_line(row, returns, names) for row in convert_to_records(_group_questions(of_country))]
    yield build_table(
        words,
        words.text("Open questions to schools"),
        columns=(
            Column(label=words.text("School"), width=1.0),
            Column(label=words.text("Table and wave"), width=1.5),
            Column(label=words.text("Column"), width=1.3),
            Column(label=words.text("Question"), width=2.6),
            Column(label=words.text("What to do"), width=2.6),
            Column(label=words.text("Rows"), align="right", width=0.7),
        ),
        lines=lines,
        threshold=returns.threshold,
        anchor="questions-table",
    )


def _group_questions(questions: pd.DataFrame) -> pd.DataFrame:
    by = ["school_id", "table", "wave", "column", "problem", "remedy"]
    return questions.groupby(by, sort=True)["n_rows"].sum().reset_index()


def _build_question_line(row: Mapping[str, object], returns: Returns, names: Names) -> Line:
    words = names.words
    name, rows = str(row["table"]), int(str(row["n_rows"]))
    is_of_schools = name in returns.tables and returns.tables[name].about == "school"
    whose = Pupils(what="rows", name=join_name_parts(*(str(value) for value in row.values())))
    count = round_pupil_count(rows, threshold=returns.threshold, unit="rows").of(whose)
    return line(
        str(row["school_id"]) or words.text("not known"),
        names.table_and_wave(name, str(row["wave"])) if name else DASH,
        names.field(name, str(row["column"])) or DASH,
        translate_sentence(remove_row_counts(str(row["problem"])), words.catalogue),
        translate_sentence(str(row["remedy"]), words.catalogue),
        (Count(value=rows, unit="rows") if is_of_schools else count) if rows else DASH,
    )
