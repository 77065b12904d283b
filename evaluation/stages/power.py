"""power: what the trial can find with the schools that it has, by formula and by simulation."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from analysis.outcomes import OUTCOME_KINDS
from data_schema.errors import DataError, EstimationError
from evaluation.frame import refuse_classes, select_eligible_schools
from evaluation.mode import mark_practice_picture, mark_practice_table, mark_practice_values
from evaluation.power_assumptions import (
    Assumptions,
    check_iccs,
    compute_mean_icc,
    estimate_pupil_counts,
    format_icc_label,
)
from evaluation.specifications import build_design
from evaluation.trial_log import export_product_folder

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from analysis.power import SchoolTrial
    from analysis.power_simulation import SimulatedPower
    from evaluation.folder import TrialFolder
    from evaluation.power_assumptions import Icc, PupilCounts
    from evaluation.protocol import Outcome
    from reports.figures.power import Curve

TABLE, BY_SCHOOLS, BY_EFFECT, SIMULATED = "power.csv", "effect_by_schools.svg", "power_by_effect.svg", "simulated.json"
SHARES = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Numbers of schools in the table, as shares of those that there are."""

RISKS, DEVIATIONS = "difference of shares", "standard deviations"
"""Units of effects, the same where one is stated and where one is printed: 0.05 is five pupils of a hundred."""

_CURVE_POINTS = 40
_COLUMNS = (
    "arm",
    "reference",
    "correlation",
    "icc",
    "n_schools",
    "n_schools_trial",
    "pupils_per_school",
    "pupils_per_school_from",
    "size_cv",
    "df",
    "std_error",
    "smallest_effect",
    "effect_unit",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerStatement:
    """What the trial can find, in output/power.

    Parameters
    ----------
    folder
        Where table and curves are.
    outcome
        Label of the primary outcome.
    assumed
        What is assumed.
    pupils
        Pupils of each school before losses, and where the number comes from.
    table
        One row a comparison (`arm` beside `reference`), correlation and number of schools: `correlation` (as a
        heading), `icc` (of the formula), `n_schools` (of the two arms), `n_schools_trial` (of all arms),
        `pupils_per_school`, `pupils_per_school_from`, `size_cv`, `df`, `std_error` (in standard deviations),
        `compute_smallest_effect`, `effect_unit`.
    n_schools
        Schools in the first two arms that are compared.
    n_schools_trial
        Schools of the frame that can be drawn, for all arms.
    simulated
        What a simulation found, and of which effect; None without one.
    """

    folder: Path
    outcome: str
    assumed: Assumptions
    pupils: PupilCounts
    table: pd.DataFrame
    n_schools: int
    n_schools_trial: int
    simulated: tuple[float, SimulatedPower] | None = None

    @property
    def binary(self) -> bool:
        """Whether effects are differences of shares."""
        return self.assumed.control_risk is not None

    @property
    def effect_unit(self) -> str:
        """Unit of every effect, of those that are stated as of those that are found."""
        return RISKS if self.binary else DEVIATIONS

    def to_dict(self) -> dict[str, object]:
        """Return the statement as JSON values; every share is from 0 to 1."""
        values = self.stated() | {
            "rows": self.table.astype(object).where(self.table.notna(), None).to_dict("records"),
            "n_schools": self.n_schools,
            "n_schools_trial": self.n_schools_trial,
        }
        return values if self.simulated is None else values | {"simulated": self.simulation()}

    def stated(self) -> dict[str, object]:
        """Return what is assumed, with units and the source of the number of pupils."""
        return {
            "outcome": self.outcome,
            "effect_unit": self.effect_unit,
            "assumed": asdict(self.assumed) | {"pupils_per_school": self.pupils.mean},
            "pupils_per_school_from": self.pupils.source,
            "pupils_per_school_note": self.pupils.note,
        }

    def simulation(self) -> dict[str, object]:
        """Return what the simulation found, with the effect that was true; empty without one."""
        if self.simulated is None:
            return {}
        effect, simulated = self.simulated
        simulated_values = {name: _convert_nan_to_none(value) for name, value in asdict(simulated).items()}
        return {"effect": effect, "effect_unit": self.effect_unit, **simulated_values}


def power(
    trial: TrialFolder, assumed: Assumptions, *, n_simulations: int = 0, effect: float | None, seed: str
) -> PowerStatement:
    """Describe what the trial can find in its primary outcome: each arm beside the reference, with all their schools.

    Curves and simulation are of the first arm beside the reference.

    Parameters
    ----------
    trial
        The trial; nothing needs to be drawn yet.
    assumed
        What is assumed.
    n_simulations
        Simulated trials; 0 for none.
    effect
        True effect that is simulated, in the unit of the outcome's effects; where None, the smallest that can be found
        by formula. A true effect of 0 gives the error rate of the test.
    seed
        Text that settles the simulation.
    """
    from evaluation.stages.impact import get_primary_analysis

    refuse_classes(trial, "power")
    outcome = trial.protocol.outcome(get_primary_analysis(trial.protocol).outcome)
    assumed = replace(assumed, control_risk=_get_control_risk(outcome, assumed))
    check_iccs(assumed.iccs, tuple(trial.protocol.countries))
    schools = select_eligible_schools(trial.sampling_frame()[0])
    pupils = estimate_pupil_counts(schools, assumed)
    compared = [
        _Compared(
            arm=arm,
            reference=reference,
            sizes=[
                _build_school_trial(trial, schools, assumed, icc=icc, pupils=pupils, arms=(reference, arm))
                for icc in assumed.iccs
            ],
        )
        for reference, arm in _find_compared_groups(trial)
    ]
    sizes = compared[0].sizes
    simulation = None
    if n_simulations:
        wanted = compute_smallest_effect(sizes[0], assumed, outcome) if effect is None else effect
        if math.isnan(wanted):
            raise DataError("power, --effect", "no effect is found by formula.", "State the one to simulate.")
        expected_schools = schools.assign(pupils_expected=pupils.by_school.clip(min=1))
        simulation = (
            wanted,
            _simulate_power(trial, expected_schools, assumed, effect=wanted, n_simulations=n_simulations, seed=seed),
        )
    statement = PowerStatement(
        folder=trial.paths.power,
        outcome=outcome.label,
        assumed=assumed,
        pupils=pupils,
        table=_build_power_table(compared, assumed, outcome, n_schools=len(schools), source=pupils.source),
        n_schools=round(sizes[0].n_schools),
        n_schools_trial=len(schools),
        simulated=simulation,
    )
    _write(trial, statement, sizes, outcome)
    return statement


def _get_control_risk(outcome: Outcome, assumed: Assumptions) -> float | None:
    if not OUTCOME_KINDS[outcome.kind].is_share:
        return None
    if assumed.control_risk is None:
        raise DataError(
            "power, --control-risk",
            f"'{outcome.label}' is {outcome.kind}, and nothing is assumed of its share.",
            "State the share of pupils with the event that is expected without the intervention, such as 0.12.",
        )
    return assumed.control_risk


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """An arm beside the reference: the size of their comparison at each correlation."""

    arm: str
    reference: str
    sizes: list[SchoolTrial]


def _build_school_trial(
    trial: TrialFolder,
    schools: pd.DataFrame,
    assumed: Assumptions,
    *,
    icc: Icc,
    pupils: PupilCounts,
    arms: tuple[str, str],
) -> SchoolTrial:
    """Return the size of the comparison of two groups of the primary outcome."""
    from analysis.power import SchoolTrial
    from randomisation.schools import read_schools

    design = build_design(trial.protocol)
    labels = read_schools(schools, design).labels()
    first, second = _get_group_ratios(trial, arms)
    return SchoolTrial(
        n_schools=len(schools) * (first + second) / sum(design.ratios),
        pupils_per_school=pupils.mean,
        icc=compute_mean_icc(icc, schools),
        share_treated=second / (first + second),
        r2_school=assumed.r2_school,
        r2_pupil=assumed.r2_pupil,
        n_covariates=int(assumed.r2_school > 0),
        n_strata=len(set(labels)),
        size_cv=pupils.size_cv,
        schools_lost=assumed.schools_lost,
        pupils_lost=assumed.pupils_lost,
    )


def _find_compared_groups(trial: TrialFolder) -> list[tuple[str, str]]:
    """Return the groups that are compared in the primary outcome, each beside the reference."""
    from evaluation.comparison import build_primary_comparison

    reference, *others = build_primary_comparison(trial.protocol).names
    return [(reference, other) for other in others]


def _get_group_ratios(trial: TrialFolder, groups: tuple[str, str]) -> tuple[int, int]:
    """Return the ratios of two groups that are compared in the primary outcome."""
    from evaluation.comparison import build_primary_comparison

    group_of = build_primary_comparison(trial.protocol).group_of
    first, second = (
        sum(arm.ratio for arm in trial.protocol.design.arms if group_of[arm.name] == name) for name in groups
    )
    return first, second


def compute_smallest_effect(size: SchoolTrial, assumed: Assumptions, outcome: Outcome) -> float:
    """Return the smallest effect that is found with the power that is wanted; its sign is that of a benefit.

    Not a number where no effect would be found: no pupil with the event, or all of them.
    """
    from analysis.power import mdes, minimum_detectable_risk

    if assumed.control_risk is None:
        detectable_effect = mdes(size, power=assumed.power)
        return -detectable_effect if outcome.direction == "lower" else detectable_effect
    try:
        return minimum_detectable_risk(
            size, control_risk=assumed.control_risk, direction=outcome.direction, power=assumed.power
        )
    except EstimationError:
        return math.nan


def _build_power_table(
    compared: list[_Compared], assumed: Assumptions, outcome: Outcome, *, n_schools: int, source: str
) -> pd.DataFrame:
    import pandas as pd

    unit = DEVIATIONS if assumed.control_risk is None else RISKS
    rows = []
    for pair, place in itertools.product(compared, range(len(assumed.iccs))):
        size = pair.sizes[place]
        for share in SHARES:
            sized = _replace_school_number(size, round(share * size.n_schools))
            if sized.df < 1:
                continue
            rows.append(
                {
                    "arm": pair.arm,
                    "reference": pair.reference,
                    "correlation": format_icc_label(assumed.iccs[place]),
                    "icc": size.icc,
                    "n_schools": round(sized.n_schools),
                    "n_schools_trial": round(share * n_schools),
                    "pupils_per_school": sized.pupils_per_school,
                    "pupils_per_school_from": source,
                    "size_cv": sized.size_cv,
                    "df": sized.df,
                    "std_error": sized.std_error,
                    "smallest_effect": compute_smallest_effect(sized, assumed, outcome),
                    "effect_unit": unit,
                }
            )
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _replace_school_number(size: SchoolTrial, n_schools: int) -> SchoolTrial:
    """Return the trial with another number of schools; pairs stay pairs."""
    n_strata = max(n_schools // 2, 1) if size.n_strata * 2 >= size.n_schools > 2 else size.n_strata
    return replace(size, n_schools=n_schools, n_strata=n_strata)


def _simulate_power(
    trial: TrialFolder, schools: pd.DataFrame, assumed: Assumptions, *, effect: float, n_simulations: int, seed: str
) -> SimulatedPower:
    """Simulate the trial with its own design and the model of its primary analysis."""
    from analysis.power_simulation import TrueOutcome, simulated_power
    from evaluation.comparison import build_primary_comparison
    from evaluation.stages.impact import build_question, get_primary_analysis

    if set(build_primary_comparison(trial.protocol).names) != set(trial.protocol.arm_names):
        raise DataError(
            "power, --simulate",
            "the analysis compares groups of the design's arms.",
            "Leave it out: the figures by formula are of the groups.",
        )
    return simulated_power(
        schools,
        build_design(trial.protocol),
        TrueOutcome(
            effect=effect,
            icc=assumed.iccs[0],
            r2_school=assumed.r2_school,
            r2_pupil=assumed.r2_pupil,
            control_risk=assumed.control_risk,
        ),
        question=build_question(trial.protocol, get_primary_analysis(trial.protocol), unplanned=frozenset()),
        pupils="pupils_expected",
        schools_lost=assumed.schools_lost,
        pupils_lost=assumed.pupils_lost,
        n_simulations=n_simulations,
        seed=seed,
        progress=lambda done, total: trial.progress("simulating", done, total),
    )


def _write(trial: TrialFolder, found: PowerStatement, sizes: list[SchoolTrial], outcome: Outcome) -> None:
    """Write table, curves and the statement to output/power."""
    from reports.figures.power import format_effect_unit, mdes_plot, power_plot
    from reports.words import words

    text, assumed = words(trial.protocol.reports.languages[0]), found.assumed
    scale = 100.0 if found.binary else 1.0
    unit = format_effect_unit(text, binary=found.binary)
    # The folder is replaced as a whole: an earlier call's simulation may rest on other assumptions than this table.
    with export_product_folder(trial, found.folder) as folder:
        (folder / TABLE).write_bytes(
            mark_practice_table(trial, found.table).to_csv(index=False, lineterminator="\n").encode()
        )
        curves = _compute_curves_by_schools(sizes, assumed, outcome)
        if curves:
            figure = mdes_plot(curves, text, n_schools=found.n_schools, scale=scale, unit=unit)
            (folder / BY_SCHOOLS).write_bytes(mark_practice_picture(trial, figure.svg).encode())
        curves = _compute_curves_by_effect(sizes, assumed, outcome)
        figure = power_plot(curves, text, target=assumed.power, scale=scale, unit=unit)
        (folder / BY_EFFECT).write_bytes(mark_practice_picture(trial, figure.svg).encode())
        if found.simulated is not None:
            values = mark_practice_values(trial, found.stated() | found.simulation())
            (folder / SIMULATED).write_bytes((json.dumps(values, indent=2, sort_keys=True) + "\n").encode())


def _convert_nan_to_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _compute_curves_by_schools(sizes: list[SchoolTrial], assumed: Assumptions, outcome: Outcome) -> list[Curve]:
    from reports.figures.power import Curve

    n = sizes[0].n_schools
    numbers = sorted({round(n * (0.4 + 1.6 * place / _CURVE_POINTS)) for place in range(_CURVE_POINTS + 1)})
    curves = []
    for icc, size in zip(assumed.iccs, sizes, strict=True):
        sized = [
            resized_trial
            for resized_trial in (_replace_school_number(size, number) for number in numbers)
            if resized_trial.df >= 2
        ]
        effects = [
            (sized_trial.n_schools, compute_smallest_effect(sized_trial, assumed, outcome)) for sized_trial in sized
        ]
        points = [point for point in effects if math.isfinite(point[1])]
        if points:
            x, y = zip(*points, strict=True)
            curves.append(Curve(label=format_icc_label(icc), x=x, y=y))
    return curves


def _compute_curves_by_effect(sizes: list[SchoolTrial], assumed: Assumptions, outcome: Outcome) -> list[Curve]:
    """Return power against effects up to one and a half of the smallest effect that is found at the largest ICC."""
    from analysis.power import power_of
    from reports.figures.power import Curve

    smallest_effects = [abs(compute_smallest_effect(size, assumed, outcome)) for size in sizes]
    top = 1.5 * max((effect_size for effect_size in smallest_effects if math.isfinite(effect_size)), default=math.inf)
    if assumed.control_risk is not None:
        room = assumed.control_risk if outcome.direction == "lower" else 1 - assumed.control_risk
        top = min(top, 0.99 * room)
    effects = [top * place / _CURVE_POINTS for place in range(_CURVE_POINTS + 1)]
    curves = []
    for icc, size in zip(assumed.iccs, sizes, strict=True):
        powers = tuple(power_of(size, effect=_standardise_effect(effect, size, assumed, outcome)) for effect in effects)
        curves.append(Curve(label=format_icc_label(icc), x=tuple(effects), y=powers))
    return curves


def _standardise_effect(effect: float, size: SchoolTrial, assumed: Assumptions, outcome: Outcome) -> float:
    """Return an effect over the standard deviation that its own risks give the outcome."""
    risk = assumed.control_risk
    if risk is None:
        return effect
    treated = risk - effect if outcome.direction == "lower" else risk + effect
    share = size.share_treated
    return effect / math.sqrt((1 - share) * treated * (1 - treated) + share * risk * (1 - risk))
