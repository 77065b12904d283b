"""The certificate of an allocation: one page that the meeting which saw the draw can sign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from randomisation.design import Design
from randomisation.misfits import BALANCED
from randomisation.record import AllocationRecord
from randomisation.within_schools import SCHOOL
from reports.blocks import Block, Column, Heading, Paragraph, Span, Table, Title, convert_to_spans
from reports.claims import format_log_time
from reports.tables.layout import Line, build_table, line
from reports.words import Words, message, words

MISFITS: Mapping[str, str] = {
    "strata": message("Schools left over in a stratum were drawn within it, each arm with equal probability."),
    "global": message("Schools left over in the strata were drawn as one group, each arm with equal probability."),
    "wstrata": message("Schools left over in a stratum were drawn within it, in proportion to the ratio."),
    "wglobal": message("Schools left over in the strata were drawn as one group, in proportion to the ratio."),
}
"""What became of the misfits."""

MOST_ROWS = 10
"""Rows of the table of counts; where the first stratum has more values, only the sum is printed."""

PUPILS = 10
"""Smallest count of pupils that may be printed; a certificate holds none."""

N_SIGNATURES = 4
"""Lines to sign on."""

LONG_LINE = 42
"""Strokes of a line to sign on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterFact:
    """A step after the draw: late schools (how many), or a school that a reserve replaced (0) with the reason."""

    time: str
    seed: str
    n_schools: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawFacts:
    """What is known of a draw beyond its record.

    Parameters
    ----------
    title
        The trial's title.
    record
        The record of the allocation.
    committed_at, commitment_sha256, seed_source
        When schools and design were committed to, the hash that was published, where the seed was to come from; empty
        when there was no commitment.
    is_log_known
        Whether the trial's log is there to say what was published and when schools were drawn.
    drawn_at
        Time of each draw and its reason, the first first; the last one counts.
    labels
        Label of each column that the design looks at.
    value_labels
        Labels of the values of the first stratum where they have some, such as countries' names.
    later
        What came after the draw, the first step first.
    command
        The command by which anyone can check the draw without the toolkit.
    """

    title: str
    record: AllocationRecord
    drawn_at: tuple[tuple[str, str], ...]
    committed_at: str = ""
    commitment_sha256: str = ""
    seed_source: str = ""
    is_log_known: bool = True
    labels: Mapping[str, str]
    value_labels: Mapping[str, str] = field(default_factory=dict)
    later: tuple[LaterFact, ...] = ()
    command: str = "python verify_allocation.py record.json schools.csv"


def build_certificate(facts: DrawFacts, language: str) -> tuple[Block, ...]:
    """Return the certificate of an allocation: what was drawn, from what, how, when, and how anyone can check it.

    It names no school: the hash of the allocation represents the list of schools and arms.
    """
    text = words(language)
    record = facts.record
    blocks: list[Block] = [
        Title(
            kind=text.text("Allocation certificate"),
            text=facts.title,
            facts=(_answer(record, text),),
            layout="brief",
        ),
        _build_counts_table(facts, text),
        _build_draw_facts_table(facts, text),
    ]
    blocks += [Paragraph(text=convert_to_spans(_check(facts, text)), style="small"), *_build_signature_lines(text)]
    return tuple(blocks)


def _answer(record: AllocationRecord, words: Words) -> str:
    counts = Counter(record.arms)
    parts = [f"{words.numbers.count(counts[arm.name])} {arm.label or arm.name}" for arm in record.design.arms]
    if SCHOOL in record.design.strata:
        return words.plural(
            "{n} class was allocated at random within its school: {arms}.",
            "{n} classes were allocated at random within their schools: {arms}.",
            len(record.schools),
            arms=words.listed(parts),
        )
    return words.plural(
        "{n} school was allocated at random: {arms}.",
        "{n} schools were allocated at random: {arms}.",
        len(record.schools),
        arms=words.listed(parts),
    )


def _build_counts_table(facts: DrawFacts, words: Words) -> Table:
    """Return the number of schools in each arm, by the values of the first stratum."""
    record = facts.record
    arms = record.design.arms
    first = [values[0] if record.design.strata else "" for values in record.stratum_values]
    held = Counter(zip(first, record.arms, strict=True))
    values = sorted(set(first)) if len(set(first)) in range(2, MOST_ROWS + 1) else []
    rows = [
        _build_count_line(words, facts.value_labels.get(value, value), [held[value, arm.name] for arm in arms])
        for value in values
    ]
    total = Counter(record.arms)
    rows.append(_build_count_line(words, words.text("All schools"), [total[arm.name] for arm in arms], kind="total"))
    stratum = facts.labels.get(record.design.strata[0], record.design.strata[0]) if values else ""
    return build_table(
        words,
        words.text("Schools in each arm"),
        columns=(
            Column(label=_convert_to_capitalised(stratum), width=2),
            *(Column(label=arm.label or arm.name, align="right") for arm in arms),
            Column(label=words.text("All"), align="right"),
        ),
        lines=rows,
        threshold=PUPILS,
    )


def _build_count_line(words: Words, name: str, counts: list[int], *, kind: Literal["body", "total"] = "body") -> Line:
    return line(name, *(words.numbers.count(n) for n in (*counts, sum(counts))), kind=kind)


def _build_draw_facts_table(facts: DrawFacts, words: Words) -> Table:
    return build_table(
        words,
        words.text("How they were drawn"),
        columns=(
            Column(label=words.text("What"), width=1),
            Column(label=words.text("Fact"), width=3),
        ),
        lines=[line(name, value) for name, value in _iterate_draw_facts(facts, words)],
        threshold=PUPILS,
    )


def _iterate_draw_facts(facts: DrawFacts, words: Words) -> Iterator[tuple[str, str]]:
    record = facts.record
    yield words.text("Design"), " ".join(describe_design(record.design, facts.labels, words))
    if facts.commitment_sha256:
        yield (
            words.text("Fixed beforehand"),
            words.text("schools and design, at {time}", time=format_log_time(words, facts.committed_at)),
        )
        yield words.text("Hash published then"), facts.commitment_sha256
    elif record.drawn == "here":
        yield words.text("Fixed beforehand"), _describe_nothing_published(facts, words)
    if facts.seed_source:
        yield words.text("Seed announced as"), facts.seed_source
    if record.drawn == "here":
        yield words.text("Seed"), record.seed
        yield words.text("Algorithm"), record.algorithm
    else:
        yield words.text("Draw"), words.text("made outside this toolkit; its recorded result was adopted")
    yield words.text("Drawn"), "; ".join(_describe_draws(facts, words)) or words.text("at a time that is not known")
    for step in facts.later:
        yield words.text("After the draw"), _describe_later_draw(step, words)
    yield words.text("Hash of the schools"), record.frame_sha256
    yield words.text("Hash of the allocation"), record.allocation_sha256


def _describe_nothing_published(facts: DrawFacts, words: Words) -> str:
    if not facts.is_log_known:
        return words.text("not known, since the trial’s log is missing, damaged or lost in part")
    return words.text("nothing was published before the seed was known")


def _describe_later_draw(step: LaterFact, words: Words) -> str:
    time = format_log_time(words, step.time) if step.time else words.text("at a time that is not known")
    why = step.reason or words.text("no reason was given")
    if step.n_schools:
        return words.plural(
            "{n} school joined later and was drawn: {time}, seed {seed} ({reason}).",
            "{n} schools joined later and were drawn among one another: {time}, seed {seed} ({reason}).",
            step.n_schools,
            time=time,
            seed=step.seed,
            reason=why,
        )
    return words.text(
        "A school withdrew before the start ({reason}); a reserve was drawn for its place: {time}, seed {seed}.",
        time=time,
        seed=step.seed,
        reason=why,
    )


def _describe_draws(facts: DrawFacts, words: Words) -> Iterator[str]:
    for place, (time, reason) in enumerate(facts.drawn_at):
        if place:
            why = reason or words.text("no reason was given")
            yield words.text("again at {time} ({reason})", time=format_log_time(words, time), reason=why)
        else:
            yield format_log_time(words, time)


def describe_design(design: Design, labels: Mapping[str, str], words: Words) -> list[str]:
    """Explain a design in a language."""

    def join_column_labels(columns: tuple[str, ...]) -> str:
        return words.listed([labels.get(name, name) for name in columns])

    ratio = design.ratio_in_words
    if design.kind == "simple":
        sentences = [words.text("Each school was drawn by itself, in the ratio {ratio}.", ratio=ratio)]
    elif design.minimisation is not None:
        sentences = [
            words.text(
                "Schools joined one by one, and {chance} of 100 were allocated to keep the arms alike in {strata}"
                " (minimisation), the others at random in the ratio {ratio}.",
                chance=words.numbers.count(design.minimisation.chance),
                strata=join_column_labels(design.strata),
                ratio=ratio,
            )
        ]
    elif design.matching is not None:
        matched = join_column_labels(design.matching.variables)
        sentences = [words.text("Drawn in the ratio {ratio} within sets of schools alike in {variables}.",
                            ratio=ratio, variables=matched)]  # fmt: skip
        if design.strata:
            sentences.append(words.text("Sets were formed within {strata}.", strata=join_column_labels(design.strata)))
    elif design.strata:
        sentences = [words.text("Drawn in the ratio {ratio} within strata formed by {strata}.",
                            ratio=ratio, strata=join_column_labels(design.strata))]  # fmt: skip
    else:
        sentences = [words.text("Drawn in the ratio {ratio}, without strata.", ratio=ratio)]
    if design.misfits != BALANCED:
        sentences.append(words.text(MISFITS[design.misfits]))
    if design.constraint is not None:
        variables = join_column_labels(design.constraint.variables)
        sentences.append(words.text("Only draws balanced in {variables} could be used.", variables=variables))
    return sentences


def _check(facts: DrawFacts, words: Words) -> str:
    return words.text(
        "Anyone can check this without the toolkit, from the record, the list of schools and one file that needs "
        "Python only: {command}",
        command=facts.command,
    )


def _build_signature_lines(words: Words) -> tuple[Block, ...]:
    """Return lines to sign on, with room for a hand."""
    blank, room = Span(text="_" * LONG_LINE), Paragraph(text=(Span(text="\u00a0"),), style="small")
    line = words.line("Name, role, signature {blank}", blank=blank)
    place = words.line("Place and date {blank}", blank=blank)
    lines = [part for text in (*(line for _ in range(N_SIGNATURES)), place) for part in (room, Paragraph(text=text))]
    return (Heading(text=words.text("Present at the draw"), anchor="signatures"), *lines)


def _convert_to_capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
