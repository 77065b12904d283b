"""Parts of a trial whose own rows decide other columns than the whole trial's are refused, or give the same fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.mixed import fit_mixed_sums, merge_mixed_sums, mixed_model, mixed_sums
from data_schema.errors import EstimationError


def trial() -> pd.DataFrame:
    """Seventy-two schools of three countries, two a stratum, the strata within the countries."""
    rng = np.random.default_rng(11)
    school = np.repeat(np.arange(72), 5)
    country = np.array(["HU", "RS", "SI"])[school // 24]
    level = {"HU": 0.0, "RS": 2.0, "SI": -1.0}
    n = len(school)
    x = rng.standard_normal(n)
    return pd.DataFrame(
        {
            "school": [f"s{place:02d}" for place in school],
            "country": country,
            "stratum": [f"{land}{place // 2:02d}" for land, place in zip(country, school, strict=True)],
            "arm": np.where(school % 2 == 0, "control", "pilot"),
            "year": 2024 + np.arange(n) % 3,
            "x": x,
            "score": 10 + 0.5 * x + [level[land] for land in country] + rng.standard_normal(72)[school] * 0.5
            + rng.standard_normal(n),
        }
    )  # fmt: skip


FRAME = trial()


@pytest.mark.parametrize(
    ("formula", "by", "told"),
    [
        ("score ~ arm + country + (1 | school)", "country", "the levels of 'country' differ: HU, and RS"),
        ("score ~ arm * country + (1 | school)", "country", "the levels of 'country' differ"),
        ("score ~ arm + (1 + arm | school)", "arm", "the levels of 'arm' differ: control, and pilot"),
        ("score ~ arm + C(year) + (1 | school)", "year", r"'C\(year\)' is made from each part's own rows"),
        ("score ~ arm + scale(x) + (1 | school)", "country", r"'scale\(x\)' is made from each part's own rows"),
        ("score ~ arm + year + (1 | school)", "year", "year has the same value in every row"),
    ],
)
def test_parts_that_lack_a_level_or_make_other_columns_are_refused(formula: str, by: str, told: str) -> None:
    parts = [mixed_sums(formula, rows) for _, rows in FRAME.groupby(by)]
    with pytest.raises(EstimationError, match=told) as caught:
        merge_mixed_sums(parts)
    assert caught.value.remedy


def test_a_level_that_stands_in_the_place_of_another_is_refused() -> None:
    # Both have the columns arm[pilot] and country[SI]; the reference is HU in one and RS in the other.
    parts = [
        mixed_sums("score ~ arm + country + (1 | school)", FRAME[FRAME["country"] != gone]) for gone in ("RS", "HU")
    ]
    assert parts[0].described.columns == parts[1].described.columns
    with pytest.raises(EstimationError, match="the levels of 'country' differ: HU, SI, and RS, SI"):
        merge_mixed_sums(parts)


def test_sums_of_two_formulas_are_refused() -> None:
    parts = [
        mixed_sums(f"{outcome} ~ arm + x + (1 | school)", FRAME[FRAME["year"] != 2024])
        for outcome in ("score", "np.log(score + 20)")
    ]
    with pytest.raises(EstimationError, match="being of the formulas"):
        merge_mixed_sums(parts)


def test_strata_of_one_country_each_are_the_strata_of_all() -> None:
    formula = "score ~ arm + x + stratum + (1 | school)"
    parts = [mixed_sums(formula, rows) for _, rows in FRAME.groupby("country")]
    ours, theirs = fit_mixed_sums(merge_mixed_sums(parts)), mixed_model(formula, FRAME)
    for fit in (ours, theirs):
        assert fit.convergence.status != "failed"
    for name in ("estimate", "std_error", "df"):
        mine, other = (float(getattr(fit.estimate("arm[pilot]"), name)) for fit in (ours, theirs))
        assert mine == pytest.approx(other, rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    terms=st.sets(st.sampled_from(["x", "country", "stratum", "C(year)", "scale(x)", "arm:x", "year"]), max_size=3),
    by=st.sampled_from(["country", "year", "stratum", "arm", "none"]),
    seed=st.integers(0, 999),
)
def test_merged_parts_give_the_fit_of_the_whole_or_an_error(terms: set[str], by: str, seed: int) -> None:
    formula = " + ".join(["score ~ arm", *sorted(terms), "(1 | school)"])
    rng = np.random.default_rng(seed)
    part = FRAME[by] if by != "none" else pd.Series(rng.integers(0, 2, len(FRAME)), index=FRAME.index)
    try:
        merged = merge_mixed_sums([mixed_sums(formula, rows) for _, rows in FRAME.groupby(part)])
    except EstimationError:
        return
    ours, theirs = fit_mixed_sums(merged), mixed_model(formula, FRAME)
    assert ours.coefficients is not None
    assert theirs.coefficients is not None
    one, other = (fit.estimate("arm[pilot]") for fit in (ours, theirs))
    assert one.estimate == pytest.approx(other.estimate, rel=1e-6, abs=1e-8)
    assert one.std_error == pytest.approx(other.std_error, rel=1e-5)
