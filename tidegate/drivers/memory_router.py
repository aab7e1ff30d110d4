"""The memory twin of the router: acknowledges what it is told after a number of looks, and counts pretended requests.

router = MemoryRouter()
router.ack_after = 2                      what is routed is in force at the second look
router.serve("web", users, fails={"v2"})  each of these users asks once; those on v2 fail
router.answers = False                    it does not answer
router.restart()                          it counts from zero again; what it was told stays
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from tidegate.core.errors import NotRouted, Refused
from tidegate.core.exposure import FULL, Exposure, bucket
from tidegate.core.latency import Latencies
from tidegate.core.service import Service, same_listener
from tidegate.core.tally import Tally
from tidegate.ports import UNSEEN, Applied, RouterReading, Routing, ServiceReading, Side, Slot


@dataclass
class _Place:
    """One service: what it was told, what is in force, and what was counted."""

    told: Routing
    force: Routing | None = None
    looks: int = 0
    tallies: dict[tuple[Slot, str], Tally] = field(default_factory=dict)
    seen_failures: int = 0
    ejected_hard: int = 0
    ejected_soft: int = 0


class MemoryRouter:
    """Implements ports.Router."""

    grain = Exposure(1)

    def __init__(self) -> None:
        self.ack_after = 1
        self.answers = True
        self.rejects = ""
        self.taken_ports: set[int] = set()
        self.writes: list[Routing] = []
        self._places: dict[str, _Place] = {}
        self._life = 1
        self._looked = False

    # --- the port -----------------------------------------------------------------------------------------------------

    def route(self, routings: Sequence[Routing]) -> None:
        if self.rejects:
            services = tuple(routing.service.service for routing in routings)
            raise NotRouted(f"The router rejects the configuration: {self.rejects}.", "Correct the service file.", services)
        names = {routing.service.service for routing in routings}
        self._places = {name: place for name, place in self._places.items() if name in names}
        for routing in routings:
            place = self._places.setdefault(routing.service.service, _Place(routing))
            if place.told != routing:
                place.told, place.looks = routing, 0
            if place.force != routing and (not self.writes or self.writes[-1] != routing):
                self.writes.append(routing)

    def look(self) -> RouterReading | None:
        self._looked = self.answers
        if not self.answers:
            return None
        for place in self._places.values():
            place.looks += 1
            if place.looks >= self.ack_after:
                place.force = place.told
        return RouterReading(f"life-{self._life}", {name: _reading(place) for name, place in self._places.items()})

    def applied(self, service: str) -> Applied:
        place = self._places.get(service)
        if not self._looked or place is None or place.force is None:
            return UNSEEN
        is_new = place.told != place.force
        force = place.force
        return Applied(
            exposure=force.exposure,
            stable=None if is_new and place.told.stable != force.stable else _version(force.stable),
            slot=None if is_new and place.told.slot != force.slot else _version(force.slot),
            salt=None if is_new and place.told.salt != force.salt else force.salt,
        )

    def check(self, service: Service, others: Sequence[Service]) -> None:
        for other in others:
            same_listener(service, other)
        if service.listener.port in self.taken_ports:
            raise Refused(f"Port {service.listener.port} is taken by another process.", "Choose another listener.port.")

    # --- for the one who tests ----------------------------------------------------------------------------------------

    def serve(
        self, service: str, users: Iterable[str], *, fails: Collection[str] = (), hangs: Collection[str] = (), ms: float = 5
    ) -> dict[str, list[str]]:
        """Each user asks once; who went where, by version. Requests to versions in `fails` fail and are not rescued."""
        place = self._places[service]
        went: dict[str, list[str]] = {}
        for user in users:
            slot, side = self._side(place, user)
            version = _version(side)
            went.setdefault(version, []).append(user)
            one = Tally(begun=1) if version in hangs else Tally(1, 1, int(version in fails), Latencies.of([ms * 1000]))
            place.tallies[slot, version] = place.tallies.get((slot, version), Tally()).plus(one)
            place.seen_failures += slot is Slot.CANDIDATE and version in fails
        return went

    def eject(self, service: str, *, hard: int = 0, soft: int = 0) -> None:
        place = self._places[service]
        place.ejected_hard, place.ejected_soft = hard, soft

    def drift(self, service: str, exposure: Exposure) -> None:
        """Somebody else moves the weight."""
        place = self._places[service]
        place.told = place.force = replace(place.told, exposure=exposure)

    def restart(self) -> None:
        self._life += 1
        for place in self._places.values():
            place.tallies, place.seen_failures = {}, 0

    def _side(self, place: _Place, user: str) -> tuple[Slot, Side | None]:
        force = place.force
        if force is None:
            return Slot.STABLE, None
        exposed = force.slot is not None and Exposure(min(force.exposure, FULL)).covers(bucket(user, force.salt))
        return (Slot.CANDIDATE, force.slot) if exposed else (Slot.STABLE, force.stable)


def _version(side: Side | None) -> str:
    return side.version if side else ""


def _reading(place: _Place) -> ServiceReading:
    return ServiceReading(dict(place.tallies), place.seen_failures, place.ejected_hard, place.ejected_soft)
