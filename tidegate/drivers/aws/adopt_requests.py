"""What is asked of ECS and of the load balancer to make a second side like the first, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.drivers.aws import alb_seen as seen
from tidegate.drivers.aws.call import Call, Manner

_GROUP = (
    "Protocol",
    "ProtocolVersion",
    "Port",
    "VpcId",
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckEnabled",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
    "TargetType",
    "IpAddressType",
)
"""What CreateTargetGroup takes of what DescribeTargetGroups tells."""
OF_A_SERVICE = (
    "taskDefinition",
    "capacityProviderStrategy",
    "platformVersion",
    "deploymentConfiguration",
    "placementConstraints",
    "placementStrategy",
    "networkConfiguration",
    "healthCheckGracePeriodSeconds",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "availabilityZoneRebalancing",
)
"""What CreateService takes of what DescribeServices tells. Not the service registries: under one name they would send users to
both sides, past the weights."""
LONGEST_NAME = 32
"""Of a target group."""


def group_name(other: str) -> str:
    """The target group of the second service is called as that, as far as there is room."""
    return other.replace("_", "-")[:LONGEST_NAME].strip("-")


def group_by_arn(arn: str) -> Call:
    return Call("elbv2", "describe_target_groups", {"TargetGroupArns": [arn]})


def group_by_name(name: str) -> Call:
    return Call("elbv2", "describe_target_groups", {"Names": [name]})


def attributes_of(arn: str) -> Call:
    return Call("elbv2", "describe_target_group_attributes", {"TargetGroupArn": arn})


def copy_group(group: Mapping[str, Any], name: str) -> Call:
    """Said again it gives the one that is there."""
    return Call("elbv2", "create_target_group", {"Name": name} | {key: group[key] for key in _GROUP if key in group})


def copy_attributes(attributes: Sequence[Mapping[str, Any]], arn: str) -> Call:
    return Call("elbv2", "modify_target_group_attributes", {"TargetGroupArn": arn, "Attributes": list(attributes)})


def forward_to_both(rule: Mapping[str, Any], first: str, second: str) -> Call:
    """Everything stays where it is: the first has all the weight. Other actions of the rule stay."""
    groups = [{"TargetGroupArn": first, "Weight": 999}, {"TargetGroupArn": second, "Weight": 0}]
    config = {"TargetGroups": groups, "TargetGroupStickinessConfig": {"Enabled": False}}
    others = [dict(action) for action in rule.get("Actions", ()) if action.get("Type") != "forward"]
    forward: dict[str, Any] = {"Type": "forward", "ForwardConfig": config}
    if others:
        forward["Order"] = 1 + max(int(action.get("Order", 1)) for action in others)
    return Call("elbv2", "modify_rule", {"RuleArn": rule["RuleArn"], "Actions": [*others, forward]})


def copy_service(cluster: str, service: Mapping[str, Any], name: str, group: str, token: str) -> Call:
    """Without tasks. Sent once: it is looked for before it is sent again."""
    first = service["loadBalancers"][0]
    balancer = {"targetGroupArn": group, "containerName": first["containerName"], "containerPort": first["containerPort"]}
    parameters = {key: service[key] for key in OF_A_SERVICE if service.get(key) not in (None, [], {}, "")}
    if "capacityProviderStrategy" not in parameters and service.get("launchType"):
        parameters["launchType"] = service["launchType"]
    if service.get("propagateTags") not in (None, "NONE"):
        parameters["propagateTags"] = service["propagateTags"]
    parameters |= {
        "cluster": cluster,
        "serviceName": name,
        "desiredCount": 0,
        "loadBalancers": [balancer],
        "clientToken": token,
    }
    return Call("ecs", "create_service", parameters, Manner.ONCE)


def tag_definition(arn: str, service: str, version: str, digest: str) -> Call:
    tags = {seen.SERVICE: service, seen.VERSION: version, seen.DIGEST: digest}
    return Call("ecs", "tag_resource", {"resourceArn": arn, "tags": [{"key": k, "value": v} for k, v in tags.items()]})
