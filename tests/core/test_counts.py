from __future__ import annotations

from datetime import UTC, datetime

from tidegate.core.alarm import Of
from tidegate.core.counts import counts, grown, tally_of
from tidegate.core.latency import Latencies
from tidegate.core.tally import Tally

AT = datetime(2026, 1, 1, tzinfo=UTC)


def tally(finished: int, failed: int = 0) -> Tally:
    return Tally(finished, finished, failed, Latencies.of([1000] * finished))


def test_a_first_look_begins_and_adds_nothing() -> None:
    assert grown(None, counts("e1", AT, {("stable", "v1"): tally(500)})) == ()


def test_two_looks_make_a_difference() -> None:
    before = counts("e1", AT, {("stable", "v1"): tally(500, 5)})
    after = counts("e1", AT, {("stable", "v1"): tally(520, 6), ("candidate", "v2"): tally(3, 3)})
    assert [(one.slot, one.tally) for one in grown(before, after)] == [("stable", tally(20, 1)), ("candidate", tally(3, 3))]


def test_a_router_that_was_restarted_has_counted_from_zero() -> None:
    before = counts("e1", AT, {("stable", "v1"): tally(500)})
    after = counts("e2", AT, {("stable", "v1"): tally(30)})
    assert grown(before, after)[0].tally == tally(30)


def test_rescued_attempts_belong_to_the_service_and_to_neither_side() -> None:
    counted = grown(
        counts("e1", AT, {}),
        counts(
            "e1",
            AT,
            {
                ("stable", "v1"): tally(100, 1),
                ("candidate", "v2"): tally(20, 4),
                ("candidate", "v1"): tally(4),
                ("stable", "v0"): tally(7),
            },
        ),
    )
    assert tally_of(Of.CANDIDATE, counted, candidate="v2", baseline="v1") == tally(20, 4)
    assert tally_of(Of.BASELINE, counted, candidate="v2", baseline="v1") == tally(100, 1)
    assert tally_of(Of.SERVICE, counted, candidate="v2", baseline="v1") == tally(131, 5)


def test_outside_of_a_rollout_there_is_only_the_service() -> None:
    counted = counts("e1", AT, {("stable", ""): tally(5), ("candidate", ""): tally(1)}).counted
    assert tally_of(Of.CANDIDATE, counted, candidate="", baseline="") == Tally()
    assert tally_of(Of.BASELINE, counted, candidate="", baseline="") == Tally()
    assert tally_of(Of.SERVICE, counted, candidate="", baseline="") == tally(6)
