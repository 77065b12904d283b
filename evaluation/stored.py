"""What was collected and estimated, as it lies in store/ and results/: the names of the files, and reading them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from data_schema.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from data_schema.store import Store
    from evaluation.folder import TrialFolder

STORE, CONTENT, QUESTIONS, REPAIRS, RETURNS = (
    "trial.duckdb",
    "content.json",
    "questions.csv",
    "repairs.csv",
    "returns.csv",
)


FILES, WAVES = "files.json", "waves.json"


ANSWERS, QUERIES, LINKS = "answers.csv", "queries", "links.csv"


BY_SCHOOL, COMPLETENESS, OPEN = "returns_by_school.csv", "completeness.csv", "open_questions.csv"


ESTIMATES, FLOW, IMPLEMENTATION, COSTS = "estimates.csv", "flow.csv", "implementation.csv", "costs.csv"


SIGNALS_EVALUATED = "signals.csv"


ADJUSTMENT = "adjustment.csv"
"""What covariates do to the primary estimate."""


EQUIVALENCE = "baseline_equivalence.csv"
"""How alike the arms were at baseline among the pupils who have each outcome."""


@contextmanager
def open_store(trial: TrialFolder) -> Iterator[Store]:
    """Give what has been collected, to be read.

    Raises
    ------
    DataError
        When nothing has been collected.
    """
    from data_schema.store import Store

    with Store.open_read(get_store_path(trial, STORE)) as store:
        yield store


def get_store_path(trial: TrialFolder, name: str) -> Path:
    """Return where a file of the store is.

    Raises
    ------
    DataError
        When nothing has been collected.
    """
    path = trial.paths.store / name
    if not path.exists():
        raise DataError("store/", "nothing has been collected.", "Run `crocoos collect` first.")
    return path


def read_stored_frames(
    trial: TrialFolder, wanted: Mapping[tuple[str, str], object]
) -> dict[tuple[str, str], pd.DataFrame]:
    """Return tables and waves from the store.

    Raises
    ------
    DataError
        When nothing has been collected.
    """
    with open_store(trial) as store:
        return {(table, wave): store.table(table, wave=wave or None) for table, wave in wanted}


def read_stored_tables(trial: TrialFolder) -> dict[str, pd.DataFrame]:
    """Return every table of the store, by name.

    Raises
    ------
    DataError
        When nothing has been collected.
    """
    with open_store(trial) as store:
        return {name: store.table(name) for name in store.tables}
