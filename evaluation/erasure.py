"""The list of erased pupils: whom it keeps out of the data, and which erasures were begun; `stages.decide` erases."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from data_schema.errors import StorageError
from data_schema.files import write_whole
from evaluation.guarded_files import ERASED, require_private_folder
from evaluation.trial_log import Event, add_log_event

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.folder import TrialFolder
    from evaluation.protocol import Protocol


IN_FILES = "n_rows_of_erased_in_files"
"""Fact of lines about data: how many rows of erased pupils the files of schools held when the data were taken in."""

FROM_FILES = (
    "To erase them there, too: put the school's corrected file under the same name into inbox/ and run "
    "`crocoos collect`, which takes it in place of the old one. Files that were withdrawn are not read: look whether "
    "they name the pupil."
)


def describe_retention(protocol: Protocol, today: date) -> str:
    """Return what the protocol's date of retention means today; empty where it states none."""
    text = protocol.privacy.retain_until
    if not text:
        return ""
    left = (date.fromisoformat(text) - today).days
    if left < 0:
        return f"The data were to be kept until {text}: delete inbox/, store/ and private/, or change [privacy]."
    return f"The data are kept until {text}." if left > 90 else f"The data are kept until {text}: {left} days are left."


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What an erasure takes out, written down before anything is: a run that is killed is completed by the next one."""

    rows: dict[str, int]
    inbox: tuple[str, ...]


def read_tombstones(trial: TrialFolder) -> frozenset[str]:
    """Return the marks of the pupils who were erased.

    Raises
    ------
    StorageError
        When the list is damaged: without it an erased pupil would come back.
    """
    return read_erasure_marks(trial)[0]


def read_erasure_marks(trial: TrialFolder) -> tuple[frozenset[str], dict[str, Begun]]:
    """Return the marks, and by mark the erasures that were begun and have no certificate yet."""
    require_private_folder(trial)
    path = trial.paths.private / ERASED
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        begun = {
            mark: Begun(rows=dict(begun_values["rows"]), inbox=tuple(begun_values["inbox"]))
            for mark, begun_values in values.get("begun", {}).items()
        }
        return frozenset(values["tombstones"]), begun
    except FileNotFoundError:
        return frozenset(), {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = "the list of erased pupils is damaged."
        raise StorageError(f"private/{ERASED}", problem, "Bring it back from a copy.") from error


def write_marks(trial: TrialFolder, marks: Collection[str], begun: Mapping[str, Begun]) -> None:
    """Write the list of erased pupils, and which erasures were begun."""
    values: dict[str, object] = {"tombstones": sorted(marks)}
    if begun:
        values["begun"] = {mark: {"rows": one.rows, "inbox": list(one.inbox)} for mark, one in sorted(begun.items())}
    content = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    write_whole(trial.paths.private / ERASED, content.encode(), mode=0o600)


def announce_erasures(trial: TrialFolder) -> None:
    """Add a line to the log for each erasure that was begun, before the store is made without the pupil."""
    announced_certificates = {
        entry.detail["certificate"] for entry in trial.log().checked() if entry.event == Event.ERASED
    }
    for mark, begun_erasure in read_erasure_marks(trial)[1].items():
        if (name := certificate_of(mark)) not in announced_certificates:
            add_log_event(trial, Event.ERASED, {"certificate": name, "n_rows": str(sum(begun_erasure.rows.values()))})


def count_erased_rows_in_files(trial: TrialFolder, counts: pd.DataFrame) -> dict[str, str]:
    """Return how many rows of erased pupils schools' files still hold, for the log; nothing where nobody was erased."""
    return {IN_FILES: str(int(counts["n"].sum()))} if read_tombstones(trial) else {}


def certificate_of(mark: str) -> str:
    """Return the name of the file of an erasure's certificate."""
    return f"erasure_{mark[:16]}.json"


def read_erased_counts(trial: TrialFolder) -> pd.DataFrame:
    """Return how many rows of erased pupils the store was made without.

    Returns
    -------
    pandas.DataFrame
        ``school_id, table, wave, n``; without rows where nobody was erased.
    """
    import pandas as pd

    from data_schema.erasure import ERASED_COLUMNS
    from data_schema.store import Store
    from evaluation.stored import STORE

    with Store.open_read(trial.paths.store / STORE) as store:
        rows = json.loads(store.facts().get("erased", "[]"))
    return pd.DataFrame(rows, columns=list(ERASED_COLUMNS)).astype({"n": "int64"})


def describe_erased_in_files(trial: TrialFolder) -> str:
    """Return what schools' files still hold of erased pupils, by the log; empty where nothing."""
    lines = trial.log().of(Event.COLLECTED) if trial.log().is_usable else ()
    n = int(lines[-1].detail.get(IN_FILES, "0")) if lines else 0
    rows = "1 row" if n == 1 else f"{n} rows"
    return f"Files of schools still hold {rows} of pupils who were erased from the data. {FROM_FILES}" if n else ""
