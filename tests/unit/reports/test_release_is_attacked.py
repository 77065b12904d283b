"""Whoever reads all that is published and solves for what is not: no small number of pupils comes out.

Numbers of pupils are read from the printed tables, those of single countries among them, and from the published file of
estimates. Together they are a system of whole numbers, of which the least and the greatest value of each small number
that nobody may learn is found by integer programming.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from reports.blocks import Table, plain
from reports.evidence import Evidence
from reports.tables import by_country_table, estimates_table, flow_table, returns_table
from reports.tables.estimates import published_estimates
from reports.words import words
from tests.support.sample_evidence import crocoos_evidence
from tests.support.sample_frames import flow_frame

ENGLISH = words("en")
ARMS = ("control", "pilot")
REASONS = ("no record", "unknown", "no answer")
COUNTRIES = {"HU": "Hungary", "RS": "Serbia", "SI": "Slovenia", "HR": "Croatia", "AT": "Austria"}
HIDDEN = "c"

Unknown = tuple[str, str, str]
"""Country, arm, and a reason for a missing primary outcome, "analysed", or an analysis whose outcome they lack."""


@dataclass(frozen=True, slots=True)
class Truth:
    """How many pupils of each kind there are; the last kinds are those without the outcome of another analysis."""

    evidence: Evidence
    counts: Mapping[Unknown, int]
    asked: Mapping[str, int]


@dataclass(slots=True)
class Knowledge:
    """What a reader can tell: weighted sums of the unknown numbers, with their least and greatest values."""

    rows: list[tuple[Counter[Unknown], float, float]] = field(default_factory=list)

    def tell(self, sums: Counter[Unknown], low: float, high: float) -> None:
        self.rows.append((sums, low, high))

    def range_of(self, one: Unknown, unknowns: list[Unknown]) -> tuple[int, int]:
        place = {name: at for at, name in enumerate(unknowns)}
        matrix = np.zeros((len(self.rows), len(unknowns)))
        for at, (sums, _, _) in enumerate(self.rows):
            for name, weight in sums.items():
                matrix[at, place[name]] += weight
        constraint = LinearConstraint(matrix, [row[1] for row in self.rows], [row[2] for row in self.rows])
        aim = np.zeros(len(unknowns))
        aim[place[one]] = 1
        ends = []
        for sign in (1, -1):
            found = milp(
                sign * aim,
                constraints=constraint,
                integrality=np.ones(len(unknowns), dtype=np.int64),
                bounds=Bounds(0, 5000),
            )
            assert found.status == 0, found.message
            ends.append(round(sign * found.fun))
        return ends[0], ends[1]


def trial(n_countries: int, threshold: int, seed: int) -> Truth:
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


def _n(counts: Mapping[Unknown, int], entries: list[str], entry: str, country: str, arm: str) -> int:
    if entry == entries[0]:
        return counts[country, arm, "analysed"]
    return sum(counts[country, arm, kind] for kind in (*REASONS, "analysed")) - counts[country, arm, entry]


def _estimates(
    base: Evidence, countries: Mapping[str, str], counts: Mapping[Unknown, int], entries: list[str]
) -> pd.DataFrame:
    rows = []
    for entry in base.analyses:
        for country in ("", *countries) if len(countries) > 1 else ("",):
            places = [country] if country else list(countries)
            sizes = {arm: sum(_n(counts, entries, entry.name, place, arm) for place in places) for arm in ARMS}
            known: dict[str, object] = {
                "plan_entry": entry.name,
                "role": entry.role,
                "outcome": entry.outcome,
                "country": country,
            }
            known |= {"conf_level": 0.95, "n_schools": 20, "status": "ok"}
            for quantity, arm, n in (
                ("mean", "control", sizes["control"]), ("mean", "pilot", sizes["pilot"]),
                ("difference", "pilot", sum(sizes.values())),
            ):  # fmt: skip
                name = f"{entry.name}/{country or 'all'}/{quantity}/{arm}"
                own: dict[str, object] = {
                    "estimate_id": name,
                    "quantity": quantity,
                    "arm": arm,
                    "n_pupils": n,
                    "estimate": 0.31,
                }
                own |= {"reference": "control", "std_error": 0.05, "conf_low": 0.2, "conf_high": 0.42, "p_value": 0.2}
                rows.append(known | own)
    return pd.DataFrame(rows)


def printed(made: Table | None) -> Iterator[list[str]]:
    for row in made.rows if made is not None else ():
        yield [plain(cell) for cell in row.cells]


def number(text: str) -> int:
    return int(text.replace(",", ""))


def read_flow(found: Truth, known: Knowledge) -> dict[tuple[str, str], int]:
    """Read the flow of all countries and of each; returns how many are said to be enrolled, by country and arm."""
    enrolled: dict[tuple[str, str], int] = {}
    countries = list(found.evidence.countries)
    for country in ("", *countries) if len(countries) > 1 else ("",):
        places = [country] if country else countries
        labels = {"No record of the pupil": REASONS[0], "School does not know": REASONS[1], "No answer": REASONS[2]}
        for head, *cells in printed(flow_table(replace(found.evidence, country=country), ENGLISH)):
            for at, arm in enumerate(ARMS):
                text = cells[2 * at + 1] if cells[1:] else ""
                kinds = {"Enrolled at baseline": (*REASONS, "analysed"), "Analysed (primary outcome)": ("analysed",)}
                chosen = (labels[head],) if head in labels else kinds.get(head, ())
                sums = Counter((place, arm, kind) for place in places for kind in chosen)
                if not chosen or text == "":
                    continue
                if text == HIDDEN:
                    known.tell(sums, 1, np.inf)
                    continue
                known.tell(sums, number(text), number(text))
                if head == "Enrolled at baseline":
                    enrolled |= {(place, arm): number(text) for place in places if len(places) == 1}
    return enrolled


def read_estimates(found: Truth, known: Knowledge, enrolled: Mapping[tuple[str, str], int]) -> None:
    """Read the published file: a number that is not rounded is exact, any other within half a step."""
    entries = [entry.name for entry in found.evidence.analyses]
    countries = list(found.evidence.countries)
    step = found.evidence.disclosure_threshold
    for row in published_estimates(found.evidence).to_dict("records"):
        country = str(row["country"]) or (countries[0] if len(countries) == 1 else "")
        if row["quantity"] != "mean" or not country or pd.isna(row["n_pupils"]):
            continue
        arm, entry = str(row["arm"]), str(row["plan_entry"])
        sums = Counter((country, arm, kind) for kind in (*REASONS, "analysed"))
        sums = Counter({(country, arm, "analysed"): 1}) if entry == entries[0] else sums
        if entry != entries[0]:
            sums[country, arm, entry] -= 1
        n = int(row["n_pupils"])
        slack = step / 2 if row["n_pupils_rounded"] == "yes" else 0
        known.tell(sums, n - slack, n + slack)
        if (country, arm) in enrolled:
            known.tell(sums, 0, enrolled[country, arm])


def read_returns(found: Truth, known: Knowledge) -> None:
    step = found.evidence.disclosure_threshold
    for country in found.evidence.countries:
        for head, *cells in printed(returns_table(replace(found.evidence, country=country), ENGLISH)):
            if head == "All files":
                sums = Counter((country, arm, kind) for arm in ARMS for kind in (*REASONS, "analysed"))
                kept = number(cells[2].removeprefix("≈"))
                known.tell(sums, kept - step / 2, kept + step / 2)


@pytest.mark.parametrize("n_countries", [1, 3, 5])
@pytest.mark.parametrize("threshold", [5, 10, 25])
@pytest.mark.parametrize("seed", range(2))
def test_no_small_number_of_pupils_can_be_worked_out(n_countries: int, threshold: int, seed: int) -> None:
    found = trial(n_countries, threshold, seed)
    known = Knowledge()
    enrolled = read_flow(found, known)
    read_estimates(found, known, enrolled)
    read_returns(found, known)
    unknowns = list(found.counts)
    secret = [name for name, n in found.counts.items() if 0 < n < threshold]
    assert secret
    for name in secret:
        low, high = known.range_of(name, unknowns)
        assert low <= found.counts[name] <= high
        assert high > low, f"{name} is {low}"


def test_tables_and_the_published_file_say_the_same_number_of_every_estimate() -> None:
    evidence = trial(3, 10, 1).evidence
    published = published_estimates(evidence).astype(object).set_index("estimate_id").to_dict("index")
    for row in estimates_table(evidence, ENGLISH).rows:
        if row.kind != "body":
            continue
        own = published[row.cells[0][0].estimate_id]
        mark = "≈" if own["n_pupils_rounded"] == "yes" else ""
        assert plain(row.cells[-1]) == f"{mark}{ENGLISH.numbers.count(float(str(own['n_pupils'])))}"
    entry = evidence.analyses[1]
    made = {head: cells for head, *cells in printed(by_country_table(evidence, ENGLISH, entry, arm=evidence.arms[1]))}
    assert made["Hungary"][1].removeprefix("≈") == ENGLISH.numbers.count(
        float(str(published[f"{entry.name}/HU/difference/pilot"]["n_pupils"]))
    )


def test_without_rounding_the_attack_would_succeed() -> None:
    """The attack itself is tried: numbers as they are give small ones away."""
    found = trial(3, 10, 1)
    known = Knowledge()
    enrolled = read_flow(found, known)
    for name, n in found.counts.items():
        country, arm, kind = name
        if (country, arm) in enrolled and kind not in (*REASONS, "analysed"):
            sums = Counter((country, arm, every) for every in (*REASONS, "analysed"))
            sums[name] -= 1
            known.tell(sums, enrolled[country, arm] - n, enrolled[country, arm] - n)
    unknowns = list(found.counts)
    secret = [name for name, n in found.counts.items() if 0 < n < 10 and (name[0], name[1]) in enrolled]
    assert any(low == high for low, high in (known.range_of(name, unknowns) for name in secret))


def test_means_of_small_trials_do_not_tell_of_how_many_pupils_they_are() -> None:
    """Rational reconstruction: of 59 of 60 pupils, 5/59 with four decimals can be of no other number."""
    evidence = crocoos_evidence()
    rows = evidence.estimates.copy()
    rows["n_pupils"] = rows["n_pupils"].map(lambda n: 59 if n else 0)
    rows.loc[rows["quantity"] == "mean", "estimate"] = 5 / 59
    made = published_estimates(replace(evidence, disclosure_threshold=5, estimates=rows))
    means = made.loc[(made["quantity"] == "mean") & (made["n_pupils_rounded"] == "yes") & made["estimate"].notna()]
    assert len(means) > 4
    assert set(means["estimate"]) <= {0.08, 0.1}


def test_what_gives_a_suppressed_share_back_is_suppressed_with_it() -> None:
    evidence = crocoos_evidence()
    rows = evidence.estimates.copy()
    is_share = (rows["quantity"] == "mean") & (rows["outcome"] == "dropout")
    rows.loc[is_share, "estimate"] = 3 / rows.loc[is_share, "n_pupils"]
    made = published_estimates(replace(evidence, estimates=rows))
    telling = made["quantity"].isin(["mean", "odds_ratio", "school_sd", "pupil_sd"]) & (made["outcome"] == "dropout")
    assert telling.sum() > 4
    assert made.loc[telling, "estimate"].isna().all()
