"""What of the evidence a section is about: arms, analyses, places and single estimates by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import pandas as pd

from analysis.results import Estimate
from reports.evidence import AnalysisFacts, ArmFacts, Evidence, OutcomeFacts

_FIGURES = {"estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high", "conf_level"}
_COUNTS = {"n_schools", "n_pupils", "n_draws"}
_NAMES = tuple(entry.name for entry in fields(Estimate))
_TEXTS = set(_NAMES) - _FIGURES - _COUNTS
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimates:
    """The estimates of a trial by plan entry, quantity, arm and country."""

    rows: Mapping[tuple[str, str, str, str], Estimate]

    def find(self, entry: str, quantity: str, *, arm: str = "", country: str = "") -> Estimate | None:
        """Return an estimate, or None when the plan asked for none or its row is not there."""
        return self.rows.get((entry, quantity, arm, country))

    def usable(self, entry: str, quantity: str, *, arm: str = "", country: str = "") -> Estimate | None:
        """Return an estimate that could be made, or None."""
        estimate = self.find(entry, quantity, arm=arm, country=country)
        return estimate if estimate is not None and estimate.status != "failed" else None


def all_estimates(evidence: Evidence) -> Estimates:
    """Return the estimates of a trial for look-up: without those of one arm against another than the reference."""
    return evidence.once("estimates", _index_estimates)


def _index_estimates(evidence: Evidence) -> Estimates:
    others = {arm.name for arm in get_compared_arms(evidence)}
    rows = [as_estimate(row) for row in convert_to_records(evidence.estimates)]
    return Estimates(
        {(row.plan_entry, row.quantity, row.arm, row.country): row for row in rows if row.reference not in others}
    )


def as_estimate(row: Mapping[str, object]) -> Estimate:
    """Return a row of the table of estimates as an `Estimate`; what is missing becomes NaN, 0 or empty."""
    return Estimate(**{name: _convert_field_value(name, row.get(name)) for name in _NAMES})  # type: ignore[arg-type]


def _convert_field_value(name: str, value: object) -> float | int | str:
    if name in _TEXTS:
        return "" if is_missing(value) else str(value)
    number = as_float(value)
    if name in _COUNTS:
        return int(number) if math.isfinite(number) else 0
    return _LEVEL if name == "conf_level" and not math.isfinite(number) else number


def get_reference_arm(evidence: Evidence) -> ArmFacts:
    """Return the arm that the others are compared with."""
    return next(arm for arm in evidence.arms if arm.is_reference)


def get_compared_arms(evidence: Evidence) -> tuple[ArmFacts, ...]:
    """Return the arms that are compared with the reference."""
    return tuple(arm for arm in evidence.arms if not arm.is_reference)


def get_outcome(evidence: Evidence, analysis: AnalysisFacts) -> OutcomeFacts:
    """Return the outcome of an analysis."""
    return next(outcome for outcome in evidence.outcomes if outcome.name == analysis.outcome)


def find_main_analyses(evidence: Evidence) -> tuple[AnalysisFacts, ...]:
    """Return the analyses that answer the trial's questions, the primary ones first; no sensitivity analyses.

    What was frozen as primary leads, even if its entry was changed, demoted or removed later.
    """
    order = {"primary": 0, "secondary": 1, "exploratory": 2}
    return tuple(
        sorted(
            (entry for entry in evidence.analyses if entry.standing in order), key=lambda entry: order[entry.standing]
        )
    )


def find_headline_analysis(evidence: Evidence) -> AnalysisFacts | None:
    """Return the analysis that a report leads with: the first primary one, else the first; None without any."""
    return next(iter(find_main_analyses(evidence)), None)


def find_sensitivity_analyses(evidence: Evidence) -> tuple[AnalysisFacts, ...]:
    """Return the sensitivity analyses."""
    return tuple(entry for entry in evidence.analyses if entry.standing == "sensitivity")


def has_countries(evidence: Evidence) -> bool:
    """Whether the trial has more than one country, so that each has estimates of its own."""
    return len(evidence.countries) > 1


def get_focus_country(evidence: Evidence) -> str:
    """Return the country code under which the report's own estimates stand: empty for all together."""
    return evidence.country if has_countries(evidence) else ""


def select_focus_rows(frame: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    """Return the rows of a frame that has rows for all countries together ("") and for each."""
    if frame.empty:
        return frame
    focus_rows = frame[frame["country"] == get_focus_country(evidence)]
    if focus_rows.empty and not has_countries(evidence):
        return frame
    return focus_rows


def select_country_file_rows(frame: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    """Return the rows of a frame that has rows for single countries only: all of them, or those of the country."""
    if frame.empty or not get_focus_country(evidence):
        return frame
    return frame[frame["country"] == get_focus_country(evidence)]


def convert_to_records(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows of a frame by column."""
    names = [str(name) for name in frame.columns]
    columns = [frame.iloc[:, place].tolist() for place in range(len(names))]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def is_missing(value: object) -> bool:
    """Whether a cell of a frame is empty: None, NaN, NA or NaT."""
    return value is None or value is pd.NA or value is pd.NaT or value != value


def as_float(value: object) -> float:
    """Return a cell of a frame as a number; NaN when it is missing."""
    if isinstance(value, float | int):
        return float(value)
    return math.nan if is_missing(value) else float(str(value))
