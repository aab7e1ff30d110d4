"""A whole Tidegate in memory: the real loop, orders and store, over the twins of tasks and router, in pretended time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tidegate.core.environment import Released
from tidegate.core.metric_name import Source
from tidegate.core.plan import Hook
from tidegate.core.rollout import HookSeen, HookState, Rollout
from tidegate.core.service import Service
from tidegate.drivers.jotter import FileJotter
from tidegate.drivers.memory_router import MemoryRouter
from tidegate.drivers.memory_runtime import MemoryRuntime, MemoryWorld
from tidegate.engine.agents import Agents
from tidegate.engine.alarm_book import Scraped
from tidegate.engine.catalog import Catalog
from tidegate.engine.cloud import Cloud
from tidegate.engine.flag_board import FlagBoard
from tidegate.engine.flag_orders import FlagOrders
from tidegate.engine.flags import FlagLever
from tidegate.engine.glance import Glance
from tidegate.engine.levers import Levers
from tidegate.engine.loop import Loop
from tidegate.engine.orders import Orders
from tidegate.engine.releases import Releases
from tidegate.engine.sources import Sources
from tidegate.engine.traffic import TrafficLever
from tidegate.engine.unwritten import Unwritten
from tidegate.engine.watcher import Watcher
from tidegate.ports import Lever, Measurement, Store
from tidegate.store.store import SqlStore

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
USERS = [f"user-{number}" for number in range(200)]


def service_file(**changes: Any) -> Service:
    content: dict[str, Any] = {
        "service": "web",
        "listener": {"port": 8080},
        "tasks": {"command": ["web", "{port}"], "count": 2, "drain": "2s"},
        "plan": {"linear": {"step": "50%", "every": "10s"}, "bake": "10s", "keep_baseline": "30s"},
        "alarms": [
            {"name": "errors", "metric": "error_rate", "above": "1%", "period": "2s", "missing": "not_breaching"},
        ],
        # Most tests are about alarms; what compares says so itself.
        "compare": "off",
    }
    return Service.model_validate(content | changes)


class PretendedHooks:
    """Hooks that end when they are told to."""

    def __init__(self) -> None:
        self.running: dict[tuple[str, int], HookSeen] = {}
        self.forgotten: list[str] = []

    def run(self, rollout: str, step: int, hook: Hook, facts: object) -> None:
        self.running.setdefault((rollout, step), HookSeen(HookState.RUNNING))

    def seen(self, rollout: str, step: int) -> HookSeen | None:
        return self.running.get((rollout, step))

    def forget(self, rollout: str) -> None:
        self.forgotten.append(rollout)


class PretendedGauges:
    """No metrics but the router's."""

    def __init__(self) -> None:
        self.names: dict[Source, frozenset[str]] = {}

    def look(self, files: Sequence[Released], now: datetime) -> None:
        pass

    def scraped(self, service: str) -> Scraped | None:
        return None

    def pushed(self, service: str) -> Sequence[Measurement]:
        return ()

    def known(self, service: str, source: Source) -> frozenset[str] | None:
        return self.names.get(source)


class World:
    """What outlives a controller (tasks, router, database, time), and the controller of today."""

    def __init__(self, tmp_path: Path) -> None:
        self.url = f"sqlite:///{tmp_path / 'tidegate.db'}"
        self.jots = tmp_path / "unwritten"
        self.now = BEGIN
        self.tasks = MemoryWorld()
        self.router = MemoryRouter()
        self.gauges = PretendedGauges()
        self.cloud: Cloud | None = None
        self.sources: Sources | None = None
        self.start_controller()

    def start_controller(self, store: Store | None = None) -> None:
        """The next controller: it knows only what was written down, and what runs."""
        self.store = store or SqlStore(self.url)
        catalog = Catalog(self.store)
        self.runtime = MemoryRuntime(self.tasks)
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
        self.watcher = Watcher(lever=both, gauges=self.gauges, cloud=self.told_by())
        self.hooks = PretendedHooks()
        levers: dict[str, Lever] = {"flags": self.flags, "traffic": self.lever}
        unwritten = Unwritten(FileJotter(self.jots))
        self.loop = Loop(
            store=self.store,
            catalog=catalog,
            levers=levers,
            watcher=self.watcher,
            hooks=self.hooks,
            unwritten=unwritten,
            owner="me",
        )
        self.orders = Orders(
            store=self.store,
            lever=self.lever,
            runtime=self.runtime,
            router=self.router,
            watcher=self.watcher,
            unwritten=unwritten,
            clock=lambda: self.now,
            # The same again for one whose start could not be written.
            salt=lambda: f"salt-{len(self.store.history(limit=10_000)) + 1}",
            poke=lambda: None,
        )
        self.flag_orders = FlagOrders(
            store=self.store, orders=self.orders, catalog=catalog, watcher=self.watcher, clock=lambda: self.now
        )
        self.releases = Releases(
            store=self.store,
            orders=self.orders,
            flags=self.flag_orders,
            salt=lambda: f"salt-{len(self.store.history(limit=10_000)) + 1}",
            outsiders=lambda _: 0,
        )
        self.glance = Glance(self.store, both, self.watcher, unwritten)

    def told_by(self) -> Sources:
        return self.sources or Sources({Source.CLOUDWATCH: self.cloud} if self.cloud else {})

    # --- time and traffic ---------------------------------------------------------------------------------------------

    def tick(self) -> None:
        self.now += SECOND
        self.loop.tick(self.now)

    def run(self, seconds: int, *, fails: Sequence[str] = (), hangs: Sequence[str] = (), users: Sequence[str] = USERS) -> None:
        """So many seconds, each user asking once in each."""
        for _ in range(seconds):
            if self.lever.reading is not None and "web" in self.lever.reading.services:
                self.router.serve("web", users, fails=fails, hangs=hangs)
            self.tick()

    def run_until(self, phase: str, *, within: int = 300, fails: Sequence[str] = (), hangs: Sequence[str] = ()) -> Rollout:
        for _ in range(within):
            if self.rollout().phase == phase:
                return self.rollout()
            self.run(1, fails=fails, hangs=hangs)
        raise AssertionError(f"{self.rollout().phase} and not {phase} after {within} s: {self.rollout().decision}")

    # --- looking ------------------------------------------------------------------------------------------------------

    def rollout(self) -> Rollout:
        return self.store.history("web", 1)[0].rollout

    def deploy(self, version: str, **changes: Any) -> Rollout:
        """Starts to release this version."""
        file = service_file(**changes)
        deployed = self.orders.deploy(file, version, "ann")
        assert deployed.rollout is not None
        return deployed.rollout

    def serving(self, version: str = "v1", **changes: Any) -> None:
        """A first version serves."""
        self.deploy(version, **changes)
        self.run_until("completed")
        self.run(5)
