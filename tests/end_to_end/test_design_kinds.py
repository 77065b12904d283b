"""Every kind of design through a trial's folder: protocol, commitment, draw, verification, balance, re-draws."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_schema.errors import CrocoosError, ProtocolError
from evaluation.comparison import build_primary_comparison
from evaluation.power_assumptions import Assumptions
from evaluation.protocol_reader import read_protocol
from evaluation.specifications import build_design
from evaluation.stages.agreement import read_allocation_frame
from evaluation.stages.certificate import draw_facts
from evaluation.stages.redraws import compute_school_weights, find_unequal_chances, redraws
from evaluation.trial import Trial
from reports.sections.certificate import build_certificate
from reports.sections.design import allocation
from tests.support.block_text import texts
from tests.support.trials import clock, estimated_trial, short_protocol, small_protocol, small_trial

DESIGNS = {
    "simple": 'kind = "simple"\n',
    "complete": 'kind = "complete"\n',
    "classes of size": 'kind = "stratified"\nstrata = ["country", "size"]\ncuts = { size = [80] }\n',
    "misfits": 'kind = "stratified"\nstrata = ["country", "type"]\nmisfits = "wglobal"\n',
    "minimisation": 'kind = "minimisation"\nstrata = ["country", "type"]\n[design.minimisation]\nchance = 90\n',
    "pairs": 'kind = "matched"\nstrata = ["country"]\n[design.matching]\nvariables = ["prior_dropout_rate", "type"]\n',
    "constrained": (
        'kind = "stratified"\nstrata = ["country"]\n[design.constraint]\n'
        'variables = ["prior_dropout_rate", "share_disadvantaged"]\nbest_share = 0.3\n'
    ),
    "constrained by limits": (
        'kind = "complete"\n[design.constraint]\nvariables = ["prior_dropout_rate"]\nscore = "max_difference"\n'
        "limits = { prior_dropout_rate = 0.6 }\n"
    ),
}


def protocol(design: str) -> str:
    """Return the small protocol with another design and no seed."""
    text = small_protocol().replace('seed = "a lottery"', "")
    head, rest = text.split("[design]", 1)
    body, arms = rest.split("[[design.arms]]", 1)
    kept = re.sub(r"^(kind|strata|seed|allocation)\s*=.*\n", "", body, flags=re.MULTILINE)
    return f"{head}[design]\n{design}{kept if '[design.' not in design else ''}\n[[design.arms]]{arms}"


@pytest.mark.parametrize("name", DESIGNS)
def test_a_design_goes_through_the_whole_of_the_draw(tmp_path: Path, name: str) -> None:
    trial = small_trial(tmp_path / "trial", text=protocol(DESIGNS[name]))
    made = trial.commit(seed_source="the lottery")
    allocation = trial.reveal(seed="4 19 33")
    assert allocation.design == build_design(trial.protocol) == made.design
    found = trial.verify()
    assert found.ok, found.problems
    again = Trial(trial.folder, clock=clock)
    table = again.balance()
    assert len(table)
    again_drawn = redraws(again)
    schools, actual, draws = again_drawn.schools, again_drawn.actual, again_drawn.draws
    assert schools == allocation.schools
    assert actual.tolist() == list(allocation.positions)
    assert len(np.unique(draws, axis=0)) > 5
    assert "one by one" in str(texts(build_certificate(draw_facts(again), "en"))) or name != "minimisation"
    if name == "pairs":
        strata = np.array(allocation.strata)
        for stratum in set(strata[[not label.endswith("rest") for label in strata]]):
            assert set(draws[:, strata == stratum].sum(axis=1)) == {1}
    made_files = again.certificate()
    assert made_files.certificates == ("certificate.en.pdf",)


@pytest.mark.parametrize(
    ("design", "problem"),
    [
        ('kind = "matched"\n', "matching is missing"),
        ('kind = "simple"\nstrata = ["country"]\n', "A simple draw has no strata"),
        ('kind = "stratified"\nstrata = ["country"]\ncuts = { size = [300] }\n', "'size' is cut and is no stratum"),
        ('kind = "complete"\nmisfits = "strata"\n', "'strata' is not known for a draw of the kind 'complete'"),
        ('kind = "complete"\n[design.minimisation]\nchance = 80\n', "a rule of minimisation is stated"),
        ('kind = "minimisation"\n', "It needs strata to keep alike"),
        ('kind = "classes"\n', "a file of classes is missing"),
        ('kind = "complete"\nunits = "classes.csv"\n', "a file of classes is named"),
        ('kind = "pairs"\n', "'pairs' is not allowed here"),
        ('kind = "complete"\n[design.constraint]\nvariables = ["size"]\n', "Nothing is constrained"),
        ('kind = "complete"\n[design.constraint]\nvariables = ["size"]\nbest_share = 2.0\n', "below 1"),
        ('kind = "complete"\nallocation = "x.csv"\n', "a file is named, but the design draws"),
    ],
)
def test_a_design_that_contradicts_itself_is_found_in_the_protocol(tmp_path: Path, design: str, problem: str) -> None:
    (tmp_path / "trial.toml").write_text(protocol(design), encoding="utf-8")
    with pytest.raises(ProtocolError, match=problem):
        read_protocol(tmp_path / "trial.toml")


def test_a_column_that_the_frame_lacks_is_named(tmp_path: Path) -> None:
    text = protocol('kind = "complete"\n[design.constraint]\nvariables = ["shoe_size"]\nbest_share = 0.1\n')
    trial = small_trial(tmp_path / "trial", text=text)
    path = trial.paths.root / "schools.csv"
    pd.read_csv(path, dtype=str, keep_default_na=False).drop(columns="shoe_size").to_csv(path, index=False)
    with pytest.raises(CrocoosError, match="here is no column 'shoe_size'"):
        trial.commit()


def test_unequal_chances_reach_the_analysis_as_weights_and_the_reader_as_a_sentence(tmp_path: Path) -> None:
    text = short_protocol().replace('seed = "a lottery"', 'seed = "a lottery"\nmisfits = "strata"', 1)
    head, arms = text.split("[[design.arms]]", 1)
    text = f"{head}[[design.arms]]{arms.replace('ratio = 1', 'ratio = 2', 1)}"
    trial = estimated_trial(tmp_path / "linear", text=text)
    chances = find_unequal_chances(trial)
    frame = read_allocation_frame(trial)
    drawn = dict(zip(frame["school_id"], frame["arm"], strict=True))
    weights = compute_school_weights(chances, drawn, build_primary_comparison(trial.protocol))
    assert len(weights) == 12
    assert 1.2 < min(weights.values()) < max(weights.values()) < 4
    rows = pd.read_csv(trial.paths.results / "estimates.csv", keep_default_na=False).set_index("estimate_id")
    name = trial.protocol.analyses[0].name
    assert rows.loc[f"{name}/all/difference/pilot", "status"] in ("ok", "boundary")
    moved = pd.read_csv(trial.paths.results / "adjustment.csv")
    assert moved["covariates"].tolist() == ["none", *trial.protocol.analyses[0].covariates, "all"]
    whole = float(str(rows.loc[f"{name}/all/difference/pilot", "estimate"]))
    assert moved["estimate"].iloc[-1] == pytest.approx(whole)
    test = json.loads((trial.paths.balance / "test.json").read_text(encoding="utf-8"))
    assert 0 < test["p_value_pupils"] <= 1
    assert test["p_value_pupils"] != test["p_value"]
    by_stratum = pd.read_csv(trial.paths.balance / "by_stratum.csv")
    pupils = by_stratum.loc[by_stratum["level"] == "pupil"]
    counts = pupils[["n_reference", "n_arm"]].to_numpy(dtype=float)
    assert counts[counts > 0].min() >= trial.protocol.reports.disclosure_threshold
    assert pupils["difference"].notna().any()
    said = " ".join(texts(allocation(trial.evidence(), "en")))
    assert "weight each school by the inverse of its chance" in said
    assert "drawn within it, each arm with equal probability" in said
    mixed = tmp_path / "mixed"
    shutil.copytree(tmp_path / "linear", mixed)
    (mixed / "trial.toml").write_text(text.replace('"linear_cluster"', '"linear_mixed"'), encoding="utf-8")
    again = Trial(mixed, clock=clock).impact().set_index("estimate_id")
    assert "this model takes no weights" in str(again.loc[f"{name}/all/difference/pilot", "reason"])


def with_classes(folder: Path) -> Trial:
    text = protocol('kind = "classes"\nunits = "classes.csv"\nstrata = ["country"]\n')
    trial = small_trial(folder, text=text)
    frame = pd.read_csv(folder / "schools.csv", dtype=str, keep_default_na=False)
    rows = [(school, name) for school in frame["school_id"] for name in ("9a", "9b", "9c")]
    pd.DataFrame(rows, columns=["school_id", "class"]).to_csv(folder / "classes.csv", index=False)
    return trial


def test_classes_are_drawn_within_schools_and_what_compares_schools_refuses(tmp_path: Path) -> None:
    trial = with_classes(tmp_path / "trial")
    trial.commit(seed_source="the lottery")
    drawn = trial.reveal(seed="4 19 33")
    assert trial.verify().ok
    frame = drawn.to_frame()
    by_school = frame["arm"].eq("pilot").groupby(frame["school_id"].str.split(" / ").str[0]).sum()
    assert set(by_school) == {1, 2}
    assert drawn.counts() == {"control": 18, "pilot": 18}
    said = " ".join(texts(build_certificate(draw_facts(trial), "en")))
    assert "36 classes were allocated at random within their schools: 18 Control schools and 18 Pilot schools." in said
    letters = trial.certificate()
    lists = [pd.read_csv(letters.folder / name) for name in letters.letters]
    assert sorted(len(one) for one in lists) == [18, 18]
    power = Assumptions(control_risk=0.1)
    for step in (trial.balance, trial.impact, trial.report, trial.publish, lambda: trial.power(power)):
        with pytest.raises(CrocoosError, match="classes are drawn within schools, and this compares schools"):
            step()
    with pytest.raises(CrocoosError, match=r"late schools and reserves.*classes are drawn"):
        trial.add_late(tmp_path / "trial" / "schools.csv", seed="x")
    path = tmp_path / "trial" / "classes.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("9c", "9d", 1), encoding="utf-8")
    assert not Trial(trial.folder, clock=clock).verify().ok


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "there is no such file"),
        ("", "cannot be read as CSV"),
        ("school_id,form\n1,a\n", "there is no column 'class'"),
        ("school_id,class\nnowhere,a\n", "it is not in the sampling frame"),
    ],
)
def test_a_list_of_classes_that_cannot_be_used_is_named(tmp_path: Path, content: str | None, problem: str) -> None:
    trial = with_classes(tmp_path / "trial")
    path = tmp_path / "trial" / "classes.csv"
    path.unlink()
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(CrocoosError, match=problem):
        trial.assign(seed="x")
