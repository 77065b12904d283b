"""Refuse to run when another package hides one of ours.

The packages have general names. A file ``analysis.py`` beside the trial, or another distribution's ``reports``, would
be imported in our place and fail somewhere deep, or worse, not fail.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

SIBLINGS = ("data_schema", "randomisation", "analysis", "reports", "notebooks", "evaluation")


class ShadowedPackageError(ImportError):
    """Another file or package would be imported in place of one of ours."""


def check(root: Path | None = None) -> None:
    """Compare where each sibling package would be imported from with its own folder.

    Parameters
    ----------
    root
        The folder that holds the packages; that of this file when None.

    Raises
    ------
    ShadowedPackageError
        Naming the file that is in the way and what to do about it.
    """
    home = (root or Path(__file__).resolve().parent.parent).resolve()
    for name in SIBLINGS:
        spec = importlib.util.find_spec(name)
        imported_path = Path(spec.origin).resolve() if spec is not None and spec.origin is not None else None
        if imported_path != home / name / "__init__.py":
            raise ShadowedPackageError(
                f"{imported_path or name}: this would be imported in place of crocoos' own package '{name}' "
                f"({home / name}). Rename or move it, or run crocoos from another folder."
            )
