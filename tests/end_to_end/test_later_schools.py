"""Schools that come after the draw: late ones and reserves, from the command to the report; the draw stays as it is."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from analysis.simulation import SimulatedTrial
from data_schema.errors import CrocoosError, DesignError, StaleError
from evaluation.claims import describe_order_claims
from evaluation.cli.main import crocoos as command_line
from evaluation.rehearsal.rehearse import simulate_trial_inputs
from evaluation.stages.certificate import draw_facts
from evaluation.stages.redraws import redraws
from evaluation.trial import Trial
from randomisation import verify_allocation as program
from reports.claims import log_sentences, plan_sentences
from reports.sections.certificate import build_certificate
from reports.sections.design import allocation
from reports.words import words
from tests.support.block_text import texts
from tests.support.trials import SEED, clock, killed_at, short_protocol, small_trial


def crocoos(*arguments: str, typed: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(command_line, list(arguments), input=typed)
    return done.exit_code, done.output + (str(done.exception) if isinstance(done.exception, CrocoosError) else "")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial that is drawn without three late schools and three reserves, which are in files of their own."""
    folder = tmp_path_factory.mktemp("ready") / "trial"
    text = short_protocol().replace('["country", "type"]', '["country"]')
    small_trial(folder, text=text.replace("[schools]", '[schools]\nreserves = "reserves.csv"', 1))
    frame = pd.read_csv(folder / "schools.csv", dtype=str, keep_default_na=False)
    ids = frame["school_id"].tolist()
    held = {"late.csv": [ids[2], ids[7], ids[9]], "reserves.csv": [ids[4], ids[5], ids[11]]}
    for name, schools in held.items():
        frame.loc[frame["school_id"].isin(schools)].to_csv(folder / name, index=False)
    apart = {school for schools in held.values() for school in schools}
    frame.loc[~frame["school_id"].isin(apart)].to_csv(folder / "schools.csv", index=False)
    Trial(folder, clock=clock).assign()
    return folder


@pytest.fixture
def trial(ready: Path, tmp_path: Path) -> Trial:
    shutil.copytree(ready, tmp_path / "trial")
    return Trial(tmp_path / "trial", clock=clock)


def arms(trial: Trial) -> dict[str, str]:
    frame = pd.read_csv(trial.paths.allocation / "allocation.csv", dtype=str)
    return dict(zip(frame["school_id"], frame["arm"], strict=True))


def test_late_schools_are_drawn_among_one_another_and_the_first_draw_stays(trial: Trial) -> None:
    folder = trial.paths.allocation
    before, record = arms(trial), (folder / "record.json").read_bytes()
    late = trial.add_late(trial.paths.root / "late.csv", seed="April", reason="recruited late")
    now = arms(trial)
    assert {school: now[school] for school in before} == before
    assert set(now) - set(before) == set(late.schools)
    assert (folder / "record.json").read_bytes() == record
    assert [status.state for status in trial.status() if status.stage == "assign"] == ["fresh"]
    found = trial.verify()
    assert found.ok, found.problems
    assert found.notes[-1] == "Later, 3 schools were drawn among one another from seed 'April' (later_1)."
    assert program.main([str(folder / "later_1.json"), str(folder / "later_1.csv")]) == 0
    again_drawn = redraws(trial)
    schools, actual, draws = again_drawn.schools, again_drawn.actual, again_drawn.draws
    assert schools == tuple(sorted(now))
    assert [trial.protocol.arm_names[place] for place in actual] == list(now.values())
    places = [schools.index(school) for school in late.schools]
    assert set(draws[:, places].sum(axis=1)) == {1, 2}
    assert set(np.delete(draws, places, axis=1).sum(axis=1)) == {3}


def test_a_reserve_of_the_stratum_takes_place_and_arm(trial: Trial) -> None:
    folder = trial.paths.allocation
    before = arms(trial)
    school = next(iter(before))
    made = trial.replace_school(school, seed="4 April: 2", reason="it closed")
    assert len(made.reserves) == 2, "those of its country"
    now = arms(trial)
    assert now == {name: arm for name, arm in before.items() if name != school} | {made.chosen: before[school]}
    assert trial.verify().ok
    assert (
        trial.verify()
        .notes[-1]
        .startswith(f"School '{school}' withdrew before the start (it closed); '{made.chosen}',")
    )
    assert program.main([str(folder / "later_1.json")]) == 0
    again_drawn = redraws(trial)
    schools, actual, draws = again_drawn.schools, again_drawn.actual, again_drawn.draws
    assert made.chosen in schools
    assert school not in schools
    assert actual[schools.index(made.chosen)] == trial.protocol.arm_names.index(before[school])
    assert set(draws.sum(axis=1)) == {3}
    again = trial.replace_school(made.chosen, seed="5 April: 1", reason="it declined")
    assert again.arm == before[school]
    assert again.chosen not in (school, made.chosen)
    assert trial.verify().ok


def test_records_of_later_schools_that_were_taken_away_or_edited_are_found(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trial.paths.allocation
    school = next(iter(arms(trial)))
    trial.replace_school(school, seed="4 April: 2", reason="it closed")
    trial.add_late(trial.paths.root / "late.csv", seed="April")
    files = [str(folder / "record.json"), str(trial.paths.root / "schools.csv")]
    arguments = [*files, "--allocation", str(folder / "allocation.csv"), "--log", str(trial.paths.log)]

    def said() -> tuple[int, str]:
        capsys.readouterr()
        return program.main(arguments), capsys.readouterr().out

    assert said()[0] == 0
    path = folder / "later_1.json"
    values = json.loads(path.read_bytes())
    other = next(name for name in trial.protocol.arm_names if name != values["arm"])
    path.write_text(json.dumps(values | {"arm": other}), encoding="utf-8")
    code, out = said()
    assert code == 1
    assert f"School {school}, which withdrew, was not in the arm '{other}'." in out
    assert "A record of what came after the draw is not the one that the log names." in out
    path.unlink()
    code, out = said()
    assert code == 1
    assert "later_2.json is there, and later_1.json is missing." in out
    assert "The log names 2 records of what came after the draw, and beside the record are 1." in out


def test_the_commands_draw_verify_and_name_no_arm(trial: Trial) -> None:
    folder = str(trial.folder)
    code, out = crocoos("assign", folder, "--add", f"{folder}/late.csv", typed="7 8 9\n7 8 9\n")
    assert code == 0, out
    assert "3 schools in" in out
    school = next(iter(arms(trial)))
    one = pd.read_csv(f"{folder}/reserves.csv", dtype=str, keep_default_na=False).iloc[:1].assign(school_id="77")
    one.to_csv(f"{folder}/one.csv", index=False)
    code, out = crocoos("assign", folder, "--add", f"{folder}/one.csv", "--seed", "alone")
    assert "\n1 school in 1 stratum.\n" in f"\n{out}", "totals would say in which arm it is"
    code, out = crocoos("assign", folder, "--replace", school, "--seed", "3", "--reason", "it closed", "--json")
    assert code == 0, out
    assert '"arm"' not in out
    code, out = crocoos("assign", folder, "--replace", "none", "--seed", "4", "--reason", "x")
    assert code != 0
    code, out = crocoos("verify", folder)
    assert code == 0, out
    assert "took its place" in out
    assert crocoos("assign", folder, "--add", "x.csv", "--reveal")[0] == 2


def test_a_minimisation_goes_on_with_schools_that_join_one_by_one(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    root = trial.paths.root
    text = trial.paths.protocol.read_text(encoding="utf-8").replace('kind = "stratified"', 'kind = "minimisation"')
    trial.paths.protocol.write_text(text, encoding="utf-8")
    shutil.rmtree(trial.paths.allocation)
    trial = Trial(trial.folder, clock=clock)
    with pytest.raises(DesignError, match="the schools were drawn before"):
        trial.assign()
    trial.assign(reason="another design")
    frame = pd.read_csv(root / "late.csv", dtype=str, keep_default_na=False)
    trial.replace_school(next(iter(arms(trial))), seed="May", reason="it closed")
    for place in range(len(frame)):
        frame.iloc[place : place + 1].to_csv(root / "next.csv", index=False)
        trial.add_late(root / "next.csv", seed=f"June {place}")
    assert trial.verify().ok
    last = json.loads((trial.paths.allocation / "later_4.json").read_text(encoding="utf-8"))
    assert len(last["before"]) == 8
    files = [str(trial.paths.allocation / f"later_4.{kind}") for kind in ("json", "csv")]
    assert program.main(files) == 0
    edited = trial.paths.allocation / "later_4.json"
    honest = edited.read_bytes()
    first, *rest = last["before"]
    other = next(arm for arm in trial.protocol.arm_names if arm != first["arm"])
    edited.write_text(json.dumps(last | {"before": [first | {"arm": other}, *rest]}), encoding="utf-8")
    capsys.readouterr()
    tables = [str(trial.paths.allocation / "record.json"), str(root / "schools.csv")]
    assert program.main([*tables, "--allocation", str(trial.paths.allocation / "allocation.csv")]) == 1
    told = "later_4.json: The schools that had joined before are not those of the records before."
    assert told in capsys.readouterr().out
    edited.write_bytes(honest)
    again_drawn = redraws(trial)
    schools, actual, draws = again_drawn.schools, again_drawn.actual, again_drawn.draws
    assert schools == tuple(sorted(arms(trial)))
    assert [trial.protocol.arm_names[place] for place in actual] == list(arms(trial).values())
    assert np.abs(draws.sum(axis=1) - 4.5).mean() < 1
    assert np.abs(draws.mean(axis=0) - 0.5).max() < 0.15


@pytest.mark.parametrize(
    ("file", "seed", "problem"),
    [
        ("schools.csv", "April", "is in the trial"),
        ("late.csv", "a lottery", "The seed 'a lottery' was used before"),
        ("late.csv", " ", "cannot be a seed"),
        ("absent.csv", "April", "absent.csv"),
    ],
)
def test_late_schools_that_cannot_be_drawn_are_refused(trial: Trial, file: str, seed: str, problem: str) -> None:
    with pytest.raises(CrocoosError, match=problem):
        trial.add_late(trial.paths.root / file, seed=seed)
    assert not list(trial.paths.allocation.glob("later_*"))


def test_a_late_school_that_can_be_taken_for_another_is_refused(trial: Trial) -> None:
    path = trial.paths.root / "late.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    school = next(iter(arms(trial)))
    frame.assign(school_id=[f"0{school}", *frame["school_id"][1:]]).to_csv(path, index=False)
    with pytest.raises(DesignError, match="can be taken for"):
        trial.add_late(path, seed="April")
    frame.assign(consent="no").to_csv(path, index=False)
    with pytest.raises(CrocoosError, match="no school of it can be drawn"):
        trial.add_late(path, seed="April")


def test_a_replacement_needs_a_reason_reserves_and_a_school_of_the_trial(trial: Trial) -> None:
    school = next(iter(arms(trial)))
    with pytest.raises(DesignError, match="No reason is stated"):
        trial.replace_school(school, seed="1", reason=" ")
    with pytest.raises(DesignError, match="It is not in the draw"):
        trial.replace_school("none", seed="1", reason="x")
    path = trial.paths.root / "reserves.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.iloc[-1:].to_csv(path, index=False)
    with pytest.raises(DesignError, match=r"no reserve is of its stratum \(HU\)"):
        trial.replace_school(school, seed="1", reason="x")
    text = trial.paths.protocol.read_text(encoding="utf-8").replace('reserves = "reserves.csv"', "")
    trial.paths.protocol.write_text(text, encoding="utf-8")
    with pytest.raises(DesignError, match="no file of reserve schools is named"):
        Trial(trial.folder, clock=clock).replace_school(school, seed="1", reason="x")


def test_nothing_is_added_before_the_draw_or_to_one_that_does_not_hold(trial: Trial) -> None:
    table = trial.paths.allocation / "allocation.csv"
    table.write_bytes(table.read_bytes().replace(b"control", b"pilot", 1))
    with pytest.raises(StaleError, match="the draw is not valid"):
        trial.add_late(trial.paths.root / "late.csv", seed="April")
    shutil.rmtree(trial.paths.allocation)
    with pytest.raises(StaleError, match="have not been drawn"):
        trial.add_late(trial.paths.root / "late.csv", seed="April")


def test_a_frame_that_changed_in_what_the_draw_does_not_look_at_leaves_the_draw_fresh(trial: Trial) -> None:
    trial.add_late(trial.paths.root / "late.csv", seed="April")
    before, log = arms(trial), trial.paths.log.read_bytes()
    path = trial.paths.root / "schools.csv"
    pd.read_csv(path, dtype=str, keep_default_na=False).assign(note="new").to_csv(path, index=False)
    again = Trial(trial.folder, clock=clock)
    assert [status.state for status in again.status() if status.stage == "assign"] == ["fresh"]
    again.assign()
    assert [status.state for status in again.status() if status.stage == "assign"] == ["fresh"]
    assert arms(again) == before
    assert trial.paths.log.read_bytes() == log, "nobody drew again"
    assert again.verify().ok


def test_another_first_draw_would_undo_what_came_after_and_is_refused(trial: Trial) -> None:
    trial.add_late(trial.paths.root / "late.csv", seed="April")
    with pytest.raises(DesignError, match="would undo that"):
        trial.assign(seed="x", reason="y")
    text = trial.paths.protocol.read_text(encoding="utf-8").replace('seed = "a lottery"', "")
    trial.paths.protocol.write_text(text, encoding="utf-8")
    with pytest.raises(DesignError, match="would undo that"):
        Trial(trial.folder, clock=clock).commit(reason="y")
    assert trial.verify().ok


@pytest.mark.parametrize(
    "name", ["later_1.json", "later_1.csv", "later_2.json", "later_2.csv", "allocation.csv", "../log.jsonl"]
)
def test_a_byte_changed_in_what_came_after_is_found(trial: Trial, name: str) -> None:
    trial.add_late(trial.paths.root / "late.csv", seed="April")
    trial.replace_school(next(iter(arms(trial))), seed="May", reason="it closed")
    path = trial.paths.allocation / name
    whole = path.read_bytes()
    for place in range(0, len(whole), 61):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            assert not Trial(trial.folder, clock=clock).verify().ok, f"byte {place}"
        except CrocoosError:
            continue
    path.write_bytes(whole)
    assert trial.verify().ok


def test_a_step_taken_out_is_found_even_when_the_stage_says_nothing_of_it(trial: Trial) -> None:
    trial.add_late(trial.paths.root / "late.csv", seed="April")
    for path in trial.paths.allocation.glob("later_1.*"):
        path.unlink()
    problems = trial.verify().problems
    assert any("not those of the log" in problem for problem in problems)
    assert any(problem.startswith("allocation.csv has a school that no record has") for problem in problems)


def test_a_step_that_is_killed_anywhere_leaves_the_trial_before_or_after(trial: Trial, tmp_path: Path) -> None:
    states = Counter[int]()
    for touch in range(1, 200, 3):
        folder = tmp_path / f"kill_{touch}"
        shutil.copytree(trial.folder, folder)

        def run(folder: Path = folder) -> None:
            Trial(folder, clock=clock).add_late(folder / "late.csv", seed="April")

        killed = killed_at(touch, run)
        again = Trial(folder, clock=clock)
        assert again.verify().ok, f"killed at touch {touch}"
        states[len(arms(again))] += 1
        shutil.rmtree(folder)
        if not killed:
            break
    assert set(states) == {6, 9}


def test_results_and_reports_count_who_came_and_who_went(trial: Trial) -> None:
    withdrawn = next(iter(arms(trial)))
    late = trial.add_late(trial.paths.root / "late.csv", seed="April", reason="recruited late")
    made = trial.replace_school(withdrawn, seed="May", reason="it closed")
    simulate_trial_inputs(trial.paths.root, seed=SEED, spec=SimulatedTrial.small())
    trial = Trial(trial.folder, clock=clock)
    trial.collect()
    with pytest.raises(DesignError, match="it has sent data: the trial has started there"):
        trial.replace_school(made.chosen, seed="June", reason="x")
    trial.balance()
    rows = trial.impact().set_index("estimate_id")
    name = trial.protocol.analyses[0].name
    assert rows.loc[f"{name}/all/difference/pilot", "n_schools"] == 9
    flow = pd.read_csv(trial.paths.results / "flow.csv", keep_default_na=False)
    count = flow.groupby(["step", "reason"])["n_schools"].sum()
    assert count["assessed", ""] == 10
    assert count["excluded", "withdrew before the start"] == 1
    assert count["randomised", ""] == 9
    said = " ".join(texts(allocation(trial.evidence(), "en")))
    assert "3 schools that joined later were drawn among one another by the same design" in said
    assert "1 school withdrew before the start; a reserve drawn by lot took its place and its arm" in said
    page = " ".join(texts(build_certificate(draw_facts(trial), "en")))
    assert re.search(r"3 schools joined later and were drawn among one another: .* seed April", page)
    assert "it closed" in page
    assert late.schools[0] not in page
    for arm in trial.protocol.arm_names:
        assert withdrawn not in trial.certificate().folder.joinpath(f"letters_{arm}.csv").read_text(encoding="utf-8")
    assert json.loads((trial.paths.allocation / "later_2.json").read_text(encoding="utf-8"))["chosen"] == made.chosen


def test_a_late_school_that_is_listed_twice_makes_the_answer_of_verify_no(trial: Trial) -> None:
    trial.add_late(trial.paths.root / "late.csv", seed="77")
    path = trial.paths.allocation / "later_1.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines, lines[-1], ""]), encoding="utf-8")
    code, text = crocoos("verify", str(trial.folder))
    assert code == 1, text
    assert "Problem" in text
    assert "later_1.csv" in text


@pytest.mark.parametrize("damage", ["missing", "edited"])
def test_the_certificate_says_what_is_not_known_without_a_log(trial: Trial, damage: str) -> None:
    trial.add_late(trial.paths.root / "late.csv", seed="77")
    log = trial.paths.log
    log.unlink() if damage == "missing" else log.write_bytes(log.read_bytes().replace(b"drawn", b"drown", 1))
    said = " ".join(texts(build_certificate(draw_facts(trial), "en")))
    assert "nothing was published" not in said
    assert "not known, since the trial’s log is missing" in said
    assert "joined later" in said


@pytest.mark.parametrize("damage", ["missing", "edited"])
def test_a_log_that_is_lost_is_begun_again_and_the_loss_is_told_for_good(trial: Trial, damage: str) -> None:
    trial.add_late(trial.paths.root / "late.csv", seed="77")
    trial.plan(freeze=True)
    log, folder = trial.paths.log, str(trial.folder)
    assert "it is not lost" in crocoos("log", folder, "--begin-again", "--reason", "none")[1]
    log.unlink() if damage == "missing" else log.write_bytes(log.read_bytes().replace(b"drawn", b"drown", 1))
    assert "--begin-again" in crocoos("assign", folder)[1]
    assert "no reason is given" in crocoos("log", folder, "--begin-again")[1]
    code, text = crocoos("log", folder, "--begin-again", "--reason", "the disk failed")
    assert (code, "the disk failed" in text) == (0, True), text
    first = trial.log().entries[0]
    assert (first.event, first.detail["mode"], first.detail["lost"] == "missing") == (
        ("begun again", "practice", damage == "missing")
    )
    assert trial.is_practice
    for _ in range(2):
        assert trial.verify().ok, trial.verify().problems
        assert any("nothing shows whether a commitment preceded" in note for note in trial.verify().notes)
        trial.assign()
        trial.plan(freeze=True)
    with pytest.raises(DesignError):
        trial.assign(seed="another")
    simulate_trial_inputs(trial.paths.root, seed=SEED, spec=SimulatedTrial.small())
    trial.collect()
    plan, facts = describe_order_claims(trial)
    assert (plan.order, plan.is_prior, facts.state, facts.n_draws, facts.n_disagreements) == (
        ("log_begun_again", False, "begun_again", None, 0)
    )
    said = " ".join([*plan_sentences(plan, words("en")), *log_sentences(facts, words("en"))])
    assert "nothing shows whether the analysis plan was frozen before" in said
    assert re.search(r"begun again on \S+ \S+ UTC \(the disk failed\): nothing shows what was done before", said)
    assert "nothing was published" not in " ".join(texts(build_certificate(draw_facts(trial), "en")))
    files = [str(trial.paths.allocation / name) for name in ("record.json", "allocation.csv")]
    schools = str(trial.paths.root / "schools.csv")
    assert program.main([files[0], schools, "--allocation", files[1], "--log", str(log)]) == 0
