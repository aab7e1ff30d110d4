"""The memory twin of CloudWatch: alarms have the state that they are given, metrics the figures.

cloud = MemoryCloud()
cloud.alarms["shop-5xx"] = AlarmState.ALARM
cloud.put('cloudwatch:Shop/Errors{Version="v2"}', at, 7)     each is the figure of its period, whatever the statistic
cloud.answers = False                                        it does not answer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from tidegate.core.alarm_state import AlarmState
from tidegate.core.errors import Refused, Unreachable
from tidegate.core.period import begin_of, period_at
from tidegate.ports import Figure, Query


class MemoryCloud:
    """Implements ports.CloudSource and ports.Publisher."""

    def __init__(self) -> None:
        self.answers = True
        self.alarms: dict[str, AlarmState] = {}
        self.published: list[Figure] = []
        self._figures: dict[str, dict[datetime, float]] = {}

    def put(self, metric: str, at: datetime, value: float) -> None:
        self._figures.setdefault(metric, {})[at] = value

    def states(self, names: Sequence[str]) -> Mapping[str, AlarmState]:
        self._must_answer()
        return {name: self.alarms[name] for name in names if name in self.alarms}

    def figures(self, queries: Sequence[Query], begin: datetime, end: datetime) -> Mapping[Query, Mapping[datetime, float]]:
        self._must_answer()
        if empty := [str(query.metric) for query in queries if not all(one.value for one in query.metric.matchers)]:
            raise Refused(f"{empty[0]} has an empty dimension.", "Give it a value.")
        return {query: self._of(query, begin, end) for query in queries}

    def publish(self, figures: Sequence[Figure], at: datetime) -> None:  # noqa: ARG002 - the twin keeps no times
        self._must_answer()
        self.published = list(figures)

    def _of(self, query: Query, begin: datetime, end: datetime) -> dict[datetime, float]:
        mine = self._figures.get(str(query.metric), {})
        return {begin_of(period_at(at, query.period), query.period): value for at, value in mine.items() if begin <= at < end}

    def _must_answer(self) -> None:
        if not self.answers:
            raise Unreachable("CloudWatch does not answer.")
