"""balance: how alike the arms were before the trial, for schools and for pupils."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from evaluation.comparison import build_primary_comparison
from evaluation.flow import build_variable
from evaluation.frame import select_eligible_schools
from evaluation.mode import mark_practice_picture
from evaluation.provenance import stage_folder
from evaluation.specifications import find_population_place
from evaluation.stages import inputs_of, require
from evaluation.stages.agreement import read_allocation_frame
from evaluation.stored import STORE
from evaluation.trial_log import Event, build_log_announcement, build_product_facts

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    import pandas as pd

    from evaluation.comparison import Comparison
    from evaluation.folder import TrialFolder
    from evaluation.stages.redraws import TrialRedraws
    from randomisation.balance import Variable
    from reports.evidence import Evidence

LOVE_PLOT, BALANCE_MAP = "love_plot", "balance_map"
"""Figures: `love_plot.svg` where one arm is compared with the reference, `love_plot_ARM.svg` for each of more."""

BY_STRATUM, WITHIN = "by_stratum.csv", "within_strata.csv"


def balance(trial: TrialFolder) -> pd.DataFrame:
    """Compare the arms before the trial: schools, and pupils once data of them have been collected.

    Raises
    ------
    StaleError
        Before the draw, or when something that it rests on has changed.
    """
    import pandas as pd

    from evaluation.stages.evidence import BALANCE, TEST, collect_stated_evidence
    from randomisation.balance import balance_table

    require(trial, "balance")
    inputs = inputs_of(trial, "balance")
    compared = build_primary_comparison(trial.protocol)
    arms = compared.names
    listed = select_eligible_schools(trial.schools()[0]).drop(columns=["stratum", "arm"], errors="ignore")
    schools = _replace_arms_by_groups(listed.merge(read_allocation_frame(trial), on="school_id"), compared)
    variables = build_school_variables(trial, schools)
    tables = [
        _add_within_strata(balance_table(schools, variables=variables, arms=arms, level="school"), schools, variables)
    ]
    trial.progress("comparing schools", 0, 4)
    pupils = read_pupil_covariates(trial)
    pupil_variables: list[Variable] = []
    if pupils is not None:
        trial.progress("comparing pupils", 1, 4)
        pupils = _replace_arms_by_groups(pupils, compared)
        pupil_variables = [
            build_variable(pupils, item.name, label=item.label)
            for item in trial.protocol.covariates
            if item.table != "school"
        ]
        of_pupils = balance_table(pupils, variables=pupil_variables, arms=arms, level="pupil", school="school_id")
        tables.append(_add_within_strata(of_pupils, pupils, pupil_variables))
    # Without any measure the table has its columns and no row: nothing was compared, and reports say so.
    filled = [part for part in tables if len(part)] or tables[:1]
    table: pd.DataFrame = pd.concat(filled, ignore_index=True)
    trial.progress("testing by re-draws", 2, 4)
    test = test_joint_balance(trial, schools, variables, pupils)
    trial.progress("drawing", 3, 4)
    announce = build_log_announcement(
        trial, Event.WRITTEN, build_product_facts(trial, trial.paths.balance), again=False
    )
    with stage_folder(trial.paths.balance, stage="balance", inputs=inputs, announce=announce) as folder:
        table.to_csv(folder / BALANCE, index=False, lineterminator="\n", float_format="%.15g")
        (folder / TEST).write_text(json.dumps(test, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        strata = _write_strata(trial, {"school": (schools, variables), "pupil": (pupils, pupil_variables)}, folder)
        _draw(replace(collect_stated_evidence(trial, country=""), balance=table), strata, trial, folder)
    trial.progress("comparing", 4, 4)
    return table


def _replace_arms_by_groups(frame: pd.DataFrame, compared: Comparison) -> pd.DataFrame:
    """Return a frame with the groups that are compared in place of the design's arms."""
    return frame.assign(arm=frame["arm"].map(compared.group_of))


def _add_within_strata(table: pd.DataFrame, frame: pd.DataFrame, variables: list[Variable]) -> pd.DataFrame:
    """Add what is left of each difference within strata, and the arms' overlap; rows of one country have none."""
    from randomisation.balance_within import within_strata

    arms = tuple(dict.fromkeys(table["arm"]))
    reference = next(iter(set(frame["arm"]) - set(arms)), None)
    if reference is None or "stratum" not in frame.columns:
        return table.assign(std_difference_within=float("nan"), overlap=float("nan"))
    differences_within = within_strata(frame, variables=variables, arms=(reference, *arms), strata="stratum")
    differences_within = differences_within.drop(columns=["label", "std_difference"]).assign(country="")
    return table.merge(differences_within, how="left", on=["variable", "category", "country", "arm"], validate="1:1")


def _write_strata(
    trial: TrialFolder, compared: Mapping[str, tuple[pd.DataFrame | None, list[Variable]]], folder: Path
) -> pd.DataFrame | None:
    """Write what is left of schools' differences within strata, and schools' and pupils' by stratum; return these."""
    import pandas as pd

    from randomisation.balance_within import by_stratum, within_strata

    names = build_primary_comparison(trial.protocol).names
    parts = []
    for level, (frame, variables) in compared.items():
        if frame is not None and variables:
            part = by_stratum(frame, variables=variables, arms=names, strata="stratum").assign(level=level)
            limit = trial.protocol.reports.disclosure_threshold
            parts.append(suppress_small_counts(part, frame, threshold=limit) if level == "pupil" else part)
    schools, variables = compared["school"]
    table = pd.concat(parts, ignore_index=True) if parts else None
    within = within_strata(schools, variables=variables, arms=names, strata="stratum") if schools is not None else None
    for name, content in ((WITHIN, within), (BY_STRATUM, table)):
        if content is not None:
            content.to_csv(folder / name, index=False, lineterminator="\n", float_format="%.15g")
    return table


def _draw(evidence: Evidence, strata: pd.DataFrame | None, trial: TrialFolder, folder: Path) -> None:
    """Draw each arm that is compared with the reference: its differences, and the map of them by stratum."""
    from reports.figures.balance_map import balance_map
    from reports.figures.love import love_plot
    from reports.selection import get_compared_arms, get_reference_arm
    from reports.words import words

    language = words(trial.protocol.reports.languages[0])
    arms, reference = get_compared_arms(evidence), get_reference_arm(evidence)
    for arm in arms:
        ending = f"_{arm.name}" if len(arms) > 1 else ""
        figures = {LOVE_PLOT: love_plot(evidence, language, arm=arm)}
        if strata is not None:
            figures[BALANCE_MAP] = balance_map(strata, language, arm=arm, reference=reference)
        for name, figure in figures.items():
            if figure is not None:
                (folder / f"{name}{ending}.svg").write_text(
                    mark_practice_picture(trial, figure.svg), encoding="utf-8", newline="\n"
                )


def suppress_small_counts(table: pd.DataFrame, pupils: pd.DataFrame, *, threshold: int) -> pd.DataFrame:
    """Return a table of pupils by stratum without what is about few of them.

    Counts and differences of a stratum with fewer pupils in an arm than may be printed are missing, and so are those of
    a category that few pupils of an arm have, or few have not. Differences have one decimal, so that nobody can work
    back from them to the pupils behind a share.
    """
    from reports.disclosure import is_small

    def is_few(row: Mapping[Hashable, object]) -> bool:
        inside = pupils if row["stratum"] == "" else pupils.loc[pupils["stratum"] == row["stratum"]]
        known = inside.loc[inside[str(row["variable"])].notna()]
        counts = [float(str(row["n_reference"])), float(str(row["n_arm"]))]
        if row["category"]:
            has = known[str(row["variable"])].astype(str) == row["category"]
            counts += [float((has & (known["arm"] == arm)).sum()) for arm in set(known["arm"])]
            counts += [float((~has & (known["arm"] == arm)).sum()) for arm in set(known["arm"])]
        return any(is_small(count, threshold=threshold) for count in counts)

    few = [is_few(row) for row in table.to_dict("records")]
    rounded_table = table.assign(difference=table["difference"].round(1)).astype({"n_reference": float, "n_arm": float})
    rounded_table.loc[few, ["n_reference", "n_arm", "difference"]] = float("nan")
    return rounded_table


def build_school_variables(trial: TrialFolder, schools: pd.DataFrame) -> list[Variable]:
    """Return the school-level covariates and the size as variables of the balance table."""
    from randomisation.balance import Variable

    variables = []
    for item in trial.protocol.covariates:
        if item.table == "school":
            name = item.field or item.name
            variables.append(build_variable(schools, name, label=item.label))
    if "size" in schools.columns and "size" not in [variable.name for variable in variables]:
        variables.insert(0, Variable(name="size", label="Size (pupils)", kind="number"))
    return variables


def read_pupil_covariates(trial: TrialFolder) -> pd.DataFrame | None:
    """Return the analysed pupils with their covariates; None before any data were collected."""
    from evaluation.population import add_measure_column, find_measure_place, select_population, sort_by_values
    from evaluation.stored import read_stored_frames

    if not (trial.paths.store / STORE).exists():
        return None
    protocol, tables = trial.protocol, trial.tables
    items = [item for item in protocol.covariates if item.table != "school"]
    listed = find_population_place(protocol, tables)
    places = {item.name: find_measure_place(item, protocol, tables) for item in items}
    wanted = dict.fromkeys([listed, *places.values()])
    frames = read_stored_frames(trial, wanted)
    if frames[listed].empty:
        return None
    pupils = select_population(
        protocol, frames[listed], schools=trial.schools()[0], allocation=read_allocation_frame(trial)
    )
    for item in items:
        pupils = add_measure_column(pupils, item, frames[places[item.name]], tables)
    return pupils.reindex(sort_by_values(pupils)).reset_index(drop=True)


def test_joint_balance(
    trial: TrialFolder, schools: pd.DataFrame, variables: list[Variable], pupils: pd.DataFrame | None
) -> dict[str, float | None]:
    """Test schools' numbers and the school means of pupils' numbers together, and the latter alone, by re-draws.

    Returns
    -------
    dict
        ``statistic, p_value, n_draws, exact`` (whether the draws are all allocations that the design can make) of both
        together, and the same with ``_pupils`` behind of pupils' alone.
    """
    from evaluation.stages.redraws import redraws

    numbers = [variable for variable in variables if variable.kind == "number"]
    frame = schools
    pupil_variables: list[Variable] = []
    if pupils is not None:
        pupil_variables = [
            build_variable(pupils, item.name, label=item.label)
            for item in trial.protocol.covariates
            if item.table != "school"
        ]
        pupil_variables = [variable for variable in pupil_variables if variable.kind == "number"]
        means = pupils.groupby("school_id")[[variable.name for variable in pupil_variables]].mean()
        frame = schools.drop(columns=means.columns, errors="ignore").join(means, on="school_id")
    drawn = redraws(trial)
    test_results = _test_variables(trial, frame, [*numbers, *pupil_variables], drawn)
    if pupil_variables:
        test_results |= {
            f"{name}_pupils": value for name, value in _test_variables(trial, frame, pupil_variables, drawn).items()
        }
    return test_results


def _test_variables(
    trial: TrialFolder, frame: pd.DataFrame, variables: list[Variable], drawn: TrialRedraws
) -> dict[str, float | None]:
    from randomisation.joint_balance import balance_test

    compared, arms = build_primary_comparison(trial.protocol), trial.protocol.arm_names
    balance_result = balance_test(
        frame,
        variables=variables,
        schools=drawn.schools,
        actual=compared.positions(drawn.actual, arms),
        draws=compared.positions(drawn.draws, arms),
        probabilities=drawn.probabilities,
    )
    figures: dict[str, float | None] = {
        name: None if math.isnan(value) else value for name, value in balance_result.items()
    }
    return {**figures, "exact": drawn.probabilities is not None}
