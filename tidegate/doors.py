"""The controller's doors: the API, opened beside the loop after its first look."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from tidegate.api.app import create_app
from tidegate.api.needs import ApiServices, FlagServices, Health
from tidegate.api.serve import Serving, serve
from tidegate.controller import Beating
from tidegate.drivers.notifiers import notifiers
from tidegate.drivers.process import logs
from tidegate.drivers.process.identity import send
from tidegate.engine.exposing import Exposing
from tidegate.engine.flag_glance import FlagGlance
from tidegate.engine.flag_orders import FlagOrders
from tidegate.engine.foresight import Foresight
from tidegate.engine.glance import Glance
from tidegate.engine.notices import Notices
from tidegate.engine.orders import Orders
from tidegate.engine.platforms import Routing, Starting
from tidegate.engine.releases import Releases
from tidegate.settings import Settings
from tidegate.supervisor import supervisor

if TYPE_CHECKING:
    from tidegate.wiring import House


class Doors:
    """Opened in a thread of their own."""

    def __init__(self, house: House, beating: Beating, clock: Callable[[], datetime]) -> None:
        self._house = house
        self._beating = beating
        self._clock = clock
        self._started = clock()
        self._serving: Serving | None = None

    def open(self) -> None:
        """Raises TidegateError when they cannot be opened."""
        settings = self._house.settings
        self._serving = serve(create_app(self._services()), settings)
        structlog.get_logger().info("controller_up", home=str(settings.home), port=self._serving.port)

    def close(self) -> None:
        if self._serving is not None:
            self._serving.stop()

    def _services(self) -> ApiServices:
        house, tasks = self._house, self._house.settings.home / "tasks"

        def read(service: str, version: str | None, task: str | None, lines: int) -> Sequence[logs.Line]:
            return logs.read_logs(tasks, service, version, task, lines)

        def follow(service: str, version: str | None, task: str | None, lines: int) -> Iterator[logs.Line | None]:
            return logs.follow(tasks, service, version, task, lines=lines)

        def push(name: str, value: float, labels: Mapping[str, str], service: str, version: str, at: datetime) -> None:  # noqa: PLR0917 - as the API calls it
            house.pushed.push(name, value, labels, at=at, service=service, version=version)

        orders, glance = self._orders(), Glance(house.store, house.levers, house.watcher, house.unwritten)
        flags = self._flags(orders, glance)
        return ApiServices(
            orders=orders,
            releases=self._releases(orders, flags),
            glance=glance,
            flags=flags,
            foresight=Foresight(house.watcher, house.levers, house.settings.tick),
            exposing=Exposing(house.store, house.watcher, house.levers, flags.agents),
            notices=Notices(house.store, notifiers()),
            home=house.settings.home,
            token=_token(house.settings),
            clock=self._clock,
            read_logs=read,
            follow_logs=follow,
            push=push,
            health=self._health,
            shutdown=self._shut_down,
        )

    def _orders(self) -> Orders:
        house = self._house
        return Orders(
            store=house.store,
            lever=house.levers,
            runtime=Starting(house.runtime, house.platforms, house.catalog.file_of),
            router=Routing(house.router),
            watcher=house.watcher,
            unwritten=house.unwritten,
            clock=self._clock,
            salt=_salt,
            poke=house.poked.set,
        )

    def _releases(self, orders: Orders, flags: FlagServices) -> Releases:
        def outsiders(subject: str) -> int:
            return flags.agents.sessions.of(subject).count

        return Releases(store=self._house.store, orders=orders, flags=flags.orders, salt=_salt, outsiders=outsiders)

    def _flags(self, orders: Orders, glance: Glance) -> FlagServices:
        house, lever = self._house, self._house.levers.flags
        return FlagServices(
            orders=FlagOrders(
                store=house.store,
                orders=orders,
                catalog=house.catalog,
                watcher=house.watcher,
                clock=self._clock,
                platforms=house.flags,
            ),
            glance=FlagGlance(house.store, glance, house.watcher, lever.agents, house.catalog),
            agents=lever.agents,
            board=lever.board,
        )

    def _shut_down(self, actor: str) -> None:
        structlog.get_logger().info("shutdown", by=actor)
        running = supervisor(self._house.settings.home)
        if running is not None:
            send(running, signal.SIGTERM)

    def _health(self) -> Health:
        pulse = self._beating.pulse
        return Health(self._started, pulse.ticked, [pulse.problem] if pulse.problem else [])


def _salt() -> str:
    return secrets.token_hex(8)


def _token(settings: Settings) -> str:
    """The token for changes over TCP: made once, readable by the owner only."""
    path = settings.token_file
    if not path.exists():
        aside = path.with_suffix(".new")
        aside.touch(mode=0o600)
        aside.write_text(secrets.token_urlsafe(32) + "\n")
        aside.replace(path)
    return path.read_text().strip()
