"""Three arms on the road: from the protocol to the table of estimates, with few allocations that are all counted."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from data_schema.errors import ProtocolError
from evaluation.cli.main import crocoos
from evaluation.stages.impact import build_trial_data, read_needed_frames
from evaluation.trial import Trial
from tests.support.trials import clock, estimated_trial, short_protocol

SEED_OF_DRAWS = "another seed of re-draws"


def protocol(**changes: str) -> str:
    """The short protocol with a third arm, strata of countries and as many re-draws as a country has allocations."""
    text = short_protocol()
    head, rest = text.split("[[design.arms]]", 1)
    arms, tail = rest.split("# Which files below inbox/", 1)
    third = '[[design.arms]]\nname = "mentor"\nlabel = "Mentor schools"\nratio = 1\n\n'
    text = f"{head}[[design.arms]]{arms}{third}# Which files below inbox/{tail}"
    for old, new in {
        'strata = ["country", "type"]': 'strata = ["country"]',
        "n_draws = 199": "n_draws = 4900",
        **changes,
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return estimated_trial(tmp_path_factory.mktemp("three") / "trial", text=protocol())


@pytest.fixture(scope="module")
def estimates(trial: Trial) -> pd.DataFrame:
    return pd.read_csv(trial.paths.results / "estimates.csv", keep_default_na=False).set_index("estimate_id")


def figure(table: pd.DataFrame, row: str, column: str) -> float:
    return float(str(table.loc[row, column]))


def test_every_pair_of_arms_and_all_arms_together_are_compared(trial: Trial, estimates: pd.DataFrame) -> None:
    name = trial.protocol.analyses[0].name
    assert estimates.index.is_unique
    rows = {f"{name}/all/{quantity}/{of}" for quantity in ("difference", "randomisation_test", "randomisation_interval")
            for of in ("pilot", "mentor", "mentor/pilot", "any")}  # fmt: skip
    assert rows <= set(estimates.index)
    differences = estimates.loc[estimates["quantity"] == "difference"]
    own = differences.loc[differences["country"] == "", ["arm", "reference", "role"]]
    assert sorted(own.itertuples(index=False, name=None)) == [
        ("any", "control", "exploratory"),
        ("mentor", "control", "primary"),
        ("mentor", "pilot", "exploratory"),
        ("pilot", "control", "primary"),
    ]
    beside = figure(estimates, f"{name}/all/difference/mentor", "estimate")
    beside -= figure(estimates, f"{name}/all/difference/pilot", "estimate")
    assert figure(estimates, f"{name}/all/difference/mentor/pilot", "estimate") == pytest.approx(beside, abs=1e-9)


def test_a_pair_of_arms_is_tested_by_all_allocations_that_leave_the_third_where_it_is(
    trial: Trial, estimates: pd.DataFrame
) -> None:
    name = trial.protocol.analyses[0].name
    # Four schools of each arm in each of two countries: 70 ways in each for two arms, given the third.
    for of in ("pilot", "mentor", "mentor/pilot"):
        row = f"{name}/all/randomisation_test/{of}"
        assert estimates.loc[row, "method"] == "randomisation_test_exact_4900_allocations"
        assert figure(estimates, row, "n_draws") == 4900
        as_far = figure(estimates, row, "p_value") * 4900
        assert as_far == pytest.approx(round(as_far), abs=1e-6)
        assert as_far >= 2
    # Four of a country's twelve are in the control arm; in both countries together there are too many ways to list.
    for country in trial.protocol.countries:
        assert figure(estimates, f"{name}/{country}/randomisation_test/any", "n_draws") == 495
    assert estimates.loc[f"{name}/all/randomisation_test/any", "method"] == "randomisation_test_4900_draws"
    frame = build_trial_data(trial, read_needed_frames(trial)).for_analysis(trial.protocol.analyses[0])
    assert set(frame["arm"]) == {"control", "pilot", "mentor"}


def test_test_and_interval_of_every_comparison_agree(estimates: pd.DataFrame) -> None:
    tests = estimates.loc[(estimates["quantity"] == "randomisation_test") & (estimates["status"] == "ok")]
    assert len(tests) >= 4
    for row in tests.index:
        ends = row.replace("randomisation_test", "randomisation_interval")
        if estimates.loc[ends, "status"] == "ok":
            low, high = figure(estimates, ends, "conf_low"), figure(estimates, ends, "conf_high")
            assert (figure(estimates, row, "p_value") <= 0.05) == (not low <= 0 <= high)


def test_the_seed_of_re_draws_changes_no_p_value_where_all_allocations_are_counted(
    trial: Trial, estimates: pd.DataFrame, tmp_path: Path
) -> None:
    shutil.copytree(trial.folder, tmp_path / "trial")
    path = tmp_path / "trial" / "trial.toml"
    text = path.read_text(encoding="utf-8")
    assert trial.protocol.inference.draws_seed != SEED_OF_DRAWS
    path.write_text(text.replace("n_draws = 4900", f'n_draws = 4900\ndraws_seed = "{SEED_OF_DRAWS}"'), encoding="utf-8")
    again = Trial(tmp_path / "trial", clock=clock)
    again.balance()
    again.impact()
    found = pd.read_csv(again.paths.results / "estimates.csv", keep_default_na=False).set_index("estimate_id")
    exact = estimates.index[estimates["method"].str.contains("exact")]
    assert len(exact) >= 8
    assert found.loc[exact, "p_value"].tolist() == estimates.loc[exact, "p_value"].tolist()
    assert found.loc[exact, "conf_low"].tolist() == estimates.loc[exact, "conf_low"].tolist()


def test_each_compared_arm_has_its_own_figures_of_balance_that_name_it(trial: Trial) -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in trial.paths.balance.glob("*.svg")}
    assert sorted(written) == [
        f"{figure}_{arm}.svg" for figure in ("balance_map", "love_plot") for arm in ("mentor", "pilot")
    ]
    for name, svg in written.items():
        arm = "Mentor schools" if "mentor" in name else "Pilot schools"
        assert f"<!-- {arm} compared with Control schools -->" in svg, name


def test_an_arm_cannot_have_the_name_of_all_of_them(tmp_path: Path) -> None:
    from evaluation.protocol_reader import read_protocol

    (tmp_path / "trial.toml").write_text(protocol(**{'name = "mentor"': 'name = "any"'}), encoding="utf-8")
    with pytest.raises(ProtocolError, match="all arms together"):
        read_protocol(tmp_path / "trial.toml")


def test_the_balance_of_a_small_trial_is_tested_by_all_of_its_allocations(tmp_path: Path) -> None:
    text = short_protocol().replace('strata = ["country", "type"]', 'strata = ["country"]')
    trial = estimated_trial(tmp_path / "trial", text=text.replace("n_draws = 199", "n_draws = 999"))
    test = json.loads((trial.paths.balance / "test.json").read_text(encoding="utf-8"))
    # Three of six schools in each of two countries.
    ways = len(list(itertools.combinations(range(6), 3))) ** 2
    assert (test["exact"], test["n_draws"]) == (True, ways)
    assert (np.array([test["p_value"], test["p_value_pupils"]]) * ways % 1).tolist() == pytest.approx([0, 0], abs=1e-9)
    table = pd.read_csv(trial.paths.results / "estimates.csv", keep_default_na=False).set_index("estimate_id")
    name = trial.protocol.analyses[0].name
    assert figure(table, f"{name}/all/randomisation_test/pilot", "n_draws") == ways
    country = next(iter(trial.protocol.countries))
    assert (figure(table, f"{name}/{country}/randomisation_test/pilot", "p_value") * 20) % 1 == pytest.approx(
        0, abs=1e-9
    )


def test_power_has_a_row_for_each_arm_and_marks_the_schools_of_the_frame(trial: Trial) -> None:
    arguments = ["power", str(trial.folder), "--control-risk", "0.3", "--icc", "0.05"]
    done = CliRunner().invoke(crocoos, arguments)
    assert done.exit_code == 0, done.output
    marked = [line.split() for line in done.output.splitlines() if "* " in line and "against" in line]
    # Of 24 schools of the frame, sixteen are in the two arms.
    assert [line[:5] for line in marked] == [
        ["pilot", "against", "control", "16", "24*"],
        ["mentor", "against", "control", "16", "24*"],
    ]
    table = pd.read_csv(trial.paths.power / "power.csv")
    assert (table["n_schools_trial"] == (1.5 * table["n_schools"]).round()).all()
    first, second = table.groupby("arm")["smallest_effect"].first()
    assert first == second
