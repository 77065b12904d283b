"""impact: every estimate that the plan asks for, by country and together, as one tidy table."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evaluation.comparison import Comparison, any_comparison, comparison_of, margins_of, primary_comparison
from evaluation.drawn import later_steps
from evaluation.flow import equivalence_table
from evaluation.planned import leading_analysis
from evaluation.provenance import outputs_hash, sha256_of_file, stage_folder
from evaluation.specifications import design_of, population_place, tables_of
from evaluation.stages import inputs_of, require
from evaluation.stages.agreement import allocation_frame
from evaluation.stages.redraws import TrialRedraws, redraws, school_weights, unequal_chances
from evaluation.stored import (
    ADJUSTMENT,
    CONTENT,
    COSTS,
    EQUIVALENCE,
    ESTIMATES,
    FLOW,
    IMPLEMENTATION,
    SIGNALS_EVALUATED,
    stored_frames,
)
from evaluation.trial_log import Event, announced

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


def impact(trial: TrialFolder) -> pd.DataFrame:
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
    frames = needed_frames(trial)
    data = trial_data(trial, frames)
    drawn = Drawn(redraws=redraws(trial), chances=unequal_chances(trial))
    estimates = _estimates(trial, data, drawn)
    table = estimates_frame(estimates)
    announce = announced(trial, Event.ESTIMATED, lambda folder: _told(trial, folder))
    with stage_folder(trial.paths.results, stage="impact", inputs=inputs, announce=announce) as folder:
        write_table(table, folder / ESTIMATES)
        text = json.dumps([_finite(row) for row in table.to_dict("records")], indent=1, ensure_ascii=False)
        (folder / "estimates.json").write_text(text + "\n", encoding="utf-8")
        tables = {**_descriptions(trial, frames, data), ADJUSTMENT: adjustment_table(trial, data, drawn)}
        for name, content in tables.items():
            write_table(content, folder / name)
    return table


def _told(trial: TrialFolder, folder: Path) -> Mapping[str, str]:
    """Return what the log says of a run: the hash of the estimates, of all results, and of the data."""
    return {
        "estimates_sha256": sha256_of_file(folder / ESTIMATES),
        "results_sha256": outputs_hash(folder),
        "data_sha256": str(json.loads((trial.paths.store / CONTENT).read_bytes())["sha256"]),
    }


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table of results as CSV."""
    # 15 significant digits: every digit that a double is sure of, and the same bytes on any platform.
    frame.to_csv(path, index=False, lineterminator="\n", float_format="%.15g")


def _finite(row: Mapping[Hashable, object]) -> dict[str, object]:
    """Return a row for JSON, which has no NaN and no infinity."""
    return {
        str(name): None if isinstance(value, float) and value - value != 0 else value for name, value in row.items()
    }


def needed_frames(trial: TrialFolder) -> dict[tuple[str, str], pd.DataFrame]:
    """Return every table and wave that the analyses and descriptions read."""
    from evaluation.population import place_of

    protocol, tables = trial.protocol, trial.tables
    wanted: dict[tuple[str, str], object] = {}
    listed = protocol.population.table
    for wave in protocol.wave_names if tables[listed].by_wave else ("",):
        wanted[listed, wave] = None
    for measure in (*protocol.covariates, *protocol.outcomes):
        if measure.table != "school":
            wanted[place_of(measure, protocol, tables)] = None
    wanted[population_place(protocol, tables)] = None
    wanted |= {("implementation", ""): None, ("costs", ""): None, ("signals", protocol.population_wave): None}
    return stored_frames(trial, wanted)


def trial_data(trial: TrialFolder, frames: Frames) -> AnalysisData:
    """Return the analysis data of the trial."""
    from evaluation.population import analysis_data

    made = analysis_data(
        trial.protocol,
        frames,
        tables=trial.tables,
        schools=trial.schools()[0],
        allocation=allocation_frame(trial),
        n_kept_out=_n_kept_out(trial),
    )
    return made.in_order_of_values()


def _n_kept_out(trial: TrialFolder) -> int:
    """Return how many pupils on the population's list did not consent and are kept out of the data."""
    from evaluation.consent import consent_counts
    from evaluation.specifications import population_place

    if trial.protocol.privacy.refusal != "exclude":
        return 0
    counts, (table, wave) = consent_counts(trial), population_place(trial.protocol, trial.tables)
    frames = (counts.refused, counts.unanswered)
    return sum(int(one.loc[(one["table"] == table) & (one["wave"] == wave), "n_pupils"].sum()) for one in frames)


def _estimates(trial: TrialFolder, data: AnalysisData, drawn: Drawn) -> list[Estimate]:
    analyses = trial.protocol.analyses
    found: list[Estimate] = []
    for place, analysis in enumerate(analyses):
        trial.progress(f"estimating {analysis.name}", place, len(analyses))
        compared = comparison_of(trial.protocol, trial.protocol.outcome(analysis.outcome))
        found += _answers(trial, data, analysis, compared=compared, drawn=drawn)
        for factor, margin in margins_of(trial.protocol.design).items():
            rows = _answers(trial, data, analysis, compared=margin, drawn=drawn)
            found += [_of_margin(row, factor) for row in rows if row.quantity in MARGINS]
        together = any_comparison(trial.protocol)
        if together is not None:
            rows = _answers(trial, data, analysis, compared=together, drawn=drawn)
            # As with one arm beside another, no entry of the plan asks for it.
            found += [replace(row, role="exploratory") for row in rows if row.quantity in TOGETHER]
    trial.progress("estimating", len(analyses), len(analyses))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Re-draws of everything that was drawn, and schools' chances of the arms where they differ."""

    redraws: TrialRedraws
    chances: Mapping[str, Mapping[str, float]]


def _answers(
    trial: TrialFolder, data: AnalysisData, analysis: Analysis, *, compared: Comparison, drawn: Drawn
) -> list[Estimate]:
    """Estimate one comparison of one entry of the plan."""
    from analysis.effects import estimate_effects

    arms, again = trial.protocol.arm_names, drawn.redraws
    frame, question = _asked(trial, data, analysis, compared=compared, drawn=drawn)
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


def _asked(
    trial: TrialFolder, data: AnalysisData, analysis: Analysis, *, compared: Comparison, drawn: Drawn
) -> tuple[pd.DataFrame, Question]:
    """Return the pupils with their groups and weights, and what is asked of them."""
    arms = trial.protocol.arm_names
    question = question_of(trial.protocol, analysis, unplanned=trial.plan_state.unplanned)
    question = replace(question, arms=compared.names)
    if analysis.strata and any(step.late is not None for step in later_steps(trial)):
        question = replace(question, strata="stratum")
    frame = data.for_analysis(analysis)
    frame = frame.assign(arm=frame["arm"].map(compared.group_of))
    if drawn.chances:
        again = drawn.redraws
        arm_of = {school: arms[place] for school, place in zip(again.schools, again.actual, strict=True)}
        weights = school_weights(drawn.chances, arm_of, compared)
        question = replace(question, weights=WEIGHT)
        frame = frame.assign(**{WEIGHT: frame["school_id"].map(weights)})
    return frame, question


def adjustment_table(trial: TrialFolder, data: AnalysisData, drawn: Drawn) -> pd.DataFrame:
    """Return how far covariates move the primary estimate, as `adjustment_consequences` says it; empty without any."""
    import pandas as pd

    from analysis.adjustment import COLUMNS, adjustment_consequences

    analysis = leading_analysis(trial)
    compared = comparison_of(trial.protocol, trial.protocol.outcome(analysis.outcome))
    frame, question = _asked(trial, data, analysis, compared=compared, drawn=drawn)
    if not question.covariates:
        return pd.DataFrame(columns=["plan_entry", *COLUMNS])
    table = adjustment_consequences(frame, question)
    table.insert(0, "plan_entry", analysis.name)
    return table


def _of_margin(row: Estimate, factor: str) -> Estimate:
    """Return an estimate of a factor's margin under the name of its quantity."""
    quantity = MARGINS[row.quantity]
    name = f"{row.plan_entry}/{row.country or 'all'}/{quantity}/{factor}"
    return replace(row, quantity=quantity, estimate_id=name)


def question_of(protocol: Protocol, analysis: Analysis, *, unplanned: frozenset[str]) -> Question:
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
        strata="stratum" if analysis.strata and design_of(protocol).columns else None,
        conf_level=protocol.inference.conf_level,
    )


def primary_of(protocol: Protocol) -> Analysis:
    """Return the first primary analysis."""
    return next(analysis for analysis in protocol.analyses if analysis.role == "primary")


def _descriptions(trial: TrialFolder, frames: Frames, data: AnalysisData) -> dict[str, pd.DataFrame]:
    from evaluation.consent import consent_counts
    from evaluation.erasure import erased_counts
    from evaluation.flow import flow_table, joined_later
    from evaluation.practice import cost_table, implementation_table
    from evaluation.signals import signals_table

    protocol = trial.protocol
    joined = joined_later(_later_lists(protocol, frames), data)
    drawn, compared = allocation_frame(trial), primary_comparison(protocol)
    arm_of = dict(zip(drawn["school_id"], drawn["arm"].map(compared.group_of), strict=True))
    practice = frames["implementation", ""]
    pupils = data.frame.groupby("school_id").size()
    return {
        EQUIVALENCE: equivalence_table(protocol, data),
        FLOW: flow_table(
            protocol,
            data,
            tables=tables_of(protocol),
            schools=trial.schools()[0],
            allocation=drawn,
            joined=joined,
            erased=erased_counts(trial),
            consent=consent_counts(trial),
            primary=leading_analysis(trial),
        ),
        IMPLEMENTATION: implementation_table(
            practice, tables_of(protocol)["implementation"], arm_of=arm_of, arms=compared.names
        ),
        SIGNALS_EVALUATED: signals_table(protocol, frames, data, table=tables_of(protocol)["signals"]),
        COSTS: cost_table(frames["costs", ""], pupils=pupils, arm_of=arm_of, arms=compared.names),
    }


def _later_lists(protocol: Protocol, frames: Frames) -> list[pd.DataFrame]:
    """Return the lists of pupils of later waves, unless these are other pupils altogether."""
    if protocol.population.later_lists == "other_pupils":
        return []
    listed, waves = protocol.population.table, protocol.wave_names
    later = waves[waves.index(protocol.population_wave) + 1 :]
    return [frames[listed, wave] for wave in later if (listed, wave) in frames]
