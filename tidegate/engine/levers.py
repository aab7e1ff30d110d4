"""Both levers as one, for whoever asks about a subject and does not care which of them moves it."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.core.environment import is_environment
from tidegate.core.exposure import Exposure
from tidegate.core.setting import Applied
from tidegate.core.verdict import TaskHealth
from tidegate.engine.flag_platforms import FlagPlatforms
from tidegate.engine.flags import FlagLever
from tidegate.engine.platforms import Platforms
from tidegate.engine.traffic import TrafficLever
from tidegate.ports import RouterReading, Task


class Levers:
    """Implements watcher.Seeing, and what a glance asks."""

    def __init__(self, traffic: TrafficLever | Platforms, flags: FlagLever | FlagPlatforms) -> None:
        self.traffic = traffic
        self.flags = flags

    @property
    def grain(self) -> Exposure:
        return max(self.traffic.grain, self.flags.grain)

    def _of(self, subject: str) -> TrafficLever | Platforms | FlagLever | FlagPlatforms:
        return self.flags if is_environment(subject) else self.traffic

    def reading_of(self, subject: str) -> RouterReading | None:
        return self._of(subject).reading_of(subject)

    def is_like_before(self, subject: str, candidate: str, baseline: str) -> bool:
        return not is_environment(subject) or self.flags.is_like_before(subject, candidate, baseline)

    def applied(self, subject: str) -> Applied:
        return self._of(subject).applied(subject)

    def health(self, subject: str, version: str) -> TaskHealth | None:
        return self._of(subject).health(subject, version)

    def tasks(self, subject: str | None = None) -> Sequence[Task]:
        return self.traffic.tasks(subject)
