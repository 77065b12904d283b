"""Collects the messages of each catalogue from the code into its ``locales/messages.pot``.

Run ``python -m tests.support.messages`` after a text was changed.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "reports"

SINGLE = {"text", "line", "message"}
"""Names of functions whose first argument is a message."""

DOUBLE = {"plural", "plural_line"}
"""Names of functions whose first two arguments are the forms of a message."""

_HOLDERS = {"words", "text", "catalogue", "self"}

Forms = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A catalogue: its folder, the folders of code whose messages it holds, and those in them that have their own."""

    folder: Path
    code: tuple[Path, ...]
    without: tuple[Path, ...] = ()

    @property
    def template(self) -> Path:
        """The template that translators start from."""
        return self.folder / "locales" / "messages.pot"

    def files(self) -> Iterator[Path]:
        """Yield the files of code."""
        for folder in self.code:
            for path in sorted(folder.rglob("*.py")):
                if not any(path.is_relative_to(other) for other in self.without):
                    yield path


REPORTS = Source(folder=PACKAGE, code=(PACKAGE,), without=(PACKAGE / "writers", PACKAGE / "data_pages"))
WRITERS = Source(folder=PACKAGE / "writers", code=(PACKAGE / "writers",))
DATA = Source(folder=ROOT / "data_schema", code=(ROOT / "data_schema", PACKAGE / "data_pages"))
SOURCES = (REPORTS, WRITERS, DATA)


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls that take messages, with the function's name."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        function = node.func
        if isinstance(function, ast.Name) and function.id == "message":
            yield function.id, node
        if isinstance(function, ast.Attribute) and function.attr in SINGLE | DOUBLE and _holds_messages(function.value):
            yield function.attr, node


def _holds_messages(value: ast.expr) -> bool:
    name = value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""
    return name in _HOLDERS


def literals(name: str, call: ast.Call) -> Forms | None:
    """Return the messages of a call; None when they are not written in it."""
    wanted = call.args[: 2 if name in DOUBLE else 1]
    found = [arg.value for arg in wanted if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    return tuple(found) if len(found) == len(wanted) else None


def collected(source: Source = REPORTS) -> dict[Forms, list[str]]:
    """Return each message (one or two forms) with the files that it is in."""
    messages: dict[Forms, list[str]] = {}
    for path in source.files():
        place = path.relative_to(ROOT).as_posix()
        for name, call in calls(ast.parse(path.read_text(encoding="utf-8"))):
            found = literals(name, call)
            if found is not None:
                _note(messages, found, place)
    if source is DATA:
        for text, place in _data_texts():
            _note(messages, (text,), place)
        _note(messages, _PUPILS, "reports/words.py")
    return messages


def _note(messages: dict[Forms, list[str]], forms: Forms, place: str) -> None:
    places = messages.setdefault(forms, [])
    if place not in places:
        places.append(place)


def _data_texts() -> Iterable[tuple[str, str]]:
    """Yield what the catalogue of data holds beyond the messages of calls: sentences, labels, borrowed words."""
    from data_schema.school_tables import standard_tables
    from data_schema.sentences import REASONS, SENTENCES

    for text in (*SENTENCES, *REASONS):
        yield text, "data_schema/sentences.py"
    for table in standard_tables().values():
        yield table.label, "data_schema/tables.py"
        for field in table.fields:
            if field.unit not in ("", "mark", "share", "currency"):
                yield field.unit, "data_schema/tables.py"
            for code in field.codes:
                yield code.label, "data_schema/vocabulary.py"
    for text in _BORROWED:
        yield text, "reports/tables/layout.py"


_PUPILS = ("{n} pupil", "{n} pupils")
"""The word by which the gate of publication knows a number of pupils in pages about data."""

_BORROWED = (
    "c",
    "{mark}: not printed, to protect pupils; it represents fewer than {n}, or would give away a figure that does.",
    "{mark}: rounded in steps of {n}, so that no small number of pupils can be worked out from it.",
    "≈{number}",
    "{left}, {right}",
    "{left} and {right}",
)
"""Messages that pages about data share with reports, which look them up in the catalogue that they are given."""


def template(source: Source = REPORTS) -> str:
    """Return the text of the template that translators start from."""
    catalogue = Catalog(project="crocoos", charset="utf-8")
    for forms, places in sorted(collected(source).items()):
        catalogue.add(forms if len(forms) > 1 else forms[0], locations=[(place, 0) for place in places])
    written = io.BytesIO()
    write_po(written, catalogue, omit_header=True, sort_output=True, include_lineno=False, width=110)
    return written.getvalue().decode("utf-8")


if __name__ == "__main__":
    for each in SOURCES:
        each.template.write_text(template(each), encoding="utf-8")
