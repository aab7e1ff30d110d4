"""Each request to CodeDeploy fits botocore's model; those that moto has are accepted by it. Its deployments never move."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from tests.support.codedeploy_world import CodeDeployWorld
from tests.support.our_codedeploy import must_fit
from tidegate.core.codedeploy import CodeDeploy, Shape, Shift
from tidegate.drivers.aws import codedeploy_requests as requests
from tidegate.drivers.aws.call import Call
from tidegate.drivers.aws.calls import Calls
from tidegate.drivers.aws.codedeploy_seen import read_deployments
from tidegate.drivers.aws.policy import actions_of, policy_of
from tidegate.drivers.aws.survey import survey

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:look"
PLACE = CodeDeploy(application="shop", deployment_group="web", container="web", port=8080, hooks={"BeforeAllowTraffic": LAMBDA})
DEFINITION = "arn:aws:ecs:us-east-1:123456789012:task-definition/web:8"
SHIFTS = [Shift(Shape.ALL_AT_ONCE), Shift(Shape.CANARY, 10, 5), Shift(Shape.LINEAR, 20, 2)]
WITHOUT_A_CALL = {
    "codedeploy:GetApplicationRevision",
    "codedeploy:RegisterApplicationRevision",
    "ecs:TagResource",
    "ecs:UpdateService",
}
"""What CreateDeployment and RegisterTaskDefinition need besides; and what this one release has no need of."""


def test_the_appspec_says_what_is_deployed_where_users_go_and_who_is_asked() -> None:
    assert json.loads(requests.appspec(PLACE, DEFINITION)) == {
        "version": 0.0,
        "Resources": [
            {
                "TargetService": {
                    "Type": "AWS::ECS::Service",
                    "Properties": {
                        "TaskDefinition": DEFINITION,
                        "LoadBalancerInfo": {"ContainerName": "web", "ContainerPort": 8080},
                    },
                }
            }
        ],
        "Hooks": [{"BeforeAllowTraffic": LAMBDA}],
    }


@pytest.mark.parametrize(
    "call",
    [
        requests.group(PLACE),
        requests.running(PLACE),
        requests.since(PLACE, datetime(2026, 3, 1, tzinfo=UTC)),
        requests.deployments(["d-1"]),
        requests.targets("d-1"),
        requests.describe_targets("d-1", ["shop:web"]),
        requests.service("shop", "web"),
        requests.scale("shop", "web", 3),
        *(requests.configuration(shift) for shift in SHIFTS),
        *(requests.make_configuration(shift) for shift in SHIFTS),
        *(requests.create(PLACE, DEFINITION, shift, requests.describe("web-1", "v2")) for shift in SHIFTS),
        requests.stop("d-1"),
        requests.let_in("d-1"),
        requests.let_go("d-1"),
    ],
    ids=str,
)
def test_each_request_fits_botocores_model(call: Call) -> None:
    must_fit(call)


@pytest.mark.real
def test_moto_takes_a_deployment_and_it_is_found_again_by_its_description(
    moto_url: str, keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CODEDEPLOY", moto_url)
    name = f"t{uuid.uuid4().hex[:10]}"
    place = PLACE.model_copy(update={"application": name})
    client = boto3.client("codedeploy")
    client.create_application(applicationName=name, computePlatform="ECS")
    client.create_deployment_group(
        applicationName=name,
        deploymentGroupName="web",
        serviceRoleArn="arn:aws:iam::123456789012:role/codedeploy",
        ecsServices=[{"clusterName": "shop", "serviceName": "web"}],
        deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
    )
    caller = Calls()
    assert caller.do(requests.group(place))["deploymentGroupInfo"]["ecsServices"][0]["serviceName"] == "web"
    made = caller.do(requests.create(place, DEFINITION, SHIFTS[1], requests.describe("web-1", "v2")))["deploymentId"]
    assert made in caller.do(requests.running(place))["deployments"]
    found = read_deployments(caller.do(requests.deployments([made])))
    assert [(one.id, one.rollout, one.version, one.in_flight) for one in found] == [(made, "web-1", "v2", True)]


def test_the_policy_is_what_was_asked_for_in_a_release_and_its_way_back(tmp_path: Any) -> None:
    world = CodeDeployWorld(tmp_path)
    world.release("v1", plan="linear 50% every 1m bake 0s")
    world.seconds_until(lambda: bool(world.rollout().tidied))
    world.release("v2", plan="linear 50% every 1m bake 0s")
    world.seconds_until(lambda: world.codedeploy.users().get("shop/web:v2") == 50)
    world.orders.abort("web", "ann", "")
    world.seconds_until(lambda: bool(world.rollout().tidied))
    policy = policy_of(world.file(), service="arn:aws:ecs:eu-west-1:123456789012:service/shop/web")
    assert {str(call) for call in world.codedeploy.calls} == actions_of(policy) - WITHOUT_A_CALL
    group = "arn:aws:codedeploy:eu-west-1:123456789012:deploymentgroup:shop/web"
    assert next(one for one in policy["Statement"] if one["Sid"] == "Deployments")["Resource"] == [group]


def test_what_is_there_is_shown_with_what_is_wrong(tmp_path: Any) -> None:
    world = CodeDeployWorld(tmp_path)
    found = survey(world.file(), world.codedeploy)
    assert found.wrong == ()
    assert found.findings[0].is_now == "for shop/web; old tasks stay 10m; no alarms turn it back"
    assert found.findings[0].changes.endswith("CodeDeployDefault.ECSCanary10Percent5Minutes")
    world.codedeploy.keeps = 0
    assert "ends the old tasks after 0s" in survey(world.file(), world.codedeploy).wrong[0].wrong
