"""Kinds of personal data, and what a school is told when one stands where it must not."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What was found in a text; the value itself is never told."""

    LISTED_NAME = "name of a pupil"
    POSSIBLE_NAME = "possible name"
    PUPIL = "identifier of a pupil"
    E_MAIL = "e-mail address"
    TELEPHONE = "telephone number"
    NATIONAL = "national identifier"
    LONG_NUMBER = "long number"
    BIRTH = "date of birth"


_PROBLEMS = {
    Kind.LISTED_NAME: "The name of a pupil stands here; it is not taken in.",
    Kind.POSSIBLE_NAME: "What may be the name of a person stands here; it is not taken in.",
    Kind.PUPIL: "The identifier of a pupil stands here; it is not taken in.",
    Kind.E_MAIL: "An e-mail address stands here; it is not taken in.",
    Kind.TELEPHONE: "What may be a telephone number stands here; it is not taken in.",
    Kind.NATIONAL: "What may be the national identifier of a person stands here; it is not taken in.",
    Kind.LONG_NUMBER: "A long number, as identifiers and telephone numbers are, stands here; it is not taken in.",
    Kind.BIRTH: "What may be a full date of birth stands here; it is not taken in.",
}
_CERTAIN = (Kind.LISTED_NAME, Kind.E_MAIL)
_REMOVE = "Remove it."
_REMOVE_OR_CONFIRM = "Remove it; or answer 'yes' if it says nothing about a person."


def told_of(kind: Kind) -> tuple[str, str]:
    """Return what is said of a cell that holds personal data, and what to do about it.

    Examples
    --------
    >>> told_of(Kind.E_MAIL)
    ('An e-mail address stands here; it is not taken in.', 'Remove it.')
    """
    if kind is Kind.LISTED_NAME:
        return _PROBLEMS[kind], "Remove the name."
    return _PROBLEMS[kind], _REMOVE if is_certain(kind) else _REMOVE_OR_CONFIRM


def is_certain(kind: Kind) -> bool:
    """Whether no answer of a school can let it through."""
    return kind in _CERTAIN
