"""An HTML page taken apart by the standard library's parser: its elements, its text, its ids and its links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "col", "hr", "input"}


@dataclass
class Element:
    """An element with its attributes and the text inside it."""

    tag: str
    attributes: Mapping[str, str]
    inside: tuple[str, ...]
    text: str = ""


@dataclass
class Tree:
    """A page."""

    elements: list[Element] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def all(self, tag: str) -> list[Element]:
        """Return every element of a tag."""
        return [element for element in self.elements if element.tag == tag]

    def one(self, tag: str) -> Element:
        """Return the only element of a tag."""
        (element,) = self.all(tag)
        return element

    @property
    def ids(self) -> list[str]:
        """Every id, in order."""
        return [element.attributes["id"] for element in self.elements if "id" in element.attributes]


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tree = Tree()
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(
            tag=tag,
            attributes={name: value or "" for name, value in attrs},
            inside=tuple(parent.tag for parent in self.open),
        )
        self.tree.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1].tag != tag:
            self.tree.unbalanced.append(tag)
            return
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def handle_comment(self, data: str) -> None:
        self.tree.comments.append(data)


def parse(page: str) -> Tree:
    """Return a page taken apart."""
    builder = _Builder()
    builder.feed(page)
    builder.close()
    builder.tree.unbalanced.extend(element.tag for element in builder.open)
    return builder.tree
