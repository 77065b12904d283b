"""Pages about the data, for the trial's staff and for each country's partner: returns and codebook."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.guarded_files import find_inbox_sources
from evaluation.mode import mark_practice_table, mark_practice_values
from evaluation.stages.release import check_beside_site, describe_count_release
from evaluation.stored import read_stored_tables
from evaluation.trial_log import export_product_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd

    from data_schema.anonymity import Anonymity
    from evaluation.folder import TrialFolder
    from reports.data_pages import Returns, ScaleFacts
    from reports.disclosure import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Files that were written.

    Parameters
    ----------
    folder
        Where.
    files
        Their paths.
    n_rows
        Rows of data in them.
    n_withheld
        Rows that were left out because the pupil's consent is refused.
    anonymity
        How alike the pupils of exported rows are; None where no rows of pupils were written.
    """

    folder: Path
    files: tuple[Path, ...]
    n_rows: int = 0
    n_withheld: int = 0
    anonymity: Anonymity | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the values as JSON values."""
        return {
            "folder": str(self.folder),
            "files": [path.name for path in self.files],
            "n_rows": self.n_rows,
            "n_withheld": self.n_withheld,
        } | ({} if self.anonymity is None else {"anonymity": asdict(self.anonymity)})


def describe_written_files(folder: Path, *, n_rows: int = 0, n_withheld: int = 0) -> Written:
    """Return what was written into a folder."""
    return Written(folder=folder, files=tuple(sorted(folder.iterdir())), n_rows=n_rows, n_withheld=n_withheld)


def write_returns(trial: TrialFolder) -> Written:
    """Write the page of returns: of all countries in the reports' languages, and of each country in its own.

    Raises
    ------
    DataError
        When nothing has been collected.
    """
    from dataclasses import replace

    from reports.data_pages import returns_page
    from reports.documents import Document, write_html

    known = describe_returns(trial)
    target = trial.paths.root / "output" / "returns"
    with export_product_folder(trial, target, about=describe_count_release(trial)) as folder:
        for country, language in iterate_page_places(trial):
            document = Document(blocks=returns_page(replace(known, only=country), language), practice=trial.is_practice)
            write_html(document, folder / _format_page_name("returns", country, language), language=language)
        check_beside_site(trial, target, folder)
    return describe_written_files(target)


def iterate_page_places(trial: TrialFolder) -> Iterator[tuple[str, str]]:
    """Yield country ("" for all) and language of each page: Serbian in both scripts."""
    from data_schema.messages import get_language_of_country

    wanted: list[tuple[str, str]] = [("", language) for language in trial.protocol.reports.languages]
    wanted += [(country, get_language_of_country(country)) for country in trial.protocol.countries]
    for country, language in wanted:
        yield country, language
        if language == "sr" and (country, "sr-Latn") not in wanted:
            yield country, "sr-Latn"


def write_codebook(trial: TrialFolder) -> Written:
    """Write the codebook with frequencies as CSV and as pages, and a Frictionless Table Schema for each table.

    Before anything has been collected it describes the tables alone.
    """
    from evaluation.stored import STORE

    target = trial.paths.root / "output" / "codebook"
    frames = read_stored_tables(trial) if (trial.paths.store / STORE).exists() else {}
    with export_product_folder(trial, target, about=describe_count_release(trial)) as folder:
        describe(trial, frames, folder, pages=iterate_page_places(trial))
        check_beside_site(trial, target, folder)
    return describe_written_files(target)


def describe(
    trial: TrialFolder,
    frames: Mapping[str, pd.DataFrame],
    folder: Path,
    *,
    pages: Iterable[tuple[str, str]],
    product: str = "",
) -> None:
    """Write codebook and schemas into a folder.

    Parameters
    ----------
    trial
        The trial.
    frames
        Table to its rows of all countries: what is suppressed is decided for all at once.
    folder
        Where.
    pages
        Country ("" for all) and language of each page; the frequencies of the first one's country are in the CSV file.
    product
        Whose rows they are where these are not all that are stored: "export".
    """
    from data_schema.exports import build_table_schema, encode_csv
    from reports.data_pages import Book, codebook_page, codebooks
    from reports.disclosure import Rules
    from reports.documents import Document, write_html

    reports, tables = trial.protocol.reports, trial.tables
    rules = Rules(threshold=reports.disclosure_threshold, dominance=reports.disclosure_dominance)
    wanted = list(pages)
    places = dict.fromkeys(country for country, _ in wanted)
    books = codebooks(tables, frames, rules=rules, countries=places)
    (folder / "codebook.csv").write_bytes(encode_csv(mark_practice_table(trial, books[wanted[0][0]])))
    for country, language in wanted:
        book = Book(
            title=trial.protocol.trial.title,
            tables=tables,
            waves={wave.name: wave.label for wave in trial.protocol.waves},
            countries=trial.protocol.countries,
            frequencies=books[country],
            scales=tuple(measure_scales(trial, frames, rules, country=country)),
            threshold=rules.threshold,
            only=country,
            product=product,
        )
        document = Document(blocks=codebook_page(book, language), practice=trial.is_practice)
        write_html(document, folder / _format_page_name("codebook", country, language), language=language)
    for name, table in tables.items():
        content = (
            json.dumps(mark_practice_values(trial, build_table_schema(table)), indent=2, ensure_ascii=False) + "\n"
        )
        (folder / f"{name}.schema.json").write_bytes(content.encode())


def measure_scales(
    trial: TrialFolder, frames: Mapping[str, pd.DataFrame], rules: Rules, *, country: str = ""
) -> Iterator[ScaleFacts]:
    """Yield the scales that the protocol scores, with their reliability where enough pupils answered.

    Parameters
    ----------
    trial
        The trial.
    frames
        Table to its rows of all countries, as they are stored.
    rules
        Reliability is shown from twice the threshold of pupils or more, wherever they are.
    country
        Country whose pupils are looked at; all when empty.
    """
    from analysis.scales import reliability
    from evaluation.population import find_measure_place, find_reversed_ranges
    from reports.data_pages import ScaleFacts

    tables = trial.tables
    for measure in (*trial.protocol.covariates, *trial.protocol.outcomes):
        if not measure.items:
            continue
        name, wave = find_measure_place(measure, trial.protocol, tables)
        scale_reliability, items = None, list(measure.items)
        if name in frames and set(items) <= set(frames[name]):
            rows = frames[name]
            in_place = (rows["wave"] == wave) & ((rows["country"] == country) if country else True)
            scale_reliability = reliability(
                rows.loc[in_place, items], reverse=find_reversed_ranges(measure, tables[name])
            )
        yield ScaleFacts(
            label=measure.label,
            table=name,
            wave=wave,
            items=measure.items,
            reverse=measure.reverse,
            least_answered=measure.least_answered,
            reliability=scale_reliability
            if scale_reliability is not None and scale_reliability.n_pupils >= 2 * rules.threshold
            else None,
        )


def _format_page_name(name: str, country: str, language: str) -> str:
    return f"{name}{f'.{country}' if country else ''}.{language}.html"


def describe_returns(trial: TrialFolder) -> Returns:
    """Return what is known of a trial's returns.

    Raises
    ------
    DataError
        When nothing has been collected.
    """
    from evaluation.stored import BY_SCHOOL, COMPLETENESS, OPEN, RETURNS
    from reports.data_pages import Returns

    return Returns(
        title=trial.protocol.trial.title,
        tables=trial.tables,
        waves={wave.name: wave.label for wave in trial.protocol.waves},
        countries=trial.protocol.countries,
        by_school=_read(trial, BY_SCHOOL),
        completeness=_read(trial, COMPLETENESS),
        questions=_read(trial, OPEN),
        imports=_read(trial, RETURNS),
        received=_find_reception_dates(trial),
        threshold=trial.protocol.reports.disclosure_threshold,
    )


def _read(trial: TrialFolder, name: str) -> pd.DataFrame:
    import pandas as pd

    from evaluation.stored import get_store_path

    path = get_store_path(trial, name)
    header = pd.read_csv(path, encoding="utf-8-sig", nrows=0).columns
    counted = ("n_", "share_")
    types = {column: "str" for column in header if not column.startswith(counted) and column not in _COUNTS}
    return pd.read_csv(path, encoding="utf-8-sig", dtype=types, keep_default_na=False)


_COUNTS = ("sent", "kept", "asked", "refused")


def _find_reception_dates(trial: TrialFolder) -> dict[str, date]:
    """Return the day since which each file has lain in the inbox as it is, as the disk says."""
    times = {
        name: source_file.lstat().st_mtime if isinstance(source_file, Path) else source_file.modified
        for name, source_file in find_inbox_sources(trial).items()
    }
    return {name: datetime.fromtimestamp(time, tz=UTC).date() for name, time in times.items()}
