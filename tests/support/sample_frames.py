"""Balance, flow, implementation, signals, costs and returns of the two made-up trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from evaluation.practice import COST_COLUMNS, IMPLEMENTATION_COLUMNS
from tests.support.sample_sizes import COUNTRIES, PUPILS, SCHOOLS

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


def crocoos_balance() -> pd.DataFrame:
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
    for country in ("", *COUNTRIES):
        shift = {"": 0.0, "HU": 0.03, "RS": -0.06, "SI": 0.05}[country]
        for level, variable, label, category, m0, m1, s0, s1, std in variables:
            n = (SCHOOLS if level == "school" else PUPILS)[country]
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


def awards_balance() -> pd.DataFrame:
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


def crocoos_flow() -> pd.DataFrame:
    rows: list[tuple[str, str, str, str, int, int | None]] = []
    assessed = {"HU": (31, 3, 2), "RS": (24, 4, 0), "SI": (18, 2, 0)}
    for country, (n_assessed, declined, small) in assessed.items():
        rows.append((country, "", "assessed", "", n_assessed, None))
        rows.append((country, "", "excluded", "declined", declined, None))
        if small:
            rows.append((country, "", "excluded", "fewer than 20 first-year pupils", small, None))
        for place, arm in enumerate(("control", "pilot")):
            schools, analysed = SCHOOLS[country][place], PUPILS[country][place]
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
    return flow_frame(rows)


def flow_frame(rows: Sequence[tuple[str, str, str, str, int, int | None]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["country", "arm", "step", "reason", "n_schools", "n_pupils"])
    return frame.assign(n_pupils=frame["n_pupils"].astype("float64"))


_USUAL = 0.25
"""What control schools do of it as usual, as a share of what pilot schools do."""


def crocoos_implementation() -> pd.DataFrame:
    indicators = (
        ("team_meetings", "Meetings of the early warning team", 14.2, 2.0, 21.0),
        ("mentor_visits", "Visits by the mentor", 8.1, 3.0, 12.0),
        ("plans_opened", "Development plans opened", 17.9, 0.0, 41.0),
        ("director_commitment", "Commitment of the head (1 to 5)", 3.8, 1.0, 5.0),
    )
    rows = [
        (
            country, arm, "followup", name, label, SCHOOLS[country][place], share * (mean + 0.4 * k),
            0.0 if not place else low if not country else low + 1, high, place * (1 - _USUAL) * (mean + 0.4 * k),
        )
        for k, country in enumerate(("", *COUNTRIES))
        for name, label, mean, low, high in indicators
        for place, (arm, share) in enumerate((("control", _USUAL), ("pilot", 1.0)))
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=IMPLEMENTATION_COLUMNS)


_SIGNALS = (
    ("together", "", (0.382, 0.934, 0.421, 0.923, 0.77)),
    ("absences_unjustified", "Unjustified absences", (0.331, 0.928, 0.364, 0.917, 0.72)),
    ("risk_flag", "At risk", (0.294, 0.923, 0.325, 0.912, 0.64)),
)
SIGNAL_MEASURES = ("sensitivity", "specificity", "predictive_value", "negative_predictive_value", "auc")


def crocoos_signals() -> pd.DataFrame:
    rows = [
        {
            "country": country,
            "signal": name,
            "label": label,
            "capacity": 0.1,
            "outcome": "dropout",
            "n_schools": SCHOOLS[country][0],
            "n_pupils": PUPILS[country][0],
            "n_events": round(0.112 * PUPILS[country][0]),
            "measure": measure,
            "estimate": value,
            "conf_low": value - 0.05,
            "conf_high": value + 0.05,
            "conf_level": 0.95,
            "status": "ok",
            "reason": "",
        }
        for country in ("", *COUNTRIES)
        for name, label, values in _SIGNALS
        for measure, value in zip(SIGNAL_MEASURES, values, strict=True)
    ]
    return pd.DataFrame(rows)


def crocoos_costs() -> pd.DataFrame:
    rows = [
        ("", "control", 31, 450.0, 8.2, "EUR", 2028, 2028),
        ("", "pilot", 31, 4310.0, 79.1, "EUR", 2028, 2028),
        ("HU", "control", 13, 410.0, 7.6, "EUR", 2028, 2028),
        ("HU", "pilot", 13, 3980.0, 73.7, "EUR", 2028, 2028),
        ("RS", "control", 10, 330.0, 5.9, "EUR", 2028, 2028),
        ("RS", "pilot", 10, 3120.0, 55.6, "EUR", 2028, 2028),
        ("SI", "control", 8, 660.0, 12.4, "EUR", 2028, 2028),
        ("SI", "pilot", 8, 6330.0, 118.9, "EUR", 2028, 2028),
    ]
    return pd.DataFrame(rows, columns=COST_COLUMNS)


def crocoos_returns() -> pd.DataFrame:
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
    return pd.DataFrame(rows, columns=["country", "file", "table", "wave", "sent", "kept", "asked", "refused"]).assign(
        about="pupil"
    )
