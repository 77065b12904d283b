"""The frozen plan: changes are listed, and what was not planned is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.frozen_plan import PlanState, plan_state
from evaluation.protocol_reader import read_protocol
from evaluation.wording import find_differences
from tests.support.protocols import CROCOOS


def state_after(tmp_path: Path, old: str, new: str) -> PlanState:
    """Freeze the template, replace a text in the protocol, and compare."""
    text = CROCOOS.read_text(encoding="utf-8")
    assert old in text
    plan = tmp_path / "plan"
    plan.mkdir()
    (plan / "trial.toml").write_text(text, encoding="utf-8")
    now = tmp_path / "trial.toml"
    now.write_text(text.replace(old, new, 1), encoding="utf-8")
    return plan_state(now, plan, read_protocol(now))


def test_an_unchanged_protocol_has_no_changes(tmp_path: Path) -> None:
    state = state_after(tmp_path, "trial", "trial")
    assert state.frozen
    assert state.changes == ()
    assert state.unplanned == frozenset()


def test_a_changed_outcome_makes_all_its_analyses_unplanned(tmp_path: Path) -> None:
    state = state_after(tmp_path, 'direction = "lower"', 'direction = "higher"')
    assert state.changes == ("outcomes.dropout.direction: 'lower' became 'higher'",)
    assert state.unplanned == {
        "dropout_main",
        "dropout_logistic",
        "dropout_all_unknown_left",
        "dropout_no_unknown_left",
    }


def test_a_new_analysis_is_unplanned_and_the_others_are_not(tmp_path: Path) -> None:
    entry = 'name = "late"\noutcome = "dropout"\nrole = "secondary"\nmodel = "linear_cluster"'
    new = f"[[analyses]]\n{entry}\n\n[inference]"
    state = state_after(tmp_path, "[inference]", new)
    assert state.unplanned == {"late"}
    assert state.changes == ("analyses.late was added",)


def test_another_confidence_level_touches_every_analysis(tmp_path: Path) -> None:
    state = state_after(tmp_path, "conf_level = 0.95", "conf_level = 0.9")
    assert len(state.unplanned) == 8


def test_a_change_elsewhere_is_listed_and_touches_no_analysis(tmp_path: Path) -> None:
    state = state_after(tmp_path, 'funder = ""', 'funder = "A ministry"')
    assert state.changes == ("trial.funder: '' became 'A ministry'",)
    assert state.unplanned == frozenset()


def test_without_a_frozen_plan_nothing_is_claimed(tmp_path: Path) -> None:
    assert plan_state(CROCOOS, tmp_path, read_protocol(CROCOOS)) == PlanState(frozen=False)


def test_differences_name_what_was_removed() -> None:
    found = [one.text for one in find_differences({"a": 1, "b": [1]}, {"b": [2]})]
    assert found == ["a was removed", "b: [1] became [2]"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('label = "Left school early"', 'label = "Left schooling early"'),
        ('description = "', 'description = "In short: '),
        ('event_words = "', 'event_words = "has '),
        ('title = "', 'title = "CroCooS: '),
        ('HU = "Hungary"', 'HU = "Hungary (north)"'),
        ('label = "Pilot schools', 'label = "Pilot schools,'),
        ('label = "Baseline', 'label = "Base line'),
    ],
)
def test_text_that_is_corrected_after_the_freeze_is_listed_and_demotes_nothing(
    tmp_path: Path, old: str, new: str
) -> None:
    state = state_after(tmp_path, old, new)
    assert state.changes == ()
    assert len(state.rewordings) == 1
    assert state.unplanned == frozenset()


def test_labels_that_two_outcomes_exchanged_are_a_change_and_none_of_wording(tmp_path: Path) -> None:
    text = CROCOOS.read_text(encoding="utf-8")
    one, other = 'label = "Left school early"', 'label = "Engagement with school"'
    start = text.index(one)
    end = text.index(other) + len(other)
    swapped = text[start:end].replace(one, "<>").replace(other, one).replace("<>", other)
    state = state_after(tmp_path, text[start:end], swapped)
    assert [change.split(":")[0] for change in state.changes] == ["outcomes.dropout.label", "outcomes.engagement.label"]
    assert state.changes[0].endswith("became 'Engagement with school', which was that of 'engagement'")
    assert state.rewordings == ()
    assert "dropout_main" in state.unplanned


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ('HU = "Hungary"\nRS = "Serbia"', 'HU = "Serbia"\nRS = "Hungary"', "countries.HU"),
        ('label = "Baseline"', 'label = "Follow-up"', "waves.baseline.label"),
    ],
)
def test_a_name_that_another_one_had_is_no_rewording(tmp_path: Path, old: str, new: str, change: str) -> None:
    state = state_after(tmp_path, old, new)
    assert state.changes[0].startswith(f"{change}: ")
    assert "which was that of" in state.changes[0]


def test_a_default_that_is_stated_is_no_change(tmp_path: Path) -> None:
    state = state_after(tmp_path, 'name = "dropout_main"', 'name = "dropout_main"\nstrata = true')
    assert (state.changes, state.rewordings, state.unplanned) == ((), (), frozenset())


def test_arms_in_another_order_are_a_change_since_the_first_is_the_reference() -> None:
    arms = [{"name": "control"}, {"name": "pilot"}]
    found = list(find_differences({"arms": arms}, {"arms": arms[::-1]}))
    assert [one.text for one in found] == ["arms: the order control, pilot became pilot, control"]
