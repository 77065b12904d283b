"""A fitted model of a binary outcome or a count, in the words of the linear result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.mixed_models.prediction import build_prediction_columns, build_prediction_frame, group_labels
from analysis.mixed_models.summary import (
    build_components_frame,
    build_vcov_frame,
    contrast_weights,
    get_number_of_schools,
    outcome_summary_text,
    require_coefficients,
)
from analysis.mixed_models.working import VarianceComponent
from analysis.outcome_models.columns import OutcomeColumns
from analysis.outcome_models.fitted import Family, Fitted, LinkName
from analysis.outcome_models.group_effects import build_standardised_effects, compute_averaged_outcome
from analysis.results import (
    Coefficients,
    Convergence,
    EffectRows,
    Estimate,
    Status,
    build_t_estimate,
    estimates_frame,
)
from data_schema.errors import EstimationError

if TYPE_CHECKING:
    import pandas as pd

# The variance of the latent scale's own part: logistic, and of the smallest of many (complementary log-log).
_LATENT = {"logit": math.pi**2 / 3, "cloglog": math.pi**2 / 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeFit:
    """A multilevel model of a binary outcome or a count, fitted.

    Parameters
    ----------
    formula, outcome
        As they were read.
    family, link, n_nodes
        What was asked for.
    made
        The columns.
    fitted
        Estimates, and what predictions need.
    exposure
        Column of the time in which was counted; empty without.
    """

    formula: str
    outcome: str
    family: Family
    link: LinkName
    n_nodes: int
    made: OutcomeColumns = field(repr=False)
    fitted: Fitted = field(repr=False)
    exposure: str = ""

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.formula} by {self.method}: {self.convergence.status}, {self.n_pupils} rows"

    @property
    def method(self) -> str:
        """What was fitted, in the words of the table of estimates."""
        return self.fitted.fit.method

    @property
    def coefficients(self) -> Coefficients | None:
        """Fixed effects on the scale of the link; None when the fit failed."""
        return self.fitted.fit.coefficients

    @property
    def convergence(self) -> Convergence:
        """How the search ended."""
        return self.fitted.fit.convergence

    @property
    def status(self) -> Status:
        """Status of every estimate made from this fit."""
        return self.fitted.fit.status

    @property
    def n_pupils(self) -> int:
        """Rows in the fit."""
        return len(self.made.columns.y)

    @property
    def n_schools(self) -> int:
        """Number of groups of the grouping named after schools, else of the outermost."""
        return get_number_of_schools(self.groups)

    @property
    def groups(self) -> dict[str, int]:
        """Number of groups by grouping, outermost first."""
        return {grouping.name: len(grouping.labels) for grouping in self.made.groupings}

    @property
    def dispersion(self) -> float:
        """Variance of a count beyond Poisson's: mean + dispersion mean^2 given the groups."""
        return self.fitted.dispersion

    @property
    def n_missing(self) -> dict[str, int]:
        """Rows left out for a missing value by column, and ``"rows"`` in all."""
        return self.made.described.n_missing

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know, as sentences."""
        remarks = [self.fitted.note, self.convergence.reason if self.status == "boundary" else ""]
        if self.made.n_without_exposure:
            remarks.append(f"{self.made.n_without_exposure} rows were left out: their exposure is missing or zero.")
        return (*self.made.described.notes, *(note for note in remarks if note))

    @property
    def vcov(self) -> pd.DataFrame:
        """Variance of the fixed effects by maximum likelihood; tests use larger errors where groups are few."""
        return build_vcov_frame(self._require_fitted_coefficients())

    def estimate(self, term: str, *, conf_level: float = 0.95) -> Estimate:
        """Return one fixed effect with its t test and interval.

        Parameters
        ----------
        term
            Its name: ``arm[pilot]``; formulaic's ``arm[T.pilot]`` will do as well.
        conf_level
            Level of the two-sided interval, between 0 and 1.

        Returns
        -------
        Estimate
            With ``status="failed"`` when the fit failed or the term was left out.
        """
        row = self.fitted.fit.estimate(term.replace("[T.", "["), conf_level=conf_level)
        if row.status == "failed" and self.coefficients is not None and row.term not in self.made.columns.names:
            row = replace(row, reason=f"The model has no term {row.term}.")
        return replace(row, outcome=self.outcome, n_schools=self.n_schools, n_pupils=self.n_pupils)

    def contrast(self, weights: Mapping[str, float], *, name: str = "", conf_level: float = 0.95) -> Estimate:
        """Return a weighted sum of fixed effects with its t test and interval.

        Parameters
        ----------
        weights
            Weight of each effect; others have none.
        name
            For the row's ``term``; written from the weights otherwise.
        conf_level
            Level of the two-sided interval, between 0 and 1.

        Raises
        ------
        EstimationError
            When an effect is not in the model, or the fit failed.
        """
        coefficients = self._require_fitted_coefficients()
        row = contrast_weights(weights, coefficients.names, outcome=self.outcome)
        term = name or " + ".join(f"{weight:g} {effect}" for effect, weight in weights.items())
        assert self.fitted.vcov is not None  # noqa: S101  # `_require_fitted_coefficients` raises
        p = len(row)
        likelihood, adjusted = (
            math.sqrt(float(row @ vcov @ row)) for vcov in (coefficients.vcov, self.fitted.vcov[:p, :p])
        )
        shared = replace(self.estimate(coefficients.names[0], conf_level=conf_level), term=term)
        return build_t_estimate(
            shared,
            estimate=float(row @ coefficients.estimate),
            std_error=likelihood,
            df=float(coefficients.df[row != 0].min(initial=np.inf)),
            test_error=max(likelihood, adjusted),
            status=self.status,
        )

    def tidy(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """Return one row a fixed effect, in the columns of the table of estimates.

        Parameters
        ----------
        conf_level
            Level of the two-sided intervals, between 0 and 1.
        """
        names = self.coefficients.names if self.coefficients is not None else ()
        return estimates_frame([self.estimate(name, conf_level=conf_level) for name in names])

    def glance(self) -> pd.DataFrame:
        """Return one row for the fit: method, sizes, likelihood, information criteria, and how it ended."""
        import pandas as pd

        fit = self.fitted.fit
        deviance = fit.convergence.objective
        m = len(fit.variances) + (self.family == "negative_binomial")
        n_parameters = (0 if self.coefficients is None else len(self.coefficients.names)) + m
        row: dict[str, object] = {
            "method": fit.method,
            "family": self.family,
            "link": self.link,
            "se_type": fit.se_type,
            "df_method": fit.df_method,
            "n_schools": self.n_schools,
            "n_pupils": self.n_pupils,
            "n_missing": self.n_missing.get("rows", 0),
            "n_without_exposure": self.made.n_without_exposure,
            "dispersion": self.dispersion,
            "log_likelihood": -deviance / 2,
            "deviance": deviance,
            "aic": deviance + 2 * n_parameters,
            "bic": deviance + n_parameters * math.log(self.n_pupils),
            "n_parameters": n_parameters,
            "status": fit.convergence.status,
            "reason": fit.convergence.reason,
            "note": self.fitted.note,
        }
        row |= {f"n_groups_{name}": count for name, count in self.groups.items()}
        return pd.DataFrame([row])

    @property
    def components(self) -> tuple[VarianceComponent, ...]:
        """Variances and covariances of the groups' effects, on the scale of the link."""
        parts = [
            VarianceComponent(group=part.grouping, term=name, other="", variance=float(sd**2), sd=float(sd))
            for part in self.fitted.effects
            for name, sd in zip(part.names, part.sd, strict=True)
        ]
        if self.made.slope and self.fitted.effects:
            part = self.fitted.effects[0]
            covariance = self.fitted.fit.variances[f"{part.grouping}, covariance"]
            product = float(part.sd.prod())
            parts.append(
                VarianceComponent(
                    group=part.grouping,
                    term=part.names[1],
                    other=part.names[0],
                    variance=covariance,
                    sd=covariance / product if product > 0 else math.nan,
                )
            )
        return tuple(parts)

    def variance_components(self) -> pd.DataFrame:
        """Return one row a variance or covariance: group, term, other, variance, sd (or correlation)."""
        return build_components_frame(self.components)

    def icc(self) -> pd.DataFrame:
        """Return the share of the latent scale's variance that lies between groups.

        Returns
        -------
        pandas.DataFrame
            One row a grouping: group, icc. Of nested groupings the inner one's share includes the outer one's.

        Raises
        ------
        EstimationError
            When the fit failed, slopes differ between groups, or the link has no latent scale.
        """
        import pandas as pd

        self._require_fitted_coefficients()
        if self.made.slope or self.family != "binomial" or self.link not in _LATENT:
            raise EstimationError(
                f"model of '{self.outcome}'",
                "has no latent scale with one intraclass correlation.",
                "Use a logit or cloglog link with intercepts, or show `variance_components()`.",
            )
        variances = np.cumsum([part.variance for part in self.components])
        total_variance = variances[-1] + _LATENT[self.link]
        names = [part.group for part in self.components]
        return pd.DataFrame({"group": names, "icc": variances / total_variance})

    def random_effects(self) -> pd.DataFrame:
        """Return the predicted effects of the groups (conditional modes) on the scale of the link.

        Returns
        -------
        pandas.DataFrame
            One row a group and column: group, label, term, estimate, std_error (conditional on the estimates).

        Raises
        ------
        EstimationError
            When the fit failed.
        """
        import pandas as pd

        self._require_fitted_coefficients()
        rows = [
            [part.grouping, label, name, float(part.estimates[j, k]), float(part.errors[j, k])]
            for part in self.fitted.effects
            for j, label in enumerate(part.labels)
            for k, name in enumerate(part.names)
        ]
        return pd.DataFrame(rows, columns=["group", "label", "term", "estimate", "std_error"])

    def predict(self, data: pd.DataFrame, *, random: bool = True) -> np.ndarray:
        """Return predicted outcomes: shares, or counts in the rows' exposure.

        Parameters
        ----------
        data
            Rows with the model's columns. A missing value gives a missing prediction.
        random
            Whether the predicted effects of the groups are used; over groups that were not seen, or all of them, the
            mean of their distribution is taken.

        Returns
        -------
        numpy.ndarray
            Shape (rows,), in the outcome's units.

        Raises
        ------
        EstimationError
            When the fit failed, a column is not there, or a factor has a level that was not seen.
        """
        self._require_fitted_coefficients()
        spread, response = self.fitted.spread, self.fitted.response
        assert spread is not None and response is not None  # noqa: S101, PT018  # `_require_fitted_coefficients` raises
        x = self.design(data)
        eta, sd = x @ self._require_fitted_coefficients().estimate, spread.sd(x)[0]
        if random:
            eta, sd = self._add_seen_group_effects(data, x, eta, sd)
        known = np.isfinite(eta)
        result = np.full(len(x), np.nan)
        result[known] = compute_averaged_outcome(eta[known], sd[known], response)[0]
        return np.asarray(result * self._read_new_exposures(data))

    def design(self, data: pd.DataFrame) -> np.ndarray:
        """Return the fixed columns of rows, shape (rows, p), in the order of the coefficients."""
        place = f"prediction of '{self.outcome}'"
        described = self.made.described
        if described.design.spec is None:
            return np.ones((len(data), 1))
        frame = build_prediction_frame(data, [described.design.spec], described.levels, place=place)
        column_positions = [described.columns.index(name) for name in self._require_fitted_coefficients().names]
        return build_prediction_columns(described.design.spec, frame, place=place)[:, column_positions]

    def _add_seen_group_effects(
        self, data: pd.DataFrame, x: np.ndarray, eta: np.ndarray, sd: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Add the effects of the groups that were seen; what is left to average over is that of the others."""
        left = np.zeros(len(eta))
        for part in self.fitted.effects:
            labels = [
                group_labels(data, name, place=f"prediction of '{self.outcome}'") for name in part.grouping.split(":")
            ]
            joined = [None if None in each else ":".join(map(str, each)) for each in zip(*labels, strict=True)]
            places = {label: j for j, label in enumerate(part.labels)}
            group_places = np.array([places.get(label, -1) if label is not None else -1 for label in joined])
            seen = group_places >= 0
            loads = np.column_stack(
                [np.ones(len(x)), *(x[:, self._require_fitted_coefficients().names.index(n)] for n in part.names[1:])]
            )
            eta = eta + np.where(seen, (loads * part.estimates[group_places]).sum(axis=1), 0.0)
            group_variance = sd**2 if len(part.names) > 1 else np.full(len(eta), float(part.sd[0]) ** 2)
            left = left + np.where(seen, 0.0, group_variance)
        return eta, np.sqrt(left)

    def _read_new_exposures(self, data: pd.DataFrame) -> np.ndarray:
        if not self.exposure:
            return np.ones(len(data))
        if self.exposure not in data.columns:
            raise EstimationError(
                f"prediction of '{self.outcome}'", f"the data have no column '{self.exposure}'.", "Add the exposure."
            )
        return np.asarray(data[self.exposure].to_numpy(dtype=float, na_value=np.nan))

    def effects(self, factor: str, *, per: float = 1.0, conf_level: float = 0.95) -> EffectRows:
        """Return what the levels of a factor do, as if every pupil of the fit were at each of them.

        Parameters
        ----------
        factor
            A column of the formula that is not a number, such as ``"arm"``; its first level is the reference.
        per
            Units of exposure that rates of a count are per.
        conf_level
            Level of the two-sided intervals, between 0 and 1.

        Returns
        -------
        EffectRows
            Of a binary outcome ``quantity`` is "risk" (a row a level), "risk_difference", "risk_ratio",
            "marginal_odds_ratio" and "number_needed_to_treat"; of a count "rate", "rate_ratio", "rate_difference" and
            "mean_difference" (over a pupil's mean exposure). Averaged over pupils and groups; errors by the delta
            method at the variances that few groups call for.

        Raises
        ------
        EstimationError
            When the factor is not one of the formula's.
        """
        return build_standardised_effects(self, factor, per=per, conf_level=conf_level)

    def summary(self, *, conf_level: float = 0.95) -> str:
        """Return the fit in plain words, one statement per line.

        Parameters
        ----------
        conf_level
            Level of the two-sided intervals, between 0 and 1.
        """
        return outcome_summary_text(self, conf_level=conf_level)

    def _require_fitted_coefficients(self) -> Coefficients:
        return require_coefficients(self.coefficients, self.convergence, outcome=self.outcome)
