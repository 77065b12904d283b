"""The likelihood of models with a random school intercept, by adaptive Gauss-Hermite quadrature."""

from analysis.quadrature.bounded_links import LinearShare, LogShare, share_beyond
from analysis.quadrature.likelihood import (
    average_mean,
    average_share,
    deviance,
    deviance_and_gradient,
    deviance_gradient_information,
    information,
    school_modes,
)
from analysis.quadrature.patterns import Patterns, WeakPrior, patterns, sums_by_school
from analysis.quadrature.problem import Problem
from analysis.quadrature.responses import LOGIT, ComplementaryLogLog, Logit, NegativeBinomial, Poisson, Response
from analysis.quadrature.reweighted import Maxima, reweighted_maxima
from analysis.quadrature.search import Optimum, maximise

__all__ = [
    "LOGIT",
    "ComplementaryLogLog",
    "LinearShare",
    "LogShare",
    "Logit",
    "Maxima",
    "NegativeBinomial",
    "Optimum",
    "Patterns",
    "Poisson",
    "Problem",
    "Response",
    "WeakPrior",
    "average_mean",
    "average_share",
    "deviance",
    "deviance_and_gradient",
    "deviance_gradient_information",
    "information",
    "maximise",
    "patterns",
    "reweighted_maxima",
    "school_modes",
    "share_beyond",
    "sums_by_school",
]
