"""What reports show: the frozen primary first, every outcome, every arm by name, no effect that is not there."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

from reports import sections
from reports.blocks import Bullets, KeyFigures, Note, Table, Title, join_plain_text
from reports.evidence import AnalysisFacts, Evidence
from reports.selection import find_headline_analysis
from tests.support.block_text import texts
from tests.support.sample_evidence import awards_evidence, crocoos_evidence, three_arms_evidence

CROCOOS, THREE = crocoos_evidence(), three_arms_evidence()


def with_rows(evidence: Evidence, estimate_id: str, **figures: float | str) -> Evidence:
    """Return evidence with other figures in one row of the estimates."""
    estimates = evidence.estimates.copy()
    chosen = estimates["estimate_id"] == estimate_id
    assert chosen.any()
    for name, value in figures.items():
        estimates.loc[chosen, name] = value
    return replace(evidence, estimates=estimates)


def with_entry(evidence: Evidence, entry: str, **changes: str) -> Evidence:
    """Return evidence with an entry of the plan changed."""
    analyses = tuple(
        replace(one, **changes) if one.name == entry else one  # type: ignore[arg-type]  # names and texts
        for one in evidence.analyses
    )
    return replace(evidence, analyses=analyses)


def brief(evidence: Evidence) -> str:
    """Return all text of the evidence summary, with plain spaces."""
    names = [name for name in sections.__all__ if name.startswith("brief_")]
    return "\n".join(line for name in names for line in texts(getattr(sections, name)(evidence, "en"))).replace(
        "\u00a0", " "
    )


def rows_of_summary(evidence: Evidence) -> dict[str, list[str]]:
    """Return the rows of the summary's table of outcomes."""
    table = next(block for block in sections.brief_outcomes(evidence, "en") if isinstance(block, Table))
    return {
        join_plain_text(row.cells[0]): [join_plain_text(cell) for cell in row.cells[1:]]
        for row in table.rows
        if row.kind == "body"
    }


def largest_type(evidence: Evidence) -> list[str]:
    """Return what the summary says in its largest type."""
    blocks = sections.brief_answer(evidence, "en")
    return [join_plain_text(one.value) for block in blocks if isinstance(block, KeyFigures) for one in block.figures]


@pytest.mark.parametrize("n_more", [0, 3, 12])
def test_every_outcome_is_a_row_of_the_summary_and_a_harm_in_last_place_too(n_more: int) -> None:
    more = [replace(CROCOOS.analyses[3], name=f"more_{place}", role="secondary") for place in range(n_more)]
    base = CROCOOS.estimates[CROCOOS.estimates["plan_entry"] == "absences"]
    made = [
        base.assign(plan_entry=one.name, estimate_id=base["estimate_id"].str.replace("absences", one.name))
        for one in more
    ]
    evidence = replace(
        CROCOOS, analyses=(*CROCOOS.analyses, *more), estimates=pd.concat([CROCOOS.estimates, *made], ignore_index=True)
    )
    last = evidence.analyses[-1].name
    harmed = with_rows(evidence, f"{last}/all/difference/pilot", estimate=1.2, conf_low=0.4, conf_high=2.0)
    found = rows_of_summary(harmed)
    assert len(found) == 4 + n_more
    assert [row[-1].rstrip("*") for row in found.values()].count("Worse") == 1
    assert f"{4 + n_more} comparisons are in the table of outcomes" in brief(harmed)


def test_three_arms_keep_every_outcome_of_every_arm() -> None:
    table = next(block for block in sections.brief_outcomes(THREE, "en") if isinstance(block, Table))
    assert len([row for row in table.rows if row.kind == "body"]) == 8
    assert "8 comparisons are in the table of outcomes" in brief(THREE)


def test_comparisons_that_could_not_be_made_are_not_counted_as_made() -> None:
    text = brief(awards_evidence())
    assert "2 comparisons are in the table of outcomes" in text
    assert "Hebrew requirement: not estimated. The outcome is missing for every pupil." in text


def test_every_limit_and_every_indicator_is_in_the_summary() -> None:
    evidence = replace(CROCOOS, limitations=tuple(f"Limit number {place}." for place in range(9)))
    text = brief(evidence)
    assert all(limit in text for limit in evidence.limitations)
    everywhere = evidence.implementation[evidence.implementation["country"] == ""]
    assert all(str(label) in text for label in everywhere["label"])
    short, long = (
        next(block for block in made if isinstance(block, Bullets))
        for made in (sections.brief_unknowns(evidence, "en"), sections.limitations(evidence, "en"))
    )
    assert short.items == long.items


def test_a_frozen_primary_whose_entry_was_changed_leads_and_is_marked() -> None:
    planned = with_entry(CROCOOS, "engagement", planned="secondary")
    changed = with_entry(planned, "dropout", role="exploratory", planned="primary", since="changed")
    entry = find_headline_analysis(changed)
    assert entry is not None
    assert entry.name == "dropout"
    assert next(iter(rows_of_summary(changed))) == "Early leaving, per 100 pupils (primary, changed after the freeze)"
    notes = [block for block in sections.brief_answer(changed, "en") if isinstance(block, Note)]
    assert notes[0].title == "Main analysis not as planned"
    assert "“Early leaving”" in join_plain_text(notes[0].text)


def test_a_frozen_primary_that_was_demoted_for_another_still_leads() -> None:
    demoted = with_entry(CROCOOS, "dropout", role="exploratory", planned="primary", since="changed")
    promoted = with_entry(demoted, "engagement", role="exploratory", planned="secondary", since="changed")
    title = sections.brief_title(promoted, "en")[0]
    assert isinstance(title, Title)
    assert title.text == "Fewer pupils left school early in pilot schools"
    assert "Engagement with school, points (1 to 5) (changed after the freeze)" in rows_of_summary(promoted)


def test_a_planned_outcome_that_the_protocol_no_longer_has_is_a_row_with_the_reason() -> None:
    gone = with_entry(CROCOOS, "engagement", planned="secondary", since="removed")
    gone = replace(gone, estimates=gone.estimates[gone.estimates["plan_entry"] != "engagement"])
    row = rows_of_summary(gone)["Engagement with school, points (1 to 5) (removed after the freeze)"]
    assert row[-1] == "Not estimated"
    reason = "Engagement with school: not estimated. It was removed from the protocol after the plan was frozen."
    assert reason in brief(gone)
    assert "Engagement with school (removed after the freeze)" in texts(sections.results_by_outcome(gone, "en"))


def test_a_frozen_primary_that_was_removed_leads_without_an_estimate() -> None:
    gone = with_entry(CROCOOS, "dropout", planned="primary", since="removed")
    gone = replace(gone, estimates=gone.estimates[gone.estimates["plan_entry"] != "dropout"])
    text = brief(gone)
    assert "Early leaving: the effect could not be estimated" in text
    assert "That analysis was removed from the protocol after the freeze." in text


def test_sensitivity_analyses_that_were_changed_do_not_become_outcomes() -> None:
    varied = AnalysisFacts(
        name="v", outcome="dropout", role="exploratory", model="linear_mixed", planned="sensitivity", since="changed"
    )
    evidence = replace(CROCOOS, analyses=(*CROCOOS.analyses, varied))
    assert len(rows_of_summary(evidence)) == 4


def test_outcomes_that_are_measured_and_not_analysed_are_named() -> None:
    evidence = replace(CROCOOS, not_analysed=("Sense of belonging",))
    assert "Measured, and not analysed: Sense of belonging." in brief(evidence)


def test_the_largest_type_claims_no_effect_where_we_cannot_say() -> None:
    unclear = with_rows(CROCOOS, "dropout/all/difference/pilot", estimate=-0.017, conf_low=-0.047, conf_high=0.013)
    assert largest_type(unclear)[:2] == ["4.7 fewer to 1.3 more", "11.2"]
    assert largest_type(CROCOOS)[:2] == ["2.3 fewer", "8.9"]


def test_figures_of_three_arms_name_their_arms() -> None:
    other = with_rows(THREE, "dropout/all/difference/plus", estimate=0.021, conf_low=0.004, conf_high=0.038)
    assert largest_type(other)[:2] == ["2.3 fewer", "2.1 more"]
    tiles = next(block for block in sections.summary(other, "en") if isinstance(block, KeyFigures))
    assert [figure.label for figure in tiles.figures[:2]] == [
        "leavers per 100 pupils in pilot schools",
        "leavers per 100 pupils in schools of the arm “Pilot with mentor”",
    ]


def test_country_by_country_and_limits_name_each_of_several_arms() -> None:
    text = brief(THREE)
    for arm in ("Pilot", "Pilot with mentor"):
        assert f"Hungary, {arm}. Early leaving: 3.2 fewer" in text
    unclear = "\n".join(texts(sections.limitations(crocoos_three_in("SI"), "en")))
    assert "Pilot: The main result leaves its direction open" in unclear
    assert "Pilot with mentor: The main result leaves its direction open" in unclear


def crocoos_three_in(country: str) -> Evidence:
    """Return the trial with three arms as the report of a country sees it."""
    return replace(THREE, country=country)


def test_the_title_of_a_country_report_has_the_finding_of_each_arm() -> None:
    title = sections.country_title(crocoos_three_in("HU"), "en")[0]
    assert isinstance(title, Title)
    assert "in pilot schools" in title.text
    assert "“Pilot with mentor”" in title.text


def test_arms_have_their_own_descriptions_and_a_shared_one_is_said_once() -> None:
    shared = "\n".join(texts(sections.trial_design(THREE, "en")))
    assert shared.count(THREE.intervention) == 1
    assert "Pilot and Pilot with mentor: Each pilot school" in shared
    described = tuple(
        replace(arm, description=f"What {arm.name} schools do.") if not arm.is_reference else arm for arm in THREE.arms
    )
    own = replace(THREE, arms=described)
    for text in ("\n".join(texts(sections.trial_design(own, "en"))), brief(own)):
        assert "Pilot: What pilot schools do." in text
        assert "Pilot with mentor: What plus schools do." in text


def with_contrasts(evidence: Evidence) -> Evidence:
    """Return the trial of three arms with the second compared arm beside the first, and both beside the reference."""
    base = evidence.estimates[evidence.estimates["quantity"].isin(["difference", "randomisation_test"])]
    base = base[base["arm"] == "plus"]
    between = base.assign(reference="pilot", role="exploratory", estimate_id=base["estimate_id"] + "/pilot")
    pooled = base.assign(
        arm="any", reference="control", role="exploratory", estimate_id=base["estimate_id"].str.replace("plus", "any")
    )
    own = evidence.estimates.assign(reference="control")
    return replace(evidence, estimates=pd.concat([own, between, pooled], ignore_index=True))


def test_arms_are_shown_beside_one_another_where_there_are_contrasts() -> None:
    evidence = with_rows(with_contrasts(THREE), "dropout/all/difference/plus/pilot", estimate=0.013)
    blocks = sections.main_results(evidence, "en")
    table = next(block for block in blocks if isinstance(block, Table) and block.anchor == "contrasts")
    found = [(join_plain_text(row.cells[0]), join_plain_text(row.cells[1])) for row in table.rows[:3]]
    assert found == [
        ("Early leaving, per 100 pupils", ""),
        ("Pilot with mentor minus Pilot", "+1.3"),
        ("Pilot and Pilot with mentor minus Control", "−2.3"),
    ]
    assert rows_of_summary(evidence) == rows_of_summary(THREE)
    assert "8 comparisons are in the table of outcomes" in brief(evidence)
    assert not any(getattr(block, "anchor", "") == "contrasts" for block in sections.main_results(THREE, "en"))


def test_counting_all_unknown_outcomes_alike_is_not_called_a_bound() -> None:
    varied = replace(CROCOOS.analyses[0], name="all_left", role="sensitivity", missing_outcome="as_event")
    evidence = replace(CROCOOS, analyses=(*CROCOOS.analyses, varied))
    text = "\n".join(texts(sections.sensitivity(evidence, "en")))
    assert "moves both arms in the same direction" in text
    assert "bound" not in text


def test_schools_that_were_drawn_and_not_analysed_are_counted_apart() -> None:
    estimates = CROCOOS.estimates.assign(n_schools=CROCOOS.estimates["n_schools"].replace(62, 61))
    lost = replace(CROCOOS, estimates=estimates)
    text = brief(lost)
    assert re.search(r"62 schools drawn, 61 schools and [\d,]+ pupils analysed", text)
    assert "1 school that was drawn is not in the main analysis." in text
    assert "61 schools" not in brief(CROCOOS)


@pytest.mark.parametrize(("difference", "share"), [(-0.2, "–"), (-0.02, "9.2")])
def test_an_adjusted_share_that_no_share_can_be_is_not_printed(difference: float, share: str) -> None:
    estimate = with_rows(CROCOOS, "dropout/all/difference/pilot", estimate=difference, conf_low=-0.3, conf_high=-0.01)
    if share == "–":
        made = with_rows(estimate, "dropout/all/adjusted_mean/pilot", estimate=float("nan"), status="failed")
    else:
        made = with_rows(estimate, "dropout/all/adjusted_mean/pilot", estimate=0.1118 + difference)
    assert rows_of_summary(made)["Early leaving, per 100 pupils (primary)"][1] == share
