"""The flow of schools and pupils as a table."""

from __future__ import annotations

from collections.abc import Iterable

from reports.blocks import Column, Span, Table
from reports.disclosure import Count
from reports.evidence import Evidence
from reports.flow import Flow, Step, build_flow, describe_missing_reason
from reports.tables.layout import Cell, Line, build_table, line
from reports.words import Words


def flow_table(evidence: Evidence, words: Words, *, anchor: str = "flow-table") -> Table | None:
    """Return the flow as a table, an arm a pair of columns; None when nothing is known."""
    flow = build_flow(evidence)
    if flow is None:
        return None
    columns = [Column(label=words.text("Step"), width=2.8)]
    for entry in flow.arms:
        columns += [
            Column(label=words.text("Schools"), align="right", width=0.9, group=entry.arm.label),
            Column(label=words.text("Pupils"), align="right", width=0.9, group=entry.arm.label),
        ]
    lines = [
        _build_flow_line(words.text("Randomised"), [entry.randomised for entry in flow.arms]),
        _build_flow_line(words.text("Enrolled at baseline"), [entry.baseline for entry in flow.arms]),
        *_build_missing_lines(words, flow),
        _build_flow_line(
            words.text("Analysed (primary outcome)"), [entry.analysed for entry in flow.arms], kind_total=True
        ),
    ]
    if any(entry.joined.schools is not None for entry in flow.arms):
        lines.append(_build_flow_line(words.text("Joined later, not analysed"), [entry.joined for entry in flow.arms]))
    return build_table(
        words,
        words.text("Schools and pupils from randomisation to analysis"),
        columns=columns,
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[words.text("Schools in rows of missing outcomes: those of which no pupil has the outcome.")]
        if any(entry.missing for entry in flow.arms)
        else [],
        anchor=anchor,
    )


def _build_missing_lines(words: Words, flow: Flow) -> list[Line]:
    reasons = dict.fromkeys(reason for entry in flow.arms for reason, _ in entry.missing)
    if not reasons:
        return []
    nobody = Step(schools=Count(value=0, unit="schools"), pupils=Count(value=0))
    heading = line((Span(text=words.text("Outcome missing")),), kind="section")
    return [
        heading,
        *(
            _build_flow_line(
                describe_missing_reason(words, reason), [dict(entry.missing).get(reason, nobody) for entry in flow.arms]
            )
            for reason in reasons
        ),
    ]


def _build_flow_line(label: str, steps: Iterable[Step], *, kind_total: bool = False) -> Line:
    cells: list[Cell] = [label]
    for step in steps:
        cells += ["" if step.schools is None else step.schools, "" if step.pupils is None else step.pupils]
    return line(*cells, kind="total" if kind_total else "body")
