"""What can be seen is what is promised."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.comparing import Traffic, a_day, begun
from tidegate.core import comparison
from tidegate.core.comparison_settings import Settings
from tidegate.core.power import detectable, needed

SETTINGS = Settings()


def test_more_requests_see_smaller_faults():
    seen = [detectable(n, 9 * n, 0.001, 1.0, SETTINGS) for n in (5, 20, 100, 1000, 10_000)]
    assert all(fault is not None for fault in seen)
    assert seen == sorted(seen, reverse=True)


def test_without_requests_not_even_a_dead_version_is_seen():
    assert detectable(0, 100, 0.001, 1.0, SETTINGS) is None
    assert detectable(100, 0, 0.001, 1.0, SETTINGS) is None


def test_a_fault_within_the_margin_is_never_seen():
    assert needed(0.0005, 0.01, 9.0, 1.0, SETTINGS) == float("inf")


def test_needed_and_detectable_agree():
    for fault in (0.02, 0.1, 0.5):
        n = needed(fault, 0.001, 9.0, 1.0, SETTINGS)
        assert detectable(n * 1.02, 9 * n * 1.02, 0.001, 1.0, SETTINGS) == pytest.approx(fault, rel=0.07)


def test_clusters_and_a_small_baseline_cost_requests():
    assert needed(0.05, 0.001, 9.0, 3.0, SETTINGS) == pytest.approx(3 * needed(0.05, 0.001, 9.0, 1.0, SETTINGS))
    assert needed(0.05, 0.001, 0.25, 1.0, SETTINGS) > 1.5 * needed(0.05, 0.001, 9.0, 1.0, SETTINGS)


@pytest.mark.parametrize("fault", [0.05, 0.2])
def test_the_fault_that_is_promised_with_probability_nine_tenths_is_found_at_least_so_often(fault):
    n = needed(fault, 0.001, 9.0, 1.0, SETTINGS)
    history, seconds = a_day(), int(np.ceil(n / 5)) + 1
    found = 0
    for seed in range(20):
        state, traffic = begun(history), Traffic(rate=50, candidate=fault, seed=seed)
        for _ in range(seconds):
            state = comparison.advance(state, traffic.tick(SETTINGS, 0.1))
            if comparison.is_bad(state):
                found += 1
                break
    assert found >= 17
