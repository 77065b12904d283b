"""The one tree of errors.

::

    CrocoosError                 place, problem, remedy
    ├── ProtocolError            trial.toml says something impossible
    ├── DataError                a file or table is unusable; carries Findings
    ├── DesignError              an allocation that cannot be drawn, adopted or verified
    ├── EstimationError          a model that was asked for cannot be specified on these data
    ├── DisclosureError          a table would give pupils or schools away
    ├── ReportError              a notebook or a document could not be made
    ├── StaleError               a stage was asked for before what it reads is there and fresh
    └── StorageError             the folder cannot be read or written (full disk, rights, locks)

What a model could not estimate is a row with a status, not an error; see ``analysis.results``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from data_schema.findings import Findings


class CrocoosError(Exception):
    """A problem the user can mend, with where it is and how.

    Parameters
    ----------
    place
        Where: a file with its row and column, a protocol table with its key, a folder.
    problem
        What is wrong there, with the value that is wrong.
    remedy
        What to do about it, as one imperative sentence.
    """

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        super().__init__(place, problem, remedy)
        self.place = place
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.place}: {self.problem} {self.remedy}"

    def to_json(self) -> str:
        """Return the error's branch and its parts as JSON, so that it can cross from one process to another."""
        parts = {"place": self.place, "problem": self.problem, "remedy": self.remedy}
        return json.dumps({"branch": _find_error_branch(type(self)), **parts})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Make the error again that `to_json` wrote: of the same branch of this class, with the same parts.

        Raises
        ------
        ValueError
            When the text is something else.
        """
        values = json.loads(text)
        kinds = {kind.__name__: kind for kind in (cls, *cls.__subclasses__())}
        try:
            return kinds[values["branch"]](values["place"], values["problem"], values["remedy"])
        except (KeyError, TypeError) as error:
            raise ValueError("this is no error of the toolkit") from error


def _find_error_branch(kind: type[CrocoosError]) -> str:
    """Return the name of the branch of the tree that a class of errors belongs to."""
    line = [base.__name__ for base in kind.__mro__ if issubclass(base, CrocoosError)]
    return line[-2] if len(line) > 1 else line[-1]


class ProtocolError(CrocoosError):
    """The protocol (trial.toml) cannot be read or contradicts itself."""


class DataError(CrocoosError):
    """Data that cannot be used; ``findings`` names every place."""

    def __init__(self, place: str, problem: str, remedy: str, *, findings: Findings | None = None) -> None:
        super().__init__(place, problem, remedy)
        self.findings = findings


class DesignError(CrocoosError):
    """A design that cannot be drawn on this frame, or an allocation that does not verify."""


class EstimationError(CrocoosError):
    """A model that cannot be specified on these data."""


class DisclosureError(CrocoosError):
    """A result that must not leave because it would give a pupil or a school away."""


class ReportError(CrocoosError):
    """A notebook failed, or a document could not be written from it."""


class StaleError(CrocoosError):
    """A stage was asked for before the stages it reads were done, or after their inputs changed."""


class StorageError(CrocoosError):
    """The trial's folder cannot be read or written."""
