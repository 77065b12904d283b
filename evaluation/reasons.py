"""Reasons that people give for the log: what is there stays for good, so it must not be of a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_schema.errors import CrocoosError, DataError
from evaluation.frame_persons import gate_of_trial, texts_of

if TYPE_CHECKING:
    from evaluation.trial import Trial


def check_reason(trial: Trial, reason: str) -> None:
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
    if gate_of_trial(trial.protocol, ordinary=_words_of_schools(trial)).speaks_of_person(reason):
        raise DataError(
            "reason",
            "it may say something of a person, and the log keeps it for good.",
            "Say it without names, addresses, numbers and dates of birth: 'the school sent a corrected list'. "
            "Persons are named by what they do, in small letters.",
        )


def _words_of_schools(trial: Trial) -> tuple[str, ...]:
    """Return what the frame says in words; nothing where it cannot be read, which whoever needs it says."""
    try:
        frame = trial.schools()[0]
    except CrocoosError:
        return ()
    return (*frame["school_id"], *texts_of(frame, trial.protocol))
