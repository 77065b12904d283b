"""A trial's folder as its stages see it: where things are, the protocol, the log, the schools."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from data_schema.errors import ProtocolError
from data_schema.files import build_storage_error
from evaluation.drawn import add_later_schools
from evaluation.frame import SchoolsFile, look_at_schools, read_frame
from evaluation.frozen_plan import FROZEN, PlanState, plan_state
from evaluation.guarded_files import Ask, Opened, find_inbox_sources
from evaluation.mode import is_practice
from evaluation.protocol_reader import read_protocol
from evaluation.provenance import convert_fractions_to_text, hash_bytes, hash_file, hash_json_values
from evaluation.specifications import build_tables
from evaluation.trial_log import LOG, TrialLog, read_log
from evaluation.wording import extract_substance

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.findings import Findings
    from data_schema.tables import Table
    from evaluation.protocol import Protocol

T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def get_current_time() -> datetime:
    """Return the time; a trial is given another clock where the time must not matter."""
    return datetime.now(UTC)


def take_no_progress(task: str, done: int, total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, kw_only=True)
class TrialPaths:
    """Where things are in a trial's folder."""

    root: Path

    @property
    def protocol(self) -> Path:
        """The protocol."""
        return self.root / "trial.toml"

    @property
    def log(self) -> Path:
        """The log: what happened, line by line."""
        return self.root / LOG

    @property
    def plan(self) -> Path:
        """The frozen plan."""
        return self.root / "plan"

    @property
    def allocation(self) -> Path:
        """The draw and its record."""
        return self.root / "allocation"

    @property
    def inbox(self) -> Path:
        """Files as schools sent them."""
        return self.root / "inbox"

    @property
    def store(self) -> Path:
        """The trial's database and what intake has to say."""
        return self.root / "store"

    @property
    def private(self) -> Path:
        """The pseudonyms' key and the encrypted key table."""
        return self.root / "private"

    @property
    def balance(self) -> Path:
        """The balance report."""
        return self.root / "balance"

    @property
    def results(self) -> Path:
        """The estimates."""
        return self.root / "results"

    @property
    def reports(self) -> Path:
        """Executed notebooks and the documents made from them."""
        return self.root / "output" / "reports"

    @property
    def power(self) -> Path:
        """What the trial can find."""
        return self.root / "output" / "power"

    @property
    def export(self) -> Path:
        """Data of each country, for its own people."""
        return self.root / "output" / "export"

    @property
    def forms(self) -> Path:
        """Entry workbooks for schools, with identifiers of their pupils."""
        return self.private / "forms"

    @property
    def letters(self) -> Path:
        """The certificate of the draw and the lists for letters to schools."""
        return self.root / "output" / "allocation"

    @property
    def site(self) -> Path:
        """The published site."""
        return self.root / "output" / "site"


def _state_of(path: Path) -> tuple[int, int, int] | None:
    """Return by what a file is known to be the same as before; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


@dataclass(frozen=True)
class TrialFolder:
    """A trial's folder: what stages are given, and take everything from.

    Parameters
    ----------
    folder
        The folder that holds trial.toml.
    clock
        Gives the time that is written into the log and the frozen plan.
    progress
        Told how far a stage is.
    opening
        Asked why what is sealed is opened, and for its openers' secrets; see `evaluation.guarded_files`.
    opened
        What is sealed, while it is open for a run.

    Raises
    ------
    ProtocolError
        When there is no protocol, or it says something impossible.
    """

    folder: str | Path
    clock: Callable[[], datetime] = field(default=get_current_time, kw_only=True)
    progress: Progress = field(default=take_no_progress, kw_only=True)
    opening: Ask | None = field(default=None, kw_only=True, repr=False)
    opened: Opened | None = field(default=None, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        """Open the folder and read the protocol; nothing is changed, for another run may be writing."""
        if not self.paths.root.is_dir():
            raise ProtocolError(
                str(self.folder),
                "there is no such folder.",
                f"Name another, or make it: `crocoos init {shlex.quote(str(self.folder))}`.",
            )
        _ = self.protocol

    @cached_property
    def paths(self) -> TrialPaths:
        """Where things are."""
        return TrialPaths(root=Path(self.folder))

    @cached_property
    def protocol(self) -> Protocol:
        """The protocol, read when the trial was opened."""
        return read_protocol(self.paths.protocol)

    @property
    def is_practice(self) -> bool:
        """Whether the folder is for practice: what is in it is simulated, and everything made from it says so."""
        return self.once("practice", (self.paths.log,), lambda: is_practice(self.paths.root, self.log()))

    @property
    def plan_state(self) -> PlanState:
        """How the protocol stands to the frozen plan."""
        paths = self.paths
        read = partial(plan_state, paths.protocol, paths.plan, self.protocol)
        return self.once("plan", (paths.protocol, paths.plan / FROZEN), read)

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """The tables of the protocol, by name."""
        return build_tables(self.protocol)

    def frozen_protocol(self) -> Protocol:
        """Return the protocol as it was frozen.

        Raises
        ------
        ProtocolError
            When none was, or this version cannot read it.
        """
        path = self.paths.plan / FROZEN
        return self.once("frozen protocol", (path,), lambda: read_protocol(path))

    def once(self, name: str, files: Iterable[Path], read: Callable[[], T]) -> T:
        """Return what is read from files; it is read again only when one of them has become another since.

        Parameters
        ----------
        name
            What is read.
        files
            What it is read from.
        read
            Reads it.
        """
        states = tuple(map(_state_of, files))
        if name not in self._known or self._known[name][0] != states:
            self._known[name] = (states, read())
        return cast("T", self._known[name][1])

    @cached_property
    def _known(self) -> dict[str, tuple[object, object]]:
        return {}

    def snapshot(self) -> TrialFolder:
        """Return the folder as a command takes it: with the protocol of when it was opened, and nothing else read yet.

        What it reads it remembers (`once`) for as long as the command lasts.
        """
        fresh = object.__new__(TrialFolder)
        vars(fresh).update({name: value for name, value in vars(self).items() if name != "_known"})
        return fresh

    def protocol_hashes(self, *sections: str, intake: bool = False) -> dict[str, str]:
        """Return the hash of the substance of sections of the protocol, under the names that `status` shows.

        Wording is left out, see `evaluation.wording`, but for ``intake`` the labels by which it recognises columns and
        answers. What has its default is left out, too, so that a key which a later version adds makes no trial stale.
        """
        stated = self.protocol.model_dump(mode="json", include=set(sections), exclude_defaults=True)
        values = {section: stated.get(section, {}) for section in sections}
        substance = convert_fractions_to_text(extract_substance(values, type(self.protocol), intake=intake))
        return {
            f"trial.toml [{name}]": hash_json_values(value)
            for name, value in cast("Mapping[str, object]", substance).items()
        }

    def file_hash(self, path: Path) -> dict[str, str]:
        """Return the hash of a file under its path in the trial's folder."""
        name = path.relative_to(self.paths.root).as_posix()
        if path == self._schools_path and path.is_file():
            return {name: hash_bytes(self._schools_content())}
        return {name: self.once(f"hash of {name}", (path,), lambda: hash_file(path))}

    def schools(self) -> tuple[pd.DataFrame, Findings]:
        """Read the schools: the sampling frame, and those that came after the draw.

        Returns
        -------
        tuple
            One row per school, and what is odd about the file.

        Raises
        ------
        DataError
            When the file cannot be used.
        """
        frame, findings = self.sampling_frame()
        return add_later_schools(self, frame), findings

    def sampling_frame(self) -> tuple[pd.DataFrame, Findings]:
        """Read the sampling frame alone, from which the schools were first drawn; see `schools`."""
        frame, findings = read_frame(self.schools_file(), self.protocol)
        return frame.copy(), findings

    def schools_file(self) -> SchoolsFile:
        """Return what was found in the file of the sampling frame, whether it can be used or not.

        Raises
        ------
        DataError
            When the file is missing or cannot be read.
        """
        path = self._schools_path
        return self.once("schools", (path,), lambda: self._look_at_schools(path))

    def _look_at_schools(self, path: Path) -> SchoolsFile:
        content = self._schools_content() if path.is_file() else path
        return look_at_schools(content, self.protocol, tables=self.tables, file=path.name)

    @property
    def _schools_path(self) -> Path:
        return self.paths.root / self.protocol.schools.file

    def _schools_content(self) -> bytes:
        path = self._schools_path
        try:
            return self.once("content of schools", (path,), path.read_bytes)
        except OSError as error:
            raise build_storage_error(path, error) from error

    def log(self) -> TrialLog:
        """Return the log: what was frozen, committed to, drawn, taken in, estimated, decided, reported, and when."""
        path = self.paths.log
        # Whether a log that is not there is missed depends on everything else.
        return self.once("log", (path,), lambda: read_log(path.parent)) if path.exists() else read_log(path.parent)

    def inbox_files(self) -> Mapping[str, Path | bytes]:
        """Return everything below inbox/ but folders, by its path there: intake says what it does not read.

        What was sealed is there as its content.

        Raises
        ------
        StorageError
            When it is sealed and not open.
        """
        found = find_inbox_sources(self)
        return {name: one if isinstance(one, Path) else one.content for name, one in found.items()}
