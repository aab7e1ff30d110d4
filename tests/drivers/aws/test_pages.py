"""Lists that come page by page. The AWS here gives one thing a page, and its answers fit botocore's models."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.codedeploy_world import PLACE
from tests.support.our_codedeploy import OurCodeDeploy, must_fit
from tidegate.core.alarm_state import AlarmState
from tidegate.core.codedeploy import CodeDeploy
from tidegate.core.environment import Environment
from tidegate.core.errors import Unreachable
from tidegate.core.plan import PlanFile
from tidegate.core.setting import Errand, Setting
from tidegate.drivers.aws import appconfig_reader
from tidegate.drivers.aws.call import Answer, Call, Caller
from tidegate.drivers.aws.cloudwatch import CloudWatch
from tidegate.drivers.aws.codedeploy_reader import Reader
from tidegate.drivers.aws.pages import pages
from tidegate.drivers.aws.revisions import Revisions

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
LISTS = ("Items", "deployments", "targetIds", "MetricAlarms")


class OneByOne:
    """Gives one thing of a list a page."""

    def __init__(self, real: Caller) -> None:
        self.real = real
        self.asked: list[str] = []

    def do(self, call: Call) -> Answer:
        self.asked.append(call.operation)
        name = "nextToken" if call.service == "codedeploy" else "NextToken"
        place = int(call.parameters.get(name, "0"))
        rest = {key: value for key, value in call.parameters.items() if key != name}
        answer = dict(self.real.do(Call(call.service, call.operation, rest, call.manner)))
        for key in LISTS:
            if call.operation.startswith(("list_", "describe_alarms")) and key in answer:
                every = answer[key]
                answer[key] = every[place : place + 1]
                answer |= {name: str(place + 1)} if place + 1 < len(every) else {}
        must_fit(call, answer)
        return answer


class Shelf:
    """Always the same answers."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def do(self, call: Call) -> Answer:
        found: Answer = self.answers[call.operation]
        return found


def deployments(*states: str) -> list[dict[str, Any]]:
    """Newest first."""
    numbers = range(len(states), 0, -1)
    return [{"DeploymentNumber": n, "State": state} for n, state in zip(numbers, states, strict=True)]


def test_names_and_deployments_of_appconfig_are_found_on_any_page() -> None:
    named = [{"Id": f"abc{n}", "Name": name} for n, name in enumerate(("other", "more", "shop", "prod", "flags"))]
    shelf = Shelf(
        list_applications={"Items": named},
        list_environments={"Items": named},
        list_configuration_profiles={"Items": named},
        list_deployments={"Items": deployments("ROLLED_BACK", "REVERTED", "DEPLOYING", "COMPLETE", "COMPLETE", "COMPLETE")},
        get_deployment={"ConfigurationProfileId": "abc4"},
    )
    caller = OneByOne(shelf)
    file = Environment.model_validate(
        {"application": "shop", "environment": "prod", "compare": "off", "platform": {"appconfig": {"profile": "flags"}}}
    )
    seen = appconfig_reader.Reader(file, lambda _: caller, lambda _name, _number: None).look(BEGAN)
    states = [one.state for one in seen.deployments]
    assert states == ["ROLLED_BACK", "REVERTED", "DEPLOYING", "COMPLETE", "COMPLETE"]
    assert seen.under_way is not None
    assert caller.asked.count("list_deployments") == 5, "no page more than is needed"


def test_alarms_are_read_from_every_page() -> None:
    alarms = [{"AlarmName": name, "StateValue": state} for name, state in (("one", "OK"), ("two", "ALARM"))]
    caller = OneByOne(Shelf(describe_alarms={"MetricAlarms": alarms}))
    assert CloudWatch(lambda: caller).states(["one", "two"]) == {"one": AlarmState.OK, "two": AlarmState.ALARM}


def test_deployments_of_codedeploy_are_found_on_any_page_however_many() -> None:
    """Also ours, when thirty others came since: without it another one would be made."""
    ours = OurCodeDeploy(lambda: BEGAN)
    definition = ours.definitions[0]["taskDefinitionArn"]
    ours._new(definition, {"type": "AllAtOnce"}, "tidegate web-2 v2").status = "Failed"
    for _ in range(30):
        ours._new(definition, {"type": "AllAtOnce"}, "by hand").status = "Failed"
    caller = OneByOne(ours)
    reader = Reader(CodeDeploy.model_validate(PLACE), lambda: caller, Revisions(lambda: caller))
    setting = Setting("v1", "v2", rollout="web-2", errand=Errand(PlanFile.default().resolve(), BEGAN))
    seen = reader.look(reader.group(), setting, BEGAN)
    assert len(seen.deployments) == 31
    assert seen.of("web-2", "v2") is not None


def test_a_list_that_never_ends_is_given_up() -> None:
    endless = Shelf(list_applications={"Items": [], "NextToken": "again"})
    with pytest.raises(Unreachable, match="the same page twice"):
        list(pages(endless, Call("appconfig", "list_applications")))
