"""The order of the stages: what each reads, where it writes, and how they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from data_schema.errors import StaleError
from evaluation.custody import find_erased_fingerprint
from evaluation.decisions import DECISIONS, summarise_decisions
from evaluation.frame import refuse_classes
from evaluation.guarded_files import compute_inbox_hash
from evaluation.mode import describe_mode_input
from evaluation.provenance import (
    RECORD,
    get_previous_folder,
    get_toolkit_version,
    hash_file,
    hash_json_values,
    read_record,
)
from evaluation.specifications import find_pupil_lists
from evaluation.stages.agreement import hash_design_columns
from evaluation.trial_log import LOG

if TYPE_CHECKING:
    from evaluation.folder import TrialFolder
    from reports.claims import AuditClaim


State = Literal["fresh", "stale", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """How a stage stands.

    Parameters
    ----------
    stage
        Its name.
    state
        "fresh": what it wrote rests on what is there now; "stale": it does not; "missing": it was not run.
    reasons
        Why it is not fresh, a sentence each; what to do before it when it was never run.
    """

    stage: str
    state: State
    reasons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the status as JSON values."""
        return {"stage": self.stage, "state": self.state, "reasons": list(self.reasons)}


def stage_status(stage: str, folder: Path, *, inputs: Mapping[str, str], stale_before: tuple[str, ...]) -> StageStatus:
    """Compare a stage's record with what is there now.

    Parameters
    ----------
    stage
        Its name.
    folder
        The folder that it wrote.
    inputs
        Name of each input to its hash now; "" for one that is not there.
    stale_before
        Stages before it that are not fresh.
    """
    record = read_record(folder)
    if record is None or record.stage != stage:
        return StageStatus(
            stage=stage,
            state="missing",
            reasons=(*_describe_pending_swap(folder), *_describe_first_rerun(stale_before)),
        )
    reasons = [
        f"{name} {_describe_input_change(record.inputs, inputs, name)}."
        for name in sorted({*inputs, *record.inputs})
        if record.inputs.get(name, "") != inputs.get(name, "")
    ]
    reasons += [
        f"{path} was changed or removed after it was written."
        for path, digest in record.outputs.items()
        if hash_file(folder / path) != digest
    ]
    reasons += [f"The stage before it, {name}, is not fresh." for name in stale_before]
    if record.version != get_toolkit_version():
        reasons.append(f"It was made by version {record.version}, this is {get_toolkit_version()}.")
    return StageStatus(stage=stage, state="stale" if reasons else "fresh", reasons=tuple(reasons))


def _describe_pending_swap(folder: Path) -> tuple[str, ...]:
    """Return the reason that a run is writing the folder, or was killed at it: a reader does not touch it."""
    if folder.exists() or not get_previous_folder(folder).exists():
        return ()
    return (
        "Another run is putting it in its place, or was stopped while it did; the next one that writes settles it.",
    )


def _describe_first_rerun(stale_before: tuple[str, ...]) -> tuple[str, ...]:
    return (f"Run {stale_before[0]} first.",) if stale_before else ()


def _describe_input_change(then: Mapping[str, str], now: Mapping[str, str], name: str) -> str:
    if not then.get(name):
        return "is new since"
    return "has changed" if now.get(name) else "is gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage: its folder, the stages that it reads, and the hashes of what it reads.

    ``optional`` stages before it are read where they have been run, and not waited for.
    """

    name: str
    folder: Callable[[TrialFolder], Path]
    inputs: Callable[[TrialFolder], Mapping[str, str]]
    needs: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


def _plan(trial: TrialFolder) -> Mapping[str, str]:
    return trial.protocol_hashes(*type(trial.protocol).model_fields)


def _assign(trial: TrialFolder) -> Mapping[str, str]:
    protocol = trial.protocol
    recorded = trial.paths.root / protocol.design.allocation if protocol.design.allocation else None
    return {
        **trial.protocol_hashes("design", "countries"),
        **hash_design_columns(trial),
        **(trial.file_hash(recorded) if recorded else {}),
        **(trial.file_hash(trial.paths.root / protocol.design.units) if protocol.design.units else {}),
    }


def _collect(trial: TrialFolder) -> Mapping[str, str]:
    return {
        **trial.protocol_hashes("tables", "inbox", "waves", "countries", intake=True),
        **trial.file_hash(trial.paths.root / trial.protocol.schools.file),
        **(
            {"legal basis": hash_json_values(trial.protocol.privacy.legal_basis)}
            if trial.protocol.privacy.legal_basis
            else {}
        ),
        **({"erased pupils": erased} if (erased := find_erased_fingerprint(trial)) else {}),
        **_hash_decisions(trial),
        **_hash_consent_rule(trial),
        **_hash_pupil_lists(trial),
        **(trial.protocol_hashes("linking") if trial.protocol.linking.by_name else {}),
        **_hash_later_schools(trial),
        "inbox": compute_inbox_hash(trial),
    }


def _hash_decisions(trial: TrialFolder) -> Mapping[str, str]:
    """Return the hash of what was decided about the data, where anything ever was and the log can be believed."""
    log = trial.log()
    if not (log.is_usable and log.of(*DECISIONS)):
        return {}
    return {f"decisions in {LOG}": hash_json_values(summarise_decisions(log.entries))}


def _hash_consent_rule(trial: TrialFolder) -> Mapping[str, str]:
    """Return the hash of what a refused or missing consent does, where the protocol says it."""
    privacy = trial.protocol.privacy
    rule = [privacy.consent, privacy.refusal, privacy.consent_model]
    return {"rule of consent": hash_json_values(rule)} if privacy.refusal else {}


def _hash_pupil_lists(trial: TrialFolder) -> Mapping[str, str]:
    """Return the hash of which tables list the pupils, where it is not the standard one alone."""
    lists = find_pupil_lists(trial.protocol)
    return {"lists of pupils": hash_json_values(list(lists))} if lists != ("pupil",) else {}


def _hash_later_schools(trial: TrialFolder) -> Mapping[str, str]:
    """Return the hash of the schools that came after the draw, where some did."""
    files = sorted(trial.paths.allocation.glob("later_*.*"))
    return {"schools after the draw": hash_json_values({path.name: hash_file(path) for path in files})} if files else {}


def _hash_schedule(trial: TrialFolder) -> Mapping[str, str]:
    """Return the hash of the waves where it depends on them who is compared with whom."""
    return trial.protocol_hashes("waves") if trial.protocol.design.method.has_starts else {}


def _balance(trial: TrialFolder) -> Mapping[str, str]:
    return {
        **trial.protocol_hashes("covariates", "population", "inference"),
        **_hash_schedule(trial),
        **trial.file_hash(trial.paths.allocation / RECORD),
        **trial.file_hash(trial.paths.store / "content.json"),
    }


def _hash_impact_inputs(trial: TrialFolder) -> Mapping[str, str]:
    return {
        **trial.protocol_hashes("outcomes", "covariates", "analyses", "inference", "population", "signals"),
        **_hash_consent_rule(trial),
        **_hash_schedule(trial),
        **trial.file_hash(trial.paths.plan / RECORD),
        **trial.file_hash(trial.paths.allocation / RECORD),
        **trial.file_hash(trial.paths.store / "content.json"),
    }


def _report(trial: TrialFolder) -> Mapping[str, str]:
    paths = trial.paths
    return {
        **trial.file_hash(paths.protocol),
        **trial.file_hash(paths.plan / RECORD),
        **trial.file_hash(paths.allocation / RECORD),
        **trial.file_hash(paths.store / "content.json"),
        **trial.file_hash(paths.balance / RECORD),
        **trial.file_hash(paths.results / RECORD),
        **_hash_order_claims(trial),
    }


def _hash_order_claims(trial: TrialFolder) -> Mapping[str, str]:
    """Return the hash of what documents claim about the order of events: a document that claims otherwise is stale."""
    from evaluation.claims import describe_order_claims

    return {LOG: hash_json_values([asdict(claim) for claim in describe_order_claims(trial)])}


def _publish(trial: TrialFolder) -> Mapping[str, str]:
    from evaluation.claims import find_matching_audits

    return {
        **trial.file_hash(trial.paths.reports / RECORD),
        **trial.file_hash(trial.paths.results / RECORD),
        **hash_audit_claim(find_matching_audits(trial)),
    }


def hash_audit_claim(claim: AuditClaim) -> Mapping[str, str]:
    """Return the hash of what a site says of audits: one that says otherwise is stale."""
    return {f"audits in {LOG}": hash_json_values(asdict(claim))}


STAGES: tuple[Stage, ...] = (
    Stage(name="plan", folder=lambda trial: trial.paths.plan, inputs=_plan),
    Stage(name="assign", folder=lambda trial: trial.paths.allocation, inputs=_assign),
    Stage(name="collect", folder=lambda trial: trial.paths.store, inputs=_collect),
    Stage(
        name="balance",
        folder=lambda trial: trial.paths.balance,
        inputs=_balance,
        needs=("assign",),
        optional=("collect",),
    ),
    Stage(
        name="impact", folder=lambda trial: trial.paths.results, inputs=_hash_impact_inputs, needs=("assign", "collect")
    ),
    Stage(name="report", folder=lambda trial: trial.paths.reports, inputs=_report, needs=("balance", "impact")),
    Stage(name="publish", folder=lambda trial: trial.paths.site, inputs=_publish, needs=("report",)),
)

_BY_NAME = {stage.name: stage for stage in STAGES}


def inputs_of(trial: TrialFolder, name: str) -> Mapping[str, str]:
    """Return the hashes of what a stage reads, as it is now."""
    return _collect_stage_inputs(_BY_NAME[name], trial)


def _collect_stage_inputs(stage: Stage, trial: TrialFolder) -> Mapping[str, str]:
    return {**stage.inputs(trial), **describe_mode_input(trial)}


def statuses(trial: TrialFolder) -> tuple[StageStatus, ...]:
    """Return how every stage stands, in the order in which they run."""
    return _statuses(trial, set(_BY_NAME))


def _statuses(trial: TrialFolder, names: set[str]) -> tuple[StageStatus, ...]:
    """Return how some stages are, and those that they rest on."""
    wanted = names.union(*({*_find_all_needs(name), *_BY_NAME[name].optional} for name in names))
    found: dict[str, StageStatus] = {}
    for stage in STAGES:
        if stage.name not in wanted:
            continue
        before = [name for name in stage.needs if found[name].state != "fresh"]
        before += [name for name in stage.optional if found[name].state == "stale"]
        found[stage.name] = stage_status(
            stage.name, stage.folder(trial), inputs=_collect_stage_inputs(stage, trial), stale_before=tuple(before)
        )
    return tuple(found.values())


def require(trial: TrialFolder, name: str) -> None:
    """Refuse to run a stage before the stages that it reads are there and fresh.

    Raises
    ------
    StaleError
        Naming the first stage to run.
    """
    refuse_classes(trial, name)
    needed = _find_all_needs(name)
    for status in _statuses(trial, needed):
        if status.stage in needed and status.state != "fresh":
            why = f"it is {status.state}: {' '.join(status.reasons)}" if status.reasons else f"it is {status.state}."
            more = _DRAWN_AGAIN if status.stage == "assign" and status.state == "stale" else ""
            remedy = f"Run `crocoos {status.stage}` first.{more}"
            raise StaleError(f"{name}, which reads what {status.stage} wrote", why, remedy)


_DRAWN_AGAIN = " It makes the same draw again; where that would be another one, it says what to put back."


def _find_all_needs(name: str) -> set[str]:
    needed: set[str] = set()
    for before in _BY_NAME[name].needs:
        needed |= {before, *_find_all_needs(before)}
    return needed
