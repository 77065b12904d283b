"""How schools that join one by one are minimised: how often by balance, and in which order they joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from data_schema.errors import DesignError
from randomisation.canonical import is_plain

_FEWEST, _MOST = 50, 95
_PLACE = "design, minimisation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimising:
    """The rule of a minimisation; its factors are the design's strata.

    Parameters
    ----------
    chance
        Of 100 schools, how many get the arm that keeps the arms alike (one of them where several do); the others get
        any arm, by the ratio. 50 to 95: with 100 the next arm could be foretold.
    order
        Column of numbers that says in which order schools joined; those with one number, and all schools where it is
        empty, joined in the order of their identifiers.
    """

    chance: int = 80
    order: str = ""

    def __post_init__(self) -> None:
        """Check the rule."""
        is_whole = isinstance(self.chance, int) and not isinstance(self.chance, bool)
        if not is_whole or not _FEWEST <= self.chance <= _MOST:
            raise DesignError(
                f"{_PLACE}, chance", f"{self.chance!r} is not from {_FEWEST} to {_MOST}.", "State one such as 80."
            )
        if self.order and (not is_plain(self.order) or self.order == "school_id"):
            raise DesignError(
                f"{_PLACE}, order", f"{self.order!r} cannot be a column of numbers.", "Name one such as 'joined'."
            )

    def to_dict(self) -> dict[str, object]:
        """Return the rule as values that JSON can hold."""
        return {"chance": self.chance, "order": self.order}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Make a rule from what `to_dict` returned."""
        return cls(chance=values["chance"], order=values["order"])  # type: ignore[arg-type]
