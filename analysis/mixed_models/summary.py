"""What fits show: in plain words, and as tables; linear fits and fits of other families alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from data_schema.errors import EstimationError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.mixed_models.fit import MixedFit
    from analysis.mixed_models.working import VarianceComponent
    from analysis.outcome_models.fit import OutcomeFit
    from analysis.results import Coefficients, Convergence, Estimate


_METHODS = {
    "kenward_roger": "Kenward and Roger's method (errors and degrees of freedom allow for few groups)",
    "satterthwaite": "Satterthwaite's degrees of freedom",
}


def describe_fit(fit: MixedFit, *, conf_level: float) -> str:
    """Return one statement per line; see `MixedFit.summary`."""
    lines = [f"Model: {fit.formula}"]
    if fit.coefficients is None:
        return "\n".join([*lines, f"Not fitted. {fit.convergence.reason}", *_describe_data(fit)])
    kind = "restricted maximum likelihood" if fit.method.endswith("reml") else "maximum likelihood"
    lines += [
        f"Fitted by {kind}; tests by {_METHODS[fit.df_method]}.",
        *_describe_errors(fit),
        *_describe_data(fit),
        "",
    ]
    lines += format_coefficient_lines([fit.estimate(name, conf_level=conf_level) for name in fit.coefficients.names])
    n_strata = len(fit.strata_effects())
    if n_strata:
        lines.append(f"and {n_strata} effects of strata, which the table of effects lists.")
    lines += ["", *_describe_variances(fit, conf_level=conf_level)]
    if fit.status == "boundary":
        lines.append("A variance is estimated at zero, or a correlation at one: the data show no more than that.")
    return "\n".join(lines)


def _describe_errors(fit: MixedFit) -> list[str]:
    if fit.robust is None:
        return []
    cluster = fit.robust.cluster
    return [f"Errors are cluster-robust ({fit.se_type}): they are valid whatever rows of one '{cluster}' share."]


def _describe_rows(fit: MixedFit | OutcomeFit) -> list[str]:
    groups = ", ".join(f"{count} groups of '{name}'" for name, count in fit.groups.items())
    lines = [f"{fit.n_pupils} rows in {groups}."]
    if fit.n_missing:
        columns = ", ".join(f"{name} ({count})" for name, count in fit.n_missing.items() if name != "rows")
        lines.append(f"{fit.n_missing.get('rows', 0)} rows were left out for missing values of {columns}.")
    return lines


def _describe_data(fit: MixedFit) -> list[str]:
    return [*_describe_rows(fit), *fit.dropped.values(), *fit.notes]


def _describe_variances(fit: MixedFit, *, conf_level: float) -> list[str]:
    lines = []
    for part in fit.components:
        if part.group == "residual":
            where = f" where '{part.term}'" if part.term else ""
            lines.append(f"Rows of a group differ by a standard deviation of {part.sd:.4g}{where}.")
        elif part.other:
            lines.append(f"Effects of {part.other} and {part.term} of '{part.group}' correlate by {part.sd:.2f}.")
        else:
            what = "levels" if part.term == "(Intercept)" else f"effects of {part.term}"
            lines.append(f"Groups of '{part.group}' differ in {what} by a standard deviation of {part.sd:.4g}.")
    lines += [
        f"Intraclass correlation of '{row.group}': {row.icc:.3f} ({row.conf_low:.3f} to {row.conf_high:.3f})."
        for row in fit.icc(conf_level=conf_level).itertuples()
    ]
    return lines


# p-values below this are said to be below it.
_SMALLEST_P = 0.001
_COMPONENTS = ["group", "term", "other", "variance", "sd"]


def require_coefficients(coefficients: Coefficients | None, convergence: Convergence, *, outcome: str) -> Coefficients:
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


def build_vcov_frame(coefficients: Coefficients) -> pd.DataFrame:
    """Return the variance of coefficients by name."""
    import pandas as pd

    return pd.DataFrame(coefficients.vcov, index=list(coefficients.names), columns=list(coefficients.names))


def build_components_frame(components: Sequence[VarianceComponent]) -> pd.DataFrame:
    """Return one row a variance or covariance: group, term, other, variance, sd (or correlation)."""
    import pandas as pd

    rows = [[getattr(component, name) for name in _COMPONENTS] for component in components]
    return pd.DataFrame(rows, columns=_COMPONENTS)


def format_coefficient_lines(rows: Sequence[Estimate]) -> list[str]:
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


def get_number_of_schools(groups: Mapping[str, int]) -> int:
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


_SCALES = {
    ("binomial", "logit"): "log odds",
    ("binomial", "cloglog"): "log hazards",
    ("binomial", "log"): "log shares",
    ("binomial", "identity"): "shares",
}


def outcome_summary_text(fit: OutcomeFit, *, conf_level: float) -> str:
    """Return one statement per line; see `OutcomeFit.summary`."""
    lines = [f"Model: {fit.formula}"]
    if fit.coefficients is None:
        return "\n".join([*lines, f"Not fitted. {fit.convergence.reason}", *_outcome_data(fit)])
    nodes = "Laplace's approximation" if fit.n_nodes == 1 else f"adaptive quadrature of {fit.n_nodes} nodes"
    scale = _SCALES.get((fit.family, fit.link), "log rates")
    lines += [
        f"Fitted by maximum likelihood, {nodes}; {fit.family.replace('_', ' ')}, coefficients are {scale}.",
        "Tests allow for few groups: the larger error of two, and degrees of freedom between groups.",
        *_outcome_data(fit),
        "",
    ]
    lines += format_coefficient_lines([fit.estimate(name, conf_level=conf_level) for name in fit.coefficients.names])
    lines += ["", *_outcome_variances(fit)]
    factors = sorted({name for used in fit.made.described.design.factors.values() for name in used})
    shown = [name for name in factors if name in fit.made.described.levels]
    if shown:
        lines.append(f"`effects` of {shown[0]!r} gives differences and ratios of the outcome itself.")
    return "\n".join(lines)


def _outcome_data(fit: OutcomeFit) -> list[str]:
    dropped = [f"The column {name} is a combination of others and was left out." for name in fit.fitted.fit.dropped]
    return [*_describe_rows(fit), *dropped, *fit.notes]


def _outcome_variances(fit: OutcomeFit) -> list[str]:
    lines = []
    for part in fit.components:
        if part.other:
            lines.append(f"Effects of {part.other} and {part.term} of '{part.group}' correlate by {part.sd:.2f}.")
        else:
            what = "levels" if part.term == "(Intercept)" else f"effects of {part.term}"
            lines.append(f"Groups of '{part.group}' differ in {what} by a standard deviation of {part.sd:.4g}.")
    if fit.family == "negative_binomial":
        more = f"more than by luck: dispersion {fit.dispersion:.4g}" if fit.dispersion else "by luck alone"
        lines.append(f"Rows of a group vary {more}.")
    if any(part.variance == 0 for part in fit.components):
        lines.append("A variance is estimated at zero: the data show no more than that.")
    return lines
