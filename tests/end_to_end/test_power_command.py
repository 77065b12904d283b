"""crocoos power: a table, curves and a simulation before anything is drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from data_schema.errors import DataError
from evaluation.cli.main import crocoos
from evaluation.stages.power import Assumptions
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
    assert "smallest effect that is found with 80 % power, in percentage points" in done.output
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
