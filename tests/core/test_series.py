from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.alarm import AlarmFile, Of
from tidegate.core.alarm_evaluation import evaluate_all
from tidegate.core.alarm_state import AlarmState
from tidegate.core.counts import Counts, counts
from tidegate.core.latency import Latencies
from tidegate.core.series import Series
from tidegate.core.tally import Tally

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def alarm(name: str = "errors", **content: Any) -> AlarmFile:
    standard = {"metric": "error_rate", "above": "1%"} if "metric" not in content else {}
    return AlarmFile.model_validate({"name": name, **standard, **content})


@dataclass(frozen=True)
class Value:
    metric: str
    value: float
    task: str = ""
    version: str = ""
    kind: str = "gauge"
    labels: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None


def tally(finished: int, failed: int = 0, *, begun: int | None = None, ms: float = 10) -> Tally:
    return Tally(finished if begun is None else begun, finished, failed, Latencies.of([ms * 1000] * finished))


def reading(second: float, candidate: Tally, baseline: Tally, epoch: str = "e1") -> Counts:
    return counts(epoch, at(second), {("candidate", "v2"): candidate, ("stable", "v1"): baseline})


def figures(series: Series, one: AlarmFile) -> list[float | str | None]:
    return ["blind" if point.blind else point.value for point in series.datapoints(one)]


def rollout(*alarms: AlarmFile) -> Series:
    return Series.of(alarms, candidate="v2", baseline="v1")


def test_each_alarm_sees_its_side() -> None:
    sides = {of: alarm(of, of=of) for of in Of}
    series = rollout(*sides.values()).look(at(0), reading(0, tally(50), tally(900)), healthy={})
    series = series.look(at(10), reading(10, tally(150, 10), tally(1800, 9)), healthy={})
    assert figures(series, sides[Of.CANDIDATE])[-1] == 0.1
    assert figures(series, sides[Of.BASELINE])[-1] == 0.01
    assert figures(series, sides[Of.SERVICE])[-1] == 0.019


def test_outside_of_a_rollout_every_alarm_looks_at_the_service() -> None:
    errors = alarm(of="candidate")
    series = Series.of([errors]).look(at(0), reading(0, tally(0), tally(0)), healthy={})
    assert figures(series.look(at(10), reading(10, tally(100, 10), tally(900)), healthy={}), errors)[-1] == 0.01


def test_healthy_tasks_are_seen_also_when_the_router_is_not() -> None:
    healthy, errors = alarm("tasks", metric="tasks_healthy", below=1), alarm()
    series = rollout(healthy, errors)
    for second in range(0, 21, 2):
        series = series.look(at(second), None, healthy={Of.CANDIDATE: 2})
    assert figures(series, healthy)[-1] == 2.0
    assert figures(series, errors)[-1] == "blind"
    assert figures(series.look(at(40), None, healthy=None), healthy)[-1] == "blind"


def test_a_side_without_any_task_has_none_healthy() -> None:
    healthy = alarm("tasks", metric="tasks_healthy", below=1)
    series = rollout(healthy).look(at(10), None, healthy={Of.BASELINE: 2})
    assert figures(series, healthy) == [0.0]


def test_a_candidate_that_hangs_fires_the_alarm_on_its_p99() -> None:
    slow = alarm("slow", metric="p99", above="800ms", datapoints="2 of 2")
    series = rollout(slow)
    for second in range(41):
        hanging = tally(0, begun=5 * second)
        series = series.look(at(second), reading(second, hanging, tally(100 * second)), healthy={})
    seen = evaluate_all([slow], {"slow": series.datapoints(slow)}, {})["slow"]
    assert seen.state is AlarmState.ALARM
    assert seen.value is not None
    assert seen.value > 20


def test_a_restarted_router_takes_those_who_waited_with_it() -> None:
    slow = alarm("slow", metric="p99", above="800ms")
    series = rollout(slow)
    for second in range(11):
        series = series.look(at(second), reading(second, tally(0, begun=5 * second), tally(0)), healthy={})
    for second in range(11, 21):
        after = reading(second, tally(10 * second), tally(0), "e2")
        series = series.look(at(second), after, healthy={})
    assert series.waiting[Of.CANDIDATE].ages().count == 0
    assert figures(series, slow)[-1] == pytest.approx(0.01, rel=0.1)


def test_tasks_metrics_are_those_of_the_tasks_of_the_side() -> None:
    queue = alarm("queue", metric="tasks:queue", above=3)
    other = alarm("other", metric="tasks:queue", above=3, of="baseline")
    series = rollout(queue, other)
    shown = [Value("queue", 9, "a", "v2"), Value("queue", 1, "b", "v1")]
    series = series.scraped(at(5), shown, tasks={"a": "v2", "b": "v1"}).scraped(at(10), [], tasks={"b": "v1"})
    assert figures(series, queue) == [9.0]
    assert figures(series, other) == [1.0]
    series = series.scraped(at(20), [Value("queue", 2, "b", "v1")], tasks={"b": "v1"})
    assert figures(series, queue) == [9.0, "blind"]
    assert figures(series, other) == [1.0, 2.0]


def test_what_is_pushed_without_a_version_is_true_of_every_side() -> None:
    orders = alarm("orders", metric="pushed:orders", below=1)
    series = rollout(orders).pushed(
        at(5), [Value("orders", 4), Value("orders", 6, version="v2"), Value("orders", 99, version="v1")]
    )
    assert figures(series.pushed(at(10), []), orders) == [5.0]


def test_nobody_pushing_is_no_data_and_never_blind() -> None:
    orders = alarm("orders", metric="pushed:orders", below=1)
    assert figures(rollout(orders).pushed(at(5), []).pushed(at(10), []), orders) == [None]


def test_other_alarms_keep_what_they_share() -> None:
    errors, more = alarm(), alarm("more", above="5%", datapoints="2 of 9")
    series = rollout(errors).look(at(0), reading(0, tally(0), tally(0)), healthy={})
    series = series.look(at(10), reading(10, tally(100, 10), tally(0)), healthy={})
    fitted = series.fit([more])
    assert figures(fitted, more) == figures(series, errors)
    assert fitted.router[next(iter(fitted.router))].keep == more.evaluation_range
    assert figures(series.fit([alarm("slow", metric="p99", above="1s")]), errors) == []


def test_alarms_that_share_a_series_keep_what_the_longest_of_them_needs() -> None:
    short, long = alarm(), alarm("long", above="5%", datapoints="2 of 9")
    for alarms in ([short, long], [long, short]):
        (series,) = rollout(short).fit(alarms).router.values()
        assert series.keep == long.evaluation_range
    (series,) = rollout(long).fit([short]).router.values()
    assert series.keep == short.evaluation_range


def test_a_clock_that_was_set_back_begins_anew_instead_of_standing_still() -> None:
    errors = alarm()
    series = rollout(errors).look(at(3600), reading(3600, tally(0), tally(0)), healthy={})
    series = series.look(at(3610), reading(3610, tally(100, 10), tally(0)), healthy={})
    assert figures(series, errors) == [0.1]
    series = series.look(at(0), reading(0, tally(200, 20), tally(0)), healthy={})
    assert figures(series, errors) == []
    assert figures(series.look(at(10), reading(10, tally(300, 50), tally(0)), healthy={}), errors) == [0.3]


def test_a_composite_alarm_has_no_datapoints() -> None:
    both = AlarmFile(name="both", when="TRUE")
    assert rollout(both).datapoints(both) == ()


ALARMS = (
    alarm(datapoints="2 of 3"),
    alarm("slow", metric="p99", above="800ms", of="baseline"),
    alarm("few", metric="requests", below=1, of="service", period="1m"),
    alarm("tasks", metric="tasks_healthy", below=1),
    alarm("queue", metric='tasks:queue{name=~"m.*"}', above=3, statistic="p99.9"),
    alarm("took", metric="tasks:took", above=3, statistic="p50"),
    alarm("orders", metric="pushed:orders", below=1, statistic="sum"),
)

TICKS = st.lists(
    st.tuples(st.floats(0.2, 40), st.integers(0, 30), st.integers(0, 30), st.booleans(), st.booleans(), st.floats(-5, 5)),
    max_size=25,
)


def told(series: Series, ticks: list[tuple[float, int, int, bool, bool, float]]) -> Series:
    second = (series.told - START).total_seconds() if series.told else 0.0
    before = {(one.slot, one.version): one.tally for one in series.counts.counted} if series.counts else {}
    candidate, baseline = before.get(("candidate", "v2"), Tally()), before.get(("stable", "v1"), Tally())
    for gap, more, failed, seen, answered, value in ticks:
        second += gap
        candidate = candidate.plus(tally(more, min(more, failed), begun=more + 1, ms=100 * abs(value)))
        baseline = baseline.plus(tally(failed))
        series = series.look(
            at(second),
            reading(second, candidate, baseline) if seen else None,
            healthy={Of.CANDIDATE: more} if answered else None,
        )
        shown = [
            Value("queue", value, "a", "v2", labels={"name": "mail"}),
            Value("took_bucket", more, "a", "v2", "histogram", {"le": "+Inf"}),
            Value("took_bucket", more, "a", "v2", "histogram", {"le": "0.5"}),
            Value("took_count", more, "a", "v2", "histogram"),
        ]
        series = series.scraped(at(second), shown if answered else [], tasks={"a": "v2"} if answered else {})
        series = series.pushed(at(second), [Value("orders", value)] if seen else [])
    return series


@given(before=TICKS, after=TICKS)
def test_a_controller_that_starts_again_goes_on_where_the_last_one_was(before: Any, after: Any) -> None:
    series = told(Series.of(ALARMS, candidate="v2", baseline="v1"), before)
    again = Series.from_json(series.to_json())
    assert again == series
    json.loads(series.to_json())
    assert told(again, after) == told(series, after)


def test_what_is_not_its_own_json_is_refused() -> None:
    for text in ("", "[]", '{"router": 3}', "not json"):
        with pytest.raises(ValueError, match="error"):
            Series.from_json(text)


def test_an_hour_of_ten_second_periods_is_small() -> None:
    slow = alarm("slow", metric="p99", above="800ms", datapoints="3 of 358")
    series = rollout(slow)
    candidate = Tally()
    for second in range(0, 4000, 2):
        candidate = candidate.plus(tally(3, ms=second % 700 + 1))
        series = series.look(at(second), reading(second, candidate, Tally()), healthy={})
    assert len(series.datapoints(slow)) == 360
    assert len(replace(series, counts=None, waiting={}).to_json()) < 40_000
