"""From the protocol to the documents: a plan that was changed after the freeze, in a trial of three arms."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from evaluation.trial import Trial
from reports import sections
from reports.blocks import KeyFigures, Note, Table, join_plain_text
from reports.evidence import Evidence
from tests.support.block_text import texts
from tests.support.trials import clock, drawn_trial, small_protocol

ARMS = """[[design.arms]]
name = "control"
label = "Control schools"

[[design.arms]]
name = "team"
label = "Team schools"
description = "A team meets every month."

[[design.arms]]
name = "mentor"
label = "Mentor schools"
description = "A team meets every month, and a mentor visits."

"""


def protocol() -> str:
    """Return a plan of two analyses without covariates in three arms; belonging is measured and not analysed."""
    text = small_protocol()
    head, rest = text.split("[[design.arms]]", 1)
    text = f"{head}{ARMS}{rest[rest.index('# Which files below inbox/') :]}"
    for name in re.findall(r'\[\[analyses\]\]\nname = "(\w+)"', text):
        entry = re.search(rf'\[\[analyses\]\]\nname = "{name}"\n(?:.+\n)+\n?', text)
        assert entry is not None
        kept = name in ("dropout_main", "absences_main")
        plainer = re.sub(r"covariates = .*", "strata = false", entry.group())
        text = text.replace(entry.group(), plainer if kept else "")
    return text


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """What reports know of a trial whose primary was demoted for a better-looking outcome after the freeze."""
    folder = tmp_path_factory.mktemp("shown") / "trial"
    drawn_trial(folder, text=protocol())
    now = protocol().replace('role = "primary"', 'role = "later"').replace('role = "secondary"', 'role = "primary"')
    (folder / "trial.toml").write_text(now.replace('role = "later"', 'role = "secondary"'), encoding="utf-8")
    trial = Trial(folder, clock=clock)
    trial.collect()
    trial.balance()
    trial.impact()
    return trial.evidence()


def said(evidence: Evidence, *names: str) -> str:
    """Return all text of sections."""
    return "\n".join(line for name in names for line in texts(getattr(sections, name)(evidence, "en")))


def test_the_frozen_primary_leads_every_document_and_is_marked(evidence: Evidence) -> None:
    blocks = sections.brief_answer(evidence, "en")
    notes = [join_plain_text(block.text) for block in blocks if isinstance(block, Note)]
    assert "The frozen plan leads with “Left school early”. That analysis was changed after the freeze" in notes[0]
    table = next(block for block in sections.brief_outcomes(evidence, "en") if isinstance(block, Table))
    heads = [join_plain_text(row.cells[0]) for row in table.rows if row.kind == "body"]
    assert heads[0] == "Left school early, per 100 pupils (primary, changed after the freeze)"
    assert len(heads) == 4
    assert "Measured, and not analysed: " in join_plain_text(table.note)
    for code in ("HU", "RS"):
        assert "left school early" in said(replace(evidence, country=code), "country_title").casefold()


def test_each_arm_has_its_description_its_answer_and_its_figure(evidence: Evidence) -> None:
    text = said(evidence, "trial_design")
    assert "Team schools: A team meets every month." in text
    assert "Mentor schools: A team meets every month, and a mentor visits." in text
    answers = [block for block in sections.brief_answer(evidence, "en") if isinstance(block, Note)][1:]
    assert [note.title for note in answers[-2:]] == ["Did it work? Team schools", "Did it work? Mentor schools"]
    tiles = next(block for block in sections.brief_answer(evidence, "en") if isinstance(block, KeyFigures))
    assert [figure.label.rsplit(" in ", 1)[1] for figure in tiles.figures[:2]] == ["team schools", "mentor schools"]
    countries = said(evidence, "brief_practice")
    assert all(f"Hungary, {arm}" in countries for arm in ("Team schools", "Mentor schools"))


def test_printed_means_differ_by_the_printed_difference(evidence: Evidence) -> None:
    rows = evidence.estimates.set_index("estimate_id")["estimate"]
    for arm in ("team", "mentor"):
        found = rows[f"dropout_main/all/adjusted_mean/{arm}"] - rows["dropout_main/all/mean/control"]
        assert found == pytest.approx(rows[f"dropout_main/all/difference/{arm}"])
