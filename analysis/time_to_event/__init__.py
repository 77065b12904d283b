"""The time until an event: the share of pupils who had it by then, and Cox's model of its hazard."""

from analysis.time_to_event.cox import CoxErrors, Ties, fit_cox
from analysis.time_to_event.shares import pseudo_values

__all__ = ["CoxErrors", "Ties", "fit_cox", "pseudo_values"]
