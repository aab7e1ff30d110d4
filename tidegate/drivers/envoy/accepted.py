"""The service files that Envoy took last, and those that it refused: one bad file must not hold up everybody else.

A service whose new file is refused goes on with the one before, also in its exposure and its tasks, so that nothing blocks
its rollback. What was accepted is kept beside Envoy's own files, for a controller that starts later.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from tidegate.core.service import Service
from tidegate.drivers.envoy.files import Files
from tidegate.ports import Routing

_FILE = "accepted.json"

# A port that was taken may be free by now, a certificate may have been put right.
_ASK_AGAIN_AFTER = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Objection:
    service: Service
    reason: str
    mend: str
    until: float


@dataclass(slots=True)
class Accepted:
    files: Files
    _good: dict[str, Service] | None = None
    _bad: dict[str, Objection] = field(default_factory=dict)

    def routable(self, routings: Sequence[Routing]) -> list[Routing]:
        """The same, with the last good file for each service whose present one is known to be refused."""
        found = []
        for routing in routings:
            if self.objection(routing.service) is None:
                found.append(routing)
            elif good := self._read().get(routing.service.service):
                found.append(replace(routing, service=good))
        return found

    def objection(self, service: Service) -> Objection | None:
        known = self._bad.get(service.service)
        if known is None or known.service != service or time.monotonic() > known.until:
            return None
        return known

    def is_new(self, service: Service) -> bool:
        return self._read().get(service.service) != service

    def refuse(self, services: Iterable[Service], reason: str, mend: str) -> None:
        for service in services:
            self._bad[service.service] = Objection(service, reason, mend, time.monotonic() + _ASK_AGAIN_AFTER)

    def accept(self, routings: Sequence[Routing]) -> None:
        now = {routing.service.service: routing.service for routing in routings}
        self._bad = {name: objection for name, objection in self._bad.items() if now.get(name) != objection.service}
        if now == self._read():
            return
        dumped = {name: service.model_dump(mode="json", exclude_none=True) for name, service in sorted(now.items())}
        self.files.put(_FILE, json.dumps(dumped, indent=1) + "\n")
        self._good = now

    def _read(self) -> dict[str, Service]:
        if self._good is None:
            try:
                kept = json.loads(self.files.read(_FILE) or "{}")
                self._good = {name: Service.model_validate(service) for name, service in kept.items()}
            except (ValueError, AttributeError, ValidationError):
                self._good = {}
        return self._good
