"""Tables that programs make, in a trial: REDCap's with its data dictionary."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from data_schema.store import Store
from evaluation.cli.main import crocoos
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
