"""The codebook: what the tables hold, in words and frequencies, without giving anybody away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.scales import Reliability
from data_schema.fields import Field
from data_schema.language import LANGUAGES
from data_schema.school_tables import standard_tables
from data_schema.tables import extended
from reports.blocks import Block, Heading, Table, join_plain_text
from reports.data_pages import Book, ScaleFacts, codebook, codebook_page
from reports.data_pages.frequencies import CODEBOOK_COLUMNS
from reports.disclosure import Rules

TABLES = standard_tables()
RULES = Rules(threshold=5)
STATUS = {"status": TABLES["status"]}


def statuses(
    counts: Mapping[str | None, int], *, wave: str = "w", country: str = "HU", n_schools: int = 5
) -> pd.DataFrame:
    values = [value for value, count in counts.items() for _ in range(count)]
    n = len(values)
    return pd.DataFrame(
        {
            "status": pd.Series(values, dtype="str"),
            "average_mark": [float(k % 5 + 1) for k in range(n)],
            "destination_confirmed": pd.Series([True] * n, dtype="boolean"),
            "wave": wave,
            "country": country,
            "school_id": [f"{country}{k % n_schools}" for k in range(n)],
            "pupil_id": [f"p{k}" for k in range(n)],
        }
    )


def told(frame: pd.DataFrame, field: str, *, rules: Rules = RULES, country: str = "") -> dict[str, int | None]:
    made = codebook(STATUS, {"status": frame}, rules=rules, country=country)
    mine = made[(made["field"] == field) & (made["answer"] != "")]
    return {str(row["answer"]): None if pd.isna(row["n"]) else int(row["n"]) for row in mine.to_dict("records")}


def row_of(made: pd.DataFrame, field: str) -> pd.Series[float]:
    return made[(made["field"] == field) & (made["answer"] == "")].iloc[0]


def test_answers_have_their_counts() -> None:
    found = told(statuses({"enrolled": 20, "left_early": 6, "completed": 0}), "status")
    assert found == {"enrolled": 20, "transferred": 0, "completed": 0, "left_early": 5, "unknown": 0}
    assert all(n % 5 == 0 for n in found.values() if n is not None), "reports print other numbers of the same pupils"


@given(st.lists(st.integers(0, 30), min_size=5, max_size=5), st.integers(3, 12))
@settings(max_examples=25, deadline=None)
def test_no_small_count_is_told_or_follows_from_the_others(counts: list[int], threshold: int) -> None:
    codes = [code.name for code in TABLES["status"].field("status").codes]
    frame = statuses(dict(zip(codes, counts, strict=True)))
    found = told(frame, "status", rules=Rules(threshold=threshold)) if sum(counts) else {}
    assert all(count is None or count == 0 or count >= threshold for count in found.values())
    hidden = [name for name, count in found.items() if count is None]
    assert len(hidden) != 1 or sum(counts) < threshold


def test_a_count_that_is_hidden_in_one_country_does_not_follow_from_all_and_the_others() -> None:
    frame = pd.concat(
        [
            statuses({"enrolled": 40, "left_early": 3}, country="HU"),
            statuses({"enrolled": 40, "left_early": 20}, country="RS"),
            statuses({"enrolled": 40, "left_early": 30}, country="SI"),
        ],
        ignore_index=True,
    )
    by_country = {country: told(frame, "status", country=country)["left_early"] for country in ("HU", "RS", "SI")}
    together = told(frame, "status")["left_early"]
    assert by_country["HU"] is None
    assert together is None or None in (by_country["RS"], by_country["SI"])


def test_what_nearly_all_comes_from_one_school_is_hidden() -> None:
    frame = statuses({"enrolled": 60, "left_early": 20})
    frame.loc[frame["status"] == "left_early", "school_id"] = "HU0"
    assert told(frame, "status", rules=Rules(threshold=5, dominance=0.9))["left_early"] is None
    assert told(frame, "status", rules=Rules(threshold=5))["left_early"] == 20


def test_a_count_that_another_fields_answers_would_tell_is_hidden_there_too() -> None:
    frame = statuses({"enrolled": 40, "transferred": 3, "left_early": 20})
    frame.loc[frame["status"] != "transferred", "destination_confirmed"] = pd.NA
    made = codebook(STATUS, {"status": frame}, rules=RULES)
    assert made.loc[made["field"] == "destination_confirmed", ["n", "n_missing"]].isna().all().all()


def test_missing_values_are_counted_and_hidden_together_with_the_rest() -> None:
    few = codebook(STATUS, {"status": statuses({"enrolled": 20, None: 2})}, rules=RULES)
    assert row_of(few, "status")[["n", "n_missing"]].isna().all()
    many = codebook(STATUS, {"status": statuses({"enrolled": 20, None: 8})}, rules=RULES)
    assert row_of(many, "status")[["n", "n_missing", "rounded_to"]].tolist() == [20, 10, 5]


def test_numbers_have_moments_only_of_enough_pupils_and_schools() -> None:
    row = row_of(codebook(STATUS, {"status": statuses({"enrolled": 50})}, rules=RULES), "average_mark")
    assert (row["mean"], row["p10"], row["p90"]) == (3.0, 1.0, 5.0)
    fewer = row_of(codebook(STATUS, {"status": statuses({"enrolled": 40})}, rules=RULES), "average_mark")
    assert fewer["mean"] == 3.0
    assert fewer[["p10"]].isna().all(), "a tenth of them is fewer than the threshold"
    for frame in (statuses({"enrolled": 9}), statuses({"enrolled": 50}, n_schools=2)):
        assert row_of(codebook(STATUS, {"status": frame}, rules=RULES), "average_mark")[["mean"]].isna().all()


def test_a_mean_of_another_country_is_not_told_for_one_that_sent_nothing() -> None:
    made = codebook(STATUS, {"status": statuses({"enrolled": 50})}, rules=RULES, country="SI")
    assert row_of(made, "average_mark")[["mean"]].isna().all()
    assert row_of(made, "average_mark")["n"] == 0


def test_rows_of_months_count_for_as_many_pupils_as_they_are_at_least_of() -> None:
    months = pd.DataFrame(
        {
            "school_id": [f"S{k % 6}" for k in range(60)], "pupil_id": [f"p{k // 4}" for k in range(60)],
            "month": "2027-10", "country": "HU", "wave": "w",
            "risk_flag": pd.Series([k < 12 for k in range(60)], dtype="boolean"),
        }
    )  # fmt: skip
    months["school_id"] = "S" + (months["pupil_id"].str[1:].astype(int) % 6).astype(str)
    made = codebook({"signals": TABLES["signals"]}, {"signals": months}, rules=RULES)
    flagged = made[(made["field"] == "risk_flag") & (made["answer"] == "yes")]["n"]
    assert flagged.isna().all(), "12 rows of four months may be of three pupils"


def test_every_field_but_names_is_described_also_without_data() -> None:
    made = codebook(TABLES, {}, rules=RULES)
    assert tuple(made) == CODEBOOK_COLUMNS
    described = set(zip(made["table"], made["field"], strict=True))
    expected = {(name, field.name) for name, table in TABLES.items() for field in table.fields}
    assert expected - described == {("pupil", "name")}
    left = made.loc[made["answer"] == "left_early"].iloc[0]
    assert left[["answer_label", "answer_label_hu", "answer_label_sr-Latn", "answer_label_sl"]].tolist() == [
        "Left early", "Végzettség nélkül elhagyta az iskolát (lemorzsolódott)", "Napustio/-la školovanje",
        "Opustil/-a šolanje",
    ]  # fmt: skip
    assert made.loc[made["field"] == "birth_year", "label_sr"].tolist() == ["Година рођења"]


def test_each_wave_is_described_by_itself_and_by_what_it_asks_for() -> None:
    both = pd.concat([statuses({"enrolled": 10}, wave="a"), statuses({"enrolled": 30}, wave="b")], ignore_index=True)
    wider = {"status": extended(TABLES["status"], [Field("job", "text", waves=("b",))])}
    made = codebook(wider, {"status": both.assign(job="x")}, rules=RULES)
    mine = made[(made["field"] == "status") & (made["answer"] == "enrolled")]
    assert mine[["wave", "n"]].to_numpy().tolist() == [["a", 10], ["b", 30]]
    assert made.loc[made["field"] == "job", ["wave", "asked_in"]].to_numpy().tolist() == [["b", "b"]]


def book(frames: Mapping[str, pd.DataFrame], **changes: object) -> Book:
    frequencies = codebook(TABLES, frames, rules=RULES)
    return Book(
        title="A trial", tables=TABLES, waves={"a": "Baseline", "b": "Follow-up"}, countries={"HU": "Hungary"},
        frequencies=frequencies, threshold=5, **changes,  # type: ignore[arg-type]  # of one test each
    )  # fmt: skip


def rows_of(blocks: tuple[Block, ...], anchor: str) -> list[list[str]]:
    (found,) = [block for block in blocks if isinstance(block, Table) and block.anchor == anchor]
    return [[join_plain_text(cell) for cell in row.cells] for row in found.rows]


def test_the_page_says_what_is_asked_and_what_was_answered() -> None:
    both = [statuses({"enrolled": 60}, wave="a"), statuses({"enrolled": 45, "left_early": 15}, wave="b")]
    page = codebook_page(book({"status": pd.concat(both, ignore_index=True)}), "en")
    assert [
        "Destination confirmed", "destination_confirmed", "Yes, No. Asked if Status is: Transferred.", "the school",
    ] in rows_of(page, "fields-status")  # fmt: skip
    told = rows_of(page, "frequencies-status")
    assert told[0][0] == "Status"
    assert told[1] == ["Enrolled", "≈60", "100%", "≈45", "75%"]
    assert ["Mean (standard deviation)", "3.00 (1.45)", "", "3.00 (1.45)", ""] in told


def test_before_there_are_data_the_page_has_no_frequencies() -> None:
    page = codebook_page(book({}), "en")
    anchors = [block.anchor for block in page if isinstance(block, Table)]
    assert anchors == [f"fields-{name}" for name in TABLES]
    assert [block.text for block in page if isinstance(block, Heading)][:2] == ["Schools", "Pupils"]


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_the_page_is_in_the_language_throughout(language: str) -> None:
    frames = {"status": statuses({"enrolled": 60}, wave="a")}
    english, other = codebook_page(book(frames), "en"), codebook_page(book(frames, only="HU"), language)
    labels = {row[0] for block in english if isinstance(block, Table) for row in rows_of((block,), block.anchor)}
    said = {row[0] for block in other if isinstance(block, Table) for row in rows_of((block,), block.anchor)}
    assert labels & said <= ({"Status", "Region"} if language == "sr-Latn" else set())
    heads = {column.label for block in english if isinstance(block, Table) for column in block.columns}
    assert not heads & {column.label for block in other if isinstance(block, Table) for column in block.columns}


def test_scales_are_told_with_their_reversed_items_and_their_reliability() -> None:
    facts = ScaleFacts(
        label="Engagement", table="survey", wave="a", items=("engagement_1", "engagement_2"),
        reverse=("engagement_2",), least_answered=0.5,
        reliability=Reliability(alpha=0.812, conf_low=0.77, conf_high=0.85, n_items=2, n_pupils=240),
    )  # fmt: skip
    page = codebook_page(book({}, scales=(facts, replace(facts, reliability=None))), "en")
    items = "Engagement, item 1, Engagement, item 2 (−)"
    assert rows_of(page, "scales-table") == [
        ["Engagement", "Baseline", items, "50%", "0.81 (0.77 to 0.85)", "≈240"],
        ["Engagement", "Baseline", items, "50%", "c", "c"],
    ]


def test_a_page_prints_one_count_of_a_field_whose_other_one_is_suppressed() -> None:
    whole = book({"status": statuses({"enrolled": 60, None: 20})})
    told = whole.frequencies.copy()
    told.loc[told["rounded_to"].notna() & (told["answer"] == ""), "n"] = pd.NA
    shown = rows_of(codebook_page(replace(whole, frequencies=told), "en"), "frequencies-status")
    assert ["No answer", "≈20", ""] in shown
    assert ["Answered", "c", ""] in shown


def test_yes_and_no_are_counted_where_some_were_suppressed() -> None:
    """An export that was coarsened: its column of booleans holds nothing in some rows, and is a column of objects."""
    frame = statuses({"enrolled": 60})
    some = frame["destination_confirmed"].astype("object").where(frame.index % 3 > 0, None)
    home = STATUS["status"]
    fields = tuple(replace(one, asked_if=None) for one in home.fields)
    frames = {"status": frame.assign(destination_confirmed=some)}
    made = codebook({"status": replace(home, fields=fields)}, frames, rules=RULES)
    mine = made[made["field"] == "destination_confirmed"].set_index("answer")["n"]
    assert mine[["", "yes", "no"]].tolist() == [40, 40, 0]
