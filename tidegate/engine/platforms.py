"""Where services run: on this machine, or on the platform that their file names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tidegate.core.errors import Refused, Unreachable
from tidegate.core.service import Service
from tidegate.engine.places import Places
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


class Platforms(Places[TrafficLever, Away]):
    """Implements ports.Lever for all services. `file_of` gives the file of a service; None when there is none."""

    def __init__(self, here: TrafficLever, away: Away, file_of: Callable[[str], Service | None]) -> None:
        super().__init__(here, away, lambda subject: (file := file_of(subject)) is not None and file.platform is not None)

    def reading_of(self, subject: str) -> RouterReading | None:
        return self.away.reading_of(subject) if self.is_away(subject) else self.here.reading_of(subject)

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
