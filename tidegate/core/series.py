"""What is kept in memory of one rollout, or of one service outside of rollouts, so that its alarms can be evaluated.

The engine tells every look, answered or not, and asks for the datapoints of each alarm. Alarms with one metric, side and
period share a series. All of it is plain data that JSON carries, so that a controller that starts again goes on where the
last one was; the time in between is blind.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import TypeAdapter

from tidegate.core.alarm import AlarmFile, Of
from tidegate.core.alarm_state import AlarmState, Datapoint
from tidegate.core.counts import Counted, Counts, OfFlag, grown, grown_flags, tally_of
from tidegate.core.latency import Latencies
from tidegate.core.metric_name import MetricName, Source, parse_metric_name
from tidegate.core.metric_series import Measured, MetricSeries
from tidegate.core.router_series import Look, RouterSeries
from tidegate.core.tally import Tally
from tidegate.core.told_series import ToldSeries, state_as_datapoint
from tidegate.core.waiting import Waiting

TASKS_HEALTHY = "tasks_healthy"
SET_BACK = timedelta(seconds=5)
"""A clock that goes back by more was set back: nothing before can be compared with anything after."""


class Told(Protocol):
    """What CloudWatch and Prometheus said last of what the alarms of one service ask."""

    def answered(self, source: Source) -> datetime | None:
        """When it answered last; None: never yet."""

    @property
    def silent(self) -> bool:
        """Whether CloudWatch owes an answer for too long."""

    def state(self, alarm: str) -> AlarmState | None:
        """None: it is silent for too long, or knows no such alarm."""

    def figures(self, of: Of, metric: str, statistic: str, period: timedelta) -> Mapping[int, float] | None:
        """By the number of the period; None: not asked yet, or it could not be answered."""


@dataclass(frozen=True, slots=True)
class Series:
    """`candidate` and `baseline` are versions, "" outside of rollouts: there every alarm looks at the whole service."""

    candidate: str = ""
    baseline: str = ""
    told: datetime | None = None  # the newest look
    counts: Counts | None = None
    waiting: Mapping[Of, Waiting] = field(default_factory=dict)
    router: Mapping[str, RouterSeries] = field(default_factory=dict)
    metrics: Mapping[str, MetricSeries] = field(default_factory=dict)
    asked: Mapping[str, ToldSeries] = field(default_factory=dict)
    states: Mapping[str, Datapoint] = field(default_factory=dict)  # of alarms of CloudWatch, by their names there

    @classmethod
    def of(cls, alarms: Iterable[AlarmFile], *, candidate: str = "", baseline: str = "") -> Series:
        return cls(candidate, baseline).fit(alarms)

    def fit(self, alarms: Iterable[AlarmFile]) -> Series:
        """The same for other alarms: what they share with the ones before goes on."""
        router: dict[str, RouterSeries] = {}
        metrics: dict[str, MetricSeries] = {}
        asked: dict[str, ToldSeries] = {}
        for alarm in alarms:
            if alarm.metric is None:
                continue
            key, keep = self._key(alarm), alarm.evaluation_range
            if alarm.metric_name.source.is_told:
                told = asked.get(key) or self.asked.get(key) or ToldSeries(alarm.period, keep)
                asked[key] = told.kept(max(keep, told.keep if key in asked else keep))
                continue
            if alarm.metric_name.source in (Source.ROUTER, Source.FLAG):
                counted = router.get(key) or self.router.get(key) or RouterSeries(_counted_as(alarm), alarm.period, keep)
                router[key] = counted.kept(max(keep, counted.keep if key in router else keep))
            else:
                fresh = MetricSeries(alarm.metric, alarm.statistic or "average", alarm.period, keep)
                shown = metrics.get(key) or self.metrics.get(key) or fresh
                metrics[key] = shown.kept(max(keep, shown.keep if key in metrics else keep))
        return replace(self, router=router, metrics=metrics, asked=asked)

    def _key(self, alarm: AlarmFile) -> str:
        of = alarm.of if self.candidate else Of.SERVICE
        return f"{of}|{alarm.period.total_seconds():g}|{alarm.statistic or ''}|{alarm.metric}"

    def datapoints(self, alarm: AlarmFile) -> tuple[Datapoint, ...]:
        """Of whole periods, the newest last. Nothing for a composite alarm, or for one that `fit` was not told of."""
        if alarm.cloudwatch is not None:
            state = self.states.get(alarm.cloudwatch)
            return (state,) if state is not None else ()
        key = self._key(alarm)
        series = self.router.get(key) or self.metrics.get(key) or self.asked.get(key)
        return series.closed if series else ()

    def look(self, at: datetime, counts: Counts | None, *, healthy: Mapping[Of, int] | None) -> Series:
        """One look at the router, and at the healthy tasks of each side. None: cannot be seen."""
        series = self._at(at)
        before = series.counts
        sides: dict[Of, Tally] = {}
        flags: tuple[OfFlag, ...] = ()
        waits: dict[Of, Latencies] = {}
        if counts is not None:
            fresh = grown(before, counts)
            flags = grown_flags(before, counts)
            sides = {of: series._tally(of, fresh) for of in {_of(key) for key in series.router}}
            series = replace(series, counts=counts, waiting=series._waiting(counts, sides))
            waits = {of: waiting.ages() for of, waiting in series.waiting.items()}
        router: dict[str, RouterSeries] = {}
        for key, one in series.router.items():
            of = _of(key)
            if one.metric == TASKS_HEALTHY:
                router[key] = one.blind(at) if healthy is None else one.add(Look(at, at, healthy=healthy.get(of, 0)))
            elif counts is None or before is None:
                router[key] = one.blind(at)
            else:
                flag = _flag(key)
                mine = sides[of] if flag is None else series._tally(of, _of_flag(flag, flags))
                waiting = waits.get(of, Latencies()) if flag is None else Latencies()
                router[key] = one.add(Look(before.at, counts.at, mine, waiting))
        return replace(series, router=router)

    def scraped(self, at: datetime, measured: Sequence[Measured], *, tasks: Mapping[str, str]) -> Series:
        """One look at what tasks expose. `tasks` are those that answered, with their versions; none of a side is blind."""
        series = self._at(at)
        metrics = dict(series.metrics)
        for key, one in series.metrics.items():
            if parse_metric_name(one.metric).source is not Source.TASKS:
                continue
            answered = [task for task, version in tasks.items() if series._is_of(_of(key), version)]
            mine = [value for value in measured if value.task in answered]
            metrics[key] = one.add(at, mine, tasks=answered) if answered else one.blind(at)
        return replace(series, metrics=metrics)

    def pushed(self, at: datetime, measured: Sequence[Measured]) -> Series:
        """One look at what was pushed since the last. What was pushed without a version is true of every side."""
        series = self._at(at)
        metrics = dict(series.metrics)
        for key, one in series.metrics.items():
            if parse_metric_name(one.metric).source is Source.PUSHED:
                mine = [value for value in measured if not value.version or series._is_of(_of(key), value.version)]
                metrics[key] = one.add(at, mine)
        return replace(series, metrics=metrics)

    def tell(self, at: datetime, told: Told, alarms: Iterable[AlarmFile]) -> Series:
        """One look at what CloudWatch and Prometheus said last, for the same alarms as `fit`."""
        series, asked, states = self._at(at), dict[str, ToldSeries](), dict[str, Datapoint]()
        for alarm in alarms:
            if alarm.cloudwatch is not None and (told.silent or told.answered(Source.CLOUDWATCH) is not None):
                state = told.state(alarm.cloudwatch)
                before = self.states.get(alarm.cloudwatch)
                fresh = state_as_datapoint(at, state)
                # The same state again is nothing new: alarms are judged anew only when something is.
                same = before is not None and (before.value, before.blind) == (fresh.value, fresh.blind)
                states[alarm.cloudwatch] = before if same and before is not None else fresh
            key = self._key(alarm)
            if key in series.asked:
                of = alarm.of if self.candidate else Of.SERVICE
                figures = told.figures(of, alarm.metric or "", alarm.statistic or "average", alarm.period)
                asked[key] = series.asked[key].look(at, figures, told.answered(alarm.metric_name.source))
        return replace(series, asked=asked, states=states)

    def _at(self, at: datetime) -> Series:
        """Goes on, or begins anew when the clock was set back."""
        if self.told is None or at >= self.told - SET_BACK:
            return replace(self, told=max(at, self.told or at))
        router = {key: RouterSeries(one.metric, one.period, one.keep) for key, one in self.router.items()}
        metrics = {key: MetricSeries(one.metric, one.statistic, one.period, one.keep) for key, one in self.metrics.items()}
        asked = {key: ToldSeries(one.period, one.keep) for key, one in self.asked.items()}
        return Series(self.candidate, self.baseline, at, router=router, metrics=metrics, asked=asked)

    def _is_of(self, of: Of, version: str) -> bool:
        return of is Of.SERVICE or version == (self.candidate if of is Of.CANDIDATE else self.baseline)

    def _tally(self, of: Of, counted: Iterable[Counted]) -> Tally:
        return tally_of(of, counted, candidate=self.candidate, baseline=self.baseline)

    def _waiting(self, counts: Counts, sides: Mapping[Of, Tally]) -> dict[Of, Waiting]:
        """For the sides that a percentile is asked of. A router that was restarted has nobody waiting."""
        goes_on = self.counts is not None and self.counts.epoch == counts.epoch
        bare = [Counted(one.slot, one.version, Tally(one.tally.begun, one.tally.finished)) for one in counts.counted]
        asked = {_of(key) for key, one in self.router.items() if parse_metric_name(one.metric).share is not None}
        return {
            of: (self.waiting.get(of, Waiting()) if goes_on else Waiting()).look(
                counts.at, total=self._tally(of, bare), grown=sides[of]
            )
            for of in asked
        }

    def to_json(self) -> str:
        return _adapter().dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Series:
        """Raises ValueError for what `to_json` did not write."""
        return _adapter().validate_json(text)


def _of(key: str) -> Of:
    return Of(key.partition("|")[0])


def _flag(key: str) -> MetricName | None:
    """The flag that this series is about; None for all requests."""
    name = parse_metric_name(key.split("|", 3)[3])
    return name if name.source is Source.FLAG else None


def _of_flag(name: MetricName, flags: Iterable[OfFlag]) -> list[Counted]:
    return [one.counted for one in flags if one.flag == name.name and name.selects({"variant": one.variant})]


_STATISTICS_OF_FLAGS = {"average": "error_rate", "count": "requests"}


def _counted_as(alarm: AlarmFile) -> str:
    """The router's name for what this alarm looks at. Percentiles are called the same."""
    if alarm.metric_name.source is Source.ROUTER:
        return alarm.metric or ""
    statistic = alarm.statistic or "average"
    return _STATISTICS_OF_FLAGS.get(statistic, statistic)


@functools.cache
def _adapter() -> TypeAdapter[Series]:
    return TypeAdapter(Series)
