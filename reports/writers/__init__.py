"""Writers: a document in, a page's text or bytes out. `reports.documents` writes them to files."""

from reports.writers.html import html_page
from reports.writers.typst import pdf_bytes

__all__ = ["html_page", "pdf_bytes"]
