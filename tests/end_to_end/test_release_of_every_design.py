"""Waiting lists, stepped wedges, factors and three arms through the gate of publication, and the attack on each.

The trials are run from files to results; their reports are written from the evidence, without notebooks. Trials that
draw classes are not here: their reports are refused (test_design_kinds).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import partial
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluation.population import classify_outcome_values
from evaluation.trial import Trial
from reports.evidence import Evidence
from reports.release.gate import Release, check_release
from reports.release.links import collect_file_links
from tests.support.attack import REASON_LABELS, Knowledge, Unknown, number
from tests.support.published import published_site
from tests.support.tiny import PROTOCOL, tiny_trial

COUNTRIES = {"SI": "Slovenia", "RS": "Serbia", "HU": "Hungary", "AT": "Austria", "HR": "Croatia"}
N_PUPILS = 21
KINDS = ("no record", "no answer", "analysed")
SECTIONS = ("report_title", "country_title", "participant_flow", "results_by_country", "data_returns", "all_estimates")


def arm(name: str, more: str = "") -> str:
    return f'[[design.arms]]\nname = "{name}"\nlabel = "{name.capitalize()} schools"\n{more}\n\n'


LATER = '[[waves]]\nname = "later"\nlabel = "Later"\n\n'
ARMS = {
    "waiting_list": arm("waits", 'starts = "later"') + arm("goes", 'starts = "after"'),
    "stepped_wedge": arm("third", 'starts = "later"')
    + arm("second", 'starts = "after"')
    + arm("first", 'starts = "before"'),
    "factorial": arm("neither", "factors = []")
    + arm("mentor", 'factors = ["mentor"]')
    + arm("ews", 'factors = ["ews"]')
    + arm("both", 'factors = ["ews", "mentor"]'),
    "stratified": arm("control") + arm("mentor") + arm("ews"),
}


def protocol(kind: str, countries: list[str]) -> str:
    head, rest = PROTOCOL.split("[[design.arms]]", 1)
    tail = rest[rest.index("[[inbox]]") :]
    head = head.replace('SI = "Slovenia"', "\n".join(f'{code} = "{COUNTRIES[code]}"' for code in countries))
    head = head.replace('kind = "complete"', f'kind = "{kind}"\nstrata = ["country"]').replace(
        "[design]", f"{LATER}[design]"
    )
    return head + ARMS[kind] + tail.replace('role = "primary"', 'role = "primary"\nstrata = false')


def status_row(lost: int, at: int, place: int) -> str:
    """Give the status of a pupil: the first few of a school have no mark."""
    return f"enrolled;{'' if place < lost else 2 + (7 * place + 3 * at + place // (at + 1)) % 5 / 2}"


def made_trial(kind: str, n_countries: int, folder: Path) -> Trial:
    """Return a trial with results, in which few pupils of a school have no mark and few are not on the second list."""
    rng = np.random.default_rng(n_countries)
    countries = list(COUNTRIES)[:n_countries]
    n_schools = 3 * ARMS[kind].count("[[design.arms]]") if n_countries == 1 else ARMS[kind].count("[[design.arms]]") + 1
    schools = [(f"{code}-{at:02d}", code) for code in countries for at in range(n_schools)]
    files = {}
    for at, (school, _) in enumerate(schools):
        pupils = [f"{school}-{place:03d}" for place in range(N_PUPILS)]
        lists = [f"{school};{pupil};{('girl', 'boy')[place % 2]};yes" for place, pupil in enumerate(pupils)]
        row = partial(status_row, int(rng.choice([0, 0, 1, 2])), at)
        there = list(enumerate(pupils))[: N_PUPILS - int(rng.choice([0, 0, 1, 3]))]
        marks = [f"{school};{pupil};{row(place)}" for place, pupil in there]
        files[f"before/pupil_{school}.csv"] = "\n".join(["school_id;pupil_id;gender;consent", *lists, ""])
        files[f"after/status_{school}.csv"] = "\n".join(["school_id;pupil_id;status;average_mark", *marks, ""])
    frame = [f"{school},School {school},{code},general,{100 + at}" for at, (school, code) in enumerate(schools)]
    text = "\n".join(["school_id,name,country,type,size", *frame, ""])
    trial = tiny_trial(folder, protocol=protocol(kind, countries), frame=text, files=files)
    trial.assign()
    trial.collect()
    trial.balance()
    trial.impact()
    return trial


def truth_of(evidence: Evidence) -> dict[Unknown, int]:
    """Return how many pupils of each country and arm were lost for each reason, or analysed."""
    flow = evidence.flow
    arms = dict.fromkeys(flow.loc[flow["step"] == "baseline", "arm"])
    found = {(code, str(name), kind): 0 for code in evidence.countries for name in arms for kind in KINDS}
    rows = flow[flow["step"].isin(["outcome_missing", "analysed"]) & (flow["country"] != "")]
    for row in rows.to_dict("records"):
        found[str(row["country"]), str(row["arm"]), str(row["reason"]) or "analysed"] += int(row["n_pupils"])
    return found


def read_site(site: Path, evidence: Evidence, truth: dict[Unknown, int]) -> Knowledge:
    """Read what the diagrams of the flow say in words, and the numbers of pupils behind the means in the file."""
    known, countries = Knowledge(), list(evidence.countries)
    arms = list(dict.fromkeys(name for _, name, _ in truth))
    labels = {one.name: one.label for one in evidence.arms if one.name in arms}
    for path in sorted((site / "documents").glob("*.html")):
        country = path.stem.rpartition("_")[2]
        places = [country] if country else countries
        html = path.read_text(encoding="utf-8")
        (text,) = [unescape(alt) for alt in re.findall(r'alt="([^"]*)"', html) if "Enrolled at baseline" in alt]
        columns = re.split("|".join(rf"(?<=\. ){re.escape(label)}: Randomised" for label in labels.values()), text)[1:]
        assert len(columns) == len(labels), text
        for name, column in zip(labels, columns, strict=True):
            heads = {"Enrolled at baseline": KINDS, "Analysed (primary outcome)": ("analysed",)}
            heads |= {label: (kind,) for label, kind in REASON_LABELS.items() if kind in KINDS}
            for head, kinds in heads.items():
                found = re.search(rf"{re.escape(head)}: (?:[\d,]+ schools?, )?([\d,]+|c) pupils?", column)
                sums = Counter((place, name, kind) for place in places for kind in kinds)
                if found is None:
                    known.tell(sums, 0, 0) if len(kinds) == 1 and "analysed" not in kinds else None
                else:
                    n = None if found[1] == "c" else number(found[1])
                    known.tell(sums, 1 if n is None else n, np.inf if n is None else n)
    rows = pd.read_csv(site / "downloads" / "estimates.csv", dtype=str, keep_default_na=False)
    for row in rows[(rows["quantity"] == "mean") & (rows["n_pupils"] != "")].to_dict("records"):
        if row["arm"] in arms:
            places = [row["country"]] if row["country"] else countries
            slack = 1.5 * evidence.disclosure_threshold * len(places) if row["n_pupils_rounded"] == "yes" else 0
            sums = Counter((place, row["arm"], "analysed") for place in places)
            known.tell(sums, int(row["n_pupils"]) - slack, int(row["n_pupils"]) + slack)
    return known


def release_of(site: Path, evidence: Evidence, trial: Trial) -> Release:
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (site / "documents").glob("*.html")}
    return Release(
        pages=pages,
        languages=dict.fromkeys(pages, "en"),
        estimates=(site / "downloads" / "estimates.csv").read_text(encoding="utf-8-sig"),
        kinds=classify_outcome_values(trial.protocol),
        threshold=evidence.disclosure_threshold,
        links=collect_file_links(evidence),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "n_countries", "threshold"),
    [("factorial", 1, 25), ("waiting_list", 3, 10), ("stratified", 1, 5), ("stepped_wedge", 5, 10)],
)
def test_no_small_number_follows_from_the_release_of_a_design(
    kind: str, n_countries: int, threshold: int, tmp_path: Path
) -> None:
    trial = made_trial(kind, n_countries, tmp_path / "trial")
    evidence = replace(trial.evidence(), disclosure_threshold=threshold, withheld=frozenset())
    site = published_site(evidence, tmp_path / "site", only=SECTIONS)
    truth = truth_of(evidence)
    secret = [name for name, n in truth.items() if 0 < n < threshold]
    assert secret
    assert read_site(site, evidence, truth).recovered(truth, secret) == []
    assert check_release(release_of(site, evidence, trial)).n_cells > 10
