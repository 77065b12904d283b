"""The likelihood with school intercepts: derivatives of every response, compression, weights, priors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from analysis.quadrature import (
    ComplementaryLogLog,
    Logit,
    NegativeBinomial,
    Patterns,
    Poisson,
    Response,
    WeakPrior,
    average_mean,
    deviance,
    deviance_and_gradient,
    deviance_gradient_information,
    maximise,
    patterns,
    reweighted_maxima,
)
from analysis.quadrature.patterns import find_distinct_rows

RESPONSES: dict[str, Response] = {
    "logit": Logit(),
    "cloglog": ComplementaryLogLog(),
    "poisson": Poisson(),
    "negative binomial": NegativeBinomial(dispersion=0.7),
}


def data_of(response: Response, *, n_schools: int = 7, seed: int = 1) -> Patterns:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), 6)
    count = rng.integers(1, 5, size=school.size).astype(float)
    return Patterns(
        x=np.column_stack([np.ones(school.size), rng.standard_normal(school.size), school % 2]),
        school=school,
        count=count,
        events=rng.binomial(count.astype(int), 0.3).astype(float),
        n_schools=n_schools,
        response=response,
        offset=0.1 * rng.standard_normal(school.size),
    )


@pytest.mark.parametrize("name", RESPONSES)
def test_derivatives_of_a_response_are_those_of_its_log_likelihood(name: str) -> None:
    response = RESPONSES[name]
    eta = np.array([-7.0, -2.0, -0.3, 0.0, 0.4, 1.7])
    events, count = np.array([0.0, 1.0, 2.0, 0.0, 3.0, 1.0]), np.array([2.0, 2.0, 2.0, 1.0, 4.0, 1.0])
    step = 1e-5

    def both(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return response.value_and_slope(at, events=events, count=count)

    slope, weight, skew = response.slopes(eta, events=events, count=count)
    assert slope == pytest.approx(both(eta)[1], abs=1e-12)
    assert slope == pytest.approx((both(eta + step)[0] - both(eta - step)[0]) / (2 * step), abs=1e-7)
    assert weight == pytest.approx(-(both(eta + step)[1] - both(eta - step)[1]) / (2 * step), abs=1e-7)
    ahead, behind = (response.slopes(eta + s, events=events, count=count)[1] for s in (step, -step))
    assert skew == pytest.approx((ahead - behind) / (2 * step), abs=1e-7)
    mean, mean_slope = response.mean(eta)
    assert mean_slope == pytest.approx((response.mean(eta + step)[0] - response.mean(eta - step)[0]) / (2 * step))
    assert (weight >= 0).all()
    assert (mean > 0).all()


@pytest.mark.parametrize("name", RESPONSES)
@pytest.mark.parametrize("n_nodes", [1, 31])
def test_the_gradient_and_information_are_derivatives_of_the_deviance(name: str, n_nodes: int) -> None:
    weight = np.array([1.0, 2.0, 0.0, 1.0, 3.0, 1.0, 1.0])
    data = replace(data_of(RESPONSES[name]), school_weight=weight, prior=WeakPrior(factors=np.array([0.0, 2.0, 1.0])))
    at = np.array([-1.0, 0.3, -0.4, 0.6])
    _, gradient = deviance_and_gradient(data, at[:-1], at[-1], n_nodes=n_nodes)
    slopes = np.empty((4, 4))
    for place in range(4):
        step = np.zeros(4)
        step[place] = 1e-5
        high, low = (deviance(data, (at + s)[:-1], (at + s)[-1], n_nodes=n_nodes) for s in (step, -step))
        assert gradient[place] == pytest.approx((high - low) / 2e-5, rel=1e-5, abs=1e-5)
        ahead, behind = (
            deviance_and_gradient(data, (at + s)[:-1], (at + s)[-1], n_nodes=n_nodes)[1] for s in (step, -step)
        )
        slopes[place] = (ahead - behind) / 2e-5
    if n_nodes > 1:
        information = deviance_gradient_information(data, at[:-1], at[-1], n_nodes=n_nodes)[2]
        assert 2 * information == pytest.approx(slopes, abs=2e-4 * np.abs(slopes).max())


def test_a_school_that_counts_twice_is_a_school_that_is_there_twice() -> None:
    data = data_of(Logit(), n_schools=3)
    assert data.offset is not None
    twice = Patterns(
        x=np.vstack([data.x, data.x[data.school == 1]]),
        school=np.append(data.school, np.full(6, 3)),
        count=np.append(data.count, data.count[data.school == 1]),
        events=np.append(data.events, data.events[data.school == 1]),
        n_schools=4,
        offset=np.append(data.offset, data.offset[data.school == 1]),
    )
    weighted = replace(data, school_weight=np.array([1.0, 2.0, 1.0]))
    beta = np.array([-0.5, 0.2, 0.4])
    one, other = (deviance_gradient_information(d, beta, 0.8, n_nodes=7) for d in (twice, weighted))
    assert one[0] == pytest.approx(other[0], rel=1e-12)
    assert one[1] == pytest.approx(other[1], rel=1e-9)
    assert one[2] == pytest.approx(other[2], rel=1e-9)


def test_compression_changes_nothing_but_the_number_of_rows() -> None:
    rng = np.random.default_rng(4)
    x = np.column_stack([np.ones(300), rng.integers(2, size=300), rng.integers(3, size=300)]).astype(float)
    school = rng.permutation(np.repeat(np.arange(10), 30))
    y = rng.integers(2, size=300).astype(float)
    small = patterns(x, y, school, n_schools=10)
    order = np.argsort(school, kind="stable")
    whole = Patterns(x=x[order], school=school[order], count=np.ones(300), events=y[order], n_schools=10)
    assert len(small.count) <= 60
    assert small.count.sum() == 300
    beta = np.array([-0.2, 0.5, 0.1])
    assert deviance(small, beta, 0.7, n_nodes=5) == pytest.approx(deviance(whole, beta, 0.7, n_nodes=5), rel=1e-12)


def test_distinct_rows_of_many_levels_do_not_overflow() -> None:
    rng = np.random.default_rng(5)
    values = rng.integers(40, size=(100, 14)).astype(float)
    doubled = np.vstack([values, values])
    school = np.tile(np.arange(100) % 4, 2)
    first, place = find_distinct_rows(doubled, school)
    assert len(first) == 100
    assert (doubled[first][place] == doubled).all()
    assert (np.diff(school[first]) >= 0).all()


def test_patterns_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="sorted by school"):
        Patterns(x=np.ones((2, 1)), school=np.array([1, 0]), count=np.ones(2), events=np.zeros(2), n_schools=2)


def test_a_mean_over_schools_of_a_log_link_has_a_closed_form() -> None:
    fixed = np.array([0.1, 0.7])
    mean, gradient = average_mean(fixed, 0.6, x=np.ones((2, 1)), count=np.array([1.0, 3.0]), response=Poisson())
    expected = (0.25 * np.exp(0.1) + 0.75 * np.exp(0.7)) * np.exp(0.18)
    assert mean == pytest.approx(expected, rel=1e-10)
    assert gradient == pytest.approx([expected, 0.6 * expected], rel=1e-8)


def test_the_maximum_has_no_slope_and_laplace_is_near_it() -> None:
    rng = np.random.default_rng(9)
    school = np.repeat(np.arange(30), 20)
    x = np.column_stack([np.ones(600), school % 2]).astype(float)
    y = rng.random(600) < special.expit(-1 + 0.5 * x[:, 1] + 0.8 * rng.standard_normal(30)[school])
    data = patterns(x, y.astype(float), school, n_schools=30)
    best, laplace = maximise(data, n_nodes=15), maximise(data, n_nodes=1)
    assert best.reason == laplace.reason == ""
    _, gradient = deviance_and_gradient(data, best.beta, best.school_sd, n_nodes=15)
    assert gradient == pytest.approx(np.zeros(3), abs=1e-4)
    assert laplace.beta == pytest.approx(best.beta, abs=0.02)
    assert laplace.beta != pytest.approx(best.beta, abs=1e-7)
    again = maximise(data, n_nodes=15, start=np.array([3.0, -2.0, 2.0]))
    assert again.beta == pytest.approx(best.beta, abs=1e-6)


@pytest.mark.parametrize("name", ["logit", "cloglog", "poisson"])
@pytest.mark.parametrize("n_schools", [8, 60])
def test_weightings_that_climb_together_come_to_where_each_comes_alone(name: str, n_schools: int) -> None:
    data = data_of(RESPONSES[name], n_schools=n_schools, seed=3)
    rng = np.random.default_rng(6)
    weights = rng.multinomial(n_schools, np.full(n_schools, 1 / n_schools), size=40).astype(float)
    whole = maximise(data, n_nodes=5)
    maxima = reweighted_maxima(data, weights, start=np.append(whole.beta, 0.3), n_nodes=5)
    assert maxima.found.mean() > 0.9
    error = np.sqrt(np.diag(whole.vcov)[:-1])
    for place in np.flatnonzero(maxima.found):
        alone = maximise(replace(data, school_weight=weights[place]), n_nodes=5)
        best = maxima.parameters[place]
        # Five nodes' scores and the slopes of their likelihood differ by what quadrature is off.
        assert np.abs(best[:-1] - alone.beta).max() < 0.02 * error.max()
        assert best[-1] == pytest.approx(alone.school_sd, abs=0.02)


def test_a_weighting_without_a_maximum_is_said() -> None:
    school = np.arange(6)
    arm = school % 2
    data = Patterns(
        x=np.column_stack([np.ones(6), arm]),
        school=school,
        count=np.full(6, 20.0),
        events=np.array([5.0, 4.0, 3.0, 0.0, 6.0, 2.0]),
        n_schools=6,
    )
    weights = np.array([[1.0, 1, 1, 1, 1, 1], [1.0, 0, 1, 3, 1, 0]])
    found = reweighted_maxima(data, weights, start=np.array([-1.0, -0.5, 0.3]), n_nodes=5).found
    assert found.tolist() == [True, False]


def test_the_weak_prior_is_that_of_one_pupil_half_with_the_event() -> None:
    prior = WeakPrior(factors=np.array([0.0, 1.0]))
    value, slope, bend = prior.deviance(np.array([5.0, 0.4]))
    chance = special.expit(0.4)
    assert value == pytest.approx(-(np.log(chance) + np.log(1 - chance)))
    assert slope == pytest.approx([0, -2 * (0.5 - chance)])
    assert bend == pytest.approx([0, chance * (1 - chance)])
    top = float(stats.beta.ppf(0.975, 0.5, 0.5))
    # The middle 95 % of the odds ratios reach from 1/648 to 648 (Greenland and Mansournia 2015, table I).
    assert top / (1 - top) == pytest.approx(648, rel=0.01)


def test_the_frame_is_not_touched() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 1.0]})
    find_distinct_rows(frame.to_numpy(), np.array([0, 0, 0]))
    assert frame["a"].tolist() == [1.0, 2.0, 1.0]
