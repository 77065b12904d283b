"""Words of schools' registers: taken for what they mean in their country, asked about where they mean two things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from data_schema.fields import normalise_header
from data_schema.forms import describe_field
from data_schema.headers import index_fields_by_header
from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.language import Catalogue, Language
from data_schema.messages import get_field_label, get_field_question, translate_sentence
from data_schema.repairs import clean_cell, find_word_meanings
from data_schema.school_tables import standard_tables
from data_schema.vocabulary import describe_vocabulary, get_doubtful_headers, get_unwanted_headers, get_written_language

TABLES = standard_tables()
SCHOOLS = {"031204": "HU", "RS-101": "RS", "SI-01": "SI"}
SCHOOL_OF = {country: school for school, country in SCHOOLS.items()}

HEADERS: dict[str, dict[str, dict[str, str]]] = {
    # country, table, field: headers that offices write over it, divided by |
    "HU": {
        "pupil": {
            "school_id": "OM azonosító|OM-azonosító|Intézmény OM azonosítója|iskola kódja|INTÉZMÉNYKÓD",
            "pupil_id": "Oktatási azonosító|Tanuló oktatási azonosítója|tanulói azonosító|OktAzon",
            "name": "Tanuló neve|Név",
            "class": "Osztály|osztály/csoport|Osztálya",
            "grade": "évf.|Évfolyam",
            "birth_year": "Születési év|születési idő|Születési dátum",
            "gender": "Neme|nem",
            "disadvantaged": "HH|HH/HHH|Hátrányos helyzetű|hatranyos helyzetu",
            "consent": "szülői hozzájárulás|Beleegyező nyilatkozat",
        },
        "status": {
            "status": "Tanulói jogviszony|jogviszony státusza",
            "status_date": "jogviszony megszűnésének dátuma|Kiiratkozás dátuma",
            "average_mark": "Átlag|félévi átlag|Év végi átlag",
        },
        "signals": {
            "absences_justified": "Igazolt|igazolt (órák)|Igazolt mulasztás",
            "absences_unjustified": "Igazolatlan|igazolatlan (órák)|Igazolatlan mulasztás",
            "absences_undecided": "Igazolandó|igazolandó órák",
            "lateness": "Késések|késések száma",
            "behaviour_notices": "fegyelmező intézkedések|Intők|rovók",
            "failing_subjects": "elégtelenek száma|Bukások száma",
            "risk_flag": "Lemorzsolódással veszélyeztetett|LMV",
        },
    },
    "RS": {
        "pupil": {
            "school_id": "матични број школе|ИД школе|Oznaka škole",
            "pupil_id": "ЈОБ|Јединствени образовни број|ИД ученика|JOB|ID učenika",
            "name": "Презиме и име|име|Prezime i ime|Ученик",
            "class": "Одељење|odeljenje",
            "grade": "Разред|razred",
            "birth_year": "датум рођења|год. рођења|godina rodjenja|Godina rođenja",
            "gender": "Пол ученика|pol",
            "disadvantaged": "из осетљиве групе|iz osetljive grupe",
            "consent": "сагласност родитеља|Пристанак|saglasnost roditelja",
        },
        "status": {
            "status": "Статус ученика|status učenika",
            "status_date": "Датум исписа|датум исписивања|datum prelaska",
            "average_mark": "Просек|просечна оцена|Општи успех|opšti uspeh",
        },
        "signals": {
            "absences_justified": "Оправдани|opravdani časovi|оправдани изостанци",
            "absences_unjustified": "Неоправдани|неоправдани часови|број неоправданих изостанака|neopravdani",
            "absences_undecided": "Нерешени|нерегулисани",
            "lateness": "Кашњење|број кашњења|kasnjenja",
            "behaviour_notices": "васпитно-дисциплинске мере|ВДМ",
            "failing_subjects": "број недовољних|Недовољни",
            "risk_flag": "ученик у ризику|ризик од осипања|u riziku",
        },
    },
    "SI": {
        "pupil": {
            "school_id": "Matična številka šole|šifra zavoda|ID šole",
            "pupil_id": "ID dijaka|Evidenčna številka",
            "name": "Priimek in ime|dijak",
            "class": "Razred|razred/oddelek|Oddelek",
            "grade": "Letnik",
            "birth_year": "Datum rojstva|leto rojstva",
            "gender": "Spol dijaka|spol",
            "consent": "soglasje staršev|Privolitev",
        },
        "status": {
            "status": "Status dijaka|status",
            "status_date": "Datum izpisa|datum prepisa|Datum spremembe",
            "average_mark": "Povprečje|učni uspeh",
        },
        "signals": {
            "absences_justified": "Opravičeno|opravičeni izostanki|OU",
            "absences_unjustified": "Neopravičeno|neopravičeni izostanki|NU",
            "absences_undecided": "Neurejeno",
            "lateness": "Zamujanja|število zamud",
            "behaviour_notices": "Vzgojni opomini|ukori",
            "failing_subjects": "Število negativnih|negativni predmeti",
            "risk_flag": "v tveganju",
        },
    },
}
ANSWERS: dict[str, dict[str, str]] = {
    # field: code, answers of three countries
    "status": {
        "enrolled": "jogviszonyban áll|beiratkozott|aktív|évismétlő|magántanuló|egyéni munkarendes|похађа|редован|"
        "понавља|pohađa|redovan učenik|obiskuje|redni|ponavlja letnik|vajenec|уписан/а|vpisan/-a",
        "transferred": "másik iskolába ment|iskolát váltott|átvették|Прешао/ла у другу школу|премештен|преписан|"
        "prešolan|prepisana|zamenjal šolo",
        "completed": "befejezte|érettségizett|szakmai vizsgát tett|матурирао|завршио школу|zaključil|maturirala",
        "left_early": "kimaradt|végzettség nélkül kimaradt|напустила школовање|прекинуо школовање|одустао|"
        "Opustil/a šolanje|prekinil|Напустио/ла школовање",
        "unknown": "nem tudjuk|не зна се|ni znano",
    },
    "gender": {
        "girl": "lány|leány|nő|Ж|женско|девојка|ученица|deklica|dijakinja|Ž|ženski",
        "boy": "fiú|férfi|М|мушко|младић|deček|dijak|M|muški",
    },
    "type": {
        "vocational": "szakképző iskola|technikum|szakgimnázium|средња стручна школа|техничка|медицинска|"
        "poklicna šola|strokovna šola|tehniška|srednja poklicna in strokovna šola",
        "general": "gimnázium|гимназија|strokovna gimnazija",
        "mixed": "šolski center|мешовита",
    },
    "settlement": {"city": "főváros|megyei jogú város|град", "village": "nagyközség|tanya|село|podeželje"},
}
TWO_MEANINGS = {
    "status": "kiiratkozott|jogviszonya megszűnt|kizárt|külföldre távozott|исписан|ispisan|искључен|izpisan|izključen|"
    "status miruje|umrl",
    "type": "többcélú|уметничка",
    "settlement": "градско|ostalo",
}


def written() -> Iterator[tuple[str, str, str, str]]:
    for country, tables in HEADERS.items():
        for table, fields in tables.items():
            for field, words in fields.items():
                for word in words.split("|"):
                    yield country, table, field, word


@pytest.mark.parametrize(("country", "table", "field", "header"), [*written()])
def test_a_header_of_a_country_s_registers_is_known(country: str, table: str, field: str, header: str) -> None:
    content = f"{header}\n".encode()
    assert (
        index_fields_by_header(TABLES[table].in_country(country)).get(normalise_header(header.partition(" (")[0]))
        == field
    ), content


@pytest.mark.parametrize(
    ("field", "code", "word"),
    [
        (field, code, word)
        for field, codes in ANSWERS.items()
        for code, words in codes.items()
        for word in words.split("|")
    ],
)
def test_an_answer_of_schools_is_known(field: str, code: str, word: str) -> None:
    item = next(table.field(field) for table in TABLES.values() if field in table.names)
    assert clean_cell(word, item, typed=False).value == code


@pytest.mark.parametrize(
    ("field", "word"), [(field, word) for field, words in TWO_MEANINGS.items() for word in words.split("|")]
)
def test_a_word_with_two_meanings_is_asked_about_with_both(field: str, word: str) -> None:
    item = next(table.field(field) for table in TABLES.values() if field in table.names)
    meanings = find_word_meanings(word, item)
    assert len(meanings) > 1
    assert item.code_of(word) is None
    assert set(meanings) <= {code.name for code in item.codes}


def test_the_question_about_such_a_word_names_its_meanings_in_the_school_s_language() -> None:
    found = taken_in("baseline/SI/status_1.csv", "school_id;pupil_id;status\nSI-01;11;izpisan\n")
    (asked,) = (one for one in found.findings if "more than one meaning" in one.problem)
    assert "transferred, left_early" in asked.problem
    said = translate_sentence(asked.problem, Catalogue("data_schema", Language("sl")))
    assert "Prepisan/-a na drugo šolo, Opustil/-a šolanje" in said


@pytest.mark.parametrize("country", SCHOOL_OF)
def test_no_header_has_two_meanings_and_one(country: str) -> None:
    for table in TABLES.values():
        known = index_fields_by_header(table.in_country(country))
        for key, (name, meaning) in get_doubtful_headers(country).items():
            assert known.get(key) is None or name not in table.names, key
            assert meaning
        assert not set(known) & set(get_unwanted_headers(country))


def test_a_header_with_two_meanings_is_a_question_that_names_the_other() -> None:
    text = "OM azonosító;törzslapszám;Név;Osztály\n031204;12;Kis Anna;9.a\n"
    found = taken_in("baseline/HU/pupil_1.csv", text).findings
    assert any(
        one.problem == "The header can mean 'pupil_id' or something else (a törzslap száma); the values are left out."
        and one.severity == "question"
        for one in found
    )


@pytest.mark.parametrize(
    ("country", "header", "what"),
    [
        ("RS", "ЈМБГ ученика", "national numbers"),
        ("RS", "JMBG", "national numbers"),
        ("SI", "EMŠO", "national numbers"),
        ("HU", "TAJ szám", "national numbers"),
        ("HU", "Anyja neve", "names of parents"),
        ("RS", "Име родитеља", "names of parents"),
        ("SI", "Telefon staršev", "addresses or telephone numbers"),
    ],
)
def test_a_column_that_no_trial_collects_is_not_read_and_the_school_is_told_why(
    country: str, header: str, what: str
) -> None:
    text = f"school_id;pupil_id;{header};class\n{SCHOOL_OF[country]};11;Wyxhorn 0101990710008;9.a\n"
    found = taken_in(f"baseline/{country}/pupil_1.csv", text)
    (told,) = (one for one in found.findings if "no trial collects" in one.problem)
    assert what in told.problem
    assert told.severity == "question"
    assert "Wyxhorn" not in "".join(frame.to_csv() for frame in found.frames.values())


@pytest.mark.parametrize("word", ["neocenjen", "неоцењен", "felmentett", "oproščen", "ni podatka", "nem tudjuk"])
def test_a_pupil_without_a_mark_is_no_question(word: str) -> None:
    text = f"school_id;pupil_id;status;average_mark\n031204;71112223334;enrolled;{word}\n"
    found = taken_in("baseline/HU/status_1.csv", text)
    assert found.frames["status"]["average_mark"].isna().all()
    assert not [one for one in found.findings if one.column == "average_mark" and one.severity == "question"]


def test_class_and_grade_are_what_they_are_called_in_the_country() -> None:
    text = "school_id;pupil_id;Razred\n{school};11;{value}\n"
    slovenian = taken_in("baseline/SI/pupil_1.csv", text.format(school="SI-01", value="1.a")).frames["pupil"]
    serbian = taken_in("baseline/RS/pupil_1.csv", text.format(school="RS-101", value="2")).frames["pupil"]
    assert slovenian["class"].tolist() == ["1.a"]
    assert serbian["grade"].tolist() == [2]


@pytest.mark.parametrize("language", ["hu", "sr", "sr-Latn", "sl"])
def test_every_field_has_label_definition_and_source_in_every_language_and_its_form_prints_them(language: str) -> None:
    catalogue = Catalogue("data_schema", Language(language))
    for table in TABLES.values():
        for field in table.fields:
            told = describe_vocabulary(field.name, language, about=table.about)
            assert told.label, field.name
            assert told.source, field.name
            assert told.definition.endswith("."), field.name
            assert told.definition in describe_field(field, catalogue, table=table)
            assert told.definition != describe_vocabulary(field.name, "en", about=table.about).definition
            assert told.label in folded_first(get_field_label(field, catalogue, about=table.about))


def folded_first(label: str) -> tuple[str, str]:
    return label, f"{label[0].lower()}{label[1:]}"


@pytest.mark.parametrize("language", ["en", "hu", "sr", "sr-Latn", "sl"])
def test_pupils_are_asked_in_sentences_and_know_what_the_numbers_mean(language: str) -> None:
    catalogue = Catalogue("data_schema", Language(language))
    asked = [field for field in TABLES["survey"].fields if field.filled_in_by == "pupil"]
    questions = [get_field_question(field, catalogue) for field in asked]
    assert len(set(questions)) == len(asked) == 8
    assert all(question.endswith(".") and len(question) > 12 for question in questions)
    assert all(
        "1 = " in describe_field(field, catalogue) and "4 = " in describe_field(field, catalogue) for field in asked
    )


def test_countries_whose_words_are_not_known_share_those_that_mean_one_thing_everywhere() -> None:
    assert get_written_language("AT") == ""
    known = index_fields_by_header(TABLES["pupil"].in_country("AT"))
    assert "razred" not in known
    assert known["evfolyam"] == "grade"


def taken_in(path: str, text: str) -> Intake:
    rules = (
        InboxRule("baseline/*/pupil_*", "pupil", wave="baseline"),
        InboxRule("baseline/*/status_*", "status", wave="baseline"),
    )
    files: dict[str, Path | bytes] = {path: text.encode("utf-8-sig")}
    return read_inbox(files, rules=rules, tables=TABLES, schools=SCHOOLS, school_names=(), waves=["baseline"])


def test_a_last_row_that_holds_an_answer_alone_is_asked_about_like_any_other() -> None:
    text = "school_id;pupil_id;status;average_mark\n{}031204;71112223334;enrolled;4\n{}"
    for rows in (("", ";;enrolled;\n"), (";;enrolled;\n", "")):
        found = taken_in("baseline/HU/status_1.csv", text.format(*rows)).reconciliation
        assert found[["sent", "kept", "asked", "refused"]].to_numpy().tolist() == [[2, 1, 1, 0]]


def test_a_number_that_is_none_is_no_identifier() -> None:
    assert clean_cell(float("nan"), TABLES["pupil"].field("pupil_id"), typed=True).problem
