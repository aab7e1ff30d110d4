"""The policy that `tidegate aws plan` prints: just the actions of the calls that AWS gets in whole rollouts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.core.test_platform import ARN, ECS, file
from tests.support.aws_stories import completed, first
from tests.support.aws_world import AwsWorld, Place, make_place
from tests.support.both import BOTH
from tests.support.fault_proxy import FaultProxy
from tidegate.cli.main import main
from tidegate.core.document import read
from tidegate.core.platform import Ecs
from tidegate.core.rollout import Phase
from tidegate.core.service import Service
from tidegate.drivers.aws.cloudwatch import CloudWatch
from tidegate.drivers.aws.last_words import last_words
from tidegate.drivers.aws.policy import actions_of, policy_of
from tidegate.engine.cloud import Cloud
from tidegate.engine.publishing import Publishing

WITHOUT_A_CALL = {"iam:PassRole", "ecs:TagResource"}
"""What RegisterTaskDefinition needs besides: it has tags, and roles for the tasks."""
SERVICES = {"ecs": "ecs", "elasticloadbalancing": "elasticloadbalancing", "monitoring": "cloudwatch"}
"""The name under which a request is signed, and that of its permissions."""


class Guarded(AwsWorld):
    """With alarms, own figures and counts of CloudWatch."""

    counts = {  # noqa: RUF012 - it is a file's content
        "requests": 'cloudwatch:Shop/Requests{Version="{version}"}',
        "failed": 'cloudwatch:Shop/Failed{Version="{version}"}',
        "period": "5s",
        "late": "1s",
    }

    def start_controller(self, store: Any = None) -> None:
        self.cloudwatch = CloudWatch(lambda: self.caller, "Tidegate")
        self.cloud = Cloud(self.cloudwatch, lambda: self.now)
        super().start_controller(store)
        self.publishing = Publishing(
            store=self.store,
            watcher=self.watcher,
            applied=self.platforms.applied,
            publisher=self.cloudwatch,
            clock=lambda: self.now,
        )

    def tick(self) -> None:
        super().tick()
        assert self.cloud is not None
        if not self.now.second % 5:
            self.cloud.ask()
            self.publishing.publish()

    def file(self, image: str = "shop/web:1", **changes: Any) -> Service:
        alarm = {"name": "five", "cloudwatch": self.place.cluster, "missing": "not_breaching"}
        return super().file(image, **({"alarms": [alarm]} | changes))


@pytest.fixture
def proxy(balancer_url: str, ministack_url: str, keys: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    with FaultProxy({"ecs": ministack_url}, otherwise=balancer_url) as proxy:
        for name in ("ELASTIC_LOAD_BALANCING_V2", "ECS", "CLOUDWATCH"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", proxy.url)
        yield proxy


@pytest.fixture
def place(proxy: FaultProxy) -> Place:
    place = make_place(proxy.otherwise)
    boto3.client("cloudwatch").put_metric_alarm(
        AlarmName=place.cluster,
        Namespace="Shop",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    return place


def ecs_of(service: Service) -> Ecs:
    assert service.platform is not None
    assert service.platform.ecs is not None
    return service.platform.ecs


@pytest.mark.real
def test_the_policy_allows_what_whole_rollouts_ask_for_and_nothing_else(
    proxy: FaultProxy, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Guarded(tmp_path, place)
    for name, url in (("ELASTIC_LOAD_BALANCING_V2", proxy.otherwise), ("ECS", proxy.upstreams["ecs"])):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", url)
    world.ecs, world.elb = boto3.client("ecs"), boto3.client("elbv2")  # the test's own look, past the proxy
    for name in ("ELASTIC_LOAD_BALANCING_V2", "ECS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", proxy.url)
    proxy.arm(None)
    first(world)
    world.release("v2")
    world.seconds_until(lambda: completed(world))
    world.orders.restart("web", "ann")
    world.release("v3", plan={"linear": {"step": "10%", "every": "60s"}})
    world.seconds_until(lambda: world.rollout().phase is Phase.WATCHING)
    world.orders.abort("web", "ann", "enough")
    world.seconds_until(lambda: world.rollout().phase is Phase.ROLLED_BACK)
    last_words(world.caller, ecs_of(world.file()), place.services[0], "")  # as when a version is given up
    asked = {f"{SERVICES[one.service]}:{one.operation}" for one in proxy.noted}
    roles = ["arn:aws:iam::123456789012:role/web"]
    assert actions_of(policy_of(world.file(), roles, "Tidegate")) - WITHOUT_A_CALL == asked


def test_whatever_can_be_narrowed_is_narrowed() -> None:
    service = read(Service, file(), "web.yaml")
    policy = policy_of(service, ["arn:aws:iam::123456789012:role/web"], "Tidegate")
    resources = {action: one["Resource"] for one in policy["Statement"] for action in one["Action"]}
    assert resources["elasticloadbalancing:ModifyRule"] == [ECS["listener_rule"]]
    assert resources["ecs:UpdateService"] == [
        f"arn:aws:ecs:eu-central-1:123456789012:service/shop/{name}" for name in ECS["services"]
    ]
    assert resources["ecs:TagResource"] == ["arn:aws:ecs:eu-central-1:123456789012:task-definition/web:*"]
    assert resources["iam:PassRole"] == ["arn:aws:iam::123456789012:role/web"]
    assert resources["ecs:DescribeTasks"] == ["arn:aws:ecs:eu-central-1:123456789012:task/shop/*"]
    narrowed = {"iam:PassRole", "ecs:ListTasks", "ecs:TagResource", "cloudwatch:PutMetricData"}
    assert {action for one in policy["Statement"] if "Condition" in one for action in one["Action"]} == narrowed


def test_who_has_no_alarms_and_no_counts_needs_nothing_of_cloudwatch() -> None:
    service = read(Service, file(platform={"ecs": ECS | {"counts": "off"}}), "web.yaml")
    assert not any(action.startswith("cloudwatch:") for action in actions_of(policy_of(service)))


# --- the command ------------------------------------------------------------------------------------------------------


def plan(*words: str) -> int:
    try:
        main(["aws", "plan", *words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def written(tmp_path: Path, place: Place, **ecs: Any) -> str:
    content = {
        "service": "web",
        "platform": {
            "ecs": {
                "cluster": place.cluster,
                "services": place.services,
                "target_groups": place.groups,
                "listener_rule": place.rule,
            }
            | ecs
        },
        "tasks": {"ecs": {"task_definition": f"{place.family}:1", "images": {"web": "shop/web:2"}}, "count": 2},
        "alarms": [{"name": "five", "cloudwatch": place.cluster}],
    }
    path = tmp_path / "web.yaml"
    path.write_text(json.dumps(content))
    return str(path)


@pytest.mark.real
@pytest.mark.timeout(300)  # to start localemu takes its time
@BOTH
def test_plan_says_what_is_there_and_prints_the_policy(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan("-f", written(tmp_path, place), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["kind"] for one in found["there"]] == [
        "ECS service",
        "ECS service",
        "target group",
        "target group",
        "listener rule",
        "task definition",
        "alarm",
    ]
    assert found["there"][5]["is_now"] == "web runs shop/web:none"
    assert found["there"][5]["changes"].endswith("web: shop/web:2")
    assert "ecs:UpdateService" in actions_of(found["policy"])
    assert plan("-f", written(tmp_path, place), "--policy") == 0
    assert json.loads(capsys.readouterr().out) == found["policy"]


@pytest.mark.real
def test_plan_says_in_what_the_second_side_is_unlike_the_first(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, place)
    assert plan("-f", path, "--json") == 0
    assert "unlike" not in capsys.readouterr().out
    boto3.client("ecs").update_service(
        cluster=place.cluster, service=place.services[1], deploymentConfiguration={"maximumPercent": 150}
    )
    assert plan("-f", path, "--json") == 0
    first, second = json.loads(capsys.readouterr().out)["there"][:2]
    assert "unlike" not in first["is_now"]
    assert second["is_now"].endswith(f"unlike {place.services[0]} in deploymentConfiguration")


@pytest.mark.real
def test_plan_says_everything_that_is_wrong_with_its_mend_and_ends_with_2(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = f"{ARN.replace('eu-central-1', 'us-east-1')}:targetgroup/nobody/1234567890123456"
    path = written(tmp_path, place, services=[place.services[0], "nobody"], target_groups=[place.groups[0], nobody])
    assert plan("-f", path) == 2
    said = " ".join(capsys.readouterr().out.split())
    assert f"The cluster {place.cluster} has no service nobody." in said
    assert "There is no target group nobody." in said
    assert "does not forward to just these two target groups" in said
