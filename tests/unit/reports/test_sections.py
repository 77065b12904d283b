"""Sections: what reports say of any trial, through the catalogue, without what is not known."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from pypdf import PdfReader

from data_schema.errors import DisclosureError
from notebooks import TEMPLATES
from reports import sections
from reports.blocks import Block, Bullets, Heading, Note, Table, Title, join_plain_text
from reports.claims import LogFacts
from reports.documents import Document, write_pdf
from reports.evidence import Evidence
from tests.support.block_text import spans, texts
from tests.support.report_blocks import report, section_names
from tests.support.sample_evidence import (
    awards_evidence,
    bare_evidence,
    crocoos_evidence,
    letterless,
    three_arms_evidence,
    two_countries_evidence,
)

TRIALS = {
    "crocoos": crocoos_evidence(),
    "crocoos in Slovenia": crocoos_evidence("SI"),
    "two countries": two_countries_evidence(),
    "three arms": three_arms_evidence(),
    "awards": awards_evidence(),
    "awards in Israel": replace(awards_evidence(), country="IL"),
    "bare": bare_evidence(),
    "full": replace(
        crocoos_evidence(),
        limitations=("Heads of schools knew their arm, and may have reported accordingly in interviews and forms.",),
        recommendations=(
            "Ministries: extend the programme to vocational schools in a second trial before it becomes law.",
            "Ministries: fund the mentor for two years at least; schools ask for it more than for anything else.",
            "Schools: start with the monthly meeting and the list of absences; everything else builds on these.",
        ),
        read_more="https://example.org/trial",
    ),
}


@cache
def made(notebook: str, name: str, language: str = "en") -> tuple[Block, ...]:
    """Return the blocks of a report of one of the trials; of its letterless twin in the pseudo-language."""
    evidence = letterless(TRIALS[name]) if language == "qps" else TRIALS[name]
    return report(notebook, evidence, language=language)


EVERY = [(notebook, name) for notebook in TEMPLATES for name in TRIALS]


def said(notebook: str, evidence: Evidence) -> str:
    """Return all text of a report, with plain spaces."""
    known = next((name for name, trial in TRIALS.items() if trial is evidence), "")
    blocks = made(notebook, known) if known else report(notebook, evidence)
    return "\n".join(texts(blocks)).replace("\u00a0", " ")


@pytest.mark.parametrize(("notebook", "name"), [(n, t) for n, t in EVERY if t != "bare"])
def test_every_text_comes_from_the_catalogue(notebook: str, name: str) -> None:
    for text in texts(made(notebook, name, "qps")):
        outside = re.sub(r"⟦[^⟧]*⟧", "", text)
        assert not re.search(r"[^\W\d_]", outside), text


@pytest.mark.parametrize(("notebook", "name"), EVERY)
def test_every_report_of_any_trial_is_whole(notebook: str, name: str) -> None:
    blocks = made(notebook, name)
    assert isinstance(blocks[0], Title)
    assert sum(isinstance(block, Title) for block in blocks) == 1
    anchors = [anchor for block in blocks if (anchor := getattr(block, "anchor", ""))]
    assert len(anchors) == len(set(anchors))
    for block in blocks:
        if isinstance(block, Table):
            assert all(len(row.cells) == len(block.columns) for row in block.rows)
        if isinstance(block, Bullets):
            assert all(join_plain_text(item) for item in block.items)


@pytest.mark.parametrize(("notebook", "name"), EVERY)
def test_no_text_has_an_open_slot_a_double_space_or_the_word_significant(notebook: str, name: str) -> None:
    for text in texts(made(notebook, name)):
        assert not re.search(r"[{}]|  |significan|\bnan\b|None", text), text
        assert not re.search(r" [.,;:]|\.\.", text), text


@pytest.mark.parametrize(("notebook", "name"), EVERY)
def test_figures_lead_to_estimates_that_exist(notebook: str, name: str) -> None:
    evidence = TRIALS[name]
    ids = {span.estimate_id for span in spans(made(notebook, name))} - {""}
    known = set(evidence.estimates["estimate_id"]) if len(evidence.estimates) else set()
    assert ids <= known
    assert bool(ids) == bool(known)


def test_the_report_follows_the_order_of_consort() -> None:
    heads = [block.anchor for block in made("experimental_report", "crocoos") if isinstance(block, Heading)]
    order = [
        "summary",
        "trial",
        "allocation",
        "flow",
        "baseline",
        "results",
        "countries",
        "implementation",
        "signals",
        "costs",
    ]
    order += ["returns", "methods", "limits", "provenance", "appendix"]
    assert [head for head in heads if head in order] == order


def test_the_report_has_what_the_cluster_extension_of_consort_asks() -> None:
    text = said("experimental_report", TRIALS["crocoos"])
    assert "a cluster randomised trial" in text
    assert "within each of 6 strata, formed by country and type" in text
    assert "30 schools, 1,712 pupils" in text
    assert "Within arms and strata, the intraclass correlation of schools is 0.041 (0.021 to 0.072)" in text
    assert "reduced the number of leavers by 2.3 per 100 pupils (95% interval: 0.5 to 4.1)" in text
    assert "−21% (−34 to −5)" in text
    assert "ISRCTN 00000000" in text
    assert "the Erasmus+ programme of the European Union" in text


def test_the_methods_say_what_was_frozen_changed_and_explored() -> None:
    text = said("experimental_report", TRIALS["crocoos"])
    assert "was frozen on 2027-08-20 09:30 UTC, before outcome data were taken in. Its SHA-256 begins with c3d4" in text
    assert "analysis.absences was added" in text
    assert "Exploratory: Unjustified absences." in text
    unchanged = replace(TRIALS["crocoos"], design={**TRIALS["crocoos"].design, "changes_after_freeze": []})
    assert "Nothing was changed after the freeze." in said("experimental_report", unchanged)


@pytest.mark.parametrize("notebook", TEMPLATES)
def test_a_plan_that_was_not_frozen_is_a_caution_in_every_report(notebook: str) -> None:
    cautions = [b for b in made(notebook, "awards") if isinstance(b, Note) and b.kind == "caution"]
    assert any(note.title == "No plan before the results" for note in cautions)
    cautions = [b for b in made(notebook, "crocoos") if isinstance(b, Note) and b.kind == "caution"]
    assert cautions == []


def test_the_title_of_the_evidence_summary_is_the_finding() -> None:
    titles = {name: sections.brief_title(evidence, "en")[0] for name, evidence in TRIALS.items()}
    found = {name: title.text for name, title in titles.items() if isinstance(title, Title)}
    assert found["crocoos"] == "Fewer pupils left school early in pilot schools"
    assert found["crocoos in Slovenia"] == "We cannot say whether fewer pupils left school early in pilot schools"
    assert found["awards"] == "We cannot say whether more pupils matriculated in schools of the arm “Awards offered”"
    assert found["bare"] == "Early leaving: the effect could not be estimated"


@pytest.mark.parametrize("name", list(TRIALS))
def test_the_evidence_summary_has_two_pages(name: str, tmp_path: Path) -> None:
    path = tmp_path / "summary.pdf"
    write_pdf(Document(blocks=made("evidence_summary", name)), path, language="en")
    assert len(PdfReader(path).pages) == 2


def test_the_title_of_several_arms_has_the_finding_of_each() -> None:
    title = sections.brief_title(TRIALS["three arms"], "en")[0]
    assert isinstance(title, Title)
    assert title.text == (
        "Fewer pupils left school early in pilot schools;"
        " Fewer pupils left school early in schools of the arm “Pilot with mentor”"
    )


def test_a_country_report_has_its_own_answer_and_that_of_all_countries() -> None:
    text = said("country_report", TRIALS["crocoos in Slovenia"])
    assert "Slovenia: We cannot say whether fewer pupils left school early in pilot schools" in text
    assert "between 5.0 fewer and 2.2 more per 100 pupils" in text
    assert "All countries together" in text
    assert "reduced the number of leavers by 2.3 per 100 pupils" in text


def test_a_trial_in_one_country_says_nothing_of_countries_together() -> None:
    for notebook in TEMPLATES:
        assert "All countries" not in said(notebook, TRIALS["awards"])
        assert "further country" not in said(notebook, TRIALS["awards"])


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ("implementation", "No records of what schools put into practice were collected."),
        ("costs", "No costs were collected."),
        ("data_returns", "No list of the files that schools sent is at hand."),
        ("baseline", "No baseline measures were compared."),
        ("participant_flow", "Nothing is known about the flow of schools and pupils."),
        ("results_by_country", "There is nothing to draw: no outcome could be estimated."),
    ],
)
def test_a_part_of_which_nothing_is_known_says_so(section: str, sentence: str) -> None:
    assert sentence in texts(getattr(sections, section)(TRIALS["bare"], "en"))


def test_costs_without_a_common_currency_are_given_by_country() -> None:
    costs = TRIALS["crocoos"].costs
    apart = replace(TRIALS["crocoos"], costs=costs[costs["country"] != ""])
    text = said("evidence_summary", apart)
    assert "Hungary, Pilot: EUR 74 per pupil, EUR 3,980 per school." in text
    assert "Hungary, Control: EUR 7.60 per pupil, EUR 410 per school." in text
    assert "EUR 79" not in text
    few = replace(apart, costs=apart.costs.assign(n_schools=2))
    assert "Figures of fewer than 3 schools are not printed" in said("evidence_summary", few)


def test_a_missing_joint_test_is_said_to_be() -> None:
    assert "No joint test of baseline differences was made." in said("experimental_report", TRIALS["awards"])
    rare = replace(TRIALS["crocoos"], balance_test={"statistic": 30.0, "p_value": 0.002, "n_draws": 2000.0})
    assert "p = 0.002: differences of this size are unusual" in said("experimental_report", rare)
    assert "p = 0.61: differences of this size are what a draw like this one" in said(
        "experimental_report", TRIALS["crocoos"]
    )


def test_implementation_is_described_and_not_called_a_cause() -> None:
    text = said("experimental_report", TRIALS["crocoos"])
    assert "it does not show what more or less of it would bring about" in text
    practice = "\n".join(texts(sections.implementation(TRIALS["crocoos"], "en")))
    assert not re.search(r"because|led to|caused|thanks to|effect of", practice)


def test_what_each_arm_did_and_spent_stands_beside_the_other_with_the_difference() -> None:
    text = said("evidence_summary", TRIALS["crocoos"])
    assert "in control schools and pilot schools (difference)" in text
    assert "Visits by the mentor 2.0 and 8.1 (+6.1)" in text
    assert "Pilot: EUR 79 per pupil, EUR 4,310 per school." in text
    assert "Control: EUR 8.20 per pupil, EUR 450 per school." in text
    assert "cost per pupil in pilot schools" in text


def test_an_arm_that_reported_neither_practice_nor_costs_is_named() -> None:
    crocoos = TRIALS["crocoos"]
    practice, costs = crocoos.implementation, crocoos.costs
    pilot = replace(crocoos, implementation=practice[practice["arm"] == "pilot"], costs=costs[costs["arm"] == "pilot"])
    for document in ("evidence_summary", "experimental_report"):
        text = said(document, pilot)
        assert "Not reported by control schools." in text
        assert "What it cost control schools to go on as usual was not reported." in text


def test_warning_signals_are_judged_in_the_report_where_there_are_some() -> None:
    text = said("experimental_report", TRIALS["crocoos"])
    assert "With all signals in one risk, 38 of every 100 leavers had been flagged" in text
    assert "42 of every 100 flagged pupils were among them" in text
    assert "The warning signals themselves" not in said("experimental_report", TRIALS["awards"])


def test_pupils_needed_are_said_as_a_minister_reads_them() -> None:
    text = said("experimental_report", TRIALS["crocoos"])
    assert "Of every 44 pupils in pilot schools, one fewer left school early than otherwise would have" in text
    assert "one of every 25 to one of every 182" in text


def test_a_draw_made_elsewhere_made_twice_or_not_verified_is_said_to_be() -> None:
    awards, crocoos = TRIALS["awards"], TRIALS["crocoos"]
    assert "The draw was made outside this toolkit" in said("experimental_report", awards)
    assert "so that anyone can repeat it" in said("experimental_report", crocoos)
    twice = replace(crocoos, log=LogFacts(n_draws=2), design={**crocoos.design, "verified": False})
    assert "The draw was made 2 times; the last one counts." in said("experimental_report", twice)
    assert "Allocation not verified" in said("experimental_report", twice)


def test_draws_without_strata_are_said_to_be() -> None:
    plain_draw = replace(TRIALS["crocoos"], design={**TRIALS["crocoos"].design, "strata": [], "n_strata": 0})
    assert "They were drawn in the ratio 1:1, without strata." in said("experimental_report", plain_draw)


def test_one_of_anything_is_singular() -> None:
    flow = TRIALS["awards"].flow
    one = flow[~flow["step"].isin(["assessed", "excluded"])].assign(n_schools=1)
    only = one[(one["arm"] != "control") | (one["step"] != "randomised")]
    text = said("experimental_report", replace(TRIALS["awards"], flow=only))
    assert "the draw of 1 school was made elsewhere" in text
    assert "The trial took place in 1 school in Israel." in text
    assert "1 schools" not in text


def test_countries_are_listed_as_running_text() -> None:
    assert "in Hungary, Serbia and Slovenia." in said("experimental_report", TRIALS["crocoos"])
    assert "in Hungary and Serbia." in said("experimental_report", TRIALS["two countries"])
    assert "in Israel." in said("experimental_report", TRIALS["awards"])


def test_limits_follow_from_the_results() -> None:
    unclear = "\n".join(texts(sections.limitations(TRIALS["crocoos in Slovenia"], "en")))
    assert "leaves its direction open: differences between 5.0 fewer and 2.2 more fit the data" in unclear
    assert "16 schools are few" in unclear
    clear = "\n".join(texts(sections.limitations(TRIALS["crocoos"], "en")))
    assert "direction open" not in clear
    assert "The main outcome is missing for 6.3% of the pupils" in clear
    assert "Not estimated: Hebrew requirement." in "\n".join(texts(sections.limitations(TRIALS["awards"], "en")))


def test_what_the_evaluators_add_is_printed() -> None:
    evidence = replace(
        TRIALS["crocoos"],
        limitations=("Heads knew their arm.",),
        recommendations=("Extend the trial to the south.",),
        objective="Does early warning reduce early leaving?",
        eligibility="Schools with vocational programmes could take part.",
        read_more="https://example.org/trial",
    )
    text = said("experimental_report", evidence)
    assert "Heads knew their arm." in text
    assert "Does early warning reduce early leaving?" in text
    assert "Schools with vocational programmes could take part." in text
    brief = said("evidence_summary", evidence)
    assert "Extend the trial to the south." in brief
    assert "https://example.org/trial" in brief
    assert "The evaluators have made no recommendations." in said("evidence_summary", TRIALS["crocoos"])


def test_a_changed_estimate_changes_every_place_that_states_it() -> None:
    before = crocoos_evidence()
    estimates = before.estimates.copy()
    chosen = estimates["estimate_id"] == "dropout/all/difference/pilot"
    estimates.loc[chosen, ["estimate", "conf_low", "conf_high"]] = [-0.0567, -0.0789, -0.0345]
    after = replace(before, estimates=estimates)
    for notebook in ("experimental_report", "evidence_summary"):
        stated = [
            span.text for span in spans(report(notebook, after)) if span.estimate_id == "dropout/all/difference/pilot"
        ]
        assert not any("2.3" in text or "4.1" in text for text in stated)
        assert any("5.7" in text for text in stated)
        assert any("(−7.9 to −3.5)" in text or "(−7.9 to −3.4)" in text for text in stated)


def test_small_counts_of_pupils_are_on_no_page_of_a_small_country() -> None:
    # Four pupils of Slovenian control schools have an unknown status; 19 were lost in all, so 15 gives them away.
    for code in ("SI", "RS", "HU", ""):
        text = said("country_report" if code else "experimental_report", crocoos_evidence(code))
        assert not re.search(r"\b[1-9] pupils?\b", text)


def test_a_threshold_that_protects_nobody_stops_the_report() -> None:
    with pytest.raises(DisclosureError, match="whole number of 2 or more"):
        report("experimental_report", replace(TRIALS["crocoos"], disclosure_threshold=1))


def test_a_failed_primary_outcome_leads_every_report_with_that() -> None:
    estimates = TRIALS["crocoos"].estimates.copy()
    chosen = (estimates["plan_entry"] == "dropout") & (estimates["quantity"] != "mean")
    estimates.loc[chosen, ["status", "reason"]] = ["failed", "An arm is empty."]
    evidence = replace(TRIALS["crocoos"], estimates=estimates)
    for notebook in TEMPLATES:
        assert "The effect on “Early leaving” could not be estimated. An arm is empty." in said(notebook, evidence)


def test_a_trial_without_analyses_still_has_reports() -> None:
    evidence = replace(bare_evidence(pd.DataFrame(columns=TRIALS["crocoos"].estimates.columns)), analyses=())
    for notebook in TEMPLATES:
        assert report(notebook, evidence)


def test_sensitivity_analyses_have_their_part_when_the_plan_has_them() -> None:
    assert sections.sensitivity(TRIALS["crocoos"], "en") == ()
    varied = replace(TRIALS["crocoos"].analyses[0], name="dropout2", role="sensitivity", missing_outcome="as_event")
    more = TRIALS["crocoos"].estimates
    more = more[more["plan_entry"] == "dropout"].assign(plan_entry="dropout2")
    evidence = replace(
        TRIALS["crocoos"],
        analyses=(*TRIALS["crocoos"].analyses, varied),
        estimates=pd.concat([TRIALS["crocoos"].estimates, more], ignore_index=True),
    )
    text = "\n".join(texts(sections.sensitivity(evidence, "en")))
    assert "counted as having had the event" in text


def test_every_section_is_shown_by_a_template() -> None:
    shown = {name for notebook in TEMPLATES for name in section_names(notebook)}
    assert shown == set(sections.__all__)


@pytest.mark.parametrize(("status", "is_estimated"), [("ok", True), ("boundary", True), ("failed", False)])
def test_the_methods_name_the_groups_within_schools_and_say_where_their_variance_was_not_estimated(
    status: str, is_estimated: bool
) -> None:
    evidence = crocoos_evidence()
    entry = next(one for one in evidence.analyses if one.model == "linear_mixed")
    shared = evidence.estimates[(evidence.estimates["plan_entry"] == entry.name)].iloc[[0]]
    row = shared.assign(quantity="level_sd", arm="", country="", status=status, estimate_id="level")
    others = tuple(one for one in evidence.analyses if one is not entry)
    with_level = replace(
        evidence,
        analyses=(replace(entry, options={"level": "class"}), *others),
        estimates=pd.concat([evidence.estimates, row], ignore_index=True),
    )
    text = said("experimental_report", with_level)
    assert "random school intercepts and random intercepts of the field “class” within schools" in text
    assert ("of which the latter could not be estimated" not in text) == is_estimated
    assert "within schools, of which" not in said("experimental_report", evidence)
