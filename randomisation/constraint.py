"""Which draws are balanced enough to be used: the specification of a constrained design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from data_schema.errors import DesignError
from randomisation.canonical import check_columns_named, format_decimal, read_decimal

ScoreKind = Literal["l2", "max_difference", "mahalanobis"]

_PLACE = "design, constraint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """Only draws whose arms are alike in these variables may be used; each of them keeps its chance.

    The draw is repeated, in the open and from one seed, until its arms are alike enough: covariate-constrained
    randomisation, or rerandomisation.

    Parameters
    ----------
    variables
        Columns of the school frame: numbers, or categories (text), of which each level but the first in sorted order
        is a column of zeros and ones.
    score
        How far off a draw is, from the arms' differences of means in standard deviations of the schools. "l2": their
        squares, summed. "max_difference": the largest. "mahalanobis": their squares after taking out that variables
        go together. With three arms or more, all pairs of arms count.
    best_share
        Use draws whose score is among this share of the lowest, such as 0.1.
    at_most
        Use draws with this score or a lower one. Instead of `best_share`.
    limits
        Pairs of a variable and the largest absolute difference of means, in standard deviations, that may be used.
    categories
        Variables written with digits that are categories all the same.

    References
    ----------
    Raab and Butcher (2001), Statistics in Medicine 20, 351-365; Morgan and Rubin (2012), Annals of Statistics 40,
    1263-1282.

    Examples
    --------
    >>> Constraint(variables=("size", "prior"), best_share=0.1).in_words()
    "the tenth of draws whose arms differ least in size and prior (score 'l2')"
    """

    variables: tuple[str, ...]
    score: ScoreKind = "l2"
    best_share: float | None = None
    at_most: float | None = None
    limits: tuple[tuple[str, float], ...] = ()
    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the specification."""
        check_columns_named(_PLACE, self.variables)
        if self.score not in ("l2", "max_difference", "mahalanobis"):
            raise DesignError(
                _PLACE, f"The score '{self.score}' is not known.", "Use l2, max_difference or mahalanobis."
            )
        if self.best_share is not None and self.at_most is not None:
            raise DesignError(_PLACE, "Both best_share and at_most are stated.", "State one of them.")
        if self.best_share is None and self.at_most is None and not self.limits:
            raise DesignError(_PLACE, "Nothing is constrained.", "State best_share, at_most or limits.")
        if self.best_share is not None and not 0 < self.best_share < 1:
            raise DesignError(_PLACE, f"best_share is {self.best_share!r}.", "State a share such as 0.1.")
        self._check_limits()
        strangers = [name for name in self.categories if name not in self.variables]
        if strangers:
            raise DesignError(
                f"{_PLACE}, categories", f"'{strangers[0]}' is none of the variables.", "Name it there, too."
            )

    def _check_limits(self) -> None:
        stated = [*self.limits, *([("at_most", self.at_most)] if self.at_most is not None else [])]
        for name, limit in stated:
            if name != "at_most" and name not in self.variables:
                raise DesignError(f"{_PLACE}, limits", f"'{name}' is none of the variables.", "Name it there, too.")
            if not 0 <= limit < float("inf"):
                raise DesignError(f"{_PLACE}, {name}", f"{limit!r} is no limit.", "State a number, 0 or more.")

    def in_words(self) -> str:
        """Describe which draws are used."""
        parts = []
        names = " and ".join(self.variables)
        if self.best_share is not None:
            share = "tenth" if self.best_share == 0.1 else f"{100 * self.best_share:g} %"
            parts.append(f"the {share} of draws whose arms differ least in {names} (score '{self.score}')")
        if self.at_most is not None:
            parts.append(f"draws whose score '{self.score}' of {names} is {self.at_most:g} or less")
        if self.limits:
            listed = ", ".join(f"{name}: {limit:g}" for name, limit in self.limits)
            parts.append(f"draws whose arms differ by no more standard deviations than these limits ({listed})")
        return ", of them ".join(parts)

    def to_dict(self) -> dict[str, object]:
        """Return the specification as values that JSON can hold; fractions are decimal text."""
        values: dict[str, object] = {
            "variables": list(self.variables),
            "score": self.score,
            "limits": [[name, format_decimal(limit)] for name, limit in self.limits],
            "categories": list(self.categories),
        }
        if self.best_share is not None:
            values["best_share"] = format_decimal(self.best_share)
        if self.at_most is not None:
            values["at_most"] = format_decimal(self.at_most)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Make a specification from what `to_dict` returned."""
        return cls(
            variables=tuple(values["variables"]),  # type: ignore[arg-type]
            score=values["score"],  # type: ignore[arg-type]
            best_share=read_decimal(values["best_share"]) if "best_share" in values else None,
            at_most=read_decimal(values["at_most"]) if "at_most" in values else None,
            limits=tuple((name, read_decimal(limit)) for name, limit in values["limits"]),  # type: ignore[attr-defined]
            categories=tuple(values["categories"]),  # type: ignore[arg-type]
        )
