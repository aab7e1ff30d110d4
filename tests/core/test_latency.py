"""Latency in bins: exact sums and differences, quantiles within one bin."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.core.latency import EDGES, Latencies, bin_of, upper_edge

VALUES = st.lists(st.floats(0, 2e9), max_size=60)


def test_edges_have_two_digits_and_lie_five_to_fourteen_percent_apart() -> None:
    assert EDGES[0] == 100
    assert EDGES[-1] == 970_000_000
    for edge in EDGES:
        assert int(str(edge)[2:] or 0) == 0, edge
    for before, after in pairwise(EDGES):
        assert 1.05 <= after / before < 1.135


@given(st.integers(0, len(EDGES) - 2))
def test_a_value_lies_between_the_edges_of_its_bin(number: int) -> None:
    assert bin_of(EDGES[number]) == number
    assert bin_of(EDGES[number + 1] - 0.001) == number
    assert upper_edge(number) == EDGES[number + 1]


def test_the_fastest_and_the_slowest_have_a_bin_too() -> None:
    assert bin_of(0) == bin_of(99) == 0
    assert bin_of(1e12) == bin_of(float("inf")) == len(EDGES) - 1


@given(VALUES, VALUES)
def test_sums_and_differences_are_exact(one: list[float], other: list[float]) -> None:
    both = Latencies.of(one + other)
    assert Latencies.of(one).plus(Latencies.of(other)) == both
    assert both.minus(Latencies.of(one)) == Latencies.of(other)
    assert both.count == len(one) + len(other)
    assert all(both.bins.values())


@given(VALUES, VALUES)
def test_a_histogram_that_began_anew_never_counts_less_than_nothing(one: list[float], other: list[float]) -> None:
    left = Latencies.of(one).minus(Latencies.of(other))
    assert all(count > 0 for count in left.bins.values())
    assert left.count <= len(one)


@given(VALUES, st.floats(0, 2e9))
@example([10.0], 50.0)
def test_slower_than_counts_only_what_surely_was(values: list[float], limit: float) -> None:
    counted = Latencies.of(values).slower_than(limit)
    assert counted <= sum(value >= limit for value in values)
    assert counted >= sum(bin_of(value) > bin_of(limit) for value in values)


@given(VALUES.filter(bool), st.floats(0, 1))
def test_a_quantile_lies_in_the_bin_of_the_value_that_has_this_rank(values: list[float], share: float) -> None:
    ranked = sorted(values)
    exact = ranked[max(0, min(len(ranked) - 1, -(-int(share * len(ranked) * 1000) // 1000) - 1))]
    found = Latencies.of(values).quantile(share)
    assert found is not None
    low = 0 if bin_of(exact) == 0 else EDGES[bin_of(exact)]
    assert low * 0.88 <= found <= max(upper_edge(bin_of(exact)) * 1.14, EDGES[1])


@given(VALUES.filter(bool), st.lists(st.floats(0, 1), min_size=2))
def test_quantiles_grow_with_their_share(values: list[float], shares: list[float]) -> None:
    found = [Latencies.of(values).quantile(share) for share in sorted(shares)]
    assert all(before <= after for before, after in pairwise(found))  # type: ignore[operator]  # none is None here


def test_nothing_has_no_quantile() -> None:
    assert Latencies().quantile(0.5) is None
    assert Latencies().count == 0


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_within_a_bin_it_is_linear(share: float) -> None:
    low, high = EDGES[40], EDGES[41]
    assert Latencies({40: 10}).quantile(share) == pytest.approx(low + share * (high - low))
