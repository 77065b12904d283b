"""The trial's database."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from data_schema.errors import StorageError
from data_schema.findings import Finding, Findings
from data_schema.returns import Tally, build_reconciliation
from data_schema.store import Store, content_hash, write_store

FRAME = pd.DataFrame(
    {
        "school_id": pd.Series(["031201", "RS-101", "RS-101"], dtype="str"),
        "name 'of' it": pd.Series(["Ő; š", None, 'a "b"'], dtype="str"),
        "passed": pd.Series([True, None, False], dtype="boolean"),
        "absences": pd.Series([3, None, 0], dtype="Int64"),
        "mark": [4.25, np.nan, 1 / 3],
        "day": pd.to_datetime(pd.Series(["2027-10-05", None, "1999-12-31"])).dt.as_unit("us"),
        "wave": pd.Series(["baseline", "followup", "followup"], dtype="str"),
        "source_file": pd.Series(["a", "b", "b"], dtype="str"),
        "source_sheet": pd.Series(["", "", "S"], dtype="str"),
        "source_row": pd.Series([2, 3, 4], dtype="int64"),
    }
)
IMPORTS = build_reconciliation([Tally(file="a", sheet="", table="exam", wave="baseline", sent=1, kept=1)])
REPAIRS = pd.DataFrame({"file": pd.Series(["a"], dtype="str"), "row": [2]})
FINDINGS = Findings([Finding(file="a", row=None, problem="It's bad.", remedy="Mend it.", severity="note")])


def write(path: Path, frames: Mapping[str, pd.DataFrame] | None = None, **facts: str) -> Path:
    write_store(
        path,
        frames={"exam": FRAME} if frames is None else frames,
        imports=IMPORTS,
        repairs=REPAIRS,
        findings=FINDINGS,
        facts=facts,
    )
    return path


def test_everything_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = write(tmp_path / "trial.duckdb", {"exam": FRAME, "findings": FRAME[["mark"]]}, version="1", a="ő")
    with Store.open_read(path) as store:
        assert store.tables == ("exam", "findings")
        assert_frame_equal(store.table("exam"), FRAME)
        assert_frame_equal(store.table("findings"), FRAME[["mark"]])
        assert_frame_equal(store.imports(), IMPORTS)
        assert_frame_equal(store.repairs(), REPAIRS)
        assert store.findings() == FINDINGS
        assert store.facts() == {"version": "1", "a": "ő"}
        assert store.content_sha256() == content_hash({"exam": FRAME, "findings": FRAME[["mark"]]})


def test_one_wave_of_a_table(tmp_path: Path) -> None:
    with Store.open_read(write(tmp_path / "trial.duckdb")) as store:
        assert store.table("exam", wave="followup")["source_row"].tolist() == [3, 4]
        assert_frame_equal(store.table("exam", wave="none"), FRAME.iloc[:0])


def test_a_table_without_rows_keeps_its_typed_columns(tmp_path: Path) -> None:
    with Store.open_read(write(tmp_path / "trial.duckdb", {"exam": FRAME.iloc[:0]})) as store:
        assert_frame_equal(store.table("exam"), FRAME.iloc[:0])


def test_a_table_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with Store.open_read(write(tmp_path / "trial.duckdb")) as store, pytest.raises(StorageError, match="are: exam"):
        store.table("exams")


def test_a_new_database_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path / "trial.duckdb", {"old": FRAME})
    (tmp_path / ".trial.duckdb.partial").write_bytes(b"left by a killed run")
    write(path)
    assert [left.name for left in tmp_path.iterdir()] == ["trial.duckdb"]
    with Store.open_read(path) as store:
        assert store.tables == ("exam",)


def test_a_path_with_signs_and_spaces_is_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "it's a trial; ő"
    folder.mkdir()
    with Store.open_read(write(folder / "a b.duckdb")) as store:
        assert store.tables == ("exam",)


def test_a_database_that_is_not_there_or_no_database_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no database"), Store.open_read(tmp_path / "none.duckdb"):
        pass
    (tmp_path / "bad.duckdb").write_bytes(b"nonsense" * 1000)
    with pytest.raises(StorageError, match="cannot be read"), Store.open_read(tmp_path / "bad.duckdb"):
        pass


def test_a_database_of_another_program_is_an_error(tmp_path: Path) -> None:
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    with Store.open_read(tmp_path / "other.duckdb") as store:
        assert store.tables == ()
        with pytest.raises(StorageError, match="cannot be read"):
            store.facts()


def test_a_folder_that_is_not_there_is_an_error_and_so_is_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in ("none", "file"):
        with pytest.raises(StorageError, match="cannot be written"):
            write(tmp_path / folder / "trial.duckdb")


def test_a_defect_of_ours_is_not_dressed_up_as_a_trouble_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(duckdb.CatalogException):
        write(tmp_path / "trial.duckdb", {"exam": FRAME, "EXAM": FRAME})


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """Mount a file system of its own, as root can; elsewhere the test is skipped."""
    folder.mkdir()
    done = os.name == "posix" and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False, capture_output=True
    )
    if not done or done.returncode:
        pytest.skip("this user mounts no file systems")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_leaves_the_old_database_as_it_was(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=2m") as disk:
        path = write(disk / "trial.duckdb", {"old": FRAME})
        before = path.read_bytes()
        large = pd.DataFrame({"x": np.random.default_rng(1).random(400_000)})
        with pytest.raises(StorageError, match="the disk is full"):
            write(path, {"exam": large})
        assert path.read_bytes() == before
        assert [left.name for left in disk.iterdir()] == ["trial.duckdb"]
        write(path)


def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=2m") as disk:
        path = write(disk / "trial.duckdb", {"old": FRAME})
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(StorageError, match="read-only") as caught:
            write(path)
        assert caught.value.place == str(path)
        with Store.open_read(path) as store:
            assert store.tables == ("old",)


def test_the_hash_of_data_depends_on_every_value_and_not_on_order_or_source() -> None:
    whole = content_hash({"exam": FRAME})
    assert content_hash({"exam": FRAME.iloc[::-1]}) == whole
    assert content_hash({"exam": FRAME[FRAME.columns[::-1]]}) == whole
    assert content_hash({"exam": FRAME.assign(source_file="z", source_sheet="z", source_row=9)}) == whole
    assert content_hash({"exam": FRAME.astype({"school_id": object})}) == whole
    for column in FRAME.columns[:7]:
        changed = FRAME.copy()
        changed[column] = FRAME[column].to_numpy()[[1, 0, 2]]
        assert content_hash({"exam": changed}) != whole
    assert content_hash({"exams": FRAME}) != whole
    assert content_hash({"exam": FRAME, "empty": FRAME.iloc[:0]}) != whole
    assert content_hash({"exam": FRAME.rename(columns={"mark": "marks"})}) != whole


def test_the_hash_of_data_is_the_same_on_every_machine() -> None:
    frame = pd.DataFrame({"b": [0.1, None], "a": pd.Series(["ő", "x"], dtype="str")})
    assert content_hash({"t": frame}) == "8ea9567a2bdabb9935fa7cd349cf7c2fdb49c745e5d3ce990156b4df6e66e363"
