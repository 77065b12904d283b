"""A word that is corrected after the draw, the freeze or the estimates changes documents and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from data_schema.errors import StaleError
from evaluation.cli.main import crocoos as command_line
from evaluation.trial import Trial
from reports.blocks import Table, join_plain_text
from reports.documents import read_document
from tests.support.block_text import texts
from tests.support.trials import clock, estimated_trial, short_protocol

OUTCOME = ('label = "Left school early"', 'label = "Left schooling early"')
ARM = ('label = "Pilot schools"', 'label = "Pilot schools with an early warning system"')
FIELD = """
[[tables.survey.fields]]
name = "hobby"
type = "text"
label = "Hobby"
labels = { hu = "Hobbi", sl = "Konjicek" }
unit = ""

"""
SECOND = """
[[analyses]]
name = "absences_main"
outcome = "absences"
role = "secondary"
model = "linear_cluster"

"""
"""An analysis that would lead if the primary one did not."""

RECOGNISED = {
    "a field's label": ('label = "Hobby"', 'label = "Hobby or pastime"'),
    "a label in another language": ('sl = "Konjicek"', 'sl = "Konjiček"'),
    "a translation that is added": ('{ hu = "Hobbi"', '{ sr = "Хоби", hu = "Hobbi"'),
}
"""Labels by which intake knows a column in a school's file."""

CORRECTED = {
    "a country's name": ('HU = "Hungary"', 'HU = "Hungary (Magyarország)"'),
    "an arm's label": ARM,
    "an outcome's label": OUTCOME,
    "an outcome's description": ('description = "No longer', 'description = "Not'),
    "what reports call an event": ('event_words = "left school early"', 'event_words = "left schooling early"'),
    "the title": ('title = "Early', 'title = "An early'),
    "a wave's label": ('label = "Follow-up"', 'label = "Follow-up after a year"'),
    "a covariate's label": ('label = "Disadvantaged"', 'label = "Disadvantaged pupils"'),
}


@pytest.fixture(scope="module")
def estimated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a trial whose plan was frozen, whose schools were drawn, and that has balance and estimates."""
    folder = tmp_path_factory.mktemp("words") / "trial"
    text = short_protocol().replace("[inference]", f"{SECOND}[inference]", 1)
    estimated_trial(folder, text=text.replace("[[inbox]]", f"{FIELD}[[inbox]]", 1))
    return folder


def corrected(estimated: Path, tmp_path: Path, *changes: tuple[str, str]) -> Trial:
    """Return a copy of the trial with texts of its protocol replaced."""
    folder = tmp_path / "trial"
    shutil.copytree(estimated, folder)
    text = (folder / "trial.toml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    (folder / "trial.toml").write_text(text, encoding="utf-8")
    return Trial(folder, clock=clock)


def states(trial: Trial) -> dict[str, str]:
    """Return how each stage up to the estimates stands."""
    return {one.stage: one.state for one in trial.status() if one.stage not in ("report", "publish")}


@pytest.mark.parametrize("what", CORRECTED)
def test_a_corrected_word_leaves_plan_draw_and_results_fresh(estimated: Path, tmp_path: Path, what: str) -> None:
    trial = corrected(estimated, tmp_path, CORRECTED[what])
    assert set(states(trial).values()) == {"fresh"}
    assert trial.verify().ok
    assert len(trial.plan_state.rewordings) == 1
    assert trial.evidence().design["verified"] is True


@pytest.mark.parametrize("what", RECOGNISED)
def test_a_corrected_label_that_intake_knows_columns_by_needs_the_one_command_that_is_named(
    estimated: Path, tmp_path: Path, what: str
) -> None:
    trial = corrected(estimated, tmp_path, RECOGNISED[what])
    assert [stage for stage, state in states(trial).items() if state == "stale"] == ["collect", "balance", "impact"]
    with pytest.raises(StaleError, match="Run `crocoos collect` first"):
        trial.impact()
    done = CliRunner().invoke(command_line, ["collect", str(trial.folder)])
    assert done.exit_code == 0, done.output
    again = Trial(trial.folder, clock=clock)
    assert set(states(again).values()) == {"fresh"}
    assert again.verify().ok
    assert again.plan_state.changes == ()
    assert again.plan_state.unplanned == frozenset()


def test_an_outcome_that_is_called_otherwise_after_the_freeze_stays_the_planned_primary_one(
    estimated: Path, tmp_path: Path
) -> None:
    trial = corrected(estimated, tmp_path, OUTCOME)
    evidence = trial.evidence()
    assert [entry.role for entry in evidence.analyses] == ["primary", "secondary"]
    assert evidence.outcomes[0].label == "Left schooling early"
    assert trial.plan_state.changes == ()


def test_documents_have_the_corrected_word_though_no_result_was_computed_again(estimated: Path, tmp_path: Path) -> None:
    trial = corrected(estimated, tmp_path, CORRECTED["a covariate's label"])
    labels = set(trial.evidence().balance["label"])
    assert "Disadvantaged pupils" in labels
    assert "Disadvantaged" not in labels


@pytest.mark.slow
def test_documents_lead_with_the_frozen_primary_by_its_new_label_and_list_the_change_as_wording(
    estimated: Path, tmp_path: Path
) -> None:
    trial = corrected(estimated, tmp_path, OUTCOME)
    made = trial.report()
    stems = {document.stem for document in made.documents}
    assert {"evidence_summary.en", "experimental_report.en", "country_report_HU.en"} <= stems
    for stem in stems:
        document = read_document(made.folder / f"{stem}.ipynb")
        said = " ".join(texts(document.blocks))
        page = (made.folder / f"{stem}.html").read_text(encoding="utf-8")
        assert "Left schooling early" in said, stem
        assert "Left schooling early" in page, stem
        for word in ("Read its result as exploratory", "read its result as exploratory", "Exploratory:"):
            assert word not in said, stem
        rows = [
            join_plain_text(row.cells[0]) for block in document.blocks if isinstance(block, Table) for row in block.rows
        ]
        named = [row for row in rows if "Left schooling early" in row or "absences" in row.casefold()]
        assert named[0].startswith("Left schooling early"), (stem, named)
    methods = " ".join(texts(read_document(made.folder / "experimental_report.en.ipynb").blocks))
    assert "Changed after the freeze:" not in methods
    listed = methods.split("Text changed after the freeze, from which no result is computed:")[1]
    assert "Left school early" in listed[:300]
    assert trial.verify().ok
