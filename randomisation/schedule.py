"""Who gets the programme when: waiting lists, stepped wedges, and factorial designs, as designs with arms.

They are drawn, counted, replayed and verified as any design is; what is here makes the arms and reads them.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from data_schema.errors import DesignError
from randomisation.canonical import is_plain
from randomisation.design import Arm, Design
from randomisation.draw import Allocation

if TYPE_CHECKING:
    import pandas as pd

NEITHER = "neither"
"""Name of the arm without any factor."""

_PLACE = "design, schedule"


def waiting_list(*, strata: tuple[str, ...] = (), now: int = 1, later: int = 1) -> Design:
    """Return a design in which some schools start now and the others, the reference, when the trial has ended.

    Parameters
    ----------
    strata
        As for `Design`.
    now, later
        The ratio.

    Examples
    --------
    >>> str(waiting_list(strata=("country",)))
    'later : now = 1 : 1, stratified by country'
    """
    return Design(arms=(Arm(name="later", ratio=later), Arm(name="now", ratio=now)), strata=strata)


def stepped_wedge(n_steps: int, *, strata: tuple[str, ...] = ()) -> Design:
    """Return a design in which schools cross over to the programme in steps, as many at each.

    Parameters
    ----------
    n_steps
        Steps at which schools cross over, 2 or more; there is one period more than steps. The last to cross over are
        the reference.
    strata
        As for `Design`.

    Examples
    --------
    >>> stepped_wedge(3).names
    ('step 3', 'step 2', 'step 1')
    """
    if n_steps < 2:
        raise DesignError(_PLACE, f"{n_steps} step is not enough.", "State 2 or more.")
    return Design(arms=tuple(Arm(name=f"step {step}") for step in range(n_steps, 0, -1)), strata=strata)


def schedule(allocation: Allocation, *, n_periods: int | None = None) -> pd.DataFrame:
    """Return who has the programme when.

    Parameters
    ----------
    allocation
        Of a design of `stepped_wedge` or `waiting_list`.
    n_periods
        Periods of measurement; one more than steps by default (a waiting list has two: during the trial and after it).

    Returns
    -------
    pandas.DataFrame
        One row a school and period, sorted: `school_id`, `period` (from 1), `step`, `treated` (0 or 1). Schools of step
        s have the programme from period s + 1 on; those who start now from the first.

    Examples
    --------
    >>> import pandas as pd
    >>> from randomisation import allocate
    >>> allocation = allocate(pd.DataFrame({"school_id": ["a", "b"]}), stepped_wedge(2), seed="x")
    >>> schedule(allocation).groupby("period")["treated"].sum().tolist()
    [0, 1, 2]
    """
    import pandas as pd

    first = _first_periods(allocation.design)
    periods = n_periods if n_periods is not None else max(first.values())
    if periods < max(first.values()):
        raise DesignError(_PLACE, f"{periods} periods end before all schools have started.", "State more.")
    rows = [
        (school, period, first[arm] - 1, int(period >= first[arm]))
        for school, arm in zip(allocation.schools, allocation.arms, strict=True)
        for period in range(1, periods + 1)
    ]
    return pd.DataFrame(rows, columns=["school_id", "period", "step", "treated"])


def _first_periods(design: Design) -> dict[str, int]:
    """Return the first period with the programme of each arm."""
    if design.names == ("later", "now"):
        return {"now": 1, "later": 2}
    steps = {name: name.removeprefix("step ") for name in design.names}
    if not all(step.isdigit() for step in steps.values()):
        raise DesignError(_PLACE, f"The arms {design.names} are no steps.", "Use stepped_wedge() or waiting_list().")
    return {name: int(step) + 1 for name, step in steps.items()}


def factorial(first: str, second: str, *, strata: tuple[str, ...] = ()) -> Design:
    """Return a design of two factors: schools get neither, one, the other or both.

    Parameters
    ----------
    first, second
        Names of the factors.
    strata
        As for `Design`.

    Examples
    --------
    >>> factorial("mentor", "ews").names
    ('neither', 'mentor', 'ews', 'mentor + ews')
    """
    for name in (first, second):
        if not is_plain(name) or " + " in name or name == NEITHER:
            raise DesignError(_PLACE, f"{name!r} cannot name a factor.", "Use a short name.")
    arms = (NEITHER, first, second, f"{first} + {second}")
    return Design(arms=tuple(Arm(name=name) for name in arms), strata=strata)


def factors(allocation: Allocation) -> pd.DataFrame:
    """Return which factors each school has: `school_id`, `stratum` and a column of 0 and 1 a factor.

    Each factor is compared over all schools, half of which have it within each level of the other; that is as good as
    two trials in one where the factors do not act on one another.
    """
    import pandas as pd

    names = allocation.design.names
    if len(names) != 4 or names[0] != NEITHER or names[3] != " + ".join(names[1:3]):
        raise DesignError(_PLACE, f"The arms {names} are no factors.", "Use factorial().")
    columns = {name: [int(name in arm.split(" + ")) for arm in allocation.arms] for name in names[1:3]}
    return pd.DataFrame({"school_id": allocation.schools, "stratum": allocation.strata, **columns})


def share_of_steps(design: Design) -> Fraction:
    """Return the share of school periods with the programme in a stepped wedge: one half when steps are even.

    Examples
    --------
    >>> share_of_steps(stepped_wedge(4))
    Fraction(1, 2)
    """
    first = _first_periods(design)
    periods = max(first.values())
    treated = sum(Fraction(periods - start + 1, periods) * design.probabilities[name] for name, start in first.items())
    return Fraction(treated)
