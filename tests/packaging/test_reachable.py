"""What no command, key, section or notebook reaches is named here, and the list only becomes shorter."""

from __future__ import annotations

import grimp

PACKAGES = ("data_schema", "randomisation", "analysis", "reports", "evaluation", "notebooks")
STARTS = ("evaluation.cli.main", "evaluation.trial", "reports.notebook", "notebooks")
ALONE = {"randomisation.verify_allocation", "evaluation.templates"}
"""A program of its own, which anybody can take along; a folder of files that are no modules."""

LIBRARY_ONLY = """
analysis.fidelity analysis.growth analysis.inference.cluster_bootstrap analysis.inference.multiplicity
analysis.inference.wild_bootstrap analysis.linear_columns analysis.linear_models analysis.mixed analysis.mixed_batch
analysis.mixed_models.batch_inference analysis.mixed_models.comparison analysis.mixed_models.fit
analysis.mixed_models.icc analysis.mixed_models.marginal analysis.mixed_models.merging
analysis.mixed_models.prediction analysis.mixed_models.profile analysis.mixed_models.random_effects
analysis.mixed_models.shown analysis.mixed_models.streaming analysis.mixed_models.summary
analysis.outcome_models analysis.outcome_models.columns analysis.outcome_models.fit analysis.outcome_models.fitted
analysis.outcome_models.group_effects analysis.outcome_models.nested analysis.outcome_models.route
analysis.outcome_models.standardising analysis.outcome_models.summary analysis.published_iccs
analysis.quadrature.nested analysis.quadrature.nested_search
"""
"""Formulas, streams, bootstraps and families, which a plan cannot name yet."""


def reached() -> set[str]:
    graph = grimp.build_graph(PACKAGES[0], *PACKAGES[1:], exclude_type_checking_imports=True)
    starts = [name for name in STARTS if name in graph.modules]
    found = set(starts).union(*(graph.find_upstream_modules(name) for name in starts))
    # A module runs the packages that it is in.
    parents = {name.rsplit(".", depth)[0] for name in found for depth in range(1, name.count(".") + 1)}
    return found | parents.union(*(graph.find_upstream_modules(name) for name in parents))


def test_whatever_is_there_is_reached_by_a_command_or_named_as_not_reached() -> None:
    graph = grimp.build_graph(PACKAGES[0], *PACKAGES[1:], exclude_type_checking_imports=True)
    assert graph.modules - reached() - ALONE == set(LIBRARY_ONLY.split())
