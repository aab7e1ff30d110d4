"""An environment whose flags AppConfig deploys, which is ministack, under the real loop in pretended time.

AppConfig goes by its own clock: a tick is a second here, and however long it takes there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.appconfig_place import Place
from tests.support.aws_world import Crash, How
from tests.support.flag_agents import SUBJECT
from tests.support.house import SECOND, World
from tidegate.core.environment import Environment
from tidegate.core.errors import Unreachable
from tidegate.core.flags.document import FlagDocument
from tidegate.core.rollout import Phase, Rollout
from tidegate.drivers.aws.appconfig import AppConfigLever
from tidegate.drivers.aws.call import Answer, Call
from tidegate.drivers.aws.calls import Calls
from tidegate.engine.catalog import Catalog
from tidegate.engine.flag_orders import FlagOrders, Manner
from tidegate.engine.flag_platforms import FlagPlatforms
from tidegate.engine.levers import Levers
from tidegate.engine.loop import Loop
from tidegate.engine.orders import Deployed
from tidegate.engine.releases import Releases
from tidegate.engine.watcher import Watcher

WRITES = ("create_hosted_configuration_version", "create_deployment_strategy", "start_deployment", "stop_deployment")
SLOWLY = {"name": "AppConfig.Linear20PercentEvery6Minutes"}
AT_ONCE = {"all_at_once": True, "bake": "0s"}


class Fuse:
    """Goes wrong at the next of these writes, once it is lit."""

    def __init__(self, real: Any = None) -> None:
        self.real = real or Calls()
        self.how: How | None = None
        self.operation = ""
        self.asked: list[str] = []

    def light(self, operation: str, how: How) -> None:
        self.operation, self.how = operation, how

    def do(self, call: Call) -> Answer:
        self.asked.append(str(call))
        if call.operation != self.operation or self.how is None:
            return self.real.do(call)
        how, self.how = self.how, None
        if how is How.FAILS:
            raise Unreachable(f"{call} was throttled.")
        if how is not How.BEFORE:
            self.real.do(call)
        if how is How.LOST:
            raise Unreachable(f"{call} was not answered.")
        raise Crash


class AppConfigWorld(World):
    def __init__(self, tmp_path: Path, place: Place, real: Any = None) -> None:
        self.place = place
        self.caller = Fuse(real)
        self.deaths = 0
        super().__init__(tmp_path)

    def start_controller(self, store: Any = None) -> None:
        super().start_controller(store)
        catalog = Catalog(self.store)
        self.appconfig = AppConfigLever(lambda _: self.caller, catalog.document, catalog.environment_of, lambda: self.now)
        both = FlagPlatforms(self.flags, self.appconfig, catalog.environment_of)
        levers = Levers(self.lever, both)
        self.watcher = Watcher(lever=levers, gauges=self.gauges, cloud=self.told_by())
        self.loop = Loop(
            store=self.store,
            catalog=catalog,
            levers={"flags": both, "traffic": self.lever},
            watcher=self.watcher,
            hooks=self.hooks,
            unwritten=self.orders._unwritten,
            owner="me",
        )
        self.flag_orders = FlagOrders(
            store=self.store,
            orders=self.orders,
            catalog=catalog,
            watcher=self.watcher,
            clock=lambda: self.now,
            platforms=both,
        )
        self.releases = Releases(
            store=self.store, orders=self.orders, flags=self.flag_orders, salt=lambda: "salt", outsiders=lambda _: 0
        )

    def configure(self, **changes: Any) -> None:
        content = {"application": "shop", "environment": "prod", "compare": "off", "plan": AT_ONCE}
        self.flag_orders.configure(Environment.model_validate(content | {"platform": self.place.platform()} | changes), "ann")

    def release(self, document: FlagDocument, **manner: Any) -> Deployed:
        return self.flag_orders.deploy("shop", "prod", document, Manner("ann", **manner))

    def tick(self) -> None:
        self.now += SECOND
        try:
            self.loop.tick(self.now)
            self.appconfig.turn(SUBJECT)
        except Crash:
            self.deaths += 1
            self.start_controller()

    @property
    def last(self) -> Rollout:
        return self.store.history(SUBJECT, 1)[0].rollout

    def until(self, done: Callable[[], bool], within: float = 60) -> None:
        """AppConfig's time is a real one."""
        deadline = time.monotonic() + within
        while not done():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {within} s: {self.last}\n{self.place.states()}")
            self.tick()
            time.sleep(0.01)

    def ended(self, phase: Phase) -> Rollout:
        """Its lever is free, too."""
        self.until(lambda: self.last.phase is phase and self.last.settled)
        return self.last
