"""What both sides of an ALB rule answered, asked of CloudWatch: the served share, the harm account, comparisons, tidying.

CloudWatch and the load balancer are moto, ECS is ministack, boto3 is real. Who is served by whom is pretended, as time is.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.aws_world import AwsWorld, Place, make_place
from tests.support.stand_in import PretendedTraffic
from tidegate.core.errors import Unreachable
from tidegate.core.rollout import Phase
from tidegate.drivers.aws.call import Answer, Call

pytestmark = pytest.mark.real
PLAN = {"canary": {"first": "20%", "hold": "4m"}, "bake": "4m", "keep_baseline": "3s", "unsure": {"no_data": "promote"}}
SOON = {
    "requests": 'cloudwatch:AWS/ApplicationELB/RequestCount{TargetGroup="{target_group}",LoadBalancer="{load_balancer}"}',
    "failed": 'cloudwatch:AWS/ApplicationELB/HTTPCode_Target_5XX_Count{TargetGroup="{target_group}",'
    'LoadBalancer="{load_balancer}"}',
    "period": "5s",
    "late": "5s",
}


class BusyWorld(AwsWorld):
    """With users, and a CloudWatch that is told of them."""

    looks_every = 12

    def __init__(self, tmp_path: Path, place: Place, counts: Any, **traffic: Any) -> None:
        self.counts = counts
        self.is_silent = False
        self.traffic = PretendedTraffic(place.groups, boto3.client("cloudwatch"), **traffic)
        super().__init__(tmp_path, place)
        self.now = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=3)
        real = self.caller.do

        def do(call: Call) -> Answer:
            if self.is_silent and call.service == "cloudwatch":
                raise Unreachable("CloudWatch says nothing.")
            return real(call)

        self.caller.do = do  # type: ignore[method-assign]  # what is out there goes silent
        self._serving = ({}, {})

    def tick(self) -> None:
        super().tick()
        if self.written or not self._serving[0]:
            self.written.clear()
            weights, images = self.weights(), self.images()
            names = dict(zip(self.place.services, self.place.groups, strict=True))
            self._serving = (
                {names[name]: weight for name, weight in weights.items()},
                {names[name]: image for name, (image, _) in images.items()},
            )
        self.traffic.second(*self._serving, self.now, self.place.rule.partition("listener-rule/")[2].rsplit("/", 2)[0])

    def file(self, image: str = "shop/web:1", **changes: Any) -> Any:
        return super().file(image, **({"compare": {"latency": None}} | changes))


@pytest.fixture
def place(moto_url: str, ministack_url: str, keys: None, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", moto_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ministack_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", moto_url)
    return make_place(moto_url)


def serving(world: BusyWorld) -> None:
    world.release("v1")
    world.seconds_until(lambda: world.rollout().phase is Phase.COMPLETED)
    world.tidy()


def test_a_bad_version_goes_back_by_the_load_balancers_own_counts_of_the_minute(tmp_path: Path, place: Place) -> None:
    world = BusyWorld(tmp_path, place, "alb", fails={"shop/web:v2": 50})
    serving(world)
    world.release("v2", plan=PLAN)
    world.seconds_until(lambda: world.rollout().phase is Phase.WATCHING)
    begun = world.now
    world.seconds_until(lambda: world.rollout().phase is Phase.ROLLED_BACK, within=600)
    took = (world.now - begun).total_seconds()
    assert "comparison" in world.rollout().reason
    assert world.serving() == {"shop/web:v1": 100}
    assert 120 <= took <= 260, took  # a minute, which is believed to be whole after two more
    for _ in range(240):
        world.tick()
    harm = world.store.history("web", 1)[0].harm
    assert [harm.counted.requests, harm.counted.failed] == world.traffic.sent["shop/web:v2"]
    assert harm.counted.seen == harm.counted.failed > 0


def test_a_good_version_is_measured_and_its_loser_stays_until_nobody_comes(tmp_path: Path, place: Place) -> None:
    world = BusyWorld(tmp_path, place, SOON, users=40, period=timedelta(seconds=5), late=timedelta(seconds=3))
    world.traffic.sticky = timedelta(seconds=80)  # longer than the file says: users that ALB keeps for too long
    serving(world)
    plan = {"canary": {"first": "50%", "hold": "30s"}, "bake": "20s", "keep_baseline": "3s", "unsure": {"no_data": "promote"}}
    world.release("v2", plan=plan)
    world.seconds_until(lambda: world.rollout().phase is Phase.WATCHING)
    world.seconds_until(lambda: (look := world.watcher.seen(world.rollout().id)) is not None and bool(look.served))
    look = world.watcher.seen(world.rollout().id)
    assert look is not None
    assert look.served is not None
    assert 0 < look.served <= 0.8
    assert look.figures["candidate"].error_rate == 0
    world.seconds_until(lambda: world.rollout().phase is Phase.COMPLETED, within=240)
    world.seconds_until(lambda: ("shop/web:v1", 0) in world.images().values(), within=240)
    pinned = [until for group, until in world.traffic._pinned.values() if group == world.place.groups[0]]
    assert world.now > max(pinned), "its tasks ended while users came to it"


def test_a_controller_that_was_killed_neither_forgets_nor_counts_twice(tmp_path: Path, place: Place) -> None:
    world = BusyWorld(tmp_path, place, SOON, period=timedelta(seconds=5), late=timedelta(seconds=3), fails={"shop/web:v2": 1})
    serving(world)
    world.release("v2", plan={"canary": {"first": "50%", "hold": "5m"}, "keep_baseline": "10m"}, compare="off")
    world.seconds_until(lambda: world.rollout().phase is Phase.WATCHING)
    for second in range(60):
        world.tick()
        if second in (13, 27, 28, 44):
            world.start_controller()
    world.orders.abort("web", "ann", "enough")
    for _ in range(30):
        world.tick()
    assert world.store.history("web", 1)[0].harm.counted.requests == world.traffic.sent["shop/web:v2"][0] > 100


def test_a_cloudwatch_that_says_nothing_is_blind_and_after_patience_it_goes_back(tmp_path: Path, place: Place) -> None:
    world = BusyWorld(tmp_path, place, SOON, period=timedelta(seconds=5), late=timedelta(seconds=3))
    serving(world)
    world.release("v2", plan=PLAN | {"patience": "20s"})
    world.seconds_until(lambda: world.rollout().phase is Phase.WATCHING)
    world.is_silent = True
    world.seconds_until(lambda: world.rollout().goes_back, within=120)
    assert "comparison" in world.rollout().reason


def test_nothing_begins_when_the_counts_cannot_be_asked_for(tmp_path: Path, place: Place) -> None:
    world = BusyWorld(tmp_path, place, "alb")
    world.is_silent = True
    with pytest.raises(Unreachable, match="CloudWatch says nothing"):
        world.release("v1")
