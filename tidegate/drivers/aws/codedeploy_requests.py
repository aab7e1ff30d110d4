"""What is asked of CodeDeploy, and of ECS beside it, as plain data; and the AppSpec, which says what is deployed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tidegate.core.codedeploy import CodeDeploy, Shape, Shift
from tidegate.drivers.aws.call import Call, Manner

IN_FLIGHT = ("Created", "Queued", "InProgress", "Baking", "Ready")
MOST = 25
"""Deployments that are described in one call."""
OURS = "tidegate"
"""How the description of a deployment begins that we made. Nothing else tells after a crash that it was made."""


def group(place: CodeDeploy) -> Call:
    return Call("codedeploy", "get_deployment_group", _in(place))


def running(place: CodeDeploy) -> Call:
    return Call("codedeploy", "list_deployments", {**_in(place), "includeOnlyStatuses": list(IN_FLIGHT)})


def since(place: CodeDeploy, begin: datetime) -> Call:
    return Call("codedeploy", "list_deployments", {**_in(place), "createTimeRange": {"start": begin}})


def deployments(ids: Sequence[str]) -> Call:
    return Call("codedeploy", "batch_get_deployments", {"deploymentIds": list(ids[:MOST])})


def targets(deployment: str) -> Call:
    return Call("codedeploy", "list_deployment_targets", {"deploymentId": deployment})


def describe_targets(deployment: str, ids: Sequence[str]) -> Call:
    parameters = {"deploymentId": deployment, "targetIds": list(ids[:MOST])}
    return Call("codedeploy", "batch_get_deployment_targets", parameters)


def service(cluster: str, name: str) -> Call:
    return Call("ecs", "describe_services", {"cluster": cluster, "services": [name]})


def scale(cluster: str, name: str, count: int) -> Call:
    """Of all that may be updated on a service that CodeDeploy deploys, the count is one."""
    return Call("ecs", "update_service", {"cluster": cluster, "service": name, "desiredCount": count})


def configuration(shift: Shift) -> Call:
    return Call("codedeploy", "get_deployment_config", {"deploymentConfigName": shift.name})


def make_configuration(shift: Shift) -> Call:
    parameters = {
        "deploymentConfigName": shift.name,
        "computePlatform": "ECS",
        "trafficRoutingConfig": routing(shift),
    }
    return Call("codedeploy", "create_deployment_config", parameters)


def routing(shift: Shift) -> dict[str, Any]:
    match shift.shape:
        case Shape.ALL_AT_ONCE:
            return {"type": "AllAtOnce"}
        case Shape.CANARY:
            canary = {"canaryPercentage": shift.percent, "canaryInterval": shift.minutes}
            return {"type": "TimeBasedCanary", "timeBasedCanary": canary}
        case Shape.LINEAR:
            linear = {"linearPercentage": shift.percent, "linearInterval": shift.minutes}
            return {"type": "TimeBasedLinear", "timeBasedLinear": linear}


def create(place: CodeDeploy, definition: str, shift: Shift, described: str) -> Call:
    """Sent once: twice would be two of them, or a refusal of the second."""
    content = appspec(place, definition)
    digest = hashlib.sha256(content.encode()).hexdigest()
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": content, "sha256": digest}}
    parameters = {
        **_in(place),
        "revision": revision,
        "deploymentConfigName": shift.name,
        "description": described,
    }
    return Call("codedeploy", "create_deployment", parameters, Manner.ONCE)


def appspec(place: CodeDeploy, definition: str) -> str:
    """As JSON, which is YAML too: what is deployed, to which container users are sent, and who is asked on the way."""
    balancer = {"ContainerName": place.container, "ContainerPort": place.port}
    properties = {"TaskDefinition": definition, "LoadBalancerInfo": balancer}
    content: dict[str, Any] = {
        "version": 0.0,
        "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}}],
    }
    if place.hooks:
        content["Hooks"] = [{name: function} for name, function in place.hooks.items()]
    return json.dumps(content)


def describe(rollout: str, version: str) -> str:
    """The description of a deployment: whose it is, and what it brings."""
    return f"{OURS} {rollout} {version}"


def stop(deployment: str) -> Call:
    return Call("codedeploy", "stop_deployment", {"deploymentId": deployment, "autoRollbackEnabled": True}, Manner.PATIENT)


def let_in(deployment: str) -> Call:
    """Everything is installed: now users may come."""
    return _go_on(deployment, "READY_WAIT")


def let_go(deployment: str) -> Call:
    """Everybody is there: the old tasks need not wait any longer."""
    return _go_on(deployment, "TERMINATION_WAIT")


def _go_on(deployment: str, wait: str) -> Call:
    return Call("codedeploy", "continue_deployment", {"deploymentId": deployment, "deploymentWaitType": wait})


def _in(place: CodeDeploy) -> dict[str, Any]:
    return {"applicationName": place.application, "deploymentGroupName": place.deployment_group}
