"""A Tidegate behind its API: real orders, loop, glance and store; tasks, router, figures and time are pretended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from tidegate.api.app import ApiServices, Health, create_app
from tidegate.api.needs import FlagServices
from tidegate.api.serve import Serving, serve
from tidegate.core.environment import Released
from tidegate.core.errors import Refused
from tidegate.core.exposure import NONE, Exposure
from tidegate.core.harm import Harm
from tidegate.core.history import History
from tidegate.core.rollout import HookSeen, Phase, Rollout
from tidegate.core.service import Service
from tidegate.core.setting import Applied
from tidegate.core.verdict import GOOD, GuardSeen, Verdict, combine
from tidegate.drivers.jotter import FileJotter
from tidegate.drivers.memory_router import MemoryRouter
from tidegate.drivers.memory_runtime import MemoryRuntime
from tidegate.drivers.notifiers import notifiers
from tidegate.engine.agents import Agents
from tidegate.engine.catalog import Catalog
from tidegate.engine.course import Course
from tidegate.engine.exposing import Exposing
from tidegate.engine.flag_board import FlagBoard
from tidegate.engine.flag_glance import FlagGlance
from tidegate.engine.flag_orders import FlagOrders
from tidegate.engine.flags import FlagLever
from tidegate.engine.foresight import Foresight
from tidegate.engine.glance import Glance
from tidegate.engine.levers import Levers
from tidegate.engine.loop import Loop
from tidegate.engine.notices import Notices
from tidegate.engine.orders import Orders
from tidegate.engine.releases import Releases
from tidegate.engine.traffic import TrafficLever
from tidegate.engine.unwritten import Unwritten
from tidegate.engine.view import ComparisonView, Figures
from tidegate.engine.watcher import Watcher
from tidegate.ports import Held, Record
from tidegate.settings import Settings
from tidegate.store.store import SqlStore

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
TOKEN = "secret-of-this-test"

WEB = """\
service: web
listener: {port: 8080}
tasks:
  command: [python, -m, shop, --port, "{port}"]
  count: 2
plan: {linear: {step: 25%, every: 1m}, bake: 2m}
alarms:
  - {name: errors, metric: error_rate, above: 1%, period: 10s, datapoints: 2 of 3, missing: not_breaching}
  - {name: slow, metric: p99, above: 800ms, period: 10s, datapoints: 3 of 3}
"""


@dataclass(frozen=True, slots=True)
class Line:
    task: str
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Stands for engine.watcher.Look."""

    gate: Verdict
    guards: tuple[GuardSeen, ...]
    figures: dict[str, Figures]
    served: float | None
    allowed: Exposure = NONE
    not_worse: bool = False
    comparison: ComparisonView | None = None

    @property
    def verdict(self) -> Verdict:
        return combine(self.gate, self.guards)


class SettableWatcher(Watcher):
    """Sees what the test tells it to see."""

    def __init__(self) -> None:
        self.gate: Verdict = GOOD
        self.guards: tuple[GuardSeen, ...] = ()
        self.sides = {"baseline": Figures(), "candidate": Figures()}
        self.served: float | None = None
        self.account: Harm = Harm()
        self.alarming: tuple[GuardSeen, ...] = ()
        self.refusals: list[Refused] = []
        self.day: History = History.blank()
        self.comparison: ComparisonView | None = None
        self.drawn = Course()

    def look(self, *_: Any, **__: Any) -> None:
        pass

    @property
    def remembers(self) -> bool:
        return True

    def memories(self, now: datetime) -> dict[str, str]:
        return {}

    def of(self, *_: Any, **__: Any) -> Any:
        return Shown(self.gate, self.guards, self.sides, self.served, comparison=self.comparison)

    def seen(self, rollout: str) -> Any:
        return self.of()

    def harm(self, held: Held, after: Rollout, applied: Applied, now: datetime) -> Harm:
        return self.account

    def saved(self, *_: Any) -> str | None:
        return None

    def course(self, held: Held) -> Course:
        return self.drawn

    def alarms(self, record: Record) -> tuple[GuardSeen, ...]:
        return self.alarming

    def figures(self, service: str) -> Figures:
        return self.sides["baseline"]

    def history(self, service: str) -> History:
        return self.day

    def unknown_alarms(self, file: Released) -> Sequence[Refused]:
        return ()

    def unknown_metrics(self, file: Released) -> Sequence[Refused]:
        return self.refusals

    def firing(self, file: Released, record: Record) -> Sequence[GuardSeen]:
        return [guard for guard in self.alarming if guard.state == "firing"]


class NoHooks:
    def run(self, *_: Any) -> None:
        pass

    def seen(self, rollout: str, step: int) -> HookSeen | None:
        return None

    def forget(self, rollout: str) -> None:
        pass


@dataclass
class House:
    home: Path
    store: SqlStore
    now: datetime = BEGIN
    runtime: MemoryRuntime = field(default_factory=MemoryRuntime)
    router: MemoryRouter = field(default_factory=MemoryRouter)
    watcher: SettableWatcher = field(default_factory=SettableWatcher)
    pushed: list[tuple[Any, ...]] = field(default_factory=list)
    said: list[Line] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    ended_by: list[str] = field(default_factory=list)
    ticked: datetime | None = BEGIN

    def __post_init__(self) -> None:
        catalog = Catalog(self.store)
        self.lever = TrafficLever(self.runtime, self.router, catalog.known)
        self.agents, self.board = Agents(), FlagBoard()
        self.flags = FlagLever(
            document=catalog.document,
            reserve=self.store.reserve_serials,
            agents=self.agents,
            board=self.board,
            watched=catalog.watched,
        )
        both = Levers(self.lever, self.flags)
        unwritten = Unwritten(FileJotter(self.home / "unwritten"))
        self.loop = Loop(
            store=self.store,
            catalog=catalog,
            levers={"flags": self.flags, "traffic": self.lever},
            watcher=self.watcher,
            hooks=NoHooks(),
            unwritten=unwritten,
            owner="test",
        )
        salts = count()
        self.orders = Orders(
            store=self.store,
            lever=self.lever,
            runtime=self.runtime,
            router=self.router,
            watcher=self.watcher,
            unwritten=unwritten,
            clock=lambda: self.now,
            salt=lambda: f"salt-{next(salts)}",
            poke=lambda: None,
        )
        self.flag_orders = FlagOrders(
            store=self.store, orders=self.orders, catalog=catalog, watcher=self.watcher, clock=lambda: self.now
        )
        self.releases = Releases(
            store=self.store,
            orders=self.orders,
            flags=self.flag_orders,
            salt=lambda: f"salt-{next(salts)}",
            outsiders=lambda subject: self.agents.sessions.of(subject).count,
        )
        self.glance = Glance(self.store, both, self.watcher, unwritten)
        flag_glance = FlagGlance(self.store, self.glance, self.watcher, self.agents, catalog)
        self.flag_services = FlagServices(self.flag_orders, flag_glance, self.agents, self.board)
        self.foresight = Foresight(self.watcher, self.lever, timedelta(seconds=1))
        self.exposing = Exposing(self.store, self.watcher, both, self.agents)

    @property
    def services(self) -> ApiServices:
        return ApiServices(
            orders=self.orders,
            releases=self.releases,
            glance=self.glance,
            flags=self.flag_services,
            foresight=self.foresight,
            exposing=self.exposing,
            notices=Notices(self.store, notifiers()),
            home=self.home,
            token=TOKEN,
            clock=lambda: self.now,
            read_logs=self._read_logs,
            follow_logs=self._follow_logs,
            push=self._push,
            health=lambda: Health(BEGIN, self.ticked, tuple(self.problems)),
            shutdown=self.ended_by.append,
        )

    def _read_logs(self, service: str, version: str | None, task: str | None, lines: int) -> list[Line]:
        found = [line for line in self.said if task in (None, line.task)]
        found = [line for line in found if line.task.startswith(f"{service}-{version or ''}")]
        return found[-lines:] if lines else []

    def _follow_logs(self, service: str, version: str | None, task: str | None, lines: int) -> Iterator[Line | None]:
        told = len(self.said)
        yield from self._read_logs(service, version, task, lines)
        while True:
            new, told = self.said[told:], len(self.said)
            yield from new
            threading.Event().wait(0.02)
            yield None

    def _push(self, name: str, value: float, **rest: Any) -> None:
        self.pushed.append((name, value, rest))

    # --- for the one who tests ----------------------------------------------------------------------------------------

    def tick(self, times: int = 1, every: timedelta = timedelta(seconds=1)) -> House:
        for _ in range(times):
            self.now += every
            self.loop.tick(self.now)
            self.ticked = self.now
        return self

    def until(self, done: Callable[[], bool], most: int = 5000) -> House:
        for _ in range(most):
            if done():
                return self
            self.tick()
        raise AssertionError(f"not within {most} ticks")

    def rollout(self, service: str = "web") -> Rollout:
        return self.store.history(service, 1)[0].rollout

    def run(self, version: str, service: str = "web", text: str = WEB) -> House:
        """Deploys this version and waits until it serves everybody."""
        self.deploy(version, text)
        return self.until(lambda: self.rollout(service).phase is Phase.COMPLETED and self.rollout(service).settled)

    def deploy(self, version: str, text: str = WEB) -> Rollout | None:
        return self.orders.deploy(service_file(text), version, "ann").rollout

    def begun(self, version: str = "v2") -> House:
        """v1 serves, and this version has reached its first step."""
        return self.run("v1").begun_again(version)

    def begun_again(self, version: str) -> House:
        self.deploy(version)
        return self.until(lambda: self.rollout().phase is Phase.WATCHING)

    def serve(self, port: int = 0) -> Serving:
        return serve(create_app(self.services), self.settings(port))

    def settings(self, port: int = 0) -> Settings:
        return Settings(home=self.home, database="", port=port)


def service_file(text: str = WEB) -> Service:
    from tidegate.core.document import read
    from tidegate.core.text import read_yaml

    return read(Service, read_yaml(text, "web.yaml"), "web.yaml")


def build_house(home: Path) -> House:
    return House(home, SqlStore(f"sqlite:///{home / 'tidegate.db'}"))
