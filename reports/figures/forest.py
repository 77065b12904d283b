"""Forest plot: the difference in each country and in all together, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.blocks import Figure as FigureBlock
from reports.blocks import convert_to_spans
from reports.comparisons import Comparison, describe_schools_of_arm, format_arm_name
from reports.evidence import AnalysisFacts, ArmFacts, Evidence
from reports.figures.style import (
    ACCENT,
    COLOURS,
    INK,
    MUTED,
    RULE,
    SMALL,
    WIDTH,
    add_plot_axes,
    compute_axis_limits,
    create_blank_figure,
    drawing,
    to_svg,
)
from reports.kinds import words_of_kind
from reports.means import find_places
from reports.selection import all_estimates, get_focus_country, has_countries
from reports.sentences import comparison
from reports.tables.cells import format_place_label
from reports.words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW = 0.28
_LEFT, _RIGHT, _TOP, _BOTTOM = 1.75, 1.75, 0.36, 0.78


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestRow:
    """A row of a forest plot, in the units that are printed; ``kind`` is "country", "pooled" or "range"."""

    label: str
    detail: str
    centre: float
    low: float
    high: float
    text: str
    kind: str
    reason: str = ""


def build_forest_rows(
    evidence: Evidence, words: Words, analysis: AnalysisFacts, *, arm: ArmFacts
) -> tuple[ForestRow, ...]:
    """Return the rows of a forest plot: countries, then all together, then the range for a further country."""
    estimates = all_estimates(evidence)
    order = [*[place for place in find_places(evidence) if place], ""]
    rows = []
    for place in order:
        place_result = comparison(evidence, analysis, arm=arm, country=place, estimates=estimates)
        if place_result.difference is not None:
            rows.append(_build_forest_row(evidence, words, place_result))
    place_result = comparison(evidence, analysis, arm=arm, country="", estimates=estimates)
    ahead = estimates.usable(analysis.name, "prediction_interval", arm=arm.name)
    if has_countries(evidence) and ahead is not None and math.isfinite(ahead.conf_low):
        text = words.numbers.interval(
            ahead.conf_low, ahead.conf_high, digits=place_result.digits, scale=place_result.scale
        )
        rows.append(
            ForestRow(
                label=words.text("Range for a further country"),
                detail="",
                centre=math.nan,
                low=place_result.scale * ahead.conf_low,
                high=place_result.scale * ahead.conf_high,
                text=text,
                kind="range",
            )
        )
    return tuple(rows)


def forest_plot(
    evidence: Evidence, words: Words, analysis: AnalysisFacts, *, arm: ArmFacts, anchor: str = ""
) -> FigureBlock | None:
    """Return the forest plot of one analysis and arm; None when nothing was estimated.

    Parameters
    ----------
    anchor
        Name of the figure in the document; made from the analysis by default.
    """
    rows = build_forest_rows(evidence, words, analysis, arm=arm)
    if not any(math.isfinite(row.low) for row in rows):
        return None
    overall_result = comparison(evidence, analysis, arm=arm, country="")
    name = anchor or f"forest-{analysis.name}-{arm.name}"
    with drawing():
        figure, page = create_blank_figure(ROW * len(rows) + _TOP + _BOTTOM)
        axes = add_plot_axes(figure, left=_LEFT, right=_RIGHT, bottom=_BOTTOM, top=_TOP)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(*compute_axis_limits([end for row in rows if row.kind != "range" for end in (row.low, row.high)]))
        _draw_reference_lines(axes, rows)
        for place, row in enumerate(rows):
            _draw(axes, place, row, own=row.label == format_place_label(evidence, words, get_focus_country(evidence)))
        _draw_margin_texts(axes, words, rows, overall_result)
        _draw_axis_hints(axes, words, overall_result)
        page.set_zorder(-1)
        svg = to_svg(figure, name)
    return FigureBlock(
        svg=svg,
        caption=convert_to_spans(_format_caption(words, overall_result, several=has_countries(evidence))),
        alt=_describe_forest_plot(words, overall_result, rows),
        anchor=name,
    )


def _build_forest_row(evidence: Evidence, words: Words, one: Comparison) -> ForestRow:
    difference = one.difference
    assert difference is not None  # noqa: S101 -- asked by the caller
    failed = difference.status == "failed"
    centre, low, high = (
        math.nan if failed else one.scale * value
        for value in (difference.estimate, difference.conf_low, difference.conf_high)
    )
    number = words.numbers.estimate(centre, digits=one.digits, sign="both")
    interval = words.numbers.interval(low, high, digits=one.digits)
    return ForestRow(
        label=format_place_label(evidence, words, one.country),
        detail="" if failed else words.schools(difference.n_schools),
        centre=centre,
        low=low,
        high=high,
        text=words.text("not estimated")
        if failed
        else words.text("{estimate} {interval}", estimate=number, interval=interval),
        kind="country" if one.country else "pooled",
    )


def _draw_reference_lines(axes: Axes, rows: tuple[ForestRow, ...]) -> None:
    """Draw the line of no difference, and one that sets the summary rows off."""
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    first = next((place for place, row in enumerate(rows) if row.kind != "country"), None)
    if first:
        line = axes.axhline(first - 0.5, color=RULE, linewidth=0.8, xmin=-2, xmax=3, zorder=0)
        line.set_clip_on(False)


def _draw(axes: Axes, place: int, row: ForestRow, *, own: bool) -> None:
    from matplotlib.patches import Polygon

    if not math.isfinite(row.low):
        return
    if row.kind == "range":
        _draw_range(axes, place, row)
        return
    if row.kind == "pooled":
        corners = [(row.low, place), (row.centre, place - 0.26), (row.high, place), (row.centre, place + 0.26)]
        axes.add_patch(Polygon(corners, closed=True, facecolor=ACCENT, edgecolor=ACCENT, zorder=3))
        return
    colour = COLOURS[1]
    axes.plot([row.low, row.high], [place, place], color=colour, linewidth=2.4 if own else 1.6, zorder=2)
    for end in (row.low, row.high):
        axes.plot([end, end], [place - 0.11, place + 0.11], color=colour, linewidth=1.4, zorder=2)
    axes.plot([row.centre], [place], marker="o", markersize=7.5 if own else 6.5, color=colour, zorder=3)


def _draw_range(axes: Axes, place: int, row: ForestRow) -> None:
    """Draw the range as a broken line; an arrow where it goes on beyond the axis."""
    left, right = axes.get_xlim()
    low, high = max(row.low, left), min(row.high, right)
    axes.plot([low, high], [place, place], color=MUTED, linewidth=1.4, linestyle=(0, (3, 2)), zorder=2)
    for end, beyond, marker in ((low, row.low < left, "<"), (high, row.high > right, ">")):
        if beyond:
            axes.plot([end], [place], marker=marker, markersize=5, color=MUTED, clip_on=False, zorder=3)


def _draw_margin_texts(axes: Axes, words: Words, rows: tuple[ForestRow, ...], one: Comparison) -> None:
    """Write the names of the rows to the left and their figures to the right of the plot."""
    from matplotlib.transforms import blended_transform_factory

    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101 -- axes were made on a figure
    beside = blended_transform_factory(figure.dpi_scale_trans, axes.transData)
    level = one.difference.conf_level if one.difference is not None else 0.95
    head = words.text("Difference ({level} interval)", level=words.numbers.level(level))
    axes.text(WIDTH, -0.72, head, transform=beside, ha="right", va="bottom", fontsize=SMALL, color=MUTED)
    for place, row in enumerate(rows):
        weight = "bold" if row.kind == "pooled" else "regular"
        name = axes.text(0.0, place, row.label, transform=beside, va="center", fontweight=weight)
        name.set_clip_on(False)
        if row.detail:
            axes.annotate(
                row.detail, xy=(1, 0.5), xycoords=name, xytext=(5, 0), textcoords="offset points",
                va="center", fontsize=SMALL, color=MUTED, annotation_clip=False,
            )  # fmt: skip
        axes.text(WIDTH, place, row.text, transform=beside, ha="right", va="center", fontweight=weight)


def _draw_axis_hints(axes: Axes, words: Words, one: Comparison) -> None:
    """Write below the axis which way is good, and what the axis shows."""
    lower, higher = (one.arm, one.reference) if one.outcome.direction == "lower" else (one.reference, one.arm)
    left = words.text("← favours {schools}", schools=format_arm_name(words, lower))
    right = words.text("favours {schools} →", schools=format_arm_name(words, higher))
    below = axes.get_xaxis_transform()
    for text, shift, side in ((left, -4, "right"), (right, 4, "left")):
        axes.annotate(
            text, xy=(0, 0), xycoords=below, xytext=(shift, -22), textcoords="offset points",
            ha=side, va="top", fontsize=SMALL, color=MUTED, annotation_clip=False,
        )  # fmt: skip
    axes.annotate(
        format_axis_label(words, one), xy=(0.5, 0), xycoords="axes fraction", xytext=(0, -37),
        textcoords="offset points", ha="center", va="top", annotation_clip=False,
    )  # fmt: skip
    format_axis_ticks(axes, words)


def format_axis_ticks(axes: Axes, words: Words) -> None:
    """Write the numbers of an x axis as the language does."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    places = [tick for tick in axes.get_xticks() if tick]
    digits = max((min(3, len(f"{tick:.3f}".rstrip("0").partition(".")[2])) for tick in places), default=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.numbers.decimal(value, digits=digits)))


def format_axis_label(words: Words, one: Comparison) -> str:
    """Return what the axis of differences shows, with its unit."""
    values = {"first": format_arm_name(words, one.arm), "second": format_arm_name(words, one.reference)}
    return words_of_kind(one.outcome).difference_axis(words, one, values)


def _format_caption(words: Words, one: Comparison, *, several: bool) -> str:
    if several:
        return words.text(
            "{outcome}: difference between {schools} and {reference} in each country and in all together",
            outcome=one.outcome.label,
            schools=describe_schools_of_arm(words, one.arm),
            reference=describe_schools_of_arm(words, one.reference),
        )
    return words.text(
        "{outcome}: difference between {schools} and {reference}",
        outcome=one.outcome.label,
        schools=describe_schools_of_arm(words, one.arm),
        reference=describe_schools_of_arm(words, one.reference),
    )


def _describe_forest_plot(words: Words, one: Comparison, rows: tuple[ForestRow, ...]) -> str:
    row_texts = [words.text("{place}: {result}.", place=row.label, result=row.text) for row in rows]
    start = words.text("Forest plot. {axis}.", axis=format_axis_label(words, one))
    return " ".join([start, *row_texts])
