"""Releases by CodeDeploy as a person does them: a real Tidegate, real boto3, and over HTTP a CodeDeploy that is a state machine
of ours and not AWS's, whose minutes take eight seconds. The alarm is moto's.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from tests.support.codedeploy_server import CodeDeployServer
from tests.support.codedeploy_world import PLACE
from tests.support.our_codedeploy import OurCodeDeploy
from tests.support.walk import Tidegate, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
HALVES = {"linear": {"step": "50%", "every": "1m"}, "bake": "0s", "keep_baseline": "1s"}
SLOW = {"linear": {"step": "10%", "every": "10m"}, "bake": "0s"}
ALARM = "our-codedeploy-walk"


@pytest.fixture
def ours() -> Iterator[CodeDeployServer]:
    machine = OurCodeDeploy(lambda: datetime.now(UTC), minute=timedelta(seconds=8))
    with CodeDeployServer(machine) as server:
        yield server


@pytest.fixture
def tidegate(ours: CodeDeployServer, cloudwatch_at: str) -> Iterator[Tidegate]:
    boto3.client("cloudwatch").put_metric_alarm(
        AlarmName=ALARM,
        Namespace="Shop",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    boto3.client("cloudwatch").set_alarm_state(AlarmName=ALARM, StateValue="OK", StateReason="the test says so")
    urls = {f"AWS_ENDPOINT_URL_{service}": ours.url for service in ("CODEDEPLOY", "ECS")}
    with Tidegate(tick="200ms", **urls) as tidegate:
        yield tidegate


def deploy(tidegate: Tidegate, version: str, plan: object, *words: str) -> subprocess.CompletedProcess[str]:
    ecs = {"task_definition": "web:1", "images": {"web": f"shop/web:{version}"}}
    content = {
        "service": "web",
        "platform": {"codedeploy": PLACE},
        "tasks": {"ecs": ecs, "count": 2},
        "plan": plan,
        "alarms": [{"name": "errors", "cloudwatch": ALARM, "missing": "not_breaching"}],
    }
    return tidegate.tidegate("deploy", "-f", tidegate.write(content), "--version", version, "--plain", *words)


def test_a_good_version_survives_a_killed_controller_and_a_bad_one_goes_back_by_our_codedeploy_not_aws_s(
    tidegate: Tidegate, ours: CodeDeployServer
) -> None:
    ours.machine.keeps = 0
    done = deploy(tidegate, "v1", "all_at_once bake 0s")
    assert done.returncode == 0, done.stdout + done.stderr
    tidegate.tidied("web-1")

    ours.machine.keeps = 5
    done = deploy(tidegate, "v2", HALVES, "--detach")
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: users(ours).get("shop/web:v2") == 50, 60, "half of the users are on v2", tidegate.words)
    killed = tidegate.kill("controller")
    tidegate.back("controller", killed)
    tidegate.answers()
    watched = tidegate.tidegate("watch", "web", "--plain")
    assert watched.returncode == 0, watched.stdout + watched.stderr
    assert "Its requests were not counted: CodeDeploy led it." in watched.stdout
    tidegate.tidied("web-2")
    until(lambda: users(ours) == {"shop/web:v2": 100}, 60, "the deployment is over")
    assert forward(ours) == ["tidegate web-1 v1", "tidegate web-2 v2"]

    done = deploy(tidegate, "v3", SLOW, "--detach")
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: tidegate.rollout("web-3")["applied"] == "10%", 60, "v3 is seen", tidegate.words)
    boto3.client("cloudwatch").set_alarm_state(AlarmName=ALARM, StateValue="ALARM", StateReason="the test says so")
    watched = tidegate.tidegate("watch", "web", "--plain")
    assert watched.returncode == 3, watched.stdout + watched.stderr
    assert f"CloudWatch's alarm {ALARM} is ALARM" in " ".join(watched.stdout.split())
    assert users(ours) == {"shop/web:v2": 100}
    assert forward(ours) == ["tidegate web-1 v1", "tidegate web-2 v2", "tidegate web-3 v3"]
    asked = Counter(call.operation for call in ours.machine.calls)
    assert (asked["register_task_definition"], asked["create_deployment"], asked["stop_deployment"]) == (3, 3, 1)
    assert ours.broken == []


def users(ours: CodeDeployServer) -> dict[str, int]:
    """By image, its share in percent, as it was when somebody asked last."""
    with ours.lock:
        return ours.machine.users()


def forward(ours: CodeDeployServer) -> list[str]:
    with ours.lock:
        return [one.described for one in ours.machine.made if not one.undoes]
