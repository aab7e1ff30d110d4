"""The harm budget."""

from __future__ import annotations

import numpy as np
import pytest

from tidegate.core.budget import Budget, BudgetSettings, Pace, allowed, excess

SETTINGS, PACE = BudgetSettings(), Pace(harm=10.0, tick=1.0, act=1.0)


def open_to(requests: float, lost: float, rate: float, baseline: float = 0.001) -> float:
    budget = Budget(np.asarray(requests), np.asarray(lost))
    return float(allowed(budget, np.asarray(baseline), np.asarray(rate), PACE, SETTINGS))


@pytest.mark.parametrize("rate", [100, 1000, 10_000])
def test_before_its_first_request_a_candidate_gets_what_may_all_fail(rate):
    assert open_to(0, 0, rate) * rate * (PACE.tick + PACE.act) == pytest.approx(10, rel=0.01)


def test_good_requests_open_and_bad_ones_close():
    assert open_to(100, 0, 1000) > 5 * open_to(10, 0, 1000)
    assert open_to(100, 8, 1000) < open_to(100, 0, 1000) / 4
    assert open_to(100, 10, 1000) < 0.001, "the budget is spent"


def test_what_the_baseline_fails_too_is_no_harm():
    assert open_to(1000, 50, 1000, baseline=0.05) > 0.1


def test_little_traffic_is_let_in_at_once():
    assert open_to(0, 0, 1) == 1


def test_no_excess_is_held_to_be_nothing():
    assert float(excess(Budget(np.asarray(1e7), np.asarray(0.0)), np.asarray(0.01), SETTINGS)) == SETTINGS.least
