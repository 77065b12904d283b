"""Bad input: one clear message and exit code each, and nothing lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from data_schema.errors import CrocoosError, DataError, DesignError, StorageError
from evaluation.cli.main import get_exit_code
from evaluation.provenance import hash_file
from evaluation.trial import Trial
from tests.support.trials import clock, drawn_trial, estimated_trial, small_protocol, small_trial

HUNGARIAN_PUPILS = "pupil_031201.csv"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "trial"
    drawn_trial(folder)
    return folder


@pytest.fixture
def trial(drawn: Path, tmp_path: Path) -> Trial:
    shutil.copytree(drawn, tmp_path / "trial")
    return Trial(tmp_path / "trial", clock=clock)


def pupils_file(trial: Trial) -> Path:
    return sorted((trial.paths.inbox / "baseline" / "HU").glob("pupil_*.csv"))[1]


def problems(trial: Trial, file: Path) -> list[str]:
    name = file.relative_to(trial.paths.inbox).as_posix()
    return [str(finding) for finding in trial.collect().findings if finding.file == name]


def lines_of(file: Path) -> tuple[list[str], str]:
    content = file.read_bytes()
    encoding = "utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else "cp1250"
    return content.decode(encoding).splitlines(), encoding


def rewrite(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    lines, encoding = lines_of(file)
    file.write_bytes("\r\n".join([*change(lines), ""]).encode(encoding))


def test_an_empty_inbox(trial: Trial) -> None:
    shutil.rmtree(trial.paths.inbox)
    with pytest.raises(DataError, match="inbox/: there is no file") as caught:
        trial.collect()
    assert get_exit_code(caught.value) == 4


def test_an_empty_file_is_named_and_the_others_are_taken_in(trial: Trial) -> None:
    file = pupils_file(trial)
    file.write_bytes(b"")
    found = problems(trial, file)
    assert len(found) == 1
    assert "empty" in found[0]
    assert trial.collect().returns["kept"].sum() > 500


def test_a_file_in_a_wrong_encoding_is_named(trial: Trial) -> None:
    file = pupils_file(trial)
    file.write_bytes(b"\xff\x00\xfe\x81" * 50)
    assert problems(trial, file)


def test_a_workbook_that_is_none_is_named(trial: Trial) -> None:
    file = sorted((trial.paths.inbox / "baseline" / "RS").glob("*.xlsx"))[0]
    file.write_bytes(b"PK\x03\x04 not a workbook")
    assert problems(trial, file)


def test_a_school_that_was_never_randomised_is_asked_about_and_its_rows_are_counted(trial: Trial) -> None:
    file = pupils_file(trial)
    school = file.stem.split("_")[1]
    rewrite(file, lambda lines: [lines[0], *(line.replace(school, "999999", 1) for line in lines[1:])])
    collected = trial.collect()
    name = file.relative_to(trial.paths.inbox).as_posix()
    mine = collected.returns[collected.returns["file"] == name]
    assert mine["kept"].sum() == 0
    assert mine["sent"].sum() == 20 == mine["asked"].sum() + mine["refused"].sum()
    assert any("999999" in str(finding) for finding in collected.findings if finding.file == name)


def test_a_school_without_its_leading_zero_is_asked_about_with_the_likely_one(trial: Trial) -> None:
    file = pupils_file(trial)
    school = file.stem.split("_")[1]
    assert school.startswith("0")
    rewrite(file, lambda lines: [lines[0], *(line.replace(school, school.lstrip("0"), 1) for line in lines[1:])])
    found = problems(trial, file)
    assert any(school in text for text in found)


def test_two_pupils_with_one_id_are_both_asked_about(trial: Trial) -> None:
    file = pupils_file(trial)

    def change(lines: list[str]) -> list[str]:
        header = lines[0].split(";")
        cells = lines[1].split(";")
        cells[header.index("birth_year")] = "2009"
        return [*lines, ";".join(cells)]

    rewrite(file, change)
    name = file.relative_to(trial.paths.inbox).as_posix()
    collected = trial.collect()
    mine = collected.returns[collected.returns["file"] == name].iloc[0]
    assert (mine["sent"], mine["kept"], mine["asked"]) == (21, 19, 2)
    assert {finding.row for finding in collected.findings if finding.file == name} >= {2, 22}


def test_a_value_outside_its_range_is_asked_about_and_its_row_kept(trial: Trial) -> None:
    file = pupils_file(trial)

    def change(lines: list[str]) -> list[str]:
        header = lines[0].split(";")
        cells = lines[3].split(";")
        cells[header.index("prior_average")] = "55"
        return [*lines[:3], ";".join(cells), *lines[4:]]

    rewrite(file, change)
    found = [text for text in problems(trial, file) if "row 4" in text]
    assert any("'prior_average'" in text and "55" in text for text in found)
    name = file.relative_to(trial.paths.inbox).as_posix()
    returns = trial.collect().returns
    assert returns.loc[returns["file"] == name, "kept"].sum() == 20


def test_a_missing_sampling_frame(trial: Trial) -> None:
    (trial.paths.root / "schools.csv").unlink()
    with pytest.raises(DataError, match=r"schools\.csv"):
        trial.assign(seed="x", reason="y")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda frame: pd.concat([frame, frame.iloc[[0]]]), "twice"),
        (lambda frame: frame.drop(columns="country"), "country"),
        (lambda frame: frame.assign(country="XX"), "XX"),
        (lambda frame: frame[frame["country"] != "RS"], "RS"),
        (lambda frame: frame.iloc[:0], "school"),
    ],
    ids=["a school twice", "no country", "unknown country", "a country without schools", "no schools"],
)
def test_a_wrong_sampling_frame(trial: Trial, change: Callable[[pd.DataFrame], pd.DataFrame], text: str) -> None:
    path = trial.paths.root / "schools.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    change(frame).to_csv(path, index=False)
    with pytest.raises(CrocoosError, match=text):
        trial.assign(seed="x", reason="y")


def test_a_stratum_with_one_school_is_drawn_and_noted(trial: Trial) -> None:
    path = trial.paths.root / "schools.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.loc[0, "type"] = "mixed"
    frame.to_csv(path, index=False)
    allocation = trial.assign(seed="x", reason="y")
    assert len(allocation.notes) == 1
    assert trial.verify().ok


def test_an_arm_that_would_stay_empty(tmp_path: Path) -> None:
    trial = small_trial(tmp_path / "trial")
    frame = pd.read_csv(trial.paths.root / "schools.csv", dtype=str, keep_default_na=False)
    text = small_protocol().replace('RS = "Serbia"\n', "")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "trial.toml").write_text(text, encoding="utf-8")
    frame.iloc[:1].to_csv(tmp_path / "one" / "schools.csv", index=False)
    with pytest.raises(DesignError):
        Trial(tmp_path / "one").assign(seed="x")


def test_a_draw_without_a_seed(tmp_path: Path) -> None:
    text = small_protocol().replace('seed = "a lottery"', 'seed = ""')
    trial = small_trial(tmp_path / "trial", text=text)
    with pytest.raises(DesignError, match="no seed is stated"):
        trial.assign()


def test_an_outcome_that_is_missing_everywhere_fails_alone(trial: Trial) -> None:
    for file in trial.paths.inbox.glob("followup/*/survey_*"):
        file.unlink()
    for file in trial.paths.inbox.glob("followup/RS/school_*"):
        file.unlink()
    trial.collect()
    table = trial.impact()
    engagement = table[(table["outcome"] == "engagement") & (table["quantity"] == "difference")]
    assert set(engagement["status"]) == {"failed"}
    assert engagement["reason"].str.len().min() > 10
    dropout = table[(table["plan_entry"] == "dropout_main") & (table["quantity"] == "difference")]
    assert "ok" in set(dropout["status"])


def test_a_trial_in_one_country_runs_to_its_site(tmp_path: Path) -> None:
    text = small_protocol().replace('HU = "Hungary"\n', "")
    trial = estimated_trial(tmp_path / "trial", text=text)
    assert set(pd.read_csv(trial.paths.root / "schools.csv", dtype=str)["country"]) == {"RS"}
    made = trial.report()
    assert [document.kind for document in made.documents] == ["summary", "report"]
    assert trial.publish().start.exists()


@contextlib.contextmanager
def mounted(folder: Path, *, options: str) -> Iterator[Path]:
    """Mount a file system of its own, as root can; others skip the test."""
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False)
    if done.returncode:
        pytest.skip("this machine mounts no file systems")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_loses_nothing(drawn: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", options="size=8m") as disk:
        shutil.copytree(drawn, disk / "trial")
        trial = Trial(disk / "trial", clock=clock)
        trial.collect()
        before = {path: hash_file(path) for path in trial.paths.store.rglob("*") if path.is_file()}
        free = shutil.disk_usage(disk).free
        (disk / "filler").write_bytes(b"x" * (free - 100_000))
        with pytest.raises(StorageError, match="full") as caught:
            trial.collect()
        assert get_exit_code(caught.value) == 9
        assert {path: hash_file(path) for path in trial.paths.store.rglob("*") if path.is_file()} == before
        (disk / "filler").unlink()
        trial.collect()


def test_a_read_only_folder_is_named(drawn: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", options="size=20m") as disk:
        shutil.copytree(drawn, disk / "trial")
        trial = Trial(disk / "trial", clock=clock)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(StorageError, match="read-only"):
            trial.collect()
        assert [status.state for status in trial.status() if status.stage == "assign"] == ["fresh"]


def test_what_is_no_file_of_a_school_is_named_and_neither_opened_nor_passed_over(trial: Trial) -> None:
    good = pupils_file(trial)
    folder = good.parent
    odd = {
        f"{good.name}~": "is a copy that a program keeps",
        f"{good.name}.bak": "is a copy that a program keeps",
        "pupil_x.csv.part": "a file that is not whole",
        f".{good.name}.swp": "A program left it behind",
        ".DS_Store": "A program left it behind",
        "~$pupil_1.xlsx": "A program left it behind",
    }
    for name in odd:
        (folder / name).write_bytes(good.read_bytes())
    (folder / "pupil_link.csv").symlink_to(folder / "gone.csv")
    (folder / "pupil_folder").symlink_to(trial.paths.inbox / "followup")
    os.mkfifo(folder / "pupil_pipe.csv")
    odd |= {"pupil_link.csv": "a link to a file that is not there", "pupil_folder": "a link to a folder"}
    odd |= {"pupil_pipe.csv": "no file, but a device"}
    collected = trial.collect()
    told = {Path(one.file).name: one.problem for one in collected.findings if one.file.startswith("baseline/HU/")}
    for name, problem in odd.items():
        assert problem in told[name], name
        assert not any(collected.returns["file"].str.endswith(f"/{name}"))
