"""Returns: who has sent what, how complete it is, which questions are open; and nothing about a pupil."""

from __future__ import annotations

import pandas as pd
import pytest

from data_schema.fields import Field
from data_schema.findings import Finding
from data_schema.messages import remove_cell_values
from data_schema.queries import Query
from data_schema.returns import open_questions, summarise_completeness, summarise_returns_by_school
from data_schema.school_tables import standard_tables
from data_schema.tables import extended

TABLES = standard_tables()
SCHOOLS = {"01": "HU", "02": "HU", "03": "HU", "50": "RS"}
IMPORTS = pd.DataFrame(
    {
        "file": ["a.csv", "b.csv", "c.csv"],
        "sheet": "",
        "table": "status",
        "wave": "w",
        "country": ["HU", "HU", "RS"],
        "sent": [3, 2, 1],
        "kept": [3, 1, 0],
        "asked": [0, 1, 0],
        "refused": [0, 0, 1],
    }
)
STATUS = pd.DataFrame(
    {
        "school_id": ["01", "01", "01", "02"],
        "pupil_id": list("pqrs"),
        "wave": "w",
        "status": ["enrolled", "transferred", "left_early", None],
        "status_date": [pd.NaT, pd.Timestamp("2028-01-05"), pd.NaT, pd.NaT],
        "destination_confirmed": pd.array([None, None, None, None], dtype="boolean"),
        "average_mark": [4.0, None, None, None],
        "source_file": ["a.csv", "a.csv", "z.zip/d.csv", "b.csv"],
    }
)


def test_a_school_is_told_how_much_it_has_filled_in_of_what_it_was_asked() -> None:
    made = summarise_returns_by_school({"status": STATUS}, expected=[("status", "w")], schools=SCHOOLS, tables=TABLES)
    told = made[["school_id", "n_rows", "n_cells", "n_filled", "files"]].to_numpy().tolist()
    # Of the first school: three statuses, two dates (who moved and who left), one confirmation, one mark.
    assert told == [
        ["01", 3, 7, 5, "a.csv|z.zip/d.csv"],
        ["02", 1, 1, 0, "b.csv"],
        ["03", 0, 0, 0, ""],
        ["50", 0, 0, 0, ""],
    ]


def test_what_a_wave_does_not_ask_for_is_not_missed() -> None:
    wider = {"status": extended(TABLES["status"], [Field("job", "text", waves=("later",))])}
    for wave, n_cells in (("w", 7), ("later", 10)):
        made = summarise_returns_by_school(
            {"status": STATUS.assign(wave=wave)}, expected=[("status", wave)], schools=SCHOOLS, tables=wider
        )
        assert made["n_cells"].iloc[0] == n_cells


def test_returns_are_counted_by_wave_table_and_country() -> None:
    by_school = summarise_returns_by_school(
        {"status": STATUS}, expected=[("status", "w"), ("survey", "w")], schools=SCHOOLS, tables=TABLES
    )
    questions = pd.DataFrame({"table": ["status", "status", ""], "wave": ["w", "w", ""], "country": ["HU", "RS", ""]})
    made = summarise_completeness(IMPORTS, by_school, questions=questions, countries=["HU", "RS"])
    hungary = made.iloc[0]
    assert hungary[["n_schools", "n_returned", "n_rows", "sent", "kept", "asked", "refused", "n_open"]].tolist() == [
        3, 2, 4, 5, 4, 1, 0, 1,
    ]  # fmt: skip
    assert hungary["share_filled"] == pytest.approx(5 / 8, abs=1e-4)
    assert made.query("table == 'survey' or country == 'RS'")["n_returned"].tolist() == [0, 0, 0]
    assert made["n_open"].tolist() == [1, 1, 0, 0]


def test_open_questions_hold_no_values_and_no_names_of_files() -> None:
    found = Finding(
        file="Kovács Anna.csv", row=3, column="status", value="Kovács Anna", severity="question",
        problem="'Kovács Anna' is not one of the answers.", remedy="Give one of: enrolled, unknown.",
    )  # fmt: skip
    odd = Finding(file="a.csv", problem="Anna is odd.", remedy="Ask Anna.", severity="refused")
    queries = {"01": [Query(finding=found, rows=(3, 4), sha256="")], "": [Query(finding=odd, rows=(), sha256="")]}
    made = open_questions(queries, imports=IMPORTS, schools=SCHOOLS)
    assert "Anna" not in made.to_csv()
    assert made.to_numpy().tolist() == [
        ["HU", "01", "", "", "status", "What stands here is not one of the answers.",
         "Give one of: enrolled, unknown.", 2],
        ["HU", "", "status", "w", "", "There is a question about it.", "There is a question about it.", 0],
    ]  # fmt: skip


def test_values_are_taken_out_of_every_slot_that_holds_some() -> None:
    assert remove_cell_values("'1.234' can be 1.234 or 1234: nothing in the column tells what the mark means.") == (
        "What stands here can be ... or ...: nothing in the column tells what the mark means."
    )
    assert remove_cell_values("It is damaged: Anna.") == "It is damaged: ...."
    other = "The pupil is enrolled, and was left early in Anna.csv, row 5."
    assert remove_cell_values(other) == "The pupil is enrolled, and was left early in ...."
