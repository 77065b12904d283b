"""How the tests that try random examples are run: the same examples every time, or new ones.

The suite must say the same about the same commit, so by default a property is tried on examples that follow from the
test alone. ``make search`` looks for new counterexamples; what it finds becomes an example of the test.
"""

from __future__ import annotations

import gc

from hypothesis import HealthCheck, settings

_ON_A_BUSY_MACHINE = [HealthCheck.too_slow]

settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=_ON_A_BUSY_MACHINE)
settings.register_profile("search", derandomize=False, deadline=None, suppress_health_check=_ON_A_BUSY_MACHINE)
settings.load_profile("same")


def pytest_collection_finish() -> None:
    """Keep what collecting has made, which lives as long as the run, out of every search for garbage."""
    gc.collect()
    gc.freeze()
