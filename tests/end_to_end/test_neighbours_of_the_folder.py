"""A trial's folder among others: git, other runs, the terminal, settings and paths that lie around."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from filelock import FileLock

from data_schema.errors import ProtocolError
from evaluation.cli.console import escape_control_signs, format_in_colour, join_texts
from evaluation.cli.main import crocoos
from evaluation.provenance import LOCK, SCRATCH, get_partial_folder, get_previous_folder, lock_trial_for_writing
from evaluation.scaffold import create_trial_folder
from evaluation.trial import Trial
from tests.support.tiny import PROTOCOL, plain_files, tiny_trial
from tests.support.trials import clock

BINARY = Path(sys.executable).with_name("crocoos")


def git(folder: Path, *words: str) -> str:
    settings = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "core.autocrlf=true"]
    return subprocess.run(["git", *settings, *words], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("git") / "trial"
    create_trial_folder(folder, clock=clock)
    (folder / "trial.toml").unlink()
    lists = {name: text for name, text in plain_files().items() if name.startswith("before/")}
    trial = tiny_trial(folder, files=lists)
    trial.plan(freeze=True)
    trial.assign()
    trial.collect()
    trial.export(country="SI")
    trial.checks()
    return folder


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_no_folder_with_rows_of_pupils_is_kept_by_git_and_a_clone_has_every_byte(
    collected: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "trial"
    shutil.copytree(collected, copied)
    # Whatever the folder above says, each folder ignores itself.
    (copied / ".gitignore").unlink()
    git(copied, "init", "-q")
    git(copied, "add", "--all")
    kept = git(copied, "ls-files").splitlines()
    assert [name for name in kept if name.startswith(("inbox/", "store/", "private/", "output/"))] == []
    assert {"trial.toml", "log.jsonl", "allocation/allocation.csv"} <= set(kept)
    git(copied, "commit", "-qm", "a")
    git(tmp_path, "clone", "-q", str(copied), "clone")
    for name in kept:
        assert (tmp_path / "clone" / name).read_bytes() == (collected / name).read_bytes(), name


def test_lines_that_somebody_has_written_for_git_stay(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("/my-notes/\n/store/", encoding="utf-8")
    (tmp_path / ".gitattributes").write_text("*.png binary\n", encoding="utf-8")
    create_trial_folder(tmp_path, clock=clock)
    lines = (tmp_path / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["/my-notes/", "/store/"]
    assert lines.count("/store/") == 1
    assert {"/inbox/", "/private/", ".lock"} <= set(lines)
    assert (tmp_path / ".gitattributes").read_text(encoding="utf-8").startswith("*.png binary\n")
    assert "* -text\n" in (tmp_path / ".gitattributes").read_text(encoding="utf-8")


def test_a_trial_in_a_folder_of_any_name_is_run_from_the_folder_above(
    collected: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(collected, tmp_path / "O'Brien; é x")
    monkeypatch.chdir(tmp_path)
    trial = Trial("O'Brien; é x", clock=clock)
    trial.collect()
    assert len(list(trial.export(country="SI").folder.iterdir())) > 5
    with lock_trial_for_writing(trial.paths.root), contextlib.chdir("/"), tempfile.TemporaryFile() as written:
        # Wherever a library works meanwhile.
        written.write(b"a row")
    assert not (trial.paths.root / SCRATCH).exists()


def test_a_colour_of_ours_reaches_the_terminal_and_one_of_a_texts_own_does_not() -> None:
    shown = join_texts(" ", (format_in_colour("fresh", colour="green"), "\x1b[31mred"))
    assert shown == "\x1b[32mfresh\x1b[0m \\u001b[31mred"
    assert escape_control_signs(shown) == shown


def test_who_reads_leaves_alone_what_another_run_is_putting_in_its_place(tmp_path: Path) -> None:
    trial = tiny_trial(tmp_path / "trial", files={})
    trial.assign()
    folder = trial.paths.allocation
    get_partial_folder(folder).mkdir()
    (get_partial_folder(folder) / "new.txt").write_text("new", encoding="utf-8")
    folder.rename(get_previous_folder(folder))

    def state() -> list[str]:
        return sorted(path.relative_to(trial.paths.root).as_posix() for path in trial.paths.root.rglob("*"))

    before = state()
    with FileLock(trial.paths.root / LOCK):
        done = CliRunner().invoke(crocoos, ["status", str(trial.paths.root), "--json"], catch_exceptions=False)
        CliRunner().invoke(crocoos, ["log", str(trial.paths.root)], catch_exceptions=False)
        CliRunner().invoke(crocoos, ["verify", str(trial.paths.root)])
        assert state() == before
    assert "puts it in its place" in done.stdout or "putting it in its place" in done.stdout
    # Whoever holds the lock settles it.
    with lock_trial_for_writing(trial.paths.root):
        assert (folder / "allocation.csv").exists()
    assert not get_previous_folder(folder).exists()
    assert not get_partial_folder(folder).exists()


def test_what_a_run_needs_for_a_moment_is_in_the_trials_folder_and_gone_after_the_next_run(tmp_path: Path) -> None:
    before = tempfile.gettempdir()
    script = (
        "import os, sys, tempfile\nfrom pathlib import Path\nfrom evaluation.provenance import lock_trial_for_writing\n"
        f"with lock_trial_for_writing(Path({str(tmp_path)!r})):\n"
        "    handle, name = tempfile.mkstemp()\n    os.write(handle, b'rows of pupils')\n"
        "    print(name, flush=True)\n    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=Path.cwd(), capture_output=True, text=True, check=False)
    left = Path(done.stdout.strip())
    assert done.returncode == -signal.SIGKILL
    assert left.read_bytes() == b"rows of pupils"
    assert left.is_relative_to(tmp_path / SCRATCH)
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / ".erased.json.abcd1234.part").write_bytes(b"half")
    with lock_trial_for_writing(tmp_path):
        assert not left.exists()
        assert not list((tmp_path / "private").iterdir())
    assert not (tmp_path / SCRATCH).exists()
    assert tempfile.gettempdir() == before


@pytest.mark.parametrize(
    "name", ["/etc/hostname", "../other/schools.csv", "a/../../b.csv", "C:\\\\x.csv", "..\\\\x.csv"]
)
@pytest.mark.parametrize("key", ["schools.file", "schools.reserves", "design.allocation", "design.units"])
def test_a_protocol_names_no_file_outside_its_folder(tmp_path: Path, key: str, name: str) -> None:
    table, _, entry = key.partition(".")
    heading = f"[{table}]"
    line = f'{entry} = "{name}"'
    text = (
        PROTOCOL.replace(heading, f"{heading}\n{line}") if heading in PROTOCOL else f"{PROTOCOL}\n{heading}\n{line}\n"
    )
    with pytest.raises(ProtocolError) as raised:
        tiny_trial(tmp_path / "trial", protocol=text, files={})
    assert f"[{table}], key '{entry}'" in str(raised.value)
    assert "is not in the trial's folder" in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        f"a = {'[' * 100_000}{']' * 100_000}",
        f"a = {'{b=' * 900}1{'}' * 900}",
        f"{'.'.join(['a'] * 5_000)} = 1",
        f"[{'.'.join(['a'] * 5_000)}]\nb = 1",
        f"a = {'9' * 10_000}",
    ],
    ids=["lists", "inline tables", "dotted keys", "tables", "digits"],
)
def test_a_protocol_of_any_depth_is_refused_in_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "trial.toml").write_text(PROTOCOL + text, encoding="utf-8")
    with pytest.raises(ProtocolError) as raised:
        Trial(tmp_path)
    assert raised.value.remedy


def test_no_text_from_a_file_drives_the_terminal(tmp_path: Path) -> None:
    title = 'title = "A \\u001b[2J\\u001b]0;owned\\u0007\\u009b31m\\u202etrial"'
    protocol = PROTOCOL.replace('title = "A tiny trial"', title).replace("Control schools", "Control \\u001b[2Jschools")
    lists = {name: text for name, text in plain_files().items() if name.startswith("before/")}
    trial = tiny_trial(tmp_path / "trial", protocol=protocol, files=lists)
    (trial.paths.inbox / "before" / "pupil_\x1b[31m.csv").write_text("?", encoding="utf-8")
    folder = str(trial.paths.root)
    for words in (
        *(["plan"], ["plan", "--json"], ["assign"], ["collect", "--all"], ["collect", "--json"], ["balance"]),
        *(["status"], ["log"], ["verify"]),
    ):
        done = CliRunner().invoke(crocoos, [words[0], folder, *words[1:]], catch_exceptions=False)
        shown = done.stdout + done.stderr
        assert not set(shown) & set("\x1b\x07\x9b\u202e"), words
        if "--json" in words:
            assert isinstance(json.loads(done.stdout), dict)
    broken = trial.paths.protocol.read_text(encoding="utf-8").replace("[trial]", '[trial]\n"\\u001b[2J" = 1')
    trial.paths.protocol.write_text(broken, encoding="utf-8")
    done = CliRunner().invoke(crocoos, ["status", folder])
    assert isinstance(done.exception, ProtocolError)


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_run_that_is_stopped_with_ctrl_c_says_so_in_one_sentence(tmp_path: Path) -> None:
    trial = tiny_trial(tmp_path / "trial", files={})
    words = [str(BINARY), "power", str(trial.paths.root), "--pupils-per-school", "60", "--simulate", "1000000"]
    # A shell that runs tests in the background lets its children ignore the key.
    heed = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    words = [sys.executable, "-c", heed, *words]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        held = trial.paths.root / SCRATCH
        for _ in range(600):
            if held.exists() or run.poll() is not None:
                break
            time.sleep(0.1)
        time.sleep(0.5)
        try:
            os.killpg(run.pid, signal.SIGINT)
            out, err = run.communicate(timeout=60)
        finally:
            run.kill()
    assert (run.returncode, out) == (130, "")
    assert err.strip().splitlines() == [
        "Stopped. What was there before is as it was; run the same command again to have it done."
    ]


@pytest.mark.parametrize(
    "settings", [b"savefig.dpi: 12\nfont.size: 40\naxes.facecolor: red\nsvg.fonttype: none\n", b"\xff\xfe not text"]
)
def test_settings_of_matplotlib_in_the_working_folder_change_no_figure(tmp_path: Path, settings: bytes) -> None:
    script = (
        "from reports.figures.style import create_blank_figure, drawing\n"
        "import io, sys\n"
        "with drawing():\n"
        "    figure, axes = create_blank_figure(2)\n    axes.plot([1, 2]); axes.set_title('a')\n"
        "    made = io.BytesIO()\n"
        "    figure.savefig(made, format='svg', metadata={'Date': None}); sys.stdout.write(made.getvalue().decode())\n"
    )
    plain, changed = tmp_path / "plain", tmp_path / "changed"
    for folder in (plain, changed):
        folder.mkdir()
    (changed / "matplotlibrc").write_bytes(settings)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    drawn = [
        subprocess.run(
            [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
        for folder in (plain, changed)
    ]
    assert drawn[0].stdout.startswith("<?xml")
    assert drawn[0].stdout == drawn[1].stdout
    assert drawn[1].stderr == ""
