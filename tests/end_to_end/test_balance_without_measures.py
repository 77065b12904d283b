"""A trial without baseline measures of schools or pupils has an answer for every stage."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from click.testing import CliRunner

from evaluation.cli.main import crocoos
from evaluation.evidence import evidence
from reports import sections
from tests.support.tiny import school_ids, tiny_trial


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
