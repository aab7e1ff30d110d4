"""The figures of one of the router's metrics, period by period, from looks at its counts.

1.  What was counted between two looks belongs to the period in which the second one was made.
2.  A period is whole once somebody looked at its end or later, whether the router answered or not.
3.  A period without an answer is blind, and not one without traffic. Except that counts are lost by nobody: when the two
    looks around it are less than two periods apart, what was counted between them is its own.
4.  After a longer gap the period of the second look gets all that was counted, but of `requests` only its part of the time.
5.  `error_rate` and percentiles of a period in which nothing was finished are missing; `requests` is 0.
6.  The period in which the series began is left out for `requests`: a part of it was not looked at.

Only figures are kept of whole periods, so that an hour of them costs little.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tidegate.core.alarm_state import Datapoint
from tidegate.core.latency import Latencies
from tidegate.core.metric_name import percentile
from tidegate.core.period import begin_of, end_of, period_at, period_until
from tidegate.core.tally import NOTHING, Tally
from tidegate.core.waiting import quantile


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one side between two moments. `waiting` are the ages of requests that surely wait at the second, and
    `healthy` is the number of its healthy tasks then."""

    since: datetime
    at: datetime
    tally: Tally = NOTHING
    waiting: Latencies = field(default_factory=Latencies)
    healthy: int | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the looks of one period add up to."""

    looks: int = 0
    requests: float = 0.0
    finished: int = 0
    failed: int = 0
    latency: Latencies = field(default_factory=Latencies)
    waiting: Latencies = field(default_factory=Latencies)  # at the last look
    fewest: int | None = None

    def plus(self, look: Look, part: float, *, latencies: bool) -> Gathered:
        healthy = [count for count in (self.fewest, look.healthy) if count is not None]
        return Gathered(
            looks=self.looks + 1,
            requests=self.requests + look.tally.finished * part,
            finished=self.finished + look.tally.finished,
            failed=self.failed + look.tally.failed,
            latency=self.latency.plus(look.tally.latency) if latencies else self.latency,
            waiting=look.waiting if latencies else self.waiting,
            fewest=min(healthy, default=None),
        )


@dataclass(frozen=True, slots=True)
class RouterSeries:
    """One metric of one side in periods of one length. `closed` are its whole periods, the newest last."""

    metric: str
    period: timedelta
    keep: int
    closed: tuple[Datapoint, ...] = ()
    first: int | None = None
    open: int | None = None
    gathered: Gathered = field(default_factory=Gathered)

    def kept(self, keep: int) -> RouterSeries:
        """The same, with so many periods kept."""
        return self if keep == self.keep else replace(self, keep=keep)

    def add(self, look: Look) -> RouterSeries:
        """A look that was answered. Looks come in the order of their times."""
        number = period_until(look.at, self.period)
        series = self._open(number)
        if series._fills_the_gap_before(look):
            point = series._datapoint(number - 1, series._plus(Gathered(), look, 1.0))
            series = replace(series, closed=(*series.closed[:-1], point))
        else:
            series = replace(series, gathered=series._plus(series.gathered, look, series._part(look)))
        return series._open(period_at(look.at, self.period))

    def blind(self, at: datetime) -> RouterSeries:
        """A look that was not answered."""
        return self._open(period_at(at, self.period))

    def _open(self, number: int) -> RouterSeries:
        """Closes every period before this one."""
        if self.open is None:
            return replace(self, first=number, open=number)
        if number <= self.open:
            return self
        closed = [*self.closed, *self._whole(self.open, self.gathered)]
        for unseen in range(max(self.open + 1, number - self.keep), number):
            closed += self._whole(unseen, Gathered())
        return replace(self, closed=tuple(closed[-self.keep :]), open=number, gathered=Gathered())

    def _whole(self, number: int, gathered: Gathered) -> tuple[Datapoint, ...]:
        begun_within = self.metric == "requests" and number == self.first
        return () if begun_within else (self._datapoint(number, gathered),)

    def _fills_the_gap_before(self, look: Look) -> bool:
        """Rule 3."""
        if self.open is None or self.gathered.looks or not self.closed or not self.closed[-1].blind:
            return False
        return look.since < begin_of(self.open, self.period) and look.at - look.since < 2 * self.period

    def _part(self, look: Look) -> float:
        """Rule 4: which part of what was counted is of the open period."""
        span = look.at - look.since
        if span < 2 * self.period or self.open is None:
            return 1.0
        return min(1.0, (look.at - begin_of(self.open, self.period)) / span)

    def _plus(self, gathered: Gathered, look: Look, part: float) -> Gathered:
        return gathered.plus(look, part, latencies=percentile(self.metric) is not None)

    def _datapoint(self, number: int, gathered: Gathered) -> Datapoint:
        at = end_of(number, self.period)
        return Datapoint(at, None, blind=True) if not gathered.looks else Datapoint(at, self._figure(gathered))

    def _figure(self, gathered: Gathered) -> float | None:
        match self.metric:
            case "error_rate":
                return gathered.failed / gathered.finished if gathered.finished else None
            case "requests":
                return gathered.requests
            case "tasks_healthy":
                return None if gathered.fewest is None else float(gathered.fewest)
            case _:
                share = percentile(self.metric)
                slow = None if share is None else quantile(gathered.latency, gathered.waiting, share)
                return None if slow is None else slow / 1e6
