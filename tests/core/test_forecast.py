"""What is told before the start."""

from __future__ import annotations

import pytest

from tidegate.core.budget import Pace
from tidegate.core.comparison_settings import Settings
from tidegate.core.forecast import Adaptive, Forecast, Planned, Traffic, forecast

LINEAR = [*(Planned(tenths / 10, 60.0) for tenths in range(1, 10)), Planned(1.0, 60.0)]
PACE = Pace(10.0, 1.0)


def of(rate: float, *, adaptive: bool = False, **traffic: float) -> Forecast:
    return forecast(
        LINEAR, Traffic(rate, **traffic), Settings(), pace=PACE, adaptive=Adaptive(10.0, 12.0) if adaptive else None
    )


def test_a_step_gathers_its_share_of_the_traffic():
    assert [round(step.requests) for step in of(100).steps[:3]] == [600, 1200, 1800]


def test_more_traffic_sees_smaller_faults_and_a_whole_step_sees_none():
    seen = [of(rate).steps[0].detectable for rate in (1, 10, 100, 1000)]
    assert seen == sorted(seen, reverse=True)
    assert of(100).steps[-1].detectable is None


@pytest.mark.parametrize(
    ("rate", "simulated"),
    [(10, {1.0: 3.9, 0.2: 4.4, 0.05: 6.9}), (100, {1.0: 20.0, 0.2: 7.1, 0.05: 7.0}), (1000, {1.0: 200, 0.2: 40, 0.05: 13.4})],
)
def test_the_harm_is_about_what_the_simulation_counts(rate, simulated):
    """Without the history's help, and so never much less."""
    for harm in of(rate).harms:
        if harm.fault in simulated:
            assert 0.85 * simulated[harm.fault] <= harm.mean <= 1.5 * simulated[harm.fault] + 1
            assert harm.p95 >= 0.99 * harm.mean


@pytest.mark.parametrize("rate", [100, 1000, 10_000])
def test_a_harm_budget_of_ten_costs_about_ten_whatever_the_traffic(rate):
    for harm in of(rate, adaptive=True).harms[:3]:
        assert harm.mean <= 12
        assert harm.p95 <= 20


def test_an_adaptive_plan_is_faster_for_the_healthy_the_more_traffic_there_is():
    durations = [of(rate, adaptive=True).seconds for rate in (1, 10, 100, 1000)]
    assert durations == sorted(durations, reverse=True)
    assert durations[-1] < of(1000).seconds / 2
    assert of(1000).seconds == 600


def test_a_plan_that_cannot_see_is_warned_of_and_told_what_would_help():
    (warning,) = of(1).warnings
    assert "where a fault of 5.0% should be found (9 of 9 steps are too short)" in warning
    assert "Hold it for " in warning
    longer = [Planned(0.1, of(1).steps[0].needed * 1.02), Planned(1.0, 60.0)]
    assert not forecast(longer, Traffic(1), Settings(), pace=PACE).warnings


def test_everybody_at_once_is_warned_of():
    assert "nothing is compared" in forecast([Planned(1.0, 300.0)], Traffic(100), Settings(), pace=PACE).warnings[0]


def test_a_costly_plan_is_told_what_a_budget_would_save():
    assert "adaptive: {harm: 10}" in of(1000).warnings[0]
    assert not of(1000, adaptive=True).warnings


def test_bursts_cost_requests():
    assert of(100, phi=5.0).harms[2].mean > 2 * of(100).harms[2].mean


def test_without_traffic_nothing_is_promised():
    idle = of(0)
    assert all(step.detectable is None for step in idle.steps)
    assert all(harm.found == 0 and harm.seconds is None for harm in idle.harms)
    assert "Let in more users" in idle.warnings[0]
