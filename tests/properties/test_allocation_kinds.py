"""Simple, matched and constrained draws of any frame: the stand-alone verifier agrees, and finds what was changed."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schema.errors import DesignError
from randomisation import AllocationRecord, Arm, Constraint, Design, Matching, Minimising, allocate, replay, verify
from randomisation import verify_allocation as program
from randomisation.constraint import ScoreKind
from randomisation.misfits import KNOWN, Misfits

SCORES: tuple[ScoreKind, ...] = ("l2", "max_difference", "mahalanobis")


@st.composite
def designs(draw: st.DrawFn) -> Design:
    kind = draw(st.sampled_from(["simple", "complete", "stratified", "matched", "minimisation"]))
    ratios = draw(st.sampled_from([(1, 1), (1, 2), (1, 1, 1)]))
    constraint = None
    if kind not in ("simple", "minimisation") and draw(st.booleans()):
        limits = (("prior", draw(st.sampled_from([0.8, 1.25]))),) if draw(st.booleans()) else ()
        constraint = Constraint(
            variables=draw(st.sampled_from([("size",), ("prior", "type"), ("size", "prior")])),
            score=draw(st.sampled_from(SCORES)),
            best_share=draw(st.sampled_from([0.2, 0.5])),
        )
        if limits and "prior" in constraint.variables:
            constraint = Constraint(variables=constraint.variables, score=constraint.score, at_most=4.0, limits=limits)
    misfits: Misfits = draw(st.sampled_from(KNOWN)) if kind == "stratified" else "balanced"
    matching = Matching(variables=("size", "type"), distance="standardised") if kind == "matched" else None
    factors = ("country", "type") if kind == "minimisation" else ()
    return Design(
        arms=tuple(Arm(name=f"arm {place}", ratio=ratio) for place, ratio in enumerate(ratios)),
        strata=draw(st.sampled_from([(), ("country",)])) if kind in ("stratified", "matched") else factors,
        kind=kind,
        matching=matching,
        constraint=constraint,
        misfits=misfits,
        minimisation=Minimising(order=draw(st.sampled_from(["", "size", "prior"]))) if factors else None,
    )


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    n = draw(st.integers(8, 12))
    numbers = st.one_of(st.integers(-50, 50), st.floats(-5, 5, allow_nan=False, allow_subnormal=False))
    return pd.DataFrame(
        {
            "school_id": [f"{place:02d}" for place in range(n)],
            "country": [draw(st.sampled_from(["HU", "SI"])) for _ in range(n)],
            "size": draw(st.lists(st.integers(1, 60), min_size=n, max_size=n, unique=True)),
            "prior": draw(st.lists(numbers, min_size=n, max_size=n, unique=True)),
            "type": [("a", "b", "c")[place % 3] for place in range(n)],
        }
    )


def drawn(frame: pd.DataFrame, design: Design, seed: str) -> dict[str, object] | None:
    """Return the record of a draw, or None where the constraint lets too few draws through."""
    try:
        return AllocationRecord.of(allocate(frame, design, seed=seed)).to_dict()
    except DesignError as error:
        if (
            "Loosen the constraint" in error.remedy
            or "too small for misfits" in error.problem
            or "follows from the other" in error.problem
        ):
            return None
        raise


@settings(max_examples=80, deadline=None)
@given(frames(), designs(), st.text("abc", min_size=1, max_size=5))
def test_the_stand_alone_verifier_draws_the_same_of_every_kind(
    tmp_path_factory: pytest.TempPathFactory, frame: pd.DataFrame, design: Design, seed: str
) -> None:
    values = drawn(frame, design, seed)
    if values is None:
        return
    path: Path = tmp_path_factory.mktemp("record") / "record.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    assert program.Record(path).problems() == []
    assert verify(AllocationRecord.from_dict(values), frame.sample(frac=1, random_state=1)).ok


@settings(max_examples=40, deadline=None)
@given(frames(), designs(), st.data())
def test_a_value_or_a_set_that_was_changed_is_found(
    tmp_path_factory: pytest.TempPathFactory, frame: pd.DataFrame, design: Design, data: st.DataObject
) -> None:
    values = drawn(frame, design, "seed")
    if values is None or not (design.variables or design.columns):
        return
    rows: list[dict[str, list[str]]] = values["schools"]  # type: ignore[assignment]
    row = data.draw(st.sampled_from(rows))
    changed = row["values" if design.variables else "strata"]
    changed[-1] += "1"
    path: Path = tmp_path_factory.mktemp("record") / "record.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    assert program.Record(path).problems()[0].startswith("The record's schools and strata do not have the hash")
    assert not verify(AllocationRecord.from_dict(values), frame).ok


@settings(max_examples=25, deadline=None)
@given(frames(), designs())
def test_redraws_of_a_constraint_are_draws_that_may_be_used(frame: pd.DataFrame, design: Design) -> None:
    if drawn(frame, design, "seed") is None or design.constraint is None:
        return
    from randomisation.constrained import build_limited_acceptance
    from randomisation.schools import read_schools

    rule = build_limited_acceptance(frame, design, read=read_schools(frame, design))
    assert rule is not None
    assert rule.usable(replay(frame, design, n_draws=20, seed="again")).all()
