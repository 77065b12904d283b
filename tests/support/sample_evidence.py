"""Evidence of two made-up but realistic trials, for tests of reports and for looking at pages.

`crocoos_evidence` is a trial in three countries with everything a report can hold. `awards_evidence` is a trial in one
country with two arms, a draw that was made elsewhere, an outcome that could not be estimated, and no costs,
implementation or returns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.effect_sizes import relative_rows
from analysis.results import Estimate
from reports.evidence import AnalysisFacts, ArmFacts, Evidence, OutcomeFacts

ESTIMATE_COLUMNS = [
    "estimate_id",
    "plan_entry",
    "role",
    "quantity",
    "term",
    "estimate",
    "std_error",
    "statistic",
    "df",
    "p_value",
    "conf_low",
    "conf_high",
    "conf_level",
    "outcome",
    "arm",
    "country",
    "n_schools",
    "n_pupils",
    "method",
    "se_type",
    "df_method",
    "status",
    "reason",
]
_COUNTRIES = {"HU": "Hungary", "RS": "Serbia", "SI": "Slovenia"}
_SCHOOLS = {"": (31, 31), "HU": (13, 13), "RS": (10, 10), "SI": (8, 8)}
_PUPILS = {"": (1712, 1689), "HU": (731, 702), "RS": (548, 561), "SI": (433, 426)}
_METHOD = {
    "linear_cluster": ("linear probability model, clustered by school", "CR2", "satterthwaite"),
    "linear_mixed": ("linear mixed model, REML", "model", "satterthwaite"),
}

Effect = tuple[float, float, float, float, float]
"""Mean of the control arm, mean of the pilot arm, difference, and the ends of its interval."""

_EFFECTS: dict[str, dict[str, Effect]] = {
    "dropout": {
        "": (0.1118, 0.0882, -0.0231, -0.0407, -0.0055),
        "HU": (0.1204, 0.0869, -0.0322, -0.0601, -0.0043),
        "RS": (0.1095, 0.0909, -0.0183, -0.0529, 0.0163),
        "SI": (0.1001, 0.0868, -0.0141, -0.0502, 0.0220),
    },
    "engagement": {
        "": (3.391, 3.472, 0.079, 0.012, 0.146),
        "HU": (3.352, 3.441, 0.085, -0.021, 0.191),
        "RS": (3.402, 3.488, 0.091, -0.030, 0.212),
        "SI": (3.443, 3.504, 0.052, -0.085, 0.189),
    },
    "average_mark": {
        "": (3.312, 3.341, 0.021, -0.048, 0.090),
        "HU": (3.251, 3.262, 0.008, -0.101, 0.117),
        "RS": (3.344, 3.391, 0.037, -0.088, 0.162),
        "SI": (3.371, 3.399, 0.019, -0.117, 0.155),
    },
    "absences": {
        "": (5.82, 5.11, -0.68, -1.39, 0.03),
        "HU": (6.31, 5.42, -0.84, -1.96, 0.28),
        "RS": (5.74, 5.13, -0.59, -1.88, 0.70),
        "SI": (5.10, 4.58, -0.47, -1.80, 0.86),
    },
}
_SD = {"dropout": 0.30, "engagement": 0.74, "average_mark": 0.71, "absences": 6.4}
_ICC = {"dropout": (0.041, 0.021, 0.072), "engagement": (0.058, 0.033, 0.096), "average_mark": (0.112, 0.071, 0.170)}


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
        countries=_COUNTRIES,
        country=country,
        arms=(
            ArmFacts(name="control", label="Control", is_reference=True),
            ArmFacts(name="pilot", label="Pilot", is_reference=False),
        ),
        outcomes=outcomes,
        analyses=analyses,
        waves={"baseline": ("Baseline", "2027-10"), "followup": ("Follow-up", "2029-06")},
        design=_design(),
        estimates=_estimates(analyses),
        balance=_balance(),
        flow=_flow(),
        balance_test={"statistic": 8.31, "p_value": 0.612, "n_draws": 2000.0},
        implementation=_implementation(),
        signals=_signals(),
        costs=_costs(),
        returns=_returns(),
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
            "n_draws": 1,
            "verified": True,
            "allocation_sha256": "ab12" * 16,
            "plan_sha256": "",
            "plan_frozen": False,
            "changes_after_freeze": [],
        },
        estimates=_awards_estimates(analyses),
        balance=_awards_balance(),
        flow=_flow_frame(flow),
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
        "n_draws": 1,
        "verified": True,
        "allocation_sha256": "9e07" * 16,
        "plan_sha256": "c3d4" * 16,
        "plan_frozen": True,
        "changes_after_freeze": ["analysis.absences was added"],
    }


def _estimates(analyses: Iterable[AnalysisFacts]) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for analysis in analyses:
        for country in ("", *_COUNTRIES):
            rows += _place_rows(analysis, country)
        rows += _two_stage_rows(analysis)
    return pd.DataFrame(rows, columns=ESTIMATE_COLUMNS)


def _place_rows(analysis: AnalysisFacts, country: str) -> list[dict[str, object]]:
    control, pilot, difference, low, high = _EFFECTS[analysis.name][country]
    n_schools, n_pupils = sum(_SCHOOLS[country]), sum(_PUPILS[country])
    error = (high - low) / 4
    sd = _SD[analysis.name]
    shared = _shared(analysis, country, n_schools, n_pupils)
    index = "cox_index" if analysis.name == "dropout" else "hedges_g"
    icc = _ICC.get(analysis.name, (0.09, 0.05, 0.15))
    p_value = math.erfc(abs(difference / error) / math.sqrt(2)) * 1.1
    test = {"statistic": difference / error, "p_value": min(1.0, 1.08 * p_value)}
    return [
        _row(
            shared,
            "mean",
            "control",
            term="control",
            estimate=control,
            n_schools=_SCHOOLS[country][0],
            n_pupils=_PUPILS[country][0],
        ),
        _row(
            shared,
            "mean",
            "pilot",
            term="pilot",
            estimate=pilot,
            n_schools=_SCHOOLS[country][1],
            n_pupils=_PUPILS[country][1],
        ),
        _row(
            shared,
            "difference",
            "pilot",
            term="arm[pilot]",
            estimate=difference,
            std_error=error,
            df=2.0 * n_schools / 2.4,
            statistic=difference / error,
            p_value=p_value,
            conf_low=low,
            conf_high=high,
        ),
        _row(
            shared,
            index,
            "pilot",
            estimate=difference / sd,
            std_error=error / sd,
            conf_low=low / sd,
            conf_high=high / sd,
        ),
        *_relative(analysis, shared, control=control, difference=difference, error=error, ends=(low, high)),
        _row(shared, "icc", "", estimate=icc[0], conf_low=icc[1], conf_high=icc[2]),
        _row(shared, "school_sd", "", estimate=sd * math.sqrt(icc[0])),
        _row(shared, "pupil_sd", "", estimate=sd * math.sqrt(1 - icc[0])),
        _row(shared, "randomisation_test", "pilot", **test),
    ]


def _relative(
    analysis: AnalysisFacts,
    shared: dict[str, object],
    *,
    control: float,
    difference: float,
    error: float,
    ends: tuple[float, float],
) -> list[dict[str, object]]:
    if analysis.name != "dropout":
        return []
    row = Estimate(estimate=difference, std_error=error, conf_low=ends[0], conf_high=ends[1])
    names = ("estimate", "std_error", "conf_low", "conf_high")
    return [
        _row(shared, made.quantity, "pilot", **{name: getattr(made, name) for name in names})
        for made in relative_rows(row, share_reference=control)
    ]


def _two_stage_rows(analysis: AnalysisFacts) -> list[dict[str, object]]:
    _, _, difference, low, high = _EFFECTS[analysis.name][""]
    shared = _shared(analysis, "", 62, sum(_PUPILS[""]))
    width = (high - low) / 2
    return [
        _row(
            shared,
            "pooled_difference",
            "pilot",
            estimate=difference,
            std_error=width / 4.3,
            df=2.0,
            conf_low=difference - 1.3 * width,
            conf_high=difference + 1.3 * width,
            p_value=0.04,
        ),
        _row(
            shared,
            "prediction_interval",
            "pilot",
            conf_low=difference - 1.9 * width,
            conf_high=difference + 1.9 * width,
        ),
    ]


def _shared(analysis: AnalysisFacts, country: str, n_schools: int, n_pupils: int) -> dict[str, object]:
    method, se_type, df_method = _METHOD[analysis.model]
    return {
        "plan_entry": analysis.name,
        "role": analysis.role,
        "outcome": analysis.outcome,
        "country": country,
        "n_schools": n_schools,
        "n_pupils": n_pupils,
        "method": method,
        "se_type": se_type,
        "df_method": df_method,
        "status": "ok",
        "reason": "",
        "conf_level": 0.95,
    }


def _row(shared: Mapping[str, object], quantity: str, arm: str, **figures: object) -> dict[str, object]:
    empty = dict.fromkeys(("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"), math.nan)
    place = shared["country"] or "all"
    identity = {
        "estimate_id": f"{shared['plan_entry']}/{place}/{quantity}/{arm or '-'}",
        "quantity": quantity,
        "arm": arm,
        "term": figures.get("term", ""),
    }
    return {**empty, **shared, **identity, **figures}


def _awards_estimates(analyses: Sequence[AnalysisFacts]) -> pd.DataFrame:
    figures = {
        "matriculation": (0.2318, 0.2869, 0.0561, -0.0447, 0.1569),
        "units": (11.42, 12.31, 0.84, -0.92, 2.60),
    }
    rows: list[dict[str, object]] = []
    for analysis in analyses:
        shared = _shared(analysis, "", 39, 3821)
        if analysis.name not in figures:
            failed = {"status": "failed", "reason": "The outcome is missing for every pupil."}
            rows += [
                _row({**shared, **failed, "n_schools": 0, "n_pupils": 0}, quantity, "awards")
                for quantity in ("difference", "cox_index")
            ]
            continue
        control, awards, difference, low, high = figures[analysis.name]
        error = (high - low) / 4.12
        rows += [
            _row(shared, "mean", "control", estimate=control, n_schools=19, n_pupils=1875),
            _row(shared, "mean", "awards", estimate=awards, n_schools=20, n_pupils=1946),
            _row(
                shared,
                "difference",
                "awards",
                estimate=difference,
                std_error=error,
                df=25.1,
                statistic=difference / error,
                p_value=0.262,
                conf_low=low,
                conf_high=high,
            ),
            _row(shared, "icc", "", estimate=0.171, conf_low=0.108, conf_high=0.268),
        ]
    return pd.DataFrame(rows, columns=ESTIMATE_COLUMNS)


BALANCE_COLUMNS = [
    "level",
    "variable",
    "label",
    "category",
    "country",
    "arm",
    "n_reference",
    "n_arm",
    "mean_reference",
    "mean_arm",
    "sd_reference",
    "sd_arm",
    "std_difference",
    "variance_ratio",
    "missing_reference",
    "missing_arm",
    "wwc",
]


def _balance() -> pd.DataFrame:
    variables = (
        ("school", "size", "Pupils in the school", "", 412.0, 398.0, 155.0, 149.0, -0.091),
        ("school", "prior_dropout_rate", "Dropout rate before the trial", "", 0.094, 0.097, 0.031, 0.034, 0.091),
        ("school", "share_disadvantaged", "Share of disadvantaged pupils", "", 0.281, 0.262, 0.09, 0.1, -0.197),
        ("school", "type", "Type of school", "vocational", 0.645, 0.677, math.nan, math.nan, 0.067),
        ("school", "type", "Type of school", "general", 0.355, 0.323, math.nan, math.nan, -0.067),
        ("pupil", "prior_average", "Mark average before", "", 3.412, 3.431, 0.741, 0.722, 0.026),
        ("pupil", "disadvantaged", "Disadvantaged", "yes", 0.271, 0.254, math.nan, math.nan, -0.039),
        ("pupil", "gender", "Gender", "girl", 0.481, 0.492, math.nan, math.nan, 0.022),
        ("pupil", "gender", "Gender", "boy", 0.517, 0.504, math.nan, math.nan, -0.026),
        ("pupil", "gender", "Gender", "other", 0.0023, 0.0042, math.nan, math.nan, 0.291),
    )
    rows = []
    for country in ("", *_COUNTRIES):
        shift = {"": 0.0, "HU": 0.03, "RS": -0.06, "SI": 0.05}[country]
        for level, variable, label, category, m0, m1, s0, s1, std in variables:
            n = (_SCHOOLS if level == "school" else _PUPILS)[country]
            size = std + shift
            wwc = "satisfied" if abs(size) <= 0.05 else "adjust" if abs(size) <= 0.25 else "not_satisfied"
            missing = 0.0 if level == "school" else 0.013
            rows.append(
                (
                    level,
                    variable,
                    label,
                    category,
                    country,
                    "pilot",
                    *n,
                    m0,
                    m1,
                    s0,
                    s1,
                    size,
                    (s1 / s0) ** 2,
                    missing,
                    missing,
                    wwc,
                )
            )
    return pd.DataFrame(rows, columns=BALANCE_COLUMNS)


def _awards_balance() -> pd.DataFrame:
    rows = [
        (
            "school",
            "prior_matriculation",
            "Matriculation rate before",
            "",
            "",
            "awards",
            19,
            20,
            0.232,
            0.221,
            0.151,
            0.143,
            -0.073,
            0.9,
            0.0,
            0.0,
            "adjust",
        ),
        (
            "pupil",
            "siblings",
            "Siblings",
            "",
            "",
            "awards",
            1875,
            1946,
            2.61,
            2.85,
            1.9,
            2.1,
            0.12,
            1.22,
            0.04,
            0.06,
            "adjust",
        ),
    ]
    return pd.DataFrame(rows, columns=BALANCE_COLUMNS)


def _flow() -> pd.DataFrame:
    rows: list[tuple[str, str, str, str, int, int | None]] = []
    assessed = {"HU": (31, 3, 2), "RS": (24, 4, 0), "SI": (18, 2, 0)}
    for country, (n_assessed, declined, small) in assessed.items():
        rows.append((country, "", "assessed", "", n_assessed, None))
        rows.append((country, "", "excluded", "declined", declined, None))
        if small:
            rows.append((country, "", "excluded", "fewer than 20 first-year pupils", small, None))
        for place, arm in enumerate(("control", "pilot")):
            schools, analysed = _SCHOOLS[country][place], _PUPILS[country][place]
            moved, unknown = (31, 14) if country == "HU" else (22, 12) if country == "RS" else (15, 4 + 9 * place)
            lost = 24 if (country, arm) == ("RS", "control") else 0
            rows.append((country, arm, "randomised", "", schools, None))
            rows.append((country, arm, "baseline", "", schools, analysed + moved + unknown + lost))
            rows.append((country, arm, "joined", "", schools, 21 + 3 * place))
            rows.append((country, arm, "outcome_missing", "moved to another school", 0, moved))
            rows.append((country, arm, "outcome_missing", "status unknown", 0, unknown))
            if lost:
                rows.append((country, arm, "outcome_missing", "school sent nothing", 1, lost))
            rows.append((country, arm, "analysed", "", schools - bool(lost), analysed))
    return _flow_frame(rows)


def _flow_frame(rows: Sequence[tuple[str, str, str, str, int, int | None]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["country", "arm", "step", "reason", "n_schools", "n_pupils"])
    return frame.assign(n_pupils=frame["n_pupils"].astype("float64"))


def _implementation() -> pd.DataFrame:
    indicators = (
        ("team_meetings", "Meetings of the early warning team", 14.2, 2.0, 21.0),
        ("mentor_visits", "Visits by the mentor", 8.1, 3.0, 12.0),
        ("plans_opened", "Development plans opened", 17.9, 0.0, 41.0),
        ("director_commitment", "Commitment of the head (1 to 5)", 3.8, 1.0, 5.0),
    )
    rows = [
        (country, name, label, _SCHOOLS[country][1], mean + 0.4 * k, low if not country else low + 1, high)
        for k, country in enumerate(("", *_COUNTRIES))
        for name, label, mean, low, high in indicators
    ]
    return pd.DataFrame(rows, columns=["country", "indicator", "label", "n_schools", "mean", "minimum", "maximum"])


_SIGNALS = (
    ("together", "", (0.382, 0.934, 0.421, 0.923, 0.77)),
    ("absences_unjustified", "Unjustified absences", (0.331, 0.928, 0.364, 0.917, 0.72)),
    ("risk_flag", "At risk", (0.294, 0.923, 0.325, 0.912, 0.64)),
)
SIGNAL_MEASURES = ("sensitivity", "specificity", "predictive_value", "negative_predictive_value", "auc")


def _signals() -> pd.DataFrame:
    rows = [
        {
            "country": country,
            "signal": name,
            "label": label,
            "capacity": 0.1,
            "outcome": "dropout",
            "n_schools": _SCHOOLS[country][0],
            "n_pupils": _PUPILS[country][0],
            "n_events": round(0.112 * _PUPILS[country][0]),
            "measure": measure,
            "estimate": value,
            "conf_low": value - 0.05,
            "conf_high": value + 0.05,
            "conf_level": 0.95,
            "status": "ok",
            "reason": "",
        }
        for country in ("", *_COUNTRIES)
        for name, label, values in _SIGNALS
        for measure, value in zip(SIGNAL_MEASURES, values, strict=True)
    ]
    return pd.DataFrame(rows)


def _costs() -> pd.DataFrame:
    rows = [
        ("", 31, 4310.0, 79.1, "EUR", 2028),
        ("HU", 13, 3980.0, 73.7, "EUR", 2028),
        ("RS", 10, 3120.0, 55.6, "EUR", 2028),
        ("SI", 8, 6330.0, 118.9, "EUR", 2028),
    ]
    return pd.DataFrame(
        rows, columns=["country", "n_schools", "cost_per_school", "cost_per_pupil", "currency", "price_year"]
    )


def _returns() -> pd.DataFrame:
    rows = [
        (
            country,
            f"{table}_{country.lower()}_{wave}.{ending}",
            table,
            wave,
            sent,
            sent - asked - refused,
            asked,
            refused,
        )
        for country, ending, sent in (("HU", "csv", 1602), ("RS", "xlsx", 1281), ("SI", "xlsx", 944))
        for table, wave, asked, refused in (
            ("pupil", "baseline", 4, 1),
            ("status", "followup", 11, 0),
            ("survey", "followup", 2, 3),
        )
    ]
    return pd.DataFrame(rows, columns=["country", "file", "table", "wave", "sent", "kept", "asked", "refused"])


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
