"""What the command line shows: text for people, JSON for programs, progress for those who wait."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

_PRACTICE = "crocoos.practice"


def remember_mode(*, practice: bool) -> None:
    """Keep for the answer of this call whether its trial is for practice."""
    click.get_current_context().meta[_PRACTICE] = practice


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Where a command's answer goes.

    Parameters
    ----------
    as_json
        Whether the answer is JSON on standard output and nothing else.
    """

    as_json: bool

    def answer(self, values: Mapping[str, object], text: str) -> None:
        """Show an answer: the values as JSON, or the text; of a practice trial both say that it is one."""
        practice = click.get_current_context().meta[_PRACTICE]  # whoever answers has opened a trial, and said so
        if self.as_json:
            click.echo(json.dumps({**values, "practice": practice}, indent=2, ensure_ascii=False))
            return
        click.echo(f"[{_practice_mark()}]\n{text}" if practice else text)


def _practice_mark() -> str:
    from reports.writers.practice import practice_words

    return practice_words("en").mark


class ProgressLine:
    """A line that says how far a stage is: only on a terminal, only after half a second.

    Called as `evaluation.trial.Progress`.
    """

    def __init__(self, *, shown: bool | None = None) -> None:
        self._shown = sys.stderr.isatty() if shown is None else shown
        self._began = time.monotonic()
        self._last = ""

    def __call__(self, task: str, done: int, total: int) -> None:
        """Show what is being done, how much of it is done and how much there is."""
        if not self._shown:
            return
        if done >= total:
            self.clear()
        elif time.monotonic() - self._began > 0.5:
            share = f"{done} of {total}" if total > 1 else ""
            line = f"{task} {share}"[:100]
            sys.stderr.write(f"\r\x1b[2K{line}")
            sys.stderr.flush()
            self._last = line

    def clear(self) -> None:
        """Take the line away."""
        if self._last:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._last = ""


def table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Return rows as columns that line up, the first row being the head; ``right`` columns are set to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def count(n: int, one: str, many: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> count(1, "question", "questions")
    '1 question'
    """
    return f"{n:,} {one if n == 1 else many}"
