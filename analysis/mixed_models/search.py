"""The variances of greatest likelihood, by Newton's method on the factors of the covariance matrices.

As in lme4 (Bates et al. 2015, J. Statistical Software 67(1)) the parameters are the entries theta of lower triangular
factors L, Psi / s^2 = L L', and the scale s is profiled out; derivatives are exact, so that the search ends at the
optimum to rounding, also where a variance is zero (the deviance is even in the factor's diagonal).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from analysis.mixed_models.jets import Parameters, build_parameters, compute_likelihood_jet
from analysis.mixed_models.likelihood import LikelihoodSums, build_likelihood_sums
from analysis.mixed_models.moments import Moments

_STARTS = (0.05, 0.4, 1.5)
_MOST_STARTS = 30
_STEPS = 200
# Beyond this standard deviation, in units of the residual's, rows of a group are alike.
_GREATEST = 1e4
# Residual variances below this share of another's are on their way to zero.
_VANISHED = 1e-4
# Diagonal entries of a factor below this are zero (lme4 calls a fit singular below 1e-4).
_ZERO = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """Where the likelihood is greatest.

    Parameters
    ----------
    theta
        Shape (k,), entries of the relative factors.
    variances
        Shape (r,), the parameters: entries of covariance matrices and residual variances, of the scaled outcome.
    deviance
        Of the scaled columns.
    singular
        Whether a covariance matrix has no full rank.
    n_evaluations
        How often the likelihood was evaluated.
    gradient
        Largest absolute slope of the deviance by the factors' entries and log variances.
    reason
        Why there is no optimum; empty otherwise.
    """

    theta: np.ndarray
    variances: np.ndarray
    deviance: float
    singular: bool
    n_evaluations: int
    gradient: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorMap:
    """How the parameters, relative to the scale, follow from what is searched.

    Searched are the k entries theta of the factors and the log ratios of residual variances to the first.

    Parameters
    ----------
    forms
        Shape (k, k, k): entry i of the covariance matrices is theta'C_i theta.
    diagonal
        Positions of the factors' diagonals.
    n_residual
        Number of residual variances.
    """

    forms: np.ndarray
    diagonal: np.ndarray
    n_residual: int

    def values(self, phi: np.ndarray) -> np.ndarray:
        """Return the parameters, shape (r,)."""
        k = len(self.forms)
        return np.concatenate([(self.forms @ phi[:k]) @ phi[:k], [1.0], np.exp(phi[k:])])

    def jacobian(self, phi: np.ndarray) -> np.ndarray:
        """Return the parameters' derivatives by what is searched, shape (r, r - 1)."""
        k = len(self.forms)
        result = np.zeros((k + self.n_residual, len(phi)))
        result[:k, :k] = 2 * self.forms @ phi[:k]
        result[k + 1 :, k:] = np.diag(np.exp(phi[k:]))
        return result

    def curvature(self, phi: np.ndarray, gradient: np.ndarray, *, scale: float) -> np.ndarray:
        """Return what second derivatives of the parameters add to a Hessian, for the scale as a last parameter too."""
        k = len(self.forms)
        result = np.zeros((len(phi) + 1, len(phi) + 1))
        result[:k, :k] = 2 * scale * np.tensordot(gradient[:k], self.forms, axes=1)
        result[k:-1, k:-1] = scale * np.diag(gradient[k + 1 :] * np.exp(phi[k:]))
        return result

    def chained(self, phi: np.ndarray, gradient: np.ndarray, hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return gradient and Hessian by what is searched."""
        jacobian = self.jacobian(phi)
        curve = jacobian.T @ hessian @ jacobian + self.curvature(phi, gradient, scale=1.0)[:-1, :-1]
        return jacobian.T @ gradient, curve


def build_factor_map(which: Parameters, sums: Moments) -> FactorMap:
    """Return how entries of covariance matrices follow from entries of their factors."""
    k = len(which.level)
    forms = np.zeros((k, k, k))
    place = {(which.level[i], which.row[i], which.column[i]): i for i in range(k)}
    block_of = {
        (number, block.start + a): block.start
        for number, level in enumerate(sums.levels)
        for block in level.blocks
        for a in range(block.size)
    }
    for i in range(k):
        level, row, column = which.level[i], which.row[i], which.column[i]
        for inner in range(block_of[level, column], column + 1):
            s, t = place[level, row, inner], place[level, column, inner]
            forms[i, s, t] += 0.5
            forms[i, t, s] += 0.5
    diagonal = np.flatnonzero(which.row == which.column)
    return FactorMap(forms=forms, diagonal=diagonal, n_residual=which.n_residual)


def find_likelihood_optimum(sums: Moments, *, reml: bool, start: np.ndarray | None = None) -> Optimum:
    """Maximise the likelihood of a model's sums.

    Parameters
    ----------
    sums
        The data.
    reml
        Restricted maximum likelihood, or maximum likelihood.
    start
        Shape (k,), factors to start from; a coarse grid otherwise.
    """
    which = build_parameters(sums)
    change = build_factor_map(which, sums)
    search = Search(sums=sums, which=which, change=change, reml=reml)
    starts = _find_search_starts(search) if start is None else [np.concatenate([start, np.zeros(which.n_residual - 1)])]
    ends = [search.newton(begin) for begin in starts]
    phi, deviance, slope = min(ends, key=lambda end: end[1])
    return search.finish(phi, deviance, slope)


def _find_search_starts(search: Search) -> list[np.ndarray]:
    """Return the two best of a coarse grid of standard deviations."""
    change = search.change
    k, d = len(change.forms), len(change.diagonal)
    choices = product(_STARTS, repeat=d) if len(_STARTS) ** d <= _MOST_STARTS else ((s,) * d for s in _STARTS)
    grid = []
    for choice in choices:
        phi = np.zeros(k + change.n_residual - 1)
        phi[change.diagonal] = choice
        grid.append((search.value(phi), tuple(phi)))
    grid.sort()
    return [np.array(phi) for _, phi in grid[: 2 if d > 1 else 1]]


@dataclass(slots=True, kw_only=True)
class Search:
    """A search for the greatest likelihood; it counts its evaluations."""

    sums: Moments
    which: Parameters
    change: FactorMap
    reml: bool
    count: int = 0

    def likelihood(self, phi: np.ndarray, order: int) -> LikelihoodSums:
        """Return the likelihood's sums."""
        self.count += 1
        jet = compute_likelihood_jet(self.sums, self.which, self.change.values(phi), order=order)
        return build_likelihood_sums(jet, n_parameters=self.which.n, n=self.sums.n, n_fixed=self.sums.n_fixed)

    def value(self, phi: np.ndarray) -> float:
        """Return the deviance; infinite where there is none."""
        with np.errstate(all="ignore"):
            likelihood = self.likelihood(phi, 0)
            left = likelihood.residual
            if not left > 0:
                return np.inf
            log_det = likelihood.log_det_v[0]
            if self.reml:
                log_det += float(np.linalg.slogdet(likelihood.total[:-1, :-1])[1]) + likelihood.log_det_strata[0]
            free = likelihood.free(reml=self.reml)
            value = log_det + free * (1 + np.log(2 * np.pi * left / free))
        return float(value) if np.isfinite(value) else np.inf

    def derivatives(self, phi: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the deviance with its gradient and Hessian."""
        value, gradient, hessian = self.likelihood(phi, 2).profiled(reml=self.reml)
        return value, *self.change.chained(phi, gradient, hessian)

    def newton(self, phi: np.ndarray) -> tuple[np.ndarray, float, float]:
        """Return the end of a search, its deviance and its largest slope."""
        jolted = False
        value, slope = np.inf, np.inf
        for _ in range(_STEPS):
            value, gradient, hessian = self.derivatives(phi)
            slope = float(np.abs(gradient).max(initial=0.0))
            roots, vectors = np.linalg.eigh(hessian)
            size = np.maximum(np.abs(roots), 1e-9 * max(float(np.abs(roots).max(initial=0.0)), 1e-9))
            step = -vectors @ ((vectors.T @ gradient) / size)
            gain = -float(gradient @ step)
            if gain < 1e-12 * max(1.0, abs(value) * 1e-3):
                if roots.size and roots[0] < -1e-6 * size.max() and not jolted:
                    phi, jolted = phi + 0.1 * vectors[:, 0], True  # a saddle: zero by symmetry, not by likelihood
                    continue
                return phi + step, value, slope
            step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
            phi = self._take_halved_step(phi, step, value, gain)
        return phi, value, slope

    def _take_halved_step(self, phi: np.ndarray, step: np.ndarray, value: float, gain: float) -> np.ndarray:
        length = 1.0
        for _ in range(40):
            if self.value(phi + length * step) <= value - 1e-4 * length * gain + 1e-12 * abs(value):
                break
            length /= 2
        return np.asarray(phi + length * step)

    def _find_group_without_variance(self, phi: np.ndarray) -> str | None:
        """Return the group of rows whose residual variance vanishes beside another's; None where none does."""
        residual = self.change.values(phi)[len(self.change.forms) :]
        least = int(residual.argmin())
        return self.sums.residual[least] if residual[least] < _VANISHED * residual.max() else None

    def finish(self, phi: np.ndarray, deviance: float, slope: float) -> Optimum:
        """Settle signs and zeros, and put the scale back."""
        k = len(self.change.forms)
        phi = phi.copy()
        for place in self.change.diagonal:
            same = self.which.level == self.which.level[place]
            same &= self.which.column == self.which.column[place]
            if phi[place] < 0:
                phi[np.flatnonzero(same)] *= -1
        small = [place for place in self.change.diagonal if phi[place] < _ZERO]
        if small:
            flat = phi.copy()
            flat[small] = 0.0
            if self.value(flat) <= deviance + 1e-9 * max(1.0, abs(deviance) * 1e-3):
                phi = flat
        likelihood = self.likelihood(phi, 0)
        sigma2 = likelihood.residual / likelihood.free(reml=self.reml)
        far = float(np.abs(phi[:k]).max(initial=0.0)) > _GREATEST or not np.isfinite(deviance)
        unsettled = slope > 1e-3 * max(1.0, abs(deviance))
        gone = self._find_group_without_variance(phi) if far or unsettled else None
        reason = ""
        if gone is not None:
            reason = f"The residual variance of '{gone}' goes to zero: its rows are too few, or too much alike."
        elif far:
            reason = "Rows of a group have the same value of this outcome: it is one of groups and needs a row a group."
        elif unsettled:
            reason = f"The search did not settle: the deviance still falls by {slope:.2g} a unit."
        return Optimum(
            theta=phi[:k],
            variances=self.change.values(phi) * sigma2,
            deviance=self.value(phi),
            singular=bool((phi[self.change.diagonal] < 1e-4).any()),
            n_evaluations=self.count,
            gradient=slope,
            reason=reason,
        )
