"""Files as they were sent -> cells with their positions; nothing is judged here but whether a file can be read."""

from data_schema.readers.files import content_of
from data_schema.readers.process import is_folder, members, names_sheet, read_file
from data_schema.readers.sheets import Cell, Reading, Sheet

__all__ = ["Cell", "Reading", "Sheet", "content_of", "is_folder", "members", "names_sheet", "read_file"]
