"""What is remembered of the last day."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.core.comparing import Traffic, a_day
from tidegate.core.comparison_codec import dump, load
from tidegate.core.history import History, remember_tally
from tidegate.core.latency import EDGES


def test_rates_and_shares_are_those_of_the_baseline():
    history = a_day(seconds=600, baseline=0.01)
    assert float(history.rate) == pytest.approx(100, rel=0.02)
    assert float(history.errors / history.requests) == pytest.approx(0.01, rel=0.25)
    assert np.array(EDGES)[history.edges][0] == pytest.approx(50_000, rel=0.1)


def test_independent_requests_have_no_clusters_in_errors_nor_in_latency():
    assert a_day(seconds=900, baseline=0.01).clusters.phi.max() < 1.6


def test_days_ago_is_forgotten():
    history = a_day(seconds=100, baseline=0.2)
    for _ in range(5):
        history = remember_tally(history, Traffic().tally(1.0, 0.0, 1.0, span=86_400 / 100), 86_400)
    assert float(history.errors / history.requests) < 0.01


def test_a_history_is_written_and_read_to_the_last_bit():
    history = a_day(seconds=80)
    again = load(History, json.loads(json.dumps(dump(history), allow_nan=False)))
    traffic = [Traffic(seed=4), Traffic(seed=4)]
    after = [remember_tally(h, t.tally(1.0, 0.01, 1.0), 1.0) for h, t in zip((history, again), traffic, strict=True)]
    assert json.dumps(dump(after[0])) == json.dumps(dump(after[1]))


def test_a_slow_start_is_no_burst_of_slow_requests_for_the_rest_of_the_day():
    traffic, history = Traffic(rate=200, seed=5), History.blank()
    for second in range(400):
        slower = 1 + 9 * max(0.0, 1 - second / 15)
        history = remember_tally(history, traffic.tally(1.0, 0.001, slower), 1.0)
    assert history.clusters.phi.max() < 2.5
