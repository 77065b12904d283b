"""One model with one random intercept: its optimum, by `analysis.intercept_search`, and its mean squares.

Mean squares between and within schools given a model's columns, and what follows exactly from them.
With l the variance between schools over that within, R(l) is what generalised least squares leaves of the outcome at l
beyond what the columns and a dummy a school leave together. R(l) / s^2 is chi-squared with r degrees of freedom at the
true l, independent of the mean square within, so that their ratio is an F statistic, which falls in l. Turned round it
gives limits of l, and so of the intraclass correlation l / (1 + l), that hold whatever the sizes of schools, strata and
other columns are. With equal schools and no columns it is the F interval of a one-way analysis of variance.

Sources: Harville and Fenech (1985), Biometrics 41, 137-152; Satterthwaite (1946), Biometrics Bulletin 2, 110-114.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.intercept_search import MOST_THETA, At, InterceptSums, compute_weighted_sums, find_intercept_optima
from analysis.mixed_models.jets import build_parameters, compute_likelihood_jet
from analysis.mixed_models.likelihood import LikelihoodSums, build_likelihood_sums
from analysis.mixed_models.moments import Moments
from analysis.mixed_models.search import Optimum, find_likelihood_optimum
from analysis.terms import INTERCEPT


def is_intercept(sums: Moments) -> bool:
    """Return whether a model is one with one random intercept and no other."""
    plain = len(sums.levels) == 1 and len(sums.n_rows) == 1 and sums.total.shape[1] == sums.p + 1
    return plain and len(sums.levels[0].places) == 1 and sums.levels[0].places[0] == 0 and _has_ones(sums)


def _has_ones(sums: Moments) -> bool:
    return sums.levels[0].blocks[0].names == (INTERCEPT,) and sums.basis.names[:1] == (INTERCEPT,)


def convert_to_intercept_sums(sums: Moments) -> InterceptSums:
    """Return a model's sums as those of a batch of one."""
    level = sums.levels[0]
    starts = None
    if sums.strata is not None:
        starts = np.searchsorted(level.parent, np.arange(sums.strata.n_groups))
    return InterceptSums(
        by_group=level.cross[:, :, 0, :],
        n=level.cross[:, :, 0, 0],
        total=sums.total,
        starts=starts,
        n_rows=sums.n_rows,
        n_fixed=sums.n_fixed,
        log_weights=np.array([sums.log_weights]),
    )


def find_best_likelihood(sums: Moments, *, reml: bool) -> tuple[Optimum, LikelihoodSums]:
    """Return the optimum of a model's likelihood, and the likelihood there with its derivatives."""
    if is_intercept(sums):
        return find_intercept_optimum(sums, reml=reml)
    best = find_likelihood_optimum(sums, reml=reml)
    which = build_parameters(sums)
    jet = compute_likelihood_jet(sums, which, best.variances, order=2)
    return best, build_likelihood_sums(jet, n_parameters=which.n, n=sums.n, n_fixed=sums.n_fixed)


def find_intercept_optimum(sums: Moments, *, reml: bool) -> tuple[Optimum, LikelihoodSums]:
    """Maximise the likelihood of one model with one random intercept.

    Returns
    -------
    tuple
        The optimum, and the likelihood there with derivatives by the two variances.
    """
    data = convert_to_intercept_sums(sums)
    optima = find_intercept_optima(data, reml=reml)
    theta = float(optima.theta[0])
    weighted_sums = compute_weighted_sums(data, np.array([theta**2]), order=2)
    unscaled = weighted_sums.total[0, 0]
    left = float(unscaled[-1, -1] - unscaled[:-1, -1] @ np.linalg.solve(unscaled[:-1, :-1], unscaled[:-1, -1]))
    sigma2 = max(left, float(np.finfo(float).tiny)) / (sums.n - (sums.n_fixed if reml else 0))
    reason = ""
    if theta > MOST_THETA:
        reason = "Rows of a group have the same value of this outcome: it is one of groups and needs a row a group."
        n_above = int(find_constant_columns(sums).sum()) + sums.n_fixed - sums.p
        if n_above >= sums.levels[0].n_groups:
            name = sums.levels[0].name
            reason = f"{n_above} columns of the model are constant within '{name}', of which there are no more groups."
    best = Optimum(
        theta=np.array([theta]),
        variances=np.array([theta**2 * sigma2, sigma2]),
        deviance=float(optima.deviance[0]),
        singular=theta < 1e-4,
        n_evaluations=optima.n_evaluations,
        gradient=abs(float(optima.slope[0])),
        reason=reason,
    )
    return best, _compute_likelihood_by_parts(data, weighted_sums, theta**2, sigma2)


def _compute_likelihood_by_parts(sums: InterceptSums, at: At, ratio: float, sigma2: float) -> LikelihoodSums:
    first, second = _compute_variance_derivatives(at.total[0], ratio, sigma2)
    n, n_strata = float(sums.n_rows[0]), at.strata.shape[2]
    return LikelihoodSums(
        total=at.total[0, 0] / sigma2,
        first=first,
        second=second,
        log_det_v=_log_by_variances(at.log_v[0], n, ratio, sigma2),
        log_det_strata=_log_by_variances(at.log_strata[0], -float(n_strata), ratio, sigma2),
        strata=(at.strata[0, 0] / sigma2, *_compute_variance_derivatives(at.strata[0], ratio, sigma2)),
        n=int(sums.n_rows[0]),
        n_fixed=sums.n_fixed,
    )


def _compute_variance_derivatives(f: np.ndarray, ratio: float, sigma2: float) -> tuple[np.ndarray, np.ndarray]:
    """Return derivatives by (s_u^2, s^2) of f(s_u^2 / s^2) / s^2, given f and its two derivatives by the ratio."""
    first = np.stack([f[1], -(f[0] + ratio * f[1])]) / sigma2**2
    across = -(2 * f[1] + ratio * f[2])
    second = np.stack([f[2], across, across, 2 * f[0] + 4 * ratio * f[1] + ratio**2 * f[2]]) / sigma2**3
    return first, second.reshape(2, 2, *f.shape[1:])


def _log_by_variances(f: np.ndarray, power: float, ratio: float, sigma2: float) -> tuple[float, np.ndarray, np.ndarray]:
    """Return value and derivatives of power log(s^2) + f(s_u^2 / s^2)."""
    first = np.array([f[1], power - ratio * f[1]]) / sigma2
    across = -(f[1] + ratio * f[2])
    second = np.array([[f[2], across], [across, -power + 2 * ratio * f[1] + ratio**2 * f[2]]]) / sigma2**2
    return float(f[0] + power * np.log(sigma2)), first, second


def find_constant_columns(sums: Moments) -> np.ndarray:
    """Return which columns are constant within every outermost group, shape (p,), bool.

    A column is constant within groups when its sum of squares about its mean equals that of the groups' means.

    Parameters
    ----------
    sums
        Of a model whose outermost groups have a random intercept, a fixed intercept being the first column.
    """
    by_group = sums.levels[-1].cross[0, :, 0, : sums.p]
    total = sums.total[0, : sums.p, : sums.p]
    between = (by_group / by_group[:, :1]).T @ by_group
    # Back to the columns as they were, less their means.
    back = np.linalg.inv(sums.basis.matrix)[1:]
    within = ((total - between)[1:, 1:] @ back * back).sum(axis=0)
    squares = (total[1:, 1:] @ back * back).sum(axis=0)
    return np.asarray(within <= 1e-10 * squares)


# Share of a column's sum of squares below which schools leave nothing of it.
_NOTHING = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanSquares:
    """What a random school intercept's exact inference needs of the data.

    Parameters
    ----------
    by_school
        Shape (J, p + 1), column sums of [X y] in each school, in the model's basis.
    sizes
        Shape (J,), pupils.
    total
        Shape (p + 1, p + 1), cross-products over all pupils.
    within
        Sum of squares that columns and dummies of schools leave, scaled units.
    df_between, df_within
        Degrees of freedom of R and of ``within``.
    """

    by_school: np.ndarray
    sizes: np.ndarray
    total: np.ndarray
    within: float
    df_between: int
    df_within: int

    @classmethod
    def of(cls, sums: Moments) -> MeanSquares:
        """Take the sums of a model with one random intercept and no weights."""
        data = convert_to_intercept_sums(sums)
        by_school, sizes, total = data.by_group[0], data.n[0], data.total[0]
        inner = total - (by_school / sizes[:, None]).T @ by_school
        is_within_school = np.diag(inner)[:-1] > _NOTHING * np.diag(total)[:-1]
        varying = np.flatnonzero(is_within_school)
        left = _compute_residual_square(inner[np.ix_([*varying, -1], [*varying, -1])])
        return cls(
            by_school=by_school,
            sizes=sizes,
            total=total,
            within=left,
            df_between=len(sizes) - (len(is_within_school) - len(varying)),
            df_within=int(sizes.sum()) - len(sizes) - len(varying),
        )

    @property
    def mean_size(self) -> float:
        """How often the variance between schools is in the mean square between: the size of equal schools."""
        bread = np.linalg.inv(self.total[:-1, :-1])
        x = self.by_school[:, :-1]
        return float((self.sizes.sum() - np.einsum("jp,pq,jq->", x, bread, x)) / self.df_between)

    def f_ratio(self, ratio: float) -> float:
        """Return the mean square between over that within, schools weighted for a ratio of variances."""
        weight = ratio / (1 + ratio * self.sizes)
        residual_products = self.total - (self.by_school * weight[:, None]).T @ self.by_school
        return (
            (_compute_residual_square(residual_products) - self.within)
            / self.df_between
            / (self.within / self.df_within)
        )

    def icc_interval(self, *, conf_level: float) -> tuple[float, float]:
        """Return the limits of the intraclass correlation, 0 to 1; NaN without degrees of freedom for them."""
        from scipy import stats

        if self.df_between < 1 or self.df_within < 1 or not self.within > 0:
            return math.nan, math.nan
        tail = (1 - conf_level) / 2
        ends = (float(stats.f.isf(p, self.df_between, self.df_within)) for p in (tail, 1 - tail))
        low, high = (self._find_ratio_at_f(end) for end in ends)
        return low / (1 + low), high / (1 + high)

    def _find_ratio_at_f(self, value: float) -> float:
        """Return the ratio of variances at which the F statistic has a value; 0 where it is below already."""
        from scipy import optimize

        if self.f_ratio(0.0) <= value:
            return 0.0
        far = 1.0
        while self.f_ratio(far) > value and far < 1e8:
            far *= 4
        return float(optimize.brentq(lambda ratio: self.f_ratio(ratio) - value, 0.0, far, xtol=1e-12))

    def total_variance_df(self, icc: float) -> float:
        """Return the degrees of freedom of the total variance, the sum of both components, by Satterthwaite.

        Parameters
        ----------
        icc
            Intraclass correlation, 0 to 1.
        """
        share = 1 / self.mean_size
        between = share * (1 - icc) + icc  # the mean square between by its share of the total variance
        return 1 / (between**2 / self.df_between + ((1 - share) * (1 - icc)) ** 2 / self.df_within)


def _compute_residual_square(cross: np.ndarray) -> float:
    """Return what the columns leave of the outcome's sum of squares."""
    if len(cross) == 1:
        return float(cross[0, 0])
    return float(cross[-1, -1] - cross[-1, :-1] @ np.linalg.solve(cross[:-1, :-1], cross[:-1, -1]))
