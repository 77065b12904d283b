"""Signals evaluated: what is asked of them, everywhere, by country, by lead time, by group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.guards import describe_nonbinary_values, read_numeric_column, require_filled, validate_frame
from analysis.warning_signals.measures import (
    MEASURES,
    compute_flag_rates,
    compute_share_interval,
    compute_signal_areas,
    count_flags_by_school,
    draw_school_counts,
    flags_at_capacity,
)
from data_schema.errors import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalQuestion:
    """Signals of pupils, what they should tell of, and where.

    Parameters
    ----------
    outcome
        Column of 0, 1 or missing: whether the pupil left early.
    signals
        Columns, numbers or yes and no, more being more worrying. Where a school's signal is missing the pupil is not
        flagged.
    capacity
        Share of a school's pupils that its team can look after, above 0 and below 1.
    school
        Column of the school.
    arm, reference_arm
        Column of the arm and the arm whose schools are used: in the others the team acts on the signals, and whom it
        kept in school looks like a false alarm. None for data from before the intervention.
    country
        Column of the country; None for none.
    groups
        Columns of groups that signals should treat alike, such as gender and disadvantage.
    lead_time
        Column of the time between signal and leaving, for those who left; None for none.
    lead_bounds
        Where bands of lead time begin, increasing, in the column's unit.
    """

    outcome: str
    signals: tuple[str, ...]
    capacity: float
    school: str = "school_id"
    arm: str | None = None
    reference_arm: str | None = None
    country: str | None = None
    groups: tuple[str, ...] = ()
    lead_time: str | None = None
    lead_bounds: tuple[float, ...] = (0.0, 3.0, 6.0, 12.0)

    def __post_init__(self) -> None:
        """Refuse a question that contradicts itself."""
        place = f"signals of '{self.outcome}'"
        if not 0 < self.capacity < 1:
            raise EstimationError(place, f"a capacity of {self.capacity} is no share.", "Give one between 0 and 1.")
        if not self.signals:
            raise EstimationError(place, "no signal is named.", "Name one column or more.")
        if (self.arm is None) != (self.reference_arm is None):
            raise EstimationError(place, "an arm's column and its reference belong together.", "Name both or neither.")
        if list(self.lead_bounds) != sorted(set(self.lead_bounds)) or not self.lead_bounds:
            raise EstimationError(place, "the bounds of lead time do not increase.", "Sort them.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRows:
    """Pupils with an outcome, sorted by school.

    Parameters
    ----------
    frame
        Their rows.
    left
        Shape (N,), 0 or 1.
    school
        Shape (N,), positions in ``schools``, never decreasing.
    schools
        Names.
    n_missing_outcome, n_other_arms
        Rows left out.
    """

    frame: pd.DataFrame
    left: np.ndarray
    school: np.ndarray
    schools: tuple[str, ...]
    n_missing_outcome: int
    n_other_arms: int

    def signal(self, name: str) -> np.ndarray:
        """Return a signal as numbers, NaN where it is missing."""
        return read_numeric_column(self.frame, name)


def read_signal_rows(frame: pd.DataFrame, question: SignalQuestion) -> SignalRows:
    """Turn a frame into arrays.

    Parameters
    ----------
    frame
        One row per pupil.
    question
        Which column plays which part.

    Raises
    ------
    EstimationError
        When a column is not there, the outcome is not 0 or 1, or nobody (or everybody) left.
    """
    needed = [question.outcome, question.school, *question.signals, *question.groups]
    needed += [name for name in (question.arm, question.country, question.lead_time) if name is not None]
    place = f"signals of '{question.outcome}'"
    frame = validate_frame(frame, needed, place=place)
    require_filled(frame, question.school, "school", place=place)
    ours = np.ones(len(frame), dtype=bool)
    if question.arm is not None:
        ours = (frame[question.arm].astype(str) == question.reference_arm).to_numpy(dtype=bool)
    outcome = read_numeric_column(frame, question.outcome)
    known = ours & np.isfinite(outcome)
    other = describe_nonbinary_values(outcome[known], question.outcome)
    if other:
        raise EstimationError(place, f"the outcome is not 0 or 1. {other}", "Say who left by 1 and who stayed by 0.")
    if not known.any() or np.ptp(outcome[known]) == 0:
        raise EstimationError(place, "nobody left, or everybody did.", "Use a time or a group in which some did.")
    names = frame[question.school].astype(str).to_numpy()
    known_rows = np.flatnonzero(known)
    known_rows = known_rows[np.argsort(names[known_rows], kind="stable")]
    codes, labels = pd.factorize(names[known_rows], sort=True)
    return SignalRows(
        frame=frame.iloc[known_rows],
        left=outcome[known_rows],
        school=codes,
        schools=tuple(str(label) for label in labels),
        n_missing_outcome=int((ours & ~np.isfinite(outcome)).sum()),
        n_other_arms=int((~ours).sum()),
    )


COLUMNS = (
    "signal",
    "measure",
    "by",
    "level",
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "conf_level",
    "n_schools",
    "n_pupils",
    "n_events",
    "status",
    "reason",
)

_NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "n_schools", "n_pupils", "n_events")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalPerformance:
    """What signals do.

    Parameters
    ----------
    table
        Columns `COLUMNS`. ``measure`` is "flagged", "sensitivity", "specificity", "predictive_value",
        "negative_predictive_value", "auc" (all pupils) or "gap_..." (a group's sensitivity, specificity or predictive
        value less that of the rest). ``by`` is "" for all, "country", "lead_time" or a group's column; ``level`` which.
    capacity
        Share of each school's pupils that was flagged at most.
    n_missing_outcome, n_other_arms
        Rows left out.
    """

    table: pd.DataFrame
    capacity: float
    n_missing_outcome: int
    n_other_arms: int

    def tidy(self) -> pd.DataFrame:
        """Return the table."""
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: the capacity and who was left out."""
        names = ("capacity", "n_missing_outcome", "n_other_arms")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])

    def figure(self, signal: str, measure: str, *, by: str = "", level: str = "") -> dict[str, float]:
        """Return the numbers of one row: estimate, error, interval and sizes.

        Raises
        ------
        KeyError
            When there is none.
        """
        table = self.table
        matching_rows = table[
            (table["signal"] == signal)
            & (table["measure"] == measure)
            & (table["by"] == by)
            & (table["level"] == level)
        ]
        if matching_rows.empty:
            raise KeyError(f"{measure} of {signal} {by} {level}")
        return {name: float(matching_rows[name].iloc[0]) for name in _NUMBERS}


def evaluate_signals(
    frame: pd.DataFrame,
    question: SignalQuestion,
    *,
    n_bootstrap: int = 499,
    seed: int = 0,
    conf_level: float = 0.95,
) -> SignalPerformance:
    """Evaluate warning signals at the team's capacity.

    Parameters
    ----------
    frame
        One row per pupil, with the signals as they were before anyone left.
    question
        Signals, outcome, capacity, and where to look.
    n_bootstrap, seed
        Draws of whole schools, on which the errors rest.
    conf_level
        Level of the intervals, on the scale of log odds with a t distribution of schools less one.

    Returns
    -------
    SignalPerformance
        A signal of yes and no is flagged at capacity as others are; its own rates are those with a capacity that leaves
        room for all who have it. What nobody tells of (no leaver in a group, say) is a row with ``status`` "failed".
    """
    rows = read_signal_rows(frame, question)
    draws = draw_school_counts(len(rows.schools), n_bootstrap=n_bootstrap, seed=seed)
    table = []
    for signal in question.signals:
        values = rows.signal(signal)
        flags = flags_at_capacity(values, rows.school, capacity=question.capacity)
        for by, level, chosen in _iterate_places(rows, question):
            measured = _Measured(rows=rows, flags=flags, values=values, chosen=chosen, draws=draws)
            for measure, estimate, drawn in measured.figures(gap=by in question.groups, lead=by == "lead_time"):
                interval = _compute_measure_interval(
                    measure, estimate, drawn, df=measured.n_schools() - 1, conf_level=conf_level
                )
                table.append((signal, measure, by, level, estimate, *interval, conf_level, *measured.sizes()))
    done = pd.DataFrame([(*row, *_get_figure_status(row[4])) for row in table], columns=list(COLUMNS))
    return SignalPerformance(
        table=done,
        capacity=question.capacity,
        n_missing_outcome=rows.n_missing_outcome,
        n_other_arms=rows.n_other_arms,
    )


def _get_figure_status(estimate: float) -> tuple[str, str]:
    if np.isfinite(estimate):
        return "ok", ""
    return "failed", "Nobody there left, nobody stayed, or nobody was flagged."


def _compute_measure_interval(
    measure: str, estimate: float, drawn: np.ndarray, *, df: int, conf_level: float
) -> tuple[float, float, float]:
    if not np.isfinite(estimate):
        return (np.nan,) * 3
    if not measure.startswith("gap_"):
        return compute_share_interval(estimate, drawn, df=df, conf_level=conf_level)
    from scipy import stats

    usable = drawn[np.isfinite(drawn)]
    error = float(usable.std(ddof=1)) if len(usable) > 1 else np.nan
    if not error > 0 or df < 1:
        return error, np.nan, np.nan
    half = float(stats.t.isf((1 - conf_level) / 2, df)) * error
    return error, estimate - half, estimate + half


def _iterate_places(rows: SignalRows, question: SignalQuestion) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield where to look: a column, a level, and which pupils are there."""
    yield "", "", np.ones(len(rows.left), dtype=bool)
    columns = ([question.country] if question.country is not None else []) + list(question.groups)
    for column in columns:
        name = "country" if column == question.country else column
        values = rows.frame[column]
        for level in sorted(values.dropna().astype(str).unique()):
            yield name, level, (values.astype(str) == level).to_numpy(dtype=bool)
    if question.lead_time is not None:
        lead = rows.frame[question.lead_time].to_numpy(dtype=float)
        for low, high in zip(question.lead_bounds, (*question.lead_bounds[1:], np.inf), strict=True):
            level = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and more"
            # Those who stayed have no lead time and count everywhere; only leavers are distinguished.
            yield "lead_time", level, (rows.left == 1) & (lead >= low) & (lead < high)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """One signal at one place."""

    rows: SignalRows
    flags: np.ndarray
    values: np.ndarray
    chosen: np.ndarray
    draws: np.ndarray

    def n_schools(self) -> int:
        return len(np.unique(self.rows.school[self.chosen]))

    def sizes(self) -> tuple[int, int, int]:
        return self.n_schools(), int(self.chosen.sum()), int(self.rows.left[self.chosen].sum())

    def cells(self, chosen: np.ndarray) -> np.ndarray:
        """Return cells with all schools, then of every draw, shape (B + 1, 4)."""
        rows = self.rows
        by_school = count_flags_by_school(self.flags, rows.left, chosen, rows.school, len(rows.schools))
        return np.vstack([by_school.sum(axis=0), self.draws @ by_school])

    def figures(self, *, gap: bool, lead: bool) -> Iterator[tuple[str, float, np.ndarray]]:
        """Yield measures with their value and bootstrapped values."""
        chosen_rates = compute_flag_rates(self.cells(self.chosen))
        for place, measure in enumerate(MEASURES):
            if not lead or measure == "sensitivity":
                yield measure, float(chosen_rates[0, place]), chosen_rates[1:, place]
        if gap:
            other_rates = compute_flag_rates(self.cells(~self.chosen))
            for place, measure in enumerate(MEASURES):
                if measure in ("sensitivity", "specificity", "predictive_value"):
                    difference = chosen_rates[:, place] - other_rates[:, place]
                    yield f"gap_{measure}", float(difference[0]), difference[1:]
        if not lead:
            known = self.chosen & np.isfinite(self.values)
            signal, left, school = self.values[known], self.rows.left[known], self.rows.school[known]
            drawn = compute_signal_areas(signal, left, school, np.vstack([np.ones(self.draws.shape[1]), self.draws]))
            yield "auc", float(drawn[0]), drawn[1:]
