"""Readers fed with damage: never an error, never silence, never more time or memory than a file is worth."""

from __future__ import annotations

import io
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schema.intake import Intake
from data_schema.readers import read_file
from tests.support.bad_files import HEADER, BadFile, book, ods, old_book, rows, stata, statuses, taken_in, zipped

ROW = ("031201", "0001", "enrolled", date(2027, 10, 5), True, 4.5)
SEEDS = {
    "a.csv": rows("031201;0001;enrolled;2027-10-05;yes;4.5"),
    "a.xlsx": book(statuses(ROW)),
    "a.ods": ods(statuses(ROW[:4])),
    "a.dta": stata(pd.DataFrame({"school_id": ["031201"], "pupil_id": ["0001"], "average_mark": [4.5]})),
    "a.sav": b"$FL2@(#) SPSS DATA FILE" + bytes(range(256)) * 3,
    "a.zip": zipped({"status_a.csv": rows("031201;0001;enrolled;;;4.5"), "status_b.xlsx": book(statuses(ROW))}),
}
NAMES = {"a.zip": "HU/all.zip", **{name: f"HU/status_{name}" for name in SEEDS if name != "a.zip"}}

damage = st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=6), st.booleans()), min_size=1, max_size=4)


def damaged(content: bytes, changes: list[tuple[int, bytes, bool]]) -> bytes:
    for where, noise, cut in changes:
        at = where % max(len(content), 1)
        content = content[:at] + noise if cut else content[:at] + noise + content[at + len(noise) :]
    return content


def is_told(intake: Intake, path: str) -> bool:
    """Whether everything of a file is kept, or a finding says what is not."""
    table = intake.reconciliation[intake.reconciliation["file"].str.startswith(path)]
    assert (table["sent"] == table["kept"] + table["asked"] + table["refused"]).all()
    return bool(table["kept"].sum()) or any(finding.file.startswith(path) for finding in intake.findings)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(SEEDS)), damage)
def test_damage_of_any_kind_is_told_and_raises_nothing(name: str, changes: list[tuple[int, bytes, bool]]) -> None:
    path = NAMES[name]
    intake = taken_in(BadFile(name=name, path=path, content=damaged(SEEDS[name], changes)))
    assert is_told(intake, path)


def _with_broken_sheets(name: str) -> bytes:
    """Return a workbook that opens, and whose list of sheets does not say that it has any."""
    if name.endswith(".xls"):
        # The first record of type 0x85 tells where the sheet begins.
        book = old_book({"Status": statuses(ROW)})
        at = book.index(b"\x85\x00", 512)
        return book[:at] + b"\x86\x00" + book[at + 2 :]
    with zipfile.ZipFile(io.BytesIO(SEEDS["a.ods"])) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    return zipped({part: content.replace(b"opendocument:xmlns:table", b"ble") for part, content in parts.items()})


@pytest.mark.parametrize("name", ["a.ods", "a.xls"])
def test_a_workbook_that_opens_without_a_sheet_is_told(name: str) -> None:
    path = f"HU/status_{name}"
    intake = taken_in(BadFile(name=name, path=path, content=_with_broken_sheets(name)))
    assert [finding.problem for finding in intake.findings if finding.file == path] == ["It has no rows."]


TAGS = st.sampled_from(
    [
        "table:table-row",
        "table:table-cell",
        "text:p",
        "text:s",
        "table:table",
        "office:annotation",
        "row",
        "c",
        "v",
        "is",
    ]
)
ATTRIBUTES = st.sampled_from(
    ["", ' r="A1"', ' r="XFD9"', ' t="s"', ' t="d"', ' s="7"', ' table:number-rows-repeated="99999999"', ' r="0"',
     ' table:number-columns-repeated="-3"', ' office:value-type="date"', ' office:value="x"', ' text:c="9999999999"']
)  # fmt: skip
trees = st.recursive(
    st.sampled_from(["", "1", "x", "2027-10-05"]),
    lambda inner: st.builds(
        lambda tag, attribute, parts: f"<{tag}{attribute}>{''.join(parts)}</{tag}>",
        TAGS,
        ATTRIBUTES,
        st.lists(inner, max_size=3),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(trees)
def test_any_tree_of_tags_is_read_or_refused(tree: str) -> None:
    sheets = read_file(ods([["a"]], after=tree), file="a.ods")
    assert bool(sheets.sheets) != bool(sheets.findings.by_severity("refused"))
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SEEDS["a.xlsx"])) as source, zipfile.ZipFile(made, "w") as target:
        for entry in source.namelist():
            content = source.read(entry)
            if entry == "xl/worksheets/sheet1.xml":
                names = b'xmlns:table="t" xmlns:office="o" xmlns:text="x" '
                content = content.replace(b"<worksheet ", b"<worksheet " + names, 1)
                content = content.replace(b"</sheetData>", tree.encode() + b"</sheetData>")
            target.writestr(entry, content)
    book_read = read_file(made.getvalue(), file="a.xlsx")
    assert bool(book_read.sheets) != bool(book_read.findings.by_severity("refused"))


def _far_cells() -> bytes:
    cells = "".join(f'<row r="{k}"><c r="XFD{k}"><v>1</v></c></row>' for k in range(1, 200_001))
    return _with_sheet(f"<sheetData>{cells}</sheetData>")


def _with_sheet(xml: str) -> bytes:
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(SEEDS["a.xlsx"])) as source,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in source.namelist():
            content = source.read(entry)
            if entry == "xl/worksheets/sheet1.xml":
                head, _, rest = content.partition(b"<sheetData>")
                content = head + xml.encode() + rest.partition(b"</sheetData>")[2]
            target.writestr(entry, content)
    return made.getvalue()


BOMBS: dict[str, Callable[[], bytes]] = {
    "HU/status_far.xlsx": _far_cells,
    "HU/status_tags.xlsx": lambda: _with_sheet(f"<sheetData><row>{'<c/>' * 20_000_000}</row></sheetData>"),
    "HU/status_cell.xlsx": lambda: _with_sheet(
        f'<sheetData><row><c t="inlineStr"><is><t>{"x" * 100_000_000}</t></is></c></row></sheetData>'
    ),
    "HU/status_zip.xlsx": lambda: zipped({"xl/workbook.xml": bytes(250_000_000)}),
    "HU/status_line.csv": lambda: HEADER.encode() + b";" * 50_000_000,
    "HU/status_cell.csv": lambda: HEADER.encode() + b"\n031201;" + b"x" * 100_000_000 + b"\n",
    "HU/all.zip": lambda: zipped({f"status_{k}.csv": bytes(199_000_000) for k in range(6)}),
}


@pytest.mark.slow
@pytest.mark.parametrize("path", BOMBS)
def test_a_small_file_that_stands_for_a_huge_one_is_refused_in_bounded_time_and_memory(path: str) -> None:
    content = BOMBS[path]()
    began = time.process_time()
    tracemalloc.start()
    try:
        intake = taken_in(BadFile(name=path, path=path, content=content))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert is_told(intake, path)
    assert intake.reconciliation.query("file != 'list.csv'")["kept"].sum() == 0
    assert time.process_time() - began < 20
    assert peak < 1_200_000_000
