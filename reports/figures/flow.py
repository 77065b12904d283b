"""Flow diagram: schools and pupils from assessment to analysis, a column per arm."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.blocks import Figure as FigureBlock
from reports.blocks import convert_to_spans
from reports.evidence import Evidence
from reports.figures.style import INK, MUTED, PALE, SMALL, WIDTH, create_blank_figure, drawing, to_svg
from reports.flow import ArmFlow, Flow, Step, build_flow, describe_missing_reason
from reports.tables.layout import describe_suppression, format_count, format_count_span
from reports.words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ARMS = 4
"""Greatest number of columns that can be read at the width of a page."""

_LINE, _PAD, _GAP, _BETWEEN = 0.158, 0.085, 0.27, 0.22
_CHARACTER = 0.055


@dataclass(frozen=True, slots=True)
class _Box:
    """A box of the diagram: its heading, its lines, its left edge and width in inches."""

    heading: str
    lines: tuple[str, ...]
    left: float
    width: float

    @property
    def wrapped(self) -> list[tuple[str, bool]]:
        letters = int((self.width - 2 * _PAD) / _CHARACTER)
        wrapped = [(part, True) for part in textwrap.wrap(self.heading, letters)]
        for line in self.lines:
            wrapped += [(part, False) for part in textwrap.wrap(line, letters, subsequent_indent="  ")]
        return wrapped

    @property
    def height(self) -> float:
        return _LINE * len(self.wrapped) + 2 * _PAD

    @property
    def middle(self) -> float:
        return self.left + self.width / 2


def flow_diagram(evidence: Evidence, words: Words, *, anchor: str = "flow-diagram") -> FigureBlock | None:
    """Return the flow diagram of what the report is about; None when nothing is known or there are too many arms."""
    flow = build_flow(evidence)
    if flow is None or not 1 <= len(flow.arms) <= MOST_ARMS:
        return None
    limit = evidence.disclosure_threshold
    top = _build_trunk_boxes(words, flow, limit)
    columns = [_build_arm_boxes(words, entry, limit, place, len(flow.arms)) for place, entry in enumerate(flow.arms)]
    bands = [max(column[row].height for column in columns) for row in range(len(columns[0]))]
    trunk, aside = top
    height = sum(box.height + _GAP for box in trunk) + sum(bands) + _GAP * (len(bands) - 1) + 0.1
    if aside is not None:
        height += _drop(trunk[0], aside) - _GAP
    with drawing():
        figure, axes = create_blank_figure(height)
        axes.set_xlim(0, WIDTH)
        axes.set_ylim(0, height)
        y = _draw_before(axes, trunk, aside, height - 0.02)
        _draw_arms(axes, columns, bands, trunk[-1].middle, y)
        svg = to_svg(figure, anchor)
    hidden = any(_is_hidden(step) for entry in flow.arms for step in _collect_steps(entry))
    return FigureBlock(
        svg=svg,
        caption=convert_to_spans(words.text("Schools and pupils in the trial, from assessment to analysis")),
        alt=_describe_flow_figure(trunk, aside, columns),
        note=convert_to_spans(describe_suppression(words, limit)) if hidden else (),
        anchor=anchor,
        numbers=tuple(
            format_count_span(words, step.pupils, threshold=limit)
            for entry in flow.arms
            for step in _collect_steps(entry)
            if step.pupils is not None
        ),
    )


def format_flow_step(words: Words, step: Step, *, threshold: int) -> str:
    """Return "31 schools, 1,834 pupils", or what of it is known; no schools go unsaid where there are pupils."""
    parts = []
    n_schools = step.schools.value if step.schools is not None else None
    if n_schools or (n_schools == 0 and step.pupils is None):
        parts.append(words.schools(n_schools))
    if step.pupils is not None:
        number = format_count(words, step.pupils, threshold=threshold)
        is_number_known = step.pupils.value is not None
        parts.append(words.pupils(step.pupils.value or 0) if is_number_known else words.text("{n} pupils", n=number))
    if len(parts) > 1:
        return words.text("{schools}, {pupils}", schools=parts[0], pupils=parts[1])
    return parts[0] if parts else words.numbers.decimal(float("nan"))


def _build_trunk_boxes(words: Words, flow: Flow, limit: int) -> tuple[list[_Box], _Box | None]:
    """Boxes down to randomisation, and the one beside them with the schools that were left out."""
    width, left = 2.3, (WIDTH - 2.3) / 2
    trunk = []
    aside = None
    if flow.assessed.schools is not None:
        lines = (format_flow_step(words, flow.assessed, threshold=limit),)
        trunk.append(_Box(words.text("Assessed for eligibility"), lines, left, width))
    if flow.excluded and trunk:
        edge = left + width + 0.25
        reasons = tuple(
            words.text("{reason}: {count}", reason=reason, count=format_flow_step(words, step, threshold=limit))
            for reason, step in flow.excluded
        )
        total = sum(step.schools.value or 0 for _, step in flow.excluded if step.schools is not None)
        heading = words.plural("Not included: {n} school", "Not included: {n} schools", total)
        aside = _Box(heading, reasons, edge, WIDTH - edge - 0.02)
    lines = (format_flow_step(words, flow.randomised, threshold=limit),)
    trunk.append(_Box(words.text("Randomised"), lines, left, width))
    return trunk, aside


def _drop(box: _Box, aside: _Box | None) -> float:
    """Return the room below a box, so that the one beside it ends above the next."""
    return _GAP if aside is None else max(_GAP, aside.height - box.height + 0.14)


def _build_arm_boxes(words: Words, entry: ArmFlow, limit: int, place: int, n_arms: int) -> list[_Box]:
    width = (WIDTH - 0.04 - _BETWEEN * (n_arms - 1)) / n_arms
    left = 0.02 + place * (width + _BETWEEN)

    def format_step(step: Step) -> str:
        return format_flow_step(words, step, threshold=limit)

    enrolled = [words.text("Randomised: {count}", count=format_step(entry.randomised))]
    enrolled.append(words.text("Enrolled at baseline: {count}", count=format_step(entry.baseline)))
    if entry.joined.schools is not None:
        enrolled.append(words.text("Joined later, not analysed: {count}", count=format_step(entry.joined)))
    lost = [
        words.text("{reason}: {count}", reason=describe_missing_reason(words, reason), count=format_step(step))
        for reason, step in entry.missing
    ]
    return [
        _Box(entry.arm.label, tuple(enrolled), left, width),
        _Box(words.text("Outcome missing"), tuple(lost) or (words.text("nobody"),), left, width),
        _Box(words.text("Analysed (primary outcome)"), (format_step(entry.analysed),), left, width),
    ]


def _draw_before(axes: Axes, trunk: Sequence[_Box], aside: _Box | None, y: float) -> float:
    """Draw the boxes down to randomisation and return where the last one ends."""
    for place, box in enumerate(trunk):
        _draw_box(axes, box, y, box.height)
        bottom = y - box.height
        if place == len(trunk) - 1:
            return bottom
        step = _drop(box, aside)
        if aside is not None:
            centre = y - box.height / 2
            _draw_box(axes, aside, y, aside.height)
            _draw_arrow(axes, (box.left + box.width, centre), (aside.left, centre))
        _draw_arrow(axes, (box.middle, bottom), (box.middle, bottom - step))
        y = bottom - step
    return y


def _draw_arms(axes: Axes, columns: list[list[_Box]], bands: Sequence[float], middle: float, y: float) -> None:
    rail = y - _GAP / 2
    axes.plot([middle, middle], [y, rail], color=MUTED, linewidth=1.0)
    if len(columns) > 1:
        axes.plot([columns[0][0].middle, columns[-1][0].middle], [rail, rail], color=MUTED, linewidth=1.0)
    for column in columns:
        start, top = rail, y - _GAP
        for box, band in zip(column, bands, strict=True):
            _draw_arrow(axes, (box.middle, start), (box.middle, top))
            _draw_box(axes, box, top, band)
            start, top = top - band, top - band - _GAP


def _draw_box(axes: Axes, box: _Box, top: float, height: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (box.left, top - height),
            box.width,
            height,
            boxstyle="round,pad=0,rounding_size=0.04",
            facecolor=PALE,
            edgecolor=MUTED,
            linewidth=0.8,
        )
    )
    for place, (text, is_heading) in enumerate(box.wrapped):
        axes.text(
            box.left + _PAD, top - _PAD - _LINE * (place + 0.5), text, va="center", fontsize=SMALL, color=INK,
            fontweight="bold" if is_heading else "regular",
        )  # fmt: skip


def _draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "", xy=end, xytext=start,
        arrowprops={
            "arrowstyle": "-|>", "color": MUTED, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 8
        },
    )  # fmt: skip


def _collect_steps(entry: ArmFlow) -> list[Step]:
    return [entry.baseline, entry.joined, entry.analysed, *(step for _, step in entry.missing)]


def _is_hidden(step: Step) -> bool:
    return step.pupils is not None and step.pupils.value is None


def _describe_flow_figure(trunk: Sequence[_Box], aside: _Box | None, columns: Sequence[Sequence[_Box]]) -> str:
    boxes = [*trunk, *([aside] if aside is not None else []), *(box for column in columns for box in column)]
    return " ".join(f"{box.heading}: {'; '.join(box.lines)}." for box in boxes)
