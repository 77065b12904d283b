"""What makes schools alike enough to be matched: the specification of a matched design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from data_schema.errors import DesignError
from randomisation.canonical import check_columns_named, format_decimal, read_decimal

Distance = Literal["standardised", "mahalanobis"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Schools are put into sets of alike schools, as many to a set as the ratios add up to, and drawn within sets.

    Parameters
    ----------
    variables
        Columns of the school frame: numbers, or categories (text).
    distance
        "standardised": the root of the summed squared differences in standard deviations. "mahalanobis": the same
        after taking out that variables go together, so that two of the same kind do not count twice.
    limit
        The largest distance at which two schools may be in one set; None for any.

    Examples
    --------
    >>> Matching(variables=("size", "prior")).in_words()
    'alike in size and prior (standardised distance)'
    """

    variables: tuple[str, ...]
    distance: Distance = "standardised"
    limit: float | None = None

    def __post_init__(self) -> None:
        """Check the specification."""
        check_columns_named("design, matching", self.variables)
        if self.distance not in ("standardised", "mahalanobis"):
            raise DesignError(
                "design, matching", f"The distance '{self.distance}' is not known.", "Use standardised or mahalanobis."
            )
        if self.limit is not None and not 0 < self.limit < float("inf"):
            raise DesignError(
                "design, matching",
                f"The limit {self.limit!r} is no distance.",
                "State a number above 0, or leave it out.",
            )

    def in_words(self) -> str:
        """Describe what alike means."""
        names = " and ".join(self.variables)
        limit = "" if self.limit is None else f", at most {self.limit:g}"
        return f"alike in {names} ({self.distance} distance{limit})"

    def to_dict(self) -> dict[str, object]:
        """Return the specification as values that JSON can hold; a limit is decimal text."""
        values: dict[str, object] = {"variables": list(self.variables), "distance": self.distance}
        return values if self.limit is None else {**values, "limit": format_decimal(self.limit)}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Make a specification from what `to_dict` returned."""
        return cls(
            variables=tuple(values["variables"]),  # type: ignore[arg-type]
            distance=values["distance"],  # type: ignore[arg-type]
            limit=read_decimal(values["limit"]) if "limit" in values else None,
        )
