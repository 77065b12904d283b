"""Power curves: what they say, labels that do not hide one another, the same bytes each time."""

from __future__ import annotations

import re
from itertools import pairwise

from reports.figures.power import Curve, _move_labels_apart, mdes_plot, power_plot
from reports.words import words

CURVES = [
    Curve(
        label=f"ICC {icc:g}", x=tuple(range(20, 101, 10)), y=tuple(0.5 * (1 + icc) * 20 / n for n in range(20, 101, 10))
    )
    for icc in (0.05, 0.1, 0.2)
]
POWER = [
    Curve(label=f"ICC {icc:g}", x=(0.0, 0.1, 0.2, 0.3), y=(0.05, 0.4 - icc, 0.999, 1.0)) for icc in (0.05, 0.1, 0.2)
]


def test_both_figures_are_made_with_caption_and_text_for_those_who_cannot_see() -> None:
    text = words("en")
    made = (
        mdes_plot(CURVES, text, n_schools=60, unit="standard deviations"),
        power_plot(POWER, text, target=0.8, scale=100, unit="percentage points"),
    )
    for figure in made:
        assert figure.svg.startswith("<svg")
        assert figure.alt
        assert figure.caption
        ids = re.findall(r'id="([^"]+)"', figure.svg)
        assert all(name.startswith(f"{figure.anchor}-") for name in ids)
    assert mdes_plot(CURVES, text, n_schools=60, unit="standard deviations") == made[0]
    assert mdes_plot(CURVES, text, n_schools=None, unit="standard deviations") != made[0]


def test_labels_are_moved_apart_in_their_order() -> None:
    placed = _move_labels_apart([1.0, 1.0, 0.9, 5.0], room=0.5)
    assert placed[2] < placed[0] < placed[1] < placed[3]
    gaps = sorted(placed)
    assert min(b - a for a, b in pairwise(gaps)) >= 0.5 - 1e-9
