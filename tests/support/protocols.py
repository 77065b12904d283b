"""Protocols for tests: the shipped templates, and changes to them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evaluation.protocol import Protocol
from evaluation.protocol_reader import load_toml, parse_protocol

ROOT = Path(__file__).resolve().parents[2]
CROCOOS = ROOT / "evaluation" / "templates" / "crocoos" / "trial.toml"
MINIMAL = ROOT / "evaluation" / "templates" / "minimal" / "trial.toml"
AWARDS = ROOT / "examples" / "achievement-awards"

# A TOML document holds tables, lists and values of any kind at any depth.
Values = dict[str, Any]


def values_of(path: Path = CROCOOS) -> Values:
    """Return a protocol's values, free to be changed."""
    return copy.deepcopy(load_toml(path))


def changed(change: Callable[[Values], object], path: Path = CROCOOS) -> Protocol:
    """Return the protocol of a template after a change to its values."""
    values = values_of(path)
    change(values)
    return parse_protocol(values)
