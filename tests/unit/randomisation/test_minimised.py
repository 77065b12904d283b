"""Minimisation: arms stay alike, nobody can foretell the next one, everybody can draw again."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schema.errors import DesignError
from randomisation import Arm
from randomisation import verify_allocation as program
from randomisation.minimised import Minimisation, replay_minimised

TWO = (Arm(name="control"), Arm(name="pilot"))
EMPTY = Minimisation(arms=TWO, factors=("country", "size"), seed="lottery")


def joined(trial: Minimisation, n: int) -> Minimisation:
    for number in range(n):
        trial = trial.join(
            f"{number:02d}", country=("HU", "RS", "SI")[number % 3], size=("small", "large")[number // 2 % 2]
        )
    return trial


def test_arms_are_more_alike_than_by_chance_in_every_factor() -> None:
    spread = []
    for seed in range(60):
        trial = joined(replace(EMPTY, seed=f"{seed}", chance=90), 24)
        spread += [
            abs(sum((1 if one.arm == "pilot" else -1) * (one.values[place] == value) for one in trial.joined))
            for place, value in ((0, "HU"), (0, "RS"), (1, "small"))
        ]
    # By tossing coins the mean of |difference| would be 2.2 among 8 schools and 2.7 among 12.
    assert np.mean(spread) < 1.3


def test_the_chance_is_the_one_that_is_stated() -> None:
    # After one school in control, an alike one gets pilot with 80 % + 20 % / 2.
    start = EMPTY
    found = []
    for seed in range(1500):
        trial = (
            replace(start, seed=f"{seed}").join("a", country="HU", size="small").join("b", country="HU", size="small")
        )
        found.append(trial.joined[0].arm != trial.joined[1].arm)
    assert np.mean(found) == pytest.approx(0.9, abs=3.5 * (0.09 / 1500) ** 0.5)


def test_the_first_school_has_the_ratio_of_the_rest() -> None:
    trial = Minimisation(
        arms=(Arm(name="control"), Arm(name="pilot", ratio=2)), factors=("country",), seed="x", chance=50
    )
    counts = joined_counts(trial)
    assert counts["pilot"] > 1.5 * counts["control"]


def joined_counts(trial: Minimisation) -> dict[str, int]:
    for number in range(60):
        trial = trial.join(f"{number}", country="HU")
    return trial.counts()


def test_draws_hold_and_a_changed_one_does_not() -> None:
    trial = joined(EMPTY, 12)
    assert trial.holds()
    one = trial.joined[5]
    changed = replace(one, arm="control" if one.arm == "pilot" else "pilot")
    assert not replace(trial, joined=(*trial.joined[:5], changed, *trial.joined[6:])).holds()
    assert Minimisation.from_dict(json.loads(json.dumps(trial.to_dict()))) == trial


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy")), min_size=1, max_size=15),
    st.lists(st.integers(1, 3), min_size=2, max_size=3),
    st.integers(50, 95),
    st.text("abc", min_size=1, max_size=4),
)
def test_the_stand_alone_verifier_draws_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    schools: list[tuple[str, str]],
    ratios: list[int],
    chance: int,
    seed: str,
) -> None:
    arms = tuple(Arm(name=f"arm {place}", ratio=ratio) for place, ratio in enumerate(ratios))
    trial = Minimisation(arms=arms, factors=("country", "size"), seed=seed, chance=chance)
    for number, (country, size) in enumerate(schools):
        trial = trial.join(f"{number}", country=country, size=size)
    path: Path = tmp_path_factory.mktemp("record") / "minimisation.json"
    path.write_text(json.dumps(trial.to_dict()), encoding="utf-8")
    assert program.main([str(path)]) == 0
    values = trial.to_dict()
    rows: list[dict[str, str]] = values["schools"]  # type: ignore[assignment]
    rows[-1]["arm"] = next(arm.name for arm in arms if arm.name != rows[-1]["arm"])
    path.write_text(json.dumps(values), encoding="utf-8")
    assert program.main([str(path)]) == 1


def test_redraws_keep_the_order_and_have_the_distribution_of_the_draws() -> None:
    trial = joined(EMPTY, 6)
    draws = replay_minimised(trial, n_draws=1500, seed="x")
    assert draws.shape == (1500, 6)
    assert np.abs(draws.mean(axis=0) - 0.5).max() < 0.05
    assert np.array_equal(draws, replay_minimised(trial, n_draws=1500, seed="x"))
    published = np.array(
        [[one.arm == "pilot" for one in joined(replace(EMPTY, seed=f"{n}"), 6).joined] for n in range(1500)]
    )
    for first, second in pairwise(range(6)):
        same, wanted = (np.mean(part[:, first] == part[:, second]) for part in (draws, published))
        assert same == pytest.approx(wanted, abs=0.07)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"arms": TWO[:1]}, "fewer than two"),
        ({"arms": (TWO[0], TWO[0])}, "two have one name"),
        ({"factors": ()}, "They are none"),
        ({"chance": 100}, "100 is not from 50 to 95"),
        ({"seed": ""}, "cannot be a seed"),
    ],
)
def test_an_impossible_minimisation_cannot_be_made(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(DesignError, match=problem):
        replace(EMPTY, **changes)  # type: ignore[arg-type]


def test_a_school_joins_once_and_with_all_its_values() -> None:
    trial = EMPTY.join("a", country="HU", size="small")
    with pytest.raises(DesignError, match="has joined already"):
        trial.join("a", country="HU", size="small")
    with pytest.raises(DesignError, match="State a text for each"):
        trial.join("b", country="HU")
    with pytest.raises(DesignError, match="State a text for each"):
        trial.join("b", country="HU", size="")


def test_a_record_that_cannot_be_read_is_refused() -> None:
    values = joined(EMPTY, 2).to_dict()
    for changed in (values | {"format": "x"}, {key: value for key, value in values.items() if key != "factors"}):
        with pytest.raises(DesignError, match=r"cannot be read|format is not"):
            Minimisation.from_dict(changed)
