"""Makes the blocks of a report from evidence, cell by cell as its notebook does, without running the notebook."""

from __future__ import annotations

import ast
import json
from typing import Any

from notebooks import template
from reports import sections
from reports.blocks import Block
from reports.evidence import Evidence


def cells(notebook: str) -> list[dict[str, Any]]:
    """Return the cells of a template as they are in its file."""
    found: list[dict[str, Any]] = json.loads(template(notebook).read_text(encoding="utf-8"))["cells"]
    return found


def section_names(notebook: str) -> list[str]:
    """Return the sections that a template shows, in order."""
    names = []
    for cell in cells(notebook):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and source.startswith("show("):
            shown = ast.parse(source, mode="eval").body
            assert isinstance(shown, ast.Call)
            section = shown.args[0]
            assert isinstance(section, ast.Call)
            assert isinstance(section.func, ast.Attribute)
            names.append(section.func.attr)
    return names


def report(notebook: str, evidence: Evidence, *, language: str = "en") -> tuple[Block, ...]:
    """Return the blocks of a report."""
    return tuple(block for name in section_names(notebook) for block in getattr(sections, name)(evidence, language))
