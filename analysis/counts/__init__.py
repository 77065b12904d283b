"""Counts with exposure: days of absence, lateness, notices."""

from analysis.counts.fitting import CountFamily, CountFit, fit_counts
from analysis.counts.rates import RateEffects, rate_effects

__all__ = ["CountFamily", "CountFit", "RateEffects", "fit_counts", "rate_effects"]
