"""All files for a set of services, as text by path. Pure: what is on disk and what runs is of no concern here.

A file is described by a sheet: its inputs, and how it is made of them. Files whose inputs are the same as the last time are
not made again, so that a turn of a thousand services in which nothing happens costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType

from tidegate.core.service import Listener
from tidegate.drivers.envoy import endpoints, names
from tidegate.drivers.envoy.clusters import clusters
from tidegate.drivers.envoy.listeners import listeners
from tidegate.drivers.envoy.resource import File, Json, response
from tidegate.drivers.envoy.routes import route_table
from tidegate.drivers.envoy.secrets import certificate
from tidegate.drivers.envoy.spoken import slot_tasks, stable_tasks
from tidegate.drivers.envoy.weights import weights
from tidegate.ports import Routing

Marks = Mapping[int, str]
"""Of the certificate files, by port (`secrets.py`)."""
_NO_MARKS: Marks = MappingProxyType({})


def render(routings: Sequence[Routing], run_dir: Path, marks: Marks = _NO_MARKS) -> dict[str, File]:
    """Every file that Envoy watches for these services, by its path within the run directory."""
    return {sheet.path: response(sheet.make()) for sheet in _sheets(routings, run_dir, marks)}


@dataclass(slots=True)
class Renderer:
    """Renders again only what changed."""

    run_dir: Path
    _last: dict[str, tuple[object, File]] = field(default_factory=dict)

    def render(self, routings: Sequence[Routing], marks: Marks = _NO_MARKS) -> dict[str, File]:
        made: dict[str, tuple[object, File]] = {}
        for sheet in _sheets(routings, self.run_dir, marks):
            last = self._last.get(sheet.path)
            if last is None or last[0] != sheet.inputs:
                last = sheet.inputs, response(sheet.make())
            made[sheet.path] = last
        self._last = made
        return {path: file for path, (_, file) in made.items()}


@dataclass(frozen=True, slots=True)
class _Sheet:
    path: str
    inputs: object
    make: Callable[[], list[Json]]


def _sheets(routings: Sequence[Routing], run_dir: Path, marks: Marks) -> Iterator[_Sheet]:
    ordered = sorted(routings, key=lambda routing: routing.service.service)
    for routing in ordered:
        yield from _endpoints(routing)
    spoken = [(each.service, stable_tasks(each), slot_tasks(each)) for each in ordered]
    yield _Sheet(names.CDS_FILE, spoken, lambda: [each for routing in ordered for each in clusters(routing, run_dir)])
    ports = ports_of(ordered)
    for port, listener in ports.items():
        yield from _port(port, listener, ordered, marks)
    yield _Sheet(names.LDS_FILE, list(ports.values()), lambda: listeners(list(ports.values()), run_dir))
    exposures = {each.service.service: each.exposure for each in ordered}
    yield _Sheet(names.RTDS_FILE, exposures, lambda: weights(exposures))


def ports_of(routings: Sequence[Routing]) -> dict[int, Listener]:
    """One listener for each port; services that share it agree in all that concerns the port itself."""
    ports: dict[int, Listener] = {}
    for routing in routings:
        ports.setdefault(routing.service.listener.port, routing.service.listener)
    return dict(sorted(ports.items()))


def _endpoints(routing: Routing) -> Iterator[_Sheet]:
    service = routing.service.service
    places = {names.STABLE: endpoints.stable, names.CANDIDATE: endpoints.candidate}
    if routing.service.force is not None:
        places[names.TESTER] = endpoints.tester
    inputs = (routing.service, routing.stable, routing.slot)
    for place, make in places.items():
        yield _Sheet(names.eds_file(names.cluster(service, place)), inputs, partial(make, routing))


def _port(port: int, listener: Listener, routings: Sequence[Routing], marks: Marks) -> Iterator[_Sheet]:
    tls = listener.tls
    if tls is not None:
        mark = marks.get(port, "")
        yield _Sheet(names.sds_file(port), (tls, mark), lambda: certificate(port, tls, mark))
    here = [routing for routing in routings if routing.service.listener.port == port]
    inputs = [(each.service, each.salt, stable_tasks(each).protocol, slot_tasks(each).protocol) for each in here]
    yield _Sheet(names.rds_file(port), inputs, lambda: route_table(port, here))
