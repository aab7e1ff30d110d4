"""The only file that knows everybody: puts one house together, and runs it as the controller."""

from __future__ import annotations

import secrets
import signal
import socket
import threading
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from tidegate.controller import Beating, Posting
from tidegate.core.errors import TidegateError
from tidegate.doors import Doors
from tidegate.drivers.envoy.router import EnvoyRouter
from tidegate.drivers.hooks import Hooks
from tidegate.drivers.jotter import FileJotter
from tidegate.drivers.notify import CommandNotifier, WebhookNotifier
from tidegate.drivers.process.lock import hold
from tidegate.drivers.process.runtime import ProcessRuntime
from tidegate.drivers.pushed import PushedMetrics
from tidegate.drivers.scrape import ScrapedMetrics
from tidegate.engine.catalog import Catalog
from tidegate.engine.foresight import Foresight
from tidegate.engine.gauges import Gauges
from tidegate.engine.glance import Glance
from tidegate.engine.loop import Loop
from tidegate.engine.orders import Orders
from tidegate.engine.teller import Postman
from tidegate.engine.traffic import TrafficLever
from tidegate.engine.unwritten import Unwritten
from tidegate.engine.watcher import Watcher
from tidegate.settings import Settings
from tidegate.store.store import SqlStore
from tidegate.supervisor import ensure_supervisor, is_going_down


def clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class House:
    """Everything of one controller, put together; nothing of it runs yet."""

    settings: Settings
    store: SqlStore
    runtime: ProcessRuntime
    router: EnvoyRouter
    pushed: PushedMetrics
    scraper: ScrapedMetrics
    gauges: Gauges
    hooks: Hooks
    orders: Orders
    glance: Glance
    foresight: Foresight
    loop: Loop
    postman: Postman
    poked: threading.Event


def build(settings: Settings) -> House:
    """Opens the database and adopts what runs. Raises Refused or Unreachable with the mend."""
    store = SqlStore(settings.database)
    catalog = Catalog(store)
    runtime = ProcessRuntime(settings.home / "tasks")
    router = EnvoyRouter(settings.home / "envoy")
    lever = TrafficLever(runtime, router, catalog.known)
    pushed = PushedMetrics()
    scraper = ScrapedMetrics()
    gauges = Gauges(scraper=scraper, pushed=pushed, tasks=lever.tasks, version=catalog.known, clock=clock)
    watcher = Watcher(lever=lever, gauges=gauges, tick=settings.tick)
    hooks = Hooks()
    unwritten = Unwritten(FileJotter(settings.home / "unwritten"))
    poked = threading.Event()
    orders = Orders(
        store=store,
        lever=lever,
        runtime=runtime,
        router=router,
        watcher=watcher,
        unwritten=unwritten,
        clock=clock,
        salt=lambda: secrets.token_hex(8),
        poke=poked.set,
    )
    # The next controller of this home goes on at once with what this one has claimed, without waiting for its lease.
    owner = f"{socket.gethostname()}:{settings.home}"[-100:]
    return House(
        settings=settings,
        store=store,
        runtime=runtime,
        router=router,
        pushed=pushed,
        scraper=scraper,
        gauges=gauges,
        hooks=hooks,
        orders=orders,
        glance=Glance(store, lever, watcher, unwritten),
        foresight=Foresight(watcher, lever, settings.tick),
        loop=Loop(
            store=store,
            catalog=catalog,
            levers={"traffic": lever},
            watcher=watcher,
            hooks=hooks,
            unwritten=unwritten,
            owner=owner,
        ),
        postman=Postman(store, {"webhook": WebhookNotifier(), "command": CommandNotifier()}),
        poked=poked,
    )


def control(settings: Settings) -> int:
    """Runs the controller of this home until SIGTERM; 0 at once when another one does."""
    lock = hold(settings.home / "controller.lock")
    if lock is None:
        return 0
    with lock:
        try:
            return _Controller(build(settings)).run()
        except TidegateError as error:
            structlog.get_logger().error("controller_cannot_start", problem=error.what, mend=error.mend)
            return 1


class _Controller:
    def __init__(self, house: House) -> None:
        self._house = house
        self._beating = Beating(
            house.loop,
            every=house.settings.tick,
            clock=clock,
            poked=house.poked,
            also=lambda: ensure_supervisor(house.settings.home),
        )
        self._posting = Posting(house.postman, clock)
        self._doors = Doors(house, self._beating, clock)

    def run(self) -> int:
        """Is the loop itself, with everything else beside it. Raises TidegateError when the doors cannot be opened."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._beating.stop())
        besides = {"doors": self._doors.open, "postman": self._posting.run, "gauges": self._house.gauges.run}
        threads = {name: threading.Thread(target=beside, name=name, daemon=True) for name, beside in besides.items()}
        for thread in threads.values():
            thread.start()
        self._beating.run()
        self._posting.stop()
        self._house.gauges.stop()
        threads["doors"].join()
        self._doors.close()
        code = self._end()
        if self._doors.problem is not None:
            raise self._doors.problem
        return code

    def _end(self) -> int:
        """Told to end by `tidegate down`, the tasks end too; told by anybody else, everything goes on without us."""
        if is_going_down(self._house.settings.home):
            # Users are served until the last moment; a drain would only put off the end of those that come meanwhile.
            self._house.runtime.shutdown(drain=False)
        self._house.hooks.close()
        self._house.scraper.close()
        self._house.runtime.close()
        self._house.router.close()
        self._house.store.close()
        return 0
