"""Tables: what they hold, what they keep back, and where their figures lead."""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import reports
from data_schema.errors import DisclosureError
from reports.blocks import Column, Table, join_plain_text
from reports.disclosure import Count
from reports.flow import build_flow
from reports.tables import (
    balance_table,
    beside_table,
    by_country_table,
    categories_table,
    costs_table,
    effect_sizes_table,
    estimates_table,
    flow_table,
    implementation_table,
    outcomes_table,
    ratios_table,
    returns_table,
    sensitivity_table,
    signals_table,
)
from reports.tables.estimates import build_published_estimates
from reports.tables.layout import build_table, line
from reports.words import words
from tests.support.sample_evidence import awards_evidence, bare_evidence, crocoos_evidence, three_arms_evidence

ENGLISH = words("en")
CROCOOS, AWARDS = crocoos_evidence(), awards_evidence()


def rows(made: Table | None) -> dict[str, list[str]]:
    """Return a table's rows by their heads; the first of several with one head."""
    assert made is not None
    found: dict[str, list[str]] = {}
    for row in made.rows:
        found.setdefault(join_plain_text(row.cells[0]), [join_plain_text(cell) for cell in row.cells[1:]])
    return found


def cells(made: Table | None) -> list[list[str]]:
    """Return the text of a table's cells."""
    assert made is not None
    return [[join_plain_text(cell) for cell in row.cells] for row in made.rows]


def with_share(country: str, arm: str, share: float) -> reports.Evidence:
    """Return the trial with another share of leavers in one arm of one country."""
    estimates = CROCOOS.estimates.copy()
    chosen = (estimates["quantity"] == "mean") & (estimates["plan_entry"] == "dropout")
    chosen &= (estimates["country"] == country) & (estimates["arm"] == arm)
    estimates.loc[chosen, "estimate"] = share
    return replace(CROCOOS, estimates=estimates)


def test_all_outcomes_stand_at_a_glance_with_their_verdicts() -> None:
    found = rows(outcomes_table(CROCOOS, ENGLISH))
    assert found["Early leaving, per 100 pupils (primary)"] == ["11.2", "8.9", "−2.3", "(−4.1 to −0.5)", "Better"]
    assert found["Engagement with school, points (1 to 5)"] == ["3.39", "3.47", "+0.08", "(0.01 to 0.15)", "Better"]
    assert found["Unjustified absences, hours a month (exploratory)"][-1] == "Cannot say"


def test_an_outcome_that_could_not_be_estimated_has_dashes_and_its_reason_below() -> None:
    made = outcomes_table(AWARDS, ENGLISH)
    assert rows(made)["Hebrew requirement, per 100 pupils"] == ["–", "–", "–", "–", "Not estimated"]
    assert "Hebrew requirement: not estimated. The outcome is missing for every pupil." in join_plain_text(made.note)


def test_a_result_on_which_interval_and_test_disagree_has_a_star() -> None:
    estimates = CROCOOS.estimates.copy()
    estimates.loc[estimates["quantity"] == "randomisation_test", "p_value"] = 0.5
    made = outcomes_table(replace(CROCOOS, estimates=estimates), ENGLISH)
    assert rows(made)["Early leaving, per 100 pupils (primary)"][-1] == "Better*"
    assert "*: the planned model’s interval and the randomisation test do not agree." in join_plain_text(made.note)


@pytest.mark.parametrize("evidence", [CROCOOS, crocoos_evidence("RS"), AWARDS, three_arms_evidence()])
def test_every_figure_of_results_leads_to_an_estimate_that_exists(evidence: reports.Evidence) -> None:
    made = [outcomes_table(evidence, ENGLISH), beside_table(evidence, ENGLISH)]
    made += [by_country_table(evidence, ENGLISH, entry, arm=evidence.arms[1]) for entry in evidence.analyses]
    ids = set(evidence.estimates["estimate_id"])
    for one in made:
        for row in one.rows:
            for column, cell in zip(one.columns[1:], row.cells[1:], strict=True):
                if column.label in {"Schools", "Pupils"} or not any(
                    letter.isdigit() for letter in join_plain_text(cell)
                ):
                    continue
                assert {span.estimate_id for span in cell} <= ids, (column.label, join_plain_text(cell))


def test_one_outcome_is_shown_for_all_countries_each_and_across() -> None:
    found = rows(by_country_table(CROCOOS, ENGLISH, CROCOOS.analyses[0], arm=CROCOOS.arms[1]))
    assert list(found) == [
        "All countries",
        "Hungary",
        "Serbia",
        "Slovenia",
        "Mean of the countries’ differences",
        "Range for a further country",
    ]
    assert found["Hungary"] == ["26", "1,433", "12.0", "8.7", "8.8", "−3.2", "(−6.0 to −0.4)", "0.023"]
    assert found["Range for a further country"] == ["", "", "", "", "", "", "(−5.7 to 1.0)", ""]


def test_a_country_stands_beside_all_countries() -> None:
    made = beside_table(crocoos_evidence("RS"), ENGLISH)
    assert rows(made)["Early leaving, per 100 pupils (primary)"] == [
        "10.9",
        "9.1",
        "−1.8",
        "(−5.3 to 1.6)",
        "Cannot say",
        "−2.3",
        "(−4.1 to −0.5)",
    ]
    assert {column.group for column in made.columns} == {"", "Serbia", "All countries"}


def test_a_share_that_stands_for_few_pupils_is_kept_back_with_what_would_give_it_away() -> None:
    evidence = with_share("SI", "pilot", 0.01)  # 4 of 426 pupils
    found = rows(by_country_table(evidence, ENGLISH, evidence.analyses[0], arm=evidence.arms[1]))
    assert found["Slovenia"][2:4] == ["c", "c"]
    others = [found[country][2:4] for country in ("Hungary", "Serbia")]
    assert ["c", "c"] in others
    assert found["All countries"][2:4] == ["11.2", "8.8"]


def test_what_one_table_keeps_back_all_others_do() -> None:
    evidence = with_share("SI", "pilot", 0.01)
    country = replace(evidence, country="SI")
    assert rows(outcomes_table(country, ENGLISH))["Early leaving, per 100 pupils (primary)"][:2] == ["c", "c"]
    assert rows(beside_table(country, ENGLISH))["Early leaving, per 100 pupils (primary)"][:2] == ["c", "c"]
    assert rows(effect_sizes_table(country, ENGLISH))["Early leaving (primary)"][:2] == ["c", "c"]
    assert rows(ratios_table(country, ENGLISH))["Early leaving (primary)"][:2] == ["c", "c"]
    cells = {row.cells[0][0].estimate_id: row.cells for row in estimates_table(evidence, ENGLISH).rows}
    assert [join_plain_text(cell) for cell in cells["dropout/SI/mean/pilot"][1:4]] == ["c", "c", "c"]
    for telling in ("cox_index", "risk_ratio", "marginal_odds_ratio"):
        assert join_plain_text(cells[f"dropout/SI/{telling}/pilot"][1]) == "c"
    assert join_plain_text(cells["dropout/SI/number_needed_to_treat/pilot"][1]) != "c"
    assert join_plain_text(cells["engagement/SI/mean/pilot"][1]) == "3.50"


def test_relative_changes_are_risk_ratios_less_one_with_their_interval() -> None:
    found = rows(effect_sizes_table(CROCOOS, ENGLISH))
    assert found["Early leaving (primary)"][0] == "−21% (−34 to −5)"  # -0.0231 / 0.1118; not -0.0407 / 0.1118
    assert found["Average mark"][0] == "–"


def test_effect_sizes_and_correlations_stand_within_arms_and_strata_and_unconditional_under_their_names() -> None:
    made = effect_sizes_table(CROCOOS, ENGLISH)
    named = [(column.group, column.label) for column in made.columns if column.group]
    assert named == [
        ("Standardised effect", "Within arms and strata"),
        ("Standardised effect", "Unconditional"),
        ("Intraclass correlation", "Within arms and strata"),
        ("Intraclass correlation", "Unconditional"),
    ]
    found = rows(made)
    assert found["Early leaving (primary)"][3:5] == ["0.041 (0.021 to 0.072)", "0.049"]
    assert found["Early leaving (primary)"][2] == "–"  # of a share there is the Cox index alone
    assert found["Engagement with school"][1:3] == ["0.11 (0.02 to 0.20)", "0.10 (0.01 to 0.18)"]
    assert "as the Education Endowment Foundation (EEF) reports effect sizes" in join_plain_text(made.note)


def test_ratios_of_few_events_are_marked_in_every_table_that_prints_them() -> None:
    estimates = CROCOOS.estimates.copy()
    chosen = (estimates["plan_entry"] == "dropout") & (estimates["quantity"].isin(["risk_ratio", "cox_index"]))
    estimates.loc[chosen, "caution"] = "few_events"
    evidence = replace(CROCOOS, estimates=estimates)
    sizes, ratios = effect_sizes_table(evidence, ENGLISH), ratios_table(evidence, ENGLISH)
    assert ratios is not None
    assert [cell.endswith("†") for cell in rows(sizes)["Early leaving (primary)"]][:3] == [True, True, False]
    assert [cell.endswith("†") for cell in rows(ratios)["Early leaving (primary)"]][:2] == [True, False]
    for made in (sizes, ratios):
        assert "fewer than ten pupils of an arm had the event" in join_plain_text(made.note)


def test_a_suppressed_share_has_no_caution_that_tells_of_few_events() -> None:
    estimates = with_share("SI", "pilot", 0.01).estimates
    estimates.loc[estimates["plan_entry"] == "dropout", "caution"] = "few_events"
    evidence = replace(CROCOOS, estimates=estimates)
    cells = {row.cells[0][0].estimate_id: row.cells for row in estimates_table(evidence, ENGLISH).rows}
    assert "†" not in join_plain_text(cells["dropout/SI/risk_ratio/pilot"][0])
    published = build_published_estimates(evidence).set_index("estimate_id")["caution"]
    assert published["dropout/SI/risk_ratio/pilot"] == ""


def test_differences_of_shares_are_said_as_ratios_and_as_pupils_needed() -> None:
    found = rows(ratios_table(CROCOOS, ENGLISH))
    assert list(found) == ["Early leaving (primary)"]
    ratio, odds, needed, interval = found["Early leaving (primary)"]
    assert ratio == "0.79 (0.66 to 0.95)"  # (0.1118 - 0.0231) / 0.1118
    assert odds.startswith("0.77 (")
    assert (needed, interval) == ("44 for one fewer", "(25 to 182)")  # 1 / 0.0231, 1 / 0.0409, 1 / 0.0055
    assert ratios_table(AWARDS, ENGLISH) is None


def with_answers() -> reports.Evidence:
    """Return the trial with engagement as an answer in three categories, of which few pupils chose the lowest."""
    mark = next(outcome for outcome in CROCOOS.outcomes if outcome.name == "engagement")
    scale = ((1, "Never"), (2, "Sometimes"), (3, "Often"))
    outcomes = tuple(
        replace(mark, kind="ordinal", unit="", scale=scale) if outcome is mark else outcome
        for outcome in CROCOOS.outcomes
    )
    like = CROCOOS.estimates
    like = like[(like["plan_entry"] == "engagement") & (like["quantity"] == "difference") & (like["country"] == "")]
    figures = {
        "share_difference_above_1": (0.02, -0.01, 0.05, "few_events"),
        "share_difference_above_2": (0.064, 0.012, 0.116, ""),
        "probability_of_superiority": (0.54, 0.51, 0.57, ""),
        "odds_ratio": (1.3, 1.05, 1.6, ""),
    }
    further = [
        like.assign(
            quantity=quantity,
            estimate_id=f"engagement/all/{quantity}/pilot",
            estimate=estimate,
            conf_low=low,
            conf_high=high,
            caution=caution,
        )
        for quantity, (estimate, low, high, caution) in figures.items()
    ]
    return replace(CROCOOS, outcomes=outcomes, estimates=pd.concat([CROCOOS.estimates, *further], ignore_index=True))


def test_answers_are_compared_category_by_category_and_as_one_of_two_pupils_drawn_by_lot() -> None:
    found = rows(categories_table(with_answers(), ENGLISH))
    assert found["“Often”, per 100 pupils"] == ["+6.4", "(1.2 to 11.6)"]
    assert found["Probability of a higher answer"] == ["0.54", "(0.51 to 0.57)"]
    assert found["Odds ratio"] == ["1.30", "(1.05 to 1.60)"]
    assert categories_table(CROCOOS, ENGLISH) is None


def test_a_difference_of_shares_of_few_pupils_is_neither_printed_nor_published() -> None:
    evidence = with_answers()
    made = categories_table(evidence, ENGLISH)
    assert rows(made)["“Sometimes” or higher, per 100 pupils"] == ["c", "c"]
    every = {row.cells[0][0].estimate_id: row.cells for row in estimates_table(evidence, ENGLISH).rows}
    assert join_plain_text(every["engagement/all/share_difference_above_1/pilot"][1]) == "c"
    published = build_published_estimates(evidence).set_index("estimate_id")
    assert published.loc["engagement/all/share_difference_above_1/pilot", "status"] == "suppressed"
    assert published["estimate"].isna()["engagement/all/share_difference_above_1/pilot"]
    assert published.loc["engagement/all/share_difference_above_2/pilot", "estimate"] == 0.064


def test_above_a_higher_threshold_no_difference_of_shares_is_printed_as_none_shows_that_it_is_of_many() -> None:
    evidence = replace(with_answers(), disclosure_threshold=25)
    found = rows(categories_table(evidence, ENGLISH))
    assert found["“Often”, per 100 pupils"] == ["c", "c"]
    assert found["Odds ratio"] == ["1.30", "(1.05 to 1.60)"]
    published = build_published_estimates(evidence).set_index("estimate_id")["status"]
    assert published["engagement/all/share_difference_above_2/pilot"] == "suppressed"


def test_pupils_needed_run_through_no_effect_where_it_is_not_ruled_out() -> None:
    estimates = CROCOOS.estimates.copy()
    chosen = (estimates["quantity"] == "number_needed_to_treat") & (estimates["country"] == "")
    estimates.loc[chosen, ["conf_low", "conf_high"]] = [8.2, -122.5]
    needed = rows(ratios_table(replace(CROCOOS, estimates=estimates), ENGLISH))["Early leaving (primary)"][2:]
    assert needed == ["44 for one fewer", "(9 fewer to ∞ to 123 more)"]


def test_warning_signals_stand_with_the_best_of_them_first_and_then_by_country() -> None:
    made = signals_table(CROCOOS, ENGLISH)
    found = rows(made)
    assert list(found)[:4] == ["All signals in one risk", "Unjustified absences", "At risk", "Hungary"]
    assert found["All signals in one risk"][0] == "38 (33 to 43)"
    assert found["All signals in one risk"][4] == "0.77 (0.72 to 0.82)"
    one = rows(signals_table(replace(CROCOOS, country="SI"), ENGLISH))
    assert list(one) == ["All signals in one risk", "Unjustified absences", "At risk"]
    assert signals_table(AWARDS, ENGLISH) is None


def test_signals_that_stand_for_few_pupils_are_kept_back() -> None:
    few = CROCOOS.signals.copy()
    few.loc[few["country"] == "SI", "n_events"] = 20  # 38 % of them found are eight pupils
    found = rows(signals_table(replace(CROCOOS, signals=few), ENGLISH))
    assert found["Slovenia"] == ["c"] * 5
    assert found["Hungary"][0] == "38 (33 to 43)"


def test_each_of_several_arms_has_its_part_of_a_table() -> None:
    made = outcomes_table(three_arms_evidence(), ENGLISH)
    assert [join_plain_text(row.cells[0]) for row in made.rows if row.kind == "section"] == [
        "Pilot",
        "Pilot with mentor",
    ]
    assert len([row for row in made.rows if row.kind == "body"]) == 8


def test_the_flow_adds_up_in_every_arm() -> None:
    flow = build_flow(CROCOOS)
    assert flow is not None
    for entry in flow.arms:
        lost = [step.pupils.value for _, step in entry.missing if step.pupils is not None]
        assert entry.baseline.pupils is not None
        assert entry.analysed.pupils is not None
        assert None not in lost
        assert entry.baseline.pupils.value == (entry.analysed.pupils.value or 0) + sum(value or 0 for value in lost)


def test_few_lost_pupils_are_kept_back_in_their_country_and_where_they_would_follow_from() -> None:
    of_slovenia = rows(flow_table(crocoos_evidence("SI"), ENGLISH))
    assert of_slovenia["status unknown"][1] == "c"
    assert of_slovenia["moved to another school"][1] == "c"
    hidden = [rows(flow_table(crocoos_evidence(code), ENGLISH))["status unknown"][1] for code in ("HU", "RS")]
    everywhere = rows(flow_table(CROCOOS, ENGLISH))["status unknown"][1]
    assert "c" in [*hidden, everywhere]


def test_a_flow_whose_steps_do_not_add_up_shows_what_was_counted() -> None:
    flow = CROCOOS.flow.copy()
    flow.loc[(flow["step"] == "baseline") & (flow["country"] == "HU"), "n_pupils"] += 100
    found = rows(flow_table(replace(CROCOOS, flow=flow), ENGLISH))
    assert found["Enrolled at baseline"][1] == "1,934"


def test_a_rare_category_is_kept_back_with_another_of_its_variable() -> None:
    found = rows(balance_table(CROCOOS, ENGLISH))
    assert found["Gender: other"] == ["c", "c", "c", "1%"]
    assert found["Gender: girl"][0] == "c"
    assert found["Gender: boy"][0] == "51.7%"
    assert found["Mark average before"][:2] == ["3.41 (0.74)", "3.43 (0.72)"]


def test_a_mean_of_few_pupils_is_kept_back() -> None:
    few = CROCOOS.balance.assign(n_arm=CROCOOS.balance["n_arm"].where(CROCOOS.balance["level"] == "school", 7))
    assert rows(balance_table(replace(CROCOOS, balance=few), ENGLISH))["Mark average before"][0] == "c"


def test_figures_of_fewer_than_three_schools_are_kept_back() -> None:
    evidence = replace(
        CROCOOS, implementation=CROCOOS.implementation.assign(n_schools=2), costs=CROCOOS.costs.assign(n_schools=2)
    )
    for made in (implementation_table(evidence, ENGLISH), costs_table(evidence, ENGLISH)):
        assert made is not None
        assert {cell for values in rows(made).values() for cell in values[1:] if cell} == {"c"}
        assert "fewer than 3 schools" in join_plain_text(made.note)


def test_implementation_and_costs_are_of_the_place_that_the_report_is_about() -> None:
    practice = cells(implementation_table(CROCOOS, ENGLISH))
    at = practice.index(["Visits by the mentor", "", "", "", "", ""])
    assert practice[at + 1 : at + 3] == [
        ["Control", "31", "2.0", "0", "12", ""],
        ["Pilot", "31", "8.1", "3", "12", "+6.1"],
    ]
    costs = cells(costs_table(crocoos_evidence("RS"), ENGLISH))
    assert [row[0] for row in costs if not row[1]] == ["All countries", "Serbia"]
    costs = cells(costs_table(CROCOOS, ENGLISH))
    assert costs[costs.index(["Hungary", "", "", ""]) + 2] == ["Pilot", "13", "EUR 3,980", "EUR 74"]


def test_rows_of_schools_are_counted_and_rows_about_pupils_rounded() -> None:
    found = rows(returns_table(CROCOOS, ENGLISH))
    exact = CROCOOS.returns[["sent", "kept", "asked", "refused"]].sum()
    assert exact["sent"] == exact["kept"] + exact["asked"] + exact["refused"]
    assert found["All files"][1:] == [f"≈{ENGLISH.numbers.count(10 * round(n / 10))}" for n in exact]
    of_schools = replace(CROCOOS, returns=CROCOOS.returns.assign(about="school"))
    told = rows(returns_table(of_schools, ENGLISH))
    assert told["All files"][1:] == [ENGLISH.numbers.count(n) for n in exact]
    assert rows(returns_table(crocoos_evidence("RS"), ENGLISH))["All files"][0] == "3"
    few = replace(CROCOOS, returns=CROCOOS.returns.assign(asked=1, refused=0))
    assert rows(returns_table(few, ENGLISH))["All files"][3:] == ["c", "0"]


def test_every_estimate_is_in_the_appendix() -> None:
    made = estimates_table(CROCOOS, ENGLISH)
    assert made.anchor == "estimates"
    listed = {row.cells[0][0].estimate_id for row in made.rows if row.kind == "body"}
    assert listed == set(CROCOOS.estimates["estimate_id"])
    heads = [join_plain_text(row.cells[0]) for row in made.rows if row.kind == "section"]
    assert heads == ["dropout/", "engagement/", "average_mark/", "absences/"]
    assert "hebrew/all/difference/awards: not estimated." in join_plain_text(estimates_table(AWARDS, ENGLISH).note)


def test_a_variance_at_zero_is_marked_in_the_appendix() -> None:
    estimates = AWARDS.estimates.copy()
    estimates.loc[estimates["estimate_id"] == "units/all/icc/-", "status"] = "boundary"
    made = estimates_table(replace(AWARDS, estimates=estimates), ENGLISH)
    assert "all/icc/- (boundary)" in rows(made)
    assert "Boundary: a variance was estimated as zero." in join_plain_text(made.note)


def test_the_appendix_of_a_country_has_its_own_estimates_and_those_of_all() -> None:
    listed = rows(estimates_table(crocoos_evidence("RS"), ENGLISH))
    assert "RS/difference/pilot" in listed
    assert "all/difference/pilot" in listed
    assert "HU/difference/pilot" not in listed


def test_sensitivity_analyses_stand_beside_the_one_they_vary() -> None:
    varied = replace(CROCOOS.analyses[0], name="all_left", role="sensitivity", missing_outcome="as_event")
    estimates = CROCOOS.estimates[CROCOOS.estimates["plan_entry"] == "dropout"].assign(plan_entry="all_left")
    evidence = replace(
        CROCOOS,
        analyses=(*CROCOOS.analyses, varied),
        estimates=pd.concat([CROCOOS.estimates, estimates], ignore_index=True),
    )
    heads = list(rows(sensitivity_table(evidence, ENGLISH)))
    assert heads[0] == "Early leaving, per 100 pupils: Pilot"
    assert heads[1].startswith("Planned:")
    assert heads[2] == (
        "Varied: linear model with standard errors that allow for schools;"
        " pupils with unknown outcome counted as having had the event"
    )


@pytest.mark.parametrize("make", [balance_table, costs_table, flow_table, implementation_table, returns_table])
def test_a_part_of_which_nothing_is_known_has_no_table(make: object) -> None:
    assert make(bare_evidence(), ENGLISH) is None  # type: ignore[operator]  # each of them takes evidence and words


def test_the_builder_refuses_a_small_count_and_a_threshold_that_protects_nobody() -> None:
    columns = (Column(label="a"), Column(label="b"))
    lines = [line("x", Count(value=3))]
    with pytest.raises(DisclosureError, match="small count"):
        build_table(ENGLISH, "t", columns=columns, lines=lines, threshold=10)
    with pytest.raises(DisclosureError, match="whole number of 2 or more"):
        build_table(ENGLISH, "t", columns=columns, lines=[], threshold=0)
    made = build_table(ENGLISH, "t", columns=columns, lines=[line("x", Count(value=None))], threshold=10)
    assert join_plain_text(made.rows[0].cells[1]) == "c"
    assert "fewer than 10" in join_plain_text(made.note)


def test_no_table_is_made_but_by_the_builder() -> None:
    root = Path(reports.__file__).parent
    paths = [path for folder in ("tables", "figures", "sections") for path in (root / folder).glob("*.py")]
    makers = [path.name for path in paths if "Table" in _called(path)]
    assert makers == ["layout.py"]


def test_p_values_that_are_not_there_are_dashes() -> None:
    estimates = CROCOOS.estimates.assign(p_value=math.nan)
    found = rows(
        by_country_table(replace(CROCOOS, estimates=estimates), ENGLISH, CROCOOS.analyses[0], arm=CROCOOS.arms[1])
    )
    assert found["Hungary"][-1] == "–"


def _called(path: Path) -> set[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    return {call.func.id for call in calls if isinstance(call.func, ast.Name)}
