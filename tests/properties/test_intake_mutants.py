"""Damaged files by the thousand: none raises, none ends the run, none is passed over."""

from __future__ import annotations

import pytest

from tests.support.mutants import batches, outcomes


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_damaged_files_of_every_kind_are_kept_or_told_of(seed: int) -> None:
    seen = [outcome for files in batches(1_000, seed=seed) for outcome in outcomes(files).values()]
    assert len(seen) == 1_000
    assert set(seen) <= {"kept", "told of", "stopped"}
