"""A fit in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.mixed_models.shown import coefficient_lines

if TYPE_CHECKING:
    from analysis.mixed_models.fit import MixedFit

_METHODS = {
    "kenward_roger": "Kenward and Roger's method (errors and degrees of freedom allow for few groups)",
    "satterthwaite": "Satterthwaite's degrees of freedom",
}


def summary_text(fit: MixedFit, *, conf_level: float) -> str:
    """Return one statement per line; see `MixedFit.summary`."""
    lines = [f"Model: {fit.formula}"]
    if fit.coefficients is None:
        return "\n".join([*lines, f"Not fitted. {fit.convergence.reason}", *_data(fit)])
    kind = "restricted maximum likelihood" if fit.method.endswith("reml") else "maximum likelihood"
    lines += [f"Fitted by {kind}; tests by {_METHODS[fit.df_method]}.", *_errors(fit), *_data(fit), ""]
    lines += coefficient_lines([fit.estimate(name, conf_level=conf_level) for name in fit.coefficients.names])
    n_strata = len(fit.strata_effects())
    if n_strata:
        lines.append(f"and {n_strata} effects of strata, which the table of effects lists.")
    lines += ["", *_variances(fit, conf_level=conf_level)]
    if fit.status == "boundary":
        lines.append("A variance is estimated at zero, or a correlation at one: the data show no more than that.")
    return "\n".join(lines)


def _errors(fit: MixedFit) -> list[str]:
    if fit.robust is None:
        return []
    cluster = fit.robust.cluster
    return [f"Errors are cluster-robust ({fit.se_type}): they hold whatever rows of one '{cluster}' share."]


def _data(fit: MixedFit) -> list[str]:
    groups = ", ".join(f"{count} groups of '{name}'" for name, count in fit.groups.items())
    lines = [f"{fit.n_pupils} rows in {groups}."]
    if fit.n_missing:
        columns = ", ".join(f"{name} ({count})" for name, count in fit.n_missing.items() if name != "rows")
        lines.append(f"{fit.n_missing.get('rows', 0)} rows were left out for missing values of {columns}.")
    return [*lines, *fit.dropped.values(), *fit.notes]


def _variances(fit: MixedFit, *, conf_level: float) -> list[str]:
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
