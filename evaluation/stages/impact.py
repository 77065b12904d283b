"""impact: every estimate that the plan asks for, by country and together, as one tidy table."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evaluation.comparison import (
    Comparison,
    build_comparison,
    build_factor_comparisons,
    build_pooled_comparison,
    build_primary_comparison,
)
from evaluation.drawn import read_later_steps
from evaluation.flow import compare_arms_at_baseline
from evaluation.planned import find_leading_analysis
from evaluation.provenance import hash_file, hash_stage_outputs, stage_folder
from evaluation.specifications import build_design, build_tables, find_population_place
from evaluation.stages import inputs_of, require
from evaluation.stages.agreement import read_allocation_frame
from evaluation.stages.redraws import TrialRedraws, compute_school_weights, find_unequal_chances, redraws
from evaluation.stored import (
    ADJUSTMENT,
    CONTENT,
    COSTS,
    EQUIVALENCE,
    ESTIMATES,
    FLOW,
    IMPLEMENTATION,
    SIGNALS_EVALUATED,
    read_stored_frames,
)
from evaluation.trial_log import Event, build_log_announcement

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    import pandas as pd

    from analysis.questions import Question
    from analysis.results import Estimate
    from evaluation.folder import TrialFolder
    from evaluation.population import AnalysisData, Frames
    from evaluation.protocol import Analysis, Protocol

MARGINS = {
    "difference": "factor_difference",
    "randomisation_test": "factor_test",
    "randomisation_interval": "factor_interval",
}
"""What is estimated of a factor of a factorial design over all levels of the other, and what it is called."""

TOGETHER = (
    "difference",
    "randomisation_test",
    "randomisation_interval",
    "pooled_difference",
    "prediction_interval",
)
"""What is estimated of all arms together beside the reference; the same as of one arm beside another."""

WEIGHT = "school_weight"
"""Column of the weights of schools that had different chances of the arms."""


def estimate_impact(trial: TrialFolder) -> pd.DataFrame:
    """Estimate every effect that the plan asks for; count flow, implementation and costs, and judge the signals.

    Raises
    ------
    StaleError
        Before the draw and the data are there and fresh.
    DataError
        When no pupil of a drawn school is on the population's list.
    """
    from analysis.results import estimates_frame

    require(trial, "impact")
    trial.log().checked()
    inputs = inputs_of(trial, "impact")
    frames = read_needed_frames(trial)
    data = build_trial_data(trial, frames)
    drawn = Drawn(redraws=redraws(trial), chances=find_unequal_chances(trial))
    estimates = _estimate_all_effects(trial, data, drawn)
    table = estimates_frame(estimates)
    announce = build_log_announcement(trial, Event.ESTIMATED, lambda folder: _describe_impact_run(trial, folder))
    with stage_folder(trial.paths.results, stage="impact", inputs=inputs, announce=announce) as folder:
        write_table(table, folder / ESTIMATES)
        text = json.dumps([_replace_non_finite(row) for row in table.to_dict("records")], indent=1, ensure_ascii=False)
        (folder / "estimates.json").write_text(text + "\n", encoding="utf-8")
        tables = {**_build_descriptions(trial, frames, data), ADJUSTMENT: compare_adjustments(trial, data, drawn)}
        for name, content in tables.items():
            write_table(content, folder / name)
    return table


def _describe_impact_run(trial: TrialFolder, folder: Path) -> Mapping[str, str]:
    """Return what the log says of a run: the hash of the estimates, of all results, and of the data."""
    return {
        "estimates_sha256": hash_file(folder / ESTIMATES),
        "results_sha256": hash_stage_outputs(folder),
        "data_sha256": str(json.loads((trial.paths.store / CONTENT).read_bytes())["sha256"]),
    }


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table of results as CSV."""
    # 15 significant digits: every digit that a double is sure of, and the same bytes on any platform.
    frame.to_csv(path, index=False, lineterminator="\n", float_format="%.15g")


def _replace_non_finite(row: Mapping[Hashable, object]) -> dict[str, object]:
    """Return a row for JSON, which has no NaN and no infinity."""
    return {
        str(name): None if isinstance(value, float) and value - value != 0 else value for name, value in row.items()
    }


def read_needed_frames(trial: TrialFolder) -> dict[tuple[str, str], pd.DataFrame]:
    """Return every table and wave that the analyses and descriptions read."""
    from evaluation.population import find_measure_place

    protocol, tables = trial.protocol, trial.tables
    wanted: dict[tuple[str, str], object] = {}
    listed = protocol.population.table
    for wave in protocol.wave_names if tables[listed].by_wave else ("",):
        wanted[listed, wave] = None
    for measure in (*protocol.covariates, *protocol.outcomes):
        if measure.table != "school":
            wanted[find_measure_place(measure, protocol, tables)] = None
    wanted[find_population_place(protocol, tables)] = None
    wanted |= {("implementation", ""): None, ("costs", ""): None, ("signals", protocol.population_wave): None}
    return read_stored_frames(trial, wanted)


def build_trial_data(trial: TrialFolder, frames: Frames) -> AnalysisData:
    """Return the analysis data of the trial."""
    from evaluation.population import build_analysis_data

    population_data = build_analysis_data(
        trial.protocol,
        frames,
        tables=trial.tables,
        schools=trial.schools()[0],
        allocation=read_allocation_frame(trial),
        n_kept_out=_count_kept_out_pupils(trial),
    )
    return population_data.in_order_of_values()


def _count_kept_out_pupils(trial: TrialFolder) -> int:
    """Return how many pupils on the population's list did not consent and are kept out of the data."""
    from evaluation.consent import count_without_consent
    from evaluation.specifications import find_population_place

    if trial.protocol.privacy.refusal != "exclude":
        return 0
    counts, (table, wave) = count_without_consent(trial), find_population_place(trial.protocol, trial.tables)
    frames = (counts.refused, counts.unanswered)
    return sum(
        int(withheld_frame.loc[(withheld_frame["table"] == table) & (withheld_frame["wave"] == wave), "n_pupils"].sum())
        for withheld_frame in frames
    )


def _estimate_all_effects(trial: TrialFolder, data: AnalysisData, drawn: Drawn) -> list[Estimate]:
    analyses = trial.protocol.analyses
    effect_estimates: list[Estimate] = []
    for place, analysis in enumerate(analyses):
        trial.progress(f"estimating {analysis.name}", place, len(analyses))
        compared = build_comparison(trial.protocol, trial.protocol.outcome(analysis.outcome))
        effect_estimates += _estimate_comparison(trial, data, analysis, compared=compared, drawn=drawn)
        for factor, margin in build_factor_comparisons(trial.protocol.design).items():
            rows = _estimate_comparison(trial, data, analysis, compared=margin, drawn=drawn)
            effect_estimates += [_rename_margin_quantity(row, factor) for row in rows if row.quantity in MARGINS]
        together = build_pooled_comparison(trial.protocol)
        if together is not None:
            rows = _estimate_comparison(trial, data, analysis, compared=together, drawn=drawn)
            # As with one arm beside another, no entry of the plan asks for it.
            effect_estimates += [replace(row, role="exploratory") for row in rows if row.quantity in TOGETHER]
    trial.progress("estimating", len(analyses), len(analyses))
    return effect_estimates


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Re-draws of everything that was drawn, and schools' chances of the arms where they differ."""

    redraws: TrialRedraws
    chances: Mapping[str, Mapping[str, float]]


def _estimate_comparison(
    trial: TrialFolder, data: AnalysisData, analysis: Analysis, *, compared: Comparison, drawn: Drawn
) -> list[Estimate]:
    """Estimate one comparison of one entry of the plan."""
    from analysis.effects import estimate_effects

    arms, again = trial.protocol.arm_names, drawn.redraws
    frame, question = _build_question_data(trial, data, analysis, compared=compared, drawn=drawn)
    actual = compared.positions(again.actual, arms)
    permutations = again.permutations
    # A constraint tells of arms, not of groups of them, whether an allocation may be used.
    is_of_arms = compared.names == arms or permutations.usable is None
    return estimate_effects(
        frame,
        question,
        schools=again.schools,
        actual=actual,
        draws=compared.positions(again.draws, arms),
        probabilities=again.probabilities,
        permutations=replace(permutations, actual=actual) if is_of_arms else None,
    )


def _build_question_data(
    trial: TrialFolder, data: AnalysisData, analysis: Analysis, *, compared: Comparison, drawn: Drawn
) -> tuple[pd.DataFrame, Question]:
    """Return the pupils with their groups and weights, and what is asked of them."""
    arms = trial.protocol.arm_names
    question = build_question(trial.protocol, analysis, unplanned=trial.plan_state.unplanned)
    question = replace(question, arms=compared.names)
    if analysis.strata and any(step.late is not None for step in read_later_steps(trial)):
        question = replace(question, strata="stratum")
    frame = data.for_analysis(analysis)
    frame = frame.assign(arm=frame["arm"].map(compared.group_of))
    if drawn.chances:
        again = drawn.redraws
        arm_of = {school: arms[place] for school, place in zip(again.schools, again.actual, strict=True)}
        weights = compute_school_weights(drawn.chances, arm_of, compared)
        question = replace(question, weights=WEIGHT)
        frame = frame.assign(**{WEIGHT: frame["school_id"].map(weights)})
    return frame, question


def compare_adjustments(trial: TrialFolder, data: AnalysisData, drawn: Drawn) -> pd.DataFrame:
    """Return how far covariates move the primary estimate (`compare_adjusted_estimates`); empty without any."""
    import pandas as pd

    from analysis.adjustment import COLUMNS, compare_adjusted_estimates

    analysis = find_leading_analysis(trial)
    compared = build_comparison(trial.protocol, trial.protocol.outcome(analysis.outcome))
    frame, question = _build_question_data(trial, data, analysis, compared=compared, drawn=drawn)
    if not question.covariates:
        return pd.DataFrame(columns=["plan_entry", *COLUMNS])
    table = compare_adjusted_estimates(frame, question)
    table.insert(0, "plan_entry", analysis.name)
    return table


def _rename_margin_quantity(row: Estimate, factor: str) -> Estimate:
    """Return an estimate of a factor's margin under the name of its quantity."""
    quantity = MARGINS[row.quantity]
    name = f"{row.plan_entry}/{row.country or 'all'}/{quantity}/{factor}"
    return replace(row, quantity=quantity, estimate_id=name)


def build_question(protocol: Protocol, analysis: Analysis, *, unplanned: frozenset[str]) -> Question:
    """Return what an entry of the plan asks, marked exploratory when it was not in the frozen plan."""
    from analysis.questions import Question

    return Question(
        plan_entry=analysis.name,
        outcome=analysis.outcome,
        kind=protocol.outcome(analysis.outcome).kind,
        role="exploratory" if analysis.name in unplanned else analysis.role,
        model=analysis.model,
        options=analysis.options,
        horizon=protocol.outcome(analysis.outcome).horizon or math.nan,
        covariates=analysis.covariates,
        arms=protocol.arm_names,
        strata="stratum" if analysis.strata and build_design(protocol).columns else None,
        conf_level=protocol.inference.conf_level,
    )


def get_primary_analysis(protocol: Protocol) -> Analysis:
    """Return the first primary analysis."""
    return next(analysis for analysis in protocol.analyses if analysis.role == "primary")


def _build_descriptions(trial: TrialFolder, frames: Frames, data: AnalysisData) -> dict[str, pd.DataFrame]:
    from evaluation.consent import count_without_consent
    from evaluation.erasure import read_erased_counts
    from evaluation.flow import find_later_joiners, flow_table
    from evaluation.practice import implementation_table, summarise_costs
    from evaluation.signals import signals_table

    protocol = trial.protocol
    joined = find_later_joiners(_select_later_lists(protocol, frames), data)
    drawn, compared = read_allocation_frame(trial), build_primary_comparison(protocol)
    arm_of = dict(zip(drawn["school_id"], drawn["arm"].map(compared.group_of), strict=True))
    practice = frames["implementation", ""]
    pupils = data.frame.groupby("school_id").size()
    return {
        EQUIVALENCE: compare_arms_at_baseline(protocol, data),
        FLOW: flow_table(
            protocol,
            data,
            tables=build_tables(protocol),
            schools=trial.schools()[0],
            allocation=drawn,
            joined=joined,
            erased=read_erased_counts(trial),
            consent=count_without_consent(trial),
            primary=find_leading_analysis(trial),
        ),
        IMPLEMENTATION: implementation_table(
            practice, build_tables(protocol)["implementation"], arm_of=arm_of, arms=compared.names
        ),
        SIGNALS_EVALUATED: signals_table(protocol, frames, data, table=build_tables(protocol)["signals"]),
        COSTS: summarise_costs(frames["costs", ""], pupils=pupils, arm_of=arm_of, arms=compared.names),
    }


def _select_later_lists(protocol: Protocol, frames: Frames) -> list[pd.DataFrame]:
    """Return the lists of pupils of later waves, unless these are other pupils altogether."""
    if protocol.population.later_lists == "other_pupils":
        return []
    listed, waves = protocol.population.table, protocol.wave_names
    later = waves[waves.index(protocol.population_wave) + 1 :]
    return [frames[listed, wave] for wave in later if (listed, wave) in frames]
