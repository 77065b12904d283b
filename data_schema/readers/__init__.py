"""Files as they were sent -> cells with their positions; nothing is judged here but whether a file can be read."""

from data_schema.readers.files import content_of
from data_schema.readers.process import ReadAhead, Request, is_folder, members, names_sheet, read_file
from data_schema.readers.sheets import Cell, Reading, Sheet

__all__ = [
    "Cell",
    "ReadAhead",
    "Reading",
    "Request",
    "Sheet",
    "content_of",
    "is_folder",
    "members",
    "names_sheet",
    "read_file",
]
