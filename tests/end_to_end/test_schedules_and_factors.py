"""Waiting lists, stepped wedges and factorial designs, from the protocol to the report."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from data_schema.errors import CrocoosError, ProtocolError
from evaluation.comparison import build_comparison
from evaluation.power_assumptions import Assumptions
from evaluation.protocol_reader import read_protocol
from evaluation.stages.impact import build_trial_data, read_needed_frames
from evaluation.trial import Trial
from reports.sections.design import allocation
from reports.sections.results import main_results
from tests.support.block_text import texts
from tests.support.trials import clock, drawn_trial, short_protocol

LATER = '[[waves]]\nname = "later"\nlabel = "A year later"\n\n'


def arm(name: str, more: str) -> str:
    return f'[[design.arms]]\nname = "{name}"\nlabel = "{name.capitalize()} schools"\n{more}\n\n'


WEDGE = arm("third", 'starts = "later"') + arm("second", 'starts = "followup"') + arm("first", 'starts = "baseline"')
WAITING = arm("waits", 'starts = "later"') + arm("goes", 'starts = "followup"')
FACTORIAL = (
    arm("neither", "factors = []")
    + arm("mentor", 'factors = ["mentor"]')
    + arm("ews", 'factors = ["ews"]')
    + arm("both", 'factors = ["ews", "mentor"]')
)


def protocol(kind: str, arms: str) -> str:
    """Return a protocol with these arms, one analysis without covariates or strata, and a third wave."""
    text = short_protocol().replace("[[waves]]", f"{LATER}[[waves]]", 1)
    waves = re.findall(r"\[\[waves\]\]\n(?:.+\n)+\n?", text)
    for wave in waves:
        text = text.replace(wave, "", 1)
    text = text.replace("[schools]", f"{''.join((*waves[1:], waves[0]))}\n[schools]", 1)
    head, rest = text.split("[[design.arms]]", 1)
    tail = rest[rest.index("# Which files below inbox/") :]
    head = head.replace('kind = "stratified"', f'kind = "{kind}"').replace('["country", "type"]', '["country"]')
    whole = f"{head}{arms}{tail}"
    return re.sub(r"(\[\[analyses\]\](?:\n.+)*?)\ncovariates = .*", r"\1\nstrata = false", whole, count=1)


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial whose schools have sent their files."""
    folder = tmp_path_factory.mktemp("collected") / "trial"
    drawn_trial(folder, text=short_protocol()).collect()
    return folder


def with_design(collected: Path, folder: Path, text: str) -> Trial:
    """Return the trial drawn anew by another design."""
    shutil.copytree(collected, folder)
    shutil.rmtree(folder / "allocation")
    (folder / "trial.toml").write_text(text, encoding="utf-8")
    trial = Trial(folder, clock=clock)
    trial.assign(seed="4 19 33", reason="another design")
    trial.collect()
    trial.balance()
    trial.impact()
    return Trial(folder, clock=clock)


def pupils_of(trial: Trial) -> pd.DataFrame:
    return build_trial_data(trial, read_needed_frames(trial)).frame


def estimates(trial: Trial) -> pd.DataFrame:
    return pd.read_csv(trial.paths.results / "estimates.csv", keep_default_na=False).set_index("estimate_id")


def difference(frame: pd.DataFrame, treated: pd.Series[bool]) -> float:
    return float(frame.loc[treated, "dropout"].mean() - frame.loc[~treated, "dropout"].mean())


def test_a_stepped_wedge_compares_who_has_started_with_who_waits(collected: Path, tmp_path: Path) -> None:
    trial = with_design(collected, tmp_path / "trial", protocol("stepped_wedge", WEDGE))
    assert trial.verify().ok
    found, frame = estimates(trial), pupils_of(trial)
    name = trial.protocol.analyses[0].name
    row = found.loc[f"{name}/all/difference/started"]
    assert float(str(row["estimate"])) == pytest.approx(difference(frame, frame["arm"].isin(["first", "second"])))
    assert found.loc[f"{name}/all/randomisation_test/started", "status"] == "ok"
    flow = pd.read_csv(trial.paths.results / "flow.csv", keep_default_na=False)
    count = flow.groupby(["arm", "step"])["n_schools"].sum()
    assert (count["waiting", "randomised"], count["started", "randomised"]) == (4, 8)
    balance = pd.read_csv(trial.paths.balance / "balance.csv")
    assert set(balance["arm"]) == {"started"}
    said = " ".join(texts(allocation(trial.evidence(), "en")))
    assert "Third schools from A year later on, Second schools from" in said
    assert "schools that have started by its round are compared with those that still wait" in said
    assert "Schools that have started" in " ".join(texts(main_results(trial.evidence(), "en")))
    stated = trial.power(Assumptions(control_risk=0.15))
    assert stated.n_schools == 12
    with pytest.raises(CrocoosError, match="compares groups of the design's arms"):
        trial.power(Assumptions(control_risk=0.15), n_simulations=10)


def test_a_waiting_list_compares_its_two_arms(collected: Path, tmp_path: Path) -> None:
    trial = with_design(collected, tmp_path / "trial", protocol("waiting_list", WAITING))
    frame, name = pupils_of(trial), trial.protocol.analyses[0].name
    row = estimates(trial).loc[f"{name}/all/difference/started"]
    assert float(str(row["estimate"])) == pytest.approx(difference(frame, frame["arm"] == "goes"))


def test_factors_are_compared_over_both_levels_of_the_other_and_arms_with_neither(
    collected: Path, tmp_path: Path
) -> None:
    trial = with_design(collected, tmp_path / "trial", protocol("factorial", FACTORIAL))
    found, frame = estimates(trial), pupils_of(trial)
    name = trial.protocol.analyses[0].name
    for factor in ("mentor", "ews"):
        row = found.loc[f"{name}/all/factor_difference/{factor}"]
        assert float(str(row["estimate"])) == pytest.approx(difference(frame, frame["arm"].isin([factor, "both"])))
        assert 0 < float(str(found.loc[f"{name}/all/factor_test/{factor}", "p_value"])) <= 1
        alone = frame.loc[frame["arm"].isin(["neither", factor])]
        simple = found.loc[f"{name}/all/difference/{factor}", "estimate"]
        assert float(str(simple)) == pytest.approx(difference(alone, alone["arm"] == factor))
    assert found.index.is_unique
    evidence = trial.evidence()
    assert "Schools got each combination of two factors, Mentor schools and Ews schools." in " ".join(
        texts(allocation(evidence, "en"))
    )
    assert "The effect of each factor" in texts(main_results(evidence, "en"))


@pytest.mark.parametrize(
    ("kind", "arms", "problem"),
    [
        ("stratified", WEDGE, "the design's kind is 'stratified'"),
        ("stratified", FACTORIAL, "the design's kind is 'stratified'"),
        ("waiting_list", WEDGE, "a waiting list has two arms"),
        ("stepped_wedge", WEDGE.replace('"later"', '"latr"'), "Did you mean 'later'"),
        ("stepped_wedge", WEDGE.replace('starts = "baseline"', ""), "this key is missing"),
        ("stepped_wedge", WEDGE.replace('"later"', '"baseline"'), "do not start one after the other"),
        ("waiting_list", WAITING.replace('"later"', '""').replace('"followup"', '"later"'), "no arm has the programme"),
        ("factorial", FACTORIAL.replace('"ews", "mentor"', '"ews"'), "not the arms of two factors"),
        ("factorial", WAITING.replace("starts", "# "), "not the arms of two factors"),
    ],
)
def test_arms_that_are_no_schedule_and_no_factors_are_refused(
    tmp_path: Path, kind: str, arms: str, problem: str
) -> None:
    (tmp_path / "trial.toml").write_text(protocol(kind, arms), encoding="utf-8")
    with pytest.raises(ProtocolError, match=problem):
        read_protocol(tmp_path / "trial.toml")


def test_a_wave_in_which_all_have_started_has_nothing_to_compare(tmp_path: Path) -> None:
    arms = arm("waits", 'starts = "followup"') + arm("goes", 'starts = "baseline"')
    (tmp_path / "trial.toml").write_text(protocol("waiting_list", arms), encoding="utf-8")
    with pytest.raises(ProtocolError, match="every arm has the programme: nothing is compared"):
        read_protocol(tmp_path / "trial.toml")


def test_other_designs_compare_their_arms(tmp_path: Path) -> None:
    (tmp_path / "trial.toml").write_text(short_protocol(), encoding="utf-8")
    stated = read_protocol(tmp_path / "trial.toml")
    assert build_comparison(stated, stated.outcomes[0]).names == stated.arm_names
