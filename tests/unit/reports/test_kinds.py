"""Every kind of outcome and every estimator of the analyses has its words in the reports."""

from __future__ import annotations

from analysis.estimators import ESTIMATORS
from analysis.outcomes import OUTCOME_KINDS
from reports.kinds import KIND_WORDS
from reports.tables.sensitivity import MODELS


def test_every_kind_of_outcome_has_its_words() -> None:
    assert set(KIND_WORDS) == set(OUTCOME_KINDS)


def test_every_estimator_has_its_name_in_words() -> None:
    assert set(MODELS) == set(ESTIMATORS)
