"""The page of claims, docs/CLAIMS.md: which function decides each sentence that documents claim something with.

The sentences are read from the functions that say them. Run ``python -m tests.support.claims_page`` after a change.
"""

from __future__ import annotations

import ast
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
        says=("reports.claims:_order", "reports.claims:_unshown", "reports.claims:plan_sentences"),
        decides=("evaluation.claims:plan_claim",),
        reads="the order of the lines of `log.jsonl`, the hash of `plan/trial.toml`, and where outcomes are read from",
    ),
    Claim(
        topic="The log is missing, was edited, or names something else",
        says=("reports.claims:log_sentences",),
        decides=("evaluation.trial_log:read_log", "evaluation.claims:disagreements"),
        reads="`log.jsonl`; hashes of plan, draw, data, estimates and results",
    ),
    Claim(
        topic="How often results were computed",
        says=("reports.claims:runs_sentence",),
        decides=("evaluation.claims:log_facts",),
        reads="the lines `estimated` of `log.jsonl`",
    ),
    Claim(
        topic="How often schools were drawn; whether the draw holds",
        says=("reports.sections.design:_warnings",),
        decides=("evaluation.claims:log_facts", "evaluation.stages.assign:verify"),
        reads="the lines `drawn` and `adopted`; the record, the sampling frame, `allocation.csv`",
    ),
    Claim(
        topic="How the draw was made, and whether anyone can repeat it",
        says=("reports.sections.design:allocation", "reports.sections.certificate:design_sentences"),
        decides=("evaluation.stages.agreement:checked_record",),
        reads="`allocation/record.json`",
    ),
    Claim(
        topic="What was fixed before the seed",
        says=("reports.sections.certificate:_facts", "reports.sections.certificate:_nothing_published"),
        decides=("evaluation.stages.certificate:draw_facts",),
        reads="the lines `committed`, `drawn` of `log.jsonl`, and whether it is whole; the record",
    ),
    Claim(
        topic="What was changed after the freeze",
        says=("reports.sections.methods:_plan", "reports.sections.common:primary_note"),
        decides=("evaluation.frozen_plan:plan_state", "evaluation.planned:shown_analyses"),
        reads="`plan/trial.toml` and `trial.toml`, by substance",
    ),
    Claim(
        topic="Registration",
        says=("reports.sections.brief:_plan", "reports.sections.front:report_title"),
        decides=("evaluation.evidence:stated_evidence",),
        reads="`[trial] registration`, which nobody checks: the sentence says that the protocol states it",
    ),
    Claim(
        topic="Whether there is an effect",
        says=("reports.sentences:effect", "reports.sentences:_unclear"),
        decides=("reports.sentences:verdict",),
        reads="estimate, interval and status in `results/estimates.csv`",
    ),
    Claim(
        topic="Interval and randomisation test agree",
        says=("reports.sentences:check",),
        decides=("reports.sentences:disagrees",),
        reads="interval, both p-values and the test's `caution` in `results/estimates.csv`",
    ),
    Claim(
        topic="Limits of the main result",
        says=(
            "reports.sections.limits:_precision",
            "reports.sections.limits:_of_headline",
            "reports.sections.limits:_losses",
            "reports.sections.limits:_assumed",
            "reports.sections.limits:_plan_and_draw",
            "reports.sections.limits:_breadth",
        ),
        decides=("reports.sentences:comparison", "reports.tables.flow:flow_of", "evaluation.claims:plan_claim"),
        reads="`results/estimates.csv`, `results/flow.csv`, the log",
    ),
    Claim(
        topic="What intervals rest on",
        says=("reports.sections.methods:_errors",),
        decides=("reports.sections.methods:_errors",),
        reads="model, `se_type` and `df_method` of the differences in `results/estimates.csv`",
    ),
    Claim(
        topic="What refused or missing consent does",
        says=(
            "reports.sections.flow:consent",
            "reports.sections.flow:_refused",
            "reports.sections.flow:_unanswered",
            "reports.sections.flow:_counted",
        ),
        decides=("reports.tables.flow:flow_of",),
        reads="`results/flow.csv`, `[privacy]`",
    ),
    Claim(
        topic="What schools did and spent, and which arms did not report it",
        says=(
            "reports.sections.practice:without_records",
            "reports.sections.practice:usual_costs",
            "reports.sections.practice:unknown_usual_costs",
            "reports.sections.common:price_years",
        ),
        decides=("reports.sections.common:costs_of_place", "reports.selection:of_focus"),
        reads="`results/implementation.csv`, `results/costs.csv`",
    ),
    Claim(
        topic="Whether schools were drawn by lot, or their draw was adopted",
        says=(
            "reports.sections.common:_size",
            "reports.sections.front:_design",
            "reports.sections.brief:brief_trial",
            "reports.sections.design:_later",
        ),
        decides=("reports.sections.common:was_drawn_elsewhere", "reports.sections.common:number_of_schools"),
        reads="`allocation/record.json` and the records of later draws; `results/flow.csv`",
    ),
    Claim(
        topic="How alike the arms were at baseline",
        says=(
            "reports.sections.baseline:_far_of",
            "reports.sections.baseline:_joint",
            "reports.sections.baseline:_pupils",
            "reports.tables.equivalence:equivalence_sentence",
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
            "reports.sections.methods:_inference",
            "reports.tables.layout:suppression_note",
            "reports.tables.practice:few_schools_note",
        ),
        decides=("reports.suppression:suppressed",),
        reads="the counts of every table; `[reports] disclosure_threshold`",
    ),
)


@cache
def sentences(said_by: str) -> tuple[str, ...]:
    """Return the messages of a function, in the order in which they stand."""
    module, name = said_by.split(":")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    (body,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    calls = [node for node in ast.walk(body) if isinstance(node, ast.Call)]
    found = [
        argument.value
        for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset))
        if getattr(call.func, "attr", getattr(call.func, "id", "")) in _SAYING
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and " " in argument.value
    ]
    return tuple(dict.fromkeys(found))


def page() -> str:
    """Return the page."""
    parts = [
        "# Claims\n",
        "Every sentence with which a document claims something about the trial's integrity, data or results, the",
        "function that decides whether it is printed, and what that function reads. The page is made from the code by",
        "`python -m tests.support.claims_page`; a test holds the two together.\n",
    ]
    for claim in CLAIMS:
        decided = ", ".join(f"`{name}`" for name in claim.decides)
        parts += [f"## {claim.topic}\n", f"Decided by {decided}, from {claim.reads}.\n"]
        for name in claim.says:
            parts += [f"- {sentence} (`{name}`)" for sentence in sentences(name)]
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
