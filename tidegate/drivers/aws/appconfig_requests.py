"""What is asked of AppConfig for one environment, as plain data. What it says comes back through `appconfig_seen.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.core.flags.codec import digest, encode
from tidegate.core.flags.document import FlagDocument
from tidegate.core.strategy import Strategy
from tidegate.drivers.aws.call import Call, Manner

SERVICE = "appconfig"
MOST = 50
"""Items of a page."""
BY_US = "tidegate "
"""How our deployments describe themselves, before the rollout that they are of."""


@dataclass(frozen=True, slots=True)
class Place:
    """Ids of what the environment's file names."""

    application: str
    environment: str
    profile: str

    @property
    def parameters(self) -> dict[str, str]:
        return {"ApplicationId": self.application, "EnvironmentId": self.environment}


def label_of(document: FlagDocument) -> str:
    """Of the hosted version that holds this document: it is found again by it, and nobody makes it by chance."""
    return f"tidegate-{document.number}-{digest(document).removeprefix('sha256:')[:12]}"


def applications() -> Call:
    return Call(SERVICE, "list_applications", {"MaxResults": MOST})


def environments(application: str) -> Call:
    return Call(SERVICE, "list_environments", {"ApplicationId": application, "MaxResults": MOST})


def profiles(application: str) -> Call:
    return Call(SERVICE, "list_configuration_profiles", {"ApplicationId": application, "MaxResults": MOST})


def deployments(place: Place) -> Call:
    """Newest first."""
    return Call(SERVICE, "list_deployments", {**place.parameters, "MaxResults": MOST})


def deployment(place: Place, number: int) -> Call:
    return Call(SERVICE, "get_deployment", {**place.parameters, "DeploymentNumber": number})


def hosted(place: Place, label: str) -> Call:
    of = {"ApplicationId": place.application, "ConfigurationProfileId": place.profile}
    return Call(SERVICE, "list_hosted_configuration_versions", {**of, "VersionLabel": label, "MaxResults": MOST})


def host(place: Place, document: FlagDocument) -> Call:
    content = {
        "ApplicationId": place.application,
        "ConfigurationProfileId": place.profile,
        "Description": f"flag document {document.number} of {document.application}",
        "Content": encode(document).encode(errors="surrogatepass"),
        "ContentType": "application/json",
        "VersionLabel": label_of(document),
    }
    return Call(SERVICE, "create_hosted_configuration_version", content, Manner.ONCE)


def strategies() -> Call:
    return Call(SERVICE, "list_deployment_strategies", {"MaxResults": MOST})


def shape_of(item: Mapping[str, Any]) -> tuple[str, float, int, int]:
    """Of a strategy as AppConfig tells it."""
    numbers = item.get("DeploymentDurationInMinutes", 0), item.get("FinalBakeTimeInMinutes", 0)
    return str(item.get("GrowthType", "LINEAR")), float(item.get("GrowthFactor", 100.0)), int(numbers[0]), int(numbers[1])


def make_strategy(strategy: Strategy) -> Call:
    shape = {
        "Name": strategy.name,
        "Description": "Made by Tidegate for a plan.",
        "DeploymentDurationInMinutes": strategy.duration,
        "GrowthType": strategy.growth,
        "GrowthFactor": strategy.factor,
        "FinalBakeTimeInMinutes": strategy.bake,
        "ReplicateTo": "NONE",
    }
    return Call(SERVICE, "create_deployment_strategy", shape, Manner.ONCE)


def start(place: Place, *, version: int, strategy: str, rollout: str, after: int) -> Call:
    """`after` is the number of the last deployment that was seen: when there is another one by now, it is refused."""
    wanted = {
        "DeploymentStrategyId": strategy,
        "ConfigurationProfileId": place.profile,
        "ConfigurationVersion": str(version),
        "Description": BY_US + rollout,
        "LatestDeploymentNumber": after,
    }
    return Call(SERVICE, "start_deployment", {**place.parameters, **wanted}, Manner.ONCE)


def stop(place: Place, number: int) -> Call:
    """Whatever it has come to, everybody has again what was deployed before."""
    return Call(
        SERVICE, "stop_deployment", {**place.parameters, "DeploymentNumber": number, "AllowRevert": True}, Manner.PATIENT
    )
