"""Whatever lies in the inbox, the other files are taken in, and a finding says what is wrong with the one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from data_schema.sentences import SENTENCES
from evaluation.cli.main import crocoos
from evaluation.trial import Trial
from tests.support.tiny import N_PUPILS, plain_files, school_ids, tiny_trial

STOPPER = Path(__file__).parents[1] / "support" / "stops_the_reader.sav"


def answer(*args: str) -> dict[str, object]:
    """Return what a command answers; it must not fail."""
    done = CliRunner().invoke(crocoos, [*args, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    values: dict[str, object] = json.loads(done.stdout)
    return values


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    lists = {name: text for name, text in plain_files().items() if name.startswith("before/")}
    return tiny_trial(tmp_path / "trial", files=lists)


def test_a_file_that_stops_its_reader_is_refused_by_name_and_all_others_are_taken_in(trial: Trial) -> None:
    (trial.paths.inbox / "before" / "pupil_damaged.sav").write_bytes(STOPPER.read_bytes())
    collected = trial.collect()
    (finding,) = [one for one in collected.findings if one.file == "before/pupil_damaged.sav"]
    assert (finding.severity, finding.problem) == (
        "refused",
        "It is damaged: the program that reads such files stopped.",
    )
    assert finding.remedy in SENTENCES
    kept = collected.returns.groupby("file")["kept"].sum()
    assert kept[f"before/pupil_{school_ids()[0]}.csv"] == N_PUPILS
    assert kept.sum() == N_PUPILS * len(school_ids())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_a_file_and_a_folder_whose_names_are_not_in_utf_8_stop_no_stage(trial: Trial) -> None:
    inbox = trial.paths.inbox
    (inbox / "before" / "pupil_SI-01.csv").rename(inbox / "before" / "pupil_n\udce9vsor.csv")
    (inbox / "before" / "pupil_SI-02.csv").rename(inbox / "before" / "pupil_\x1b[31m.csv")
    (inbox / "after\udcf5\x07").mkdir()
    (inbox / "after\udcf5\x07" / "other.txt").write_bytes(b"?")
    folder = str(trial.paths.root)
    answer("assign", folder)
    collected = answer("collect", folder)
    assert collected["kept"] == N_PUPILS * len(school_ids())
    findings = Trial(folder).collect().findings
    assert {"before/pupil_n\\xe9vsor.csv", "after\\xf5\\x07/other.txt"} <= {
        one.file for one in findings if one.problem.startswith("Its name is not in Unicode")
    }
    for command in ("status", "returns", "checks", "codebook", "balance"):
        answer(command, folder)
    answer("withdraw", "before/pupil_\\x1b[31m.csv", folder, "--reason", "sent twice")
    assert answer("collect", folder)["kept"] == (len(school_ids()) - 1) * N_PUPILS


def test_a_sign_that_nobody_can_read_in_a_cell_is_asked_about_in_a_workbook(trial: Trial) -> None:
    school = school_ids()[0]
    name = f"after/status_{school}.csv"
    (trial.paths.inbox / "after").mkdir()
    (trial.paths.inbox / name).write_bytes(plain_files()[name].encode().replace(b";2.0", b";2\x08.0", 1))
    (question,) = trial.collect().findings.by_severity("question")
    assert (question.column, question.value) == ("average_mark", "2\ufffd.0")
    assert (trial.paths.store / "queries" / f"{school}.xlsx").exists()
