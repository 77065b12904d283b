"""The command `log`: what happened in the trial, and when."""

from __future__ import annotations

import shlex
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from evaluation.cli.console import Console, count, format_columns
from evaluation.cli.folder import add_folder_argument, open_trial
from evaluation.trial_log import FROZEN_NO_MORE, WITHDRAWN_NO_MORE

if TYPE_CHECKING:
    from evaluation.trial_log import TrialLog
    from randomisation.log import LogEntry

SHOWN = (
    "wave",
    "tables",
    "folder",
    "file",
    "superseded_by",
    "seed",
    "seed_source",
    "withdrawn",
    "chosen",
    "certificate",
    "command",
    "openers",
    "accepted",
    "reason",
    FROZEN_NO_MORE,
    WITHDRAWN_NO_MORE,
)
"""Facts of an entry that are shown as they are."""

HASHES = (
    *("protocol_sha256", "commitment_sha256", "allocation_sha256", "record_sha256", "estimates_sha256"),
    *("data_sha256", "documents_sha256", "site_sha256", "vault_sha256", "files_sha256", "sha256"),
)
"""Of these the first one that an entry has is shown, by its first signs."""

SHORT, WIDTH = 12, 96


@click.command()
@add_folder_argument
@click.option(
    "--begin-again", is_flag=True, help="Begin a log again that is lost for good; every document will say so."
)
@click.option(
    "--accept", is_flag=True, help="Go on though the key of pseudonyms or the list of erased pupils is lost or changed."
)
@click.option("--reason", default="", help="With --begin-again and --accept: what happened.")
def log(folder: Path, *, as_json: bool, begin_again: bool, accept: bool, reason: str) -> None:
    """Print the log of the trial, one line per event.

    Exits with 1 if the log is missing or broken.
    """
    if begin_again and accept:
        raise click.UsageError("--begin-again and --accept are two things: state one, or neither to read the log.")
    if reason and not (begin_again or accept):
        raise click.UsageError("--reason belongs to --begin-again or --accept.")
    trial = open_trial(folder)
    if begin_again:
        trial.begin_log_again(reason=reason)
    if accept:
        trial.accept_loss(reason=reason)
    trial_log = trial.log()
    values = {
        "state": trial_log.state,
        "problems": list(trial_log.problems),
        "last_sha256": trial_log.last_sha256,
        "entries": [_convert_entry_to_values(entry) for entry in trial_log.entries],
    }
    lines = [*_format_log_lines(trial_log), *(_to_decide_again(trial_log.entries[0]) if begin_again else ())]
    Console(as_json=as_json).answer(values, "\n".join(lines))
    if not trial_log.is_usable:
        raise SystemExit(1)


def _to_decide_again(first: LogEntry) -> list[str]:
    """Describe what holds no more since the log was begun again, and how to decide it again."""
    waves = [name for name in first.detail.get(FROZEN_NO_MORE, "").split("; ") if name]
    files = [name for name in first.detail.get(WITHDRAWN_NO_MORE, "").split("; ") if name]
    lines = [
        f"inbox/{file} is not withdrawn any more. To withdraw it again: "
        f"`crocoos withdraw {shlex.quote(file)} --reason TEXT`."
        for file in files
    ]
    lines += [
        f"The wave '{wave}' is not frozen any more. To freeze it again: `crocoos collect`, then "
        f"`crocoos freeze {wave}`."
        for wave in waves
    ]
    return lines or ["No wave was frozen and no file withdrawn, as far as the folder tells."]


def _convert_entry_to_values(entry: LogEntry) -> dict[str, object]:
    return {"sequence": entry.sequence, "time": entry.time, "event": entry.event, "detail": dict(entry.detail)}


def _format_log_lines(found: TrialLog) -> list[str]:
    """Return the entries, those of one day below one date."""
    lines, day = [], ""
    rows = format_columns([[entry.time[11:16], entry.event, _hash(entry)] for entry in found.entries] or [["", "", ""]])
    for entry, row in zip(found.entries, rows.splitlines(), strict=False):
        lines += [entry.time[:10]] if entry.time[:10] != day else []
        day = entry.time[:10]
        lines += [f"  {row}", *_format_entry_facts(entry)]
    problems = [f"Problem: {problem}" for problem in found.problems]
    n_lines = count(len(found.entries), "line", "lines")
    if found.state == "whole":
        problems = [f"{n_lines}, unbroken. Hash of the last one:", found.last_sha256]
    elif found.state == "begun_again":
        since = f"{n_lines} since the log was begun again; the earlier log is lost, and what was in it is not known."
        problems = [since, "Hash of the last one:", found.last_sha256]
    return [*lines, *(problems or ["Nothing has happened yet."])]


def _hash(entry: LogEntry) -> str:
    return next((f"SHA-256 {entry.detail[name][:SHORT]}" for name in HASHES if entry.detail.get(name)), "")


def _format_entry_facts(entry: LogEntry) -> list[str]:
    shown_facts = [(name.replace("_", " "), entry.detail[name]) for name in SHOWN if entry.detail.get(name)]
    fact_lines = [f"{name}: {text}" for name, text in shown_facts]
    indent = " " * 9
    return [
        line
        for text in fact_lines
        for line in wrap(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ")
    ]
