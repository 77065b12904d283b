"""What may say something of persons: columns of the sampling frame, such as a head's name, and reasons for the log."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from data_schema.clean import format_value
from data_schema.errors import CrocoosError, DataError
from data_schema.findings import Finding
from data_schema.personal.names import has_possible_name

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.personal.gate import Gate
    from data_schema.tables import Table
    from evaluation.folder import TrialFolder
    from evaluation.protocol import Protocol

_SHARE, _FEWEST = 0.6, 4


def remove_person_columns(
    frame: pd.DataFrame, gate: Gate, *, needed: Collection[str], file: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the frame without columns that nothing reads and that say something of persons, and what is said of them.

    Parameters
    ----------
    frame
        One row per school.
    gate
        Of the trial.
    needed
        Columns of the table of schools, and those that the trial reads: they stay.
    file
        What findings call the frame's file.
    """
    further = [name for name in frame.columns if name not in needed]
    person_columns = [name for name in further if _is_of_persons(str(name), frame[name], gate)]
    findings = [
        Finding(
            file=file,
            column="" if gate.kind_of_label(name) is not None else name,
            problem="It says something of persons, and nothing in the trial reads it; it is left out.",
            remedy="Remove the column, and keep whom to write to apart from the trial.",
            severity="question",
        )
        for name in map(str, person_columns)
    ]
    return frame.drop(columns=person_columns), findings


def _is_of_persons(name: str, column: pd.Series, gate: Gate) -> bool:
    return gate.kind_of_label(name) is not None or _is_about_persons(
        {format_value(value) for value in column.dropna()}, gate
    )


def build_trial_gate(
    protocol: Protocol,
    frame: pd.DataFrame | None = None,
    *,
    tables: Mapping[str, Table],
    ordinary: Collection[str] = (),
) -> Gate:
    """Return a gate that knows the words of a protocol and of its schools' names, and no list of persons.

    Parameters
    ----------
    protocol
        The trial's protocol.
    frame
        One row per school; None where it is not known.
    tables
        The trial's tables.
    ordinary
        Further texts whose words are no names.
    """
    from data_schema.personal.gate import build_gate
    from data_schema.personal.shapes import compute_latest_birth
    from evaluation.specifications import compute_wave_windows

    words = json.dumps(protocol.model_dump(mode="json"), ensure_ascii=False)
    return build_gate(
        names=(),
        identifiers=(),
        tables=tables,
        schools={country: country for country in protocol.countries},
        ordinary=(words, *ordinary),
        phrases=tuple(iterate_frame_texts(frame, tables)) if frame is not None else (),
        born_until=compute_latest_birth(compute_wave_windows(protocol)),
    )


def iterate_frame_texts(frame: pd.DataFrame, tables: Mapping[str, Table]) -> Iterator[str]:
    """Yield what the frame says in words in the columns of the table of schools: names and places."""
    for name in tables["school"].names:
        if name in frame and name not in ("school_id", "country"):
            yield from (text for text in frame[name] if isinstance(text, str))


def map_school_names(frame: pd.DataFrame) -> dict[str, str]:
    """Return school to its name, for those whose name the frame has."""
    if "name" not in frame:
        return {}
    named = zip(frame["school_id"], frame["name"], strict=True)
    return {school: name for school, name in named if isinstance(name, str)}


def _is_about_persons(texts: Collection[str], gate: Gate) -> bool:
    """Whether texts hold an address, a number or a date of birth, or most of them are written as names are."""
    if any(gate.shapes.kind_of(text) is not None for text in texts):
        return True
    named = sum(has_possible_name(text, gate.ordinary) for text in texts)
    return named >= _FEWEST and named >= _SHARE * len(texts)


def check_reason(trial: TrialFolder, reason: str) -> None:
    """Refuse a reason that may name a person, or hold an address, a number or a date of birth.

    Parameters
    ----------
    trial
        The trial: words of its protocol and of its schools' names may be in a reason.
    reason
        The reason; nothing is said of an empty one.

    Raises
    ------
    DataError
        When it may. The reason itself is not repeated.
    """
    if not reason.strip():
        return
    if build_trial_gate(trial.protocol, tables=trial.tables, ordinary=_collect_school_words(trial)).speaks_of_person(
        reason
    ):
        raise DataError(
            "reason",
            "it may say something of a person, and the log keeps it for good.",
            "Say it without names, addresses, numbers and dates of birth: 'the school sent a corrected list'. "
            "Persons are named by what they do, in small letters.",
        )


def _collect_school_words(trial: TrialFolder) -> tuple[str, ...]:
    """Return what the frame says in words; nothing where it cannot be read, which whoever needs it says."""
    try:
        frame = trial.schools()[0]
    except CrocoosError:
        return ()
    return (*frame["school_id"], *iterate_frame_texts(frame, trial.tables))
