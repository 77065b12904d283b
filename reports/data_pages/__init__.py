"""Pages about the data rather than about effects: returns and codebook, in the languages of schools and partners."""

from reports.data_pages.returns import Returns, returns_page

__all__ = ["Returns", "returns_page"]
