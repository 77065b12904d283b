"""Every remedy that names a command works: each is produced, done to the letter in the trial's folder, and ends well.

The texts are collected from the code, so that a new message that names a command fails here until it has been tried.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from analysis.simulation import SimulatedTrial
from data_schema.errors import CrocoosError
from evaluation.cli.main import crocoos
from evaluation.rehearsal.rehearse import simulate_trial_inputs
from evaluation.trial import Trial
from tests.support.protocols import ROOT
from tests.support.trials import SEED, clock, short_protocol, small_trial

PACKAGES = ("data_schema", "randomisation", "analysis", "reports", "evaluation")
COMMAND = re.compile(r"`(crocoos [^`]+)`")
WORDS = {"...": '"4 8 15 16 23 42"', "TEXT": '"as the minutes say"', "FILE": "late.csv", "FOLDER": "another"}
"""What represents the words in capitals of a remedy's commands."""

Step = Callable[[Path], object]


def texts_with_commands() -> Iterator[str]:
    """Give every text of the code that names a command between back quotes; what is filled in is {}."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
            inside = {id(part) for node in joined for part in ast.iter_child_nodes(node)}
            for node in ast.walk(tree):
                text = _text_of(node)
                if id(node) not in documentation | inside and COMMAND.search(text):
                    yield text


def _text_of(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in ast.iter_child_nodes(node)]
        return "".join(map(str, parts))
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{\w+\}", "{}", node.value)
    return ""


def nothing(_: Path) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """A way to see a remedy, and what is tried after it.

    Parameters
    ----------
    start
        State of the trial: "new" (nothing drawn), "drawn" (files sent) or "collected".
    spoil
        What goes wrong.
    refused
        The command that answers with the remedy.
    prepare, finish
        What the remedy asks for by hand, before and after its commands.
    words
        What represents words in capitals, where it is not `WORDS`.
    only
        Which of the commands is tried, from 0, where they are alternatives; all of them, one after the other, if None.
    then
        A command that must succeed in the end; the one that was refused when empty.
    fresh
        Stage that must be fresh in the end; "" where the remedy is about none.
    """

    start: str = "drawn"
    spoil: Step = nothing
    refused: str
    prepare: Step = nothing
    finish: Step = nothing
    words: Mapping[str, str] | None = None
    only: int | None = None
    then: str = ""
    fresh: str = ""


def steps(*several: Step) -> Step:
    """Do one thing after the other."""

    def run_all(folder: Path) -> None:
        for step in several:
            step(folder)

    return run_all


def edit(name: str, old: str, new: str) -> Step:
    """Change a text in a file, where it is first."""

    def change(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def keep(name: str) -> Step:
    """Keep a copy of a file."""
    return lambda folder: shutil.copy(folder / name, folder / "kept")


def bring_back(name: str) -> Step:
    """Bring the copy of a file back."""
    return lambda folder: shutil.copy(folder / "kept", folder / name)


def commit(folder: Path) -> None:
    """Commit to schools and design."""
    Trial(folder, clock=clock).commit(seed_source="the lottery of 1 March", reason="as agreed")


def commit_after_a_draw(folder: Path) -> None:
    """Draw what was committed to, and commit again."""
    commit(folder)
    Trial(folder, clock=clock).reveal(seed="the first lottery")
    commit(folder)


def add_late_schools(folder: Path) -> None:
    """Draw late schools."""
    Trial(folder, clock=clock).add_late(folder / "late.csv", seed="another lottery")
    shutil.copy(folder / "later.csv", folder / "late.csv")


def freeze(folder: Path) -> None:
    """Freeze the data of the first wave."""
    Trial(folder, clock=clock).freeze(wave="baseline")


def lists_of_pupils(folder: Path) -> list[Path]:
    """Return the files of the first wave."""
    return sorted(path for path in (folder / "inbox" / "baseline").rglob("*") if path.is_file())


def change_a_file(folder: Path) -> None:
    """Take a file of the first wave out of the inbox."""
    lists_of_pupils(folder)[0].rename(folder / "taken_out")


def put_the_file_back(folder: Path) -> None:
    """Put the file back that was taken out; the file's name is in the list of those that were sent."""
    sent = pd.read_csv(folder / "store" / "returns.csv", dtype=str)["file"].str.split(".zip/").str[0]
    missing = next(name for name in sent if not (folder / "inbox" / name).exists() and ".zip" not in name)
    (folder / "taken_out").rename(folder / "inbox" / missing)


def take_the_lists_away(folder: Path) -> None:
    """Take the first wave out of the inbox, and collect the rest."""
    (folder / "inbox" / "baseline").rename(folder / "baseline")
    Trial(folder, clock=clock).collect()


def put_the_lists_back(folder: Path) -> None:
    """Put the first wave back."""
    (folder / "baseline").rename(folder / "inbox" / "baseline")


def take_the_second_wave_away(folder: Path) -> None:
    """Take the second wave out of the inbox, and collect the rest."""
    (folder / "inbox" / "followup").rename(folder / "followup")
    Trial(folder, clock=clock).collect()


def put_the_second_wave_back(folder: Path) -> None:
    """Put the second wave back."""
    (folder / "followup").rename(folder / "inbox" / "followup")


def withdraw_a_file(folder: Path) -> None:
    """Withdraw a file of the inbox, and note its name as the log has it."""
    trial = Trial(folder, clock=clock)
    name = lists_of_pupils(folder)[0].relative_to(trial.paths.inbox).as_posix()
    trial.withdraw(file=name, reason="sent by mistake")
    (folder / "inbox" / "its_name.txt").write_text("", encoding="utf-8")
    assert name in run("crocoos log")[1]


def damage_the_database(folder: Path) -> None:
    """Overwrite the database with something else."""
    (folder / "store" / "trial.duckdb").write_bytes(b"no database" * 100)


PRODUCTS: Mapping[str, Callable[[Trial], object]] = {
    "balance/balance.csv": lambda trial: trial.balance(),
    "output/export/HU/README.md": lambda trial: trial.export(country="HU"),
}
"""A file of a product, and what makes it; test_audit.py tries the others."""


def make_and_add_to(name: str) -> Step:
    """Make a product and add a byte to one of its files."""

    def change(folder: Path) -> None:
        PRODUCTS[name](Trial(folder, clock=clock))
        with (folder / name).open("ab") as stream:
            stream.write(b" ")

    return change


NO_SEED = edit("trial.toml", 'seed = "a lottery"', 'seed = ""')
SEED_TAKEN_OUT = NO_SEED
OTHER_PLAN = edit("trial.toml", 'direction = "lower"', 'direction = "higher"')
OTHER_SCHOOLS = edit("schools.csv", ",HU,", ",RS,")
TOO_DEEP = steps(keep("trial.toml"), edit("trial.toml", "[trial]", f"deep = {'[' * 40}{']' * 40}\n[trial]"))
NO_TITLE = steps(keep("trial.toml"), edit("trial.toml", "title = ", "# title = "))

REMEDIES: Mapping[str, tuple[Remedy, ...]] = {
    "Add it; the protocol that `crocoos init FOLDER` writes shows its purpose.": (
        Remedy(start="new", spoil=NO_TITLE, refused="crocoos plan", finish=bring_back("trial.toml")),
    ),
    "Bring back what was there; or thaw the wave with a reason: `crocoos freeze {} --thaw --reason TEXT`.": (
        Remedy(start="collected", spoil=steps(freeze, change_a_file), refused="crocoos collect", fresh="collect"),
    ),
    "Bring it back from a copy, or make it again: `crocoos {}`.": tuple(
        Remedy(start="collected", spoil=make_and_add_to(name), refused="crocoos publish", then="crocoos verify")
        for name in PRODUCTS
    ),
    "Check its name with `crocoos log`.": (
        Remedy(
            spoil=withdraw_a_file,
            refused="crocoos withdraw its_name.txt --restore --reason mistaken",
            then="crocoos log",
        ),
    ),
    "Close other programs that have it open; if it is damaged, collect the data again: `crocoos collect`.": (
        Remedy(start="collected", spoil=damage_the_database, refused="crocoos export HU", fresh="collect"),
    ),
    "Collect them first: `crocoos collect`.": (
        Remedy(
            start="collected",
            spoil=take_the_second_wave_away,
            refused="crocoos freeze followup",
            prepare=put_the_second_wave_back,
            fresh="collect",
        ),
    ),
    "Draw them first: `crocoos assign --reveal --seed ...`.": (
        Remedy(
            start="new",
            spoil=steps(NO_SEED, commit_after_a_draw),
            refused='crocoos assign --add late.csv --seed "a third lottery"',
        ),
    ),
    "Draw with `crocoos assign --reveal --seed ...`. If other schools or another design must be drawn, say why: "
    "`crocoos assign --commit --reason TEXT`.": (
        Remedy(
            start="new", spoil=steps(NO_SEED, commit), refused="crocoos assign --seed x", only=0, then="crocoos verify"
        ),
        Remedy(
            start="new",
            spoil=steps(NO_SEED, commit, OTHER_SCHOOLS),
            refused="crocoos assign --seed x",
            only=1,
            then="crocoos assign --reveal --seed y",
            fresh="assign",
        ),
    ),
    "If that must be replaced, say why: `crocoos assign --commit --reason TEXT`. The log will show it.": (
        Remedy(start="new", spoil=steps(NO_SEED, commit, OTHER_SCHOOLS), refused="crocoos assign --commit"),
        Remedy(
            start="new",
            spoil=steps(NO_SEED, commit, OTHER_SCHOOLS),
            refused="crocoos assign --reveal --seed y",
            fresh="assign",
        ),
    ),
    "Keep the draw. Add late schools with `crocoos assign --add FILE --seed ...`, or replace one that withdrew with "
    "`crocoos assign --replace SCHOOL --seed ... --reason TEXT`.": (
        Remedy(spoil=add_late_schools, refused="crocoos assign --seed x --reason y", only=0, then="crocoos verify"),
        Remedy(
            spoil=add_late_schools,
            refused="crocoos assign --seed x --reason y",
            only=1,
            words={"SCHOOL": "031201"},
            then="crocoos verify",
        ),
    ),
    "Keep the first draw{}. If it must be replaced, say why: `crocoos assign --seed ... --reason TEXT`. Log and "
    "reports will show it.": (Remedy(refused="crocoos assign --seed x", then="crocoos verify"),),
    "Leave it: reports will list the changes and mark what was not planned. `crocoos plan` shows them. If the plan "
    "itself must be replaced, say why: {}": (Remedy(spoil=OTHER_PLAN, refused="crocoos plan --freeze", fresh="plan"),),
    "Name another, or make it: `crocoos init {}`.": (
        Remedy(refused="crocoos status 'our trial'", then="crocoos plan 'our trial'"),
    ),
    "Put back what `crocoos verify` lists.": (
        Remedy(
            spoil=steps(keep("allocation/allocation.csv"), edit("allocation/allocation.csv", "pilot", "control")),
            refused="crocoos assign --add late.csv --seed x",
            finish=bring_back("allocation/allocation.csv"),
        ),
    ),
    "Put back what was changed since the draw; `crocoos verify` lists all of it.": (
        Remedy(
            spoil=steps(keep("schools.csv"), OTHER_SCHOOLS),
            refused="crocoos certificate",
            finish=bring_back("schools.csv"),
            then="crocoos verify",
        ),
    ),
    "Put the schools' files into inbox/ and run `crocoos collect`.": (
        Remedy(
            start="collected",
            spoil=take_the_lists_away,
            refused="crocoos impact",
            prepare=put_the_lists_back,
            fresh="collect",
        ),
    ),
    "Run `crocoos assign --commit` first.": (
        Remedy(start="new", spoil=NO_SEED, refused="crocoos assign --reveal --seed x", fresh="assign"),
    ),
    "Run `crocoos assign` first.": (
        Remedy(start="new", refused="crocoos verify", fresh="assign"),
        Remedy(start="new", refused="crocoos certificate", fresh="assign"),
        Remedy(start="new", refused="crocoos assign --add late.csv --seed x", fresh="assign"),
    ),
    "Run `crocoos collect` first.": tuple(
        Remedy(refused=f"crocoos {command}", fresh="collect")
        for command in ("returns", "checks", "export HU", "freeze baseline")
    ),
    "Run `crocoos init FOLDER`, or name the trial's folder.": (
        Remedy(
            spoil=lambda folder: (folder / "empty").mkdir(), refused="crocoos plan empty", then="crocoos plan another"
        ),
    ),
    "Run `crocoos {}` first.{}": (
        Remedy(start="new", refused="crocoos balance", fresh="balance"),
        Remedy(refused="crocoos impact", fresh="impact"),
        Remedy(start="collected", refused="crocoos report", then="crocoos impact", fresh="balance"),
        Remedy(
            start="collected",
            spoil=lambda folder: shutil.rmtree(folder / "allocation"),
            refused="crocoos balance",
            fresh="balance",
        ),
    ),
    "State one that everybody can check, such as the numbers of a public lottery: there, or with "
    "`crocoos assign --seed ...`.": (
        Remedy(start="new", spoil=NO_SEED, refused="crocoos assign", then="crocoos verify", fresh="assign"),
    ),
    "Take it out and commit with `crocoos assign --commit`. Once the seed has been drawn in public, hand it over with "
    "`crocoos assign --reveal --seed ...`.": (
        Remedy(
            start="new",
            refused="crocoos assign --commit",
            prepare=SEED_TAKEN_OUT,
            then="crocoos verify",
            fresh="assign",
        ),
    ),
    "Thaw it first: `crocoos freeze {} --thaw --reason TEXT`, then `crocoos collect`.": (
        Remedy(start="collected", spoil=freeze, refused="crocoos freeze baseline"),
    ),
    "Write it as the protocol that `crocoos init FOLDER` writes.": (
        Remedy(start="new", spoil=TOO_DEEP, refused="crocoos plan", finish=bring_back("trial.toml")),
    ),
    "`crocoos plan --freeze --reason TEXT`. Every document will tell when, and what was known by then.": (
        Remedy(spoil=OTHER_PLAN, refused="crocoos plan --freeze", fresh="plan"),
        Remedy(
            spoil=steps(OTHER_PLAN, lambda folder: shutil.rmtree(folder / "plan")),
            refused="crocoos plan --freeze",
            fresh="plan",
        ),
    ),
}
"""Text of a remedy to the ways in which it is seen."""

ELSEWHERE: Mapping[str, str] = {
    "private/{} does not open with private/identity.txt: {} Bring both back from a copy; or remove them and "
    "private/recipient.txt, and run `crocoos collect`, which makes new ones.": "test_audit.py",
    "{} {} open, though the rest is sealed. To seal what came since: `crocoos lock`.": "test_custody.py",
    "To erase them there, too: put the school's corrected file under the same name into inbox/ and run `crocoos "
    "collect`, which takes it in place of the old one. Files that were withdrawn are not read: look whether they name "
    "the pupil.": "test_custody.py",
    "What tells who is who lies open beside the data. To seal it: `crocoos lock`.": "test_custody.py",
    "\nTo hand them out to be sent, which the log tells: `crocoos forms --wave {} --to FOLDER`.": "test_custody.py",
    "Bring it back from a copy. If it is lost for good: `crocoos log --begin-again --reason TEXT`, and every document "
    "will say so.": "test_fail_closed.py",
    "If it is lost for good: `crocoos log --accept --reason TEXT`": "test_fail_closed.py",
    "`crocoos export {} --k 5`": "test_privacy.py",
    "Raise `disclosure_threshold` in [reports] of trial.toml, then run `crocoos report` and `crocoos publish`.": (
        "test_release_of_a_trial.py"
    ),
    "Run `crocoos report` again, so that file and documents are of the same results.": "test_release_of_a_trial.py",
    "Run `crocoos report` again; if this stays, print them as counts that carry their set of pupils.": (
        "test_release_of_a_trial.py"
    ),
    "Bring it back from a copy; lines are only ever added at its end. If it is lost for good: `crocoos log "
    "--begin-again --reason ...`, and every document will say so.": "test_later_schools.py",
    "Answer the newest questions, which `crocoos collect` wrote.": "test_queries_and_answers.py",
    "If one of the two files corrects the other, withdraw the older one: `crocoos withdraw OLDER --superseded-by NEWER "
    "--reason TEXT`. Otherwise schools are asked row by row.": "test_decisions.py",
    "Nothing was compared: the sampling frame has no column 'size', and no covariate is of schools or of pupils whose "
    "data have been collected. Add an entry to [[covariates]], or put files into inbox/ and run `crocoos collect`.": (
        "test_balance_without_measures.py"
    ),
    "inbox/{} is not withdrawn any more. To withdraw it again: `crocoos withdraw {} --reason TEXT`.": (
        "test_lost_log.py"
    ),
    "The wave '{}' is not frozen any more. To freeze it again: `crocoos collect`, then `crocoos freeze {}`.": (
        "test_lost_log.py"
    ),
    "Nothing; or thaw the wave with a reason: `crocoos freeze {} --thaw --reason TEXT`.": "test_decisions.py",
    "Practise beside it: `crocoos init {} --practice{}`, then `crocoos simulate {}`.": "test_practice.py",
}
"""Text of a remedy to the file of this folder that tries it, where that takes more than a line here."""


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Return the folder of a trial in each state; three schools come late, three later still, three are reserves."""
    root = tmp_path_factory.mktemp("remedies")
    folder = root / "new"
    text = short_protocol().replace('["country", "type"]', '["country"]')
    small_trial(folder, text=text.replace("[schools]", '[schools]\nreserves = "reserves.csv"', 1))
    frame = pd.read_csv(folder / "schools.csv", dtype=str, keep_default_na=False)
    ids = frame["school_id"].tolist()
    held = {"late.csv": ids[2:3], "later.csv": ids[7:8], "reserves.csv": [ids[4], ids[11]]}
    for name, schools in held.items():
        frame.loc[frame["school_id"].isin(schools)].to_csv(folder / name, index=False)
    apart = {school for schools in held.values() for school in schools}
    frame.loc[~frame["school_id"].isin(apart)].to_csv(folder / "schools.csv", index=False)
    shutil.copytree(folder, root / "drawn")
    trial = Trial(root / "drawn", clock=clock)
    trial.plan(freeze=True)
    trial.assign()
    simulate_trial_inputs(root / "drawn", seed=SEED, spec=SimulatedTrial.small())
    shutil.copytree(root / "drawn", root / "collected")
    Trial(root / "collected", clock=clock).collect()
    return {name: root / name for name in ("new", "drawn", "collected")}


def run(command: str) -> tuple[int, str]:
    """Run a command as a shell would split it; return its exit code and what it said, errors included."""
    answer = CliRunner().invoke(crocoos, shlex.split(command)[1:])
    if answer.exception is None or isinstance(answer.exception, SystemExit):
        return answer.exit_code, answer.output
    if isinstance(answer.exception, CrocoosError):
        return 1, str(answer.exception)
    raise answer.exception


def test_every_text_that_names_a_command_is_tried() -> None:
    assert set(texts_with_commands()) == {*REMEDIES, *ELSEWHERE}
    assert all((Path(__file__).parent / name).is_file() for name in ELSEWHERE.values())


def _cases() -> Iterator[object]:
    for text, ways in REMEDIES.items():
        for number, way in enumerate(ways):
            yield pytest.param(text, way, id=f"{way.refused}-{number}")


@pytest.mark.parametrize(("text", "way"), list(_cases()))
def test_a_remedy_does_what_it_says(
    text: str, way: Remedy, states: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "trial"
    shutil.copytree(states[way.start], folder)
    monkeypatch.chdir(folder)
    way.spoil(folder)
    said = run(way.refused)[1]
    found = re.search(re.escape(text).replace(r"\{\}", ".*"), said)
    assert found, said
    way.prepare(folder)
    commands = COMMAND.findall(found[0])
    for command in commands if way.only is None else [commands[way.only]]:
        for word, meaning in {**WORDS, **(way.words or {})}.items():
            command = command.replace(word, meaning)  # noqa: PLW2901 -- the words are filled in one after the other
        code, answered = run(command)
        assert code == 0 or command == "crocoos verify", f"{command}: {answered}"
    way.finish(folder)
    code, answered = run(way.then or way.refused)
    assert code == 0, answered
    if way.fresh:
        listed = json.loads(run("crocoos status --json")[1])["stages"]
        assert next(stage["state"] for stage in listed if stage["stage"] == way.fresh) == "fresh", listed
