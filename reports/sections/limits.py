"""What the trial cannot say: what follows from its results and design, and what its evaluators add."""

from __future__ import annotations

from collections.abc import Iterator

from reports.blocks import Block, Bullets, Heading, Inline, inline
from reports.evidence import Evidence
from reports.sections.common import headline_comparisons, number_of_schools
from reports.selection import compared_arms, has_countries, main_analyses
from reports.sentences import Verdict, comparison, disagrees, span
from reports.tables.flow import flow_of
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
    for one in headline_comparisons(evidence):
        if one.verdict is Verdict.UNCLEAR:
            yield words.line(
                "The main result leaves its direction open: differences {interval} fit the data.",
                interval=span(words, one),
            )
        if one.verdict is Verdict.NONE:
            yield words.line("The main outcome, “{outcome}”, could not be estimated.", outcome=one.outcome.label)
        if disagrees(one):
            yield words.line("For the main result, interval and randomisation test do not agree.")
    schools = number_of_schools(evidence)
    if schools is not None and schools < FEW_SCHOOLS:
        yield inline(
            words.plural(
                "{n} school is few for a trial in which schools are drawn; effects of moderate size can stay hidden.",
                "{n} schools are few for a trial in which schools are drawn; effects of moderate size can stay hidden.",
                schools,
            )
        )


def _losses(evidence: Evidence, words: Words) -> Iterator[Inline]:
    flow = flow_of(evidence)
    if flow is None:
        return
    started = [entry.baseline.pupils.value for entry in flow.arms if entry.baseline.pupils is not None]
    ended = [entry.analysed.pupils.value for entry in flow.arms if entry.analysed.pupils is not None]
    if not started or not ended or None in started or None in ended:
        return
    start, end = sum(value or 0 for value in started), sum(value or 0 for value in ended)
    if 0 < end < start:
        yield words.line(
            "The main outcome is missing for {share} of the pupils enrolled at baseline. The estimate assumes that they"
            " are like the others of their arm.",
            share=words.numbers.percent((start - end) / start),
        )


def _plan_and_draw(evidence: Evidence, words: Words) -> Iterator[Inline]:
    if not evidence.design.get("plan_frozen"):
        yield inline(words.text("The analysis plan was not frozen before the results were seen."))
    if evidence.design.get("drawn") == "elsewhere":
        yield inline(words.text("The draw of schools was made elsewhere and cannot be repeated from its record."))
    n_outcomes = len(main_analyses(evidence)) * len(compared_arms(evidence))
    if n_outcomes > 1:
        yield inline(
            words.plural(
                "{n} comparison was made without correction for their number.",
                "{n} comparisons were made without correction for their number; one that stands alone may be chance.",
                n_outcomes,
            )
        )


def _breadth(evidence: Evidence, words: Words) -> Iterator[Inline]:
    failed = [
        entry
        for entry in main_analyses(evidence)[1:]
        if all(comparison(evidence, entry, arm=arm).verdict is Verdict.NONE for arm in compared_arms(evidence))
    ]
    if failed:
        labels = [comparison(evidence, entry).outcome.label for entry in failed]
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
