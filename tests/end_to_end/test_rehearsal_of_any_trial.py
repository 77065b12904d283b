"""A team rehearses its own protocol before there are data: any tables, waves and inbox rules."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from data_schema.store import Store
from evaluation.cli.main import crocoos
from evaluation.rehearsal.rehearse import simulate_trial_inputs
from evaluation.scaffold import create_trial_folder
from evaluation.trial import Trial
from tests.support.trials import small_trial

OWN = """
[trial]
title = "Tutoring"
intervention = "Tutors."
comparison = "No tutors."

[countries]
HU = "Hungary"
SI = "Slovenia"

[[waves]]
name = "autumn"
label = "Autumn"

[[waves]]
name = "spring"
label = "Spring"

[design]
strata = ["country", "ward"]
seed = "a lottery"

[[design.arms]]
name = "usual"
label = "Usual"

[[design.arms]]
name = "tutored"
label = "Tutored"

[[tables.pupil.fields]]
name = "mother_tongue"
type = "code"
label = "Mother tongue"
labels = { hu = "Anyanyelv", sl = "Materni jezik" }
codes = [{ name = "same", label = "Same" }, { name = "another", label = "Another" }]
required = true

[[tables.pupil.fields]]
name = "tutor_since"
type = "date"
label = "Tutored since"
waves = ["spring"]

[tables.exam]
label = "Exam"
about = "pupil"
by_wave = true
key = ["school_id", "pupil_id", "subject"]

[[tables.exam.fields]]
name = "school_id"
type = "identifier"
required = true

[[tables.exam.fields]]
name = "pupil_id"
type = "identifier"
privacy = "identifier"
required = true

[[tables.exam.fields]]
name = "subject"
type = "code"
required = true
codes = [{ name = "maths", label = "Maths" }, { name = "reading", label = "Reading" }]

[[tables.exam.fields]]
name = "sat"
type = "yes_no"
required = true

[[tables.exam.fields]]
name = "points"
type = "number"
minimum = 0
maximum = 40
asked_if = { sat = ["yes"] }

[[inbox]]
pattern = "autumn/*/lists/*.xlsx"
table = "pupil"
wave = "autumn"
sheet = "List"

[[inbox]]
pattern = "spring/everybody.csv"
table = "pupil"
wave = "spring"

[[inbox]]
pattern = "spring/**/exam_*"
table = "exam"
wave = "spring"

[[inbox]]
pattern = "costs.xlsx"
table = "costs"

[[covariates]]
name = "prior_average"
label = "Average before"

[[outcomes]]
name = "points"
label = "Points"
kind = "continuous"
direction = "higher"
table = "exam"
wave = "spring"

[[analyses]]
name = "main"
outcome = "points"
role = "primary"
model = "linear_mixed"
covariates = ["prior_average"]

[inference]
n_draws = 99
"""


def rehearsed(folder: Path) -> Trial:
    simulate_trial_inputs(folder, seed=3)
    trial = Trial(folder)
    trial.plan(freeze=True)
    trial.assign(seed="a lottery")
    simulate_trial_inputs(folder, seed=3)
    return trial


def test_a_protocol_with_tables_waves_and_rules_of_its_own_is_rehearsed_from_list_to_estimate(tmp_path: Path) -> None:
    (tmp_path / "trial.toml").write_text(OWN, encoding="utf-8")
    trial = rehearsed(tmp_path)
    collected = trial.collect()
    # Drawn names and days of birth meet by chance now and then, which is asked about.
    told = [str(one) for one in collected.findings if one.severity != "note"]
    assert [text for text in told if "of the same name and birth is listed by" not in text] == []
    assert collected.returns["kept"].sum() == collected.returns["sent"].sum() > 1000
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        lists, exam = store.table("pupil"), store.table("exam")
    autumn, spring = (lists[lists["wave"] == wave].set_index("pupil_id") for wave in ("autumn", "spring"))
    assert set(autumn.index) == set(spring.index), "pupils are the same in every wave"
    assert (autumn["mother_tongue"] == spring["mother_tongue"].reindex(autumn.index)).mean() == 1
    assert autumn["tutor_since"].isna().all()
    assert spring["tutor_since"].notna().mean() > 0.9
    assert exam["points"].dropna().between(0, 40).all()
    assert exam.loc[~exam["sat"].astype(bool), "points"].isna().all(), "points are asked of who sat the exam"
    assert set(exam["subject"]) == {"maths", "reading"}
    estimates = trial.impact()
    assert estimates.query("quantity == 'difference' and country == ''")["estimate"].notna().all()
    assert json.loads((tmp_path / "rehearsal" / "truth.json").read_text()) == {"effects": {"points": 0}}


def test_simulated_pupils_have_identifiers_of_the_declared_form_scope_and_check_digits(tmp_path: Path) -> None:
    declared = """
[[tables.pupil.fields]]
name = "pupil_id"
type = "identifier"
privacy = "identifier"
required = true
pattern = { HU = "7[0-9]{10}", SI = "SI-[0-9]{6}" }
check_digits = { HU = "national" }
scope = "trial"

[tables.exam]"""
    (tmp_path / "trial.toml").write_text(OWN.replace("\n[tables.exam]", declared, 1), encoding="utf-8")
    collected = rehearsed(tmp_path).collect()
    told = [one.problem for one in collected.findings if one.column == "pupil_id"]
    assert [text for text in told if "identifier" in text or "check digit" in text] == []
    assert collected.returns["kept"].sum() == collected.returns["sent"].sum() > 1000


def test_the_smallest_template_is_rehearsed_by_the_command_with_a_list_of_schools_of_ones_own(tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    create_trial_folder(folder, template="minimal", practice=True)
    schools = pd.DataFrame({"school_id": [f"S{k:02d}" for k in range(1, 11)], "country": "SI", "type": "general"})
    schools.to_csv(folder / "schools.csv", index=False)
    for step in (["simulate"], ["assign", "--seed", "x"], ["simulate"], ["collect"], ["impact"]):
        answer = CliRunner().invoke(crocoos, [step[0], str(folder), *step[1:]])
        assert answer.exit_code == 0, answer.output
    assert len(list((folder / "inbox").rglob("*.csv"))) == 20
    assert (folder / "inbox" / "before" / "pupil_S01.csv").exists()


def test_the_same_seed_gives_the_same_files_and_a_real_file_is_never_overwritten(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        (folder / "trial.toml").write_text(OWN, encoding="utf-8")
        rehearsed(folder)
    one, two = (
        {path.relative_to(folder): path.read_bytes() for path in (folder / "inbox").rglob("*") if path.is_file()}
        for folder in folders
    )
    assert one == two
    sent = folders[0] / "inbox" / "spring" / "everybody.csv"
    sent.write_text("a real file", encoding="utf-8")
    with pytest.raises(Exception, match="other content"):
        simulate_trial_inputs(folders[0], seed=3)
    assert sent.read_text(encoding="utf-8") == "a real file"


def test_a_trial_that_the_simulation_knows_has_effects_and_faults(tmp_path: Path) -> None:
    trial = small_trial(tmp_path / "trial")
    trial.assign()
    done = simulate_trial_inputs(tmp_path / "trial", seed=7)
    assert done.has_effects
    assert done.faults
