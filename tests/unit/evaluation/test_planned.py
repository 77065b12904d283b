"""Which analyses reports show: those of the frozen plan, in its order, whatever the protocol says now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evaluation.planned import collect_shown_analyses, find_leading_analysis, find_unanalysed_outcomes
from evaluation.trial import Trial
from tests.support.protocols import CROCOOS

PLAN = CROCOOS.read_text(encoding="utf-8")
PRIMARY = "dropout_main"


def entries_of(text: str) -> list[str]:
    """Return the analyses of a protocol as they stand there."""
    return re.findall(r"\[\[analyses\]\]\n(?:.+\n)+", text)


def entry(name: str) -> str:
    """Return an analysis of the plan as it stands there."""
    return next(text for text in entries_of(PLAN) if f'name = "{name}"' in text)


def changed(name: str, old: str, new: str) -> str:
    """Return the protocol with an analysis changed."""
    assert old in entry(name)
    return PLAN.replace(entry(name), entry(name).replace(old, new))


def trial(folder: Path, now: str, *, frozen: bool = True) -> Trial:
    """Return a trial with a protocol, whose plan was frozen before."""
    (folder / "plan").mkdir()
    if frozen:
        (folder / "plan" / "trial.toml").write_text(PLAN, encoding="utf-8")
    (folder / "trial.toml").write_text(now, encoding="utf-8")
    return Trial(folder)


SWAPPED = PLAN.replace(entry(PRIMARY), entry(PRIMARY).replace('role = "primary"', 'role = "secondary"')).replace(
    entry("absences_main"), entry("absences_main").replace('role = "secondary"', 'role = "primary"')
)
REMOVED = PLAN.replace(entry(PRIMARY), "").replace(
    entry("absences_main"), entry("absences_main").replace('role = "secondary"', 'role = "primary"')
)
OTHER_OUTCOME = changed(PRIMARY, 'outcome = "dropout"', 'outcome = "absences"')


@pytest.mark.parametrize(
    ("now", "since"),
    [
        (PLAN, ""),
        (PLAN.replace(entry(PRIMARY), "").replace("[inference]", f"{entry(PRIMARY)}\n[inference]"), ""),
        (changed(PRIMARY, 'model = "linear_cluster"', 'model = "linear_mixed"'), "changed"),
        (SWAPPED, "changed"),
        (REMOVED, "removed"),
        (OTHER_OUTCOME, "removed"),
    ],
    ids=["as it was", "moved to the end", "another model", "demoted", "removed", "about another outcome"],
)
def test_the_frozen_primary_leads_whatever_happened_since(tmp_path: Path, now: str, since: str) -> None:
    analyses, outcomes = collect_shown_analyses(trial(tmp_path, now))
    first = analyses[0]
    assert (first.outcome, first.standing, first.since) == ("dropout", "primary", since)
    assert {one.outcome for one in analyses} <= {outcome.name for outcome in outcomes}
    assert len({one.name for one in analyses}) == len(analyses)


def test_what_was_added_after_the_freeze_comes_last_as_exploratory(tmp_path: Path) -> None:
    added = entry(PRIMARY).replace(f'name = "{PRIMARY}"', 'name = "late"')
    analyses, _ = collect_shown_analyses(trial(tmp_path, PLAN.replace(entry(PRIMARY), f"{added}\n{entry(PRIMARY)}")))
    assert (analyses[-1].name, analyses[-1].role, analyses[-1].planned) == ("late", "exploratory", "")


def test_without_a_frozen_plan_the_protocol_alone_counts(tmp_path: Path) -> None:
    made = trial(tmp_path, SWAPPED, frozen=False)
    analyses, _ = collect_shown_analyses(made)
    assert {one.planned for one in analyses} == {""}
    assert find_leading_analysis(made).name == "absences_main"


def test_the_flow_of_participants_is_that_of_the_frozen_primary(tmp_path: Path) -> None:
    assert find_leading_analysis(trial(tmp_path, SWAPPED)).name == PRIMARY


def test_a_primary_that_is_gone_leaves_the_flow_to_the_present_one(tmp_path: Path) -> None:
    assert find_leading_analysis(trial(tmp_path, REMOVED)).name == "absences_main"


def test_an_outcome_without_analysis_is_known_by_its_label(tmp_path: Path) -> None:
    assert find_unanalysed_outcomes(trial(tmp_path, PLAN).protocol) == ()
    (tmp_path / "without").mkdir()
    without = PLAN.replace(entry("absences_main"), "")
    assert find_unanalysed_outcomes(trial(tmp_path / "without", without).protocol) == ("Unjustified absences",)
