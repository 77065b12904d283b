"""Everything that a report may state, read from the trial's folder: no model is fitted here, no figure is typed."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from data_schema.errors import ProtocolError
from evaluation.claims import describe_order_claims
from evaluation.comparison import build_factor_comparisons, build_primary_comparison
from evaluation.decisions import find_frozen_waves
from evaluation.drawn import read_later_steps
from evaluation.planned import collect_shown_analyses, find_unanalysed_outcomes
from evaluation.population import classify_outcome_values
from evaluation.provenance import get_toolkit_version
from evaluation.stages import require
from evaluation.stages.agreement import read_checked_record
from evaluation.stages.redraws import find_unequal_chances
from evaluation.stages.verify import verify_draw as verify
from evaluation.stored import (
    ADJUSTMENT,
    CONTENT,
    COSTS,
    EQUIVALENCE,
    ESTIMATES,
    FLOW,
    IMPLEMENTATION,
    RETURNS,
    SIGNALS_EVALUATED,
)
from reports.evidence import ArmFacts, Evidence
from reports.release.mending import suppress_recoverable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from evaluation.folder import TrialFolder
    from evaluation.protocol import Protocol

BALANCE, TEST = "balance.csv", "test.json"

_TEXT = ("country", "arm", "reason", "caution", "term", "plan_entry", "outcome", "category", "wave", "sheet")


def evidence(trial: TrialFolder, *, country: str) -> Evidence:
    """Gather the evidence of a trial.

    Parameters
    ----------
    trial
        With results that are fresh.
    country
        Code of the country that the report is about; "" for all together.

    Raises
    ------
    StaleError
        When the results are missing or rest on something that has changed.
    ProtocolError
        When the country is not one of the protocol's.
    """
    protocol, paths = trial.protocol, trial.paths
    if country and country not in protocol.countries:
        raise ProtocolError(
            "country", f"'{country}' is not one of the protocol's.", f"Use one of {', '.join(protocol.countries)}."
        )
    require(trial, "report")
    frozen = find_frozen_waves(trial) if trial.log().is_usable else {}
    test: dict[str, float | None] = json.loads((paths.balance / TEST).read_bytes())
    evidence_facts = replace(
        collect_stated_evidence(trial, country=country),
        estimates=_table(paths.results / ESTIMATES),
        balance=_update_labels(_table(paths.balance / BALANCE), "variable", _find_covariate_labels(protocol)),
        equivalence=_update_labels(_table(paths.results / EQUIVALENCE), "variable", _find_covariate_labels(protocol)),
        flow=_table(paths.results / FLOW),
        adjustment=_table(paths.results / ADJUSTMENT),
        balance_test={name: math.nan if value is None else value for name, value in test.items()},
        implementation=_update_labels(
            _table(paths.results / IMPLEMENTATION), "indicator", _get_field_labels(trial, "implementation")
        ),
        costs=_table(paths.results / COSTS),
        signals=_update_labels(
            _table(paths.results / SIGNALS_EVALUATED), "signal", _get_field_labels(trial, "signals")
        ),
        returns=_add_row_subject(trial, _table(paths.store / RETURNS)),
        frozen_waves={wave.label: frozen[wave.name].sha256 for wave in protocol.waves if wave.name in frozen},
        data_sha256=str(json.loads((paths.store / CONTENT).read_bytes())["sha256"]),
    )
    return suppress_recoverable(evidence_facts, classify_outcome_values(trial.protocol))


def collect_stated_evidence(trial: TrialFolder, *, country: str) -> Evidence:
    """Return what the protocol, the plan and the draw say, without any result."""
    import pandas as pd

    from analysis.results import ESTIMATE_COLUMNS
    from evaluation.flow import COLUMNS as FLOW_COLUMNS

    protocol, about = trial.protocol, trial.protocol.trial
    analyses, outcomes = collect_shown_analyses(trial)
    plan, log = describe_order_claims(trial)
    return Evidence(
        title=about.title,
        countries=dict(protocol.countries),
        country=country,
        arms=_describe_arms(protocol),
        outcomes=outcomes,
        analyses=analyses,
        waves={wave.name: (wave.label, wave.date) for wave in protocol.waves},
        design=_describe_trial_design(trial),
        plan=plan,
        log=log,
        estimates=pd.DataFrame(columns=list(ESTIMATE_COLUMNS)),
        balance=pd.DataFrame(),
        flow=pd.DataFrame(columns=FLOW_COLUMNS),
        intervention=about.intervention,
        comparison=about.comparison,
        objective=about.objective,
        legal_basis=protocol.privacy.legal_basis,
        eligibility=about.eligibility,
        registration=about.registration,
        funder=about.funder,
        limitations=about.limitations,
        recommendations=about.recommendations,
        read_more=about.read_more,
        covariate_labels={item.name: item.label for item in protocol.covariates},
        disclosure_threshold=protocol.reports.disclosure_threshold,
        version=get_toolkit_version(),
        not_analysed=find_unanalysed_outcomes(protocol),
    )


def _table(path: Path) -> pd.DataFrame:
    """Read a table that a stage wrote; text that is empty stays empty, numbers that are missing are NaN."""
    import pandas as pd

    frame = pd.read_csv(path, encoding="utf-8-sig", keep_default_na=False, na_values={})
    for name in frame.columns:
        if name not in _TEXT and frame[name].dtype.kind not in "iufb":
            numbers = pd.to_numeric(frame[name].replace("", "nan"), errors="coerce")
            if len(frame) and (numbers.notna() | frame[name].isin(["", "nan", "inf"])).all():
                frame[name] = numbers
    return frame


def _update_labels(table: pd.DataFrame, column: str, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return a table of results with labels as they are worded now: a corrected label makes no result stale."""
    if "label" not in table.columns:
        return table
    pairs = zip(table[column], table["label"], strict=True)
    return table.assign(label=[labels.get(str(name), label) for name, label in pairs])


def _find_covariate_labels(protocol: Protocol) -> Mapping[str, str]:
    """Return the labels of covariates by the names that the balance table has."""
    return {
        (item.field or item.name) if item.table == "school" else item.name: item.label for item in protocol.covariates
    }


def _add_row_subject(trial: TrialFolder, returns: pd.DataFrame) -> pd.DataFrame:
    """Return the list of files with what the rows of each are about; of a table that is no more, nobody knows."""
    tables = trial.tables
    about = [tables[name].about if name in tables else "" for name in returns["table"].astype(str)]
    return returns.assign(about=about)


def _get_field_labels(trial: TrialFolder, table: str) -> Mapping[str, str]:
    return {field.name: field.label for field in trial.tables[table].fields}


def _describe_arms(protocol: Protocol) -> tuple[ArmFacts, ...]:
    """Return the arms as they are compared."""
    labels = build_primary_comparison(protocol).labels
    descriptions = {arm.name: arm.description for arm in protocol.design.arms}
    return tuple(
        ArmFacts(name=name, label=label, is_reference=place == 0, description=descriptions.get(name, ""))
        for place, (name, label) in enumerate(labels.items())
    )


def _describe_trial_design(trial: TrialFolder) -> dict[str, object]:
    """Return the facts of the allocation and of the plan, as `Evidence.design` documents them."""
    record = read_checked_record(trial)
    plan, protocol, steps = trial.plan_state, trial.protocol, read_later_steps(trial)
    return {
        "kind": record.design.kind,
        "specification": record.design.to_dict(),
        "labels": {
            name: _format_stratum_label(trial, name) for name in (*record.design.strata, *record.design.variables)
        },
        "strata": [_format_stratum_label(trial, name) for name in record.design.strata],
        "n_strata": len(set(record.stratum_values)),
        "ratio": record.design.ratio_in_words,
        "seed": record.seed,
        "algorithm": record.algorithm,
        "drawn": record.drawn,
        "starts": [(arm.label, _get_wave_label(protocol, arm.starts)) for arm in protocol.design.arms if arm.starts],
        "factors": {name: margin.labels[name] for name, margin in build_factor_comparisons(protocol.design).items()},
        "weighted": bool(find_unequal_chances(trial)),
        "n_late": sum(len(step.late.schools) for step in steps if step.late is not None),
        "n_replaced": sum(step.replacement is not None for step in steps),
        "verified": verify(trial).ok,
        "allocation_sha256": record.allocation_sha256,
        "plan_sha256": plan.sha256,
        "changes_after_freeze": list(plan.changes),
        "rewordings_after_freeze": list(plan.rewordings),
    }


def _get_wave_label(protocol: Protocol, name: str) -> str:
    return next(wave.label for wave in protocol.waves if wave.name == name)


def _format_stratum_label(trial: TrialFolder, name: str) -> str:
    school = trial.tables["school"]
    label = school.field(name).label if name in school.names else name.replace("_", " ")
    return label[0].lower() + label[1:]
