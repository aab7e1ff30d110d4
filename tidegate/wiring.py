"""The only file that knows everybody: puts one house together, and runs it as the controller.

The loop comes first. What orders, letters and the API need takes as long to import as all the rest, and after a crash rollouts
should not wait for it, least of all one that has to go back: it is imported after the first look, by whoever needs it.
"""

from __future__ import annotations

import gc
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from tidegate.controller import Beating, Poked, Posting
from tidegate.core.access import HERE, Access
from tidegate.core.errors import TidegateError
from tidegate.core.metric_name import Source
from tidegate.drivers.aws.appconfig import AppConfigLever
from tidegate.drivers.aws.call import Caller
from tidegate.drivers.aws.cloudwatch import CloudWatch, missing_boto3
from tidegate.drivers.aws.lever import AwsLever
from tidegate.drivers.aws.pilots import pilots
from tidegate.drivers.envoy.router import EnvoyRouter
from tidegate.drivers.hooks import Hooks
from tidegate.drivers.jotter import FileJotter
from tidegate.drivers.process.lock import hold
from tidegate.drivers.process.runtime import ProcessRuntime
from tidegate.drivers.prometheus import Prometheus
from tidegate.drivers.pushed import PushedMetrics
from tidegate.engine.agents import Agents
from tidegate.engine.catalog import Catalog
from tidegate.engine.cloud import Cloud
from tidegate.engine.clouds import Clouds
from tidegate.engine.counters import Counters
from tidegate.engine.flag_board import FlagBoard
from tidegate.engine.flag_platforms import FlagPlatforms
from tidegate.engine.flags import FlagLever
from tidegate.engine.gauges import Gauges
from tidegate.engine.levers import Levers
from tidegate.engine.loop import Loop
from tidegate.engine.platforms import Platforms
from tidegate.engine.sources import Sources
from tidegate.engine.teller import Postman
from tidegate.engine.traffic import TrafficLever
from tidegate.engine.unwritten import Unwritten
from tidegate.engine.watcher import Watcher
from tidegate.settings import Settings
from tidegate.store.store import SqlStore
from tidegate.supervisor import ensure_supervisor, is_going_down

if TYPE_CHECKING:
    from tidegate.doors import Doors


def clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class House:
    """What the loop needs, put together; nothing of it runs yet."""

    settings: Settings
    store: SqlStore
    runtime: ProcessRuntime
    router: EnvoyRouter
    catalog: Catalog
    levers: Levers
    platforms: Platforms
    aws: AwsLever
    appconfig: AppConfigLever
    flags: FlagPlatforms
    pushed: PushedMetrics
    gauges: Gauges
    cloudwatch: CloudWatch
    sources: Sources
    watcher: Watcher
    hooks: Hooks
    unwritten: Unwritten
    loop: Loop
    poked: Poked


def build(settings: Settings) -> House:
    """Opens the database and adopts what runs. Raises Refused or Unreachable with the mend."""
    store = SqlStore(settings.database)
    catalog = Catalog(store)
    runtime = ProcessRuntime(settings.home / "tasks")
    router = EnvoyRouter(settings.home / "envoy")
    lever = TrafficLever(runtime, router, catalog.known)
    poked = Poked()
    agents = Agents(poked.set)
    own_flags = FlagLever(
        document=catalog.document,
        reserve=store.reserve_serials,
        agents=agents,
        board=FlagBoard(),
        watched=catalog.watched,
        elsewhere=None if store.alone else lambda subject: any(one.rollout.in_flight for one in store.history(subject, 1)),
    )
    callers = _Aws()
    aws = AwsLever(pilots(callers.of, clock, FileJotter(settings.home / "counted")), catalog.known, clock)
    appconfig = AppConfigLever(callers.of, catalog.document, catalog.environment_of, clock)
    flags = FlagPlatforms(own_flags, appconfig, catalog.environment_of)
    platforms = Platforms(lever, aws, catalog.file_of)
    levers = Levers(platforms, flags)
    pushed = PushedMetrics()
    gauges = Gauges(pushed=pushed, tasks=lever.tasks, version=catalog.known, clock=clock)
    cloudwatch = CloudWatch(callers.of, settings.cloudwatch)
    clouds = Clouds(lambda access: Cloud(CloudWatch(lambda: callers.of(access)), clock, aws.dimensions))
    sources = _sources(settings, clouds)
    watcher = Watcher(lever=levers, gauges=gauges, tick=settings.tick, cloud=sources)
    hooks = Hooks()
    unwritten = Unwritten(FileJotter(settings.home / "unwritten"))
    # The next controller of this home goes on at once with what this one has claimed, without waiting for its lease.
    owner = f"{socket.gethostname()}:{settings.home}"[-100:]
    return House(
        settings=settings,
        store=store,
        runtime=runtime,
        router=router,
        catalog=catalog,
        levers=levers,
        platforms=platforms,
        aws=aws,
        appconfig=appconfig,
        flags=flags,
        pushed=pushed,
        gauges=gauges,
        cloudwatch=cloudwatch,
        sources=sources,
        watcher=watcher,
        hooks=hooks,
        unwritten=unwritten,
        loop=Loop(
            store=store,
            catalog=catalog,
            levers={"flags": flags, "traffic": platforms},
            watcher=watcher,
            hooks=hooks,
            unwritten=unwritten,
            owner=owner,
        ),
        poked=poked,
    )


def _sources(settings: Settings, cloudwatch: Clouds) -> Sources:
    prometheus = Prometheus(settings.prometheus, clock, token_file=settings.prometheus_token_file)
    cloud = Cloud(prometheus, clock, of=Source.PROMETHEUS, checker=prometheus)
    counters = Counters(prometheus, clock, prometheus)
    return Sources({Source.CLOUDWATCH: cloudwatch, Source.PROMETHEUS: cloud}, counters)


class _Aws:
    """AWS by region and role. Importing boto3 takes as long as all the rest: only who asks AWS for something waits for it."""

    def __init__(self) -> None:
        self._made: dict[Access, Caller] = {}
        self._lock = threading.Lock()

    def of(self, access: Access = HERE) -> Caller:
        """One for each region; a role has a session of its own for each subject, which is named after it."""
        access = access if access.role else access.account
        with self._lock:
            if access not in self._made:
                try:
                    from tidegate.drivers.aws.calls import Calls  # noqa: PLC0415 - see above
                except ImportError as error:
                    raise missing_boto3(error) from error
                self._made[access] = Calls(access)
            return self._made[access]


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
        self._posting = Posting(clock)
        self._doors: Doors | None = None
        self._problem: Exception | None = None

    def run(self) -> int:
        """Is the loop itself, with everything else beside it. Raises TidegateError when the doors cannot be opened."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._beating.stop())
        pause = self._beating.beat()
        structlog.get_logger().info("first_look")
        gc.freeze()  # what is there now need not be looked through again
        gc.enable()
        besides = {
            "doors": self._open_doors,
            "postman": self._carry_letters,
            "gauges": self._scrape,
            **self._house.sources.runs,
            "aws": self._house.aws.run,
            "appconfig": self._house.appconfig.run,
            "publishing": self._publish,
            "tracing": self._trace,
        }
        threads = [threading.Thread(target=self._or_end, args=(do,), name=name, daemon=True) for name, do in besides.items()]
        for thread in threads:
            thread.start()
        self._beating.run(pause)
        self._posting.stop()
        self._house.gauges.stop()
        self._house.sources.stop()
        self._house.aws.stop()
        self._house.appconfig.stop()
        threads[0].join()
        if self._doors is not None:
            self._doors.close()
        code = self._end()
        if self._problem is not None:
            raise self._problem
        return code

    def _or_end(self, do: Callable[[], None]) -> None:
        """A controller that lacks a part of itself is none."""
        try:
            do()
        except Exception as problem:
            self._problem = problem
            self._beating.stop()

    def _open_doors(self) -> None:
        from tidegate.doors import Doors  # noqa: PLC0415 - see above

        self._doors = Doors(self._house, self._beating, clock)
        self._doors.open()

    def _carry_letters(self) -> None:
        from tidegate.drivers.notifiers import notifiers  # noqa: PLC0415 - see above

        self._posting.run(Postman(self._house.store, notifiers()))

    def _scrape(self) -> None:
        from tidegate.drivers.scrape import ScrapedMetrics  # noqa: PLC0415 - see above

        scraper = ScrapedMetrics()
        self._house.gauges.run(scraper)
        scraper.close()

    def _publish(self) -> None:
        house = self._house
        if house.settings.cloudwatch:
            from tidegate.engine.publishing import Publishing  # noqa: PLC0415 - see above

            levers, publisher = house.levers, house.cloudwatch
            Publishing(store=house.store, watcher=house.watcher, applied=levers.applied, publisher=publisher, clock=clock).run()

    def _trace(self) -> None:
        house = self._house
        if not house.settings.traces:
            return
        from tidegate.engine.tracing import Tracing  # noqa: PLC0415 - see above

        try:
            from tidegate.drivers.otel import OtlpCollector  # noqa: PLC0415 - only who wants traces waits for OpenTelemetry

            collector = OtlpCollector()
        except ImportError as error:
            mend = "Install it: pip install 'tidegate[otel]'."
            structlog.get_logger().error("no_traces", problem=f"{error.name} is not installed.", mend=mend)
        except Exception as error:  # whatever is wrong with the variables is no reason to release nothing
            structlog.get_logger().error("no_traces", problem=str(error), mend="See the OTEL_* variables.")
        else:
            Tracing(house.store, FileJotter(house.settings.home / "traced"), collector).run()

    def _end(self) -> int:
        """Told to end by `tidegate down`, the tasks end too; told by anybody else, everything goes on without us."""
        if is_going_down(self._house.settings.home):
            # Users are served until the last moment; a drain would only put off the end of those that come meanwhile.
            self._house.runtime.shutdown(drain=False)
        self._house.hooks.close()
        self._house.runtime.close()
        self._house.router.close()
        self._house.store.close()
        return 0
