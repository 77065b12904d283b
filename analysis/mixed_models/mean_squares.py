"""Mean squares between and within schools given a model's columns, and what follows exactly from them.

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

from analysis.mixed_models.intercept import intercept_sums
from analysis.mixed_models.moments import Moments

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
        data = intercept_sums(sums)
        by_school, sizes, total = data.by_group[0], data.n[0], data.total[0]
        inner = total - (by_school / sizes[:, None]).T @ by_school
        kept = np.diag(inner)[:-1] > _NOTHING * np.diag(total)[:-1]
        varying = np.flatnonzero(kept)
        left = _left(inner[np.ix_([*varying, -1], [*varying, -1])])
        return cls(
            by_school=by_school,
            sizes=sizes,
            total=total,
            within=left,
            df_between=len(sizes) - (len(kept) - len(varying)),
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
        at = self.total - (self.by_school * weight[:, None]).T @ self.by_school
        return (_left(at) - self.within) / self.df_between / (self.within / self.df_within)

    def icc_interval(self, *, conf_level: float) -> tuple[float, float]:
        """Return the limits of the intraclass correlation, 0 to 1; NaN without degrees of freedom for them."""
        from scipy import stats

        if self.df_between < 1 or self.df_within < 1 or not self.within > 0:
            return math.nan, math.nan
        tail = (1 - conf_level) / 2
        ends = (float(stats.f.isf(p, self.df_between, self.df_within)) for p in (tail, 1 - tail))
        low, high = (self._ratio_at(end) for end in ends)
        return low / (1 + low), high / (1 + high)

    def _ratio_at(self, value: float) -> float:
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


def _left(cross: np.ndarray) -> float:
    """Return what the columns leave of the outcome's sum of squares."""
    if len(cross) == 1:
        return float(cross[0, 0])
    return float(cross[-1, -1] - cross[-1, :-1] @ np.linalg.solve(cross[:-1, :-1], cross[:-1, -1]))
