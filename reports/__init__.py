"""From evidence to pages: sections, tables, figures, sentences, documents."""

from reports.blocks import show
from reports.evidence import Evidence

__all__ = ["Evidence", "blocks", "sections", "show"]


def __getattr__(name: str) -> object:
    """Import the subpackages that notebooks use when they are asked for; drawing libraries wait until then."""
    if name in {"blocks", "sections"}:
        from importlib import import_module

        return import_module(f"reports.{name}")
    raise AttributeError(f"module 'reports' has no attribute {name!r}")
