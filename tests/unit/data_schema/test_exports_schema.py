"""The tables as Frictionless Table Schemas."""

from __future__ import annotations

from data_schema.exports import build_table_schema
from data_schema.school_tables import standard_tables

TABLES = standard_tables()


def test_a_table_schema_has_types_limits_answers_and_the_key() -> None:
    schema = build_table_schema(TABLES["status"])
    fields = {field["name"]: field for field in schema["fields"]}  # type: ignore[attr-defined]
    assert fields["status"]["constraints"]["enum"][0] == "enrolled"
    assert fields["status"]["constraints"]["required"] is True
    assert fields["average_mark"]["constraints"] == {"minimum": 1, "maximum": 5}
    assert fields["status_date"]["type"] == "date"
    assert fields["destination_confirmed"]["type"] == "boolean"
    assert schema["primaryKey"] == ["school_id", "pupil_id", "wave"]
    assert "name" not in {field["name"] for field in build_table_schema(TABLES["pupil"])["fields"]}  # type: ignore[attr-defined]
    assert build_table_schema(TABLES["costs"])["primaryKey"] == ["school_id", "item"]
    signals = {field["name"]: field for field in build_table_schema(TABLES["signals"])["fields"]}  # type: ignore[attr-defined]
    assert signals["lateness"]["constraints"] == {"minimum": 0, "maximum": 200}
    assert "hours a month" in signals["absences_justified"]["description"]
