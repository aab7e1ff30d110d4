"""The figures of one metric that tasks expose or somebody pushes, period by period, from raw measurements.

1.  A measurement belongs to the period of its time; the growth of a counter to that of its second look, as with the router.
2.  A period is whole once somebody looked at its end or later. A late measurement changes its figure as long as it is kept.
3.  A period in which no task of the side answered is blind, unless the looks around it are less than two periods apart. A
    task that answers without the metric is no data.
4.  A counter that falls was restarted, and has grown from zero since. One that a task shows for the first time after it was
    looked at without it has grown from zero too; what a new task shows first is where it begins.
5.  Several series of one task, when the labels select several, are added up for counters and histograms, and are samples of
    their own for gauges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from tidegate.core.alarm_state import Datapoint
from tidegate.core.bucket import Bucket, Kind
from tidegate.core.metric_name import MetricName, parse_metric_name, percentile
from tidegate.core.period import begin_of, end_of, period_at, period_until

MOST_COUNTERS = 2000
"""Of one metric of one side. More are not looked at."""
FORGOTTEN = timedelta(minutes=10)
"""A task that has not answered for so long begins anew."""


class Measured(Protocol):
    """One raw value. A histogram's come under its name with the endings _bucket (and the label le), _sum and _count."""

    @property
    def metric(self) -> str: ...
    @property
    def value(self) -> float: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def kind(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def at(self) -> datetime | None:
        """None: when it was looked at."""


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """One statistic of one metric of one side. A period that is not in `buckets` was not answered; `open` is not whole."""

    metric: str
    statistic: str
    period: timedelta
    keep: int
    kind: Kind = Kind.GAUGE
    buckets: Mapping[int, Bucket] = field(default_factory=dict)
    first: int | None = None
    open: int | None = None
    answered: datetime | None = None  # when somebody answered last
    tasks: Mapping[str, datetime] = field(default_factory=dict)  # when each answered last
    stood: Mapping[str, float] = field(default_factory=dict)  # where each counter stood then

    @property
    def closed(self) -> tuple[Datapoint, ...]:
        """The figures of the whole periods, the newest last."""
        if self.open is None or self.first is None:
            return ()
        return tuple(self._datapoint(number) for number in range(max(self.first, self.open - self.keep), self.open))

    def _datapoint(self, number: int) -> Datapoint:
        bucket, at = self.buckets.get(number), end_of(number, self.period)
        return Datapoint(at, None, blind=True) if bucket is None else Datapoint(at, bucket.figure(self.statistic, self.kind))

    def kept(self, keep: int) -> MetricSeries:
        """The same, with so many periods kept."""
        return self if keep == self.keep else replace(self, keep=keep)

    def add(self, at: datetime, measured: Iterable[Measured], *, tasks: Sequence[str] = ()) -> MetricSeries:
        """A look that was answered, by these tasks. Looks come in the order of their times, measurements need not."""
        name = parse_metric_name(self.metric)
        mine = _one_kind([one for one in measured if is_of(one, name) and name.selects(one.labels)])
        series = self._begun(at)
        number = series._period_of_look(at)
        series = series._put(number, series.buckets.get(number, Bucket()))
        if mine:
            series = replace(series, kind=Kind(mine[0].kind))
        series = series._sample(mine, number) if series.kind is Kind.GAUGE else series._grow(mine, number, at)
        return replace(series, answered=at, tasks={**series.tasks, **dict.fromkeys(tasks, at)})._until(at)

    def blind(self, at: datetime) -> MetricSeries:
        """A look that nobody answered."""
        return self._begun(at)._until(at)

    def _begun(self, at: datetime) -> MetricSeries:
        return self if self.first is not None else replace(self, first=period_until(at, self.period))

    def _period_of_look(self, at: datetime) -> int:
        """That of its time, or an unanswered one before it (rule 3)."""
        number = period_until(at, self.period)
        if self.answered is None or number == self.first or number in self.buckets or number - 1 in self.buckets:
            return number
        near = at - self.answered < 2 * self.period and self.answered < begin_of(number, self.period)
        return number - 1 if near else number

    def _until(self, at: datetime) -> MetricSeries:
        """Closes the periods that have ended, and forgets what is too old."""
        open_ = period_at(at, self.period)
        if open_ == self.open:
            return self
        gone = [task for task, answered in self.tasks.items() if at - answered > FORGOTTEN]
        return replace(
            self,
            open=open_,
            buckets={number: bucket for number, bucket in self.buckets.items() if number >= open_ - self.keep},
            tasks={task: answered for task, answered in self.tasks.items() if task not in gone},
            stood={key: value for key, value in self.stood.items() if _task_of(key) not in gone} if gone else self.stood,
        )

    def _put(self, number: int, bucket: Bucket) -> MetricSeries:
        return replace(self, buckets={**self.buckets, number: bucket})

    @property
    def _exact(self) -> bool:
        return percentile(self.statistic) is not None

    def _sample(self, mine: Sequence[Measured], of_look: int) -> MetricSeries:
        series = self
        oldest = max(self.first or 0, (self.open or 0) - self.keep)
        for one in mine:
            number = of_look if one.at is None else period_at(one.at, self.period)
            if number >= oldest:
                bucket = series.buckets.get(number, Bucket())
                series = series._put(number, bucket.sampled(one.value, exact=self._exact))
        return series

    def _grow(self, mine: Sequence[Measured], number: int, at: datetime) -> MetricSeries:
        """Adds the growth of counters or of a histogram, task by task."""
        growth, series = self._growth(mine)
        bucket = self.buckets[number]
        for task, grown in growth.items():
            seconds = (at - self.tasks[task]).total_seconds()
            if seconds <= 0:
                continue
            part = self._part(task, number, at)
            if self.kind is Kind.COUNTER:
                bucket = bucket.grown(sum(more for _, more in grown), seconds, part=part, exact=self._exact)
            else:
                bucket = _observed(bucket, grown, part)
        return series._put(number, bucket)

    def _growth(self, mine: Sequence[Measured]) -> tuple[dict[str, list[tuple[Measured, float]]], MetricSeries]:
        """By how much each counter grew (rule 4), by tasks that were looked at before; and where they stand now."""
        stood = dict(self.stood)
        growth: dict[str, list[tuple[Measured, float]]] = {one.task: [] for one in mine if one.task in self.tasks}
        for one in mine:
            key = _key(one)
            before = self.stood.get(key)
            if before is None and len(stood) >= MOST_COUNTERS:
                continue
            stood[key] = one.value
            if one.task in growth:
                grown = one.value - (before or 0.0)
                growth[one.task].append((one, grown if grown >= 0 else one.value))
        return growth, replace(self, stood=stood)

    def _part(self, task: str, number: int, at: datetime) -> float:
        """After a long gap only a part of the growth is of this period."""
        span = at - self.tasks[task]
        if span < 2 * self.period:
            return 1.0
        return min(1.0, (at - begin_of(number, self.period)) / span)


def _observed(bucket: Bucket, grown: Iterable[tuple[Measured, float]], part: float) -> Bucket:
    bounds: dict[str, float] = {}
    count = total = 0.0
    for one, more in grown:
        match one.metric.rpartition("_")[2]:
            case "bucket":
                le = one.labels.get("le", "+Inf")
                bounds[le] = bounds.get(le, 0.0) + more
            case "count":
                count += more
            case _:
                total += more
    return bucket.observed(count=count, total=total, bounds=bounds, part=part)


def is_of(one: Measured, name: MetricName) -> bool:
    """Whether this value is one of this metric, whatever its labels."""
    return name.name == (one.metric.rpartition("_")[0] if one.kind == Kind.HISTOGRAM else one.metric)


def _one_kind(mine: list[Measured]) -> list[Measured]:
    """A summary shows quantiles too, which nobody can add up. Unless one is selected, its sum and count are looked at."""
    return [one for one in mine if one.kind == Kind.HISTOGRAM] or mine


def _key(one: Measured) -> str:
    labels = ",".join(f"{label}={value}" for label, value in sorted(one.labels.items()))
    return f"{one.task}|{one.metric}|{labels}"


def _task_of(key: str) -> str:
    return key.partition("|")[0]
