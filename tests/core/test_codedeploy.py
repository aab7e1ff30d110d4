"""Which plans CodeDeploy can be told, and how a rollout follows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidegate.core.codedeploy import LEADER, shift_of
from tidegate.core.decide import decide
from tidegate.core.document import read
from tidegate.core.errors import Invalid
from tidegate.core.exposure import Exposure
from tidegate.core.plan import PlanFile, read_plan
from tidegate.core.plan_names import NAMED
from tidegate.core.rollout import Phase, Readiness, Ready, Rollout, Seen
from tidegate.core.service import Service
from tidegate.core.setting import Applied

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLACE = {"application": "shop", "deployment_group": "web", "container": "web", "port": 80}
FILE: dict[str, Any] = {
    "service": "web",
    "platform": {"codedeploy": PLACE},
    "tasks": {"ecs": {"task_definition": "web:7", "images": {"web": "shop/web:1"}}},
    "plan": "canary 10% hold 5m bake 0s",
}


@pytest.mark.parametrize("name", [named.said for named in NAMED.values() if named.said.startswith("CodeDeploy")])
def test_each_of_amazons_plans_is_told_by_its_own_name(name: str) -> None:
    assert shift_of(read_plan(name).resolve()).name == name


@pytest.mark.parametrize(
    ("plan", "name"),
    [
        ("all_at_once", "CodeDeployDefault.ECSAllAtOnce"),
        ("linear 10% every 1m", "CodeDeployDefault.ECSLinear10PercentEvery1Minutes"),
        ("linear 20% every 2m", "Tidegate.ECSLinear20PercentEvery2Minutes"),
        ("linear 30% every 1m", "Tidegate.ECSLinear30PercentEvery1Minutes"),
        ("canary 25% hold 7m", "Tidegate.ECSCanary25Percent7Minutes"),
        ({"steps": [{"exposure": "0%", "gate": "ask"}, {"exposure": "100%"}]}, "CodeDeployDefault.ECSAllAtOnce"),
    ],
)
def test_other_plans_get_a_configuration_whose_name_says_it(plan: object, name: str) -> None:
    assert shift_of(read_plan(plan).resolve()).name == name


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        ("canary 0.5% hold 5m", "cannot move parts of a percent"),
        ("canary 10% hold 90s", "cannot hold a step for other than whole minutes"),
        ("exponential 10% every 1m", "cannot take unlike steps"),
        ("adaptive", "cannot go by evidence"),
        ({"canary": {"first": "10%", "hold": "5m"}, "holdback": "10%"}, "cannot keep a part of the users back"),
        ({"canary": {"first": "10%", "hold": "5m"}, "unsure": {"no_data": "hold"}}, "cannot be held"),
        (
            {"steps": [{"exposure": "10%", "hold": "5m", "gate": "ask"}, {"exposure": "100%"}]},
            "cannot wait for a gate or a hook between its steps",
        ),
    ],
)
def test_what_it_cannot_do_is_refused_with_the_mend(plan: object, what: str) -> None:
    with pytest.raises(Invalid, match=what) as refused:
        shift_of(read_plan(plan).resolve())
    assert refused.value.mend
    with pytest.raises(Invalid, match=what):
        read(Service, FILE | {"plan": plan, "compare": "off"}, "web.yaml")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"compare": {"errors": {}}}, "nobody counts requests of each side"),
        ({"platform": {"codedeploy": PLACE, "ecs": {}}}, "platform"),
        ({"platform": {}}, "neither ecs nor codedeploy"),
        ({"listener": {"port": 80}}, "there is a listener"),
        (
            {"alarms": [{"name": "a", "metric": 'cloudwatch:A/B{T="{target_group}"}', "statistic": "sum", "above": 1}]},
            "CodeDeploy chooses it",
        ),
    ],
)
def test_a_file_that_could_never_be_released_is_refused(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(Invalid, match=what):
        read(Service, FILE | changes, "web.yaml")


def test_without_a_word_nothing_is_compared_and_it_is_read_again_as_it_was_written() -> None:
    service = read(Service, FILE, "web.yaml")
    assert (service.compare.is_on, service.led) == (False, LEADER)
    assert Service.model_validate_json(service.model_dump_json(exclude_none=True)) == service


def going(plan: str = "linear 20% every 1m", **changes: Any) -> Rollout:
    led = replace(PlanFile.model_validate(read_plan(plan)).resolve(), led=LEADER)
    rollout = Rollout("web-1", "web", "v1", "v2", "salt", led, "ann", NOW, NOW)
    return replace(rollout, **changes)


def seen(percent: int, **changes: Any) -> Seen:
    return replace(Seen(Applied(Exposure(percent * 100), "v1", "v2", "salt"), Readiness(Ready.NOT_YET, "installs")), **changes)


def test_it_is_followed_also_over_steps_that_nobody_saw() -> None:
    after, _ = decide(going(), seen(60), NOW)
    assert (after.phase, after.step, after.wanted) == (Phase.SHIFTING, 2, 6000)
    after, _ = decide(after, seen(60), NOW + timedelta(seconds=1))
    assert after.phase is Phase.WATCHING


def test_at_a_step_that_was_watched_it_waits_for_the_leader() -> None:
    rollout = going(phase=Phase.WATCHING, watched=timedelta(minutes=2))
    after, _ = decide(rollout, seen(20), NOW + timedelta(seconds=1))
    assert (after.step, after.decision.why) == (0, "CodeDeploy takes the next step")


def test_less_than_was_let_is_no_blindness_while_he_is_on_his_way() -> None:
    rollout = going(phase=Phase.SHIFTING)
    for second in range(0, 600, 30):
        rollout, _ = decide(rollout, seen(0), NOW + timedelta(seconds=second))
    assert rollout.phase is Phase.SHIFTING


def test_when_he_turns_back_the_rollout_does_with_his_reason() -> None:
    back = Readiness(Ready.NOT_YET, back="CodeDeploy stopped d-1: ALARM_ACTIVE", forth=True)
    after, _ = decide(going(phase=Phase.WATCHING), seen(20, candidate=back), NOW)
    assert (after.phase, after.reason) == (Phase.ROLLING_BACK, "CodeDeploy stopped d-1: ALARM_ACTIVE")


def test_it_is_not_rolled_back_before_he_was_seen_to_turn() -> None:
    rollout = going(phase=Phase.ROLLING_BACK, reason="bad")
    forth = Readiness(Ready.NOT_YET, forth=True)
    assert decide(rollout, seen(0, candidate=forth), NOW)[0].phase is Phase.ROLLING_BACK
    assert decide(rollout, seen(0), NOW)[0].phase is Phase.ROLLED_BACK


def test_everybody_is_there_only_when_he_is_done_with_it() -> None:
    rollout = going("all_at_once bake 0s", phase=Phase.WATCHING, watched=timedelta(seconds=1))
    busy = Readiness(Ready.NOT_YET, busy="CodeDeploy d-1 is InProgress: AfterAllowTraffic")
    after, _ = decide(rollout, seen(100, candidate=busy), NOW + timedelta(seconds=1))
    assert (after.phase, after.decision.why) == (Phase.WATCHING, busy.busy)
    after, _ = decide(rollout, seen(100), NOW + timedelta(seconds=1))
    assert after.phase is Phase.COMPLETED
