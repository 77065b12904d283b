"""The sensitivity analyses beside the analysis that they vary."""

from __future__ import annotations

from reports.blocks import Column, Span, Table
from reports.comparisons import Comparison
from reports.evidence import AnalysisFacts, Evidence
from reports.selection import (
    all_estimates,
    find_main_analyses,
    find_sensitivity_analyses,
    get_compared_arms,
    get_focus_country,
)
from reports.sentences import comparison
from reports.sizes import Sizes, compute_printed_sizes, get_printed_size
from reports.tables.cautions import Marks, assign_difference_marks, describe_caution_marks, mark_cell
from reports.tables.cells import (
    format_difference_cell,
    format_interval_cell,
    format_p_value_cell,
    format_unit_phrase,
    format_verdict_cell,
)
from reports.tables.glance import describe_failures
from reports.tables.layout import Line, build_table, line
from reports.words import Words, message

MODELS = {
    "linear_mixed": message("linear model with random school intercepts"),
    "linear_cluster": message("linear model with standard errors that allow for schools"),
    "logistic_mixed": message("logistic model with random school intercepts"),
    "count_mixed": message("model of counts with a log link and random school intercepts"),
    "gee": message("generalised estimating equations (GEE) by school"),
    "ordinal_mixed": message("model of ordered categories (cumulative logit) with random school intercepts"),
    "survival_cluster": message(
        "linear model of each pupil’s contribution to the share (pseudo-observations), with standard errors that allow"
        " for schools"
    ),
}
ASSUMPTIONS = {
    "leave_out": message("pupils with unknown outcome left out"),
    "as_event": message("pupils with unknown outcome counted as having had the event"),
    "as_no_event": message("pupils with unknown outcome counted as not having had the event"),
}


def sensitivity_table(evidence: Evidence, words: Words, *, anchor: str = "sensitivity") -> Table:
    """Return the difference under every assumption, for each outcome that has a sensitivity analysis."""
    estimates = all_estimates(evidence)
    every = (*find_main_analyses(evidence), *find_sensitivity_analyses(evidence))
    groups = [
        [
            comparison(evidence, entry, arm=arm, country=get_focus_country(evidence), estimates=estimates)
            for entry in every
            if entry.outcome == outcome
        ]
        for outcome in dict.fromkeys(entry.outcome for entry in find_sensitivity_analyses(evidence))
        for arm in get_compared_arms(evidence)
    ]
    rows = [group_result for group_results in groups for group_result in group_results]
    marks = assign_difference_marks(rows)
    sizes = compute_printed_sizes(evidence)
    lines: list[Line] = []
    for found in groups:
        heading = words.line(
            "{outcome}, {unit}: {arm}",
            outcome=Span(text=found[0].outcome.label, strong=True),
            unit=format_unit_phrase(words, found[0]),
            arm=found[0].arm.label,
        )
        lines.append(line(heading, kind="section"))
        lines += [_build_sensitivity_line(words, group_result, marks, sizes) for group_result in found]
    return build_table(
        words,
        words.text("The same question under other assumptions"),
        columns=(
            Column(label=words.text("Analysis"), width=3.6),
            Column(label=words.text("Pupils"), align="right", width=0.9),
            Column(label=words.text("Difference"), align="right", width=1.1),
            Column(label=words.text("Interval"), align="right", width=1.7),
            Column(label=words.text("p"), align="right", width=0.8),
            Column(label=words.text("Verdict"), width=1.2),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[*describe_failures(words, rows), *describe_caution_marks(words, marks)],
        anchor=anchor,
    )


def describe_model(words: Words, entry: AnalysisFacts) -> str:
    """Return the model of an analysis in words; the name itself where there are no words for it."""
    return words.text(MODELS[entry.model]) if entry.model in MODELS else entry.model


def planned_model_phrase(words: Words, entry: AnalysisFacts) -> str:
    """Return the model of an analysis in words, with the groups within schools that its options name."""
    level = entry.options.get("level")
    if not level:
        return describe_model(words, entry)
    return words.text(
        "{model} and random intercepts of the field “{level}” within schools",
        model=describe_model(words, entry),
        level=str(level),
    )


def _build_sensitivity_line(words: Words, one: Comparison, marks: Marks, sizes: Sizes) -> Line:
    entry = one.analysis
    difference = one.difference
    assumption = words.text(ASSUMPTIONS[entry.missing_outcome])
    template = message("Planned: {model}; {assumption}")
    if entry.role == "sensitivity":
        template = message("Varied: {model}; {assumption}")
    return line(
        words.text(template, model=planned_model_phrase(words, entry), assumption=assumption),
        get_printed_size(difference, sizes),
        format_difference_cell(words, one, difference),
        mark_cell(format_interval_cell(words, one, difference), difference, marks),
        format_p_value_cell(words, difference),
        format_verdict_cell(words, one),
    )
