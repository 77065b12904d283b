"""The examples of docstrings of every package run, and show what they say (those of analysis are in its own tests)."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import data_schema
import evaluation
import randomisation
import reports

PACKAGES = (data_schema, randomisation, reports, evaluation)
MODULES = sorted(
    module.name for package in PACKAGES for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
)


@pytest.mark.parametrize("name", [name for name in MODULES if ".templates" not in name])
def test_examples_in_docstrings_show_what_the_code_gives(name: str) -> None:
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.testmod(importlib.import_module(name), optionflags=flags).failed == 0
