"""Hands the trace of each rollout that has ended to whoever collects traces. Runs beside the loop, and never delays it.

How far it came is jotted down: a controller that was killed goes on there, and one that finds no collector tries again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from tidegate.core.errors import TidegateError
from tidegate.core.trace import Trace, is_end, trace_of
from tidegate.engine.story import story_of
from tidegate.ports import Event, Jotter, Store

EVERY = 2.0
"""Seconds between two looks for what has ended."""
LONGEST = 60.0
"""Seconds between two attempts while nobody collects."""
_PLACE = "traced"


class Collector(Protocol):
    def collect(self, trace: Trace) -> None:
        """Takes one trace. Raises Unreachable when it did not get it."""


@dataclass(frozen=True, slots=True)
class _Written:
    """An event as a trace looks at it."""

    event: Event

    @property
    def at(self) -> datetime:
        return self.event.at

    @property
    def kind(self) -> str:
        return self.event.told.kind

    @property
    def actor(self) -> str:
        return self.event.told.actor

    @property
    def why(self) -> str:
        return self.event.told.why

    @property
    def facts(self) -> Mapping[str, object]:
        return self.event.told.facts


class Tracing:
    def __init__(self, store: Store, jotter: Jotter, collector: Collector) -> None:
        self._store = store
        self._jotter = jotter
        self._collector = collector
        self._stopped = threading.Event()
        self._log = structlog.get_logger()

    def run(self) -> None:
        """Until it is stopped."""
        pause = EVERY
        while not self._stopped.wait(pause):
            try:
                self.trace()
                pause = EVERY
            except TidegateError as error:
                pause = min(2 * pause, LONGEST)
                self._log.warning("trace_uncollected", problem=error.what, mend=error.mend)
            except Exception:
                pause = LONGEST
                self._log.exception("trace_uncollected")

    def stop(self) -> None:
        self._stopped.set()

    def trace(self) -> int:
        """Hands over what has ended since the last time; how many. What ended before the first time is not handed over."""
        at = self._jotter.jotted().get(_PLACE, "")
        if not at.isdigit():
            newest = self._store.events(limit=1, last=True)
            self._jotter.jot(_PLACE, str(newest[-1].id if newest else 0))
            return 0
        count = 0
        for event in self._store.events(after=int(at)):
            if event.told.rollout and is_end(_Written(event)):
                count += self._hand_over(event.told.rollout)
            at = str(event.id)
        self._jotter.jot(_PLACE, at)
        return count

    def _hand_over(self, rollout: str) -> int:
        held = self._store.held(rollout)
        if held is None:
            return 0
        events = [_Written(event) for event in story_of(rollout, self._store)]
        self._collector.collect(trace_of(held.rollout, held.harm, events))
        return 1
