"""crocoos power: a table, curves and a simulation before anything is drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from analysis.published_iccs import DESIGN_PARAMETERS
from data_schema.errors import DataError
from evaluation.cli.main import crocoos
from evaluation.power_assumptions import Assumptions
from evaluation.trial import Trial
from tests.support.trials import small_trial


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return small_trial(tmp_path_factory.mktemp("power") / "trial")


def test_the_command_prints_the_table_and_writes_the_curves(trial: Trial) -> None:
    done = CliRunner().invoke(
        crocoos, ["power", str(trial.folder), "--control-risk", "0.3", "--icc", "0.02", "--icc", "0.05"]
    )
    assert done.exit_code == 0, done.output
    assert "smallest effect that is found with power 0.8, as difference of shares" in done.output
    assert "12*" in done.output
    assert sorted(path.name for path in trial.paths.power.iterdir()) == [
        "effect_by_schools.svg",
        "power.csv",
        "power_by_effect.svg",
    ]
    table = pd.read_csv(trial.paths.power / "power.csv")
    assert set(table["icc"]) == {0.02, 0.05}
    # With six schools not even a risk of nought would be told from 0.3.
    assert "none" in done.output
    assert table["smallest_effect"].isna().any()
    falling = table[table["icc"] == 0.05].sort_values("n_schools")["smallest_effect"].dropna()
    assert (falling < 0).all()
    assert falling.abs().is_monotonic_decreasing


def test_a_simulation_gives_its_monte_carlo_error(trial: Trial) -> None:
    arguments = ["power", str(trial.folder), "--control-risk", "0.3", "--simulate", "20", "--effect", "-0.2", "--json"]
    done = CliRunner().invoke(crocoos, arguments)
    values = json.loads(done.output)["simulated"]
    assert values["effect"] == -0.2
    assert values["mc_error"] == pytest.approx((values["power"] * (1 - values["power"]) / 20) ** 0.5)
    assert json.loads((trial.paths.power / "simulated.json").read_text(encoding="utf-8"))["n_simulations"] == 20


def test_covariates_losses_and_more_power_move_the_effect_the_right_way(trial: Trial) -> None:
    def at(**changes: float) -> float:
        assumed = Assumptions(iccs=(0.05,), control_risk=0.3, pupils_per_school=30, **changes)
        table = trial.power(assumed).table
        return float(table.loc[table["n_schools"] == 12, "smallest_effect"].abs().iloc[0])

    plain = at()
    assert at(r2_school=0.8, r2_pupil=0.3) < plain
    assert at(schools_lost=0.2) > plain
    assert at(pupils_lost=0.3) > plain
    assert at(power=0.9) > plain


def test_a_binary_outcome_needs_its_share(trial: Trial) -> None:
    with pytest.raises(DataError, match="is binary, and nothing is assumed of its share"):
        trial.power()


def test_a_continuous_outcome_is_in_standard_deviations(trial: Trial, tmp_path: Path) -> None:
    text = trial.paths.protocol.read_text(encoding="utf-8")
    folder = tmp_path / "trial"
    folder.mkdir()
    (folder / "schools.csv").write_bytes((trial.paths.root / "schools.csv").read_bytes())
    # The engagement scale becomes the primary outcome.
    entries = text.split("[[analyses]]")
    moved = [
        entry.replace('role = "primary"', 'role = "secondary"')
        if 'outcome = "dropout"' in entry
        else entry.replace('role = "secondary"', 'role = "primary"')
        for entry in entries
    ]
    (folder / "trial.toml").write_text("[[analyses]]".join(moved), encoding="utf-8")
    found = Trial(folder).power(Assumptions(iccs=(0.1,)))
    assert not found.binary
    assert found.table["smallest_effect"].abs().between(0.1, 4).all()


def run(trial: Trial, *arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(crocoos, ["power", str(trial.folder), "--control-risk", "0.3", "--json", *arguments])
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.output))


def test_a_true_effect_of_zero_is_simulated_as_zero_and_found_by_the_error_rate_of_the_test(trial: Trial) -> None:
    found = run(trial, "--pupils-per-school", "20", "--simulate", "100", "--effect", "0")["simulated"]
    assert found["effect"] == 0
    assert abs(found["mean_estimate"]) < 4 * found["sd_estimate"] / 100**0.5
    assert found["power"] < 0.05 + 4 * (0.05 * 0.95 / 100) ** 0.5


def test_schools_and_pupils_that_are_lost_are_lost_in_the_simulation_as_in_the_formula(trial: Trial) -> None:
    def both(*arguments: str) -> tuple[float, float]:
        stated = ("--icc", "0.15", "--pupils-per-school", "15", "--simulate", "80", "--effect", "0")
        values = run(trial, *stated, *arguments)
        formula = next(row["std_error"] for row in values["rows"] if row["n_schools"] == 12)
        return formula, values["simulated"]["sd_estimate"] / (0.3 * 0.7) ** 0.5

    # Half of the schools and pupils are lost: the error grows by a half or more, by both roads.
    whole, lost = both(), both("--schools-lost", "0.5", "--pupils-lost", "0.6")
    assert lost[0] / whole[0] > 1.5
    assert lost[1] / whole[1] > 1.4
    assert lost[1] == pytest.approx(lost[0], rel=0.25)


def test_each_country_has_its_own_correlation(trial: Trial) -> None:
    values = run(trial, "--icc", "HU=0.2", "--icc", "RS=0.04", "--simulate", "2", "--effect", "-0.1")
    assert {row["correlation"] for row in values["rows"]} == {"ICC HU 0.2, RS 0.04"}
    assert values["rows"][0]["icc"] == pytest.approx(0.12)
    assert values["assumed"]["iccs"] == [{"HU": 0.2, "RS": 0.04}]
    others = run(trial, "--icc", "HU=0.2", "--icc", "0.04")
    assert others["rows"] == values["rows"]


@pytest.mark.parametrize(
    ("iccs", "problem"),
    [
        (("HU=0.1", "XX=0.2"), "'XX' is not a country of this trial. Use HU, RS."),
        (("HU=0.1",), "there is none for RS. State one for each country"),
        (("HU=0.1", "HU=0.2", "0.1"), "have two numbers"),
    ],
)
def test_correlations_of_unknown_or_forgotten_countries_are_refused(
    trial: Trial, iccs: tuple[str, ...], problem: str
) -> None:
    arguments = ["power", str(trial.folder), "--control-risk", "0.3"]
    for icc in iccs:
        arguments += ["--icc", icc]
    done = CliRunner().invoke(crocoos, arguments)
    assert isinstance(done.exception, DataError)
    assert problem in str(done.exception)


@pytest.mark.parametrize("icc", ["HU=a", "1.2", "HU="])
def test_a_correlation_that_is_no_share_is_a_wrong_call(trial: Trial, icc: str) -> None:
    done = CliRunner().invoke(crocoos, ["power", str(trial.folder), "--icc", icc])
    assert done.exit_code == 2
    assert "holds no share below 1" in done.output


def test_the_command_says_where_the_number_of_pupils_comes_from(trial: Trial) -> None:
    plain = CliRunner().invoke(crocoos, ["power", str(trial.folder), "--control-risk", "0.3"]).output
    assert "'size' of the list of schools, which counts all pupils of a school" in " ".join(plain.split())
    assert "--pupils-per-school" in plain
    values = run(trial)
    assert values["pupils_per_school_from"] == "frame"
    sizes = pd.read_csv(trial.paths.root / "schools.csv")["size"]
    assert values["assumed"]["pupils_per_school"] == pytest.approx(sizes.mean())
    assert set(pd.read_csv(trial.paths.power / "power.csv")["pupils_per_school_from"]) == {"frame"}
    stated = run(trial, "--pupils-per-school", "22")
    assert stated["pupils_per_school_from"] == "stated"
    assert stated["rows"][0]["pupils_per_school"] == pytest.approx(22)


def test_effects_are_printed_in_the_unit_in_which_they_are_stated(trial: Trial) -> None:
    arguments = ["--icc", "0.05", "--pupils-per-school", "20", "--simulate", "2"]
    found = run(trial, *arguments)
    smallest = next(row["smallest_effect"] for row in found["rows"] if row["n_schools"] == 12)
    assert found["effect_unit"] == found["rows"][0]["effect_unit"] == "difference of shares"
    assert found["simulated"]["effect"] == smallest
    again = run(trial, *arguments, "--effect", str(smallest))
    assert again["simulated"] == found["simulated"]
    text = CliRunner().invoke(crocoos, ["power", str(trial.folder), "--control-risk", "0.3", *arguments]).output
    assert text.count(f"{smallest:.3f}") == 2
    assert "percentage" not in text


def test_what_was_simulated_under_other_assumptions_does_not_stay_beside_the_table(trial: Trial) -> None:
    run(trial, "--simulate", "2", "--effect", "-0.1")
    assert (trial.paths.power / "simulated.json").exists()
    run(trial)
    assert not (trial.paths.power / "simulated.json").exists()


def test_published_correlations_are_listed_with_their_sources_without_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = CliRunner().invoke(crocoos, ["power", "--published-iccs"]).output
    values = json.loads(CliRunner().invoke(crocoos, ["power", "--published-iccs", "--json"]).output)
    assert max(map(len, text.splitlines())) <= 80
    for parameter in DESIGN_PARAMETERS:
        assert parameter.source in " ".join(text.split())
    assert [row["source"] for row in values["iccs"]] == [parameter.source for parameter in DESIGN_PARAMETERS]
    assert "0.031 (0.011 to 0.08): health outcomes of pupils" in text
