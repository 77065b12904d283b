"""Binary outcomes of a school trial: multilevel models, risks by arm, and what to do where nobody had the event."""

from analysis.binary.fitting import Link, Separation, fit_binary_mixed, fit_logistic_mixed
from analysis.binary.risks import RiskEffects, RiskInterval, risk_effects
from analysis.binary.slopes import fit_logistic_slopes

__all__ = [
    "Link",
    "RiskEffects",
    "RiskInterval",
    "Separation",
    "fit_binary_mixed",
    "fit_logistic_mixed",
    "fit_logistic_slopes",
    "risk_effects",
]
