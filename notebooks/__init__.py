"""The notebooks that reports are made of, as templates that take a trial's folder, a country and a language."""

from __future__ import annotations

from pathlib import Path

TEMPLATES = ("country_report", "evidence_summary", "experimental_report")
"""Names of the templates."""


def template(name: str) -> Path:
    """Return where a template is.

    Parameters
    ----------
    name
        One of `TEMPLATES`.

    Raises
    ------
    KeyError
        When there is no such template.

    Examples
    --------
    >>> template("evidence_summary").name
    'evidence_summary.ipynb'
    """
    if name not in TEMPLATES:
        raise KeyError(f"{name!r} is not a template; there are {', '.join(TEMPLATES)}.")
    return Path(__file__).parent / "templates" / f"{name}.ipynb"
