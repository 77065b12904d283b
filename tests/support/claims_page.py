"""The page of claims, docs/CLAIMS.md: which function decides each sentence that documents claim something with.

The sentences are read from the functions that say them. Run ``python -m tests.support.claims_page`` after a change.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "CLAIMS.md"
_SAYING = {"text", "line", "message", "plural", "plural_line"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is claimed, the functions that say it, those that decide it, and what these read."""

    topic: str
    says: tuple[str, ...]
    decides: tuple[str, ...]
    reads: str


CLAIMS = (
    Claim(
        topic="When the plan was frozen, and what it replaced",
        says=(
            "reports.claims:_describe_order_of_events",
            "reports.claims:_describe_unproven_freeze",
            "reports.claims:plan_sentences",
        ),
        decides=("evaluation.claims:plan_claim",),
        reads="the order of the lines of `log.jsonl`, the hash of `plan/trial.toml`, and where outcomes are read from",
    ),
    Claim(
        topic="The log is missing, was edited, or names something else",
        says=("reports.claims:log_sentences",),
        decides=("evaluation.trial_log:read_log", "evaluation.named_in_log:find_log_disagreements"),
        reads="`log.jsonl`; hashes of plan, draw, data, balance, estimates and results",
    ),
    Claim(
        topic="Whether what is published was audited",
        says=("reports.claims:describe_audit",),
        decides=("evaluation.claims:find_matching_audits",),
        reads="the lines `audited` of `log.jsonl`; hashes of draw, data, results and documents",
    ),
    Claim(
        topic="Whether the key of the pseudonyms is sealed, and how often it was opened",
        says=("reports.claims:describe_key_custody", "reports.claims:_describe_key_openings"),
        decides=("evaluation.claims:describe_custody",),
        reads="the lines `sealed`, `opened`, `unsealed`, `loss accepted` and the last line `estimated` of `log.jsonl`",
    ),
    Claim(
        topic="How often results were computed",
        says=("reports.claims:describe_runs",),
        decides=("evaluation.claims:log_facts",),
        reads="the lines `estimated` of `log.jsonl`",
    ),
    Claim(
        topic="How often schools were drawn; whether the draw holds",
        says=("reports.sections.design:_iterate_draw_warnings",),
        decides=("evaluation.claims:log_facts", "evaluation.stages.verify:verify_draw"),
        reads="the lines `drawn` and `adopted`; the record, the sampling frame, `allocation.csv`",
    ),
    Claim(
        topic="How the draw was made, and whether anyone can repeat it",
        says=("reports.sections.design:allocation", "reports.sections.certificate:describe_design"),
        decides=("evaluation.stages.agreement:read_checked_record",),
        reads="`allocation/record.json`",
    ),
    Claim(
        topic="What was fixed before the seed",
        says=(
            "reports.sections.certificate:_iterate_draw_facts",
            "reports.sections.certificate:_describe_nothing_published",
        ),
        decides=("evaluation.stages.certificate:draw_facts",),
        reads="the lines `committed`, `drawn` of `log.jsonl`, and whether it is whole; the record",
    ),
    Claim(
        topic="What was changed after the freeze",
        says=("reports.sections.methods:_plan", "reports.sections.common:build_primary_caution"),
        decides=("evaluation.frozen_plan:plan_state", "evaluation.planned:collect_shown_analyses"),
        reads="`plan/trial.toml` and `trial.toml`, by substance",
    ),
    Claim(
        topic="Registration",
        says=("reports.sections.brief:_plan", "reports.sections.front:report_title"),
        decides=("evaluation.stages.evidence:collect_stated_evidence",),
        reads="`[trial] registration`, which nobody checks: the sentence says that the protocol states it",
    ),
    Claim(
        topic="Whether there is an effect",
        says=(
            "reports.sentences:describe_effect",
            "reports.kinds.binary:BinaryWords.unclear_effect",
            "reports.kinds.continuous:ContinuousWords.unclear_effect",
        ),
        decides=("reports.comparisons:judge_interval",),
        reads="estimate, interval and status in `results/estimates.csv`",
    ),
    Claim(
        topic="Interval and randomisation test agree",
        says=("reports.sentences:check",),
        decides=("reports.sentences:has_disagreement",),
        reads="interval, both p-values and the test's `caution` in `results/estimates.csv`",
    ),
    Claim(
        topic="Limits of the main result",
        says=(
            "reports.sections.limits:_describe_precision",
            "reports.sections.limits:_describe_headline_limits",
            "reports.sections.limits:_describe_losses",
            "reports.sections.limits:_describe_missing_assumption",
            "reports.sections.limits:_plan_and_draw",
            "reports.sections.limits:_describe_breadth",
        ),
        decides=("reports.sentences:comparison", "reports.flow:build_flow", "evaluation.claims:plan_claim"),
        reads="`results/estimates.csv`, `results/flow.csv`, the log",
    ),
    Claim(
        topic="What intervals rest on",
        says=("reports.sections.methods:_describe_standard_errors",),
        decides=("reports.sections.methods:_describe_standard_errors",),
        reads="model, `se_type` and `df_method` of the differences in `results/estimates.csv`",
    ),
    Claim(
        topic="What refused or missing consent does",
        says=(
            "reports.sections.flow:describe_consent",
            "reports.sections.flow:_describe_refusals",
            "reports.sections.flow:_describe_unanswered",
            "reports.sections.flow:_format_arm_count",
        ),
        decides=("reports.flow:build_flow",),
        reads="`results/flow.csv`, `[privacy]`",
    ),
    Claim(
        topic="What schools did and spent, and which arms did not report it",
        says=(
            "reports.sections.practice:describe_missing_records",
            "reports.sections.practice:describe_usual_costs",
            "reports.sections.practice:describe_unknown_usual_costs",
            "reports.sections.common:describe_price_years",
        ),
        decides=("reports.sections.common:select_costs_of_place", "reports.selection:select_focus_rows"),
        reads="`results/implementation.csv`, `results/costs.csv`",
    ),
    Claim(
        topic="Whether schools were drawn by lot, or their draw was adopted",
        says=(
            "reports.sections.common:_build_size_figure",
            "reports.sections.front:_describe_design",
            "reports.sections.brief:brief_trial",
            "reports.sections.design:_describe_later_schools",
        ),
        decides=("reports.sections.common:is_drawn_elsewhere", "reports.sections.common:count_randomised_schools"),
        reads="`allocation/record.json` and the records of later draws; `results/flow.csv`",
    ),
    Claim(
        topic="How alike the arms were at baseline",
        says=(
            "reports.sections.baseline:_describe_differences_in_arm",
            "reports.sections.baseline:_describe_joint_test",
            "reports.sections.baseline:_describe_pupil_test",
            "reports.tables.equivalence:describe_equivalence",
        ),
        decides=("evaluation.stages.balance:balance",),
        reads="`balance/balance.csv`, `balance/test.json`, `results/baseline_equivalence.csv`",
    ),
    Claim(
        topic="What schools sent and what was kept",
        says=("reports.sections.returned:data_returns",),
        decides=("evaluation.stages.collect:collect",),
        reads="`store/returns.csv`",
    ),
    Claim(
        topic="What is not printed",
        says=(
            "reports.sections.methods:_describe_inference",
            "reports.tables.layout:describe_suppression",
            "reports.tables.layout:describe_rounding",
            "reports.tables.practice:describe_few_schools",
        ),
        decides=("reports.suppression:find_suppressed_cells", "reports.sizes:compute_printed_sizes"),
        reads="the counts of every table; `[reports] disclosure_threshold`",
    ),
    Claim(
        topic="How large a difference is, in words",
        says=(
            "reports.kinds.binary:BinaryWords.levels",
            "reports.kinds.time_to_event:TimeToEventWords.levels",
            "reports.kinds.continuous:ContinuousWords.levels",
            "reports.kinds.ordinal:OrdinalWords.levels",
            "reports.kinds.binary:_REDUCED",
            "reports.kinds.binary:_RAISED",
            "reports.kinds.continuous:_REDUCED",
            "reports.kinds.continuous:_RAISED",
            "reports.sentences:describe_number_needed",
            "reports.sentences:_ONE_FEWER",
            "reports.sentences:_ONE_MORE",
            "reports.sentences:summarise_comparison",
            "reports.kinds.binary:BinaryWords.short",
            "reports.kinds.continuous:ContinuousWords.short",
        ),
        decides=("reports.sentences:comparison", "reports.comparisons:judge_interval"),
        reads="means, difference, number needed to treat and their intervals in `results/estimates.csv`",
    ),
    Claim(
        topic="Which outcomes have no estimate or are not analysed, and why",
        says=(
            "reports.sentences:describe_failure_reason",
            "reports.tables.glance:describe_failures",
            "reports.tables.glance:_build_note",
        ),
        decides=("evaluation.planned:collect_shown_analyses", "evaluation.planned:find_unanalysed_outcomes"),
        reads="`status` and `reason` in `results/estimates.csv`; `plan/trial.toml` and `trial.toml`",
    ),
    Claim(
        topic="Estimates that are exploratory",
        says=(
            "reports.sections.common:plan_note",
            "reports.sections.results:_describe_exploratory",
            "reports.tables.contrasts:contrasts_table",
        ),
        decides=("evaluation.planned:collect_shown_analyses", "evaluation.claims:plan_claim"),
        reads="`role` in the frozen plan; the log",
    ),
    Claim(
        topic="Cautions beside intervals and p-values",
        says=("reports.tables.cautions:SENTENCES", "reports.tables.estimates:estimates_table"),
        decides=(
            "analysis.contrasts:estimate_effect_rows",
            "analysis.unequal_spread:find_unequal_spread_terms",
            "analysis.inference.randomisation_intervals:test_rows",
        ),
        reads="events, schools, degrees of freedom, spread by arm and number of allocations of the analysed sample",
    ),
    Claim(
        topic="Errors that do not rest on the model; schools alike within arms",
        says=(
            "reports.kinds.binary:BinaryWords.robust_interval",
            "reports.kinds.continuous:ContinuousWords.robust_interval",
            "reports.sections.results:_describe_icc",
        ),
        decides=("reports.sections.results:_describe_robust_errors", "reports.sections.results:_describe_icc"),
        reads="the rows `difference_robust` and `icc` in `results/estimates.csv`",
    ),
    Claim(
        topic="One country beside the others",
        says=(
            "reports.sections.country:country_outcomes",
            "reports.sections.results:_describe_wide_intervals",
            "reports.kinds.binary:BinaryWords.further_country",
            "reports.kinds.continuous:ContinuousWords.further_country",
            "reports.sections.results:results_by_country",
            "reports.tables.beside:beside_table",
            "reports.tables.by_country:_build_note",
        ),
        decides=("reports.selection:has_countries", "reports.selection:select_focus_rows"),
        reads="the rows of each country and of their synthesis in `results/estimates.csv`",
    ),
    Claim(
        topic="What other models and assumptions about missing outcomes show",
        says=("reports.sections.results:sensitivity", "reports.sections.results:_describe_same_for_all"),
        decides=("reports.selection:find_sensitivity_analyses",),
        reads="plan entries with the role `sensitivity`",
    ),
    Claim(
        topic="What allowing for covariates does",
        says=("reports.tables.adjustment:describe_adjustment", "reports.tables.adjustment:build_adjustment_table"),
        decides=("reports.tables.adjustment:select_adjustment_rows",),
        reads="`results/adjustment.csv`",
    ),
    Claim(
        topic="Where the trial took place, with what arms, schedule and strata",
        says=(
            "reports.sections.design:trial_design",
            "reports.sections.design:_describe_schools",
            "reports.sections.design:_describe_strata",
            "reports.sections.design:_describe_schedule",
            "reports.sections.design:_iterate_arm_descriptions",
            "reports.sections.design:_build_outcome_cells",
        ),
        decides=("evaluation.stages.evidence:collect_stated_evidence",),
        reads="`allocation/record.json`, `allocation/allocation.csv` and `trial.toml`",
    ),
    Claim(
        topic="What a certificate says of the allocation and of what came after it",
        says=(
            "reports.sections.certificate:_answer",
            "reports.sections.certificate:_describe_later_draw",
            "reports.sections.certificate:MISFITS",
        ),
        decides=("evaluation.stages.certificate:draw_facts",),
        reads="`allocation/record.json` and the records of what came after it, once `verify` has passed",
    ),
    Claim(
        topic="Who was analysed",
        says=(
            "reports.sections.flow:participant_flow",
            "reports.sections.flow:_describe_retention",
            "reports.sections.flow:_DONE",
            "reports.sections.methods:methods",
            "reports.sections.methods:_describe_plan_entry",
        ),
        decides=("reports.flow:build_flow", "evaluation.stages.impact:estimate_impact"),
        reads="`results/flow.csv`, `[privacy]`, the analysis plan",
    ),
    Claim(
        topic="Nothing was collected or compared",
        says=(
            "reports.sections.baseline:baseline",
            "reports.sections.brief:_build_practice_blocks",
            "reports.sections.brief:_build_cost_blocks",
            "reports.sections.brief:_describe_cost",
            "reports.sections.brief:brief_what_follows",
            "reports.sections.practice:implementation",
            "reports.sections.practice:costs",
        ),
        decides=("reports.selection:select_focus_rows",),
        reads="`balance/balance.csv`, `results/implementation.csv`, `results/costs.csv`, `[trial] recommendations`",
    ),
    Claim(
        topic="How well warning signals foretold",
        says=("reports.sections.signals:warning_signals", "reports.sections.signals:_describe_combined_signals"),
        decides=("reports.sections.signals:_describe_combined_signals",),
        reads="`results/signals.csv`",
    ),
    Claim(
        topic="What has come from schools, and which questions are open",
        says=(
            "reports.data_pages.returns:_iterate_missing_returns",
            "reports.data_pages.returns:_iterate_school_tables",
            "reports.data_pages.returns:_iterate_open_questions",
        ),
        decides=("evaluation.stages.collect:collect",),
        reads="`store/returns_by_school.csv`, `store/completeness.csv`, `store/open_questions.csv`",
    ),
    Claim(
        topic="The data are simulated",
        says=("reports.writers.practice:get_practice_words",),
        decides=("evaluation.mode:is_practice",),
        reads="the line `created` of `log.jsonl`, and the mark in the folder",
    ),
    Claim(
        topic="How alike the pupils of an export are",
        says=(
            "reports.data_pages.export_note:_describe_k_anonymity",
            "reports.data_pages.export_note:_describe_coarsening",
        ),
        decides=("data_schema.anonymity:measure_anonymity", "data_schema.anonymity:ensure_k_anonymity"),
        reads="the exported rows and the quasi-identifiers that the protocol's tables declare",
    ),
)

EXPLAINS = (
    "reports.data_pages.export_note:_iterate_note_lines",
    "reports.data_pages.codebook:_iterate_section_blocks",
    "reports.data_pages.codebook:_build_scales_table",
    "reports.data_pages.codebook:_build_field_line",
    "reports.data_pages.codebook:_build_frequency_table",
    "reports.data_pages.returns:_iterate_overview_blocks",
    "reports.figures.balance_map:balance_map",
    "reports.figures.balance_map:_describe_balance_map",
    "reports.figures.balance_map:_describe_left_out_strata",
    "reports.figures.forest:_describe_forest_plot",
    "reports.figures.love:love_plot",
    "reports.figures.love:_describe_marker_key",
    "reports.figures.love:_describe_love_plot",
    "reports.figures.power:power_plot",
    "reports.figures.power:mdes_plot",
    "reports.figures.shares:_describe_shares_plot",
    "reports.sections.appendix:provenance",
    "reports.sections.brief:brief_answer",
    "reports.sections.brief:brief_practice",
    "reports.sections.brief:brief_unknowns",
    "reports.sections.brief:brief_where",
    "reports.tables.balance:balance_table",
    "reports.tables.data_returns:returns_table",
    "reports.tables.effect_sizes:_build_note",
    "reports.tables.equivalence:build_equivalence_table",
    "reports.tables.contrasts:factors_table",
    "reports.tables.flow:flow_table",
    "reports.tables.glance:describe_adjusted_means",
    "reports.tables.practice:implementation_table",
    "reports.kinds.count:CountWords.note_on_ratio",
    "reports.kinds.kind:KindWords.note_on_scale",
    "reports.kinds.ordinal:OrdinalWords.note_on_scale",
    "reports.kinds.time_to_event:TimeToEventWords.note_on_means",
    "reports.kinds.time_to_event:TimeToEventWords.note_on_scale",
    "reports.tables.ratios:_HAZARDS",
    "reports.tables.ratios:categories_table",
    "reports.tables.ratios:ratios_table",
    "reports.tables.signals:signals_table",
)
"""Functions whose sentences claim nothing of the trial: they head a section, define a figure or say how to read it."""


@cache
def saying() -> dict[str, tuple[str, ...]]:
    """Return every function and constant of the reports that holds a message, with its messages in their order."""
    found = {}
    for path in sorted((ROOT / "reports").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for name, node in _named(ast.parse(path.read_text(encoding="utf-8")).body):
            if said := _messages(node):
                found[f"{module}:{name}"] = said
    return found


def _named(nodes: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """Yield functions, methods and constants with their names."""
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{name}", inner) for name, inner in _named(node.body))
        elif _messages(node):
            yield _name(node), node


def is_sentence(message: str) -> bool:
    """Return whether a message is a whole sentence, not a label."""
    return message.rstrip().endswith((".", "?", "!"))


def _name(node: ast.stmt) -> str:
    match node:
        case ast.FunctionDef(name=name):
            return name
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
            return ast.unparse(target)
        case _:
            raise ValueError(f"A message stands outside functions and constants: {ast.unparse(node)[:80]}")


def _messages(node: ast.stmt) -> tuple[str, ...]:
    calls = [inner for inner in ast.walk(node) if isinstance(inner, ast.Call)]
    found = [
        argument.value
        for call in sorted(calls, key=lambda inner: (inner.lineno, inner.col_offset))
        if getattr(call.func, "attr", getattr(call.func, "id", "")) in _SAYING
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and " " in argument.value
    ]
    return tuple(dict.fromkeys(found))


def sentences(said_by: str) -> tuple[str, ...]:
    """Return the messages of a function or constant, in the order in which they stand."""
    return saying().get(said_by, ())


def page() -> str:
    """Return the page."""
    parts = [
        "# Claims\n",
        "Every sentence with which a document claims something about the trial's integrity, data or results, the",
        "function that decides whether it is printed, and what that function reads. The page is made from the code by",
        "`python -m tests.support.claims_page`; a test holds the two together, and lets no sentence of the reports",
        "stand outside it.\n",
    ]
    for claim in CLAIMS:
        decided = ", ".join(f"`{name}`" for name in claim.decides)
        parts += [f"## {claim.topic}\n", f"Decided by {decided}, from {claim.reads}.\n"]
        for name in claim.says:
            parts += [f"- {sentence} (`{name}`)" for sentence in sentences(name)]
        parts.append("")
    parts += ["## Sentences that claim nothing\n", "They head a section, define a figure, or say how to read it.\n"]
    for name in EXPLAINS:
        parts += [f"- {sentence} (`{name}`)" for sentence in sentences(name) if is_sentence(sentence)]
    return "\n".join([*parts, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
