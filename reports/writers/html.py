"""A document as one HTML page that needs nothing beside it."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import quote

from reports.blocks import (
    Block,
    Bullets,
    Column,
    Figure,
    Heading,
    Inline,
    KeyFigures,
    Note,
    PageBreak,
    Paragraph,
    Row,
    Span,
    Table,
    Title,
)
from reports.counted import join_set_keys
from reports.writers.outline import ESTIMATES, Outline, build_outline, get_row_anchor
from reports.writers.pictures import clean_svg

if TYPE_CHECKING:
    from reports.documents import Document
    from reports.writers.practice import PracticeWords

SITE_MARK = "<!--site-->"
"""Where a published site puts its line of links into a document's page."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:"
FACES = (("normal", 400, "Regular"), ("italic", 400, "It"), ("normal", 600, "Semibold"))
"""The faces that pages use: style, weight, and the name in the file's name."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def html_page(document: Document, *, language: str) -> str:
    """Return a document as the text of one HTML file: fonts, styles and pictures inside, no scripts.

    Parameters
    ----------
    document
        What to write.
    language
        Code of the language that the document is in.
    """
    outline = build_outline(document, language=language)
    page = _Page(outline)
    title = document.title
    body = "\n".join(page.sections(document.blocks))
    layout = "with-contents" if outline.contents else "plain"
    practice = outline.words.practice
    return f"""<!doctype html>
<html lang="{text(outline.language.tag)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{text(practice.titled(title.text) if practice else title.text)}</title>
<style>
{render_font_faces()}
{load_stylesheet()}{render_practice_style(practice)}
</style>
</head>
<body class="document {title.layout}{" practice" if practice else ""}">
<a class="skip" href="#page-text">{text(outline.words.skip)}</a>
{SITE_MARK}{practice.aside() if practice else ""}
{_render_title_block(title)}
<div class="page {layout}">
{page.contents()}<main id="page-text" tabindex="-1">
{body}
</main>
</div>
</body>
</html>
"""


def text(value: str) -> str:
    """Return text as it is in HTML, in content and in quoted attributes alike.

    Characters that HTML forbids are dropped.

    Examples
    --------
    >>> text('5 < 6 & "so"')
    '5 &lt; 6 &amp; &quot;so&quot;'
    """
    return escape(_CONTROL.sub("", value), quote=True)


def render_practice_style(practice: PracticeWords | None) -> str:
    """Return the rules of a practice trial's pages; nothing for a real one."""
    return f"\n{practice.style()}" if practice else ""


def render_scroll_box(table: str, *, labelled_by: str) -> str:
    """Return a table in a box that scrolls by itself, by keyboard too, so that the page never has to."""
    return f'<div class="scroll" role="region" aria-labelledby="{labelled_by}" tabindex="0">{table}</div>'


def escape_link_address(link: str) -> str:
    """Return a link as it is in an attribute."""
    return text(quote(link, safe="/#?&=:@!$'()*+,;~%-._[]"))


@lru_cache(maxsize=1)
def load_stylesheet() -> str:
    """Return the style sheet that documents and sites share."""
    return (resources.files("reports") / "assets" / "page.css").read_text(encoding="utf-8").strip()


@lru_cache(maxsize=1)
def render_font_faces() -> str:
    """Return the rules that embed the fonts."""
    rules = []
    for style, weight, face in FACES:
        data = (resources.files("reports") / "assets" / "fonts" / f"SourceSans3-{face}.woff2").read_bytes()
        source = f"data:font/woff2;base64,{base64.b64encode(data).decode('ascii')}"
        rules.append(render_font_face(style, weight, source=source))
    return "\n".join(rules)


def render_font_face(style: str, weight: int, *, source: str) -> str:
    """Return the rule that names one face's file."""
    return (
        f'@font-face {{ font-family: "Source Sans 3"; font-style: {style}; font-weight: {weight}; '
        f'src: url("{source}") format("woff2"); }}'
    )


def _render_title_block(title: Title) -> str:
    kind = f'<p class="kind">{text(title.kind)}</p>\n' if title.kind else ""
    subtitle = f'\n<p class="subtitle">{text(title.subtitle)}</p>' if title.subtitle else ""
    facts = "".join(f"<li>{text(fact)}</li>" for fact in title.facts)
    listed = f'\n<ul class="facts">{facts}</ul>' if facts else ""
    return f'<header class="title-block"><div>\n{kind}<h1>{text(title.text)}</h1>{subtitle}{listed}\n</div></header>'


@dataclass(frozen=True, slots=True)
class _Page:
    """Writes blocks with one document's anchors and numbers."""

    outline: Outline

    def contents(self) -> str:
        """Return the list of contents, or nothing for a short document."""
        if not self.outline.contents:
            return ""
        items = "".join(
            f'<li><a href="{escape_link_address("#" + entry.anchor)}">{text(entry.text)}</a></li>'
            for entry in self.outline.contents
        )
        heading = f'<h2 id="page-contents">{text(self.outline.words.contents)}</h2>'
        return f'<nav class="contents" aria-labelledby="page-contents">{heading}<ol>{items}</ol></nav>\n'

    def sections(self, blocks: Sequence[Block]) -> list[str]:
        """Return the blocks' HTML, each first-level heading beginning a section."""
        parts: list[str] = []
        is_open = False
        for place, block in enumerate(blocks):
            if isinstance(block, Heading) and block.level == 1:
                parts.append(
                    ("</section>\n" if is_open else "") + f'<section aria-labelledby="{self._get_block_id(place)}">'
                )
                is_open = True
            parts.append(self.block(place, block))
        return [part for part in parts if part] + (["</section>"] if is_open else [])

    def block(self, place: int, block: Block) -> str:
        """Return one block's HTML; "" for the title, which stands above the text."""
        match block:
            case Title():
                return ""
            case Heading():
                return f'<h{block.level + 1} id="{self._get_block_id(place)}">{text(block.text)}</h{block.level + 1}>'
            case Paragraph():
                return f'<p class="{block.style}">{self.inline(block.text)}</p>'
            case Bullets():
                tag = "ol" if block.numbered else "ul"
                return f"<{tag}>" + "".join(f"<li>{self.inline(item)}</li>" for item in block.items) + f"</{tag}>"
            case Table():
                return self.table(place, block)
            case Figure():
                return self.figure(place, block)
            case Note():
                return self.note(block)
            case KeyFigures():
                return self.key_figures(block)
            case PageBreak():
                return '<div class="page-break"></div>'

    def inline(self, spans: Inline, *, here: str = "") -> str:
        """Return running text; what leads to the anchor ``here``, where it stands, is not made a link."""
        return "".join(self._render_span(span, here) for span in spans)

    def note(self, note: Note) -> str:
        """Return a passage set apart."""
        title = note.title or (self.outline.words.caution if note.kind == "caution" else "")
        head = f'<p class="note-title">{text(title)}</p>' if title else ""
        return f'<div class="note {note.kind}" role="note">{head}<p>{self.inline(note.text)}</p></div>'

    def key_figures(self, block: KeyFigures) -> str:
        """Return large numbers side by side."""
        items = "".join(
            f'<li><span class="value">{self.inline(figure.value)}</span> '
            f'<span class="label">{text(figure.label)}</span>'
            + (f' <span class="detail">{text(figure.detail)}</span>' if figure.detail else "")
            + "</li>"
            for figure in block.figures
        )
        return f'<ul class="key-figures" style="--n: {len(block.figures)}">{items}</ul>'

    def figure(self, place: int, figure: Figure) -> str:
        """Return a picture with its caption below it."""
        picture = clean_svg(figure)
        data = base64.b64encode(picture.source.encode("utf-8")).decode("ascii")
        size = f' width="{picture.width:.0f}" height="{picture.height:.0f}"'
        image = f'<img src="data:image/svg+xml;base64,{data}" alt="{text(figure.alt)}"{size}>'
        box = f'<div class="picture" style="max-width: {100 * figure.width:.0f}%">{image}</div>'
        note = f'<p class="below">{self.inline(figure.note)}</p>' if figure.note else ""
        caption = f"<figcaption>{self._render_caption(place, figure.caption)}</figcaption>"
        drawn = join_set_keys((span.pupils, span.text) for span in figure.numbers)
        data = f' data-pupils-drawn="{text(drawn)}"' if drawn else ""
        return f'<figure id="{self._get_block_id(place)}"{data}>{caption}{box}{note}</figure>'

    def table(self, place: int, table: Table) -> str:
        """Return a table in a box of its own that scrolls when the table is wider than the page."""
        caption = (
            f'<caption id="page-caption-{place}"><span>{self._render_caption(place, table.caption)}</span></caption>'
        )
        total = sum(max(column.width, 0.0) for column in table.columns) or 1.0
        widths = "".join(f'<col style="width: {100 * max(c.width, 0.0) / total:.1f}%">' for c in table.columns)
        rows = "\n".join(self._render_row(table, row) for row in table.rows)
        head = _render_table_head(table.columns)
        inner = f"{caption}<colgroup>{widths}</colgroup>\n<thead>{head}</thead>\n<tbody>{rows}</tbody>"
        box = render_scroll_box(f"<table>{inner}</table>", labelled_by=f"page-caption-{place}")
        note = f'<p class="below">{self.inline(table.note)}</p>' if table.note else ""
        return f'<div class="table" id="{self._get_block_id(place)}">{box}{note}</div>'

    def _render_row(self, table: Table, row: Row) -> str:
        anchor = get_row_anchor(row) if table.anchor == ESTIMATES else ""
        target = f' id="{text(anchor)}"' if anchor else ""
        if row.kind == "section":
            cell = f'<th scope="rowgroup" colspan="{len(table.columns)}">{self.inline(row.cells[0])}</th>'
            return f'<tr class="section"{target}>{cell}</tr>'
        head = f'<th scope="row" class="{table.columns[0].align}">{self.inline(row.cells[0], here=anchor)}</th>'
        cells = "".join(
            f'<td class="{column.align}">{self.inline(cell)}</td>'
            for column, cell in zip(table.columns[1:], row.cells[1:], strict=True)
        )
        return f'<tr class="{row.kind}"{target}>{head}{cells}</tr>'

    def _render_caption(self, place: int, caption: Inline) -> str:
        return f'<span class="label">{text(self.outline.labels[place])}</span> {self.inline(caption)}'

    def _get_block_id(self, place: int) -> str:
        return text(self.outline.anchors[place])

    def _render_span(self, span: Span, here: str) -> str:
        if not span.text:
            return ""
        words = text(span.text)
        words = f"<strong>{words}</strong>" if span.strong else words
        words = f"<em>{words}</em>" if span.emphasis else words
        link = self.outline.link(span)
        words = f'<a href="{escape_link_address(link)}">{words}</a>' if link and link != f"#{here}" else words
        if span.pupils:
            words = f'<span data-pupils="{text(span.pupils)}">{words}</span>'
        if not span.estimate_id:
            return words
        title = text(f"{self.outline.words.estimate} {span.estimate_id}")
        return f'<span data-estimate="{text(span.estimate_id)}" title="{title}">{words}</span>'


def _render_table_head(columns: Sequence[Column]) -> str:
    """Return the head's rows: one, or two when columns stand under spanning heads."""
    if not any(column.group for column in columns):
        return f"<tr>{''.join(_render_column_head(column, 1) for column in columns)}</tr>"
    above: list[str] = []
    below: list[str] = []
    for group, members in groupby(columns, key=lambda column: column.group):
        under = list(members)
        if group:
            above.append(f'<th scope="colgroup" colspan="{len(under)}" class="spanning">{text(group)}</th>')
            below.extend(_render_column_head(column, 1) for column in under)
        else:
            above.extend(_render_column_head(column, 2) for column in under)
    return f"<tr>{''.join(above)}</tr><tr>{''.join(below)}</tr>"


def _render_column_head(column: Column, rows: int) -> str:
    span = ' rowspan="2"' if rows > 1 else ""
    if not column.label:
        return f'<td{span} class="{column.align}"></td>'
    return f'<th scope="col"{span} class="{column.align}">{text(column.label)}</th>'
