"""From frames to estimates: multilevel models of school trials, with inference that holds for few schools."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.binary import (
        RiskEffects,
        fit_binary_mixed,
        fit_logistic_mixed,
        fit_logistic_slopes,
        risk_effects,
    )
    from analysis.clustered import fit_linear_clustered
    from analysis.counts import CountFit, RateEffects, fit_counts, rate_effects
    from analysis.effect_sizes import (
        hedges_g,
        hedges_g_unconditional,
        number_needed_to_treat,
        odds_ratio,
        total_variance_factor,
    )
    from analysis.effects import estimate_effects
    from analysis.gee import GeeFit, fit_gee
    from analysis.inference.cluster_robust import ClusterRobust, cluster_robust
    from analysis.inference.design_redraws import DesignRedraws, Permutations, design_redraws
    from analysis.inference.multiplicity import (
        FamilyTest,
        adjusted_p_values,
        randomisation_family,
        step_down_p_values,
    )
    from analysis.inference.randomisation_intervals import RandomisationInference, randomisation_inference
    from analysis.inference.wild_bootstrap import WildBootstrap, wild_bootstrap
    from analysis.linear import fit_linear_mixed
    from analysis.linear_models import LinearModelFit, linear_model
    from analysis.mixed import MixedSums, fit_mixed_sums, merge_mixed_sums, mixed_model, mixed_sums
    from analysis.mixed_models.comparison import likelihood_ratio_test
    from analysis.mixed_models.fit import MixedFit
    from analysis.mixed_models.working import VarianceComponent
    from analysis.ordinal import OrdinalEffects, OrdinalFit, fit_ordinal, ordinal_effects
    from analysis.outcome_models import OutcomeFit
    from analysis.pooling import Pooled, pool_countries
    from analysis.power import SchoolTrial, WithinSchoolTrial, mdes, minimum_detectable_risk, power_of, schools_needed
    from analysis.power_simulation import SimulatedPower, TrueOutcome, simulated_power
    from analysis.published_iccs import DESIGN_PARAMETERS, design_parameters
    from analysis.questions import Question
    from analysis.results import CAUTIONS, ESTIMATE_COLUMNS, Coefficients, Convergence, Estimate, Fit, estimates_frame
    from analysis.scales import Reliability, cronbach_alpha, reliability, scale_score
    from analysis.specs import Model
    from analysis.terms import design_columns
    from analysis.time_to_event import fit_cox, pseudo_values
    from analysis.variance_components import Components, design_components, unconditional_components
    from analysis.warning_signals import (
        SignalPerformance,
        SignalQuestion,
        SignalShares,
        area_under_curve,
        evaluate_signals,
        flags_at_capacity,
        signal_shares,
    )
    from randomisation.standardised import cox_index

__all__ = [
    "CAUTIONS",
    "DESIGN_PARAMETERS",
    "ESTIMATE_COLUMNS",
    "ClusterRobust",
    "Coefficients",
    "Components",
    "Convergence",
    "CountFit",
    "DesignRedraws",
    "Estimate",
    "FamilyTest",
    "Fit",
    "GeeFit",
    "LinearModelFit",
    "MixedFit",
    "MixedSums",
    "Model",
    "OrdinalEffects",
    "OrdinalFit",
    "OutcomeFit",
    "Permutations",
    "Pooled",
    "Question",
    "RandomisationInference",
    "RateEffects",
    "Reliability",
    "RiskEffects",
    "SchoolTrial",
    "SignalPerformance",
    "SignalQuestion",
    "SignalShares",
    "SimulatedPower",
    "TrueOutcome",
    "VarianceComponent",
    "WildBootstrap",
    "WithinSchoolTrial",
    "adjusted_p_values",
    "area_under_curve",
    "cluster_robust",
    "cox_index",
    "cronbach_alpha",
    "design_columns",
    "design_components",
    "design_parameters",
    "design_redraws",
    "estimate_effects",
    "estimates_frame",
    "evaluate_signals",
    "fit_binary_mixed",
    "fit_counts",
    "fit_cox",
    "fit_gee",
    "fit_linear_clustered",
    "fit_linear_mixed",
    "fit_logistic_mixed",
    "fit_logistic_slopes",
    "fit_mixed_sums",
    "fit_ordinal",
    "flags_at_capacity",
    "hedges_g",
    "hedges_g_unconditional",
    "likelihood_ratio_test",
    "linear_model",
    "mdes",
    "merge_mixed_sums",
    "minimum_detectable_risk",
    "mixed_model",
    "mixed_sums",
    "number_needed_to_treat",
    "odds_ratio",
    "ordinal_effects",
    "pool_countries",
    "power_of",
    "pseudo_values",
    "randomisation_family",
    "randomisation_inference",
    "rate_effects",
    "reliability",
    "risk_effects",
    "scale_score",
    "schools_needed",
    "signal_shares",
    "simulated_power",
    "step_down_p_values",
    "total_variance_factor",
    "unconditional_components",
    "wild_bootstrap",
]

_HOMES = {
    "CAUTIONS": "analysis.results",
    "DESIGN_PARAMETERS": "analysis.published_iccs",
    "ESTIMATE_COLUMNS": "analysis.results",
    "ClusterRobust": "analysis.inference.cluster_robust",
    "Coefficients": "analysis.results",
    "Components": "analysis.variance_components",
    "Convergence": "analysis.results",
    "CountFit": "analysis.counts",
    "DesignRedraws": "analysis.inference.design_redraws",
    "Permutations": "analysis.inference.design_redraws",
    "Estimate": "analysis.results",
    "FamilyTest": "analysis.inference.multiplicity",
    "Fit": "analysis.results",
    "GeeFit": "analysis.gee",
    "LinearModelFit": "analysis.linear_models",
    "MixedFit": "analysis.mixed_models.fit",
    "MixedSums": "analysis.mixed",
    "Model": "analysis.specs",
    "OrdinalEffects": "analysis.ordinal",
    "OutcomeFit": "analysis.outcome_models",
    "OrdinalFit": "analysis.ordinal",
    "Pooled": "analysis.pooling",
    "Question": "analysis.questions",
    "RandomisationInference": "analysis.inference.randomisation_intervals",
    "RateEffects": "analysis.counts",
    "RiskEffects": "analysis.binary",
    "SchoolTrial": "analysis.power",
    "SignalPerformance": "analysis.warning_signals",
    "SignalQuestion": "analysis.warning_signals",
    "SignalShares": "analysis.warning_signals",
    "SimulatedPower": "analysis.power_simulation",
    "TrueOutcome": "analysis.power_simulation",
    "VarianceComponent": "analysis.mixed_models.working",
    "WildBootstrap": "analysis.inference.wild_bootstrap",
    "WithinSchoolTrial": "analysis.power",
    "adjusted_p_values": "analysis.inference.multiplicity",
    "area_under_curve": "analysis.warning_signals",
    "cluster_robust": "analysis.inference.cluster_robust",
    "cox_index": "randomisation.standardised",
    "cronbach_alpha": "analysis.scales",
    "design_columns": "analysis.terms",
    "design_components": "analysis.variance_components",
    "design_parameters": "analysis.published_iccs",
    "design_redraws": "analysis.inference.design_redraws",
    "estimate_effects": "analysis.effects",
    "estimates_frame": "analysis.results",
    "evaluate_signals": "analysis.warning_signals",
    "fit_binary_mixed": "analysis.binary",
    "fit_counts": "analysis.counts",
    "fit_cox": "analysis.time_to_event",
    "fit_gee": "analysis.gee",
    "fit_linear_clustered": "analysis.clustered",
    "fit_linear_mixed": "analysis.linear",
    "fit_logistic_mixed": "analysis.binary",
    "fit_logistic_slopes": "analysis.binary",
    "fit_mixed_sums": "analysis.mixed",
    "fit_ordinal": "analysis.ordinal",
    "flags_at_capacity": "analysis.warning_signals",
    "hedges_g": "analysis.effect_sizes",
    "hedges_g_unconditional": "analysis.effect_sizes",
    "likelihood_ratio_test": "analysis.mixed_models.comparison",
    "linear_model": "analysis.linear_models",
    "mdes": "analysis.power",
    "merge_mixed_sums": "analysis.mixed",
    "minimum_detectable_risk": "analysis.power",
    "mixed_model": "analysis.mixed",
    "mixed_sums": "analysis.mixed",
    "number_needed_to_treat": "analysis.effect_sizes",
    "odds_ratio": "analysis.effect_sizes",
    "ordinal_effects": "analysis.ordinal",
    "pool_countries": "analysis.pooling",
    "power_of": "analysis.power",
    "pseudo_values": "analysis.time_to_event",
    "randomisation_family": "analysis.inference.multiplicity",
    "randomisation_inference": "analysis.inference.randomisation_intervals",
    "rate_effects": "analysis.counts",
    "risk_effects": "analysis.binary",
    "scale_score": "analysis.scales",
    "Reliability": "analysis.scales",
    "reliability": "analysis.scales",
    "schools_needed": "analysis.power",
    "signal_shares": "analysis.warning_signals",
    "simulated_power": "analysis.power_simulation",
    "step_down_p_values": "analysis.inference.multiplicity",
    "total_variance_factor": "analysis.effect_sizes",
    "unconditional_components": "analysis.variance_components",
    "wild_bootstrap": "analysis.inference.wild_bootstrap",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that what is not used costs nothing."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
