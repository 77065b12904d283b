"""The deviance of a model and its derivatives, from the sums of its likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.mixed_models.jets import Jet, LikelihoodJet


@dataclass(frozen=True, kw_only=True)
class LikelihoodSums:
    """What inference needs of a likelihood at one value of its r parameters.

    Parameters
    ----------
    total
        Shape (p + 1, p + 1), [X y]'V^(-1)[X y] less what strata take.
    first, second
        Its derivatives, shapes (r, p + 1, p + 1) and (r, r, p + 1, p + 1).
    log_det_v, log_det_strata
        Value, gradient (r,) and Hessian (r, r).
    strata
        Shape (B, p + 1) with derivatives (r, ...) and (r, r, ...): 1'V^(-1)[X y] of every stratum but the reference;
        B is 0 without strata.
    n, n_fixed
        Rows and fixed coefficients, those of strata among them.
    """

    total: np.ndarray
    first: np.ndarray
    second: np.ndarray
    log_det_v: tuple[float, np.ndarray, np.ndarray]
    log_det_strata: tuple[float, np.ndarray, np.ndarray]
    strata: tuple[np.ndarray, np.ndarray, np.ndarray]
    n: int
    n_fixed: int

    @cached_property
    def phi(self) -> np.ndarray:
        """(X'V^(-1)X)^(-1), shape (p, p)."""
        return np.linalg.inv(self.total[:-1, :-1])

    @cached_property
    def beta(self) -> np.ndarray:
        """Generalised least squares, shape (p,)."""
        return np.asarray(self.phi @ self.total[:-1, -1])

    @cached_property
    def residual(self) -> float:
        """(y - X beta)'V^(-1)(y - X beta)."""
        contrast = np.append(-self.beta, 1.0)
        return float(contrast @ self.total @ contrast)

    @cached_property
    def residual_derivatives(self) -> tuple[np.ndarray, np.ndarray]:
        """Gradient (r,) and Hessian (r, r) of the residual sum of squares."""
        contrast = np.append(-self.beta, 1.0)
        pushed = self.first @ contrast
        across = pushed[:, :-1] @ self.phi @ pushed[:, :-1].T
        return pushed @ contrast, (self.second @ contrast) @ contrast - 2 * across

    @cached_property
    def log_det_x(self) -> tuple[float, np.ndarray, np.ndarray]:
        """log|X'V^(-1)X| with gradient and Hessian."""
        turned = self.phi @ self.first[:, :-1, :-1]
        gradient = np.trace(turned, axis1=1, axis2=2) + self.log_det_strata[1]
        hessian = np.einsum("pq,ijqp->ij", self.phi, self.second[:, :, :-1, :-1])
        hessian = hessian - np.einsum("ipq,jqp->ij", turned, turned) + self.log_det_strata[2]
        value = float(np.linalg.slogdet(self.total[:-1, :-1])[1]) + self.log_det_strata[0]
        return value, gradient, hessian

    def log_dets(self, *, reml: bool) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the deviance's log-determinants with their derivatives."""
        v = self.log_det_v
        if not reml:
            return v
        x = self.log_det_x
        return v[0] + x[0], v[1] + x[1], v[2] + x[2]

    def free(self, *, reml: bool) -> int:
        """Return the divisor of the residual sum of squares."""
        return self.n - self.n_fixed if reml else self.n

    def profiled(self, *, reml: bool) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the deviance with the scale at its best, gradient and Hessian by the parameters."""
        value, gradient, hessian = self.log_dets(reml=reml)
        slope, curve = self.residual_derivatives
        free, left = self.free(reml=reml), self.residual
        value = value + free * (1 + np.log(2 * np.pi * left / free))
        share = slope / left
        return (
            float(value),
            gradient + free * share,
            hessian + free * (curve / left - np.outer(share, share)),
        )

    def full(self, *, reml: bool) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the deviance, gradient and Hessian by the parameters, the scale being one of them."""
        value, gradient, hessian = self.log_dets(reml=reml)
        slope, curve = self.residual_derivatives
        return (
            float(value + self.free(reml=reml) * np.log(2 * np.pi) + self.residual),
            gradient + slope,
            hessian + curve,
        )


def build_likelihood_sums(jet: LikelihoodJet, *, n_parameters: int, n: int, n_fixed: int) -> LikelihoodSums:
    """Lay a likelihood's jets out as arrays.

    Parameters
    ----------
    jet
        As `compute_likelihood_jet` returns it.
    n_parameters
        r.
    n, n_fixed
        Rows and fixed coefficients.
    """
    total, first, second = _convert_jet_to_arrays(jet.total, n_parameters)
    empty = np.zeros((0, total.shape[0]))
    strata = _convert_jet_to_arrays(
        Jet(value=empty, first={}, second={}) if jet.strata is None else jet.strata, n_parameters
    )
    log_v, log_strata = (
        _convert_jet_to_arrays(jet.log_det_v, n_parameters),
        _convert_jet_to_arrays(jet.log_det_strata, n_parameters),
    )
    return LikelihoodSums(
        total=total,
        first=first,
        second=second,
        log_det_v=(float(log_v[0]), log_v[1], log_v[2]),
        log_det_strata=(float(log_strata[0]), log_strata[1], log_strata[2]),
        strata=strata,
        n=n,
        n_fixed=n_fixed,
    )


def _convert_jet_to_arrays(jet: Jet, r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first = np.zeros((r, *jet.value.shape))
    second = np.zeros((r, r, *jet.value.shape))
    for i, value in jet.first.items():
        first[i] = value
    for (i, j), value in jet.second.items():
        second[i, j] = value
        second[j, i] = np.swapaxes(value, -1, -2) if value.ndim > 1 and value.shape[-1] == value.shape[-2] else value
    return jet.value, first, second
