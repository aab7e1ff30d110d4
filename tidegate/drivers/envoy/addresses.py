"""Envoy's endpoints are addresses. Targets given by name are looked up here; an address once known is kept while the name
has none, for a name server that is away must not take tasks out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from tidegate.drivers.process.resolve import Resolver
from tidegate.ports import Endpoint, Routing, Side

_WAIT = 1.0  # seconds, for names that were never looked up


@dataclass(slots=True)
class Addresses:
    _resolver: Resolver = field(default_factory=Resolver)
    _good: dict[str, str] = field(default_factory=dict)

    def resolved(self, routings: Sequence[Routing]) -> list[Routing]:
        """The same with addresses for names. An endpoint whose name has never had an address is left out."""
        names = {endpoint.host for routing in routings for endpoint in _endpoints(routing)}
        self._look_up(names)
        return [
            replace(routing, stable=self._side(routing.stable), slot=self._side(routing.slot))
            if any(self._good.get(endpoint.host) != endpoint.host for endpoint in _endpoints(routing))
            else routing
            for routing in routings
        ]

    def _look_up(self, names: Iterable[str]) -> None:
        unknown = [name for name in names if not self._known(name)]
        deadline = time.monotonic() + _WAIT
        while unknown and time.monotonic() < deadline:
            time.sleep(0.01)
            unknown = [name for name in unknown if not self._known(name)]

    def _known(self, name: str) -> bool:
        """Whether there is an answer, or an older one that still serves."""
        match self._resolver.address(name, 0):
            case (_, (address, _)):
                self._good[name] = str(address)
                return True
            case None:
                return name in self._good
            case _:
                return True  # it has no address

    def _side(self, side: Side | None) -> Side | None:
        if side is None:
            return None
        found = (replace(each, host=self._good[each.host]) for each in side.endpoints if each.host in self._good)
        return replace(side, endpoints=tuple(found))


def _endpoints(routing: Routing) -> list[Endpoint]:
    return [endpoint for side in (routing.stable, routing.slot) if side for endpoint in side.endpoints]
