"""The size of clusters is learned from the baseline's seconds."""

from __future__ import annotations

import numpy as np
import pytest

from tidegate.core.clusters import MOST, NO_CEILING, PRIOR_PHI, Clusters, ceiling, observe


def learned(errors: np.ndarray, requests: float = 200.0, span: float = 1.0) -> float:
    state, calm = Clusters.blank((1,)), np.array([True])
    for e in errors:
        state = observe(state, np.array([requests * span]), np.array([float(e)]), span, calm=calm)
    return float(state.phi[0])


RNG = np.random.default_rng(7)


def test_before_anything_was_seen_a_little_caution_is_believed():
    assert learned(np.zeros(0)) == PRIOR_PHI


def test_independent_errors_have_clusters_of_one():
    assert learned(RNG.poisson(1.0, 3000)) == pytest.approx(1.0, abs=0.15)


def test_bursts_of_three_have_their_textbook_size():
    """Geometric bursts of mean m: variance over mean is 2 m - 1."""
    bursts = RNG.poisson(0.3, 6000)
    errors = [int(RNG.geometric(1 / 3, count).sum()) for count in bursts]
    assert learned(np.array(errors)) == pytest.approx(5.0, rel=0.2)


def test_a_slow_wave_of_the_error_rate_is_no_cluster():
    wave = 5 * (1 + 0.7 * np.sin(np.arange(4000) * 2 * np.pi / 1200))
    assert learned(RNG.poisson(wave)) == pytest.approx(1.1, abs=0.25)


def test_ticks_of_a_tenth_of_a_second_are_added_up_to_seconds():
    tenths = np.zeros(40_000)
    tenths[RNG.integers(0, 4000, 400) * 10 + 3] = 1
    for follow in (4, 5, 6):
        tenths[follow::10] = tenths[3::10]  # a burst spread over four ticks of the same second
    assert learned(tenths, span=0.1) == pytest.approx(4.0, rel=0.25)


def test_an_outage_does_not_teach_what_bursts_are_like():
    state = Clusters.blank((1,))
    for second in range(2000):
        outage = 500 <= second < 520
        e = 150.0 if outage else float(RNG.poisson(0.5))
        state = observe(state, np.array([200.0]), np.array([e]), 1.0, calm=np.array([not outage]))
    assert float(state.phi[0]) < 2.5


def test_bursts_that_last_three_seconds_are_seen_in_spans_of_five():
    """Six errors over three seconds: within one second they look like bursts of two and a half."""
    errors = np.zeros(12_000)
    for start in RNG.integers(0, 11_990, 600):
        for when in RNG.integers(0, 3, 6):
            errors[start + when] += 1
    assert learned(errors) == pytest.approx(5.5, rel=0.25)


def test_no_cluster_is_believed_to_be_larger_than_twenty():
    errors = np.zeros(3000)
    errors[::100] = 90
    assert learned(errors) == MOST


def test_in_bursts_a_bad_outcome_is_worth_little_and_without_them_all():
    worth = [float(ceiling(np.asarray(phi))) for phi in (1.0, 1.5, 2.0, 5.0, 20.0)]
    assert worth[:2] == [NO_CEILING, NO_CEILING]
    assert worth == sorted(worth, reverse=True)
    assert worth[3] == pytest.approx(0.45, abs=0.01)
