"""What covariates do to an estimate: the effect without them, with each alone, and with all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from analysis.arms import collect_observed_arms
from analysis.contrasts import estimate_difference_rows
from analysis.guards import validate_frame
from analysis.questions import Question

if TYPE_CHECKING:
    import pandas as pd

NONE, ALL = "none", "all"
COLUMNS = ["arm", "covariates", "estimate", "std_error", "shift", "shift_in_errors", "status"]
"""Columns of the table of consequences."""


def compare_adjusted_estimates(frame: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Show what baseline differences mean for the estimate: how far it moves when each covariate is allowed for.

    Parameters
    ----------
    frame
        One row per pupil, as for `estimate_effects`.
    question
        An entry of the plan with one covariate or more.

    Returns
    -------
    pandas.DataFrame
        One row per arm and set of covariates ("none", each one's name, "all"): `arm, covariates, estimate, std_error,
        shift, shift_in_errors, status`. The shift is from the estimate without covariates, in the outcome's unit and in
        that estimate's standard errors; strata are in the model throughout. A shift of half an error or more is worth a
        sentence; it says nothing of which estimate is right, since the plan has settled that.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> frame = pd.DataFrame({"school_id": np.repeat(list("abcdefgh"), 5)})
    >>> frame["arm"] = np.repeat(["control", "pilot"] * 4, 5)
    >>> frame["country"], frame["prior"] = "HU", np.arange(40) % 7
    >>> frame["score"] = frame["prior"] + (frame["arm"] == "pilot") + np.arange(40) % 3
    >>> question = Question(
    ...     plan_entry="main", outcome="score", kind="continuous", role="primary", model="linear_cluster",
    ...     arms=("control", "pilot"), covariates=("prior",), strata=None,
    ... )
    >>> compare_adjusted_estimates(frame, question)["covariates"].tolist()
    ['none', 'prior', 'all']
    """
    import pandas as pd

    model = question.effect_model()
    frame = validate_frame(frame, model.columns, place=model.place)
    sets: dict[str, tuple[str, ...]] = {NONE: (), **{name: (name,) for name in question.covariates}}
    sets[ALL] = question.covariates
    frame = question.outcome_kind.prepare(frame, question)
    arms = collect_observed_arms(frame, question)
    rows = []
    unadjusted: dict[str, tuple[float, float]] = {}
    for name, covariates in sets.items():
        for row in estimate_difference_rows(frame, replace(question, covariates=covariates), arms=arms):
            first, error = unadjusted.setdefault(row.arm, (row.estimate, row.std_error))
            shift = row.estimate - first
            rows.append((row.arm, name, row.estimate, row.std_error, shift, shift / error, row.status))
    return pd.DataFrame(rows, columns=COLUMNS)
