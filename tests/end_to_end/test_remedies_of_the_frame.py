"""What problems of the list of schools, and of what `power` assumes, tell to do works when it is done to the letter."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from click.testing import CliRunner

from data_schema.errors import CrocoosError, DataError
from evaluation.cli.main import crocoos
from evaluation.power_assumptions import Assumptions, group_iccs_by_country
from evaluation.trial import Trial
from tests.support.protocols import ROOT
from tests.support.tiny import PROTOCOL, frame_text, tiny_trial
from tests.support.trials import clock

STRATA = PROTOCOL.replace('kind = "complete"', 'kind = "stratified"\nstrata = ["type"]')
OF_SCHOOLS = '\n[[covariates]]\nname = "size"\nlabel = "Size"\ntable = "school"\n'

FRAMES: dict[str, tuple[str, str, str, tuple[tuple[str, str, str], ...]]] = {
    # protocol, what is wrong in the list, the remedy, and changes that it names: file, old, new; each alone mends it
    "a country of no trial": (
        PROTOCOL,
        frame_text().replace("School SI-02,SI,", "School SI-02,HU,"),
        "Use one of SI, or add it under [countries].",
        (
            ("schools.csv", "School SI-02,HU,", "School SI-02,SI,"),
            ("trial.toml", 'SI = "Slovenia"', 'SI = "Slovenia"\nHU = "Hungary"'),
        ),
    ),
    "no column for the draw": (
        STRATA,
        frame_text().replace(",type,", ",kind,"),
        "Add it, or correct the protocol; the columns are: school_id, name, country, ",
        (("schools.csv", ",kind,", ",type,"), ("trial.toml", 'strata = ["type"]', 'strata = ["country"]')),
    ),
    "no column for a covariate": (
        PROTOCOL + OF_SCHOOLS,
        "\n".join(line.rpartition(",")[0] for line in frame_text().splitlines()) + "\n",
        "Add it, or correct the protocol; the columns are: school_id, name, country, type.",
        (("trial.toml", OF_SCHOOLS, ""),),
    ),
    "no value for the draw": (
        STRATA,
        frame_text().replace("School SI-02,SI,general", "School SI-02,SI,"),
        "Fill it in, or let the school's consent be 'no' if it does not take part.",
        (("schools.csv", "School SI-02,SI,,", "School SI-02,SI,general,"),),
    ),
    "an answer of no list": (
        STRATA,
        frame_text().replace("School SI-02,SI,general", "School SI-02,SI,arts"),
        "Or declare the answers of 'type' under [tables.school].",
        (("schools.csv", "SI-02,SI,arts", "SI-02,SI,general"),),
    ),
}
CASES = [(name, place) for name, (*_, changes) in FRAMES.items() for place in range(len(changes))]


@pytest.mark.parametrize(("name", "place"), CASES)
def test_a_remedy_for_the_list_of_schools_works(tmp_path: Path, name: str, place: int) -> None:
    protocol, frame, remedy, changes = FRAMES[name]
    trial = tiny_trial(tmp_path / "trial", protocol=protocol, frame=frame)
    with pytest.raises(CrocoosError) as caught:
        trial.assign()
    assert remedy in str(caught.value)
    file, old, new = changes[place]
    path = trial.paths.root / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    Trial(trial.folder, clock=clock).assign()


def test_a_school_that_does_not_take_part_needs_no_value(tmp_path: Path) -> None:
    header, *rows = frame_text().splitlines()
    rows = [f"{row},{'no' if row.startswith('SI-02') else 'yes'}" for row in rows]
    frame = "\n".join([f"{header},consent", *rows, ""]).replace("School SI-02,SI,general", "School SI-02,SI,")
    trial = tiny_trial(tmp_path / "trial", protocol=STRATA, frame=frame)
    trial.assign()


SIZED = "\n".join(
    line.replace(",SI,", ",HU,") if at % 2 else line for at, line in enumerate([*frame_text().splitlines(), ""])
)
NOT_SIZED = "\n".join(line.rpartition(",")[0] for line in SIZED.splitlines()) + "\n"
TWO_COUNTRIES = PROTOCOL.replace('SI = "Slovenia"', 'SI = "Slovenia"\nHU = "Hungary"')

POWER: tuple[tuple[str, dict[str, object], str, tuple[dict[str, object], ...]], ...] = (
    # list of schools, what is assumed, the whole remedy, and assumptions that do what it says; each alone mends it
    (
        NOT_SIZED,
        {},
        "State the mean number of pupils per school whose outcome is analysed, such as 25.",
        ({"pupils_per_school": 25.0},),
    ),
    (SIZED, {"iccs": ({"SI": 0.1, "XX": 0.1},)}, "Use SI, HU.", ({"iccs": ({"SI": 0.1, "HU": 0.1},)},)),
    (
        SIZED,
        {"iccs": ({"SI": 0.1},)},
        "State one for each country, or one without a country for the others, such as --icc 0.1.",
        (
            {"iccs": ({"SI": 0.1, "HU": 0.1},)},
            {"iccs": group_iccs_by_country([("SI", 0.1), ("", 0.1)], ["SI", "HU"])},
        ),
    ),
    (SIZED, {"iccs": ({"SI": 10.0, "HU": 0.1},)}, "State a share such as 0.1.", ({"iccs": ({"SI": 0.1, "HU": 0.1},)},)),
)
CALLS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    # options that are wrong, the whole remedy, and options that do what it says
    ("--icc XX=0.1 --icc 0.1", "Use SI, HU.", ("--icc SI=0.1 --icc 0.1", "--icc HU=0.1 --icc 0.1")),
    (
        "--icc HU=0.1",
        "State one for each country, or one without a country for the others, such as --icc 0.1.",
        ("--icc HU=0.1 --icc SI=0.1", "--icc HU=0.1 --icc 0.1"),
    ),
    ("--icc SI=0.1 --icc SI=0.2", "State one for each country.", ("--icc SI=0.1 --icc HU=0.2",)),
    ("--icc SI=0.1 --icc 0.1 --icc 0.2", "State one for each country.", ("--icc SI=0.1 --icc HU=0.2",)),
)


@pytest.mark.parametrize(("frame", "wrong", "remedy", "mends"), POWER)
def test_a_remedy_for_what_power_assumes_works(
    tmp_path: Path, frame: str, wrong: dict[str, object], remedy: str, mends: tuple[dict[str, object], ...]
) -> None:
    trial = tiny_trial(tmp_path / "trial", protocol=TWO_COUNTRIES, frame=frame)
    with pytest.raises(DataError) as caught:
        trial.power(assumptions(wrong))
    assert caught.value.remedy == remedy
    for mend in mends:
        assert not trial.power(assumptions(wrong | mend)).table.empty


def assumptions(stated: dict[str, object]) -> Assumptions:
    return Assumptions(**{"iccs": (0.1,)} | stated)  # type: ignore[arg-type]  # one of each kind


@pytest.mark.parametrize(("wrong", "remedy", "mends"), CALLS)
def test_a_remedy_for_the_options_of_power_works(
    tmp_path: Path, wrong: str, remedy: str, mends: tuple[str, ...]
) -> None:
    trial = tiny_trial(tmp_path / "trial", protocol=TWO_COUNTRIES, frame=SIZED)
    answer = CliRunner().invoke(crocoos, ["power", str(trial.folder), *wrong.split()])
    assert isinstance(answer.exception, DataError), answer.output
    assert answer.exception.remedy == remedy
    for mend in mends:
        done = CliRunner().invoke(crocoos, ["power", str(trial.folder), *mend.split()])
        assert done.exit_code == 0, done.output


def test_every_problem_of_what_power_assumes_is_tried() -> None:
    tree = ast.parse((ROOT / "evaluation" / "power_assumptions.py").read_text(encoding="utf-8"))
    raised = [node for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    assert len(raised) == len({remedy for _, _, remedy, _ in POWER} | {remedy for _, remedy, _ in CALLS})
