"""A run that is killed at any instant leaves what was there before or what comes after, and the next run works."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from data_schema.pseudonyms import decrypt_key_table
from data_schema.store import Store
from evaluation.provenance import hash_file, lock_trial_for_writing
from evaluation.trial import Trial
from evaluation.vault import decrypt_vault
from tests.support.tiny import tiny_trial
from tests.support.trials import clock, killed_after

PASSPHRASE = " ".join(["five", "words", "are", "long", "enough"])
_LONG = 120.0
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny trial whose data are in the store."""
    folder = tmp_path_factory.mktemp("ready") / "trial"
    trial = tiny_trial(folder)
    trial.plan(freeze=True)
    trial.assign()
    trial.collect()
    return folder


@pytest.fixture
def folder(ready: Path, tmp_path: Path) -> Path:
    shutil.copytree(ready, tmp_path / "trial")
    return tmp_path / "trial"


def files(folder: Path) -> dict[str, str]:
    """Return the hashes of a folder's files; none when it is not there."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".duckdb")
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in paths if path.name != "stage.json"}


def collected(folder: Path) -> dict[str, str]:
    """Return what a run of collect has left, the database by its content."""
    store = folder / "store"
    with Store.open_read(store / "trial.duckdb") as opened:
        content = opened.content_sha256()
        assert content == opened.facts()["content_sha256"]
    assert json.loads((store / "stage.json").read_bytes())["outputs"].keys() >= files(store).keys()
    return {**files(store), "trial.duckdb": content}


def key_table(folder: Path) -> str:
    identity = (folder / "private" / "identity.txt").read_text()
    return decrypt_key_table((folder / "private" / "key_table.age").read_bytes(), identity).to_csv()


def lasted(action: Callable[[], object]) -> float:
    """Return how long an action takes in a child process, in seconds."""
    began = time.perf_counter()
    assert not killed_after(_LONG, action)
    return time.perf_counter() - began


def instants(n: int, seconds: float, *, seed: int) -> list[float]:
    """Return instants at random, one in each n-th of the time that an action takes; at the last one it has ended."""
    rng = random.Random(seed)  # noqa: S311 -- no secret
    return [0.0, *((k + rng.random()) / n * seconds for k in range(n)), _LONG]


def no_leftovers(folder: Path) -> None:
    assert not [path for path in folder.rglob(".*") if path.is_dir()]
    assert not list(folder.rglob("*.part"))


def test_collect_killed_at_any_instant_leaves_the_data_before_or_after(folder: Path) -> None:
    file = min((folder / "inbox" / "before").glob("pupil_*.csv"))
    whole = file.read_bytes()
    contents = (whole, whole + b"SI-01;0177999;girl;yes\n")
    known, tables, seconds = [], [], 0.0

    def collect() -> None:
        Trial(folder, clock=clock).collect()

    for content in contents:
        file.write_bytes(content)
        seconds = lasted(collect)
        known.append(collected(folder))
        tables.append(key_table(folder))
    assert known[0] != known[1]
    assert tables[0] != tables[1]
    state, seen = 1, set()
    for instant in instants(5, seconds, seed=1):
        # The files that the data do not rest on yet.
        file.write_bytes(contents[1 - state])
        killed_after(instant, collect)
        trial = Trial(folder, clock=clock)
        # Who only reads repairs nothing; the next run that writes does, before its work.
        with lock_trial_for_writing(folder):
            found = collected(folder)
        assert found in known
        assert key_table(folder) in tables
        assert {one.stage: one.state for one in trial.status()}["collect"] in ("fresh", "stale")
        seen.add(known.index(found) == state)
        state = known.index(found)
    assert seen == {True, False}
    collect()
    assert collected(folder) == known[contents.index(file.read_bytes())]
    no_leftovers(folder)


def test_erase_killed_at_any_instant_is_not_begun_or_is_completed_by_the_next_run(folder: Path) -> None:
    with Store.open_read(folder / "store" / "trial.duckdb") as store:
        pupils = sorted(set(store.table("pupil")["pupil_id"]) & set(store.table("status")["pupil_id"]))
    outcomes = set()
    (folder / "private" / "certificates").mkdir()
    first = pupils.pop()
    for seconds in instants(2, lasted(lambda: Trial(folder, clock=clock).erase(pupil=first)), seed=2):
        trial = Trial(folder, clock=clock)
        n_certificates = len(list((folder / "private" / "certificates").iterdir()))
        pupil = pupils.pop()
        if not (folder / "output" / "export").exists():
            trial.export(country="SI")
        killed_after(seconds, partial(trial.erase, pupil=pupil))
        trial = Trial(folder, clock=clock)
        trial.collect()
        is_gone = pupil not in key_table(folder)
        with Store.open_read(folder / "store" / "trial.duckdb") as store:
            assert all((pupil in set(store.table(name)["pupil_id"])) != is_gone for name in ("pupil", "status"))
        made = len(list((folder / "private" / "certificates").iterdir())) - n_certificates
        assert made == is_gone
        assert (folder / "output" / "export").exists() != is_gone
        assert "begun" not in json.loads((folder / "private" / "erased.json").read_text())
        outcomes.add(is_gone)
    assert outcomes == {True, False}
    no_leftovers(folder)


@pytest.mark.parametrize(
    ("written", "run"),
    [
        ("output/export/SI", lambda trial: trial.export(country="SI")),
        ("private/forms/after", lambda trial: trial.forms(wave="after")),
        ("output/codebook", lambda trial: trial.codebook()),
    ],
)
def test_files_for_others_are_those_of_before_or_of_after(
    folder: Path, written: str, run: Callable[[Trial], object]
) -> None:
    target = folder / written
    whole = lasted(lambda: run(Trial(folder, clock=clock)))
    names = set(files(target))
    assert len(names) > 3
    seen = set()
    for seconds in instants(2, whole, seed=3):
        (target / "of_before.txt").write_text("")
        killed_after(seconds, lambda: run(Trial(folder, clock=clock)))
        with lock_trial_for_writing(folder):
            found = set(files(target))
        assert found in (names, names | {"of_before.txt"})
        seen.add(found == names)
    assert seen == {True, False}
    no_leftovers(folder)


def test_lock_killed_at_any_instant_leaves_an_identity_that_opens_the_key_table(folder: Path, tmp_path: Path) -> None:
    open_ = tmp_path / "open"
    shutil.copytree(folder, open_)
    identity = (folder / "private" / "identity.txt").read_text()

    def lock() -> None:
        Trial(folder, clock=clock).lock(PASSPHRASE)

    seen = set()
    for seconds in instants(2, lasted(lock), seed=4):
        shutil.rmtree(folder)
        shutil.copytree(open_, folder)
        killed_after(seconds, lock)
        Trial(folder, clock=clock).settle()
        private = folder / "private"
        seen.add((private / "identity.txt").exists())
        if (private / "identity.txt").exists():
            assert (private / "identity.txt").read_text() == identity
            lock()
        assert not (private / "identity.txt").exists()
        found, _ = decrypt_vault((private / "vault.zip").read_bytes(), [PASSPHRASE])
        assert found["private/identity.txt"].content.decode() == identity
    assert seen == {True, False}
