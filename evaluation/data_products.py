"""What leaves the store for others: a country's own data; and what is odd in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from data_schema.errors import DataError, ProtocolError
from evaluation.consent import consent_counts, refused_of, unanswered_of
from evaluation.data_pages import Written, written
from evaluation.mode import marked
from evaluation.provenance import ignore_itself
from evaluation.stages.release import about_counts, check_beside_site
from evaluation.stored import stored_tables
from evaluation.trial_log import product_folder

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
    from data_schema.anonymity import anonymity_of, coarsened, quasi_identifiers
    from data_schema.messages import language_of
    from evaluation.data_pages import describe, pages_of
    from reports.writers.practice import practice_words

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
    held = {**stored_tables(trial), "school": trial.schools()[0]}
    stored = _with_consent(trial, held)
    frames = {name: _of(frame, country) for name, frame in stored.items()}
    quasi = quasi_identifiers(tables, frames)
    found = anonymity_of(frames, quasi)
    if k is not None:
        frames, found = coarsened(frames, quasi, k=k)
    n_rows = sum(map(len, frames.values()))
    target = trial.paths.export / country
    ignore_itself(trial.paths.export)
    with product_folder(trial, target, about=about_counts(trial)) as folder:
        for name, frame in sorted(frames.items()):
            for kind, content in _contents(trial, frame, tables[name]).items():
                (folder / f"{name}.{kind}").write_bytes(content)
        if k is not None:
            (folder / REQUEST).write_text(f'{{"k": {k}}}\n', encoding="utf-8")
        (folder / NOTE).write_text(_note(trial, country, found, wanted=k), encoding="utf-8")
        if trial.is_practice:
            (folder / "SIMULATED.txt").write_text(f"{practice_words(language_of(country)).notice}\n", encoding="utf-8")
        told = {name: _with_country(frame, frames[name], country) for name, frame in stored.items()}
        pages = [page for page in pages_of(trial) if page[0] == country]
        describe(trial, told, folder, pages=pages, product="export")
        check_beside_site(trial, target, folder)
    n_withheld = sum(len(_of(held[name], country)) - len(_of(stored[name], country)) for name in held)
    made = written(target, n_rows=n_rows, n_withheld=n_withheld + _kept_out(trial, country))
    return replace(made, anonymity=found)


NOTE = "README.md"
"""File of an export that says what is in it, in the languages of the country and of the reports."""

_LEAST_K = 2

REQUEST = "request.json"
"""File of an export that was made with a k: what was asked for."""


def _note(trial: TrialFolder, country: str, found: Anonymity, *, wanted: int | None) -> str:
    from evaluation.data_pages import pages_of
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
    own = [language for place, language in pages_of(trial) if place == country]
    return export_note(note, [*own, *trial.protocol.reports.languages])


def _contents(trial: TrialFolder, frame: pd.DataFrame, table: Table) -> dict[str, bytes]:
    """Return a table in each format, by its suffix."""
    from data_schema.exports import csv_bytes, parquet_bytes, spss_bytes, stata_bytes
    from data_schema.table_schema import table_schema

    return {
        "csv": csv_bytes(marked(trial, frame)),
        "parquet": parquet_bytes(frame, schema=table_schema(table)),
        "dta": stata_bytes(frame, table),
        "sav": spss_bytes(frame, table),
    }


def _with_country(stored: pd.DataFrame, given: pd.DataFrame, country: str) -> pd.DataFrame:
    """Return the rows of all countries with those of one as they are given, so that its codebook tells no more."""
    import pandas as pd

    others = stored.loc[stored["country"] != country]
    return pd.concat([others, given], ignore_index=True) if len(others) else given


def _with_consent(trial: TrialFolder, frames: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Leave out the rows of pupils who did not consent, unless the protocol says that it changes nothing."""
    from data_schema.consent import without_pupils

    if trial.protocol.privacy.refusal == "keep":
        return dict(frames)
    return without_pupils(frames, refused_of(trial, frames) | unanswered_of(trial, frames))


def _kept_out(trial: TrialFolder, country: str) -> int:
    """Return how many rows of pupils who did not consent the store of a country was made without."""
    if trial.protocol.privacy.refusal != "exclude":
        return 0
    schools = trial.schools()[0]
    mine = set(schools.loc[schools["country"] == country, "school_id"])
    counts = consent_counts(trial)
    return sum(int(one.loc[one["school_id"].isin(mine), "n_rows"].sum()) for one in (counts.refused, counts.unanswered))


def _of(frame: pd.DataFrame, country: str) -> pd.DataFrame:
    mine = frame.loc[frame["country"] == country]
    return mine.drop(columns=[name for name in _SOURCES if name in mine]).reset_index(drop=True)


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
        As `data_schema.quality.high_frequency_checks` returns it.
    """
    from data_schema.exports import csv_bytes
    from data_schema.quality import high_frequency_checks
    from evaluation.stages.agreement import allocation_frame

    arms = None
    if by_arm:
        drawn = allocation_frame(trial)
        arms = dict(zip(drawn["school_id"], drawn["arm"], strict=True))
    tables = trial.tables
    found = high_frequency_checks(stored_tables(trial), tables=tables, waves=trial.protocol.wave_names, arms=arms)
    with product_folder(trial, trial.paths.root / "output" / "checks") as folder:
        ignore_itself(folder)
        (folder / "checks.csv").write_bytes(csv_bytes(marked(trial, found)))
    return found
