"""Estimators that a plan can name, one class per file.

The protocol, its checks, the reports and the documentation take names, options and kinds of outcomes from `ESTIMATORS`.
Each file declares; what computes is imported when a model is fitted, because every command reads the protocol, and
importing the engines takes a second and a half.
"""

from __future__ import annotations

from analysis.estimators.estimator import ArmModel, Estimator
from analysis.estimators.linear_cluster import LinearCluster
from analysis.estimators.linear_mixed import LinearMixed
from analysis.estimators.logistic_mixed import LogisticMixed

ESTIMATORS: dict[str, type[Estimator]] = {kind.name: kind for kind in (LinearMixed, LinearCluster, LogisticMixed)}

__all__ = ["ESTIMATORS", "ArmModel", "Estimator", "LinearCluster", "LinearMixed", "LogisticMixed", "find_misuse"]


def find_misuse(name: str, *, kind: str) -> tuple[str, str]:
    """Return why an estimator cannot be used for a kind of outcome, and the remedy; two empty texts where it can.

    Parameters
    ----------
    name
        What a plan names as its estimator.
    kind
        Name of the kind of outcome.
    """
    if name not in ESTIMATORS:
        return f"model '{name}' is unknown.", f"Use one of {', '.join(ESTIMATORS)}."
    if kind not in ESTIMATORS[name].kinds:
        others = ", ".join(other.name for other in ESTIMATORS.values() if kind in other.kinds)
        kinds = " or ".join(ESTIMATORS[name].kinds)
        return f"the model '{name}' needs a {kinds} outcome.", f"Use one of {others}."
    return "", ""
