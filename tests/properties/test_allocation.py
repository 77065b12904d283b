"""Allocations of any design: the published rules hold, and the stand-alone verifier agrees."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from randomisation import (
    AllocationRecord,
    Arm,
    Design,
    allocate,
    allocation_hash,
    frame_hash,
    n_allocations,
    replay,
    verify,
    verify_allocation,
)
from randomisation.canonical import is_plain
from randomisation.settle import draw_settlement, find_leftovers
from randomisation.stream import open_published_stream

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=8
).filter(is_plain)
VALUES = st.sampled_from(["a", "b", "ц", "é", "Z", "10", "9", "𝔸", "\ufb01"])
STRATA = ("country", "type", "size", "region")


@st.composite
def designs(draw: st.DrawFn, *, most_arms: int = 5, most_ratio: int = 6) -> Design:
    ratios = draw(st.lists(st.integers(1, most_ratio), min_size=2, max_size=most_arms))
    arms = tuple(Arm(name=f"arm {place}", ratio=ratio) for place, ratio in enumerate(ratios))
    return Design(arms=arms, strata=STRATA[: draw(st.integers(0, len(STRATA)))])


@st.composite
def trials(draw: st.DrawFn, *, more_schools: int = 25) -> tuple[pd.DataFrame, Design]:
    design = draw(designs())
    fewest = max(2, -(-sum(design.ratios) // min(design.ratios)))
    ids = draw(st.lists(TEXTS, min_size=fewest, max_size=fewest + more_schools, unique=True))
    rows = [[draw(VALUES) for _ in STRATA] for _ in ids]
    return pd.DataFrame(rows, columns=list(STRATA)).assign(school_id=ids), design


@settings(max_examples=300, deadline=None)
@given(trials(), TEXTS)
def test_the_stand_alone_verifier_draws_the_same(trial: tuple[pd.DataFrame, Design], seed: str) -> None:
    frame, design = trial
    allocation = allocate(frame, design, seed=seed)
    columns = [frame[name].tolist() for name in design.strata]
    strata_of = {school: tuple(column[row] for column in columns) for row, school in enumerate(frame["school_id"])}
    assert verify_allocation.draw_from(verify_allocation.Stream(seed), strata_of, design.names, design.ratios) == dict(
        allocation.arm_of
    )


@settings(max_examples=100, deadline=None)
@given(trials(), TEXTS)
def test_every_arm_has_its_share_at_every_level_within_one_school(
    trial: tuple[pd.DataFrame, Design], seed: str
) -> None:
    frame, design = trial
    drawn = frame.merge(allocate(frame, design, seed=seed).to_frame(), on="school_id")
    for depth in range(len(design.strata) + 1):
        keys = [tuple(row) for row in drawn[list(design.strata[:depth])].to_numpy().tolist()]
        for key in set(keys):
            arms = [arm for arm, own in zip(drawn["arm"], keys, strict=True) if own == key]
            for name, share in design.probabilities.items():
                assert abs(arms.count(name) - len(arms) * share) < 1


@settings(max_examples=50, deadline=None)
@given(trials(), TEXTS, st.randoms(use_true_random=False))
def test_the_order_of_rows_never_matters(trial: tuple[pd.DataFrame, Design], seed: str, random: object) -> None:
    frame, design = trial
    order = list(range(len(frame)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert allocate(frame.iloc[order], design, seed=seed) == allocate(frame, design, seed=seed)
    assert frame_hash(frame.iloc[order], design) == frame_hash(frame, design)


@settings(max_examples=50, deadline=None)
@given(trials(), TEXTS)
def test_a_record_survives_json_and_verifies(trial: tuple[pd.DataFrame, Design], seed: str) -> None:
    frame, design = trial
    record = AllocationRecord.of(allocate(frame, design, seed=seed))
    again = AllocationRecord.from_dict(json.loads(json.dumps(record.to_dict())))
    assert again == record
    assert verify(again, frame).ok


@settings(max_examples=50, deadline=None)
@given(trials(), TEXTS, st.data())
def test_no_two_schools_can_be_exchanged_unseen(
    trial: tuple[pd.DataFrame, Design], seed: str, data: st.DataObject
) -> None:
    frame, design = trial
    values = AllocationRecord.of(allocate(frame, design, seed=seed)).to_dict()
    rows: list[dict[str, str]] = values["schools"]  # type: ignore[assignment]
    first = data.draw(st.sampled_from(rows))
    second = data.draw(st.sampled_from([row for row in rows if row["arm"] != first["arm"]]))
    first["arm"], second["arm"] = second["arm"], first["arm"]
    values["allocation_sha256"] = allocation_hash([row["school_id"] for row in rows], [row["arm"] for row in rows])
    assert not verify(AllocationRecord.from_dict(values), frame).ok


@settings(max_examples=60, deadline=None)
@given(trials(more_schools=15), TEXTS)
def test_redraws_keep_to_the_same_rules(trial: tuple[pd.DataFrame, Design], seed: str) -> None:
    frame, design = trial
    draws = replay(frame, design, n_draws=8, seed=seed)
    ordered = frame.sort_values("school_id", key=lambda ids: ids.map(lambda text: text.encode()))
    assert n_allocations(frame, design) >= len({tuple(row) for row in draws.tolist()})
    for depth in range(len(design.strata) + 1):
        keys = [tuple(row) for row in ordered[list(design.strata[:depth])].to_numpy().tolist()]
        for key in set(keys):
            own = draws[:, [place for place, other in enumerate(keys) if other == key]]
            for arm, share in enumerate(design.probabilities.values()):
                assert (abs((own == arm).sum(axis=1) - float(own.shape[1] * share)) < 1 - 1e-9).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=30), st.lists(st.integers(1, 9), min_size=2, max_size=6), TEXTS)
def test_settled_counts_use_every_school_once(sizes: list[int], ratios: list[int], seed: str) -> None:
    keys: list[tuple[str, ...]] = [(f"{place % 4}", f"{place:02d}") for place in range(len(sizes))]
    ordered = dict(sorted(zip(keys, sizes, strict=True)))
    counts = draw_settlement(find_leftovers(ordered, tuple(ratios)), open_published_stream(seed))
    assert [sum(row) for row in counts] == list(ordered.values())
    for row, size in zip(counts, ordered.values(), strict=True):
        for n, ratio in zip(row, ratios, strict=True):
            assert abs(n - Fraction(size * ratio, sum(ratios))) < 1


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 2**40), TEXTS)
def test_numbers_are_below_their_bound(bound: int, seed: str) -> None:
    stream = open_published_stream(seed)
    assert all(0 <= stream.below(bound) < bound for _ in range(20))


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=2, max_size=20, unique=True))
def test_texts_are_sorted_as_their_bytes(texts: list[str]) -> None:
    ordered = sorted(texts)
    assert all(first.encode() < second.encode() for first, second in pairwise(ordered))
