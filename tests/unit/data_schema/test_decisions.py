"""Files that were withdrawn and waves that were frozen, as intake knows them."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from data_schema.decisions import Decisions, compute_wave_hashes, hash_of_schools
from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.school_tables import standard_tables
from tests.support.bad_files import zipped

HEADER = "school_id;pupil_id;status"


def listed(*pupils: str) -> bytes:
    return "\n".join([HEADER, *(f"01;{pupil};enrolled" for pupil in pupils)]).encode()


def taken_in(files: dict[str, bytes], **decided: dict[str, str]) -> Intake:
    return read_inbox(
        files,
        rules=[InboxRule("**/*.csv", "status", wave="w")],
        tables=standard_tables(),
        schools={"01": "HU"},
        waves=["w"],
        decisions=Decisions(**decided),
    )


def counts(intake: Intake) -> dict[str, list[int]]:
    rows = intake.reconciliation.set_index("file")[["sent", "kept", "asked", "refused"]]
    return {str(file): row for file, row in zip(rows.index, rows.to_numpy().tolist(), strict=True)}


def test_a_withdrawn_file_is_counted_and_asks_nothing() -> None:
    files = {"a.csv": listed("1", "2", ""), "b.csv": listed("1")}
    assert counts(taken_in(files)) == {"a.csv": [3, 2, 1, 0], "b.csv": [1, 0, 0, 1]}
    without = taken_in(files, withdrawn={"a.csv": ""})
    assert counts(without) == {"a.csv": [3, 0, 0, 3], "b.csv": [1, 1, 0, 0]}
    assert not [one for one in without.findings if one.file == "a.csv" and one.severity != "note"]


def test_the_copy_of_a_withdrawn_file_is_taken_in() -> None:
    made = taken_in({"a.csv": listed("1"), "b.csv": listed("1")}, withdrawn={"a.csv": ""})
    assert counts(made) == {"a.csv": [1, 0, 0, 1], "b.csv": [1, 1, 0, 0]}


def test_a_file_in_a_zipped_folder_is_withdrawn_alone_or_with_its_folder() -> None:
    files = {"all.zip": zipped({"a.csv": listed("1"), "b.csv": listed("2")})}
    alone = counts(taken_in(files, withdrawn={"all.zip/a.csv": ""}))
    assert alone == {"all.zip/a.csv": [1, 0, 0, 1], "all.zip/b.csv": [1, 1, 0, 0]}
    together = counts(taken_in(files, withdrawn={"all.zip": ""}))
    assert together == {"all.zip/a.csv": [1, 0, 0, 1], "all.zip/b.csv": [1, 0, 0, 1]}


def test_a_withdrawn_file_that_cannot_be_read_is_not_asked_about_any_more() -> None:
    files = {"a.csv": b"%PDF-1.7", "b.csv": listed("1")}
    assert taken_in(files).findings.by_severity("refused")
    assert not taken_in(files, withdrawn={"a.csv": "b.csv"}).findings.by_severity("refused")


rows = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.sampled_from(["x", None])), min_size=1, max_size=8
)


@given(rows, st.randoms(use_true_random=False))
def test_the_hash_of_a_wave_is_that_of_its_rows_in_any_order(
    told: list[tuple[str, int, str | None]], rng: object
) -> None:
    frame = pd.DataFrame(told, columns=["school_id", "value", "more"]).assign(wave="w", source_file="f")
    shuffled = list(told)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    other = pd.DataFrame(shuffled, columns=["school_id", "value", "more"]).assign(wave="w", source_file="g", new=None)
    assert compute_wave_hashes({"t": frame}, "w") == compute_wave_hashes({"t": other}, "w")
    assert compute_wave_hashes({"t": frame}, "v") == {}


def test_a_changed_value_changes_the_hash_of_its_school_and_of_no_other() -> None:
    frame = pd.DataFrame({"school_id": ["a", "b"], "value": [1, 2], "wave": "w"})
    then, now = (compute_wave_hashes({"t": one}, "w") for one in (frame, frame.assign(value=[1, 3])))
    assert then["a"] == now["a"]
    assert then["b"] != now["b"]
    assert hash_of_schools(then) != hash_of_schools(now)
    assert hash_of_schools(dict(reversed(then.items()))) == hash_of_schools(then)
