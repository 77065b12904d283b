"""Strategies for blocks with text that means to break out of a page."""

from __future__ import annotations

from hypothesis import strategies as st

from reports.blocks import (
    Block,
    Bullets,
    Column,
    Heading,
    Inline,
    KeyFigure,
    KeyFigures,
    Note,
    PageBreak,
    Paragraph,
    Row,
    Span,
    Table,
    Title,
)
from reports.documents import Document

HOSTILE = (
    "<script>alert(1)</script>",
    "</style></title></head>",
    '" onmouseover="alert(1)',
    "<!-- --><!--site-->",
    "]]>&amp;&#x3c;",
    '#import "x": *; #eval("1")',
    "$x^2$ *strong* _emph_ `raw` <label> @ref",
    "\\u{1f600} \\ // /* */ -- --- ~ ...",
    "= Heading\n- item\n+ item",
    "{{ }} {} %s $$ \x00 \x1b[31m \ufeff \u202e \u200b",
    "Čšž Őű Њљћ “quoted” − ≤ ≥ … 漢字 🎓",
)

texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30))
headings = texts.filter(str.strip)
links = st.one_of(
    st.just(""), st.sampled_from(("#nowhere", "javascript:alert(1)", "https://example.org/?a=<b>&c", "a b.csv"))
)
spans = st.builds(
    Span,
    text=texts,
    strong=st.booleans(),
    emphasis=st.booleans(),
    link=links,
    estimate_id=st.one_of(st.just(""), texts),
)
inlines: st.SearchStrategy[Inline] = st.lists(spans, max_size=3).map(tuple)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Return a table whose rows fit its columns."""
    n = draw(st.integers(1, 4))
    columns = tuple(
        Column(
            label=draw(texts),
            align=draw(st.sampled_from(("left", "right", "centre"))),
            width=draw(st.floats(0.1, 5)),
            group=draw(st.sampled_from(("", "One group", "<b>"))),
        )
        for _ in range(n)
    )
    rows = draw(
        st.lists(
            st.one_of(
                st.builds(
                    Row,
                    cells=st.lists(inlines, min_size=n, max_size=n).map(tuple),
                    kind=st.sampled_from(("body", "total")),
                ),
                st.builds(Row, cells=st.tuples(inlines), kind=st.just("section")),
            ),
            max_size=4,
        )
    )
    return Table(caption=draw(inlines), columns=columns, rows=tuple(rows), note=draw(inlines))


blocks: st.SearchStrategy[Block] = st.one_of(
    st.builds(Heading, text=headings, level=st.sampled_from((1, 2))),
    st.builds(Paragraph, text=inlines, style=st.sampled_from(("body", "lead", "small"))),
    st.builds(Bullets, items=st.lists(inlines, max_size=3).map(tuple), numbered=st.booleans()),
    tables(),
    st.builds(Note, kind=st.sampled_from(("info", "caution", "finding")), text=inlines, title=texts),
    st.builds(
        KeyFigures,
        figures=st.lists(st.builds(KeyFigure, value=inlines, label=texts, detail=texts), min_size=1, max_size=4).map(
            tuple
        ),
    ),
    st.just(PageBreak()),
)
titles = st.builds(
    Title,
    text=headings,
    kind=texts,
    subtitle=texts,
    facts=st.lists(texts, max_size=3).map(tuple),
    layout=st.sampled_from(("report", "brief")),
)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Return a document of hostile blocks."""
    first = Heading(text=draw(headings), level=1)
    return Document(blocks=(draw(titles), first, *draw(st.lists(blocks, max_size=6))))
