"""The same questions to the memory twin and to a real Envoy."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from tests.drivers.envoy.bench import Bench, a_service, free_port, side
from tests.support.backend import Backend, Fault
from tests.support.client import Client
from tidegate.core.service import Service
from tidegate.drivers.memory_router import MemoryRouter
from tidegate.ports import Router, Routing, Side


class ContractBench:
    """A router, and users who ask through it."""

    router: Router

    def service(self, name: str = "web", **more: object) -> Service:
        raise NotImplementedError

    def side(self, version: str) -> Side:
        raise NotImplementedError

    def settle(self, *routings: Routing) -> None:
        """Waits until these are in force and their tasks are reachable."""
        raise NotImplementedError

    def ask(self, name: str, users: Iterable[str], fails: Collection[str] = ()) -> dict[str, list[str]]:
        """Each user sends one request that is not repeated; who went where, by version."""
        raise NotImplementedError

    def silence(self) -> None:
        """The router does not answer."""
        raise NotImplementedError

    def restart(self) -> None:
        raise NotImplementedError

    def take_port(self, service: Service) -> None:
        """Somebody else listens there."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class MemoryContractBench(ContractBench):
    def __init__(self) -> None:
        self.memory = self.router = MemoryRouter()

    def service(self, name: str = "web", **more: object) -> Service:
        return a_service(name, port=8080, **more)

    def side(self, version: str) -> Side:
        return side(version, 9000)

    def settle(self, *routings: Routing) -> None:
        self.memory.look()

    def ask(self, name: str, users: Iterable[str], fails: Collection[str] = ()) -> dict[str, list[str]]:
        return self.memory.serve(name, users, fails=fails)

    def silence(self) -> None:
        self.memory.answers = False

    def restart(self) -> None:
        self.memory.restart()

    def take_port(self, service: Service) -> None:
        self.memory.taken_ports.add(service.listener.port)

    def close(self) -> None:
        pass


class EnvoyContractBench(ContractBench):
    def __init__(self, tmp_path: Path) -> None:
        self.bench = Bench(tmp_path / "envoy")
        self.bench.start()
        self.router = self.bench.router
        self.backends: dict[str, Backend] = {}

    def service(self, name: str = "web", **more: object) -> Service:
        return a_service(name, port=self.bench.port, **more)

    def side(self, version: str) -> Side:
        if version not in self.backends:
            self.backends[version] = self.bench.backend(version)
        return side(version, self.backends[version].port)

    def settle(self, *routings: Routing) -> None:
        for routing in routings:
            self.bench.applied(routing)
        places = [f"{routing.service.service}.{place}" for routing in routings for place in ("stable", "candidate")]
        self.bench.healthy(*places)

    def ask(self, name: str, users: Iterable[str], fails: Collection[str] = ()) -> dict[str, list[str]]:
        for version, backend in self.backends.items():
            backend.fault = Fault("500") if version in fails else Fault()
        went: dict[str, list[str]] = {}
        with Client(self.bench.port) as client:
            for user in users:
                went.setdefault(client.post(f"/{name}", {"x-user-id": user}).version, []).append(user)
        return went

    def silence(self) -> None:
        self.bench.process.kill()

    def restart(self) -> None:
        self.bench.process.kill()
        self.bench.start()

    def take_port(self, service: Service) -> None:
        self.bench._stack.enter_context(Backend("other", service.listener.port))

    def close(self) -> None:
        self.bench.close()


def another_port(service: Service) -> Service:
    return service.model_copy(update={"listener": service.listener.model_copy(update={"port": free_port()})})
