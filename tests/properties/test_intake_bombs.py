"""Small files that become enormous when they are read cost little memory and time, and are told of."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bombs import bombs
from tests.support.protocols import ROOT

_MOST_MEGABYTES = 500


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is looked up as Linux tells it")
def test_no_file_takes_more_than_500_megabytes_whatever_it_becomes(tmp_path: Path) -> None:
    made = bombs()
    for path, content in made.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    command = [sys.executable, "-m", "tests.support.bombs", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=900)
    told = [json.loads(line) for line in run.stdout.splitlines()]
    assert {one["file"] for one in told} == set(made)
    assert {one["file"]: one["peak_mb"] for one in told if one["peak_mb"] >= _MOST_MEGABYTES} == {}
    harmless = {"HU/status_rows.sav", "HU/status_packed.sav"}
    assert {one["file"] for one in told if one["outcome"] == "kept"} <= harmless, "what they say of their size is wrong"
