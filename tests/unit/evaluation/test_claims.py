"""What documents may claim is computed from the lines of the log and from what is in the folder."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from evaluation.claims import audit_claim
from evaluation.named_in_log import folder_hashes
from evaluation.provenance import stage_folder
from evaluation.trial import Trial
from evaluation.trial_log import Event, append_event
from reports.claims import AuditClaim
from tests.support.protocols import MINIMAL
from tests.support.trials import clock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that has data, results and documents as far as their hashes go."""
    (tmp_path / "trial.toml").write_bytes(MINIMAL.read_bytes())
    append_event(Trial(tmp_path, clock=clock), Event.CREATED, {})
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
    append_event(trial, Event.AUDITED, {"answer": answer, **folder_hashes(trial)})


def write(folder: Path, stage: str, text: str) -> None:
    """Write what a stage leaves."""
    target = folder / ("results" if stage == "impact" else "output/reports")
    with stage_folder(target, stage=stage, inputs={}) as new:
        (new / "file.txt").write_text(text, encoding="utf-8")


def test_an_audit_is_claimed_for_the_very_bytes_that_it_was_made_of_and_for_no_others(folder: Path) -> None:
    trial = Trial(folder, clock=clock)
    for stage in ("impact", "report"):
        write(folder, stage, "as it was")
    assert audit_claim(trial) == AuditClaim(answer="none")
    audited(folder, "yes", day=1)
    audited(folder, "yes", day=2)
    first = AuditClaim(answer="yes", time="2027-09-02T12:00:00+00:00")
    assert audit_claim(trial) == first, "another audit of the same changes nothing that is published"
    for stage in ("impact", "report"):
        write(folder, stage, "edited")
        assert audit_claim(trial).answer == "none"
        write(folder, stage, "as it was")
        assert audit_claim(trial) == first
    audited(folder, "no", day=3)
    assert audit_claim(trial) == AuditClaim(answer="no", time="2027-09-04T12:00:00+00:00")
    audited(folder, "yes", day=4)
    assert audit_claim(trial) == AuditClaim(answer="yes", time="2027-09-05T12:00:00+00:00")
    # Made as it was when the second audit had not been made yet.
    assert audit_claim(trial, until=2) == AuditClaim(answer="none")
    assert audit_claim(trial, until=3) == first
    trial.paths.log.write_bytes(trial.paths.log.read_bytes().replace(b'"no"', b'"yes"'))
    assert audit_claim(trial).answer == "unknown"
