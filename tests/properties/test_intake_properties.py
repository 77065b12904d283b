"""Intake, whatever is sent: nothing raises, nothing is lost, what is unambiguous comes back."""

from __future__ import annotations

import csv
import io
import unicodedata
from datetime import date

import pandas as pd
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from data_schema.clean import CleanCell
from data_schema.columns import clean_column
from data_schema.fields import Code, Field, normalise_word
from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.layout import Layout
from data_schema.pseudonyms import decrypt_key_table, encrypt_key_table, new_identity, pseudonym
from data_schema.readers import Cell, Sheet, read_file
from data_schema.readers.alphabets import ALPHABETS, decode_text
from data_schema.repairs import clean_cell
from data_schema.school_tables import standard_tables
from data_schema.store import content_hash
from data_schema.tables import Table

TABLES = standard_tables()
NUMBER = Field("x", "number")
COUNT = Field("x", "whole_number")
# Text that XML, CSV and a spreadsheet can hold.
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn"]), max_size=12)

amounts = st.decimals(min_value=-99_999_999, max_value=99_999_999, places=2, allow_nan=False, allow_infinity=False)


def clean(cell: Cell, field: Field, *, separator: str = ";") -> CleanCell:
    sheet = Sheet(file="f", sheet="", rows=(("x",), (cell,)), separator=separator)
    (made,) = clean_column(field, [Layout(sheet=sheet, header=0, columns={"x": 0}, rows=(1,))]).cells
    return made


@settings(deadline=None)
@given(amounts, st.sampled_from(".,"), st.sampled_from(["", " ", "\u00a0", "\u202f", "'", "other"]))
def test_a_number_means_the_same_in_every_countrys_spelling(amount: object, decimal: str, thousands: str) -> None:
    group = {"other": "," if decimal == "." else "."}.get(thousands, thousands)
    text = f"{amount:,.2f}".translate({ord(","): group, ord("."): decimal})
    assert clean(text, NUMBER).value == float(str(amount))


@settings(deadline=None)
@given(st.integers(-(10**14), 10**14))
def test_a_whole_number_means_the_same_as_text_as_number_and_with_a_decimal_nought(number: int) -> None:
    whole = number if abs(number) < 10**9 else number // 10
    for cell in (str(whole), whole, float(whole), f"{whole}.0", f"{whole},0", f" {whole} "):
        made = clean(cell, COUNT, separator="" if not isinstance(cell, str) else ";")
        assert made.value == whole
        assert isinstance(made.value, int)


@settings(deadline=None)
@given(day=st.dates(date(1900, 1, 1), date(2100, 12, 31)), padded=st.booleans())
def test_a_date_means_the_same_in_every_countrys_spelling(day: date, *, padded: bool) -> None:
    field = Field("x", "date")
    number = "{:02d}".format if padded else "{:d}".format
    month, of_month = number(day.month), number(day.day)
    spellings = (
        day.isoformat(),
        f"{day.year}.{month}.{of_month}.",
        f"{day.year}. {month}. {of_month}.",
        f"{of_month}.{month}.{day.year}.",
        f"{of_month}. {month}. {day.year}",
        f"{day.year}/{month}/{of_month}",
        f"{day.isoformat()} 00:00:00",
        day,
    )
    assert {clean(text, field).value for text in spellings} == {day}
    slashes = clean(f"{of_month}/{month}/{day.year}", field)
    assert slashes.value == (day if day.day > 12 or day.day == day.month else None)
    assert clean(day.isoformat()[:7], Field("x", "month")).value == day.isoformat()[:7]
    assert clean(day, Field("x", "month")).value == day.isoformat()[:7]


@settings(deadline=None)
@given(st.sampled_from([(table.name, item.name) for table in TABLES.values() for item in table.fields if item.codes]))
def test_every_word_for_an_answer_means_it_in_any_case(place: tuple[str, str]) -> None:
    field = TABLES[place[0]].field(place[1])
    for code in field.codes:
        for word in (code.name, code.label, *code.synonyms):
            for spelling in (word, word.upper(), f" {word} ", normalise_word(word)):
                value = clean_cell(spelling, field, typed=False).value
                assert value == (code.name if field.type == "code" else code.name == "yes")


every_cell = st.one_of(
    st.none(), st.text(max_size=20), st.integers(), st.floats(), st.booleans(), st.dates(), st.from_regex(r"[-\d.,/ ]+")
)
every_field = st.sampled_from(
    [
        Field("x", kind, codes=(Code("a"), Code("-")) if kind == "code" else ())
        for kind in ("identifier", "text", "code", "yes_no", "date", "month", "year", "whole_number", "number")
    ]
)


@settings(deadline=None)
@given(cell=every_cell, field=every_field, typed=st.booleans())
def test_every_cell_has_a_value_or_a_question_or_is_missing(cell: Cell, field: Field, *, typed: bool) -> None:
    made = clean(cell, field, separator="" if typed else ";")
    assert not (made.problem and made.value is not None)
    assert bool(made.problem) == bool(made.remedy)
    assert made.thousands is None
    if made.value is None and not made.problem and isinstance(cell, str):
        assert "missing mark" in made.rules or not any(
            unicodedata.category(char)[0] in "LNPSM" and not char.isspace() for char in cell
        )


@settings(deadline=None)
@given(st.lists(st.lists(TEXT, min_size=2, max_size=4), min_size=1, max_size=6), st.sampled_from(";,\t"))
def test_a_csv_file_comes_back_cell_by_cell(rows: list[list[str]], separator: str) -> None:
    width = max(map(len, rows))
    header = [f"column {k}" for k in range(width)]
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([header] * 3 + [[*row, *[""] * (width - len(row))] for row in rows])
    reading = read_file(text.getvalue().encode("utf-8-sig"), file="a.csv")
    (sheet,) = reading.sheets
    assert sheet.separator == separator
    # Lines without a sign at the end of a file are no rows: programs write millions of them.
    n_rows = max((k for k, row in enumerate(rows, start=1) if any(cell.strip(" ") for cell in row)), default=0)
    for row, sent in zip(sheet.rows[3:], rows[:n_rows], strict=True):
        assert [cell or "" for cell in row[: len(sent)]] == [unicodedata.normalize("NFC", text) for text in sent]


cells = st.one_of(
    st.none(),
    TEXT.filter(lambda text: not text.startswith("=")),
    st.integers(-(10**12), 10**12),
    # openpyxl writes 16 digits, not all 17.
    amounts.map(float),
    st.booleans(),
    st.dates(date(1901, 1, 1), date(2100, 1, 1)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(cells, max_size=4), max_size=5))
def test_a_workbook_comes_back_cell_by_cell(rows: list[list[Cell]]) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("S")
    for row in rows:
        sheet.append(row)
    made = io.BytesIO()
    book.save(made)
    (read,) = read_file(made.getvalue(), file="a.xlsx").sheets
    padded = [*read.rows, *[()] * (len(rows) - len(read.rows))]
    for mine, theirs in zip(padded, rows, strict=True):
        expected = [cell if cell != "" else None for cell in theirs]
        assert [*mine, *[None] * (len(theirs) - len(mine))] == expected


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_at_all_raise(content: bytes) -> None:
    reading = read_file(content, file="a")
    assert bool(reading.sheets) != bool(reading.findings.by_severity("refused"))


def small_workbook() -> bytes:
    book, made = Workbook(), io.BytesIO()
    book.worksheets[0].append(["school_id", "pupil_id", date(2027, 10, 5), 4.5])
    book.save(made)
    return made.getvalue()


WORKBOOK = small_workbook()


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(WORKBOOK) - 1), noise=st.binary(min_size=1, max_size=4), cut=st.booleans())
def test_no_damage_to_a_workbook_raises(at: int, noise: bytes, *, cut: bool) -> None:
    damaged = WORKBOOK[:at] if cut else WORKBOOK[:at] + noise + WORKBOOK[at + len(noise) :]
    assume(damaged != WORKBOOK)
    read_file(damaged, file="a.xlsx")


@settings(deadline=None)
@given(st.sampled_from(sorted(ALPHABETS)), st.data())
def test_text_of_a_country_is_among_its_readings_in_every_code_page(country: str, data: st.DataObject) -> None:
    letters = ALPHABETS[country]
    word = st.text(st.sampled_from("abcxyz" + letters), min_size=3, max_size=8)
    text = "; ".join(data.draw(st.lists(word, min_size=1, max_size=5)))
    for page in ("cp1250", "cp1251", "cp852", "iso8859_2"):
        try:
            content = text.encode(page)
        except UnicodeEncodeError:
            continue
        readings = decode_text(content, countries=[country])
        has_both = any("а" <= c <= "џ" for c in text) and any("a" <= c <= "ž" for c in text)
        assert text in readings or has_both


SCHOOLS = {"031201": "HU", "RS-101": "RS"}
STATUS = TABLES["status"]
answers = {
    "school_id": st.sampled_from(["031201", "31201", "RS-101", "rs-101", "999", " 031201", ""]),
    "pupil_id": st.sampled_from(["1", "01", "2", " 2", "", "NA"]),
    "status": st.sampled_from(["enrolled", "Enrolled", "???", "", "upisan"]),
    "average_mark": st.sampled_from(["4", "4,0", "4.5", "55", "x", "", "-"]),
}
messy_rows = st.lists(st.fixed_dictionaries(answers), max_size=12)


def csv_of(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(answers), delimiter=";")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def taken_in(files: dict[str, bytes], table: Table = STATUS) -> Intake:
    return read_inbox(
        files,
        rules=[InboxRule("*.csv", "status", wave="w")],
        tables={"status": table},
        schools=SCHOOLS,
        waves=["w"],
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(messy_rows, min_size=1, max_size=3))
def test_counts_add_up_whatever_is_sent(files: list[list[dict[str, str]]]) -> None:
    intake = taken_in({f"{k}.csv": csv_of(rows) for k, rows in enumerate(files)})
    table, frame = intake.reconciliation, intake.frames["status"]
    filled = [sum(any(cell.strip() for cell in row.values()) for row in rows) for rows in files]
    assert table["sent"].tolist() == filled
    assert (table["sent"] == table["kept"] + table["asked"] + table["refused"]).all()
    assert table["kept"].sum() == len(frame)
    assert not frame.duplicated(["school_id", "pupil_id"]).any()
    assert frame["school_id"].isin(list(SCHOOLS)).all()
    # Whatever was not kept is named by its row, or by its file where that is the copy of another.
    kept = set(zip(frame["source_file"], frame["source_row"], strict=True))
    told = {(one.file, one.row) for one in intake.findings}
    for k, rows in enumerate(files):
        for at, row in enumerate(rows):
            if any(cell.strip() for cell in row.values()):
                assert {(f"{k}.csv", at + 2), (f"{k}.csv", None)} & (kept | told)


@settings(max_examples=30, deadline=None)
@given(messy_rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing_that_is_kept(rows: list[dict[str, str]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, two = (taken_in({"a.csv": csv_of(order)}) for order in (rows, shuffled))
    assert content_hash(one.frames) == content_hash(two.frames)
    counts = ["sent", "kept", "asked", "refused"]
    assert one.reconciliation[counts].equals(two.reconciliation[counts])


@settings(max_examples=30, deadline=None)
@given(messy_rows)
def test_what_intake_kept_is_taken_in_again_without_repairs_and_questions(rows: list[dict[str, str]]) -> None:
    kept = taken_in({"a.csv": csv_of(rows)}).frames["status"]
    tidy = kept[list(answers)].astype(object).where(kept[list(answers)].notna(), "")
    again = taken_in({"a.csv": csv_of([dict(zip(answers, row, strict=True)) for row in tidy.itertuples(index=False)])})
    assert content_hash(again.frames) == content_hash({"status": kept})
    assert again.repairs.empty
    asked = [finding for finding in again.findings.by_severity("question") if "no rows" not in finding.problem]
    assert all("is missing" in finding.problem for finding in asked)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), unique=True, max_size=20), st.binary(min_size=16))
def test_other_pupils_have_other_pseudonyms(pupils: list[tuple[str, str]], key: bytes) -> None:
    encodable = [pair for pair in pupils if all(text.isprintable() for text in pair)]
    made = [pseudonym(pupil, key=key, scope=school) for school, pupil in encodable]
    assert len(set(made)) == len(made)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_a_key_table_comes_back(rows: list[tuple[str, str]]) -> None:
    table = pd.DataFrame(rows, columns=["pupil_id", "name"]).replace({"": None}).astype("str")
    recipient, identity = new_identity()
    pd.testing.assert_frame_equal(decrypt_key_table(encrypt_key_table(table, recipient), identity), table)
