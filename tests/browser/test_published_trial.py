"""The site of a trial that was run from start to end, in Debian's Chromium, opened from the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.chromium import followed, resize
from tests.support.trials import estimated_trial, short_protocol

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site of a small trial."""
    trial = estimated_trial(tmp_path_factory.mktemp("published") / "trial", text=short_protocol())
    trial.report()
    return trial.publish().folder


def test_every_page_and_download_can_be_reached_from_the_start_page(browser: Any, site: Path) -> None:  # noqa: ANN401
    seen = {Path(unquote(urlsplit(address).path)).name for address in followed(browser, site / "index.html")}
    assert {"index.html", "countries.html", "downloads.html", "estimates.csv", "trial.toml"} <= seen
    for stem in ("evidence_summary.en", "experimental_report.en", "country_report_HU.en", "country_report_RS.en"):
        assert {f"{stem}.html", f"{stem}.pdf"} <= seen


def test_the_report_of_the_trial_fits_a_phone(browser: Any, site: Path) -> None:  # noqa: ANN401
    resize(browser, 360)
    for page in sorted(site.rglob("*.html")):
        browser.get(page.resolve().as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360, page.name


def test_no_code_is_in_what_partners_read(browser: Any, site: Path) -> None:  # noqa: ANN401
    for page in sorted((site / "documents").glob("*.html")):
        browser.get(page.resolve().as_uri())
        words = browser.execute_script("return document.body.innerText")
        for code in ("import ", "show(", "Traceback", "NaN", "nan%", "None"):
            assert code not in words, (page.name, code)
