from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidegate.core.errors import Invalid, Refused
from tidegate.drivers.pushed import MOST_NAMES, MOST_WAITING, PushedMetrics

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def pushed() -> PushedMetrics:
    return PushedMetrics(Clock())


def test_each_value_is_handed_out_once(pushed: PushedMetrics) -> None:
    pushed.push("orders", 3, {"country": "de"}, service="web", version="v2")
    (one,) = pushed.measure().measurements
    assert (one.metric, one.value, one.labels, one.service, one.version) == ("orders", 3.0, {"country": "de"}, "web", "v2")
    assert (one.kind, one.task, one.at) == ("gauge", "", NOW)
    assert pushed.measure().measurements == ()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"name": "1st"}, "is no name of a metric"),
        ({"name": ""}, "is no name of a metric"),
        ({"name": "x" * 201}, "is no name of a metric"),
        ({"value": float("nan")}, "orders is nan"),
        ({"value": float("inf")}, "orders is inf"),
        ({"value": True}, "orders is True"),
        ({"labels": {"a-b": "x"}}, "'a-b' is no name of a label"),
        ({"labels": {"a": "x" * 201}}, "Label a has 201 characters"),
        ({"labels": {f"l{number}": "" for number in range(17)}}, "orders has 17 labels"),
        ({"at": datetime(2026, 1, 1)}, "has no time zone"),  # noqa: DTZ001 - that is the point
        ({"at": NOW + timedelta(minutes=2)}, "is 2m ahead"),
        ({"at": NOW - timedelta(hours=2)}, "is 2h old"),
    ],
)
def test_what_cannot_be_taken_is_refused_and_changes_nothing(pushed: PushedMetrics, content: dict[str, Any], what: str) -> None:
    content = {"name": "orders", "value": 1.0, **content}
    with pytest.raises(Invalid) as wrong:
        pushed.push(content.pop("name"), content.pop("value"), content.pop("labels", None), **content)
    assert what in wrong.value.what
    assert wrong.value.mend
    assert pushed.measure().measurements == ()
    assert pushed.known("web") == frozenset()


@pytest.mark.parametrize(
    ("at", "counts_as", "told"),
    [
        (None, NOW, ""),
        (NOW - timedelta(seconds=10), NOW - timedelta(seconds=10), ""),
        (NOW + timedelta(seconds=30), NOW, "Its time is 30s ahead; it counts as of now."),
        (NOW - timedelta(minutes=5), NOW - timedelta(minutes=5), "It is 5m old: figures of periods that are over change"),
    ],
)
def test_the_time_of_a_value_is_kept_or_what_becomes_of_it_is_said(
    pushed: PushedMetrics, at: datetime | None, counts_as: datetime, told: str
) -> None:
    assert pushed.push("orders", 1, at=at).startswith(told)
    assert pushed.measure().measurements[0].at == counts_as


def test_names_are_known_to_their_service_or_to_all(pushed: PushedMetrics) -> None:
    pushed.push("orders", 1, service="web")
    pushed.push("temperature", 1)
    assert pushed.known("web") == {"orders", "temperature"}
    assert pushed.known("other") == {"temperature"}


def test_names_are_bounded_and_forgotten_after_a_day() -> None:
    clock = Clock()
    pushed = PushedMetrics(clock)
    for number in range(MOST_NAMES):
        pushed.push(f"m{number}", 1)
    with pytest.raises(Refused, match="1000 metrics are pushed already"):
        pushed.push("one_more", 1)
    pushed.push("m1", 2)
    clock.now += timedelta(days=2)
    pushed.push("one_more", 1)
    assert pushed.known("web") == {"one_more"}


def test_when_nobody_looks_the_oldest_go(pushed: PushedMetrics) -> None:
    for number in range(MOST_WAITING + 5):
        pushed.push("orders", number)
    values = [one.value for one in pushed.measure().measurements]
    assert (len(values), values[0]) == (MOST_WAITING, 5.0)


def test_nothing_is_lost_or_doubled_between_threads(pushed: PushedMetrics) -> None:
    taken: list[float] = []
    done = threading.Event()

    def take() -> None:
        while not done.is_set():
            taken.extend(one.value for one in pushed.measure().measurements)

    def push(start: int) -> None:
        for number in range(start, start + 500):
            pushed.push("orders", number)

    taker = threading.Thread(target=take)
    pushers = [threading.Thread(target=push, args=(start,)) for start in range(0, 4000, 500)]
    for thread in (taker, *pushers):
        thread.start()
    for thread in pushers:
        thread.join()
    done.set()
    taker.join()
    taken.extend(one.value for one in pushed.measure().measurements)
    assert sorted(taken) == list(range(4000))
