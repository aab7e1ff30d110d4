"""The harm budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.comparing import Traffic, a_day, begun, run
from tidegate.core import comparison
from tidegate.core.budget import Around, Budget, BudgetSettings, Pace, allowed, excess

SETTINGS, PACE = BudgetSettings(), Pace(harm=10.0, tick=1.0, act=1.0)


def spent(requests: float, lost: float, *, pending: float = 0.0, wait: float = 0.0) -> Budget:
    return Budget(*(np.asarray(float(number)) for number in (requests, lost, pending, wait)))


def around(harmless: float, rate: float, phi: float = 1.0) -> Around:
    return Around(*(np.asarray(float(number)) for number in (harmless, phi, rate)))


def open_to(budget: Budget, rate: float, *, harmless: float = 0.002, phi: float = 1.0) -> float:
    return float(allowed(budget, around(harmless, rate, phi), PACE, SETTINGS))


@pytest.mark.parametrize("rate", [100, 1000, 10_000])
def test_before_its_first_request_a_candidate_gets_what_may_all_fail_without_spending_all(rate):
    assert open_to(spent(0, 0), rate) * rate * (PACE.tick + PACE.act) == pytest.approx(5, rel=0.01)


def test_good_requests_open_and_bad_ones_close():
    assert open_to(spent(100, 0), 1000) > 5 * open_to(spent(10, 0), 1000)
    assert open_to(spent(100, 8), 1000) < open_to(spent(100, 0), 1000) / 4
    assert open_to(spent(100, 12), 1000) == 0, "the budget is spent"


def test_what_is_within_the_margin_is_no_harm():
    assert open_to(spent(1000, 50), 1000, harmless=0.06) > 0.05
    assert open_to(spent(1e6, 2_000), 10_000, harmless=0.0025) == 1


def test_what_chance_does_is_no_harm():
    """A service of 1 % errors has ten more than expected every now and then, and must not stand still for that."""
    expected = 0.01 * 1e5
    assert open_to(spent(1e5, expected + 40), 1000, harmless=0.01) > 0.5
    assert open_to(spent(1e5, expected + 100), 1000, harmless=0.01) == 0


def test_clusters_say_less():
    assert open_to(spent(1000, 2), 1000, phi=5) < open_to(spent(1000, 2), 1000) / 2


def test_what_is_in_flight_too_long_may_fail_yet():
    assert open_to(spent(50, 0, pending=10), 1000) < open_to(spent(50, 0), 1000) / 3
    assert open_to(spent(60, 0), 1000) > open_to(spent(50, 0), 1000), "it ended after all"


def test_who_has_to_wait_for_an_answer_lets_in_fewer():
    assert open_to(spent(0, 0, wait=2.0), 1000) == pytest.approx(open_to(spent(0, 0), 1000) / 2)


def test_little_traffic_is_let_in_at_once():
    assert open_to(spent(0, 0), 1) == 1


def test_no_excess_is_held_to_be_nothing():
    assert float(excess(spent(1e7, 0), around(0.01, 100), SETTINGS)) == SETTINGS.least


@given(st.floats(0, 1e6), st.floats(0, 1e3), st.floats(1, 20), st.floats(0.1, 1e5))
def test_a_failure_never_opens_more(requests, lost, phi, rate):
    lost = min(lost, requests)
    assert open_to(spent(requests + 1, lost + 1), rate, phi=phi) <= open_to(spent(requests, lost), rate, phi=phi) + 1e-9


def opened(traffic: Traffic, seconds: int, *, warm: bool = True) -> float:
    state = run(begun(a_day()), traffic, seconds, exposure=0.01, warm=warm)
    return float(comparison.allowed_exposure(state, PACE))


@pytest.mark.parametrize("warm", [True, False])
def test_a_candidate_that_hangs_for_one_in_five_is_not_let_in_further(warm):
    """Also while it warms up, where nobody would call it bad yet."""
    assert opened(Traffic(rate=1000, hangs=0.2), 4, warm=warm) < opened(Traffic(rate=1000), 4, warm=warm) / 3
