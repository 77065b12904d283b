"""The design of an allocation: arms with their ratio, and strata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self

from data_schema.errors import DesignError
from randomisation.arms import Arm
from randomisation.canonical import compute_sha256, format_canonical_json, format_decimal, is_plain, read_decimal
from randomisation.constraint import Constraint
from randomisation.cuts import Cut, build_class_names, check_cuts
from randomisation.designs import DRAWN, DesignKind, Matched, Minimisation
from randomisation.matching import Matching
from randomisation.minimising import Minimising
from randomisation.misfits import BALANCED, KNOWN, Misfits
from randomisation.stream import CONSTRAINED, MISFITS

MATCHED_SET = "matched_set"
"""Name of the innermost stratum of a matched design: the set of alike schools that a school is in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What an allocation has to keep to.

    The same value draws (`allocate`), draws again (`replay`), counts what could be drawn (`n_allocations`) and
    verifies a record (`verify`).

    Parameters
    ----------
    arms
        Two or more; the first is the reference.
    strata
        Columns of the school frame. Schools are randomised within each combination of their values. Arms are kept in
        balance in all schools together, in each value of the first column, in each combination of the first two and
        so on: name the column whose balance matters most (the country) first.
    kind
        "simple": each school by itself, so that numbers may come out uneven. "complete": numbers as even as can be.
        "stratified": the same within strata. "matched": within sets of alike schools, within strata.
        "minimisation": schools join one by one, and most of them get the arm that keeps the arms alike in the strata.
    matching
        What alike means; for the kind "matched" only.
    constraint
        Which draws may be used; None for all. Not for the kind "simple".
    cuts
        Pairs of a stratum that is a number and the values at which it is cut into classes, such as
        ``("size", (300, 500))``: below 300, 300 to below 500, 500 and more.
    misfits
        What becomes of schools that are left over when a stratum's arms have their whole shares; for the kind
        "stratified" only. "balanced" (the default) settles them against one another across strata; "strata", "global",
        "wstrata" and "wglobal" are the strategies of `randomisation.misfits`. With "strata" and "global" and uneven
        ratios schools of different strata differ in their probabilities: `assignment_probabilities` has them.

    minimisation
        How schools are minimised; for the kind "minimisation" only.

    Examples
    --------
    >>> design = Design(arms=(Arm(name="control"), Arm(name="pilot")), strata=("country", "type"))
    >>> str(design)
    'control : pilot = 1 : 1, stratified by country, type'
    >>> design.probabilities["pilot"]
    Fraction(1, 2)
    """

    arms: tuple[Arm, ...]
    strata: tuple[str, ...] = ()
    kind: str = "stratified"
    matching: Matching | None = None
    constraint: Constraint | None = None
    cuts: tuple[Cut, ...] = ()
    misfits: Misfits = BALANCED
    minimisation: Minimising | None = None

    def __post_init__(self) -> None:
        """Check the design as a whole."""
        if self.kind not in DRAWN:
            raise DesignError("design, kind", f"'{self.kind}' is not known.", f"Use one of {', '.join(DRAWN)}.")
        if not isinstance(self.arms, tuple) or len(self.arms) < 2:
            raise DesignError("design, arms", "Fewer than two arms are stated.", "State two arms or more.")
        _check_distinct("arms", self.names)
        if not isinstance(self.strata, tuple):
            raise DesignError("design, strata", f"{self.strata!r} is not a tuple.", "Hand the columns over as a tuple.")
        for column in self.strata:
            if not isinstance(column, str) or not is_plain(column) or column == "school_id":
                raise DesignError(
                    "design, strata",
                    f"{column!r} cannot be a stratum.",
                    "Name columns of the school frame such as 'country'.",
                )
        _check_distinct("strata", self.strata)
        check_cuts(self.cuts, strata=self.strata)
        self._check_kind()

    def _check_kind(self) -> None:
        if self.misfits not in KNOWN or (self.misfits != BALANCED and not self.method.takes_misfits):
            raise DesignError(
                "design, misfits",
                f"'{self.misfits}' is not known for a draw of the kind '{self.kind}'.",
                f"Use one of {', '.join(KNOWN)} with kind 'stratified', or leave it out.",
            )
        if (self.matching is not None) != (self.kind == Matched.name):
            raise DesignError(
                "design, matching",
                f"The kind is '{self.kind}', and matching is {'missing' if self.matching is None else 'stated'}.",
                "State what schools are matched on with kind 'matched', and with no other.",
            )
        if (self.minimisation is not None) != (self.kind == Minimisation.name):
            raise DesignError(
                "design, minimisation",
                f"The kind is '{self.kind}', and a rule of minimisation is "
                f"{'missing' if self.minimisation is None else 'stated'}.",
                "State it with kind 'minimisation', and with no other.",
            )
        self.method.check(self)
        if MATCHED_SET in (*self.strata, *self.variables):
            raise DesignError("design", f"The name '{MATCHED_SET}' is reserved.", "Give the column another name.")

    @property
    def method(self) -> DesignKind:
        """What draws a design of this kind."""
        return DRAWN[self.kind]

    @property
    def algorithm(self) -> str:
        """Name of the published algorithm that draws the design.

        Examples
        --------
        >>> Design(arms=(Arm(name="control"), Arm(name="pilot")), kind="complete").algorithm
        'crocoos-stratified-1'
        """
        if self.constraint is not None:
            return CONSTRAINED
        return MISFITS if self.misfits != BALANCED else self.method.algorithm

    @property
    def columns(self) -> tuple[str, ...]:
        """Strata within which the draw is made, the matched set being the last."""
        return (*self.strata, MATCHED_SET) if self.matching is not None else self.strata

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns of the school frame that matching, constraint and the order of joining look at."""
        matching = self.matching.variables if self.matching is not None else ()
        constraint = self.constraint.variables if self.constraint is not None else ()
        order = (self.minimisation.order,) if self.minimisation is not None and self.minimisation.order else ()
        return tuple(dict.fromkeys((*matching, *constraint, *order)))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arms, the reference first."""
        return tuple(arm.name for arm in self.arms)

    @property
    def ratios(self) -> tuple[int, ...]:
        """Ratios of the arms, in their order."""
        return tuple(arm.ratio for arm in self.arms)

    @property
    def reference_arm(self) -> str:
        """Name of the first arm."""
        return self.arms[0].name

    @property
    def ratio_in_words(self) -> str:
        """The ratio as reports print it, such as '1:1'."""
        return ":".join(str(ratio) for ratio in self.ratios)

    @property
    def probabilities(self) -> dict[str, Fraction]:
        """Each arm's share by the ratio, which is each school's probability of it.

        Under a constraint with unequal ratios, and where misfits are handed out without regard to these, schools
        differ: `assignment_probabilities` has each one's.
        """
        total = sum(self.ratios)
        return {arm.name: Fraction(arm.ratio, total) for arm in self.arms}

    def __str__(self) -> str:
        arms, ratios = " : ".join(self.names), " : ".join(str(ratio) for ratio in self.ratios)
        parts = [self.method.describe(self)]
        if self.misfits != BALANCED:
            parts.append(f"misfits {self.misfits}")
        if self.constraint is not None:
            parts.append(f"constrained on {', '.join(self.constraint.variables)}")
        return f"{arms} = {ratios}, {', '.join(parts)}"

    def in_words(self) -> str:
        """Explain the design in sentences.

        Examples
        --------
        >>> print(Design(arms=(Arm(name="control", ratio=1), Arm(name="pilot", ratio=2))).in_words())
        Schools are allocated at random to control and pilot in the ratio 1:2.
        """
        classes = [f"Classes of {name}: {', '.join(build_class_names(cut_points))}." for name, cut_points in self.cuts]
        return " ".join(part for part in (self._draw_in_words(), *classes, self._describe_constraint()) if part)

    def _describe_constraint(self) -> str:
        if self.constraint is None:
            return ""
        return (
            f"Only some draws may be used: {self.constraint.in_words()}. Draws are made one after the other from one "
            "seed, and the first that may be used is the allocation."
        )

    def _draw_in_words(self) -> str:
        names = f"{', '.join(self.names[:-1])} and {self.names[-1]}"
        beginning = f"Schools are allocated at random to {names} in the ratio {self.ratio_in_words}"
        return self.method.explain(self, beginning)

    def to_dict(self) -> dict[str, object]:
        """Return the design as values that JSON can hold: texts and whole numbers, fractions as decimal text.

        It has what the draw depends on and what the arms mean, and no labels: its hash is that of the substance.
        """
        arms = [arm.to_dict() for arm in self.arms]
        values: dict[str, object] = {"kind": self.kind, "arms": arms, "strata": list(self.strata)}
        if self.cuts:
            values["cuts"] = [[name, [format_decimal(limit) for limit in cut_points]] for name, cut_points in self.cuts]
        if self.misfits != BALANCED:
            values["misfits"] = self.misfits
        if self.matching is not None:
            values["matching"] = self.matching.to_dict()
        if self.minimisation is not None:
            values["minimisation"] = self.minimisation.to_dict()
        if self.constraint is not None:
            values["constraint"] = self.constraint.to_dict()
        return values

    @property
    def sha256(self) -> str:
        """Hash of `to_dict` in the form that `format_canonical_json` writes."""
        return compute_sha256(format_canonical_json(self.to_dict()).encode())

    @property
    def labels(self) -> dict[str, str]:
        """Label of each arm; empty where it has none."""
        return {arm.name: arm.label for arm in self.arms}

    def relabelled(self, labels: Mapping[str, str]) -> Self:
        """Return the design with other labels of its arms."""
        return replace(self, arms=tuple(replace(arm, label=labels.get(arm.name, "")) for arm in self.arms))

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Make a design from what `to_dict` returned; raises DesignError for anything else."""
        try:
            arms, strata, kind = values["arms"], values["strata"], values["kind"]
            parsed_arms = tuple(Arm.from_dict(arm) for arm in arms)  # type: ignore[attr-defined]
            matching, constraint = values.get("matching"), values.get("constraint")
            minimisation = values.get("minimisation")
            return cls(
                arms=parsed_arms,
                strata=tuple(strata),  # type: ignore[arg-type]
                kind=kind,  # type: ignore[arg-type]
                matching=None if matching is None else Matching.from_dict(matching),  # type: ignore[arg-type]
                constraint=None if constraint is None else Constraint.from_dict(constraint),  # type: ignore[arg-type]
                cuts=tuple((name, tuple(map(read_decimal, cut_points))) for name, cut_points in values.get("cuts", ())),  # type: ignore[attr-defined]
                misfits=values.get("misfits", BALANCED),  # type: ignore[arg-type]
                minimisation=None if minimisation is None else Minimising.from_dict(minimisation),  # type: ignore[arg-type]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DesignError("allocation record, design", f"It cannot be read ({error}).", _RESTORE) from error


_RESTORE = "Restore the record as it was written when the allocation was made."


def _check_distinct(place: str, names: tuple[str, ...]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DesignError(f"design, {place}", f"'{name}' is stated twice.", "State each one once.")
