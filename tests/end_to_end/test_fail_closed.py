"""What keeps pupils out or apart was lost, cut or changed: every run that writes stops until a reason is in the log."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from data_schema.errors import ProtocolError, StaleError, StorageError
from data_schema.store import Store
from evaluation.claims import describe_order_claims
from evaluation.cli.main import crocoos
from evaluation.provenance import RECORD, hash_file, hash_stage_outputs, read_record
from evaluation.trial import Trial
from evaluation.trial_log import LOG
from tests.support.tiny import plain_files, pupil_ids, tiny_trial
from tests.support.trials import clock

SCHOOL = "SI-01"
REASON = "the disk failed and no copy is left"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial with a pupil erased, a file withdrawn and a wave frozen."""
    trial = tiny_trial(tmp_path_factory.mktemp("ready") / "trial")
    trial.assign()
    trial.collect()
    trial.erase(pupil=pupil_ids(SCHOOL)[0], school=SCHOOL)
    trial.withdraw(file="after/status_SI-02.csv", reason="sent by mistake")
    trial.collect()
    trial.freeze(wave="before")
    return trial.paths.root


@pytest.fixture
def trial(ready: Path, tmp_path: Path) -> Trial:
    shutil.copytree(ready, tmp_path / "trial")
    return Trial(tmp_path / "trial", clock=clock)


def n_rows(trial: Trial, table: str = "pupil") -> int:
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        return len(store.table(table))


def run(trial: Trial, *words: str) -> Result:
    return CliRunner().invoke(crocoos, [words[0], str(trial.paths.root), *words[1:]])


def lose_list(trial: Trial) -> None:
    (trial.paths.private / "erased.json").unlink()


def shorten_list(trial: Trial) -> None:
    (trial.paths.private / "erased.json").write_text('{"tombstones": []}', encoding="utf-8")


def change_list(trial: Trial) -> None:
    path = trial.paths.private / "erased.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values["tombstones"] = [f"{mark[:-1]}{'0' if mark[-1] != '0' else '1'}" for mark in values["tombstones"]]
    path.write_text(json.dumps(values), encoding="utf-8")


def change_key(trial: Trial) -> None:
    path = trial.paths.private / "pseudonym.key"
    text = path.read_text(encoding="ascii")
    path.write_text(f"{'0' if text[0] != '0' else '1'}{text[1:]}", encoding="ascii")


def lose_key(trial: Trial) -> None:
    (trial.paths.private / "pseudonym.key").unlink()


def lose_key_and_table(trial: Trial) -> None:
    lose_key(trial)
    (trial.paths.private / "key_table.age").unlink()


GUARDS = {
    "private/erased.json": (lose_list, shorten_list, change_list),
    "private/pseudonym.key": (change_key, lose_key, lose_key_and_table),
}


@pytest.mark.parametrize(("place", "harm"), [(place, harm) for place, harms in GUARDS.items() for harm in harms])
def test_a_lost_or_changed_guard_stops_every_run_until_it_is_back_or_a_reason_is_logged(
    trial: Trial, place: str, harm: Callable[[Trial], None]
) -> None:
    rows, kept = n_rows(trial), (trial.paths.root / place).read_bytes()
    harm(trial)
    for act in (trial.collect, trial.balance, trial.checks, lambda: trial.export(country="SI")):
        with pytest.raises(StorageError) as raised:
            act()
        assert raised.value.place == place
        assert "crocoos log --accept --reason" in raised.value.remedy
    assert n_rows(trial) == rows
    assert place in run(trial, "status").stdout
    assert run(trial, "status", "--check").exit_code == 1
    assert run(trial, "verify").exit_code == 1
    harmed = Path(shutil.copytree(trial.paths.root, trial.paths.root.with_name("harmed")))
    (trial.paths.root / place).write_bytes(kept)
    trial.collect()
    assert n_rows(trial) == rows
    # The other way out is the command that the remedy names.
    other = Trial(harmed, clock=clock)
    with pytest.raises(ProtocolError, match="no reason"):
        other.accept_loss(reason=" ")
    assert run(other, "log", "--accept", "--reason", REASON).exit_code == 0
    assert REASON in run(other, "log").stdout
    if "key" in place:
        other.thaw(wave="before", reason="pupils have other pseudonyms")
    other.collect()
    assert n_rows(other) == rows + 1
    other.erase(pupil=pupil_ids(SCHOOL)[0], school=SCHOOL)
    assert n_rows(other) == rows
    assert other.verify().log_problems == ()


@pytest.mark.parametrize("n_lines", [1, 2, 3, 4])
def test_a_log_that_lost_its_end_stops_every_run_until_it_is_back_or_begun_again(trial: Trial, n_lines: int) -> None:
    rows = n_rows(trial, "status")
    whole = trial.paths.log.read_bytes()
    trial.paths.log.write_bytes(b"".join(whole.splitlines(keepends=True)[:-n_lines]))
    assert trial.log().state == "whole"
    with pytest.raises(StorageError, match="lines are missing at its end"):
        trial.collect()
    with pytest.raises(StorageError, match="begin-again"):
        trial.export(country="SI")
    with pytest.raises(ProtocolError, match="missing at its end"):
        trial.accept_loss(reason=REASON)
    assert n_rows(trial, "status") == rows
    assert run(trial, "status", "--check").exit_code == 1
    trial.paths.log.write_bytes(whole)
    trial.collect()
    assert n_rows(trial, "status") == rows
    trial.paths.log.write_bytes(b"".join(whole.splitlines(keepends=True)[:-n_lines]))
    done = run(trial, "log", "--begin-again", "--reason", REASON)
    assert done.exit_code == 0
    assert "status_SI-02.csv is not withdrawn any more" in done.stdout
    trial.collect()
    assert n_rows(trial, "status") == rows + 12
    assert trial.verify().log_problems == ()


def test_nothing_is_accepted_where_nothing_is_lost(trial: Trial) -> None:
    with pytest.raises(ProtocolError, match="nothing is lost"):
        trial.accept_loss(reason=REASON)
    assert run(trial, "log", "--accept", "--begin-again", "--reason", REASON).exit_code == 2


def edit_with_record(folder: Path, *names: str) -> None:
    """Edit files of a stage and the record of it, so that the stage looks fresh."""
    for name in names:
        (folder / name).write_bytes((folder / name).read_bytes().replace(b"0.", b"1."))
    record = read_record(folder)
    assert record is not None
    outputs = {name: hash_file(folder / name) for name in record.outputs}
    values = json.loads((folder / RECORD).read_bytes()) | {"outputs": outputs}
    (folder / RECORD).write_text(json.dumps(values), encoding="utf-8")
    assert hash_stage_outputs(folder)


def test_results_that_were_edited_together_with_the_record_of_their_stage_are_not_published(tmp_path: Path) -> None:
    trial = tiny_trial(tmp_path / "trial", files=plain_files())
    trial.assign()
    trial.collect()
    trial.balance()
    trial.impact()
    edit_with_record(trial.paths.results, "estimates.csv", "estimates.json")
    assert next(one for one in trial.status() if one.stage == "impact").state == "fresh"
    trial.report()
    with pytest.raises(StaleError, match=r"results/estimates\.csv is not what line"):
        trial.publish()
    assert not trial.paths.site.exists()
    trial.impact()
    trial.report()
    assert trial.publish().start.exists()


def test_a_balance_that_was_edited_together_with_its_record_is_told_of_and_not_published(tmp_path: Path) -> None:
    trial = tiny_trial(tmp_path / "trial")
    trial.assign()
    trial.balance()
    edit_with_record(trial.paths.balance, "balance.csv")
    assert next(one for one in trial.status() if one.stage == "balance").state == "fresh"
    said = f"What is in balance/ is not what line 2 of {LOG} names"
    assert any(said in problem for problem in trial.verify().problems)
    assert said in " ".join(run(trial, "status").stdout.split())
    assert describe_order_claims(trial)[1].n_disagreements == 1, "documents say so"
    with pytest.raises(StaleError, match=said) as refused:
        trial.publish()
    assert "`crocoos balance`" in refused.value.remedy
    trial.balance()
    assert trial.verify().ok
