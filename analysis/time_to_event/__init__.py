"""Time to leaving school: histories, curves, restricted means, Cox's model, hazards by term."""

from analysis.time_to_event.cox import CoxErrors, fit_cox
from analysis.time_to_event.curves import Curves, cumulative_incidence, kaplan_meier
from analysis.time_to_event.durations import Durations, TimeToEvent, durations
from analysis.time_to_event.effects import LeavingEffects, leaving_effects
from analysis.time_to_event.hazard import HazardEffects, hazard_effects, pupil_terms
from analysis.time_to_event.histories import Histories, leaving_times
from analysis.time_to_event.partial_likelihood import Ties

__all__ = [
    "CoxErrors",
    "Curves",
    "Durations",
    "HazardEffects",
    "Histories",
    "LeavingEffects",
    "Ties",
    "TimeToEvent",
    "cumulative_incidence",
    "durations",
    "fit_cox",
    "hazard_effects",
    "kaplan_meier",
    "leaving_effects",
    "leaving_times",
    "pupil_terms",
]
