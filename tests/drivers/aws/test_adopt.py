"""Taking over an ECS service behind an ALB rule, and releasing it then: ECS is ministack, the load balancer moto."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.drivers.aws.test_alb_requests import must_be_taken
from tests.support.aws_world import PRIORITIES, AwsWorld, Place, _network
from tests.support.both import BOTH
from tests.support.fault_proxy import Fault, FaultProxy, Wrong
from tests.support.terminal import terminal
from tidegate.cli.main import main
from tidegate.core.document import read
from tidegate.core.rollout import Phase
from tidegate.core.service import Service
from tidegate.core.text import read_yaml
from tidegate.drivers.aws import adopt_requests

OIDC = {
    "Issuer": "https://id.example.org",
    "AuthorizationEndpoint": "https://id.example.org/a",
    "TokenEndpoint": "https://id.example.org/t",
    "UserInfoEndpoint": "https://id.example.org/u",
    "ClientId": "shop",
    "ClientSecret": "secret",
}


@dataclass
class Running:
    """A service that a team runs without Tidegate."""

    name: str
    group: str
    rule: str
    listener: str

    @property
    def other(self) -> str:
        return f"{self.name}-tidegate"

    def rules(self) -> Any:
        return boto3.client("elbv2").describe_rules(RuleArns=[self.rule])["Rules"][0]["Actions"]

    def services(self) -> dict[str, Any]:
        found = boto3.client("ecs").describe_services(cluster=self.name, services=[self.name, self.other])["services"]
        return {one["serviceName"]: one for one in found if one["status"] == "ACTIVE"}


@pytest.fixture
def proxy(balancer_url: str, ministack_url: str, keys: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    with FaultProxy({"ecs": ministack_url}, otherwise=balancer_url) as proxy:
        for name in ("ELASTIC_LOAD_BALANCING_V2", "ECS", "CLOUDWATCH"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", proxy.url)
        yield proxy


@pytest.fixture
def running(proxy: FaultProxy) -> Running:
    name = f"s{uuid.uuid4().hex[:8]}"
    ecs, elb = boto3.client("ecs"), boto3.client("elbv2")
    vpc, listener = _network(proxy.otherwise)
    group = elb.create_target_group(
        Name=name, Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip", HealthCheckPath="/ready", UnhealthyThresholdCount=5
    )["TargetGroups"][0]["TargetGroupArn"]
    attribute = {"Key": "deregistration_delay.timeout_seconds", "Value": "17"}
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[attribute])
    rule = elb.create_rule(
        ListenerArn=listener,
        Priority=next(PRIORITIES),
        Conditions=[{"Field": "host-header", "Values": [f"{name}.example.org"]}],
        Actions=[
            {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": OIDC},
            {"Type": "forward", "Order": 2, "TargetGroupArn": group},
        ],
    )["Rules"][0]["RuleArn"]
    ecs.create_cluster(clusterName=name)
    port = {"containerPort": 8080}
    container = {"name": "web", "image": "shop/web:now", "memory": 64, "essential": True, "portMappings": [port]}
    ecs.register_task_definition(family=name, containerDefinitions=[container])
    balancer = {"targetGroupArn": group, "containerName": "web", "containerPort": 8080}
    ecs.create_service(cluster=name, serviceName=name, taskDefinition=f"{name}:1", desiredCount=2, loadBalancers=[balancer])
    return Running(name, group, rule, listener)


def adopt(running: Running, *words: str) -> int:
    try:
        main(["aws", "adopt", running.name, "--cluster", running.name, *words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.real
def test_every_change_is_shown_before_anything_is_done(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = running.rules()
    assert adopt(running, "-o", str(tmp_path / "web.yaml")) == 0
    said = capsys.readouterr().out
    assert [line.partition(". ")[2].split(" ")[0] for line in said.splitlines()[:5]] == ["make", "give", "let", "make", "tag"]
    assert "Nothing was changed." in said
    assert (running.rules(), list(running.services())) == (before, [running.name])
    assert not (tmp_path / "web.yaml").exists()


@pytest.mark.real
def test_a_service_is_taken_over_without_moving_anybody_and_released_then(
    running: Running, tmp_path: Path, proxy: FaultProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "web.yaml"
    proxy.arm(Fault("CreateService", 1, Wrong.LOST))
    assert adopt(running, "-o", str(path), "--yes") == 2  # AWS made it, and nobody heard
    assert "type it again" in capsys.readouterr().err
    proxy.arm(None)
    assert adopt(running, "-o", str(path), "--yes") == 0
    file = read(Service, read_yaml(path.read_text(), "web.yaml"), "web.yaml")
    assert file.platform is not None
    assert file.platform.ecs is not None
    assert file.platform.ecs.region == "us-east-1"  # another controller may find another one
    assert "first: 10%" in path.read_text()  # what matters is said, also where it is what one gets without a word
    sides = running.services()
    assert {name: one["desiredCount"] for name, one in sides.items()} == {running.name: 2, running.other: 0}
    sign_in, forward = running.rules()
    weights = {one["TargetGroupArn"]: one["Weight"] for one in forward["ForwardConfig"]["TargetGroups"]}
    assert (sign_in["Type"], weights) == ("authenticate-oidc", {running.group: 999, file.platform.ecs.target_groups[1]: 0})
    like, made = (
        boto3.client("elbv2").describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
        for arn in file.platform.ecs.target_groups
    )
    for key in ("Port", "Protocol", "VpcId", "TargetType", "HealthCheckPath", "UnhealthyThresholdCount"):
        assert like[key] == made[key]
    attributes = boto3.client("elbv2").describe_target_group_attributes(TargetGroupArn=made["TargetGroupArn"])["Attributes"]
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "17"} in attributes

    place = Place(running.name, file.platform.ecs.services, file.platform.ecs.target_groups, running.rule, running.name)  # type: ignore[arg-type]  # two of each
    world = AwsWorld(tmp_path, place)
    world.schedule()
    proxy.arm(None)
    world.orders.deploy(Service.model_validate(file.model_dump(mode="json") | {"service": "web"}), "r1", "ann")
    world.seconds_until(lambda: world.rollout().phase is Phase.COMPLETED)
    assert proxy.asked["UpdateService"] == proxy.asked["ModifyRule"] == proxy.asked["RegisterTaskDefinition"] == 0
    assert world.serving() == {"shop/web:now": 100}
    images = {"web": "shop/web:v2"}
    content = file.model_dump(mode="json") | {
        "service": "web",
        "tasks": {"ecs": {"task_definition": f"{running.name}:1", "images": images}, "count": 2},
        "plan": {"all_at_once": True, "bake": "2s", "unsure": {"no_data": "promote"}},
        "compare": "off",
    }
    world.orders.deploy(Service.model_validate(content), "v2", "ann")
    for _ in range(90):
        world.tick()
    assert world.serving() == {"shop/web:v2": 100}


@pytest.mark.real
def test_a_file_that_is_there_is_not_written_over_and_nobody_is_asked(running: Running, tmp_path: Path) -> None:
    path = tmp_path / "web.yaml"
    path.write_text("mine")
    before = running.rules()
    words = ("aws", "adopt", running.name, "--cluster", running.name, "-o", str(path))
    with terminal(*words, columns=200) as at:
        at.until(f"There is a file {path} already.")
        assert at.process.wait(20) == 2
    assert (path.read_text(), running.rules()) == ("mine", before)


@pytest.mark.real
@pytest.mark.timeout(300)  # to start localemu takes its time
@BOTH
def test_programs_are_told_that_it_was_made_when_it_was(
    running: Running, tmp_path: Path, proxy: FaultProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("-o", str(tmp_path / "web.yaml"), "--json")
    assert adopt(running, *words) == 0
    assert json.loads(capsys.readouterr().out)["made"] is False
    proxy.arm(Fault("CreateService", 1, Wrong.LOST))
    assert adopt(running, *words, "--yes") == 2
    assert list(json.loads(capsys.readouterr().out)) == ["problem"]
    proxy.arm(None)
    assert adopt(running, *words, "--yes") == 0
    assert json.loads(capsys.readouterr().out)["made"] is True


@pytest.mark.real
def test_what_cannot_be_taken_over_is_refused_with_the_mend(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("elbv2").delete_rule(RuleArn=running.rule)
    assert adopt(running, "--yes", "-o", str(tmp_path / "web.yaml")) == 2
    assert "No rule of an Application Load Balancer forwards to" in capsys.readouterr().err
    elb = boto3.client("elbv2")
    before = elb.describe_listeners(ListenerArns=[running.listener])["Listeners"][0]["DefaultActions"]
    elb.modify_listener(ListenerArn=running.listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": running.group}])
    try:
        assert adopt(running, "--yes", "-o", str(tmp_path / "web.yaml")) == 2
    finally:
        elb.modify_listener(ListenerArn=running.listener, DefaultActions=before)
    assert "Only the default action" in capsys.readouterr().err
    assert list(running.services()) == [running.name]


def test_every_request_is_taken_by_the_models() -> None:
    group = {"TargetGroupName": "web", "Port": 80, "Protocol": "HTTP", "VpcId": "vpc-1", "Matcher": {"HttpCode": "200"}}
    service = {
        "serviceName": "web",
        "taskDefinition": "web:7",
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        "deploymentConfiguration": {"maximumPercent": 200, "deploymentCircuitBreaker": {"enable": True, "rollback": False}},
        "serviceRegistries": [{"registryArn": "arn:aws:servicediscovery:eu-central-1:1:service/a"}],
        "loadBalancers": [{"targetGroupArn": "arn:a", "containerName": "web", "containerPort": 80}],
        "propagateTags": "NONE",
        "placementStrategy": [],
    }
    copied = must_be_taken(adopt_requests.copy_service("shop", service, "web-2", "arn:b", "token"))
    assert "serviceRegistries" not in copied.parameters
    assert copied.parameters["desiredCount"] == 0
    rule = {"RuleArn": "arn:r", "Actions": [{"Type": "forward", "TargetGroupArn": "arn:a"}]}
    for call in (
        adopt_requests.copy_group(group, "web-2"),
        adopt_requests.copy_attributes([{"Key": "stickiness.enabled", "Value": "false"}], "arn:b"),
        adopt_requests.forward_to_both(rule, "arn:a", "arn:b"),
        adopt_requests.tag_definition("arn:aws:ecs:eu-central-1:1:task-definition/web:7", "web", "r7", "0123"),
    ):
        must_be_taken(call)
    assert adopt_requests.group_name("a_service_with_a_name_that_is_much_too_long") == "a-service-with-a-name-that-is-mu"
