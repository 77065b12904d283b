"""The sensitivity analyses beside the analysis that they vary."""

from __future__ import annotations

from reports.blocks import Column, Span, Table
from reports.comparisons import Comparison
from reports.evidence import AnalysisFacts, Evidence
from reports.selection import all_estimates, compared_arms, focus, main_analyses, sensitivity_analyses
from reports.sentences import comparison
from reports.sizes import Sizes, printed_sizes, size_of
from reports.tables.cautions import Marks, caution_notes, difference_marks, marked
from reports.tables.cells import difference_cell, interval_cell, p_cell, unit_phrase, verdict_cell
from reports.tables.glance import failures
from reports.tables.layout import Line, line, table
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
    every = (*main_analyses(evidence), *sensitivity_analyses(evidence))
    groups = [
        [
            comparison(evidence, entry, arm=arm, country=focus(evidence), estimates=estimates)
            for entry in every
            if entry.outcome == outcome
        ]
        for outcome in dict.fromkeys(entry.outcome for entry in sensitivity_analyses(evidence))
        for arm in compared_arms(evidence)
    ]
    rows = [one for found in groups for one in found]
    marks = difference_marks(rows)
    sizes = printed_sizes(evidence)
    lines: list[Line] = []
    for found in groups:
        heading = words.line(
            "{outcome}, {unit}: {arm}",
            outcome=Span(text=found[0].outcome.label, strong=True),
            unit=unit_phrase(words, found[0]),
            arm=found[0].arm.label,
        )
        lines.append(line(heading, kind="section"))
        lines += [_line(words, one, marks, sizes) for one in found]
    return table(
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
        note=[*failures(words, rows), *caution_notes(words, marks)],
        anchor=anchor,
    )


def model_phrase(words: Words, entry: AnalysisFacts) -> str:
    """Return the model of an analysis in words; the name itself where there are no words for it."""
    return words.text(MODELS[entry.model]) if entry.model in MODELS else entry.model


def planned_model_phrase(words: Words, entry: AnalysisFacts) -> str:
    """Return the model of an analysis in words, with the groups within schools that its options name."""
    level = entry.options.get("level")
    if not level:
        return model_phrase(words, entry)
    return words.text(
        "{model} and random intercepts of the field “{level}” within schools",
        model=model_phrase(words, entry),
        level=str(level),
    )


def _line(words: Words, one: Comparison, marks: Marks, sizes: Sizes) -> Line:
    entry = one.analysis
    difference = one.difference
    assumption = words.text(ASSUMPTIONS[entry.missing_outcome])
    template = message("Planned: {model}; {assumption}")
    if entry.role == "sensitivity":
        template = message("Varied: {model}; {assumption}")
    return line(
        words.text(template, model=planned_model_phrase(words, entry), assumption=assumption),
        size_of(difference, sizes),
        difference_cell(words, one, difference),
        marked(interval_cell(words, one, difference), difference, marks),
        p_cell(words, difference),
        verdict_cell(words, one),
    )
