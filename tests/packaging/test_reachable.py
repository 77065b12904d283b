"""What no command, key, section or notebook reaches is named here, and the list only becomes shorter."""

from __future__ import annotations

import grimp

PACKAGES = ("data_schema", "randomisation", "analysis", "reports", "evaluation", "notebooks")
STARTS = ("evaluation.cli.main", "evaluation.trial", "reports.notebook", "notebooks")
ALONE = {"randomisation.verify_allocation", "evaluation.templates"}
"""A program of its own, which anybody can take along; a folder of files that are no modules."""

LIBRARY_ONLY = """
analysis.inference.multiplicity
"""
"""Families of tests, which a plan cannot name yet."""


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
