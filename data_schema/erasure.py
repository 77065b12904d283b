"""Pupils whose consent was withdrawn: out of every table, and still counted.

A tombstone is a keyed hash of a pseudonym: it keeps the pupil out when the files are read again, and nobody without the
trial's key can tell whose it is.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from data_schema.findings import Finding, Findings

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.intake import Intake

Place = tuple[str, str, int]
"""File, sheet and row."""

ERASED_COLUMNS = ("school_id", "table", "wave", "n")


def compute_tombstone(pseudonym: str, *, key: bytes) -> str:
    """Return the mark by which an erased pupil is known again.

    Parameters
    ----------
    pseudonym
        Of the pupil.
    key
        The trial's secret key.

    Examples
    --------
    >>> len(compute_tombstone("pdlqhgdmvugmsjqsvxopj", key=b"sixteen bytes at least"))
    64
    """
    return hmac.new(key, f"erased:{pseudonym}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Tables without the pupils who were erased.

    Parameters
    ----------
    frames, key_table
        What is left.
    places
        Table and place of each of their rows, which more than one may share: a row of a sheet may be many records.
    counts
        `school_id`, `table`, `wave`, `n`: rows that were left out, for the flow of pupils.
    """

    frames: Mapping[str, pd.DataFrame]
    key_table: pd.DataFrame
    places: Mapping[tuple[str, Place], int]
    counts: pd.DataFrame


def remove_erased_pupils(
    frames: Mapping[str, pd.DataFrame], key_table: pd.DataFrame, *, tombstones: Collection[str], key: bytes
) -> Erased:
    """Leave out pupils who were erased.

    Parameters
    ----------
    frames, key_table
        As `pseudonymised` returns them; not changed.
    tombstones
        Marks of the pupils.
    key
        The trial's secret key.
    """
    known = {
        known_pseudonym
        for known_pseudonym in key_table["pseudonym"].dropna()
        if compute_tombstone(known_pseudonym, key=key) in tombstones
    }
    return remove_by_pseudonym(frames, key_table, pseudonyms=known)


def remove_by_pseudonym(
    frames: Mapping[str, pd.DataFrame], key_table: pd.DataFrame, *, pseudonyms: Collection[str]
) -> Erased:
    """Leave out the pupils of some pseudonyms.

    Parameters
    ----------
    frames, key_table
        As `pseudonymised` returns them; not changed.
    pseudonyms
        Of the pupils.
    """
    import pandas as pd

    known = set(pseudonyms)
    left: dict[str, pd.DataFrame] = {}
    places: Counter[tuple[str, Place]] = Counter()
    rows: list[tuple[str, str, str, int]] = []
    for name, frame in frames.items():
        is_gone = frame["pupil_id"].isin(known) if "pupil_id" in frame else pd.Series(data=False, index=frame.index)
        gone = frame.loc[is_gone]
        left[name] = frame.loc[~is_gone].reset_index(drop=True) if len(gone) else frame
        where = zip(gone["source_file"], gone["source_sheet"], gone["source_row"].tolist(), strict=True)
        places.update((name, place) for place in where)
        counted = Counter(zip(gone["school_id"], gone["wave"], strict=True))
        rows += [(str(school), name, str(wave), n) for (school, wave), n in counted.items()]
    counts = pd.DataFrame(sorted(rows), columns=list(ERASED_COLUMNS))
    remaining_keys = key_table.loc[~key_table["pseudonym"].isin(known)].reset_index(drop=True)
    return Erased(frames=left, key_table=remaining_keys, places=places, counts=counts)


ERASED_TOLD = (
    "It names a pupil whose data were erased; those rows are kept out and counted as refused.",
    "Remove the pupil from the file, and ask the school to do the same.",
)
REFUSED_TOLD = (
    "It names pupils whose consent is refused; those rows are kept out and counted as refused.",
    "Nothing.",
)
UNANSWERED_TOLD = (
    "It names pupils without an answer on consent; those rows are kept out and counted as refused.",
    "Nothing.",
)
"""What is said of a file with rows that were left out, and what to do about it."""


def remove_places_from_intake(
    intake: Intake, erased: Erased, *, told: tuple[str, str] = ERASED_TOLD, still_asked: Collection[str] = ()
) -> Intake:
    """Return what intake has to say without the rows of pupils who were left out; they are counted as refused.

    Parameters
    ----------
    intake
        Of the same files.
    erased
        What was left out.
    told
        What is said of the files with such rows, and what to do about it.
    still_asked
        Columns about which such rows are asked all the same: the answers decide whether they are taken in.
    """
    places = {place for _, place in erased.places}
    if not places:
        return intake

    def is_told(finding: Finding, rows: Iterable[int]) -> bool:
        is_out = any((finding.file, finding.sheet, row) in places for row in rows)
        return not is_out or finding.column in still_asked

    findings = [
        intake_finding for intake_finding in intake.findings if is_told(intake_finding, [intake_finding.row or 0])
    ]
    findings += _build_sheet_notes(places, told)
    queries = {
        school: [school_query for school_query in school_queries if is_told(school_query.finding, school_query.rows)]
        for school, school_queries in intake.queries.items()
    }
    return replace(
        intake,
        findings=Findings(findings),
        repairs=_remove_rows(intake.repairs, places),
        answers=_remove_rows(intake.answers, places),
        reconciliation=_move_counts_to_refused(intake.reconciliation, erased.places),
        queries={school: remaining_queries for school, remaining_queries in queries.items() if remaining_queries},
    )


def _build_sheet_notes(places: Collection[Place], told: tuple[str, str]) -> list[Finding]:
    sheets = sorted({(file, sheet) for file, sheet, _ in places})
    return [
        Finding(
            file=file,
            sheet=sheet,
            problem=told[0],
            remedy=told[1],
            severity="note",
        )
        for file, sheet in sheets
    ]


def _remove_rows(frame: pd.DataFrame, places: Collection[Place]) -> pd.DataFrame:
    there = [place in places for place in zip(frame["file"], frame["sheet"], frame["row"].tolist(), strict=True)]
    return frame.loc[[not is_left_out for is_left_out in there]].reset_index(drop=True)


def _move_counts_to_refused(reconciliation: pd.DataFrame, places: Mapping[tuple[str, Place], int]) -> pd.DataFrame:
    """Move the rows from kept to refused: rows sent stay rows kept, asked about and refused."""
    recounted = reconciliation.copy()
    for (table, (file, sheet, _)), n_rows in places.items():
        is_of_place = (recounted["file"] == file) & (recounted["sheet"] == sheet) & (recounted["table"] == table)
        recounted.loc[is_of_place, "kept"] -= n_rows
        recounted.loc[is_of_place, "refused"] += n_rows
    return recounted
