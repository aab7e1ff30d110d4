"""Counts of one side: a span's counts are the difference of two readings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.latency import Latencies
from tidegate.core.tally import NOTHING, Tally

TALLIES = st.builds(
    Tally,
    begun=st.integers(0, 1000),
    finished=st.integers(0, 1000),
    failed=st.integers(0, 1000),
    latency=st.lists(st.floats(0, 1e9), max_size=10).map(Latencies.of),
)


@given(TALLIES, TALLIES)
def test_what_came_since_an_earlier_reading_is_the_difference(earlier: Tally, since: Tally) -> None:
    assert earlier.plus(since).minus(earlier) == since


@given(TALLIES, TALLIES, TALLIES)
def test_sums_do_not_depend_on_the_order(one: Tally, two: Tally, three: Tally) -> None:
    assert one.plus(two) == two.plus(one)
    assert one.plus(two).plus(three) == one.plus(two.plus(three))


@given(TALLIES)
def test_nothing_changes_nothing(tally: Tally) -> None:
    assert tally.plus(NOTHING) == tally == NOTHING.plus(tally) == tally.minus(NOTHING)
    assert tally.minus(tally) == NOTHING


@given(TALLIES, TALLIES)
def test_a_router_that_began_anew_never_counts_less_than_nothing(one: Tally, other: Tally) -> None:
    left = one.minus(other)
    assert min(left.begun, left.finished, left.failed, left.latency.count) >= 0
