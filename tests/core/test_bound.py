"""Bounds that hold at zero."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.bound import surprise, upper_bound


def bound(bad: float, requests: float, z2: float = 3.84) -> float:
    return float(upper_bound(np.asarray(float(bad)), np.asarray(float(requests)), z2))


def test_before_the_first_request_everything_may_be_bad():
    assert bound(0, 0) == 1


def test_after_a_hundred_good_ones_at_most_four_percent_are():
    assert bound(0, 100) == pytest.approx(0.037, abs=0.001)


@given(requests=st.integers(1, 10**7), share=st.floats(0, 1))
def test_the_bound_is_above_what_was_seen_and_at_most_one(requests, share):
    bad = round(requests * share)
    assert bad / requests - 1e-12 <= bound(bad, requests) <= 1


def exact_tail(seen: int, expected: float) -> float:
    return 1 - sum(math.exp(-expected + k * math.log(expected) - math.lgamma(k + 1)) for k in range(seen))


@pytest.mark.parametrize(("seen", "expected"), [(1, 0.02), (2, 0.2), (3, 0.4), (10, 4.4), (40, 28.5), (300, 265.0)])
def test_surprise_is_close_to_the_exact_poisson_tail_around_two_percent(seen, expected):
    tail = 0.5 * math.erfc(float(surprise(np.asarray(float(seen)), np.asarray(expected))) / math.sqrt(2))
    assert tail == pytest.approx(exact_tail(seen, expected), rel=0.7, abs=0.004)


def test_nothing_seen_is_no_surprise():
    assert float(surprise(np.asarray(0.0), np.asarray(0.0))) < 0
