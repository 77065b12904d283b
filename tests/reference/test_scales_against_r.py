"""Cronbach's alpha and its interval against R (`make/scales.R`)."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from analysis.scales import reliability

EXPECTED = json.loads((Path(__file__).parent / "expected" / "scales.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", EXPECTED["cases"])
def test_alpha_and_its_interval_are_those_of_r(case: str) -> None:
    told = EXPECTED["cases"][case]
    items = pd.DataFrame({f"item_{k}": values for k, values in enumerate(told["items"], start=1)})
    found = reliability(items, reverse={f"item_{k}": (1, 5) for k in told["reversed"]})
    # Closed forms of the same covariances and quantiles of F: nothing but rounding lies between them.
    assert found.alpha == pytest.approx(told["alpha"], rel=1e-12)
    assert found.conf_low == pytest.approx(told["conf_low"], rel=1e-9)
    assert found.conf_high == pytest.approx(told["conf_high"], rel=1e-9)
    assert (found.n_items, found.n_pupils) == items.shape[::-1]
