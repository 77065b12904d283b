"""Simulated school trials with known effects, for dry runs, power and tests."""

from analysis.simulation.potential import TRUE_OUTCOMES
from analysis.simulation.pupils import SimulatedData, simulate_pupils
from analysis.simulation.schools import simulate_schools
from analysis.simulation.scores import simulate_scores
from analysis.simulation.spec import SimulatedCountry, SimulatedOutcome, SimulatedTrial

__all__ = [
    "TRUE_OUTCOMES",
    "SimulatedCountry",
    "SimulatedData",
    "SimulatedOutcome",
    "SimulatedTrial",
    "simulate_pupils",
    "simulate_schools",
    "simulate_scores",
]
