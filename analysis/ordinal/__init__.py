"""Answers in ordered categories: engagement, intentions, marks in words."""

from analysis.ordinal.effects import OrdinalEffects, ordinal_effects
from analysis.ordinal.fitting import OrdinalFit, fit_ordinal

__all__ = ["OrdinalEffects", "OrdinalFit", "fit_ordinal", "ordinal_effects"]
