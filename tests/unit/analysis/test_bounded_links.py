"""Log and identity links with school intercepts: by hand, by integration, and at their borders."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import Model
from analysis.binary import fit_binary_mixed, risk_effects
from analysis.quadrature import LinearShare, LogShare, Patterns, Response, maximise, patterns, share_beyond

MODEL = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"))
GRID = np.linspace(-9, 9, 6001)


def drawn(response: Response, beta: tuple[float, float, float], *, school_sd: float, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(30), 40)
    kind = rng.integers(0, 3, size=school.size) - 1.0
    eta = beta[0] + beta[1] * (school % 2) + beta[2] * kind + school_sd * rng.standard_normal(30)[school]
    left = (rng.random(school.size) < response.mean(eta)[0]).astype(int)
    return pd.DataFrame({"school": school, "arm": np.where(school % 2, "pilot", "control"), "kind": kind, "left": left})


def integrated(data: Patterns, beta: np.ndarray, school_sd: float) -> float:
    """Return the deviance by the trapezium rule, school by school."""
    total = 0.0
    for school in range(data.n_schools):
        mine = data.school == school
        eta = data.linear(beta)[mine] + school_sd * GRID[:, None]
        rows, _ = data.response.value_and_slope(eta, events=data.events[mine], count=data.count[mine])
        joint = rows.sum(axis=1) - GRID**2 / 2
        top = joint.max()
        total += top + math.log(np.trapezoid(np.exp(joint - top), GRID) / math.sqrt(2 * math.pi))
    return -2 * total


@pytest.mark.parametrize(
    ("response", "beta", "school_sd"),
    [(LogShare(), (-2.0, -0.3, 0.2), 0.3), (LinearShare(), (0.35, -0.06, 0.04), 0.06)],
)
def test_the_deviance_is_that_of_a_plain_integration(
    response: Response, beta: tuple[float, float, float], school_sd: float
) -> None:
    frame = drawn(response, beta, school_sd=school_sd)
    x = np.column_stack([np.ones(len(frame)), frame["arm"] == "pilot", frame["kind"]])
    y, school = frame["left"].to_numpy(dtype=float), frame["school"].to_numpy()
    data = replace(patterns(x, y, school, n_schools=30), response=response)
    best = maximise(data, n_nodes=15)
    assert best.reason == ""
    assert best.school_sd > 0
    assert best.deviance == pytest.approx(integrated(data, best.beta, best.school_sd), abs=1e-5)
    for step in 0.01 * np.eye(4):
        at = np.append(best.beta, best.school_sd) + step
        assert integrated(data, at[:3], float(at[3])) > best.deviance


def test_schools_that_do_not_differ_give_the_two_by_two_table_with_either_link() -> None:
    rows = [(school, arm, int(pupil < events)) for school, arm, events in TABLE for pupil in range(20)]
    frame = pd.DataFrame(rows, columns=["school", "arm", "left"])
    log = fit_binary_mixed(frame, MODEL, link="log").estimate("arm[pilot]")
    assert log.estimate == pytest.approx(math.log(0.5), abs=1e-7)
    assert log.std_error == pytest.approx(math.sqrt(0.6 / 48 + 0.8 / 24), rel=1e-4)
    linear = fit_binary_mixed(frame, MODEL, link="identity").estimate("arm[pilot]")
    assert linear.estimate == pytest.approx(-0.2, abs=1e-8)
    assert linear.std_error == pytest.approx(math.sqrt(0.4 * 0.6 / 120 + 0.2 * 0.8 / 120), rel=1e-4)
    effects = risk_effects(frame, MODEL, link="log")
    assert effects.row("risk_ratio", "pilot").estimate == pytest.approx(0.5, abs=1e-7)
    assert [row.quantity for row in effects.rows].count("odds_ratio") == 0


TABLE = [(f"{arm}{k}", arm, events) for arm, events in (("control", 8), ("pilot", 4)) for k in range(6)]


def test_shares_beyond_the_border_are_a_status_with_a_remedy() -> None:
    rng = np.random.default_rng(0)
    school = np.repeat(np.arange(24), 50)
    share = np.clip(0.1 + 0.06 * rng.standard_normal(24), 0, 1)[school]
    frame = pd.DataFrame({"school": school, "left": (rng.random(school.size) < share).astype(int)})
    frame["arm"] = np.where(school % 2, "pilot", "control")
    fit = fit_binary_mixed(frame, MODEL, link="identity")
    assert fit.convergence.status == "boundary"
    assert "logit" in fit.convergence.reason
    effects = risk_effects(frame, MODEL, link="identity")
    assert effects.row("risk_difference", "pilot").reason == fit.convergence.reason


@pytest.mark.parametrize("link", ["log", "identity"])
def test_an_arm_without_events_fails_with_a_reason(link: str) -> None:
    frame = pd.DataFrame({"school": np.repeat(np.arange(8), 20), "left": 0})
    frame["arm"] = np.where(frame["school"] % 2, "pilot", "control")
    frame.loc[(frame["arm"] == "control") & (frame.index % 7 == 0), "left"] = 1
    fit = fit_binary_mixed(frame, MODEL, link=link)  # type: ignore[arg-type]  # one of the two
    assert fit.convergence.status == "failed"
    assert "Nobody" in fit.convergence.reason


def test_the_share_beyond_is_that_of_a_normal_distribution() -> None:
    count = np.array([1.0, 3.0])
    eta = np.array([0.0, 1.0])
    assert share_beyond(LinearShare(), eta, 0.1, count=count) == pytest.approx(0.5)
    assert share_beyond(LogShare(), np.array([-0.2, -10.0]), 0.2, count=count) == pytest.approx(
        0.25 * 0.158655, rel=1e-4
    )


@given(
    eta=st.floats(-4, 2).filter(lambda value: min(abs(value), abs(value - 1)) > 1e-3),
    events=st.integers(0, 5),
    none=st.integers(0, 5),
    response=st.sampled_from([LogShare(), LinearShare()]),
)
def test_slopes_are_the_derivatives_of_values_on_both_sides_of_the_border(
    eta: float, events: int, none: int, response: Response
) -> None:
    step = 1e-6
    counts = {"events": np.array([float(events)]), "count": np.array([float(events + none)])}
    ahead, behind = (response.value_and_slope(np.array([eta + s]), **counts) for s in (step, -step))
    slope, weight, _ = response.slopes(np.array([eta]), **counts)
    scale = 1 + abs(float(slope[0])) + abs(float(weight[0]))
    assert float(ahead[0][0] - behind[0][0]) / (2 * step) == pytest.approx(float(slope[0]), abs=1e-3 * scale)
    assert -float(ahead[1][0] - behind[1][0]) / (2 * step) == pytest.approx(float(weight[0]), abs=1e-3 * scale)
