"""k-anonymity of rows that leave: counted as a hostile reader would, and reached by coarsening."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schema.anonymity import Quasi, ensure_k_anonymity, find_quasi_identifiers, measure_anonymity
from data_schema.school_tables import standard_tables

TABLES = standard_tables()
YEAR = Quasi(table="pupil", field="birth_year", is_number=True)
GENDER = Quasi(table="pupil", field="gender", is_number=False)


def pupils(*rows: tuple[str, int | None, str | None]) -> pd.DataFrame:
    made = pd.DataFrame(
        {
            "school_id": [school for school, _, _ in rows],
            "pupil_id": [f"p{at}" for at in range(len(rows))],
            "birth_year": [year for _, year, _ in rows],
            "gender": [gender for _, _, gender in rows],
            "wave": "before",
        }
    )
    return made.astype({"birth_year": "Int64"})


def smallest(frame: pd.DataFrame) -> int:
    """Count by hand: how many rows have each combination of school, year and gender."""
    rows = frame[["school_id", "birth_year", "gender"]].astype(object).where(frame.notna(), None)
    return min(Counter(rows.itertuples(index=False, name=None)).values())


years, genders = st.sampled_from([2008, 2009, 2010, 2011, 2015, None]), st.sampled_from(["girl", "boy", "other", None])
drawn = st.lists(st.tuples(st.sampled_from(["A", "B"]), years, genders), min_size=1, max_size=60)


@given(drawn)
@settings(max_examples=60, deadline=None)
def test_k_is_the_size_of_the_smallest_group_of_pupils_who_are_alike(rows: list[tuple[str, int, str]]) -> None:
    frame = pupils(*rows)
    assert measure_anonymity({"pupil": frame}, [YEAR, GENDER]).k == smallest(frame)


@given(drawn, st.integers(2, 8))
@settings(max_examples=60, deadline=None)
def test_coarsened_rows_have_k_pupils_in_every_group_and_say_so(rows: list[tuple[str, int, str]], k: int) -> None:
    frame = pupils(*rows)
    given_rows, found = ensure_k_anonymity({"pupil": frame}, [YEAR, GENDER], k=k)
    made = given_rows["pupil"]
    small = frame.groupby("school_id").filter(lambda school: len(school) < k)
    assert len(made) == len(frame) - len(small)
    assert found.n_left_out == len(small)
    if len(made):
        assert smallest(made) == found.k
        assert found.k >= k
    assert made.dtypes["birth_year"] == "Int64"


def test_what_need_not_be_coarsened_is_given_as_it_is() -> None:
    frame = pupils(*[("A", 2010, gender) for gender in ("girl", "boy") for _ in range(5)])
    made, found = ensure_k_anonymity({"pupil": frame}, [YEAR, GENDER], k=5)
    pd.testing.assert_frame_equal(made["pupil"], frame)
    assert found.fields == (YEAR, GENDER)


def test_years_are_given_in_bands_before_they_are_not_given_at_all() -> None:
    frame = pupils(*[("A", 2010 + at % 2, "girl") for at in range(6)])
    made, found = ensure_k_anonymity({"pupil": frame}, [YEAR], k=6)
    assert [one.band for one in found.fields] == [2]
    assert set(made["pupil"]["birth_year"]) == {2010}


def test_a_pupil_is_looked_at_over_all_waves() -> None:
    before = pupils(*[("A", 2010, "girl") for _ in range(4)])
    after = before.assign(wave="after", gender=["girl", "girl", "girl", "boy"])
    both = pd.concat([before, after], ignore_index=True)
    assert measure_anonymity({"pupil": before}, [GENDER]).k == 4
    assert measure_anonymity({"pupil": both}, [GENDER]).k == 1


def test_rows_of_other_tables_leave_with_their_pupils() -> None:
    frame = pupils(("A", 2010, "girl"), ("B", 2010, "girl"), ("B", 2010, "girl"))
    status = frame[["school_id", "pupil_id"]].assign(status="enrolled")
    made, _ = ensure_k_anonymity({"pupil": frame, "status": status}, [GENDER], k=2)
    assert set(made["status"]["school_id"]) == {"B"}


def test_the_standard_tables_declare_what_others_may_know_of_a_pupil() -> None:
    frame = pupils(("A", 2010, "girl"))
    found = find_quasi_identifiers(TABLES, {"pupil": frame, "school": pd.DataFrame({"school_id": ["A"]})})
    assert [one.field for one in found] == ["birth_year", "gender"]
    declared = {item.name for item in TABLES["pupil"].fields if item.privacy == "quasi_identifier"}
    assert declared == {"class", "grade", "birth_year", "gender", "disadvantaged"}
    assert not any(item.is_private for item in TABLES["pupil"].fields if item.name in declared)


@pytest.mark.parametrize("k", [2, 5])
def test_without_quasi_identifiers_pupils_of_a_school_are_alike(k: int) -> None:
    made, found = ensure_k_anonymity({"pupil": pupils(*[("A", 2010, "girl")] * 5)}, [], k=k)
    assert (found.k, len(made["pupil"])) == (5, 5)
