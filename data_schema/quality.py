"""High-frequency checks: what is odd about data that are right cell by cell.

Run often, while schools can still be asked. Nothing here changes data, and nothing names a pupil. What could unblind
(missing values by arm) is looked at only when somebody asks for it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from data_schema.fields import NUMERIC_TYPES, Field
from data_schema.tables import Table

if TYPE_CHECKING:
    import pandas as pd

CHECK_COLUMNS = ("check", "table", "wave", "country", "school_id", "field", "n", "value", "expected", "problem")

_LEAST = 20
"""Values of a school below which its digits and its mean say nothing."""

_FENCE = 3.0
"""Interquartile ranges beyond the quartiles: the outer fence (Tukey 1977, Exploratory Data Analysis, section 2D)."""

_FAR = 4.0
"""Standard errors; fewer than one in 10,000 lies beyond by chance."""

_MARK_JUMP = 3.0
_LEAST_ITEMS = 4
_STRAIGHT = 0.5
_MISSING_GAP = 0.1

Row = tuple[str, str, str, str, str, str, int, float, float, str]


def run_high_frequency_checks(
    frames: Mapping[str, pd.DataFrame],
    *,
    tables: Mapping[str, Table],
    waves: Sequence[str],
    arms: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Look for what is odd.

    Parameters
    ----------
    frames
        Table to its rows, as they are stored.
    tables
        The tables, by name.
    waves
        Names of the waves, in their order.
    arms
        School to its arm; missing values by arm are compared only when it is given, since that may unblind.

    Returns
    -------
    pandas.DataFrame
        In the order of `CHECK_COLUMNS`, one row a thing that is odd: "outliers", "digits", "same answers", "school
        mean", "jump", "back after leaving", "repeated records", "missing by arm"; ``value`` is what was found,
        ``expected`` what would be usual.
    """
    import pandas as pd

    check_rows: list[Row] = []
    for name, frame in frames.items():
        table = tables.get(name)
        if table is None or frame.empty:
            continue
        check_rows += _find_outliers(table, frame)
        check_rows += _compare_final_digits(table, frame)
        check_rows += _compare_school_means(table, frame)
        check_rows += _find_uniform_answers(table, frame)
        check_rows += _find_repeated_records(table, frame)
        check_rows += _find_mark_jumps(table, frame, waves)
        if arms is not None:
            check_rows += _compare_missing_by_arm(table, frame, arms)
    if "status" in frames:
        check_rows += _find_returned_leavers(frames["status"], waves)
    types = {"n": "int64", "value": "float64", "expected": "float64"}
    checks = pd.DataFrame(check_rows, columns=list(CHECK_COLUMNS)).astype(
        {k: types.get(k, "str") for k in CHECK_COLUMNS}
    )
    return checks.sort_values(list(CHECK_COLUMNS[:6]), kind="stable", ignore_index=True)


def _select_numeric_fields(table: Table, frame: pd.DataFrame) -> list[Field]:
    kinds = [item for item in table.fields if item.type in NUMERIC_TYPES and item.type != "year"]
    return [item for item in kinds if item.name in frame]


def _iterate_groups(frame: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for (wave, country), part in frame.groupby(["wave", "country"], sort=True):
        yield str(wave), str(country), part


def _find_outliers(table: Table, frame: pd.DataFrame) -> Iterator[Row]:
    for wave, country, part in _iterate_groups(frame):
        for item in _select_numeric_fields(table, part):
            values = part[item.name].astype("Float64").astype(float)
            low, high = values.quantile(0.25), values.quantile(0.75)
            if values.notna().sum() < _LEAST or not high > low:
                continue
            limit = high + _FENCE * (high - low)
            least = low - _FENCE * (high - low)
            is_out = (values > limit) | (values < least)
            for school, n in part.loc[is_out].groupby("school_id").size().items():
                extreme = values[is_out & (part["school_id"] == school)]
                worst = float(extreme.max() if extreme.max() > limit else extreme.min())
                edge = float(limit if worst > limit else least)
                problem = f"{n} of its values lie far from those of the country."
                yield ("outliers", table.name, wave, country, str(school), item.name, int(n), worst, edge, problem)


def _compare_final_digits(table: Table, frame: pd.DataFrame) -> Iterator[Row]:
    """Compare how often counts of a school end in 0 or 5 with how often those of the other schools do."""
    for wave, country, part in _iterate_groups(frame):
        for item in _select_numeric_fields(table, part):
            values = part[item.name].dropna()
            if item.type != "whole_number" or values.empty or float(values.max()) < 20:
                continue
            values = values[values >= 5]
            is_round = (values.astype("int64") % 5 == 0).groupby(part.loc[values.index, "school_id"])
            n_all, n_round = len(values), int((values.astype("int64") % 5 == 0).sum())
            for school, school_values in is_round:
                others = n_all - len(school_values)
                if len(school_values) < _LEAST or others < _LEAST:
                    continue
                usual = max((n_round - int(school_values.sum())) / others, 0.2)
                share = float(school_values.mean())
                error = math.sqrt(max(usual * (1 - usual), 1e-9) / len(school_values))
                if share - usual > _FAR * error:
                    problem = "Far more of its values end in 0 or 5 than elsewhere: they may be estimates."
                    yield (
                        "digits",
                        table.name,
                        wave,
                        country,
                        str(school),
                        item.name,
                        len(school_values),
                        share,
                        usual,
                        problem,
                    )


def _compare_school_means(table: Table, frame: pd.DataFrame) -> Iterator[Row]:
    """Compare each school's mean with the other schools' of its country."""
    for wave, country, part in _iterate_groups(frame):
        for item in _select_numeric_fields(table, part):
            values = part[item.name].astype("Float64").astype(float)
            grouped = values.groupby(part["school_id"])
            counts = grouped.count()
            means = grouped.mean().where(counts >= 5).dropna()
            if len(means) < 5:
                continue
            for school, mean in means.items():
                others = means.drop(school)
                spread = float(others.std())
                if spread > 0 and abs(float(mean) - float(others.mean())) > _FAR * spread:
                    n, usual = int(counts.loc[str(school)]), float(others.mean())
                    problem = "Its mean is far from those of the country's other schools: a unit may be another one."
                    yield (
                        "school mean",
                        table.name,
                        wave,
                        country,
                        str(school),
                        item.name,
                        n,
                        float(mean),
                        usual,
                        problem,
                    )


def _find_uniform_answers(table: Table, frame: pd.DataFrame) -> Iterator[Row]:
    """Find schools where many pupils gave one answer to every question."""
    items = [item.name for item in table.fields if item.filled_in_by == "pupil" and item.name in frame]
    if len(items) < _LEAST_ITEMS:
        return
    for wave, country, part in _iterate_groups(frame):
        answers = part[items].astype("Float64")
        is_straight = (answers.min(axis=1) == answers.max(axis=1)) & (answers.notna().sum(axis=1) >= _LEAST_ITEMS)
        overall = float(is_straight.mean())
        for school, school_values in is_straight.groupby(part["school_id"]):
            if len(school_values) >= 5 and float(school_values.mean()) > max(_STRAIGHT, 2 * overall):
                share = float(school_values.mean())
                problem = "Many of its pupils gave the same answer to every question."
                yield (
                    "same answers",
                    table.name,
                    wave,
                    country,
                    str(school),
                    "",
                    len(school_values),
                    share,
                    overall,
                    problem,
                )


def _find_repeated_records(table: Table, frame: pd.DataFrame) -> Iterator[Row]:
    """Find records of different pupils that are the same in all their values: copied rows, within or across schools."""
    if table.about != "pupil":
        return
    names = [item.name for item in table.fields if item.name not in table.key and item.name in frame]
    numbers = [item.name for item in _select_numeric_fields(table, frame) if item.name in names]
    if len(numbers) < _LEAST_ITEMS:
        return
    for wave, country, part in _iterate_groups(frame):
        complete = part.loc[part[numbers].notna().all(axis=1)]
        # Short scales repeat by chance; a record of four numbers that vary does not.
        rich = [name for name in numbers if complete[name].nunique() > 10]
        if len(complete) < _LEAST or len(rich) < _LEAST_ITEMS:
            continue
        doubled = complete.duplicated(names, keep=False)
        for school, n in complete.loc[doubled].groupby("school_id").size().items():
            problem = "Records of different pupils are the same in every value, here or in another school."
            yield ("repeated records", table.name, wave, country, str(school), "", int(n), float(n), 0.0, problem)


def _find_mark_jumps(table: Table, frame: pd.DataFrame, waves: Sequence[str]) -> Iterator[Row]:
    """Find marks of one pupil that change by three or more from one record to the next."""
    marks = [item.name for item in table.fields if item.unit == "mark" and item.name in frame]
    if table.about != "pupil" or not marks:
        return
    by_time = [*(["month"] if "month" in frame else []), "_wave"]
    rank = frame["wave"].map({wave: position for position, wave in enumerate(waves)})
    ordered = frame.assign(_wave=rank).sort_values(["school_id", "pupil_id", *by_time[::-1]], kind="stable")
    for name in marks:
        known = ordered.loc[ordered[name].notna()]
        change = known[name].astype("Float64").astype(float).groupby([known["school_id"], known["pupil_id"]]).diff()
        jumped = known.loc[change.abs() >= _MARK_JUMP]
        for (wave, country, school), n in _count_rows_by_school(jumped):
            problem = "Marks of pupils change by three or more from one record to the next."
            yield ("jump", table.name, wave, country, school, name, n, float(n), 0.0, problem)


def _count_rows_by_school(frame: pd.DataFrame) -> list[tuple[tuple[str, str, str], int]]:
    """Count rows by wave, country and school."""
    keys = zip(frame["wave"].astype(str), frame["country"].astype(str), frame["school_id"].astype(str), strict=True)
    return sorted(Counter(keys).items())


def _find_returned_leavers(status: pd.DataFrame, waves: Sequence[str]) -> Iterator[Row]:
    """Find pupils who left for good in one wave and are enrolled in a later one."""
    rank = {wave: position for position, wave in enumerate(waves)}
    left: dict[tuple[str, str], int] = {}
    gone = status.loc[status["status"].isin(["left_early", "completed"])]
    for school, pupil, wave in zip(gone["school_id"], gone["pupil_id"], gone["wave"], strict=True):
        left[school, pupil] = min(left.get((school, pupil), len(waves)), rank.get(wave, len(waves)))
    there = status.loc[status["status"] == "enrolled"]
    keys = zip(there["school_id"], there["pupil_id"], there["wave"], strict=True)
    is_back = [(school, pupil) in left and rank.get(wave, -1) > left[school, pupil] for school, pupil, wave in keys]
    for (wave, country, school), n in _count_rows_by_school(there.loc[is_back]):
        problem = "Pupils who had left or completed school before are enrolled."
        yield (
            "back after leaving",
            "status",
            str(wave),
            str(country),
            str(school),
            "status",
            int(n),
            float(n),
            0.0,
            problem,
        )


def _compare_missing_by_arm(table: Table, frame: pd.DataFrame, arms: Mapping[str, str]) -> Iterator[Row]:
    """Compare the shares of missing values between arms."""
    arm = frame["school_id"].map(arms)
    for wave, country, part in _iterate_groups(frame):
        arms_of_rows = arm.loc[part.index]
        if arms_of_rows.nunique() < 2:
            continue
        for item in table.fields:
            if item.name not in part or item.name in table.key:
                continue
            shares = part[item.name].isna().groupby(arms_of_rows).mean()
            gap = float(shares.max() - shares.min())
            if gap > _MISSING_GAP:
                share_texts = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
                problem = f"Missing values differ between the arms: {share_texts}."
                yield ("missing by arm", table.name, wave, country, "", item.name, len(part), gap, 0.0, problem)
