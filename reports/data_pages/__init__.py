"""Pages about the data, not about effects, in the languages of schools and partners: returns, codebook, an export's."""

from reports.data_pages.codebook import Book, ScaleFacts, codebook_page
from reports.data_pages.export_note import ExportNote, export_note
from reports.data_pages.frequencies import codebook, codebooks
from reports.data_pages.returns import Returns, returns_page

__all__ = [
    "Book",
    "ExportNote",
    "Returns",
    "ScaleFacts",
    "codebook",
    "codebook_page",
    "codebooks",
    "export_note",
    "returns_page",
]
