"""Pages about the data rather than about effects: returns and codebook, in the languages of schools and partners."""

from reports.data_pages.codebook import Book, ScaleFacts, codebook_page
from reports.data_pages.frequencies import codebook
from reports.data_pages.returns import Returns, returns_page

__all__ = ["Book", "Returns", "ScaleFacts", "codebook", "codebook_page", "returns_page"]
