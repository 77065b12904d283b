"""Pictures in documents: SVG that is well-formed, that has a size, and that asks for nothing from outside."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from data_schema.errors import ReportError
from reports.blocks import Figure, join_plain_text

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_ACTIVE = {"script", "foreignObject", "iframe", "audio", "video", "animate", "set", "animateTransform", "animateMotion"}
_LENGTH = re.compile(r"\s*([0-9.]+)\s*(px|pt|pc|mm|cm|in)?\s*$")
_PIXELS = {"px": 1.0, "": 1.0, "pt": 96 / 72, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An SVG's source with its size in CSS pixels."""

    source: str
    width: float
    height: float


def clean_svg(figure: Figure) -> Picture:
    """Return a figure's picture, without anything that runs, or that is fetched from elsewhere.

    Parameters
    ----------
    figure
        The figure; its ``svg`` may begin with an XML declaration and a document type.

    Raises
    ------
    ReportError
        When the picture is not SVG, has no size, or the figure has no text for those who cannot see it.
    """
    from defusedxml.ElementTree import fromstring

    name = join_plain_text(figure.caption)[:60]
    if not figure.alt.strip():
        raise ReportError(
            f"The figure '{name}'", "there is no text for those who cannot see it.", "Give it an `alt` text."
        )
    try:
        root = fromstring(re.sub(r"<!DOCTYPE[^>\[]*>", "", figure.svg, count=1))
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise ReportError(f"The figure '{name}'", f"its picture is not SVG ({reason}).", "Draw it again.") from error
    size = _measure_picture(root)
    if root.tag != f"{{{_SVG}}}svg" or size is None:
        raise ReportError(f"The figure '{name}'", "its picture is not SVG with a size.", "Draw it again.")
    _remove_active_content(root)
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    return Picture(source=ET.tostring(root, encoding="unicode"), width=size[0], height=size[1])


def _measure_picture(root: ET.Element) -> tuple[float, float] | None:
    """Return width and height in pixels, from the attributes or the view box; None when neither says."""
    length_matches = [_LENGTH.match(root.get(name, "")) for name in ("width", "height")]
    if all(length_matches):
        sides = [float(match[1]) * _PIXELS[match[2] or ""] for match in length_matches if match]
    else:
        sides = [float(part) for part in re.findall(r"[0-9.]+", root.get("viewBox", ""))[2:4]]
    return (sides[0], sides[1]) if len(sides) == 2 and min(sides) > 0 else None


def _remove_active_content(element: ET.Element) -> None:
    """Take out what runs or fetches, here and below."""
    for name in list(element.attrib):
        local = name.rpartition("}")[2].lower()
        outside = local in {"href", "src"} and not re.match(r"#|data:image/(png|jpeg);", element.attrib[name])
        if local.startswith("on") or outside:
            del element.attrib[name]
    for child in list(element):
        if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] in _ACTIVE:
            element.remove(child)
        else:
            _remove_active_content(child)
