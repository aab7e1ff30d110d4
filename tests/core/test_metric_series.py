from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.metric_series import FORGOTTEN, MOST_COUNTERS, MetricSeries

START = datetime(2026, 1, 1, tzinfo=UTC)
TEN = timedelta(seconds=10)


@dataclass(frozen=True)
class Value:
    metric: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    kind: str = "gauge"
    version: str = "v2"
    task: str = "t1"
    at: datetime | None = None


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def series(metric: str = "tasks:queue", statistic: str = "average", **more: object) -> MetricSeries:
    return MetricSeries(metric, statistic, TEN, 20, **more)  # type: ignore[arg-type]


def gauge(value: float, task: str = "t1", **labels: str) -> Value:
    return Value("queue", value, labels, task=task)


def counter(value: float, task: str = "t1", **labels: str) -> Value:
    return Value("jobs_total", value, labels, kind="counter", task=task)


def figures(seen: MetricSeries) -> list[float | str | None]:
    return ["blind" if point.blind else point.value for point in seen.closed]


def test_a_gauge_is_its_statistic_over_all_tasks_and_looks_of_the_period() -> None:
    seen = series().add(at(1), [gauge(1), gauge(3, "t2")], tasks=["t1", "t2"]).add(at(10), [gauge(5)], tasks=["t1"])
    assert figures(seen) == [3.0]


def test_labels_select_and_the_rest_is_not_looked_at() -> None:
    seen = series('tasks:queue{name="mail"}').add(
        at(10), [gauge(1, name="mail"), gauge(99, name="sms"), Value("other", 7)], tasks=["t1"]
    )
    assert figures(seen) == [1.0]


def test_a_counter_is_its_growth_a_second_and_task() -> None:
    seen = series("tasks:jobs_total").add(at(0), [counter(100), counter(0, "t2")], tasks=["t1", "t2"])
    seen = seen.add(at(5), [counter(110), counter(0, "t2")], tasks=["t1", "t2"])
    seen = seen.add(at(10), [counter(120), counter(0, "t2")], tasks=["t1", "t2"])
    assert figures(seen)[-1] == 1.0, "two a second on one task, none on the other"


def test_the_sum_of_a_counter_is_its_growth_on_all_tasks() -> None:
    seen = series("tasks:jobs_total", "sum").add(at(0), [counter(100), counter(7, "t2")], tasks=["t1", "t2"])
    seen = seen.add(at(10), [counter(110), counter(12, "t2")], tasks=["t1", "t2"])
    assert figures(seen)[-1] == 15.0


def test_a_counter_that_falls_was_restarted_and_counts_from_zero() -> None:
    seen = series("tasks:jobs_total", "sum").add(at(0), [counter(100)], tasks=["t1"])
    assert figures(seen.add(at(10), [counter(7)], tasks=["t1"]))[-1] == 7.0


def test_several_counters_of_one_task_are_added_up() -> None:
    seen = series("tasks:jobs_total").add(at(0), [counter(0, kind_="a"), counter(0, kind_="b")], tasks=["t1"])
    seen = seen.add(at(10), [counter(10, kind_="a"), counter(20, kind_="b")], tasks=["t1"])
    assert figures(seen)[-1] == 3.0


def test_a_counter_that_appears_on_a_known_task_has_grown_from_zero() -> None:
    """As errors do: their counter is not there before the first one."""
    seen = series("tasks:jobs_total", "sum").add(at(0), [counter(0, code="200")], tasks=["t1"])
    seen = seen.add(at(10), [counter(5, code="200"), counter(3, code="500")], tasks=["t1"])
    assert figures(seen)[-1] == 8.0


def test_a_counter_of_a_new_task_begins_where_it_stands() -> None:
    seen = series("tasks:jobs_total", "sum").add(at(0), [counter(100)], tasks=["t1"])
    seen = seen.add(at(10), [counter(101), counter(5000, "t2")], tasks=["t1", "t2"])
    assert figures(seen)[-1] == 1.0


def observations(bounds: dict[str, float], total: float, task: str = "t1", **labels: str) -> list[Value]:
    def part(name: str, value: float, **more: str) -> Value:
        return Value(f"took_{name}", value, {**labels, **more}, kind="histogram", task=task)

    count = max(bounds.values())
    return [*(part("bucket", value, le=le) for le, value in bounds.items()), part("sum", total), part("count", count)]


@pytest.mark.parametrize(
    ("statistic", "figure"), [("p50", 0.1), ("average", 0.2), ("count", 10.0), ("sum", 2.0), ("p100", 1.0)]
)
def test_a_histogram_is_what_was_observed_in_the_period(statistic: str, figure: float) -> None:
    seen = series("tasks:took", statistic).add(at(0), observations({"0.1": 100, "1": 100, "+Inf": 100}, 1.0), tasks=["t1"])
    seen = seen.add(at(10), observations({"0.1": 105, "1": 110, "+Inf": 110}, 3.0), tasks=["t1"])
    assert figures(seen)[-1] == pytest.approx(figure)


def test_histograms_of_several_tasks_and_labels_are_added_up() -> None:
    before = [
        *observations({"1": 0, "+Inf": 0}, 0),
        *observations({"1": 0, "+Inf": 0}, 0, "t2"),
        *observations({"1": 0, "+Inf": 0}, 0, path="/x"),
    ]
    after = [
        *observations({"1": 1, "+Inf": 1}, 1),
        *observations({"1": 2, "+Inf": 2}, 2, "t2"),
        *observations({"1": 4, "+Inf": 4}, 4, path="/x"),
    ]
    seen = series("tasks:took", "count").add(at(0), before, tasks=["t1", "t2"]).add(at(10), after, tasks=["t1", "t2"])
    assert figures(seen)[-1] == 7.0


def test_a_count_of_a_histogram_may_be_looked_at_as_a_counter() -> None:
    direct = [Value("took_count", value, kind="counter") for value in (5.0, 25.0)]
    mixed = Value("took_count", 1e9, kind="histogram")
    seen = series("tasks:took_count").add(at(0), [direct[0], mixed], tasks=["t1"]).add(at(10), [direct[1], mixed], tasks=["t1"])
    assert figures(seen)[-1] == 2.0


def test_the_quantiles_of_a_summary_are_left_out_unless_one_is_selected() -> None:
    def summary(quantile: float, total: float, count: float) -> list[Value]:
        parts = [Value("took_sum", total, kind="histogram"), Value("took_count", count, kind="histogram")]
        return [Value("took", quantile, {"quantile": "0.9"}), *parts]

    for metric, figure in (("tasks:took", 2.0), ('tasks:took{quantile="0.9"}', 8.0)):
        seen = series(metric).add(at(0), summary(7, 100, 50), tasks=["t1"]).add(at(10), summary(8, 140, 70), tasks=["t1"])
        assert figures(seen)[-1] == figure


def test_nobody_answering_is_blind_and_answering_without_the_metric_is_no_data() -> None:
    seen = series().add(at(5), [gauge(1)], tasks=["t1"]).blind(at(15)).blind(at(30)).add(at(35), [], tasks=["t1"]).blind(at(40))
    assert figures(seen) == [1.0, "blind", "blind", None]


def test_looks_that_are_a_little_late_leave_no_period_blind() -> None:
    seen = MetricSeries("tasks:queue", "average", timedelta(seconds=1), 50)
    for second in (0.0, 0.99, 2.01, 3.01, 4.005, 4.99, 6.01, 7.0, 8.02):
        seen = seen.add(at(second), [gauge(second)], tasks=["t1"])
    assert "blind" not in figures(seen)[1:]


def test_the_growth_in_a_long_gap_is_not_all_put_into_its_last_period() -> None:
    seen = series("tasks:jobs_total", "sum").add(at(0), [counter(0)], tasks=["t1"]).add(at(100), [counter(1000)], tasks=["t1"])
    assert figures(seen)[-1] == 100.0
    seen = series("tasks:jobs_total").add(at(0), [counter(0)], tasks=["t1"]).add(at(100), [counter(1000)], tasks=["t1"])
    assert figures(seen)[-1] == 10.0


def test_a_measurement_with_its_own_time_belongs_to_that_period_also_when_it_is_late() -> None:
    seen = series().add(at(1), []).add(at(31), [Value("queue", 4, at=at(12)), Value("queue", 6, at=at(30))]).add(at(40), [])
    assert figures(seen) == [None, 4.0, "blind", 6.0]
    assert figures(seen.add(at(41), [Value("queue", 8, at=at(12))]))[1] == 6.0


def test_what_is_older_than_all_that_is_kept_is_left_out() -> None:
    seen = series().add(at(500), [])
    assert len(seen.add(at(500), [Value("queue", 4, at=at(12))]).buckets) == 1


def test_it_does_not_grow_with_time_nor_with_tasks_that_are_gone() -> None:
    seen = series("tasks:jobs_total", "p99")
    for tick in range(400):
        task = f"t{tick // 10}"
        seen = seen.add(at(tick * 10), [counter(tick, task)], tasks=[task])
    assert len(seen.buckets) <= 21
    assert len(seen.tasks) <= FORGOTTEN / TEN / 10 + 2
    assert len(seen.stood) == len(seen.tasks)


def test_more_counters_than_can_be_followed_are_left_out_and_never_counted_twice() -> None:
    many = [counter(5, number=str(number)) for number in range(MOST_COUNTERS + 10)]
    seen = series("tasks:jobs_total", "sum").add(at(0), many, tasks=["t1"])
    assert len(seen.stood) == MOST_COUNTERS
    assert figures(seen.add(at(10), many, tasks=["t1"]))[-1] == 0.0


@given(st.lists(st.tuples(st.integers(0, 100), st.floats(-1e3, 1e3)), min_size=1, max_size=40), st.randoms())
def test_late_measurements_make_the_same_figures_as_punctual_ones(values: list[tuple[int, float]], random: object) -> None:
    measured = [Value("queue", value, at=at(second)) for second, value in values]
    shuffled = sorted(measured, key=lambda _: random.random())  # type: ignore[attr-defined]
    one = series("pushed:queue", "p90").add(at(0), []).add(at(120), measured)
    other = series("pushed:queue", "p90").add(at(0), [])
    for step, value in enumerate(shuffled):
        other = other.add(at(100 + step / 10), [value])
    assert figures(one)[:10] == figures(other.add(at(120), []))[:10]


@given(st.lists(st.tuples(st.floats(0.5, 15), st.integers(0, 50), st.booleans()), min_size=1, max_size=40))
def test_the_sums_of_all_periods_are_what_was_counted(ticks: list[tuple[float, int, bool]]) -> None:
    seen = series(
        "tasks:jobs_total",
        "sum",
    ).add(at(0), [counter(0)], tasks=["t1"])
    moment, total, since_restart = 0.0, 0, 0
    for gap, more, restarted in ticks:
        moment += gap
        since_restart = more if restarted and more < since_restart else since_restart + more
        total += more
        seen = seen.add(at(moment), [counter(since_restart)], tasks=["t1"])
    if moment < 190:
        assert sum(bucket.total for bucket in seen.buckets.values()) == pytest.approx(total)
