"""What covariates do to the estimate, and differences at baseline by country: said, drawn, and nothing given away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evaluation.stages.balance import suppress_small_counts
from randomisation import Variable, by_stratum
from reports import sections
from reports.blocks import Figure, join_plain_text
from reports.evidence import Evidence
from reports.tables.balance import get_rows_of_all_places
from tests.support.block_text import drawn, texts
from tests.support.sample_evidence import awards_evidence, crocoos_evidence, three_arms_evidence

CROCOOS = crocoos_evidence()


def moved(errors: float) -> Evidence:
    first = CROCOOS.analyses[0]
    rows = [
        (first.name, "pilot", "none", -0.021, 0.01, 0.0, 0.0, "ok"),
        (first.name, "pilot", first.covariates[0], -0.023, 0.01, -0.002, -0.2, "ok"),
        (first.name, "pilot", "all", -0.021 + 0.01 * errors, 0.01, 0.01 * errors, errors, "ok"),
    ]
    names = ["plan_entry", "arm", "covariates", "estimate", "std_error", "shift", "shift_in_errors", "status"]
    return replace(CROCOOS, adjustment=pd.DataFrame(rows, columns=names))


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        (-0.21, "moves the estimate by 0.2 standard errors, which is little."),
        (0.8, "moves the estimate by 0.8 standard errors: differences at baseline matter here."),
    ],
)
def test_beside_the_primary_outcome_it_is_said_how_far_covariates_move_the_estimate(
    errors: float, sentence: str
) -> None:
    said = texts(sections.results_by_outcome(moved(errors), "en"))
    assert sum(sentence in part for part in said) == 1, "of the primary outcome only"
    assert "all covariates of the plan" in said
    assert "-0.20" in said or "\u22120.20" in said
    assert not [part for part in texts(sections.results_by_outcome(CROCOOS, "en")) if "Allowing for the cov" in part]
    country = replace(moved(errors), country="HU")
    assert not [part for part in texts(sections.results_by_outcome(country, "en")) if sentence in part]


def test_an_estimate_that_could_not_be_made_is_not_said_to_move() -> None:
    said = texts(sections.results_by_outcome(moved(float("nan")), "en"))
    assert not [part for part in said if "moves the estimate" in part]


def test_the_test_of_pupils_characteristics_stands_beside_the_joint_one() -> None:
    test = {**CROCOOS.balance_test, "p_value_pupils": 0.341, "statistic_pupils": 9.0, "n_draws_pupils": 2000.0}
    said = " ".join(texts(sections.baseline(replace(CROCOOS, balance_test=test), "en"))).replace("\u00a0", " ")
    assert "For pupils' characteristics alone, by school means, it gives p = 0.34." in said
    assert "by school means" not in " ".join(texts(sections.baseline(CROCOOS, "en")))


def maps(evidence: Evidence) -> list[Figure]:
    blocks = sections.baseline(evidence, "en")
    return [block for block in blocks if isinstance(block, Figure) and block.anchor.startswith("map-")]


def test_all_countries_together_have_a_map_by_country_of_schools_and_of_pupils() -> None:
    (made,) = maps(CROCOOS)
    assert (
        join_plain_text(made.caption) == "Differences at baseline between pilot schools and control schools, by country"
    )
    shown = drawn(made)
    assert {"All", *CROCOOS.countries.values(), "Schools", "Pupils"} <= set(shown)
    assert maps(replace(CROCOOS, country="HU")) == []
    assert maps(awards_evidence()) == []


def test_what_the_table_hides_is_a_dash_in_the_map() -> None:
    small = replace(CROCOOS, disclosure_threshold=1000)
    hidden = get_rows_of_all_places(small)["hidden"]
    assert 0 < hidden.sum() < len(hidden)
    before, after = (drawn(maps(evidence)[0]).count("–") for evidence in (CROCOOS, small))
    known = np.isfinite(CROCOOS.balance["std_difference"].astype(float))
    assert after - before == int((hidden & known).sum() - (get_rows_of_all_places(CROCOOS)["hidden"] & known).sum())


def test_pupils_of_a_stratum_with_few_of_them_are_left_out_and_others_are_rounded() -> None:
    pupils = pd.DataFrame(
        {
            "stratum": ["a"] * 60 + ["b"] * 30,
            "arm": ["control", "pilot"] * 30 + ["control"] * 25 + ["pilot"] * 5,
            "mark": np.arange(90) % 7 / 3,
            "gender": (["boy", "boy", "girl", "girl"] * 15)[:57] + ["other"] * 3 + ["boy", "girl"] * 15,
        }
    )
    variables = [Variable(name="mark"), Variable(name="gender", kind="category")]
    table = by_stratum(pupils, variables=variables, arms=("control", "pilot"), strata="stratum")
    kept = suppress_small_counts(table, pupils, threshold=10)
    names = [kept[name].tolist() for name in ("variable", "category", "stratum")]
    found = dict(zip(zip(*names, strict=True), kept["difference"].tolist(), strict=True))
    whole = dict(zip(zip(*names, strict=True), table["difference"].tolist(), strict=True))
    assert np.isnan(found["mark", "", "b"]), "five pupils of an arm"
    assert np.isnan(found["gender", "other", "a"]), "three of a gender"
    assert kept.loc[kept["difference"].isna(), ["n_reference", "n_arm"]].isna().all(axis=None)
    assert found["mark", "", "a"] == pytest.approx(round(whole["mark", "", "a"], 1))
    assert np.isfinite(found["gender", "boy", "a"])


def test_no_sentence_says_a_mean_that_the_tables_keep_back() -> None:
    small = replace(CROCOOS, disclosure_threshold=1000)
    said, kept = (" ".join(texts(sections.results_by_outcome(evidence, "en"))) for evidence in (CROCOOS, small))
    assert "Of every 100 pupils, 11.2" in said
    assert "Of every 100 pupils" not in kept


def test_with_several_arms_each_figure_of_the_baseline_names_its_arm_and_sentences_count_by_arm() -> None:
    evidence = three_arms_evidence()
    reference, *arms = [arm.label for arm in evidence.arms]
    blocks = sections.baseline(evidence, "en")
    figures = [block for block in blocks if isinstance(block, Figure)]
    assert [(block.anchor, [arm for arm in arms if f"{arm} compared with {reference}" in drawn(block)])
            for block in figures] == [
        (f"{kind}-{arm.name}", [arm.label]) for kind in ("love", "map") for arm in evidence.arms[1:]
    ]  # fmt: skip
    assert len({join_plain_text(block.caption) for block in figures}) == len(figures)
    said = " ".join(texts(blocks))
    for arm in arms:
        assert f"{arm}: No printed characteristic differs from that of control schools by more than" in said
