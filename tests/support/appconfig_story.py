"""A good change of flags and a bad one that AppConfig deploys, and an agent that reads them, told while something goes wrong:
the end has to be the same.

A person gives an order again that was refused. Nothing is made twice: three documents, two strategies, three deployments.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import boto3

from tests.support.appconfig_place import Place
from tests.support.appconfig_world import AppConfigWorld
from tests.support.fault_proxy import Fault, FaultProxy
from tidegate.core.errors import Unreachable
from tidegate.core.flags.codec import encode
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.plan import PlanFile
from tidegate.core.rollout import Phase
from tidegate.drivers.aws.appconfig_data import AppConfigData
from tidegate.drivers.aws.call import Manner
from tidegate.drivers.aws.calls import Calls
from tidegate.drivers.aws.cloudwatch import CloudWatch
from tidegate.engine.cloud import Cloud

OFF, ON, BAD = (
    read_flags({"application": "shop", "flags": {"checkout": state, **more}})
    for state, more in (("off", {}), ("on", {}), ("off", {"dark": "on"}))
)
STAGES = ("order", "under way", "bad order", "back")
ORDERS = 30
"""So often a person tries."""
PAUSE = 0.03
"""Seconds of ours between two of the story's."""
_NUMBERS = count(1)


class GuardedWorld(AppConfigWorld):
    """With an alarm of our own, which AppConfig does not monitor, and an agent that reads what AppConfig deploys."""

    def __init__(self, tmp_path: Path, place: Place, real: Any = None) -> None:
        self.agent: AppConfigData | None = None
        self.read = b""
        super().__init__(tmp_path, place, real)

    def start_controller(self, store: Any = None) -> None:
        self.cloud = Cloud(CloudWatch(lambda: self.caller), lambda: self.now)
        super().start_controller(store)

    def tick(self) -> None:
        super().tick()
        if not self.now.second % 5:
            assert self.cloud is not None
            self.cloud.ask()
            with suppress(Unreachable):
                self.read = (self.agent.fetch().content if self.agent is not None else b"") or self.read
        time.sleep(PAUSE)


class Story:
    """One of them, with what it needs of AWS made before."""

    def __init__(self, home: Path, place: Place, proxy: FaultProxy, calls: Calls) -> None:
        """`calls` go through the proxy; what the story looks at itself goes past it."""
        home.mkdir()
        self.place, self.proxy, self.calls = place, proxy, calls
        self.world = GuardedWorld(home, place, calls)
        self.direct = boto3.client("appconfig"), boto3.client("cloudwatch")
        number = next(_NUMBERS)
        self.steps = f"{50 + number / 100:g}%", f"{10 + number / 100:g}%"
        """Of a size that nobody else's strategies have: they are of the whole account."""

    def tell(self, faults: dict[str, Fault]) -> dict[str, Counter[str]]:
        """How often each operation was asked for in each stage. `faults` go wrong from the beginning of their stage on."""
        told: dict[str, Counter[str]] = {}
        world = self.world
        alarm = {"name": "ours", "cloudwatch": self._alarm("OK"), "missing": "not_breaching"}
        world.configure(alarms=[alarm])
        world.release(OFF)
        world.ended(Phase.COMPLETED)
        world.agent = AppConfigData(f"{self.place.name}/prod/flags", self.calls)
        struck = 0
        for stage, go in zip(STAGES, self._stages(world), strict=True):
            fault = faults.get(stage)
            self.proxy.arm(fault)
            go()
            told[stage] = Counter(self.proxy.asked)
            struck += self.proxy.struck
        self.proxy.arm(None)
        for _ in range(5):
            world.tick()
        assert bool(struck) is bool(faults), (struck, faults, told)
        self._look(world, faults)
        return told

    def _stages(self, world: AppConfigWorld) -> Iterator[Callable[[], object]]:
        quick = PlanFile.model_validate({"linear": {"step": self.steps[0], "every": "2m"}, "bake": "0s"})
        slow = PlanFile.model_validate({"linear": {"step": self.steps[1], "every": "100m"}, "bake": "0s"})
        yield lambda: self._order(world, ON, quick)
        yield lambda: world.ended(Phase.COMPLETED)
        yield lambda: self._order(world, BAD, slow)
        yield lambda: self._goes_back(world)

    @staticmethod
    def _order(world: AppConfigWorld, document: FlagDocument, plan: PlanFile) -> None:
        """Until it is under way."""
        before = len(world.store.history())
        for _ in range(ORDERS):
            with suppress(Unreachable):
                world.release(document, plan=plan)
                break
        assert len(world.store.history()) == before + 1
        world.until(lambda: world.last.phase is not Phase.PREPARING)

    def _goes_back(self, world: AppConfigWorld) -> None:
        self._alarm("ALARM")
        world.ended(Phase.ROLLED_BACK)
        assert "ours" in world.last.reason, world.last.reason

    def _alarm(self, state: str) -> str:
        name, cloudwatch = f"{self.place.name}-ours", self.direct[1]
        if state == "OK":
            cloudwatch.put_metric_alarm(
                AlarmName=name,
                Namespace="Shop",
                MetricName="Slow",
                Statistic="Sum",
                Period=60,
                EvaluationPeriods=1,
                Threshold=5,
                ComparisonOperator="GreaterThanThreshold",
                TreatMissingData="notBreaching",
            )
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="the test says so")
        return name

    def _look(self, world: GuardedWorld, what: object) -> None:
        """At the end, past the proxy."""
        appconfig = self.direct[0]
        of = {"ApplicationId": self.place.application}
        deployments = appconfig.list_deployments(**of, EnvironmentId=self.place.environment)["Items"]
        states = [one["State"] for one in sorted(deployments, key=lambda one: one["DeploymentNumber"])]
        assert states == ["COMPLETE", "COMPLETE", "ROLLED_BACK"], what
        hosted = appconfig.list_hosted_configuration_versions(**of, ConfigurationProfileId=self.place.profile)["Items"]
        assert len(hosted) == 3, what
        pages = appconfig.get_paginator("list_deployment_strategies").paginate()
        mine = [one for page in pages for one in page["Items"] if f"{one['GrowthFactor']:g}%" in self.steps]
        assert sorted(f"{one['GrowthFactor']:g}%" for one in mine) == sorted(self.steps), what
        for one in mine:
            appconfig.delete_deployment_strategy(DeploymentStrategyId=one["Id"])
        phases = [one.rollout.phase for one in world.store.history()]
        assert phases == [Phase.ROLLED_BACK, Phase.COMPLETED, Phase.COMPLETED], what
        document = world.flag_orders.document("shop", int(world.store.history()[1].rollout.candidate))
        assert world.read == encode(document).encode(), what
        appconfig.delete_application(**of)  # ministack lists fifty and no more, as of strategies


def clients() -> Calls:
    """All made: the endpoints are those that the environment names now."""
    calls = Calls()
    for service, manners in (("appconfig", Manner), ("appconfigdata", Manner), ("cloudwatch", (Manner.USUAL,))):
        for manner in manners:
            calls._client(service, manner)
    return calls
