"""Whether the warning signals find who leaves: before the intervention, in schools where no team acts on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from analysis.outcomes import OUTCOME_KINDS
from data_schema.errors import EstimationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data_schema.tables import Table
    from evaluation.population import AnalysisData, Frames
    from evaluation.protocol import Outcome, Protocol

SIGNALS = "signals"
COLUMNS = ["country", "signal", "label", "capacity", "outcome", "n_schools", "n_pupils", "n_events", "measure"]
COLUMNS += ["estimate", "conf_low", "conf_high", "conf_level", "status", "reason"]
MEASURES = ("sensitivity", "specificity", "predictive_value", "negative_predictive_value", "auc")

# Kinds of signals of the standard table; a low mark is what worries.
KINDS = {
    "attendance": ("absences_justified", "absences_unjustified", "lateness"),
    "behaviour": ("behaviour_notices",),
    "marks": ("average_mark", "failing_subjects"),
}
_LOW_WORRIES = ("average_mark",)
_FLAG = "risk_flag"
TOGETHER = "together"
"""The signal that a model of the other schools makes of all of them."""

_N_BOOTSTRAP = 199
_OUTCOME = "(outcome)"


def signals_table(protocol: Protocol, frames: Frames, data: AnalysisData, *, table: Table) -> pd.DataFrame:
    """Evaluate the signals of the population's wave as warnings of the first binary outcome.

    Parameters
    ----------
    protocol
        Says how many pupils a team can look after.
    frames
        The stored tables; signals of the population's wave may be there.
    data
        The pupils with their outcomes; those of the reference arm are used, since elsewhere a team acts on the signals
        and whom it keeps in school looks like a false alarm.
    table
        The signals' table, for labels.

    Returns
    -------
    pandas.DataFrame
        A row per country ("" for all), signal and measure; without rows where the trial has no signals or no binary
        outcome, or where nobody (or everybody) in those schools had it.
    """
    outcome = next((item for item in protocol.outcomes if OUTCOME_KINDS[item.kind].is_yes_no), None)
    rows = frames.get((SIGNALS, protocol.population_wave))
    if outcome is None or rows is None or rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    reference = data.frame[data.frame["arm"] == protocol.arm_names[0]]
    # Outcomes and covariates may be named like signals: only what is needed stays.
    pupils = reference[["school_id", "pupil_id", "country"]].assign(**{_OUTCOME: reference[outcome.name]})
    pupils, names = _add_signal_columns(pupils, rows)
    try:
        signal_rows = list(_iterate_signal_measures(protocol, outcome, pupils, names, table=table))
    except EstimationError:  # nobody left there, or everybody: there is nothing that a signal could tell
        signal_rows = []
    return pd.DataFrame(signal_rows, columns=COLUMNS)


def _add_signal_columns(pupils: pd.DataFrame, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the pupils with each signal's mean over the months (whether ever, for a flag), and the signals' names."""
    known = [name for columns in KINDS.values() for name in columns if name in rows]
    monthly = rows[["school_id", "pupil_id"]].copy()
    for name in known:
        values = rows[name].astype("Float64").astype(float)
        monthly[name] = -values if name in _LOW_WORRIES else values
    summary = monthly.groupby(["school_id", "pupil_id"])[known].mean()
    if _FLAG in rows:
        flags = rows[["school_id", "pupil_id"]].assign(**{_FLAG: rows[_FLAG].astype("Float64").astype(float)})
        summary = summary.join(flags.groupby(["school_id", "pupil_id"])[_FLAG].max())
        known = [*known, _FLAG]
    joined = pupils.merge(summary.reset_index(), on=["school_id", "pupil_id"], how="left")
    return joined, [name for name in known if joined[name].notna().any()]


def _iterate_signal_measures(
    protocol: Protocol, outcome: Outcome, pupils: pd.DataFrame, names: list[str], *, table: Table
) -> Iterator[dict[str, object]]:
    from analysis.warning_signals import SignalQuestion, evaluate_signals

    together = _predict_joint_risk(pupils, names, capacity=protocol.signals.capacity)
    labels = {field.name: field.label for field in table.fields}
    question = SignalQuestion(
        outcome=_OUTCOME,
        signals=(*names, *([TOGETHER] if together is not None else [])),
        capacity=protocol.signals.capacity,
        country="country" if len(set(pupils["country"])) > 1 else None,
    )
    frame = pupils if together is None else pupils.assign(**{TOGETHER: together})
    level = protocol.inference.conf_level
    measure_rows = evaluate_signals(frame, question, n_bootstrap=_N_BOOTSTRAP, conf_level=level).table
    measure_rows = measure_rows[measure_rows["measure"].isin(MEASURES) & measure_rows["by"].isin(["", "country"])]
    for _, row in measure_rows.iterrows():
        yield {
            "country": row["level"] if row["by"] else "",
            "label": labels.get(str(row["signal"]), ""),
            "capacity": question.capacity,
            "outcome": outcome.name,
            **{name: row[name] for name in COLUMNS if name in row.index},
        }


def _predict_joint_risk(pupils: pd.DataFrame, names: list[str], *, capacity: float) -> pd.Series[float] | None:
    """Return the risk that a model of the other schools makes of all signals; None with fewer than two kinds."""
    from analysis.warning_signals import SignalQuestion, signal_shares

    kinds = {kind: tuple(name for name in columns if name in names) for kind, columns in KINDS.items()}
    kinds = {kind: columns for kind, columns in kinds.items() if columns}
    if len(kinds) < 2:
        return None
    used = tuple(name for columns in kinds.values() for name in columns)
    question = SignalQuestion(outcome=_OUTCOME, signals=used, capacity=capacity)
    return signal_shares(pupils, question, kinds, n_bootstrap=2).risk
