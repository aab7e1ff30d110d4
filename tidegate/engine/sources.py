"""The servers that add up by themselves, CloudWatch and Prometheus, behind one face: each is asked for what is its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Protocol

from tidegate.core.access import Access
from tidegate.core.alarm import AlarmFile, Of
from tidegate.core.alarm_state import AlarmState
from tidegate.core.compare_file import CompareFile
from tidegate.core.environment import Released
from tidegate.core.errors import Refused
from tidegate.core.metric_name import Source, parse_metric_name
from tidegate.engine.alarm_book import Scraped
from tidegate.engine.cloud import Cloud, Sides, ToldTo
from tidegate.engine.counters import Counters


class Server(Protocol):
    """Asked beside the loop; the loop says what it wants to know."""

    def at(self, access: Access) -> Cloud:
        """The one that is asked with this access."""

    def run(self) -> None: ...

    def stop(self) -> None: ...

    def begin(self) -> None: ...

    def want(self, alarms: Sequence[AlarmFile], sides: Sides, now: datetime) -> ToldTo | None: ...

    def end(self, now: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class ToldByAll:
    """The last answers of all of them. Implements core.series.Told."""

    parts: Mapping[Source, ToldTo]

    @property
    def silent(self) -> bool:
        cloudwatch = self.parts.get(Source.CLOUDWATCH)
        return cloudwatch is not None and cloudwatch.silent

    def answered(self, source: Source) -> datetime | None:
        part = self.parts.get(source)
        return part.answered(source) if part else None

    def state(self, alarm: str) -> AlarmState | None:
        part = self.parts.get(Source.CLOUDWATCH)
        return part.state(alarm) if part else None

    def figures(self, of: Of, metric: str, statistic: str, period: timedelta) -> Mapping[int, float] | None:
        part = self.parts.get(parse_metric_name(metric).source)
        return part.figures(of, metric, statistic, period) if part else None


class Sources:
    """Implements watcher.Telling. `counters` are those that comparisons ask for."""

    def __init__(self, clouds: Mapping[Source, Server], counters: Counters | None = None) -> None:
        self._clouds = clouds
        self._counters = counters

    # --- beside the loop ----------------------------------------------------------------------------------------------

    @property
    def runs(self) -> Mapping[str, Callable[[], None]]:
        """What asks again and again until it is stopped, by name: a thread for each, so that none delays another."""
        asking = {str(source): cloud.run for source, cloud in self._clouds.items()}
        return asking if self._counters is None else {**asking, "counters": self._counters.run}

    def stop(self) -> None:
        for cloud in self._clouds.values():
            cloud.stop()
        if self._counters is not None:
            self._counters.stop()

    # --- for the loop -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        for cloud in self._clouds.values():
            cloud.begin()
        if self._counters is not None:
            self._counters.begin()

    def want(self, alarms: Sequence[AlarmFile], sides: Sides, now: datetime) -> ToldByAll | None:
        """Notes what these alarms ask for, and gives what is known of it; None when they ask for nothing."""
        parts = {source: told for source, cloud in self._clouds.items() if (told := cloud.want(alarms, sides, now))}
        return ToldByAll(parts) if parts else None

    def want_counters(self, compare: CompareFile, subject: str, versions: Sequence[str]) -> Scraped | None:
        return self._counters.want(compare, subject, versions) if self._counters is not None else None

    def end(self, now: datetime) -> None:
        for cloud in self._clouds.values():
            cloud.end(now)
        if self._counters is not None:
            self._counters.end()

    # --- for orders ---------------------------------------------------------------------------------------------------

    def problems(self, file: Released) -> Sequence[Refused]:
        """Why guards of this file could never see anything. Raises Unreachable when that cannot be known."""
        clouds = [cloud.at(file.access) for cloud in self._clouds.values()]
        found: Iterable[Refused] = chain.from_iterable(cloud.problems(file.alarms, file.subject) for cloud in clouds)
        of_counters = self._counters.problems(file.compare, file.subject) if self._counters is not None else ()
        return [*found, *of_counters]

    def firing(self, file: Released) -> Mapping[str, AlarmState]:
        """The states of those of its alarms that a server evaluates, by our names."""
        found: dict[str, AlarmState] = {}
        for cloud in self._clouds.values():
            found |= cloud.at(file.access).firing(file.alarms)
        return found
