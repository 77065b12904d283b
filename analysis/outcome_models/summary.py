"""A fit in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.mixed_models.shown import coefficient_lines

if TYPE_CHECKING:
    from analysis.outcome_models.fit import OutcomeFit

_SCALES = {
    ("binomial", "logit"): "log odds",
    ("binomial", "cloglog"): "log hazards",
    ("binomial", "log"): "log shares",
    ("binomial", "identity"): "shares",
}


def summary_text(fit: OutcomeFit, *, conf_level: float) -> str:
    """Return one statement per line; see `OutcomeFit.summary`."""
    lines = [f"Model: {fit.formula}"]
    if fit.coefficients is None:
        return "\n".join([*lines, f"Not fitted. {fit.convergence.reason}", *_data(fit)])
    nodes = "Laplace's approximation" if fit.n_nodes == 1 else f"adaptive quadrature of {fit.n_nodes} nodes"
    scale = _SCALES.get((fit.family, fit.link), "log rates")
    lines += [
        f"Fitted by maximum likelihood, {nodes}; {fit.family.replace('_', ' ')}, coefficients are {scale}.",
        "Tests allow for few groups: the larger error of two, and degrees of freedom between groups.",
        *_data(fit),
        "",
    ]
    lines += coefficient_lines([fit.estimate(name, conf_level=conf_level) for name in fit.coefficients.names])
    lines += ["", *_variances(fit)]
    factors = sorted({name for used in fit.made.described.design.factors.values() for name in used})
    shown = [name for name in factors if name in fit.made.described.levels]
    if shown:
        lines.append(f"`effects` of {shown[0]!r} gives differences and ratios of the outcome itself.")
    return "\n".join(lines)


def _data(fit: OutcomeFit) -> list[str]:
    groups = ", ".join(f"{count} groups of '{name}'" for name, count in fit.groups.items())
    lines = [f"{fit.n_pupils} rows in {groups}."]
    if fit.n_missing:
        columns = ", ".join(f"{name} ({count})" for name, count in fit.n_missing.items() if name != "rows")
        lines.append(f"{fit.n_missing.get('rows', 0)} rows were left out for missing values of {columns}.")
    dropped = [f"The column {name} is a combination of others and was left out." for name in fit.fitted.fit.dropped]
    return [*lines, *dropped, *fit.notes]


def _variances(fit: OutcomeFit) -> list[str]:
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
