"""Releases by CodeDeploy, through the whole loop. The CodeDeploy here is a state machine of ours and not AWS's: requests and
answers fit botocore's models, and what happens in between is what the documentation says.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.test_platform import ECS
from tests.support.aws_world import Fused, How
from tests.support.codedeploy_world import CANARY, PLACE, CodeDeployWorld
from tests.support.our_codedeploy import OurCodeDeploy
from tidegate.core.errors import Conflict, Invalid, Refused
from tidegate.core.rollout import Phase
from tidegate.drivers.aws.call import Answer, Call
from tidegate.engine.releases import Releases, VersionPart


@pytest.fixture
def world(tmp_path: Path) -> CodeDeployWorld:
    return CodeDeployWorld(tmp_path)


def first(world: CodeDeployWorld) -> None:
    keeps, world.codedeploy.keeps = world.codedeploy.keeps, 0
    world.release("v1", plan={"all_at_once": True, "bake": "0s"})
    world.seconds_until(lambda: ended(world, Phase.COMPLETED))
    world.tidy()
    world.seconds_until(lambda: world.codedeploy.going is None)
    world.codedeploy.keeps = keeps


def ended(world: CodeDeployWorld, phase: Phase) -> bool:
    return world.rollout().phase is phase


def at(world: CodeDeployWorld, share: int) -> None:
    world.seconds_until(lambda: world.codedeploy.users().get("shop/web:v2") == share)
    world.seconds_until(lambda: world.rollout().phase is Phase.WATCHING and world.rollout().wanted == share * 100)


def test_a_good_version_follows_our_codedeploy_to_its_end(world: CodeDeployWorld) -> None:
    first(world)
    world.release("v2")
    at(world, 10)
    at(world, 100)
    world.seconds_until(lambda: ended(world, Phase.COMPLETED))
    assert len(world.codedeploy.sets) == 2, "the old tasks are kept for a quick way back"
    world.tidy()
    world.seconds_until(lambda: world.codedeploy.going is None)
    assert world.codedeploy.users() == {"shop/web:v2": 100}
    assert [one["taskDefinition"][-5:] for one in world.codedeploy.sets] == ["web:3"]
    assert world.forward() == ["tidegate web-1 v1", "tidegate web-2 v2"]
    assert [one.config for one in world.codedeploy.made][1] == "CodeDeployDefault.ECSCanary10Percent5Minutes"
    whys = [event.told.why for event in world.store.events(rollout="web-2")]
    assert "CodeDeploy d-000000002 is InProgress: Install" in whys, "lifecycle events are events of the rollout"
    assert [kind for kind in world.told() if kind in ("shift", "watch", "complete")] == [
        "shift",
        "watch",
        "shift",
        "watch",
        "complete",
    ]


def test_when_our_codedeploy_rolls_back_by_an_alarm_the_rollout_does_with_its_reason(world: CodeDeployWorld) -> None:
    first(world)
    world.release("v2")
    at(world, 10)
    going = world.codedeploy.going
    assert going is not None
    world.codedeploy.turn_back(going, "ALARM_ACTIVE", "One or more alarms are active: shop-5xx")
    world.seconds_until(lambda: ended(world, Phase.ROLLED_BACK))
    assert world.rollout().reason == f"CodeDeploy stopped {going.id}: ALARM_ACTIVE: One or more alarms are active: shop-5xx"
    world.tidy()
    assert world.codedeploy.users() == {"shop/web:v1": 100}
    assert world.forward() == ["tidegate web-1 v1", "tidegate web-2 v2"]


def test_a_deployment_that_failed_is_not_made_again(world: CodeDeployWorld) -> None:
    first(world)
    world.release("v2")
    world.tick()
    failed = world.codedeploy.made[1]
    world.codedeploy.turn_back(failed, "IAM_ROLE_PERMISSIONS", "it may not")
    world.alb.turn("web")
    assert world.forward() == ["tidegate web-1 v1", "tidegate web-2 v2"], "the pilot looks before the loop does"
    world.seconds_until(lambda: ended(world, Phase.ROLLED_BACK))
    world.tidy()
    assert world.rollout().reason == f"CodeDeploy stopped {failed.id}: IAM_ROLE_PERMISSIONS: it may not"
    assert world.forward() == ["tidegate web-1 v1", "tidegate web-2 v2"]


def test_who_was_stopped_without_a_rollback_is_brought_back_by_a_deployment_when_none_begins_by_itself(
    world: CodeDeployWorld,
) -> None:
    first(world)
    world.release("v2")
    at(world, 10)
    going = world.codedeploy.going
    assert going is not None
    world.codedeploy._end(going, "Stopped")
    for _ in range(11):
        world.tick()
    assert ended(world, Phase.ROLLING_BACK)
    assert len(world.forward()) == 2, "CodeDeploy may still begin a rollback of its own"
    world.seconds_until(lambda: ended(world, Phase.ROLLED_BACK))
    assert world.forward()[2:] == ["tidegate web-2 v1"]
    assert world.codedeploy.users() == {"shop/web:v1": 100}


def test_an_abort_stops_it_and_it_is_rolled_back_only_when_our_codedeploy_is(world: CodeDeployWorld) -> None:
    first(world)
    world.release("v2")
    at(world, 10)
    world.orders.abort("web", "ann", "it is bad")
    world.tick()
    assert [call.operation for call in world.codedeploy.calls if call.operation == "stop_deployment"] == ["stop_deployment"]
    assert ended(world, Phase.ROLLING_BACK)
    world.seconds_until(lambda: ended(world, Phase.ROLLED_BACK))
    world.tidy()
    assert world.codedeploy.users() == {"shop/web:v1": 100}
    assert len(world.codedeploy.sets) == 1


def test_an_abort_before_anybody_is_let_in_waits_until_it_is_stopped(world: CodeDeployWorld) -> None:
    first(world)
    world.release("v2")
    world.tick()
    world.tick()
    world.orders.abort("web", "ann", "")
    world.seconds_until(lambda: ended(world, Phase.ROLLED_BACK))
    assert world.codedeploy.made[1].status == "Stopped"
    assert world.codedeploy.users() == {"shop/web:v1": 100}


def test_a_gate_at_nobody_waits_for_a_person_before_users_come(tmp_path: Path) -> None:
    world = CodeDeployWorld(tmp_path, asks=True)
    first(world)
    steps = [{"exposure": "0%", "gate": "look at it"}, {"exposure": "10%", "hold": "1m"}, {"exposure": "100%"}]
    world.release("v2", plan={"steps": steps, "bake": "0s"})
    world.seconds_until(lambda: world.rollout().waiting == "look at it")
    assert world.codedeploy.users() == {"shop/web:v1": 100}
    world.orders.promote("web", "ann")
    at(world, 10)
    with pytest.raises(Refused, match="by itself"):
        world.orders.promote("web", "ann")
    with pytest.raises(Refused, match="cannot be held"):
        world.orders.pause("web", "ann")
    world.seconds_until(lambda: ended(world, Phase.COMPLETED))
    assert "Tidegate.ECSCanary10Percent1Minutes" in world.codedeploy.configs


def test_a_rollback_while_the_old_tasks_wait_stops_the_deployment_and_makes_none(world: CodeDeployWorld) -> None:
    first(world)
    world.release("v2", plan=CANARY | {"keep_baseline": "5m"})
    world.seconds_until(lambda: ended(world, Phase.COMPLETED))
    world.orders.rollback("web", "ann")
    world.seconds_until(lambda: ended(world, Phase.COMPLETED) and world.rollout().candidate == "v1")
    assert world.codedeploy.users() == {"shop/web:v1": 100}
    assert world.forward() == ["tidegate web-1 v1", "tidegate web-2 v2"]


def test_a_rollback_after_the_old_tasks_are_gone_is_a_new_deployment_of_the_revision_before(world: CodeDeployWorld) -> None:
    first(world)
    world.release("v2")
    world.seconds_until(lambda: ended(world, Phase.COMPLETED))
    world.tidy()
    world.seconds_until(lambda: world.codedeploy.going is None)
    before = len(world.codedeploy.definitions)
    world.orders.rollback("web", "ann")
    world.seconds_until(lambda: ended(world, Phase.COMPLETED) and world.rollout().candidate == "v1")
    assert world.codedeploy.users() == {"shop/web:v1": 100}
    assert world.forward()[2:] == ["tidegate web-3 v1"]
    assert len(world.codedeploy.definitions) == before


def test_the_next_version_does_not_wait_for_old_tasks_that_are_kept(world: CodeDeployWorld) -> None:
    first(world)
    world.release("v2", plan=CANARY | {"keep_baseline": "9m"})
    world.seconds_until(lambda: ended(world, Phase.COMPLETED))
    world.release("v3")
    world.seconds_until(lambda: world.codedeploy.users().get("shop/web:v3") == 10)
    assert world.codedeploy.users() == {"shop/web:v2": 90, "shop/web:v3": 10}


def test_somebody_elses_deployment_refuses_the_start_and_is_left_alone(world: CodeDeployWorld) -> None:
    first(world)
    other = world.codedeploy._new(world.codedeploy.definitions[0]["taskDefinitionArn"], {"type": "AllAtOnce"}, "by hand")
    with pytest.raises(Conflict, match=r"already deploys in web: d-\d+, by user \(by hand\)"):
        world.release("v2")
    world.seconds_until(lambda: other.status == "Succeeded")
    assert not any(call.operation == "stop_deployment" for call in world.codedeploy.calls)


def test_what_somebody_who_was_faster_had_deployed_ends_the_rollout_and_stays(world: CodeDeployWorld) -> None:
    first(world)
    world.release("v2")
    world.codedeploy._new(world.codedeploy.definitions[0]["taskDefinitionArn"], {"type": "AllAtOnce"}, "by hand")
    world.seconds_until(lambda: "waits for d-000000002, which user made" in world.rollout().decision.why)
    world.seconds_until(lambda: ended(world, Phase.ROLLED_BACK))
    assert world.rollout().reason == "d-000000002, which user made in CodeDeploy, stays"
    assert world.rollout().tidied
    for _ in range(30):
        world.tick()
    assert world.codedeploy.users() == {"shop/web:v0": 100}
    assert world.forward() == ["tidegate web-1 v1", "by hand"]
    with pytest.raises(Conflict, match="is at v1, and CodeDeploy serves another revision now"):
        world.release("v3")
    world.orders.rollback("web", "ann", to="v2")
    world.seconds_until(lambda: ended(world, Phase.COMPLETED) and world.rollout().candidate == "v2")
    assert world.codedeploy.users() == {"shop/web:v2": 100}, "a person said what is meant"


class Overtaken(Fused):
    """Between our look and our call somebody has a deployment made by hand."""

    def do(self, call: Call) -> Answer:
        made = self.real
        assert isinstance(made, OurCodeDeploy)
        if call.operation == "create_deployment" and not self.burnt:
            self.burnt = made._new(made.definitions[0]["taskDefinitionArn"], {"type": "AllAtOnce"}, "by hand").id
        return super().do(call)


def test_who_is_overtaken_says_by_whom(world: CodeDeployWorld) -> None:
    first(world)
    fuse = world.caller = Overtaken(world.codedeploy)
    world.release("v2")
    world.seconds_until(lambda: ended(world, Phase.ROLLED_BACK))
    said = f"CodeDeploy already deploys in web: {fuse.burnt}, by user (by hand). Wait for it, or stop it in CodeDeploy."
    assert said in world.rollout().reason
    assert "tidegate web-2 v2" not in world.forward()


def test_a_rollback_of_codedeploys_own_after_the_end_is_not_undone_and_has_to_be_put_straight(world: CodeDeployWorld) -> None:
    first(world)
    world.release("v2", plan=CANARY | {"keep_baseline": "9m"})
    world.seconds_until(lambda: ended(world, Phase.COMPLETED) and world.rollout().settled)
    assert world.codedeploy.going is not None
    world.codedeploy.turn_back(world.codedeploy.going, "ALARM_ACTIVE", "late")
    world.seconds_until(lambda: world.codedeploy.users() == {"shop/web:v1": 100} and world.codedeploy.going is None)
    for _ in range(30):
        world.tick()
    assert world.forward()[-1] == "tidegate web-2 v2", "nothing is deployed without a rollout"
    with pytest.raises(Conflict, match="is at v2, and CodeDeploy serves another revision now"):
        world.release("v3")
    world.orders.rollback("web", "ann", to="v1")
    world.seconds_until(lambda: ended(world, Phase.COMPLETED) and world.rollout().candidate == "v1")
    world.tidy()
    world.release("v3")
    assert world.forward()[-1] == "tidegate web-2 v2"
    world.seconds_until(lambda: world.codedeploy.users().get("shop/web:v3") == 10)


def test_an_alarm_of_ours_turns_it_back(world: CodeDeployWorld) -> None:
    """Guards judge during it as everywhere: here the tasks that ECS counts."""
    first(world)
    world.release("v2", alarms=[{"name": "alive", "metric": "tasks_healthy", "below": 2, "period": "5s"}])
    at(world, 10)
    for each in world.codedeploy.sets:
        each["runningCount"] = 2 if each["status"] == "PRIMARY" else 1
    world.seconds_until(lambda: ended(world, Phase.ROLLED_BACK))
    assert "alive" in world.rollout().reason
    assert world.codedeploy.users() == {"shop/web:v1": 100}


def test_what_the_deployment_group_cannot_give_is_refused_before_the_start(world: CodeDeployWorld) -> None:
    with pytest.raises(Invalid, match="The plan bakes for 11m, and the group ends the old tasks after 10m"):
        world.release("v1", plan=CANARY | {"bake": "11m"})
    steps = [{"exposure": "0%", "gate": "look"}, {"exposure": "100%"}]
    with pytest.raises(Invalid, match="lets users in without asking"):
        world.release("v1", plan={"steps": steps})
    with pytest.raises(Invalid, match="no container 'api'"):
        world.release("v1", platform={"codedeploy": PLACE | {"container": "api"}})
    world.codedeploy.controller = "ECS"
    with pytest.raises(Invalid, match="deployed by ECS, and not by CodeDeploy"):
        world.release("v1")
    assert not world.codedeploy.made


@pytest.mark.parametrize("how", list(How))
@pytest.mark.parametrize("operation", ["register_task_definition", "create_deployment_config", "create_deployment"])
def test_a_crash_or_a_lost_answer_on_the_way_forward_makes_one_deployment(operation: str, how: How, tmp_path: Path) -> None:
    world = CodeDeployWorld(tmp_path)
    first(world)
    fuse = world.caller = Fused(world.codedeploy, 1, how, operation)
    world.release("v2", plan={"linear": {"step": "50%", "every": "1m"}, "bake": "0s", "keep_baseline": "1s"})
    world.seconds_until(lambda: ended(world, Phase.COMPLETED))
    assert fuse.burnt
    assert world.codedeploy.users() == {"shop/web:v2": 100}
    assert world.forward() == ["tidegate web-1 v1", "tidegate web-2 v2"]
    assert len(world.codedeploy.definitions) == 3


@pytest.mark.parametrize("how", list(How))
def test_a_crash_or_a_lost_answer_when_users_are_let_in_lets_them_in_once(how: How, tmp_path: Path) -> None:
    world = CodeDeployWorld(tmp_path, asks=True)
    first(world)
    fuse = world.caller = Fused(world.codedeploy, 1, how, "continue_deployment")
    world.release("v2")
    world.seconds_until(lambda: ended(world, Phase.COMPLETED))
    assert fuse.burnt
    assert world.forward() == ["tidegate web-1 v1", "tidegate web-2 v2"]


@pytest.mark.parametrize("how", list(How))
def test_a_crash_or_a_lost_answer_on_the_way_back_leaves_the_same_end(how: How, world: CodeDeployWorld) -> None:
    first(world)
    world.release("v2")
    at(world, 10)
    fuse = world.caller = Fused(world.codedeploy, 1, how, "stop_deployment")
    world.orders.abort("web", "ann", "it is bad")
    world.seconds_until(lambda: ended(world, Phase.ROLLED_BACK))
    assert fuse.burnt
    assert world.codedeploy.users() == {"shop/web:v1": 100}
    assert world.forward() == ["tidegate web-1 v1", "tidegate web-2 v2"]


def test_a_service_does_not_change_who_moves_its_weights_under_its_name(world: CodeDeployWorld) -> None:
    first(world)
    with pytest.raises(Refused, match="runs by CodeDeploy and would move"):
        world.release("v2", platform={"ecs": ECS}, compare="off")


def test_it_is_no_part_of_a_release(world: CodeDeployWorld) -> None:
    first(world)
    releases = Releases(
        store=world.store, orders=world.orders, flags=world.flag_orders, salt=lambda: "salt", outsiders=lambda _: 0
    )
    with pytest.raises(Refused, match="the parts of a release wait for each other"):
        releases.begin("both", [VersionPart(world.file("shop/web:v2"), "v2")], [], plan=world.file().plan, by="ann")
