from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given

from reports.blocks import (
    Block,
    Bullets,
    Column,
    Figure,
    KeyFigures,
    Note,
    Paragraph,
    Row,
    Span,
    Table,
    Title,
    convert_to_spans,
)
from reports.documents import Document
from reports.writers.html import html_page, text
from tests.support.block_strategies import documents
from tests.support.demonstration import EFFECT, PICTURE, demonstration
from tests.support.html_tree import Element, Tree, parse

PAGE = html_page(demonstration(), language="en")
TREE = parse(PAGE)


def page_of(*blocks: Block) -> Tree:
    return parse(html_page(Document(blocks=(Title(text="T"), *blocks)), language="en"))


def without_style(document: Document) -> Tree:
    """Return a page taken apart without its half a megabyte of fonts."""
    page = html_page(document, language="en")
    start, end = page.index("<style>"), page.index("</style>")
    return parse(page[: start + 7] + page[end:])


def cells(tree: Tree, *tags: str) -> list[Element]:
    return [element for element in tree.elements if element.tag in tags and "table" in element.inside]


def test_the_page_is_well_formed_and_its_ids_are_there_once() -> None:
    assert TREE.unbalanced == []
    assert [name for name, count in Counter(TREE.ids).items() if count > 1] == []


def test_the_page_names_its_language_its_title_and_its_one_main_part() -> None:
    assert TREE.one("html").attributes["lang"] == "en"
    assert TREE.one("title").text == TREE.one("h1").text == demonstration().title.text
    assert TREE.one("main").attributes["id"] == "page-text"
    assert parse(html_page(demonstration(), language="qps")).one("html").attributes["lang"] == "en"


def test_the_first_link_skips_to_the_text() -> None:
    assert TREE.all("a")[0].attributes == {"class": "skip", "href": "#page-text"}


def test_every_link_inside_the_page_has_a_target() -> None:
    inside = [a.attributes["href"][1:] for a in TREE.all("a") if a.attributes["href"].startswith("#")]
    assert len(inside) > 10
    assert set(inside) <= set(TREE.ids)


def test_the_page_needs_nothing_beside_it_and_runs_nothing() -> None:
    assert TREE.all("script") == TREE.all("link") == TREE.all("iframe") == []
    assert all(image.attributes["src"].startswith("data:image/svg+xml;base64,") for image in TREE.all("img"))
    assert re.findall(r"url\(\"(?!data:font/woff2)", PAGE) == []
    assert "default-src 'none'" in TREE.all("meta")[2].attributes["content"]


def test_headings_go_down_by_one_level_at_a_time() -> None:
    levels = [int(e.tag[1]) for e in TREE.elements if re.fullmatch(r"h[1-6]", e.tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_contents_list_the_sections_of_a_long_document_only() -> None:
    contents = [a.text for a in TREE.all("a") if "nav" in a.inside]
    assert contents == [
        "Results",
        "Were the groups alike?",
        "Methods",
        "What is not known",
        "What follows",
        "All estimates",
    ]
    assert parse(html_page(demonstration(layout="brief"), language="en")).all("nav") == []


def test_every_head_of_a_table_says_what_it_is_the_head_of() -> None:
    heads = cells(TREE, "th")
    assert {head.attributes["scope"] for head in heads} == {"col", "colgroup", "row", "rowgroup"}
    assert all(head.text.strip() for head in heads), "an empty head is a cell"


def test_every_table_has_a_caption_with_its_number() -> None:
    assert [re.match(r"Table \d", caption.text) is not None for caption in TREE.all("caption")] == [True] * 3
    assert len(TREE.all("table")) == 3


def test_columns_of_one_group_stand_under_one_spanning_head() -> None:
    spanning = [head for head in cells(TREE, "th") if head.attributes["scope"] == "colgroup"]
    assert [(head.text, head.attributes["colspan"]) for head in spanning] == [
        ("Mean or share", "2"),
        ("Difference", "2"),
    ]
    plain = [head for head in cells(TREE, "th") if head.attributes.get("rowspan") == "2"]
    assert [head.text for head in plain] == ["Outcome", "How sure"]


def test_numbers_are_aligned_as_their_column_says() -> None:
    table = Table(
        caption=convert_to_spans("C"),
        columns=(Column(label="A"), Column(label="B", align="right"), Column(label="D", align="centre")),
        rows=(
            Row(cells=(convert_to_spans("a"), convert_to_spans("1"), convert_to_spans("2"))),
            Row(cells=(convert_to_spans("All"), (), ()), kind="total"),
        ),
    )
    tree = page_of(table)
    assert [cell.attributes["class"] for cell in cells(tree, "td")] == ["right", "centre"] * 2
    assert [row.attributes.get("class") for row in tree.all("tr")] == [None, "body", "total"]


def test_a_section_row_spans_the_table() -> None:
    row = Row(cells=(convert_to_spans("Secondary"),), kind="section")
    tree = page_of(Table(caption=convert_to_spans("C"), columns=(Column(label="A"), Column(label="B")), rows=(row,)))
    (head,) = [cell for cell in cells(tree, "th") if cell.attributes["scope"] == "rowgroup"]
    assert (head.text, head.attributes["colspan"]) == ("Secondary", "2")


def test_a_number_says_which_estimate_it_is_and_leads_to_its_row() -> None:
    numbers = [span for span in TREE.all("span") if span.attributes.get("data-estimate") == EFFECT]
    assert len(numbers) == 4
    assert {number.attributes["title"] for number in numbers} == {f"Estimate {EFFECT}"}
    assert f"estimate-{EFFECT}" in TREE.ids
    links = [a for a in TREE.all("a") if a.attributes["href"] == f"#estimate-{EFFECT}"]
    assert [link.text for link in links] == ["2.1 percentage points", "−2.1 pp", "−2.1 pp"], (
        "the row does not lead to itself"
    )


def test_pictures_have_a_text_for_those_who_cannot_see_them_and_a_size() -> None:
    (image,) = TREE.all("img")
    assert image.attributes["alt"].startswith("Differences in early leaving")
    assert (image.attributes["width"], image.attributes["height"]) == ("640", "200")
    assert TREE.one("figcaption").text.startswith("Figure 1")


def test_a_caution_without_a_title_says_that_it_is_one() -> None:
    tree = page_of(Note(kind="caution", text=convert_to_spans("x")), Note(kind="info", text=convert_to_spans("y")))
    assert [e.text for e in tree.elements if e.attributes.get("class") == "note-title"] == ["Caution"]


def test_paragraphs_lists_and_settings_are_elements_of_their_kind() -> None:
    tree = page_of(
        Paragraph(text=convert_to_spans((Span(text="s", strong=True), Span(text="e", emphasis=True))), style="lead"),
        Bullets(items=(convert_to_spans("one"), convert_to_spans("two")), numbered=True),
        Bullets(items=(convert_to_spans("point"),)),
    )
    assert [tree.one(tag).text for tag in ("strong", "em")] == ["s", "e"]
    assert [[li.text for li in tree.all("li") if tag in li.inside] for tag in ("ol", "ul")] == [
        ["one", "two"],
        ["point"],
    ]


def test_the_same_document_gives_the_same_page() -> None:
    assert html_page(demonstration(), language="en") == PAGE


@pytest.mark.parametrize(
    ("language", "label"),
    [("hu", "1. táblázat"), ("sr", "Табела 1"), ("sr-Latn", "Tabela 1"), ("sl", "Tabela 1")],
)
def test_what_writers_add_is_in_the_language_of_the_document(language: str, label: str) -> None:
    from data_schema.language import Language

    page = html_page(demonstration(), language=language)
    assert parse(page).one("html").attributes["lang"] == Language(language).tag
    assert f'<span class="label">{label}</span>' in page
    assert "Skip to the text" not in page


@given(documents())
def test_no_text_breaks_out_of_its_place(document: Document) -> None:
    tree = without_style(document)
    assert tree.unbalanced == []
    assert tree.comments == ["site"], "a text that looks like the site's mark is not one"
    assert tree.all("script") == []
    assert not [e for e in tree.elements if any(name.startswith("on") for name in e.attributes)]
    assert not [a for a in tree.all("a") if a.attributes["href"].lower().startswith("javascript")]
    assert sum(element.tag in {"style", "title", "main", "h1"} for element in tree.elements) == 4


@given(documents())
def test_every_text_arrives_as_it_was(document: Document) -> None:
    tree = without_style(document)
    assert tree.one("h1").text == parse(f"<p>{text(document.title.text)}</p>").one("p").text
    main = tree.one("main").text
    for block in document.blocks:
        if isinstance(block, Paragraph):
            assert "".join(parse(f"<p>{text(s.text)}</p>").one("p").text for s in block.text) in main
        if isinstance(block, KeyFigures):
            assert all(parse(f"<p>{text(f.label)}</p>").one("p").text in main for f in block.figures)


def test_a_wide_figure_keeps_its_share_of_the_width() -> None:
    figure = Figure(svg=PICTURE, caption=convert_to_spans("C"), alt="A", width=0.5)
    (box,) = [e for e in page_of(figure).all("div") if e.attributes.get("class") == "picture"]
    assert box.attributes["style"] == "max-width: 50%"
