"""Rows sent = rows kept + rows asked about + rows refused, for every file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_schema.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

RECONCILIATION_COLUMNS = ("file", "sheet", "table", "wave", "country", "sent", "kept", "asked", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of the rows of one file, or of one sheet of it.

    Parameters
    ----------
    file, sheet, table, wave
        Where they came from and what they are.
    country
        Country of its schools; empty when it is not known, or when there are several.
    sent
        Rows in the file below the header, empty ones not counted.
    kept, asked, refused
        Rows in the data; rows kept out until a question is answered; rows that are not taken in.

    Raises
    ------
    DataError
        When the rows do not add up: a defect of the program, never of the file.
    """

    file: str
    sheet: str
    table: str
    wave: str
    country: str = ""
    sent: int = 0
    kept: int = 0
    asked: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        if self.sent != self.kept + self.asked + self.refused or min(self.kept, self.asked, self.refused) < 0:
            raise DataError(
                self.file,
                f"{self.sent} rows were sent, but {self.kept} are kept, {self.asked} asked about and {self.refused} "
                "refused.",
                "Report this with the file; it is a defect of crocoos.",
            )


def build_reconciliation(tallies: Sequence[Tally]) -> pd.DataFrame:
    """Return one row a tally.

    Returns
    -------
    pandas.DataFrame
        `file`, `sheet`, `table`, `wave`, `country`, `sent`, `kept`, `asked`, `refused`; by file, sheet, table, wave.
    """
    import pandas as pd

    ordered = sorted(tallies, key=lambda tally: (tally.file, tally.sheet, tally.table, tally.wave))
    columns = {name: [getattr(tally, name) for tally in ordered] for name in RECONCILIATION_COLUMNS}
    types = {name: "str" if k < 5 else "int64" for k, name in enumerate(RECONCILIATION_COLUMNS)}
    return pd.DataFrame(columns).astype(types)
