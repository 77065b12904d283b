"""The guide to the outcomes runs, and names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import analysis

GUIDE = Path(analysis.__file__).parent / "OUTCOMES.md"


def test_code_in_the_guide_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, GUIDE.name, "exec"), {})  # noqa: S102  # our own text
    shown = capsys.readouterr().out
    assert "number_needed_to_treat" in shown
    assert "cox_efron" in shown
    assert "mean_difference" in shown


def test_functions_in_the_guides_table_are_exported() -> None:
    table = [line for line in GUIDE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    named = set(re.findall(r"`([a-z_]+)[`(]", "\n".join(line.split("|")[2] for line in table)))
    assert len(named) >= 15
    assert named <= set(analysis.__all__)
