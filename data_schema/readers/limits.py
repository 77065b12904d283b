"""How much a file may hold, so that no file can fill the memory."""

from __future__ import annotations

LARGEST_FILE = 400_000_000
"""Bytes of a file: ten million pupils are fewer."""

LARGEST_UNPACKED = 200_000_000
"""Bytes of all files in a workbook's archive."""

LARGEST_ARCHIVE = 1_000_000_000
"""Bytes of all files in a zipped folder; they are unpacked one by one."""

UNPACKED_AT_LEAST, UNPACKED_PER_BYTE = 20_000_000, 100
"""Bytes that an archive may hold, whatever its size, and further ones for each byte of it."""

N_MEMBERS = 5_000
"""Files in a zipped folder."""

N_ROWS = 1_048_576
"""Rows of a sheet, as spreadsheets have it."""

N_COLUMNS = 16_384
"""Columns of a sheet, as spreadsheets have it."""

N_CELLS = 12_000_000
"""Cells of a workbook, empty ones to the left of others among them."""

N_TAGS = 16_000_000
"""Tags of one XML file: a few hundred bytes of memory each."""

LONGEST_CELL = 100_000
"""Characters of a cell."""
