"""The registry of designs: what a kind declares."""

from __future__ import annotations

import pytest

from randomisation.designs import DESIGNS, DRAWN, DesignKind
from randomisation.stream import ALGORITHM, MATCHED, MINIMISED, SIMPLE

every_kind = pytest.mark.parametrize("kind", DESIGNS.values(), ids=DESIGNS.keys())


@every_kind
def test_a_kind_is_drawn_by_a_kind_that_a_record_can_name(kind: DesignKind) -> None:
    drawn = DRAWN[kind.drawn_as or kind.name]
    assert kind.algorithm == drawn.algorithm
    assert kind.fixes_numbers == drawn.fixes_numbers
    assert DESIGNS[kind.name] is kind


def test_each_algorithm_is_that_of_a_kind() -> None:
    assert {kind.algorithm for kind in DRAWN.values()} == {ALGORITHM, SIMPLE, MATCHED, MINIMISED}
