"""On the command line: what cannot be drawn or analysed is said by the first command that could know."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from data_schema.errors import CrocoosError
from evaluation.cli.main import crocoos, get_exit_code
from tests.support.tiny import PROTOCOL, frame_text, plain_files, tiny_trial

CONSENT = '[privacy]\nconsent = "consent"\nrefusal = "exclude"\nlegal_basis = "Consent"\n\n[design]'


def run(*arguments: str) -> tuple[int, str]:
    """Return exit code and text of a command, as the command line gives them."""
    done = CliRunner().invoke(crocoos, list(arguments))
    if isinstance(done.exception, CrocoosError):
        return get_exit_code(done.exception), str(done.exception)
    return done.exit_code, done.output


def frame(n_schools: int, *, consent: str = "yes") -> str:
    head, *rows = frame_text().splitlines()
    return "\n".join([f"{head},consent", *(f"{row},{consent}" for row in rows[:n_schools]), ""])


@pytest.mark.parametrize(("n_schools", "consent"), [(1, "yes"), (8, "no")])
def test_a_plan_whose_schools_cannot_be_drawn_is_told_so_before_the_draw(
    tmp_path: Path, n_schools: int, consent: str
) -> None:
    tiny_trial(tmp_path / "trial", frame=frame(n_schools, consent=consent), files={})
    planned, drawn = run("plan", str(tmp_path / "trial")), run("assign", str(tmp_path / "trial"))
    assert planned == drawn
    assert planned[0] == 5


def test_a_seed_in_the_protocol_that_is_not_the_one_of_the_draw_is_named_and_can_be_put_right(tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    tiny_trial(folder, files={})
    assert run("assign", str(folder), "--seed", "drawn on television")[0] == 0
    code, said = run("assign", str(folder))
    assert code == 5
    assert "[design] of trial.toml states 'a lottery'" in said
    assert "its seed is 'drawn on television'; state that one" in said
    stated = PROTOCOL.replace('seed = "a lottery"', 'seed = "drawn on television"')
    (folder / "trial.toml").write_text(stated, encoding="utf-8")
    assert run("assign", str(folder))[0] == 0
    assert run("verify", str(folder))[0] == 0


def test_a_trial_in_which_everybody_refused_is_not_asked_for_files_that_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    refused = {name: text.replace(";yes", ";no") for name, text in plain_files().items()}
    tiny_trial(folder, protocol=PROTOCOL.replace("[design]", CONSENT, 1), files=refused)
    for command in ("assign", "collect", "balance"):
        assert run(command, str(folder))[0] == 0
    code, said = run("impact", str(folder))
    assert code == 4
    assert "consent is refused, or not answered, for all 96 pupils on the list" in said
    assert "Put the schools' files into inbox/" not in said
