"""Power curves: what a trial can find, against its number of schools and against the size of the effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.blocks import Figure as FigureBlock
from reports.blocks import convert_to_spans
from reports.figures.style import COLOURS, INK, MARKERS, MUTED, RULE, SMALL, create_blank_figure, drawing, to_svg
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


def format_effect_unit(words: Words, *, binary: bool) -> str:
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
        Curve(label=curve.label, x=tuple(scale * value for value in curve.x), y=tuple(100 * value for value in curve.y))
        for curve in curves
    ]
    alt = words.text("Power rises with the size of the true effect; the smaller the correlation, the sooner.")
    svg = _draw_curves(
        scaled,
        labels=(unit, words.text("Power, %")),
        across=(100 * target, words.text("{share} % wanted", share=words.numbers.decimal(100 * target, digits=0))),
        upright=None,
        name="power-by-effect",
        limits=(0.0, 103.0),
    )
    caption = words.text("Power against the true effect, by intraclass correlation (ICC)")
    return FigureBlock(svg=svg, caption=convert_to_spans(caption), alt=alt, anchor="power-by-effect")


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
    scaled = [Curve(label=curve.label, x=curve.x, y=tuple(scale * abs(value) for value in curve.y)) for curve in curves]
    alt = words.text("The smallest effect that can be found falls as schools are added, ever more slowly.")
    top = max(max(scaled_curve.y) for scaled_curve in scaled)
    svg = _draw_curves(
        scaled,
        labels=(words.text("Schools"), unit),
        across=None,
        upright=None if n_schools is None else (n_schools, _format_schools_label(words, n_schools)),
        name="effect-by-schools",
        limits=(0.0, 1.06 * top),
    )
    caption = words.text("Smallest effect that can be found, by number of schools and intraclass correlation (ICC)")
    return FigureBlock(svg=svg, caption=convert_to_spans(caption), alt=alt, anchor="effect-by-schools")


def _draw_curves(
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
        figure, _ = create_blank_figure(_HEIGHT)
        width, height = figure.get_size_inches()
        box = (_LEFT / width, _BOTTOM / height, (width - _LEFT - _RIGHT) / width, (height - _BOTTOM - _TOP) / height)
        axes = figure.add_axes(box)
        for side in ("right", "top"):
            axes.spines[side].set_visible(False)
        axes.grid(axis="y", color=RULE, linewidth=0.5)
        axes.set_axisbelow(b=True)
        axes.set_ylim(*limits)
        low, high = min(curve.x[0] for curve in curves), max(curve.x[-1] for curve in curves)
        axes.set_xlim(low, high)
        _draw_reference_marks(axes, across, upright)
        for place, one in enumerate(curves):
            colour = COLOURS[place % len(COLOURS)]
            every = max(1, len(one.x) // 8)
            axes.plot(
                one.x, one.y, color=colour, linewidth=1.8, marker=MARKERS[place % len(MARKERS)], markersize=4,
                markevery=every, clip_on=True,
            )  # fmt: skip
        places = _move_labels_apart(
            [curve.y[-1] for curve in curves], room=_INCH_OF_LABEL * (limits[1] - limits[0]) / (height - 0.75)
        )
        for place, (one, label_height) in enumerate(zip(curves, places, strict=True)):
            axes.annotate(
                one.label, (high, label_height), xytext=(6, 0), textcoords="offset points", va="center", fontsize=SMALL,
                color=COLOURS[place % len(COLOURS)], annotation_clip=False,
            )  # fmt: skip
        axes.set_xlabel(labels[0], color=INK, labelpad=5)
        axes.set_ylabel(labels[1], color=INK, labelpad=5)
        axes.tick_params(axis="y", labelsize=SMALL, color=RULE, labelcolor=INK)
        return to_svg(figure, name)


def _draw_reference_marks(axes: Axes, across: tuple[float, str] | None, upright: tuple[float, str] | None) -> None:
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


def _format_schools_label(words: Words, n_schools: float) -> str:
    return words.plural("the {n} school there is", "the {n} schools there are", round(n_schools))


def _move_labels_apart(values: Sequence[float], *, room: float) -> list[float]:
    """Move labels apart, in their order, so that none hides another."""
    order = sorted(range(len(values)), key=values.__getitem__)
    placed = [0.0] * len(values)
    last = -float("inf")
    for place in order:
        placed[place] = max(values[place], last + room)
        last = placed[place]
    over = (last - max(values)) / 2 if values else 0.0
    return [value - max(over, 0.0) for value in placed]
