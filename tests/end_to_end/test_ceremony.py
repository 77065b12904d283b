"""Commit, then reveal: what is published before the seed binds the draw, and every change since is found."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import re
import shutil
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from data_schema.errors import CrocoosError, DesignError, StorageError
from evaluation.cli.main import crocoos as command_line
from evaluation.trial import Trial
from randomisation import verify_allocation as program
from tests.support.trials import clock, small_protocol, small_trial, states_at_touches

SEED = "lottery of 1 March 2027: 4 19 33 61 88"


def unseeded() -> str:
    return small_protocol().replace('seed = "a lottery"', 'seed = ""')


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "trial"
    small_trial(folder, text=unseeded())
    return folder


@pytest.fixture(scope="module")
def revealed(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("revealed") / "trial"
    shutil.copytree(fresh, folder)
    trial = Trial(folder, clock=clock)
    trial.commit(seed_source="the lottery of 1 March 2027")
    trial.reveal(seed=SEED)
    return folder


@pytest.fixture
def trial(fresh: Path, tmp_path: Path) -> Trial:
    shutil.copytree(fresh, tmp_path / "trial")
    return Trial(tmp_path / "trial", clock=clock)


@pytest.fixture
def drawn(revealed: Path, tmp_path: Path) -> Trial:
    shutil.copytree(revealed, tmp_path / "drawn")
    return Trial(tmp_path / "drawn", clock=clock)


def rewritten(trial: Trial, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Trial:
    path = trial.paths.root / "schools.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    change(frame).to_csv(path, index=False)
    return Trial(trial.folder, clock=clock)


def crocoos(*arguments: str, typed: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(command_line, list(arguments), input=typed)
    return done.exit_code, done.output


def test_nothing_says_who_is_in_which_arm_before_the_reveal(trial: Trial) -> None:
    made = trial.commit()
    files = {path.name: path.read_text(encoding="utf-8") for path in trial.paths.allocation.iterdir()}
    assert sorted(files) == ["commitment.json", "stage.json"]
    assert all("arm" not in row for row in json.loads(files["commitment.json"])["schools"])
    assert made.sha256 in trial.paths.log.read_text(encoding="ascii")
    assert [status.state for status in trial.status() if status.stage == "assign"] == ["missing"]
    with pytest.raises(CrocoosError):
        trial.balance()


def test_a_draw_that_was_committed_to_is_verified_and_says_so(drawn: Trial) -> None:
    found = drawn.verify()
    assert found.ok
    assert found.notes[1].startswith("Schools and design were committed to at 2027-09-01T12:00:00+00:00 (SHA-256 ")
    assert found.notes[1].endswith("The seed was to come from: the lottery of 1 March 2027.")


def test_a_draw_without_a_commitment_is_verified_and_says_so(trial: Trial) -> None:
    trial.assign(seed=SEED)
    found = trial.verify()
    assert found.ok
    assert found.notes[-1] == "No commitment preceded the draw: nothing here shows that the seed was not chosen."


def test_the_arms_are_those_of_the_same_seed_without_the_ceremony(trial: Trial, drawn: Trial) -> None:
    trial.assign(seed=SEED)
    assert (trial.paths.allocation / "allocation.csv").read_bytes() == (
        drawn.paths.allocation / "allocation.csv"
    ).read_bytes()


def test_the_stand_alone_verifier_checks_the_commitment(drawn: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    commitment = json.loads((drawn.paths.allocation / "commitment.json").read_text(encoding="utf-8"))
    files = [str(drawn.paths.allocation / "record.json"), str(drawn.paths.root / "schools.csv")]
    assert program.main([*files, "--commitment", commitment["commitment_sha256"]]) == 0
    assert "Frame and design are those that were committed to." in capsys.readouterr().out
    assert program.main([*files, "--commitment", "0" * 64]) == 1
    assert "not of the frame and design that were committed to" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda frame: frame.iloc[1:], "the schools, or what the design looks at in them, changed"),
        (lambda frame: frame.assign(type=frame["type"].iloc[::-1].to_numpy()), "the schools, or what the design"),
    ],
)
def test_what_changed_since_the_commitment_is_not_drawn(
    trial: Trial, change: Callable[[pd.DataFrame], pd.DataFrame], problem: str
) -> None:
    trial.commit()
    with pytest.raises(DesignError, match=problem):
        rewritten(trial, change).reveal(seed=SEED)


def test_another_design_since_the_commitment_is_not_drawn(trial: Trial) -> None:
    trial.commit()
    path = trial.paths.protocol
    path.write_text(path.read_text(encoding="utf-8").replace('strata = ["country", "type"]', 'strata = ["country"]'))
    with pytest.raises(DesignError, match="the design changed since the commitment"):
        Trial(trial.folder, clock=clock).reveal(seed=SEED)


def test_the_order_of_rows_and_further_columns_may_change(trial: Trial) -> None:
    before = trial.commit()
    changed = rewritten(trial, lambda frame: frame.iloc[::-1].assign(note="new"))
    assert changed.commit() == before
    changed.reveal(seed=SEED)
    assert changed.verify().ok


def test_after_a_commitment_nothing_else_is_drawn(trial: Trial) -> None:
    trial.commit()
    with pytest.raises(DesignError, match="wait for their seed"):
        trial.assign(seed=SEED)


def test_nothing_is_revealed_that_was_not_committed_to(trial: Trial) -> None:
    with pytest.raises(DesignError, match="nothing has been committed to"):
        trial.reveal(seed=SEED)


def test_a_seed_that_is_known_already_proves_nothing(fresh: Path, tmp_path: Path) -> None:
    shutil.copytree(fresh, tmp_path / "trial")
    (tmp_path / "trial" / "trial.toml").write_text(small_protocol(), encoding="utf-8")
    with pytest.raises(DesignError, match="a commitment would prove nothing"):
        Trial(tmp_path / "trial").commit()


def test_revealing_twice_changes_nothing_and_another_seed_needs_a_commitment(drawn: Trial) -> None:
    log = drawn.paths.log.read_bytes()
    drawn.reveal(seed=SEED)
    assert drawn.paths.log.read_bytes() == log
    with pytest.raises(DesignError, match="nothing has been committed to since the last draw"):
        drawn.reveal(seed="another")


def test_revealing_again_after_a_change_that_does_not_matter_is_no_second_draw(drawn: Trial) -> None:
    log = drawn.paths.log.read_bytes()
    changed = rewritten(drawn, lambda frame: frame.assign(note="new"))
    changed.reveal(seed=SEED)
    assert drawn.paths.log.read_bytes() == log
    assert "committed to at" in changed.verify().notes[1]


def test_lists_for_letters_hold_what_the_frame_knows_of_schools_and_nothing_of_pupils(drawn: Trial) -> None:
    made = drawn.certificate()
    # "simulated" says that the trial is a practice trial, as its schools are.
    known = set(pd.read_csv(drawn.paths.root / "schools.csv").columns) | {"simulated", "stratum", "arm", "arm_label"}
    lists = [pd.read_csv(made.folder / name, dtype=str) for name in made.letters]
    assert {column for one in lists for column in one.columns} <= known
    assert sorted(school for one in lists for school in one["school_id"]) == sorted(drawn.schools()[0]["school_id"])


def test_a_second_draw_needs_a_reason_and_shows(drawn: Trial) -> None:
    with pytest.raises(DesignError, match="say why: `crocoos assign"):
        drawn.commit()
    drawn.commit(reason="a school had closed before the draw")
    assert drawn.verify().ok, "the first draw stands until the second is made"
    drawn.reveal(seed="lottery of 8 March 2027")
    found = drawn.verify()
    assert found.ok
    assert found.notes[-1].startswith(
        "The schools were drawn 2 times. Drawn again: 2027-09-01T12:00:00+00:00: a school"
    )


def test_another_commitment_needs_a_reason(trial: Trial) -> None:
    trial.commit()
    fewer = rewritten(trial, lambda frame: frame.iloc[1:])
    with pytest.raises(DesignError, match="say why: `crocoos assign"):
        fewer.commit()
    fewer.commit(reason="a school withdrew")
    fewer.reveal(seed=SEED)
    assert fewer.verify().ok


def test_the_commands_say_what_to_publish_and_ask_for_the_seed_twice(fresh: Path, tmp_path: Path) -> None:
    folder = str(shutil.copytree(fresh, tmp_path / "trial"))
    code, out = crocoos("assign", folder, "--commit", "--seed-from", "the lottery of 1 March")
    assert code == 0
    (published,) = re.findall(r"Publish this, before the seed is drawn: ([0-9a-f]{64})", out)
    assert crocoos("assign", folder, "--commit", "--seed", "1")[0] == 2
    assert crocoos("assign", folder, "--seed-from", "x")[0] == 2
    code, out = crocoos("assign", folder, "--reveal", typed="4 19 33\n4 19 34\n4 19 33\n4 19 33\n")
    assert code == 0
    assert "do not match" in out
    assert not re.search(r"^\w+ +\w+.* (pilot|control)$", out, re.MULTILINE)
    code, out = crocoos("verify", folder)
    assert code == 0
    assert published in out
    assert "seed '4 19 33'" in out


@pytest.mark.parametrize("name", ["record.json", "allocation.csv", "../log.jsonl", "commitment.json", "stage.json"])
def test_one_byte_changed_anywhere_is_found(drawn: Trial, name: str) -> None:
    path = drawn.paths.allocation / name
    whole = path.read_bytes()
    places = [*range(0, len(whole), 37 if name != "allocation.csv" else 7), len(whole) - 1]
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            found = drawn.verify()
        except CrocoosError:
            continue
        assert not found.ok or name == "stage.json", f"byte {place} of {name}"
    path.write_bytes(whole)
    assert drawn.verify().ok


def test_line_ends_of_another_system_are_no_change(drawn: Trial) -> None:
    for name in ("record.json", "allocation.csv", "commitment.json"):
        path = drawn.paths.allocation / name
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert drawn.verify().ok


def test_a_draw_that_is_killed_anywhere_leaves_the_commitment_or_the_whole_draw(trial: Trial, tmp_path: Path) -> None:
    trial.commit()
    run = tmp_path / "run"
    shutil.copytree(trial.folder, run)
    left = states_at_touches(run, lambda: Trial(run, clock=clock).reveal(seed=SEED), into=tmp_path / "left")
    states = set()
    for touch, folder in enumerate(left, start=1):
        again = Trial(folder, clock=clock)
        states.add((again.paths.allocation / "record.json").exists())
        again.reveal(seed=SEED)
        assert again.verify().ok, f"killed at touch {touch}"
        shutil.rmtree(folder)
    assert states == {False, True}


def _hold(folder: str, ready: object) -> None:
    from evaluation.provenance import lock_trial_for_writing

    with lock_trial_for_writing(Path(folder)):
        ready.set()  # type: ignore[attr-defined]
        time.sleep(60)


def test_of_two_processes_drawing_at_once_one_is_told_to_wait(trial: Trial) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    other = context.Process(target=_hold, args=(str(trial.folder), ready))
    other.start()
    try:
        assert ready.wait(30)
        for action in (trial.commit, lambda: trial.assign(seed=SEED), lambda: trial.reveal(seed=SEED)):
            with pytest.raises(StorageError, match="another run is writing to this trial"):
                action()
    finally:
        other.kill()
        other.join()
    trial.assign(seed=SEED)
    assert trial.verify().ok


def test_two_processes_that_draw_other_seeds_at_once_leave_one_draw(trial: Trial) -> None:
    code = (
        "import sys; from evaluation.trial import Trial\n"
        "try: Trial(sys.argv[1]).assign(seed=sys.argv[2])\n"
        "except Exception as error: sys.exit(type(error).__name__)"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code, str(trial.folder), seed], stderr=subprocess.PIPE, text=True)
        for seed in ("one", "two")
    ]
    said = [run.communicate(timeout=60)[1].strip() for run in runs]
    assert sorted(run.returncode for run in runs) == [0, 1]
    assert {"StorageError", "DesignError"} & set(said)
    assert trial.verify().ok
    assert trial.paths.log.read_text(encoding="utf-8").count('"drawn"') == 1


@pytest.mark.parametrize(
    "alike",
    [
        str.upper,
        lambda school: school.replace("-", " ") if "-" in school else f"{school[:2]} {school[2:]}",
        lambda school: f"0{school}",
        lambda school: unicodedata.normalize("NFD", school),
    ],
    ids=["capitals", "spaces", "leading zeros", "Unicode form"],
)
def test_schools_that_can_be_taken_for_one_another_are_not_drawn(trial: Trial, alike: Callable[[str], str]) -> None:
    def twice(frame: pd.DataFrame) -> pd.DataFrame:
        school = "12ő-x"
        extra = pd.concat([frame.iloc[:1].assign(school_id=school), frame.iloc[:1].assign(school_id=alike(school))])
        return pd.concat([frame, extra])

    changed = rewritten(trial, twice)
    for draw in (lambda: changed.assign(seed=SEED), changed.commit):
        # Intake writes letters in their composed form, so that the last case is the same school twice.
        with pytest.raises(CrocoosError, match=r"differ by capitals, spaces, signs, leading zeros|is listed twice"):
            draw()


def test_spaces_around_an_identifier_are_taken_off_and_zeros_kept(trial: Trial) -> None:
    before = trial.commit()
    changed = rewritten(trial, lambda frame: frame.assign(school_id=" " + frame["school_id"] + " "))
    assert changed.commit() == before


def test_a_school_listed_twice_is_refused(trial: Trial) -> None:
    with pytest.raises(CrocoosError, match="listed twice"):
        rewritten(trial, lambda frame: pd.concat([frame, frame.iloc[:1]])).commit()


def test_a_stratum_that_is_missing_is_named_with_its_school(trial: Trial) -> None:
    changed = rewritten(trial, lambda frame: frame.assign(type=["", *frame["type"][1:]]))
    with pytest.raises(CrocoosError, match=r"type|No value for school"):
        changed.commit()


def test_the_hash_of_the_log_chain_is_that_of_its_lines(drawn: Trial) -> None:
    lines = [json.loads(line) for line in drawn.paths.log.read_text().splitlines()]
    for line in lines:
        stated = line.pop("sha256")
        text = json.dumps(line, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(text.encode()).hexdigest() == stated
    assert [line["event"] for line in lines] == ["created", "committed", "drawn"]


def test_the_certificate_and_the_lists_for_letters_are_written_on_demand(drawn: Trial) -> None:
    code, out = crocoos("certificate", str(drawn.folder))
    assert code == 0
    assert "certificate.en.pdf, letters_control.csv, letters_pilot.csv" in out
    record = json.loads((drawn.paths.allocation / "record.json").read_text(encoding="utf-8"))
    arm_of = {row["school_id"]: row["arm"] for row in record["schools"]}
    lists = {arm: pd.read_csv(drawn.paths.letters / f"letters_{arm}.csv", dtype=str) for arm in ("control", "pilot")}
    for arm, frame in lists.items():
        assert set(frame["school_id"]) == {school for school, own in arm_of.items() if own == arm}
        assert {"name", "arm_label"} <= set(frame.columns)
    assert (drawn.paths.letters / "certificate.en.pdf").read_bytes().startswith(b"%PDF")


def test_there_is_no_certificate_before_the_draw(trial: Trial) -> None:
    with pytest.raises(CrocoosError, match="have not been drawn"):
        trial.certificate()
