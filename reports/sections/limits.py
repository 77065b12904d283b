"""What the trial cannot say: what follows from its results and design, and what its evaluators add."""

from __future__ import annotations

from collections.abc import Iterator

from reports.blocks import Block, Bullets, Heading, Inline, convert_to_spans
from reports.claims import plan_sentences
from reports.comparisons import Comparison, Verdict
from reports.evidence import Evidence
from reports.flow import build_flow
from reports.sections.common import (
    attach_arm_name,
    count_analysed_schools,
    count_randomised_schools,
    find_headline_comparisons,
)
from reports.selection import find_headline_analysis, find_main_analyses, get_compared_arms, has_countries
from reports.sentences import comparison, describe_failure_reason, format_interval_in_words, has_disagreement
from reports.tables.sensitivity import ASSUMPTIONS
from reports.words import Words, words

FEW_SCHOOLS = 40
"""Number of schools below which a trial is called small."""


def limitations(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the limits of the results, those first that bear on the headline."""
    text = words(language)
    return (
        Heading(text=text.text("Limits"), anchor="limits"),
        Bullets(items=tuple(describe_limits(evidence, text))),
    )


def describe_limits(evidence: Evidence, words: Words) -> Iterator[Inline]:
    """Yield a point for each limit, the most important first."""
    yield from _describe_precision(evidence, words)
    yield from (convert_to_spans(limit) for limit in evidence.limitations)
    yield from _describe_losses(evidence, words)
    yield from _plan_and_draw(evidence, words)
    yield from _describe_breadth(evidence, words)


def _describe_precision(evidence: Evidence, words: Words) -> Iterator[Inline]:
    answers = find_headline_comparisons(evidence)
    for headline_result in answers:
        points = list(_describe_headline_limits(words, headline_result))
        named = len(answers) > 1
        yield from (attach_arm_name(words, headline_result.arm, point) for point in points) if named else points
    schools = count_randomised_schools(evidence)
    if schools is not None and schools < FEW_SCHOOLS:
        yield convert_to_spans(
            words.plural(
                "{n} school is few for a trial in which schools are drawn; effects of moderate size can stay hidden.",
                "{n} schools are few for a trial in which schools are drawn; effects of moderate size can stay hidden.",
                schools,
            )
        )


def _describe_headline_limits(words: Words, one: Comparison) -> Iterator[Inline]:
    if one.verdict is Verdict.UNCLEAR:
        yield words.line(
            "The main result leaves its direction open: differences {interval} fit the data.",
            interval=format_interval_in_words(words, one),
        )
    if one.verdict is Verdict.NONE:
        failure_text = words.text("The main outcome, “{outcome}”, could not be estimated.", outcome=one.outcome.label)
        yield words.joined([failure_text, describe_failure_reason(words, one)])
    if has_disagreement(one):
        yield words.line("For the main result, the planned model’s interval and the randomisation test do not agree.")


def _describe_losses(evidence: Evidence, words: Words) -> Iterator[Inline]:
    drawn, analysed = count_randomised_schools(evidence), count_analysed_schools(evidence)
    if drawn is not None and analysed is not None and analysed < drawn:
        yield convert_to_spans(
            words.plural(
                "{n} school that was drawn is not in the main analysis.",
                "{n} schools that were drawn are not in the main analysis.",
                drawn - analysed,
            )
        )
    flow = build_flow(evidence)
    if flow is None:
        return
    started = [entry.baseline.pupils.value for entry in flow.arms if entry.baseline.pupils is not None]
    ended = [entry.analysed.pupils.value for entry in flow.arms if entry.analysed.pupils is not None]
    if not started or not ended or None in started or None in ended:
        return
    start, end = sum(value or 0 for value in started), sum(value or 0 for value in ended)
    if 0 < end < start:
        lost = words.text(
            "The main outcome is missing for {share} of the pupils enrolled at baseline.",
            share=words.numbers.percent((start - end) / start),
        )
        yield words.joined([lost, _describe_missing_assumption(evidence, words)])


def _describe_missing_assumption(evidence: Evidence, words: Words) -> str:
    """Describe what the main analysis assumes of pupils without the outcome."""
    entry = find_headline_analysis(evidence)
    if entry is None or not any(
        headline_result.verdict is not Verdict.NONE for headline_result in find_headline_comparisons(evidence)
    ):
        return ""
    if entry.missing_outcome != "leave_out":
        return words.text("The main analysis: {assumption}.", assumption=words.text(ASSUMPTIONS[entry.missing_outcome]))
    if entry.covariates:
        return words.text("The estimate takes them to be like others of their arm with equal covariates.")
    return words.text("The estimate assumes that they are like the others of their arm.")


def _plan_and_draw(evidence: Evidence, words: Words) -> Iterator[Inline]:
    if not evidence.plan.is_prior:
        yield convert_to_spans(next(plan_sentences(evidence.plan, words)))
    if evidence.design.get("drawn") == "elsewhere":
        yield convert_to_spans(
            words.text("The draw of schools was made elsewhere and cannot be repeated from its record.")
        )
    n_made = sum(glance_result.verdict is not Verdict.NONE for glance_result in _iterate_glance_comparisons(evidence))
    if n_made > 1:
        yield convert_to_spans(
            words.plural(
                "{n} comparison is in the table of outcomes, without correction for their number.",
                "{n} comparisons are in the table of outcomes, without correction for their number; one that stands"
                " alone may be chance.",
                n_made,
            )
        )


def _describe_breadth(evidence: Evidence, words: Words) -> Iterator[Inline]:
    first, several = find_headline_analysis(evidence), len(get_compared_arms(evidence)) > 1
    failed = [
        glance_result
        for glance_result in _iterate_glance_comparisons(evidence)
        if glance_result.verdict is Verdict.NONE and glance_result.analysis is not first
    ]
    labels = [
        words.text("{outcome} ({arm})", outcome=failed_result.outcome.label, arm=failed_result.arm.label)
        if several
        else failed_result.outcome.label
        for failed_result in failed
    ]
    if labels:
        yield convert_to_spans(words.text("Not estimated: {outcomes}.", outcomes=words.listed(labels)))
    if has_countries(evidence):
        yield convert_to_spans(
            words.plural(
                "{n} country is too few to say what the effect would be elsewhere.",
                "{n} countries are few to say how much effects differ between countries.",
                len(evidence.countries),
            )
        )
    yield convert_to_spans(
        words.text("The results are about schools like those that took part; others may respond differently.")
    )


def _iterate_glance_comparisons(evidence: Evidence) -> Iterator[Comparison]:
    """Yield the rows of the table of outcomes."""
    for entry in find_main_analyses(evidence):
        for arm in get_compared_arms(evidence):
            yield comparison(evidence, entry, arm=arm)
