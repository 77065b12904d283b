"""audit: everything is made again in a clean folder, and what was edited together with its record is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from evaluation.cli.main import crocoos
from evaluation.provenance import RECORD, SCRATCH, sha256_of_file
from evaluation.trial import Trial
from tests.support.tiny import tiny_trial
from tests.support.trials import clock

PRODUCTS = ("store", "balance", "results", "output")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial with everything but documents."""
    trial = tiny_trial(tmp_path_factory.mktemp("ready") / "trial")
    trial.plan(freeze=True)
    trial.assign()
    trial.collect()
    trial.balance()
    trial.impact()
    for make in (trial.certificate, trial.codebook, trial.checks, trial.returns):
        make()
    trial.export(country="SI", k=2)
    return trial.paths.root


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes() or b"\0")
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_what_nobody_touched_is_the_same_when_it_is_made_again_and_the_log_says_so(ready: Path, tmp_path: Path) -> None:
    trial = Trial(shutil.copytree(ready, tmp_path / "trial"), clock=clock)
    done = CliRunner().invoke(crocoos, ["audit", str(trial.paths.root), "--json"], catch_exceptions=False)
    assert json.loads(done.stdout)["problems"] == []
    assert done.exit_code == 0
    last = trial.log().entries[-1]
    assert (last.event, last.detail["answer"]) == ("audited", "yes")
    assert not (trial.paths.root / SCRATCH).exists()


def test_a_byte_that_is_flipped_in_any_product_together_with_its_record_is_named(ready: Path, tmp_path: Path) -> None:
    trial = Trial(shutil.copytree(ready, tmp_path / "trial"), clock=clock)
    root = trial.paths.root
    products = [path for name in PRODUCTS for path in sorted((root / name).rglob("*")) if path.is_file()]
    flipped = [path for path in products if path.name not in (RECORD, ".gitignore") and path.suffix != ".duckdb"]
    for path in flipped:
        flip(path)
    for folder in (trial.paths.store, trial.paths.balance, trial.paths.results):
        values = json.loads((folder / RECORD).read_bytes())
        values["outputs"] = {name: sha256_of_file(folder / name) for name in values["outputs"]}
        (folder / RECORD).write_text(json.dumps(values), encoding="utf-8")
    found = trial.audit()
    named = " ".join(found.problems)
    assert len(flipped) > 50
    assert [path for path in flipped if path.relative_to(root).as_posix() not in named] == []
    assert CliRunner().invoke(crocoos, ["audit", str(root)]).exit_code == 1
