"""What the trial cannot say: what follows from its results and design, and what its evaluators add."""

from __future__ import annotations

from collections.abc import Iterator

from reports.blocks import Block, Bullets, Heading, Inline, inline
from reports.claims import plan_sentences
from reports.comparisons import Comparison, Verdict
from reports.evidence import Evidence
from reports.flow import flow_of
from reports.sections.common import arm_line, headline_comparisons, number_analysed, number_of_schools
from reports.selection import compared_arms, has_countries, headline, main_analyses
from reports.sentences import comparison, disagrees, span, why_not
from reports.tables.sensitivity import ASSUMPTIONS
from reports.words import Words, words

FEW_SCHOOLS = 40
"""Number of schools below which a trial is called small."""


def limitations(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the limits of the results, those first that bear on the headline."""
    text = words(language)
    return (
        Heading(text=text.text("Limits"), anchor="limits"),
        Bullets(items=tuple(limits(evidence, text))),
    )


def limits(evidence: Evidence, words: Words) -> Iterator[Inline]:
    """Yield a point for each limit, the most important first."""
    yield from _precision(evidence, words)
    yield from (inline(limit) for limit in evidence.limitations)
    yield from _losses(evidence, words)
    yield from _plan_and_draw(evidence, words)
    yield from _breadth(evidence, words)


def _precision(evidence: Evidence, words: Words) -> Iterator[Inline]:
    answers = headline_comparisons(evidence)
    for one in answers:
        points = list(_of_headline(words, one))
        named = len(answers) > 1
        yield from (arm_line(words, one.arm, point) for point in points) if named else points
    schools = number_of_schools(evidence)
    if schools is not None and schools < FEW_SCHOOLS:
        yield inline(
            words.plural(
                "{n} school is few for a trial in which schools are drawn; effects of moderate size can stay hidden.",
                "{n} schools are few for a trial in which schools are drawn; effects of moderate size can stay hidden.",
                schools,
            )
        )


def _of_headline(words: Words, one: Comparison) -> Iterator[Inline]:
    if one.verdict is Verdict.UNCLEAR:
        yield words.line(
            "The main result leaves its direction open: differences {interval} fit the data.",
            interval=span(words, one),
        )
    if one.verdict is Verdict.NONE:
        said = words.text("The main outcome, “{outcome}”, could not be estimated.", outcome=one.outcome.label)
        yield words.joined([said, why_not(words, one)])
    if disagrees(one):
        yield words.line("For the main result, the planned model’s interval and the randomisation test do not agree.")


def _losses(evidence: Evidence, words: Words) -> Iterator[Inline]:
    drawn, analysed = number_of_schools(evidence), number_analysed(evidence)
    if drawn is not None and analysed is not None and analysed < drawn:
        yield inline(
            words.plural(
                "{n} school that was drawn is not in the main analysis.",
                "{n} schools that were drawn are not in the main analysis.",
                drawn - analysed,
            )
        )
    flow = flow_of(evidence)
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
        yield words.joined([lost, _assumed(evidence, words)])


def _assumed(evidence: Evidence, words: Words) -> str:
    """Describe what the main analysis assumes of pupils without the outcome."""
    entry = headline(evidence)
    if entry is None or not any(one.verdict is not Verdict.NONE for one in headline_comparisons(evidence)):
        return ""
    if entry.missing_outcome != "leave_out":
        return words.text("The main analysis: {assumption}.", assumption=words.text(ASSUMPTIONS[entry.missing_outcome]))
    if entry.covariates:
        return words.text("The estimate takes them to be like others of their arm with equal covariates.")
    return words.text("The estimate assumes that they are like the others of their arm.")


def _plan_and_draw(evidence: Evidence, words: Words) -> Iterator[Inline]:
    if not evidence.plan.is_prior:
        yield inline(next(plan_sentences(evidence.plan, words)))
    if evidence.design.get("drawn") == "elsewhere":
        yield inline(words.text("The draw of schools was made elsewhere and cannot be repeated from its record."))
    n_made = sum(one.verdict is not Verdict.NONE for one in _shown_at_a_glance(evidence))
    if n_made > 1:
        yield inline(
            words.plural(
                "{n} comparison is in the table of outcomes, without correction for their number.",
                "{n} comparisons are in the table of outcomes, without correction for their number; one that stands"
                " alone may be chance.",
                n_made,
            )
        )


def _breadth(evidence: Evidence, words: Words) -> Iterator[Inline]:
    first, several = headline(evidence), len(compared_arms(evidence)) > 1
    failed = [one for one in _shown_at_a_glance(evidence) if one.verdict is Verdict.NONE and one.analysis is not first]
    labels = [
        words.text("{outcome} ({arm})", outcome=one.outcome.label, arm=one.arm.label) if several else one.outcome.label
        for one in failed
    ]
    if labels:
        yield inline(words.text("Not estimated: {outcomes}.", outcomes=words.listed(labels)))
    if has_countries(evidence):
        yield inline(
            words.plural(
                "{n} country is too few to say what the effect would be elsewhere.",
                "{n} countries are few to say how much effects differ between countries.",
                len(evidence.countries),
            )
        )
    yield inline(words.text("The results are about schools like those that took part; others may respond differently."))


def _shown_at_a_glance(evidence: Evidence) -> Iterator[Comparison]:
    """Yield the rows of the table of outcomes."""
    for entry in main_analyses(evidence):
        for arm in compared_arms(evidence):
            yield comparison(evidence, entry, arm=arm)
