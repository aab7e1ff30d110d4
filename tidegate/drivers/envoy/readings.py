"""Turns one look's counts into what the port promises: tallies that only grow while one Envoy lives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tidegate.core.latency import Latencies, bin_of
from tidegate.core.tally import Tally
from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.counts import Counts, Host, Key, host_name
from tidegate.drivers.envoy.ejections import Ejected, Kind
from tidegate.ports import Routing, ServiceReading, Side, Slot


@dataclass(slots=True)
class Readings:
    """Remembers what was read, so that nothing ever falls: tasks leave with what they had in flight."""

    _epoch: str = ""
    _begun: dict[Key, int] = field(default_factory=dict)
    _kind: Kind = field(default_factory=Kind)

    def read(
        self, epoch: str, counts: Counts, routings: Sequence[Routing], held_back: Mapping[str, int]
    ) -> dict[str, ServiceReading]:
        """`held_back`: how many tasks the brake holds back, by cluster."""
        if epoch != self._epoch:
            self._epoch, self._begun, self._kind = epoch, {}, Kind()
        self._kind.note(counts)
        known: dict[str, set[Key]] = {}
        # Also those whose slot was emptied before a single attempt had ended.
        for key in counts.keys | self._begun.keys():
            known.setdefault(key[0], set()).add(key)
        return {
            (name := routing.service.service): self._service(
                routing, counts, known.get(name, set()), self._ejected(routing, held_back)
            )
            for routing in routings
        }

    def _ejected(self, routing: Routing, held_back: Mapping[str, int]) -> Ejected:
        service = routing.service.service
        count = held_back.get(names.cluster(service, names.CANDIDATE), 0)
        if routing.slot is None or not count:
            return Ejected()
        hard = self._kind.is_hard((service, Slot.CANDIDATE, routing.slot.version))
        return Ejected(hard=count) if hard else Ejected(soft=count)

    def _service(self, routing: Routing, counts: Counts, known: set[Key], ejected: Ejected) -> ServiceReading:
        active = _active(routing, counts.active)
        timeout = bin_of(routing.service.listener.timeout.total_seconds() * 1e6)
        return ServiceReading(
            tallies={key[1:]: self._tally(key, counts, active.get(key, 0), timeout) for key in known | active.keys()},
            seen_failures=counts.seen.get(routing.service.service, 0),
            ejected_hard=ejected.hard,
            ejected_soft=ejected.soft,
        )

    def _tally(self, key: Key, counts: Counts, active: int, timeout: int) -> Tally:
        finished = counts.finished(key)
        begun = self._begun[key] = max(self._begun.get(key, 0), finished + active)
        given_up = counts.timed_out.get(key, 0)
        waited = Latencies({timeout: given_up}) if given_up else Latencies()
        return Tally(
            begun=begun,
            finished=finished,
            failed=min(finished, counts.failed.get(key, 0)),
            latency=counts.latencies.get(key, Latencies()).plus(waited),
        )


def _active(routing: Routing, active: Mapping[Host, int]) -> dict[Key, int]:
    """Attempts in flight by side: in each slot those at the tasks that it is there for."""
    found: dict[Key, int] = {}
    sides = ((Slot.STABLE, routing.stable), (Slot.CANDIDATE, routing.slot))
    for slot, side in sides:
        if side is not None:
            found[routing.service.service, slot, side.version] = _in_flight(routing, slot, side, active)
    return found


def _in_flight(routing: Routing, slot: Slot, side: Side, active: Mapping[Host, int]) -> int:
    hosts = {host_name(endpoint.host, endpoint.port) for endpoint in side.endpoints}
    return sum(active.get((routing.service.service, slot, host), 0) for host in hosts)
