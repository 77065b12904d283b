"""The published site in Debian's Chromium, opened from the disk."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.chromium import CONTRASTS, followed, resize
from tests.support.demonstration_site import built_site

WIDTHS = (360, 768, 1280)

pytestmark = pytest.mark.browser

TARGETS = """
return [...document.querySelectorAll('nav a, .places a, .card-title a')].filter(a => a.getClientRects().length)
  .map(a => [a.textContent, a.getBoundingClientRect().height]);
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a built site."""
    return built_site(tmp_path_factory.mktemp("browser"))


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_every_link_can_be_followed_from_the_start_page(browser: Any, site: Path) -> None:  # noqa: ANN401
    seen = followed(browser, site / "index.html")
    files = {Path(unquote(urlsplit(address).path)) for address in seen}
    assert {page.resolve() for page in pages(site)} <= files
    assert {path.suffix for path in files} == {".html", ".pdf", ".csv", ".toml"}
    assert len(seen) > len(files), "anchors were followed too"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_the_window(browser: Any, site: Path, width: int) -> None:  # noqa: ANN401
    resize(browser, width)
    for page in pages(site):
        browser.get(page.resolve().as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width, page.name


def test_wide_tables_scroll_in_boxes_of_their_own(browser: Any, site: Path) -> None:  # noqa: ANN401
    resize(browser, 360)
    browser.get((site / "documents" / "experimental_report.html").resolve().as_uri())
    boxes = browser.execute_script(
        "return [...document.querySelectorAll('.scroll')].map(b => [b.scrollWidth > b.clientWidth, b.tabIndex, "
        "document.getElementById(b.getAttribute('aria-labelledby')) !== null])"
    )
    assert any(wide for wide, _, _ in boxes)
    assert all(index == 0 and named for _, index, named in boxes), (
        "a box that scrolls can be reached by keyboard and has a name"
    )


def test_every_picture_has_an_alternative_and_is_drawn(browser: Any, site: Path) -> None:  # noqa: ANN401
    browser.get((site / "documents" / "experimental_report.html").resolve().as_uri())
    pictures = browser.execute_script("return [...document.images].map(i => [i.alt, i.complete && i.naturalWidth])")
    assert len(pictures) == 1
    assert all(alt.strip() and width > 0 for alt, width in pictures)


@pytest.mark.parametrize("width", [360, 1280])
def test_every_text_stands_out_from_what_is_behind_it(browser: Any, site: Path, width: int) -> None:  # noqa: ANN401
    resize(browser, width)
    for page in pages(site):
        browser.get(page.resolve().as_uri())
        found = browser.execute_script(CONTRASTS)
        assert len(found) > 10
        assert [entry for entry in found if entry["ratio"] < entry["least"]] == [], page.name


def test_text_is_set_in_the_font_that_the_site_brings_along(browser: Any, site: Path) -> None:  # noqa: ANN401
    for page in (site / "index.html", site / "documents" / "evidence_summary.html"):
        browser.get(page.resolve().as_uri())
        loaded = browser.execute_async_script(
            "const done = arguments[0]; document.fonts.ready.then(() => done([...document.fonts]"
            ".filter(f => f.status === 'loaded').map(f => f.family + ' ' + f.weight + ' ' + f.style)))"
        )
        assert {re.sub('"', "", face) for face in loaded} >= {"Source Sans 3 400 normal", "Source Sans 3 600 normal"}


def test_nothing_is_reported_and_nothing_is_asked_of_a_network(browser: Any, site: Path) -> None:  # noqa: ANN401
    browser.get_log("browser")
    for page in pages(site):
        browser.get(page.resolve().as_uri())
        asked = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
        assert [name for name in asked if not name.startswith(("file:", "data:"))] == []
        assert browser.execute_script("return document.scripts.length") == 0
    assert browser.get_log("browser") == []


def test_the_first_stop_of_the_keyboard_skips_to_the_text(browser: Any, site: Path) -> None:  # noqa: ANN401
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    resize(browser, 1280)
    browser.get((site / "documents" / "experimental_report.html").resolve().as_uri())
    browser.switch_to.active_element.send_keys(keys.TAB)
    link = browser.switch_to.active_element
    assert link.text == "Skip to the text"
    assert link.is_displayed()
    link.send_keys(keys.ENTER)
    assert browser.execute_script("return document.activeElement.id") == "page-text"


def test_links_are_large_enough_for_a_thumb(browser: Any, site: Path) -> None:  # noqa: ANN401
    resize(browser, 360)
    for page in pages(site):
        browser.get(page.resolve().as_uri())
        small = [(text, height) for text, height in browser.execute_script(TARGETS) if height < 24]
        assert small == [], page.name


def test_in_print_the_line_of_links_and_the_contents_are_left_out(browser: Any, site: Path) -> None:  # noqa: ANN401
    resize(browser, 1280)
    browser.get((site / "documents" / "experimental_report.html").resolve().as_uri())
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        shown = browser.execute_script(
            "return ['.site', '.contents', '.skip', 'main']"
            ".map(s => getComputedStyle(document.querySelector(s)).display)"
        )
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert shown[:3] == ["none"] * 3
    assert shown[3] != "none"
