"""Multilevel models of binary outcomes and counts by formula: the other families of `analysis.mixed_model`."""

from analysis.outcome_models.fit import OutcomeFit
from analysis.outcome_models.fitted import Family, LinkName
from analysis.outcome_models.route import outcome_model

__all__ = ["Family", "LinkName", "OutcomeFit", "outcome_model"]
