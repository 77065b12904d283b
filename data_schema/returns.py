"""Returns: who has sent what, how complete it is, what is open; needed columns in which a school filled in nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_schema.errors import DataError
from data_schema.fields import Field
from data_schema.findings import Finding
from data_schema.layout import is_empty
from data_schema.messages import remove_cell_values
from data_schema.tables import Table

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.layout import Layout
    from data_schema.queries import Query
    from data_schema.tables import Table

SCHOOL_COLUMNS = ("wave", "table", "country", "school_id", "n_rows", "n_cells", "n_filled", "files")
COMPLETENESS_COLUMNS = (
    "wave", "table", "country", "n_schools", "n_returned", "n_rows", "sent", "kept", "asked", "refused",
    "share_filled", "n_open",
)  # fmt: skip
QUESTION_COLUMNS = ("country", "school_id", "table", "wave", "column", "problem", "remedy", "n_rows")


def open_questions(
    queries: Mapping[str, Sequence[Query]], *, imports: pd.DataFrame, schools: Mapping[str, str]
) -> pd.DataFrame:
    """List the open questions, without what is in the cells and without names of files.

    Parameters
    ----------
    queries
        School to its queries; "" where nothing tells the school.
    imports
        The reconciliation of intake: it says which table and wave a file contains.
    schools
        `school_id` to country.

    Returns
    -------
    pandas.DataFrame
        In the order of `QUESTION_COLUMNS`; ``n_rows`` rows of the school's file are meant, 0 for the whole file.
    """
    import pandas as pd

    names = imports[["file", "sheet", "table", "wave", "country"]].itertuples(index=False)
    place = {(file, sheet): (table, wave, country) for file, sheet, table, wave, country in names}
    rows = []
    for school, asked in queries.items():
        for query in asked:
            finding = query.finding
            table, wave, country = place.get((finding.file, finding.sheet), ("", "", ""))
            problem, remedy = remove_cell_values(finding.problem), remove_cell_values(finding.remedy)
            country = schools.get(school, country)
            rows.append((country, school, table, wave, finding.column, problem, remedy, len(query.rows)))
    types = {name: "int64" if name == "n_rows" else "str" for name in QUESTION_COLUMNS}
    return pd.DataFrame(rows, columns=list(QUESTION_COLUMNS)).astype(types)


def summarise_returns_by_school(
    frames: Mapping[str, pd.DataFrame],
    *,
    expected: Iterable[tuple[str, str]],
    schools: Mapping[str, str],
    tables: Mapping[str, Table],
) -> pd.DataFrame:
    """Count for each school what it has sent of what it is to send, and how many of its cells are filled.

    Parameters
    ----------
    frames
        Table to its rows, as they are stored.
    expected
        Table and wave that schools, or partners for them, are to send.
    schools
        `school_id` to country.
    tables
        The tables, by name.

    Returns
    -------
    pandas.DataFrame
        In the order of `SCHOOL_COLUMNS`, a row a table, wave and school. Cells are those of the fields that the wave
        asks for beyond the key; ``files`` are the files that the rows come from, divided by "|".
    """
    import pandas as pd

    rows: list[tuple[str, str, str, str, int, int, int, str]] = []
    for name, wave in expected:
        frame = frames.get(name)
        wave_rows = None if frame is None else frame.loc[frame["wave"] == wave]
        parts = {} if wave_rows is None else dict(iter(wave_rows.groupby("school_id", sort=False)))
        fields = _select_content_fields(tables[name].in_wave(wave))
        for school, country in schools.items():
            rows.append((wave, name, country, school, *_count_filled_cells(parts.get(school), fields)))
    types = {name: "int64" if name.startswith("n_") else "str" for name in SCHOOL_COLUMNS}
    return pd.DataFrame(rows, columns=list(SCHOOL_COLUMNS)).astype(types)


def _select_content_fields(table: Table) -> list[Field]:
    apart = {*table.key, "school_id", "pupil_id"}
    return [item for item in table.fields if item.name not in apart and not item.is_private]


def _count_filled_cells(part: pd.DataFrame | None, fields: Sequence[Field]) -> tuple[int, int, int, str]:
    """Return rows, cells that are to be filled, those that are, and the files."""
    if part is None or part.empty:
        return 0, 0, 0, ""
    n_cells = n_filled = 0
    for item in fields:
        asked = mark_asked_rows(part, item)
        n_cells += int(asked.sum())
        n_filled += int((asked & part[item.name].notna()).sum()) if item.name in part else 0
    files = "|".join(sorted(set(part["source_file"]))) if "source_file" in part else ""
    return len(part), n_cells, n_filled, files


def mark_asked_rows(part: pd.DataFrame, item: Field) -> pd.Series[bool]:
    """Return for each row whether a field was to be filled in."""
    import pandas as pd

    if item.asked_if is None or item.asked_if[0] not in part:
        return pd.Series(data=True, index=part.index)
    values = part[item.asked_if[0]]
    if pd.api.types.is_bool_dtype(values):
        values = values.map({True: "yes", False: "no"})
    return values.isin(item.asked_if[1])


def summarise_completeness(
    imports: pd.DataFrame, by_school: pd.DataFrame, *, questions: pd.DataFrame, countries: Iterable[str]
) -> pd.DataFrame:
    """Describe by wave, table and country who has sent what, how complete it is and what is open.

    Parameters
    ----------
    imports
        The reconciliation of intake.
    by_school
        As `summarise_returns_by_school` returns it.
    questions
        As `open_questions` returns it.
    countries
        Countries of the trial, in their order.

    Returns
    -------
    pandas.DataFrame
        In the order of `COMPLETENESS_COLUMNS`: ``n_returned`` schools have a row that is kept, ``share_filled`` of
        their cells are filled, ``n_open`` questions are open.
    """
    import pandas as pd

    rows = []
    order = list(countries)
    for (wave, name), of_table in by_school.groupby(["wave", "table"], sort=False):
        imports_of_table = imports.loc[(imports["table"] == name) & (imports["wave"] == wave)]
        asked = questions.loc[(questions["table"] == name) & (questions["wave"] == wave), "country"]
        for country in order:
            rows_of_country = of_table.loc[of_table["country"] == country]
            counts = imports_of_table.loc[
                imports_of_table["country"] == country, ["sent", "kept", "asked", "refused"]
            ].sum()
            cells = int(rows_of_country["n_cells"].sum())
            rows.append(
                (
                    wave, name, country, len(rows_of_country), int((rows_of_country["n_rows"] > 0).sum()),
                    int(rows_of_country["n_rows"].sum()), *(int(count) for count in counts),
                    round(int(rows_of_country["n_filled"].sum()) / cells, 4) if cells else 0.0,
                    int((asked == country).sum()),
                )
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COMPLETENESS_COLUMNS))


_SHEET = ["source_file", "source_sheet"]


def find_empty_columns(
    frames: Mapping[str, pd.DataFrame],
    *,
    tables: Mapping[str, Table],
    layouts: Mapping[tuple[str, str, str], Layout],
    needed: Mapping[tuple[str, str], Collection[str]],
) -> Iterator[Finding]:
    """Ask about columns that are there and empty in all rows of a school that were to be filled in.

    Parameters
    ----------
    frames
        Table to its rows that were kept.
    tables
        The tables, by name.
    layouts
        File, sheet and wave to where its table lies. A column that is not there at all is asked about by `lay_out`.
    needed
        Table and wave to the fields that the results of the trial are made from.
    """
    for (name, wave), fields in needed.items():
        frame = frames.get(name)
        wave_rows = None if frame is None else frame.loc[frame["wave"] == wave]
        if wave_rows is None or wave_rows.empty:
            continue
        for item in tables[name].fields:
            if item.name in fields and item.name in wave_rows:
                yield from _find_empty_in_column(
                    wave_rows.loc[mark_asked_rows(wave_rows, item)], item.name, layouts, wave
                )


def _find_empty_in_column(
    rows: pd.DataFrame, column: str, layouts: Mapping[tuple[str, str, str], Layout], wave: str
) -> Iterator[Finding]:
    n_filled = rows.groupby([*_SHEET, "school_id"])[column].transform("count")
    suspect = rows.loc[n_filled == 0]
    n_schools = rows.groupby(_SHEET)["school_id"].nunique().to_dict() if len(suspect) else {}
    for (file, sheet, school), part in suspect.groupby([*_SHEET, "school_id"], sort=True):
        layout = layouts.get((str(file), str(sheet), wave))
        column_index = None if layout is None else layout.columns.get(column)
        # A sign that nobody knows, and a value that cannot be read, are answers: the latter is asked about by itself.
        if layout is None or column_index is None or _is_filled(layout, part["source_row"].tolist(), column_index):
            continue
        is_shared = n_schools[file, sheet] > 1
        yield Finding(
            file=str(file),
            sheet=str(sheet),
            row=None if is_shared or layout.header is None else layout.header + 1,
            column="school_id" if is_shared else column,
            value=str(school) if is_shared else "",
            problem=f"The column {column!r}, which the results of the trial are made from, is empty.",
            remedy="Fill in the column and send the file again.",
            severity="question",
        )


def _is_filled(layout: Layout, numbers: Sequence[int], at: int) -> bool:
    """Whether any of some rows, by their numbers in findings, holds something in a column."""
    place_of = {number: place for place, number in enumerate(layout.numbers)}
    rows = (layout.sheet.rows[place_of.get(number, number - 1)] for number in numbers)
    return any(not is_empty(row[at : at + 1]) for row in rows)


RECONCILIATION_COLUMNS = ("file", "sheet", "table", "wave", "country", "sent", "kept", "asked", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of the rows of one file, or of one sheet of it.

    Parameters
    ----------
    file, sheet, table, wave
        Where they came from and what they are.
    country
        Country of its schools; empty when it is not known, or when there are several.
    sent
        Rows in the file below the header, empty ones not counted.
    kept, asked, refused
        Rows in the data; rows kept out until a question is answered; rows that are not taken in.

    Raises
    ------
    DataError
        When the rows do not add up: a defect of the program, never of the file.
    """

    file: str
    sheet: str
    table: str
    wave: str
    country: str = ""
    sent: int = 0
    kept: int = 0
    asked: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        if self.sent != self.kept + self.asked + self.refused or min(self.kept, self.asked, self.refused) < 0:
            raise DataError(
                self.file,
                f"{self.sent} rows were sent, but {self.kept} are kept, {self.asked} asked about and {self.refused} "
                "refused.",
                "Report this with the file; it is a defect of crocoos.",
            )


def build_reconciliation(tallies: Sequence[Tally]) -> pd.DataFrame:
    """Return one row a tally.

    Returns
    -------
    pandas.DataFrame
        `file`, `sheet`, `table`, `wave`, `country`, `sent`, `kept`, `asked`, `refused`; by file, sheet, table, wave.
    """
    import pandas as pd

    ordered = sorted(tallies, key=lambda tally: (tally.file, tally.sheet, tally.table, tally.wave))
    columns = {name: [getattr(tally, name) for tally in ordered] for name in RECONCILIATION_COLUMNS}
    types = {name: "str" if k < 5 else "int64" for k, name in enumerate(RECONCILIATION_COLUMNS)}
    return pd.DataFrame(columns).astype(types)
