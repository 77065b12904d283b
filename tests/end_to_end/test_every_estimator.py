"""Every estimator, for every kind of outcome that it takes, from the protocol to the documents of one tiny trial."""

from __future__ import annotations

import re
from functools import partial

import pandas as pd
import pytest

from analysis.estimators import ESTIMATORS, make_estimator
from analysis.outcomes import OUTCOME_KINDS
from data_schema.errors import EstimationError
from evaluation.trial import Trial
from tests.support.tiny import N_PUPILS, PROTOCOL, plain_files, rows_of, school_ids, tiny_trial

_OUTCOMES = """
[[tables.status.fields]]
name = "lessons_missed"
label = "Lessons missed"
type = "whole_number"
minimum = 0

[[tables.status.fields]]
name = "months"
label = "Months seen"
type = "number"
minimum = 0

[[outcomes]]
name = "left_by"
label = "Time to leaving"
kind = "time_to_event"
direction = "lower"
event = ["left_early"]
event_words = "left school early"
table = "status"
wave = "after"
field = "status"
time = "months"
unit = "months"
horizon = 9

[[outcomes]]
name = "lessons_missed"
label = "Lessons missed"
kind = "count"
direction = "lower"
unit = "lessons"
table = "status"
wave = "after"

[[tables.status.fields]]
name = "belonging"
label = "I belong here"
type = "code"

[[tables.status.fields.codes]]
name = "no"
label = "Not at all"

[[tables.status.fields.codes]]
name = "partly"
label = "Partly"

[[tables.status.fields.codes]]
name = "fully"
label = "Fully"

[[tables.status.fields.codes]]
name = "no_view"
label = "Cannot say"

[[outcomes]]
name = "belonging"
label = "Belonging"
kind = "ordinal"
direction = "higher"
missing = ["no_view"]
table = "status"
wave = "after"

[[outcomes]]
name = "left"
label = "Left early"
kind = "binary"
direction = "lower"
event = ["left_early"]
event_words = "left school early"
table = "status"
wave = "after"
field = "status"
"""


def _chosen(name: str, kind: str, option: str) -> object:
    return getattr(make_estimator(name, {}, kind=kind), option)


def _is_possible(name: str, kind: str, option: str, choice: str) -> bool:
    try:
        return bool(getattr(make_estimator(name, {option: choice}, kind=kind), option) == choice)
    except EstimationError:
        return False


_OUTCOME_OF = {
    "continuous": "average_mark",
    "count": "lessons_missed",
    "binary": "left",
    "ordinal": "belonging",
    "time_to_event": "left_by",
}
_ENTRIES = [(name, kind) for name, estimator in ESTIMATORS.items() for kind in estimator.kinds]
_VARIED = [
    (name, kind, option, choice)
    for name, kind in _ENTRIES
    for option, choices in ESTIMATORS[name].choices.items()
    for choice in choices
    if choice != _chosen(name, kind, option) and _is_possible(name, kind, option, choice)
]
"""Every choice of every option that is not an estimator's own, for each kind of outcome that has it."""


_LEVELS = [(name, kind, option) for name, kind in _ENTRIES for option in ESTIMATORS[name].fields_of_pupils]
"""Every option that names a field of the list of pupils; here it names the class."""


def _protocol() -> str:
    entries = [_entry(f"{name}_{kind}", name, kind) for name, kind in _ENTRIES]
    entries += [
        f'{_entry(f"{name}_{kind}_{option}_{choice.lower()}", name, kind)}\noptions = {{{option} = "{choice}"}}'
        for name, kind, option, choice in _VARIED
    ]
    entries += [
        f'{_entry(f"{name}_{kind}_{option}", name, kind)}\noptions = {{{option} = "class"}}'
        for name, kind, option in _LEVELS
    ]
    return "\n\n".join([PROTOCOL + _OUTCOMES, *entries])


def _entry(entry: str, name: str, kind: str) -> str:
    return f'[[analyses]]\nname = "{entry}"\noutcome = "{_OUTCOME_OF[kind]}"\nrole = "secondary"\nmodel = "{name}"'


def _status(at: int, place: int, _pupil: str) -> str:
    left = (place + at) % (2 + at % 3) == 0
    missed = (3 * place + 2 * at) % 11 + at * (place % 3)
    belonging = ("no", "partly", "fully")[(place * (at + 2) + at % 2) % (3 if place % 4 else 2)]
    # Who left did so at some time in the year; of the others some were last seen before its end.
    months = 1 + (5 * place + at) % 9 if left else 12 - 4 * (place % 5 == 1)
    mark = 2 + (7 * place + 3 * at) % 5 / 2
    return f"{'left_early' if left else 'enrolled'};{mark};{missed};{belonging};{months}"


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    files = plain_files()
    for at, school in enumerate(school_ids()):
        files[f"before/pupil_{school}.csv"] = rows_of(
            school, "class;gender;consent", lambda k, _: f"7{'abc'[k // 4]};{('girl', 'boy')[k % 2]};yes"
        )
        files[f"after/status_{school}.csv"] = rows_of(
            school, "status;average_mark;lessons_missed;belonging;months", partial(_status, at)
        )
    made = tiny_trial(tmp_path_factory.mktemp("every") / "trial", protocol=_protocol(), files=files)
    made.plan(freeze=True)
    made.assign()
    made.collect()
    made.balance()
    made.impact()
    return made


@pytest.fixture(scope="module")
def estimates(trial: Trial) -> pd.DataFrame:
    return pd.read_csv(trial.paths.results / "estimates.csv").set_index("estimate_id")


def test_every_kind_of_outcome_is_here() -> None:
    assert set(_OUTCOME_OF) == set(OUTCOME_KINDS)


@pytest.mark.parametrize(("name", "kind"), _ENTRIES)
def test_its_difference_and_what_its_kind_has_beside_it_are_estimated(
    estimates: pd.DataFrame, name: str, kind: str
) -> None:
    outcome = OUTCOME_KINDS[kind]
    beside = ("hazard_ratio",) if kind == "time_to_event" else ()
    for quantity in ("difference", outcome.standardised, outcome.ratio, *beside):
        if quantity:
            row = estimates.loc[f"{name}_{kind}/all/{quantity}/pilot"]
            assert row["status"] in ("ok", "boundary"), row["reason"]
            assert row["conf_low"] < row["estimate"] < row["conf_high"]
            assert row["n_pupils"] == len(school_ids()) * N_PUPILS


@pytest.mark.parametrize(("name", "kind", "option", "choice"), _VARIED)
def test_an_option_of_the_plan_is_what_the_row_was_estimated_with(
    estimates: pd.DataFrame, name: str, kind: str, option: str, choice: str
) -> None:
    row = estimates.loc[f"{name}_{kind}_{option}_{choice.lower()}/all/difference/pilot"]
    assert row["status"] in ("ok", "boundary"), row["reason"]
    assert choice in (row["se_type"], row["df_method"]) or f"_{choice}_" in f"_{row['method']}_"


@pytest.mark.parametrize(("name", "kind", "option"), _LEVELS)
def test_classes_that_a_plan_names_are_in_the_model_and_their_variance_is_in_the_table(
    estimates: pd.DataFrame, name: str, kind: str, option: str
) -> None:
    entry, plain = f"{name}_{kind}_{option}/all", f"{name}_{kind}/all"
    row = estimates.loc[f"{entry}/difference/pilot"]
    assert row["status"] in ("ok", "boundary"), row["reason"]
    assert row["conf_low"] < row["estimate"] < row["conf_high"]
    shares = [estimates.loc[f"{entry}/{quantity}/-"] for quantity in ("icc_level", "icc_beside_level")]
    assert all(share["status"] in ("ok", "boundary") and 0 <= share["estimate"] < 1 for share in shares)
    assert float(str(estimates.loc[f"{entry}/level_sd/-", "estimate"])) >= 0
    assert f"{plain}/level_sd/-" not in estimates.index
    assert f"{entry}/difference_robust/pilot" in estimates.index


def test_an_ordinal_model_has_what_is_standardised_beside_its_odds_ratio(estimates: pd.DataFrame) -> None:
    quantities = ("odds_ratio", "probability_of_superiority", "share_difference_above_1", "share_difference_above_2")
    for quantity in quantities:
        row = estimates.loc[f"ordinal_mixed_ordinal/all/{quantity}/pilot"]
        assert row["status"] in ("ok", "boundary"), row["reason"]
        assert row["conf_low"] < row["estimate"] < row["conf_high"]


@pytest.fixture(scope="module")
def document(trial: Trial) -> str:
    trial.report()
    (path,) = trial.paths.reports.glob("experimental_report.en.html")
    return re.sub(r"<[^>]+>", " ", path.read_text(encoding="utf-8"))


def test_the_report_prints_every_entry_in_the_units_of_its_kind(document: str) -> None:
    said = " ".join(document.split())
    assert all(f"{name}_{kind}" in said for name, kind in _ENTRIES)
    assert re.search(r"changed the number of pupils who left school early: .* per 100 pupils", said)
    assert re.search(r"number of pupils who left school early within 9 months: .* per 100 pupils", said)
    assert "Of every 100 pupils, an estimated" in said
    assert "are by the method of Kaplan and Meier, which allows for pupils who were not seen for so long" in said
    assert "It takes this ratio to be the same at all times" in said
    assert re.search(r"anything between .* lower and .* higher, in lessons", said)
    assert "Of counts the relative change is that of the adjusted mean: the rate ratio, less one." in said
    assert re.search(r"anything between .* lower and .* higher, in steps of the scale", said)
    assert "Answers are scored 1 (Not at all), 2 (Partly) and 3 (Fully); each step counts as one." in said
    assert re.search(r"“Partly” or higher, per 100 pupils +[+−]\d+\.\d", said)
    assert re.search(r"“Fully”, per 100 pupils +c +c ", said)  # fewer than ten pupils of an arm
    assert re.search(r"Probability of a higher answer +0\.\d\d", said)
    assert "model of ordered categories (cumulative logit) with random school intercepts" in said
    assert "model of counts with a log link and random school intercepts" in said
    assert (
        "of the linear model with random school intercepts in linear_mixed_continuous_df_method_kenward_roger," in said
    )
    assert (
        "linear_mixed_continuous_level (Average mark; secondary): linear model with random school intercepts and random"
        " intercepts of the field “class” within schools;" in said
    )
    assert "rest on the standard errors of Kenward and Roger, corrected for few schools and their degrees" in said
    assert "rest on standard errors by school (CR0, not corrected for few schools)" in said
    assert "(GEE) by school, with a log link, pupils of a school correlated alike; without covariates" in said
    assert "random school intercepts, Poisson, 15 nodes of quadrature" in said
    assert (
        "Intervals of the generalised estimating equations (GEE) by school in gee_continuous, gee_binary, gee_count,"
        in said
    )


@pytest.mark.usefixtures("document")
def test_every_kind_is_published_once_all_numbers_of_pupils_are_solved_for(trial: Trial) -> None:
    made = trial.publish()
    assert made.n_numbers > 0
    published = pd.read_csv(next(made.folder.rglob("estimates.csv")))
    assert {f"{name}_{kind}" for name, kind in _ENTRIES} <= set(published["plan_entry"])
