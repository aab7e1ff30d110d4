"""The router's port, kept by Envoy on this machine. It only writes files and reads the admin socket.

Whether Envoy runs is somebody else's care (`process.py`): files are written all the same, and Envoy starts from them.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from tidegate.core.errors import NotRouted, Unreachable
from tidegate.core.exposure import Exposure
from tidegate.core.service import Service
from tidegate.drivers.envoy import names
from tidegate.drivers.envoy.accepted import Accepted
from tidegate.drivers.envoy.acks import ACKS, Acks, read_acks
from tidegate.drivers.envoy.addresses import Addresses
from tidegate.drivers.envoy.admin import Admin
from tidegate.drivers.envoy.check import check
from tidegate.drivers.envoy.counts import (
    COUNTERS,
    HISTOGRAMS,
    Counts,
    dropped_flushes,
    read_active,
    read_counts,
    read_latencies,
)
from tidegate.drivers.envoy.ejections import held_back
from tidegate.drivers.envoy.files import Files
from tidegate.drivers.envoy.in_force import InForce
from tidegate.drivers.envoy.placing import Placing, Rejected
from tidegate.drivers.envoy.process import running
from tidegate.drivers.envoy.readings import Readings
from tidegate.drivers.envoy.render import Renderer, ports_of, render
from tidegate.drivers.envoy.resource import File
from tidegate.drivers.envoy.secrets import mark_of
from tidegate.drivers.envoy.validation import objection
from tidegate.ports import UNSEEN, Applied, RouterReading, Routing

_EJECTIONS = re.compile(r"cluster\.[^.]+\.candidate\.outlier_detection\.ejections_active")
_LOOK = f"{COUNTERS}|{ACKS}|^{_EJECTIONS.pattern}$"

_GATHERING = 20  # times that we ask again
_MISSED_AFTER = 2.0  # seconds; Envoy reads a file within milliseconds


class EnvoyRouter:
    """Implements `Router` for the Envoy of one run directory.

    `patience`: how long `route` waits for each acknowledgement when the structure changes.
    """

    grain = Exposure(1)

    def __init__(self, run_dir: Path, *, patience: timedelta = timedelta(seconds=1)) -> None:
        self.run_dir = run_dir
        self._files = Files(run_dir)
        self._admin = Admin(run_dir)
        self._patience = patience.total_seconds()
        self._routings: dict[str, Routing] = {}
        self._in_force = InForce(self._files)
        self._weights: Mapping[str, Exposure] = {}
        self._salts: Mapping[str, str] = {}
        self._readings = Readings()
        self._dropped = 0
        self._renderer = Renderer(run_dir)
        self._accepted = Accepted(self._files)
        self._addresses = Addresses()

    def close(self) -> None:
        self._admin.close()

    def route(self, routings: Sequence[Routing]) -> None:
        routings = self._addresses.resolved(routings)
        try:
            self._place(self._accepted.routable(routings))
        except Rejected as rejected:
            self._accepted.refuse(self._about(rejected.reason, routings), rejected.reason, rejected.mend)
            self._place_the_rest(routings, rejected)
        objections = [found for each in routings if (found := self._accepted.objection(each.service))]
        if objections:
            first = objections[0]
            raise _explained(first.reason, [objection.service for objection in objections], first.mend)

    def _place_the_rest(self, routings: Sequence[Routing], rejected: Rejected) -> None:
        try:
            self._place(self._accepted.routable(routings))
        except Rejected as again:
            everybody = [routing.service for routing in routings]
            raise _explained(f"{rejected.reason}; {again.reason}", everybody) from again

    def _place(self, routings: Sequence[Routing]) -> None:
        ports = ports_of(routings)
        marks = {port: mark_of(listener.tls) for port, listener in ports.items() if listener.tls is not None}
        wanted = self._renderer.render(routings, marks)
        self._in_force.learn(wanted)
        Placing(self._files, self._admin, self._patience).place(wanted, self._missed(wanted))
        self._accepted.accept(routings)
        self._routings = {routing.service.service: routing for routing in routings}

    def _about(self, reason: str, routings: Sequence[Routing]) -> list[Service]:
        """The services that this is about: among those with a new file the ones that Envoy names, else all of them."""
        new = [each.service for each in routings if self._accepted.is_new(each.service)]
        changed = new or [each.service for each in routings if self._routings.get(each.service.service) != each]
        return [service for service in changed if _is_named(service, reason)] or changed

    def look(self) -> RouterReading | None:
        self._in_force.acks = None
        life = running(self.run_dir)
        try:
            stats = self._admin.json("/stats", filter=_LOOK)["stats"]
            weights = _weights(self._admin.json("/runtime"))
            counts = self._with_latencies(read_counts(stats))
            held = self._held_back(stats)
        except Unreachable:
            return None
        if life is None or life != running(self.run_dir):
            return None  # it was restarted while we looked
        self._in_force.acks = read_acks(stats)
        self._weights, self._salts = weights, self._in_force.salts()
        routings = list(self._routings.values())
        services = self._readings.read(life.epoch, counts, routings, held)
        return RouterReading(life.epoch, services)

    def applied(self, service: str) -> Applied:
        stable = self._in_force.version_in(service, names.STABLE)
        slot = self._in_force.version_in(service, names.CANDIDATE)
        if stable is None and slot is None:
            return UNSEEN  # not routed; a route table may linger for connections that still drain
        return Applied(self._weights.get(service), stable, slot, self._salts.get(service))

    def check(self, service: Service, others: Sequence[Service]) -> None:
        check(service, others, listening=self._listens_for(service))
        neighbours = [other for other in others if other.service != service.service and _port(other) == _port(service)]
        routings = [Routing(each, "salt", None, None) for each in (service, *neighbours)]
        reason = objection(render(routings, self.run_dir), self.run_dir)
        if reason:
            raise _explained(reason, [service])

    def _listens_for(self, service: Service) -> bool:
        """Whether our own Envoy has this address and port already, so that finding it taken means nothing."""
        here = {"address": service.listener.address, "port_value": service.listener.port}
        if running(self.run_dir) is None:
            return False
        try:
            listeners = json.loads(self._files.read(names.LDS_FILE))["resources"]
        except (ValueError, KeyError, Unreachable):
            return False
        return any(listener["address"]["socket_address"] == here for listener in listeners)

    def _missed(self, wanted: Mapping[str, File]) -> list[str]:
        """Files that lie there for a while, and that the Envoy we last saw has not taken."""
        acks = self._in_force.acks or Acks()
        behind = [path for path, ack in acks.by_path.items() if path in wanted and ack.version != wanted[path].version]
        return [path for path in behind if self._files.age(path) > _MISSED_AFTER]

    def _with_latencies(self, counts: Counts) -> Counts:
        """The look before this one made Envoy gather them. While it still does, and says so, we ask again."""
        query = {"filter": HISTOGRAMS, "histogram_buckets": "detailed"}
        for _ in range(_GATHERING):
            stats = self._admin.json("/stats", **query)["stats"]
            dropped, self._dropped = dropped_flushes(stats) - self._dropped, dropped_flushes(stats)
            if not dropped:
                break
            time.sleep(0.002)
        return replace(counts, latencies=read_latencies(stats), active=read_active(stats))

    def _held_back(self, stats: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Tasks that the local brake holds back, by cluster. The long list is read only when there are some."""
        if not any(_EJECTIONS.fullmatch(stat.get("name", "")) and stat["value"] for stat in stats):
            return {}
        return held_back(self._admin.json("/clusters").get("cluster_statuses", []))


def _weights(runtime: Mapping[str, Mapping[str, Mapping[str, str]]]) -> dict[str, Exposure]:
    """The candidate's weight of each service, from Envoy's runtime."""
    found = {}
    for key, entry in runtime.get("entries", {}).items():
        prefix, _, rest = key.partition(".")
        service, _, _ = rest.partition(".")
        if prefix == "weight" and key == names.weight_key(service, names.CANDIDATE):
            found[service] = Exposure(int(entry["final_value"]))
    return found


def _port(service: Service) -> int:
    return service.listener.port


def _explained(reason: str, services: Sequence[Service], mend: str = "") -> NotRouted:
    names_ = tuple(service.service for service in services)
    return NotRouted(
        f"Envoy rejects the configuration of {', '.join(names_) or 'the services'}: {reason}.",
        f"{mend or 'Correct the service file.'} The last good configuration stays in force for everybody.",
        names_,
    )


def _is_named(service: Service, reason: str) -> bool:
    clusters = (names.cluster(service.service, place) for place in (names.STABLE, names.CANDIDATE, names.TESTER))
    return any(cluster in reason for cluster in clusters) or names.port_name(service.listener.port) in reason
