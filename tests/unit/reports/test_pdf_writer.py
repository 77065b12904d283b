from __future__ import annotations

import io
import re
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from pypdf import PdfReader

from data_schema.errors import ReportError
from reports.blocks import Block, Column, Paragraph, Row, Table, Title, convert_to_spans
from reports.documents import Document
from reports.writers import typst
from reports.writers.typst import convert_to_printable, pdf_bytes
from tests.support.block_strategies import documents
from tests.support.demonstration import demonstration

PDF = pdf_bytes(demonstration(), language="en")
READER = PdfReader(io.BytesIO(PDF))
TEXTS = [page.extract_text() for page in READER.pages]


def read(*blocks: Block, layout: str = "report", title: str = "T") -> PdfReader:
    first = Title(text=title, kind="Report", layout="brief" if layout == "brief" else "report")
    return PdfReader(io.BytesIO(pdf_bytes(Document(blocks=(first, *blocks)), language="en")))


def tags(reader: PdfReader) -> list[str]:
    """Return the structure's tags in reading order."""
    found: list[str] = []

    def walk(node: Any) -> None:  # noqa: ANN401 -- pypdf's objects are untyped
        node = node.get_object() if hasattr(node, "get_object") else node
        if isinstance(node, list):
            for child in node:
                walk(child)
        elif isinstance(node, dict):
            if "/S" in node:
                found.append(str(node["/S"]))
            walk(node.get("/K", []))

    walk(cast("Any", reader.trailer["/Root"])["/StructTreeRoot"])
    return found


def test_the_file_claims_to_be_accessible_and_says_what_and_in_which_language_it_is() -> None:
    root = cast("Any", READER.trailer["/Root"])
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_object().get_data()
    assert root["/MarkInfo"]["/Marked"] == True  # noqa: E712 -- pypdf's own kind of truth
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"] == True  # noqa: E712
    assert READER.metadata is not None
    assert READER.metadata.title == demonstration().title.text


def test_the_same_document_gives_the_same_bytes_and_holds_no_date_of_today() -> None:
    assert pdf_bytes(demonstration(), language="en") == PDF
    assert set(re.findall(rb"D:(\d{4})", PDF)) <= {b"2000"}


def test_pages_are_a4_and_numbered() -> None:
    assert len(TEXTS) == 4
    for number, (page, text) in enumerate(zip(READER.pages, TEXTS, strict=True), start=1):
        assert (float(page.mediabox.width), float(page.mediabox.height)) == pytest.approx((595.28, 841.89), abs=0.1)
        assert f"Page {number} of 4" in text


def test_the_running_title_stands_on_every_page_but_the_first() -> None:
    title = demonstration().title.text
    assert [title in text.replace("\n", " ").split("Page")[0][:400] for text in TEXTS[1:]] == [True] * 3
    assert " ".join(TEXTS[0].split()).count(title) == 1


def test_a_long_running_title_is_cut_between_words() -> None:
    title = "word " * 60
    texts = [
        page.extract_text() for page in read(*[Paragraph(text=convert_to_spans("x " * 900))] * 4, title=title).pages
    ]
    (line,) = [line for line in texts[1].splitlines() if "…" in line]
    assert line.endswith("word …")
    assert len(line) < 110


def test_everything_of_the_document_is_in_the_pdf() -> None:
    text = " ".join(" ".join(TEXTS).split())
    for words in (
        "Contents",
        "Table 1 Outcomes of pilot and control schools",
        "Figure 1 Early leaving fell",
        "Mean or share",
        "(−3.5 to −0.7)",
        "€ 118",
        "Caution",
        "What could not be done",
        "1. The list of schools was closed",
        "primary/all/difference/pilot",
    ):
        assert words in text


def test_headings_tables_pictures_and_lists_are_tagged() -> None:
    found = tags(READER)
    assert {
        "/H1",
        "/H2",
        "/Table",
        "/TH",
        "/TD",
        "/Figure",
        "/Caption",
        "/L",
        "/TOC",
        "/Link",
        "/Strong",
        "/Em",
    } <= set(found)
    assert found.count("/Table") == 3
    assert found.count("/Figure") == 1
    figure = next(node for node in _structure(READER) if node.get("/S") == "/Figure")
    assert str(figure["/Alt"]).startswith("Differences in early leaving")


def _structure(reader: PdfReader) -> list[Any]:
    found: list[Any] = []
    for reference in range(1, len(reader.xref[0]) + 200):
        try:
            node: Any = reader.get_object(reference)
        except Exception:  # noqa: BLE001, S112 -- a free number
            continue
        if isinstance(node, dict) and "/S" in node:
            found.append(node)
    return found


def test_links_inside_lead_to_a_place_and_addresses_stay() -> None:
    annotations = [a.get_object() for page in READER.pages for a in page.get("/Annots", [])]
    addresses = {str(a["/A"]["/URI"]) for a in annotations if "/A" in a and "/URI" in a["/A"]}
    assert addresses == {"https://www.socialscienceregistry.org/"}
    inside = [a for a in annotations if "/Dest" in a or a.get("/A", {}).get("/S") == "/GoTo"]
    assert len(inside) > 10


def test_the_head_of_a_long_table_is_repeated_on_every_page() -> None:
    columns = (Column(label="Indicator"), Column(label="Pilot", align="right"))
    rows = tuple(Row(cells=(convert_to_spans(f"Row {n}"), convert_to_spans(str(n)))) for n in range(120))
    texts = [
        page.extract_text() for page in read(Table(caption=convert_to_spans("Long"), columns=columns, rows=rows)).pages
    ]
    assert len(texts) >= 3
    assert all("Indicator" in text for text in texts)
    assert sum("Table 1" in text for text in texts) == 1


def test_a_short_table_stays_together() -> None:
    columns = (Column(label="Indicator"), Column(label="Pilot", align="right"))
    rows = tuple(
        Row(cells=(convert_to_spans(f"Row {n} of the short one"), convert_to_spans(str(n)))) for n in range(12)
    )
    filler = Paragraph(text=convert_to_spans("Words that fill the page. " * 150))
    texts = [
        page.extract_text()
        for page in read(filler, Table(caption=convert_to_spans("Short"), columns=columns, rows=rows)).pages
    ]
    assert [text.count("of the short one") for text in texts] == [0, 12]


def test_headings_are_not_hyphenated() -> None:
    long = "Institutionalisation of interdepartmental responsibilities and misunderstandings"
    text = read(title=long).pages[0].extract_text()
    assert "-\n" not in text.replace("\u2010", "-")


def test_numbers_are_not_broken_where_there_is_room() -> None:
    columns = (Column(label="Outcome", width=9), Column(label="95 % interval", align="right", width=0.1))
    row = Row(
        cells=(
            convert_to_spans("A long name of an outcome that could take all the room there is " * 3),
            convert_to_spans("(−12.5 to −10.7)"),
        )
    )
    text = read(Table(caption=convert_to_spans("C"), columns=columns, rows=(row,))).pages[0].extract_text()
    assert "(−12.5 to −10.7)" in text


@pytest.mark.parametrize("n_columns", [1, 2, 7, 14])
def test_tables_of_any_width_are_set_within_the_page(n_columns: int) -> None:
    columns = tuple(Column(label=f"Column {n}", align="right" if n else "left") for n in range(n_columns))
    row = Row(cells=tuple(convert_to_spans("(−12.5 to −10.7)") for _ in range(n_columns)))
    assert len(read(Table(caption=convert_to_spans("C"), columns=columns, rows=(row, row))).pages) == 1


def test_a_document_that_cannot_be_set_is_a_report_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typst, "_load_template", lambda: b"#panic()")
    with pytest.raises(ReportError, match="The document 'T': it cannot be set"):
        pdf_bytes(Document(blocks=(Title(text="T"),)), language="en")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Čšž Őű Њљћ − ≤ ≥ “q” …", "Čšž Őű Њљћ − ≤ ≥ “q” …"),
        ("a\tb\nc\u2009d", "a b c d"),
        ("s\u030c", "š"),
        ("1\u202f000\u00a0€", "1\u202f000\u00a0€"),
        ("a\u200b\ufeff\x00\u202eb", "ab"),
        ("漢 🎓", "□ □"),
    ],
)
def test_only_what_the_fonts_can_show_is_set(text: str, shown: str) -> None:
    assert convert_to_printable(text) == shown


@given(documents())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_text_keeps_a_document_from_being_set(document: Document) -> None:
    reader = PdfReader(io.BytesIO(pdf_bytes(document, language="en")))
    assert len(reader.pages) >= 1


@pytest.mark.parametrize(
    "text", ["#panic()", "$x$ *a* _b_ `c` <d> @e", "\\#", "= H", "// c", "[x] #[y]", "a--b", "'q' \"q\"", "{page}"]
)
def test_typst_s_own_signs_are_printed_as_they_are(text: str) -> None:
    page = read(Paragraph(text=convert_to_spans(f"start {text} end"))).pages[0].extract_text()
    assert f"start {text} end" in page
