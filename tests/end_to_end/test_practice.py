"""Practice is a state of the folder: nothing is simulated in a real one, and nothing simulated looks real."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from data_schema.errors import CrocoosError, ProtocolError
from data_schema.language import LANGUAGES, Catalogue, Language
from data_schema.queries import query_workbook
from evaluation.cli.main import crocoos
from evaluation.mode import COLUMN, find_declared_mode
from evaluation.protocol_reader import load_toml
from evaluation.rehearsal.rehearse import simulate_trial_inputs
from evaluation.scaffold import create_trial_folder
from evaluation.trial import Trial
from evaluation.trial_log import read_log
from reports.writers.practice import get_practice_words
from tests.support.protocols import CROCOOS, MINIMAL
from tests.support.tiny import tiny_trial
from tests.support.trials import clock

MARK, NOTICE = "Practice: simulated data", "Its data are simulated"
SCHOOLS = "school_id,country,type\n" + "".join(f"S{number:02d},SI,general\n" for number in range(1, 11))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(crocoos, list(arguments))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def real(folder: Path) -> Trial:
    """Make a real trial of ten schools, not drawn yet."""
    create_trial_folder(folder, template="minimal")
    (folder / "schools.csv").write_text(SCHOOLS, encoding="utf-8")
    return Trial(folder, clock=clock)


def with_schools_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "schools.csv").write_text(SCHOOLS, encoding="utf-8")


def with_protocol_and_schools(folder: Path) -> None:
    with_schools_alone(folder)
    (folder / "trial.toml").write_bytes(MINIMAL.read_bytes())


def made_by_init(folder: Path) -> None:
    create_trial_folder(folder, template="minimal")


def undrawn(folder: Path) -> None:
    real(folder)


def frozen(folder: Path) -> None:
    real(folder).plan(freeze=True)


def drawn(folder: Path) -> None:
    real(folder).assign(seed="a lottery")


def with_an_inbox(folder: Path) -> None:
    folder.mkdir()
    (folder / "trial.toml").write_bytes(MINIMAL.read_bytes())
    (folder / "inbox" / "before").mkdir(parents=True)
    (folder / "inbox" / "before" / "pupil_S01.csv").write_text("school_id,pupil_id\nS01,1\n", encoding="utf-8")


FOLDERS = [with_schools_alone, with_protocol_and_schools, made_by_init, undrawn, frozen, drawn, with_an_inbox]


@pytest.mark.parametrize("make", FOLDERS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("command", ["demo", "simulate"])
def test_nothing_is_simulated_in_a_folder_that_is_not_for_practice(tmp_path: Path, make: object, command: str) -> None:
    if (command, make) == ("simulate", with_schools_alone):
        pytest.skip("a folder without a protocol is no trial")
    folder = tmp_path / "trial"
    make(folder)  # type: ignore[operator]  # one of the functions above
    before = contents(folder)
    answer = run(command, str(folder))
    assert isinstance(answer.exception, ProtocolError)
    assert "this is not a practice folder" in str(answer.exception)
    assert contents(folder) == before


@pytest.mark.parametrize("make", [with_schools_alone, undrawn], ids=lambda make: make.__name__)
def test_the_remedy_that_is_named_works(tmp_path: Path, make: object, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my trial"
    make(folder)  # type: ignore[operator]  # one of the functions above
    monkeypatch.chdir(folder)
    for place in (str(folder), "."):
        answer = run("demo", place)
        commands = re.findall(r"`crocoos ([^`]+)`", str(answer.exception))
        assert len(commands) == 2
        made = [run(*shlex.split(command)) for command in commands]
        assert [one.exit_code for one in made] == [0, 0], made
        beside = tmp_path / "my trial-practice"
        assert Trial(beside).is_practice
        assert (beside / "schools.csv").exists()
        if (folder / "trial.toml").exists():
            assert (beside / "trial.toml").read_bytes() == (folder / "trial.toml").read_bytes()
        shutil.rmtree(beside)


def test_the_log_of_every_new_folder_begins_with_what_it_is_for(tmp_path: Path) -> None:
    assert run("init", str(tmp_path / "real")).exit_code == 0
    assert run("init", str(tmp_path / "practice"), "--practice").exit_code == 0
    assert [find_declared_mode(tmp_path / name) for name in ("real", "practice")] == ["trial", "practice"]
    assert [Trial(tmp_path / name).is_practice for name in ("real", "practice")] == [False, True]
    assert read_log(tmp_path / "real").entries[0].event == "created"
    with pytest.raises(CrocoosError, match="protocol here already"):
        create_trial_folder(tmp_path / "real", practice=True)
    (tmp_path / "real" / "trial.toml").unlink()
    with pytest.raises(CrocoosError, match="log of a trial"):
        create_trial_folder(tmp_path / "real", practice=True)


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Return a practice trial of the smallest template, with its data."""
    folder = tmp_path_factory.mktemp("practice") / "trial"
    create_trial_folder(folder, template="minimal", practice=True, clock=clock)
    simulate_trial_inputs(folder, seed=3)
    Trial(folder, clock=clock).assign(seed="a lottery")
    simulate_trial_inputs(folder, seed=3)
    made = Trial(folder, clock=clock)
    made.collect()
    made.balance()
    return made


def test_taking_the_log_and_the_marks_away_does_not_make_simulated_data_real(practice: Trial, tmp_path: Path) -> None:
    gone = ("log.jsonl", "rehearsal", "inbox/.practice.json")
    for kept in (*gone, "store", "allocation", "balance"):
        folder = tmp_path / kept.replace("/", "-")
        shutil.copytree(practice.paths.root, folder)
        for name in {*gone, "store", "allocation", "balance"} - {kept}:
            target = folder / name
            shutil.rmtree(target) if target.is_dir() else target.unlink()
        assert Trial(folder).is_practice, f"{kept} is left"


def test_a_line_of_the_log_that_was_changed_does_not_make_a_practice_trial_real(
    practice: Trial, tmp_path: Path
) -> None:
    folder = tmp_path / "trial"
    shutil.copytree(practice.paths.root, folder)
    log = folder / "log.jsonl"
    log.write_text(log.read_text(encoding="ascii").replace('"practice"', '"trial"', 1), encoding="ascii")
    assert read_log(folder).state == "broken"
    assert Trial(folder).is_practice


def test_every_command_says_that_the_trial_is_for_practice(practice: Trial, tmp_path: Path) -> None:
    folder = str(practice.folder)
    for command in (["status"], ["plan"], ["verify"], ["balance"], ["codebook"], ["returns"], ["checks"]):
        assert MARK in run(command[0], folder).output, command
        answer = run(*command, folder, "--json")
        assert json.loads(answer.output)["practice"] is True
    create_trial_folder(tmp_path / "real")
    answer = run("plan", str(tmp_path / "real"))
    assert MARK not in answer.output
    assert json.loads(run("plan", str(tmp_path / "real"), "--json").output)["practice"] is False


def test_pages_and_tables_about_the_data_say_that_they_are_simulated(practice: Trial) -> None:
    folder = str(practice.folder)
    for command in (["codebook"], ["returns"], ["checks"], ["certificate"], ["export", "SI"]):
        answer = run(*command, folder)
        assert answer.exit_code == 0, answer.output
    answer = run("power", folder, "--pupils-per-school", "25")
    assert answer.exit_code == 0, answer.output
    pages = sorted((practice.paths.root / "output").rglob("*.html"))
    assert len(pages) >= 4
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert '<aside class="practice-notice"' in text, page
        assert "simul" in text or "симул" in text, page
    tables = sorted((practice.paths.root / "output").rglob("*.csv"))
    assert {"checks.csv", "codebook.csv", "letters_control.csv", "power.csv", "pupil.csv"} <= {
        one.name for one in tables
    }
    for table in tables:
        frame = pd.read_csv(table, dtype=str)
        assert frame.columns[0] == COLUMN, table
        assert frame[COLUMN].eq("yes").all()


TEXTS = {".csv", ".html", ".ipynb", ".json", ".svg", ".toml", ".txt"}
"""Kinds of files that a person reads as text; fonts, styles and licences are the same for every site."""


@pytest.mark.slow
def test_every_text_that_a_practice_trial_puts_out_says_that_it_is_simulated(practice: Trial, tmp_path: Path) -> None:
    shutil.copytree(practice.paths.root, tmp_path / "trial")
    trial = Trial(tmp_path / "trial", clock=clock)
    trial.impact()
    trial.report()
    trial.publish()
    trial.certificate()
    trial.codebook()
    trial.returns()
    trial.checks()
    trial.export(country="SI")
    answer = run("power", str(trial.folder), "--pupils-per-school", "25", "--simulate", "20")
    assert answer.exit_code == 0, answer.output
    written = [path for path in (trial.paths.root / "output").rglob("*") if path.suffix in TEXTS]
    written += sorted(trial.paths.balance.glob("*.svg"))
    assert {path.suffix for path in written} == TEXTS
    for path in written:
        text = path.read_text(encoding="utf-8")
        if path.name == "stage.json":
            assert "practice" in json.loads(text)["inputs"], path
        else:
            assert re.search(r"simul|симул", text), path
    # A mark changes nothing of what is read by programs.
    site = trial.paths.site
    assert load_toml(site / "downloads" / "trial.toml") == load_toml(trial.paths.protocol)
    for path in written:
        if path.suffix == ".svg":
            assert MARK in " ".join(ET.parse(path).getroot().itertext()), path  # noqa: S314 -- our own
    notebook = json.loads((trial.paths.reports / "evidence_summary.en.ipynb").read_text(encoding="utf-8"))
    assert MARK in "".join(notebook["cells"][0]["source"])


def test_nothing_of_a_real_trial_is_said_to_be_simulated(tmp_path: Path) -> None:
    trial = tiny_trial(tmp_path / "trial")
    trial.assign()
    trial.collect()
    trial.balance()
    trial.codebook()
    for path in [*trial.paths.balance.glob("*.svg"), *(trial.paths.root / "output").rglob("*.json")]:
        assert "simul" not in path.read_text(encoding="utf-8"), path


def test_forms_and_questions_of_a_practice_trial_say_that_the_data_are_simulated(practice: Trial) -> None:
    from openpyxl import load_workbook

    mark = get_practice_words("sl").mark
    made = practice.forms(wave="before")
    for path in (*made.workbooks[:2], *made.xlsforms):
        cells = [
            str(cell) for sheet in load_workbook(path) for row in sheet.iter_rows(values_only=True) for cell in row
        ]
        assert any(mark in cell for cell in cells), path
    content = query_workbook((), school="S01", catalogue=Catalogue("data_schema", Language("sl")), mark=mark)
    assert mark in load_workbook(BytesIO(content)).worksheets[0]["A1"].value


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_language_has_the_words(language: str) -> None:
    english, own = get_practice_words("en"), get_practice_words(language)
    assert own.mark != english.mark
    assert own.notice != english.notice


def reduced(countries: str) -> str:
    text = CROCOOS.read_text(encoding="utf-8")
    return re.sub(r"(?s)\[countries\]\n.*?\n\n", f"[countries]\n{countries}\n\n", text, count=1)


@pytest.mark.parametrize("countries", ['HU = "Hungary"', 'SI = "Slovenia"', 'AT = "Austria"\nHU = "Hungary"'])
def test_the_rehearsal_follows_the_countries_of_the_protocol(tmp_path: Path, countries: str) -> None:
    folder = tmp_path / "trial"
    folder.mkdir()
    (folder / "trial.toml").write_text(reduced(countries), encoding="utf-8")
    simulate_trial_inputs(folder, seed=1)
    trial = Trial(folder, clock=clock)
    frame = pd.read_csv(folder / "schools.csv", dtype=str)
    assert set(frame["country"]) == set(trial.protocol.countries)
    trial.assign(seed="a lottery")
    done = simulate_trial_inputs(folder, seed=1)
    assert done.has_effects
    collected = trial.collect()
    assert collected.returns["kept"].sum() > 0.97 * collected.returns["sent"].sum()


def test_the_rehearsal_calls_the_arms_as_the_protocol_does_and_makes_the_columns_that_the_design_looks_at(
    tmp_path: Path,
) -> None:
    text = reduced('SI = "Slovenia"').replace('name = "pilot"', 'name = "early_start"')
    text = re.sub(r"(?m)^strata = \[.*\]$", 'strata = ["country", "ward"]', text, count=1)
    assert '"ward"' in text
    (tmp_path / "trial.toml").write_text(text, encoding="utf-8")
    simulate_trial_inputs(tmp_path, seed=1)
    assert set(pd.read_csv(tmp_path / "schools.csv")["ward"]) == {"A", "B"}
    trial = Trial(tmp_path, clock=clock)
    trial.assign(seed="a lottery")
    assert not simulate_trial_inputs(tmp_path, seed=1).has_effects
    (tmp_path / "known").mkdir()
    (tmp_path / "known" / "trial.toml").write_text(text.replace(', "ward"', ""), encoding="utf-8")
    simulate_trial_inputs(tmp_path / "known", seed=1)
    Trial(tmp_path / "known", clock=clock).assign(seed="a lottery")
    assert simulate_trial_inputs(tmp_path / "known", seed=1).has_effects


def test_a_practice_folder_is_simulated_in_again_and_nothing_in_it_changes(practice: Trial) -> None:
    before = contents(practice.paths.root)
    simulate_trial_inputs(practice.paths.root, seed=3)
    assert contents(practice.paths.root) == before


@pytest.mark.parametrize("name", ["schools.csv", "inbox/before/pupil_1.csv", "plan/trial.toml"])
def test_a_folder_with_files_of_its_own_does_not_become_one_for_practice(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("a school's own")
    with pytest.raises(ProtocolError, match="not a practice folder"):
        create_trial_folder(tmp_path, practice=True)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [Path(name).name]
