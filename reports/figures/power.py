"""Power curves: what a trial can find, against its number of schools and against the size of the effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.blocks import Figure as FigureBlock
from reports.blocks import inline
from reports.figures.style import COLOURS, INK, MARKERS, MUTED, RULE, SMALL, blank, drawing, to_svg
from reports.words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT = 3.1
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.62, 1.25, 0.2, 0.55
_INCH_OF_LABEL = 0.17


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line of a figure.

    Parameters
    ----------
    label
        Set beside its right end.
    x, y
        Its points, x ascending.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


def unit_of_effects(words: Words, *, binary: bool) -> str:
    """Return the name of the axis of effects: percentage points of a binary outcome, or standard deviations."""
    if binary:
        return words.text("Difference, percentage points")
    return words.text("Difference, standard deviations")


def power_plot(curves: Sequence[Curve], words: Words, *, target: float, scale: float = 1.0, unit: str) -> FigureBlock:
    """Return power against the true effect, a curve for each intraclass correlation.

    Parameters
    ----------
    curves
        Effects in the outcome's unit and powers as shares.
    words
        The language.
    target
        The power that is wanted; a line.
    scale
        What effects are multiplied by, 100 for risks.
    unit
        Name of the axis of effects.
    """
    scaled = [
        Curve(label=one.label, x=tuple(scale * value for value in one.x), y=tuple(100 * value for value in one.y))
        for one in curves
    ]
    alt = words.text("Power rises with the size of the true effect; the smaller the correlation, the sooner.")
    svg = _lines(
        scaled,
        labels=(unit, words.text("Power, %")),
        across=(100 * target, words.text("{share} % wanted", share=words.numbers.decimal(100 * target, digits=0))),
        upright=None,
        name="power-by-effect",
        limits=(0.0, 103.0),
    )
    caption = words.text("Power against the true effect, by intraclass correlation (ICC)")
    return FigureBlock(svg=svg, caption=inline(caption), alt=alt, anchor="power-by-effect")


def mdes_plot(
    curves: Sequence[Curve], words: Words, *, n_schools: float | None, scale: float = 1.0, unit: str
) -> FigureBlock:
    """Return the smallest effect that can be found against the number of schools.

    Parameters
    ----------
    curves
        Numbers of schools and effects in the outcome's unit, a curve for each intraclass correlation.
    words
        The language.
    n_schools
        Schools that there are; a line. None for none.
    scale
        What effects are multiplied by, 100 for risks.
    unit
        Name of the axis of effects.
    """
    scaled = [Curve(label=one.label, x=one.x, y=tuple(scale * abs(value) for value in one.y)) for one in curves]
    alt = words.text("The smallest effect that can be found falls as schools are added, ever more slowly.")
    top = max(max(one.y) for one in scaled)
    svg = _lines(
        scaled,
        labels=(words.text("Schools"), unit),
        across=None,
        upright=None if n_schools is None else (n_schools, _schools_label(words, n_schools)),
        name="effect-by-schools",
        limits=(0.0, 1.06 * top),
    )
    caption = words.text("Smallest effect that can be found, by number of schools and intraclass correlation (ICC)")
    return FigureBlock(svg=svg, caption=inline(caption), alt=alt, anchor="effect-by-schools")


def _lines(
    curves: Sequence[Curve],
    *,
    labels: tuple[str, str],
    across: tuple[float, str] | None,
    upright: tuple[float, str] | None,
    name: str,
    limits: tuple[float, float],
) -> str:
    """Draw the curves with their names at their right ends."""
    with drawing():
        figure, _ = blank(_HEIGHT)
        width, height = figure.get_size_inches()
        box = (_LEFT / width, _BOTTOM / height, (width - _LEFT - _RIGHT) / width, (height - _BOTTOM - _TOP) / height)
        axes = figure.add_axes(box)
        for side in ("right", "top"):
            axes.spines[side].set_visible(False)
        axes.grid(axis="y", color=RULE, linewidth=0.5)
        axes.set_axisbelow(b=True)
        axes.set_ylim(*limits)
        low, high = min(one.x[0] for one in curves), max(one.x[-1] for one in curves)
        axes.set_xlim(low, high)
        _marks(axes, across, upright)
        for place, one in enumerate(curves):
            colour = COLOURS[place % len(COLOURS)]
            every = max(1, len(one.x) // 8)
            axes.plot(
                one.x, one.y, color=colour, linewidth=1.8, marker=MARKERS[place % len(MARKERS)], markersize=4,
                markevery=every, clip_on=True,
            )  # fmt: skip
        places = _apart([one.y[-1] for one in curves], room=_INCH_OF_LABEL * (limits[1] - limits[0]) / (height - 0.75))
        for place, (one, at) in enumerate(zip(curves, places, strict=True)):
            axes.annotate(
                one.label, (high, at), xytext=(6, 0), textcoords="offset points", va="center", fontsize=SMALL,
                color=COLOURS[place % len(COLOURS)], annotation_clip=False,
            )  # fmt: skip
        axes.set_xlabel(labels[0], color=INK, labelpad=5)
        axes.set_ylabel(labels[1], color=INK, labelpad=5)
        axes.tick_params(axis="y", labelsize=SMALL, color=RULE, labelcolor=INK)
        return to_svg(figure, name)


def _marks(axes: Axes, across: tuple[float, str] | None, upright: tuple[float, str] | None) -> None:
    """Draw the lines that curves are read against, with what they are."""
    if across is not None:
        axes.axhline(across[0], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            across[1], (0, across[0]), xycoords=axes.get_yaxis_transform(), xytext=(5, 3), textcoords="offset points",
            fontsize=SMALL, color=MUTED,
        )  # fmt: skip
    if upright is not None:
        axes.axvline(upright[0], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            upright[1], (upright[0], 0), xycoords=axes.get_xaxis_transform(), xytext=(5, 5), textcoords="offset points",
            fontsize=SMALL, color=MUTED,
        )  # fmt: skip


def _schools_label(words: Words, n_schools: float) -> str:
    return words.plural("the {n} school there is", "the {n} schools there are", round(n_schools))


def _apart(values: Sequence[float], *, room: float) -> list[float]:
    """Move labels apart, in their order, so that none hides another."""
    order = sorted(range(len(values)), key=values.__getitem__)
    placed = [0.0] * len(values)
    last = -float("inf")
    for place in order:
        placed[place] = max(values[place], last + room)
        last = placed[place]
    over = (last - max(values)) / 2 if values else 0.0
    return [value - max(over, 0.0) for value in placed]
