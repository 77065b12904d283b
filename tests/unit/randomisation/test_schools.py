"""What of a school frame an allocation reads, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import Arm, Design
from randomisation.schools import read_schools

DESIGN = Design(arms=(Arm(name="control"), Arm(name="pilot")), strata=("country", "type"))


def frame(**changes: object) -> pd.DataFrame:
    columns = {"school_id": ["03", "1", "02"], "country": ["SI", "HU", "HU"], "type": ["general", "mixed", "general"]}
    return pd.DataFrame({**columns, **changes})


def test_schools_are_sorted_by_code_points_and_keep_their_strata() -> None:
    read = read_schools(frame(), DESIGN)
    assert read.ids == ("02", "03", "1")
    assert read.stratum_values == (("HU", "general"), ("SI", "general"), ("HU", "mixed"))
    assert read.labels() == ("HU / general", "SI / general", "HU / mixed")


def test_strata_are_sorted_and_hold_positions_of_sorted_schools() -> None:
    assert read_schools(frame(), DESIGN).cells() == {
        ("HU", "general"): [0],
        ("HU", "mixed"): [2],
        ("SI", "general"): [1],
    }


def test_without_strata_there_is_one_stratum_called_all() -> None:
    read = read_schools(frame(), Design(arms=DESIGN.arms))
    assert read.labels() == ("all", "all", "all")
    assert read.cells() == {(): [0, 1, 2]}


def test_canonical_bytes_hold_what_matters_and_nothing_else() -> None:
    expected = b"school_id\tcountry\ttype\n02\tHU\tgeneral\n03\tSI\tgeneral\n1\tHU\tmixed\n"
    assert read_schools(frame(size=[1, 2, 3]), DESIGN).canonical() == expected


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([7.0, 12.0, 2.5], ("2.5", "7", "12")),
        ([1, 2, 3], ("3", "1", "2")),
        (np.array([1, 2, 3], dtype=np.int8), ("3", "1", "2")),
        (pd.array([1, 2, 3], dtype="Int64"), ("3", "1", "2")),
        ([True, False, True], ("yes", "yes", "no")),
        (pd.array([True, False, True], dtype="boolean"), ("yes", "yes", "no")),
        ([" north ", "south", "east"], ("east", "north", "south")),
        (pd.Categorical(["a", "b", "c"]), ("c", "a", "b")),
        (np.array([np.int64(4), np.float64(5.0), np.str_("x")], dtype=object), ("x", "4", "5")),
        (np.array([np.bool_(True), np.bool_(False), np.bool_(True)], dtype=object), ("yes", "yes", "no")),
    ],
)
def test_values_of_strata_become_text(values: object, texts: tuple[str, ...]) -> None:
    design = Design(arms=DESIGN.arms, strata=("type",))
    assert read_schools(frame(type=values), design).stratum_values == tuple((text,) for text in texts)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, "", "  "])
def test_a_missing_stratum_names_column_and_school(missing: object) -> None:
    with pytest.raises(DesignError) as caught:
        read_schools(frame(type=["general", missing, "general"]), DESIGN)
    assert caught.value.place == "school frame, column 'type'"
    assert caught.value.problem == "No value for school '1'."
    assert caught.value.remedy.startswith("Fill it in")


@pytest.mark.parametrize("value", ["a\tb", pd.Timestamp("2027-01-01"), ("a",)])
def test_a_value_that_cannot_name_a_stratum_is_refused(value: object) -> None:
    with pytest.raises(DesignError, match="The value of school '03' cannot name a stratum"):
        read_schools(frame(type=[value, "general", "general"]), DESIGN)


@pytest.mark.parametrize("missing", [None, np.nan, ""])
def test_a_missing_identifier_names_its_row(missing: object) -> None:
    with pytest.raises(DesignError, match="School number 2 of the frame has no identifier"):
        read_schools(frame(school_id=["1", missing, "2"]), DESIGN)


def test_identifiers_read_as_numbers_are_refused_because_leading_zeros_are_gone() -> None:
    with pytest.raises(DesignError, match="leading zeros"):
        read_schools(frame(school_id=[1, 2, 3]), DESIGN)


def test_an_identifier_with_spaces_is_refused() -> None:
    with pytest.raises(DesignError, match="' 2' has spaces around it"):
        read_schools(frame(school_id=["1", " 2", "3"]), DESIGN)


def test_identifiers_that_stand_twice_are_named() -> None:
    with pytest.raises(DesignError, match=r"'7' is in more than one row\. Keep one row per school"):
        read_schools(frame(school_id=["7", "2", "7"]), DESIGN)


def test_an_unknown_column_lists_the_known_ones() -> None:
    with pytest.raises(DesignError) as caught:
        read_schools(frame(), Design(arms=DESIGN.arms, strata=("region",)))
    assert caught.value.problem == "There is no column 'region'."
    assert "'school_id', 'country', 'type'" in caught.value.remedy


def test_a_frame_without_columns_is_refused() -> None:
    with pytest.raises(DesignError, match="the columns are: none"):
        read_schools(pd.DataFrame(), DESIGN)


def test_a_column_that_is_there_twice_is_refused() -> None:
    twice = pd.concat([frame(), frame()[["type"]]], axis=1)
    with pytest.raises(DesignError, match="more than once"):
        read_schools(twice, DESIGN)


def test_an_empty_frame_is_refused() -> None:
    with pytest.raises(DesignError, match="It has no schools"):
        read_schools(frame().iloc[:0], DESIGN)


def test_strata_that_would_share_a_label_are_refused() -> None:
    ambiguous = frame(country=["a", "a / b", "c"], type=["b / c", "c", "d"])
    with pytest.raises(DesignError, match="Different strata would both be called 'a / b / c'"):
        read_schools(ambiguous, DESIGN).labels()


def test_the_frame_is_not_changed() -> None:
    given = frame(type=[" a", "b", "c"])
    before = given.copy()
    read_schools(given, DESIGN)
    pd.testing.assert_frame_equal(given, before)
