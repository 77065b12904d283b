"""The warning signals of a trial: whose, when, and what they are worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.warning_signals import area_under_curve
from data_schema.school_tables import standard_tables
from evaluation.population import AnalysisData
from evaluation.protocol import Protocol
from evaluation.signals import COLUMNS, MEASURES, TOGETHER, signals_table
from tests.support.protocols import MINIMAL, Values, changed

TABLE = standard_tables()["signals"]
N_SCHOOLS, PUPILS = 12, 40


def protocol(*, kind: str = "binary", capacity: float | None = None) -> Protocol:
    def change(values: Values) -> None:
        values["outcomes"] = [
            {"name": "left", "label": "Left", "kind": kind, "direction": "lower", "table": "status", "wave": "after"}
            | {"field": "status", "event": ["left_early"], "event_words": "left"}
        ]
        if kind != "binary":
            values["outcomes"] = [
                {"name": "left", "label": "Mark", "kind": kind, "direction": "higher", "table": "signals"}
                | {"wave": "after", "field": "average_mark"}
            ]
        values["analyses"] = [{"name": "main", "outcome": "left", "role": "primary", "model": "linear_cluster"}]
        values["covariates"] = []
        if capacity is not None:
            values["signals"] = {"capacity": capacity}

    return changed(change, MINIMAL)


def drawn(*, seed: int = 1) -> tuple[AnalysisData, pd.DataFrame]:
    """Absences warn in control schools; in pilot schools whoever is absent is kept."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(N_SCHOOLS), PUPILS)
    arm = np.where(school % 2, "pilot", "control")
    worry = rng.standard_normal(school.size)
    left = (worry + 0.7 * rng.standard_normal(school.size) > 1.4) & (arm == "control")
    pupils = pd.DataFrame({"school_id": [f"{k:02d}" for k in school], "arm": arm, "left": left.astype(float)})
    pupils["pupil_id"] = [f"p{k:04d}" for k in range(len(pupils))]
    pupils["country"] = np.where(school < 6, "HU", "SI")
    parts = [
        pupils[["school_id", "pupil_id"]].assign(
            month=month,
            absences_unjustified=rng.poisson(np.exp(1 + 0.8 * worry)),
            behaviour_notices=rng.poisson(0.3, size=len(pupils)),
            average_mark=(3 - 0.5 * worry + 0.5 * rng.standard_normal(len(pupils))).round(1),
            risk_flag=worry > 1.2,
        )
        for month in ("2027-09", "2027-10")
    ]
    return AnalysisData(frame=pupils, missing={}), pd.concat(parts, ignore_index=True)


DATA, ROWS = drawn()
WAVE = protocol().population_wave


def test_every_signal_is_judged_for_all_and_each_country_in_reference_schools() -> None:
    made = signals_table(protocol(), {("signals", WAVE): ROWS}, DATA, table=TABLE)
    assert list(made) == COLUMNS
    assert set(made["country"]) == {"", "HU", "SI"}
    assert set(made["measure"]) == set(MEASURES)
    assert set(made["signal"]) == {
        "absences_unjustified", "behaviour_notices", "average_mark", "risk_flag", TOGETHER,
    }  # fmt: skip
    every = made[made["country"] == ""]
    assert set(every["n_schools"]) == {N_SCHOOLS // 2}
    assert set(every["n_pupils"]) == {N_SCHOOLS // 2 * PUPILS}
    assert set(made["capacity"]) == {0.1}
    areas = every[every["measure"] == "auc"].set_index("signal")["estimate"]
    assert areas[TOGETHER] > 0.7
    assert areas["absences_unjustified"] > 0.8
    assert areas["average_mark"] > 0.7  # a low mark is what worries
    assert 0.35 < areas["behaviour_notices"] < 0.65
    assert made.loc[made["signal"] == "risk_flag", "label"].tolist()[0] == "At risk"


def test_the_area_is_that_of_the_mean_over_months_in_the_control_schools() -> None:
    made = signals_table(protocol(), {("signals", WAVE): ROWS}, DATA, table=TABLE)
    row = made[(made["signal"] == "absences_unjustified") & (made["measure"] == "auc") & (made["country"] == "")]
    means = ROWS.groupby("pupil_id")["absences_unjustified"].mean()
    control = DATA.frame[DATA.frame["arm"] == "control"]
    expected = area_under_curve(means.loc[control["pupil_id"]].to_numpy(float), control["left"].to_numpy())
    assert float(row["estimate"].iloc[0]) == pytest.approx(expected)


def test_more_capacity_finds_more() -> None:
    found = [
        signals_table(protocol(capacity=share), {("signals", WAVE): ROWS}, DATA, table=TABLE)
        .query("signal == 'together' and measure == 'sensitivity' and country == ''")["estimate"]
        .iloc[0]
        for share in (0.05, 0.3)
    ]
    assert found[0] < found[1]


def test_without_signals_outcomes_or_leavers_there_is_nothing() -> None:
    nobody = AnalysisData(frame=DATA.frame.assign(left=0.0), missing={})
    for made in (
        signals_table(protocol(), {}, DATA, table=TABLE),
        signals_table(protocol(), {("signals", WAVE): ROWS.head(0)}, DATA, table=TABLE),
        signals_table(protocol(kind="continuous"), {("signals", WAVE): ROWS}, DATA, table=TABLE),
        signals_table(protocol(), {("signals", WAVE): ROWS}, nobody, table=TABLE),
    ):
        assert made.empty
        assert list(made) == COLUMNS


def test_one_kind_of_signal_has_no_risk_of_all_together() -> None:
    only = ROWS[["school_id", "pupil_id", "month", "absences_unjustified"]]
    made = signals_table(protocol(), {("signals", WAVE): only}, DATA, table=TABLE)
    assert set(made["signal"]) == {"absences_unjustified"}


def test_outcomes_and_covariates_named_like_signals_are_not_mistaken_for_them() -> None:
    named = AnalysisData(frame=DATA.frame.assign(average_mark=1.0, risk_flag="no"), missing={})
    made = signals_table(protocol(), {("signals", WAVE): ROWS}, named, table=TABLE)
    expected = signals_table(protocol(), {("signals", WAVE): ROWS}, DATA, table=TABLE)
    pd.testing.assert_frame_equal(made, expected)


def test_pupils_without_signals_are_in_and_not_flagged() -> None:
    gone = ROWS[ROWS["pupil_id"] != "p0000"]
    made = signals_table(protocol(), {("signals", WAVE): gone}, DATA, table=TABLE)
    assert made[made["country"] == ""]["n_pupils"].iloc[0] == N_SCHOOLS // 2 * PUPILS
