"""From an executed notebook to a document, and from a document to pages.

A document is the blocks that a notebook's cells showed, in order. The same document becomes one HTML file that needs
nothing beside it and one PDF.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data_schema.errors import ReportError
from data_schema.files import write_whole
from reports.blocks import BLOCK_MIME, Block, Figure, Heading, Table, Title, from_json
from reports.execution import read_notebook
from reports.writers.outline import clean_anchor


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The blocks of one report, ready to be printed.

    Parameters
    ----------
    blocks
        What it is made of. The first block is its `Title` and there is no other; every anchor is there once; a
        table's rows have a cell for each column.
    practice
        Whether it is of a practice trial: every page then says that the data are simulated.

    Raises
    ------
    ReportError
        When the blocks are not such.

    Examples
    --------
    >>> from reports.blocks import Paragraph, Title, convert_to_spans
    >>> text = convert_to_spans("By two points.")
    >>> document = Document(blocks=(Title(text="Fewer pupils left"), Paragraph(text=text)))
    >>> document.title.text
    'Fewer pupils left'
    """

    blocks: tuple[Block, ...]
    practice: bool = False

    def __post_init__(self) -> None:
        problem = next(_iterate_problems(self.blocks), "")
        if problem:
            raise ReportError("The document", problem, "Mend the cell that shows it and run the notebook again.")

    @property
    def title(self) -> Title:
        """The document's title block."""
        first = self.blocks[0]
        assert isinstance(first, Title)  # noqa: S101 -- __post_init__ has seen to it
        return first


def read_document(notebook: Path, *, practice: bool = False) -> Document:
    """Read the blocks that the cells of an executed notebook showed.

    Parameters
    ----------
    notebook
        A notebook that ``reports.execution.run_notebook`` or Jupyter has run. Outputs that are no blocks are passed
        over.
    practice
        Whether it is of a practice trial.

    Returns
    -------
    Document
        The blocks in the order in which they were shown.

    Raises
    ------
    ReportError
        When the file is not a notebook or its blocks make no document.
    StorageError
        When the file cannot be read.
    """
    node = read_notebook(notebook)
    shown = [output["data"] for cell in node.cells for output in cell.get("outputs", ()) if "data" in output]
    try:
        blocks = tuple(from_json(data[BLOCK_MIME]) for data in shown if BLOCK_MIME in data)
    except (ValueError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise ReportError(
            notebook.name, f"this is not a notebook of a report ({reason}).", "Run the report again."
        ) from error
    try:
        return Document(blocks=blocks, practice=practice)
    except ReportError as error:
        raise ReportError(notebook.name, error.problem, error.remedy) from error


def write_html(document: Document, path: Path, *, language: str) -> None:
    """Write a document as one HTML file that needs nothing beside it.

    Fonts, styles and pictures are inside; scripts there are none.

    Parameters
    ----------
    document
        What to write.
    path
        The file.
    language
        Code of the language that the document is in, such as "en".

    Raises
    ------
    StorageError
        When the file cannot be written.
    """
    from reports.writers.html import html_page

    write_whole(path, html_page(document, language=language).encode("utf-8"))


def write_pdf(document: Document, path: Path, *, language: str) -> None:
    """Write a document as a tagged PDF (PDF/UA-1) on A4: the same document gives the same bytes.

    Parameters
    ----------
    document
        What to write.
    path
        The file.
    language
        Code of the language that the document is in, such as "en".

    Raises
    ------
    ReportError
        When the document cannot be set, such as for a picture that is no SVG.
    StorageError
        When the file cannot be written.
    """
    from reports.writers.typst import pdf_bytes

    write_whole(path, pdf_bytes(document, language=language))


def _iterate_problems(blocks: tuple[Block, ...]) -> Iterator[str]:
    """Yield what keeps blocks from making a document."""
    if not blocks:
        yield "no cell has shown a block."
        return
    if not isinstance(blocks[0], Title):
        yield f"the first block is a {type(blocks[0]).__name__}, not the Title."
    elif not blocks[0].text.strip():
        yield "its title is empty."
    if sum(isinstance(block, Title) for block in blocks) > 1:
        yield "there is more than one Title."
    headings = [block for block in blocks if isinstance(block, Heading)]
    if not all(heading.text.strip() for heading in headings):
        yield "a heading is empty."
    if headings and headings[0].level != 1:
        yield f"the first heading, '{headings[0].text[:60]}', is of level {headings[0].level}, not 1."
    anchored = (block for block in blocks if isinstance(block, Heading | Table | Figure) and block.anchor)
    anchors = Counter(clean_anchor(block.anchor) for block in anchored)
    yield from (f"the anchor {anchor!r} is there {count} times." for anchor, count in anchors.items() if count > 1)
    for table in (block for block in blocks if isinstance(block, Table)):
        yield from _iterate_table_problems(table)


def _iterate_table_problems(table: Table) -> Iterator[str]:
    name = "".join(span.text for span in table.caption)[:60]
    if not table.columns:
        yield f"the table '{name}' has no columns."
    for number, row in enumerate(table.rows, start=1):
        expected = {1, len(table.columns)} if row.kind == "section" else {len(table.columns)}
        if len(row.cells) not in expected:
            yield f"row {number} of the table '{name}' has {len(row.cells)} cells for {len(table.columns)} columns."
