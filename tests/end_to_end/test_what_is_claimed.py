"""From the protocol to the documents: sentences about tests, errors, samples and draws say what is so in this trial."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from evaluation.trial import Trial
from reports import sections
from tests.support.block_text import texts
from tests.support.tiny import PROTOCOL, frame_text, pupil_ids, rows_of, school_ids, tiny_trial
from tests.support.trials import clock


def estimated(folder: Path, *, n_schools: int, protocol: str = PROTOCOL, effect: float = 1.5) -> Trial:
    """Draw the first of the tiny trial's schools, and estimate an effect that is far above chance."""
    schools = school_ids()[:n_schools]
    frame = "\n".join([*frame_text().splitlines()[: n_schools + 1], ""])
    trial = tiny_trial(folder, protocol=protocol, frame=frame, files={})
    trial.assign()
    arms = pd.read_csv(trial.paths.allocation / "allocation.csv").set_index("school_id")["arm"]
    for at, school in enumerate(schools):
        write_school(trial, school, level=effect * (arms[school] == "pilot") + at / 7)
    trial.collect()
    trial.balance()
    trial.impact()
    return trial


def write_school(trial: Trial, school: str, *, level: float | None) -> None:
    """Put a school's list and its marks into the inbox; no pupil has a mark where there is no level."""
    marks = [
        "" if level is None else str(round(1 + level + 7 * place % 5 / 4, 3)) for place in range(len(pupil_ids(school)))
    ]
    texts = {
        "before/pupil": rows_of(school, "gender;consent", lambda _place, _id: "girl;yes"),
        "after/status": rows_of(school, "status;average_mark", lambda place, _id: f"enrolled;{marks[place]}"),
    }
    for name, text in texts.items():
        path = trial.paths.inbox / f"{name}_{school}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def said(trial: Trial, *names: str) -> str:
    """Return all text of sections of the trial's report."""
    evidence = trial.evidence()
    return "\n".join(line for name in names for line in texts(getattr(sections, name)(evidence, "en")))


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return estimated(tmp_path_factory.mktemp("six") / "trial", n_schools=6)


def test_twenty_allocations_of_equal_arms_cannot_reject_and_the_report_does_not_call_that_a_disagreement(
    six: Trial,
) -> None:
    table = pd.read_csv(six.paths.results / "estimates.csv", keep_default_na=False).set_index("estimate_id")
    test = table.loc["main/all/randomisation_test/pilot", ["p_value", "n_draws", "caution"]]
    assert [str(cell) for cell in test] == ["0.1", "20", "few_allocations"]
    assert table.loc["main/all/randomisation_interval/pilot", "status"] == "failed"
    text = said(six, "summary", "main_results", "results_by_outcome", "limitations", "all_estimates")
    assert "no effect of any size would give a p-value that is small enough." in text
    assert "do not agree" not in text
    assert "that this test does not reject says nothing" in text


RECORDED = (
    PROTOCOL.replace('kind = "complete"\nseed = "a lottery"', 'kind = "recorded"\nallocation = "drawn.csv"')
    .replace('model = "linear_cluster"', 'model = "linear_mixed"\ncovariates = ["size"]')
    .replace("[[outcomes]]", '[[covariates]]\nname = "size"\nlabel = "Size"\ntable = "school"\n\n[[outcomes]]', 1)
)


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Adopt an allocation that was made elsewhere; the pupils of one school have no mark."""
    trial = tiny_trial(tmp_path_factory.mktemp("adopted") / "trial", protocol=RECORDED, files={})
    rows = [f"{school},{('control', 'pilot')[at % 2]}" for at, school in enumerate(school_ids())]
    (trial.paths.root / "drawn.csv").write_text("\n".join(["school_id,arm", *rows, ""]), encoding="utf-8")
    for at, school in enumerate(school_ids()):
        write_school(trial, school, level=(5 * at) % 7 / 7 if at else None)
    for stage in (trial.assign, trial.collect, trial.balance, trial.impact):
        stage()
    return trial


def test_an_allocation_that_was_made_elsewhere_is_not_said_to_have_been_drawn_by_lot(adopted: Trial) -> None:
    text = said(adopted, "summary", "brief_answer", "brief_trial", "allocation", "limitations")
    assert "by lot" not in text
    assert "the draw of 8 schools was made elsewhere and adopted" in text
    assert "Schools: 8 drawn elsewhere" in text


def test_what_is_assumed_of_missing_outcomes_is_what_the_main_analysis_does(adopted: Trial) -> None:
    text = said(adopted, "limitations")
    assert "The main outcome is missing for 12.5% of the pupils enrolled at baseline." in text
    assert "like others of their arm with equal covariates." in text


def test_errors_and_degrees_of_freedom_are_said_of_the_models_that_have_them(adopted: Trial, six: Trial) -> None:
    mixed, clustered = said(adopted, "methods"), said(six, "methods")
    assert "random school intercepts rest on the model’s own standard errors and Satterthwaite’s degrees of" in mixed
    assert "CR2" not in mixed
    assert "allow for schools rest on standard errors by school (CR2, corrected for few schools) and" in clustered


def test_an_outcome_without_a_unit_leaves_no_gap_in_the_sentence(adopted: Trial) -> None:
    text = said(adopted, "summary")
    assert "We cannot say whether being drawn as one of the pilot schools changed the mean" in text
    assert ", in (" not in text
    assert ", in  (" not in text


def test_a_corrected_name_of_a_school_makes_no_result_stale(tmp_path: Path) -> None:
    trial = estimated(tmp_path / "trial", n_schools=6)
    path = trial.paths.root / "schools.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("School SI-01", "Primary school 1"), encoding="utf-8")
    Trial(trial.folder, clock=clock).collect()
    states = {status.stage: status.state for status in Trial(trial.folder, clock=clock).status()}
    assert [states[name] for name in ("assign", "collect", "balance", "impact")] == ["fresh"] * 4
