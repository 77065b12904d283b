"""What both writers need to know of a document before they write it: numbers, anchors, contents, links, words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from data_schema.language import Catalogue, Language
from reports.blocks import Figure, Heading, Inline, Row, Span, Table
from reports.writers.practice import PracticeWords, get_practice_words

if TYPE_CHECKING:
    from reports.documents import Document

ESTIMATES = "estimates"
"""Anchor of the table whose rows are what spans with an ``estimate_id`` link to."""

_FEWEST_FOR_CONTENTS = 5
_SCHEMES = ("http", "https", "mailto")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the list of contents."""

    text: str
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The few words that writers add to a document; ``page`` keeps its slots "{page}" and "{pages}".

    ``practice`` is None except in a document of a practice trial.
    """

    practice: PracticeWords | None
    skip: str
    contents: str
    caution: str
    page: str
    estimate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A document's numbers and anchors.

    Parameters
    ----------
    language
        The language that the document is in.
    words
        What writers add, in that language.
    anchors
        Place of a heading, table or figure among the blocks, to its anchor. Every one has one, and all differ.
    labels
        Place of a table or figure among the blocks, to its label, such as "Table 2".
    contents
        The sections, when there are enough of them for a list of contents.
    targets
        Every anchor that a link may lead to, those of estimates among them.
    """

    language: Language
    words: Words
    anchors: dict[int, str]
    labels: dict[int, str]
    contents: tuple[Entry, ...]
    targets: frozenset[str]

    def link(self, span: Span) -> str:
        """Return where a span leads: "#anchor", an address, or "" for nowhere.

        Links to anchors that the document does not have, and addresses other than web, mail and relative ones, lead
        nowhere.
        """
        if span.link:
            return self._clean_link(span.link)
        anchor = estimate_anchor(span.estimate_id) if span.estimate_id else ""
        return f"#{anchor}" if anchor in self.targets else ""

    def _clean_link(self, link: str) -> str:
        if link.startswith("#"):
            anchor = clean_anchor(link[1:])
            return f"#{anchor}" if anchor in self.targets else ""
        try:
            scheme = urlsplit(link).scheme
        except ValueError:
            return ""
        printable = not re.search(r"[\x00-\x20\x7f]", link)
        return link if printable and (scheme in _SCHEMES or (not scheme and ":" not in link)) else ""


def build_outline(document: Document, *, language: str) -> Outline:
    """Return a document's outline in a language."""
    chosen = Language(language)
    anchors = _assign_anchors(document)
    rows = {
        anchor
        for block in document.blocks
        if isinstance(block, Table) and block.anchor == ESTIMATES
        for anchor in map(get_row_anchor, block.rows)
        if anchor
    }
    return Outline(
        language=chosen,
        words=_get_page_words(chosen, practice=get_practice_words(language) if document.practice else None),
        anchors=anchors,
        labels=_assign_labels(document, chosen),
        contents=_build_contents(document, anchors),
        targets=frozenset(anchors.values()) | rows,
    )


def clean_anchor(text: str) -> str:
    """Return a text as an anchor: white space and control characters become hyphens."""
    return re.sub(r"[\s\x00-\x20\x7f]+", "-", text)


def estimate_anchor(estimate_id: str) -> str:
    """Return the anchor of an estimate's row."""
    return clean_anchor(f"estimate-{estimate_id}")


def get_row_anchor(row: Row) -> str:
    """Return the anchor of a row in the table of estimates: its first cell's estimate's; "" when it states none."""
    first: Inline = row.cells[0] if row.cells else ()
    return next((estimate_anchor(span.estimate_id) for span in first if span.estimate_id), "")


def _assign_anchors(document: Document) -> dict[int, str]:
    taken = {clean_anchor(b.anchor) for b in document.blocks if isinstance(b, Heading | Table | Figure) and b.anchor}
    anchors = {}
    for place, block in enumerate(document.blocks):
        if not isinstance(block, Heading | Table | Figure):
            continue
        anchor = clean_anchor(block.anchor) if block.anchor else f"{type(block).__name__.lower()}-{place}"
        while not block.anchor and anchor in taken:
            anchor += "-"
        anchors[place] = anchor
        taken.add(anchor)
    return anchors


def _assign_labels(document: Document, language: Language) -> dict[int, str]:
    catalogue = Catalogue("reports.writers", language)
    labels: dict[int, str] = {}
    n_tables = n_figures = 0
    for place, block in enumerate(document.blocks):
        if isinstance(block, Table):
            n_tables += 1
            labels[place] = catalogue.text("Table {number}", number=n_tables)
        elif isinstance(block, Figure):
            n_figures += 1
            labels[place] = catalogue.text("Figure {number}", number=n_figures)
    return labels


def _build_contents(document: Document, anchors: dict[int, str]) -> tuple[Entry, ...]:
    entries = tuple(
        Entry(text=block.text, anchor=anchors[place])
        for place, block in enumerate(document.blocks)
        if isinstance(block, Heading) and block.level == 1
    )
    is_long = len(entries) >= _FEWEST_FOR_CONTENTS and document.title.layout == "report"
    return entries if is_long else ()


def _get_page_words(language: Language, *, practice: PracticeWords | None) -> Words:
    catalogue = Catalogue("reports.writers", language)
    return Words(
        practice=practice,
        skip=catalogue.text("Skip to the text"),
        contents=catalogue.text("Contents"),
        caution=catalogue.text("Caution"),
        page=catalogue.text("Page {page} of {pages}", page="{page}", pages="{pages}"),
        estimate=catalogue.text("Estimate"),
    )
