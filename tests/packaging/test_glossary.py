"""The glossary: commands, keys of the protocol and headings use its terms, and none of the words that it replaces."""

from __future__ import annotations

import re

from evaluation.cli.commands import COMMANDS
from evaluation.protocol import Protocol
from tests.packaging.test_documentation import READMES, _models
from tests.support.protocols import ROOT

GLOSSARY = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", GLOSSARY, re.MULTILINE)[1:]
REPLACED = {word.strip() for _, _, others in ROWS for word in others.split(",")}


def test_each_term_stands_once_and_replaces_other_words() -> None:
    terms = [term for term, _, _ in ROWS]
    assert len(terms) == len(set(terms)) > 30
    assert not set(terms) & REPLACED


def test_no_command_is_called_by_a_word_that_a_term_replaces() -> None:
    assert not set(COMMANDS) & REPLACED


def test_no_key_of_the_protocol_is_called_by_a_word_that_a_term_replaces() -> None:
    keys = {part for model in _models(Protocol) for key in model.model_fields for part in (key, *key.split("_"))}
    assert not keys & REPLACED


def test_no_heading_has_a_word_that_a_term_replaces() -> None:
    for readme in (*READMES, ROOT / "CONTRIBUTING.md"):
        headings = re.findall(r"^#+ (.*)$", readme.read_text(encoding="utf-8"), re.MULTILINE)
        said = {word for heading in headings for word in re.findall(r"[a-z-]+", heading.casefold())}
        assert not said & REPLACED, readme
