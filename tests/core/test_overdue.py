"""Requests begun and never finished are counted as slow ones, once."""

from __future__ import annotations

import numpy as np

from tidegate.core.overdue import Overdue, Usual, observe, pending

SLOW = Usual(np.asarray(2.0), np.asarray(1e9))
"""Two seconds are the limit, and the mean is not known: only the first bound counts."""
QUICK = Usual(np.asarray(0.4), np.asarray(0.05))


def run(begun: list[float], finished: list[float], span: float = 1.0, usual: Usual = SLOW) -> list[float]:
    state, grown = Overdue.blank(()), []
    for b, f in zip(begun, finished, strict=True):
        state, growth = observe(state, np.array([b, 10.0]), np.array([f, 10.0]), span, usual)
        grown.append(float(growth[0]))
        assert float(growth[1]) == 0, "the other side finishes all"
    return grown


def test_a_side_that_finishes_everything_is_never_overdue():
    assert run([10] * 6, [10] * 6) == [0] * 6


def test_a_side_that_hangs_becomes_overdue_once_the_limit_has_passed():
    assert run([10] * 6, [0] * 6) == [0, 0, 10, 10, 10, 10]


def test_half_of_them_hang():
    assert run([10] * 6, [5] * 6) == [0, 0, 0, 0, 5, 5]


def test_an_overdue_request_that_ends_after_all_leaves_again():
    assert run([10, 0, 0, 0, 0], [0, 0, 0, 0, 10]) == [0, 0, 10, 0, -10]


def test_requests_in_flight_from_before_the_start_do_not_hide_later_ones():
    assert run([0, 10, 10, 10, 10, 10], [7, 3, 0, 0, 0, 0])[-1] > 0


def test_ticks_of_a_tenth_of_a_second_know_the_same_limit():
    grown = run([1] * 30, [0] * 30, span=0.1)
    assert sum(grown[:20]) == 0
    assert sum(grown) == 10


def test_a_limit_beyond_what_is_remembered_is_taken_as_that_far_back():
    state = Overdue.blank(())
    total = 0.0
    for _ in range(80):
        state, growth = observe(state, np.array([1.0, 0.0]), np.zeros(2), 1.0, Usual(np.asarray(1e9), np.asarray(1e9)))
        total += float(growth[0])
    assert total == 80 - 63


def test_with_quick_requests_a_fifth_that_hangs_is_seen_at_once():
    """100 begun, 80 finished: 20 in flight, where 5 and a bit of luck are usual."""
    assert run([100] * 3, [80] * 3, usual=QUICK) == [20 - (5 + 4 * 5**0.5 + 2), 20, 20]


def test_what_is_in_flight_of_right_is_not_overdue():
    assert run([100] * 5, [94, 101, 98, 103, 99], usual=QUICK) == [0] * 5


def test_what_is_in_flight_beyond_what_is_right_is_pending_until_it_ends_or_is_overdue():
    state, seen, mean = Overdue.blank(()), [], np.asarray(0.05)
    for begun, finished in ((100.0, 80.0), (100.0, 80.0), (0.0, 40.0)):
        state, _ = observe(
            state, np.array([begun, 100.0]), np.array([finished, 96.0]), 1.0, Usual(np.asarray(9.0), np.asarray(1e9))
        )
        seen.append(pending(state, 1.0, mean))
    assert [round(float(both[0]), 1) for both in seen] == [round(20 - 5 - 2 * 5**0.5, 1), round(40 - 5 - 2 * 5**0.5, 1), 0.0]
    assert float(seen[0][1]) == 0
    late = observe(state, np.array([0.0, 0.0]), np.zeros(2), 1.0, Usual(np.asarray(0.1), np.asarray(1e9)))[0]
    assert float(pending(late, 1.0, mean)[1]) == 0, "what is overdue counts there"
