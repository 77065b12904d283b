"""The way from `analysis.mixed_model` to the models of binary outcomes and counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import pandas as pd

from analysis.formula import parse_formula
from analysis.guards import require_frame
from analysis.outcome_models.columns import build_outcome_columns
from analysis.outcome_models.fit import OutcomeFit
from analysis.outcome_models.fitted import Family, LinkName, fitted
from data_schema.errors import EstimationError

_LINKS: dict[str, tuple[LinkName, ...]] = {
    "binomial": get_args(LinkName),
    "poisson": ("log",),
    "negative_binomial": ("log",),
}
_LEAST_NESTED = 7
_LEAST_SLOPES = 5
_NODES = 15
_NODES_SLOPES = 7


def outcome_model(
    formula: str,
    data: pd.DataFrame,
    *,
    family: Family,
    link: LinkName | None = None,
    n_nodes: int | None = None,
    exposure: str | None = None,
    reference: Mapping[str, str] | None = None,
) -> OutcomeFit:
    """Fit a multilevel model of a binary outcome or a count.

    Parameters
    ----------
    formula, data, reference
        See `analysis.mixed_model`.
    family
        "binomial" (0 or 1), "poisson" or "negative_binomial" (whole numbers).
    link
        Of a binomial: "logit" (the default), "cloglog", "log" or "identity"; counts have "log".
    n_nodes
        Nodes of adaptive quadrature, 15 unless given (7 along each axis of a slope); 1 is Laplace's approximation.
    exposure
        Column of the time in which was counted, such as days enrolled.

    Raises
    ------
    EstimationError
        When a choice is unknown or does not belong to the family, or see `analysis.mixed_model`.
    """
    read = parse_formula(formula)
    place = f"model of '{read.outcome}'"
    require_frame(data, place=place)
    chosen = _link(place, family=family, link=link)
    if exposure is not None and family == "binomial":
        raise EstimationError(
            place, "a binary outcome has no exposure.", "Leave exposure out, or use family='negative_binomial'."
        )
    model_columns = build_outcome_columns(
        read, data, exposure=exposure, reference=reference, binary=family == "binomial"
    )
    nodes = n_nodes if n_nodes is not None else (_NODES_SLOPES if model_columns.slope else _NODES)
    if model_columns.slope and (family, chosen) != ("binomial", "logit"):
        raise EstimationError(
            place,
            f"slopes that differ between groups need family='binomial' and link='logit', not {family} and {chosen}.",
            f"Use '(1 | {model_columns.groupings[0].name})'.",
        )
    least = _LEAST_SLOPES if model_columns.slope else (_LEAST_NESTED if len(model_columns.groupings) > 1 else 1)
    if not isinstance(nodes, int) or nodes < 1 or 1 < nodes < least:
        remedy = f"Use 1 (Laplace), or a whole number of {least} or more."
        raise EstimationError(place, f"{nodes} nodes do not do for this model.", remedy)
    return OutcomeFit(
        formula=str(read),
        outcome=read.outcome,
        family=family,
        link=chosen,
        n_nodes=nodes,
        made=model_columns,
        fitted=fitted(model_columns, family=family, link=chosen, n_nodes=nodes),
        exposure=exposure or "",
    )


def _link(place: str, *, family: str, link: LinkName | None) -> LinkName:
    if family not in _LINKS:
        raise EstimationError(
            place, f"family '{family}' is unknown.", f"Use one of gaussian, {', '.join(get_args(Family))}."
        )
    chosen = link or _LINKS[family][0]
    if chosen not in _LINKS[family]:
        raise EstimationError(
            place, f"the link '{chosen}' does not go with {family}.", f"Use one of {', '.join(_LINKS[family])}."
        )
    return chosen


def check_family(place: str, *, family: str, linear: Mapping[str, object], others: Mapping[str, object]) -> None:
    """Refuse arguments that do not belong to a family.

    Parameters
    ----------
    place
        For the error.
    family
        "gaussian", or one of the others.
    linear, others
        Arguments of the linear model and of the other families; None for those that were not given.

    Raises
    ------
    EstimationError
        Naming the first that does not belong.
    """
    strangers = [name for name, value in (others if family == "gaussian" else linear).items() if value is not None]
    if not strangers:
        return
    if family == "gaussian":
        remedy = f"Name the family: {', '.join(get_args(Family))}; or leave {strangers[0]} out."
        raise EstimationError(place, f"'{strangers[0]}' does not belong to a linear model.", remedy)
    raise EstimationError(
        place,
        f"'{strangers[0]}' belongs to the linear model, and the family is {family}.",
        f"Leave {strangers[0]} out: these models are fitted by maximum likelihood, with inference for few groups.",
    )
