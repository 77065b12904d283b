"""Pages about the data, for the trial's staff and for each country's partner: returns."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from data_schema.errors import DataError
from evaluation.data_products import Written
from evaluation.specifications import tables_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from evaluation.trial import Trial
    from reports.data_pages import Returns


def write_returns(trial: Trial) -> Written:
    """Write the page of returns: of all countries in the reports' languages, and of each country in its own.

    Raises
    ------
    DataError
        When nothing has been collected.
    """
    from dataclasses import replace

    from reports.data_pages import returns_page
    from reports.documents import Document, write_html

    known = returns_of(trial)
    folder = trial.paths.root / "output" / "returns"
    files = []
    for country, language in pages_of(trial):
        files.append(folder / f"returns{f'.{country}' if country else ''}.{language}.html")
        blocks = returns_page(replace(known, only=country), language)
        write_html(Document(blocks=blocks), files[-1], language=language)
    return Written(folder=folder, files=tuple(files))


def pages_of(trial: Trial) -> Iterator[tuple[str, str]]:
    """Yield country ("" for all) and language of each page: Serbian in both scripts."""
    from data_schema.messages import language_of

    wanted: list[tuple[str, str]] = [("", language) for language in trial.protocol.reports.languages]
    wanted += [(country, language_of(country)) for country in trial.protocol.countries]
    for country, language in wanted:
        yield country, language
        if language == "sr" and (country, "sr-Latn") not in wanted:
            yield country, "sr-Latn"


def returns_of(trial: Trial) -> Returns:
    """Return what is known of a trial's returns.

    Raises
    ------
    DataError
        When nothing has been collected.
    """
    from evaluation.stages.collect import BY_SCHOOL, COMPLETENESS, OPEN, RETURNS
    from reports.data_pages import Returns

    return Returns(
        title=trial.protocol.trial.title,
        tables=tables_of(trial.protocol),
        waves={wave.name: wave.label for wave in trial.protocol.waves},
        countries=trial.protocol.countries,
        by_school=_read(trial, BY_SCHOOL),
        completeness=_read(trial, COMPLETENESS),
        questions=_read(trial, OPEN),
        imports=_read(trial, RETURNS),
        received=_received(trial),
    )


def _read(trial: Trial, name: str) -> pd.DataFrame:
    import pandas as pd

    path = trial.paths.store / name
    if not path.exists():
        raise DataError("store/", "nothing has been collected.", "Run `crocoos collect` first.")
    header = pd.read_csv(path, encoding="utf-8-sig", nrows=0).columns
    counted = ("n_", "share_")
    types = {one: "str" for one in header if not one.startswith(counted) and one not in _COUNTS}
    return pd.read_csv(path, encoding="utf-8-sig", dtype=types, keep_default_na=False)


_COUNTS = ("sent", "kept", "asked", "refused")


def _received(trial: Trial) -> dict[str, date]:
    """Return the day since which each file has lain in the inbox as it is, as the disk says."""
    files = trial.inbox_files().items()
    return {name: datetime.fromtimestamp(path.stat().st_mtime, tz=UTC).date() for name, path in files}
