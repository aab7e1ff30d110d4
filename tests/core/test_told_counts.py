"""Counts that somebody else adds up by periods, and tells late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.period import period_at
from tidegate.core.told_counts import Standing, Told, ToldCounts, begin, dump, load

MINUTE = timedelta(minutes=1)
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ZERO = period_at(START, MINUTE)
ROLLOUT = Standing("v1", "v2")


def begun(late: timedelta = 2 * MINUTE) -> ToldCounts:
    return begin(epoch="one", by="alb", period=MINUTE, late=late, now=START)


def told(counts: ToldCounts, minutes: float, standing: Standing = ROLLOUT, **figures: dict[int, Told]) -> ToldCounts:
    """After an answer so many minutes later; periods are told by the minute in which they began."""
    answers = {version: {ZERO + minute: value for minute, value in mine.items()} for version, mine in figures.items()}
    now = START + minutes * MINUTE
    return counts.seen(standing, now).told(answers, standing, now)


def test_a_period_counts_once_it_is_as_old_as_figures_are_late() -> None:
    counts = told(begun(), 0.0, v1={}, v2={})
    counts = told(counts, 2.9, v1={0: (90, 1)}, v2={0: (10, 0)})
    assert counts.totals == {}
    assert not counts.is_due(START + 2.9 * MINUTE)
    assert counts.is_due(START + 3 * MINUTE)
    counts = told(counts, 3.0, v1={0: (90, 1)}, v2={0: (10, 0)})
    assert counts.totals == {"stable": {"v1": (90, 1)}, "candidate": {"v2": (10, 0)}}
    assert counts.counted_until == START + MINUTE


def test_what_comes_later_is_added_and_what_is_told_again_is_not() -> None:
    counts = told(begun(), 0.0, v1={}, v2={})
    counts = told(counts, 4.0, v1={0: (90, 0), 1: (90, 0)}, v2={1: (10, 0)})
    counts = told(counts, 4.1, v1={0: (90, 0), 1: (95, 2)}, v2={0: (9, 9), 1: (10, 0)})
    assert counts.totals == {"stable": {"v1": (185, 2)}, "candidate": {"v2": (19, 9)}}


def test_what_was_before_it_began_is_not_counted() -> None:
    counts = told(begun(), 1.0, v1={-9: (50, 5), -3: (50, 5)})
    assert counts.totals == {}
    assert told(counts, 2.0, v1={-3: (50, 5), -2: (50, 5), -1: (7, 0)}).totals == {"stable": {"v1": (57, 5)}}


def test_the_candidates_requests_stay_its_own_after_it_became_the_stable_one() -> None:
    counts = told(begun(), 0.0, v1={}, v2={})
    after = Standing("v2")
    counts = told(counts, 1.5, after, v1={}, v2={})
    counts = told(counts, 5.0, after, v1={}, v2={0: (10, 1), 2: (100, 0)})
    assert counts.totals == {"candidate": {"v2": (10, 1)}, "stable": {"v2": (100, 0)}}


def test_whoever_is_pinned_to_a_version_that_went_back_is_counted_as_its_own() -> None:
    counts = told(begun(), 0.0, v1={}, v2={})
    counts = told(counts, 5.0, Standing("v1"), v1={}, v2={2: (3, 3)})
    assert counts.totals == {"candidate": {"v2": (3, 3)}}
    assert counts.answered_last("v2") == START + 3 * MINUTE
    assert counts.answered_last("v1") is None


def test_a_controller_that_comes_back_counts_what_was_missed_and_nothing_twice() -> None:
    counts = told(begun(), 0.0, v1={}, v2={})
    counts = load(dump(told(counts, 4.0, v1={0: (90, 0), 1: (90, 0)}, v2={1: (10, 0)})))
    counts = told(counts, 30.0, v1=dict.fromkeys(range(28), (90, 0)), v2={1: (10, 0), 20: (1, 1)})
    assert counts.totals == {"stable": {"v1": (28 * 90, 0)}, "candidate": {"v2": (11, 1)}}


def test_who_was_away_for_longer_than_periods_are_kept_begins_anew() -> None:
    assert not begun().is_outdated(START + timedelta(minutes=90))
    assert begun().is_outdated(START + timedelta(hours=3))
    assert begun().is_outdated(START - timedelta(hours=1))


figures = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), min_size=12, max_size=12)


@given(
    v1=figures,
    v2=figures,
    lag=st.lists(st.integers(0, 4), min_size=12, max_size=12),
    steps=st.lists(st.integers(1, 3), max_size=12),
)
def test_however_late_and_in_whatever_parts_it_is_told_the_sum_is_right(
    v1: list[Told], v2: list[Told], lag: list[int], steps: list[int]
) -> None:
    """As long as it comes while a period may still grow."""
    counts, at = told(begun(), 0.0, v1={}, v2={}), 0
    for step in [*steps, *([1] * 30)]:
        at += step
        there = {number: (v1[number], v2[number]) for number in range(12) if number + 1 + lag[number] <= at}
        counts = told(
            counts,
            at,
            v1={number: pair[0] for number, pair in there.items()},
            v2={number: pair[1] for number, pair in there.items()},
        )
    for slot, version, all_of_it in (("stable", "v1", v1), ("candidate", "v2", v2)):
        expected = (sum(one[0] for one in all_of_it), sum(one[1] for one in all_of_it))
        assert counts.totals.get(slot, {}).get(version, (0, 0)) == expected
