"""Whoever knows how many pupils there are reads the codebook, and looks for numbers that only one table could give."""

from __future__ import annotations

import pytest

from reports.disclosure import Count, CrossTable, Rules, protect
from reports.release.answers import ANSWERED, MISSING, shown_answers


def could_be(n: int, shown: Count, step: int) -> bool:
    """Whether a number could have been printed so: half up to the step, "c" for somebody."""
    if shown.value is None:
        return n > 0
    return n == 0 if shown.value == 0 else n >= step and step * ((2 * n + step) // (2 * step)) == shown.value


@pytest.mark.parametrize(("step", "enrolled"), [(5, range(20, 26)), (10, range(50, 61)), (25, (100, 112, 113, 124))])
def test_who_did_not_answer_does_not_follow_from_who_did(step: int, enrolled: range) -> None:
    """Rounded numbers alone do not protect: of 56 pupils, ≈60 answered and "c" did not, which is one."""
    for n_rows in enrolled:
        for n_missing in (1, 2, step // 2, step - 1):
            counts = {("answered", "SI"): n_rows - n_missing, ("not", "SI"): n_missing}
            (safe,) = protect([CrossTable(by=("field", "country"), counts=counts)], rules=Rules(threshold=step))
            exact = {(kind, place): counts[old, "SI"] for kind, old in _KINDS for place in ("SI", "")}
            protected = {(kind, place): safe[old, place] for kind, old in _KINDS for place in ("SI", "")}
            shown = shown_answers(exact, protected, [], threshold=step, least=step)
            possible = [
                n
                for n in range(n_rows + 1)
                if all(could_be(n, shown[MISSING, place], step) for place in ("SI", ""))
                and all(could_be(n_rows - n, shown[ANSWERED, place], step) for place in ("SI", ""))
            ]
            assert n_missing in possible
            assert len(possible) > 1, (n_rows, n_missing)


_KINDS = ((ANSWERED, "answered"), (MISSING, "not"))
