"""One browser for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.chromium import chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:  # selenium's drivers differ by browser
    """Return a Chromium without a window, in a profile of its own."""
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened
