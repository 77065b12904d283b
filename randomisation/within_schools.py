"""Draws within schools: classes of a school against one another, and pupils in a share that was drawn for the school.

A class or a pupil is a unit with the school as its stratum, so that the design draws, counts, replays and verifies it
as it does schools: the frame's `school_id` then is the unit's name, "05 / 9a".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from data_schema.errors import DesignError
from randomisation.arms import Arm
from randomisation.canonical import format_quoted_list
from randomisation.design import Design
from randomisation.draw import Allocation, allocate
from randomisation.redraws import replay

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from randomisation.record import AllocationRecord

JOINT = " / "
"""Between the name of a school and that of its class or pupil."""

SCHOOL = "school"
"""Column of the school in a frame of units."""

_PLACE = "frame of units"
_MOST_PARTS = 1000


def units_of_schools(frame: pd.DataFrame, *, unit: str, school: str = "school_id") -> pd.DataFrame:
    """Return a frame of classes or pupils that a design can be drawn on.

    Parameters
    ----------
    frame
        One row per class (pupil), with the school and a name that is unique in it, both text.
    unit, school
        Columns of the unit and of the school.

    Returns
    -------
    pandas.DataFrame
        The frame with `school` (the school's name) and `school_id` ("school / unit"), for a design whose last stratum
        is "school".

    Raises
    ------
    DesignError
        If a name is not text or holds " / ".

    Examples
    --------
    >>> import pandas as pd
    >>> classes = pd.DataFrame({"school_id": ["05", "05", "06", "06"], "class": ["9a", "9b", "9a", "9b"]})
    >>> units = units_of_schools(classes, unit="class")
    >>> design = Design(arms=(Arm(name="control"), Arm(name="pilot")), strata=("school",))
    >>> allocate(units, design, seed="x").counts()
    {'control': 2, 'pilot': 2}
    """
    for column in (school, unit):
        if column not in frame.columns:
            raise DesignError(_PLACE, f"There is no column '{column}'.", "Add it.")
        names = frame[column].tolist()
        wrong = [str(name) for name in names if not isinstance(name, str) or not name or JOINT in name]
        if wrong:
            raise DesignError(
                f"{_PLACE}, column '{column}'",
                f"{format_quoted_list(wrong)} is no name.",
                f"Use text without '{JOINT}'.",
            )
    schools = frame[school]
    return frame.assign(**{SCHOOL: schools, "school_id": schools + JOINT + frame[unit]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Saturation:
    """A two-stage draw: schools to shares, then that share of each school's pupils (or classes) to the programme.

    It tells the effect on those who have the programme from that on their fellows who do not (spillover).

    Parameters
    ----------
    schools
        The first draw; its arms are shares.
    pupils
        The second draw of each school that has both, by school.
    shares
        Share of each arm of the first draw, 0 to 1.
    everyone
        Units of each school, sorted, as "school / unit".

    References
    ----------
    Baird, Bohren, McIntosh and Özler (2018), Review of Economics and Statistics 100(5), 844-860.
    """

    schools: Allocation
    pupils: Mapping[str, Allocation]
    shares: Mapping[str, Fraction]
    everyone: Mapping[str, tuple[str, ...]]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per pupil, sorted: `school_id`, `unit`, `stratum`, `saturation` (arm), `share`, `treated`."""
        import pandas as pd

        rows = []
        strata = dict(zip(self.schools.schools, self.schools.strata, strict=True))
        for school, arm in self.schools.arm_of.items():
            share = self.shares[arm]
            drawn = self.pupils[school].arm_of if school in self.pupils else {}
            for unit in self.everyone[school]:
                treated = int(drawn[unit] == "treated") if drawn else int(share == 1)
                rows.append((school, unit.split(JOINT, 1)[1], strata[school], arm, float(share), treated))
        return pd.DataFrame(rows, columns=["school_id", "unit", "stratum", "saturation", "share", "treated"])

    def records(self) -> tuple[AllocationRecord, ...]:
        """Return the records of the first draw and of each school's own, which anyone can verify as any other."""
        from randomisation.record import AllocationRecord

        return tuple(AllocationRecord.of(drawn) for drawn in (self.schools, *self.pupils.values()))

    def probabilities(self) -> dict[tuple[str, int], Fraction]:
        """Return a pupil's probability of each school arm and treatment (0 or 1), the same for every pupil.

        Their inverse are the weights with which pupils of different shares are compared.
        """
        share_of_case = {}
        for arm, chance in self.schools.design.probabilities.items():
            share = self.shares[arm]
            share_of_case.update({(arm, treated): chance * (share if treated else 1 - share) for treated in (0, 1)})
        return {key: chance for key, chance in share_of_case.items() if chance}


def saturate(
    schools: pd.DataFrame,
    pupils: pd.DataFrame,
    *,
    shares: Mapping[str, Fraction],
    unit: str,
    seed: str,
    strata: tuple[str, ...] = (),
) -> Saturation:
    """Draw schools to shares, and then the share of each school's pupils.

    Parameters
    ----------
    schools
        One row per school, as for `allocate`.
    pupils
        One row per pupil (or class): `school_id` and the column `unit`.
    shares
        Name of each arm of schools, the reference first, and the share of its pupils who get the programme.
    unit
        Column of the pupil.
    seed
        Seed of the first draw; that of a school's own is the seed, a space and the school's name.
    strata
        Strata of schools.

    Raises
    ------
    DesignError
        If a share is not between 0 and 1, a school has no pupils, or too few for its share.

    Examples
    --------
    >>> import pandas as pd
    >>> schools = pd.DataFrame({"school_id": ["1", "2", "3"]})
    >>> pupils = pd.DataFrame({"school_id": list("111122223333"), "pupil": [str(n) for n in range(12)]})
    >>> shares = {"none": Fraction(0), "half": Fraction(1, 2), "all": Fraction(1)}
    >>> drawn = saturate(schools, pupils, shares=shares, unit="pupil", seed="x")
    >>> sorted(drawn.to_frame().groupby("school_id")["treated"].sum())
    [0, 2, 4]
    """
    _check_shares(shares)
    first = allocate(schools, Design(arms=tuple(Arm(name=name) for name in shares), strata=strata), seed=seed)
    units = units_of_schools(pupils, unit=unit)
    units_by_school = {str(name): part for name, part in units.groupby(SCHOOL)}
    without = [school for school in first.schools if school not in units_by_school]
    if without:
        raise DesignError(
            _PLACE, f"School {format_quoted_list(without)} has no pupils.", "Add them, or leave the school out."
        )
    drawn = {
        school: allocate(units_by_school[school], _build_design_of_share(shares[arm]), seed=f"{seed} {school}")
        for school, arm in first.arm_of.items()
        if 0 < shares[arm] < 1
    }
    everyone = {school: tuple(sorted(units_by_school[school]["school_id"])) for school in first.schools}
    return Saturation(schools=first, pupils=drawn, shares=dict(shares), everyone=everyone)


def replay_saturation(saturation: Saturation, schools: pd.DataFrame, *, n_draws: int, seed: str) -> np.ndarray:
    """Draw both stages again and again; shape (n_draws, pupils), 1 for the programme, pupils as in `to_frame`.

    Parameters
    ----------
    saturation
        The draw.
    schools
        The frame of its first stage.
    n_draws
        Number of draws.
    seed
        Seed of the re-draws.
    """
    import numpy as np
    import pandas as pd

    first = replay(schools, saturation.schools.design, n_draws=n_draws, seed=seed)
    blocks = []
    names = saturation.schools.design.names
    for place, school in enumerate(saturation.schools.schools):
        units = pd.DataFrame({"school_id": saturation.everyone[school]})
        block = np.zeros((n_draws, len(units)), dtype=np.int16)
        for arm, name in enumerate(names):
            share = saturation.shares[name]
            rows = first[:, place] == arm
            if share == 1:
                block[rows] = 1
            elif share > 0:
                block[rows] = replay(units, _build_design_of_share(share), n_draws=n_draws, seed=f"{seed} {school}")[
                    rows
                ]
        blocks.append(block)
    return np.hstack(blocks)


def _check_shares(shares: Mapping[str, Fraction]) -> None:
    for name, share in shares.items():
        if not isinstance(share, Fraction | int) or not 0 <= share <= 1 or Fraction(share).denominator > _MOST_PARTS:
            raise DesignError(
                f"design, share of '{name}'", f"{share!r} is no share.", "Use a fraction such as Fraction(1, 2)."
            )


def _build_design_of_share(share: Fraction) -> Design:
    """Return the design of a school's own draw."""
    left = share.denominator - share.numerator
    return Design(arms=(Arm(name="untreated", ratio=left), Arm(name="treated", ratio=share.numerator)))
