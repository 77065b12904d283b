"""The folder of a rehearsed trial: schools.csv and the inbox."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from analysis.simulation import SimulatedData
from analysis.simulation.streams import stream
from data_schema.errors import StorageError
from data_schema.files import build_storage_error, write_whole
from data_schema.school_tables import standard_tables
from evaluation.rehearsal.faults import PlantedFault, Untidiness, add_cell_noise, add_planted_faults
from evaluation.rehearsal.forms import encode_form_as_csv, encode_forms_as_xlsx
from evaluation.rehearsal.habits import COSTS_WAVE, PARTNER_TABLES, SCHOOL_TABLES, SHEETS, create_filled_forms

_WAVES = ("baseline", "followup")


def _build_layout_rules() -> tuple[Mapping[str, str], ...]:
    rules: list[Mapping[str, str]] = []
    for wave in _WAVES:
        for table in SCHOOL_TABLES:
            if (wave, table) == ("baseline", "status"):
                continue
            rules += [
                {"pattern": f"{wave}/*/{table}_*.csv", "table": table, "wave": wave},
                {"pattern": f"{wave}/*/{table}_*.xlsx", "table": table, "wave": wave},
                {"pattern": f"{wave}/*/school_*.xlsx", "table": table, "wave": wave, "sheet": SHEETS[table]},
            ]
    for table in PARTNER_TABLES:
        wave = "" if table == "costs" else COSTS_WAVE
        rules += [
            {"pattern": f"{COSTS_WAVE}/*/{table}_*.{suffix}", "table": table, "wave": wave}
            for suffix in ("csv", "xlsx")
        ]
    return tuple(MappingProxyType(dict(rule)) for rule in rules)


INBOX_RULES = _build_layout_rules()
"""Which file below inbox/ is which table: mappings of ``pattern``, ``table``, ``wave`` and, for workbooks with a sheet
a table, ``sheet``; each the keyword arguments of an `InboxRule`."""


def inbox_files(
    data: SimulatedData, *, seed: int, untidiness: Untidiness | None = None
) -> tuple[dict[str, bytes], tuple[PlantedFault, ...]]:
    """Make the files that the schools would send.

    Parameters
    ----------
    data
        The simulated trial.
    seed
        Seed of the dirt and of the places of the faults, 0 or more.
    untidiness
        How untidy the schools are; the default untidiness when None.

    Returns
    -------
    tuple
        Path below inbox/ to content, sorted by path; and the faults that were planted. The same arguments give the
        same bytes.
    """
    untidiness = untidiness or Untidiness()
    tables = standard_tables()
    rng = stream(seed, "dirt")
    forms = [
        add_cell_noise(form, tables[form.table], share=untidiness.cells, rng=rng)
        for form in create_filled_forms(data, tables)
    ]
    forms, faults = add_planted_faults(forms, untidiness.faults, rng=stream(seed, "faults"))
    files = {}
    for file, sheets in groupby(forms, key=lambda form: form.file):
        parts = list(sheets)
        files[file] = encode_forms_as_xlsx(parts) if file.endswith(".xlsx") else encode_form_as_csv(parts[0])
    return files, faults


def lay_out_inbox(
    folder: Path, data: SimulatedData, *, seed: int, untidiness: Untidiness | None = None
) -> tuple[PlantedFault, ...]:
    """Write the files that the schools would send into FOLDER/inbox.

    Parameters
    ----------
    folder
        The trial's folder; made if it is not there.
    data, seed, untidiness
        As in `inbox_files`.

    Returns
    -------
    tuple of PlantedFault
        The faults that intake should find, in the order in which `untidiness` names them.

    Raises
    ------
    StorageError
        When a file of the same name holds something else (nothing is written then), or the folder cannot be written.
    """
    files, faults = inbox_files(data, seed=seed, untidiness=untidiness)
    write_new({folder / "inbox" / name: content for name, content in files.items()})
    return faults


def lay_out_schools(folder: Path, schools: pd.DataFrame, *, name: str = "schools.csv") -> Path:
    """Write the sampling frame into a folder and return its path.

    UTF-8, commas, decimal points, "yes" and "no", an empty cell where something is missing.

    Raises
    ------
    StorageError
        When the file is there with other content, or the folder cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(schools.columns)
    words = {True: "yes", False: "no"}
    for row in schools.itertuples(index=False):
        writer.writerow(["" if pd.isna(cell) else words[cell] if isinstance(cell, bool) else cell for cell in row])
    path = folder / name
    write_new({path: text.getvalue().encode()})
    return path


def write_new(contents: Mapping[Path, bytes]) -> None:
    """Write files that are complete from the moment they are there, and none over another one."""
    try:
        for path, content in contents.items():
            if path.exists() and path.read_bytes() != content:
                raise StorageError(
                    str(path), "The file is there with other content.", "Name another folder, or move the file away."
                )
    except OSError as error:
        raise build_storage_error(Path(str(error.filename)), error) from error
    for path, content in contents.items():
        write_whole(path, content)
