"""Every kind of design through a trial's folder: protocol, commitment, draw, verification, balance, re-draws."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from data_schema.errors import CrocoosError, ProtocolError
from evaluation.protocol_reader import read_protocol
from evaluation.specifications import design_of
from evaluation.stages.impact import redraws
from evaluation.trial import Trial
from tests.support.trials import clock, small_protocol, small_trial

DESIGNS = {
    "simple": 'kind = "simple"\n',
    "complete": 'kind = "complete"\n',
    "classes of size": 'kind = "stratified"\nstrata = ["country", "size"]\ncuts = { size = [80] }\n',
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
    assert allocation.design == design_of(trial.protocol) == made.design
    found = trial.verify()
    assert found.ok, found.problems
    again = Trial(trial.folder, clock=clock)
    table = again.balance()
    assert len(table)
    schools, actual, draws = redraws(again)
    assert schools == allocation.schools
    assert actual.tolist() == list(allocation.positions)
    assert len(np.unique(draws, axis=0)) > 5
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
        ('kind = "stratified"\nstrata = ["country"]\ncuts = { size = [300] }\n', "'size' is no stratum"),
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
    with pytest.raises(CrocoosError, match="There is no column 'shoe_size'"):
        trial.commit()
