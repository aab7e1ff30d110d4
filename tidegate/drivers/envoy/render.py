"""All files for a set of services, as text by path. Pure: what is on disk and what runs is of no concern here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tidegate.core.service import Listener
from tidegate.drivers.envoy import endpoints, names
from tidegate.drivers.envoy.clusters import clusters
from tidegate.drivers.envoy.listeners import listeners
from tidegate.drivers.envoy.resource import Json, response
from tidegate.drivers.envoy.routes import route_table
from tidegate.drivers.envoy.secrets import certificate
from tidegate.drivers.envoy.weights import weights
from tidegate.ports import Routing

_NO_MARKS: Mapping[int, str] = MappingProxyType({})


def render(routings: Sequence[Routing], run_dir: Path, marks: Mapping[int, str] = _NO_MARKS) -> dict[str, str]:
    """The text of every file that Envoy watches for these services, by its path within the run directory.

    `marks`: of the certificate files, by port (`secrets.py`).
    """
    ordered = sorted(routings, key=lambda routing: routing.service.service)
    resources: dict[str, list[Json]] = {}
    for routing in ordered:
        resources |= _endpoints(routing)
    resources[names.CDS_FILE] = [each for routing in ordered for each in clusters(routing, run_dir)]
    ports = ports_of(ordered)
    for port, listener in ports.items():
        if listener.tls is not None:
            resources[names.sds_file(port)] = certificate(port, listener.tls, marks.get(port, ""))
        here = [routing for routing in ordered if routing.service.listener.port == port]
        resources[names.rds_file(port)] = route_table(port, here)
    resources[names.LDS_FILE] = listeners(list(ports.values()), run_dir)
    resources[names.RTDS_FILE] = weights({each.service.service: each.exposure for each in ordered})
    return {path: response(found) for path, found in resources.items()}


def ports_of(routings: Sequence[Routing]) -> dict[int, Listener]:
    """One listener for each port; services that share it agree in all that concerns the port itself."""
    ports: dict[int, Listener] = {}
    for routing in routings:
        ports.setdefault(routing.service.listener.port, routing.service.listener)
    return dict(sorted(ports.items()))


def _endpoints(routing: Routing) -> dict[str, list[Json]]:
    service = routing.service.service
    places = {names.STABLE: endpoints.stable, names.CANDIDATE: endpoints.candidate}
    if routing.service.force is not None:
        places[names.TESTER] = endpoints.tester
    return {names.eds_file(names.cluster(service, place)): build(routing) for place, build in places.items()}
