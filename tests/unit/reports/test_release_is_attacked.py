"""Whoever reads all that is published and solves for what is not: no small number of pupils comes out.

Sites are published from made-up trials in which many numbers are small, and read as a person would: the words of the
flow diagrams, tables, the file of estimates, the text of the PDFs. The attack shares no code with the product.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pypdf import PdfReader

from data_schema.errors import DisclosureError
from reports.blocks import join_plain_text
from reports.counted import Pupils
from reports.means import compute_shown_means
from reports.release.gate import Release, check_release, find_imputed_analyses
from reports.release.links import collect_file_links
from reports.release.mending import suppress_recoverable
from reports.release.system import Fact, Imputed, MeanFact, infer_pupil_counts
from reports.selection import all_estimates
from reports.sizes import compute_printed_sizes
from reports.tables import by_country_table, estimates_table
from reports.tables.data_returns import iterate_printed_files
from reports.tables.estimates import build_published_estimates
from reports.words import words
from tests.support.attack import (
    REASONS,
    Knowledge,
    Truth,
    Unknown,
    made_up_trial,
    read_estimates,
    read_flow_text,
    read_returns_line,
)
from tests.support.published import kinds_of, published_site
from tests.support.sample_evidence import crocoos_evidence

ENGLISH = words("en")
WITH_NUMBERS = (
    "report_title",
    "country_title",
    "participant_flow",
    "results_by_country",
    "data_returns",
    "all_estimates",
)
"""The sections that print numbers of pupils; whole documents are attacked in one trial of each number of countries."""


def pages_of(site: Path, truth: Truth) -> dict[str, str]:
    """Return the published documents: country code, "" for all, to HTML."""
    found = {
        path.stem.rpartition("_")[2]: path.read_text(encoding="utf-8") for path in (site / "documents").glob("*.html")
    }
    assert set(found) == {"", *(truth.evidence.countries if len(truth.evidence.countries) > 1 else ())}
    return found


def read_site(site: Path, truth: Truth) -> Knowledge:
    """Read everything that a site says about numbers of pupils."""
    known = Knowledge()
    for country, html in pages_of(site, truth).items():
        (flow,) = [alt for alt in re.findall(r'alt="([^"]*)"', html) if "Enrolled at baseline" in alt]
        read_flow_text(flow, truth, known, country=country)
        if country or len(truth.evidence.countries) == 1:
            (line,) = re.findall(r"<th[^>]*>All files</th>(.*?)</tr>", html)
            cells = ["All files", *(re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", line))]
            read_returns_line(cells, truth, known, country=country or next(iter(truth.evidence.countries)))
    rows = pd.read_csv(site / "downloads" / "estimates.csv", dtype=str, keep_default_na=False)
    read_estimates(rows, truth, known)
    return known


def secrets_of(truth: Truth) -> list[Unknown]:
    return [name for name, n in truth.counts.items() if 0 < n < truth.evidence.disclosure_threshold]


def release_of(site: Path, truth: Truth) -> Release:
    """Return the same site as the product's gate reads it."""
    pages = pages_of(site, truth)
    return Release(
        pages=pages,
        languages=dict.fromkeys(pages, "en"),
        estimates=(site / "downloads" / "estimates.csv").read_text(encoding="utf-8-sig"),
        kinds={entry.outcome: "whole" for entry in truth.evidence.analyses}
        | {truth.evidence.analyses[0].outcome: "binary"},
        threshold=truth.evidence.disclosure_threshold,
        links=collect_file_links(truth.evidence),
    )


@pytest.mark.parametrize("n_countries", [1, 3, pytest.param(5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("threshold", [5, 10, 25])
def test_no_small_number_of_pupils_can_be_worked_out(n_countries: int, threshold: int, tmp_path: Path) -> None:
    truth = made_up_trial(n_countries, threshold, threshold)
    site = published_site(truth.evidence, tmp_path, only=WITH_NUMBERS)
    secret = secrets_of(truth)
    assert secret
    assert read_site(site, truth).recovered(truth.counts, secret) == []
    solved = check_release(release_of(site, truth))
    assert solved.n_numbers > 20 * n_countries
    assert solved.n_cells > 20 * n_countries


@pytest.mark.slow
@pytest.mark.parametrize(("n_countries", "threshold"), [(1, 25), (3, 10), (5, 5)])
def test_no_small_number_of_pupils_can_be_worked_out_of_whole_documents_and_pdfs(
    n_countries: int, threshold: int, tmp_path: Path
) -> None:
    truth = made_up_trial(n_countries, threshold, 7)
    site = published_site(truth.evidence, tmp_path)
    assert read_site(site, truth).recovered(truth.counts, secrets_of(truth)) == []
    check_release(release_of(site, truth))
    for country, html in pages_of(site, truth).items():
        (pdf,) = (site / "documents").glob(f"*_{country}.pdf")
        printed = " ".join(page.extract_text() for page in PdfReader(pdf).pages)
        assert numbers_of_pupils(printed) <= numbers_of_pupils(words_of(html)), "the PDF says what the page does not"


def words_of(html: str) -> str:
    """Return what can be read of a page: its text, its pictures' text and their descriptions."""
    pictures = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', html)
    drawn = " ".join(base64.b64decode(data).decode("utf-8") for data in pictures)
    return " ".join([re.sub(r"<[^>]+>", " ", html + drawn), *re.findall(r'alt="([^"]*)"', html)])


def numbers_of_pupils(text: str) -> set[str]:
    return set(re.findall(r"[≈\d][\d,]*(?=\s+pupils?\b)", text))


def test_tables_and_the_published_file_say_the_same_number_of_every_estimate() -> None:
    evidence = made_up_trial(3, 10, 1).evidence
    published = build_published_estimates(evidence).astype(object).set_index("estimate_id").to_dict("index")
    for row in estimates_table(evidence, ENGLISH).rows:
        if row.kind != "body":
            continue
        own = published[row.cells[0][0].estimate_id]
        mark = "≈" if own["n_pupils_rounded"] == "yes" else ""
        number = "c" if pd.isna(own["n_pupils"]) else ENGLISH.numbers.count(float(str(own["n_pupils"])))
        assert join_plain_text(row.cells[-1]) == f"{mark}{number}"
    entry = evidence.analyses[1]
    table = by_country_table(evidence, ENGLISH, entry, arm=evidence.arms[1])
    made = {
        join_plain_text(head): [join_plain_text(cell) for cell in cells]
        for head, *cells in (row.cells for row in table.rows)
    }
    assert made["Hungary"][1].removeprefix("≈") == ENGLISH.numbers.count(
        float(str(published[f"{entry.name}/HU/difference/pilot"]["n_pupils"]))
    )


def test_what_follows_from_the_reports_together_is_kept_back_before_they_are_printed(tmp_path: Path) -> None:
    """Seven pupils of Hungary's pilot schools: by the share with four decimals, beside what the flow prints in all."""
    truth = made_up_trial(3, 25, 2)
    told = replace(truth.evidence, withheld=frozenset(["nothing"]))
    mended = suppress_recoverable(truth.evidence, kinds_of(truth.evidence))
    assert mended.withheld == {"dropout"}
    assert compute_shown_means(told, told.analyses[0], all_estimates(told))["pilot", "HU"] is not None
    assert compute_shown_means(mended, mended.analyses[0], all_estimates(mended))["pilot", "HU"] is None
    site = published_site(truth.evidence, tmp_path, only=WITH_NUMBERS)
    assert read_site(site, truth).recovered(truth.counts, secrets_of(truth)) == []
    check_release(release_of(site, truth))


@pytest.mark.parametrize(("last_digit", "asked"), [(3, 1), (6, 9)])
def test_rows_sent_are_kept_back_where_those_asked_about_would_follow(
    last_digit: int, asked: int, tmp_path: Path
) -> None:
    """Of 616 enrolled all have a row; 625 sent are printed ≈630, so nine at least are asked about; "c" is no ten."""
    trials = (made_up_trial(1, 10, seed) for seed in range(200))
    truth = next(one for one in trials if one.evidence.returns["kept"].sum() % 10 == last_digit)
    kept = int(truth.evidence.returns["kept"].sum())
    rows = truth.evidence.returns.assign(asked=asked, sent=kept + asked)
    truth = replace(truth, evidence=replace(truth.evidence, returns=rows))
    site = published_site(truth.evidence, tmp_path, only=("report_title", "participant_flow", "data_returns"))
    (html,) = pages_of(site, truth).values()
    (line,) = re.findall(r"<th[^>]*>All files</th>(.*?)</tr>", html)
    cells = [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", line)]
    possible = [
        n
        for n in range(1, 10)
        if cells[1] == "c" or 10 * ((2 * (kept + n) + 10) // 20) == int(cells[1].replace(",", "").removeprefix("≈"))
    ]
    assert cells[3] == "c"
    assert len(possible) > 1


def test_an_analysis_that_assumes_what_the_lost_had_tells_how_many_are_lost_beside_the_other() -> None:
    """Of 60 enrolled three are lost and taken to have left: 23 of 60 and 20 of 57 have no other solution."""
    enrolled, analysed, lost = Pupils.at("enrolled"), Pupils.at("analysed"), Pupils.at("lost", "no answer")
    told = [Fact(pupils=enrolled, low=60, high=60), Fact(pupils=lost, low=1), Fact(pupils=analysed, low=1)]
    worst = Pupils.at("outcome", "worst case")
    told.append(Fact(pupils=worst, low=60, high=60))
    means = [
        MeanFact(pupils=analysed, low=0.345, high=0.355, is_share=True),
        MeanFact(pupils=worst, low=0.3825, high=0.3835, is_share=True),
    ]
    assert infer_pupil_counts(told, means, threshold=10).recovered == ()
    linked = infer_pupil_counts(
        told, means, threshold=10, imputed=[Imputed(entry="worst case", reasons=("no answer",))]
    )
    assert linked.recovered == ("lost: no answer",)
    outcomes = {"main": "dropout", "worst case": "dropout", "other": "marks"}
    (found,) = find_imputed_analyses(outcomes, {"main"}, {"worst case": "as_event"}, ["no answer", "consent refused"])
    assert found == Imputed(entry="worst case", reasons=("no answer",))


def test_without_rounding_the_attack_would_succeed() -> None:
    """The attack itself is tried: numbers as they are give small ones away."""
    truth = made_up_trial(3, 10, 1)
    known = Knowledge()
    for (country, arm, kind), n in truth.counts.items():
        if kind not in (*REASONS, "analysed") and " of " not in kind:
            everyone: Counter[Unknown] = Counter((country, arm, every) for every in (*REASONS, "analysed"))
            enrolled = sum(truth.counts[name] for name in everyone)
            known.tell(everyone, enrolled, enrolled)
            known.tell({**everyone, (country, arm, kind): -1}, enrolled - n, enrolled - n)
    assert len(known.recovered(truth.counts, secrets_of(truth))) > 5


def exact_numbers(truth: Truth, site: Path) -> Release:
    """Return a release whose table of estimates and pages print the number of one analysis as it is."""
    row = truth.evidence.estimates.query("quantity == 'mean' and arm == 'pilot'").iloc[1]
    release = release_of(site, truth)
    mark = f'data-estimate="{row["estimate_id"]}"'

    def exact(html: str) -> str:
        lines = html.split("<tr")
        return "<tr".join(
            re.sub(r"(data-pupils=[^>]*>)[^<]*(</span></td></tr>)", rf"\g<1>{row['n_pupils']}\2", line)
            if mark in line
            else line
            for line in lines
        )

    rows = pd.read_csv(site / "downloads" / "estimates.csv", dtype=str, keep_default_na=False)
    mine = rows["estimate_id"] == row["estimate_id"]
    rows.loc[mine, ["n_pupils", "n_pupils_rounded"]] = [str(row["n_pupils"]), "no"]
    return replace(
        release, pages={name: exact(html) for name, html in release.pages.items()}, estimates=rows.to_csv(index=False)
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Truth, Path]:
    """Return a trial in one country, in whose pilot schools three pupils lack the second outcome, and its site."""
    truth = made_up_trial(1, 10, 3)
    entry = truth.evidence.analyses[1].name
    rows = truth.evidence.estimates.copy()
    mine = (rows["plan_entry"] == entry) & (rows["arm"] == "pilot") & (rows["quantity"] == "mean")
    enrolled = sum(truth.counts["HU", "pilot", kind] for kind in (*REASONS, "analysed"))
    rows.loc[mine, "n_pupils"] = enrolled - 3
    truth = replace(truth, evidence=replace(truth.evidence, estimates=rows))
    return truth, published_site(truth.evidence, tmp_path_factory.mktemp("small"), only=WITH_NUMBERS)


def test_the_gate_refuses_a_release_from_which_a_number_follows_and_names_the_cell(small: tuple[Truth, Path]) -> None:
    truth, site = small
    entry = truth.evidence.analyses[1].name
    check_release(release_of(site, truth))
    with pytest.raises(DisclosureError, match=rf"pilot, without outcome: {entry}") as caught:
        check_release(exact_numbers(truth, site))
    assert "disclosure_threshold" in caught.value.remedy


def test_the_gate_finds_a_number_of_pupils_that_says_not_whom_it_counts(small: tuple[Truth, Path]) -> None:
    truth, site = small
    release = release_of(site, truth)
    told = {
        name: html.replace("</body>", "<p>Of these, 1,213 pupils came later.</p></body>")
        for name, html in release.pages.items()
    }
    with pytest.raises(DisclosureError, match="1,213 pupils"):
        check_release(replace(release, pages=told))


def test_the_gate_finds_such_a_number_in_the_words_of_a_picture(small: tuple[Truth, Path]) -> None:
    truth, site = small
    release = release_of(site, truth)

    def drawn(html: str) -> str:
        svg = base64.b64encode(b"<svg><text>41 pupils moved</text></svg>").decode("ascii")
        return html.replace("</body>", f'<img alt="" src="data:image/svg+xml;base64,{svg}"></body>')

    with pytest.raises(DisclosureError, match="41 pupils"):
        check_release(replace(release, pages={name: drawn(html) for name, html in release.pages.items()}))


def test_the_gate_refuses_a_table_of_estimates_that_is_not_the_documents(small: tuple[Truth, Path]) -> None:
    truth, site = small
    release = release_of(site, truth)
    rows = pd.read_csv(site / "downloads" / "estimates.csv", dtype=str, keep_default_na=False)
    rows.loc[0, "n_pupils"] = "797"
    with pytest.raises(DisclosureError, match=str(rows.loc[0, "estimate_id"])):
        check_release(replace(release, estimates=rows.to_csv(index=False)))


def test_means_of_small_trials_do_not_tell_of_how_many_pupils_they_are() -> None:
    """Rational reconstruction: of 59 of 60 pupils, 5/59 with four decimals can be of no other number."""
    evidence = crocoos_evidence()
    rows = evidence.estimates.copy()
    rows["n_pupils"] = rows["n_pupils"].map(lambda n: 59 if n else 0)
    rows.loc[rows["quantity"] == "mean", "estimate"] = 5 / 59
    made = build_published_estimates(replace(evidence, disclosure_threshold=5, estimates=rows))
    means = made.loc[(made["quantity"] == "mean") & (made["n_pupils_rounded"] == "yes") & made["estimate"].notna()]
    assert len(means) > 4
    assert set(means["estimate"]) <= {0.08, 0.1}


def test_what_gives_a_suppressed_share_back_is_suppressed_with_it() -> None:
    evidence = crocoos_evidence()
    rows = evidence.estimates.copy()
    is_share = (rows["quantity"] == "mean") & (rows["outcome"] == "dropout")
    rows.loc[is_share, "estimate"] = 3 / rows.loc[is_share, "n_pupils"]
    made = build_published_estimates(replace(evidence, estimates=rows))
    telling = made["quantity"].isin(["mean", "odds_ratio", "school_sd", "pupil_sd"]) & (made["outcome"] == "dropout")
    assert telling.sum() > 4
    assert made.loc[telling, "estimate"].isna().all()


def test_what_is_kept_back_is_in_no_sum_and_a_sum_from_which_it_follows_is_kept_back_too() -> None:
    truth = made_up_trial(5, 5, 5)
    evidence = suppress_recoverable(truth.evidence, kinds_of(truth.evidence))
    exact = {row["estimate_id"]: row["n_pupils"] for row in truth.evidence.estimates.to_dict("records")}
    everything = replace(evidence, withheld=frozenset(entry.name for entry in evidence.analyses))
    for found in (evidence, everything):
        for name, count in compute_printed_sizes(found).items():
            assert count.value is None or abs(count.value - exact[name]) <= 5 * 5, name
    # One row of RS was asked about, 13 in each of two other countries: 25 of all countries would leave one only.
    asked = [one for one in iterate_printed_files(evidence) if one.pupils and one.pupils.name.startswith("asked")]
    assert [one.value for one in asked if len(one.pupils.countries) > 1] == [None]  # type: ignore[union-attr]
