"""The page of claims is held to the code."""

from __future__ import annotations

from importlib import import_module
from operator import attrgetter

import pytest

from tests.support.claims_page import CLAIMS, EXPLAINS, PAGE, is_sentence, page, saying, sentences


def test_the_page_is_the_one_that_the_code_gives() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.support.claims_page"


@pytest.mark.parametrize("name", sorted({name for claim in CLAIMS for name in (*claim.decides, *claim.says)}))
def test_every_function_that_says_or_decides_is_there(name: str) -> None:
    module, function = name.split(":")
    found = attrgetter(function)(import_module(module))
    assert callable(found) or sentences(name)


def test_no_sentence_of_the_reports_stands_outside_the_page() -> None:
    listed = {name for claim in CLAIMS for name in claim.says} | set(EXPLAINS)
    outside = {name for name, said in saying().items() if any(map(is_sentence, said))} - listed
    assert outside == set(), "name who decides these, in tests/support/claims_page.py"
    assert sum(is_sentence(message) for said in saying().values() for message in said) > 250


def test_nothing_is_listed_twice_or_says_nothing() -> None:
    listed = [*(name for claim in CLAIMS for name in claim.says), *EXPLAINS]
    assert len(listed) == len(set(listed))
    assert [name for name in listed if not sentences(name)] == []
