"""audit: everything is made again from the inbox and the record of the draw, in a clean folder, and compared.

A file that was edited together with the record of its stage looks fresh; made again, it differs.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from data_schema.errors import CrocoosError
from evaluation.custody import LOG_SHA256, writing
from evaluation.data_pages import write_codebook, write_returns
from evaluation.data_products import REQUEST, check_data, export
from evaluation.folder import TrialFolder
from evaluation.named_in_log import compute_stage_hashes
from evaluation.provenance import RECORD, hash_file
from evaluation.stages.balance import balance
from evaluation.stages.certificate import write_certificates
from evaluation.stages.collect import collect
from evaluation.stages.decide import execute_begun_erasures
from evaluation.stages.impact import estimate_impact
from evaluation.stages.publish import publish
from evaluation.stages.report import report
from evaluation.stages.verify import verify
from evaluation.stored import STORE
from evaluation.trial_log import LOG, Event, add_log_event

_GIVEN = ("trial.toml", LOG, "plan", "allocation", "inbox", "private")
"""What everything else is made from, beside the files that the protocol names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What an audit found.

    Parameters
    ----------
    n_files
        Files that were compared.
    problems
        What is not valid, and which files differ from those that were made again, a sentence each.
    """

    n_files: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is as it is made again."""
        return not self.problems

    def to_dict(self) -> dict[str, object]:
        """Return the answer as JSON values."""
        return {"ok": self.ok, "n_files": self.n_files, "problems": list(self.problems)}


def verify_by_replay(trial: TrialFolder) -> Audited:
    """Make everything again that has been made, and compare every file byte by byte; the answer goes into the log.

    Raises
    ------
    StorageError
        When the log is missing or broken, or there is no room for a second copy of the trial.
    StaleError
        When no draw has been made.
    """
    trial.log().checked()
    problems = list(verify(trial).problems)
    n_files = 0
    with tempfile.TemporaryDirectory(prefix="audit-") as scratch:
        again = _copy_inputs(trial, Path(scratch) / "trial")
        for folder, make in _steps(trial):
            trial.progress(f"making {folder} again", n_files, n_files + 1)
            try:
                with writing(again):
                    make(again)
            except CrocoosError as error:
                problems.append(f"{folder}/ cannot be made again: {error}")
            # What the copy has noted of its own runs is no part of the trial's history.
            shutil.copyfile(trial.paths.log, again.paths.log)
            names, differing = _compare_folders(trial.paths.root / folder, again.paths.root / folder)
            n_files += len(names)
            problems += [f"{folder}/{name} {how}" for name, how in differing]
    # Problems may quote what is in a file, which the log must not.
    detail = {
        "answer": "no" if problems else "yes",
        "n_files": str(n_files),
        "n_problems": str(len(problems)),
        **{fact: digest for fact, digest in compute_stage_hashes(trial).items() if digest},
    }
    add_log_event(trial, Event.AUDITED, detail)
    return Audited(n_files=n_files, problems=tuple(problems))


def _copy_inputs(trial: TrialFolder, root: Path) -> TrialFolder:
    protocol = trial.protocol
    named = (protocol.schools.file, protocol.schools.reserves, protocol.design.units, protocol.design.allocation)
    for name in dict.fromkeys((*_GIVEN, *filter(None, named))):
        source, target = trial.paths.root / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("forms") if name == "private" else None)
        elif source.exists():
            shutil.copyfile(source, target)
    # What is sealed stays in memory: nothing of it is in the copy.
    opened = replace(trial.opened, files=dict(trial.opened.files)) if trial.opened is not None else None
    return TrialFolder(root, clock=trial.clock, progress=trial.progress, opened=opened)


def _steps(trial: TrialFolder) -> Iterator[tuple[str, Callable[[TrialFolder], object]]]:
    """Yield what the trial has made, in the order in which it is made: its folder, and what makes it again."""
    exported = sorted(path.name for path in trial.paths.export.glob("[!.]*") if path.is_dir())
    steps: tuple[tuple[str, Callable[[TrialFolder], object]], ...] = (
        ("store", _collect_again),
        ("output/allocation", write_certificates),
        ("balance", balance),
        ("results", estimate_impact),
        ("output/codebook", write_codebook),
        ("output/checks", partial(_check_again, trial)),
        ("output/returns", write_returns),
        *((f"output/export/{country}", partial(_export_again, trial, country)) for country in exported),
        ("output/reports", report),
        ("output/site", _publish_again),
    )
    yield from ((folder, make) for folder, make in steps if (trial.paths.root / folder).is_dir())


def _collect_again(again: TrialFolder) -> None:
    collect(again)
    execute_begun_erasures(again)


def _publish_again(again: TrialFolder) -> None:
    """Make the site as it was published: what the log has told since is not on it."""
    published = again.log().last(Event.PUBLISHED)
    publish(again, until=published.sequence if published is not None else None)


def _check_again(trial: TrialFolder, again: TrialFolder) -> None:
    """Make the checks as they were asked for, by arm or not."""
    name = "output/checks/checks.csv"
    check_data(again)
    if hash_file(trial.paths.root / name) != hash_file(again.paths.root / name):
        check_data(again, by_arm=True)


def _export_again(trial: TrialFolder, country: str, again: TrialFolder) -> None:
    """Make an export with the k that it was asked for with."""
    asked = trial.paths.export / country / REQUEST
    try:
        k = int(json.loads(asked.read_bytes())["k"]) if asked.exists() else None
    except (ValueError, KeyError, TypeError):
        k = None
    export(again, country=country, k=k)


def _compare_folders(found: Path, made: Path) -> tuple[set[str], list[tuple[str, str]]]:
    """Return the files of two folders, and which of them differ, and how."""
    names = [
        {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        for folder in (found, made)
    ]
    differing = [(name, "is not made by anything.") for name in sorted(names[0] - names[1])]
    differing += [(name, "is gone.") for name in sorted(names[1] - names[0])]
    differing += [
        (name, "is not as it is made again.")
        for name in sorted(names[0] & names[1])
        if not _is_same(found / name, made / name)
    ]
    return names[0] | names[1], differing


def _is_same(found: Path, made: Path) -> bool:
    if found.name == STORE:
        return _read_store_content(found) == _read_store_content(made)
    if found.name == RECORD:
        return _read_stage_record(found) == _read_stage_record(made)
    return hash_file(found) == hash_file(made)


def _read_stage_record(path: Path) -> object:
    """Return the record of a stage; a database's bytes differ each time, and must be those that are there."""
    try:
        values = json.loads(path.read_bytes())
        if STORE in values["outputs"]:
            values["outputs"][STORE] = values["outputs"][STORE] == hash_file(path.with_name(STORE))
    except (ValueError, KeyError, TypeError):
        return ""
    return values


def _read_store_content(path: Path) -> object:
    """Return all that the store holds; what it keeps of the log's last line is of the time at which it was made."""
    from data_schema.store import Store

    try:
        with Store.open_read(path) as store:
            facts = {name: text for name, text in store.facts().items() if name != LOG_SHA256}
            others = [store.imports(), store.repairs(), store.answers(), store.findings().to_frame()]
            return store.content_sha256(), facts, [frame.to_json(orient="split") for frame in others]
    except CrocoosError:
        return ""
