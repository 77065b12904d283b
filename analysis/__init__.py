"""From frames to estimates: multilevel models of school trials, with inference that holds for few schools."""

from analysis.binary import fit_logistic_mixed
from analysis.clustered import fit_linear_clustered
from analysis.effect_sizes import cox_index, hedges_g, odds_ratio, total_variance_factor
from analysis.effects import estimate_effects
from analysis.inference.randomisation_inference import RandomisationTest, randomisation_tests
from analysis.linear import fit_linear_mixed, icc_interval
from analysis.pooling import Pooled, pool_countries
from analysis.results import ESTIMATE_COLUMNS, Coefficients, Convergence, Estimate, Fit, estimates_frame
from analysis.scales import cronbach_alpha, scale_score
from analysis.specs import Model, Question
from analysis.sums import SchoolSums, school_sums
from analysis.terms import design_columns
from analysis.variance_components import Components, unconditional_components

__all__ = [
    "ESTIMATE_COLUMNS",
    "Coefficients",
    "Components",
    "Convergence",
    "Estimate",
    "Fit",
    "Model",
    "Pooled",
    "Question",
    "RandomisationTest",
    "SchoolSums",
    "cox_index",
    "cronbach_alpha",
    "design_columns",
    "estimate_effects",
    "estimates_frame",
    "fit_linear_clustered",
    "fit_linear_mixed",
    "fit_logistic_mixed",
    "hedges_g",
    "icc_interval",
    "odds_ratio",
    "pool_countries",
    "randomisation_tests",
    "scale_score",
    "school_sums",
    "total_variance_factor",
    "unconditional_components",
]
