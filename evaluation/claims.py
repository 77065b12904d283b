"""What the log, the plan, the draw, the data and the results allow documents to claim, and where they disagree."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from data_schema.errors import ProtocolError, StorageError
from evaluation.custody import alarms, useless_key_table
from evaluation.frozen_plan import FROZEN
from evaluation.protocol_reader import read_protocol
from evaluation.provenance import IGNORE, contents_hash, is_kept_from_git, outputs_hash, sha256_of_file
from evaluation.stages.assign import RECORD
from evaluation.stages.assign import verify as verify_allocation
from evaluation.stages.collect import CONTENT
from evaluation.stages.impact import ESTIMATES
from evaluation.trial_log import DRAWS, FILES_SHA256, LOG, Event, TrialLog
from reports.claims import LogFacts, PlanClaim, PlanOrder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evaluation.protocol import Protocol
    from evaluation.trial import Trial
    from randomisation.log import LogEntry
    from randomisation.record import Verification

Places = frozenset[tuple[str, str]]
"""Waves and tables; the wave of a table that is collected once is ""."""


def plan_claim(log: TrialLog, *, outcomes: Places, in_folder: str) -> PlanClaim:
    """Return when the plan was frozen, by the order of the log's lines.

    Parameters
    ----------
    log
        The trial's log.
    outcomes
        Waves and tables that outcomes are read from.
    in_folder
        Hash of the plan in plan/; "" where there is none.
    """
    if not log.is_usable:
        return PlanClaim(order="log_missing" if log.state == "missing" else "log_broken")
    if not log.is_complete:
        return PlanClaim(order="log_begun_again")
    freezes = log.of(Event.PLAN_FROZEN)
    if not freezes:
        return PlanClaim(order="not_in_log" if in_folder else "not_frozen")
    last = freezes[-1]
    before = log.entries[: last.sequence - 1]
    runs = tuple(entry.time for entry in before if entry.event == Event.ESTIMATED)
    taken = [entry for entry in before if entry.event == Event.COLLECTED and outcomes & _places(entry.detail["tables"])]
    order: PlanOrder = "after_results" if runs else "after_data" if taken else "before_data"
    if in_folder != last.detail["protocol_sha256"]:
        order = "altered" if in_folder else "gone"
    return PlanClaim(
        order=order,
        frozen=last.time,
        data=taken[0].time if taken else "",
        runs=runs,
        replaced=tuple((one.time, later.detail["reason"]) for one, later in pairwise(freezes)),
    )


def _places(tables: str) -> Places:
    """Return the waves and tables that a line of the log names, as "baseline: pupil, survey; followup: status"."""
    found = set()
    for part in tables.split("; ") if tables else []:
        wave, _, listed = part.rpartition(": ")
        found |= {(wave, table) for table in listed.split(", ")}
    return frozenset(found)


def log_facts(log: TrialLog, *, n_disagreements: int) -> LogFacts:
    """Return what the log tells beside the order of the plan."""
    runs, again = log.of(Event.ESTIMATED), log.last(Event.BEGUN_AGAIN)
    return LogFacts(
        state=log.state,
        n_disagreements=n_disagreements,
        runs=tuple(entry.time for entry in runs),
        n_results=len({entry.detail["results_sha256"] for entry in runs}),
        n_draws=len(log.of(*DRAWS)) if log.is_complete else None,
        begun_again=(again.time, again.detail["reason"]) if again is not None else ("", ""),
    )


def claims_of(trial: Trial) -> tuple[PlanClaim, LogFacts]:
    """Return what documents of a trial claim about the order of events."""
    log = trial.log()
    frozen = trial.paths.plan / FROZEN
    outcomes = _outcome_places(trial.protocol) | _outcomes_of_plan(frozen)
    claim = plan_claim(log, outcomes=outcomes, in_folder=sha256_of_file(frozen))
    return claim, log_facts(log, n_disagreements=len(tuple(disagreements(trial))))


def _outcomes_of_plan(path: Path) -> Places:
    """Return where the outcomes of the frozen plan are read from; nothing where this version cannot read it."""
    try:
        return _outcome_places(read_protocol(path)) if path.exists() else frozenset()
    except ProtocolError:
        return frozenset()


def _outcome_places(protocol: Protocol) -> Places:
    from evaluation.population import place_of
    from evaluation.specifications import tables_of

    tables = tables_of(protocol)
    placed = (place_of(outcome, protocol, tables) for outcome in protocol.outcomes if outcome.table != "school")
    return frozenset((wave, table) for table, wave in placed)


def disagreements(trial: Trial) -> Iterator[str]:
    """Yield where the plan, the draw, the data and the results in the folder are not those that the log names.

    What is not in the folder any more disagrees where nothing makes it anew: the plan and the draw. A log that is
    missing or broken is not compared.
    """
    log = trial.log()
    if not log.is_usable:
        return
    found = folder_hashes(trial)
    frozen = log.naming("protocol_sha256", Event.PLAN_FROZEN)
    drawn = log.naming("allocation_sha256", *DRAWS)
    plan, record = found["protocol_sha256"], found["allocation_sha256"]
    yield from _compared("The plan in plan/", plan, frozen, "protocol_sha256")
    yield from _gone("The plan", plan, frozen)
    yield from _compared("The draw in allocation/", record, drawn, "allocation_sha256")
    yield from _gone("The draw", record, drawn)
    yield from made_otherwise(trial)


def made_otherwise(trial: Trial) -> Iterator[str]:
    """Yield where data and results are not those that the log names: they may be edited along with their record."""
    log = trial.log()
    if not log.is_usable:
        return
    found = folder_hashes(trial)
    for what, fact, event in (
        ("What is in store/", "data_sha256", Event.COLLECTED),
        ("What is in results/estimates.csv", "estimates_sha256", Event.ESTIMATED),
        ("What is in results/", "results_sha256", Event.ESTIMATED),
    ):
        yield from _compared(what, found[fact], log.naming(fact, event), fact)


def folder_hashes(trial: Trial) -> dict[str, str]:
    """Return the hashes of what the log tells of, as it is in the folder now; "" for what is not there."""
    paths = trial.paths
    return {
        "protocol_sha256": _file(paths.plan / FROZEN),
        "allocation_sha256": _json(paths.allocation / RECORD, "allocation_sha256"),
        "data_sha256": _json(paths.store / CONTENT, "sha256"),
        "estimates_sha256": _file(paths.results / ESTIMATES),
        "results_sha256": outputs_hash(paths.results),
        "documents_sha256": outputs_hash(paths.reports),
        "site_sha256": outputs_hash(paths.site),
    }


def _compared(what: str, found: str, last: LogEntry | None, fact: str) -> Iterator[str]:
    """Compare a hash in the folder with that of the last line about it."""
    if found and last is None:
        yield f"{what} is not named by any line of {LOG}."
    elif found and last is not None and found != last.detail.get(fact):
        yield f"{what} is not what line {last.sequence} of {LOG} names ({last.event}, {last.time})."


def _gone(what: str, found: str, last: LogEntry | None) -> Iterator[str]:
    if not found and last is not None:
        yield f"{what} that line {last.sequence} of {LOG} names ({last.event}, {last.time}) is gone."


def _file(path: Path) -> str:
    """Return the hash of a file; "" where there is none, "unreadable" where the system refuses to read it."""
    try:
        return sha256_of_file(path)
    except StorageError:
        return "unreadable"


def _json(path: Path, name: str) -> str:
    """Return a text of a JSON file; "" where there is no such file, "unreadable" where it cannot be read."""
    try:
        return str(json.loads(path.read_bytes())[name])
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError):
        return "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a verification of draw and log found.

    Parameters
    ----------
    allocation
        Of the draw: drawn again from its record, and compared with the log.
    log_problems
        What is wrong with the log, or not as it names it, a sentence each.
    """

    allocation: Verification
    log_problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether both hold."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with either."""
        return (*self.allocation.problems, *self.log_problems)

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is to be said of the draw."""
        return self.allocation.notes


def verify(trial: Trial) -> Verified:
    """Draw again from the record and compare, check the log's chain, and whether it agrees with what is there.

    Raises
    ------
    StaleError
        When no draw has been made.
    """
    problems = (
        *map(str, alarms(trial)),
        *disagreements(trial),
        *written_otherwise(trial),
        *_site(trial),
        *_products(trial),
        *_open_to_git(trial),
        *useless_key_table(trial),
    )
    return Verified(allocation=verify_allocation(trial), log_problems=problems)


def written_otherwise(trial: Trial) -> Iterator[str]:
    """Yield where the documents are not those that the log names; no document tells of that."""
    log, fact = trial.log(), "documents_sha256"
    if log.is_usable:
        last = log.naming(fact, Event.REPORTED)
        yield from _compared("What is in output/reports/", outputs_hash(trial.paths.reports), last, fact)


def _products(trial: Trial) -> Iterator[str]:
    """Yield the products whose files are not those that were written, or that no line of the log names."""
    log = trial.log()
    if not log.is_usable:
        return
    last = {entry.detail["folder"]: entry for entry in log.of(Event.WRITTEN)}
    for name, entry in sorted(last.items()):
        found = contents_hash(trial.paths.root / name)
        yield from _compared(f"What is in {name}/", found, entry, FILES_SHA256)
    if log.state != "whole":
        # What an earlier log named, nobody knows.
        return
    for name in _folders_of_products(trial):
        if name not in last:
            yield from _compared(f"What is in {name}/", contents_hash(trial.paths.root / name), None, FILES_SHA256)


def _open_to_git(trial: Trial) -> Iterator[str]:
    """Yield the folders with rows of pupils that have been kept from git, and are no more."""
    paths = trial.paths
    for folder in (paths.inbox, paths.store, paths.private, paths.export, paths.root / "output" / "checks"):
        if (folder / IGNORE).exists() and not is_kept_from_git(folder):
            name = folder.relative_to(paths.root).as_posix()
            yield f"{name}/{IGNORE} does not keep rows of pupils from git: let '*' be its only line."


def _folders_of_products(trial: Trial) -> Iterator[str]:
    """Yield the folders below output/ that are written as a whole, other than those of stages."""
    within = {trial.paths.export.name, "forms"}
    for path in sorted((trial.paths.root / "output").glob("[!.]*/")):
        if path not in (trial.paths.reports, trial.paths.site):
            parts = sorted(path.glob("[!.]*/")) if path.name in within else [path]
            yield from (part.relative_to(trial.paths.root).as_posix() for part in parts)


def _site(trial: Trial) -> Iterator[str]:
    log, fact = trial.log(), "site_sha256"
    if log.is_usable:
        last = log.naming(fact, Event.PUBLISHED)
        yield from _compared("What is in output/site/", outputs_hash(trial.paths.site), last, fact)
