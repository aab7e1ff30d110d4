"""A real Envoy with backends that fail on demand."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.backend import Backend
from tests.support.client import Broken, Client
from tests.support.ports import free_port as free_port
from tidegate.core.exposure import Exposure
from tidegate.core.service import Service
from tidegate.core.tally import Tally
from tidegate.drivers.envoy.process import EnvoyProcess
from tidegate.drivers.envoy.router import EnvoyRouter
from tidegate.ports import Applied, Endpoint, RouterReading, Routing, ServiceReading, Side, Slot

_HEALTH = {"path": "/healthz", "interval": "200ms", "timeout": "1s", "healthy_after": 1, "unhealthy_after": 2}


def a_service(name: str = "web", *, port: int = 8080, tasks: dict[str, Any] | None = None, **more: Any) -> Service:
    listener = {"port": port, "timeout": "5s"} | more.pop("listener", {})
    given: dict[str, Any] = {"command": ["serve"], "health": _HEALTH} | (tasks or {})
    return Service.model_validate({"service": name, "listener": listener, "tasks": given} | more)


def side(version: str, *ports: int) -> Side:
    return Side(version, tuple(Endpoint("127.0.0.1", port, f"{version}-{port}") for port in ports))


@dataclass
class Bench:
    """One run directory with its Envoy, router and backends. Everything ends with the test."""

    run_dir: Path
    process: EnvoyProcess = field(init=False)
    router: EnvoyRouter = field(init=False)
    routings: dict[str, Routing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stack = ExitStack()
        self.process = EnvoyProcess(self.run_dir, concurrency=2)
        self.router = EnvoyRouter(self.run_dir)
        self.port = free_port()

    def start(self) -> None:
        self.process.start()
        self.seen()

    def close(self) -> None:
        self.router.close()
        self.process.stop(timedelta(seconds=1))
        self._stack.close()

    def next_controller(self) -> None:
        """The controller dies and another one starts."""
        self.router.close()
        self.router = EnvoyRouter(self.run_dir)

    def backend(self, version: str, host: str = "127.0.0.1") -> Backend:
        return self._stack.enter_context(Backend(version, host=host))

    def client(self, port: int | None = None) -> Client:
        return self._stack.enter_context(Client(port or self.port))

    def status(self, port: int | None = None, **more: Any) -> tuple[int, str]:
        """Asks once, on a new connection: status and version; (0, "") when that fails."""
        with Client(port or self.port) as client:
            try:
                answer = client.get(**more)
            except Broken:
                return 0, ""
            return answer.status, answer.version

    # --- routing ------------------------------------------------------------------------------------------------------

    def web(self, **more: Any) -> Service:
        return a_service(port=self.port, **more)

    def route(self, *routings: Routing) -> None:
        """Routes these and whatever was routed before under other names, and waits until it is in force."""
        self.routings |= {routing.service.service: routing for routing in routings}
        self.router.route(list(self.routings.values()))
        for routing in routings:
            self.applied(routing)

    def applied(self, routing: Routing) -> None:
        wanted = Applied(
            routing.exposure,
            routing.stable.version if routing.stable else "",
            routing.slot.version if routing.slot else "",
            routing.salt,
        )
        name = routing.service.service
        self.until(lambda: self.router.look() is not None and self.router.applied(name) == wanted, f"{name} is {wanted}")

    def expose(self, exposure: int, name: str = "web") -> None:
        """Changes nothing but the weight."""
        now = self.routings[name]
        self.route(Routing(now.service, now.salt, now.stable, now.slot, Exposure(exposure)))

    # --- seeing -------------------------------------------------------------------------------------------------------

    def seen(self) -> RouterReading:
        reading: RouterReading | None = None

        def looks() -> bool:
            nonlocal reading
            reading = self.router.look()
            return reading is not None

        self.until(looks, "Envoy answers")
        assert reading is not None
        return reading

    def reading(self, name: str = "web") -> ServiceReading:
        return self.seen().services[name]

    def tally(self, slot: Slot, version: str, name: str = "web") -> Tally:
        return self.reading(name).tallies.get((slot, version), Tally())

    def candidate(self, version: str = "v2") -> Tally:
        return self.tally(Slot.CANDIDATE, version)

    def stable(self, version: str = "v1") -> Tally:
        return self.tally(Slot.STABLE, version)

    def healthy(self, *places: str) -> None:
        """Waits until Envoy's own checks found every task of these clusters healthy."""

        def all_healthy() -> bool:
            status = self.router._admin.json("/clusters").get("cluster_statuses", [])
            hosts = [host for cluster in status if cluster["name"] in places for host in cluster.get("host_statuses", ())]
            return bool(hosts) and all(
                host["health_status"].get("eds_health_status") == "HEALTHY"
                and not host["health_status"].get("failed_active_health_check")
                for host in hosts
            )

        self.until(all_healthy, f"{places} are healthy")

    def stable_is_healthy(self, name: str) -> bool:
        return "::health_flags::healthy" in "".join(
            line for line in self.router._admin.get("/clusters").splitlines() if line.startswith(f"{name}.stable::")
        )

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {seconds} s: {what}\n{self.process.last_words(20)}")
            time.sleep(0.01)
