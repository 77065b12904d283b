"""A document as a tagged PDF, set by typst.

The document's text never becomes typst's markup: the page template reads it as JSON, so there is nothing to escape
and nothing that a text could make typst do.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import unicodedata
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, cast

from data_schema.errors import ReportError
from reports.blocks import Block, Figure, Heading, Note, Span, Table, to_json
from reports.writers.outline import ESTIMATES, Outline, build_outline, get_row_anchor
from reports.writers.pictures import clean_svg

if TYPE_CHECKING:
    import typst

    from reports.documents import Document

_FONTS = ("SourceSans3-Regular.ttf", "SourceSans3-It.ttf", "SourceSans3-Semibold.ttf")
_DATE = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_ABSOLUTE = re.compile(r"(https?|mailto):", re.IGNORECASE)
_MISSING = "□"
_NO_BREAK = "\u00a0\u202f"


def pdf_bytes(document: Document, *, language: str) -> bytes:
    """Return a document as a PDF/UA-1 file on A4; the same document gives the same bytes.

    Parameters
    ----------
    document
        What to write.
    language
        Code of the language that the document is in.

    Raises
    ------
    ReportError
        When typst cannot set the document.
    """
    import typst

    try:
        pdf: bytes = typst.compile(
            _load_template(),
            font_paths=_load_fonts(),
            sys_inputs={"document": json.dumps(_build_template_content(document, language), ensure_ascii=True)},
            pdf_standards=["ua-1"],
            timestamp=_DATE,
        )
    except typst.TypstError as error:
        name = document.title.text[:60]
        raise ReportError(
            f"The document '{name}'", f"it cannot be set ({error}).", "Mend what is named here."
        ) from error
    return pdf


def convert_to_printable(text: str) -> str:
    r"""Return text with nothing that the fonts cannot show.

    Letters are composed, white space of every kind becomes a space, invisible signs go, and what has no glyph becomes
    an empty box: a PDF/UA file may not hold a sign that cannot be seen.

    Examples
    --------
    >>> convert_to_printable("school\tone \u6f22")
    'school one □'
    """
    if text.isascii() and text.isprintable():
        return text  # most texts of a document, which has tens of thousands
    return "".join(_convert_to_shown_sign(sign) for sign in unicodedata.normalize("NFC", text))


def _convert_to_shown_sign(sign: str) -> str:
    kind = unicodedata.category(sign)
    if sign in _NO_BREAK:
        return sign if ord(sign) in _load_shared_glyphs() else _NO_BREAK[0]
    if ord(sign) in _load_shared_glyphs() and not sign.isspace():
        return sign
    if sign.isspace() or kind[0] == "Z":
        return " "
    return "" if kind in {"Cc", "Cf", "Cs"} else _MISSING


@lru_cache(maxsize=1)
def _load_shared_glyphs() -> frozenset[int]:
    """Return the code points that all three faces have, without invisible signs."""
    from fontTools.ttLib import TTFont

    folder = resources.files("reports") / "assets" / "fonts"
    faces = []
    for name in _FONTS:
        with TTFont(str(folder / name), lazy=True) as font:
            faces.append(set(font.getBestCmap()))
    invisible = {"Cc", "Cf"}
    return frozenset(point for point in set.intersection(*faces) if unicodedata.category(chr(point)) not in invisible)


@lru_cache(maxsize=1)
def _load_template() -> bytes:
    return (resources.files("reports") / "assets" / "report.typ").read_bytes()


@lru_cache(maxsize=1)
def _load_fonts() -> typst.Fonts:
    """Return the fonts of the toolkit, and none of the machine's: a PDF looks the same everywhere."""
    import typst

    folder = resources.files("reports") / "assets" / "fonts"
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(folder)])


def _build_template_content(document: Document, language: str) -> dict[str, object]:
    """Return what the page template reads."""
    outline = build_outline(document, language=language)
    title = _format_heading(document.title.text)
    practice = outline.words.practice
    tag, _, script = outline.language.tag.partition("-")
    return {
        "language": {"lang": tag, "script": script.lower() or "auto"},
        "title": {**cast("dict[str, object]", _clean_json_texts(to_json(document.title))), "text": title},
        "running": _take_short_title(title),
        "practice": None
        if practice is None
        else {"mark": convert_to_printable(practice.mark), "notice": convert_to_printable(practice.notice)},
        "words": {"page": outline.words.page, "contents": outline.words.contents},
        "contents": bool(outline.contents),
        "blocks": [_convert_block_to_json(place, block, outline) for place, block in enumerate(document.blocks)],
    }


def _convert_block_to_json(place: int, block: Block, outline: Outline) -> dict[str, object]:
    """Return a block as the template reads it: with its anchor, its label, and where its spans lead."""
    content = cast("dict[str, object]", _clean_json_texts(_resolve_links(to_json(block), outline)))
    if place in outline.anchors:
        content["anchor"] = _format_label(outline.anchors[place])
    if place in outline.labels:
        content["label"] = outline.labels[place]
    if isinstance(block, Heading):
        content["text"] = _format_heading(block.text)
    if isinstance(block, Figure):
        content["svg"] = clean_svg(block).source
    if isinstance(block, Note) and block.kind == "caution" and not block.title:
        content["title"] = outline.words.caution
    if isinstance(block, Table):
        rows = cast("list[dict[str, object]]", content["rows"])
        for row, source in zip(rows, block.rows, strict=True):
            anchor = get_row_anchor(source) if block.anchor == ESTIMATES else ""
            row["anchor"] = _format_label(anchor) if anchor else ""
    return content


def _resolve_links(value: object, outline: Outline) -> object:
    """Return JSON values with every span's link resolved: to a label of the document, to an address, or nowhere."""
    if isinstance(value, list):
        return [_resolve_links(item, outline) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("is") == "Span":
        link = outline.link(Span(text="", link=value["link"], estimate_id=value["estimate_id"]))
        inside = _format_label(link[1:]) if link.startswith("#") else ""
        return value | {"anchor": inside, "link": link if _ABSOLUTE.match(link) else ""}
    return {name: _resolve_links(item, outline) for name, item in value.items()}


def _clean_json_texts(value: object) -> object:
    """Return JSON values whose texts hold only what the fonts can show."""
    if isinstance(value, str):
        return convert_to_printable(value)
    if isinstance(value, list):
        return [_clean_json_texts(item) for item in value]
    if isinstance(value, dict):
        return {name: _clean_json_texts(item) for name, item in value.items()}
    return value


def _format_heading(text: str) -> str:
    """Return a heading's text; one of invisible signs only is a box, since PDF/UA wants to see something."""
    return convert_to_printable(text).strip() or _MISSING


def _format_label(anchor: str) -> str:
    return f"to-{anchor}"


def _take_short_title(text: str, *, longest: int = 90) -> str:
    """Return a title short enough for the head of a page, cut between words."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[:longest].rsplit(" ", 1)[0] + " …"
