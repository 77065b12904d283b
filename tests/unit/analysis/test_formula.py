"""Formulas in lme4's words are taken apart as lme4 does."""

from __future__ import annotations

import pytest

from analysis.formula import parse_formula
from data_schema.errors import EstimationError


@pytest.mark.parametrize(
    ("text", "written_out"),
    [
        ("score ~ arm + (1 | school)", "score ~ arm + (1 | school)"),
        ("score ~ (1|school)", "score ~ 1 + (1 | school)"),
        ("score ~ arm + (x | school)", "score ~ arm + (1 + x | school)"),
        ("score ~ arm + (0 + x | school)", "score ~ arm + (0 + x | school)"),
        ("score ~ arm + (x - 1 | school)", "score ~ arm + (0 + x | school)"),
        ("score ~ arm + (1 + x || school)", "score ~ arm + (1 | school) + (0 + x | school)"),
        ("score ~ arm + (1 | country/school)", "score ~ arm + (1 | country) + (1 | country:school)"),
        ("score ~ a * b - 1 + (1 | school)", "score ~ a * b - 1 + (1 | school)"),
        ("score ~ 0 + arm + I(x - 1) + (1 | a:b)", "score ~ 0 + arm + I(x - 1) + (1 | a:b)"),
        ("np.log(score) ~ arm + (1 | a/b/c)", "np.log(score) ~ arm + (1 | a) + (1 | a:b) + (1 | a:b:c)"),
    ],
)
def test_a_formula_is_written_out(text: str, written_out: str) -> None:
    assert str(parse_formula(text)) == written_out


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("score", "no outcome and terms"),
        ("~ arm + (1 | school)", "no outcome"),
        ("score ~ arm", "no random term"),
        ("score ~ arm + (1 | school", "bracket"),
        ("score ~ arm) + (1 | school)", "bracket"),
        ("score ~ arm - (1 | school)", "takes the random term"),
        ("score ~ arm + (0 | school)", "without columns"),
        ("score ~ arm + (1 + x - z | school)", "takes the random slope"),
        ("score ~ arm + (1 | log(school))", "groups by"),
        ("score ~ arm + (1 | )", "groups by"),
    ],
)
def test_an_impossible_formula_is_refused_with_its_problem(text: str, problem: str) -> None:
    with pytest.raises(EstimationError, match=problem):
        parse_formula(text)
