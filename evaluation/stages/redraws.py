"""Re-draws of everything that was drawn, and schools' chances of the group that they are in."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluation.drawn import Later, find_school_places, read_later_steps
from evaluation.stages.agreement import read_checked_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np

    from analysis.inference.design_redraws import Permutations
    from evaluation.comparison import Comparison
    from evaluation.drawn import Place
    from evaluation.folder import TrialFolder
    from randomisation.acceptance import Acceptance
    from randomisation.record import AllocationRecord

SAME_CHANCE = 0.01
"""Differences of chances below this are none: where draws are too many to list, chances come from re-draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRedraws:
    """What the draw of a trial could have given, for the schools that take part.

    Parameters
    ----------
    schools
        J, sorted.
    actual
        Shape (J,), position of each school's arm.
    draws
        Shape (B, J), the same of further draws of the same design, or of all allocations that it can make where these
        are no more than the protocol's number of draws. A draw that was made elsewhere is replayed as a permutation of
        its arms within strata, which is all that is known about it.
    probabilities
        Shape (B,), when ``draws`` are all allocations; None for re-draws.
    permutations
        How some schools' arms can be permuted while the others stay where they are.
    """

    schools: tuple[str, ...]
    actual: np.ndarray
    draws: np.ndarray
    probabilities: np.ndarray | None
    permutations: Permutations


def redraws(trial: TrialFolder) -> TrialRedraws:
    """Return what the draw of a trial could have given."""
    import numpy as np

    steps = read_later_steps(trial)
    places = find_school_places(trial, steps)
    names = trial.protocol.arm_names
    recorded_draws = list(iterate_draws(trial, steps))
    if recorded_draws[0][1].design.method.joins_one_by_one:
        parts = [_replay_minimisation(trial, recorded_draws)]
    else:
        parts = [_resample_draw(trial, record, number=number) for number, record in recorded_draws]
    keys = {key: column for column, key in enumerate(key for part in parts for key in part.keys)}
    columns = [keys[place.draw, place.drawn] for place in places.values()]
    draws, probabilities = _join_parts(parts, n_draws=trial.protocol.inference.n_draws, seed=_get_draws_seed(trial))
    actual = np.array([names.index(place.arm) for place in places.values()])
    return TrialRedraws(
        schools=tuple(places),
        actual=actual,
        draws=draws[:, columns],
        probabilities=probabilities,
        permutations=_build_permutations(trial, places, recorded_draws, actual),
    )


def _get_draws_seed(trial: TrialFolder) -> str:
    return trial.protocol.inference.draws_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Re-draws of one draw (of several, where later ones went on from it): of each school of each draw's number."""

    keys: tuple[tuple[int, str], ...]
    draws: np.ndarray
    probabilities: np.ndarray | None


def _join_parts(parts: Sequence[_Part], *, n_draws: int, seed: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Put draws that did not look at one another beside one another: all combinations where they are few."""
    import numpy as np

    if len(parts) == 1:
        return parts[0].draws, parts[0].probabilities
    shares = [part.probabilities for part in parts if part.probabilities is not None]
    sizes = [len(part.draws) for part in parts]
    if len(shares) == len(parts) and math.prod(sizes) <= n_draws:
        rows = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1).reshape(-1, len(parts))
        chances = np.prod([share[rows[:, k]] for k, share in enumerate(shares)], axis=0)
        return np.hstack([part.draws[rows[:, k]] for k, part in enumerate(parts)]), chances
    sampled = [_sample_draws(part, n_draws=n_draws, seed=f"{seed} {k}") for k, part in enumerate(parts)]
    return np.hstack(sampled), None


def _sample_draws(part: _Part, *, n_draws: int, seed: str) -> np.ndarray:
    """Return so many draws; of a list of all allocations, each as often as its probability has it."""
    import numpy as np

    from randomisation.permuted import create_generator

    if part.probabilities is None:
        return part.draws
    return part.draws[create_generator(seed).choice(len(part.draws), size=n_draws, p=part.probabilities)].astype(
        np.int16
    )


def _build_permutations(
    trial: TrialFolder,
    places: Mapping[str, Place],
    made: Sequence[tuple[int, AllocationRecord]],
    actual: np.ndarray,
) -> Permutations:
    """Return how schools can be permuted within the strata of their draw, under its constraint."""
    from analysis.inference.design_redraws import Permutations
    from randomisation.record import build_stratum_labels

    strata = {
        (number, school): f"{number} {label}"
        for number, record in made
        for school, label in build_stratum_labels(record).items()
    }
    rules = [(number, record) for number, record in made if record.design.constraint is not None]
    reason = (
        "In a minimisation, who is in the other arms decides on chances of schools that came later: with three arms or"
        " more, two of them cannot be drawn again alone."
    )
    return Permutations(
        schools=tuple(places),
        actual=actual,
        strata=tuple(strata[place.draw, place.drawn] for place in places.values()),
        n_draws=trial.protocol.inference.n_draws,
        seed=f"{_get_draws_seed(trial)} permuted",
        usable=_build_usability_check(rules, places) if rules else None,
        reason=reason if made[0][1].design.method.joins_one_by_one else "",
    )


def _build_usability_check(
    made: Sequence[tuple[int, AllocationRecord]], places: Mapping[str, Place]
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what tells of allocations of the trial's schools whether every draw's constraint lets them through."""
    import numpy as np

    from randomisation.constrained import build_limited_acceptance

    column_of = {(place.draw, place.drawn): column for column, place in enumerate(places.values())}

    @functools.cache
    def collect_draw_rules() -> list[tuple[Acceptance | None, np.ndarray, np.ndarray, np.ndarray]]:
        draw_rules = []
        for number, record in made:
            schools = record.recorded_schools()
            rule = build_limited_acceptance(schools, record.design, read=schools)
            drawn = np.array([record.design.names.index(arm) for arm in record.arms])
            # Who withdrew and was not replaced stays where it was.
            school_positions = [
                (place, column_of[number, school])
                for place, school in enumerate(record.schools)
                if (number, school) in column_of
            ]
            draw_rules.append((rule, drawn, *np.array(school_positions).T))
        return draw_rules

    def check_draw_rules(positions: np.ndarray) -> np.ndarray:
        passed = np.ones(len(positions), dtype=bool)
        for rule, drawn, school_positions, columns in collect_draw_rules():
            rows = np.tile(drawn, (len(positions), 1))
            rows[:, school_positions] = positions[:, columns]
            passed &= True if rule is None else rule.usable(rows)
        return passed

    return check_draw_rules


def iterate_draws(trial: TrialFolder, steps: Sequence[Later]) -> Iterator[tuple[int, AllocationRecord]]:
    """Give every draw: its number (0 for the first) and its record, which has the schools as they were drawn."""
    yield 0, read_checked_record(trial)
    for step in steps:
        if step.late is not None:
            yield step.number, step.late


def _resample_draw(trial: TrialFolder, record: AllocationRecord, *, number: int) -> _Part:
    """Return the positions of each school's arm in all allocations of one draw, or in re-draws of it."""
    import numpy as np

    from analysis.inference.design_redraws import Permutations, design_redraws
    from randomisation.record import build_stratum_labels

    inference = trial.protocol.inference
    seed = f"{inference.draws_seed} late {number}" if number else inference.draws_seed
    if record.drawn == "here":
        schools = record.recorded_schools()
        draw_result = design_redraws(schools, record.design, n_draws=inference.n_draws, seed=seed, late=number > 0)
    else:
        permuted = Permutations(
            schools=record.schools,
            actual=np.array([record.design.names.index(arm) for arm in record.arms]),
            strata=tuple(build_stratum_labels(record).values()),
            n_draws=inference.n_draws,
            seed=seed,
        )
        draw_result = permuted.drawn(np.ones(len(record.schools), dtype=bool))
    return _Part(
        keys=tuple((number, school) for school in record.schools),
        draws=draw_result.draws,
        probabilities=draw_result.probabilities,
    )


def _replay_minimisation(trial: TrialFolder, made: Sequence[tuple[int, AllocationRecord]]) -> _Part:
    """Let all schools of a minimisation join again in their order, late ones after the first."""
    from randomisation.minimised import build_minimisation, enumerate_minimised, get_joined_schools, replay_minimised

    inference = trial.protocol.inference
    joined = [(number, joined_school) for number, record in made for joined_school in get_joined_schools(record)]
    minimisation = build_minimisation(
        made[0][1].design, seed=inference.draws_seed, joined=[joined_pair for _, joined_pair in joined]
    )
    keys = tuple((number, joined_pair.school) for number, joined_pair in joined)
    if len(minimisation.arms) ** len(joined) <= inference.n_draws:
        draws, probabilities = enumerate_minimised(minimisation)
        return _Part(keys=keys, draws=draws, probabilities=probabilities)
    draws = replay_minimised(minimisation, n_draws=inference.n_draws, seed=inference.draws_seed)
    return _Part(keys=keys, draws=draws, probabilities=None)


def find_unequal_chances(trial: TrialFolder) -> dict[str, dict[str, float]]:
    """Return each school's chance of each arm; nothing where all schools have the same ones."""
    import numpy as np

    from randomisation.constrained import assignment_probabilities

    steps = read_later_steps(trial)
    chances: dict[tuple[int, str], dict[str, float]] = {}
    for number, record in iterate_draws(trial, steps):
        if len(set(record.design.ratios)) == 1:
            return {}
        table = assignment_probabilities(record.recorded_schools(), record.design).set_index("school_id")
        chances |= {(number, str(school)): table.loc[school].to_dict() for school in table.index}
    every = np.array([list(row.values()) for row in chances.values()])
    if np.allclose(every, every[0], rtol=0, atol=SAME_CHANCE):
        return {}
    return {school: chances[place.draw, place.drawn] for school, place in find_school_places(trial, steps).items()}


def compute_school_weights(
    chances: Mapping[str, Mapping[str, float]], arm_of: Mapping[str, str], compared: Comparison
) -> dict[str, float]:
    """Return the inverse of each school's chance of the group that it is in."""
    group_of = compared.group_of
    return {
        school: 1 / sum(chance for arm, chance in arm_chances.items() if group_of[arm] == group_of[arm_of[school]])
        for school, arm_chances in chances.items()
    }
