"""Latency limits lie on the shared bins, and the candidate's are at least ten percent further."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.latency import EDGES, Latencies
from tidegate.core.latency_comparison import BINS, ENOUGH, Limits, Shift, at, dense, gather, quantile_edges, slower_than

RNG = np.random.default_rng(5)


def some(count: int = 5000, median: float = 50_000) -> Latencies:
    return Latencies.of(median * RNG.lognormal(0, 0.5, count))


def test_counts_by_bin_are_the_same_counts():
    latencies = some()
    bins = dense(latencies)
    assert bins.sum() == latencies.count
    assert all(slower_than(bins)[edge] == latencies.slower_than(EDGES[edge]) for edge in range(BINS))


@given(edge=st.integers(0, BINS - 30))
def test_the_candidates_limit_is_ten_percent_further_rounded_up_to_a_bin(edge):
    near, far = (int(limit) for limit in Shift().edges(np.asarray(edge)))
    assert EDGES[near] >= EDGES[edge] * 1.1 - 1e-6
    assert EDGES[near - 1] < EDGES[edge] * 1.1
    assert EDGES[far] >= EDGES[edge] * 1.25 - 1e-6


def test_at_each_quantile_at_most_its_share_is_slower():
    bins = dense(some())
    edges = quantile_edges(bins)
    shares = at(slower_than(bins), edges) / bins.sum()
    assert (shares <= np.array([0.5, 0.25, 0.1, 0.01, 0.001]) + 1e-12).all()
    before = at(slower_than(bins), edges - 1) / bins.sum()
    assert (before > np.array([0.5, 0.25, 0.1, 0.01, 0.001])).all()


def test_limits_are_read_once_there_is_enough_and_then_stay():
    limits = Limits.of(np.zeros((1, BINS)))
    first = gather(limits, dense(some(int(ENOUGH) - 1))[None])
    assert not first.known[0]
    second = gather(first, dense(some(10))[None])
    assert second.known[0]
    later = gather(second, dense(some(5000, median=500_000))[None])
    assert (later.edges == second.edges).all()
    assert float(second.mean[0]) == pytest.approx(0.0567, rel=0.1)
