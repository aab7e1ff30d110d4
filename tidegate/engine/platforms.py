"""Which lever moves a service: that of this machine, or that of the platform that its file names. The rest of the engine does
not know the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from tidegate.core.errors import Refused, Unreachable
from tidegate.core.exposure import Exposure
from tidegate.core.rollout import Readiness
from tidegate.core.service import Service
from tidegate.core.setting import Applied, Setting
from tidegate.core.verdict import TaskHealth
from tidegate.engine.traffic import TrafficLever
from tidegate.ports import Lever, Router, RouterReading, Runtime, Task


class Away(Lever, Protocol):
    """A platform that runs tasks and lets users in by itself."""

    def check(self, file: Service) -> None:
        """Raises Refused when this service could never be released there."""

    def restart(self, subject: str, version: str) -> None:
        """Replaces the tasks of this version."""

    def reading_of(self, subject: str) -> RouterReading | None:
        """What each side has answered; None when nobody counts or can say."""


class Platforms:
    """Implements ports.Lever for all services. `file_of` gives the file of a service; None when there is none."""

    def __init__(self, here: TrafficLever, away: Away, file_of: Callable[[str], Service | None]) -> None:
        self.here = here
        self.away = away
        self._file_of = file_of

    @property
    def grain(self) -> Exposure:
        return self.here.grain

    def _is_away(self, subject: str) -> bool:
        file = self._file_of(subject)
        return file is not None and file.platform is not None

    def _of(self, subject: str) -> Lever:
        return self.away if self._is_away(subject) else self.here

    def look(self, now: datetime) -> None:
        self.here.look(now)
        self.away.look(now)

    def applied(self, subject: str) -> Applied:
        return self._of(subject).applied(subject)

    def readiness(self, subject: str, version: str) -> Readiness:
        return self._of(subject).readiness(subject, version)

    def health(self, subject: str, version: str) -> TaskHealth | None:
        return self._of(subject).health(subject, version)

    def gone(self, subject: str, version: str) -> bool:
        return self._of(subject).gone(subject, version)

    def apply(self, settings: Mapping[str, Setting], needs: frozenset[tuple[str, str]], now: datetime) -> None:
        """Each its own; what one of them cannot do keeps nothing from the other."""
        away = {subject for subject in settings if self._is_away(subject)}
        try:
            self.away.apply(
                {subject: setting for subject, setting in settings.items() if subject in away},
                frozenset(need for need in needs if need[0] in away),
                now,
            )
        finally:
            here = {subject: setting for subject, setting in settings.items() if subject not in away}
            self.here.apply(here, frozenset(need for need in needs if need[0] not in away), now)

    def reading_of(self, subject: str) -> RouterReading | None:
        return self.away.reading_of(subject) if self._is_away(subject) else self.here.reading_of(subject)

    def tasks(self, subject: str | None = None) -> Sequence[Task]:
        return self.here.tasks(subject)


def _place_of(file: Service) -> str:
    if file.platform is None:
        return "here"
    return "by CodeDeploy" if file.platform.codedeploy is not None else "on its platform"


class Starting:
    """What orders ask of whoever runs tasks."""

    def __init__(self, runtime: Runtime, platforms: Platforms, file_of: Callable[[str], Service | None]) -> None:
        self._runtime = runtime
        self._away = platforms.away
        self._file_of = file_of

    def check(self, service: Service, version: str) -> None:
        """Raises Refused when these tasks can never start there, or when the service would change its platform."""
        before = self._file_of(service.service)
        if before is not None and _place_of(before) != _place_of(service):
            raise Refused(
                f"{service.service} runs {_place_of(before)} and would move.",
                "Give it another name there, or remove it here first.",
            )
        if service.platform is None:
            self._runtime.check(service, version)
            return
        service.plan.resolve().check_grain(self._away.grain)
        try:
            self._away.check(service)
        except Unreachable as error:
            raise Unreachable(error.what, "Nothing was begun. Try again when AWS answers.") from error

    def restart(self, service: str, version: str) -> None:
        file = self._file_of(service)
        if file is not None and file.platform is not None:
            self._away.restart(service, version)
        else:
            self._runtime.restart(service, version)


class Routing:
    """What orders ask of whoever lets users in."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def check(self, service: Service, others: Sequence[Service]) -> None:
        """Raises Refused when this service can never be routed here. One that is elsewhere is checked by its platform."""
        if service.platform is None:
            self._router.check(service, [other for other in others if other.platform is None])
