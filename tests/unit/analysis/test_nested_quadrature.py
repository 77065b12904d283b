"""Groups within groups: the likelihood by plain integration, its derivatives, its limits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.quadrature import LOGIT, Poisson, Response, maximise, patterns
from analysis.quadrature.nested import NestedPatterns, compute_nested_likelihood
from analysis.quadrature.nested_search import (
    compute_nested_adjusted_vcov,
    compute_restricted_deviance,
    find_nested_maximum,
)

GRID = np.linspace(-7, 7, 401)
AT = np.array([-0.8, 0.4, 0.7, 0.5])


def drawn(response: Response, *, n_outer: int = 6, n_inner: int = 3, pupils: int = 9, seed: int = 2) -> NestedPatterns:
    rng = np.random.default_rng(seed)
    inner = np.repeat(np.arange(n_outer * n_inner), pupils)
    outer = np.arange(n_outer * n_inner) // n_inner
    x = np.column_stack([np.ones(inner.size), rng.integers(0, 2, size=inner.size)])
    eta = x @ AT[:2] + (0.7 * rng.standard_normal(n_outer)[outer] + 0.5 * rng.standard_normal(len(outer)))[inner]
    mean = response.mean(eta)[0]
    y = (rng.random(inner.size) < mean) if response is LOGIT else rng.poisson(mean)
    data = replace(patterns(x, y.astype(float), inner, n_schools=len(outer)), response=response)
    return NestedPatterns(data=data, outer=outer, n_outer=n_outer)


def integrated(nested: NestedPatterns, at: np.ndarray) -> float:
    """Return the log-likelihood by the trapezium rule over both kinds of groups."""
    data, total = nested.data, 0.0
    constant = 0.5 * math.log(2 * math.pi)
    for outer in range(nested.n_outer):
        over_u = -(GRID**2) / 2 - constant
        for inner in np.flatnonzero(nested.outer == outer):
            mine = data.school == inner
            eta = data.linear(at[:2])[mine] + at[2] * GRID[:, None, None] + at[3] * GRID[None, :, None]
            rows, _ = data.response.value_and_slope(eta, events=data.events[mine], count=data.count[mine])
            joint = rows.sum(axis=2) - GRID**2 / 2 - constant
            top = joint.max(axis=1)
            over_u = over_u + top + np.log(np.trapezoid(np.exp(joint - top[:, None]), GRID, axis=1))
        top = over_u.max()
        total += top + math.log(np.trapezoid(np.exp(over_u - top), GRID))
    return total


@pytest.mark.parametrize("response", [LOGIT, Poisson()])
def test_many_nodes_give_the_plain_integral(response: Response) -> None:
    nested = drawn(response)
    exact = integrated(nested, AT)
    assert compute_nested_likelihood(nested, AT, n_nodes=15)[0] == pytest.approx(exact, abs=1e-6)
    laplace = compute_nested_likelihood(nested, AT, n_nodes=1)[0]
    assert 1e-4 < abs(laplace - exact) < 0.5


@pytest.mark.parametrize("response", [LOGIT, Poisson()])
def test_slopes_and_information_are_derivatives(response: Response) -> None:
    nested = drawn(response)
    _, slope, information = compute_nested_likelihood(nested, AT, n_nodes=11)
    steps = 1e-5 * np.eye(4)
    ahead = [compute_nested_likelihood(nested, AT + step, n_nodes=11) for step in steps]
    behind = [compute_nested_likelihood(nested, AT - step, n_nodes=11) for step in steps]
    by_value = [(one[0] - other[0]) / 2e-5 for one, other in zip(ahead, behind, strict=True)]
    by_slope = [(other[1] - one[1]) / 2e-5 for one, other in zip(ahead, behind, strict=True)]
    assert slope == pytest.approx(np.array(by_value), abs=1e-3)
    assert information == pytest.approx(np.array(by_slope), abs=0.05)


def test_without_inner_differences_it_is_the_model_of_the_outer_groups() -> None:
    nested = drawn(LOGIT, n_outer=20, n_inner=3, pupils=20, seed=4)
    data = nested.data
    merged = replace(data, school=nested.outer[data.school], n_schools=nested.n_outer)
    plain = maximise(merged, n_nodes=15)
    at = np.concatenate([plain.beta, [plain.school_sd, 0.0]])
    assert -2 * compute_nested_likelihood(nested, at, n_nodes=15)[0] == pytest.approx(plain.deviance, abs=1e-6)


def test_the_order_of_groups_changes_nothing() -> None:
    nested = drawn(LOGIT)
    turned = nested.data.n_schools - 1 - nested.data.school
    order = np.argsort(turned, kind="stable")
    data = replace(
        nested.data,
        x=nested.data.x[order],
        school=turned[order],
        count=nested.data.count[order],
        events=nested.data.events[order],
    )
    other = NestedPatterns(data=data, outer=nested.n_outer - 1 - nested.outer[::-1], n_outer=nested.n_outer)
    expected = compute_nested_likelihood(nested, AT, n_nodes=7)
    found = compute_nested_likelihood(other, AT, n_nodes=7)
    assert found[0] == pytest.approx(expected[0], abs=1e-10)
    assert found[1] == pytest.approx(expected[1], abs=1e-9)


def test_groups_that_do_not_differ_are_a_spread_of_zero() -> None:
    nested = drawn(LOGIT, n_outer=12, n_inner=2, pupils=12)
    data = nested.data
    even = replace(data, count=np.full(len(data.count), 6.0), events=np.full(len(data.count), 2.0))
    found = find_nested_maximum(replace(nested, data=even), n_nodes=7)
    assert found.reason == ""
    assert found.spread.tolist() == [0.0, 0.0]


def test_few_groups_enlarge_the_variance_of_what_varies_between_them() -> None:
    nested = drawn(LOGIT, n_outer=8, n_inner=2, pupils=25, seed=9)
    x = nested.data.x.copy()
    x[:, 1] = (nested.outer[nested.data.school] % 2).astype(float)
    nested = replace(nested, data=replace(nested.data, x=x))
    found = find_nested_maximum(nested, n_nodes=7)
    adjusted = compute_nested_adjusted_vcov(nested, found)
    assert adjusted[1, 1] > found.vcov[1, 1]
    # Restricted deviances have their own minimum, above maximum likelihood's spread.
    at_ml = compute_restricted_deviance(nested, found.beta, found.spread)[0]
    wider = compute_restricted_deviance(nested, found.beta, found.spread * [1.15, 1.0])[0]
    assert wider < at_ml


def test_inner_groups_out_of_order_are_refused() -> None:
    nested = drawn(LOGIT)
    with pytest.raises(ValueError, match="sorted"):
        NestedPatterns(data=nested.data, outer=nested.outer[::-1], n_outer=nested.n_outer)
