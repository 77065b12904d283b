"""Tables that programs make, in a trial: of XLSForms with their lists of pupils, and REDCap's with its dictionary."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from data_schema.store import Store
from evaluation.cli.main import crocoos
from tests.support.collectors import kobotoolbox, odk_central
from tests.support.tiny import PROTOCOL, plain_files, pupil_ids, school_ids, tiny_trial

SCHOOL = school_ids()[2]
DICTIONARY = "\n".join(
    [
        '"Variable / Field Name","Form Name","Field Type","Field Label","Choices, Calculations, OR Slider Labels"',
        "pupil_id,visit,text,Record ID,",
        f'school_id,visit,dropdown,School,"3, {SCHOOL} Petőfi"',
        'status,visit,radio,Status,"1, Left early | 2, Enrolled"',
        "average_mark,visit,text,Average mark,",
    ]
)
RULE = """
[[inbox]]
pattern = "redcap/data*.csv"
table = "status"
wave = "after"
dictionary = "redcap/dictionary.csv"
"""


def test_an_export_of_redcap_is_read_by_the_dictionary_that_the_protocol_names(tmp_path: Path) -> None:
    files = plain_files()
    del files[f"after/status_{SCHOOL}.csv"]
    head = "pupil_id,redcap_event_name,school_id,status,average_mark,visit_complete"
    rows = [
        line
        for pupil in pupil_ids(SCHOOL)
        for line in (f"{pupil},before_arm_1,3,,,0", f"{pupil},after_arm_1,,{1 + (pupil[-1] != '1')},4,2")
    ]
    files["redcap/data.csv"] = "\n".join([head, *rows])
    protocol = PROTOCOL.replace("\n[[outcomes]]", f"{RULE}\n[[outcomes]]")
    trial = tiny_trial(tmp_path / "trial", protocol=protocol, files=files)
    without = CliRunner().invoke(crocoos, ["collect", str(trial.paths.root)])
    assert "correct the key 'dictionary' in [[inbox]]" in without.output
    (trial.paths.inbox / "redcap" / "dictionary.csv").write_text(DICTIONARY, encoding="utf-8")
    trial.collect()
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        kept = store.table("status").query("source_file == 'redcap/data.csv'")
    assert len(kept) == 12
    assert set(kept["school_id"]) == {SCHOOL}
    assert kept["status"].value_counts().to_dict() == {"enrolled": 10, "left_early": 2}


def test_a_pupil_is_chosen_from_the_schools_own_list_and_what_comes_back_is_matched_to_form_and_list(
    tmp_path: Path,
) -> None:
    trial = tiny_trial(tmp_path / "trial")
    answer = CliRunner().invoke(crocoos, ["forms", str(trial.paths.root), "--wave", "after"])
    assert "8 lists of pupils there, one per school: attach it as pupils.csv" in answer.output
    path = trial.paths.forms / "after" / "SI" / SCHOOL / "pupils.csv"
    assert path.stat().st_mode & 0o077 == 0
    listed = path.read_text(encoding="utf-8")
    assert all(f"{pupil},{pupil},{SCHOOL}," in listed for pupil in pupil_ids(SCHOOL))
    others = [pupil for school in school_ids() if school != SCHOOL for pupil in pupil_ids(school)]
    assert not any(pupil in listed for pupil in others)
    form = (trial.paths.root / "output" / "forms" / "after" / "SI" / "status_school.xlsx").read_bytes()
    first, second, *_ = pupil_ids(SCHOOL)
    record = {"school_id": SCHOOL, "status": "enrolled", "average_mark": "4"}
    records = [
        {**record, "pupil_id": first, "pupil_listed": first},
        {**record, "pupil_id": second, "pupil_listed": second},
        {**record, "pupil_id": "990001", "pupil_listed": "not_listed", "pupil_typed": "990001"},
    ]
    target = trial.paths.inbox / "after" / f"status_{SCHOOL}.csv"
    target.write_bytes(odk_central(form, records))
    early = next(one for one in trial.forms(wave="before").xlsforms if one.stem == "pupil_school").read_bytes()
    of_lists = [{"school_id": SCHOOL, "pupil_id": first, "gender": "girl", "consent": "yes"}]
    (trial.paths.inbox / "after" / "status_wrong.csv").write_bytes(
        kobotoolbox(early, of_lists).replace(b'"gender"', b'"status"')
    )
    collected = trial.collect()
    returns = collected.returns.set_index("file")
    assert list(returns.loc[f"after/status_{SCHOOL}.csv", ["sent", "kept"]]) == [3, 3]
    assert list(returns.loc["after/status_wrong.csv", ["sent", "refused"]]) == [1, 1]
    said = [one.problem for one in collected.findings if one.file.startswith("after/")]
    assert "The pupil of this row is in no list of pupils of the school." in said
    assert any("are of the form 'pupil_school_before_SI', which is of something else" in one for one in said)
    assert not any("another version" in one for one in said)
    protocol = (trial.paths.root / "trial.toml").read_text(encoding="utf-8")
    label = '\n[[tables.status.fields]]\nname = "remark"\ntype = "text"\nlabel = "Remark"\n'
    (trial.paths.root / "trial.toml").write_text(protocol + label, encoding="utf-8")
    again = type(trial)(trial.paths.root, clock=trial.clock).collect()
    assert any("3 of its submissions are of another version" in one.problem for one in again.findings)
