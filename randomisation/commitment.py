"""What is published before there is a seed: the hash of the schools, the design and all that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from data_schema.errors import DesignError
from randomisation.canonical import compute_sha256, format_canonical_json
from randomisation.design import Design
from randomisation.schools import SCHOOL_ID, read_schools

if TYPE_CHECKING:
    import pandas as pd

    from randomisation.record import AllocationRecord

FORMAT = "crocoos commitment 2"
"""Name and version of what is hashed."""

_PLACE = "commitment"
_RESTORE = "Restore the commitment as it was written when it was made."


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """All that an allocation depends on but the seed.

    Whoever has published its hash cannot change the schools, the design or the list of usable draws any more without
    being found out; a seed that comes after, from a public draw, then leaves nothing to choose.

    Parameters
    ----------
    algorithm
        Name and version of the published algorithm that will draw.
    design
        The design.
    frame_sha256
        Hash of identifiers, strata, matched sets and variables.
    score_limit
        Under a constraint, the largest score that the draw may have, in whole numbers.
    schools
        Identifiers, sorted.
    stratum_values
        Each school's strata and matched set.
    variable_values
        Each school's values that the design looks at; empty without any.
    """

    algorithm: str
    design: Design
    frame_sha256: str
    score_limit: int | None
    schools: tuple[str, ...]
    stratum_values: tuple[tuple[str, ...], ...]
    variable_values: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, schools: pd.DataFrame, design: Design) -> Self:
        """Commit to a frame and a design.

        Raises
        ------
        DesignError
            If the design cannot be drawn on these schools.

        Examples
        --------
        >>> import pandas as pd
        >>> from randomisation import Arm, Design
        >>> design = Design(arms=(Arm(name="control"), Arm(name="pilot")))
        >>> commitment = Commitment.of(pd.DataFrame({"school_id": ["a", "b", "c"]}), design)
        >>> commitment.sha256[:16]
        'f23db351399985e3'
        """
        read = read_schools(schools, design)
        design.method.check_schools(read, design, is_late=False)
        rule = None
        if design.constraint is not None:
            from randomisation.constrained import build_limited_acceptance, validity

            validity(schools, design)
            rule = build_limited_acceptance(schools, design, read=read)
        return cls(
            algorithm=design.algorithm,
            design=design,
            frame_sha256=compute_sha256(read.canonical()),
            score_limit=None if rule is None else rule.score_limit,
            schools=read.ids,
            stratum_values=read.stratum_values,
            variable_values=read.variable_values,
        )

    @property
    def sha256(self) -> str:
        """The hash to publish."""
        return compute_commitment_hash(self)

    @property
    def facts(self) -> dict[str, str]:
        """What the log states of the commitment: its hashes, and the labels that the arms have."""
        return {
            "commitment_sha256": self.sha256,
            "frame_sha256": self.frame_sha256,
            "design_sha256": self.design.sha256,
            "arm_labels": format_canonical_json(self.design.labels),
        }

    def to_dict(self) -> dict[str, object]:
        """Return the commitment as values that JSON can hold; there are no arms in it."""
        values = self.variable_values or ((),) * len(self.schools)
        return {
            "format": FORMAT,
            "algorithm": self.algorithm,
            "design": self.design.to_dict(),
            "frame_sha256": self.frame_sha256,
            **({} if self.score_limit is None else {"score_limit": str(self.score_limit)}),
            "arm_labels": self.design.labels,
            "commitment_sha256": self.sha256,
            "schools": [
                {SCHOOL_ID: school, "strata": list(strata), "values": list(school_values)}
                for school, strata, school_values in zip(self.schools, self.stratum_values, values, strict=True)
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Read what `to_dict` returned.

        Raises
        ------
        DesignError
            If the values have another form, or do not have the hash that they state.
        """
        try:
            rows: Sequence[Mapping[str, Sequence[str]]] = values["schools"]  # type: ignore[assignment]
            design = Design.from_dict(values["design"])  # type: ignore[arg-type]
            school_values = tuple(tuple(row["values"]) for row in rows)
            commitment = cls(
                algorithm=str(values["algorithm"]),
                design=design.relabelled(values["arm_labels"]),  # type: ignore[arg-type]
                frame_sha256=str(values["frame_sha256"]),
                score_limit=int(str(values["score_limit"])) if "score_limit" in values else None,
                schools=tuple(str(row[SCHOOL_ID]) for row in rows),
                stratum_values=tuple(tuple(row["strata"]) for row in rows),
                variable_values=school_values if any(school_values) else (),
            )
            stated = values["commitment_sha256"], values["format"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DesignError(_PLACE, f"It cannot be read ({error!r}).", _RESTORE) from error
        if stated != (commitment.sha256, FORMAT):
            raise DesignError(_PLACE, "It does not have the hash that it states: it was changed.", _RESTORE)
        return commitment


def compute_commitment_hash(stated: Commitment | AllocationRecord) -> str:
    """Return the hash of a commitment, or of the one that a record of an allocation comes from.

    SHA-256 of the UTF-8 text of five lines, each ending with a line feed: the format, the algorithm, the frame's
    hash, the design as JSON in ASCII with sorted keys and without spaces, the largest score or nothing.
    """
    design = format_canonical_json(stated.design.to_dict())
    limit = "" if stated.score_limit is None else str(stated.score_limit)
    return compute_sha256(
        "".join(f"{line}\n" for line in (FORMAT, stated.algorithm, stated.frame_sha256, design, limit)).encode()
    )
