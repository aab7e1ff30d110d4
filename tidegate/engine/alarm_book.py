"""What the alarms of one rollout, or of one service outside of rollouts, are judged by, and how they were judged last.

Frozen: a look gives the next book. It is kept as JSON with the rollout, so that a restarted controller goes on with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import TypeAdapter

from tidegate.core.alarm import AlarmFile, Of
from tidegate.core.alarm_evaluation import evaluate_all
from tidegate.core.alarm_state import AlarmSeen, AlarmState, Datapoint
from tidegate.core.counts import Counts
from tidegate.core.series import Series, Told
from tidegate.ports import Measurement


@dataclass(frozen=True, slots=True)
class Scraped:
    """What tasks exposed at one look. `tasks` are those that answered, with their versions."""

    at: datetime
    measurements: Sequence[Measurement]
    tasks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What is looked at in one tick for one book. None: it did not answer, or there was no new look."""

    at: datetime
    counts: Counts | None
    healthy: Mapping[Of, int] | None
    scraped: Scraped | None = None
    pushed: Sequence[Measurement] | None = None
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class AlarmBook:
    series: Series = field(default_factory=Series)
    states: Mapping[str, AlarmState] = field(default_factory=dict)
    were_ok: frozenset[str] = frozenset()  # alarms that were OK once since this book began

    def look(self, alarms: Sequence[AlarmFile], seen: Glimpse) -> AlarmBook:
        """One tick. Alarms may have come, gone or changed since the last one."""
        series = self.series.fit(alarms).look(seen.at, seen.counts, healthy=seen.healthy)
        if seen.scraped is not None:
            series = series.scraped(seen.scraped.at, seen.scraped.measurements, tasks=seen.scraped.tasks)
        if seen.pushed is not None:
            series = series.pushed(seen.at, seen.pushed)
        if seen.told is not None:
            series = series.tell(seen.at, seen.told, alarms)
        return replace(self, series=series)

    def points(self, alarms: Sequence[AlarmFile]) -> dict[str, tuple[Datapoint, ...]]:
        """What the alarms are judged by. It changes only when a period ends."""
        return {alarm.name: self.series.datapoints(alarm) for alarm in alarms}

    def judge(
        self, alarms: Sequence[AlarmFile], points: Mapping[str, tuple[Datapoint, ...]]
    ) -> tuple[AlarmBook, Mapping[str, AlarmSeen]]:
        """The states of all alarms, and the book that remembers them."""
        judged = evaluate_all(alarms, points, self.states)
        ok = {name for name, one in judged.items() if one.state is AlarmState.OK and not one.blind}
        states = {name: one.state for name, one in judged.items()}
        return replace(self, states=states, were_ok=self.were_ok | ok), judged

    def to_json(self) -> str:
        return _adapter.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> AlarmBook:
        """Raises ValueError for what `to_json` did not write."""
        return _adapter.validate_json(text)


_adapter: TypeAdapter[AlarmBook] = TypeAdapter(AlarmBook)
