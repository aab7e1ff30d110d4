from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.alarm_state import Datapoint
from tidegate.core.latency import Latencies
from tidegate.core.router_series import Look, RouterSeries
from tidegate.core.tally import Tally
from tidegate.core.waiting import Waiting

START = datetime(2026, 1, 1, tzinfo=UTC)
TEN = timedelta(seconds=10)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def look(since: float, until: float, finished: int = 0, failed: int = 0, *, ms: float = 10, healthy: int | None = None) -> Look:
    tally = Tally(finished, finished, failed, Latencies.of([ms * 1000] * finished))
    return Look(at(since), at(until), tally, healthy=healthy)


def series(metric: str = "error_rate", period: timedelta = TEN, begin: float = 0.0, keep: int = 20) -> RouterSeries:
    return RouterSeries(metric, period, keep).blind(at(begin))


def drawn(closed: tuple[Datapoint, ...]) -> list[float | str | None]:
    return ["blind" if point.blind else point.value for point in closed]


def test_a_period_becomes_one_figure_once_somebody_looked_at_its_end() -> None:
    seen = series().add(look(0, 1, 50, 1)).add(look(1, 9, 50, 4))
    assert seen.closed == ()
    assert seen.blind(at(9.99)).closed == ()
    assert seen.blind(at(10)).closed == (Datapoint(at(10), 0.05),)
    assert seen.add(look(9, 10.5, 100, 100)).closed == (Datapoint(at(10), 0.05),)


def test_what_was_counted_belongs_to_the_period_of_the_second_look_also_at_its_very_end() -> None:
    seen = series().add(look(0, 10, 100, 7))
    assert seen.closed == (Datapoint(at(10), 0.07),)


def test_no_traffic_is_missing_for_a_rate_and_zero_for_requests() -> None:
    for metric, figure in (("error_rate", None), ("p99", None), ("requests", 0.0)):
        seen = series(metric, begin=-5).add(look(0, 5)).add(look(5, 11))
        assert drawn(seen.closed)[-1] == figure
        assert not seen.closed[-1].blind


def test_a_period_without_an_answer_is_blind() -> None:
    seen = series().add(look(0, 9, 10)).blind(at(12)).blind(at(20)).blind(at(31))
    assert drawn(seen.closed) == [0.0, "blind", "blind"]


def test_after_an_hour_without_looks_all_that_is_kept_is_blind() -> None:
    seen = series(keep=5).add(look(0, 9, 10)).add(look(9, 3600, 10))
    assert drawn(seen.closed) == ["blind"] * 4 + [0.0]
    assert seen.closed[-1].at == at(3600)


def test_counts_are_not_lost_by_a_short_time_without_answers() -> None:
    seen = series().add(look(0, 9, 10)).blind(at(12)).blind(at(20))
    assert drawn(seen.closed) == [0.0, "blind"]
    seen = seen.add(look(9, 21, 100, 10))
    assert drawn(seen.closed) == [0.0, 0.1]
    assert seen.add(look(21, 30, 50, 0)).closed[-1].value == 0.0, "they are not counted twice"


def test_looks_that_are_a_little_late_leave_no_period_blind() -> None:
    """One look a second and periods of one second: some periods have two looks, and some have none."""
    seen = series("requests", timedelta(seconds=1), keep=100)
    moments = [0.0, 0.99, 2.01, 3.01, 4.005, 4.99, 6.01, 7.0, 8.02, 9.01, 10.3]
    for since, until in itertools.pairwise(moments):
        seen = seen.add(look(since, until, 10))
    assert drawn(seen.closed) == [10.0] * 9


def test_the_requests_of_a_long_gap_are_not_all_put_into_its_last_period() -> None:
    seen = series("requests").add(look(0, 10, 100)).add(look(10, 65, 550)).add(look(65, 70, 50))
    assert drawn(seen.closed) == ["blind"] * 5 + [100.0]
    rate = series().add(look(0, 10, 100)).add(look(10, 65, 550, 55)).add(look(65, 70, 50, 5))
    assert drawn(rate.closed)[-1] == pytest.approx(0.1)


def test_the_period_in_which_it_began_is_no_figure_of_requests() -> None:
    seen = series("requests", begin=9).add(look(9, 10, 5)).add(look(10, 20, 100))
    assert drawn(seen.closed) == [100.0]
    rate = series("error_rate", begin=9).add(look(9, 10, 5)).add(look(10, 20, 100))
    assert drawn(rate.closed) == [0.0, 0.0]


def test_latency_is_in_seconds() -> None:
    seen = series("p50").add(look(0, 10, 100, ms=800))
    assert seen.closed[-1].value == pytest.approx(0.8, rel=0.06)


def test_requests_that_hang_show_in_the_percentiles_although_nothing_finishes() -> None:
    waiting = Waiting()
    for second in range(11):
        waiting = waiting.look(at(second), total=Tally(begun=5 * second), grown=Tally())
    seen = series("p99").add(Look(at(0), at(10), Tally(begun=50), waiting.ages()))
    assert seen.closed[-1].value is not None
    assert seen.closed[-1].value > 7
    assert series("error_rate").add(Look(at(0), at(10), Tally(begun=50), waiting.ages())).closed[-1].value is None


def test_healthy_tasks_are_the_fewest_that_were_seen() -> None:
    seen = series("tasks_healthy")
    for second, healthy in ((1, 2), (5, 1), (10, 2)):
        seen = seen.add(look(second - 1, second, healthy=healthy))
    assert drawn(seen.closed) == [1.0]


def test_only_so_many_periods_are_kept() -> None:
    seen = series(keep=3)
    for number in range(10):
        seen = seen.add(look(number * 10, number * 10 + 10, 100, number))
    assert drawn(seen.closed) == [0.07, 0.08, 0.09]


GAPS = st.lists(st.tuples(st.floats(0.2, 9.5), st.integers(0, 50), st.booleans()), min_size=1, max_size=60)


@given(GAPS)
def test_all_that_was_counted_is_in_some_period_and_only_once(gaps: list[tuple[float, int, bool]]) -> None:
    """With looks nearer to each other than a period; those that are not answered lose nothing."""
    seen, moment, since, total, pending = series("requests", begin=-15), -0.0, 0.0, 0, 0
    seen = seen.add(look(-14, 0))
    for gap, finished, answered in gaps:
        moment += gap
        pending += finished
        if answered or moment - since > 9:
            seen, since, total, pending = seen.add(look(since, moment, pending)), moment, total + pending, 0
        else:
            seen = seen.blind(at(moment))
    kept = sum(point.value or 0.0 for point in seen.closed) + seen.gathered.requests
    assert seen.keep >= 20
    if len(seen.closed) < seen.keep:
        assert kept == total


@given(st.lists(st.tuples(st.floats(0.1, 35), st.booleans()), min_size=1, max_size=40))
def test_periods_follow_each_other_without_a_gap(gaps: list[tuple[float, bool]]) -> None:
    seen, moment = series(), 0.0
    for gap, answered in gaps:
        before, moment = moment, moment + gap
        seen = seen.add(look(before, moment, 1)) if answered else seen.blind(at(moment))
        ends = [point.at for point in seen.closed]
        assert ends == [at(10 * (i + 1)) for i in range(int(moment // 10))][-seen.keep :]


@given(st.lists(st.tuples(st.floats(0.1, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40))
def test_a_rate_is_a_share(gaps: list[tuple[float, int, int]]) -> None:
    seen, moment = series(), 0.0
    for gap, fine, failed in gaps:
        seen = seen.add(look(moment, moment + gap, fine + failed, failed))
        moment += gap
    assert all(point.value is None or 0 <= point.value <= 1 for point in seen.closed)
