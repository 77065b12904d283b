"""Formulas in lme4's words are taken apart as lme4 does."""

from __future__ import annotations

import pytest

from analysis.formula import from_r, parse_formula, parse_plain
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
        ("`pre-test` ~ `x - 1` + (`x - 1` | `school id`)", "pre-test ~ `x - 1` + (1 + `x - 1` | `school id`)"),
        ("score ~ x + (1 | `a/b`/school.id)", "score ~ x + (1 | `a/b`) + (1 | `a/b`:`school.id`)"),
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
        ("score ~ arm + (1 | school) +", r"ends with '\+'"),
        ("score ~ . + (1 | school)", "all columns by"),
        ("score ~ arm + (1 | )", "groups by"),
        ("score ~ arm ~ x + (1 | school)", "has two tildes"),
        ("score ~ ~arm + (1 | school)", "has two tildes"),
    ],
)
def test_an_impossible_formula_is_refused_with_its_problem(text: str, problem: str) -> None:
    with pytest.raises(EstimationError, match=problem):
        parse_formula(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("y ~ I(x^2) + (a + b)^2 + (1 | s)", "y ~ I(x**2) + (a + b)**2 + (1 | s)"),
        ("y ~ factor(year) + as.factor(k) + (1 | s)", "y ~ C(year) + C(k) + (1 | s)"),
        ("y ~ poly(x, 2, raw = TRUE) + (1 | s)", "y ~ poly(x, 2, raw = True) + (1 | s)"),
        ("IQ.verb ~ log(IQ.verb.cen) + np.log(x) + (1 | s)", "`IQ.verb` ~ log(`IQ.verb.cen`) + np.log(x) + (1 | s)"),
        ("y ~ `IQ.verb` + `factor(x)` + `a^b` + my.factor(x)", "y ~ `IQ.verb` + `factor(x)` + `a^b` + my.factor(x)"),
    ],
)
def test_a_formula_in_rs_words_is_written_in_formulaics(text: str, written: str) -> None:
    assert from_r(text, ["y", "x", "IQ.verb", "IQ.verb.cen"]) == written


def test_least_squares_has_no_random_terms() -> None:
    assert str(parse_plain("score ~ arm * x - 1").fixed) == "arm * x - 1"
    for text in ("score ~ arm + (1 | school)", "score ~ arm | school"):
        with pytest.raises(EstimationError, match="has a random term"):
            parse_plain(text)
