"""Whatever is published passes disclosure control: tables are made in one place, files hold no more than they do."""

from __future__ import annotations

import ast
import math
from dataclasses import replace

import pandas as pd
import pytest

from reports.blocks import join_plain_text
from reports.evidence import Evidence
from reports.tables.estimates import build_published_estimates, estimates_table
from reports.words import words
from tests.support.protocols import ROOT
from tests.support.sample_evidence import awards_evidence, crocoos_evidence

ENGLISH = words("en")


def test_tables_are_made_by_the_table_builder_alone() -> None:
    """`reports.blocks.Table` is called in `tables/layout.py`, which checks every count, and nowhere else."""
    makers = set()
    for folder in ("reports", "evaluation", "notebooks"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names = {
                alias.asname or alias.name
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) and node.module == "reports.blocks"
                for alias in node.names
                if alias.name == "Table"
            }
            calls = {
                node.func.id
                for node in ast.walk(tree)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            if names & calls:
                makers.add(path.relative_to(ROOT).as_posix())
    assert makers == {"reports/tables/layout.py"}


def test_counts_of_pupils_reach_the_builder_as_counts_and_not_as_text() -> None:
    """A call of ``pupils(...)`` or ``count(...)`` of a number of pupils would go round the check of the builder."""
    bare = []
    for path in sorted((ROOT / "reports" / "tables").rglob("*.py")):
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if "numbers.count(" in text and "n_pupils" in text:
                bare.append(f"{path.name}, line {number}")
    assert bare == []


def rare(evidence: Evidence) -> Evidence:
    """The evidence with so few leavers in one country and arm that their share tells who they are."""
    estimates = evidence.estimates.copy()
    few = (estimates["quantity"] == "mean") & (estimates["outcome"] == "dropout") & (estimates["country"] == "SI")
    estimates.loc[few & (estimates["arm"] == "pilot"), "estimate"] = 3 / 426
    estimates.loc[few & (estimates["arm"] == "control"), "n_pupils"] = 7
    return replace(evidence, estimates=estimates)


@pytest.mark.parametrize("evidence", [crocoos_evidence(), rare(crocoos_evidence()), awards_evidence()])
def test_the_published_file_of_estimates_holds_what_the_table_of_estimates_prints(evidence: Evidence) -> None:
    printed = {
        row.cells[0][0].estimate_id: [join_plain_text(cell) for cell in row.cells]
        for row in estimates_table(evidence, ENGLISH).rows
        if row.kind == "body"
    }
    published = build_published_estimates(evidence).set_index("estimate_id")
    rows = {str(name): row for name, row in published.astype(object).to_dict("index").items()}
    assert set(rows) == set(printed)
    n_hidden = 0
    for name, cells in printed.items():
        row = rows[name]
        if cells[1] == "c":
            n_hidden += 1
            assert row["status"] == "suppressed"
            assert all(math.isnan(float(row[figure])) for figure in ("estimate", "std_error", "conf_low", "conf_high"))
        if cells[-1] == "c":
            assert pd.isna(row["n_pupils"])
    kept = evidence.estimates.set_index("estimate_id").loc[published.index]
    # Rounded to what a reader can use: a thousandth of the error, or a hundredth of a mean itself.
    scale = kept["std_error"].where(kept["std_error"] > 0, kept["estimate"].abs())
    same = (published["estimate"] - kept["estimate"]).abs() <= 0.006 * scale + 1e-5
    same |= published["estimate"].isna() & kept["estimate"].isna()
    assert (~same).sum() == (published["status"] == "suppressed").sum()
    assert (published["status"] == "suppressed").sum() == n_hidden


def test_a_share_of_three_pupils_is_in_no_published_row() -> None:
    published = build_published_estimates(rare(crocoos_evidence()))
    secret = published[published["status"] == "suppressed"]
    assert {("SI", "pilot"), ("SI", "control")} <= set(zip(secret["country"], secret["arm"], strict=True))
    assert not (published["estimate"] == 3 / 426).any()
    assert len(set(secret["country"])) > 1, "another country's share is hidden too, or all together would tell"
