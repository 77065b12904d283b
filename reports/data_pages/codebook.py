"""The codebook as a page: what every table and field holds, in words, with frequencies that give nobody away."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.scales import Reliability
from data_schema.fields import NUMERIC_TYPES, Field
from data_schema.messages import get_answer_labels, translate_sentence
from data_schema.tables import Table
from reports.blocks import Block, Column, Heading, Paragraph, Title
from reports.blocks import Table as TableBlock
from reports.data_pages.common import Names, get_data_words
from reports.disclosure import Count, round_pupil_count
from reports.numbers import DASH
from reports.release.answers import ANSWERED, MISSING, build_answer_set
from reports.selection import as_float
from reports.tables.layout import Cell, Line, build_table, line
from reports.words import Words, message

_TYPES: Mapping[str, str] = {
    "identifier": message("identifier"),
    "text": message("text"),
    "code": message("one of the answers"),
    "yes_no": message("yes or no"),
    "date": message("date"),
    "month": message("month"),
    "year": message("year"),
    "whole_number": message("whole number"),
    "number": message("number"),
}
_SENDERS: Mapping[str, str] = {
    "school": message("the school"),
    "pupil": message("the pupil"),
    "partner": message("the project's partner"),
    "evaluator": message("the evaluators"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleFacts:
    """A scale of survey items that the protocol scores.

    Parameters
    ----------
    label, table, wave
        What it is called, and where its items are.
    items, reverse
        Its items, and those of them that are worded the other way.
    least_answered
        Share of the items that a score needs.
    reliability
        How well the items go together; None where there are too few pupils to tell.
    """

    label: str
    table: str
    wave: str
    items: tuple[str, ...]
    reverse: tuple[str, ...]
    least_answered: float
    reliability: Reliability | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What a codebook page is made of.

    Parameters
    ----------
    title
        The trial's title.
    tables, waves, countries
        The trial's tables; name to label of its waves, in their order; code to name of its countries.
    frequencies
        As `reports.data_pages.frequencies.codebook` returns it, for one country or for all.
    scales
        The scales that the protocol scores.
    threshold
        Smallest count of pupils that may be shown.
    only
        Code of the country whose frequencies these are; all together when empty.
    product
        Whose rows they are where these are not all that are stored: "export".
    """

    title: str
    tables: Mapping[str, Table]
    waves: Mapping[str, str]
    countries: Mapping[str, str]
    frequencies: pd.DataFrame
    threshold: int
    scales: tuple[ScaleFacts, ...] = ()
    only: str = ""
    product: str = ""

    def count(self, row: pd.DataFrame, column: str) -> Cell:
        """Return a number of a row of the frequencies, with the set that it counts."""
        if row.empty:
            return DASH
        value = None if pd.isna(row[column].iloc[0]) else int(row[column].iloc[0])
        table, wave, field, answer = (str(row[part].iloc[0]) for part in ("table", "wave", "field", "answer"))
        unit = _classify_row_unit(self.tables[table])
        if unit == "schools":
            return Count(value=value, unit=unit)
        kind = answer or {"n": ANSWERED, "n_missing": MISSING}[column]
        whose = build_answer_set((table, wave, field), kind, self.only, product=self.product)
        # Of a question of which nothing is printed it is not even said that somebody answered.
        is_told = self.frequencies[["table", "wave", "field"]].eq([table, wave, field]).all(axis=1)
        is_told &= self.frequencies[["n", "n_missing"]].notna().any(axis=1)
        return Count(value=value, unit=unit, is_rounded=bool(value), pupils=whose if is_told.any() else None)


def codebook_page(book: Book, language: str) -> tuple[Block, ...]:
    """Return the codebook as a document in a language."""
    words = get_data_words(language)
    names = Names(words=words, tables=book.tables, waves=book.waves, countries=book.countries)
    blocks: list[Block] = [_build_title(book, names)]
    for name, home in book.tables.items():
        blocks += _iterate_section_blocks(book, names, name, home)
    if book.scales:
        blocks += [Heading(text=words.text("Scales"), anchor="scales"), _build_scales_table(book, names)]
    return tuple(blocks)


def _build_title(book: Book, names: Names) -> Title:
    words = names.words
    n_fields = sum(len([field for field in home.fields if field.privacy != "direct"]) for home in book.tables.values())
    facts = (
        words.plural("{n} table", "{n} tables", len(book.tables)),
        words.plural("{n} field", "{n} fields", n_fields),
    )
    place = names.country(book.only) if book.only else ""
    return Title(kind=words.text("Codebook"), text=book.title, subtitle=place, facts=facts)


def _iterate_section_blocks(book: Book, names: Names, name: str, home: Table) -> Iterator[Block]:
    words = names.words
    yield Heading(text=names.table(name), anchor=f"table-{name}")
    key = words.listed([names.field(name, key_field) for key_field in home.key])
    row = words.text("One row for each: {fields}.", fields=key)
    by_wave = words.text("Collected in every wave.") if home.by_wave else words.text("Collected once.")
    yield Paragraph(text=words.joined([row, by_wave]))
    yield _build_fields_table(book, names, name, home)
    frequencies = _build_frequency_table(book, names, name, home)
    if frequencies is not None:
        yield frequencies


def _build_scales_table(book: Book, names: Names) -> TableBlock:
    words = names.words
    return build_table(
        words,
        words.text("Scales that are scored, and how well their questions go together"),
        columns=(
            Column(label=words.text("Scale"), width=2.0),
            Column(label=words.text("Wave"), width=1.3),
            Column(label=words.text("Questions"), width=2.6),
            Column(label=words.text("Needed answers"), align="right", width=1.1),
            Column(label=words.text("Cronbach’s alpha (95% interval)"), align="right", width=1.6),
            Column(label=words.text("Pupils"), align="right", width=0.9),
        ),
        lines=[_scale_line(scale, names, book) for scale in book.scales],
        threshold=book.threshold,
        note=[
            words.text(
                "A score is the mean of the questions that a pupil answered, those marked (−) turned round. Alpha is "
                "of the pupils who answered all of them; its interval takes pupils as independent."
            )
        ],
        anchor="scales-table",
    )


def _scale_line(scale: ScaleFacts, names: Names, book: Book) -> Line:
    words, reliability = names.words, scale.reliability
    items = [
        f"{names.field(scale.table, item)} (−)" if item in scale.reverse else names.field(scale.table, item)
        for item in scale.items
    ]
    alpha: Cell = Count(value=None)
    if reliability is not None and math.isfinite(reliability.alpha):
        low, high = (words.numbers.decimal(end, digits=2) for end in (reliability.conf_low, reliability.conf_high))
        shown = words.numbers.decimal(reliability.alpha, digits=2)
        alpha = words.text("{alpha} ({low} to {high})", alpha=shown, low=low, high=high)
    n = Count(value=None) if reliability is None else round_pupil_count(reliability.n_pupils, threshold=book.threshold)
    n = n.of(build_answer_set((scale.table, scale.wave, scale.label), ANSWERED, book.only, product=book.product))
    wave = names.wave(scale.wave) if scale.wave else DASH
    least = words.numbers.percent(scale.least_answered, digits=0)
    return line(translate_sentence(scale.label, words.catalogue), wave, ", ".join(items), least, alpha, n)


def _build_fields_table(book: Book, names: Names, name: str, home: Table) -> TableBlock:
    words = names.words
    fields = [field for field in home.fields if field.privacy != "direct"]
    return build_table(
        words,
        words.text("{table}: what is asked", table=names.table(name)),
        columns=(
            Column(label=words.text("Field"), width=2.2),
            Column(label=words.text("Column in the data"), width=1.8),
            Column(label=words.text("What it holds"), width=3.2),
            Column(label=words.text("Filled in by"), width=1.4),
        ),
        lines=[_build_field_line(field, names, name) for field in fields],
        threshold=book.threshold,
        anchor=f"fields-{name}",
    )


def _build_field_line(field: Field, names: Names, table_name: str) -> Line:
    words = names.words
    sentences = [_describe_permitted_range(field, words)]
    if field.waves:
        waves = words.listed([names.wave(wave) for wave in field.waves])
        sentences.append(words.text("Asked in: {waves}.", waves=waves))
    if field.asked_if is not None:
        name, answers = field.asked_if
        home = names.tables[table_name].field(name)
        labels_by_code = dict(
            zip([code.name for code in home.codes], get_answer_labels(home, words.catalogue), strict=True)
        )
        listed = ", ".join(labels_by_code[answer] for answer in answers)
        what = words.text("Asked if {field} is: {answers}.", field=names.field(table_name, name), answers=listed)
        sentences.append(what)
    if field.required:
        sentences.append(words.text("Needed."))
    sender = words.text(_SENDERS[field.filled_in_by])
    return line(names.field(table_name, field.name), field.name, words.joined(sentences), sender)


def _describe_permitted_range(field: Field, words: Words) -> str:
    kind = words.text(_TYPES[field.type])
    low, high = field.minimum, field.maximum
    if field.codes:
        kind = ", ".join(get_answer_labels(field, words.catalogue))
    elif field.type == "year" and low is not None and high is not None:
        kind = words.text("{kind}, {low} to {high}", kind=kind, low=f"{low:.0f}", high=f"{high:.0f}")
    elif low is not None and high is not None:
        kind = words.text(
            "{kind}, {low} to {high}", kind=kind, low=_format_number(low, words), high=_format_number(high, words)
        )
    elif low is not None:
        kind = words.text("{kind}, {low} or more", kind=kind, low=_format_number(low, words))
    if field.unit and field.unit not in ("mark", "share", "currency"):
        kind = words.text("{kind} ({unit})", kind=kind, unit=translate_sentence(field.unit, words.catalogue))
    return f"{kind[:1].upper()}{kind[1:]}."


def _format_number(value: float, words: Words) -> str:
    return words.numbers.decimal(value, digits=0 if value == round(value) else 1)


def _build_frequency_table(book: Book, names: Names, name: str, home: Table) -> TableBlock | None:
    """Return frequencies, means and missing values by wave; None where there are no data."""
    words = names.words
    table_frequencies = book.frequencies.loc[book.frequencies["table"] == name]
    rows_with_data = table_frequencies.loc[table_frequencies[["n", "n_missing", "mean"]].notna().any(axis=1)]
    waves = [wave for wave in dict.fromkeys(table_frequencies["wave"]) if wave in set(rows_with_data["wave"])]
    if not waves:
        return None
    lines: list[Line] = []
    for field in home.fields:
        rows = table_frequencies.loc[table_frequencies["field"] == field.name]
        if field.is_private or not (field.codes or field.type in NUMERIC_TYPES) or rows.empty:
            continue
        lines.append(line(names.field(name, field.name), kind="section"))
        lines += _iterate_frequency_lines(book, field, rows, waves, words)
    heads = [(words.text("Rows"), 1.0), (words.text("Share"), 0.9)]
    groups = [names.wave(wave) if wave else "" for wave in waves]
    columns = [Column(label=label, align="right", group=group, width=w) for group in groups for label, w in heads]
    return build_table(
        words,
        words.text("{table}: what was answered", table=names.table(name)),
        columns=(Column(label=words.text("Field and answer"), width=3.0), *columns),
        lines=lines,
        threshold=book.threshold,
        note=[words.text("Share: of the rows that have an answer.")],
        anchor=f"frequencies-{name}",
    )


def _iterate_frequency_lines(
    book: Book, field: Field, rows: pd.DataFrame, waves: Sequence[str], words: Words
) -> Iterator[Line]:
    totals_by_wave = {wave: rows.loc[(rows["wave"] == wave) & (rows["answer"] == "")] for wave in waves}
    for code, label in zip(field.codes, get_answer_labels(field, words.catalogue), strict=True):
        cells: list[Cell] = []
        for wave in waves:
            counted = rows.loc[(rows["wave"] == wave) & (rows["answer"] == code.name)]
            n = DASH if totals_by_wave[wave].empty else book.count(counted, "n")
            cells += [n, _format_share(n, _get_total(totals_by_wave[wave]), words)]
        yield line(label, *cells)
    if field.type in NUMERIC_TYPES:
        for label, write in (
            (words.text("Mean (standard deviation)"), _format_mean),
            (words.text("Outer tenths"), _format_tenths),
        ):
            yield line(label, *[cell for wave in waves for cell in (write(totals_by_wave[wave], field, words), "")])
    answered = [cell for wave in waves for cell in (book.count(totals_by_wave[wave], "n"), "")]
    missing = [cell for wave in waves for cell in (book.count(totals_by_wave[wave], "n_missing"), "")]
    if not field.codes:
        yield line(words.text("Answered"), *answered)
    yield line(words.text("No answer"), *missing)


def _classify_row_unit(home: Table) -> str:
    """Return what the rows of a table are, for disclosure control: schools, pupils, or several rows per pupil."""
    if home.about == "school":
        return "schools"
    return "pupils" if set(home.key) == {"school_id", "pupil_id"} else "rows"


def _get_total(own: pd.DataFrame) -> float:
    return math.nan if own.empty or pd.isna(own["n"].iloc[0]) else float(own["n"].iloc[0])


def _format_share(n: Cell, total: float, words: Words) -> str:
    if not isinstance(n, Count) or n.value is None:
        return ""
    share = n.value / total if total > 0 else math.nan
    return words.numbers.percent(share, digits=0 if total < 300 else 1)


def _format_mean(own: pd.DataFrame, field: Field, words: Words) -> str:
    mean, sd = (as_float(own[name].iloc[0]) if len(own) else math.nan for name in ("mean", "sd"))
    if math.isnan(mean):
        return DASH
    digits = 0 if field.type == "year" else 2
    shown = f"{mean:.0f}" if field.type == "year" else words.numbers.decimal(mean, digits=digits)
    if math.isnan(sd):
        return shown
    return words.text("{mean} ({sd})", mean=shown, sd=words.numbers.decimal(sd, digits=2))


def _format_tenths(own: pd.DataFrame, field: Field, words: Words) -> str:
    low, high = (as_float(own[name].iloc[0]) if len(own) else math.nan for name in ("p10", "p90"))
    if math.isnan(low):
        return DASH
    if field.type == "year":
        return words.text("{low} to {high}", low=f"{low:.0f}", high=f"{high:.0f}")
    return words.text("{low} to {high}", low=_format_number(low, words), high=_format_number(high, words))
