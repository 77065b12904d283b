"""What leaves the store for others: a country's own data; and what is odd in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from data_schema.errors import DataError, ProtocolError
from evaluation.consent import count_without_consent, find_refusing_pupils, find_unanswered_pupils
from evaluation.data_pages import Written, describe_written_files
from evaluation.mode import mark_practice_table
from evaluation.provenance import protect_folder
from evaluation.stages.release import check_beside_site, describe_count_release
from evaluation.stored import read_stored_tables
from evaluation.trial_log import export_product_folder

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.anonymity import Anonymity
    from data_schema.tables import Table
    from evaluation.folder import TrialFolder

_SOURCES = ["source_file", "source_sheet", "source_row"]


def export(trial: TrialFolder, *, country: str, k: int | None = None) -> Written:
    """Write a country's own data, and no other's: pseudonymised, as CSV, Parquet, Stata and SPSS, with a codebook.

    Parameters
    ----------
    trial
        The trial.
    country
        Code of the country.
    k
        How many pupils are to be alike at least in what others may know of them (`data_schema.anonymity`): fields are
        coarsened until they are. The README.md of the export says what k is, whether anything is coarsened or not,
        in the languages of the country and of the reports.

    Raises
    ------
    ProtocolError
        When there is no such country, or k is less than 2.
    DataError
        When nothing has been collected, or the data should have been deleted by now.
    """
    from data_schema.anonymity import ensure_k_anonymity, find_quasi_identifiers, measure_anonymity
    from data_schema.messages import get_language_of_country
    from evaluation.data_pages import describe, iterate_page_places
    from reports.writers.practice import get_practice_words

    if k is not None and k < _LEAST_K:
        raise ProtocolError("--k", f"with k = {k} nobody is alike with another.", f"Give {_LEAST_K} or more.")
    if country not in trial.protocol.countries:
        known = ", ".join(sorted(trial.protocol.countries))
        raise ProtocolError("country", f"'{country}' is no country of this trial.", f"Name one of {known}.")
    until = trial.protocol.privacy.retain_until
    if until and date.fromisoformat(until) < trial.clock().date():
        remedy = "Delete inbox/, store/ and private/, or change the date with those who decide on it."
        raise DataError("[privacy], key 'retain_until'", f"the data were to be kept until {until}.", remedy)
    tables = trial.tables
    held = {**read_stored_tables(trial), "school": trial.schools()[0]}
    stored = _filter_consenting_pupils(trial, held)
    frames = {name: _select_country_rows(frame, country) for name, frame in stored.items()}
    quasi = find_quasi_identifiers(tables, frames)
    anonymity = measure_anonymity(frames, quasi)
    if k is not None:
        frames, anonymity = ensure_k_anonymity(frames, quasi, k=k)
    n_rows = sum(map(len, frames.values()))
    target = trial.paths.export / country
    protect_folder(trial.paths.export)
    with export_product_folder(trial, target, about=describe_count_release(trial)) as folder:
        for name, frame in sorted(frames.items()):
            for kind, content in _encode_table_formats(trial, frame, tables[name]).items():
                (folder / f"{name}.{kind}").write_bytes(content)
        if k is not None:
            (folder / REQUEST).write_text(f'{{"k": {k}}}\n', encoding="utf-8")
        (folder / NOTE).write_text(_describe_export(trial, country, anonymity, wanted=k), encoding="utf-8")
        if trial.is_practice:
            (folder / "SIMULATED.txt").write_text(
                f"{get_practice_words(get_language_of_country(country)).notice}\n", encoding="utf-8"
            )
        shown_frames = {name: _replace_country_rows(frame, frames[name], country) for name, frame in stored.items()}
        pages = [page for page in iterate_page_places(trial) if page[0] == country]
        describe(trial, shown_frames, folder, pages=pages, product="export")
        check_beside_site(trial, target, folder)
    n_withheld = sum(
        len(_select_country_rows(held[name], country)) - len(_select_country_rows(stored[name], country))
        for name in held
    )
    written_files = describe_written_files(
        target, n_rows=n_rows, n_withheld=n_withheld + _count_withheld_rows(trial, country)
    )
    return replace(written_files, anonymity=anonymity)


NOTE = "README.md"
"""File of an export that says what is in it, in the languages of the country and of the reports."""

_LEAST_K = 2

REQUEST = "request.json"
"""File of an export that was made with a k: what was asked for."""


def _describe_export(trial: TrialFolder, country: str, found: Anonymity, *, wanted: int | None) -> str:
    from evaluation.data_pages import iterate_page_places
    from reports.data_pages import ExportNote, export_note

    note = ExportNote(
        title=trial.protocol.trial.title,
        country=country,
        found=found,
        threshold=trial.protocol.reports.disclosure_threshold,
        wanted=wanted,
        tables=trial.tables,
        countries=trial.protocol.countries,
    )
    page_languages = [language for place, language in iterate_page_places(trial) if place == country]
    return export_note(note, [*page_languages, *trial.protocol.reports.languages])


def _encode_table_formats(trial: TrialFolder, frame: pd.DataFrame, table: Table) -> dict[str, bytes]:
    """Return a table in each format, by its suffix."""
    from data_schema.exports import build_table_schema, encode_csv, encode_parquet, encode_spss, encode_stata

    return {
        "csv": encode_csv(mark_practice_table(trial, frame)),
        "parquet": encode_parquet(frame, schema=build_table_schema(table)),
        "dta": encode_stata(frame, table),
        "sav": encode_spss(frame, table),
    }


def _replace_country_rows(stored: pd.DataFrame, given: pd.DataFrame, country: str) -> pd.DataFrame:
    """Return the rows of all countries with those of one as they are given, so that its codebook tells no more."""
    import pandas as pd

    others = stored.loc[stored["country"] != country]
    return pd.concat([others, given], ignore_index=True) if len(others) else given


def _filter_consenting_pupils(trial: TrialFolder, frames: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Leave out the rows of pupils who did not consent, unless the protocol says that it changes nothing."""
    from data_schema.consent import remove_pupils

    if trial.protocol.privacy.refusal == "keep":
        return dict(frames)
    return remove_pupils(frames, find_refusing_pupils(trial, frames) | find_unanswered_pupils(trial, frames))


def _count_withheld_rows(trial: TrialFolder, country: str) -> int:
    """Return how many rows of pupils who did not consent the store of a country was made without."""
    if trial.protocol.privacy.refusal != "exclude":
        return 0
    schools = trial.schools()[0]
    country_schools = set(schools.loc[schools["country"] == country, "school_id"])
    counts = count_without_consent(trial)
    return sum(
        int(counted_rows.loc[counted_rows["school_id"].isin(country_schools), "n_rows"].sum())
        for counted_rows in (counts.refused, counts.unanswered)
    )


def _select_country_rows(frame: pd.DataFrame, country: str) -> pd.DataFrame:
    country_rows = frame.loc[frame["country"] == country]
    return country_rows.drop(columns=[name for name in _SOURCES if name in country_rows]).reset_index(drop=True)


def check_data(trial: TrialFolder, *, by_arm: bool = False) -> pd.DataFrame:
    """Look for what is odd in the stored data and write it to output/checks/checks.csv.

    Parameters
    ----------
    trial
        The trial.
    by_arm
        Whether missing values are compared between the arms too, which may unblind.

    Returns
    -------
    pandas.DataFrame
        As `data_schema.quality.run_high_frequency_checks` returns it.
    """
    from data_schema.exports import encode_csv
    from data_schema.quality import run_high_frequency_checks
    from evaluation.stages.agreement import read_allocation_frame

    arms = None
    if by_arm:
        drawn = read_allocation_frame(trial)
        arms = dict(zip(drawn["school_id"], drawn["arm"], strict=True))
    tables = trial.tables
    check_results = run_high_frequency_checks(
        read_stored_tables(trial), tables=tables, waves=trial.protocol.wave_names, arms=arms
    )
    with export_product_folder(trial, trial.paths.root / "output" / "checks") as folder:
        protect_folder(folder)
        (folder / "checks.csv").write_bytes(encode_csv(mark_practice_table(trial, check_results)))
    return check_results
