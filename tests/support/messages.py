"""Collects the messages of ``reports`` from its code into ``reports/locales/messages.pot``.

Run ``python -m tests.support.messages`` after a text was changed.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

PACKAGE = Path(__file__).resolve().parents[2] / "reports"
TEMPLATE = PACKAGE / "locales" / "messages.pot"

SINGLE = {"text", "line", "message"}
"""Names of functions whose first argument is a message."""

DOUBLE = {"plural", "plural_line"}
"""Names of functions whose first two arguments are the forms of a message."""

_HOLDERS = {"words", "text", "catalogue", "self"}


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


def literals(name: str, call: ast.Call) -> tuple[str, ...] | None:
    """Return the messages of a call; None when they are not written in it."""
    wanted = call.args[: 2 if name in DOUBLE else 1]
    found = [arg.value for arg in wanted if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    return tuple(found) if len(found) == len(wanted) else None


def collected(package: Path = PACKAGE) -> dict[tuple[str, ...], list[str]]:
    """Return each message (one or two forms) with the files that it stands in."""
    messages: dict[tuple[str, ...], list[str]] = {}
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package.parent).as_posix()
        for name, call in calls(ast.parse(path.read_text(encoding="utf-8"))):
            found = literals(name, call)
            if found is not None and place not in messages.setdefault(found, []):
                messages[found].append(place)
    return messages


def template(package: Path = PACKAGE) -> str:
    """Return the text of the template that translators start from."""
    catalogue = Catalog(project="crocoos", charset="utf-8")
    for forms, places in sorted(collected(package).items()):
        catalogue.add(forms if len(forms) > 1 else forms[0], locations=[(place, 0) for place in places])
    written = io.BytesIO()
    write_po(written, catalogue, omit_header=True, sort_output=True, include_lineno=False, width=110)
    return written.getvalue().decode("utf-8")


if __name__ == "__main__":
    TEMPLATE.write_text(template(), encoding="utf-8")
