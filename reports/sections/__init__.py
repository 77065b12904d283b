"""Sections of reports: ``(evidence, language) -> tuple[Block, ...]``, one per cell of a notebook.

A part that the evidence knows nothing about says so in a sentence, or is left out where nobody would look for it.
"""

from reports.sections.appendix import all_estimates, provenance
from reports.sections.baseline import baseline
from reports.sections.brief import (
    brief_answer,
    brief_outcomes,
    brief_practice,
    brief_title,
    brief_trial,
    brief_unknowns,
    brief_what_follows,
    brief_where,
)
from reports.sections.country import country_answer, country_outcomes, country_title
from reports.sections.design import allocation, trial_design
from reports.sections.flow import participant_flow
from reports.sections.front import report_title, summary
from reports.sections.limits import limitations
from reports.sections.methods import methods
from reports.sections.practice import costs, implementation
from reports.sections.results import main_results, results_by_country, results_by_outcome, sensitivity
from reports.sections.returned import data_returns
from reports.sections.signals import warning_signals

__all__ = [
    "all_estimates",
    "allocation",
    "baseline",
    "brief_answer",
    "brief_outcomes",
    "brief_practice",
    "brief_title",
    "brief_trial",
    "brief_unknowns",
    "brief_what_follows",
    "brief_where",
    "costs",
    "country_answer",
    "country_outcomes",
    "country_title",
    "data_returns",
    "implementation",
    "limitations",
    "main_results",
    "methods",
    "participant_flow",
    "provenance",
    "report_title",
    "results_by_country",
    "results_by_outcome",
    "sensitivity",
    "summary",
    "trial_design",
    "warning_signals",
]
