"""How well warning signals found who had the event later."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from reports.blocks import Column, Span, Table
from reports.evidence import Evidence
from reports.selection import as_float, convert_to_records, get_focus_country, has_countries
from reports.tables.cells import HIDDEN
from reports.tables.layout import Cell, Line, build_table, line
from reports.words import Words

TOGETHER = "together"
"""The signal that represents all of them in one risk."""

_SHARES = ("sensitivity", "specificity", "predictive_value", "negative_predictive_value")


def signals_table(evidence: Evidence, words: Words, *, anchor: str = "signals-table") -> Table | None:
    """Return what each signal found, all of them together by country; None when no signals were evaluated."""
    rows = evidence.signals
    if rows.empty or rows[rows["country"] == get_focus_country(evidence)].empty:
        return None
    focus_rows = rows[rows["country"] == get_focus_country(evidence)]
    lines = [
        _build_signal_line(
            evidence, words, focus_rows[focus_rows["signal"] == name], _format_signal_name(words, focus_rows, name)
        )
        for name in _sort_signals(focus_rows)
    ]
    if has_countries(evidence) and not get_focus_country(evidence):
        together = rows[rows["signal"] == _sort_signals(focus_rows)[0]]
        lines.append(
            line(
                (Span(text=_format_signal_name(words, focus_rows, _sort_signals(focus_rows)[0]), strong=True),),
                kind="section",
            )
        )
        lines += [
            _build_signal_line(evidence, words, together[together["country"] == code], label)
            for code, label in evidence.countries.items()
            if (together["country"] == code).any()
        ]
    return build_table(
        words,
        words.text("What the warning signals found, per 100 pupils, with intervals"),
        columns=(
            Column(label=words.text("Signal"), width=2.2),
            Column(label=words.text("Sensitivity"), align="right", width=1.7),
            Column(label=words.text("Specificity"), align="right", width=1.7),
            Column(label=words.text("Predictive value, flagged"), align="right", width=1.7),
            Column(label=words.text("Predictive value, not flagged"), align="right", width=1.7),
            Column(label=words.text("Area under the curve"), align="right", width=1.7),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[
            words.text(
                "Sensitivity: of 100 pupils to whom it happened, those flagged before. Specificity: of 100 to whom it"
                " did not, those not flagged. Predictive value: of 100 flagged pupils those to whom it happened, and of"
                " 100 not flagged those to whom it did not. Area under the curve: how often a pupil to whom it happened"
                " had the worse signal than one to whom it did not; 0.5 is no better than chance. Intervals are from"
                " whole schools drawn with replacement."
            )
        ],
        anchor=anchor,
    )


def _sort_signals(rows: pd.DataFrame) -> list[str]:
    """Return the signals, all together first, then by falling area under the curve."""
    areas = rows[rows["measure"] == "auc"].sort_values("estimate", ascending=False, kind="stable")["signal"].tolist()
    return sorted(map(str, areas), key=lambda name: name != TOGETHER)


def _format_signal_name(words: Words, rows: pd.DataFrame, signal: str) -> str:
    if signal == TOGETHER:
        return words.text("All signals in one risk")
    return str(rows[rows["signal"] == signal]["label"].iloc[0]) or signal


def _build_signal_line(evidence: Evidence, words: Words, rows: pd.DataFrame, label: str) -> Line:
    by_measure = {str(row["measure"]): row for row in convert_to_records(rows)}
    limit = evidence.disclosure_threshold
    area = by_measure.get("auc")
    if area is None or has_small_count(by_measure.values(), limit=limit):
        return line(label, *[HIDDEN] * (len(_SHARES) + 1))
    cells = [_format_signal_figure(words, by_measure.get(name), scale=100.0, digits=0) for name in _SHARES]
    return line(label, *cells, _format_signal_figure(words, area, scale=1.0, digits=2))


def has_small_count(rows: Iterable[dict[str, object]], *, limit: int) -> bool:
    """Whether a count of pupils behind a signal's shares is above zero and small: found or missed, right or wrong.

    Parameters
    ----------
    rows
        The measures of one signal in one place, each with ``measure``, ``estimate``, ``n_events`` and ``n_pupils``.
    limit
        Smallest count that may be printed.
    """
    counts: list[float] = []
    for row in rows:
        events, pupils, share = (as_float(row[name]) for name in ("n_events", "n_pupils", "estimate"))
        denominator = {"sensitivity": events, "specificity": pupils - events}.get(str(row["measure"]))
        if denominator is not None:
            counts += [denominator, share * denominator, (1 - share) * denominator]
    return any(math.isfinite(count) and 0 < round(count) < limit for count in counts)


def _format_signal_figure(words: Words, row: dict[str, object] | None, *, scale: float, digits: int) -> Cell:
    if row is None or row["status"] == "failed" or not math.isfinite(as_float(row["estimate"])):
        return words.numbers.decimal(math.nan)
    return words.text(
        "{estimate} {interval}",
        estimate=words.numbers.estimate(scale * as_float(row["estimate"]), digits=digits),
        interval=words.numbers.interval(
            as_float(row["conf_low"]), as_float(row["conf_high"]), digits=digits, scale=scale
        ),
    )
