"""audit: everything is made again in a clean folder, and what was edited together with its record is named."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner

from data_schema.errors import CrocoosError
from data_schema.pseudonyms import decrypt_key_table, new_identity
from evaluation.cli.main import crocoos
from evaluation.named_in_log import find_changes_since_log, iterate_named_in_log
from evaluation.provenance import LOCK, RECORD, SCRATCH, hash_file, read_record
from evaluation.trial import Trial
from evaluation.trial_log import Event
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
    trial.power()
    trial.forms(wave=trial.protocol.wave_names[-1])
    return trial.paths.root


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes() or b"\0")
    # Of what keeps git out, the middle is a remark.
    content[content.index(b"*") if path.name == ".gitignore" else len(content) // 2] ^= 1
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
        values["outputs"] = {name: hash_file(folder / name) for name in values["outputs"]}
        (folder / RECORD).write_text(json.dumps(values), encoding="utf-8")
    found = trial.audit()
    named = " ".join(found.problems)
    assert len(flipped) > 50
    # What rests on what was asked for at the time is compared with the log, and not made again.
    noted = ("output/power", "output/forms/after")
    assert all(f"What is in {folder}/ is not what line" in named for folder in noted)
    names = [path.relative_to(root).as_posix() for path in flipped]
    assert [name for name in names if name not in named and not name.startswith(noted)] == []
    assert CliRunner().invoke(crocoos, ["audit", str(root)]).exit_code == 1


def test_a_byte_that_is_flipped_in_any_product_is_named_without_making_it_again(ready: Path, tmp_path: Path) -> None:
    trial = Trial(shutil.copytree(ready, tmp_path / "trial"), clock=clock)
    assert trial.verify().ok
    products = [
        path for name in ("balance", "output") for path in (trial.paths.root / name).rglob("*") if path.is_file()
    ]
    products = [path for path in products if path.parent != trial.paths.export]
    assert {path.relative_to(trial.paths.root).parts[1] for path in products} > {
        *("allocation", "codebook", "checks", "returns", "export", "power", "forms"),
    }
    # One of each kind in each folder: the folder's hash is of all its files alike.
    for path in {(path.parent, path.suffix): path for path in products}.values():
        content = path.read_bytes()
        flip(path)
        assert [one.place for one in iterate_named_in_log(trial) if one.problem], path
        path.write_bytes(content)
    # What is compared so is told by verify.
    flip(max(products))
    assert [text for text in trial.verify().problems if "is not what line" in text]
    flip(max(products))
    assert trial.verify().ok
    (trial.paths.root / "output" / "codebook" / "more.csv").write_text("a\n")
    (trial.paths.root / "output" / "letters").mkdir()
    (trial.paths.root / "output" / "letters" / "letter.txt").write_text("a\n")
    told = trial.verify().problems
    assert [text for text in told if "output/codebook/ is not what line" in text]
    assert [text for text in told if "output/letters/ is not named by any line" in text]


def test_every_product_that_was_edited_is_made_again_by_the_command_that_is_named(
    ready: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(shutil.copytree(ready, tmp_path / "trial"), clock=clock)
    written = {line.detail["folder"] for line in trial.log().of(Event.WRITTEN)}
    assert len(written) == 8
    for name in written:
        flip(max(path for path in (trial.paths.root / name).rglob("*.*") if path.name != RECORD))
    commands = {one.place.rstrip("/"): one.command for one in find_changes_since_log(trial)}
    assert set(commands) == written
    monkeypatch.chdir(trial.paths.root)
    for command in commands.values():
        done = CliRunner().invoke(crocoos, shlex.split(command))
        assert done.exit_code == 0, f"{command}: {done.output}{done.exception}"
    assert trial.verify().ok


KEYS = (".gitignore", "pseudonym.key", "key_table.age", "identity.txt", "recipient.txt")
"""What is to be noticed in private/ beside forms, which are no secret of the trial's, and words for people."""


def noticed(root: Path) -> list[str]:
    """Return what verify and status say of a trial, and the errors that stop them."""
    told: list[str] = []
    for look in (Trial.verify, Trial.status):
        try:
            told.append(str(look(Trial(root, clock=clock))))
        except CrocoosError as error:
            told.append(str(error))
    return told


def one_of_each_kind(paths: Iterable[Path], root: Path) -> list[Path]:
    """Return of the files that schools sent for a table, and of those that a stage's record names alike, one each."""
    kinds: dict[object, Path] = {}
    for path in paths:
        record = read_record(path.parent)
        is_named = record is not None and path.name in record.outputs and path.name != "content.json"
        is_sent = path.is_relative_to(root / "inbox") and path.name != ".gitignore"
        kinds[(path.parent, path.suffix, path.name[:6] if is_sent else "") if is_named or is_sent else path] = path
    return list(kinds.values())


def test_a_byte_that_is_flipped_in_anything_that_the_trial_is_made_from_is_noticed(ready: Path, tmp_path: Path) -> None:
    root = shutil.copytree(ready, tmp_path / "trial")
    before = noticed(root)
    without = (root / "output", root / "balance", root / "private", root / LOCK)
    given = [path for path in sorted(root.rglob("*")) if path.is_file() and not any(map(path.is_relative_to, without))]
    given = one_of_each_kind(given, root) + [root / "private" / name for name in KEYS]
    unnoticed = []
    for path in given:
        content = path.read_bytes()
        flip(path)
        if noticed(root) == before:
            unnoticed.append(path.relative_to(root).as_posix())
        path.write_bytes(content)
    assert not unnoticed, "\n".join(unnoticed)


def test_an_identity_that_does_not_open_the_key_table_is_told_of_and_made_anew_as_the_remedy_says(
    ready: Path, tmp_path: Path
) -> None:
    trial = Trial(shutil.copytree(ready, tmp_path / "trial"), clock=clock)
    private = trial.paths.private
    (private / "identity.txt").write_text(new_identity()[1])
    told = " ".join(trial.verify().problems)
    assert "private/recipient.txt is not the recipient of private/identity.txt" in told
    assert "private/key_table.age does not open with private/identity.txt" in told
    assert "run `crocoos collect`, which makes new ones" in told
    for name in ("key_table.age", "identity.txt", "recipient.txt"):
        (private / name).unlink()
    trial.collect()
    assert trial.verify().ok
    assert len(decrypt_key_table((private / "key_table.age").read_bytes(), (private / "identity.txt").read_text()))
