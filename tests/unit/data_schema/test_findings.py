"""Findings: in order, as lines, as a frame."""

from __future__ import annotations

from data_schema.findings import Finding, Findings, format_row_ranges


def finding(**values: object) -> Finding:
    made: dict[str, object] = {
        "file": "a.csv",
        "row": 2,
        "column": "size",
        "value": "4O2",
        "problem": "'4O2' is not a whole number.",
        "remedy": "Correct it.",
        "severity": "question",
        **values,
    }
    return Finding(**made)  # type: ignore[arg-type]


def test_a_finding_is_one_line_with_its_place_problem_and_remedy() -> None:
    text = str(finding(sheet="Status", problem="It\nis bad."))
    assert text == "a.csv, sheet 'Status', row 2, column 'size': It is bad. Correct it."
    assert str(finding(row=None, column="")) == "a.csv: '4O2' is not a whole number. Correct it."


def test_findings_are_in_the_order_of_places_whatever_the_order_they_came_in() -> None:
    found = [finding(row=10), finding(row=9), finding(file="A.csv"), finding(row=None), finding(row=9, column="age")]
    expected = [("A.csv", 2), ("a.csv", None), ("a.csv", 9), ("a.csv", 9), ("a.csv", 10)]
    assert [(one.file, one.row) for one in Findings(found)] == expected
    assert Findings(found) == Findings(reversed(found))
    assert hash(Findings(found)) == hash(Findings(reversed(found)))
    assert Findings(found) != found


def test_findings_are_a_sequence() -> None:
    found = Findings([finding(row=2), finding(row=3)])
    assert found[1].row == 3
    assert list(found[1:]) == [found[1]]
    assert isinstance(found[:1], Findings)
    assert len(found + Findings([finding(row=4)])) == 3
    assert str(found).count("\n") == 1
    assert repr(found).startswith("Findings([Finding(")


def test_findings_of_one_severity() -> None:
    found = Findings([finding(), finding(severity="note")])
    assert [one.severity for one in found.by_severity("note")] == ["note"]


def test_findings_come_back_from_their_frame() -> None:
    found = Findings([finding(), finding(row=None, sheet="Status", value="", severity="refused")])
    frame = found.to_frame()
    assert list(frame) == ["file", "sheet", "row", "column", "value", "problem", "remedy", "severity"]
    assert str(frame["row"].dtype) == "Int64"
    assert frame["row"].isna().tolist() == [False, True]
    assert Findings.from_frame(frame) == found


def test_no_findings_have_a_frame_with_the_same_columns() -> None:
    frame = Findings().to_frame()
    assert len(frame) == 0
    assert frame.dtypes.equals(Findings([finding()]).to_frame().dtypes)
    assert Findings.from_frame(frame) == Findings()


def test_rows_that_differ_in_nothing_but_their_number_are_told_once() -> None:
    found = Findings([*(finding(row=row) for row in (2, 3, 4, 9)), finding(row=5, value="x")])
    condensed = found.condensed()
    assert [one.row for one in condensed] == [2, 5]
    assert condensed[0].problem.endswith("So in 4 rows: 2 to 4, 9.")
    assert condensed[1] == finding(row=5, value="x")


def test_many_ranges_of_rows_are_cut_short() -> None:
    assert format_row_ranges([5, 1, 2, 5]) == "1 to 2, 5"
    assert format_row_ranges(range(1, 99, 2)) == "1, 3, 5, 7, 9, 11, ..."
