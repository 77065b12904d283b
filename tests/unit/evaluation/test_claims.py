"""What documents may claim is computed from the lines of the log and from what is in the folder."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from evaluation.claims import describe_custody, find_matching_audits
from evaluation.named_in_log import compute_stage_hashes
from evaluation.provenance import stage_folder
from evaluation.trial import Trial
from evaluation.trial_log import Event, add_log_event
from reports.claims import AuditClaim, describe_key_custody
from reports.words import words
from tests.support.protocols import MINIMAL
from tests.support.trials import clock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that has data, results and documents as far as their hashes go."""
    (tmp_path / "trial.toml").write_bytes(MINIMAL.read_bytes())
    add_log_event(Trial(tmp_path, clock=clock), Event.CREATED, {})
    for name, content in (
        ("allocation/record.json", {"allocation_sha256": "a"}),
        ("store/content.json", {"sha256": "d"}),
    ):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def audited(folder: Path, answer: str, *, day: int) -> None:
    """Add the line of an audit on a day."""
    trial = Trial(folder, clock=lambda: clock() + timedelta(days=day))
    add_log_event(trial, Event.AUDITED, {"answer": answer, **compute_stage_hashes(trial)})


def write(folder: Path, stage: str, text: str) -> None:
    """Write what a stage leaves."""
    target = folder / ("results" if stage == "impact" else "output/reports")
    with stage_folder(target, stage=stage, inputs={}) as new:
        (new / "file.txt").write_text(text, encoding="utf-8")


def test_an_audit_is_claimed_for_the_very_bytes_that_it_was_made_of_and_for_no_others(folder: Path) -> None:
    trial = Trial(folder, clock=clock)
    for stage in ("impact", "report"):
        write(folder, stage, "as it was")
    assert find_matching_audits(trial) == AuditClaim(answer="none")
    audited(folder, "yes", day=1)
    audited(folder, "yes", day=2)
    first = AuditClaim(answer="yes", time="2027-09-02T12:00:00+00:00")
    assert find_matching_audits(trial) == first, "another audit of the same changes nothing that is published"
    for stage in ("impact", "report"):
        write(folder, stage, "edited")
        assert find_matching_audits(trial).answer == "none"
        write(folder, stage, "as it was")
        assert find_matching_audits(trial) == first
    audited(folder, "no", day=3)
    assert find_matching_audits(trial) == AuditClaim(answer="no", time="2027-09-04T12:00:00+00:00")
    audited(folder, "yes", day=4)
    assert find_matching_audits(trial) == AuditClaim(answer="yes", time="2027-09-05T12:00:00+00:00")
    # Made as it was when the second audit had not been made yet.
    assert find_matching_audits(trial, until=2) == AuditClaim(answer="none")
    assert find_matching_audits(trial, until=3) == first
    trial.paths.log.write_bytes(trial.paths.log.read_bytes().replace(b'"no"', b'"yes"'))
    assert find_matching_audits(trial).answer == "unknown"


def test_documents_say_whether_the_key_was_sealed_and_how_often_it_was_opened_before_the_results(folder: Path) -> None:
    trial, told = Trial(folder, clock=clock), []

    def tell(event: Event, *, day: int, **facts: str) -> None:
        at = Trial(folder, clock=lambda: clock() + timedelta(days=day))
        add_log_event(at, event, facts)
        told.append(" ".join(describe_key_custody(describe_custody(trial.log()), words("en"))))

    key = "The key of the pseudonyms and the files of schools"
    tell(Event.COLLECTED, day=1)
    assert told[-1] == f"{key} are not encrypted."
    tell(Event.ESTIMATED, day=2)
    tell(Event.SEALED, day=3, vault_sha256="1", openers="data protection officer; project lead")
    sealed = f"{key} have been encrypted since 2027-09-04 12:00 UTC; 2 people can open them, only together."
    assert told[-1] == f"{sealed} They were not when these results were computed."
    tell(Event.ESTIMATED, day=4)
    assert told[-1] == f"{sealed} They were not opened before these results were computed."
    tell(Event.OPENED, day=5)
    tell(Event.SEALED, day=5, vault_sha256="2", openers="data protection officer; project lead")
    assert told[-1] == told[-3], "an opening after the results changes no document about them"
    tell(Event.OPENED, day=6)
    tell(Event.ESTIMATED, day=7)
    assert "Until these results were computed they were opened 2 times, each with a reason" in told[-1]
    tell(Event.UNSEALED, day=8, vault_sha256="")
    assert told[-1] == f"{key} were encrypted, and have not been since 2027-09-09 12:00 UTC."
    tell(Event.SEALED, day=9, vault_sha256="3", openers="opener")
    assert "since 2027-09-10 12:00 UTC; 1 person can open them." in told[-1]
    trial.paths.log.write_bytes(trial.paths.log.read_bytes().replace(b"lead", b"led"))
    said = describe_key_custody(describe_custody(trial.log()), words("en"))
    assert list(said) == ["Nothing shows whether the key of the pseudonyms was encrypted."]
