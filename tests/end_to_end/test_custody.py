"""Once `crocoos lock` has been called, nothing in the folder but the openers' secrets tells who is who."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from data_schema.errors import DataError, StorageError
from data_schema.pseudonyms import decrypt_key_table, new_identity, unlock_identity
from data_schema.store import Store
from evaluation.cli.main import crocoos
from evaluation.guarded_files import Opening
from evaluation.sealing import restore_vault_state
from evaluation.trial import Trial
from evaluation.trial_log import Event
from evaluation.vault import Held, create_opener, decrypt_vault, encrypt_vault, read_vault_outside
from tests.support.reidentify import found_again, found_by_order, told_by_a_hash
from tests.support.tiny import N_PUPILS, PROTOCOL, plain_files, pupil_ids, school_ids, tiny_trial
from tests.support.trials import clock, states_at_touches

PASSPHRASE = " ".join(["five", "words", "are", "long", "enough"])
OTHER = f"other {PASSPHRASE}"
REASON = "the files of the second wave"
RECIPIENT, IDENTITY = new_identity()
"""Of an opener who has no passphrase: nothing slow is computed in most tests."""

TWO = PROTOCOL + '[privacy]\nopeners = ["data protection officer", "project lead"]\n'


def opening(*secrets: str, reason: str = REASON) -> Callable[[str, tuple[str, ...]], Opening]:
    return lambda _command, _openers: Opening(reason=reason, secrets=secrets)


def opened(folder: Path, *secrets: str) -> Trial:
    return Trial(folder, clock=clock, opening=opening(*(secrets or (IDENTITY,))))


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial with its data, a pupil erased, a file withdrawn, its forms and its estimates; nothing is sealed yet."""
    trial = tiny_trial(tmp_path_factory.mktemp("ready") / "trial")
    trial.assign()
    trial.collect()
    trial.erase(pupil=pupil_ids("SI-01")[0], school="SI-01")
    trial.withdraw(file="after/status_SI-02.csv", reason="sent by mistake")
    trial.collect()
    trial.balance()
    trial.impact()
    trial.forms(wave="after")
    return trial.paths.root


@pytest.fixture(scope="module")
def sealed(ready: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same trial after `lock`, for the holder of an identity."""
    folder = tmp_path_factory.mktemp("sealed") / "trial"
    shutil.copytree(ready, folder)
    Trial(folder, clock=clock).lock(IDENTITY)
    return folder


@pytest.fixture
def folder(sealed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sealed, tmp_path / "trial"))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "identity.txt"
    path.write_text(f"# created by age-keygen\n{IDENTITY}\n", encoding="utf-8")
    return path


def run(folder: Path, *words: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(crocoos, [words[0], str(folder), *words[1:]])


def every_byte(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Give every file, what is in zipped ones as well, and the names of all."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        yield "names", name.encode()
        if path.is_file():
            yield name, path.read_bytes()
        if path.is_file() and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield from ((f"{name}/{one}", archive.read(one)) for one in archive.namelist())


def states(folder: Path) -> dict[str, str]:
    return {one.stage: one.state for one in Trial(folder, clock=clock).status()}


def open_files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for top in ("inbox", "private")
        for path in (folder / top).rglob("*")
        if path.is_file()
    }


OUTSIDE = {"private/vault.zip", "private/README.txt", "private/.gitignore", "private/erased.json", "inbox/.gitignore"}


def test_what_tells_who_is_who_is_in_the_vault_and_nowhere_else(folder: Path) -> None:
    left = open_files(folder)
    assert {name for name in left if not name.startswith("private/certificates/")} == OUTSIDE
    identifiers = {pupil for school in school_ids() for pupil in pupil_ids(school)}
    for name, content in every_byte(folder):
        assert not [one for one in identifiers if one.encode() in content], name
        assert b"AGE-SECRET-KEY" not in content, name
    files, _ = decrypt_vault((folder / "private" / "vault.zip").read_bytes(), [IDENTITY])
    assert {name for name in files if name.startswith("inbox/")} == {f"inbox/{name}" for name in plain_files()}
    forms = [name for name in files if name.startswith("private/forms/")]
    assert len([name for name in forms if name.endswith(".xlsx")]) == len(school_ids())
    assert len([name for name in forms if name.endswith("pupils.csv")]) == len(school_ids())
    assert {"private/pseudonym.key", "private/key_table.age", "private/identity.txt"} <= set(files)


def test_everything_that_needs_no_identifier_works_without_opening(folder: Path) -> None:
    before = states(folder)
    assert [before[name] for name in ("assign", "collect", "balance", "impact")] == ["fresh"] * 4
    trial = Trial(folder, clock=clock)
    trial.balance()
    trial.impact()
    trial.checks()
    trial.codebook()
    trial.export(country="SI")
    trial.certificate()
    assert trial.verify().problems == ()
    assert states(folder)["collect"] == "fresh"
    assert "sealed" in run(folder, "status").stdout
    assert {name for name in open_files(folder) if "certificates" not in name} == OUTSIDE


NEED = {
    "collect": ["collect"],
    "unlock": ["unlock"],
    "freeze": ["freeze"],
}
"""Of the commands that need it; test_every_command_on_a_sealed_trial.py runs the others."""


@pytest.mark.parametrize("command", NEED)
def test_who_is_who_is_opened_with_the_key_and_a_reason_that_the_log_shows(
    folder: Path, key_file: Path, command: str
) -> None:
    words = [command, *(["before"] if command == "freeze" else []), str(folder), *NEED[command][1:]]
    before = dict(every_byte(folder))
    refused = CliRunner().invoke(crocoos, [*words, "--reason", REASON])
    assert refused.exit_code != 0
    assert "nobody answers" in str(refused.exception)
    other = key_file.with_name("other.txt")
    other.write_text(new_identity()[1], encoding="utf-8")
    wrong = CliRunner().invoke(crocoos, [*words, "--reason", REASON, "--key", str(other)])
    assert "Nothing was changed" in str(wrong.exception)
    assert dict(every_byte(folder)) == before, "a wrong key changes nothing"
    done = CliRunner().invoke(crocoos, [*words, "--reason", REASON, "--key", str(key_file)])
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    shown = run(folder, "log").stdout
    assert f"command: {command}" in shown
    assert REASON in shown
    assert Trial(folder, clock=clock).verify().problems == ()
    assert {name for name in open_files(folder) - OUTSIDE if "certificates/" not in name} == set()


def test_a_reason_that_names_a_person_is_refused_before_anything_is_opened(folder: Path) -> None:
    trial = Trial(folder, clock=clock, opening=opening(IDENTITY, reason="Janez Novak asked for it"))
    with pytest.raises(DataError, match="may say something of a person"):
        trial.collect()
    with pytest.raises(DataError, match="there is none"):
        Trial(folder, clock=clock, opening=opening(IDENTITY, reason=" ")).collect()
    with pytest.raises(StorageError, match="it is not open"):
        Trial(folder, clock=clock).collect()


def test_a_sealed_trial_takes_new_files_in_and_seals_them_and_makes_the_same_store(ready: Path, folder: Path) -> None:
    late = "school_id;pupil_id;gender;consent\nSI-03;0399999;girl;yes\n"
    for place in (ready.with_name("open"), folder):
        if place != folder:
            shutil.copytree(ready, place)
        (place / "inbox" / "before").mkdir(exist_ok=True)
        (place / "inbox" / "before" / "pupil_late.csv").write_text(late, encoding="utf-8")
    assert states(folder)["collect"] == "stale"
    plain, trial = Trial(ready.with_name("open"), clock=clock), opened(folder)
    plain.collect()
    trial.collect()
    hashes = []
    for one in (plain, trial):
        with Store.open_read(one.paths.store / "trial.duckdb") as store:
            hashes.append(store.content_sha256())
            assert store.facts()["erased"] != "[]"
            assert "after/status_SI-02.csv" in store.facts()["withdrawn"]
    assert hashes[0] == hashes[1], "pseudonyms, erasure and withdrawal are those of before"
    assert "inbox/before/pupil_late.csv" not in open_files(folder)
    assert states(folder)["collect"] == "fresh"
    trial.collect()
    assert states(folder)["collect"] == "fresh"


def test_a_pupil_is_erased_from_a_sealed_trial_and_from_its_sealed_forms(folder: Path) -> None:
    pupil = pupil_ids("SI-04")[2]
    done = opened(folder).erase(pupil=pupil, school="SI-04")
    assert done.rows == {"pupil, before": 1, "status, after": 1}
    assert "private/forms" in done.removed
    files, _ = decrypt_vault((folder / "private" / "vault.zip").read_bytes(), [IDENTITY])
    assert not [name for name in files if name.startswith("private/forms/")]
    table = decrypt_key_table(files["private/key_table.age"].content, files["private/identity.txt"].content.decode())
    assert pupil not in set(table["pupil_id"])
    assert Trial(folder, clock=clock).verify().problems == ()


def test_a_pupil_leaves_a_sealed_file_when_the_school_sends_it_corrected_and_the_log_tells_both(folder: Path) -> None:
    pupil, trial = pupil_ids("SI-04")[2], opened(folder)
    # One was erased before: from the list of pupils and from the status.
    assert "Files of schools still hold 2 rows of pupils who were erased" in run(folder, "status").stdout
    done = trial.erase(pupil=pupil, school="SI-04")
    assert done.inbox == ("after/status_SI-04.csv", "before/pupil_SI-04.csv")
    content = store_hash(folder)
    said = " ".join(run(folder, "status").stdout.split())
    assert (
        "Files of schools still hold 4 rows of pupils who were erased from the data. To erase them there, too" in said
    )
    for name in done.inbox:
        (folder / "inbox" / name).parent.mkdir(exist_ok=True)
        lines = [line for line in plain_files()[name].splitlines(keepends=True) if pupil not in line]
        (folder / "inbox" / name).write_text("".join(lines), encoding="utf-8")
    trial.collect()
    files, _ = decrypt_vault((folder / "private" / "vault.zip").read_bytes(), [IDENTITY])
    assert not [name for name, one in files.items() if pupil.encode() in one.content]
    assert store_hash(folder) == content
    collected = trial.log().of(Event.COLLECTED)
    assert [line.detail["n_rows_of_erased_in_files"] for line in collected[-2:]] == ["4", "2"]
    assert "still hold 2 rows" in " ".join(run(folder, "status").stdout.split())
    assert states(folder)["collect"] == "fresh"
    assert trial.verify().problems == ()


def store_hash(folder: Path) -> str:
    with Store.open_read(folder / "store" / "trial.duckdb") as store:
        return store.content_sha256()


def test_forms_that_are_made_after_lock_lie_open_nowhere_until_the_log_says_that_they_were_handed_out(
    folder: Path, tmp_path: Path, key_file: Path
) -> None:
    secret = ["--reason", REASON, "--key", str(key_file)]
    made = run(folder, "forms", "--wave", "after", *secret)
    assert "in the vault" in made.stdout
    assert "`crocoos forms --wave after --to FOLDER`" in made.stdout
    assert {name for name in open_files(folder) if "certificates" not in name} == OUTSIDE
    assert Trial(folder, clock=clock).log().of(Event.HANDED_OUT) == ()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "letter.txt").write_text("a letter", encoding="utf-8")
    for place, problem in ((folder / "forms", "in the trial's folder"), (tmp_path / "taken", "something in its place")):
        refused = run(folder, "forms", "--wave", "after", "--to", str(place), *secret)
        assert problem in str(refused.exception)
    sent = tmp_path / "to send"
    assert run(folder, "forms", "--wave", "after", "--to", str(sent), *secret).exit_code == 0
    files, _ = decrypt_vault((folder / "private" / "vault.zip").read_bytes(), [IDENTITY])
    top = "private/forms/after/"
    held_back = {name.removeprefix(top): one.content for name, one in files.items() if name.startswith(top)}
    assert {path.relative_to(sent).as_posix(): path.read_bytes() for path in sent.rglob("*.*")} == held_back
    assert pupil_ids("SI-05")[3].encode() in held_back["SI/SI-05/pupils.csv"]
    (line,) = Trial(folder, clock=clock).log().of(Event.HANDED_OUT)
    assert line.detail == {"forms": "after", "n_files": str(len(held_back))}
    assert {name for name in open_files(folder) if "certificates" not in name} == OUTSIDE
    assert sent.stat().st_mode & 0o077 == 0 or os.name != "posix"


def test_what_is_put_into_a_sealed_trial_is_named_by_every_command_until_one_seals_it(
    folder: Path, key_file: Path
) -> None:
    (folder / "inbox" / "before").mkdir(exist_ok=True)
    (folder / "inbox" / "before" / "pupil_late.csv").write_text("school_id;pupil_id\n", encoding="utf-8")
    said = "inbox/before/pupil_late.csv lies open, though the rest is sealed."
    assert said in " ".join(run(folder, "status").stdout.split())
    assert said in run(folder, "codebook").stderr
    assert run(folder, "lock", "--reason", REASON, "--key", str(key_file)).exit_code == 0
    assert "inbox/before/pupil_late.csv" not in open_files(folder)
    assert said not in run(folder, "status").output + run(folder, "codebook").stderr


def test_unlocking_for_good_gives_back_every_byte_and_is_logged(ready: Path, folder: Path) -> None:
    opened(folder).unlock(for_good=True)
    for top in ("inbox", "private"):
        for path in (ready / top).rglob("*"):
            if path.is_file():
                again = folder / path.relative_to(ready)
                assert again.read_bytes() == path.read_bytes(), path
                assert again.stat().st_mtime == pytest.approx(path.stat().st_mtime)
    assert not (folder / "private" / "vault.zip").exists()
    trial = Trial(folder, clock=clock)
    assert trial.verify().problems == ()
    assert states(folder)["collect"] == "fresh"
    assert [entry.event for entry in trial.log().entries[-2:]] == ["opened", "unsealed"]
    trial.collect()
    with pytest.raises(DataError, match="nothing is sealed"):
        trial.unlock()
    trial.lock(IDENTITY)
    assert states(folder)["collect"] == "fresh"


def test_with_two_openers_neither_opens_it_alone_and_both_open_it_in_any_order(tmp_path: Path) -> None:
    trial = tiny_trial(tmp_path / "trial", protocol=TWO)
    trial.assign()
    trial.collect()
    second_recipient, second = new_identity()
    with pytest.raises(DataError, match="2 different ones are needed, of: data protection officer, project lead"):
        trial.lock(IDENTITY)
    with pytest.raises(DataError, match="2 different ones are needed"):
        trial.lock(IDENTITY, IDENTITY)
    # The second one keeps the identity elsewhere: its recipient is enough.
    trial.lock(IDENTITY, second_recipient)
    vault = (tmp_path / "trial" / "private" / "vault.zip").read_bytes()
    for one, missing in ((IDENTITY, "project lead"), (second, "data protection officer")):
        with pytest.raises(DataError, match=f"does not open for the {missing}"):
            opened(tmp_path / "trial", one).collect()
        with pytest.raises(DataError):
            decrypt_vault(vault, [one, one])
    for both in ((IDENTITY, second), (second, IDENTITY)):
        opened(tmp_path / "trial", *both).collect()
    last = trial.log().of("opened")[-1]  # type: ignore[arg-type]
    assert last.detail["openers"] == "data protection officer; project lead"
    text = " ".join(run(tmp_path / "trial", "status").stdout.split())
    assert "opened by: data protection officer; project lead" in text


def test_passphrases_lock_the_openers_identities_and_can_be_renewed(tmp_path: Path) -> None:
    trial = tiny_trial(tmp_path / "trial")
    trial.collect()
    with pytest.raises(DataError, match="can be guessed"):
        trial.lock("short")
    assert not (trial.paths.private / "vault.zip").exists()
    assert run(trial.paths.root, "lock", CROCOOS_PASSPHRASE=PASSPHRASE).exit_code == 0
    (opener,) = read_vault_outside((trial.paths.private / "vault.zip").read_bytes()).openers
    identity = unlock_identity(opener.locked, PASSPHRASE)
    with pytest.raises(DataError, match="another passphrase"):
        unlock_identity(opener.locked, OTHER)
    renewed = run(
        *(trial.paths.root, "lock", "--renew", "--reason", "the officer has changed"),
        CROCOOS_PASSPHRASE=PASSPHRASE,
        CROCOOS_NEW_PASSPHRASE=OTHER,
    )
    assert renewed.exit_code == 0, renewed.output
    for secret in (PASSPHRASE, identity):
        with pytest.raises(DataError, match="Nothing was changed"):
            opened(trial.paths.root, secret).unlock()
    assert opened(trial.paths.root, OTHER).unlock().n_sent == len(plain_files())


HARMS: dict[str, Callable[[Path], object]] = {
    "gone": lambda vault: vault.unlink(),
    "flipped": lambda vault: vault.write_bytes(vault.read_bytes()[:-300] + b"\x00" + vault.read_bytes()[-299:]),
    "cut": lambda vault: vault.write_bytes(vault.read_bytes()[:-100]),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_vault_that_is_lost_or_damaged_stops_every_run_until_a_reason_is_logged(folder: Path, harm: str) -> None:
    vault = folder / "private" / "vault.zip"
    kept = vault.read_bytes()
    HARMS[harm](vault)
    for act in ("balance", "collect", "lock", "unlock"):
        answer = run(folder, act)
        assert isinstance(answer.exception, StorageError)
        assert "private/vault.zip" in str(answer.exception)
        assert "`crocoos log --accept --reason TEXT`" in str(answer.exception)
    assert run(folder, "verify").exit_code == 1
    vault.write_bytes(kept)
    assert run(folder, "balance").exit_code == 0
    vault.unlink()
    assert run(folder, "log", "--accept", "--reason", "the disk failed and no copy is left").exit_code == 0
    assert run(folder, "balance").exit_code == 0


def test_a_vault_that_is_lost_with_the_log_is_missed(folder: Path) -> None:
    trial = Trial(folder, clock=clock)
    trial.paths.log.unlink()
    assert trial.log().state == "missing"
    assert run(folder, "log", "--begin-again", "--reason", "the disk failed").exit_code == 0
    assert trial.verify().log_problems == ()
    # The withdrawal is lost with the log, and nothing else.
    (reason,) = next(one for one in trial.status() if one.stage == "collect").reasons
    assert reason == "decisions in log.jsonl is gone."
    assert opened(folder).unlock().n_sent == len(plain_files())


def held(folder: Path) -> dict[str, bytes]:
    """Return what a folder holds of who is who, in the clear or in the vault; it must be whole in one of them."""
    trial = opened(folder)
    trial.settle()
    assert trial.log().is_usable
    plain = {name: (folder / name).read_bytes() for name in open_files(folder) - OUTSIDE}
    vault = folder / "private" / "vault.zip"
    if vault.exists():
        files, _ = decrypt_vault(vault.read_bytes(), [IDENTITY])
        return {name: one.content for name, one in files.items()} | plain
    return plain


def kind_of(state: Path) -> tuple[object, ...]:
    """Return what tells a state in which files and vault change places from another."""
    names = sorted(path.name.split(".part")[0][:16] for path in (state / "private").glob("*vault*"))
    n_plain = len(list((state / "inbox").rglob("*.csv")))
    lines = (state / "log.jsonl").read_bytes().count(b"\n")
    return (*names, lines, n_plain in (0, 1), n_plain >= len(plain_files()), (state / "private" / "forms").exists())


@pytest.mark.parametrize("way", ["lock", "collect", "unlock"])
def test_a_kill_at_any_step_leaves_the_old_state_or_the_new_and_nothing_in_the_clear(
    ready: Path, folder: Path, tmp_path: Path, way: str
) -> None:
    base = tmp_path / "base"
    shutil.copytree(ready if way == "lock" else folder, base)
    if way == "collect":
        (base / "inbox" / "before" / "pupil_late.csv").write_text(
            "school_id;pupil_id;gender;consent\nSI-03;0399999;girl;yes\n", encoding="utf-8"
        )
    before = held(base)
    acts: dict[str, Callable[[], object]] = {
        "lock": lambda: Trial(base, clock=clock).lock(IDENTITY),
        "collect": lambda: opened(base).collect(),
        "unlock": lambda: opened(base).unlock(for_good=True),
    }
    left = states_at_touches(base, acts[way], into=tmp_path / "left")
    assert len(left) > 5
    sides, known = set(), set()
    for state in left:
        if (kind := kind_of(state)) in known:
            continue
        known.add(kind)
        found = held(state)
        changing = {"private/key_table.age"} if way == "collect" else set()
        assert {name: one for name, one in found.items() if name not in changing} == {
            name: one for name, one in before.items() if name not in changing
        }, state
        # Certificates stay outside whatever happens.
        lies_open = {name for name in open_files(state) if name in before and "certificates" not in name}
        is_sealed = (state / "private" / "vault.zip").exists()
        if way == "collect":
            assert lies_open <= {"inbox/before/pupil_late.csv", "private/key_table.age"}
        else:
            assert lies_open in (set(), {one for one in before if "certificates" not in one})
            assert is_sealed == (not lies_open)
        assert not [path.name for path in (state / "private").iterdir() if "new" in path.name or "moves" in path.name]
        if (is_sealed, len(lies_open)) not in sides:
            assert Trial(state, clock=clock).verify().problems == ()
        sides.add((is_sealed, len(lies_open)))
        shutil.rmtree(state)
    assert len(sides) >= 2


def test_a_full_disk_leaves_everything_as_it_was(ready: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "trial"
    shutil.copytree(ready, folder)
    before = dict(every_byte(folder))
    real = os.fsync

    def full(handle: int) -> None:
        if os.fstat(handle).st_size > 10_000:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        Trial(folder, clock=clock).lock(IDENTITY)
    monkeypatch.undo()
    after = dict(every_byte(folder))
    assert {name for name in after if name != ".lock"} == {name for name in before if name != ".lock"}
    assert all(after[name] == content for name, content in before.items() if name not in ("names", ".lock"))


def test_a_file_that_changed_while_it_was_sealed_is_not_removed(folder: Path) -> None:
    trial = opened(folder)
    (folder / "inbox" / "new.csv").write_text("a;b\n", encoding="utf-8")
    trial.collect()
    assert not (folder / "inbox" / "new.csv").exists()
    vault = (folder / "private" / "vault.zip").read_bytes()
    moves = {"to": "vault", "vault_sha256": trial.log().last("sealed").detail["vault_sha256"]}  # type: ignore[arg-type, union-attr]
    (folder / "inbox" / "new.csv").write_text("a;b;c\n", encoding="utf-8")
    text = json.dumps({**moves, "paths": {"inbox/new.csv": [4, 1]}})
    (folder / "private" / "vault.moves.json").write_text(text, encoding="utf-8")
    restore_vault_state(trial)
    assert (folder / "inbox" / "new.csv").read_text(encoding="utf-8") == "a;b;c\n"
    assert (folder / "private" / "vault.zip").read_bytes() == vault


def test_names_of_files_that_no_system_likes_come_back_as_they_were() -> None:
    files = {
        name: Held(content=name.encode("utf-8", "surrogateescape"), modified=float(at))
        for at, name in enumerate(
            ("inbox/n\udce9v.csv", "inbox/n\\xe9v.csv", "inbox/a\nb.csv", "inbox/../x", "inbox/é")
        )
    }
    vault = encrypt_vault(files, openers=[create_opener("opener", IDENTITY)], facts={})
    assert decrypt_vault(vault, [IDENTITY])[0] == files
    assert read_vault_outside(vault).openers[0].recipient == RECIPIENT


def test_a_medium_that_is_not_there_stops_what_needs_it_and_nothing_else(
    sealed: Path, tmp_path: Path, key_file: Path
) -> None:
    folder, medium = Path(shutil.copytree(sealed, tmp_path / "trial")), tmp_path / "stick"
    (folder / "private").rename(medium)
    (folder / "private").symlink_to(medium)
    assert states(folder)["collect"] == "fresh"
    assert run(folder, "collect", "--key", str(key_file), "--reason", REASON).exit_code == 0
    medium.rename(tmp_path / "in the drawer")
    before = states(folder)
    assert before["collect"] == before["impact"] == "fresh"
    assert "on a medium that is not there" in run(folder, "status").stdout
    for words in (["balance"], ["impact"], ["codebook"], ["verify"], ["checks"]):
        assert run(folder, *words).exit_code == 0, words
    for words in (["collect"], ["lock"], ["unlock"], ["forms", "--wave", "after"]):
        refused = run(folder, *words, "--key", str(key_file), "--reason", REASON)
        assert "it is on a medium that is not there. Attach the medium" in str(refused.exception), words
    (tmp_path / "in the drawer").rename(medium)
    assert run(folder, "collect", "--key", str(key_file), "--reason", REASON).exit_code == 0
    assert re.search(r"opened\s+command: collect", run(folder, "log").stdout)


def test_trying_all_identifiers_finds_every_pupil_before_lock_and_nobody_after(ready: Path, sealed: Path) -> None:
    registers = {school: pupil_ids(school) for school in school_ids()}
    pupils = sum(map(len, registers.values()))
    open_ = found_again(ready, registers)
    assert len(open_) == pupils - 1, "all but the erased one: the attack works where the key lies open"
    assert found_again(sealed, registers) == {}
    guessed = [text.encode() for text in plain_files().values()]
    assert told_by_a_hash(sealed, guessed, list(open_)) == []
    assert told_by_a_hash(ready, guessed, list(open_)) != [], "marks of files are keyed, and the key lies open"


def test_counting_down_the_rows_of_a_school_beside_its_register_finds_no_more_than_chance(ready: Path) -> None:
    # One pupil of each school is in its own place by chance; before, all did.
    share = found_by_order(ready, {school: pupil_ids(school) for school in school_ids()})
    assert share < 4 / N_PUPILS


@pytest.mark.skipif(os.name != "posix", reason="other systems keep rights in another way")
def test_folders_that_hold_rows_of_pupils_are_open_to_their_owner_alone(
    ready: Path, sealed: Path, tmp_path: Path
) -> None:
    for folder in (ready, sealed):
        for name in ("private", "inbox", "store", "store/queries"):
            assert (folder / name).stat().st_mode & 0o077 == 0, name
        for top in ("private", "store"):
            files = [path for path in (folder / top).rglob("*") if path.is_file() and path.name != ".gitignore"]
            assert files
            assert not [path for path in files if path.stat().st_mode & 0o077]
    assert (ready / "private" / "forms" / "after").stat().st_mode & 0o077 == 0
    again = Path(shutil.copytree(ready, tmp_path / "trial"))
    (again / ".gitignore").write_text("/inbox/\n/store/\n/private/\n", encoding="utf-8")
    Trial(again, clock=clock).codebook()
    for name in ("results", "output/codebook"):
        assert (again / name).stat().st_mode & 0o050 == 0o050, "figures are there to be read"
