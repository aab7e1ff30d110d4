from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.latency import EDGES, Latencies
from tidegate.core.tally import NOTHING, Tally
from tidegate.core.waiting import MOST, STREAM, Waiting, quantile

START = datetime(2026, 1, 1, tzinfo=UTC)

Request = tuple[float, float | None]
"""When it was begun, and how many seconds it took; None for one that hangs."""


def tally(requests: list[Request], now: float) -> Tally:
    """What a router has counted at this second."""
    begun = [request for request in requests if request[0] <= now]
    took = [took for at, took in begun if took is not None and at + took <= now]
    return Tally(len(begun), len(took), 0, Latencies.of(seconds * 1e6 for seconds in took))


def watch(requests: list[Request], looks: list[float]) -> Waiting:
    waiting, before = Waiting(), NOTHING
    for now in looks:
        total = tally(requests, now)
        waiting = waiting.look(START + timedelta(seconds=now), total=total, grown=total.minus(before))
        before = total
    return waiting


def older_than(requests: list[Request], now: float, seconds: float) -> int:
    """The truth: how many are unfinished now and were begun so long ago."""
    return sum(at <= now - seconds and (took is None or at + took > now) for at, took in requests)


def every_second(until: int) -> list[float]:
    return [float(second) for second in range(until + 1)]


def test_a_side_that_finishes_everything_has_nobody_waiting() -> None:
    requests: list[Request] = [(second / 100, 0.01) for second in range(1000)]
    assert watch(requests, every_second(10)).ages().count == 0


def test_a_side_that_hangs_shows_its_requests_with_their_age() -> None:
    requests: list[Request] = [(0.5, None)] * 20 + [(5.5, None)] * 10
    ages = watch(requests, every_second(10)).ages()
    assert ages.count == 30
    assert ages.slower_than(7_000_000) == 20
    assert ages.slower_than(3_900_000) == 30


def test_a_part_that_hangs_in_a_stream_of_others_is_found() -> None:
    """20 of 100 requests a second hang: begun(then) - finished(now) would be far below zero all the time."""
    requests: list[Request] = [(second / 100 + 0.005, None if second % 5 == 0 else 0.01) for second in range(2000)]
    waiting = watch(requests, every_second(20))
    assert waiting.ages().count > 250
    assert waiting.ages().slower_than(8_000_000) > 100
    then, now = tally(requests, 10), tally(requests, 20)
    assert then.begun - now.finished < 0


def test_a_request_that_ends_after_all_is_not_counted_any_more() -> None:
    requests: list[Request] = [(0.5, 4.0)] * 20
    assert watch(requests, every_second(4)).ages().count == 20
    assert watch(requests, every_second(6)).ages().count == 0


def test_what_goes_on_for_minutes_is_a_stream_and_not_a_slow_request() -> None:
    requests: list[Request] = [(0.5, 2000.0)]
    looks = [float(second) for second in range(0, 2010, 3)]
    assert watch(requests, [look for look in looks if look < STREAM]).ages().count == 1
    assert watch(requests, [look for look in looks if look < 2 * STREAM]).ages().count == 0
    assert watch(requests, looks).ages().count == 0


def test_streams_do_not_hide_requests_that_hang() -> None:
    requests: list[Request] = [(0.5, None)] * 7 + [(700.0, None)] * 3
    assert watch(requests, [float(second) for second in range(0, 730, 2)]).ages().count == 3


def test_the_marks_stay_few() -> None:
    waiting = Waiting()
    for second in range(4000):
        waiting = waiting.look(START + timedelta(seconds=second), total=Tally(9 * second, 8 * second), grown=Tally(9, 8))
        assert len(waiting.marks) <= MOST
    assert waiting.ages().slower_than(200_000_000) > 50


def test_a_look_that_is_not_newer_changes_nothing() -> None:
    waiting = watch([(0.5, None)], every_second(3))
    assert waiting.look(START, total=Tally(9, 0), grown=Tally(9, 0)) == waiting


REQUESTS = st.lists(st.tuples(st.floats(0, 40), st.one_of(st.none(), st.floats(0.001, 0.05), st.floats(0.1, 45))), max_size=120)
LOOKS = st.lists(st.floats(0.3, 3), min_size=2, max_size=40)


@given(requests=REQUESTS, gaps=LOOKS, times=st.sampled_from([1, 12]))
def test_nobody_is_said_to_wait_who_does_not(requests: list[Request], gaps: list[float], times: int) -> None:
    looks = [0.0]
    for gap in gaps * times:  # so often that marks have to be left out
        looks.append(looks[-1] + gap)
    ages = watch(requests, looks).ages()
    for bin_ in ages.bins:
        # A bin is said to be waited for by its lower edge; what waits that long or longer must be there.
        said = sum(count for other, count in ages.bins.items() if other >= bin_)
        assert said <= older_than(requests, looks[-1], EDGES[bin_] / 1e6)


@given(requests=REQUESTS, seconds=st.integers(2, 12))
def test_it_finds_no_less_than_the_plain_difference(requests: list[Request], seconds: int) -> None:
    found = watch(requests, every_second(seconds)).ages().count
    # The looks of the last seconds are all kept, so the plain bound over them must be reached.
    plain = max(tally(requests, then).begun - tally(requests, seconds).finished for then in range(max(0, seconds - 5), seconds))
    assert found >= plain


def test_those_that_wait_make_a_quantile_slower_and_never_faster() -> None:
    fast, slow = Latencies.of([10_000] * 90), Latencies.of([2_000_000] * 10)
    alone = quantile(fast, Latencies(), 0.99)
    assert alone == pytest.approx(10_000, rel=0.1)
    assert quantile(fast, slow, 0.99) == pytest.approx(2_000_000, rel=0.1)
    assert quantile(slow, fast, 0.5) == quantile(slow, Latencies(), 0.5), "young ones say nothing yet"
    assert quantile(Latencies(), slow, 0.5) == pytest.approx(2_000_000, rel=0.1)
    assert quantile(Latencies(), Latencies(), 0.5) is None


@given(
    st.lists(st.floats(100, 1e7), max_size=50),
    st.lists(st.floats(100, 1e9), max_size=50),
    st.sampled_from([0.0, 0.5, 0.99, 1.0]),
)
def test_waiting_never_lowers_a_quantile(finished: list[float], waiting: list[float], share: float) -> None:
    alone = Latencies.of(finished).quantile(share)
    with_them = quantile(Latencies.of(finished), Latencies.of(waiting), share)
    assert alone is None or (with_them is not None and with_them >= alone)
