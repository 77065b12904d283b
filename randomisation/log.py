"""The allocation log as values: each entry holds the hash of the one before, so that none can be changed unseen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from data_schema.errors import DesignError
from randomisation.canonical import compute_sha256, format_canonical_json

FIRST = "0" * 64
"""What the first entry holds in place of a hash."""

_RESTORE = "Restore the log from a copy; entries are only ever added at its end."


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One entry.

    Parameters
    ----------
    sequence
        1 for the first.
    time
        When, as ISO 8601 text in UTC.
    event
        What happened, in a word: "drawn", "adopted", "verified".
    detail
        Facts of the event, text to text.
    previous_sha256
        Hash of the entry before; 64 zeros in the first.
    sha256
        Hash of all fields above, written as JSON in ASCII with sorted keys and without spaces.
    """

    sequence: int
    time: str
    event: str
    detail: Mapping[str, str] = field(default_factory=dict)
    previous_sha256: str
    sha256: str

    def to_json_line(self) -> str:
        """Return the entry as one line of JSON, without the line feed."""
        return format_canonical_json({**self._get_hashed_values(), "sha256": self.sha256})

    @classmethod
    def from_json_line(cls, line: str) -> Self:
        """Read what `to_json_line` wrote; raises DesignError for anything else."""
        try:
            values = json.loads(line)
            entry = cls(**values)
        except (ValueError, TypeError) as error:
            raise DesignError("allocation log", f"A line cannot be read ({error}).", _RESTORE) from error
        texts = (entry.time, entry.event, entry.previous_sha256, entry.sha256)
        if not isinstance(entry.detail, dict) or not all(
            isinstance(text, str) for text in (*texts, *entry.detail, *entry.detail.values())
        ):
            raise DesignError("allocation log", "A line holds something that is not text.", _RESTORE)
        if not isinstance(entry.sequence, int):
            raise DesignError("allocation log", "A line is not numbered.", _RESTORE)
        if entry.to_json_line() != line:
            raise DesignError("allocation log", "A line is not written as entries are.", _RESTORE)
        return entry

    def _get_hashed_values(self) -> dict[str, object]:
        return {
            "sequence": self.sequence,
            "time": self.time,
            "event": self.event,
            "detail": dict(self.detail),
            "previous_sha256": self.previous_sha256,
        }

    def expected_sha256(self) -> str:
        """Return the hash that the entry must have."""
        return compute_sha256(format_canonical_json(self._get_hashed_values()).encode())


def append(entries: Sequence[LogEntry], *, event: str, detail: Mapping[str, str], time: str) -> tuple[LogEntry, ...]:
    """Return the entries with one more at the end.

    Examples
    --------
    >>> log = append((), event="drawn", detail={"seed": "2027"}, time="2027-03-01T10:00:00+00:00")
    >>> log = append(log, event="verified", detail={}, time="2027-03-02T10:00:00+00:00")
    >>> log[1].previous_sha256 == log[0].sha256, verify_log(log)
    (True, ())
    """
    blank = LogEntry(
        sequence=len(entries) + 1,
        time=time,
        event=event,
        detail=dict(detail),
        previous_sha256=entries[-1].sha256 if entries else FIRST,
        sha256="",
    )
    entry = LogEntry(**{**blank._get_hashed_values(), "sha256": blank.expected_sha256()})  # type: ignore[arg-type]
    return (*entries, entry)


def verify_log(entries: Sequence[LogEntry], *, last_sha256: str = "") -> tuple[str, ...]:
    """Return what is wrong with a log, one sentence each; nothing when it is whole.

    Parameters
    ----------
    entries
        The log from its first entry.
    last_sha256
        Hash of the last entry if it was published elsewhere: entries cut off at the end show in no other way.
    """
    problems = []
    previous = FIRST
    for place, entry in enumerate(entries, start=1):
        if entry.sequence != place:
            problems.append(f"Entry {place} is numbered {entry.sequence}: an entry was taken out, put in or moved.")
        if entry.previous_sha256 != previous:
            problems.append(f"Entry {place} does not follow on the entry before it.")
        if entry.sha256 != entry.expected_sha256():
            problems.append(f"Entry {place} ('{entry.event}') was changed after it was written.")
        previous = entry.sha256
    if last_sha256 and previous != last_sha256:
        problems.append("The log does not end with the entry that was published as its last.")
    return tuple(problems)
