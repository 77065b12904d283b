"""Fixed columns in a basis in which sums of squares lose no digits: centred, scaled, of full rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.guards import FLAT, describe_constant_outcome, describe_explained_outcome, find_independent_columns
from analysis.terms import INTERCEPT

# Squared share of a column that earlier ones leave, below which sums cannot tell and rows are looked at.
_SUSPICIOUS = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """How fixed columns and the outcome were changed.

    Parameters
    ----------
    names
        The p columns kept.
    matrix
        Shape (p, p): columns in the basis are ``x @ matrix``.
    shift
        Shape (p,): coefficients taken off the outcome beforehand, of the columns as they were.
    scale
        What the outcome was divided by afterwards.
    dropped
        Columns left out as combinations of earlier ones, each with the sentence why.
    reason
        Why nothing can be fitted; empty otherwise.
    """

    names: tuple[str, ...]
    matrix: np.ndarray
    shift: np.ndarray
    scale: float
    dropped: dict[str, str]
    reason: str = ""

    @property
    def log_det(self) -> float:
        """Logarithm of the absolute determinant of ``matrix``."""
        return float(np.linalg.slogdet(self.matrix)[1]) if self.matrix.size else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InBasis:
    """Columns in a basis.

    Parameters
    ----------
    basis
        Which.
    x
        Shape (N, p).
    y
        Shape (N,), the outcome less its least-squares fit, scaled.
    """

    basis: Basis
    x: np.ndarray
    y: np.ndarray


def transform_to_basis(
    names: tuple[str, ...], x: np.ndarray, y: np.ndarray, *, weights: np.ndarray | None, strata: np.ndarray | None
) -> InBasis:
    """Bring fixed columns and an outcome into a basis.

    Parameters
    ----------
    names, x, y
        The columns and the outcome.
    weights
        Shape (N,), or None.
    strata
        Shape (N,), codes of a factor that is fixed but not among the columns, 0 its reference; None without.

    Returns
    -------
    InBasis
        With ``(Intercept)`` first and untouched where the columns have one.
    """
    steady = _find_constant_combination(names, x)
    centre = np.zeros(x.shape[1])
    if steady is not None:
        centre = np.where(steady != 0, 0.0, np.average(x, axis=0, weights=weights))
    moved = x - centre
    spread = np.sqrt(np.average(moved**2, axis=0, weights=weights))
    flat = spread <= FLAT * np.abs(centre)
    spread = np.where(flat | (spread == 0), 1.0, spread)
    scaled = np.where(flat, 0.0, moved) / spread
    independent_places, tight = _find_solid_columns(scaled, weights=weights, strata=strata)
    matrix = np.diag(1 / spread[independent_places])
    if steady is not None:
        matrix -= np.outer(steady[independent_places], centre[independent_places] / spread[independent_places])
    values = scaled[:, independent_places]
    if tight:
        values, turn = _compute_orthogonal_columns(values)
        matrix = matrix @ turn
    kept_names = tuple(names[place] for place in independent_places)
    shift, left, scale, reason = _scale_outcome_residual(values, y, matrix, weights=weights, centred=steady is not None)
    basis = Basis(
        names=kept_names,
        matrix=matrix,
        shift=shift,
        scale=scale,
        dropped=_describe_dropped_columns(names, scaled, independent_places, strata=strata),
        reason=reason,
    )
    return InBasis(basis=basis, x=values, y=left)


def _find_constant_combination(names: tuple[str, ...], x: np.ndarray) -> np.ndarray | None:
    """Return coefficients of columns of zeros and ones that add up to one in every row; None where none do."""
    if INTERCEPT in names:
        return np.array([float(name == INTERCEPT) for name in names])
    binary = ((x == 0) | (x == 1)).all(axis=0)
    chosen = np.zeros(x.shape[1])
    total = np.zeros(len(x))
    for place in np.flatnonzero(binary):  # full dummies of the first factor stand first
        if not (total * x[:, place]).any():
            chosen[place], total = 1.0, total + x[:, place]
        if bool((total == 1).all()):
            return chosen
    return None


def _remove_stratum_means(values: np.ndarray, strata: np.ndarray | None) -> np.ndarray:
    """Return columns less their means in every stratum but the reference."""
    if strata is None:
        return values
    n = np.bincount(strata).astype(float)
    means = np.column_stack([np.bincount(strata, weights=values[:, k]) / n for k in range(values.shape[1])])
    means[0] = 0.0
    return np.asarray(values - means[strata])


def _find_solid_columns(
    scaled: np.ndarray, *, weights: np.ndarray | None, strata: np.ndarray | None
) -> tuple[np.ndarray, bool]:
    """Return positions of independent columns, and whether they come close to being dependent."""
    within = _remove_stratum_means(scaled, strata)
    if weights is not None:
        within = within * np.sqrt(weights)[:, None]
    gram = within.T @ within
    squared_lengths = (scaled**2 * (1.0 if weights is None else weights[:, None])).sum(axis=0)
    squared_lengths = np.where(squared_lengths > 0, squared_lengths, 1.0)
    left = compute_cholesky_pivots(gram / np.sqrt(np.outer(squared_lengths, squared_lengths)))
    if left.size and left.min() > _SUSPICIOUS:
        return np.arange(scaled.shape[1]), False
    lengths = np.sqrt(squared_lengths)
    unit = within / lengths
    # Within strata nothing is left of columns that strata settle.
    solid = np.flatnonzero(np.sqrt((unit**2).sum(axis=0)) > FLAT**0.5)
    solid_positions = solid[find_independent_columns(unit[:, solid])]
    again = compute_cholesky_pivots(unit[:, solid_positions].T @ unit[:, solid_positions])
    return solid_positions, bool(again.size and again.min() < 1e-4)


def compute_cholesky_pivots(gram: np.ndarray) -> np.ndarray:
    """Return what Cholesky's steps leave of each column's square, earlier columns taken off.

    Parameters
    ----------
    gram
        Shape (p, p), cross-products.
    """
    left = gram.copy()
    pivot_values = np.zeros(len(left))
    for k in range(len(left)):
        pivot_values[k] = left[k, k]
        if pivot_values[k] > 0:
            left = left - np.outer(left[:, k], left[k] / pivot_values[k])
    return pivot_values


def _compute_orthogonal_columns(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return orthogonal columns of length sqrt(N) and the matrix that makes them; the first stays as it is."""
    _, upper = np.linalg.qr(values)
    turn = np.linalg.inv(upper) * np.sqrt(len(values))
    turn = turn * np.sign(np.diag(turn))
    turn[:, 0] = np.eye(len(turn))[:, 0]
    return values @ turn, turn


def _scale_outcome_residual(
    values: np.ndarray, y: np.ndarray, matrix: np.ndarray, *, weights: np.ndarray | None, centred: bool
) -> tuple[np.ndarray, np.ndarray, float, str]:
    """Return coefficients taken off, what is left of the outcome, its scale, and why there is nothing to fit."""
    steady = describe_constant_outcome(y)
    if steady:
        return np.zeros(values.shape[1]), np.zeros_like(y), 1.0, steady
    weighted = values if weights is None else values * weights[:, None]
    gram = weighted.T @ values
    left, taken = y, np.zeros(values.shape[1])
    for _ in range(2):  # the second time takes off what rounding left
        step = np.linalg.lstsq(gram, weighted.T @ left, rcond=None)[0]
        left, taken = left - values @ step, taken + step
    scale = float(np.sqrt(np.average(left**2, weights=weights)))
    centre = np.average(y, weights=weights) if centred else 0.0
    spread = float(np.sqrt(np.average((y - centre) ** 2, weights=weights)))
    explained = describe_explained_outcome(scale, spread=spread, size=float(np.abs(y).max()))
    if explained:
        return matrix @ taken, np.zeros_like(y), 1.0, explained
    return matrix @ taken, left / scale, scale, ""


def _describe_dropped_columns(
    names: tuple[str, ...], scaled: np.ndarray, kept: np.ndarray, *, strata: np.ndarray | None
) -> dict[str, str]:
    """Return why columns were left out."""
    chosen = set(kept.tolist())
    dropped = {}
    for place, name in enumerate(names):
        if place in chosen:
            continue
        earlier = [k for k in kept if k < place]
        within = _remove_stratum_means(scaled, strata)
        weights = np.linalg.lstsq(within[:, earlier], within[:, place], rcond=None)[0] if earlier else np.zeros(0)
        parts = [names[k] for k, weight in zip(earlier, weights, strict=True) if abs(weight) > 1e-6]
        if not scaled[:, place].any():
            dropped[name] = f"{name} has the same value in every row."
        elif parts:
            dropped[name] = (
                f"{name} is a combination of {', '.join(parts)}{'' if strata is None else ' within strata'}."
            )
        else:
            dropped[name] = f"{name} does not vary within strata."
    return dropped
