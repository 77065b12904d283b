"""A pupil's withdrawn consent: the pupil's data leave the trial, and a certificate says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.errors import DataError, StorageError
from data_schema.files import write_whole
from evaluation.guarded_files import ERASED, FORMS, need_private, trial_key
from evaluation.sealing import seal_without
from evaluation.trial_log import Event, append_event

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.protocol import Protocol
    from evaluation.trial import Trial


IN_FILES = "n_rows_of_erased_in_files"
"""Fact of lines about data: how many rows of erased pupils the files of schools held when the data were taken in."""

FROM_FILES = (
    "To erase them there, too: put the school's corrected file under the same name into inbox/ and run "
    "`crocoos collect`, which takes it in place of the old one. Files that were withdrawn are not read: look whether "
    "they name the pupil."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What was erased.

    Parameters
    ----------
    certificate
        The certificate's file.
    rows
        Table and wave to the rows that were left out.
    inbox
        Files of schools that name the pupil, open or in the vault; they are as they were sent.
    removed
        Folders of derived files that were removed.
    """

    certificate: Path
    rows: dict[str, int]
    inbox: tuple[str, ...]
    removed: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the values as JSON values."""
        return {
            "certificate": str(self.certificate),
            "rows": self.rows,
            "inbox": list(self.inbox),
            "removed": list(self.removed),
        }


def retention_note(protocol: Protocol, today: date) -> str:
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


def tombstones_of(trial: Trial) -> frozenset[str]:
    """Return the marks of the pupils who were erased.

    Raises
    ------
    StorageError
        When the list is damaged: without it an erased pupil would come back.
    """
    return marks_of(trial)[0]


def marks_of(trial: Trial) -> tuple[frozenset[str], dict[str, Begun]]:
    """Return the marks, and by mark the erasures that were begun and have no certificate yet."""
    need_private(trial)
    path = trial.paths.private / ERASED
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        begun = {
            mark: Begun(rows=dict(one["rows"]), inbox=tuple(one["inbox"]))
            for mark, one in values.get("begun", {}).items()
        }
        return frozenset(values["tombstones"]), begun
    except FileNotFoundError:
        return frozenset(), {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = "the list of erased pupils is damaged."
        raise StorageError(f"private/{ERASED}", problem, "Bring it back from a copy.") from error


def _write(trial: Trial, marks: Collection[str], begun: Mapping[str, Begun]) -> None:
    values: dict[str, object] = {"tombstones": sorted(marks)}
    if begun:
        values["begun"] = {mark: {"rows": one.rows, "inbox": list(one.inbox)} for mark, one in sorted(begun.items())}
    content = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    write_whole(trial.paths.private / ERASED, content.encode(), mode=0o600)


def erase(trial: Trial, *, pupil: str, school: str = "") -> Erasure:
    """Erase a pupil: from the store, the key table and the files that were derived from them.

    Parameters
    ----------
    trial
        The trial.
    pupil
        The pupil's pseudonym; or, with ``school``, the identifier that the school uses.
    school
        The pupil's school.

    Raises
    ------
    DataError
        When no data of such a pupil are stored.
    """
    from data_schema.erasure import tombstone
    from data_schema.pseudonyms import pseudonym
    from evaluation.stages.collect import collect

    key = trial_key(trial)
    sought = pseudonym(pupil, key=key, scope=school) if school else pupil
    mark = tombstone(sought, key=key)
    marks, begun = marks_of(trial)
    if mark not in begun:
        _write(trial, marks | {mark}, begun | {mark: _found(trial, sought)})
    collect(trial)
    return complete(trial)[mark]


def announce_erasures(trial: Trial) -> None:
    """Add a line to the log for each erasure that was begun, before the store is made without the pupil."""
    told = {entry.detail["certificate"] for entry in trial.log().checked() if entry.event == Event.ERASED}
    for mark, one in marks_of(trial)[1].items():
        if (name := _certificate_of(mark)) not in told:
            append_event(trial, Event.ERASED, {"certificate": name, "n_rows": str(sum(one.rows.values()))})


def erased_in_files(trial: Trial, counts: pd.DataFrame) -> dict[str, str]:
    """Return how many rows of erased pupils schools' files still hold, for the log; nothing where nobody was erased."""
    return {IN_FILES: str(int(counts["n"].sum()))} if tombstones_of(trial) else {}


def _certificate_of(mark: str) -> str:
    return f"erasure_{mark[:16]}.json"


def _found(trial: Trial, pseudonym: str) -> Begun:
    """Return the rows of a pupil in the store, and the files that they come from."""
    from evaluation.stages.collect import opened_store

    rows: dict[str, int] = {}
    files: set[str] = set()
    with opened_store(trial) as store:
        for table in store.tables:
            frame = store.table(table)
            mine = frame.loc[frame["pupil_id"] == pseudonym] if "pupil_id" in frame else frame.head(0)
            files |= set(mine["source_file"]) if len(mine) else set()
            for wave, n in mine.groupby("wave").size().items() if len(mine) else ():
                rows[f"{table}, {wave}" if wave else table] = int(n)
    if not rows:
        remedy = "Check the identifier and the school; the pupil may have been erased before."
        raise DataError("the store", "no data of such a pupil are stored.", remedy)
    return Begun(rows=rows, inbox=tuple(sorted(files)))


def complete(trial: Trial) -> dict[str, Erasure]:
    """Complete the erasures that were begun, once the store has been made without their pupils.

    Returns
    -------
    dict of str to Erasure
        Mark of the pupil to what was done; empty when nothing was left to do.
    """
    marks, begun = marks_of(trial)
    if not begun:
        return {}
    removed = _removed(trial)
    done = {
        mark: Erasure(
            certificate=_certified(trial, mark, one.rows, removed), rows=one.rows, inbox=one.inbox, removed=removed
        )
        for mark, one in begun.items()
    }
    _write(trial, marks, {})
    return done


def erased_counts(trial: Trial) -> pd.DataFrame:
    """Return how many rows of erased pupils the store was made without.

    Returns
    -------
    pandas.DataFrame
        ``school_id, table, wave, n``; without rows where nobody was erased.
    """
    import pandas as pd

    from data_schema.erasure import ERASED_COLUMNS
    from data_schema.store import Store
    from evaluation.stages.collect import STORE

    with Store.open_read(trial.paths.store / STORE) as store:
        rows = json.loads(store.facts().get("erased", "[]"))
    return pd.DataFrame(rows, columns=list(ERASED_COLUMNS)).astype({"n": "int64"})


def files_note(trial: Trial) -> str:
    """Return what schools' files still hold of erased pupils, by the log; empty where nothing."""
    lines = trial.log().of(Event.COLLECTED) if trial.log().is_usable else ()
    n = int(lines[-1].detail.get(IN_FILES, "0")) if lines else 0
    rows = "1 row" if n == 1 else f"{n} rows"
    return f"Files of schools still hold {rows} of pupils who were erased from the data. {FROM_FILES}" if n else ""


def _removed(trial: Trial) -> tuple[str, ...]:
    """Remove derived files that hold rows of pupils; those with figures only are rebuilt by their stages."""
    gone: list[str] = []
    # Before the certificate says so.
    if seal_without(trial, FORMS):
        gone.append(FORMS.rstrip("/"))
    for folder in (trial.paths.forms, trial.paths.export):
        if folder.exists():
            shutil.rmtree(folder)
            gone.append(folder.relative_to(trial.paths.root).as_posix())
    return tuple(dict.fromkeys(gone))


def _certified(trial: Trial, mark: str, rows: dict[str, int], removed: tuple[str, ...]) -> Path:
    """Write what was done, without a word that leads to the pupil."""
    stale = [status.stage for status in trial.status() if status.state == "stale"]
    values = {
        "erased": trial.clock().isoformat(timespec="seconds"),
        "trial": trial.protocol.trial.title,
        "mark": mark,
        "rows": rows,
        "store": "rebuilt without the pupil",
        "key table": "rebuilt without the pupil",
        "removed": list(removed),
        "to be run again": stale,
        "left": f"The files that schools sent name the pupil and are as they were sent. {FROM_FILES}",
    }
    path = trial.paths.private / "certificates" / _certificate_of(mark)
    write_whole(path, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode(), mode=0o600)
    return path
