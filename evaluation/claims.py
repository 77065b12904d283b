"""What the log, the plan, the draw, the data and the results allow documents to claim, and where they disagree."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from data_schema.errors import ProtocolError
from evaluation.frozen_plan import FROZEN
from evaluation.guarded_files import VAULT_SHA256
from evaluation.named_in_log import compute_stage_hashes, find_log_disagreements
from evaluation.provenance import hash_file
from evaluation.specifications import build_tables
from evaluation.trial_log import DRAWS, Event, TrialLog
from reports.claims import AuditClaim, CustodyClaim, LogFacts, PlanClaim, PlanOrder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data_schema.tables import Table
    from evaluation.folder import TrialFolder
    from evaluation.protocol import Protocol
    from randomisation.log import LogEntry

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
    taken = [
        entry for entry in before if entry.event == Event.COLLECTED and outcomes & _parse_places(entry.detail["tables"])
    ]
    order: PlanOrder = "after_results" if runs else "after_data" if taken else "before_data"
    if in_folder != last.detail["protocol_sha256"]:
        order = "altered" if in_folder else "gone"
    return PlanClaim(
        order=order,
        frozen=last.time,
        data=taken[0].time if taken else "",
        runs=runs,
        replaced=tuple((earlier.time, later.detail["reason"]) for earlier, later in pairwise(freezes)),
    )


def _parse_places(tables: str) -> Places:
    """Return the waves and tables that a line of the log names, as "baseline: pupil, survey; followup: status"."""
    listed_places = set()
    for part in tables.split("; ") if tables else []:
        wave, _, listed = part.rpartition(": ")
        listed_places |= {(wave, table) for table in listed.split(", ")}
    return frozenset(listed_places)


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
        custody=describe_custody(log),
    )


def describe_custody(log: TrialLog) -> CustodyClaim:
    """Return whether what tells who is who is sealed, since when, for how many, and how often it was opened.

    Openings are counted up to the last results, so that documents about these stay true when it is opened later.
    """
    if not log.is_usable:
        return CustodyClaim(state="unknown")
    vault_entries = [line for line in log.entries if VAULT_SHA256 in line.detail]
    if not vault_entries:
        return CustodyClaim(state="open")
    n_of_state = next(
        (
            n
            for n, line in enumerate(reversed(vault_entries))
            if _is_sealed_by(line) != _is_sealed_by(vault_entries[-1])
        ),
        len(vault_entries),
    )
    first = vault_entries[-n_of_state]
    if not _is_sealed_by(first):
        return CustodyClaim(state="unsealed", since=first.time)
    last = log.last(Event.ESTIMATED)
    openings = [line for line in log.of(Event.OPENED) if last is not None and line.sequence < last.sequence]
    is_before = last is not None and first.sequence < last.sequence
    return CustodyClaim(
        state="sealed",
        since=first.time,
        n_openers=len(vault_entries[-1].detail["openers"].split("; ")),
        n_openings=sum(line.sequence > first.sequence for line in openings) if is_before else None,
    )


def _is_sealed_by(line: LogEntry) -> bool:
    return bool(line.detail[VAULT_SHA256])


def describe_order_claims(trial: TrialFolder) -> tuple[PlanClaim, LogFacts]:
    """Return what documents of a trial claim about the order of events."""
    log = trial.log()
    frozen = trial.paths.plan / FROZEN
    outcomes = _find_outcome_places(trial.protocol, trial.tables) | _find_planned_outcome_places(trial)
    claim = plan_claim(log, outcomes=outcomes, in_folder=hash_file(frozen))
    return claim, log_facts(log, n_disagreements=len(tuple(find_log_disagreements(trial))))


_AUDITED = ("allocation_sha256", "data_sha256", "results_sha256", "documents_sha256")


def find_matching_audits(trial: TrialFolder, *, until: int | None = None) -> AuditClaim:
    """Return what the log tells of audits of the very draw, data, results and documents that are in the folder.

    Parameters
    ----------
    trial
        The trial.
    until
        Number of the first line of the log that is not looked at; None for none.
    """
    log = trial.log()
    if not log.is_usable:
        return AuditClaim(answer="unknown")
    current_hashes = compute_stage_hashes(trial)
    claim = AuditClaim()
    for line in log.of(Event.AUDITED):
        is_of_these = all(line.detail.get(fact) == current_hashes[fact] for fact in _AUDITED)
        if not is_of_these or (until is not None and line.sequence >= until):
            continue
        is_yes = line.detail["answer"] == "yes"
        if not is_yes or claim.answer != "yes":
            claim = AuditClaim(answer="yes" if is_yes else "no", time=line.time)
    return claim


def _find_planned_outcome_places(trial: TrialFolder) -> Places:
    """Return where the outcomes of the frozen plan are read from; nothing where this version cannot read it."""
    try:
        planned = trial.frozen_protocol() if (trial.paths.plan / FROZEN).exists() else None
        return _find_outcome_places(planned, build_tables(planned)) if planned is not None else frozenset()
    except ProtocolError:
        return frozenset()


def _find_outcome_places(protocol: Protocol, tables: Mapping[str, Table]) -> Places:
    from evaluation.population import find_measure_place

    placed = (
        find_measure_place(outcome, protocol, tables) for outcome in protocol.outcomes if outcome.table != "school"
    )
    return frozenset((wave, table) for table, wave in placed)
