"""Schools that come or go after the draw: a batch of late schools, a reserve for one that withdrew before the start.

The earlier draw is never touched. What is added is drawn by itself, recorded, and can be drawn again by anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from data_schema.errors import DesignError
from randomisation.canonical import format_quoted_list, is_plain
from randomisation.design import Design
from randomisation.draw import Allocation, allocate
from randomisation.redraws import replay
from randomisation.schools import find_look_alikes
from randomisation.stream import check_seed, open_published_stream

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from randomisation.minimised import Joined

REPLACEMENT = "crocoos-replacement-1"
"""Name of the published algorithm that draws a reserve."""

FORMAT = "crocoos replacement record 1"
"""Name and version of a replacement's record."""

_PLACE = "late schools"


def extend(earlier: Sequence[Allocation], late: pd.DataFrame, *, seed: str) -> tuple[Allocation, ...]:
    """Draw late schools by the same design, among one another, and return all draws.

    Parameters
    ----------
    earlier
        The draws so far, the first being the trial's; they stay as they are.
    late
        The late schools, as for `allocate`; one or more. Simple and constrained draws need one for every arm.
    seed
        A seed of its own, from another public draw.

    Returns
    -------
    tuple of Allocation
        The earlier draws and one more. Each has a record of its own. Analyses take a late draw as one stratum, since
        the share of an arm may differ by a school between draws.

    Raises
    ------
    DesignError
        If a late school was drawn before or can be taken for one that was, if the seed was used before, or if the
        design cannot be drawn on the late schools.

    Examples
    --------
    >>> import pandas as pd
    >>> from randomisation import Arm, Design
    >>> design = Design(arms=(Arm(name="control"), Arm(name="pilot")))
    >>> first = allocate(pd.DataFrame({"school_id": list("abcd")}), design, seed="March")
    >>> [str(drawn) for drawn in extend([first], pd.DataFrame({"school_id": ["e", "f"]}), seed="April")][1]
    "2 schools in 1 strata: 1 control, 1 pilot (seed 'April')"
    """
    if not earlier:
        raise DesignError(_PLACE, "There is no earlier draw.", "Use allocate().")
    before = [school for drawn in earlier for school in drawn.schools]
    ids = [str(school) for school in late["school_id"]] if "school_id" in late.columns else []
    again = sorted(set(before) & set(ids))
    if again:
        raise DesignError(
            _PLACE, f"School {format_quoted_list(again)} was drawn before.", "Leave it out: it keeps its arm."
        )
    alike = [pair for pair in find_look_alikes([*before, *ids]) if pair[1] in ids]
    if alike:
        first_identifier, other = alike[0]
        raise DesignError(
            _PLACE, f"'{other}' can be taken for '{first_identifier}'.", "Check that they are two schools."
        )
    return (*earlier, draw_late(late, earlier[0].design, seed=seed, seeds=[drawn.seed for drawn in earlier]))


def draw_late(
    late: pd.DataFrame, design: Design, *, seed: str, seeds: Sequence[str], before: Sequence[Joined] = ()
) -> Allocation:
    """Draw late schools among one another.

    Parameters
    ----------
    late, design
        As for `allocate`.
    seed
        A seed of its own.
    seeds
        Seeds of the earlier draws.
    before
        In a minimisation, the schools that had joined before, in their order.

    Raises
    ------
    DesignError
        If the seed was used before, or the design cannot be drawn on the late schools.
    """
    if seed in seeds:
        raise DesignError(_PLACE, f"The seed '{seed}' was used before.", "Draw another one in public.")
    return allocate(late, design, seed=seed, late=True, before=before)


def replay_draws(frames: Sequence[pd.DataFrame], draws: Sequence[Allocation], *, n_draws: int, seed: str) -> np.ndarray:
    """Draw a first draw and its extensions again and again, each among its own schools.

    Parameters
    ----------
    frames
        The frame of each draw.
    draws
        As `extend` returned them.
    n_draws
        Number of draws.
    seed
        Seed of the re-draws.

    Returns
    -------
    numpy.ndarray
        Shape (n_draws, J): schools of the first draw, then those of the next ones, each as in `Allocation.schools`.
    """
    import numpy as np

    parts = [
        replay(frame, drawn.design, n_draws=n_draws, seed=f"{seed} {place}", late=place > 0)
        for place, (frame, drawn) in enumerate(zip(frames, draws, strict=True))
    ]
    return np.hstack(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A reserve school in the place of one that withdrew before the start.

    Parameters
    ----------
    withdrawn
        The school that withdrew.
    arm
        Its arm, which the reserve takes over.
    reserves
        Schools that could take its place, all of its stratum, sorted.
    chosen
        The one that was drawn.
    seed
        Seed of the draw.
    reason
        Why the school withdrew.
    """

    withdrawn: str
    arm: str
    reserves: tuple[str, ...]
    chosen: str
    seed: str
    reason: str

    def holds(self) -> bool:
        """Return whether the draw gives the recorded school again."""
        return _draw_reserve(self.reserves, seed=self.seed, withdrawn=self.withdrawn) == self.chosen

    def to_dict(self) -> dict[str, object]:
        """Return the replacement as values that JSON can hold."""
        return {
            "format": FORMAT,
            "algorithm": REPLACEMENT,
            "withdrawn": self.withdrawn,
            "arm": self.arm,
            "reserves": list(self.reserves),
            "chosen": self.chosen,
            "seed": self.seed,
            "reason": self.reason,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Read what `to_dict` returned; raises DesignError for anything else."""
        texts = {name: values.get(name) for name in ("withdrawn", "arm", "chosen", "seed", "reason")}
        reserves = values.get("reserves")
        has_only_texts = all(isinstance(text, str) for text in texts.values())
        if not has_only_texts or not isinstance(reserves, list) or values.get("format") != FORMAT:
            raise DesignError("replacement record", "It cannot be read.", "Restore it as it was written.")
        return cls(reserves=tuple(str(name) for name in reserves), **texts)  # type: ignore[arg-type]


def replace_school(
    arm_of: Mapping[str, str], withdrawn: str, *, reserves: Sequence[str], seed: str, reason: str
) -> Replacement:
    """Draw which reserve school takes the place, and the arm, of a school that withdrew before the start.

    Parameters
    ----------
    arm_of
        Arm of every school of the trial, such as `Allocation.arm_of`; it stays as it is.
    withdrawn
        One of them.
    reserves
        Identifiers of the reserve schools of its stratum, none of them in the draw.
    seed
        A seed from a public draw.
    reason
        Why it withdrew, for the record.

    Notes
    -----
    A replacement is without bias only as long as nobody on either side knew the arm: a school that withdrew because of
    its arm is a loss, to be analysed as one.

    Raises
    ------
    DesignError
        If the school is not in the draw, no reason or no reserve is stated, or a reserve is in the draw.
    """
    check_seed(seed)
    place = f"replacement of school '{withdrawn}'"
    if withdrawn not in arm_of:
        raise DesignError(place, "It is not in the draw.", "Correct the identifier.")
    if not reason.strip():
        raise DesignError(place, "No reason is stated.", "Say why it withdrew; the record keeps it.")
    if not reserves or len(set(reserves)) < len(reserves) or not all(is_plain(name) for name in reserves):
        raise DesignError(place, "The reserves are none, or one is there twice.", "List each reserve school once.")
    drawn = [name for name in reserves if name in arm_of]
    if drawn:
        raise DesignError(
            place, f"School {format_quoted_list(drawn)} is in the draw itself.", "List reserve schools only."
        )
    ordered = tuple(sorted(reserves))
    return Replacement(
        withdrawn=withdrawn,
        arm=arm_of[withdrawn],
        reserves=ordered,
        chosen=_draw_reserve(ordered, seed=seed, withdrawn=withdrawn),
        seed=seed,
        reason=reason.strip(),
    )


def _draw_reserve(reserves: tuple[str, ...], *, seed: str, withdrawn: str) -> str:
    return reserves[open_published_stream(f"{seed} {withdrawn}", algorithm=REPLACEMENT).below(len(reserves))]
