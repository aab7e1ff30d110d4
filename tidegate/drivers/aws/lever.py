"""The lever of services that run on AWS.

Each service has a pilot, which looks at AWS and asks it for what is missing, beside the loop: AWS may take its time. Which
pilot, the service file says: `alb.py` moves the weights itself, `codedeploy.py` lets CodeDeploy do it. Pilots keep nothing
that they could not see again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from tidegate.core.errors import NotFound, TidegateError
from tidegate.core.exposure import Exposure
from tidegate.core.platform import GRAIN, Platform
from tidegate.core.rollout import Readiness, Ready
from tidegate.core.service import Service
from tidegate.core.setting import UNSEEN, Applied, Setting
from tidegate.core.verdict import TaskHealth
from tidegate.drivers.aws import flights
from tidegate.drivers.aws.flights import FRESH, STALE, Flights
from tidegate.ports import RouterReading

SOON = timedelta(seconds=1)

Known = Callable[[str, str], Service | None]
"""The service as this version of it runs."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the loop wants of one service, and when it said so. `counts`: how many tasks of each version that must be ready."""

    setting: Setting
    counts: dict[str, int]
    files: Mapping[str, Service]
    at: datetime

    @property
    def wanted(self) -> tuple[Setting, dict[str, int]]:
        return self.setting, self.counts

    def is_fresh(self, now: datetime) -> bool:
        return now - self.at <= FRESH


class Glance(Protocol):
    """What a pilot saw last. It does not change."""

    @property
    def at(self) -> datetime | None: ...

    def applied(self) -> Applied: ...

    def readiness(self, version: str, count: int, now: datetime) -> Readiness: ...

    def health(self, version: str, count: int) -> TaskHealth | None: ...

    def gone(self, version: str) -> bool: ...

    def dimensions(self, version: str) -> Mapping[str, str]:
        """What CloudWatch calls the target group of this version, and the load balancer."""


class Pilot(flights.Pilot, Protocol):
    """One service."""

    order: Order | None

    def glance(self) -> Glance | None: ...

    def count(self, now: datetime) -> None:
        """Asks how many requests each side answered, when somebody counts and there is something new to be told."""

    def reading(self, now: datetime) -> RouterReading | None: ...

    def restart(self, version: str) -> None:
        """Replaces the tasks of this version."""

    def check(self, file: Service) -> None:
        """Raises Refused when this service could never be released there. Changes nothing."""


Pilots = Callable[[str, Platform], Pilot]
"""Makes the pilot of a service."""


class AwsLever:
    """Implements ports.Lever for services with a `platform`."""

    def __init__(self, pilots: Pilots, known: Known, clock: Callable[[], datetime]) -> None:
        self._make = pilots
        self._known = known
        self._clock = clock
        self._flights = Flights[Pilot](soon=SOON, beside=self._keep_counting)
        self._pilots = self._flights.pilots
        self._platforms: dict[str, Platform] = {}  # of the pilots
        self._looks: dict[str, Glance] = {}
        self._log = structlog.get_logger()

    @property
    def grain(self) -> Exposure:
        return GRAIN

    # --- for the loop -------------------------------------------------------------------------------------------------

    def look(self, now: datetime) -> None:
        fresh = {name: glance for name, pilot in self._pilots.items() if (glance := pilot.glance()) is not None}
        self._looks = {name: glance for name, glance in fresh.items() if glance.at is not None and now - glance.at <= STALE}

    def applied(self, subject: str) -> Applied:
        glance = self._looks.get(subject)
        return glance.applied() if glance is not None else UNSEEN

    def readiness(self, subject: str, version: str) -> Readiness:
        file, glance = self._known(subject, version), self._looks.get(subject)
        if subject not in self._pilots or file is None:
            return Readiness(Ready.UNSEEN)
        seen = glance.readiness(version, file.tasks.count, self._clock()) if glance is not None else Readiness(Ready.UNSEEN)
        problem = self._flights.problems.get(subject)
        return replace(seen, ready=Ready.FAILED, why=problem) if problem else seen

    def health(self, subject: str, version: str) -> TaskHealth | None:
        file, glance = self._known(subject, version), self._looks.get(subject)
        return glance.health(version, file.tasks.count) if file is not None and glance is not None else None

    def gone(self, subject: str, version: str) -> bool:
        glance = self._looks.get(subject)
        return glance is not None and glance.gone(version)

    def reading_of(self, subject: str) -> RouterReading | None:
        """What each side has answered; None when nobody counts or can say."""
        pilot = self._pilots.get(subject)
        return pilot.reading(self._clock()) if pilot is not None else None

    def apply(self, settings: Mapping[str, Setting], needs: frozenset[tuple[str, str]], now: datetime) -> None:
        """Tells the pilots, which do it. Those of services that are gone stop: what they left on AWS stays."""
        for subject, setting in settings.items():
            versions = [setting.stable, setting.slot, *sorted(version for name, version in needs if name == subject)]
            known = {version: file for version in versions if (file := self._known(subject, version)) is not None}
            platform = next((file.platform for file in known.values() if file.platform is not None), None)
            if platform is None:
                continue
            pilot = self._pilot(subject, platform)
            counts = {version: file.tasks.count for version, file in known.items() if (subject, version) in needs}
            before, pilot.order = pilot.order, Order(setting, counts, known, now)
            if before is None or before.wanted != pilot.order.wanted:
                self._flights.poke(subject)
        self._flights.keep(settings.keys())

    def _pilot(self, subject: str, platform: Platform) -> Pilot:
        pilot = self._pilots.get(subject)
        if pilot is None or self._platforms[subject] != platform:
            self._platforms[subject] = platform
            return self._flights.begin(subject, self._make(subject, platform))
        return pilot

    # --- beside the loop ----------------------------------------------------------------------------------------------

    def turn(self, subject: str) -> bool:
        """One turn of this service's pilot; whether it should be looked at again soon."""
        return self._flights.turn(subject)

    def count(self, subject: str) -> None:
        """Asks how many requests each side answered, when there is something new to be told."""
        pilot = self._pilots.get(subject)
        if pilot is None:
            return
        try:
            pilot.count(self._clock())
        except TidegateError as error:
            self._log.warning("requests_uncounted", service=subject, problem=error.what, mend=error.mend)

    def _keep_counting(self, subject: str) -> timedelta:
        self.count(subject)
        return SOON

    def run(self) -> None:
        """Keeps two threads for each service, until stopped: one that flies, one that counts."""
        self._flights.run()

    def stop(self) -> None:
        self._flights.stop()

    # --- for orders ---------------------------------------------------------------------------------------------------

    def check(self, file: Service) -> None:
        """Raises Refused when this service could never be released there. Changes nothing."""
        if file.platform is not None and file.tasks.ecs is not None:
            pilot, known = self._make(file.service, file.platform), self._pilots.get(file.service)
            pilot.order = known.order if known is not None else None
            pilot.check(file)

    def restart(self, subject: str, version: str) -> None:
        pilot = self._pilots.get(subject)
        if pilot is None:
            raise NotFound(f"No ECS service of {subject} runs {version}.", "Wait until it is seen.")
        pilot.restart(version)

    def dimensions(self, subject: str, version: str) -> Mapping[str, str]:
        """What CloudWatch calls the target group of this version, and the load balancer."""
        glance = self._looks.get(subject)
        return glance.dimensions(version) if glance is not None else {}
