"""Estimates of the two made-up trials, in the one table of estimates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.results import Estimate
from analysis.standardised import Standardised
from reports.evidence import AnalysisFacts
from tests.support.sample_sizes import COUNTRIES, PUPILS, SCHOOLS

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
    "caution",
]
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


def crocoos_estimates(analyses: Iterable[AnalysisFacts]) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for analysis in analyses:
        for country in ("", *COUNTRIES):
            rows += _place_rows(analysis, country)
        rows += _two_stage_rows(analysis)
    return pd.DataFrame(rows, columns=ESTIMATE_COLUMNS)


def _place_rows(analysis: AnalysisFacts, country: str) -> list[dict[str, object]]:
    control, pilot, difference, low, high = _EFFECTS[analysis.name][country]
    n_schools, n_pupils = sum(SCHOOLS[country]), sum(PUPILS[country])
    error = (high - low) / 4
    sd = _SD[analysis.name]
    shared = _shared(analysis, country, n_schools, n_pupils)
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
            n_schools=SCHOOLS[country][0],
            n_pupils=PUPILS[country][0],
        ),
        _row(
            shared,
            "mean",
            "pilot",
            term="pilot",
            estimate=pilot,
            n_schools=SCHOOLS[country][1],
            n_pupils=PUPILS[country][1],
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
        _row(shared, "adjusted_mean", "pilot", term="pilot", estimate=control + difference),
        *_standardised(shared, difference=difference, error=error, ends=(low, high), sd=sd),
        *_relative(analysis, shared, control=control, difference=difference, error=error, ends=(low, high)),
        _row(shared, "icc", "", estimate=icc[0], conf_low=icc[1], conf_high=icc[2]),
        _row(shared, "school_sd", "", estimate=sd * math.sqrt(icc[0])),
        _row(shared, "pupil_sd", "", estimate=sd * math.sqrt(1 - icc[0])),
        _row(shared, "icc_unconditional", "", estimate=1.2 * icc[0]),
        _row(shared, "randomisation_test", "pilot", **test),
    ]


def _standardised(
    shared: dict[str, object], *, difference: float, error: float, ends: tuple[float, float], sd: float
) -> list[dict[str, object]]:
    if shared["plan_entry"] == "dropout":
        return []
    return [
        _row(
            shared,
            quantity,
            "pilot",
            estimate=difference / wide,
            std_error=error / wide,
            conf_low=ends[0] / wide,
            conf_high=ends[1] / wide,
        )
        for quantity, wide in (("hedges_g", sd), ("hedges_g_unconditional", 1.1 * sd))
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
    shares = Standardised(
        arms=("control", "pilot"),
        terms=("arm[pilot]",),
        values=np.array([control, control + difference]),
        vcov=np.eye(2) * error**2 / 2,
        df=40.0,
    )
    names = ("estimate", "std_error", "conf_low", "conf_high")
    return [
        _row(shared, made.quantity, "pilot", **{name: getattr(made, name) for name in names})
        for made in shares.relative(row, 1, difference=row, n_pupils=2000)
    ]


def _two_stage_rows(analysis: AnalysisFacts) -> list[dict[str, object]]:
    _, _, difference, low, high = _EFFECTS[analysis.name][""]
    shared = _shared(analysis, "", 62, sum(PUPILS[""]))
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
        "caution": "",
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


def awards_estimates(analyses: Sequence[AnalysisFacts]) -> pd.DataFrame:
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
            _row(shared, "adjusted_mean", "awards", term="awards", estimate=control + difference),
            _row(shared, "icc", "", estimate=0.171, conf_low=0.108, conf_high=0.268),
        ]
    return pd.DataFrame(rows, columns=ESTIMATE_COLUMNS)
