"""The trial as a folder, its stages, the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation import origin

if TYPE_CHECKING:
    from evaluation.protocol import Protocol
    from evaluation.protocol_reader import read_protocol
    from evaluation.trial import Trial

__all__ = ["Protocol", "Trial", "read_protocol"]

origin.check()

_HOMES = {
    "Protocol": "evaluation.protocol",
    "Trial": "evaluation.trial",
    "read_protocol": "evaluation.protocol_reader",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that the command line answers at once."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'evaluation' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
