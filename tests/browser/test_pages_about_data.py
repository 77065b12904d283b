"""The pages about a trial's data in Debian's Chromium, opened from the disk, in the languages of the partners."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.chromium import CONTRASTS, resize
from tests.support.trials import drawn_trial

pytestmark = pytest.mark.browser

WIDTHS = (360, 1280)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the pages of a small trial."""
    trial = drawn_trial(tmp_path_factory.mktemp("data") / "trial")
    trial.collect()
    return list(trial.returns().files)


def test_the_pages_fit_a_phone_and_a_desk_and_every_text_stands_out(browser: Any, pages: list[Path]) -> None:  # noqa: ANN401
    for width in WIDTHS:
        resize(browser, width)
        for page in pages:
            browser.get(page.resolve().as_uri())
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width, page.name
            found = browser.execute_script(CONTRASTS)
            assert len(found) > 10
            assert [entry for entry in found if entry["ratio"] < entry["least"]] == [], page.name


def test_every_table_has_a_caption_heads_and_a_box_that_the_keyboard_reaches(browser: Any, pages: list[Path]) -> None:  # noqa: ANN401
    for page in pages:
        browser.get(page.resolve().as_uri())
        told = browser.execute_script(
            "return [...document.querySelectorAll('table')].map(t => [t.caption.innerText.trim(), "
            "t.querySelectorAll('th[scope=col]').length, "
            "[...t.tBodies[0].rows].every(r => r.cells[0].tagName === 'TH'), t.parentElement.tabIndex])"
        )
        assert told
        assert all(caption and heads > 1 and rows and index == 0 for caption, heads, rows, index in told), page.name


def test_the_language_is_said_and_nothing_is_asked_of_a_network(browser: Any, pages: list[Path]) -> None:  # noqa: ANN401
    browser.get_log("browser")
    said = {}
    for page in pages:
        browser.get(page.resolve().as_uri())
        said[page.name] = browser.execute_script("return document.documentElement.lang")
        asked = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
        assert [name for name in asked if not name.startswith(("file:", "data:"))] == []
    assert said == {
        "returns.en.html": "en", "returns.HU.hu.html": "hu", "returns.RS.sr.html": "sr-Cyrl",
        "returns.RS.sr-Latn.html": "sr-Latn",
    }  # fmt: skip
    assert browser.get_log("browser") == []
