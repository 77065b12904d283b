"""The stand-alone verifier's own reading of a log, on records and logs made here."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest

from randomisation import AllocationRecord, Arm, Commitment, Design, LogEntry, adopt, allocate, append, replace_school
from randomisation import verify_allocation as program

DESIGN = Design(arms=(Arm(name="control"), Arm(name="őszi")), strata=("country",))
SCHOOLS = pd.DataFrame({"school_id": list("abcdef"), "country": ["HU", "HU", "RS", "RS", "HU", "RS"]})
COMMITTED = Commitment.of(SCHOOLS, DESIGN).sha256
RECORD = AllocationRecord.of(allocate(SCHOOLS, DESIGN, seed="1"))
TIME = "2027-03-01T10:00:00+00:00"


def in_log(record: AllocationRecord) -> dict[str, str]:
    """Return what section 13 of the published text says that the entry of a draw holds."""
    values = record.to_dict()
    design, labels = (
        json.dumps(values[name], sort_keys=True, separators=(",", ":")) for name in ("design", "arm_labels")
    )
    return {
        "seed": record.seed,
        "frame_sha256": record.frame_sha256,
        "allocation_sha256": record.allocation_sha256,
        "design_sha256": hashlib.sha256(design.encode()).hexdigest(),
        "arm_labels": labels,
    }


def log(*events: tuple[str, dict[str, str]]) -> tuple[LogEntry, ...]:
    entries: tuple[LogEntry, ...] = ()
    for event, detail in events:
        entries = append(entries, event=event, detail=detail, time=TIME)
    return entries


def run(folder: Path, entries: tuple[LogEntry, ...], *more: str, record: AllocationRecord = RECORD) -> int:
    (folder / "record.json").write_text(json.dumps(record.to_dict()), encoding="utf-8")
    SCHOOLS.to_csv(folder / "schools.csv", index=False)
    (folder / "log.jsonl").write_text("".join(f"{entry.to_json_line()}\n" for entry in entries), encoding="utf-8")
    files = [str(folder / name) for name in ("record.json", "schools.csv", "log.jsonl")]
    return program.main([*files[:2], "--log", files[2], *more])


def test_a_draw_that_follows_its_commitment_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = in_log(RECORD) | {"commitment_sha256": COMMITTED}
    entries = log(("committed", {"commitment_sha256": COMMITTED}), ("drawn", drawn))
    assert run(tmp_path, entries, "--commitment", COMMITTED) == 0
    out = capsys.readouterr().out
    assert "precedes the draw in the log" in out
    assert "drawn once" in out
    assert run(tmp_path, entries[:1]) == 1
    assert run(tmp_path, log(("drawn", drawn))) == 1
    assert "No commitment to this frame and design precedes" in capsys.readouterr().out


def test_draws_are_counted_and_the_missing_reason_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = {"seed": "0", "reason": ""}
    assert run(tmp_path, log(("drawn", first), ("drawn", first), ("drawn", in_log(RECORD) | {"reason": "late"}))) == 0
    out = capsys.readouterr().out
    assert "drawn 3 times" in out
    assert out.count("reason: none given") == 1
    assert "No commitment preceded the draw" in out
    assert run(tmp_path, log(("drawn", in_log(RECORD))), "--commitment", COMMITTED) == 1


def test_a_draw_made_elsewhere_is_named_as_adopted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = AllocationRecord.of(adopt(SCHOOLS, DESIGN, arms=dict(zip(RECORD.schools, RECORD.arms, strict=True))))
    assert run(tmp_path, log(("adopted", in_log(record))), record=record) == 0
    assert f"Line 1 of the log, {TIME}: adopted." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("{", 1),
        ("[]\n", 1),
        ("{}\n", 1),
        ("\xff\n", 1),
        ("[" * 100_000 + "\n", 1),
        (log(("drawn", {}))[0].to_json_line(), 1),
        (log(("drawn", {}))[0].to_json_line().replace("drawn", "Drawn") + "\n", 1),
        (log(("drawn", {}))[0].to_json_line().replace("{}", '{"seed":1}') + "\n", 1),
        (log(("drawn", {}))[0].to_json_line() + "\n\n", 2),
        (2 * (log(("drawn", {}))[0].to_json_line() + "\n"), 2),
    ],
)
def test_the_first_line_that_breaks_the_chain_is_named(
    tmp_path: Path, content: str, line: int, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, ())
    (tmp_path / "log.jsonl").write_bytes(content.encode("latin-1"))
    capsys.readouterr()
    arguments = [str(tmp_path / name) for name in ("record.json", "schools.csv", "log.jsonl")]
    assert program.main([*arguments[:2], "--log", arguments[2]]) == 1
    assert f"The chain is broken at line {line}" in capsys.readouterr().out


def test_a_replacement_is_found_in_the_log_by_its_hash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = replace_school(
        dict(zip(RECORD.schools, RECORD.arms, strict=True)), "a", reserves=["x", "y"], seed="2", reason="it closed"
    )
    path = tmp_path / "later_1.json"
    path.write_bytes((json.dumps(made.to_dict()) + "\r\n").encode())
    digest = hashlib.sha256((json.dumps(made.to_dict()) + "\n").encode()).hexdigest()
    for stated, code, said in ((digest, 0, "names this record"), ("0" * 64, 1, "does not name this record")):
        line = log(("replaced", {"record_sha256": stated}))[0].to_json_line()
        (tmp_path / "log.jsonl").write_text(f"{line}\n", encoding="utf-8")
        assert program.main([str(path), "--log", str(tmp_path / "log.jsonl")]) == code
        assert said in capsys.readouterr().out
