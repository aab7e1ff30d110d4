"""What a server that adds up says of metrics (CloudWatch also of alarms): asked beside the loop, so that a slow answer delays
nobody's rollback. One `Cloud` for each such server, of CloudWatch for each account (`clouds.py`); `sources.py` puts them
behind one face.

Only what alarms of services, environments and rollouts ask for is asked, all of it together, every few seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from tidegate.core.access import HERE, Access
from tidegate.core.alarm import AlarmFile, Of
from tidegate.core.alarm_state import AlarmState
from tidegate.core.errors import Invalid, Refused, TidegateError
from tidegate.core.metric_name import MetricName, Source, parse_metric_name
from tidegate.core.period import begin_of, period_at
from tidegate.core.told_series import PATIENCE
from tidegate.ports import CloudSource, Query, QueryChecker

EVERY = timedelta(seconds=5)
"""DescribeAlarms is throttled at some nine calls a second of an account; metrics are asked for as they end."""
MOST_PERIODS = 12
"""Whole periods that are asked for again each time, when an alarm wants no more: late figures come within minutes."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Whose alarms these are: the versions of a rollout, or of a service outside of rollouts the one that serves."""

    candidate: str = ""
    baseline: str = ""
    stable: str = ""
    subject: str = ""
    access: Access = HERE

    def version(self, of: Of) -> str:
        return {Of.CANDIDATE: self.candidate, Of.BASELINE: self.baseline}.get(of, "") or self.stable


@dataclass(frozen=True, slots=True)
class _Answer:
    """What was answered last to everything that was asked then."""

    at: datetime
    states: Mapping[str, AlarmState]
    figures: Mapping[Query, Mapping[int, float]]


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked for, with how many periods of each."""

    names: frozenset[str] = frozenset()
    queries: Mapping[Query, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToldTo:
    """The last answer, as one book of alarms may ask it. Implements core.series.Told."""

    sides: Sides
    answer: _Answer | None
    silent: bool
    filled: Callable[[MetricName, Sides, Of], MetricName]

    def answered(self, source: Source) -> datetime | None:  # noqa: ARG002 - this one is asked of its own only
        return self.answer.at if self.answer else None

    def state(self, alarm: str) -> AlarmState | None:
        return None if self.answer is None or self.silent else self.answer.states.get(alarm)

    def figures(self, of: Of, metric: str, statistic: str, period: timedelta) -> Mapping[int, float] | None:
        query = Query(self.filled(parse_metric_name(metric), self.sides, of), statistic, period)
        return self.answer.figures.get(query) if self.answer else None


class Cloud:
    """The loop says what it wants to know and takes what was answered last; `run` asks."""

    def __init__(
        self,
        source: CloudSource,
        clock: Callable[[], datetime],
        dimensions: Callable[[str, str], Mapping[str, str]] | None = None,
        *,
        of: Source = Source.CLOUDWATCH,
        checker: QueryChecker | None = None,
    ) -> None:
        self._source = source
        self._of = of
        self._checker = checker
        self._seen: dict[str, Sides] = {}  # by subject, whose alarms were looked at last
        self.problem = ""
        """Why it did not answer last."""
        self._dimensions = dimensions
        self._clock = clock
        self._wanted = Asking()
        self._next: dict[Query, int] = {}
        self._names: set[str] = set()
        self._since: datetime | None = None  # when it began to owe an answer
        self._answer: _Answer | None = None
        self._stopped = threading.Event()
        self._poked = threading.Event()
        self._log = structlog.get_logger()

    def at(self, access: Access) -> Cloud:  # noqa: ARG002 - it is one place, and asked by whoever asks
        return self

    # --- beside the loop ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Asks again and again, until stopped; at once when there is something new to ask."""
        while not self._stopped.is_set():
            self._poked.clear()
            self.ask()
            self._poked.wait(EVERY.total_seconds())

    def stop(self) -> None:
        self._stopped.set()
        self._poked.set()

    def ask(self) -> None:
        """One question about everything that is wanted. Without an answer the last one grows old, and then is none."""
        wanted, now = self._wanted, self._clock()
        if not wanted.names and not wanted.queries:
            return
        try:
            states = self._source.states(sorted(wanted.names)) if wanted.names else {}
            figures = self._figures(wanted.queries, now)
        except TidegateError as error:
            self.problem = error.what
            self._log.warning(f"{self._of}_unreachable", problem=error.what, mend=error.mend)
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"
            self._log.exception(f"{self._of}_unreachable")
        else:
            self.problem = ""
            self._answer = _Answer(now, states, figures)

    def _figures(self, queries: Mapping[Query, int], now: datetime) -> dict[Query, Mapping[int, float]]:
        """Whole periods only: the one that goes on would be a part of itself."""
        found: dict[Query, Mapping[int, float]] = {}
        for period in sorted({query.period for query in queries}):
            mine = [query for query in queries if query.period == period]
            open_ = period_at(now, period)
            begin = begin_of(open_ - max(MOST_PERIODS, *(queries[query] for query in mine)), period)
            answered = self._source.figures(mine, begin, begin_of(open_, period))
            found |= {q: {period_at(at, period): value for at, value in answered[q].items()} for q in mine if q in answered}
        return found

    # --- for the loop -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A new look: what is wanted is said again."""
        self._next, self._names = {}, set()

    def want(self, alarms: Iterable[AlarmFile], sides: Sides, now: datetime) -> ToldTo | None:
        """Notes what these alarms ask for, and gives what is known of it; None when they ask for nothing."""
        mine = [alarm for alarm in alarms if self._is_mine(alarm)]
        if mine:
            self._seen[sides.subject] = sides
        for alarm in mine:
            if alarm.cloudwatch is not None:
                self._names.add(alarm.cloudwatch)
            if alarm.metric is not None:
                filled = self._filled(alarm.metric_name, sides, alarm.of)
                if not all(one.value for one in filled.matchers):
                    continue  # of a side that has no version: it would be refused, and all other questions with it
                query = Query(filled, alarm.statistic or "average", alarm.period)
                self._next[query] = max(self._next.get(query, 0), alarm.evaluation_range)
        return ToldTo(sides, self._answer, self._is_silent(now), self._filled) if mine else None

    def _filled(self, metric: MetricName, sides: Sides, of: Of) -> MetricName:
        """With its placeholders: {version}, and those of the platform that the service is on."""
        version = sides.version(of)
        others = self._dimensions(sides.subject, version) if self._dimensions is not None else {}
        return fill(metric, {**others, "version": version, "service": sides.subject})

    def _is_mine(self, alarm: AlarmFile) -> bool:
        if alarm.cloudwatch is not None:
            return self._of is Source.CLOUDWATCH
        return alarm.metric is not None and alarm.metric_name.source is self._of

    def end(self, now: datetime) -> None:
        """All is said."""
        wanted = Asking(frozenset(self._names), self._next)
        if wanted == self._wanted:
            return
        is_more = not (wanted.names <= self._wanted.names and wanted.queries.keys() <= self._wanted.queries.keys())
        self._wanted = wanted
        if is_more:
            self._since = now
            self._poked.set()

    def _is_silent(self, now: datetime) -> bool:
        marks = [mark for mark in (self._since, self._answer.at if self._answer else None) if mark is not None]
        return bool(marks) and now - max(marks) > PATIENCE

    # --- for orders ---------------------------------------------------------------------------------------------------

    def problems(self, alarms: Sequence[AlarmFile], subject: str = "") -> Sequence[Refused]:
        """Why alarms could never be seen: none of that name in CloudWatch, or a query that the server does not take. Raises
        Unreachable when that cannot be known."""
        if self._checker is not None:
            sides = self._seen.get(subject, Sides(subject=subject))
            asked = [(place, alarm) for place, alarm in enumerate(alarms) if self._is_mine(alarm)]
            queries = [(place, alarm.name, self._filled(alarm.metric_name, sides, alarm.of).name) for place, alarm in asked]
            found = [(place, name, self._checker.refused(query, single=True)) for place, name, query in queries]
            return [unanswerable(f"Alarm {name}", why, f"alarms[{place}].metric") for place, name, why in found if why]
        return self._unknown_alarms(alarms)

    def _unknown_alarms(self, alarms: Sequence[AlarmFile]) -> Sequence[Refused]:
        named = {alarm.cloudwatch: place for place, alarm in enumerate(alarms) if alarm.cloudwatch is not None}
        found = self._source.states(sorted(named)) if named else {}
        return [_unknown(name, f"alarms[{place}].cloudwatch") for name, place in named.items() if name not in found]

    def firing(self, alarms: Sequence[AlarmFile]) -> Mapping[str, AlarmState]:
        """The states of these alarms now, by our names; of those that are CloudWatch's."""
        named = {alarm.name: alarm.cloudwatch for alarm in alarms if alarm.cloudwatch is not None}
        found = self._source.states(sorted(set(named.values()))) if named else {}
        return {ours: found[theirs] for ours, theirs in named.items() if theirs in found}


def fill(metric: MetricName, values: Mapping[str, str]) -> MetricName:
    """Puts these in the place of {version} and others: in the values of dimensions, or anywhere in a query."""

    def filled(text: str) -> str:
        for name, value in values.items():
            text = text.replace("{" + name + "}", value)
        return text

    if metric.source is Source.PROMETHEUS:
        return replace(metric, name=filled(metric.name))
    return replace(metric, matchers=tuple(replace(one, value=filled(one.value)) for one in metric.matchers))


def unanswerable(of: str, why: str, where: str) -> Invalid:
    """Why a query could never be answered. `of`: whose it is; `why` as a `QueryChecker` says it, with or without a mend."""
    what, _, mend = why.partition("\n")
    return Invalid(f"{of}: {what}", mend or "Correct it; try it in Prometheus' own page first.", where)


def _unknown(name: str, where: str) -> Invalid:
    return Invalid(
        f"CloudWatch has no alarm {name!r} in this account and region.",
        "Correct its name, or see which account is asked: aws sts get-caller-identity.",
        where,
    )
