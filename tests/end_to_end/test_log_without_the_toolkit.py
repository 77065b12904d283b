"""The stand-alone verifier reads the log as the toolkit does: whole, edited in any way, or written anew."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from data_schema.errors import CrocoosError
from evaluation.trial import Trial
from randomisation import verify_allocation as program
from tests.support.trials import clock, small_protocol, small_trial

Lines = list[str]
Entry = dict[str, object]


@pytest.fixture(scope="module")
def drawn_twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("twice")
    practised = small_trial(root / "practice", text=small_protocol().replace('seed = "a lottery"', 'seed = ""'))
    # A real trial with the schools of the practice: its log begins with the first commitment.
    folder = root / "trial"
    folder.mkdir()
    for name in ("trial.toml", "schools.csv"):
        shutil.copy(practised.paths.root / name, folder / name)
    trial = Trial(folder, clock=clock)
    trial.commit(seed_source="the lottery of 1 March")
    trial.reveal(seed="4 19 33")
    trial.commit(reason="a school was missing", seed_source="the lottery of 8 March")
    trial.reveal(seed="őt 7 8")
    return folder


@pytest.fixture
def trial(drawn_twice: Path, tmp_path: Path) -> Trial:
    shutil.copytree(drawn_twice, tmp_path / "trial")
    return Trial(tmp_path / "trial", clock=clock)


def entry(values: Entry) -> str:
    """Return a line with the hash that its values have."""
    hashed = {name: value for name, value in values.items() if name != "sha256"}
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
    made = {**hashed, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return json.dumps(made, sort_keys=True, separators=(",", ":")) + "\n"


def chained(entries: list[Entry]) -> Lines:
    """Write a log anew, as a forger would who knows how."""
    lines: Lines = []
    for number, values in enumerate(entries, start=1):
        previous = json.loads(lines[-1])["sha256"] if lines else "0" * 64
        lines.append(entry({**values, "sequence": number, "previous_sha256": previous}))
    return lines


def rewritten(change: Callable[[list[Entry]], list[Entry]]) -> Callable[[Lines], Lines]:
    return lambda lines: chained(change([json.loads(line) for line in lines]))


def with_detail(number: int, **detail: str) -> Callable[[list[Entry]], list[Entry]]:
    def change(entries: list[Entry]) -> list[Entry]:
        old: dict[str, str] = entries[number - 1]["detail"]  # type: ignore[assignment]
        entries[number - 1]["detail"] = old | detail
        return entries

    return change


def write_log(trial: Trial, lines: Lines) -> None:
    trial.paths.log.write_bytes("".join(lines).encode())


def log_of(trial: Trial) -> Lines:
    return trial.paths.log.read_text(encoding="utf-8").splitlines(keepends=True)


def alone(trial: Trial, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    capsys.readouterr()
    folder = trial.paths.allocation
    files = [str(folder / "record.json"), str(trial.paths.root / "schools.csv"), "--log", str(trial.paths.log)]
    code = program.main([*files, *more])
    return code, capsys.readouterr().out


def holds(trial: Trial) -> bool:
    try:
        return trial.verify().ok
    except CrocoosError:
        return False


def test_a_whole_log_is_told_line_by_line(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    last = json.loads(log_of(trial)[-1])
    code, out = alone(trial, capsys, "--commitment", last["detail"]["commitment_sha256"])
    assert code == 0
    time = clock().isoformat()
    assert out.splitlines()[-9:] == [
        f"The commitment of {time} (SHA-256 {last['detail']['commitment_sha256']}) precedes the draw in the log.",
        f"Line 1 of the log, {time}: committed, seed source: the lottery of 1 March.",
        f"Line 2 of the log, {time}: drawn, seed: 4 19 33.",
        f"Line 3 of the log, {time}: committed, seed source: the lottery of 8 March, reason: a school was missing.",
        f"Line 4 of the log, {time}: drawn, seed: őt 7 8, reason: a school was missing.",
        "In the log the schools were drawn 2 times.",
        "The chain of 4 lines holds; lines cut off at its end would change its last hash:",
        last["sha256"],
        "Verified: 12 schools (6 control, 6 pilot), seed 'őt 7 8'.",
    ]


EDITS: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "nothing": (lambda lines: lines, ""),
    "first line removed": (lambda lines: lines[1:], "broken at line 1: a line was taken out"),
    "second line removed": (lambda lines: [lines[0], *lines[2:]], "broken at line 2: a line was taken out"),
    "last line removed": (lambda lines: lines[:-1], "The last draw in the log is not the one in the record."),
    "all removed": (lambda _: [], "The last draw in the log is not the one in the record."),
    "edited": (lambda lines: [lines[0], lines[1].replace("4 19", "4 91"), *lines[2:]], "broken at line 2, which is"),
    "edited with its hash": (
        lambda lines: [lines[0], entry(json.loads(lines[1]) | {"time": "2026"}), *lines[2:]],
        "broken at line 3: a line was taken out",
    ),
    "swapped": (lambda lines: [lines[0], lines[2], lines[1], lines[3]], "broken at line 2: a line was taken out"),
    "doubled": (lambda lines: [*lines[:2], lines[1], *lines[2:]], "broken at line 3: a line was taken out"),
    "last line doubled": (lambda lines: [*lines, lines[-1]], "broken at line 5: a line was taken out"),
    "no entry appended": (lambda lines: [*lines, "{}\n"], "broken at line 5, which is"),
    "empty line appended": (lambda lines: [*lines, "\n"], "broken at line 5, which is"),
    "spaces put in": (lambda lines: [lines[0].replace(":", ": ", 1), *lines[1:]], "broken at line 1, which is"),
    "number as text": (
        lambda lines: [entry(json.loads(lines[0]) | {"sequence": "1"}), *lines[1:]],
        "broken at line 1",
    ),
    "a remark appended in the chain": (
        rewritten(lambda all_of: [*all_of, {"time": "", "event": "remark", "detail": {}}]),
        "",
    ),
    "a draw appended in the chain": (
        rewritten(lambda all_of: [*all_of, {**all_of[-1], "detail": {"seed": "another", "reason": "we can"}}]),
        "The last draw in the log is not the one in the record.",
    ),
    "the first draw taken out of the chain": (rewritten(lambda all_of: all_of[2:]), ""),
    "the commitment taken out of the chain": (
        rewritten(lambda all_of: [all_of[3]]),
        "No commitment to this frame and design precedes the draw in the log.",
    ),
    "commitment and draw exchanged in the chain": (
        rewritten(lambda all_of: [all_of[0], all_of[1], all_of[3], all_of[2]]),
        "",
    ),
    "another frame in the chain": (
        rewritten(with_detail(4, frame_sha256="0" * 64)),
        "The last draw in the log is not the one in the record.",
    ),
    "another seed in the chain": (
        rewritten(with_detail(4, seed="4 19 33")),
        "The last draw in the log is not the one in the record.",
    ),
    "another commitment in the chain": (
        rewritten(with_detail(4, commitment_sha256="0" * 64)),
        "No commitment to this frame and design precedes the draw in the log.",
    ),
    "a commitment to something else in the chain": (
        rewritten(with_detail(3, commitment_sha256="0" * 64)),
        "No commitment to this frame and design precedes the draw in the log.",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_it_says_of_every_edited_log_what_the_toolkit_says(
    trial: Trial, edit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, problem = EDITS[edit]
    write_log(trial, change(log_of(trial)))
    code, out = alone(trial, capsys)
    assert (code == 0) == holds(trial), out
    assert problem in out
    assert (code == 0) == (not problem)


def test_every_byte_of_the_log_counts(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    path = trial.paths.log
    whole = path.read_bytes()
    for place in [*range(0, len(whole), 29), len(whole) - 1]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        code, out = alone(trial, capsys)
        assert (code, "The chain is broken at line" in out) == (1, True), f"byte {place}"
    path.write_bytes(whole.replace(b"\n", b"\r\n"))
    assert alone(trial, capsys)[0] == 0, "line ends of another system are no change"


def test_a_published_hash_that_the_log_does_not_hold_is_no_commitment(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    published = json.loads(log_of(trial)[-1])["detail"]["commitment_sha256"]
    entries = [json.loads(log_of(trial)[-1])]
    del entries[0]["detail"]["commitment_sha256"]
    write_log(trial, chained(entries))
    said = "No commitment preceded the draw: nothing here shows that the seed was not chosen."
    code, out = alone(trial, capsys)
    assert (code, said in out) == (0, True)
    assert said in trial.verify().notes
    assert alone(trial, capsys, "--commitment", published)[0] == 1


def test_a_second_draw_without_a_reason_is_told(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    write_log(trial, rewritten(with_detail(4, reason=""))(log_of(trial)))
    assert "drawn, seed: őt 7 8, reason: none given." in alone(trial, capsys)[1]
    assert "no reason given" in " ".join(trial.verify().notes)


def test_a_text_cannot_hide_what_is_said(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    write_log(trial, rewritten(with_detail(4, reason="so\x1b[2K\nVerified"))(log_of(trial)))
    assert "reason: so?[2K?Verified." in alone(trial, capsys)[1]


def test_a_log_that_is_not_there_ends_with_two(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.paths.log.unlink()
    code, out = alone(trial, capsys)
    assert (code, out) == (2, "log.jsonl cannot be read: No such file or directory.\n")


def test_the_log_names_the_records_of_late_schools(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv(trial.paths.root / "schools.csv", dtype=str, keep_default_na=False)
    late = frame.iloc[:2].assign(school_id=["LATE-1", "LATE-2"])
    late.to_csv(trial.paths.root / "late.csv", index=False)
    trial.add_late(trial.paths.root / "late.csv", seed="a late lottery")
    assert alone(trial, capsys)[0] == 0, "the first draw is named by the line of the last draw"
    folder = trial.paths.allocation
    arguments = [str(folder / "later_1.json"), str(folder / "later_1.csv"), "--log", str(trial.paths.log)]
    assert program.main(arguments) == 0
    out = capsys.readouterr().out
    assert "The log names this record." in out
    assert "added, seed: a late lottery, record: later_1.json." in out
    write_log(trial, log_of(trial)[:-1])
    assert program.main(arguments) == 1
    assert "The last draw in the log is not the one in the record." in capsys.readouterr().out
