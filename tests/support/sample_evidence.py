"""Evidence of two made-up but realistic trials, for tests of reports and for looking at pages.

`crocoos_evidence` is a trial in three countries with everything a report can hold. `awards_evidence` is a trial in one
country with two arms, a draw that was made elsewhere, an outcome that could not be estimated, and no costs,
implementation or returns.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from reports.claims import PlanClaim
from reports.evidence import AnalysisFacts, ArmFacts, Evidence, OutcomeFacts
from tests.support.sample_estimates import awards_estimates, crocoos_estimates
from tests.support.sample_frames import (
    awards_balance,
    crocoos_balance,
    crocoos_costs,
    crocoos_flow,
    crocoos_implementation,
    crocoos_returns,
    crocoos_signals,
    flow_frame,
)
from tests.support.sample_sizes import COUNTRIES


def crocoos_evidence(country: str = "") -> Evidence:
    """Return what a trial of an early warning system in three countries has found.

    Parameters
    ----------
    country
        Code of the country that the report is about; empty for all together.
    """
    outcomes = _outcomes()
    analyses = (
        _analysis("dropout", "dropout", "primary", "linear_cluster", ("prior_average", "disadvantaged")),
        _analysis("engagement", "engagement", "secondary", "linear_mixed", ("prior_average",)),
        _analysis("average_mark", "average_mark", "secondary", "linear_mixed", ("prior_average",)),
        _analysis("absences", "absences_unjustified", "exploratory", "linear_mixed", ("prior_average",)),
    )
    return Evidence(
        title="School-level early warning against early leaving",
        countries=COUNTRIES,
        country=country,
        arms=(
            ArmFacts(name="control", label="Control", is_reference=True),
            ArmFacts(name="pilot", label="Pilot", is_reference=False),
        ),
        outcomes=outcomes,
        analyses=analyses,
        waves={"baseline": ("Baseline", "2027-10"), "followup": ("Follow-up", "2029-06")},
        design=_design(),
        plan=PlanClaim(order="before_data", frozen="2027-08-20T09:30:00+00:00"),
        estimates=crocoos_estimates(analyses),
        balance=crocoos_balance(),
        flow=crocoos_flow(),
        balance_test={"statistic": 8.31, "p_value": 0.612, "n_draws": 2000.0},
        implementation=crocoos_implementation(),
        signals=crocoos_signals(),
        costs=crocoos_costs(),
        returns=crocoos_returns(),
        intervention=(
            "Each pilot school set up an early warning system: a team meets every month, looks at absences, marks and"
            " behaviour, and agrees on support for pupils at risk. A mentor visits the school through the two years."
        ),
        comparison="Control schools went on as usual and receive the programme after the trial.",
        registration="ISRCTN 00000000",
        funder="the Erasmus+ programme of the European Union",
        disclosure_threshold=10,
        data_sha256="5f1c" * 16,
        version="0.1.0",
        covariate_labels={"prior_average": "the average mark before", "disadvantaged": "disadvantage"},
    )


def awards_evidence() -> Evidence:
    """Return what a trial of cash awards in one country has found; one outcome could not be estimated."""
    analyses = (
        _analysis("matriculation", "matriculated", "primary", "linear_cluster", ("lagscore",)),
        _analysis("units", "awarded", "secondary", "linear_mixed", ()),
        _analysis("hebrew", "achv_hebrew", "secondary", "linear_cluster", ()),
    )
    flow = [
        ("IL", "", "assessed", "", 40, None),
        ("IL", "", "excluded", "closed before the school year", 1, None),
        ("IL", "awards", "randomised", "", 20, None),
        ("IL", "control", "randomised", "", 19, None),
        ("IL", "awards", "baseline", "", 20, 1946),
        ("IL", "control", "baseline", "", 19, 1875),
        ("IL", "awards", "analysed", "", 20, 1946),
        ("IL", "control", "analysed", "", 19, 1875),
    ]
    return Evidence(
        title="Achievement awards",
        countries={"IL": "Israel"},
        country="",
        arms=(
            ArmFacts(name="control", label="No awards", is_reference=True),
            ArmFacts(name="awards", label="Awards offered", is_reference=False),
        ),
        outcomes=(
            OutcomeFacts(
                name="matriculated",
                label="Matriculation",
                kind="binary",
                direction="higher",
                event="matriculated",
                wave="2001",
            ),
            OutcomeFacts(
                name="awarded",
                label="Examination units",
                kind="continuous",
                direction="higher",
                unit="units",
                wave="2001",
            ),
            OutcomeFacts(
                name="achv_hebrew",
                label="Hebrew requirement",
                kind="binary",
                direction="higher",
                event="met the requirement",
                wave="2001",
            ),
        ),
        analyses=analyses,
        waves={"2000": ("Cohort of 2000", "2000"), "2001": ("Cohort of 2001", "2001")},
        design={
            "kind": "stratified",
            "strata": ["pair"],
            "n_strata": 19,
            "ratio": "1:1",
            "seed": "",
            "algorithm": "",
            "drawn": "elsewhere",
            "verified": True,
            "allocation_sha256": "ab12" * 16,
            "plan_sha256": "",
            "changes_after_freeze": [],
        },
        estimates=awards_estimates(analyses),
        balance=awards_balance(),
        flow=flow_frame(flow),
        intervention="Pupils of schools with awards were promised cash for matriculating.",
        data_sha256="77aa" * 16,
        version="0.1.0",
    )


def _outcomes() -> tuple[OutcomeFacts, ...]:
    return (
        OutcomeFacts(
            name="dropout",
            label="Early leaving",
            kind="binary",
            direction="lower",
            event="left school early",
            wave="followup",
            description="No longer enrolled in any school at follow-up and without a qualification.",
            who="leavers",
        ),
        OutcomeFacts(
            name="engagement",
            label="Engagement with school",
            kind="continuous",
            direction="higher",
            unit="points (1 to 5)",
            wave="followup",
            description="Mean of eight questions, each on a scale from 1 to 5.",
        ),
        OutcomeFacts(
            name="average_mark",
            label="Average mark",
            kind="continuous",
            direction="higher",
            unit="marks (1 to 5)",
            wave="followup",
            description="Mean of the marks at the end of the year; 5 is the best.",
        ),
        OutcomeFacts(
            name="absences_unjustified",
            label="Unjustified absences",
            kind="continuous",
            direction="lower",
            unit="hours a month",
            wave="followup",
            description="Mean of the last three months of the school year.",
        ),
    )


def _analysis(name: str, outcome: str, role: str, model: str, covariates: tuple[str, ...]) -> AnalysisFacts:
    return AnalysisFacts(name=name, outcome=outcome, role=role, model=model, covariates=covariates)


def _design() -> dict[str, object]:
    return {
        "kind": "stratified",
        "strata": ["country", "type"],
        "n_strata": 6,
        "ratio": "1:1",
        "seed": "crocoos-2027 public draw of 2027-09-15",
        "algorithm": "crocoos-stratified 1",
        "drawn": "here",
        "verified": True,
        "allocation_sha256": "9e07" * 16,
        "plan_sha256": "c3d4" * 16,
        "changes_after_freeze": ["analysis.absences was added"],
    }


def three_arms_evidence() -> Evidence:
    """Return the trial in three countries with a second compared arm, whose figures are those of the first."""
    evidence = crocoos_evidence()
    plus = ArmFacts(name="plus", label="Pilot with mentor", is_reference=False)
    return replace(
        evidence,
        arms=(*evidence.arms, plus),
        estimates=_with_arm(evidence.estimates, "pilot", "plus"),
        balance=_with_arm(evidence.balance, "pilot", "plus"),
        flow=_with_arm(evidence.flow, "pilot", "plus"),
    )


def two_countries_evidence() -> Evidence:
    """Return the trial without its third country."""
    evidence = crocoos_evidence()
    frames: dict[str, Any] = {
        name: getattr(evidence, name)[lambda frame: frame["country"] != "SI"]
        for name in ("estimates", "balance", "flow", "implementation", "costs", "returns")
    }
    estimates = frames["estimates"]
    frames["estimates"] = estimates[estimates["quantity"] != "prediction_interval"]
    return replace(evidence, countries={"HU": "Hungary", "RS": "Serbia"}, **frames)


def bare_evidence(estimates: pd.DataFrame | None = None) -> Evidence:
    """Return a trial of which nothing is known but its protocol."""
    nothing = pd.DataFrame()
    return replace(
        crocoos_evidence(),
        estimates=nothing if estimates is None else estimates,
        balance=nothing,
        flow=nothing,
        implementation=nothing,
        signals=nothing,
        costs=nothing,
        returns=nothing,
        balance_test={},
        design={},
        waves={},
        intervention="",
        comparison="",
        registration="",
        funder="",
        data_sha256="",
        version="",
    )


def letterless(evidence: Evidence) -> Evidence:
    """Return evidence in which no text from the protocol or the data holds a letter.

    Whatever letters a report of it shows come from the reports' own texts.
    """
    entries = {entry.name: str(place) for place, entry in enumerate(evidence.analyses)}
    outcomes = tuple(
        replace(outcome, label=f"§{place}", unit="§§", event="§§§", description="§§§§", who="")
        for place, outcome in enumerate(evidence.outcomes)
    )
    number = pd.Series(range(len(evidence.estimates)), index=evidence.estimates.index).astype(str)
    entry = evidence.estimates["plan_entry"].map(entries)
    frames: dict[str, Any] = {
        "balance": evidence.balance.assign(label="¤", category=_without_letters(evidence.balance["category"])),
        "flow": evidence.flow.assign(reason=_without_letters(evidence.flow["reason"])),
        "estimates": evidence.estimates.assign(reason="", estimate_id=number, plan_entry=entry),
    }
    marks = {"implementation": {"label": "¤"}, "costs": {"currency": "€"}, "returns": {"table": "¤", "wave": ""}}
    marks["signals"] = {"label": "¤"}
    for name, columns in marks.items():
        if len(getattr(evidence, name)):
            frames[name] = getattr(evidence, name).assign(**columns)
    figures = {"seed": "1", "algorithm": "1", "strata": ["¤"], "changes_after_freeze": ["¤"], "ratio": "1:1"}
    return replace(
        evidence,
        title="¿",
        countries={code: f"#{place}" for place, code in enumerate(evidence.countries)},
        arms=tuple(replace(arm, label=f"«{place}»") for place, arm in enumerate(evidence.arms)),
        outcomes=outcomes,
        analyses=tuple(replace(one, name=entries[one.name], covariates=()) for one in evidence.analyses),
        waves=dict.fromkeys(evidence.waves, ("&", "2027")),
        design={**evidence.design, **figures, "allocation_sha256": "1" * 64, "plan_sha256": "1" * 64},
        limitations=tuple("!" for _ in evidence.limitations),
        recommendations=tuple("!" for _ in evidence.recommendations),
        read_more="1" if evidence.read_more else "",
        intervention="!",
        comparison="!",
        registration="1",
        funder="!",
        data_sha256="1" * 64,
        version="1",
        **frames,
    )


def _with_arm(frame: pd.DataFrame, like: str, name: str) -> pd.DataFrame:
    """Return a frame with the rows of an arm repeated under another name."""
    more = frame[frame["arm"] == like].assign(arm=name)
    if "estimate_id" in more:
        more["estimate_id"] = more["estimate_id"].str.replace(f"/{like}", f"/{name}")
    return pd.concat([frame, more], ignore_index=True)


def _without_letters(column: pd.Series) -> pd.Series:
    """Return a number for each text, so that different texts stay different."""
    known = {text: f"¤{place}" for place, text in enumerate(dict.fromkeys(column)) if text}
    return column.map(lambda text: known.get(text, ""))
