"""An arm that schools can be allocated to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from data_schema.errors import DesignError
from randomisation.canonical import is_plain

MAX_RATIO = 1000
"""The largest ratio an arm may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """An arm that schools can be allocated to.

    Parameters
    ----------
    name
        Its name in tables, for instance "pilot".
    ratio
        Schools in this arm for `ratio` schools in the others: 1 and 1 are halves, 2 and 1 two thirds and one third.
    label
        Its name in reports; the name where empty. It is wording: neither `to_dict` of a design nor a hash has it.
    starts
        Period from which its schools have the programme, in a schedule; empty for never or from the beginning on.
    factors
        What its schools have, in a factorial design.

    The draw does not look at `starts` and `factors`, but they say what an arm means: record and commitment have them.
    """

    name: str
    ratio: int = 1
    label: str = ""
    starts: str = ""
    factors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the arm."""
        if not isinstance(self.name, str) or not is_plain(self.name):
            raise DesignError(
                "design, arms",
                f"{self.name!r} is not a name.",
                "Name each arm by a short text without spaces around it.",
            )
        is_whole = isinstance(self.ratio, int) and not isinstance(self.ratio, bool)
        if not is_whole or not 1 <= self.ratio <= MAX_RATIO:
            raise DesignError(
                f"design, arm '{self.name}', ratio",
                f"{self.ratio!r} is not a whole number from 1 to {MAX_RATIO}.",
                "State ratios in whole numbers, such as 1 and 1 or 2 and 1, and leave out arms that get no school.",
            )

    def to_dict(self) -> dict[str, object]:
        """Return what the arm is, without its label, as values that JSON can hold."""
        values: dict[str, object] = {"name": self.name, "ratio": self.ratio}
        if self.starts:
            values["starts"] = self.starts
        if self.factors:
            values["factors"] = list(self.factors)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Make an arm from what `to_dict` returned."""
        factors: tuple[str, ...] = tuple(values.get("factors", ()))  # type: ignore[arg-type]
        return cls(**{**values, "factors": factors})  # type: ignore[arg-type]
