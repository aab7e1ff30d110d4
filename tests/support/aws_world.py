"""A service on an ECS that is ministack and behind an ALB that is moto, under the real loop in pretended time.

The two know nothing of each other: `schedule` stands in for ECS registering its tasks in the target groups. Nobody carries
users here.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import boto3

from tests.support.house import SECOND, World
from tidegate.core.errors import TidegateError, Unreachable
from tidegate.core.service import Service
from tidegate.drivers.aws.call import Answer, Call, Caller
from tidegate.drivers.aws.calls import Calls
from tidegate.drivers.aws.lever import AwsLever
from tidegate.drivers.aws.pilots import pilots
from tidegate.drivers.jotter import FileJotter
from tidegate.engine.catalog import Catalog
from tidegate.engine.levers import Levers
from tidegate.engine.loop import Loop
from tidegate.engine.orders import Orders
from tidegate.engine.platforms import Platforms, Routing, Starting
from tidegate.engine.watcher import Watcher


class Crash(BaseException):
    """The controller is killed here."""


class How(StrEnum):
    BEFORE = "before"  # killed before AWS got it
    AFTER = "after"  # killed when AWS had done it
    FAILS = "fails"  # throttled: AWS did nothing and says so
    LOST = "lost"  # AWS did it, and the answer was lost


WRITES = (
    "register_task_definition",
    "update_service",
    "add_tags",
    "modify_rule",
    "create_deployment_config",
    "create_deployment",
    "stop_deployment",
    "continue_deployment",
)


class Fused:
    """A caller that goes wrong at one of its writes: the `at`-th of all, or of those of one operation."""

    def __init__(self, real: Caller | None = None, at: int = 0, how: How = How.BEFORE, operation: str = "") -> None:
        self.real, self.at, self.how, self.operation = real, at, how, operation
        self.count = 0
        self.burnt = ""
        self.log: list[Call] = []

    def do(self, call: Call) -> Answer:
        assert self.real is not None
        self.log.append(call)
        if call.operation not in WRITES or self.operation not in ("", call.operation):
            return self.real.do(call)
        self.count += 1
        if self.count != self.at:
            return self.real.do(call)
        self.burnt = str(call)
        if self.how is How.FAILS:
            raise Unreachable(f"{call} was throttled.")
        if self.how is not How.BEFORE:
            self.real.do(call)
        if self.how is How.LOST:
            raise Unreachable(f"{call} was not answered.")
        raise Crash


@dataclass(frozen=True)
class Place:
    """What a team has made before it comes to Tidegate."""

    cluster: str
    services: tuple[str, str]
    groups: tuple[str, str]
    rule: str
    family: str


PRIORITIES = itertools.count(1)
_NETWORK: dict[str, tuple[str, str]] = {}  # by endpoint: one VPC and listener for all


def make_place(endpoint: str, template: str = "shop/web:none", host: bool = False, breaker: bool | None = None) -> Place:
    """`template`: the image of the task definition that versions begin from. `host`: tasks use the network of the host.
    `breaker`: ECS's circuit breaker is on, and rolls back or not."""
    name = f"t{uuid.uuid4().hex[:10]}"
    ecs, elb = boto3.client("ecs"), boto3.client("elbv2")
    vpc, listener = _network(endpoint)
    groups = tuple(
        elb.create_target_group(Name=f"{name}-{side}", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")["TargetGroups"][0][
            "TargetGroupArn"
        ]
        for side in ("blue", "green")
    )
    forward = {"TargetGroups": [{"TargetGroupArn": group, "Weight": 1 - place} for place, group in enumerate(groups)]}
    rule = elb.create_rule(
        ListenerArn=listener,
        Priority=next(PRIORITIES),
        Conditions=[{"Field": "host-header", "Values": [f"{name}.example.org"]}],
        Actions=[{"Type": "forward", "ForwardConfig": forward}],
    )["Rules"][0]["RuleArn"]
    ecs.create_cluster(clusterName=name)
    container: dict[str, Any] = {"name": "web", "image": template, "memory": 64, "essential": True}
    if not host:
        container["portMappings"] = [{"containerPort": 80}]
    network = {"networkMode": "host"} if host else {}
    ecs.register_task_definition(family=name, containerDefinitions=[container], **network)
    services = (f"{name}-blue", f"{name}-green")
    made = {} if breaker is None else {"deploymentCircuitBreaker": {"enable": True, "rollback": breaker}}
    for service in services:
        ecs.create_service(
            cluster=name, serviceName=service, taskDefinition=f"{name}:1", desiredCount=0, deploymentConfiguration=made
        )
    return Place(name, services, (groups[0], groups[1]), rule, name)


def _network(endpoint: str) -> tuple[str, str]:
    if endpoint not in _NETWORK:
        ec2, elb = boto3.client("ec2", endpoint_url=endpoint), boto3.client("elbv2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        zones = [("a", "10.0.1.0/24"), ("b", "10.0.2.0/24")]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"]
            for zone, block in zones
        ]
        name = f"lb-{uuid.uuid4().hex[:8]}"
        balancer = elb.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
        nowhere = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
        listener = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=nowhere)
        _NETWORK[endpoint] = vpc, listener["Listeners"][0]["ListenerArn"]
    return _NETWORK[endpoint]


class AwsWorld(World):
    counts: Any = "off"
    """Who counts its requests."""
    looks_every = 4
    """Seconds between two looks of the pilot while nothing moves."""

    def __init__(self, tmp_path: Path, place: Place, fuse: Callable[[Caller], Fused] = Fused) -> None:
        self.place = place
        self.ecs, self.elb = boto3.client("ecs"), boto3.client("elbv2")
        self.caller = fuse(Calls())
        self.deaths = 0
        self._moving, self._told = False, None
        self.broken: list[str] = []
        self.written: list[str] = []
        super().__init__(tmp_path)

    def start_controller(self, store: Any = None) -> None:
        super().start_controller(store)
        catalog = Catalog(self.store)
        jotter = FileJotter(self.jots.parent / "counted")
        made = pilots(lambda _: self.caller, lambda: self.now, jotter)
        self.alb = AwsLever(made, catalog.known, lambda: self.now)
        self.platforms = Platforms(self.lever, self.alb, catalog.file_of)
        both = Levers(self.platforms, self.flags)
        self.watcher = Watcher(lever=both, gauges=self.gauges, cloud=self.told_by())
        self.loop = Loop(
            store=self.store,
            catalog=catalog,
            levers={"flags": self.flags, "traffic": self.platforms},
            watcher=self.watcher,
            hooks=self.hooks,
            unwritten=self.orders._unwritten,
            owner="me",
        )
        self.orders = Orders(
            store=self.store,
            lever=both,
            runtime=Starting(self.runtime, self.platforms, catalog.file_of),
            router=Routing(self.router),
            watcher=self.watcher,
            unwritten=self.orders._unwritten,
            clock=lambda: self.now,
            salt=lambda: f"salt-{len(self.store.history(limit=10_000)) + 1}",
            poke=lambda: None,
        )

    def file(self, image: str = "shop/web:1", **changes: Any) -> Service:
        place = self.place
        ecs = {
            "cluster": place.cluster,
            "services": place.services,
            "target_groups": place.groups,
            "listener_rule": place.rule,
            "sticky": "1s",
            "counts": self.counts,
        }
        content: dict[str, Any] = {
            "service": "web",
            "platform": {"ecs": ecs},
            "tasks": {"ecs": {"task_definition": f"{place.family}:1", "images": {"web": image}}, "count": 2},
            "plan": {"linear": {"step": "50%", "every": "2s"}, "bake": "2s", "keep_baseline": "3s"},
            "compare": "off",
        }
        return Service.model_validate(content | changes)

    # --- time ---------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """A second: ECS does its work, the loop decides, the pilot flies."""
        self.now += SECOND
        try:
            self.loop.tick(self.now)
            order = self._order()
            if self._moving or order != self._told or not self.now.second % self.looks_every:
                self._told, self._moving = order, True
                self._moving = self.alb.turn("web")
            self.alb.count("web")
        except Crash:
            self.deaths += 1
            self.start_controller()
        except TidegateError:
            pass
        if any(call.operation in WRITES for call in self.caller.log):
            self.written += [call.operation for call in self.caller.log if call.operation in WRITES]
            self.caller.log.clear()
            self.schedule()
            self.check_served()

    def _order(self) -> object:
        pilot = self.alb._pilots.get("web")
        return pilot.order.wanted if pilot is not None and pilot.order is not None else None

    def seconds_until(self, done: Callable[[], bool], within: int = 120) -> None:
        for _ in range(within):
            if done():
                return
            self.tick()
        raise AssertionError(f"not within {within} s: {self.rollout()}, {self.alb._looks.get('web')}")

    def release(self, version: str, **changes: Any) -> None:
        self.orders.deploy(self.file(f"shop/web:{version}", **changes), version, "ann")

    def tidy(self) -> None:
        self.seconds_until(lambda: all(held.rollout.tidied for held in self.store.history("web")))

    def schedule(self) -> None:
        """In the place of ECS: its running tasks are the targets of their group."""
        services = self.ecs.describe_services(cluster=self.place.cluster, services=list(self.place.services))["services"]
        for service in services:
            side = self.place.services.index(service["serviceName"])
            group = self.place.groups[side]
            wanted = {f"10.0.{1 + side}.{10 + number}" for number in range(service["runningCount"])}
            found = self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
            there = {one["Target"]["Id"] for one in found}
            if new := wanted - there:
                self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one, "Port": 80} for one in sorted(new)])
            if old := there - wanted:
                self.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": one, "Port": 80} for one in sorted(old)])

    # --- looking at AWS itself ----------------------------------------------------------------------------------------

    def weights(self) -> dict[str, int]:
        config = self.elb.describe_rules(RuleArns=[self.place.rule])["Rules"][0]["Actions"][-1]["ForwardConfig"]
        by_group = {group["TargetGroupArn"]: group["Weight"] for group in config["TargetGroups"]}
        return dict(zip(self.place.services, (by_group[group] for group in self.place.groups), strict=True))

    def images(self) -> dict[str, tuple[str, int]]:
        """Of each ECS service: the image and how many tasks."""
        services = self.ecs.describe_services(cluster=self.place.cluster, services=list(self.place.services))["services"]
        found = {}
        for service in services:
            described = self.ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
            found[service["serviceName"]] = (described["containerDefinitions"][0]["image"], service["runningCount"])
        return found

    def serving(self) -> Mapping[str, int]:  # type: ignore[override]
        """By image, its share of the weights in percent."""
        weights, images = self.weights(), self.images()
        total = sum(weights.values())
        return {images[name][0]: round(100 * weight / total) for name, weight in weights.items() if weight}

    def revisions(self) -> int:
        return len(self.ecs.list_task_definitions(familyPrefix=self.place.family)["taskDefinitionArns"])

    def check_served(self) -> None:
        """Once a version serves, whoever has weight has tasks."""
        record = self.store.service("web")
        if record is not None and record.stable:
            images = self.images()
            for name, weight in self.weights().items():
                if weight and not images[name][1]:
                    self.broken.append(f"{name} has weight {weight} and no task")
