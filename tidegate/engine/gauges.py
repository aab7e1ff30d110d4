"""Metrics that the router does not count: looked for beside the loop, so that a slow task delays nobody's rollback.

Only what alarms ask for is looked for. The loop takes at each tick what came since the last one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from tidegate.core.environment import Released
from tidegate.core.errors import Unreachable
from tidegate.core.metric_name import Source, parse_metric_name
from tidegate.core.service import Service
from tidegate.engine.alarm_book import Scraped
from tidegate.ports import Asked, Measured, Measurement, MetricSource, Task, TaskState

EVERY = 1.0
"""Seconds between two looks at the tasks."""

_SHOWING = (TaskState.HEALTHY, TaskState.UNHEALTHY)


class Scraper(MetricSource, Protocol):
    def known(self, asked: Sequence[Asked]) -> Mapping[str, frozenset[str]]:
        """All names that these tasks show now, by task."""


class Pushed(MetricSource, Protocol):
    def known(self, service: str) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class _Look:
    at: datetime
    asked: tuple[Asked, ...]
    measured: Measured

    def of(self, service: str) -> Scraped | None:
        """What was seen of this service; None when none of its tasks was asked."""
        mine = {one.task.id for one in self.asked if one.task.service == service}
        if not mine:
            return None
        measurements = [one for one in self.measured.measurements if one.task in mine]
        answered = {task: version for task, version in self.measured.answered.items() if task in mine}
        return Scraped(self.at, measurements, answered)


class Gauges:
    """Implements watcher.Gauges. `known` gives a service as one of its versions runs; `tasks` those of the last look."""

    def __init__(
        self,
        *,
        pushed: Pushed,
        tasks: Callable[[], Sequence[Task]],
        version: Callable[[str, str], Service | None],
        clock: Callable[[], datetime],
    ) -> None:
        self._scraper: Scraper | None = None  # until somebody runs this
        self._pushed = pushed
        self._tasks = tasks
        self._version = version
        self._clock = clock
        self._wanted: Mapping[str, frozenset[str]] = {}  # service -> names that its guards ask of tasks
        self._last: _Look | None = None
        self._taken: _Look | None = None
        self._came: tuple[Measurement, ...] = ()
        self._stopped = threading.Event()
        self._log = structlog.get_logger()

    # --- beside the loop ----------------------------------------------------------------------------------------------

    def run(self, scraper: Scraper) -> None:
        """Looks at the tasks again and again, until stopped."""
        self._scraper = scraper
        while not self._stopped.wait(EVERY):
            try:
                self._look_at_tasks(scraper)
            except Unreachable as error:
                self._log.warning("scrape_failed", problem=error.what)
            except Exception:
                self._log.exception("scrape_failed")

    def stop(self) -> None:
        self._stopped.set()

    def _look_at_tasks(self, scraper: Scraper) -> None:
        """One look at every task that an alarm asks of."""
        asked = tuple(one for task in self._tasks() if (one := self._ask(task, self._wanted.get(task.service, frozenset()))))
        if asked:
            self._last = _Look(self._clock(), asked, scraper.measure(asked))

    def _ask(self, task: Task, names: frozenset[str]) -> Asked | None:
        service = self._version(task.service, task.version) if names and task.state in _SHOWING else None
        path = service.tasks.metrics if service is not None else None
        return Asked(task, path, names) if path is not None else None

    # --- for the loop -------------------------------------------------------------------------------------------------

    def look(self, files: Sequence[Released], now: datetime) -> None:  # noqa: ARG002 - measurements carry their own time
        self._wanted = {file.subject: names for file in files if (names := _names(file))}
        self._taken, self._last = self._last, None
        self._came = self._pushed.measure(()).measurements

    def scraped(self, service: str) -> Scraped | None:
        return self._taken.of(service) if self._taken is not None else None

    def pushed(self, service: str) -> Sequence[Measurement]:
        return [one for one in self._came if one.service in ("", service)]

    def known(self, service: str, source: Source) -> frozenset[str] | None:
        if source is Source.PUSHED:
            return self._pushed.known(service)
        asked = [one for task in self._tasks() if task.service == service and (one := self._ask(task, frozenset({"*"})))]
        shown = self._scraper.known(asked) if asked and self._scraper else {}
        return frozenset().union(*shown.values()) if shown else None


def _names(file: Released) -> frozenset[str]:
    metrics = [alarm.metric_name for alarm in file.alarms if alarm.metric is not None]
    metrics += [parse_metric_name(asked) for asked in file.compare.asked]
    return frozenset(metric.name for metric in metrics if metric.source is Source.TASKS)
