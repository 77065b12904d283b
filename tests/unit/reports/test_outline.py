from __future__ import annotations

from reports.blocks import Block, Column, Figure, Heading, Paragraph, Row, Span, Table, Title, convert_to_spans
from reports.documents import Document
from reports.writers.outline import Outline, build_outline
from tests.support.demonstration import EFFECT, PICTURE, demonstration


def outline(*blocks: Block, layout: str = "report", language: str = "en") -> Outline:
    title = Title(text="T", layout="brief" if layout == "brief" else "report")
    return build_outline(Document(blocks=(title, *blocks)), language=language)


def a_table(anchor: str = "") -> Table:
    return Table(caption=convert_to_spans("C"), columns=(Column(label="A"),), rows=(), anchor=anchor)


def a_figure(anchor: str = "") -> Figure:
    return Figure(svg=PICTURE, caption=convert_to_spans("C"), alt="A", anchor=anchor)


def test_tables_and_figures_are_numbered_each_by_itself() -> None:
    labels = outline(a_table(), a_figure(), a_table(), a_figure()).labels
    assert list(labels.values()) == ["Table 1", "Figure 1", "Table 2", "Figure 2"]


def test_every_heading_table_and_figure_has_an_anchor_of_its_own() -> None:
    found = outline(Heading(text="A"), a_table("heading-1"), Heading(text="B"), a_figure("x y"), a_table()).anchors
    assert len(set(found.values())) == 5
    assert found[2] == "heading-1"
    assert found[4] == "x-y", "white space has no place in an anchor"


def test_a_report_of_five_sections_has_a_list_of_contents_and_a_brief_has_none() -> None:
    headings = tuple(Heading(text=f"Section {n}", anchor=f"s{n}") for n in range(5))
    assert [entry.text for entry in outline(*headings).contents] == [heading.text for heading in headings]
    assert outline(*headings[:4]).contents == ()
    assert outline(*headings, layout="brief").contents == ()


def test_subsections_are_not_listed() -> None:
    headings = tuple(Heading(text=f"{n}", level=1 if n % 2 else 2) for n in range(1, 11))
    assert [entry.text for entry in outline(*headings).contents] == ["1", "3", "5", "7", "9"]


def test_a_number_leads_to_its_row_where_the_table_of_estimates_has_it() -> None:
    found = build_outline(demonstration(), language="en")
    assert found.link(Span(text="−2.1", estimate_id=EFFECT)) == f"#estimate-{EFFECT}"
    assert found.link(Span(text="−2.1", estimate_id="another")) == ""


def test_rows_of_other_tables_are_no_targets() -> None:
    row = Row(cells=(convert_to_spans(Span(text="x", estimate_id="x")),))
    other = Table(caption=convert_to_spans("C"), columns=(Column(label="A"),), rows=(row,), anchor="results")
    assert outline(other).link(Span(text="x", estimate_id="x")) == ""


def test_a_link_of_its_own_comes_before_the_estimate() -> None:
    found = build_outline(demonstration(), language="en")
    assert found.link(Span(text="x", estimate_id=EFFECT, link="#methods")) == "#methods"


def test_links_that_lead_nowhere_or_run_something_are_dropped() -> None:
    found = outline(Heading(text="A", anchor="a"))
    kept = ["#a", "https://example.org/x?y=1#z", "http://example.org", "mailto:a@example.org", "../downloads/x.csv"]
    assert [found.link(Span(text="x", link=link)) for link in kept] == kept
    dropped = [
        "#b",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "java\nscript:x",
        "file:///etc",
        "//[",
        "x:y",
    ]
    assert [found.link(Span(text="x", link=link)) for link in dropped] == [""] * len(dropped)


def test_the_words_of_the_writers_go_through_the_catalogue() -> None:
    words = outline(language="qps").words
    assert all("⟦" in word for word in (words.skip, words.contents, words.caution, words.estimate, words.page))
    assert "{page}" in words.page
    assert "{pages}" in words.page
    assert outline(Paragraph(text=()), a_table(), language="qps").labels[2].startswith("⟦Table")
