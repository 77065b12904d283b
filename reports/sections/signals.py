"""Whether the warning signals themselves find who leaves."""

from __future__ import annotations

from reports.blocks import Block, Heading
from reports.comparisons import describe_pupils_with_event, describe_schools_of_arm
from reports.evidence import Evidence
from reports.sections.common import build_paragraph
from reports.selection import as_float, convert_to_records, get_focus_country, get_reference_arm
from reports.tables import signals_table
from reports.tables.signals import TOGETHER, has_small_count
from reports.words import Words, words


def warning_signals(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return how well warning signals found who had the event later; nothing where no signals were recorded."""
    text = words(language)
    signals_block = signals_table(evidence, text)
    if signals_block is None:
        return ()
    explanation = text.text(
        "The signals of the first wave are judged in {schools} alone: where a team acts on a signal, a pupil whom it"
        " keeps in school looks like a false alarm. In each school the {share} of pupils with the worst signal count as"
        " flagged, as for a team that has room for so many.",
        schools=describe_schools_of_arm(text, get_reference_arm(evidence)),
        share=text.numbers.percent(as_float(evidence.signals["capacity"].iloc[0]), digits=0),
    )
    return (
        Heading(text=text.text("The warning signals themselves"), anchor="signals"),
        build_paragraph(text.joined([explanation, _describe_combined_signals(evidence, text)])),
        signals_block,
    )


def _describe_combined_signals(evidence: Evidence, text: Words) -> str:
    """Return in a sentence what all signals together found; empty where that is not known or may not be printed."""
    rows = evidence.signals[evidence.signals["country"] == get_focus_country(evidence)]
    together = [row for row in convert_to_records(rows[rows["signal"] == TOGETHER]) if row["status"] != "failed"]
    by_measure = {str(row["measure"]): as_float(row["estimate"]) for row in together}
    outcome = next((item for item in evidence.outcomes if together and item.name == together[0]["outcome"]), None)
    limit = evidence.disclosure_threshold
    if (
        outcome is None
        or not {"sensitivity", "predictive_value"} <= set(by_measure)
        or has_small_count(together, limit=limit)
    ):
        return ""
    return text.text(
        "With all signals in one risk, {found} of every 100 {who} had been flagged, and {right} of every 100 flagged"
        " pupils were among them.",
        found=text.numbers.estimate(100 * by_measure["sensitivity"], digits=0),
        who=describe_pupils_with_event(text, outcome),
        right=text.numbers.estimate(100 * by_measure["predictive_value"], digits=0),
    )
