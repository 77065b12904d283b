"""What a hurried user hands over gets one clear error with a remedy, or a note; never a traceback of a library."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import linear_model, mixed_model
from analysis.simulation import simulate_scores
from data_schema.errors import EstimationError

PLAIN = "score ~ arm + baseline"


def pupils() -> pd.DataFrame:
    frame = simulate_scores(24, 12, icc=0.2, effect=0.3, seed=1)
    return frame.assign(age=8 + np.arange(len(frame)) % 6, sex=np.where(frame.index % 2 == 0, "f", "m"))


FRAME = pupils()


def cells(kind: type) -> pd.Series[Any]:
    return pd.Series([None] * len(FRAME), index=FRAME.index, dtype=object).map(lambda _: kind())


WHEN = pd.Timestamp("2027-03-01")
# What is handed over is wrong on purpose: Any.
CASES: dict[str, tuple[Any, Any, str]] = {
    "no rows": (PLAIN, FRAME.iloc[:0], "the data have no rows"),
    "a column misspelt": ("score ~ arm + basline", FRAME, r"no column 'basline'.*Did you mean 'baseline'\?"),
    "the outcome in capitals": ("SCORE ~ arm", FRAME, r"Did you mean 'score'\?"),
    "a covariate without values": (PLAIN, FRAME.assign(baseline=np.nan), "'baseline' is missing in every row"),
    "an outcome without values": (PLAIN, FRAME.assign(score=np.nan), "'score' is missing in every row"),
    "holes that leave no row": (
        PLAIN,
        FRAME.assign(
            score=FRAME["score"].where(FRAME["sex"] == "f"), baseline=FRAME["baseline"].where(FRAME["sex"] == "m")
        ),
        "no row has every column.*score, baseline",
    ),
    "a column twice": (PLAIN, pd.concat([FRAME, FRAME[["baseline"]]], axis=1), "2 columns 'baseline'"),
    "the outcome twice": (PLAIN, pd.concat([FRAME, FRAME[["score"]]], axis=1), "2 columns 'score'"),
    "the outcome on both sides": ("score ~ arm + score", FRAME, "'score' stands on both sides"),
    "the outcome within a function": ("score ~ np.exp(score)", FRAME, "'score' stands on both sides"),
    "an outcome of text": (PLAIN, FRAME.assign(score=FRAME["score"].map(str)), "'score': is not numeric"),
    "an outcome of categories": (
        PLAIN,
        FRAME.assign(score=pd.Categorical(FRAME["score"].round())),
        "'score': is not numeric",
    ),
    "an outcome of nothing": ("1 ~ arm", FRAME, "the outcome names no column"),
    "infinite covariates": (PLAIN, FRAME.assign(baseline=np.inf), "holds 288 infinite values"),
    "infinite outcomes": (PLAIN, FRAME.assign(score=-np.inf), "holds 288 infinite values"),
    "dates": ("score ~ when", FRAME.assign(when=WHEN), "'when': holds dates"),
    "durations": ("score ~ when", FRAME.assign(when=pd.to_timedelta(FRAME["age"], unit="D")), "holds durations"),
    "complex numbers": (PLAIN, FRAME.assign(score=FRAME["score"] + 1j), "holds complex numbers"),
    "cells that are tables": ("score ~ x", FRAME.assign(x=cells(dict)), "neither numbers nor text"),
    "the logarithm of nothing": ("score ~ np.log(baseline)", FRAME, "not finite"),
    "a function of R": ("score ~ ns(age, 3)", FRAME, "Use `cr"),
    "an offset": ("score ~ offset(age) + arm", FRAME, "off the outcome"),
    "another reference in R's way": ("score ~ relevel(arm, ref='pilot')", FRAME, "reference="),
    "all columns by a dot": ("score ~ .", FRAME, "Name the columns"),
    "an operator without its term": ("score ~ arm *", FRAME, "cannot be read"),
    "a sign at the end": ("score ~ arm +", FRAME, r"ends with '\+'"),
    "a comparison": ("score ~ age > 10", FRAME, "Unknown operator"),
    "a bracket that is open": ("score ~ I(age", FRAME, "bracket"),
    "no tilde": ("score arm", FRAME, "has no outcome and terms"),
    "nothing at all": ("", FRAME, "has no outcome and terms"),
    "a formula that is no text": (None, FRAME, "formula: is a NoneType"),
    "a column for a frame": (PLAIN, FRAME["score"], "the data are a Series"),
    "a dictionary for a frame": (PLAIN, {"score": [1.0]}, "the data are a dict"),
    "another library's frame": (PLAIN, SimpleNamespace(to_pandas=None), "to_pandas"),
}


def with_random(formula: Any) -> Any:  # noqa: ANN401  # what is handed over is wrong on purpose
    if not isinstance(formula, str) or "~" not in formula or formula.endswith(("+", "(age")):
        return formula
    return f"{formula} + (1 | school)"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("fit", [mixed_model, linear_model])
def test_it_is_refused_with_a_remedy(case: str, fit: Any) -> None:  # noqa: ANN401  # two functions
    formula, data, told = CASES[case]
    with pytest.raises(EstimationError, match=told) as caught:
        fit(with_random(formula) if fit is mixed_model else formula, data)
    assert caught.value.remedy
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("random", "data", "told"),
    [
        ("(1 | schol)", FRAME, "no column 'schol'"),
        ("(1 | school) + (1 | sex)", FRAME, "crossed"),
        ("(1 | school/arm)", FRAME, "are the same"),
        ("(1 | sqrt(school))", FRAME, "groups by"),
        ("(1 | school", FRAME, "bracket"),
        ("1 | school", FRAME, "no random term"),
        ("(0 | school)", FRAME, "without columns"),
        ("(1 | school)", FRAME.assign(school=np.nan), "'school' is missing in every row"),
        ("(1 | school)", FRAME.assign(school=cells(list)), "neither numbers nor text"),
    ],
)
def test_impossible_groups_are_refused(random: str, data: pd.DataFrame, told: str) -> None:
    with pytest.raises(EstimationError, match=told):
        mixed_model(f"score ~ arm + {random}", data)


def test_least_squares_refuses_random_terms_and_schools_without_names() -> None:
    with pytest.raises(EstimationError, match="use `mixed_model`"):
        linear_model("score ~ arm + (1 | school)", FRAME)
    with pytest.raises(EstimationError, match="12 rows have no cluster"):
        linear_model(PLAIN, FRAME.assign(school=FRAME["school"].where(FRAME["school"] != 3)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (FRAME.drop_duplicates("school"), "Every group of 'school' has one row"),
        (FRAME[FRAME["school"] == 1], "There is one group of 'school'"),
        (FRAME.assign(score=2.0), "same value"),
        (FRAME.assign(score=2 * FRAME["baseline"]), "without any error"),
        (FRAME.assign(score=FRAME["school"].astype(float)), "needs a row a group"),
        (FRAME.iloc[[0, 20]], "without any error"),
    ],
)
def test_a_model_that_cannot_be_fitted_fails_with_a_reason(data: pd.DataFrame, reason: str) -> None:
    fit = mixed_model("score ~ arm + baseline + (1 | school)", data)
    assert fit.convergence.status == "failed"
    assert reason in fit.convergence.reason
    assert reason in fit.summary()


@pytest.mark.parametrize("fit", [mixed_model, linear_model])
def test_a_factor_of_one_level_and_a_school_in_both_arms_are_noted(fit: Any) -> None:  # noqa: ANN401  # two functions
    formula = with_random(PLAIN) if fit is mixed_model else PLAIN
    alone = fit(formula, FRAME[FRAME["arm"] == "control"])
    assert alone.notes == ("Every row is 'control' in 'arm': it has no effect in the model.",)
    assert alone.notes[0] in alone.summary()
    both = fit(
        formula, FRAME.assign(arm=FRAME["arm"].mask(FRAME.index == 0, "pilot").mask(FRAME.index == 1, "control"))
    )
    assert any("are in more than one level of 'arm'" in note for note in both.notes)
    gone = FRAME.assign(
        region=pd.Categorical(np.where(FRAME["school"] == 0, "x", np.where(FRAME["school"] < 12, "y", "z"))),
        score=FRAME["score"].where(FRAME["school"] != 0),
    )
    vanished = fit(formula.replace("arm", "region"), gone)
    assert "No row of x in 'region' is left: the level is not in the model." in vanished.notes
    assert "region[z]" in vanished.coefficients.names


@pytest.mark.parametrize("dtype", ["float32", "Float64", "Int64", "int16", "object", "boolean", "category", "string"])
def test_columns_of_any_kind_give_the_fit_of_plain_ones(dtype: str) -> None:
    name = {"boolean": "flag", "category": "arm", "string": "arm", "object": "arm"}.get(dtype, "age")
    plain = FRAME.assign(flag=FRAME["age"] > 10)
    other = plain.assign(**{name: plain[name].astype(pd.api.types.pandas_dtype(dtype))})
    formula = f"score ~ {name} + baseline"
    for fit, text in ((mixed_model, with_random(formula)), (linear_model, formula)):
        ours, theirs = (fit(text, data).tidy() for data in (other, plain))
        assert ours["term"].tolist() == theirs["term"].tolist()
        np.testing.assert_allclose(ours["estimate"].to_numpy(float), theirs["estimate"].to_numpy(float), rtol=1e-6)


def test_missing_values_of_nullable_columns_are_rows_left_out() -> None:
    holes = FRAME.assign(
        score=FRAME["score"].astype(pd.Float64Dtype()).mask(FRAME.index % 7 == 0),
        arm=FRAME["arm"].astype(pd.StringDtype()).mask(FRAME.index % 11 == 0),
    )
    whole = FRAME[(FRAME.index % 7 != 0) & (FRAME.index % 11 != 0)]
    fit, same = (mixed_model(with_random(PLAIN), data) for data in (holes, whole))
    assert fit.n_missing["rows"] == len(FRAME) - len(whole)
    np.testing.assert_allclose(fit.tidy()["estimate"].to_numpy(float), same.tidy()["estimate"].to_numpy(float))
    least = linear_model(PLAIN, holes)
    assert least.n_missing == len(FRAME) - len(whole)


def test_a_missing_value_within_a_spline_is_a_row_left_out() -> None:
    holes = FRAME.assign(baseline=FRAME["baseline"].mask(FRAME.index % 9 == 0))
    fit = linear_model("score ~ bs(baseline, df=4)", holes)
    assert fit.n_rows == int((FRAME.index % 9 != 0).sum())


def test_decimals_are_categories_and_a_repeated_index_is_no_matter() -> None:
    frame = FRAME.assign(grade=FRAME["age"].map(Decimal)).set_index(np.zeros(len(FRAME), dtype=int))
    fit = mixed_model("score ~ grade + (1 | school)", frame)
    assert fit.tidy()["term"].tolist()[:2] == ["(Intercept)", "grade[9]"]
