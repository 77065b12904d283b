"""A trial without baseline measures of schools or pupils has an answer for every stage."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from evaluation.cli.main import crocoos
from evaluation.stages.evidence import evidence
from reports import sections
from tests.support.tiny import PROTOCOL, school_ids, tiny_trial


def test_balance_without_measures_is_an_empty_table_and_a_sentence(tmp_path: Path) -> None:
    frame = "\n".join(["school_id,country", *[f"{school},SI" for school in school_ids()], ""])
    trial = tiny_trial(tmp_path / "trial", frame=frame)
    trial.assign()
    before = CliRunner().invoke(crocoos, ["balance", str(trial.paths.root)])
    assert before.exit_code == 0, before.output
    assert "Nothing was compared" in before.output
    trial.collect()
    assert trial.balance().empty
    assert pd.read_csv(trial.paths.balance / "balance.csv").empty
    trial.impact()
    blocks = sections.baseline(evidence(trial, country=""), "en")
    assert "No baseline measures were compared." in str(blocks)


OF_PUPILS = """
[[covariates]]
name = "gender"
label = "Gender"
table = "pupil"
wave = "before"
"""


@pytest.mark.parametrize(
    "remedy", ["Add an entry to [[covariates]]", "put files into inbox/ and run `crocoos collect`"]
)
def test_what_is_said_where_nothing_was_compared_makes_something_comparable(tmp_path: Path, remedy: str) -> None:
    columns, own = ("country", "SI") if "inbox" in remedy else ("country,lessons", "SI,{}")
    rows = [f"{school},{own.format(20 + at)}" for at, school in enumerate(school_ids())]
    text = PROTOCOL + (OF_PUPILS if "inbox" in remedy else "")
    if "inbox" not in remedy:
        text += '\n[[tables.school.fields]]\nname = "lessons"\ntype = "whole_number"\n'
    trial = tiny_trial(tmp_path / "trial", protocol=text, frame="\n".join([f"school_id,{columns}", *rows, ""]))
    trial.assign()
    said = CliRunner().invoke(crocoos, ["balance", str(trial.folder)])
    assert remedy in said.output
    if "inbox" in remedy:
        assert CliRunner().invoke(crocoos, ["collect", str(trial.folder)]).exit_code == 0
    else:
        with trial.paths.protocol.open("a", encoding="utf-8") as stream:
            stream.write('\n[[covariates]]\nname = "lessons"\nlabel = "Lessons"\ntable = "school"\n')
    again = CliRunner().invoke(crocoos, ["balance", str(trial.folder)])
    assert again.exit_code == 0, again.output
    assert "Nothing was compared" not in again.output
