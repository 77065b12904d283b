"""What the log names by its hash, and what of that is not in the folder as it was named.

A file that was edited together with the record of its stage looks fresh; its hash is not the one that the log has.
Plan, draw, data, results, documents, site and every other product are compared in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_schema.errors import StorageError
from evaluation.drawn import RECORD
from evaluation.frozen_plan import FROZEN
from evaluation.provenance import hash_file, hash_folder_contents, hash_stage_outputs
from evaluation.stored import CONTENT, ESTIMATES
from evaluation.trial_log import DRAWS, FILES_SHA256, FOLDER, LOG, Event

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation.folder import TrialFolder, TrialPaths
    from randomisation.log import LogEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Something in the folder beside the last line of the log about it.

    Parameters
    ----------
    place
        Where it is, below the trial's folder.
    found
        Its hash now; "" where it is not there.
    line
        The last line about it; None without one.
    fact
        The fact of the line that has the hash.
    command
        The command that makes it again; "" where nothing does.
    gone
        What is said where it is not there any more, such as "The plan"; "" where it is made again.
    """

    place: str
    found: str
    line: LogEntry | None
    fact: str
    command: str = ""
    gone: str = ""

    @property
    def problem(self) -> str:
        """A sentence that says how folder and log differ; "" where they agree."""
        if self.line is None:
            return f"What is in {self.place} is not named by any line of {LOG}." if self.found else ""
        line = f"line {self.line.sequence} of {LOG} names ({self.line.event}, {self.line.time})"
        if not self.found:
            return f"{self.gone} that {line} is gone." if self.gone else ""
        return "" if self.found == self.line.detail.get(self.fact) else f"What is in {self.place} is not what {line}."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """What a stage writes, and which lines of the log name it."""

    place: str
    fact: str
    events: tuple[Event, ...]
    found: Callable[[TrialPaths], str]
    command: str = ""
    gone: str = ""


def _hash_named_file(path: Path) -> str:
    """Return the hash of a file; "" where there is none, "unreadable" where the system refuses to read it."""
    try:
        return hash_file(path)
    except StorageError:
        return "unreadable"


def _read_json_text(path: Path, name: str) -> str:
    """Return a text of a JSON file; "" where there is no such file, "unreadable" where it cannot be read."""
    try:
        return str(json.loads(path.read_bytes())[name])
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError):
        return "unreadable"


_RULES = (
    _Rule(
        place="plan/",
        fact="protocol_sha256",
        events=(Event.PLAN_FROZEN,),
        found=lambda paths: _hash_named_file(paths.plan / FROZEN),
        gone="The plan",
    ),
    _Rule(
        place="allocation/",
        fact="allocation_sha256",
        events=DRAWS,
        found=lambda paths: _read_json_text(paths.allocation / RECORD, "allocation_sha256"),
        gone="The draw",
    ),
    _Rule(
        place="store/",
        fact="data_sha256",
        events=(Event.COLLECTED,),
        found=lambda paths: _read_json_text(paths.store / CONTENT, "sha256"),
        command="collect",
    ),
    _Rule(
        place=f"results/{ESTIMATES}",
        fact="estimates_sha256",
        events=(Event.ESTIMATED,),
        found=lambda paths: _hash_named_file(paths.results / ESTIMATES),
        command="impact",
    ),
    _Rule(
        place="results/",
        fact="results_sha256",
        events=(Event.ESTIMATED,),
        found=lambda paths: hash_stage_outputs(paths.results),
        command="impact",
    ),
    _Rule(
        place="output/reports/",
        fact="documents_sha256",
        events=(Event.REPORTED,),
        found=lambda paths: hash_stage_outputs(paths.reports),
        command="report",
    ),
    _Rule(
        place="output/site/",
        fact="site_sha256",
        events=(Event.PUBLISHED,),
        found=lambda paths: hash_stage_outputs(paths.site),
        command="publish",
    ),
)

_OUTPUT = "output/"


def compute_stage_hashes(trial: TrialFolder) -> dict[str, str]:
    """Return the hash of what each stage wrote, as it is now, by the fact of the log; "" for what is not there."""
    return {rule.fact: rule.found(trial.paths) for rule in _RULES}


def iterate_named_in_log(trial: TrialFolder) -> Iterator[Named]:
    """Yield everything that the log names, or should; nothing where it is missing or broken."""
    log = trial.log()
    if not log.is_usable:
        return
    for rule in _RULES:
        line = log.naming(rule.fact, *rule.events)
        current_hash = rule.found(trial.paths)
        command, gone = rule.command, rule.gone
        yield Named(place=rule.place, found=current_hash, line=line, fact=rule.fact, command=command, gone=gone)
    lines = {line.detail[FOLDER]: line for line in log.of(Event.WRITTEN)}
    # What an earlier log named, nobody knows.
    others = _iterate_product_folders(trial) if log.state == "whole" else ()
    for name in dict.fromkeys((*sorted(lines), *others)):
        current_hash = hash_folder_contents(trial.paths.root / name)
        line, command = lines.get(name), _find_product_command(name)
        yield Named(place=f"{name}/", found=current_hash, line=line, fact=FILES_SHA256, command=command)


_COMMANDS = {"allocation": "certificate", "export": "export {}", "forms": "forms --wave {}"}
"""Folder of a product, below output/, to what makes it, where that has another name."""


def _find_product_command(folder: str) -> str:
    """Return what makes a product anew."""
    kind, _, part = folder.removeprefix(_OUTPUT).partition("/")
    return _COMMANDS.get(kind, kind).format(part)


def _iterate_product_folders(trial: TrialFolder) -> Iterator[str]:
    """Yield the folders that are written as a whole, other than those of stages with a line of their own."""
    paths = trial.paths
    yield paths.balance.name
    within = {paths.export.name, "forms"}
    for path in sorted((paths.root / "output").glob("[!.]*/")):
        if path not in (paths.reports, paths.site):
            parts = sorted(path.glob("[!.]*/")) if path.name in within else [path]
            yield from (part.relative_to(paths.root).as_posix() for part in parts)


def find_log_disagreements(trial: TrialFolder) -> Iterator[str]:
    """Yield where what documents rest on is not what the log names: plan, draw, data, results, balance.

    What is not in the folder any more disagrees where nothing makes it anew: the plan and the draw. A log that is
    missing or broken is not compared.
    """
    named = (named_item for named_item in iterate_named_in_log(trial) if not named_item.place.startswith(_OUTPUT))
    yield from (checked_item.problem for checked_item in named if checked_item.problem)


def find_changes_since_log(trial: TrialFolder) -> Iterator[Named]:
    """Yield what a line of the log names and what is otherwise now, but the site, which is made again from the rest."""
    for named_item in iterate_named_in_log(trial):
        is_unnamed_product = named_item.line is None and named_item.place.startswith(_OUTPUT)
        if named_item.problem and not is_unnamed_product and named_item.fact != "site_sha256":
            yield named_item
