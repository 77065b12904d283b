"""The published error rates of the outcomes' models: the page is made of the figures, which come out again."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

ROOT = Path(__file__).parent.parent.parent
FIGURES = pd.read_csv(ROOT / "benchmarks" / "honesty_outcomes.csv")
# Methods that are defaults, and those that stand there to show why they are not.
NOT_OFFERED_AS_DEFAULT = ("(glmer's", "GEE, robust", "Cox, school sandwich")


@pytest.fixture(scope="module")
def honesty() -> ModuleType:
    folder = ROOT / "benchmarks"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("honesty_outcomes", folder / "honesty_outcomes.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


def test_the_published_tables_are_made_of_the_published_figures(honesty: ModuleType) -> None:
    page = (ROOT / "analysis" / "HONESTY_OUTCOMES.md").read_text(encoding="utf-8")
    assert honesty.markdown(FIGURES) in page
    assert set(FIGURES["n_schools"]) == {10, 20, 40, 62}


def test_no_default_finds_more_than_it_says_beyond_chance() -> None:
    null = FIGURES[FIGURES["effect"] == 0]
    null = null[~null["method"].str.startswith(NOT_OFFERED_AS_DEFAULT)]
    by_size = (
        null.assign(hits=null["found"] * null["trials"]).groupby(["method", "n_schools"])[["hits", "trials"]].sum()
    )
    rate = by_size["hits"] / by_size["trials"]
    error = (0.065 * 0.935 / by_size["trials"]) ** 0.5
    beyond = rate[rate > 0.065 + 2.5 * error]
    assert beyond.empty, beyond


@pytest.mark.slow
def test_the_published_figures_come_out_again(honesty: ModuleType) -> None:
    number = 5  # of the scenarios without an effect: ten schools, 8 % leave, ICC 0.08
    scenario = honesty.grid(by_dropout=True)[number - 1]
    again = honesty.one_scenario("times", number, scenario, 30).set_index("method")
    chosen = (FIGURES["family"] == "times") & (FIGURES["effect"] == scenario.effect)
    for name in ("n_schools", "dropout", "icc"):
        chosen &= FIGURES[name] == getattr(scenario, name)
    published = FIGURES[chosen].set_index("method")
    for method, row in published.iterrows():
        spread = 3.5 * math.sqrt(0.06 * 0.94 * (1 / 30 - 1 / float(row["trials"])))
        assert float(again.loc[method, "found"]) == pytest.approx(float(row["found"]), abs=spread)
