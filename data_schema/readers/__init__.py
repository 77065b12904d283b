"""Files as they were sent -> cells with their positions; nothing is judged here but whether a file can be read."""

from data_schema.readers.files import content_of, read_file
from data_schema.readers.sheets import Cell, Reading, Sheet

__all__ = ["Cell", "Reading", "Sheet", "content_of", "read_file"]
