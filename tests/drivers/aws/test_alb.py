"""A service on ECS behind an ALB: ECS is ministack without containers, the load balancer is moto or localemu, boto3 is real."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.aws_stories import completed, first
from tests.support.aws_world import AwsWorld, make_place
from tests.support.both import BOTH
from tests.support.listening_world import ListeningWorld
from tidegate.core.errors import Invalid, NotFound, Refused
from tidegate.core.rollout import Phase
from tidegate.core.service import Service
from tidegate.drivers.aws.alb_seen import Seen, Side

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]  # to start localemu takes its time


@pytest.fixture
def aws(balancer_url: str, ministack_url: str, keys: None, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", balancer_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ministack_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", balancer_url)
    return balancer_url


@pytest.fixture
def world(aws: str, tmp_path: Path) -> Iterator[ListeningWorld]:
    with ListeningWorld(tmp_path, make_place(aws)) as world:
        yield world


def test_a_version_takes_over_step_by_step_and_the_old_one_ends(world: AwsWorld) -> None:
    first(world)
    assert world.serving() == {"shop/web:v1": 100}
    world.release("v2")
    shares = []
    for _ in range(60):
        world.tick()
        serving = world.serving()
        if not shares or shares[-1] != serving:
            shares.append(serving)
        if completed(world):
            break
    assert shares == [{"shop/web:v1": 100}, {"shop/web:v1": 50, "shop/web:v2": 50}, {"shop/web:v2": 100}]
    world.tidy()
    assert sorted(world.images().values()) == [("shop/web:v1", 0), ("shop/web:v2", 2)]
    assert world.broken == []


@pytest.mark.parametrize("balancer_url", ["localemu"], indirect=True)
def test_nobody_comes_to_a_version_before_the_load_balancer_itself_finds_as_many_healthy_as_wanted(
    world: ListeningWorld,
) -> None:
    first(world)
    world.answers = False
    world.release("v2")
    for _ in range(20):
        world.tick()
    side = {side.version: side for side in sides(world)}["v2"]
    assert (side.healthy, side.unhealthy, side.unhealthy_why) == (0, 2, "Target is unhealthy")
    assert (world.rollout().phase, world.serving()) == (Phase.PREPARING, {"shop/web:v1": 100})
    world.listen()
    world.seconds_until(lambda: completed(world))
    assert world.serving() == {"shop/web:v2": 100}


def sides(world: AwsWorld) -> tuple[Side, ...]:
    seen = world.alb._pilots["web"].seen
    assert isinstance(seen, Seen)
    return seen.sides


def test_a_bad_version_goes_back_weights_first(world: AwsWorld) -> None:
    first(world)
    world.release("v2", plan={"linear": {"step": "10%", "every": "60s"}})
    world.seconds_until(lambda: world.rollout().phase is Phase.WATCHING)
    assert world.serving() == {"shop/web:v1": 90, "shop/web:v2": 10}
    world.orders.abort("web", "ann", "it is bad")
    world.written.clear()
    world.tick()
    assert world.serving() == {"shop/web:v1": 100}
    assert world.written[:2] == ["add_tags", "modify_rule"]
    world.tidy()
    assert sorted(world.images().values()) == [("shop/web:v1", 2), ("shop/web:v2", 0)]


@BOTH
def test_users_are_kept_on_their_side_only_while_there_are_two(world: AwsWorld) -> None:
    def sticky() -> object:
        action = world.elb.describe_rules(RuleArns=[world.place.rule])["Rules"][0]["Actions"][-1]
        return action["ForwardConfig"].get("TargetGroupStickinessConfig")

    first(world)
    world.release("v2")
    world.seconds_until(lambda: world.rollout().phase is Phase.WATCHING)
    assert sticky() == {"Enabled": True, "DurationSeconds": 1}
    world.seconds_until(lambda: completed(world))
    assert sticky() == {"Enabled": False}


def test_tasks_that_may_have_pinned_users_stay_until_the_cookie_is_over(world: AwsWorld) -> None:
    first(world)
    platform = world.file().platform
    assert platform is not None
    longer = {"ecs": platform.ecs.model_dump(mode="json") | {"sticky": "40s"}}
    world.release("v2", platform=longer, plan={"all_at_once": True, "bake": "1s", "keep_baseline": "1s"})
    world.seconds_until(lambda: completed(world))
    for _ in range(30):
        world.tick()
    assert ("shop/web:v1", 2) in world.images().values()
    world.tidy()
    assert ("shop/web:v1", 0) in world.images().values()


@BOTH
def test_weights_that_somebody_else_moved_are_put_back_and_told(world: AwsWorld) -> None:
    first(world)
    world.release("v2", plan={"linear": {"step": "10%", "every": "60s"}})
    world.seconds_until(lambda: world.rollout().phase is Phase.WATCHING)
    groups = [{"TargetGroupArn": group, "Weight": 1} for group in world.place.groups]
    world.elb.modify_rule(RuleArn=world.place.rule, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}])
    world.alb._pilots["web"].order = None  # the pilot looks before it is told again what is wanted
    world.tick()
    world.tick()
    decision = world.rollout().decision
    world.tick()
    assert (decision.kind, decision.why) in (("put_back", "50% is applied instead of 10%"), ("watch", "10% is applied"))
    assert world.serving() == {"shop/web:v1": 90, "shop/web:v2": 10}


@BOTH
def test_other_actions_of_the_rule_stay(world: AwsWorld) -> None:
    forward = world.elb.describe_rules(RuleArns=[world.place.rule])["Rules"][0]["Actions"][0]
    oidc = {
        "Issuer": "https://id.example.org",
        "AuthorizationEndpoint": "https://id.example.org/a",
        "TokenEndpoint": "https://id.example.org/t",
        "UserInfoEndpoint": "https://id.example.org/u",
        "ClientId": "shop",
        "ClientSecret": "secret",
    }
    sign_in = {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": oidc}
    world.elb.modify_rule(RuleArn=world.place.rule, Actions=[sign_in, {**forward, "Order": 2}])
    first(world)
    actions = world.elb.describe_rules(RuleArns=[world.place.rule])["Rules"][0]["Actions"]
    assert [action["Type"] for action in actions] == ["authenticate-oidc", "forward"]


def test_a_version_that_was_kept_comes_back_without_a_new_revision(world: AwsWorld) -> None:
    first(world)
    world.release("v2", plan={"all_at_once": True, "bake": "1s", "keep_baseline": "10m"})
    world.seconds_until(lambda: completed(world))
    before = world.revisions()
    world.orders.rollback("web", "ann")
    world.seconds_until(lambda: completed(world) and world.rollout().candidate == "v1")
    assert world.serving() == {"shop/web:v1": 100}
    assert world.revisions() == before == 3


def test_what_cannot_be_is_refused_before_anything_changes(world: AwsWorld) -> None:
    revisions = world.revisions()
    with pytest.raises(NotFound, match="has no service nobody"):
        world.release("v1", platform=changed(world.file(), services=["nobody", world.place.services[1]]))
    with pytest.raises(Invalid, match="no container 'api'"):
        world.release("v1", tasks={"ecs": {"task_definition": f"{world.place.family}:1", "images": {"api": "x:1"}}})
    with pytest.raises(Refused, match=r"0\.1%"):
        world.release("v1", plan={"canary": {"first": "0.15%", "hold": "1s"}})
    other = make_place(world.elb.meta.endpoint_url)
    with pytest.raises(Invalid, match="does not forward to just these"):
        world.release("v1", platform=changed(world.file(), target_groups=list(other.groups)))
    assert world.revisions() == revisions
    assert world.store.service("web") is None


def changed(file: Service, **changes: object) -> dict[str, object]:
    assert file.platform is not None
    return {"ecs": file.platform.ecs.model_dump(mode="json") | changes}


def test_the_pilot_flies_beside_the_loop(world: AwsWorld) -> None:
    """In real time, and in its own thread."""
    thread = threading.Thread(target=world.alb.run)
    thread.start()
    try:
        world.release("v1")
        begun, zero, deadline = time.monotonic(), world.now, time.monotonic() + 90
        while not completed(world) and time.monotonic() < deadline:
            time.sleep(0.1)
            world.now = zero + timedelta(seconds=time.monotonic() - begun)
            world.schedule()
            world.loop.tick(world.now)
        assert completed(world), world.rollout()
        assert world.serving() == {"shop/web:v1": 100}
    finally:
        world.alb.stop()
        thread.join(30)
    assert not thread.is_alive()
