"""Estimators that a plan can name, one class per file.

The protocol, its checks, the reports and the documentation take names, options and kinds of outcomes from `ESTIMATORS`.
Each file declares; what computes is imported when a model is fitted, because every command reads the protocol, and
importing the engines takes a second and a half.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from analysis.estimators.count_mixed import CountMixed
from analysis.estimators.estimator import ArmModel, Estimator
from analysis.estimators.gee import Gee
from analysis.estimators.linear_cluster import LinearCluster
from analysis.estimators.linear_mixed import LinearMixed
from analysis.estimators.logistic_mixed import LogisticMixed
from analysis.estimators.ordinal_mixed import OrdinalMixed
from analysis.estimators.survival_cluster import SurvivalCluster
from data_schema.errors import EstimationError

_KINDS: tuple[type[Estimator], ...] = (
    LinearMixed,
    LinearCluster,
    LogisticMixed,
    CountMixed,
    Gee,
    OrdinalMixed,
    SurvivalCluster,
)
ESTIMATORS: dict[str, type[Estimator]] = {estimator.name: estimator for estimator in _KINDS}

__all__ = [
    "ESTIMATORS",
    "ArmModel",
    "CountMixed",
    "Estimator",
    "Gee",
    "LinearCluster",
    "LinearMixed",
    "LogisticMixed",
    "OrdinalMixed",
    "SurvivalCluster",
    "make_estimator",
]


def make_estimator(name: str, options: Mapping[str, str | int], *, kind: str) -> Estimator:
    """Return an estimator for outcomes of a kind.

    Parameters
    ----------
    name
        What a plan names as its estimator.
    options
        Those that differ from its defaults, by name.
    kind
        Name of the kind of outcome.

    Raises
    ------
    EstimationError
        When there is no such estimator or option, an option has another value, or outcomes of the kind need another.
    """
    if name not in ESTIMATORS:
        raise EstimationError("model", f"model '{name}' is unknown.", f"Use one of {', '.join(ESTIMATORS)}.")
    chosen = ESTIMATORS[name]
    if kind not in chosen.kinds:
        others = [other.name for other in ESTIMATORS.values() if kind in other.kinds]
        problem = f"the model '{name}' needs an outcome of the kind {' or '.join(chosen.kinds)}."
        raise EstimationError("model", problem, f"Use {' or '.join(others)}.")
    known = [option.name for option in fields(chosen)]
    for option in options:
        if option not in known:
            problem = f"the model '{name}' has no option '{option}'."
            raise EstimationError("options", problem, f"Its options are: {', '.join(known)}.")
    return chosen(**options).for_kind(kind)
