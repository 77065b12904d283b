"""Whoever reads all that is published and solves for what is not: an attack that shares no code with the product.

Numbers are read from pages, files and the text of PDFs by their labels, as a person would; together they are a system
of whole numbers, in which other values are looked for that a small number could have.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import unescape

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from reports.evidence import Evidence
from tests.support.sample_evidence import crocoos_evidence
from tests.support.sample_frames import flow_frame

ARMS = ("control", "pilot")
REASONS = ("no record", "unknown", "no answer")
REASON_LABELS = {"No record of the pupil": REASONS[0], "School does not know": REASONS[1], "No answer": REASONS[2]}
COUNTRIES = {"HU": "Hungary", "RS": "Serbia", "SI": "Slovenia", "HR": "Croatia", "AT": "Austria"}
HIDDEN = "c"

Unknown = tuple[str, str, str]
"""Country, arm, and a reason for a missing primary outcome, "analysed", an analysis whose outcome they lack, or the
"event of" or "sum of" one."""


@dataclass(frozen=True, slots=True)
class Truth:
    """How many pupils of each kind there are; the last kinds are those without the outcome of another analysis."""

    evidence: Evidence
    counts: Mapping[Unknown, int]
    asked: Mapping[str, int]


@dataclass(slots=True)
class Knowledge:
    """What a reader can tell: weighted sums of the unknown numbers, with their least and greatest values."""

    rows: list[tuple[dict[Unknown, float], float, float]] = field(default_factory=list)

    def tell(self, sums: Mapping[Unknown, float], low: float, high: float) -> None:
        self.rows.append((dict(sums), low, high))

    def recovered(self, truth: Mapping[Unknown, int], secret: Sequence[Unknown]) -> list[Unknown]:
        """Return the secret numbers that can have no other value than the true one.

        The true numbers are one solution. Others are sought in which many of the secret numbers differ at once; what
        never differed is solved for by itself.
        """
        unknowns = list(truth)
        system = _System(self.rows, unknowns)
        real = np.array([truth[name] for name in unknowns], dtype=float)
        system.check(real)
        left = [unknowns.index(name) for name in secret]
        rng = np.random.default_rng(0)
        for _ in range(6):
            if not left:
                break
            aim = np.zeros(len(unknowns))
            aim[left] = rng.choice([-1.0, 1.0], size=len(left))
            other = system.solution(aim)
            left = [at for at in left if other[at] == real[at]]
        return [unknowns[at] for at in left if system.range_of(at) == (real[at], real[at])]


class _System:
    def __init__(self, rows: Sequence[tuple[dict[Unknown, float], float, float]], unknowns: Sequence[Unknown]) -> None:
        place = {name: at for at, name in enumerate(unknowns)}
        self.matrix = np.zeros((len(rows), len(unknowns)))
        for at, (sums, _, _) in enumerate(rows):
            for name, weight in sums.items():
                self.matrix[at, place[name]] += weight
        self.low = np.array([row[1] for row in rows])
        self.high = np.array([row[2] for row in rows])

    def check(self, real: NDArray[np.float64]) -> None:
        """The attacker has read nothing wrongly: what is true satisfies all that was read."""
        values = self.matrix @ real
        wrong = np.flatnonzero((values < self.low - 1e-6) | (values > self.high + 1e-6))
        assert wrong.size == 0, (self.matrix[wrong], values[wrong], self.low[wrong], self.high[wrong])

    def solution(self, aim: NDArray[np.float64]) -> NDArray[np.float64]:
        found = milp(
            aim,
            constraints=LinearConstraint(self.matrix, self.low, self.high),
            integrality=np.ones(len(aim), dtype=np.int64),
            bounds=Bounds(0, 50_000),
        )
        assert found.status == 0, found.message
        return np.rint(found.x)

    def range_of(self, at: int) -> tuple[float, float]:
        aim = np.zeros(self.matrix.shape[1])
        aim[at] = 1
        return float(self.solution(aim)[at]), float(self.solution(-aim)[at])


def made_up_trial(n_countries: int, threshold: int, seed: int) -> Truth:
    """Make up a trial in which many numbers are small."""
    rng = np.random.default_rng(seed)
    countries = dict(list(COUNTRIES.items())[:n_countries])
    base = crocoos_evidence()
    entries = [entry.name for entry in base.analyses]
    counts: dict[Unknown, int] = {}
    flow: list[tuple[str, str, str, str, int, int | None]] = []
    for country in countries:
        for arm in ARMS:
            lost = {why: int(rng.choice([0, 0, 1, 2, 3, 7, 12, 40], p=[0.2, 0.1, *[0.7 / 6] * 6])) for why in REASONS}
            analysed = int(rng.integers(120, 900))
            enrolled = analysed + sum(lost.values())
            counts |= {(country, arm, why): n for why, n in lost.items()}
            counts[country, arm, "analysed"] = analysed
            for entry in entries[1:]:
                counts[country, arm, entry] = int(rng.choice([0, 1, 3, 6, 20, 55]))
            flow += [(country, arm, "randomised", "", 10, None), (country, arm, "baseline", "", 10, enrolled)]
            flow += [(country, arm, "outcome_missing", why, 0, n) for why, n in lost.items() if n]
            flow.append((country, arm, "analysed", "", 10, analysed))
    for country in countries:
        for arm in ARMS:
            counts[country, arm, f"event of {entries[0]}"] = int(rng.integers(30, 80))
            for entry in entries[1:]:
                n = with_outcome(counts, entries, entry, country, arm)
                counts[country, arm, f"sum of {entry}"] = int(rng.integers(2 * n, 4 * n))
    enrolled_in = {c: sum(counts[c, arm, kind] for arm in ARMS for kind in (*REASONS, "analysed")) for c in countries}
    asked = {country: int(rng.choice([0, 1, 4, 13])) for country in countries}
    evidence = replace(
        base,
        countries=countries,
        disclosure_threshold=threshold,
        flow=flow_frame(flow),
        estimates=_estimates(base, countries, counts, entries),
        returns=pd.DataFrame(
            {
                "country": list(countries), "file": list(countries), "table": "pupil", "about": "pupil",
                "wave": "baseline", "sent": [enrolled_in[c] + asked[c] for c in countries],
                "kept": [enrolled_in[c] for c in countries], "asked": [asked[c] for c in countries], "refused": 0,
            }
        ),
    )  # fmt: skip
    return Truth(evidence=evidence, counts=counts, asked=asked)


def with_outcome(counts: Mapping[Unknown, int], entries: list[str], entry: str, country: str, arm: str) -> int:
    """Return how many pupils of a country and arm have the outcome of an analysis."""
    if entry == entries[0]:
        return counts[country, arm, "analysed"]
    return sum(counts[country, arm, kind] for kind in (*REASONS, "analysed")) - counts[country, arm, entry]


def _estimates(
    base: Evidence, countries: Mapping[str, str], counts: Mapping[Unknown, int], entries: list[str]
) -> pd.DataFrame:
    rows = []
    for entry in base.analyses:
        value = "event of" if entry.name == entries[0] else "sum of"
        for country in ("", *countries) if len(countries) > 1 else ("",):
            places = [country] if country else list(countries)
            sizes = {
                arm: sum(with_outcome(counts, entries, entry.name, place, arm) for place in places) for arm in ARMS
            }
            known: dict[str, object] = {
                "plan_entry": entry.name, "role": entry.role, "outcome": entry.outcome, "country": country,
                "conf_level": 0.95, "n_schools": 20, "status": "ok",
            }  # fmt: skip
            for quantity, arm, n in (
                ("mean", "control", sizes["control"]), ("mean", "pilot", sizes["pilot"]),
                ("difference", "pilot", sum(sizes.values())),
            ):  # fmt: skip
                total = sum(counts[place, arm, f"{value} {entry.name}"] for place in places)
                own: dict[str, object] = {
                    "estimate_id": f"{entry.name}/{country or 'all'}/{quantity}/{arm}", "quantity": quantity,
                    "arm": arm, "n_pupils": n, "estimate": total / n if quantity == "mean" else 0.031,
                    "reference": "control", "se_type": "CR2", "df_method": "satterthwaite", "method": "observed",
                }  # fmt: skip
                if quantity == "difference":
                    own |= {"std_error": 0.05, "conf_low": -0.08, "conf_high": 0.142, "p_value": 0.2}
                rows.append(known | own)
    return pd.DataFrame(rows)


def number(text: str) -> int:
    """Return a number as a page in English prints it."""
    return int(text.replace(",", "").removeprefix("≈"))


def read_flow_text(text: str, truth: Truth, known: Knowledge, *, country: str) -> None:
    """Read the flow of a place from the words of its diagram: "Enrolled at baseline: 10 schools, 812 pupils"."""
    places = [country] if country else list(truth.evidence.countries)
    labels = {arm.name: arm.label for arm in truth.evidence.arms}
    columns = re.split("|".join(rf"(?<=\. ){label}: Randomised" for label in labels.values()), unescape(text))[1:]
    assert len(columns) == len(ARMS), text
    for arm, column in zip(labels, columns, strict=True):
        for head, kinds in _steps():
            found = re.search(rf"{re.escape(head)}: (?:[\d,]+ schools?, )?([\d,]+|c) pupils?", column)
            sums = Counter((place, arm, kind) for place in places for kind in kinds)
            if found is None:
                known.tell(sums, 0, 0) if head in REASON_LABELS else None
            elif found[1] == HIDDEN:
                known.tell(sums, 1, np.inf)
            else:
                known.tell(sums, number(found[1]), number(found[1]))


def _steps() -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "Enrolled at baseline", (*REASONS, "analysed")
    yield "Analysed (primary outcome)", ("analysed",)
    yield from ((label, (reason,)) for label, reason in REASON_LABELS.items())


def read_estimates(rows: pd.DataFrame, truth: Truth, known: Knowledge) -> None:
    """Read the published file: numbers of pupils, within half a step where they are rounded, and means."""
    entries = [entry.name for entry in truth.evidence.analyses]
    countries, step = list(truth.evidence.countries), truth.evidence.disclosure_threshold
    for row in rows.to_dict("records"):
        country = row["country"] or (countries[0] if len(countries) == 1 else "")
        if row["quantity"] != "mean":
            continue
        places, arm, entry = [country] if country else countries, row["arm"], row["plan_entry"]
        of_pupils: Counter[Unknown] = Counter()
        for place in places:
            of_pupils.update(
                (place, arm, kind) for kind in (("analysed",) if entry == entries[0] else (*REASONS, "analysed"))
            )
            if entry != entries[0]:
                of_pupils[place, arm, entry] -= 1
                known.tell(
                    _less(Counter((place, arm, kind) for kind in (*REASONS, "analysed")), (place, arm, entry)),
                    0,
                    np.inf,
                )
        if row["n_pupils"]:
            slack = step / 2 if row["n_pupils_rounded"] == "yes" and country else 0
            slack = 1.5 * step * len(places) if row["n_pupils_rounded"] == "yes" and not country else slack
            known.tell(of_pupils, int(row["n_pupils"]) - slack, int(row["n_pupils"]) + slack)
        if row["estimate"]:
            _read_mean(row["estimate"], of_pupils, entry == entries[0], places, arm, entry, known)


def _read_mean(
    text: str, of_pupils: Counter[Unknown], is_share: bool, places: list[str], arm: str, entry: str, known: Knowledge
) -> None:  # fmt: skip
    half = 0.5 * 10.0 ** -len(text.partition(".")[2]) * (1 + 1e-9)
    total = Counter((place, arm, f"{'event' if is_share else 'sum'} of {entry}") for place in places)
    for end, low, high in ((float(text) - half, 0.0, np.inf), (float(text) + half, -np.inf, 0.0)):
        sums: dict[Unknown, float] = dict(total)
        for name, weight in of_pupils.items():
            sums[name] = sums.get(name, 0) - end * weight
        known.tell(sums, low, high)


def _less(sums: Counter[Unknown], one: Unknown) -> Counter[Unknown]:
    sums[one] -= 1
    return sums


def read_returns_line(cells: Sequence[str], truth: Truth, known: Knowledge, *, country: str) -> None:
    """Read the rows of all files that were kept: as many as pupils are enrolled, rounded."""
    step = truth.evidence.disclosure_threshold
    sums = Counter((country, arm, kind) for arm in ARMS for kind in (*REASONS, "analysed"))
    kept = number(cells[3])
    known.tell(sums, kept - step / 2, kept + step / 2)
