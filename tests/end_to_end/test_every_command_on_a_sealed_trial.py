"""Every command runs on a sealed trial, or refuses with what to do; it leaves nothing open and logs what it opened."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from data_schema.errors import CrocoosError
from data_schema.pseudonyms import new_identity
from evaluation.cli.commands import COMMANDS
from evaluation.cli.main import crocoos
from evaluation.guarded_files import find_plain_files
from evaluation.trial import Trial
from evaluation.trial_log import Event
from tests.support.tiny import PROTOCOL, pupil_ids, school_ids, tiny_trial
from tests.support.tiny import plain_files as sent_files
from tests.support.trials import clock

pytestmark = pytest.mark.slow
RECIPIENT, IDENTITY = new_identity()
_IDENTIFIER = rb"[0-9]{2}77[0-9]{3}"
_LIKE_ONE = re.compile(b"(?=(" + _IDENTIFIER + b"))")

OPENING = (
    ["withdraw", "after/status_SI-02.csv", "FOLDER"],
    ["erase", pupil_ids("SI-04")[2], "FOLDER", "--school", "SI-04"],
    ["collect", "FOLDER"],
    ["forms", "FOLDER", "--wave", "after"],
    ["returns", "FOLDER"],
    ["freeze", "before", "FOLDER"],
    ["lock", "FOLDER"],
    ["unlock", "FOLDER"],
)
"""Commands that need what is sealed, in an order in which a trial may use them."""

OTHERS = (
    *(["status", "FOLDER"], ["log", "FOLDER"], ["plan", "FOLDER"], ["power", "FOLDER"], ["verify", "FOLDER"]),
    ["assign", "FOLDER"],
    *(["certificate", "FOLDER"], ["propose", "pupils.csv", "FOLDER"], ["checks", "FOLDER"], ["codebook", "FOLDER"]),
    *(["export", "SI", "FOLDER"], ["balance", "FOLDER"], ["impact", "FOLDER"], ["report", "FOLDER"]),
    ["publish", "FOLDER"],
)
"""Commands that do not."""

REFUSED = {"simulate": "Practise beside it: `crocoos init"}
"""Commands that refuse on any real trial, and what they say."""

NOT_OF_A_TRIAL = {"init", "demo", "fit"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial whose first data are sealed; the identity that opens it and another file lie beside it."""
    root = tmp_path_factory.mktemp("sealed")
    # Codebook and reports of so few pupils tell together how many rows were refused, which is one after an erasure.
    protocol = PROTOCOL.replace("[inference]", "[reports]\ndisclosure_threshold = 25\n\n[inference]")
    trial = tiny_trial(root / "trial", protocol=protocol)
    trial.plan(freeze=True)
    trial.assign()
    trial.collect()
    trial.lock(IDENTITY)
    (root / "identity.txt").write_text(IDENTITY, encoding="utf-8")
    (root / "pupils.csv").write_text(sent_files()["before/pupil_SI-01.csv"], encoding="utf-8")
    return root


def run(root: Path, words: list[str], *, secret: bool) -> str:
    """Run a command as its openers, or without them, and return what it says."""
    places = {"FOLDER": str(root / "trial"), "pupils.csv": str(root / "pupils.csv")}
    key = ["--key", str(root / "identity.txt"), "--reason", "the yearly round"] if secret else []
    done = CliRunner().invoke(crocoos, [*(places.get(word, word) for word in words), *key])
    if isinstance(done.exception, CrocoosError):
        return str(done.exception)
    assert done.exit_code == 0, f"{words}: {done.output}{done.exception}"
    assert nothing_open(root / "trial") == [], words
    return done.output


def nothing_open(folder: Path) -> list[str]:
    """Return the files that lie open, and those that hold an identifier of a pupil."""
    trial = Trial(folder, clock=clock)
    identifiers = {pupil.encode() for school in school_ids() for pupil in pupil_ids(school)}
    assert all(re.fullmatch(_IDENTIFIER, one) for one in identifiers)
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".pdf", ".woff2")]
    told = [
        path.name
        for path in files
        if _LIKE_ONE.search(path.read_bytes()) and identifiers & set(_LIKE_ONE.findall(path.read_bytes()))
    ]
    return [*find_plain_files(trial), *told]


def opened_for(folder: Path) -> Iterator[str]:
    yield from (line.detail["command"] for line in Trial(folder, clock=clock).log().of(Event.OPENED))


def test_every_command_runs_or_says_what_to_do_and_only_those_that_say_so_open_what_is_sealed(root: Path) -> None:
    tried = {words[0] for words in (*OPENING, *OTHERS)}
    assert {*tried, *REFUSED, *NOT_OF_A_TRIAL, "audit"} == set(COMMANDS)
    folder = root / "trial"
    for command, remedy in REFUSED.items():
        assert remedy in run(root, [command, "FOLDER"], secret=False)
    for words in OPENING:
        assert "Run it in a terminal; or give --reason" in run(root, [*words, *reason_of(words)], secret=False), words
        assert list(opened_for(folder))[-1:] != [words[0]], "nothing was opened"
        run(root, words, secret=True)
        assert list(opened_for(folder))[-1] == words[0]
    n_opened = len(list(opened_for(folder)))
    said = {words[0]: run(root, words, secret=False) for words in OTHERS}
    assert len(list(opened_for(folder))) == n_opened
    assert "have not been audited" in said["publish"]
    # The audit is of the documents that are published then.
    for publishes in (True, False):
        assert json.loads(run(root, ["audit", "FOLDER", "--json"], secret=True))["problems"] == []
        if publishes:
            states = json.loads(run(root, ["status", "FOLDER", "--json"], secret=False))["stages"]
            assert {stage["stage"] for stage in states if stage["state"] != "fresh"} == {"publish"}
            assert "Audited on" in run(root, ["publish", "FOLDER"], secret=False)
            assert "Audited on" in (folder / "output" / "site" / "index.html").read_text(encoding="utf-8")
    assert "is sealed" in run(root, ["status", "FOLDER"], secret=False)
    shutil.rmtree(folder)


def reason_of(words: list[str]) -> list[str]:
    """Return the reason that a command has whether anything is sealed or not."""
    return ["--reason", "sent by mistake"] if words[0] == "withdraw" else []
