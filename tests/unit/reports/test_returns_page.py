"""The page of returns: who has sent what, when, how complete it is, which questions are open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from data_schema.returns import summarise_completeness
from data_schema.school_tables import standard_tables
from reports.blocks import Block, Bullets, Heading, KeyFigures, Note, Paragraph, Table, Title, join_plain_text
from reports.data_pages import Returns, returns_page
from reports.disclosure import round_share

SCHOOLS = {"01": "HU", "02": "HU", "50": "RS"}
BY_SCHOOL = pd.DataFrame(
    [
        ("w1", "pupil", "HU", "01", 30, 210, 210, "a.zip/p.csv"),
        ("w1", "pupil", "HU", "02", 0, 0, 0, ""),
        ("w1", "pupil", "RS", "50", 20, 140, 70, "p.xlsx"),
        ("w2", "status", "HU", "01", 0, 0, 0, ""),
        ("w2", "status", "HU", "02", 0, 0, 0, ""),
        ("w2", "status", "RS", "50", 0, 0, 0, ""),
        ("w1", "implementation", "HU", "01", 1, 8, 8, "i.csv"),
        ("w1", "implementation", "HU", "02", 0, 0, 0, ""),
        ("w1", "implementation", "RS", "50", 0, 0, 0, ""),
    ],
    columns=["wave", "table", "country", "school_id", "n_rows", "n_cells", "n_filled", "files"],
)
IMPORTS = pd.DataFrame(
    [
        ("a.zip/p.csv", "", "pupil", "w1", "HU", 30, 30, 0, 0),
        ("p.xlsx", "S", "pupil", "w1", "RS", 24, 20, 3, 1),
        ("i.csv", "", "implementation", "w1", "HU", 1, 1, 0, 0),
    ],
    columns=["file", "sheet", "table", "wave", "country", "sent", "kept", "asked", "refused"],
)
QUESTIONS = pd.DataFrame(
    [
        ("RS", "50", "pupil", "w1", "gender", "What stands here is not one of the answers.", "Give yes or no.", 1),
        ("RS", "50", "pupil", "w1", "gender", "What stands here is not one of the answers.", "Give yes or no.", 1),
        ("", "", "", "", "", "It is empty.", "Send it again; it may have been cut off on its way.", 0),
    ],
    columns=["country", "school_id", "table", "wave", "column", "problem", "remedy", "n_rows"],
)
RETURNS = Returns(
    title="A trial",
    tables=standard_tables(),
    waves={"w1": "Baseline", "w2": "Follow-up"},
    countries={"HU": "Hungary", "RS": "Serbia"},
    by_school=BY_SCHOOL,
    completeness=summarise_completeness(IMPORTS, BY_SCHOOL, questions=QUESTIONS, countries=["HU", "RS"]),
    questions=QUESTIONS,
    imports=IMPORTS,
    received={"a.zip": date(2027, 10, 5), "p.xlsx": date(2027, 10, 20), "i.csv": date(2027, 9, 1)},
    threshold=10,
)


def texts(blocks: tuple[Block, ...]) -> Iterator[str]:
    """Yield every text of a document that a reader sees."""
    for block in blocks:
        match block:
            case Title():
                yield from (block.text, block.kind, block.subtitle, *block.facts)
            case Heading():
                yield block.text
            case Paragraph() | Note():
                yield join_plain_text(block.text)
            case Bullets():
                yield from map(join_plain_text, block.items)
            case KeyFigures():
                yield from (text for one in block.figures for text in (join_plain_text(one.value), one.label))
            case Table():
                yield join_plain_text(block.caption)
                yield join_plain_text(block.note)
                yield from (column.label for column in block.columns)
                yield from (join_plain_text(cell) for row in block.rows for cell in row.cells)
            case _:
                raise AssertionError(block)


def tables(blocks: tuple[Block, ...]) -> Mapping[str, list[list[str]]]:
    return {
        block.anchor: [[join_plain_text(cell) for cell in row.cells] for row in block.rows]
        for block in blocks
        if isinstance(block, Table)
    }


def test_the_page_says_who_has_sent_what_and_when() -> None:
    made = tables(returns_page(RETURNS, "en"))
    assert made["overview-table"][:3] == [
        ["Pupils, Baseline", "", "", "", "", "", "", ""],
        ["Hungary", "1 of 2", "≈30", "0", "0", "100%", "0", "5 Oct 2027"],
        ["Serbia", "1 of 1", "≈20", "c", "c", "50%", "2", "20 Oct 2027"],
    ]
    assert made["schools-HU"] == [["01", "100%", "0", "5 Oct 2027"], ["02", "–", "0", "–"]]
    assert made["schools-RS"] == [["50", "50%", "2", "20 Oct 2027"]]


def test_tables_that_partners_send_are_not_shown_by_school_since_they_tell_the_arm() -> None:
    made = tables(returns_page(RETURNS, "en"))
    assert [row for row in made["overview-table"] if row[0] == "Hungary"][2][1] == "1"
    assert all(len(row) == 4 for row in made["schools-HU"])


def test_schools_that_are_behind_are_named_and_waves_that_have_not_begun_are_not_held_against_them() -> None:
    blocks = returns_page(RETURNS, "en")
    (behind,) = [block for block in blocks if isinstance(block, Bullets)]
    assert [join_plain_text(item) for item in behind.items] == ["Pupils, Baseline: 02"]
    assert "Nothing has come yet for: Follow-up." in set(texts(blocks))


def test_open_questions_are_told_by_school_with_equal_ones_together() -> None:
    rows = tables(returns_page(RETURNS, "en"))["questions-table"]
    assert rows == [
        ["Serbia", "", "", "", "", ""],
        ["50", "Pupils, Baseline", "Gender", "What stands here is not one of the answers.", "Give yes or no.", "c"],
        ["Country not known", "", "", "", "", ""],
        ["not known", "–", "–", "It is empty.", "Send it again; it may have been cut off on its way.", "–"],
    ]


def test_no_number_of_blank_cells_follows_from_the_share_that_is_filled_in() -> None:
    """59 of 60 cells were 98 %, in steps of a percentage that no other number of cells gives."""
    for n_cells, n_filled in ((60, 59), (96, 95), (150, 141), (420, 411)):
        rows = BY_SCHOOL.assign(n_cells=0, n_filled=0)
        rows.loc[2, ["n_rows", "n_cells", "n_filled"]] = (20, n_cells, n_filled)
        waves = summarise_completeness(IMPORTS, rows, questions=QUESTIONS, countries=["HU", "RS"])
        made = tables(returns_page(replace(RETURNS, by_school=rows, completeness=waves), "en"))
        told = made["overview-table"][2][5]
        assert made["schools-RS"][0][1] == told
        if n_cells < 100:
            assert told == "c"
            continue
        alike = [
            n
            for n in range(n_cells + 1)
            if round(round_share(n / n_cells, n_cells, alike=RETURNS.threshold) * 100) == int(told[:-1])
        ]
        assert n_filled in alike
        assert len(alike) > 4


def test_the_page_of_one_country_holds_nothing_of_the_others() -> None:
    said = " ".join(texts(returns_page(replace(RETURNS, only="HU"), "en")))
    assert "Hungary" in said
    assert "Serbia" not in said
    assert "50" not in said
    assert "not one of the answers" not in said


@pytest.mark.parametrize("language", ["hu", "sr", "sr-Latn", "sl"])
def test_nothing_on_the_page_is_left_in_english(language: str) -> None:
    own = {"A trial", "01", "02", "50", ""}
    english = {text for text in texts(returns_page(RETURNS, "en")) if any(sign.isalpha() for sign in text)} - own
    said = set(texts(returns_page(RETURNS, language)))
    allowed = {"Status"} if language in ("sr-Latn",) else set()
    assert english & said <= allowed
    assert not any(word in " ".join(said) for word in ("Hungary", "Baseline", "Oct"))


def test_before_anything_has_come_the_page_says_so() -> None:
    nothing = BY_SCHOOL.assign(n_rows=0, n_cells=0, n_filled=0, files="")
    imports, questions = IMPORTS.iloc[:0], QUESTIONS.iloc[:0]
    empty = replace(
        RETURNS, by_school=nothing, imports=imports, questions=questions, received={},
        completeness=summarise_completeness(imports, nothing, questions=questions, countries=["HU", "RS"]),
    )  # fmt: skip
    said = list(texts(returns_page(empty, "en")))
    assert {"Nothing has come yet.", "No question is open.", "0 of 0", "–"} <= set(said)
