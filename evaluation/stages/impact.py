"""impact: every estimate that the plan asks for, by country and together, as one tidy table."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from evaluation.frame import eligible
from evaluation.provenance import stage_folder
from evaluation.specifications import design_of, tables_of
from evaluation.stages import inputs_of, require
from evaluation.stages.assign import allocation_frame, read_allocation_record
from evaluation.stages.collect import stored_frames

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from analysis.results import Estimate
    from analysis.specs import Question
    from evaluation.population import AnalysisData, Frames
    from evaluation.protocol import Analysis, Protocol
    from evaluation.trial import Trial

WEIGHT = "school_weight"
"""Column of the weights of schools that had different chances of the arms."""

SAME_CHANCE = 0.01
"""Differences of chances below this are none: where draws are too many to list, chances come from re-draws."""

ESTIMATES, FLOW, IMPLEMENTATION, COSTS = "estimates.csv", "flow.csv", "implementation.csv", "costs.csv"


def impact(trial: Trial) -> pd.DataFrame:
    """Estimate every effect that the plan asks for, and count the flow, the implementation and the costs.

    Raises
    ------
    StaleError
        Before the draw and the data are there and fresh.
    DataError
        When no pupil of a drawn school is on the population's list.
    """
    from analysis.results import estimates_frame

    require(trial, "impact")
    inputs = inputs_of(trial, "impact")
    frames = needed_frames(trial)
    data = trial_data(trial, frames)
    estimates = _estimates(trial, data)
    table = estimates_frame(estimates)
    with stage_folder(trial.paths.results, stage="impact", inputs=inputs) as folder:
        write_table(table, folder / ESTIMATES)
        text = json.dumps([_finite(row) for row in table.to_dict("records")], indent=1, ensure_ascii=False)
        (folder / "estimates.json").write_text(text + "\n", encoding="utf-8")
        for name, content in _descriptions(trial, frames, data).items():
            write_table(content, folder / name)
    return table


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table of results as CSV."""
    # 15 significant digits: every digit that a double is sure of, and the same bytes on any platform.
    frame.to_csv(path, index=False, lineterminator="\n", float_format="%.15g")


def _finite(row: Mapping[Hashable, object]) -> dict[str, object]:
    """Return a row for JSON, which has no NaN and no infinity."""
    return {
        str(name): None if isinstance(value, float) and value - value != 0 else value for name, value in row.items()
    }


def needed_frames(trial: Trial) -> dict[tuple[str, str], pd.DataFrame]:
    """Return every table and wave that the analyses and descriptions read."""
    from evaluation.population import place_of

    protocol, tables = trial.protocol, tables_of(trial.protocol)
    wanted: dict[tuple[str, str], object] = {}
    listed = protocol.population.table
    for wave in protocol.wave_names if tables[listed].by_wave else ("",):
        wanted[listed, wave] = None
    for measure in (*protocol.covariates, *protocol.outcomes):
        if measure.table != "school":
            wanted[place_of(measure, protocol, tables)] = None
    wanted[listed, protocol.population_wave] = None
    wanted |= {("implementation", ""): None, ("costs", ""): None}
    return stored_frames(trial, wanted)


def trial_data(trial: Trial, frames: Frames) -> AnalysisData:
    """Return the analysis data of the trial."""
    from evaluation.population import analysis_data

    return analysis_data(
        trial.protocol,
        frames,
        tables=tables_of(trial.protocol),
        schools=trial.schools()[0],
        allocation=allocation_frame(trial),
    )


def redraws(trial: Trial) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Return the drawn schools, the position of each school's arm, and that of further draws of the same design.

    Returns
    -------
    tuple
        Schools (J, sorted), actual (J,) and draws (B, J). A draw that was made elsewhere is replayed as a permutation
        of its arms within strata, which is all that is known about it.
    """
    import numpy as np

    from randomisation.permuted import permute_within_strata
    from randomisation.record import with_recorded_sets
    from randomisation.replay import replay

    record = read_allocation_record(trial)
    allocation = allocation_frame(trial)
    inference, names = trial.protocol.inference, trial.protocol.arm_names
    actual = np.array([names.index(arm) for arm in allocation["arm"]])
    schools = tuple(allocation["school_id"])
    if record is not None and record.drawn == "here":
        frame = with_recorded_sets(eligible(trial.schools()[0]), record)
        draws = replay(frame, design_of(trial.protocol), n_draws=inference.n_draws, seed=inference.draws_seed)
    else:
        draws = permute_within_strata(
            actual, tuple(allocation["stratum"]), n_draws=inference.n_draws, seed=inference.draws_seed
        )
    return schools, actual, draws


def school_weights(trial: Trial) -> dict[str, float]:
    """Return the inverse of each school's probability of the arm it is in; nothing where all have the same chances."""
    import numpy as np

    from randomisation.constrained import assignment_probabilities
    from randomisation.record import with_recorded_sets

    record = read_allocation_record(trial)
    if record is None or len(set(record.design.ratios)) == 1:
        return {}
    frame = with_recorded_sets(eligible(trial.schools()[0]), record)
    table = assignment_probabilities(frame, record.design).set_index("school_id")
    if np.allclose(table.to_numpy(), table.to_numpy()[0], rtol=0, atol=SAME_CHANCE):
        return {}
    allocation = allocation_frame(trial)
    return {
        school: 1 / float(table.loc[school, arm])
        for school, arm in zip(allocation["school_id"], allocation["arm"], strict=True)
    }


def _estimates(trial: Trial, data: AnalysisData) -> list[Estimate]:
    from analysis.effects import estimate_effects

    schools, actual, draws = redraws(trial)
    weights = school_weights(trial)
    analyses = trial.protocol.analyses
    found: list[Estimate] = []
    for place, analysis in enumerate(analyses):
        trial.progress(f"estimating {analysis.name}", place, len(analyses))
        question = question_of(trial.protocol, analysis, unplanned=trial.plan_state.unplanned)
        frame = data.for_analysis(analysis)
        if weights:
            question = replace(question, weights=WEIGHT)
            frame = frame.assign(**{WEIGHT: frame["school_id"].map(weights)})
        found += estimate_effects(frame, question, schools=schools, actual=actual, draws=draws)
    trial.progress("estimating", len(analyses), len(analyses))
    return found


def question_of(protocol: Protocol, analysis: Analysis, *, unplanned: frozenset[str]) -> Question:
    """Return what an entry of the plan asks, marked exploratory when it was not in the frozen plan."""
    from analysis.specs import Question

    return Question(
        plan_entry=analysis.name,
        outcome=analysis.outcome,
        kind=protocol.outcome(analysis.outcome).kind,
        role="exploratory" if analysis.name in unplanned else analysis.role,
        model=analysis.model,
        covariates=analysis.covariates,
        arms=protocol.arm_names,
        strata="stratum" if analysis.strata and design_of(protocol).columns else None,
        conf_level=protocol.inference.conf_level,
    )


def primary_of(protocol: Protocol) -> Analysis:
    """Return the first primary analysis."""
    return next(analysis for analysis in protocol.analyses if analysis.role == "primary")


def _descriptions(trial: Trial, frames: Frames, data: AnalysisData) -> dict[str, pd.DataFrame]:
    from evaluation.erasure import erased_counts
    from evaluation.flow import flow_table, joined_later
    from evaluation.practice import cost_table, implementation_table

    protocol = trial.protocol
    joined = joined_later(_later_lists(protocol, frames), data)
    return {
        FLOW: flow_table(
            protocol,
            data,
            schools=trial.schools()[0],
            allocation=allocation_frame(trial),
            joined=joined,
            erased=erased_counts(trial),
            primary=primary_of(protocol),
        ),
        IMPLEMENTATION: implementation_table(frames["implementation", ""], tables_of(protocol)["implementation"]),
        COSTS: cost_table(frames["costs", ""], pupils=data.frame.groupby("school_id").size()),
    }


def _later_lists(protocol: Protocol, frames: Frames) -> list[pd.DataFrame]:
    """Return the lists of pupils of later waves, unless these are other pupils altogether."""
    if protocol.population.later_lists == "other_pupils":
        return []
    listed, waves = protocol.population.table, protocol.wave_names
    later = waves[waves.index(protocol.population_wave) + 1 :]
    return [frames[listed, wave] for wave in later if (listed, wave) in frames]
