"""What linear fits and fits of other families show alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from data_schema.errors import EstimationError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.mixed_models.working import VarianceComponent
    from analysis.results import Coefficients, Convergence, Estimate

# p-values below this are said to be below it.
_SMALLEST_P = 0.001
_COMPONENTS = ["group", "term", "other", "variance", "sd"]


def fitted_coefficients(coefficients: Coefficients | None, convergence: Convergence, *, outcome: str) -> Coefficients:
    """Return the coefficients of a fit that did not fail.

    Raises
    ------
    EstimationError
        When it did, with its reason.
    """
    if coefficients is None:
        raise EstimationError(
            f"model of '{outcome}'", f"was not fitted: {convergence.reason}", "Mend the data or the model."
        )
    return coefficients


def vcov_frame(coefficients: Coefficients) -> pd.DataFrame:
    """Return the variance of coefficients by name."""
    import pandas as pd

    return pd.DataFrame(coefficients.vcov, index=list(coefficients.names), columns=list(coefficients.names))


def components_frame(components: Sequence[VarianceComponent]) -> pd.DataFrame:
    """Return one row a variance or covariance: group, term, other, variance, sd (or correlation)."""
    import pandas as pd

    rows = [[getattr(component, name) for name in _COMPONENTS] for component in components]
    return pd.DataFrame(rows, columns=_COMPONENTS)


def coefficient_lines(rows: Sequence[Estimate]) -> list[str]:
    """Return a text table with a head and a line a coefficient; what could not be estimated says why."""
    width = max((len(row.term) for row in rows), default=0)
    level = rows[0].conf_level if rows else 0.95
    lines = [f"{'':{width}}  {'estimate':>12} {'error':>10} {'df':>8} {'p':>7}  {100 * level:g} % interval"]
    for row in rows:
        if row.status == "failed":
            lines.append(f"{row.term:{width}}  {row.reason}")
            continue
        p = "<0.001" if row.p_value < _SMALLEST_P else f"{row.p_value:.3f}"
        lines.append(
            f"{row.term:{width}}  {row.estimate:>12.5g} {row.std_error:>10.4g} {row.df:>8.1f} {p:>7}  "
            f"{row.conf_low:.5g} to {row.conf_high:.5g}"
        )
    return lines


def number_of_schools(groups: Mapping[str, int]) -> int:
    """Return the number of groups of the grouping named after schools, else of the outermost."""
    named = [count for name, count in groups.items() if name.split(":")[-1].startswith("school")]
    return (named or list(groups.values()) or [0])[0]


def contrast_weights(weights: Mapping[str, float], names: Sequence[str], *, outcome: str) -> np.ndarray:
    """Return the weights of a contrast in the order of the coefficients, shape (p,).

    Parameters
    ----------
    weights
        By effect; others have none. formulaic's ``arm[T.pilot]`` will do as well.
    names
        Of the coefficients.
    outcome
        For the error.

    Raises
    ------
    EstimationError
        When an effect is not in the model.
    """
    result = np.zeros(len(names))
    for effect, weight in weights.items():
        name = effect.replace("[T.", "[")
        if name not in names:
            raise EstimationError(
                f"contrast of '{outcome}'", f"the model has no effect '{effect}'.", f"Use {', '.join(names)}."
            )
        result[list(names).index(name)] = weight
    return result
