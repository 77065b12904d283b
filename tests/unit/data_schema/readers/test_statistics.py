"""Files of Stata and SPSS: names, labels, missing values, dates."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

import pandas as pd
import pyreadstat
import pytest

from data_schema.readers.statistics import is_spss, is_stata, read_statistics
from tests.support.bad_files import stata

FRAME = pd.DataFrame(
    {
        "school_id": ["031201", "031202"],
        "gender": [1.0, 2.0],
        "mark": [4.5, None],
        "n": [3.0, 4.0],
        "day": [date(2027, 10, 5), None],
    }
)
LABELS: dict[str, dict[float | int, str]] = {"gender": {1: "lány", 2: "fiú"}}
ROWS = (
    ("school_id", "gender", "mark", "n", "day"),
    ("031201", "lány", 4.5, 3, date(2027, 10, 5)),
    ("031202", "fiú", None, 4, None),
)


@pytest.mark.parametrize("kind", ["sav", "zsav", "dta"])
def test_coded_answers_are_their_labels_and_missing_values_missing(tmp_path: Path, kind: str) -> None:
    path = str(tmp_path / f"a.{kind}")
    if kind == "dta":
        pyreadstat.write_dta(FRAME, path, variable_value_labels=LABELS, column_labels={"gender": "nem"})
    else:
        pyreadstat.write_sav(
            FRAME, path, variable_value_labels=LABELS, column_labels={"gender": "nem"}, compress=kind == "zsav"
        )
    content = Path(path).read_bytes()
    assert is_stata(content) == (kind == "dta")
    assert is_spss(content) == (kind != "dta")
    (sheet,) = read_statistics(content, file="a").sheets
    assert sheet.rows == ROWS
    assert sheet.labels == ("", "nem", "", "", "")
    assert (sheet.sheet, sheet.separator) == ("", "")


@pytest.mark.parametrize("version", [114, 117, 118, 119])
def test_every_version_of_stata_is_known(version: Literal[114, 117, 118, 119]) -> None:
    content = stata(pd.DataFrame({"a": [1, 2]}), version=version)
    assert is_stata(content)
    assert read_statistics(content, file="a").sheets[0].rows == (("a",), (1,), (2,))


def test_text_that_starts_like_an_old_stata_file_is_none() -> None:
    assert not is_stata(b"school_id;pupil_id")
    assert not is_stata(b"r")


def test_damage_is_refused() -> None:
    for content in (b"$FL2@(#)" + bytes(300), stata(FRAME[["n"]])[:300]):
        (finding,) = read_statistics(content, file="a").findings
        assert finding.severity == "refused"


def test_too_many_cells_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_schema.readers.statistics.N_CELLS", 3)
    (finding,) = read_statistics(stata(FRAME[["n", "mark"]]), file="a").findings
    assert "too large" in finding.problem
