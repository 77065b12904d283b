"""Heat map of baseline differences: a row a characteristic, a column a stratum or country, colour for the direction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from reports.blocks import Figure as FigureBlock
from reports.blocks import convert_to_spans
from reports.comparisons import describe_schools_of_arm
from reports.evidence import ArmFacts
from reports.figures.style import INK, MUTED, SMALL, WIDTH, create_blank_figure, drawing, to_svg
from reports.tables.balance import LEVELS
from reports.words import Words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.transforms import Transform

LIMIT = 1.0
"""Difference, in standard deviations, from which on the colour is full."""

MOST_STRATA = 14
"""Strata that are drawn; of more, the largest."""

_ROW, _LEFT, _TOP, _BOTTOM, _RIGHT = 0.27, 2.05, 0.95, 0.08, 0.65
_LESS, _MORE = (0xD5, 0x5E, 0x00), (0x00, 0x72, 0xB2)
_DARK = 0.6


def balance_map(
    table: pd.DataFrame,
    words: Words,
    *,
    arm: ArmFacts,
    reference: ArmFacts,
    by: Literal["stratum", "country"] = "stratum",
    anchor: str = "balance-map",
) -> FigureBlock | None:
    """Return the heat map of one arm's differences from the reference; None when there are fewer than two strata.

    Parameters
    ----------
    table
        As `randomisation.balance_within.by_stratum` returns it; with a column ``level`` ("school", "pupil") rows stand
        under the heading of their level.
    by
        What the columns are.
    anchor
        Name of the figure in the document.
    words
        The language.
    arm, reference
        The arm that is compared, and the one that it is compared with; the picture names both.

    Notes
    -----
    A stratum's cell is of few schools: the map shows where differences gather, and is no test. The figure is in
    every cell, so that nothing is shown by colour alone.
    """
    rows = table[table["arm"] == arm.name]
    sizes = rows[rows["stratum"] != ""].groupby("stratum")[["n_reference", "n_arm"]].max().sum(axis=1)
    if len(sizes) < 2:
        return None
    drawn_strata = sorted(sizes.sort_values(ascending=False, kind="stable").index[:MOST_STRATA])
    strata = ["", *drawn_strata]
    # The picture is alone in the folder of the balance stage, so it names its own subject and what it omits.
    compared = words.text("{arm} compared with {reference}", arm=arm.label, reference=reference.label)
    left_out = _describe_left_out_strata(words, len(sizes) - len(drawn_strata))
    below = [text for text in (compared, left_out) if text]
    rows = rows if "level" in rows.columns else rows.assign(level="")
    names = _build_row_names(rows)
    columns = [rows[name].astype(str) for name in ("level", "label", "category", "stratum")]
    keys = zip(*columns, strict=True)
    cells = dict(zip(keys, rows["difference"].to_numpy(dtype=float).tolist(), strict=True))
    with drawing():
        bottom = _BOTTOM + _ROW * len(below)
        figure, _ = create_blank_figure(_TOP + _ROW * len(names) + bottom)
        width, height = figure.get_size_inches()
        box = (_LEFT / width, bottom / height, (width - _LEFT - _RIGHT) / width, _ROW * len(names) / height)
        axes = figure.add_axes(box)
        axes.set_axis_off()
        axes.set_xlim(-0.5, len(strata) - 0.5)
        axes.set_ylim(len(names) - 0.5, -0.5)
        size = min(SMALL, 78 * (WIDTH - _LEFT - _RIGHT) / len(strata) / 5.5)
        for down, (level, label, category) in enumerate(names):
            if not label:
                left = (0.0, down)
                axes.text(
                    *left,
                    words.text(LEVELS[level]),
                    transform=_build_label_transform(axes),
                    va="center",
                    fontweight="bold",
                )
                continue
            name = f"{label}: {category}" if category else label
            axes.text(-0.62, down, name, ha="right", va="center", fontsize=SMALL, color=INK)
            for across, stratum in enumerate(strata):
                _draw_cell(
                    axes, words, (across, down), float(cells.get((level, label, category, stratum), math.nan)), size
                )
        for across, stratum in enumerate(strata):
            text = stratum or words.text("All")
            axes.text(
                across - 0.1, -0.68, text, rotation=35, ha="left", va="bottom", fontsize=SMALL,
                fontweight="regular" if stratum else "bold", color=INK,
            )  # fmt: skip
        for down, text in enumerate(below, start=len(names)):
            axes.text(0.0, down, text, transform=_build_label_transform(axes), va="center", fontsize=SMALL, color=MUTED)
        svg = to_svg(figure, anchor)
    caption, explained = _describe_balance_map(words, by, arm, reference)
    value_texts = [
        f"{label}: {words.numbers.decimal(value, digits=1, sign='both')}."
        for label, value in _select_overall_values(names, cells)
        if math.isfinite(value)
    ]
    return FigureBlock(
        svg=svg,
        caption=convert_to_spans(caption),
        alt=" ".join([words.text("Differences at baseline, all schools together."), *value_texts]),
        note=words.joined([explained, left_out]),
        anchor=anchor,
    )


def _build_row_names(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return level, label and category of each row; a level's heading has neither label nor category."""
    row_names = list(dict.fromkeys(zip(rows["level"], rows["label"], rows["category"].fillna(""), strict=True)))
    levels = list(dict.fromkeys(level for level, _, _ in row_names))
    if len(levels) < 2:
        return row_names
    return [
        name
        for level in levels
        for name in ((level, "", ""), *(row_name for row_name in row_names if row_name[0] == level))
    ]


def _describe_balance_map(words: Words, by: str, arm: ArmFacts, reference: ArmFacts) -> tuple[str, str]:
    """Return caption and note."""
    named = {"schools": describe_schools_of_arm(words, arm), "reference": describe_schools_of_arm(words, reference)}
    if by == "country":
        return words.text("Differences at baseline between {schools} and {reference}, by country", **named), words.text(
            "Differences of {arm} from {reference} in standard deviations; blue: more, orange: less. A dash stands"
            " where there is nothing to compare, or where a figure would be about few pupils.",
            arm=arm.label,
            reference=reference.label,
        )
    return words.text("Differences at baseline between {schools} and {reference}, by stratum", **named), words.text(
        "Differences of {arm} from {reference} in standard deviations of all schools or pupils; blue: more, orange:"
        " less. A stratum holds few schools, so that single cells differ by chance; cells of few pupils are left out.",
        arm=arm.label,
        reference=reference.label,
    )


def _describe_left_out_strata(words: Words, n: int) -> str:
    """Describe how many strata are not drawn and where they are; nothing where all are."""
    if not n:
        return ""
    return words.plural(
        "{n} smaller stratum is not drawn: by_stratum.csv has it.",
        "{n} smaller strata are not drawn: by_stratum.csv has them.",
        n,
    )


def _build_label_transform(axes: Axes) -> Transform:
    from matplotlib.transforms import blended_transform_factory

    return blended_transform_factory(axes.figure.dpi_scale_trans, axes.transData)


def _select_overall_values(
    names: list[tuple[str, str, str]], cells: dict[tuple[str, str, str, str], float]
) -> list[tuple[str, float]]:
    return [
        (f"{label}: {category}" if category else label, float(cells.get((level, label, category, ""), math.nan)))
        for level, label, category in names
        if label
    ]


def _draw_cell(axes: Axes, words: Words, place: tuple[int, int], value: float, size: float) -> None:
    """Draw a cell: its colour for direction and size, its figure in the middle."""
    from matplotlib.patches import Rectangle

    across, down = place
    known = math.isfinite(value)
    strength = min(abs(value) / LIMIT, 1.0) if known else 0.0
    full = _MORE if known and value > 0 else _LESS
    colour = tuple((255 + (channel - 255) * strength) / 255 for channel in full)
    axes.add_patch(Rectangle((across - 0.48, down - 0.46), 0.96, 0.92, facecolor=colour, edgecolor="#e3e7ec"))
    text = words.numbers.decimal(value, digits=1, sign="both") if known else "–"
    shade = "white" if strength > _DARK else INK if known else MUTED
    axes.text(across, down, text, ha="center", va="center", fontsize=size, color=shade)
