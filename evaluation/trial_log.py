"""The trial's log: one file to which lines are only added, each with the hash of the line before.

What a line announces becomes visible after the line is on the disk (`build_log_announcement`): whatever happens to a
run, nothing has been frozen, drawn, taken in or estimated without a trace. An absent log is not an empty one: where
anything is there that comes after a line of it, it is missing, and nothing is added to it or decided without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from data_schema.errors import DesignError, StorageError
from data_schema.files import build_storage_error, write_whole
from evaluation.provenance import announce_in, hash_folder_contents, replace_whole_folder

if TYPE_CHECKING:
    from evaluation.folder import TrialFolder
    from randomisation.log import LogEntry

LOG = "log.jsonl"
"""File in the trial's folder."""


class Event(StrEnum):
    """What happened, in the words of the log."""

    CREATED = "created"
    BEGUN_AGAIN = "begun again"
    PLAN_FROZEN = "plan frozen"
    COMMITTED = "committed"
    DRAWN = "drawn"
    ADOPTED = "adopted"
    ADDED = "added"
    REPLACED = "replaced"
    COLLECTED = "collected"
    FILE_WITHDRAWN = "file withdrawn"
    FILE_RESTORED = "file restored"
    WAVE_FROZEN = "wave frozen"
    WAVE_THAWED = "wave thawed"
    ERASED = "erased"
    ACCEPTED = "loss accepted"
    ESTIMATED = "estimated"
    REPORTED = "reported"
    PUBLISHED = "published"
    WRITTEN = "written"
    AUDITED = "audited"
    SEALED = "sealed"
    OPENED = "opened"
    UNSEALED = "unsealed"
    HANDED_OUT = "handed out"


DRAWS = (Event.DRAWN, Event.ADOPTED)
"""What the log calls a first draw, made here or elsewhere."""

NAMED = (
    *("plan", "allocation", "store", "results", "decisions.jsonl", "balance"),
    *("private/pseudonym.key", "private/key_table.age", "private/recipient.txt", "private/identity.txt"),
    *("private/identity.age", "private/vault.zip", "private/erased.json"),
)
"""What is there only after a line of the log: where one of them is there and the log is not, the log is missing."""

FROZEN_NO_MORE, WITHDRAWN_NO_MORE = "waves_frozen_no_more", "files_withdrawn_no_more"
"""Facts of the first line of a log that was begun again: what the lost one had decided, divided by semicolons."""

FOLDER, FILES_SHA256 = "folder", "files_sha256"
"""Facts of a line about a product: its folder, and the hash of its files."""

LogState = Literal["whole", "begun_again", "empty", "missing", "broken"]

_RESTORE = (
    "Bring it back from a copy; lines are only ever added at its end. If it is lost for good: `crocoos log"
    " --begin-again --reason ...`, and every document will say so."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLog:
    """A trial's log as it was read.

    Parameters
    ----------
    state
        "whole"; "begun_again" where an earlier one is lost for good and the first line says so;
        "empty" where nothing has happened yet; "missing" where something has, and there is no log; "broken"
        where a line cannot be read, or was changed, moved or taken out.
    entries
        Oldest first; of a broken log those before the break.
    problems
        What is wrong, a sentence each; nothing when it is whole or empty.
    """

    state: LogState
    entries: tuple[LogEntry, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether it can be believed and added to."""
        return self.state in ("whole", "begun_again", "empty")

    @property
    def is_complete(self) -> bool:
        """Whether it tells of all that happened in the trial."""
        return self.state in ("whole", "empty")

    @property
    def last_sha256(self) -> str:
        """Hash of the last entry; "" without any. Published elsewhere, it shows that no line was cut off."""
        return self.entries[-1].sha256 if self.entries else ""

    def of(self, *events: Event) -> tuple[LogEntry, ...]:
        """Return the entries of some events, oldest first."""
        return tuple(entry for entry in self.entries if entry.event in events)

    def last(self, *events: Event) -> LogEntry | None:
        """Return the last entry of some events; None without any."""
        matching_entries = self.of(*events)
        return matching_entries[-1] if matching_entries else None

    def naming(self, fact: str, *events: Event) -> LogEntry | None:
        """Return the last entry of some events or, of a log that was begun again, the first one if it has the fact."""
        matching_entries = self.of(*events)
        again = [entry for entry in self.of(Event.BEGUN_AGAIN) if fact in entry.detail]
        return matching_entries[-1] if matching_entries else again[0] if again else None

    def checked(self) -> tuple[LogEntry, ...]:
        """Return the entries of a log that can be believed.

        Raises
        ------
        StorageError
            When it is missing or broken.
        """
        if not self.is_usable:
            raise StorageError(LOG, self.problems[0], _RESTORE)
        return self.entries


def read_log(root: Path) -> TrialLog:
    """Read the log in a trial's folder, and say whether it can be believed.

    Raises
    ------
    StorageError
        When the system refuses to read it.
    """
    path = root / LOG
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return _describe_absent_log(root)
    except IsADirectoryError:
        return TrialLog(state="broken", problems=("a folder is in its place.",))
    except OSError as error:
        raise build_storage_error(path, error) from error
    return _read(content)


def _describe_absent_log(root: Path) -> TrialLog:
    left = next(_iterate_traces(root), "")
    if not left:
        return TrialLog(state="empty")
    problem = f"the log is missing, though {left} is there: nothing shows what happened when."
    return TrialLog(state="missing", problems=(problem,))


def _iterate_traces(root: Path) -> Iterator[str]:
    """Yield what is there only after something has happened in the trial."""
    from data_schema.queries import is_query_workbook

    yield from (name for name in NAMED if (root / name).exists())
    # A folder in which a product is still being made holds nothing that shows.
    yield from (f"output/{path.name}" for path in sorted((root / "output").glob("[!.]*")) if any(path.glob("[!.]*")))
    yield from (path.name for path in sorted(root.glob("log.damaged_*.jsonl")))
    # Questions to schools are made by intake: where an answer lies, data have been taken in.
    for path in sorted((root / "inbox").rglob("*")):
        if path.suffix.casefold() in (".xlsx", ".ods") and path.is_file() and is_query_workbook(path.read_bytes()):
            yield path.relative_to(root).as_posix()


def _read(content: bytes) -> TrialLog:
    from randomisation.log import LogEntry, verify_log

    entries: list[LogEntry] = []
    # Line ends of another system are no change.
    for number, line in enumerate(content.replace(b"\r\n", b"\n").removesuffix(b"\n").split(b"\n"), start=1):
        try:
            entries.append(LogEntry.from_json_line(line.decode("ascii")))
        except (DesignError, UnicodeDecodeError):
            return TrialLog(state="broken", entries=tuple(entries), problems=(f"line {number} cannot be read.",))
    problems = verify_log(entries)
    if problems:
        n_whole = next(n for n in range(len(entries)) if verify_log(entries[: n + 1]))
        return TrialLog(state="broken", entries=tuple(entries[:n_whole]), problems=problems)
    if not content.endswith(b"\n"):
        return TrialLog(state="broken", entries=tuple(entries), problems=("its last line is not whole.",))
    state: LogState = "begun_again" if entries[0].event == Event.BEGUN_AGAIN else "whole"
    return TrialLog(state=state, entries=tuple(entries))


def add_log_event(trial: TrialFolder, event: Event, detail: Mapping[str, str]) -> LogEntry:
    """Add a line, in one step.

    Parameters
    ----------
    trial
        Locked by the caller.
    event
        What happened.
    detail
        Its facts. No names or identifiers of pupils.

    Raises
    ------
    StorageError
        When the log is missing or broken, or cannot be written.
    """
    entries = _add_log_entry(trial, event, detail)
    write_whole(trial.paths.log, _encode_log_entries(entries))
    return entries[-1]


def write_first(trial: TrialFolder, event: Event, detail: Mapping[str, str]) -> LogEntry:
    """Write the first line of a log in place of one that is lost."""
    from randomisation.log import append

    entries = append((), event=str(event), detail=detail, time=trial.clock().isoformat(timespec="seconds"))
    write_whole(trial.paths.log, _encode_log_entries(entries))
    return entries[0]


Detail = Mapping[str, str] | Callable[[Path], Mapping[str, str]]


def build_log_announcement(
    trial: TrialFolder, event: Event, detail: Detail, *, again: bool = True
) -> Callable[[Path], None]:
    """Return what `stage_folder` calls before a new folder takes the place of the old one: it adds a line to the log.

    A run that is killed after the line is in the log leaves the new folder to be put in place by the next one.

    Parameters
    ----------
    trial
        Locked by the caller.
    event
        What happened.
    detail
        Its facts, or what makes them from the new folder.
    again
        Whether a line is added where the last one of this event, about the same product, has the same facts.
    """
    # A log that cannot be added to stops the stage before its work, not after it.
    trial.log().checked()

    def announce(folder: Path) -> None:
        facts = detail(folder) if callable(detail) else detail
        if not again and _find_last_facts(trial, event, facts) == facts:
            return
        entries = _add_log_entry(trial, event, facts)
        announce_in(folder, log=trial.paths.log, line=entries[-1].to_json_line())
        write_whole(trial.paths.log, _encode_log_entries(entries))

    return announce


def _find_last_facts(trial: TrialFolder, event: Event, facts: Mapping[str, str]) -> Mapping[str, str] | None:
    """Return the facts of the last line of an event; where it is about a product, of the last one about the same."""
    lines = (line.detail for line in reversed(trial.log().of(event)))
    return next((detail for detail in lines if detail.get(FOLDER) == facts.get(FOLDER)), None)


def build_product_facts(
    trial: TrialFolder, folder: Path, about: Mapping[str, str] | None = None
) -> Callable[[Path], Mapping[str, str]]:
    """Return what makes the facts of a line about a product from the folder in which it is made, and others."""
    name = folder.relative_to(trial.paths.root).as_posix()
    return lambda new: {FOLDER: name, FILES_SHA256: hash_folder_contents(new), **(about or {})}


@contextmanager
def export_product_folder(
    trial: TrialFolder, folder: Path, *, about: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """Give an empty folder for what leaves the trial, put it in place when it is whole, and name its bytes in the log.

    Parameters
    ----------
    trial
        Locked by the caller.
    folder
        Where the product is to be, below the trial's folder.
    about
        What else the log says of it: of which data it is, and what it rounds to.
    """
    announce = build_log_announcement(trial, Event.WRITTEN, build_product_facts(trial, folder, about), again=False)
    with replace_whole_folder(folder, announce=announce) as new:
        yield new


def _add_log_entry(trial: TrialFolder, event: Event, detail: Mapping[str, str]) -> tuple[LogEntry, ...]:
    from randomisation.log import append

    entries = trial.log().checked()
    return append(entries, event=str(event), detail=detail, time=trial.clock().isoformat(timespec="seconds"))


def _encode_log_entries(entries: tuple[LogEntry, ...]) -> bytes:
    return "".join(f"{entry.to_json_line()}\n" for entry in entries).encode("ascii")
