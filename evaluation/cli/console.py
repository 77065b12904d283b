"""What the command line shows: text for people, JSON for programs, progress for those who wait."""

from __future__ import annotations

import json
import math
import sys
import time
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

_PRACTICE = "crocoos.practice"
_LAID_OUT = "\n\t"


class Legible(str):
    """A text in which a terminal obeys nothing but the colours of `painted`."""

    __slots__ = ()


def escape_control_signs(text: str) -> Legible:
    r"""Return a text without signs that a terminal obeys instead of showing them.

    Texts come from protocols, files and their names. Control signs, those that turn the direction of writing, and
    halves of signs become a backslash and a number; line ends and tabs, which lay an answer out, stay.

    Examples
    --------
    >>> print(escape_control_signs("A trial\x1b[2J"))
    A trial\u001b[2J
    """
    if isinstance(text, Legible):
        return text
    return Legible("".join(sign if sign in _LAID_OUT or _is_shown(sign) else _escape_sign(sign) for sign in text))


def format_in_colour(text: str, *, colour: str, bold: bool | None = None) -> Legible:
    """Return a text in a colour; in none where its name is empty."""
    return (
        Legible(click.style(escape_control_signs(text), fg=colour, bold=bold)) if colour else escape_control_signs(text)
    )


def join_texts(separator: str, texts: Iterable[str]) -> Legible:
    """Join texts, those that are painted among them."""
    return Legible(separator.join(map(escape_control_signs, texts)))


def _escape_sign(sign: str) -> str:
    return f"\\u{ord(sign):04x}" if sign.isascii() else json.dumps(sign)[1:-1]


def _is_shown(sign: str) -> bool:
    return sign.isprintable() or unicodedata.category(sign) == "Zs"


def print_text(text: str, *, err: bool = False) -> None:
    """Show a text on the terminal; everything that a command says goes through here."""
    click.echo(escape_control_signs(text), err=err)


def print_error(text: str) -> None:
    """Show an error."""
    print_text(join_texts(": ", (format_in_colour("Error", colour="red", bold=True), text)), err=True)


def keep_practice_mode(*, practice: bool) -> None:
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
            # A backslash and a number is how JSON itself writes such a sign.
            print_text(json.dumps({**values, "practice": practice}, indent=2, ensure_ascii=False))
            return
        print_text(join_texts("\n", (f"[{_get_practice_mark()}]", text)) if practice else text)


def _get_practice_mark() -> str:
    from reports.writers.practice import get_practice_words

    return get_practice_words("en").mark


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
            line = escape_control_signs(f"{task} {share}"[:100])
            sys.stderr.write(f"\r\x1b[2K{line}")
            sys.stderr.flush()
            self._last = line

    def clear(self) -> None:
        """Take the line away."""
        if self._last:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._last = ""


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows for JSON, which has no word for a number that is none or infinite: it is null."""
    return [
        {
            str(name): None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()
        }
        for row in frame.astype(object).to_dict("records")
    ]


def format_columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
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
