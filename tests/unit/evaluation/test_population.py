"""The analysis data: who is analysed, in which school, and why outcomes are missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data_schema.consent import REFUSED_COLUMNS
from data_schema.errors import DataError
from data_schema.school_tables import standard_tables
from evaluation.consent import WithoutConsent
from evaluation.flow import ERASED, REFUSED, SCHOOL_SENT_NOTHING, find_later_joiners, flow_table
from evaluation.population import (
    NO_ANSWER,
    NO_RECORD,
    UNKNOWN,
    AnalysisData,
    Frames,
    build_analysis_data,
    measure_values,
)
from evaluation.protocol import Protocol
from reports.flow import describe_missing_reason
from reports.words import words
from tests.support.protocols import MINIMAL, Values, changed

TABLES = standard_tables()
SCHOOLS = pd.DataFrame(
    {
        "school_id": ["01", "02", "03", "04"],
        "country": "SI",
        "size": [100, 200, 150, 120],
        "consent": [True, True, True, False],
    }
)
ALLOCATION = pd.DataFrame(
    {"school_id": ["01", "02", "03"], "stratum": ["a", "a", "b"], "arm": ["control", "pilot", "pilot"]}
)


def protocol() -> Protocol:
    def change(values: Values) -> None:
        values["outcomes"] = [
            {
                "name": "dropout",
                "label": "Left school early",
                "kind": "binary",
                "direction": "lower",
                "table": "status",
                "wave": "after",
                "field": "status",
                "event": ["left_early"],
                "event_words": "left",
                "missing": ["unknown"],
                "missing_where": {"destination_confirmed": ["no"]},
            }
        ]
        values["analyses"] = [
            {"name": "main", "outcome": "dropout", "role": "primary", "model": "linear_cluster"},
            {
                "name": "worst",
                "outcome": "dropout",
                "role": "sensitivity",
                "model": "linear_cluster",
                "missing_outcome": "as_event",
            },
        ]
        values["covariates"] = [
            {"name": "prior_average", "label": "Prior average"},
            {"name": "size", "label": "Size", "table": "school"},
        ]

    return changed(change, MINIMAL)


def crocoos() -> Protocol:
    return changed(lambda _: None)


def frames() -> Frames:
    pupils = pd.DataFrame(
        {
            "school_id": ["01", "01", "01", "02", "02", "03", "04"],
            "pupil_id": ["a", "b", "c", "a", "d", "e", "z"],
            "prior_average": [3.0, np.nan, 4.0, 2.0, 5.0, 3.5, 3.0],
        }
    )
    late = pd.DataFrame(
        {"school_id": ["01", "02", "02"], "pupil_id": ["a", "n", "m"], "prior_average": [3.0, 2.0, 2.0]}
    )
    status = pd.DataFrame(
        {
            "school_id": ["01", "01", "01", "02", "02"],
            "pupil_id": ["a", "b", "c", "a", "d"],
            "status": ["left_early", "enrolled", "unknown", "transferred", None],
            "destination_confirmed": pd.array([None, None, None, False, None], dtype="boolean"),
        }
    )
    return {("pupil", "before"): pupils, ("pupil", "after"): late, ("status", "after"): status}


def data() -> AnalysisData:
    return build_analysis_data(protocol(), frames(), tables=TABLES, schools=SCHOOLS, allocation=ALLOCATION)


def test_pupils_of_drawn_schools_are_analysed_in_the_school_of_the_list() -> None:
    frame = data().frame
    assert list(zip(frame["school_id"], frame["pupil_id"], frame["arm"], strict=True)) == [
        ("01", "a", "control"),
        ("01", "b", "control"),
        ("01", "c", "control"),
        ("02", "a", "pilot"),
        ("02", "d", "pilot"),
        ("03", "e", "pilot"),
    ]
    assert frame["size"].tolist() == [100, 100, 100, 200, 200, 150]


def test_unknown_is_neither_a_leaver_nor_a_stayer_and_each_reason_is_told() -> None:
    found = data()
    np.testing.assert_array_equal(found.frame["dropout"], [1.0, 0.0, np.nan, np.nan, np.nan, np.nan])
    assert found.missing["dropout"].tolist() == ["", "", "unknown", "unknown", "no answer", "no record"]


def test_a_sensitivity_analysis_counts_every_unknown_pupil_as_a_leaver() -> None:
    plan = protocol()
    assert data().for_analysis(plan.analyses[0])["dropout"].sum() == 1
    assert data().for_analysis(plan.analyses[1])["dropout"].sum() == 5


def flow_with(
    erased: pd.DataFrame, *, schools: pd.DataFrame = SCHOOLS, allocation: pd.DataFrame = ALLOCATION
) -> pd.DataFrame:
    plan, found = protocol(), data()
    return flow_table(
        plan,
        found,
        tables=TABLES,
        schools=schools,
        allocation=allocation,
        joined=find_later_joiners([frames()["pupil", "after"]], found),
        erased=erased,
        consent=WithoutConsent(
            refused=pd.DataFrame(columns=list(REFUSED_COLUMNS)), unanswered=pd.DataFrame(columns=list(REFUSED_COLUMNS))
        ),
        primary=plan.analyses[0],
    )


NOBODY = pd.DataFrame({"school_id": [], "table": [], "wave": [], "n": pd.Series([], dtype="int64")})


def test_the_flow_adds_up_in_every_arm() -> None:
    flow = flow_with(NOBODY)
    assert not flow["reason"].str.contains("erased").any()
    one: dict[tuple[object, ...], tuple[int, int]] = {
        (row["arm"], row["step"], row["reason"]): (row["n_schools"], row["n_pupils"]) for row in flow.to_dict("records")
    }
    assert one["", "assessed", ""] == (4, 0)
    assert one["", "excluded", "declined"] == (1, 0)
    assert one["pilot", "joined", ""] == (1, 2)
    # One school sent rows without a usable answer, which is not nothing; it counts under one of its pupils' reasons.
    assert one["pilot", "outcome_missing", "school sent nothing"] == (1, 1)
    assert one["pilot", "outcome_missing", "no answer"] == (1, 1)
    assert one["pilot", "outcome_missing", "unknown"] == (0, 1)
    assert one["control", "outcome_missing", "unknown"] == (0, 1)
    for arm in ("control", "pilot"):
        mine = flow[flow["arm"] == arm].groupby("step")[["n_schools", "n_pupils"]].sum()
        lost = mine.loc["outcome_missing"] + mine.loc["analysed"]
        assert list(mine.loc["baseline"]) == list(lost)


def test_erased_pupils_are_still_in_the_flow() -> None:
    wave = protocol().population_wave
    erased = pd.DataFrame(
        [["01", "pupil", wave, 2], ["09", "pupil", wave, 1], ["02", "pupil", "after", 1], ["02", "status", "after", 1]],
        columns=["school_id", "table", "wave", "n"],
    )
    schools = pd.concat([SCHOOLS, SCHOOLS[:1].assign(school_id="09")])
    allocation = pd.concat([ALLOCATION, ALLOCATION[ALLOCATION["arm"] == "control"][:1].assign(school_id="09")])
    flow, before = flow_with(erased, schools=schools, allocation=allocation), flow_with(NOBODY)

    def pupils(frame: pd.DataFrame, step: str, arm: str) -> tuple[int, int]:
        mine = frame[(frame["step"] == step) & (frame["arm"] == arm)]
        return int(mine["n_schools"].sum()), int(mine["n_pupils"].sum())

    row = flow[flow["reason"] == "consent withdrawn, data erased"]
    assert row[["arm", "n_schools", "n_pupils"]].to_numpy().tolist() == [["control", 1, 3]]
    for step in ("baseline", "outcome_missing"):
        (n_schools, n_pupils), (then_schools, then_pupils) = (
            pupils(flow, step, "control"),
            pupils(before, step, "control"),
        )
        assert (n_schools - then_schools, n_pupils - then_pupils) == (1, 3)
        assert pupils(flow, step, "pilot") == pupils(before, step, "pilot")
    assert pupils(flow, "analysed", "control") == pupils(before, "analysed", "control")


@pytest.mark.parametrize("reason", [NO_RECORD, UNKNOWN, NO_ANSWER, SCHOOL_SENT_NOTHING, ERASED, REFUSED])
def test_every_reason_for_a_missing_outcome_is_said_in_the_language_of_the_report(reason: str) -> None:
    said = describe_missing_reason(words("qps"), reason)
    assert said.startswith("⟦")
    assert said[1].isupper()
    assert describe_missing_reason(words("qps"), f"{reason} here") == f"{reason} here"


def test_nobody_on_the_list_is_an_error_that_says_what_to_do() -> None:
    empty = {key: frame.iloc[:0] for key, frame in frames().items()}
    with pytest.raises(DataError, match="inbox"):
        build_analysis_data(protocol(), empty, tables=TABLES, schools=SCHOOLS, allocation=ALLOCATION)


def test_a_measure_of_several_rows_a_pupil_is_summed_up() -> None:
    rows = pd.DataFrame(
        {
            "school_id": ["01"] * 3,
            "pupil_id": ["a", "a", "b"],
            "month": ["2028-10", "2028-11", "2028-10"],
            "absences_unjustified": pd.array([4, 7, None], dtype="Int64"),
        }
    )
    values = measure_values(crocoos().outcome("absences"), rows, TABLES["signals"])
    assert values[("01", "a")] == 5.5
    assert np.isnan(values[("01", "b")])


def test_a_scale_needs_half_of_its_items() -> None:
    items = {f"engagement_{k}": pd.array([k, None if k > 1 else 5], dtype="Int64") for k in range(1, 5)}
    rows = pd.DataFrame({"school_id": ["01", "01"], "pupil_id": ["a", "b"], **items})
    values = measure_values(crocoos().outcome("engagement"), rows, TABLES["survey"])
    assert values[("01", "a")] == 2.5
    assert np.isnan(values[("01", "b")])


def test_a_scale_is_scored_by_its_declaration_reversed_items_and_needed_answers_included() -> None:
    def change(values: Values) -> None:
        values["outcomes"][1].update(reverse=["engagement_4"], least_answered=0.75)

    outcome = changed(change).outcome("engagement")
    rows = pd.DataFrame(
        {
            "school_id": "01",
            "pupil_id": ["a", "b", "c"],
            "engagement_1": [5, 4, 4],
            "engagement_2": [5, 4, 4],
            "engagement_3": [5, 4, np.nan],
            "engagement_4": [1, np.nan, np.nan],
        }
    )
    scores = measure_values(outcome, rows, TABLES["survey"])
    assert scores.tolist()[:2] == [5.0, 4.0]
    assert np.isnan(scores.iloc[2]), "half of the items is fewer than three quarters"
