"""What people decided about files and waves: files that were withdrawn, waves that were frozen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from data_schema.findings import Finding
from data_schema.store import content_hash

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Which files and which contents are kept out.

    Parameters
    ----------
    withdrawn
        File below the inbox, or file in a zipped folder, to the file that takes its place; "" where none does.
    frozen
        Wave to the hashes of the files that were there when it was frozen; other files change nothing in it.
    """

    withdrawn: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    frozen: Mapping[str, Collection[str]] = field(default_factory=lambda: MappingProxyType({}))

    def to_dict(self) -> dict[str, object]:
        """Return what was decided as JSON values; empty where nothing was."""
        frozen = {wave: sorted(files) for wave, files in self.frozen.items()}
        return {name: value for name, value in (("withdrawn", dict(self.withdrawn)), ("frozen", frozen)) if value}

    def is_withdrawn(self, file: str) -> bool:
        """Whether a file, or the zipped folder that it is in, was withdrawn."""
        return self._find_withdrawn_path(file) is not None

    def is_silenced(self, finding: Finding) -> bool:
        """Whether a finding is about a file that was withdrawn, and need not be settled any more."""
        return self.is_withdrawn(finding.file) and "was withdrawn" not in finding.problem

    def is_late(self, wave: str, sha256: str) -> bool:
        """Whether a content came after a wave had been frozen."""
        return wave in self.frozen and sha256 not in self.frozen[wave]

    def kept_out(self, *, file: str, sheet: str, wave: str, sha256: str, files: Collection[str]) -> Finding | None:
        """Describe why the rows of a sheet are kept out; None where they are not.

        Parameters
        ----------
        file, sheet
            Where they are.
        wave
            The wave that they are about.
        sha256
            Hash of the file's content.
        files
            The files of the inbox.
        """
        name = self._find_withdrawn_path(file)
        if name is not None:
            by = self.withdrawn[name]
            if by and by not in files:
                problem = f"It was withdrawn and {by} was to take its place, which is not there; its rows are kept out."
                return Finding(file=file, sheet=sheet, problem=problem, remedy=f"Put {by} there.", severity="refused")
            problem = "It was withdrawn; its rows are kept out."
            if by:
                problem = f"It was withdrawn, and {by} takes its place; its rows are kept out."
            return Finding(file=file, sheet=sheet, problem=problem, remedy="Nothing.", severity="note")
        if self.is_late(wave, sha256):
            problem = f"The wave {wave!r} was frozen before this file came; its rows are kept out."
            remedy = f"Nothing; or thaw the wave with a reason: `crocoos freeze {wave} --thaw --reason TEXT`."
            return Finding(file=file, sheet=sheet, problem=problem, remedy=remedy, severity="refused")
        return None

    def _find_withdrawn_path(self, file: str) -> str | None:
        parts = file.split("/")
        names = ("/".join(parts[: k + 1]) for k in range(len(parts)))
        return next((name for name in names if name in self.withdrawn), None)


NO_DECISIONS = Decisions()


def compute_wave_hashes(frames: Mapping[str, pd.DataFrame], wave: str) -> dict[str, str]:
    """Hash the data of a wave, school by school.

    Parameters
    ----------
    frames
        Table to its rows, pseudonymised.
    wave
        Name of the wave.

    Returns
    -------
    dict of str to str
        School to the SHA-256 of its rows in all tables, as `content_hash` makes it. Fields without any value in the
        wave are left out, so that one that is declared later changes nothing.
    """
    pieces: dict[str, dict[str, pd.DataFrame]] = {}
    for name, frame in frames.items():
        wave_rows = frame.loc[frame["wave"] == wave]
        known = wave_rows.dropna(axis="columns", how="all")
        for school, rows in known.groupby("school_id", sort=True) if len(wave_rows) else ():
            pieces.setdefault(str(school), {})[name] = rows
    return {school: content_hash(tables) for school, tables in sorted(pieces.items())}


def hash_of_schools(hashes: Mapping[str, str]) -> str:
    """Return one hash of the hashes of schools."""
    return hashlib.sha256(json.dumps(dict(sorted(hashes.items()))).encode()).hexdigest()
