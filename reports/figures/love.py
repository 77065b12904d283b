"""Love plot: standardised differences at baseline, with the limits that they are judged by."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from randomisation.balance import ADJUST, SATISFIED
from reports.blocks import Figure as FigureBlock
from reports.blocks import convert_to_spans
from reports.comparisons import describe_schools_of_arm, format_arm_name
from reports.evidence import ArmFacts, Evidence
from reports.figures.forest import format_axis_ticks
from reports.figures.style import (
    ACCENT,
    INK,
    MUTED,
    PALE,
    RULE,
    SMALL,
    add_plot_axes,
    create_blank_figure,
    drawing,
    to_svg,
)
from reports.selection import as_float, convert_to_records, get_reference_arm
from reports.tables.balance import LEVELS, balance_rows, format_row_label
from reports.words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW = 0.235
_LEFT, _RIGHT, _TOP, _BOTTOM = 2.6, 0.2, 0.3, 0.92
_MARKERS = {"school": "s", "pupil": "o"}


def love_plot(evidence: Evidence, words: Words, *, arm: ArmFacts, anchor: str = "") -> FigureBlock | None:
    """Return the love plot of an arm in what the report is about; None when nothing is known.

    Parameters
    ----------
    arm
        The arm that is compared with the reference; the picture names both.
    anchor
        Name of the figure in the document.
    """
    frame = balance_rows(evidence)
    rows = [row for row in convert_to_records(frame) if row["arm"] == arm.name and not row["hidden"]]
    rows = [row for row in rows if math.isfinite(as_float(row["std_difference"]))]
    if not rows:
        return None
    name = anchor or f"love-{arm.name}"
    lines = _group_rows_by_level(rows)
    with drawing():
        figure, _ = create_blank_figure(ROW * len(lines) + _TOP + _BOTTOM)
        axes = add_plot_axes(figure, left=_LEFT, right=_RIGHT, bottom=_BOTTOM, top=_TOP)
        axes.set_ylim(len(lines) - 0.5, -0.5)
        shown = [
            abs(figure)
            for row in rows
            for figure in (as_float(row["std_difference"]), _get_difference_within_strata(row))
        ]
        widest = max(0.3, *(1.12 * figure for figure in shown if math.isfinite(figure)))
        axes.set_xlim(-widest, widest)
        _draw_threshold_bands(axes, words)
        for place, (level, row) in enumerate(lines):
            _draw_row(axes, words, place, level, row)
        _draw_axis_labels(axes, words, arm, get_reference_arm(evidence))
        if _describe_marker_key(words, rows):
            _draw_marker_key(axes, words)
        svg = to_svg(figure, name)
    return FigureBlock(
        svg=svg,
        caption=convert_to_spans(
            words.text(
                "Standardised differences at baseline between {schools} and {reference}",
                schools=describe_schools_of_arm(words, arm),
                reference=describe_schools_of_arm(words, get_reference_arm(evidence)),
            )
        ),
        alt=_describe_love_plot(words, rows),
        note=words.joined(
            [
                _describe_marker_key(words, rows),
                words.text(
                    "The inner band (up to {low}) counts as alike, the outer one (up to {high}) as alike once the"
                    " analysis allows for the difference: limits of the What Works Clearinghouse.",
                    low=words.numbers.decimal(SATISFIED, digits=2),
                    high=words.numbers.decimal(ADJUST, digits=2),
                ),
            ]
        ),
        anchor=name,
    )


def _draw_marker_key(axes: Axes, words: Words) -> None:
    """Write above the names what filled and open marks are, for whoever has the picture alone."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101 -- axes were made on a figure
    axes.text(
        0.0, figure.get_size_inches()[1] - 0.1, words.text("● observed   ○ within strata"), va="top",
        transform=figure.dpi_scale_trans, fontsize=SMALL, color=MUTED,
    )  # fmt: skip


def _describe_marker_key(words: Words, rows: list[dict[str, object]]) -> str:
    """Return what filled and open marks are; nothing where there are no open ones."""
    if not any(math.isfinite(_get_difference_within_strata(row)) for row in rows):
        return ""
    return words.text("Filled: as observed; open: what is left within strata, which the analysis allows for.")


def _group_rows_by_level(rows: list[dict[str, object]]) -> list[tuple[str, dict[str, object] | None]]:
    """Return rows by level, each level under its heading."""
    lines: list[tuple[str, dict[str, object] | None]] = []
    for level in LEVELS:
        of_level = [row for row in rows if row["level"] == level]
        if of_level:
            lines.append((level, None))
            lines += [(level, row) for row in of_level]
    return lines


def _draw_threshold_bands(axes: Axes, words: Words) -> None:
    axes.axvspan(-ADJUST, ADJUST, color=PALE, linewidth=0, zorder=0)
    axes.axvspan(-SATISFIED, SATISFIED, color="#d5dce6", linewidth=0, zorder=0)
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    for limit in (-ADJUST, -SATISFIED, SATISFIED, ADJUST):
        axes.axvline(limit, color=RULE, linewidth=0.6, zorder=1)
        axes.annotate(
            words.numbers.decimal(limit, digits=2), xy=(limit, 1), xycoords=axes.get_xaxis_transform(), xytext=(0, 3),
            textcoords="offset points", ha="right" if -1 < limit * 20 < 0 else "center", va="bottom", fontsize=7.5,
            color=MUTED, annotation_clip=False,
        )  # fmt: skip


def _draw_row(axes: Axes, words: Words, place: int, level: str, row: dict[str, object] | None) -> None:
    from matplotlib.transforms import blended_transform_factory

    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101 -- axes were made on a figure
    beside = blended_transform_factory(figure.dpi_scale_trans, axes.transData)
    if row is None:
        axes.text(0.0, place, words.text(LEVELS[level]), transform=beside, va="center", fontweight="bold")
        return
    value = as_float(row["std_difference"])
    axes.text(0.12, place, format_row_label(words, row), transform=beside, va="center")
    axes.plot([0, value], [place, place], color=ACCENT, linewidth=0.9, alpha=0.6, zorder=2)
    within = _get_difference_within_strata(row)
    if math.isfinite(within):
        axes.plot(
            [within], [place], marker=_MARKERS[level], markersize=6.2, markerfacecolor="white", color=ACCENT, zorder=3,
            markeredgewidth=1.1, linestyle="none",
        )  # fmt: skip
    axes.plot([value], [place], marker=_MARKERS[level], markersize=6.2, color=ACCENT, zorder=4)


def _get_difference_within_strata(row: dict[str, object]) -> float:
    """Return what is left of a difference within strata; NaN where that is not known."""
    return as_float(row.get("std_difference_within", math.nan))


def _draw_axis_labels(axes: Axes, words: Words, arm: ArmFacts, reference: ArmFacts) -> None:
    format_axis_ticks(axes, words)
    for text, place, side in (
        (words.text("← less in {schools}", schools=format_arm_name(words, arm)), 0.0, "left"),
        (words.text("more in {schools} →", schools=format_arm_name(words, arm)), 1.0, "right"),
    ):
        axes.annotate(
            text, xy=(place, 0), xycoords="axes fraction", xytext=(0, -21), textcoords="offset points", ha=side,
            va="top", fontsize=SMALL, color=MUTED, annotation_clip=False,
        )  # fmt: skip
    axes.annotate(
        words.text("Standardised difference (standard deviations)"), xy=(0.5, 0), xycoords="axes fraction",
        xytext=(0, -34), textcoords="offset points", ha="center", va="top", annotation_clip=False,
    )  # fmt: skip
    axes.annotate(
        words.text("{arm} compared with {reference}", arm=arm.label, reference=reference.label), xy=(0.5, 0),
        xycoords="axes fraction", xytext=(0, -49), textcoords="offset points", ha="center", va="top", fontsize=SMALL,
        color=MUTED, annotation_clip=False,
    )  # fmt: skip


def _describe_love_plot(words: Words, rows: list[dict[str, object]]) -> str:
    row_texts = [
        words.text(
            "{label}: {value}.",
            label=format_row_label(words, row),
            value=words.numbers.decimal(as_float(row["std_difference"]), digits=2, sign="both"),
        )
        for row in rows
    ]
    return " ".join([words.text("Standardised differences at baseline."), *row_texts])
