"""Models fitted together are the models fitted one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.mixed import mixed_model
from analysis.mixed_batch import mixed_model_batch
from data_schema.errors import EstimationError

FIGURES = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]
PLAIN = "reading ~ arm + x + (1 | school)"


def trial(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(18), rng.integers(6, 20, size=18))
    n = school.size
    u = 0.6 * rng.standard_normal(18)
    frame = pd.DataFrame(
        {
            "school": [f"s{place}" for place in school],
            "arm": np.where(school % 2 == 0, "control", "pilot"),
            "x": rng.standard_normal(n),
            "sex": rng.choice(["boy", "girl"], size=n),
            "imputation": rng.integers(0, 3, size=n),
            "reading": 500 + 100 * (u[school] + rng.standard_normal(n)),
            "maths": u[school] + rng.standard_normal(n),
        }
    )
    frame.loc[rng.random(n) < 0.1, "maths"] = np.nan
    frame.loc[rng.random(n) < 0.05, "x"] = np.nan
    return frame


def test_every_outcome_and_subgroup_has_the_figures_of_its_own_fit() -> None:
    frame = trial()
    table = mixed_model_batch(PLAIN, frame, outcomes=["reading", "maths"], by=["sex", "imputation"])
    assert len(table) == 2 * 2 * 3 * 3
    for (outcome, sex, imputation), rows in table.groupby(["outcome", "sex", "imputation"]):
        own = frame[(frame["sex"] == sex) & (frame["imputation"] == imputation)]
        alone = mixed_model(PLAIN.replace("reading", str(outcome)), own).tidy()
        np.testing.assert_allclose(rows[FIGURES].to_numpy(float), alone[FIGURES].to_numpy(float), rtol=1e-6)
        for column in ("term", "n_schools", "n_pupils", "status", "method", "df_method", "se_type"):
            assert rows[column].tolist() == alone[column].tolist()


def test_without_subgroups_and_outcomes_it_is_one_fit() -> None:
    table = mixed_model_batch(PLAIN, trial())
    alone = mixed_model(PLAIN, trial()).tidy()
    np.testing.assert_allclose(table[FIGURES].to_numpy(float), alone[FIGURES].to_numpy(float), rtol=1e-6)
    assert table.columns.tolist() == alone.columns.tolist()


def test_a_subgroup_that_lacks_a_level_or_groups_is_fitted_or_fails_by_itself() -> None:
    frame = trial()
    frame.loc[(frame["sex"] == "girl") & (frame["arm"] == "pilot"), "reading"] = np.nan
    frame.loc[(frame["imputation"] == 2) & (frame["school"] != "s1"), "sex"] = "none"
    table = mixed_model_batch(PLAIN, frame, by=["sex"])
    assert table.loc[table["sex"] == "boy", "term"].tolist() == ["(Intercept)", "arm[pilot]", "x"]
    assert "arm[pilot]" not in table.loc[table["sex"] == "girl", "term"].tolist()
    only = frame[frame["school"] == "s1"].assign(sex="one school")
    table = mixed_model_batch(PLAIN, pd.concat([frame, only]), by=["sex"])
    failed = table[table["sex"] == "one school"]
    assert failed["status"].tolist() == ["failed"]
    assert "one group" in failed["reason"].iloc[0]


def test_an_outcome_without_any_variation_fails_alone() -> None:
    table = mixed_model_batch(PLAIN, trial().assign(same=1.0), outcomes=["same", "reading"])
    assert table.loc[table["outcome"] == "same", "status"].tolist() == ["failed"]
    assert set(table.loc[table["outcome"] == "reading", "status"]) <= {"ok", "boundary"}


def test_other_random_terms_are_fitted_one_by_one() -> None:
    frame = trial()
    table = mixed_model_batch("reading ~ arm + (1 + x || school)", frame, by=["sex"])
    own = mixed_model("reading ~ arm + (1 + x || school)", frame[frame["sex"] == "boy"]).tidy()
    np.testing.assert_allclose(table[table["sex"] == "boy"]["df"].to_numpy(float), own["df"].to_numpy(float))


@pytest.mark.parametrize(
    ("change", "by", "problem"),
    [
        ({}, ["nothing"], "no column 'nothing'"),
        ({"reading": "text"}, [], "not numeric"),
        ({"reading": np.inf}, [], "infinite"),
    ],
)
def test_unusable_input_is_refused(change: dict[str, object], by: list[str], problem: str) -> None:
    with pytest.raises(EstimationError, match=problem):
        mixed_model_batch(PLAIN, trial().assign(**change), by=by)  # type: ignore[arg-type]
