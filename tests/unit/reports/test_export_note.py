"""README.md of an export, which its recipients read."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from data_schema.anonymity import Anonymity, Quasi
from data_schema.language import LANGUAGES, PSEUDO
from data_schema.school_tables import standard_tables
from reports.data_pages import ExportNote, export_note

GENDER = Quasi(table="pupil", field="gender", is_number=False, is_left_out=True)
YEAR = Quasi(table="pupil", field="birth_year", is_number=True, band=2)
FOUND = Anonymity(
    k=5, n_pupils=812, n_groups=90, n_unique=0, fields=(GENDER, YEAR), n_suppressed=7,
    n_left_out=4, n_schools_left_out=1,
)  # fmt: skip
NOTE = ExportNote(
    title="A trial",
    country="HU",
    found=FOUND,
    threshold=10,
    wanted=5,
    tables=standard_tables(),
    countries={"HU": "Hungary"},
)


def test_each_reader_finds_the_note_in_the_own_language_and_once() -> None:
    text = export_note(NOTE, ["hu", "en", "hu"])
    assert re.findall(r"^# .*", text, re.MULTILINE) == ["# A trial: adatok (Magyarország)", "# A trial: data (Hungary)"]
    assert text.count("**k = 5**") == 2


@pytest.mark.parametrize("note", [NOTE, replace(NOTE, wanted=None)])
def test_no_word_of_the_note_is_in_another_language(note: ExportNote) -> None:
    """In the pseudo-language whatever came through the catalogue is bracketed."""
    for line in filter(None, export_note(note, [PSEUDO]).splitlines()):
        outside = re.sub(r"⟦[^⟧]*⟧|`[^`]*`|A trial|Hungary|\bk\b", "", line)
        assert not re.search(r"[^\W\d_]{3,}", outside), line


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_the_note_prints_no_number_of_pupils_that_others_are_printed_of(language: str) -> None:
    """812 pupils less the 808 that a report has would be four; seven suppressed and four left out are under ten."""
    text = export_note(NOTE, [language])
    numbers = {int(found) for found in re.findall(r"\d+", re.sub(r"`[^`]*`", "", text))}
    assert numbers <= {5, 0, 10, 2, 1}, numbers


def test_an_export_without_rows_of_pupils_says_so() -> None:
    text = export_note(replace(NOTE, found=Anonymity(k=0, n_pupils=0, n_groups=0, n_unique=0, fields=())), ["en"])
    assert "There are no rows of pupils." in text
    assert "k =" not in text
