"""Numbers become text in one place, and always the same way."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schema.language import Catalogue, Language
from reports.numbers import DASH, MINUS, Numbers


@pytest.fixture
def english() -> Numbers:
    return Numbers(Catalogue("reports", Language("en")))


@pytest.mark.parametrize(
    ("value", "digits", "sign", "text"),
    [
        (-2.345, 1, "minus", "−2.3"),
        (2.345, 1, "both", "+2.3"),
        (-2.345, 2, "none", "2.35"),
        (-0.04, 1, "minus", "0.0"),
        (0.04, 1, "both", "0.0"),
        (1234567.8, 0, "minus", "1,234,568"),
        (-1234.5, 1, "minus", "−1,234.5"),
        (-2.34e28, 1, "minus", "−2.3\u00a0×\u00a010²⁸"),
        (math.nan, 1, "minus", DASH),
        (math.inf, 1, "both", DASH),
    ],
)
def test_a_decimal_has_a_real_minus_and_a_zero_has_no_sign(
    english: Numbers, value: float, digits: int, sign: str, text: str
) -> None:
    assert english.decimal(value, digits=digits, sign=sign) == text  # type: ignore[arg-type]  # from the table above


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0004, "p < 0.001"),
        (0.001, "p = 0.001"),
        (0.0451, "p = 0.045"),
        (0.0994, "p = 0.099"),
        (0.0996, "p = 0.10"),
        (0.3, "p = 0.30"),
        (1.0, "p = 1.00"),
        (math.nan, DASH),
    ],
)
def test_a_p_value_has_as_many_decimals_as_it_needs(english: Numbers, p: float, text: str) -> None:
    assert english.p_value(p).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("value", "digits", "null", "text"),
    [
        (0.0, 1, 0.0, "0.0"),
        (1e-17, 1, 0.0, "0.0"),
        (-0.04, 1, 0.0, "−0.04"),
        (0.04, 1, 0.0, "0.04"),
        (-0.06, 1, 0.0, "−0.1"),
        (0.3, 0, 0.0, "0.3"),
        (0.000_04, 1, 0.0, "<0.0001"),
        (-0.000_04, 1, 0.0, ">−0.0001"),
        (1.004, 2, 1.0, "1.004"),
        (0.996, 2, 1.0, "0.996"),
        (0.999_999, 2, 1.0, ">0.99999"),
        (1.0, 2, 1.0, "1.00"),
        (math.nan, 1, 0.0, DASH),
        (math.inf, 1, 0.0, DASH),
    ],
)
def test_an_estimate_never_reads_as_no_effect_by_rounding_alone(
    english: Numbers, value: float, digits: int, null: float, text: str
) -> None:
    assert english.estimate(value, digits=digits, null=null) == text


def test_an_interval_that_excludes_no_effect_does_not_seem_to_reach_it(english: Numbers) -> None:
    assert english.interval(-0.041, -0.0003, scale=100) == "(−4.1 to −0.03)"
    assert english.interval(-0.041, 0.0003, scale=100) == "(−4.1 to 0.03)"
    assert english.interval(0.41, 0.997, digits=2, null=1.0) == "(0.41 to 0.997)"


@pytest.mark.parametrize(
    ("p", "alpha", "text"),
    [
        (0.0499, 0.05, "0.0499"),
        (0.0501, 0.05, "0.0501"),
        (0.05, 1 - 0.95, "0.050"),
        (0.0999, 1 - 0.9, "0.0999"),
        (0.0999, 0.05, "0.10"),
        (0.9996, 0.05, "0.9996"),
        (0.996, 0.05, "0.996"),
        (1.0, 0.05, "1.00"),
        (0.999_999_9, 0.05, ">0.99999"),
    ],
)
def test_a_p_value_stands_on_the_side_of_its_interval_and_is_not_one_by_rounding(
    english: Numbers, p: float, alpha: float, text: str
) -> None:
    assert english.p_figure(p, alpha=alpha) == text


def test_a_share_that_is_neither_none_nor_all_is_not_said_to_be(english: Numbers) -> None:
    assert [english.percent(share, digits=0) for share in (0.0, 0.004, 0.5, 0.996, 1.0)] == [
        "0%",
        "<1%",
        "50%",
        ">99%",
        "100%",
    ]
    assert english.percent(-0.002, digits=0) == ">−1%"
    assert english.percent(0.0004) == "<0.1%"


def test_shares_become_percent(english: Numbers) -> None:
    assert english.percent(0.1234) == "12.3%"
    assert english.percent(-0.21, digits=0) == "−21%"
    assert english.percent(math.nan) == DASH


def test_an_interval_stands_in_brackets_and_an_unknown_end_makes_it_a_dash(english: Numbers) -> None:
    assert english.interval(-0.035, 0.007, scale=100) == "(−3.5 to 0.7)"
    assert english.interval(-0.035, math.nan) == DASH


def test_levels_have_no_needless_decimals(english: Numbers) -> None:
    assert [english.level(level) for level in (0.95, 0.9, 0.975, 0.99)] == ["95%", "90%", "97.5%", "99%"]


def test_counts_are_grouped(english: Numbers) -> None:
    assert [english.count(n) for n in (0, 999, 3821, 16526, math.nan)] == ["0", "999", "3,821", "16,526", DASH]


def test_other_languages_have_their_own_signs() -> None:
    # The locale alone decides here: no text of the catalogue is needed.
    hungarian = Numbers(Catalogue("reports", Language("hu")))
    assert hungarian.decimal(-2.5) == "−2,5"
    assert Numbers(Catalogue("reports", Language("sl"))).percent(0.104) == "10,4\u00a0%"


@given(st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 4))
def test_no_number_is_written_with_a_hyphen_or_an_exponent(value: float, digits: int) -> None:
    text = Numbers(Catalogue("reports", Language("en"))).decimal(value, digits=digits)
    assert "-" not in text
    assert "e" not in text.lower()


@given(st.floats(-1, 1).filter(lambda value: abs(value) > 1e-9), st.integers(0, 4), st.sampled_from([0.0, 1.0]))
def test_no_estimate_but_the_null_value_is_written_as_it(value: float, digits: int, null: float) -> None:
    numbers = Numbers(Catalogue("reports", Language("en")))
    text = numbers.estimate(null + value, digits=digits, null=null)
    read = text.replace(MINUS, "-").lstrip("<>")
    assert float(read) != null
    assert (float(read) > null) == (value > 0)


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_a_written_number_reads_back_to_its_rounded_value(value: float, digits: int) -> None:
    text = Numbers(Catalogue("reports", Language("en"))).decimal(value, digits=digits)
    read = float(text.replace(MINUS, "-").replace(",", ""))
    assert math.isclose(read, round(value, digits), abs_tol=1e-9)
