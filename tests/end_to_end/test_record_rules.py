"""After the draw its record rules: what contradicts it is found by both verifiers, and nothing is made from it."""

from __future__ import annotations

import csv
import io
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from data_schema.errors import CrocoosError, DesignError, StaleError
from evaluation.cli.main import crocoos as command_line
from evaluation.provenance import RECORD as STAGE
from evaluation.provenance import hash_file
from evaluation.stages.agreement import read_allocation_frame
from evaluation.stages.certificate import draw_facts
from evaluation.stages.evidence import collect_stated_evidence
from evaluation.stages.redraws import redraws
from evaluation.trial import Trial
from randomisation import verify_allocation as program
from reports.sections.certificate import build_certificate
from tests.support.block_text import texts
from tests.support.trials import clock, short_protocol, small_trial

LABELS = ('label = "Control schools"', 'label = "Pilot schools"')


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a trial that was drawn from a seed of its own, with two late schools and two reserves in files."""
    folder = tmp_path_factory.mktemp("record") / "trial"
    text = short_protocol().replace('seed = "a lottery"', 'seed = ""').replace('["country", "type"]', '["country"]')
    small_trial(folder, text=text.replace("[schools]", '[schools]\nreserves = "reserves.csv"', 1))
    frame = pd.read_csv(folder / "schools.csv", dtype=str, keep_default_na=False)
    ids = frame["school_id"].tolist()
    held = {"late.csv": [ids[2], ids[9]], "reserves.csv": [ids[4], ids[11]]}
    for name, schools in held.items():
        frame.loc[frame["school_id"].isin(schools)].to_csv(folder / name, index=False)
    apart = {school for schools in held.values() for school in schools}
    frame.loc[~frame["school_id"].isin(apart)].to_csv(folder / "schools.csv", index=False)
    Trial(folder, clock=clock).assign(seed="4 19 33")
    return folder


@pytest.fixture
def trial(drawn: Path, tmp_path: Path) -> Trial:
    shutil.copytree(drawn, tmp_path / "trial")
    return Trial(tmp_path / "trial", clock=clock)


def reworded(trial: Trial, *changes: tuple[str, str]) -> Trial:
    """Return the trial with texts of its protocol replaced at once."""
    path = trial.paths.protocol
    text = path.read_text(encoding="utf-8")
    for place, (old, _) in enumerate(changes):
        assert old in text, old
        text = text.replace(old, f"<{place}>", 1)
    for place, (_, new) in enumerate(changes):
        text = text.replace(f"<{place}>", new)
    path.write_text(text, encoding="utf-8")
    return Trial(trial.folder, clock=clock)


def renew_hashes(folder: Path) -> None:
    """Write the hashes of the files in a stage's folder into its own record, as a forger would."""
    values = json.loads((folder / STAGE).read_bytes())
    values["outputs"] = {name: hash_file(folder / name) for name in values["outputs"]}
    (folder / STAGE).write_text(json.dumps(values), encoding="utf-8")


def run_printed_command(trial: Trial) -> int:
    """Run the command that the certificate prints, from the trial's folder; returns its exit code."""
    words = shlex.split(draw_facts(trial).command)
    assert words[:2] == ["python", "verify_allocation.py"]
    root = trial.paths.root
    paths = [str(root / word) if (root / word).exists() else word for word in words[2:]]
    return program.main(paths)


def stand_alone(trial: Trial) -> int:
    """Compare the allocation's table with the records by the stand-alone verifier; returns its exit code."""
    folder = trial.paths.allocation
    files = [str(folder / "record.json"), str(trial.paths.root / "schools.csv")]
    return program.main([*files, "--allocation", str(folder / "allocation.csv")])


def change_rows(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    change(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False, lineterminator="\n")


def test_labels_of_two_arms_exchanged_after_the_draw_are_found_and_no_letter_is_written(trial: Trial) -> None:
    swapped = reworded(trial, (LABELS[0], LABELS[1]), (LABELS[1], LABELS[0]))
    found = swapped.verify()
    assert not found.ok
    assert "calls the arm 'control' 'Pilot schools', which was the label of the arm 'pilot'" in found.problems[0]
    with pytest.raises(StaleError, match=r"label of the arm 'pilot'.*Put back"):
        swapped.certificate()
    assert not swapped.paths.letters.exists()
    with pytest.raises(StaleError, match="label of the arm"):
        swapped.assign()
    with pytest.raises(StaleError, match="label of the arm"):
        collect_stated_evidence(swapped, country="")
    back = reworded(swapped, (LABELS[0], LABELS[1]), (LABELS[1], LABELS[0]))
    assert back.verify().ok
    assert back.certificate().letters == ("letters_control.csv", "letters_pilot.csv")


def test_a_corrected_label_of_an_arm_passes_with_a_note_and_letters_have_it(trial: Trial) -> None:
    mended = reworded(trial, (LABELS[1], 'label = "Pilot schools (EWS)"'))
    found = mended.verify()
    assert found.ok, found.problems
    assert (
        "The arm 'pilot' was called 'Pilot schools' at the draw, and is called 'Pilot schools (EWS)' now."
        in found.notes
    )
    made = mended.certificate()
    letters = pd.read_csv(made.folder / "letters_pilot.csv", dtype=str)
    assert set(letters["arm_label"]) == {"Pilot schools (EWS)"}
    record = (mended.paths.allocation / "record.json").read_bytes()
    (mended.paths.allocation / "allocation.csv").unlink()
    code = CliRunner().invoke(command_line, ["assign", str(mended.folder)]).exit_code
    assert code == 0, "the record holds the seed"
    assert (mended.paths.allocation / "record.json").read_bytes() == record, "the labels of the draw are kept"
    assert mended.verify().ok


def test_an_arm_s_label_edited_in_the_record_is_not_the_one_in_the_log(trial: Trial) -> None:
    path = trial.paths.allocation / "record.json"
    path.write_text(path.read_text(encoding="utf-8").replace("Pilot schools", "Control schools!"), encoding="utf-8")
    renew_hashes(trial.paths.allocation)
    assert any("labels of arms are not those in the log" in text for text in trial.verify().problems)
    assert run_printed_command(trial) == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda frame: frame.assign(stratum=frame["stratum"].to_numpy()[::-1]), "as the stratum of the school"),
        (lambda frame: frame.assign(arm=frame["arm"].to_numpy()[::-1]), "as the arm of the school"),
        (lambda frame: pd.concat([frame, frame.iloc[:1]]), "twice"),
        (lambda frame: frame.iloc[1:], "allocation.csv lacks"),
        (lambda frame: pd.concat([frame, frame.iloc[:1].assign(school_id="new")]), "has a school that no record has"),
    ],
)
def test_an_edited_table_is_found_by_both_verifiers_though_its_hash_was_renewed(
    trial: Trial, change: Callable[[pd.DataFrame], pd.DataFrame], problem: str
) -> None:
    before = read_allocation_frame(trial)
    change_rows(trial.paths.allocation / "allocation.csv", change)
    renew_hashes(trial.paths.allocation)
    again = Trial(trial.folder, clock=clock)
    problems = again.verify().problems
    assert any(problem in text for text in problems), problems
    assert stand_alone(again) == 1
    assert read_allocation_frame(again).equals(before), "analyses read the record, not the table"


def test_columns_in_another_order_say_the_same(trial: Trial) -> None:
    change_rows(trial.paths.allocation / "allocation.csv", lambda frame: frame[["arm", "school_id", "stratum"]])
    renew_hashes(trial.paths.allocation)
    assert trial.verify().ok
    assert stand_alone(trial) == 0


def test_strata_exchanged_in_the_list_of_schools_stop_letters_and_analyses(trial: Trial) -> None:
    swapped = {"HU": "RS", "RS": "HU"}
    change_rows(trial.paths.root / "schools.csv", lambda frame: frame.assign(country=frame["country"].map(swapped)))
    again = Trial(trial.folder, clock=clock)
    for step in (again.certificate, again.balance, lambda: read_allocation_frame(again), lambda: redraws(again)):
        with pytest.raises(StaleError):
            step()
    assert not again.verify().ok
    assert stand_alone(again) == 1
    with pytest.raises(DesignError, match=r"would be another one\. The strata changed since the draw.*put back"):
        again.assign()
    change_rows(trial.paths.root / "schools.csv", lambda frame: frame.assign(country=frame["country"].map(swapped)))
    assert Trial(trial.folder, clock=clock).verify().ok


def test_a_school_s_corrected_name_leaves_the_draw_fresh_and_is_in_the_letters(trial: Trial) -> None:
    change_rows(trial.paths.root / "schools.csv", lambda frame: frame.assign(name=frame["name"] + " (new name)"))
    again = Trial(trial.folder, clock=clock)
    assert next(one.state for one in again.status() if one.stage == "assign") == "fresh"
    assert again.verify().ok
    letters = pd.read_csv(again.certificate().folder / "letters_pilot.csv", dtype=str)
    assert letters["name"].str.endswith("(new name)").all()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('strata = ["country"]', "strata = []", "strata"),
        ('label = "Pilot schools"\nratio = 1', 'label = "Pilot schools"\nratio = 2', "arms.pilot.ratio"),
        ('name = "pilot"\nlabel', 'name = "treated"\nlabel', "arms.treated was added"),
    ],
)
def test_a_design_that_is_not_the_recorded_one_is_found_and_nothing_is_made_from_it(
    trial: Trial, old: str, new: str, problem: str
) -> None:
    other = reworded(trial, (old, new))
    assert any("another design than the draw" in text and problem in text for text in other.verify().problems)
    with pytest.raises(StaleError):
        read_allocation_frame(other)
    with pytest.raises(CrocoosError, match="would be another one"):
        other.assign()


def test_the_printed_command_verifies_a_trial_with_late_schools_and_a_replacement(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_printed_command(trial) == 0
    trial.add_late(trial.paths.root / "late.csv", seed="May", reason="recruited late")
    school = read_allocation_frame(trial)["school_id"].iloc[0]
    trial.replace_school(school, seed="June", reason="it closed")
    assert trial.verify().ok
    assert run_printed_command(trial) == 0
    out = capsys.readouterr().out
    assert "later_1.json: 2 schools were drawn later." in out
    assert "later_2.json: School " in out
    assert draw_facts(trial).command in " ".join(texts(build_certificate(draw_facts(trial), "en")))


@pytest.mark.parametrize("name", ["later_1.csv", "later_2.csv"])
def test_an_edited_table_of_schools_that_came_later_is_found_by_both_verifiers(trial: Trial, name: str) -> None:
    trial.add_late(trial.paths.root / "late.csv", seed="May", reason="recruited late")
    trial.replace_school(read_allocation_frame(trial)["school_id"].iloc[0], seed="June", reason="it closed")
    swapped = {"HU": "RS", "RS": "HU"}
    change_rows(trial.paths.allocation / name, lambda frame: frame.assign(country=frame["country"].map(swapped)))
    renew_hashes(trial.paths.allocation)
    again = Trial(trial.folder, clock=clock)
    assert not again.verify().ok
    change_rows(
        trial.paths.allocation / name, lambda frame: pd.concat([frame, frame.iloc[:1].assign(school_id="SI-99")])
    )
    assert run_printed_command(again) == 1


def test_a_school_that_declined_is_in_the_list_and_both_verifiers_hold(trial: Trial) -> None:
    root = trial.paths.root
    declined = pd.read_csv(root / "late.csv", dtype=str, keep_default_na=False).assign(consent="nem")
    change_rows(root / "schools.csv", lambda frame: pd.concat([frame.assign(consent="yes"), declined]))
    again = Trial(trial.folder, clock=clock)
    assert again.verify().ok
    assert run_printed_command(again) == 0


def test_what_is_hashed_holds_no_fraction(trial: Trial) -> None:
    text = 'strata = ["country", "size"]\ncuts = { size = [150.0, 300.5] }'
    cut = reworded(trial, ('strata = ["country"]', text))
    cut.assign(seed="other", reason="sizes matter")
    record = json.loads((cut.paths.allocation / "record.json").read_bytes(), parse_float=pytest.fail)
    assert record["design"]["cuts"] == [["size", ["150", "300.5"]]]
    assert cut.verify().ok
    assert run_printed_command(cut) == 0


def test_labels_exchanged_between_commitment_and_draw_are_refused(trial: Trial) -> None:
    shutil.rmtree(trial.paths.allocation)
    (trial.paths.root / "log.jsonl").unlink(missing_ok=True)
    trial.commit(seed_source="the lottery")
    swapped = reworded(trial, (LABELS[0], LABELS[1]), (LABELS[1], LABELS[0]))
    with pytest.raises(StaleError, match="label of the arm"):
        swapped.reveal(seed="1 2 3")


def test_a_draw_whose_folder_is_gone_is_made_again_from_the_seed_and_labels_in_the_log(trial: Trial) -> None:
    record = (trial.paths.allocation / "record.json").read_bytes()
    log = (trial.paths.root / "log.jsonl").read_bytes()
    shutil.rmtree(trial.paths.allocation)
    again = reworded(trial, (LABELS[1], 'label = "Pilot schools (EWS)"'))
    again.assign()
    assert (again.paths.allocation / "record.json").read_bytes() == record
    assert (trial.paths.root / "log.jsonl").read_bytes() == log
    assert again.verify().ok
    shutil.rmtree(trial.paths.allocation)
    with pytest.raises(DesignError, match="would be another one"):
        again.assign(seed="a better one")
    swapped = reworded(again, ('label = "Pilot schools (EWS)"', LABELS[0]), (LABELS[0], LABELS[1]))
    with pytest.raises(StaleError, match="label of the arm"):
        swapped.assign()


def test_an_arm_that_starts_in_another_wave_than_at_the_draw_is_another_design(trial: Trial) -> None:
    kind = ('kind = "stratified"', 'kind = "waiting_list"')
    waits = reworded(trial, kind, (LABELS[1], f'{LABELS[1]}\nstarts = "followup"'))
    waits.assign(reason="a waiting list")
    assert waits.verify().ok
    later = reworded(waits, ('starts = "followup"', 'starts = "baseline"'))
    assert any("arms.pilot.starts: 'followup' became 'baseline'" in text for text in later.verify().problems)


def test_a_step_taken_out_with_its_schools_is_found_by_both_verifiers(trial: Trial) -> None:
    before = (trial.paths.allocation / "allocation.csv").read_bytes()
    trial.add_late(trial.paths.root / "late.csv", seed="May", reason="recruited late")
    for path in trial.paths.allocation.glob("later_1.*"):
        path.unlink()
    (trial.paths.allocation / "allocation.csv").write_bytes(before)
    assert any("not those of the log" in text for text in trial.verify().problems)
    assert run_printed_command(trial) == 1


def test_a_table_with_a_column_twice_is_not_read(trial: Trial) -> None:
    path = trial.paths.allocation / "allocation.csv"
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    path.write_text("\n".join(",".join([*row, row[2]]) for row in rows) + "\n", encoding="utf-8")
    renew_hashes(trial.paths.allocation)
    assert not trial.verify().ok
    assert stand_alone(trial) == 2
