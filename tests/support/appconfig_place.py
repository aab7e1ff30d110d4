"""An AppConfig to deploy to: ministack, whose minutes take two seconds here, and what a team has made in it before."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from tests.support.emulators import PROGRAMS, running
from tests.support.ports import free_port

MINUTE = 2.0
"""Seconds of one of its minutes."""
_QUICK = """
import sys
from ministack.services import appconfig
appconfig._DEPLOYMENT_MINUTE_SECONDS = float(sys.argv.pop())
from ministack.app import main
main()
"""


@contextmanager
def quick_ministack(directory: Path, minute: float = MINUTE) -> Iterator[str]:
    """Its URL. `minute`: how many seconds one of its minutes takes."""
    port = free_port()
    env = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "DOCKER_HOST": "unix:///nowhere", "HOME": str(directory)}
    with running([str(PROGRAMS / "python"), "-c", _QUICK, str(minute)], env, port, directory / "ministack.log") as url:
        yield url


@dataclass(frozen=True)
class Place:
    """Application `name`, with an environment prod, a profile flags, and an alarm of the same name that it monitors."""

    name: str
    application: str
    environment: str
    profile: str

    def platform(self, **changes: Any) -> dict[str, Any]:
        return {"appconfig": {"application": self.name, "profile": "flags"} | changes}

    def alarm(self, state: str) -> None:
        boto3.client("cloudwatch").set_alarm_state(AlarmName=self.name, StateValue=state, StateReason="the test says so")

    def deployments(self) -> list[dict[str, Any]]:
        """Oldest first."""
        found = boto3.client("appconfig").list_deployments(ApplicationId=self.application, EnvironmentId=self.environment)
        return sorted(found["Items"], key=lambda item: item["DeploymentNumber"])

    def states(self) -> list[tuple[str, str]]:
        """Of each deployment, in order: the number of our document, and its state."""
        return [(item.get("VersionLabel", "-?").split("-")[1], item["State"]) for item in self.deployments()]

    def hosted(self) -> int:
        client = boto3.client("appconfig")
        of = {"ApplicationId": self.application, "ConfigurationProfileId": self.profile}
        return len(client.list_hosted_configuration_versions(**of)["Items"])

    def deploy(self, content: bytes = b"{}", strategy: str = "AppConfig.Linear20PercentEvery6Minutes") -> int:
        """By somebody else; the number of the deployment."""
        client = boto3.client("appconfig")
        of = {"ApplicationId": self.application, "ConfigurationProfileId": self.profile}
        made = client.create_hosted_configuration_version(**of, Content=content, ContentType="application/json")
        begun = client.start_deployment(
            **of,
            EnvironmentId=self.environment,
            DeploymentStrategyId=strategy,
            ConfigurationVersion=str(made["VersionNumber"]),
        )
        return int(begun["DeploymentNumber"])


def make_place() -> Place:
    name = f"t{uuid.uuid4().hex[:10]}"
    cloudwatch, client = boto3.client("cloudwatch"), boto3.client("appconfig")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Shop",
        MetricName="Failed",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="the test says so")
    arn = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["AlarmArn"]
    application = client.create_application(Name=name)["Id"]
    environment = client.create_environment(ApplicationId=application, Name="prod", Monitors=[{"AlarmArn": arn}])["Id"]
    profile = client.create_configuration_profile(ApplicationId=application, Name="flags", LocationUri="hosted")["Id"]
    return Place(name, application, environment, profile)
