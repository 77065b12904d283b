"""Means or shares of the arms, in each country and in all together, as dots that a line joins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Figure as FigureBlock
from reports.blocks import convert_to_spans
from reports.comparisons import Comparison, format_figure
from reports.evidence import AnalysisFacts, Evidence
from reports.figures.forest import format_axis_ticks
from reports.figures.style import COLOURS, MARKERS, RULE, SMALL, add_plot_axes, create_blank_figure, drawing, to_svg
from reports.kinds import words_of_kind
from reports.means import Mean, Means, compute_shown_means, find_places
from reports.selection import all_estimates
from reports.sentences import comparison
from reports.tables.cells import format_place_label
from reports.tables.layout import SUPPRESSED
from reports.words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW = 0.36
_LEFT, _RIGHT, _TOP, _BOTTOM = 1.35, 0.35, 0.3, 0.55


def shares_plot(evidence: Evidence, words: Words, analysis: AnalysisFacts, *, anchor: str = "") -> FigureBlock | None:
    """Return the arms' means or shares by country as dots; None when there are none to print."""
    estimates = all_estimates(evidence)
    shown = compute_shown_means(evidence, analysis, estimates)
    order = [*[place for place in find_places(evidence) if place], ""]
    rows = [place for place in order if any(shown.get((arm.name, place)) for arm in evidence.arms)]
    if not rows:
        return None
    overall_result = comparison(evidence, analysis, country="")
    name = anchor or f"shares-{analysis.name}"
    with drawing():
        figure, _ = create_blank_figure(ROW * len(rows) + _TOP + _BOTTOM)
        axes = add_plot_axes(figure, left=_LEFT, right=_RIGHT, bottom=_BOTTOM, top=_TOP)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        printed = [overall_result.scale * mean.estimate for mean in shown.values() if mean is not None]
        axes.set_xlim(*words_of_kind(overall_result.outcome).mean_limits(printed))
        for row, place in enumerate(rows):
            _draw_place_row(axes, evidence, words, overall_result, row, place, shown)
        _draw_arm_names(axes, evidence, overall_result, rows[0], shown)
        format_axis_ticks(axes, words)
        axes.set_xlabel(words_of_kind(overall_result.outcome).mean_axis(words, overall_result), labelpad=6)
        svg = to_svg(figure, name)
    caption = words_of_kind(overall_result.outcome).caption_of_means(words, overall_result.outcome)
    return FigureBlock(
        svg=svg,
        caption=convert_to_spans(caption),
        alt=_describe_shares_plot(evidence, words, overall_result, rows, shown),
        anchor=name,
    )


def _draw_place_row(
    axes: Axes, evidence: Evidence, words: Words, one: Comparison, row: int, place: str, shown: Means
) -> None:
    from matplotlib.transforms import blended_transform_factory

    drawn_on = axes.get_figure(root=True)
    assert drawn_on is not None  # noqa: S101 -- axes were made on a figure
    beside = blended_transform_factory(drawn_on.dpi_scale_trans, axes.transData)
    weight = "regular" if place else "bold"
    label = format_place_label(evidence, words, place)
    axes.text(0.0, row, label, transform=beside, va="center", fontweight=weight)
    axes.axhline(row, color=RULE, linewidth=0.5, zorder=0)
    numbered_means = [
        (k, mean) for k, arm in enumerate(evidence.arms) if (mean := shown.get((arm.name, place))) is not None
    ]
    values = [one.scale * mean.estimate for _, mean in numbered_means]
    if numbered_means:
        axes.plot([min(values), max(values)], [row, row], color="#8a93a1", linewidth=1.6, zorder=1)
    for k, mean in numbered_means:
        _draw_mean(axes, words, one, row, k, mean, values)


def _draw_mean(axes: Axes, words: Words, one: Comparison, row: int, k: int, mean: Mean, values: list[float]) -> None:
    value = one.scale * mean.estimate
    colour = COLOURS[k % len(COLOURS)]
    axes.plot([value], [row], marker=MARKERS[k % len(MARKERS)], markersize=7, color=colour, zorder=3)
    outside = len(values) == 1 or value in (min(values), max(values))
    right = len(values) == 1 or value == max(values)
    axes.annotate(
        format_figure(words, one, mean.estimate, of=mean).text, xy=(value, row),
        xytext=((7 if right else -7), 0) if outside else (0, 7), textcoords="offset points",
        ha=("left" if right else "right") if outside else "center", va="center" if outside else "bottom",
        fontsize=SMALL, color=colour, fontweight="bold",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
    )  # fmt: skip


def _draw_arm_names(axes: Axes, evidence: Evidence, one: Comparison, place: str, shown: Means) -> None:
    """Name the arms over the dots of the first row, so that no legend is needed."""
    numbered_means = [
        (k, mean) for k, arm in enumerate(evidence.arms) if (mean := shown.get((arm.name, place))) is not None
    ]
    values = [mean.estimate for _, mean in numbered_means]
    for k, mean in numbered_means:
        middle = len(numbered_means) > 2 and mean.estimate not in (min(values), max(values))
        side = "center" if middle else "right" if mean.estimate == min(values) and len(numbered_means) > 1 else "left"
        axes.annotate(
            evidence.arms[k].label, xy=(one.scale * mean.estimate, -0.5),
            xytext=({"right": -1, "left": 1, "center": 0}[side], 1), textcoords="offset points",
            ha=side, va="bottom", fontsize=SMALL, color=COLOURS[k % len(COLOURS)], fontweight="bold",
            annotation_clip=False,
        )  # fmt: skip


def _describe_shares_plot(evidence: Evidence, words: Words, one: Comparison, rows: list[str], shown: Means) -> str:
    sentences = [words.text("{axis}.", axis=words_of_kind(one.outcome).mean_axis(words, one))]
    for place in rows:
        parts = [
            words.text(
                "{arm} {value}", arm=arm.label, value=_format_mean_value(words, one, shown.get((arm.name, place)))
            )
            for arm in evidence.arms
        ]
        sentences.append(
            words.text(
                "{place}: {values}.", place=format_place_label(evidence, words, place), values=words.listed(parts)
            )
        )
    return " ".join(sentences)


def _format_mean_value(words: Words, one: Comparison, mean: Mean | None) -> str:
    return words.text(SUPPRESSED) if mean is None else format_figure(words, one, mean.estimate, of=mean).text
