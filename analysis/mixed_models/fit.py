"""A fitted multilevel model: what is answered, and the questions that can be put to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from analysis.inference import kenward_roger as kr
from analysis.mixed_models import random_effects, satterthwaite
from analysis.mixed_models.moments import Described
from analysis.mixed_models.prediction import build_marginal_rows, predict_outcomes
from analysis.mixed_models.profile import build_icc_frame, compute_effect_interval, compute_sd_interval
from analysis.mixed_models.random_effects import StrataContrasts, compute_strata_contrasts, get_strata_names
from analysis.mixed_models.robust import ONE_CLUSTER, RobustErrors
from analysis.mixed_models.summary import (
    build_components_frame,
    build_vcov_frame,
    contrast_weights,
    describe_fit,
    get_number_of_schools,
    require_coefficients,
)
from analysis.mixed_models.working import MixedDfMethod, VarianceComponent, Working
from analysis.results import (
    Coefficients,
    Convergence,
    Estimate,
    Status,
    build_t_estimate,
    create_failed_row,
    estimates_frame,
)
from analysis.terms import INTERCEPT
from data_schema.errors import EstimationError

if TYPE_CHECKING:
    import pandas as pd

ShownSeType = Literal["model", "kenward_roger", "CR0", "CR1", "CR2", "CR3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedFit:
    """A linear multilevel model, fitted.

    Parameters
    ----------
    formula
        As it was read.
    outcome
        Left of the tilde.
    method
        "linear_mixed_reml" or "linear_mixed_ml".
    df_method
        "kenward_roger" or "satterthwaite".
    coefficients
        Fixed effects; None when the fit failed. With Kenward and Roger's method ``vcov`` is the adjusted one, with
        cluster-robust errors that of the sandwich.
    convergence
        How the search ended: "converged", "boundary" (a variance of zero, a correlation of one), "failed".
    components
        Variances and covariances.
    groups
        Number of groups by grouping, outermost first.
    n_pupils
        Rows in the fit.
    n_missing
        Rows left out for a missing value by column, and ``"rows"`` in all.
    dropped
        Columns left out as combinations of others, with the sentence why.
    notes
        What a reader should know, as sentences.
    log_likelihood
        Restricted where the fit is; NaN when failed.
    n_parameters
        Fixed coefficients, variances and covariances.
    described
        How the data became columns.
    se_type
        How errors were made: "kenward_roger", "model", or "CR2" and its like.
    working
        For further questions; None when the fit failed.
    robust
        The same for cluster-robust errors; None without.
    """

    formula: str
    outcome: str
    method: str
    df_method: MixedDfMethod
    coefficients: Coefficients | None
    convergence: Convergence
    described: Described
    components: tuple[VarianceComponent, ...] = ()
    groups: dict[str, int] = field(default_factory=dict)
    n_pupils: int = 0
    n_missing: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    log_likelihood: float = math.nan
    n_parameters: int = 0
    se_type: ShownSeType = "model"
    working: Working | None = field(default=None, repr=False)
    robust: RobustErrors | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.formula} by {self.method}: {self.convergence.status}, {self.n_pupils} rows"

    @property
    def status(self) -> Status:
        """Status of every estimate made from this fit."""
        return "ok" if self.convergence.status == "converged" else self.convergence.status

    @property
    def n_schools(self) -> int:
        """Number of groups of the grouping named after schools, else of the outermost."""
        return get_number_of_schools(self.groups)

    @property
    def vcov(self) -> pd.DataFrame:
        """Variance of the fixed effects, by name."""
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
        row = self._build_estimate_row(term.replace("[T.", "["), conf_level=conf_level)
        if self.coefficients is None:
            return replace(row, status="failed", reason=self.convergence.reason)
        if self.working is not None and row.term in get_strata_names(self.working.sums):
            return self._build_strata_rows(conf_level=conf_level)[get_strata_names(self.working.sums).index(row.term)]
        if row.term not in self.coefficients.names:
            reason = self.dropped.get(row.term, f"The model has no term {row.term}.")
            return replace(row, status="failed", reason=reason)
        place = self.coefficients.names.index(row.term)
        return self._build_tested_row(
            row,
            estimate=float(self.coefficients.estimate[place]),
            std_error=math.sqrt(max(float(self.coefficients.vcov[place, place]), 0.0)),
            df=float(self.coefficients.df[place]),
        )

    def _build_tested_row(self, row: Estimate, *, estimate: float, std_error: float, df: float) -> Estimate:
        if self.robust is not None and math.isnan(df):
            return replace(row, status="failed", reason=ONE_CLUSTER.format(cluster=self.robust.cluster))
        return build_t_estimate(row, estimate=estimate, std_error=std_error, df=df, status=self.status)

    def strata_effects(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """Return one row per stratum of a factor that was kept out of the dense columns, against its reference level.

        Parameters
        ----------
        conf_level
            Level of the two-sided intervals, between 0 and 1.
        """
        return estimates_frame(self._build_strata_rows(conf_level=conf_level))

    def _build_strata_rows(self, *, conf_level: float) -> list[Estimate]:
        working = self.working
        if working is None or working.sums.strata is None:
            return []
        n_strata, p = working.at.strata[0].shape[0], len(working.at.phi)
        effects = self._compute_effect_contrasts(working, rows=np.zeros((n_strata, p)), weights=np.eye(n_strata))
        unit = working.sums.basis.scale
        return [
            self._build_tested_row(
                self._build_estimate_row(name, conf_level=conf_level),
                estimate=float(estimate * unit),
                std_error=float(error * unit),
                df=float(df),
            )
            for name, estimate, error, df in zip(
                get_strata_names(working.sums), effects.estimates, effects.errors, effects.df, strict=True
            )
        ]

    def _compute_effect_contrasts(self, working: Working, *, rows: np.ndarray, weights: np.ndarray) -> StrataContrasts:
        if self.robust is not None:
            return self.robust.contrasts(rows, weights)
        adjust = self.df_method == "kenward_roger"
        return compute_strata_contrasts(working.at, rows=rows, weights=weights, spread=working.spread, adjust=adjust)

    def icc(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """Return intraclass correlations: the share of the variance that lies between groups.

        Parameters
        ----------
        conf_level
            Level of the intervals, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            One row a grouping: group, icc, conf_low, conf_high, conf_level, method. Of nested groupings the inner one's
            share includes the outer one's: it is the correlation of two rows of the same inner group. With random
            slopes it is that of rows whose slopes' columns are zero; with residual variances by group, of the mean
            residual variance. One random intercept has a profile-likelihood interval, all else one by the delta method
            on the logit scale.

        Raises
        ------
        EstimationError
            When the fit failed.
        """
        self._require_fitted_coefficients()
        assert self.working is not None  # noqa: S101  # `_require_fitted_coefficients` raises
        return build_icc_frame(self.working, conf_level=conf_level)

    def profile_intervals(self, terms: Sequence[str] | None = None, *, conf_level: float = 0.95) -> pd.DataFrame:
        """Return profile-likelihood intervals of fixed effects and standard deviations, by maximum likelihood.

        Parameters
        ----------
        terms
            Fixed effects; all of them, and all standard deviations, when None.
        conf_level
            Level, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            One row a parameter: group ("fixed" for fixed effects), term, conf_low, conf_high, conf_level. The lower
            limit of a standard deviation is 0 where the likelihood does not rule that out.

        Raises
        ------
        EstimationError
            When the fit failed or has no such effect.
        """
        import pandas as pd

        coefficients = self._require_fitted_coefficients()
        working = self.working
        assert working is not None  # noqa: S101  # `_require_fitted_coefficients` raises
        sums, unit = working.sums, working.sums.basis.scale
        rows = []
        for term in coefficients.names if terms is None else terms:
            weights = self._build_contrast_weights({term: 1.0})
            scaled = weights @ sums.basis.matrix
            low, high = compute_effect_interval(
                sums,
                scaled,
                estimate=float(scaled @ working.at.beta),
                error=float(np.sqrt(scaled @ working.at.phi @ scaled)),
                conf_level=conf_level,
            )
            shift = float(weights @ sums.basis.shift)
            rows.append(("fixed", term, low * unit + shift, high * unit + shift, conf_level))
        for part in self.components if terms is None else ():
            if not part.other:
                low, high = compute_sd_interval(sums, group=part.group, term=part.term, conf_level=conf_level)
                rows.append((part.group, part.term, low * unit, high * unit, conf_level))
        return pd.DataFrame(rows, columns=["group", "term", "conf_low", "conf_high", "conf_level"])

    def marginal_means(
        self, factor: str, *, at: Mapping[str, float | str] | None = None, conf_level: float = 0.95
    ) -> pd.DataFrame:
        """Return the mean outcome at every level of a factor, all else alike.

        Parameters
        ----------
        factor
            A column of the fixed part that is not a number.
        at
            Values of other columns. Otherwise numbers are at their means and factors (and strata) are averaged over
            their levels with equal weight, as emmeans does.
        conf_level
            Level of the two-sided intervals, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            The table of estimates, one row a level.

        Raises
        ------
        EstimationError
            When the fit failed or the model has no such factor, or no such value of ``at``.
        """
        return estimates_frame(self._estimate_marginal_rows(factor, at=at, conf_level=conf_level, pairs=False))

    def marginal_contrasts(
        self, factor: str, *, at: Mapping[str, float | str] | None = None, conf_level: float = 0.95
    ) -> pd.DataFrame:
        """Return the differences of the marginal means of a factor, all pairs of levels; see `marginal_means`."""
        return estimates_frame(self._estimate_marginal_rows(factor, at=at, conf_level=conf_level, pairs=True))

    def _estimate_marginal_rows(
        self, factor: str, *, at: Mapping[str, float | str] | None, conf_level: float, pairs: bool
    ) -> list[Estimate]:
        coefficients = self._require_fitted_coefficients()
        working = self.working
        assert working is not None  # noqa: S101  # `_require_fitted_coefficients` raises
        grid = build_marginal_rows(self.described, coefficients.names, factor, at=at or {}, strata=working.sums.strata)
        labels, rows, weights = grid.pairs() if pairs else (grid.labels, grid.rows, grid.weights)
        unit = working.sums.basis.scale
        contrasts = self._compute_effect_contrasts(working, rows=rows @ working.sums.basis.matrix, weights=weights)
        return [
            self._build_tested_row(
                self._build_estimate_row(label, conf_level=conf_level),
                estimate=float(estimate * unit + row @ working.sums.basis.shift),
                std_error=float(error * unit),
                df=float(df),
            )
            for label, row, estimate, error, df in zip(
                labels, rows, contrasts.estimates, contrasts.errors, contrasts.df, strict=True
            )
        ]

    def predict(self, data: pd.DataFrame, *, random: bool = True) -> np.ndarray:
        """Return predictions.

        Parameters
        ----------
        data
            Rows with the model's columns. A missing value gives a missing prediction.
        random
            Whether the predicted effects of the groups are added; those of groups not seen are zero.

        Returns
        -------
        numpy.ndarray
            Shape (rows,), in the outcome's units.

        Raises
        ------
        EstimationError
            When the fit failed, a column is not there, or a factor has a level that was not seen.
        """
        coefficients = self._require_fitted_coefficients()
        assert self.working is not None  # noqa: S101  # `_require_fitted_coefficients` raises
        return predict_outcomes(self.working, self.described, coefficients, data, random=random)

    def summary(self, *, conf_level: float = 0.95) -> str:
        """Return the fit in plain words, one statement per line.

        Parameters
        ----------
        conf_level
            Level of the two-sided intervals, between 0 and 1.
        """
        return describe_fit(self, conf_level=conf_level)

    def contrast(
        self, weights: Mapping[str, float], *, null: float = 0.0, name: str = "", conf_level: float = 0.95
    ) -> Estimate:
        """Return a weighted sum of fixed effects with its t test and interval.

        Parameters
        ----------
        weights
            Weight of each effect; others have none.
        null
            Value under the null hypothesis, which statistic and p-value are about.
        name
            For the row's ``term``; written from the weights otherwise.
        conf_level
            Level of the two-sided interval, between 0 and 1.

        Raises
        ------
        EstimationError
            When an effect is not in the model.
        """
        term = name or " + ".join(f"{weight:g} {effect}" for effect, weight in weights.items())
        row = self._build_estimate_row(term, conf_level=conf_level)
        if self.working is None or self.coefficients is None:
            return create_failed_row(replace(row, reason=self.convergence.reason))
        return self._contrast_row(row, self._build_contrast_weights(weights), null=null)

    def _contrast_row(self, row: Estimate, weights: np.ndarray, *, null: float = 0.0) -> Estimate:
        working, coefficients = self.working, self.coefficients
        if working is None or coefficients is None:
            return create_failed_row(replace(row, reason=self.convergence.reason))
        scaled = weights @ working.to_original
        if self.robust is not None:
            degrees = self.robust.contrasts(scaled[None]).df
        else:
            variance, slopes = scaled @ working.at.phi @ scaled, (working.slopes @ scaled) @ scaled
            degrees = kr.compute_contrast_df(np.array([variance]), slopes[None], working.spread)
        estimate = float(weights @ coefficients.estimate)
        error = math.sqrt(max(float(weights @ coefficients.vcov @ weights), 0.0))
        moved = self._build_tested_row(row, estimate=estimate - null, std_error=error, df=float(degrees[0]))
        return replace(
            moved, estimate=moved.estimate + null, conf_low=moved.conf_low + null, conf_high=moved.conf_high + null
        )

    def f_test(self, terms: str | Sequence[str]) -> pd.DataFrame:
        """Test fixed effects jointly against zero.

        Parameters
        ----------
        terms
            A term of the formula (``"arm"``: all its columns), or names of effects.

        Returns
        -------
        pandas.DataFrame
            One row: term, statistic, df_numerator, df_denominator, p_value, scaling (of Kenward and Roger's F, or of
            Hotelling's T-squared with cluster-robust errors), df_method.

        Raises
        ------
        EstimationError
            When the model has no such effects, or failed, or clusters are too few to test so many effects by
            cluster-robust errors.
        """
        names = self._get_term_column_names(terms)
        contrasts = np.stack([self._build_contrast_weights({name: 1.0}) for name in names])
        tested = self.joint_test(contrasts)
        method = self.df_method if self.robust is None else "hotelling"
        return kr.build_f_test_frame(tested, terms if isinstance(terms, str) else " + ".join(names), df_method=method)

    def joint_test(self, contrasts: np.ndarray, *, null: np.ndarray | None = None) -> kr.FTest:
        """Test contrasts of the fixed effects jointly.

        Parameters
        ----------
        contrasts
            Shape (k, p), of full row rank, one per row in the order of ``coefficients.names``.
        null
            Shape (k,), their values under the null hypothesis; zeros otherwise.

        Raises
        ------
        EstimationError
            When the fit failed, or clusters are too few to test so many contrasts by cluster-robust errors.
        """
        coefficients = self._require_fitted_coefficients()
        working = self.working
        assert working is not None  # noqa: S101  # `_require_fitted_coefficients` raises
        unit = working.sums.basis.scale
        scaled = contrasts @ working.to_original / unit
        difference = contrasts @ coefficients.estimate - (0.0 if null is None else null)
        if self.robust is not None:
            return self.robust.joint_test(scaled, difference / unit)
        if self.df_method == "kenward_roger":
            fitted = kr.KenwardRoger(
                phi=working.at.phi, adjusted=working.adjusted, slopes=working.slopes, spread=working.spread
            )
            return kr.compute_kenward_roger_f_test(fitted, scaled, difference / unit)
        return satterthwaite.compute_satterthwaite_f_test(
            working.at.phi, working.slopes, working.spread, scaled, difference / unit
        )

    def tidy(self, *, strata: bool = True, conf_level: float = 0.95) -> pd.DataFrame:
        """Return one row a fixed effect, in the columns of the table of estimates.

        Parameters
        ----------
        strata
            Whether effects of a factor that was kept out of the dense columns come last, or not at all.
        conf_level
            Level of the two-sided intervals, between 0 and 1.
        """
        names = self.coefficients.names if self.coefficients is not None else ()
        rows = [self.estimate(name, conf_level=conf_level) for name in names]
        return estimates_frame(rows + (self._build_strata_rows(conf_level=conf_level) if strata else []))

    def glance(self) -> pd.DataFrame:
        """Return one row for the fit: method, sizes, likelihood, information criteria, and how it ended."""
        import pandas as pd

        deviance = -2 * self.log_likelihood
        row: dict[str, object] = {
            "method": self.method,
            "se_type": self.se_type,
            "df_method": self.df_method,
            "n_schools": self.n_schools,
            "n_pupils": self.n_pupils,
            "n_missing": self.n_missing.get("rows", 0),
            "log_likelihood": self.log_likelihood,
            "deviance": deviance,
            "aic": deviance + 2 * self.n_parameters,
            "bic": deviance + self.n_parameters * math.log(self.n_pupils) if self.n_pupils else math.nan,
            "n_parameters": self.n_parameters,
            "status": self.convergence.status,
            "reason": self.convergence.reason,
        }
        row |= {f"n_groups_{name}": count for name, count in self.groups.items()}
        return pd.DataFrame([row])

    def variance_components(self) -> pd.DataFrame:
        """Return one row a variance or covariance: group, term, other, variance, sd (or correlation)."""
        return build_components_frame(self.components)

    def random_effects(self) -> pd.DataFrame:
        """Return the predicted effects of the groups (BLUPs).

        Returns
        -------
        pandas.DataFrame
            One row a group and column: group, label, term, estimate, std_error. The error is the conditional standard
            deviation given the fixed effects and variances, lme4's ``condVar``.

        Raises
        ------
        EstimationError
            When the fit failed.
        """
        self._require_fitted_coefficients()
        assert self.working is not None  # noqa: S101  # `_require_fitted_coefficients` raises
        return random_effects.build_effects_frame(self.working.sums, self.working.optimum.variances, self.working.at)

    def _build_estimate_row(self, term: str, *, conf_level: float) -> Estimate:
        return Estimate(
            term=term,
            outcome=self.outcome,
            conf_level=conf_level,
            n_schools=self.n_schools,
            n_pupils=self.n_pupils,
            method=self.method,
            se_type=self.se_type,
            df_method=self.df_method,
        )

    def _require_fitted_coefficients(self) -> Coefficients:
        return require_coefficients(self.coefficients, self.convergence, outcome=self.outcome)

    def _build_contrast_weights(self, weights: Mapping[str, float]) -> np.ndarray:
        return contrast_weights(weights, self._require_fitted_coefficients().names, outcome=self.outcome)

    def _get_term_column_names(self, terms: str | Sequence[str]) -> list[str]:
        if not isinstance(terms, str):
            return list(terms)
        names = self._require_fitted_coefficients().names
        strata = self.working.sums.strata if self.working is not None else None
        if strata is not None and terms == strata.name:
            raise EstimationError(
                f"joint test of '{terms}'",
                f"its {strata.n_groups - 1} effects are kept out of the dense columns.",
                "Compare with the model without it by `likelihood_ratio_test`, both with reml=False.",
            )
        design = self.described.design
        if terms in design.terms:
            column_names = [self.described.columns[place] for place in design.terms[terms]]
            return [name for name in column_names if name in names]
        return [INTERCEPT if terms == "1" else terms]
