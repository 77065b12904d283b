"""Whether the plan was frozen before data or results is read from the order of the log's lines, in every document."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from data_schema.errors import ProtocolError, StorageError
from evaluation.claims import describe_order_claims
from evaluation.cli.main import crocoos
from evaluation.trial import Trial
from evaluation.trial_log import Event
from tests.support.block_text import texts
from tests.support.report_blocks import report
from tests.support.tiny import PROTOCOL, pupil_ids, tiny_trial
from tests.support.trials import clock

DOCUMENTS = {
    "the evidence summary": "evidence_summary",
    "the report": "experimental_report",
    "a country's report": "country_report",
}
PRIOR = "before the results were seen"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny trial whose schools were drawn; no plan is frozen and nothing is collected."""
    trial = tiny_trial(tmp_path_factory.mktemp("order") / "trial")
    trial.assign()
    return trial.paths.root


@pytest.fixture(scope="module")
def estimated(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with data and results, and still without a frozen plan."""
    folder = tmp_path_factory.mktemp("estimated") / "trial"
    shutil.copytree(drawn, folder)
    estimate(Trial(folder, clock=clock))
    return folder


@pytest.fixture
def begun(drawn: Path, tmp_path: Path) -> Trial:
    shutil.copytree(drawn, tmp_path / "begun")
    return Trial(tmp_path / "begun", clock=clock)


@pytest.fixture
def trial(estimated: Path, tmp_path: Path) -> Trial:
    shutil.copytree(estimated, tmp_path / "trial")
    return Trial(tmp_path / "trial", clock=clock)


def estimate(trial: Trial) -> None:
    trial.collect()
    trial.balance()
    trial.impact()


def said(trial: Trial) -> dict[str, str]:
    """Return what each document says."""
    evidence = Trial(trial.folder, clock=clock).evidence()
    return {name: " ".join(texts(report(template, evidence))) for name, template in DOCUMENTS.items()}


def run(trial: Trial, *arguments: str) -> Result:
    command, *rest = arguments
    return CliRunner().invoke(crocoos, [command, str(trial.folder), *rest])


def with_another_plan(trial: Trial) -> Trial:
    text = PROTOCOL.replace('role = "primary"', 'role = "primary"\nstrata = false')
    trial.paths.protocol.write_text(text, encoding="utf-8")
    return Trial(trial.folder, clock=clock)


def test_a_plan_frozen_after_the_results_is_not_said_to_have_been_there_before_them(trial: Trial) -> None:
    for text in said(trial).values():
        assert "The analysis plan was not frozen." in text
    trial.plan(freeze=True)
    trial.impact()
    expected = "after results had been computed once (on 2027-09-01 12:00 UTC)"
    for text in said(trial).values():
        assert expected in text
        assert "Read every estimate as exploratory." in text
        assert PRIOR not in text
        assert "before outcome data" not in text


def test_a_plan_frozen_before_any_data_is_said_to_have_been_there_before_them(begun: Trial) -> None:
    begun.plan(freeze=True)
    estimate(begun)
    found = said(begun)
    for document in ("the evidence summary", "the report"):
        assert "was frozen on 2027-09-01 12:00 UTC, before outcome data were taken in." in found[document]
    assert not any("exploratory." in text for text in found.values())
    assert "Results were computed once, on 2027-09-01 12:00 UTC." in found["the report"]


def test_data_of_another_wave_are_no_outcome_data(begun: Trial) -> None:
    outcomes = begun.paths.inbox / "after"
    outcomes.rename(begun.paths.root / "later")
    begun.collect()
    begun.plan(freeze=True)
    (begun.paths.root / "later").rename(outcomes)
    estimate(begun)
    assert "before outcome data were taken in" in said(begun)["the report"]


def test_a_plan_frozen_between_data_and_results_is_said_to_have_been(begun: Trial) -> None:
    begun.collect()
    begun.plan(freeze=True)
    estimate(begun)
    for document in ("the evidence summary", "the report"):
        assert (
            "after outcome data had been taken in (on 2027-09-01 12:00 UTC) and before results" in said(begun)[document]
        )


def test_an_outcome_moved_to_another_wave_does_not_make_the_plan_earlier(begun: Trial) -> None:
    begun.collect()
    begun.plan(freeze=True)
    head, tail = PROTOCOL.split("[[outcomes]]")
    moved = tail.replace('wave = "after"', 'wave = "before"')
    begun.paths.protocol.write_text(f"{head}[[outcomes]]{moved}", encoding="utf-8")
    plan, _ = describe_order_claims(Trial(begun.folder, clock=clock))
    assert plan.order == "after_data"


def test_every_run_is_counted(trial: Trial) -> None:
    trial.impact()
    trial.impact()
    trial.plan(freeze=True)
    trial.impact()
    found = said(trial)
    assert all(
        "after results had been computed 3 times (first on 2027-09-01 12:00 UTC)" in text for text in found.values()
    )
    assert "Results were computed 4 times, from 2027-09-01 12:00 UTC to" in found["the report"]
    lines = [entry.detail for entry in trial.log().entries if entry.event == "estimated"]
    assert len(lines) == 4
    assert all(set(line) == {"estimates_sha256", "results_sha256", "data_sha256"} for line in lines)


def test_removing_the_plan_and_freezing_another_one_leaves_a_trace(begun: Trial) -> None:
    begun.plan(freeze=True)
    estimate(begun)
    shutil.rmtree(begun.paths.plan)
    begun.impact()
    assert all("is not in the trial’s folder" in text for text in said(begun).values())
    assert not begun.verify().ok
    assert "Problem: The plan that line" in run(begun, "status").output
    other = with_another_plan(begun)
    with pytest.raises(ProtocolError, match="is gone, and the protocol is another one now"):
        other.plan(freeze=True)
    other.plan(freeze=True, reason="strata had been forgotten")
    estimate(other)
    for text in said(other).values():
        assert "after results had been computed 2 times" in text
        assert "It replaced a plan that was frozen on 2027-09-01 12:00 UTC (strata had been forgotten)." in text
    assert other.verify().ok


def test_the_same_plan_is_written_again_without_a_line(begun: Trial) -> None:
    begun.plan(freeze=True)
    log = begun.paths.log.read_bytes()
    shutil.rmtree(begun.paths.plan)
    begun.plan(freeze=True)
    begun.plan(freeze=True)
    assert begun.paths.log.read_bytes() == log
    assert (begun.paths.plan / "trial.toml").read_bytes() == begun.paths.protocol.read_bytes()


def test_a_plan_that_is_gone_is_frozen_with_a_corrected_label_without_a_reason(begun: Trial) -> None:
    begun.plan(freeze=True)
    shutil.rmtree(begun.paths.plan)
    corrected = PROTOCOL.replace('label = "Average mark"', 'label = "Mean mark"')
    begun.paths.protocol.write_text(corrected, encoding="utf-8")
    answer = run(begun, "plan", "--freeze")
    assert answer.exit_code == 0, answer.output
    reasons = [entry.detail["reason"] for entry in begun.log().of(Event.PLAN_FROZEN)]
    assert reasons[0] == ""
    assert "nothing but wording differs" in reasons[1]


def test_a_plan_that_is_replaced_stays_beside_the_new_one(begun: Trial) -> None:
    begun.plan(freeze=True)
    first = begun.paths.protocol.read_bytes()
    other = with_another_plan(begun)
    with pytest.raises(ProtocolError, match="the plan was frozen before"):
        other.plan(freeze=True)
    assert run(other, "plan", "--freeze", "--reason", "a slip").exit_code == 0
    assert (other.paths.plan / "earlier_1.toml").read_bytes() == first
    assert [entry.detail["reason"] for entry in other.log().of("plan frozen")] == ["", "a slip"]  # type: ignore[arg-type]


def test_a_plan_put_into_its_folder_by_hand_is_not_frozen(trial: Trial) -> None:
    trial.paths.plan.mkdir()
    shutil.copy(trial.paths.protocol, trial.paths.plan / "trial.toml")
    trial = Trial(trial.folder, clock=clock)
    trial.impact()
    assert all("The trial’s log does not name the analysis plan" in text for text in said(trial).values())
    assert not trial.verify().ok


def test_a_frozen_plan_that_was_edited_is_told(begun: Trial) -> None:
    begun.plan(freeze=True)
    estimate(begun)
    path = begun.paths.plan / "trial.toml"
    path.write_text(path.read_text(encoding="utf-8") + "\n# a remark\n", encoding="utf-8")
    assert all("is not the one that was frozen" in text for text in said(begun).values())
    assert "Nothing was changed after the freeze" not in said(begun)["the report"]
    assert not begun.verify().ok


LOGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "The trial’s log is missing: nothing shows when the analysis plan was frozen."),
    "edited": (
        lambda path: path.write_bytes(path.read_bytes().replace(b"a lottery", b"b lottery")),
        "The trial’s log was damaged or edited: nothing shows when the analysis plan was frozen.",
    ),
    "cut in a line": (lambda path: path.write_bytes(path.read_bytes()[:-5]), "was damaged or edited"),
}


@pytest.mark.parametrize("change", LOGS)
def test_a_log_that_is_missing_or_broken_is_stated_everywhere(begun: Trial, change: str) -> None:
    begun.plan(freeze=True)
    estimate(begun)
    damage, sentence = LOGS[change]
    damage(begun.paths.log)
    found = said(begun)
    for text in found.values():
        assert sentence in text
        assert "before outcome data" not in text
    assert "nothing shows how often schools were drawn" in found["the report"]
    assert "Results were computed" not in found["the report"]
    assert not begun.verify().ok
    answers = {name: run(begun, name) for name in ("status", "verify", "log")}
    assert "log.jsonl" in answers["status"].output
    assert [answers[name].exit_code for name in ("verify", "log")] == [1, 1]
    assert run(begun, "status", "--check").exit_code == 1
    for stage in (begun.collect, begun.impact, begun.assign, lambda: begun.plan(freeze=True)):
        with pytest.raises(StorageError, match=r"log\.jsonl"):
            stage()


def test_data_and_results_that_the_log_does_not_name_are_told(trial: Trial) -> None:
    path = trial.paths.results / "estimates.csv"
    path.write_bytes(path.read_bytes() + b"\n")
    assert any("results/estimates.csv" in problem for problem in trial.verify().log_problems)
    assert trial.verify().allocation.ok
    assert "The log does NOT agree" in run(trial, "verify").output
    trial.impact()
    assert trial.verify().ok


def test_the_log_is_printed_for_people_and_for_programs(trial: Trial) -> None:
    text = run(trial, "log").output
    assert text.splitlines()[0] == "2027-09-01"
    assert max(map(len, text.splitlines())) <= 100
    assert [line.split()[1] for line in text.splitlines() if line.startswith("  12:00")] == [
        "drawn",
        "collected",
        "written",
        "estimated",
    ]
    values = json.loads(run(trial, "log", "--json").output)
    assert values["state"] == "whole"
    assert values["last_sha256"] == trial.log().last_sha256
    assert values["entries"][1]["detail"]["tables"] == "before: pupil; after: status"


def test_decisions_and_erasures_are_in_the_log_without_a_word_about_the_pupil(trial: Trial) -> None:
    trial.freeze(wave="before")
    trial.thaw(wave="before", reason="a list came late")
    pupil = pupil_ids("SI-01")[0]
    trial.erase(pupil=pupil, school="SI-01")
    trial.collect()
    assert [entry.event for entry in trial.log().entries] == [
        *("drawn", "collected", "written", "estimated", "wave frozen", "wave thawed", "erased", "collected")
    ]
    assert pupil not in trial.paths.log.read_text(encoding="ascii")


@pytest.mark.slow
def test_reports_and_the_site_are_in_the_log_and_say_what_it_says(trial: Trial) -> None:
    trial.plan(freeze=True)
    trial.impact()
    trial.report()
    trial.report()
    trial.publish()
    assert [entry.event for entry in trial.log().entries][-3:] == ["estimated", "reported", "published"]
    assert trial.verify().ok
    for page in trial.paths.reports.glob("*.html"):
        assert "after results had been computed once" in page.read_text(encoding="utf-8")
    trial.paths.log.unlink()
    stale = Trial(trial.folder, clock=clock)
    assert {one.stage: one.state for one in stale.status()}["report"] == "stale"
    stale.report()
    for page in trial.paths.reports.glob("*.html"):
        assert "log is missing" in page.read_text(encoding="utf-8")
    assert not trial.paths.log.exists()
