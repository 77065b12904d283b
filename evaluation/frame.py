"""The sampling frame of a trial: which schools there are, and which of them can be drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.errors import DataError
from evaluation.specifications import tables_of

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.findings import Findings
    from evaluation.protocol import Protocol


def read_frame(path: Path, protocol: Protocol) -> tuple[pd.DataFrame, Findings]:
    """Read the sampling frame and check it against the protocol.

    Parameters
    ----------
    path
        A CSV file, one row a school.
    protocol
        The trial's protocol.

    Returns
    -------
    tuple
        The frame sorted by school_id, and what is odd about the file.

    Raises
    ------
    DataError
        When the file is missing or unusable, a country is not one of the protocol's, or a country has no school.
    """
    from data_schema.frames import read_school_frame

    frame, findings = read_school_frame(path, tables_of(protocol)["school"])
    _check_countries(frame, protocol, file=path.name)
    empty = sorted(set(protocol.countries) - set(frame["country"]))
    if empty:
        raise DataError(
            path.name,
            f"there is no school of {empty[0]} ({protocol.countries[empty[0]]}).",
            "Add its schools, or take the country out of [countries].",
        )
    return frame.sort_values("school_id", ignore_index=True), findings


def _check_countries(frame: pd.DataFrame, protocol: Protocol, *, file: str) -> None:
    if "country" not in frame.columns:
        raise DataError(
            file, "there is no column 'country'.", "Give every school its country's two letters, such as HU."
        )
    known = set(protocol.countries)
    strange = frame.loc[~frame["country"].isin(known)]
    if len(strange):
        first = strange.iloc[0]
        raise DataError(
            f"{file}, school {first['school_id']}",
            f"the country '{first['country']}' is not one of the protocol's.",
            f"Use one of {', '.join(sorted(known))}, or add it under [countries].",
        )


def read_schools_of(path: Path, protocol: Protocol) -> pd.DataFrame:
    """Read a further table of schools: late ones, or reserves.

    Raises
    ------
    DataError
        When the file is missing or unusable, or a country is not one of the protocol's.
    """
    from data_schema.frames import read_school_frame

    frame, _ = read_school_frame(path, tables_of(protocol)["school"])
    _check_countries(frame, protocol, file=path.name)
    return frame


def excluded(frame: pd.DataFrame) -> dict[str, str]:
    """Return the schools that cannot be drawn, with the reason.

    A school whose consent is "no" has declined; a school without an answer is taken to have agreed, since a frame need
    not have the column. A school that withdrew before the start and whose place a reserve has taken is out, too.
    """
    found: dict[str, str] = {}
    if "consent" in frame.columns:
        declined = frame["consent"].astype("boolean").eq(other=False).fillna(value=False)
        found |= dict.fromkeys(frame.loc[declined, "school_id"], "declined")
    if "withdrew" in frame.columns:
        found |= dict.fromkeys(frame.loc[frame["withdrew"].astype(bool), "school_id"], "withdrew before the start")
    return found


def eligible(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the schools that can be drawn."""
    return frame.loc[~frame["school_id"].isin(excluded(frame).keys())].reset_index(drop=True)
