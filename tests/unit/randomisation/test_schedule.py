"""Waiting lists, stepped wedges and factorial designs: arms, periods, factors."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import AllocationRecord, Arm, Design, allocate, verify
from randomisation.schedule import factorial, factors, schedule, share_of_steps, stepped_wedge, waiting_list

SCHOOLS = pd.DataFrame({"school_id": [f"{n:02d}" for n in range(12)], "country": ["HU"] * 8 + ["SI"] * 4})


def test_schools_of_a_stepped_wedge_cross_over_once_and_stay() -> None:
    allocation = allocate(SCHOOLS, stepped_wedge(4, strata=("country",)), seed="1")
    table = schedule(allocation)
    assert len(table) == 12 * 5
    by_school = table.pivot_table(index="school_id", columns="period", values="treated")
    assert (by_school.diff(axis=1).iloc[:, 1:] >= 0).all().all()
    assert by_school.sum().tolist() == [0, 3, 6, 9, 12]
    assert share_of_steps(allocation.design) == Fraction(1, 2)
    assert table["treated"].mean() == 0.5
    assert verify(AllocationRecord.of(allocation), SCHOOLS).ok


def test_countries_have_as_many_schools_at_each_step_as_can_be() -> None:
    allocation = allocate(SCHOOLS, stepped_wedge(4, strata=("country",)), seed="1")
    counts = allocation.counts_by_stratum().set_index(["stratum", "arm"])["n_schools"]
    assert set(counts["HU"]) == {2}
    assert set(counts["SI"]) == {1}


def test_more_periods_can_follow_and_none_may_lack() -> None:
    allocation = allocate(SCHOOLS, stepped_wedge(3), seed="1")
    assert schedule(allocation, n_periods=6)["period"].max() == 6
    with pytest.raises(DesignError, match="end before all schools have started"):
        schedule(allocation, n_periods=3)


def test_a_waiting_list_starts_half_of_the_schools_now_and_the_others_later() -> None:
    table = schedule(allocate(SCHOOLS, waiting_list(strata=("country",)), seed="1"))
    assert table.groupby("period")["treated"].sum().tolist() == [6, 12]
    assert waiting_list(now=2).probabilities["now"] == Fraction(2, 3)


def test_each_factor_is_balanced_within_the_other() -> None:
    allocation = allocate(SCHOOLS, factorial("mentor", "ews", strata=("country",)), seed="1")
    table = factors(allocation)
    assert table.groupby(["mentor", "ews"]).size().tolist() == [3, 3, 3, 3]
    assert list(table.columns) == ["school_id", "stratum", "mentor", "ews"]
    both = table.loc[(table["mentor"] == 1) & (table["ews"] == 1), "school_id"]
    assert {allocation.arm_of[school] for school in both} == {"mentor + ews"}


def test_what_is_no_schedule_is_refused() -> None:
    plain = allocate(SCHOOLS, Design(arms=(Arm(name="control"), Arm(name="pilot"))), seed="1")
    with pytest.raises(DesignError, match="are no steps"):
        schedule(plain)
    with pytest.raises(DesignError, match="are no factors"):
        factors(plain)
    with pytest.raises(DesignError, match="1 step is not enough"):
        stepped_wedge(1)
    for name in ("", "a + b", "neither"):
        with pytest.raises(DesignError, match="cannot name a factor"):
            factorial(name, "ews")
