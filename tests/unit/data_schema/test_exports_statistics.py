"""Files of statistics programs and Parquet: every table can be written, with its labels, under names that are taken."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Literal

import duckdb
import pandas as pd
import pyreadstat
import pytest

from data_schema.exports import build_table_schema, encode_parquet, encode_spss, encode_stata
from data_schema.fields import Field
from data_schema.school_tables import standard_tables
from data_schema.tables import extended

LONG, LONGER = "absences_unjustified_of_the_first_term", "absences_unjustified_of_the_first_team"
COSTS = extended(
    standard_tables()["costs"],
    [Field(LONG, "number", label="Absences"), Field(LONGER, "number"), Field("int", "number"), Field("with", "text")],
)
ROWS = pd.DataFrame({"school_id": ["01"], LONG: [1.0], LONGER: [2.0], "int": [3.0], "with": ["é"]})


@pytest.mark.parametrize("kind", ["dta", "sav"])
def test_names_that_a_program_does_not_take_are_changed_and_stand_in_the_label(
    kind: Literal["dta", "sav"], tmp_path: Path
) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_bytes(encode_stata(ROWS, COSTS) if kind == "dta" else encode_spss(ROWS, COSTS))
    frame, about = (pyreadstat.read_dta if kind == "dta" else pyreadstat.read_sav)(str(path))
    assert frame.iloc[0].tolist() == ["01", 1.0, 2.0, 3.0, "é"]
    assert len(set(frame.columns)) == 5
    labels = about.column_names_to_labels
    long = LONG if kind == "sav" else f"{LONG[:30]}_1"
    longer = LONGER if kind == "sav" else f"{LONG[:30]}_2"
    assert list(frame.columns) == ["school_id", long, longer, "int_1", "with_1"]
    assert str(labels["int_1"]).startswith("int:")
    assert labels[long] == ("Absences" if kind == "sav" else f"{LONG}: Absences")


def test_parquet_has_the_labels_of_fields_and_answers_with_it(tmp_path: Path) -> None:
    status = standard_tables()["status"]
    frame = pd.DataFrame({"school_id": ["01"], "pupil_id": ["p'1"], "status": ["left_early"]})
    path = tmp_path / "a.parquet"
    path.write_bytes(encode_parquet(frame, schema=build_table_schema(status)))
    assert duckdb.read_parquet(str(path)).fetchall() == [("01", "p'1", "left_early")]
    about = duckdb.execute("SELECT key, value FROM parquet_kv_metadata(?)", [str(path)]).fetchall()
    found = [value for key, value in about if bytes(key) == b"table_schema"]
    schema = json.loads(found[0])
    assert schema == json.loads(json.dumps(build_table_schema(status)))
    assert io.BytesIO(encode_parquet(frame)).read(4) == b"PAR1"
