"""The lever of environments whose flags AWS AppConfig deploys: it leads, by the strategy that the plan is to it.

Each environment has a pilot (`appconfig_pilot.py`), which flies beside the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from tidegate.core.environment import Environment
from tidegate.core.exposure import Exposure
from tidegate.core.monitor import Monitor
from tidegate.core.rollout import Readiness, Ready
from tidegate.core.setting import UNSEEN, Applied, Setting
from tidegate.core.verdict import TaskHealth
from tidegate.drivers.aws import appconfig_seen
from tidegate.drivers.aws.appconfig_pilot import Order
from tidegate.drivers.aws.appconfig_pilot import Pilot as Pilot
from tidegate.drivers.aws.appconfig_reader import Known
from tidegate.drivers.aws.appconfig_seen import Seen
from tidegate.drivers.aws.call import Callers
from tidegate.drivers.aws.flights import STALE, Flights

SOON = timedelta(seconds=2)

FileOf = Callable[[str], Environment | None]


class AppConfigLever:
    """Implements engine.flag_platforms.Away for environments with `platform.appconfig`."""

    grain = Exposure(1)

    def __init__(self, callers: Callers, known: Known, file_of: FileOf, clock: Callable[[], datetime]) -> None:
        self._callers = callers
        self._known = known
        self._file_of = file_of
        self._clock = clock
        self._flights = Flights[Pilot](soon=SOON)
        self._pilots = self._flights.pilots
        self._looks: dict[str, Seen] = {}

    # --- for the loop -------------------------------------------------------------------------------------------------

    def look(self, now: datetime) -> None:
        fresh = {name: pilot.seen for name, pilot in self._pilots.items() if pilot.seen is not None}
        self._looks = {name: seen for name, seen in fresh.items() if now - seen.at <= STALE}

    def _told(self, subject: str) -> tuple[Setting, Seen] | None:
        """What is wanted, and what was seen since that is known and nothing is left to be asked for."""
        pilot, seen = self._pilots.get(subject), self._looks.get(subject)
        order = pilot.order if pilot is not None else None
        if pilot is None or seen is None or order is None or pilot.matter != order.matter:
            return None
        return order.setting, seen

    def applied(self, subject: str) -> Applied:
        told = self._told(subject)
        return appconfig_seen.applied(*told) if told is not None else UNSEEN

    def readiness(self, subject: str, version: str) -> Readiness:
        pilot, seen = self._pilots.get(subject), self._looks.get(subject)
        if problem := self._flights.problems.get(subject):
            return Readiness(Ready.FAILED, problem, back=problem)
        if pilot is None or pilot.order is None or seen is None:
            return Readiness(Ready.UNSEEN, busy="it cannot be seen")
        return appconfig_seen.readiness(pilot.order.setting, seen, version)

    def health(self, subject: str, version: str) -> TaskHealth:  # noqa: ARG002 - documents have no tasks that could be ill
        return TaskHealth(wanted=0, healthy=0)

    def gone(self, subject: str, version: str) -> bool:  # noqa: ARG002 - nothing of a document runs anywhere
        return True

    def apply(self, settings: Mapping[str, Setting], needs: frozenset[tuple[str, str]], now: datetime) -> None:  # noqa: ARG002 - documents are always ready
        """Tells the pilots, which do it. Those of environments that are gone stop: what they left in AppConfig stays."""
        for subject, setting in settings.items():
            file = self._file_of(subject)
            if file is None or file.platform is None:
                continue
            pilot = self._pilot(subject, file)
            before, pilot.order = pilot.order, Order(setting, now)
            if before is None or before.matter != pilot.order.matter:
                self._flights.poke(subject)
        self._flights.keep(settings.keys())

    def _pilot(self, subject: str, file: Environment) -> Pilot:
        pilot = self._pilots.get(subject)
        if pilot is None or pilot.file.platform != file.platform:
            return self._flights.begin(subject, self._new(file))
        return pilot

    def _new(self, file: Environment) -> Pilot:
        return Pilot(file, self._callers, self._known, self._clock)

    # --- beside the loop ----------------------------------------------------------------------------------------------

    def turn(self, subject: str) -> bool:
        """One turn of this environment's pilot; whether it should be looked at again soon."""
        return self._flights.turn(subject)

    def run(self) -> None:
        """Keeps a thread for each environment, until stopped."""
        self._flights.run()

    def stop(self) -> None:
        self._flights.stop()

    # --- for orders ---------------------------------------------------------------------------------------------------

    def check(self, file: Environment) -> None:
        self._new(file).check()

    def monitors(self, file: Environment) -> Sequence[Monitor]:
        return self._new(file).monitors()

    def must_be_free(self, file: Environment, baseline: str, candidate: str) -> None:
        self._new(file).must_be_free(baseline, candidate)
