"""Alarms and metrics of CloudWatch as guards of a local rollout, over the twins."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import World
from tidegate.core.alarm import AlarmFile
from tidegate.core.alarm_state import AlarmState
from tidegate.core.errors import Conflict, Invalid, Unreachable
from tidegate.core.rollout import Phase
from tidegate.drivers.memory_cloud import MemoryCloud
from tidegate.engine.cloud import EVERY, Cloud, Sides
from tidegate.engine.publishing import Publishing

PLAN = {"linear": {"step": "50%", "every": "2m"}, "bake": "10s", "patience": "1m"}


class Clouded(World):
    """A world with a CloudWatch, which is asked every few seconds of pretended time."""

    def __init__(self, tmp_path: Path) -> None:
        self.there = MemoryCloud()
        super().__init__(tmp_path)
        self.cloud = Cloud(self.there, lambda: self.now)
        self.start_controller()

    def tick(self) -> None:
        super().tick()
        assert self.cloud is not None
        if not self.now.second % EVERY.seconds:
            self.cloud.ask()

    def watching(self, *alarms: dict[str, Any], **changes: Any) -> None:
        """A candidate is at half of the users, and its guards have looked."""
        self.serving(alarms=[])
        self.deploy("v2", alarms=list(alarms), plan=PLAN | changes)
        self.run_until("watching")
        self.run(10)

    def guard(self, name: str) -> str:
        look = self.watcher.seen(self.rollout().id)
        assert look is not None
        return next(guard.state for guard in look.guards if guard.name == name)


@pytest.fixture
def world(tmp_path: Path) -> Clouded:
    world = Clouded(tmp_path)
    world.there.alarms["shop-5xx"] = AlarmState.OK
    return world


FIVE = {"name": "five", "cloudwatch": "shop-5xx"}


def test_an_alarm_of_cloudwatch_rolls_back_within_seconds(world: Clouded) -> None:
    world.watching(FIVE)
    assert world.guard("five") == "ok"
    world.there.alarms["shop-5xx"] = AlarmState.ALARM
    world.run(int(EVERY.total_seconds()) + 2)
    assert world.rollout().phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
    assert world.rollout().reason == "five: CloudWatch's alarm shop-5xx is ALARM"


def test_an_alarm_that_does_not_exist_is_refused_before_the_start(world: Clouded) -> None:
    world.serving()
    with pytest.raises(Invalid, match="no alarm 'shop-4xx'") as refused:
        world.deploy("v2", alarms=[FIVE | {"cloudwatch": "shop-4xx"}])
    assert refused.value.where == "alarms[0].cloudwatch"


def test_nothing_begins_while_cloudwatch_does_not_answer(world: Clouded) -> None:
    world.serving()
    world.there.answers = False
    with pytest.raises(Unreachable):
        world.deploy("v2", alarms=[FIVE])


def test_an_alarm_that_fires_before_the_start_refuses_it(world: Clouded) -> None:
    world.serving()
    world.there.alarms["shop-5xx"] = AlarmState.ALARM
    with pytest.raises(Conflict, match="five of web already fires"):
        world.deploy("v2", alarms=[FIVE])


@pytest.mark.parametrize(
    ("missing", "state"), [("missing", "no_data"), ("ignore", "ok"), ("breaching", "firing"), ("not_breaching", "ok")]
)
def test_insufficient_data_is_what_missing_says(world: Clouded, missing: str, state: str) -> None:
    world.watching(FIVE | {"missing": missing, "rollback": False})
    world.there.alarms["shop-5xx"] = AlarmState.INSUFFICIENT_DATA
    world.run(10)
    assert world.guard("five") == state


def test_a_cloudwatch_that_is_silent_is_blind_and_after_patience_the_plan_decides(world: Clouded) -> None:
    world.watching(FIVE)
    world.there.answers = False
    world.run(45)
    assert world.guard("five") == "blind"
    world.run(60)
    assert world.rollout().phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
    assert "five: its source does not answer" in world.rollout().reason


def test_an_alarm_that_is_deleted_meanwhile_is_blind_and_not_fine(world: Clouded) -> None:
    world.watching(FIVE)
    del world.there.alarms["shop-5xx"]
    world.run(10)
    assert world.guard("five") == "blind"


def test_a_composite_alarm_may_speak_of_one_of_cloudwatch(world: Clouded) -> None:
    world.there.alarms["shop-slow"] = AlarmState.ALARM
    slow = {"name": "slow", "cloudwatch": "shop-slow", "rollback": False}
    world.watching(FIVE | {"rollback": False}, slow, {"name": "both", "when": "ALARM(five) AND ALARM(slow)"})
    assert world.guard("both") == "ok"
    world.there.alarms["shop-5xx"] = AlarmState.ALARM
    world.run(7)
    assert world.rollout().reason.startswith("both: ")


ERRORS = {
    "name": "errors",
    "metric": 'cloudwatch:Shop/Errors{Version="{version}"}',
    "statistic": "sum",
    "above": 5,
    "period": "10s",
}


def test_a_metric_of_cloudwatch_is_looked_at_for_the_side_of_the_alarm(world: Clouded) -> None:
    world.watching(ERRORS, ERRORS | {"name": "other", "of": "baseline", "rollback": False})
    for seconds in range(0, 60, 10):
        world.there.put('cloudwatch:Shop/Errors{Version="v2"}', world.now + timedelta(seconds=seconds), 1)
        world.there.put('cloudwatch:Shop/Errors{Version="v1"}', world.now + timedelta(seconds=seconds), 9)
    world.run(30)
    assert (world.guard("errors"), world.guard("other")) == ("ok", "firing")
    world.there.put('cloudwatch:Shop/Errors{Version="v2"}', world.now, 6)
    world.run(20)
    assert world.rollout().reason.startswith("errors: sum of cloudwatch:Shop/Errors")


def test_a_side_without_a_version_leaves_everybody_elses_alarms_seen(world: Clouded) -> None:
    cloud, first = world.cloud, Sides(candidate="v1", subject="new")
    assert cloud is not None
    alarms = [AlarmFile.model_validate(alarm) for alarm in (FIVE, ERRORS | {"of": "baseline"})]
    cloud.want(alarms, first, world.now)
    cloud.end(world.now)
    cloud.ask()
    told = cloud.want(alarms, first, world.now)
    assert told is not None
    assert told.state("shop-5xx") is AlarmState.OK


def test_a_restarted_controller_goes_on_with_what_was_told(world: Clouded) -> None:
    world.watching(FIVE)
    world.there.answers = False
    world.start_controller()
    world.run(3)
    assert world.guard("five") == "ok"


def test_own_figures_are_published_with_zero_for_what_is_quiet(world: Clouded) -> None:
    world.watching(FIVE)
    publishing = Publishing(
        store=world.store, watcher=world.watcher, applied=world.lever.applied, publisher=world.there, clock=lambda: world.now
    )
    publishing.publish()
    values = {figure.name: figure.value for figure in world.there.published}
    assert values["WantedExposure"] == values["AppliedExposure"] == 50.0
    assert (values["RolloutInFlight"], values["VerdictBad"]) == (1, 0)
    world.there.alarms["shop-5xx"] = AlarmState.ALARM
    world.run_until("rolled_back")
    publishing.publish()
    assert {figure.value for figure in world.there.published} == {0.0}
