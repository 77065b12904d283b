"""The page of claims is held to the code."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from tests.support.claims_page import CLAIMS, PAGE, ROOT, page, sentences

CLAIMING = re.compile(
    r"analysis plan|trial’s log (is|was|does)|Results were computed|runs gave|egistration[,.:]|no registration|"
    r"after the freeze[:.]|frozen plan|replaced a plan|^The draw |allocation (does not|agrees)|"
    r"^For the main result|correction for their number|missing for \{share\}|^We cannot say whether being|"
    r"pupils are not printed"
)
"""What a message looks like that claims something about order of events, draw, plan, results or disclosure."""


def test_the_page_is_the_one_that_the_code_gives() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.support.claims_page"


@pytest.mark.parametrize("name", sorted({name for claim in CLAIMS for name in (*claim.decides, *claim.says)}))
def test_every_function_that_says_or_decides_is_there(name: str) -> None:
    module, function = name.split(":")
    assert callable(getattr(import_module(module), function))


def test_every_message_that_claims_is_on_the_page() -> None:
    pot = (ROOT / "reports" / "locales" / "messages.pot").read_text(encoding="utf-8")
    blocks = re.findall(r'^msgid(?:_plural)? ((?:"(?:[^"\\]|\\.)*"\n)+)', pot, flags=re.MULTILINE)
    messages = ["".join(re.findall(r'"((?:[^"\\]|\\.)*)"', block)) for block in blocks]
    listed = {sentence for claim in CLAIMS for name in claim.says for sentence in sentences(name)}
    claiming = {message for message in messages if CLAIMING.search(message)}
    assert len(claiming) > 25
    assert claiming - listed == set()
