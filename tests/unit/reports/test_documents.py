from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_schema.errors import ReportError, StorageError
from reports.blocks import (
    BLOCK_MIME,
    Block,
    Column,
    Figure,
    Heading,
    Paragraph,
    Row,
    Table,
    Title,
    convert_to_spans,
    to_json,
)
from reports.documents import Document, read_document, write_html, write_pdf
from tests.support.demonstration import demonstration

TITLE = Title(text="Fewer pupils left")


def notebook(path: Path, *outputs: dict[str, object]) -> Path:
    """Write an executed notebook with these outputs, one per cell."""
    cells = [
        {
            "cell_type": "code",
            "id": f"c{place}",
            "metadata": {},
            "source": "",
            "execution_count": 1,
            "outputs": [output],
        }
        for place, output in enumerate(outputs)
    ]
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}), encoding="utf-8")
    return path


def shown(block: Block) -> dict[str, object]:
    data = {BLOCK_MIME: to_json(block), "text/plain": "…"}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def test_blocks_are_read_in_the_order_in_which_they_were_shown(tmp_path: Path) -> None:
    blocks = demonstration().blocks
    assert read_document(notebook(tmp_path / "n.ipynb", *map(shown, blocks))).blocks == blocks


def test_outputs_that_are_no_blocks_are_passed_over(tmp_path: Path) -> None:
    path = notebook(
        tmp_path / "n.ipynb",
        {"output_type": "stream", "name": "stdout", "text": "printed"},
        shown(TITLE),
        {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<b>a frame</b>"}},
    )
    assert read_document(path).blocks == (TITLE,)


def table(*rows: Row, columns: int = 2, anchor: str = "") -> Table:
    return Table(caption=convert_to_spans("Counts"), columns=(Column(label="A"),) * columns, rows=rows, anchor=anchor)


@pytest.mark.parametrize(
    ("blocks", "problem"),
    [
        ((), "no cell has shown a block"),
        ((Paragraph(text=convert_to_spans("x")),), "the first block is a Paragraph, not the Title"),
        ((Title(text=" "),), "its title is empty"),
        ((TITLE, Heading(text="A", level=2)), "the first heading, 'A', is of level 2, not 1"),
        ((TITLE, Heading(text="")), "a heading is empty"),
        ((TITLE, TITLE), "more than one Title"),
        ((TITLE, Heading(text="A", anchor="a"), Heading(text="B", anchor="a")), "the anchor 'a' is there 2 times"),
        ((TITLE, Heading(text="A", anchor="a b"), table(anchor="a-b")), "the anchor 'a-b' is there 2 times"),
        ((TITLE, table(columns=0)), "the table 'Counts' has no columns"),
        ((TITLE, table(Row(cells=(convert_to_spans("1"),)))), "row 1 of the table 'Counts' has 1 cells for 2 columns"),
        ((TITLE, table(Row(cells=(convert_to_spans("1"),) * 3, kind="section"))), "has 3 cells for 2 columns"),
    ],
)
def test_blocks_that_make_no_document_are_refused(tmp_path: Path, blocks: tuple[Block, ...], problem: str) -> None:
    with pytest.raises(ReportError, match=problem):
        Document(blocks=blocks)
    with pytest.raises(ReportError, match=problem) as caught:
        read_document(notebook(tmp_path / "n.ipynb", *map(shown, blocks)))
    assert caught.value.place == "n.ipynb"


def test_a_section_row_may_fill_up_its_cells() -> None:
    row = Row(cells=(convert_to_spans("Section"), ()), kind="section")
    assert Document(blocks=(TITLE, table(row))).title == TITLE


@pytest.mark.parametrize(
    "data", [{"is": "Nothing"}, {"is": "Title"}, {"is": "Title", "text": "x", "more": 1}, "text", []]
)
def test_a_block_of_another_version_is_refused(tmp_path: Path, data: object) -> None:
    output: dict[str, object] = {"output_type": "display_data", "metadata": {}, "data": {BLOCK_MIME: data}}
    with pytest.raises(ReportError, match="not a notebook of a report"):
        read_document(notebook(tmp_path / "n.ipynb", output))


def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path) -> None:
    (tmp_path / "n.ipynb").write_text("<html>", encoding="utf-8")
    with pytest.raises(ReportError, match="not a notebook"):
        read_document(tmp_path / "n.ipynb")


def test_a_missing_notebook_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        read_document(tmp_path / "n.ipynb")


def test_a_document_is_written_as_html_and_as_pdf_with_folders_made(tmp_path: Path) -> None:
    document = demonstration(layout="brief")
    write_html(document, tmp_path / "out" / "d.html", language="en")
    write_pdf(document, tmp_path / "out" / "d.pdf", language="en")
    assert (tmp_path / "out" / "d.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "out" / "d.pdf").read_bytes().startswith(b"%PDF-1.")
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_picture_that_cannot_be_printed_leaves_no_file(tmp_path: Path) -> None:
    document = Document(blocks=(TITLE, Figure(svg="not a picture", caption=convert_to_spans("C"), alt="A")))
    for write, name in ((write_html, "d.html"), (write_pdf, "d.pdf")):
        with pytest.raises(ReportError, match="The figure 'C': its picture is not SVG"):
            write(document, tmp_path / name, language="en")
    assert list(tmp_path.iterdir()) == []
