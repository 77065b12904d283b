"""The analyses that reports show: those of the frozen plan first, whatever happened to them since.

A report leads with what was planned. An entry that the protocol has changed keeps its place and is marked; one that it
no longer has keeps its place without an estimate; one that was added comes last, as exploratory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from analysis.outcomes import OUTCOME_KINDS
from evaluation.specifications import build_tables
from reports.evidence import AnalysisFacts, OutcomeFacts

if TYPE_CHECKING:
    from data_schema.tables import Table
    from evaluation.folder import TrialFolder
    from evaluation.protocol import Analysis, Outcome, Protocol


def collect_shown_analyses(trial: TrialFolder) -> tuple[tuple[AnalysisFacts, ...], tuple[OutcomeFacts, ...]]:
    """Return the analyses of the frozen plan and of the protocol, and the outcomes that they are about.

    Parameters
    ----------
    trial
        With or without a frozen plan.

    Returns
    -------
    tuple
        Analyses of the plan in its order, then those that were added. Outcomes of the protocol, then those that only
        the plan has.
    """
    protocol = trial.protocol
    plan = _plan_of(trial)
    unplanned = trial.plan_state.unplanned if trial.plan_state.frozen else frozenset()
    analyses = tuple(_iterate_analysis_facts(protocol, plan, unplanned=unplanned, is_frozen=trial.plan_state.frozen))
    outcomes = _describe_outcomes(protocol, trial.tables)
    known = {outcome.name for outcome in outcomes}
    outcomes += [outcome for outcome in _describe_outcomes(plan, build_tables(plan)) if outcome.name not in known]
    return analyses, tuple(outcomes)


def find_leading_analysis(trial: TrialFolder) -> Analysis:
    """Return the analysis of the protocol that leads: the first that was frozen as primary, else the first primary."""
    protocol, plan = trial.protocol, _plan_of(trial)
    frozen = [(item.name, item.outcome) for item in plan.analyses if item.role == "primary"]
    now = {(item.name, item.outcome): item for item in protocol.analyses}
    planned = [now[key] for key in frozen if key in now]
    return planned[0] if planned else next(item for item in protocol.analyses if item.role == "primary")


def _plan_of(trial: TrialFolder) -> Protocol:
    """Return the frozen plan; the protocol where none was frozen."""
    return trial.frozen_protocol() if trial.plan_state.frozen else trial.protocol


def _describe_outcomes(protocol: Protocol, tables: Mapping[str, Table]) -> list[OutcomeFacts]:
    return [_describe_outcome(outcome, tables[outcome.table]) for outcome in protocol.outcomes]


def _describe_outcome(outcome: Outcome, table: Table) -> OutcomeFacts:
    """Return an outcome as reports name it."""
    scale: tuple[tuple[int, str], ...] = ()
    if OUTCOME_KINDS[outcome.kind].is_ordered:
        field = table.field(outcome.field or outcome.name)
        labels = {code.name: code.label or code.name for code in field.codes}
        scale = tuple((score, labels.get(name, name)) for name, score in outcome.scores_of(field).items())
    return _convert_to_facts(OutcomeFacts, outcome, event=outcome.event_words, who=outcome.event_people, scale=scale)


def find_unanalysed_outcomes(protocol: Protocol) -> tuple[str, ...]:
    """Return the labels of outcomes that no analysis is about."""
    analysed = {item.outcome for item in protocol.analyses}
    return tuple(outcome.label for outcome in protocol.outcomes if outcome.name not in analysed)


def _iterate_analysis_facts(
    protocol: Protocol, plan: Protocol, *, unplanned: frozenset[str], is_frozen: bool
) -> Iterator[AnalysisFacts]:
    # An entry under its old name that is about another outcome now is another analysis.
    now = {(item.name, item.outcome): item for item in protocol.analyses}
    for item in plan.analyses:
        current = now.pop((item.name, item.outcome), None)
        role = item.role if is_frozen else ""
        if current is None:
            name = (
                f"{item.name}_as_planned"
                if any(analysis.name == item.name for analysis in protocol.analyses)
                else item.name
            )
            yield replace(_describe_analysis(item), name=name, planned=role, since="removed")
        elif current.name in unplanned:
            yield replace(_describe_analysis(current), role="exploratory", planned=role, since="changed")
        else:
            yield replace(_describe_analysis(current), planned=role)
    for item in now.values():
        yield replace(_describe_analysis(item), role="exploratory")


def _describe_analysis(item: Analysis) -> AnalysisFacts:
    return _convert_to_facts(AnalysisFacts, item)


Facts = TypeVar("Facts", OutcomeFacts, AnalysisFacts)


def _convert_to_facts(facts: type[Facts], item: Outcome | Analysis, **others: object) -> Facts:
    """Return what reports know of an entry of the protocol: its fields of the same names, and others."""
    shared = {fact_field.name for fact_field in fields(facts)} & set(type(item).model_fields) - set(others)
    values: dict[str, Any] = {name: getattr(item, name) for name in shared} | dict(others)
    return facts(**values)
