"""Every request as plain data: what it is, and that botocore's models of AWS take it. Nothing is sent."""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from tests.core.test_platform import ECS, file
from tidegate.core.document import read
from tidegate.core.exposure import FULL, NONE, Exposure
from tidegate.core.service import Service
from tidegate.drivers.aws import alb_requests as requests
from tidegate.drivers.aws.alb_seen import Side, share, weights_of
from tidegate.drivers.aws.call import Call, Manner

SERVICE = read(Service, file(), "web.yaml")
assert SERVICE.platform is not None
PLACE = SERVICE.platform.ecs
BLUE, GREEN = PLACE.target_groups
TEMPLATE: dict[str, Any] = {
    "taskDefinition": {
        "taskDefinitionArn": "arn:aws:ecs:eu-central-1:123456789012:task-definition/web:7",
        "revision": 7,
        "status": "ACTIVE",
        "registeredBy": "terraform",
        "family": "web",
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "requiresCompatibilities": ["FARGATE"],
        "executionRoleArn": "arn:aws:iam::123456789012:role/web",
        "containerDefinitions": [
            {"name": "web", "image": "shop/web:0", "environment": [{"name": "A", "value": "1"}], "essential": True},
            {"name": "agent", "image": "agent:3"},
        ],
    }
}


def must_be_taken(call: Call) -> Call:
    """By botocore's own model of the service."""
    model = botocore.session.get_session().get_service_model(call.service)
    name = next(one for one in model.operation_names if botocore.xform_name(one) == call.operation)
    shape = model.operation_model(name).input_shape
    report = ParamValidator().validate(dict(call.parameters), shape)
    assert not report.has_errors(), report.generate_report()
    return call


def test_weights_are_thousandths_and_read_back_exactly() -> None:
    for exposure in range(NONE, FULL + 1, 10):
        baseline, candidate = weights_of(Exposure(exposure))
        assert max(baseline, candidate) <= 999
        assert share(candidate, baseline) == exposure


def test_a_step_states_both_weights_and_keeps_users() -> None:
    call = must_be_taken(requests.weigh(PLACE, [], {BLUE: 900, GREEN: 100}, Exposure(1000), Manner.USUAL))
    (forward,) = call.parameters["Actions"]
    assert forward["ForwardConfig"] == {
        "TargetGroups": [{"TargetGroupArn": BLUE, "Weight": 900}, {"TargetGroupArn": GREEN, "Weight": 100}],
        "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 300},
    }


def test_the_way_back_keeps_nobody() -> None:
    call = must_be_taken(requests.weigh(PLACE, [], {BLUE: 999, GREEN: 0}, NONE, Manner.PATIENT))
    assert call.parameters["Actions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"] == {"Enabled": False}


def test_a_version_is_a_copy_with_other_images_and_tags() -> None:
    call = must_be_taken(requests.register_definition(SERVICE, "v2", TEMPLATE, "web-2"))
    assert call.manner is Manner.ONCE
    made = dict(call.parameters)
    assert made.pop("tags") == [
        {"key": "tidegate:service", "value": "web"},
        {"key": "tidegate:version", "value": "v2"},
        {"key": "tidegate:digest", "value": requests.digest_of(SERVICE)},
        {"key": "tidegate:operation", "value": "web-2"},
    ]
    web, agent = made.pop("containerDefinitions")
    assert web["image"] == "shop/web:1"
    assert {"name": "TIDEGATE_VERSION", "value": "v2"} in web["environment"]
    assert {"name": "A", "value": "1"} in web["environment"]
    assert agent == {"name": "agent", "image": "agent:3"}
    copied = ("family", "networkMode", "cpu", "memory", "requiresCompatibilities", "executionRoleArn")
    assert made == {key: TEMPLATE["taskDefinition"][key] for key in copied}


def test_every_other_request_is_taken_by_the_models() -> None:
    side = Side(service=ECS["services"][0], target_group=BLUE)
    for call in (
        *requests.look(PLACE),
        requests.describe_definition("web:7"),
        requests.list_definitions("web"),
        requests.run(PLACE, side, "web:8", 4),
        requests.scale(PLACE, side, 0),
        requests.restart(PLACE, side),
        requests.tag(PLACE, {"tidegate:stable": "v1", "tidegate:slot": ""}),
    ):
        must_be_taken(call)
