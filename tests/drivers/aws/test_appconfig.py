"""Flags that AppConfig deploys: ministack's AppConfig, which progresses, bakes and goes back on an alarm by itself."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from tests.support.appconfig_place import Place, make_place
from tests.support.appconfig_world import SLOWLY, AppConfigWorld
from tests.support.aws_world import How
from tests.support.flag_agents import SUBJECT
from tests.support.walk import until
from tidegate.core.errors import Conflict, Invalid, NotFound, Refused
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.monitor import Monitor
from tidegate.core.plan import PlanFile
from tidegate.core.rollout import Phase
from tidegate.engine.releases import FlagsPart

pytestmark = pytest.mark.real
OFF = read_flags({"application": "shop", "flags": {"checkout": "off"}})
ON = read_flags({"application": "shop", "flags": {"checkout": "on"}})
DARK = read_flags({"application": "shop", "flags": {"checkout": "on", "dark": "off"}})
HALVES = PlanFile.model_validate({"linear": {"step": "50%", "every": "1m"}, "bake": "0s"})
SLOW = PlanFile.model_validate(SLOWLY)


@pytest.fixture
def place(appconfig_at: str) -> Place:
    return make_place()


@pytest.fixture
def world(place: Place, tmp_path: Path) -> AppConfigWorld:
    """The first document is in force."""
    world = AppConfigWorld(tmp_path, place)
    world.configure()
    world.release(OFF)
    world.ended(Phase.COMPLETED)
    return world


def begun(world: AppConfigWorld, number: int = 2) -> None:
    """A slow deployment is under way, and followed."""
    world.release(ON, plan=SLOW)
    world.until(lambda: world.last.phase is Phase.WATCHING and len(world.place.states()) == number)


# --- forward and back -----------------------------------------------------------------------------------------------------


def test_a_deployment_is_followed_to_its_end_and_the_document_is_in_force(world: AppConfigWorld) -> None:
    world.release(ON, plan=HALVES)
    seen = set()

    def done() -> bool:
        seen.add((world.last.phase, str(world.last.wanted)))
        return world.last.settled

    world.until(done)
    assert {(Phase.WATCHING, "0%"), (Phase.SHIFTING, "50%"), (Phase.WATCHING, "100%")} <= seen
    assert (world.last.phase, world.place.states()) == (Phase.COMPLETED, [("1", "COMPLETE"), ("2", "COMPLETE")])


def test_when_an_alarm_fires_that_appconfig_monitors_the_rollout_goes_back_with_it_and_says_which(
    world: AppConfigWorld,
) -> None:
    begun(world)
    world.place.alarm("ALARM")
    after = world.ended(Phase.ROLLED_BACK)
    assert after.reason == f"AppConfig took it back: the CloudWatch alarm {world.place.name}, which it monitors, fired"
    assert world.place.states() == [("1", "COMPLETE"), ("2", "ROLLED_BACK")]


def test_an_abort_stops_the_deployment(world: AppConfigWorld) -> None:
    begun(world)
    world.orders.abort(SUBJECT, "ann", "a wrong word")
    assert world.ended(Phase.ROLLED_BACK).reason == "aborted by ann: a wrong word"
    assert world.place.states()[-1] == ("2", "ROLLED_BACK")


def test_what_somebody_stops_in_appconfig_is_rolled_back_here(world: AppConfigWorld) -> None:
    begun(world)
    stop_there(world, 2)
    assert world.ended(Phase.ROLLED_BACK).reason == "AppConfig took it back: somebody stopped it there"


def stop_there(world: AppConfigWorld, number: int) -> None:
    of = {"ApplicationId": world.place.application, "EnvironmentId": world.place.environment}
    client = world.caller.real._client("appconfig", "usual")  # type: ignore[arg-type]  # any will do
    client.stop_deployment(**of, DeploymentNumber=number, AllowRevert=True)


def test_what_somebody_deployed_after_ours_ends_the_rollout_and_stays(world: AppConfigWorld) -> None:
    bakes = PlanFile.model_validate({"all_at_once": True, "bake": "1h"})
    world.release(ON, plan=bakes)
    world.until(lambda: world.last.phase is Phase.WATCHING)
    world.until(lambda: world.place.states()[-1] == ("2", "BAKING"))
    stop_there(world, 2)
    world.place.deploy(strategy="AppConfig.Linear50PercentEvery30Seconds")
    until(lambda: world.place.deployments()[-1]["State"] == "COMPLETE", 60, "it is over")
    reason = world.ended(Phase.ROLLED_BACK).reason
    assert "version 3 of AppConfig, which somebody deployed in AppConfig (deployment 3), stays" in reason
    for _ in range(20):
        world.tick()
    assert [state for _, state in world.place.states()] == ["COMPLETE", "ROLLED_BACK", "COMPLETE"]
    with pytest.raises(Conflict, match="in force for shop/prod, and not 1"):
        world.release(DARK)


def test_a_rollback_after_the_end_reverts_also_while_the_alarm_fires(world: AppConfigWorld) -> None:
    world.release(ON)
    world.ended(Phase.COMPLETED)
    world.place.alarm("ALARM")
    world.flag_orders.rollback(SUBJECT, "ann")
    after = world.ended(Phase.COMPLETED)
    assert (after.candidate, world.place.states()) == ("1", [("1", "COMPLETE"), ("2", "REVERTED")])
    world.place.alarm("OK")
    world.flag_orders.rollback(SUBJECT, "ann", to=2)
    world.ended(Phase.COMPLETED)
    assert world.place.states()[2:] == [("2", "COMPLETE")], "what was reverted once is deployed anew"


def test_the_kill_switch_takes_the_place_of_what_is_on_its_way(world: AppConfigWorld) -> None:
    begun(world)
    world.release(DARK, now=True)
    assert world.ended(Phase.COMPLETED).candidate == "3"
    assert world.place.states() == [("1", "COMPLETE"), ("2", "ROLLED_BACK"), ("3", "COMPLETE")]


# --- refused before anything is done --------------------------------------------------------------------------------------


def test_a_deployment_of_somebody_else_refuses_the_start(world: AppConfigWorld) -> None:
    world.place.deploy()
    with pytest.raises(Conflict, match="has a deployment under way: deployment 2, which is none of shop/prod"):
        world.release(ON)
    assert len(world.store.history(SUBJECT)) == 1


def test_what_is_in_force_there_and_not_here_refuses_the_start_with_the_mend(world: AppConfigWorld) -> None:
    world.release(ON)
    world.ended(Phase.COMPLETED)
    stop_there(world, 2)
    with pytest.raises(Conflict, match="has 1 in force for shop/prod, and not 2") as refused:
        world.release(DARK)
    assert refused.value.mend == "Say that it is meant: tidegate rollback shop/prod --to 1."
    world.flag_orders.rollback(SUBJECT, "ann", to=1)
    world.ended(Phase.COMPLETED)
    assert len(world.place.states()) == 2, "it was in force already"
    world.release(DARK)
    world.ended(Phase.COMPLETED)


def test_somebody_else_s_document_is_never_replaced_by_a_first_one(place: Place, tmp_path: Path) -> None:
    place.deploy(strategy="AppConfig.Linear50PercentEvery30Seconds")
    world = AppConfigWorld(tmp_path, place)
    world.configure()
    with pytest.raises(Conflict, match="under way"):
        world.release(OFF)
    until(lambda: place.deployments()[-1]["State"] == "COMPLETE", 60, "it is over")
    with pytest.raises(Conflict, match="in force for shop/prod, and not nothing") as refused:
        world.release(OFF)
    assert "a configuration profile of its own" in refused.value.mend


@pytest.mark.parametrize(("state", "says"), [("ALARM", "is in ALARM"), ("INSUFFICIENT_DATA", "has no data")])
def test_an_alarm_that_appconfig_monitors_refuses_the_start_while_it_would_take_it_back(
    world: AppConfigWorld, state: str, says: str
) -> None:
    world.place.alarm(state)
    with pytest.raises(Conflict, match=f"The alarm {world.place.name}, which AppConfig monitors, {says}") as refused:
        world.release(ON)
    assert "out of the environment's monitors" in refused.value.mend
    assert len(world.place.states()) == 1
    world.place.alarm("OK")
    world.release(ON)
    world.ended(Phase.COMPLETED)


def test_who_says_ignore_begins_all_the_same_and_appconfig_takes_it_back(world: AppConfigWorld) -> None:
    world.place.alarm("ALARM")
    world.release(ON, plan=PlanFile.model_validate(SLOWLY | {"if_firing": "ignore"}))
    assert "AppConfig took it back" in world.ended(Phase.ROLLED_BACK).reason


def test_what_is_done_at_once_is_never_refused_for_a_monitor_and_says_that_it_may_not_stay(world: AppConfigWorld) -> None:
    assert "AppConfig" not in world.release(ON, now=True).sentence
    world.ended(Phase.COMPLETED)
    world.place.alarm("ALARM")
    said = world.release(DARK, now=True).sentence
    assert f"The alarm {world.place.name}, which AppConfig monitors, is in ALARM: AppConfig takes back at once" in said
    world.until(lambda: world.last.settled)
    assert "only a revert of its last deployment stays" in world.flag_orders.rollback(SUBJECT, "ann", to=1).sentence


def test_an_alarm_whose_actions_are_switched_off_takes_nothing_back(world: AppConfigWorld) -> None:
    boto3.client("cloudwatch").disable_alarm_actions(AlarmNames=[world.place.name])
    world.place.alarm("ALARM")
    file = world.flag_orders.file("shop", "prod")
    assert world.flag_orders.monitors(file) == (Monitor(world.place.name),)


def test_names_that_are_not_there_refuse_the_file(place: Place, tmp_path: Path) -> None:
    world = AppConfigWorld(tmp_path, place)
    with pytest.raises(NotFound, match="no configuration profile 'nowhere'") as refused:
        world.configure(platform=place.platform(profile="nowhere"))
    assert refused.value.mend.endswith("There are: flags.")


def test_a_profile_of_amazon_s_flags_is_refused_for_it_would_not_be_evaluated_as_ours(place: Place, tmp_path: Path) -> None:
    client = AppConfigWorld(tmp_path, place).caller.real._client("appconfig", "usual")  # type: ignore[arg-type]  # any will do
    client.create_configuration_profile(
        ApplicationId=place.application, Name="amazon", LocationUri="hosted", Type="AWS.AppConfig.FeatureFlags"
    )
    with pytest.raises(Invalid, match=r"is AWS\.AppConfig\.FeatureFlags, at hosted"):
        AppConfigWorld(tmp_path, place).configure(platform=place.platform(profile="amazon"))


def test_a_release_with_a_shared_salt_refuses_this_lever(world: AppConfigWorld) -> None:
    with pytest.raises(Refused, match="AppConfig lets sessions in to the flags of shop/prod") as refused:
        world.releases.begin("summer", [], [FlagsPart("prod", ON)], plan=HALVES, by="ann")
    assert refused.value.mend == "Deploy these flags by themselves: tidegate flags deploy -f FILE -e shop/prod."


def test_nobody_can_hold_it(world: AppConfigWorld) -> None:
    begun(world)
    with pytest.raises(Refused, match="AppConfig moves shop/prod 2, and cannot be held"):
        world.orders.pause(SUBJECT, "ann")


def test_an_environment_does_not_move_to_a_platform_under_its_name(world: AppConfigWorld) -> None:
    with pytest.raises(Refused, match="is served by its platform and would move"):
        world.configure(platform=None)


# --- crashes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", list(How))
def test_a_crash_or_a_lost_answer_at_any_call_that_makes_something_makes_it_once(world: AppConfigWorld, how: How) -> None:
    """Of each a new one: a version, a strategy, a deployment, and a stop."""
    for number, operation in enumerate(("create_hosted_configuration_version", "create_deployment_strategy")):
        every = f"{20 + 2 * list(How).index(how) + number}m"  # strategies are of the whole account
        hosted, plan = world.place.hosted(), PlanFile.model_validate({"linear": {"step": "50%", "every": every}})
        world.caller.light(operation, how)
        world.release(read_flags({"application": "shop", "flags": {f"flag-{number}": "on"}}), plan=plan)
        world.until(lambda: world.last.phase is Phase.WATCHING)
        assert (world.caller.how, world.place.hosted()) == (None, hosted + 1)
        world.caller.light("stop_deployment", how)
        world.orders.abort(SUBJECT, "ann")
        world.ended(Phase.ROLLED_BACK)
        assert world.caller.how is None
    deployed = len(world.place.states())
    world.caller.light("start_deployment", how)
    world.release(ON)
    world.ended(Phase.COMPLETED)
    assert world.caller.how is None
    assert [state for _, state in world.place.states()] == ["COMPLETE", *["ROLLED_BACK"] * (deployed - 1), "COMPLETE"]
    assert world.deaths == (5 if how in (How.BEFORE, How.AFTER) else 0)
