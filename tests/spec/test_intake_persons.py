"""What is of a person stays where it was sent, whichever column, sheet, file or answer it is in."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest
from openpyxl import Workbook

from data_schema.fields import Field
from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.school_tables import standard_tables
from data_schema.tables import Table, extended

SCHOOLS = {"031204": "HU", "RS-101": "RS", "SI-01": "SI"}
TABLES = standard_tables()
RULES = (
    InboxRule("baseline/*/pupil_*", "pupil", wave="baseline"),
    InboxRule("baseline/*/status_*", "status", wave="baseline"),
    InboxRule("baseline/*/remarks_*", "remarks", wave="baseline"),
)
REMARKS = Table(
    name="remarks",
    about="pupil",
    fields=(
        Field("school_id", "identifier", required=True),
        Field("pupil_id", "identifier", required=True),
        Field("remark", "text"),
        Field("room", "identifier"),
        Field("hours", "number"),
    ),
    key=("school_id", "pupil_id"),
    by_wave=True,
)
HEADER = "school_id;pupil_id;name;class;grade;birth_year;gender;disadvantaged;prior_average;consent"
WAVES = {"baseline": (date(2027, 9, 1), date(2027, 12, 31))}
FIRST, LAST = ("Zsózsó", "Quvrik", "Bexlin", "Ulmara", "Tirvad", "Oszkav", "Pelmin", "Grivok"), "Wyxhorn"
NAMES = [f"{first} {LAST}{'abcdefgh'[at]}" for at, first in enumerate(FIRST)]


def taken_in(files: Mapping[str, Path | bytes], *, names: Sequence[str] = ()) -> Intake:
    return read_inbox(
        files,
        rules=RULES,
        tables={**TABLES, "remarks": REMARKS},
        schools=SCHOOLS,
        school_names=names,
        waves=["baseline"],
        wave_dates=WAVES,
    )


def pupils(*changes: Mapping[str, str], header: str = HEADER) -> bytes:
    """Return a list of eight pupils, in whose rows some cells are others."""
    columns = HEADER.split(";")
    lines = [header]
    for at, name in enumerate(NAMES):
        row = ["031204", f"7003120400{at}", name, "9.a", "9", "2012", ("lány", "fiú")[at % 2], "nem", "3,5", "igen"]
        for column, value in changes[at].items() if at < len(changes) else ():
            row[columns.index(column)] = value
        lines.append(";".join(row))
    return "\r\n".join([*lines, ""]).encode("utf-8-sig")


def remarks(*texts: str, pupils_of: int = 0) -> bytes:
    lines = ["school_id;pupil_id;remark;room"]
    lines += [f"031204;7003120400{at % (pupils_of or len(texts))};{text};A{at}" for at, text in enumerate(texts)]
    return "\n".join([*lines, ""]).encode()


def everything(intake: Intake) -> str:
    """Return every text that leaves intake, but for the fields that become pseudonyms or go to the key table."""
    frames = [frame.drop(columns=["name", "pupil_id"], errors="ignore") for frame in intake.frames.values()]
    queries = [(one.finding, one.place) for queries in intake.queries.values() for one in queries]
    texts = [*(frame.to_csv() for frame in frames), str(list(intake.findings)), str(queries)]
    texts += [frame.to_csv() for frame in (intake.repairs, intake.reconciliation, intake.answers)]
    return "\n".join([*texts, str(dict(intake.digests))])


def questions(intake: Intake) -> list[str]:
    return [one.problem for one in intake.findings if one.severity == "question"]


LIST = {"baseline/HU/pupil_031204.csv": pupils()}


def test_a_clean_list_raises_nothing() -> None:
    intake = taken_in(LIST)
    assert questions(intake) == []
    assert set(intake.frames["pupil"]["class"]) == {"9.a"}


def test_swapped_headers_of_names_and_classes_let_no_name_in() -> None:
    swapped = HEADER.replace("name;class", "class;name")
    intake = taken_in({"baseline/HU/pupil_031204.csv": pupils(header=swapped)})
    assert LAST not in everything(intake)
    assert intake.frames["pupil"]["class"].isna().all()
    assert len(intake.frames["pupil"]) == len(NAMES)
    assert set(intake.frames["pupil"]["birth_year"]) == {2012}
    assert questions(intake) == [
        "What may be names of persons is in 8 of the 8 cells of the column 'class'; its values are left out."
    ]


WRITTEN: tuple[Callable[[str], str], ...] = (
    str.lower,
    str.upper,
    lambda name: f"{name.split()[1]} {name[0]}.",
    lambda name: name.split()[0],
)


@pytest.mark.parametrize("written", WRITTEN)
def test_swapped_names_are_known_however_they_are_written(written: Callable[[str], str]) -> None:
    text = pupils(header=HEADER.replace("name;class", "class;name")).decode("utf-8-sig")
    for name in NAMES:
        text = text.replace(name, written(name))
    said = everything(taken_in({"baseline/HU/pupil_031204.csv": text.encode()}))
    assert not any(written(name) in said for name in NAMES)


def test_words_in_small_letters_are_no_names_where_names_stand_in_their_own_column_or_in_none() -> None:
    texts = ["blue group", "green squad", "tall ones", "early birds", "night owls", "red team", "old hands", "new folk"]
    changes = [{"class": text} for text in texts]
    columns = HEADER.split(";")
    lines = [line.split(";") for line in pupils(*changes).decode("utf-8-sig").splitlines()]
    without = "\n".join(";".join(cells[:2] + cells[3:]) for cells in lines) + "\n"
    assert columns[2] == "name"
    for content in (pupils(*changes), without.encode()):
        intake = taken_in({"baseline/HU/pupil_031204.csv": content})
        assert intake.frames["pupil"]["class"].tolist() == texts
        assert questions(intake) == []


def test_names_under_a_wrong_header_are_known_in_all_other_places() -> None:
    swapped = HEADER.replace("name;class", "class;name")
    files = {
        "baseline/HU/pupil_031204.csv": pupils(header=swapped),
        "baseline/HU/remarks_1.csv": remarks(f"{LAST}a ill"),
    }
    assert LAST not in everything(taken_in(files))


@pytest.mark.parametrize("other", ["class", "gender", "grade", "birth_year", "prior_average", "consent", "school_id"])
@pytest.mark.parametrize("private", ["name", "pupil_id"])
def test_no_swap_of_two_headers_lets_a_name_or_an_identifier_in(private: str, other: str) -> None:
    columns = HEADER.split(";")
    a, b = columns.index(private), columns.index(other)
    columns[a], columns[b] = columns[b], columns[a]
    said = everything(taken_in({"baseline/HU/pupil_031204.csv": pupils(header=";".join(columns))}))
    assert LAST not in said
    assert "7003120400" not in said


def test_swapped_headers_are_confirmed_as_a_column_and_the_values_are_taken_in() -> None:
    file = "baseline/HU/remarks_1.csv"
    texts = ("Zuvra Mirkel", "Tolvan Besrik", "Ormin Dulka", "Parvo Lentis", "Ruksa Bremon", "Filta Gorven")
    first = taken_in(LIST | {file: remarks(*texts)})
    assert first.frames["remarks"]["remark"].isna().all()
    again = taken_in(LIST | {file: remarks(*texts), "answers.xlsx": answered(first, "yes")})
    assert again.frames["remarks"]["remark"].tolist() == list(texts)
    assert questions(again) == []


def answered(intake: Intake, value: str) -> bytes:
    """Answer every question of an intake with one word."""
    import openpyxl

    from data_schema.language import Catalogue, Language
    from data_schema.queries import query_workbook

    queries = [one for queries in intake.queries.values() for one in queries]
    content = query_workbook(queries, school="031204", catalogue=Catalogue("data_schema", Language("en")))
    book = openpyxl.load_workbook(io.BytesIO(content))
    for cells in book.worksheets[0].iter_rows(min_row=5):
        if str(cells[10].value).startswith("{"):
            cells[8].value = value
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


@pytest.mark.parametrize(
    "day",
    [
        "2011.03.15.", "15.03.2011", "2011-03-15", "15/03/2011", "3/4/2011", "2011. március 15.", "15. mart 2011.",
        "15. III 2011", "2011-03-15 00:00:00", "20110315", "2011.03.",
    ],
)  # fmt: skip
def test_of_a_date_of_birth_where_a_year_is_asked_the_year_is_taken(day: str) -> None:
    intake = taken_in({"baseline/HU/pupil_031204.csv": pupils({"birth_year": day})})
    assert intake.frames["pupil"]["birth_year"].tolist()[0] == 2011
    assert questions(intake) == []
    (repair,) = intake.repairs.query("column == 'birth_year'").to_dict("records")
    assert (repair["was"], repair["became"], repair["rule"]) == ("", "", "year of a date")
    assert day not in everything(intake)


@pytest.mark.parametrize("day", ["15.03.11", "11-03-15", "40617", "15032011", "szül. 2011.03.15.", "2011.13.15"])
def test_of_what_is_no_certain_date_of_birth_nothing_is_told(day: str) -> None:
    intake = taken_in({"baseline/HU/pupil_031204.csv": pupils({"birth_year": day})})
    assert intake.frames["pupil"]["birth_year"].isna().tolist()[0]
    assert len(questions(intake)) == 1
    assert day not in everything(intake)


def test_a_date_cell_of_a_workbook_where_a_year_is_asked_is_its_year() -> None:
    rows: list[list[object]] = [
        list(HEADER.split(";")),
        ["031204", "1", "A B", "9.a", 9, date(2011, 3, 15), "lány", "nem", 3.5, "igen"],
    ]
    intake = taken_in({"baseline/HU/pupil_031204.xlsx": workbook({"Pupils": rows})})
    assert intake.frames["pupil"]["birth_year"].tolist() == [2011]
    assert "03-15" not in everything(intake)


def workbook(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    book = Workbook(write_only=True)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


PERSONAL = {
    "a listed name": (f"{NAMES[1]} was ill", "The name of a pupil"),
    "one word of a listed name": (f"{FIRST[2]} was ill", "What may be the name of a person"),
    "an unlisted name": ("mother is Vexina Qorlund, nurse", "What may be the name of a person"),
    "an unlisted name in capitals": ("VEXINA QORLUND", "What may be the name of a person"),
    "an unlisted name in Cyrillic": ("мајка Вексина Корлунд", "What may be the name of a person"),
    "an e-mail address": ("vexina@qorlund.hu", "An e-mail address"),
    "a Hungarian telephone number": ("call 06 30 987 6543", "What may be a telephone number"),
    "an international telephone number": ("+381 64 987-6543", "What may be a telephone number"),
    "a JMBG": ("0101006500006", "What may be the national identifier"),
    "an EMŠO with spaces": ("0101 006 500006", "What may be the national identifier"),
    "a TAJ": ("111 111 110", "What may be the national identifier"),
    "an education identifier": ("OM 79876543210", "What may be the national identifier"),
    "a Slovenian tax number": ("15012557", "What may be the national identifier"),
    "a long number": ("no. 9876543210", "A long number"),
    "a date of birth": ("born 2011. 03. 15.", "What may be a full date of birth"),
    "a date of birth in words": ("рођен 15. марта 2011.", "What may be a full date of birth"),
    "a pupil's identifier": ("70031204001", "The identifier of a pupil"),
}


@pytest.mark.parametrize("what", sorted(PERSONAL))
def test_what_is_of_a_person_in_free_text_is_taken_out_and_asked_about(what: str) -> None:
    text, said = PERSONAL[what]
    intake = taken_in(LIST | {"baseline/HU/remarks_1.csv": remarks(text, "ill", "late")})
    assert intake.frames["remarks"]["remark"].fillna("").tolist() == ["", "ill", "late"]
    assert len(questions(intake)) == 1
    assert questions(intake)[0].startswith(said)
    assert text not in everything(intake)


@pytest.mark.parametrize("column", ["class", "grade", "gender", "prior_average", "consent", "school_id", "birth_year"])
@pytest.mark.parametrize("what", sorted(set(PERSONAL) - {"one word of a listed name"}))
def test_what_is_of_a_person_in_another_field_is_repeated_nowhere(what: str, column: str) -> None:
    text = PERSONAL[what][0]
    intake = taken_in({"baseline/HU/pupil_031204.csv": pupils({}, {column: text})})
    assert text not in everything(intake)
    assert questions(intake)
    counts = intake.reconciliation[["sent", "kept", "asked", "refused"]].sum()
    assert counts["sent"] == counts["kept"] + counts["asked"] + counts["refused"] == len(NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "moved to Kossuth Lajos Gimnázium", "2027-10-05 meeting", "Early warning system", "átment a 9.b osztályba",
        "IX. 5.", "Matematika", "3 x 45 min", "room 12-34", "10/2027", "Одлично", "EWS", "9. május",
    ],
)  # fmt: skip
def test_ordinary_text_is_taken_in_without_a_question(text: str) -> None:
    intake = taken_in(LIST | {"baseline/HU/remarks_1.csv": remarks(text)}, names=["Kossuth Lajos Gimnázium"])
    assert intake.frames["remarks"]["remark"].tolist() == [text]
    assert questions(intake) == []


@pytest.mark.parametrize("number", ["0101006500006", "381641234567", "70031204001", "111111110"])
def test_a_number_of_nine_digits_is_no_count_of_a_pupil(number: str) -> None:
    content = f"school_id;pupil_id;hours\n031204;70031204000;{number}\n031204;70031204001;12\n".encode()
    intake = taken_in(LIST | {"baseline/HU/remarks_1.csv": content})
    assert intake.frames["remarks"]["hours"].tolist()[1] == 12
    assert intake.frames["remarks"]["hours"].isna().tolist() == [True, False]
    assert len(questions(intake)) == 1
    assert number.lstrip("0") not in everything(intake)


@pytest.mark.parametrize("column", ["status", "average_mark", "destination_confirmed", "status_date"])
@pytest.mark.parametrize("name", ["vexina qorlund", "VEXINA QORLUND", "Vexina Qorlund", "Qorlund"])
def test_an_unlisted_name_in_a_field_of_a_table_without_names_is_not_shown(name: str, column: str) -> None:
    content = f"school_id;pupil_id;{column}\n031204;70031204000;{name}\n".encode()
    intake = taken_in(LIST | {"baseline/HU/status_1.csv": content})
    assert questions(intake)
    assert name not in everything(intake)


LABELS = (
    "Tanulók_Névsor_2027", "Podaci o učenicima OŠ Vuk Karadžić", "Gimnazija Novi Sad", "Pupil List Baseline",
    "Felmérés Tavasz", "Status Update Final", "Copy of Pupil List", "Kossuth Lajos Gimnázium - tanulók", "Munka1",
    "Spisak Učenika", "Új Mappa", "Adatszolgáltatás Őszi Félév", "KRÉTA Export", "Average Mark", "Datum Rojstva",
    "Upitnik Jesen 2027", "Razredni Starešina", "Sv. Sava", "pupil_031204 (1)", "export_20271005123000",
    "2027-10-05 12-30-45", "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
)  # fmt: skip


@pytest.mark.parametrize("label", LABELS)
def test_an_ordinary_name_of_a_file_or_sheet_is_told_as_it_is(label: str) -> None:
    schools = ["Kossuth Lajos Gimnázium", "OŠ Vuk Karadžić"]
    file = f"baseline/HU/pupil_{label}.xlsx"
    rows = [line.split(";") for line in pupils().decode("utf-8-sig").splitlines()]
    intake = taken_in({file: workbook({label[:30]: rows})}, names=schools)
    assert intake.called == {}
    assert set(intake.frames["pupil"]["source_sheet"]) == {label[:30]}


def test_what_is_written_for_many_pupils_is_no_name_of_one() -> None:
    texts = ["Informatika Tagozat"] * 6
    intake = taken_in(LIST | {"baseline/HU/remarks_1.csv": remarks(*texts)})
    assert intake.frames["remarks"]["remark"].tolist() == texts


def test_a_possible_name_that_the_school_confirms_is_taken_in() -> None:
    files = LIST | {"baseline/HU/remarks_1.csv": remarks("moved to Tolvan Besrik", "ill")}
    first = taken_in(files)
    again = taken_in(files | {"answers.xlsx": answered(first, "yes")})
    assert again.frames["remarks"]["remark"].tolist() == ["moved to Tolvan Besrik", "ill"]
    assert questions(again) == []


def test_a_listed_name_is_never_confirmed() -> None:
    files = LIST | {"baseline/HU/remarks_1.csv": remarks(f"with {NAMES[3]}", "ill")}
    again = taken_in(files | {"answers.xlsx": answered(taken_in(files), "yes")})
    assert LAST not in everything(again)


@pytest.mark.parametrize("answer", [f"not recorded, {NAMES[2]} was ill", "not recorded; call Bexlin, 06 30 987 6543"])
def test_a_reason_in_an_answer_that_is_of_a_person_is_not_kept(answer: str) -> None:
    header = HEADER.replace(";prior_average", "")
    lines = pupils().decode("utf-8-sig").splitlines()
    cells = [line.split(";") for line in lines]
    content = "\n".join([header, *(";".join([*row[:8], row[9]]) for row in cells[1:]), ""]).encode()
    first = read_inbox(
        {"baseline/HU/pupil_031204.csv": content}, rules=RULES, tables={**TABLES, "remarks": REMARKS}, schools=SCHOOLS,
        waves=["baseline"], needed={("pupil", "baseline"): ["prior_average"]},
    )  # fmt: skip
    again = read_inbox(
        {"baseline/HU/pupil_031204.csv": content, "answers.xlsx": answered(first, answer)}, rules=RULES,
        tables={**TABLES, "remarks": REMARKS}, schools=SCHOOLS, waves=["baseline"],
        needed={("pupil", "baseline"): ["prior_average"]},
    )  # fmt: skip
    assert again.answers["status"].tolist() == ["not_recorded"]
    assert again.answers["became"].tolist() == [""]
    assert answer not in everything(again)


PLACES = {
    "a file": f"baseline/HU/pupil_{NAMES[1].replace(' ', '_')}.csv",
    "a file, words joined": f"baseline/HU/pupil_{NAMES[1].replace(' ', '')}.csv",
    "a file with one word": f"baseline/HU/pupil_{LAST.casefold()}b.csv",
    "a folder": f"baseline/{NAMES[1]}/pupil_1.csv",
    "an unlisted name": "baseline/HU/pupil_Vexina_Qorlund.csv",
    "an e-mail address": "baseline/HU/pupil_vexina@qorlund.hu.csv",
    "a date of birth": "baseline/HU/pupil_2011-03-15.csv",
    "an identifier": "baseline/HU/pupil_70031204001.csv",
}


@pytest.mark.parametrize("where", sorted(PLACES))
def test_a_path_that_is_of_a_person_is_told_by_another_name(where: str) -> None:
    path = PLACES[where]
    intake = taken_in({path: pupils({"gender": "???"})})
    assert len(intake.frames["pupil"]) == len(NAMES)
    said = everything(intake)
    part = next(one for one in path.split("/")[1:] if one not in ("HU", "pupil_1.csv"))
    assert part not in said
    assert "may say something of a person; it is called so here." in said
    assert set(intake.called) == {path}
    assert set(intake.frames["pupil"]["source_file"]) == set(intake.called.values())


def test_a_member_of_a_zipped_folder_that_is_named_for_a_person_is_told_by_another_name() -> None:
    import zipfile

    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(f"pupil_{NAMES[1]}.csv", pupils())
    intake = taken_in({"baseline/HU/all.zip": made.getvalue()})
    assert len(intake.frames["pupil"]) == len(NAMES)
    assert LAST not in everything(intake)


def test_a_sheet_that_is_named_for_a_person_is_told_by_its_number_and_its_answers_come_back() -> None:
    rows = [line.split(";") for line in pupils({"gender": "???"}).decode("utf-8-sig").splitlines()]
    files: dict[str, Path | bytes] = {"baseline/HU/pupil_1.xlsx": workbook({"Title": [["x"]], NAMES[1]: rows})}
    first = taken_in(files)
    assert LAST not in everything(first)
    assert set(first.frames["pupil"]["source_sheet"]) == {"withheld-2"}
    again = taken_in(files | {"answers.xlsx": answered(first, "girl")})
    assert again.frames["pupil"]["gender"].tolist()[0] == "girl"


def test_the_answers_about_a_file_that_is_called_otherwise_come_back_to_it() -> None:
    files: dict[str, Path | bytes] = {PLACES["a file"]: pupils({"gender": "???"})}
    first = taken_in(files)
    assert first.frames["pupil"]["gender"].isna().tolist()[0]
    again = taken_in(files | {"answers.xlsx": answered(first, "girl")})
    assert again.frames["pupil"]["gender"].tolist()[0] == "girl"
    assert LAST not in everything(again)


@pytest.mark.parametrize("title", [NAMES[1], "Vexina Qorlund", "vexina@qorlund.hu", "06 30 987 6543"])
def test_a_header_that_is_of_a_person_is_not_told(title: str) -> None:
    intake = taken_in({"baseline/HU/pupil_031204.csv": pupils(header=f"{HEADER};{title};class")})
    assert title not in everything(intake)


def test_swapped_names_of_staff_in_a_table_of_schools_are_taken_out() -> None:
    staff = Table(
        name="staff",
        about="school",
        fields=(
            Field("school_id", "identifier", required=True),
            Field("role", "text"),
            Field("mentor", "text", privacy="direct"),
        ),
        key=("school_id", "role"),
    )
    tables = {**TABLES, "staff": staff, "remarks": extended(REMARKS, [Field("note", "text")])}
    files: dict[str, Path | bytes] = {
        "baseline/HU/staff_1.csv": b"school_id;role;mentor\n031204;lead;Vexina Qorlund\n",
        "baseline/HU/remarks_1.csv": b"school_id;pupil_id;note\n031204;1;talked with vexina qorlund\n",
    }
    rules = (*RULES, InboxRule("baseline/*/staff_*", "staff"))
    intake = read_inbox(files, rules=rules, tables=tables, schools=SCHOOLS, waves=["baseline"])
    assert intake.frames["remarks"]["note"].isna().all()
    assert "qorlund" not in everything(intake).replace(intake.frames["staff"].to_csv(), "")
