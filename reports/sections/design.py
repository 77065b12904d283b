"""What was asked, of whom, what was compared and measured, and how schools were drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from randomisation.design import Design
from reports.blocks import Block, Bullets, Column, Heading, Inline, Note, Span, convert_to_spans
from reports.evidence import AnalysisFacts, Evidence
from reports.kinds import words_of_kind
from reports.sections.certificate import describe_design
from reports.sections.common import attach_arm_name, build_paragraph, count_randomised_schools, format_country_names
from reports.selection import find_main_analyses, get_compared_arms, get_outcome, get_reference_arm
from reports.tables.cells import SINCE
from reports.tables.layout import build_table, line
from reports.words import Words, message, words

ROLES = {
    "primary": message("primary"),
    "secondary": message("secondary"),
    "exploratory": message("exploratory"),
    "sensitivity": message("sensitivity"),
}


def trial_design(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return question, schools, arms and outcomes of the trial."""
    text = words(language)
    blocks: list[Block] = [Heading(text=text.text("The trial"), anchor="trial")]
    if evidence.objective:
        blocks.append(build_paragraph(evidence.objective))
    blocks.append(build_paragraph(_describe_schools(evidence, text)))
    if evidence.eligibility:
        blocks.append(build_paragraph(evidence.eligibility))
    blocks.append(Heading(text=text.text("What was compared"), level=2, anchor="arms"))
    blocks.append(Bullets(items=tuple(_iterate_arm_descriptions(evidence, text))))
    blocks.append(Heading(text=text.text("What was measured"), level=2, anchor="measures"))
    if evidence.waves:
        waves = [_format_wave(text, label, date) for label, date in evidence.waves.values()]
        blocks.append(build_paragraph(text.text("Rounds of data collection: {waves}.", waves=text.listed(waves))))
    blocks.append(_build_outcomes_table(evidence, text))
    return tuple(blocks)


def allocation(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return how schools were drawn and how anyone can check it."""
    text = words(language)
    design = evidence.design
    sentences = [text.text("Schools, not pupils, were drawn: all pupils of a school are in the same arm.")]
    sentences += list(_describe_strata(design, text))
    if design.get("drawn") == "elsewhere":
        sentences.append(
            text.text(
                "The draw was made outside this toolkit and its recorded result adopted; it cannot be repeated here."
            )
        )
    elif design.get("seed"):
        sentences.append(
            text.text(
                "The draw follows from the list of schools, the design and the seed “{seed}” by the published algorithm"
                " {algorithm}, so that anyone can repeat it.",
                seed=str(design["seed"]),
                algorithm=str(design.get("algorithm", "")),
            )
        )
    sentences += [*_describe_schedule(design, text), *_describe_later_schools(design, text)]
    if design.get("weighted"):
        sentences.append(
            text.text(
                "Schools did not all have the same chance of each arm; linear models with robust errors weight each"
                " school by the inverse of its chance, and other models are not reported."
            )
        )
    blocks: list[Block] = [
        Heading(text=text.text("How schools were drawn"), level=2, anchor="allocation"),
        build_paragraph(" ".join(sentences)),
    ]
    return (*blocks, *_iterate_draw_warnings(evidence, text))


def _describe_schedule(facts: Mapping[str, object], words: Words) -> Iterable[str]:
    """Describe who has the programme when, or which factors were combined, and what is compared."""
    starts = cast("Iterable[tuple[str, str]]", facts.get("starts") or ())
    start_texts = [words.text("{arm} from {wave} on", arm=arm, wave=wave) for arm, wave in starts]
    if start_texts:
        yield words.text(
            "Schools have the programme one group after the other: {starts}.", starts=words.listed(start_texts)
        )
        yield words.text(
            "In each outcome, schools that have started by its round are compared with those that still wait."
        )
    factors = cast("Mapping[str, str]", facts.get("factors") or {})
    if factors:
        yield words.text(
            "Schools got each combination of two factors, {factors}. Each combination is compared with neither; the"
            " effect of each factor over all schools, with the other and without it, is in a table of its own.",
            factors=words.listed(list(factors.values())),
        )


def _describe_later_schools(facts: Mapping[str, object], words: Words) -> Iterable[str]:
    """Describe who came after the draw."""
    late, replaced = (int(str(facts.get(name) or 0)) for name in ("n_late", "n_replaced"))
    if late:
        yield words.plural(
            "{n} school that joined later was drawn by the same design, with a seed of its own.",
            "{n} schools that joined later were drawn among one another by the same design, with a seed of their own.",
            late,
        )
    if replaced:
        yield words.plural(
            "{n} school withdrew before the start; a reserve drawn by lot took its place and its arm.",
            "{n} schools withdrew before the start; reserves drawn by lot took their places and their arms.",
            replaced,
        )


def _iterate_draw_warnings(evidence: Evidence, words: Words) -> Iterable[Block]:
    facts, draws = evidence.design, evidence.log.n_draws
    if draws is None:
        warning = words.text(
            "The trial’s log is missing, damaged or lost in part: nothing shows how often schools were drawn."
        )
        yield Note(kind="caution", title=words.text("Number of draws not known"), text=convert_to_spans(warning))
    elif draws > 1:
        warning = words.plural(
            "The draw was made {n} time; the last one counts.",
            "The draw was made {n} times; the last one counts.",
            draws,
        )
        yield Note(kind="caution", title=words.text("More than one draw"), text=convert_to_spans(warning))
    if facts.get("verified"):
        if facts.get("drawn") == "elsewhere":
            yield build_paragraph(
                words.text("The adopted allocation agrees with the list of schools and with its record.")
            )
        else:
            yield build_paragraph(words.text("The draw was repeated from its record and gave the same allocation."))
    else:
        warning = words.text("The allocation does not agree with its record, or has not been checked against it.")
        yield Note(kind="caution", title=words.text("Allocation not verified"), text=convert_to_spans(warning))


def _describe_strata(facts: Mapping[str, object], words: Words) -> Iterable[str]:
    stated = facts.get("specification")
    if isinstance(stated, Mapping) and (
        stated.get("constraint") or stated.get("misfits") or facts.get("kind") in ("simple", "matched", "minimisation")
    ):
        labels = cast("Mapping[str, str]", facts.get("labels") or {})
        yield from describe_design(Design.from_dict(stated), labels, words)
        return
    ratio = str(facts.get("ratio") or "")
    strata = [str(name) for name in (facts.get("strata") or ())]  # type: ignore[attr-defined]  # a list of names
    n_strata = int(str(facts.get("n_strata") or 0))
    if strata and n_strata:
        yield words.plural(
            "They were drawn in the ratio {ratio} within {n} stratum, formed by {strata}.",
            "They were drawn in the ratio {ratio} within each of {n} strata, formed by {strata}.",
            n_strata,
            ratio=ratio,
            strata=words.listed(strata),
        )
    elif ratio:
        yield words.text("They were drawn in the ratio {ratio}, without strata.", ratio=ratio)


def _describe_schools(evidence: Evidence, words: Words) -> str:
    schools, countries = count_randomised_schools(evidence), format_country_names(evidence, words)
    if schools is None:
        return words.text("The trial took place in schools in {countries}.", countries=countries)
    return words.plural(
        "The trial took place in {n} school in {countries}.",
        "The trial took place in {n} schools in {countries}.",
        schools,
        countries=countries,
    )


def _iterate_arm_descriptions(evidence: Evidence, words: Words) -> Iterable[Inline]:
    """Yield each arm with its description; what the protocol says of all compared arms together is said once."""
    undescribed = words.text("The protocol does not describe it.")
    compared = get_compared_arms(evidence)
    shared = [arm for arm in compared if not arm.description]
    if shared:
        label = Span(text=words.listed([arm.label for arm in shared]), strong=True)
        yield words.line("{label}: {text}", label=label, text=evidence.intervention or undescribed)
    yield from (attach_arm_name(words, arm, arm.description) for arm in compared if arm.description)
    reference = get_reference_arm(evidence)
    yield attach_arm_name(words, reference, reference.description or evidence.comparison or undescribed)


def _format_wave(words: Words, label: str, date: str) -> str:
    return words.text("{wave} ({date})", wave=label, date=date) if date and date != label else label


def _build_outcomes_table(evidence: Evidence, words: Words) -> Block:
    lines = [line(*_build_outcome_cells(evidence, words, entry)) for entry in find_main_analyses(evidence)]
    return build_table(
        words,
        words.text("Outcomes"),
        columns=(
            Column(label=words.text("Outcome"), width=2.0),
            Column(label=words.text("Definition"), width=3.8),
            Column(label=words.text("Round"), width=1.3),
            Column(label=words.text("Better when"), width=1.0),
            Column(label=words.text("Role"), width=1.2),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        anchor="outcome-definitions",
    )


def describe_analysis_role(words: Words, entry: AnalysisFacts) -> str:
    """Return the role of an analysis, and what became of it after the freeze."""
    role = words.text(ROLES.get(entry.standing, entry.standing))
    if not entry.since:
        return role
    return words.text("{left}, {right}", left=role, right=words.text(SINCE[entry.since]))


def _build_outcome_cells(evidence: Evidence, words: Words, entry: AnalysisFacts) -> tuple[str, ...]:
    outcome = get_outcome(evidence, entry)
    definition = outcome.description
    if scale := words_of_kind(outcome).note_on_scale(words, outcome):
        definition = words.text("{first} {second}", first=definition, second=scale) if definition else scale
    label = evidence.waves[outcome.wave][0] if outcome.wave in evidence.waves else outcome.wave
    better = words.text("lower") if outcome.direction == "lower" else words.text("higher")
    return (outcome.label, definition, label, better, describe_analysis_role(words, entry))
