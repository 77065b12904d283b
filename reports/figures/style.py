"""What all figures share: the page's width, type, colours and markers, and how a figure becomes SVG.

Figures are plain matplotlib without pyplot: parameters are set back, and the same evidence gives the same bytes.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 160 / 25.4
"""Width of a figure in inches: the text's width on A4."""

INK, MUTED, RULE, ACCENT, PALE = "#1a1a1a", "#5a6270", "#c9ced6", "#0b3c5d", "#eef1f5"

COLOURS = ("#D55E00", "#0072B2", "#009E73", "#7A4B94", "#8A6D00")
"""Of the arms, the reference first: distinguished by every kind of colour vision, and with the markers in grey."""

MARKERS = ("s", "o", "^", "D", "v")
"""Of the arms, the reference first."""

TEXT, SMALL = 9.5, 8.5
"""Sizes of type in points at full width."""

_SALT = "crocoos"


@contextmanager
def drawing() -> Iterator[None]:
    """Set matplotlib's parameters for the figure that is drawn inside, and set them back."""
    load_matplotlib()
    import matplotlib as mpl
    from matplotlib import font_manager

    family = "DejaVu Sans"
    folder = resources.files("reports") / "assets" / "fonts"
    for face in ("Regular", "Semibold", "Bold", "It"):
        path = folder / f"SourceSans3-{face}.ttf"
        if path.is_file():
            if str(path) not in {entry.fname for entry in font_manager.fontManager.ttflist}:
                font_manager.fontManager.addfont(str(path))
            family = "Source Sans 3"
    parameters: dict[Any, Any] = {  # matplotlib types each key apart
        "font.family": [family, "DejaVu Sans"] if family != "DejaVu Sans" else [family],
        "font.size": TEXT,
        "text.color": INK,
        "axes.edgecolor": RULE,
        "axes.labelcolor": INK,
        "axes.labelsize": TEXT,
        "axes.linewidth": 0.8,
        "axes.unicode_minus": True,
        "xtick.color": MUTED,
        "xtick.labelcolor": INK,
        "xtick.labelsize": SMALL,
        "xtick.direction": "out",
        "svg.hashsalt": _SALT,
        "svg.fonttype": "path",
        "path.simplify": False,
    }
    with mpl.rc_context():
        # Whatever a file in the folder or a cell of a notebook has set: the same evidence gives the same bytes.
        mpl.rcdefaults()
        mpl.rcParams.update(parameters)
        yield


def load_matplotlib() -> None:
    """Import matplotlib where no settings of anybody's lie: it reads a file of the working folder, or fails at it."""
    if "matplotlib" in sys.modules:
        return
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        import matplotlib as mpl
        import matplotlib.backends.backend_svg
        import matplotlib.figure

        mpl.rcdefaults()


def create_blank_figure(height: float) -> tuple[Figure, Axes]:
    """Return a figure of full width and one axes that fills it, without frame or ticks.

    Parameters
    ----------
    height
        In inches.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasSVG(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    return figure, axes


def add_plot_axes(figure: Figure, *, left: float, right: float, bottom: float, top: float) -> Axes:
    """Return axes with an x axis only, its margins in inches."""
    width, height = figure.get_size_inches()
    box = (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    axes: Axes = figure.add_axes(box)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", left=False, labelleft=False)
    axes.patch.set_visible(False)
    return axes


def to_svg(figure: Figure, name: str) -> str:
    """Return a figure as SVG source.

    Parameters
    ----------
    name
        Put before every id of the picture, so that several can be in one page.
    """
    _suppress_control_signs(figure)
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    source = written.getvalue()
    source = source[source.index("<svg") :]
    source = re.sub(r"<metadata>.*?</metadata>\s*", "", source, flags=re.DOTALL)
    source = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", source)
    return re.sub(r"[ \t]+\n", "\n", source)


def _suppress_control_signs(figure: Figure) -> None:
    """Draw no sign that no font has: a label may hold what a terminal obeys, and a warning would pass it on."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        if isinstance(text, Text):
            text.set_text("".join(sign if sign.isprintable() or sign == "\n" else " " for sign in text.get_text()))


def compute_axis_limits(values: Sequence[float], *, include_zero: bool = True) -> tuple[float, float]:
    """Return limits that hold all finite values with a little room."""
    import math

    finite = [value for value in values if math.isfinite(value)] + ([0.0] if include_zero else [])
    if not finite:
        return -1.0, 1.0
    low, high = min(finite), max(finite)
    room = 0.06 * ((high - low) or abs(high) or 1.0)
    return low - room, high + room
