"""What the package offers, and what it costs to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import data_schema


@pytest.mark.parametrize("name", data_schema.__all__)
def test_every_name_that_is_offered_is_there(name: str) -> None:
    assert getattr(data_schema, name).__doc__


def test_a_name_that_is_not_offered_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        data_schema.nothing  # noqa: B018


def test_the_package_is_imported_without_the_libraries_that_are_slow() -> None:
    code = (
        "import sys, data_schema, data_schema.tables, data_schema.intake, data_schema.store;"
        "print([name for name in ('pandas', 'duckdb', 'openpyxl', 'pyrage') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
