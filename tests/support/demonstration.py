"""A document with every kind of block, for the tests of the writers and for looking at their pages."""

from __future__ import annotations

from reports.blocks import (
    Block,
    Bullets,
    Column,
    Figure,
    Heading,
    KeyFigure,
    KeyFigures,
    Note,
    PageBreak,
    Paragraph,
    Row,
    Span,
    Table,
    Title,
    convert_to_spans,
)
from reports.documents import Document

PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="480pt" height="150pt" viewBox="0 0 480 150">'
    '<line x1="0" y1="130" x2="480" y2="130" stroke="#1a1a1a" stroke-width="1"/>'
    '<line x1="300" y1="10" x2="300" y2="130" stroke="#c9ced6" stroke-width="1"/>'
    + "".join(
        f'<line x1="{x - w}" y1="{y}" x2="{x + w}" y2="{y}" stroke="#0072B2" stroke-width="2"/>'
        f'<circle cx="{x}" cy="{y}" r="5" fill="#0072B2"/>'
        for x, w, y in ((210, 90, 30), (250, 110, 60), (180, 120, 90), (220, 60, 115))
    )
    + "</svg>"
)
EFFECT = "primary/all/difference/pilot"


def demonstration(*, svg: str = PICTURE, layout: str = "report") -> Document:
    """Return a document with every kind of block."""
    sections = (
        (_opening(layout), _findings(), _results(), _picture(svg), _closing())
        if layout == "brief"
        else (_opening(layout), _findings(), _results(), _picture(svg), _balance(), _methods(), _closing(), _appendix())
    )
    return Document(blocks=tuple(block for section in sections for block in section))


def _opening(layout: str) -> tuple[Block, ...]:
    return (
        Title(
            text="Early warning with mentors kept two more pupils in a hundred at school",
            kind="Evidence summary" if layout == "brief" else "Experimental report",
            subtitle="A randomised trial of an early warning system in 62 schools of Hungary, Serbia and Slovenia",
            facts=(
                "Pilot 31 schools, control 31",
                "11,482 pupils",
                "September 2027 to June 2029",
                "Plan registered before the draw",
            ),
            layout="brief" if layout == "brief" else "report",
        ),
        Paragraph(
            style="lead",
            text=convert_to_spans(
                (
                    "Of a hundred pupils in pilot schools, ",
                    Span(text="7.1", estimate_id="primary/all/mean/pilot"),
                    " left without a qualification, against ",
                    Span(text="9.2", estimate_id="primary/all/mean/control"),
                    " in schools that went on as usual.",
                )
            ),
        ),
    )


def _findings() -> tuple[Block, ...]:
    return (
        Note(
            kind="finding",
            title="What was found",
            text=convert_to_spans(
                (
                    "Early leaving fell by ",
                    Span(text="2.1 percentage points", strong=True, estimate_id=EFFECT),
                    " (95 % interval −3.5 to −0.7). Chance alone would rarely give a difference as large: ",
                    Span(text="p", emphasis=True),
                    " = 0.004 by re-drawing the allocation.",
                )
            ),
        ),
        KeyFigures(
            figures=(
                KeyFigure(
                    value=convert_to_spans(Span(text="−2.1 pp", estimate_id=EFFECT)),
                    label="early leaving",
                    detail="95 % interval −3.5 to −0.7",
                ),
                KeyFigure(
                    value=convert_to_spans("62"), label="schools", detail="31 pilot, 31 control, three countries"
                ),
                KeyFigure(value=convert_to_spans("€ 118"), label="a pupil and school year", detail="prices of 2028"),
            )
        ),
    )


def _number(text: str, *, estimate_id: str) -> tuple[Span, ...]:
    return (Span(text=text, estimate_id=estimate_id),)


def _results() -> tuple[Block, ...]:
    def row(name: str, *cells: str, kind: str = "body") -> Row:
        return Row(
            cells=(convert_to_spans(name), *(convert_to_spans(cell) for cell in cells)),
            kind="total" if kind == "total" else "body",
        )

    return (
        Heading(text="Results", level=1, anchor="results"),
        Paragraph(
            text=convert_to_spans(
                (
                    "Results of every outcome in the plan are in ",
                    Span(text="the table of results", link="#outcomes"),
                    "; how they were estimated is described under ",
                    Span(text="Methods", link="#methods"),
                    ". The plan is in the ",
                    Span(text="public register", link="https://www.socialscienceregistry.org/"),
                    ". A difference below zero means that fewer pupils of pilot schools left early; the interval shows "
                    "which differences "
                    "are compatible with what was seen, were the trial to be run again in schools like these.",
                )
            )
        ),
        Table(
            anchor="outcomes",
            caption=convert_to_spans("Outcomes of pilot and control schools at the end of the second school year"),
            columns=(
                Column(label="Outcome", width=2.2),
                Column(label="Pilot", align="right", group="Mean or share"),
                Column(label="Control", align="right", group="Mean or share"),
                Column(label="Estimate", align="right", group="Difference"),
                Column(label="95 % interval", align="right", width=1.4, group="Difference"),
                Column(label="How sure", width=1.2),
            ),
            rows=(
                Row(cells=(convert_to_spans("Primary outcome"),), kind="section"),
                Row(
                    cells=(
                        convert_to_spans("Left school early"),
                        _number("7.1 %", estimate_id="primary/all/mean/pilot"),
                        _number("9.2 %", estimate_id="primary/all/mean/control"),
                        _number("−2.1 pp", estimate_id=EFFECT),
                        convert_to_spans("(−3.5 to −0.7)"),
                        convert_to_spans("Fairly sure"),
                    )
                ),
                Row(cells=(convert_to_spans("Secondary outcomes"),), kind="section"),
                row("Intends to leave within a year", "12.4 %", "13.0 %", "−0.6 pp", "(−2.4 to 1.2)", "Not shown"),
                row("Engagement, scale of 1 to 5", "3.61", "3.52", "0.09", "(0.01 to 0.17)", "Somewhat sure"),
                row(
                    "Days absent without leave in a school year, by class registers",
                    "6.2",
                    "7.4",
                    "−1.2",
                    "(−2.1 to −0.3)",
                    "Fairly sure",
                ),
                row("All outcomes together", "", "", "0.11 SD", "(0.02 to 0.20)", "Fairly sure", kind="total"),
            ),
            note=convert_to_spans(
                "Differences are adjusted for strata and covariates. pp: percentage points. SD: standard deviations."
            ),
        ),
    )


def _picture(svg: str) -> tuple[Block, ...]:
    return (
        Heading(text="By country", level=2, anchor="by-country"),
        Paragraph(
            text=convert_to_spans(
                "The difference has the same direction in each country; the intervals overlap widely."
            )
        ),
        Figure(
            anchor="forest",
            svg=svg,
            caption=convert_to_spans(
                "Early leaving fell in all three countries, and most clearly where they are taken together"
            ),
            alt="Differences in early leaving with intervals: Hungary, Serbia, Slovenia and all; each is below zero.",
            note=convert_to_spans("Points are differences in percentage points, lines are 95 % intervals."),
            width=0.9,
        ),
        Note(
            kind="caution",
            text=convert_to_spans("With some twenty schools a country, a country's own figure says little by itself."),
        ),
    )


def _balance() -> tuple[Block, ...]:
    names = (
        "Size",
        "Dropout rate before the trial",
        "Prior average",
        "Share of disadvantaged pupils",
        "Share of girls",
        "Vocational",
    )
    rows = tuple(
        Row(
            cells=(
                convert_to_spans(f"{name}, {country}"),
                convert_to_spans(f"{20 + i}.{i}"),
                convert_to_spans(f"{21 + i}.{i % 7}"),
                convert_to_spans(f"0.0{i % 9}"),
            )
        )
        for country in ("Hungary", "Serbia", "Slovenia", "all")
        for i, name in enumerate(names * 2)
    )
    return (
        Heading(text="Were the groups alike?", level=1, anchor="balance"),
        Table(
            caption=convert_to_spans("Schools before the trial"),
            columns=(
                Column(label="", width=3),
                Column(label="Pilot", align="right"),
                Column(label="Control", align="right"),
                Column(label="Standardised difference", align="right"),
            ),
            rows=rows,
        ),
    )


def _methods() -> tuple[Block, ...]:
    return (
        PageBreak(),
        Heading(text="Methods", level=1, anchor="methods"),
        Paragraph(
            text=convert_to_spans(
                "Schools were drawn within strata of country and type of school. The draw is a function of the list of "
                "schools, the design and a seed that was announced beforehand, so that anyone can repeat it. Pupils "
                "were analysed in the school in which they "
                "were enrolled at baseline, whether or not they stayed there."
            )
        ),
        Bullets(
            items=(
                convert_to_spans("The list of schools was closed and its hash published."),
                convert_to_spans("The seed was taken from the state lottery's numbers of a day named in advance."),
                convert_to_spans("The draw was made once and was written to a log that cannot be changed unnoticed."),
            ),
            numbered=True,
        ),
        Heading(text="What could not be done", level=2),
        Bullets(
            items=(
                convert_to_spans("Teachers knew which group their school was in."),
                convert_to_spans(("One school ", Span(text="closed", emphasis=True), ".")),
            )
        ),
        Note(
            kind="info",
            title="Small counts",
            text=convert_to_spans("Counts under ten are not printed, nor what would give them back."),
        ),
    )


def _closing() -> tuple[Block, ...]:
    return (
        Heading(text="What is not known", level=1, anchor="limits"),
        Paragraph(
            text=convert_to_spans("Whether the gain lasts after mentors leave. A survey a year later is planned.")
        ),
        Heading(text="What follows", level=1, anchor="follows"),
        Bullets(
            items=(
                convert_to_spans("For ministries: a third year of support costs less than it saves."),
                convert_to_spans("For schools: meet monthly."),
            )
        ),
        Paragraph(
            style="small", text=convert_to_spans("Made from the results of 24 November 2029 with version 0.1.0.")
        ),
    )


def _appendix() -> tuple[Block, ...]:
    ids = (("primary/all/mean/pilot", "7.1 %"), ("primary/all/mean/control", "9.2 %"), (EFFECT, "−2.1 pp"))
    return (
        Heading(text="All estimates", level=1, anchor="all-estimates"),
        Table(
            anchor="estimates",
            caption=convert_to_spans("Estimates by their id"),
            columns=(Column(label="Id", width=2), Column(label="Estimate", align="right"), Column(label="Method")),
            rows=tuple(
                Row(
                    cells=(
                        convert_to_spans(Span(text=name, estimate_id=name)),
                        convert_to_spans(value),
                        convert_to_spans("Linear mixed model, Satterthwaite"),
                    )
                )
                for name, value in ids
            ),
        ),
    )
