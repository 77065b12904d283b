"""Patterns of files."""

from __future__ import annotations

import unicodedata

import pytest

from data_schema.rules import InboxRule


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("baseline/*/pupil_*.csv", "baseline/HU/pupil_1.csv", True),
        ("baseline/*/pupil_*.csv", "BASELINE/hu/Pupil_1.CSV", True),
        ("baseline/*/pupil_*.csv", "baseline/HU/x/pupil_1.csv", False),
        ("baseline/*/pupil_*.csv", "x/baseline/HU/pupil_1.csv", False),
        ("baseline/*/pupil_*.csv", "baseline/HU/pupil_1.csv.bak", False),
        ("pupil_?.csv", "pupil_1.csv", True),
        ("pupil_?.csv", "pupil_12.csv", False),
        ("**/pupil.csv", "pupil.csv", True),
        ("**/pupil.csv", "a/b/pupil.csv", True),
        ("**/pupil.csv", "a/b/mypupil.csv", False),
        ("baseline/**", "baseline/a/b.csv", True),
        ("a+b (1).csv", "a+b (1).csv", True),
        ("pupil.csv", "pupilxcsv", False),
    ],
)
def test_a_pattern_matches_whole_paths_part_by_part(pattern: str, path: str, matches: bool) -> None:
    assert InboxRule(pattern, "pupil").matches(path) == matches


def test_a_name_that_a_mac_decomposed_is_the_same_name() -> None:
    assert InboxRule("učenici.csv", "pupil").matches(unicodedata.normalize("NFD", "učenici.csv"))
