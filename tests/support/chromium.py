"""Debian's Chromium without a window, for tests that open pages from the disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

CONTRASTS = """
const channel = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
const parts = colour => colour.match(/[0-9.]+/g).map(Number);
const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
const behind = element => {
  for (let e = element; e; e = e.parentElement) {
    const c = parts(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c;
  }
  return [255, 255, 255];
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || !element.getClientRects().length) continue;
  const style = getComputedStyle(element);
  const [a, b] = [light(parts(style.color)), light(behind(element))].sort((x, y) => y - x);
  const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 600);
  const text = walker.currentNode.textContent.trim().slice(0, 40);
  found.push({text, ratio: (a + 0.05) / (b + 0.05), least: large ? 3 : 4.5});
}
return found;
"""
"""Script that returns the contrast of every text with what is behind it, and the least that is enough."""


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:  # selenium's drivers differ by browser
    """Give a browser with a profile of its own; skip where there is none, unless CROCOOS_REQUIRE_BROWSER is set."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        reason = "needs Debian's packages chromium and chromium-driver (apt-get install)"
        if os.environ.get("CROCOOS_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield opened
    finally:
        opened.quit()


def resize(browser: Any, width: int) -> None:  # noqa: ANN401 -- selenium's drivers differ by browser
    """Give the window a width; below 600 it is a phone."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def followed(browser: Any, start: Path) -> set[str]:  # noqa: ANN401 -- selenium's drivers differ by browser
    """Open a page and every page that can be reached from it, and return the addresses that were met.

    Each must be a file with a title, and each anchor must be on its page.
    """
    resize(browser, 1280)
    seen: set[str] = set()
    waiting = [start.resolve().as_uri()]
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        path = Path(unquote(urlsplit(address).path))
        assert path.is_file(), address
        if path.suffix != ".html":
            continue
        if urlsplit(address).fragment and browser.current_url.split("#")[0] == address.split("#")[0]:
            anchor = unquote(urlsplit(address).fragment)
            assert browser.execute_script("return document.getElementById(arguments[0]) !== null", anchor), address
            continue
        browser.get(address)
        assert browser.title
        links = browser.execute_script("return [...document.querySelectorAll('a[href]')].map(a => a.href)")
        waiting += [link for link in links if link.startswith("file:")]
        if urlsplit(address).fragment:
            assert browser.execute_script("return document.querySelector(':target') !== null"), address
    return seen
