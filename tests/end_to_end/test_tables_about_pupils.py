"""Tables of a trial's own about pupils: they may list the population, and their identifiers are pseudonyms."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_schema.errors import ProtocolError
from data_schema.store import Store
from evaluation.protocol_reader import read_protocol
from evaluation.trial import Trial
from tests.support.tiny import N_PUPILS, N_SCHOOLS, PROTOCOL, plain_files, pupil_ids, school_ids, tiny_trial

ROSTER = """
[tables.roster]
label = "Roster"
about = "pupil"
by_wave = {by_wave}
key = ["school_id", "pupil_id"]

[[tables.roster.fields]]
name = "school_id"
type = "identifier"

[[tables.roster.fields]]
name = "pupil_id"
type = "identifier"

[[tables.roster.fields]]
name = "name"
type = "text"

[population]
table = "roster"
"""


def with_roster(folder: Path, *, by_wave: bool) -> Trial:
    """Make a trial whose pupils are listed by a table of its own, without a word on privacy, and by no other."""
    old = 'table = "pupil"\nwave = "before"'
    assert old in PROTOCOL
    text = PROTOCOL.replace(old, 'table = "roster"' + ('\nwave = "before"' if by_wave else ""))
    files = plain_files()
    for school in school_ids():
        lines = [f"{school};{pupil};Tinkara Zupančič {pupil[-1]}" for pupil in pupil_ids(school)]
        files[f"before/pupil_{school}.csv"] = "\n".join(["school_id;pupil_id;name", *lines, ""])
    roster = ROSTER.format(by_wave="true" if by_wave else "false")
    return tiny_trial(folder, protocol=text + roster, files=files)


@pytest.mark.parametrize("by_wave", [True, False], ids=["by wave", "once"])
def test_a_table_of_ones_own_lists_the_population_and_nobody_is_asked_about_it(tmp_path: Path, by_wave: bool) -> None:
    trial = with_roster(tmp_path / "trial", by_wave=by_wave)
    trial.assign()
    made = trial.collect()
    assert [str(one) for one in made.findings if one.severity != "note"] == []
    assert dict(made.queries) == {}
    trial.balance()
    estimates = trial.impact()
    difference = estimates[(estimates["quantity"] == "difference") & (estimates["country"] == "")]
    assert difference["n_pupils"].tolist() == [N_PUPILS * N_SCHOOLS]
    forms = trial.forms(wave="after")
    assert len(forms.workbooks) == N_SCHOOLS


def test_identifiers_and_names_of_a_table_of_ones_own_never_stand_in_the_store(tmp_path: Path) -> None:
    trial = with_roster(tmp_path / "trial", by_wave=True)
    trial.collect()
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        roster, status = store.table("roster"), store.table("status")
    assert "name" not in roster
    assert set(roster["pupil_id"]) == set(status["pupil_id"])
    sent = {pupil for school in school_ids() for pupil in pupil_ids(school)}
    for path in trial.paths.root.rglob("*"):
        if path.is_file() and "inbox" not in path.parts:
            content = path.read_bytes()
            assert "Zupančič".encode() not in content, path
            assert not any(pupil.encode() in content for pupil in sent), path


def test_a_field_that_takes_the_place_of_a_private_one_is_private_too(tmp_path: Path) -> None:
    again = '\n[[tables.pupil.fields]]\nname = "{name}"\ntype = "{type}"\nheaders = ["the pupil"]\n'
    added = again.format(name="pupil_id", type="identifier") + again.format(name="name", type="text").replace(
        "the pupil", "who"
    )
    trial = tiny_trial(tmp_path / "trial", protocol=PROTOCOL + added)
    trial.collect()
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        pupils = store.table("pupil")
    assert "name" not in pupils
    assert not set(pupils["pupil_id"]) & {pupil for school in school_ids() for pupil in pupil_ids(school)}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('name = "pupil_id"\ntype = "identifier"', 'name = "pupil_id"\ntype = "text"', "tables are joined by it"),
        ('key = ["school_id", "pupil_id"]', 'key = ["pupil_id"]', "its key lacks"),
        ('name = "school_id"\ntype = "identifier"', 'name = "school_id"\ntype = "text"', "names schools of the frame"),
        (
            'name = "school_id"\ntype = "identifier"',
            'name = "school_id"\ntype = "identifier"\nprivacy = "identifier"',
            "names schools of the frame",
        ),
    ],
)
def test_a_table_about_pupils_that_could_not_be_joined_is_refused(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    trial = with_roster(tmp_path / "trial", by_wave=True)
    text = trial.paths.protocol.read_text(encoding="utf-8")
    assert old in text
    trial.paths.protocol.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ProtocolError, match=problem):
        read_protocol(trial.paths.protocol)


@pytest.mark.parametrize("by_wave", ["true", "false"])
def test_following_by_name_needs_names_and_waves(tmp_path: Path, by_wave: str) -> None:
    trial = with_roster(tmp_path / "trial", by_wave=by_wave == "true")
    text = trial.paths.protocol.read_text(encoding="utf-8") + "\n[linking]\nby_name = true\n"
    if by_wave == "true":
        text = text.replace('name = "name"', 'name = "nickname"')
    trial.paths.protocol.write_text(text, encoding="utf-8")
    with pytest.raises(ProtocolError, match="by_name"):
        read_protocol(trial.paths.protocol)
