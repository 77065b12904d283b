"""Re-draws of everything that was drawn, and schools' chances of the group that they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.stages.agreement import checked_record
from evaluation.stages.assign import places_of
from evaluation.stages.later import Later, later_steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np

    from evaluation.comparison import Comparison
    from evaluation.trial import Trial
    from randomisation.record import AllocationRecord

SAME_CHANCE = 0.01
"""Differences of chances below this are none: where draws are too many to list, chances come from re-draws."""


def redraws(trial: Trial) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Return the drawn schools, the position of each school's arm, and that of further draws of the same design.

    Returns
    -------
    tuple
        Schools (J, sorted), actual (J,) and draws (B, J). A draw that was made elsewhere is replayed as a permutation
        of its arms within strata, which is all that is known about it.
    """
    import numpy as np

    steps = later_steps(trial)
    places = places_of(trial, steps)
    names = trial.protocol.arm_names
    made = list(draws_of(trial, steps))
    if made[0][1].design.kind == "minimisation":
        by_draw = _minimised_again(trial, made)
    else:
        by_draw = {number: _redrawn(trial, record, number=number) for number, record in made}
    columns = [by_draw[place.draw][place.drawn] for place in places.values()]
    actual = np.array([names.index(place.arm) for place in places.values()])
    return tuple(places), actual, np.stack(columns, axis=1)


def draws_of(trial: Trial, steps: Sequence[Later]) -> Iterator[tuple[int, AllocationRecord]]:
    """Give every draw: its number (0 for the first) and its record, which has the schools as they were drawn."""
    yield 0, checked_record(trial)
    for step in steps:
        if step.late is not None:
            yield step.number, step.late


def _redrawn(trial: Trial, record: AllocationRecord, *, number: int) -> dict[str, np.ndarray]:
    """Return the positions of each school's arm in re-draws of one draw, by school."""
    import numpy as np

    from randomisation.permuted import permute_within_strata
    from randomisation.record import stratum_labels
    from randomisation.replay import replay

    inference = trial.protocol.inference
    seed = f"{inference.draws_seed} late {number}" if number else inference.draws_seed
    if record.drawn == "here":
        schools = record.recorded_schools()
        draws = replay(schools, record.design, n_draws=inference.n_draws, seed=seed, late=number > 0)
    else:
        actual = np.array([record.design.names.index(arm) for arm in record.arms])
        strata = tuple(stratum_labels(record).values())
        draws = permute_within_strata(actual, strata, n_draws=inference.n_draws, seed=seed)
    return {school: draws[:, place] for place, school in enumerate(record.schools)}


def _minimised_again(trial: Trial, made: Sequence[tuple[int, AllocationRecord]]) -> dict[int, dict[str, np.ndarray]]:
    """Let all schools of a minimisation join again in their order, late ones after the first."""
    from randomisation.minimised import joined_of, minimisation_of, replay_minimised

    inference = trial.protocol.inference
    joined = [(number, one) for number, record in made for one in joined_of(record)]
    whole = minimisation_of(made[0][1].design, seed=inference.draws_seed, joined=[one for _, one in joined])
    draws = replay_minimised(whole, n_draws=inference.n_draws, seed=inference.draws_seed)
    found: dict[int, dict[str, np.ndarray]] = {number: {} for number, _ in made}
    for place, (number, one) in enumerate(joined):
        found[number][one.school] = draws[:, place]
    return found


def unequal_chances(trial: Trial) -> dict[str, dict[str, float]]:
    """Return each school's chance of each arm; nothing where all schools have the same ones."""
    import numpy as np

    from randomisation.constrained import assignment_probabilities

    steps = later_steps(trial)
    chances: dict[tuple[int, str], dict[str, float]] = {}
    for number, record in draws_of(trial, steps):
        if len(set(record.design.ratios)) == 1:
            return {}
        table = assignment_probabilities(record.recorded_schools(), record.design).set_index("school_id")
        chances |= {(number, str(school)): table.loc[school].to_dict() for school in table.index}
    every = np.array([list(row.values()) for row in chances.values()])
    if np.allclose(every, every[0], rtol=0, atol=SAME_CHANCE):
        return {}
    return {school: chances[place.draw, place.drawn] for school, place in places_of(trial, steps).items()}


def school_weights(
    chances: Mapping[str, Mapping[str, float]], arm_of: Mapping[str, str], compared: Comparison
) -> dict[str, float]:
    """Return the inverse of each school's chance of the group that it is in."""
    group_of = compared.group_of
    return {
        school: 1 / sum(chance for arm, chance in own.items() if group_of[arm] == group_of[arm_of[school]])
        for school, own in chances.items()
    }
