"""Whether the warning signals themselves find who leaves."""

from __future__ import annotations

from reports.blocks import Block, Heading
from reports.comparisons import schools_of, who_of
from reports.evidence import Evidence
from reports.sections.common import paragraph
from reports.selection import as_float, focus, records, reference_arm
from reports.tables import signals_table
from reports.tables.signals import TOGETHER, secret
from reports.words import Words, words


def warning_signals(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return how well warning signals found who had the event later; nothing where no signals were recorded."""
    text = words(language)
    made = signals_table(evidence, text)
    if made is None:
        return ()
    said = text.text(
        "The signals of the first wave are judged in {schools} alone: where a team acts on a signal, a pupil whom it"
        " keeps in school looks like a false alarm. In each school the {share} of pupils with the worst signal count as"
        " flagged, as for a team that has room for so many.",
        schools=schools_of(text, reference_arm(evidence)),
        share=text.numbers.percent(as_float(evidence.signals["capacity"].iloc[0]), digits=0),
    )
    return (
        Heading(text=text.text("The warning signals themselves"), anchor="signals"),
        paragraph(text.joined([said, _found(evidence, text)])),
        made,
    )


def _found(evidence: Evidence, text: Words) -> str:
    """Return in a sentence what all signals together found; empty where that is not known or may not be printed."""
    rows = evidence.signals[evidence.signals["country"] == focus(evidence)]
    together = [row for row in records(rows[rows["signal"] == TOGETHER]) if row["status"] != "failed"]
    by_measure = {str(row["measure"]): as_float(row["estimate"]) for row in together}
    outcome = next((item for item in evidence.outcomes if together and item.name == together[0]["outcome"]), None)
    limit = evidence.disclosure_threshold
    if outcome is None or not {"sensitivity", "predictive_value"} <= set(by_measure) or secret(together, limit=limit):
        return ""
    return text.text(
        "With all signals in one risk, {found} of every 100 {who} had been flagged, and {right} of every 100 flagged"
        " pupils were among them.",
        found=text.numbers.estimate(100 * by_measure["sensitivity"], digits=0),
        who=who_of(text, outcome),
        right=text.numbers.estimate(100 * by_measure["predictive_value"], digits=0),
    )
