"""What is asked of ECS and of the load balancer, as plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.core.exposure import FULL, NONE, Exposure
from tidegate.core.platform import Ecs, EcsTasks
from tidegate.core.service import Service
from tidegate.drivers.aws import alb_seen as seen
from tidegate.drivers.aws.call import Answer, Call, Manner

MOST_REVISIONS = 20
"""Of a task definition's newest revisions that are looked through for one that was registered before a crash."""

_COPIED = (
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "inferenceAccelerators",
    "ephemeralStorage",
    "runtimePlatform",
    "enableFaultInjection",
)
"""What RegisterTaskDefinition takes of what DescribeTaskDefinition tells."""


def look(ecs: Ecs) -> tuple[Call, Call, Call, Call, Call]:
    """One look: rule, its tags, both services, and the targets of each group."""
    return (
        Call("elbv2", "describe_rules", {"RuleArns": [ecs.listener_rule]}),
        Call("elbv2", "describe_tags", {"ResourceArns": [ecs.listener_rule]}),
        Call("ecs", "describe_services", {"cluster": ecs.cluster, "services": list(ecs.services)}),
        Call("elbv2", "describe_target_health", {"TargetGroupArn": ecs.target_groups[0]}),
        Call("elbv2", "describe_target_health", {"TargetGroupArn": ecs.target_groups[1]}),
    )


def weights_in(rule: Mapping[str, Any]) -> dict[str, int]:
    """The target groups that a rule forwards to, with their weights."""
    return seen.forwarding(rule.get("Actions", ()))[0]


def describe_definition(arn: str) -> Call:
    return Call("ecs", "describe_task_definition", {"taskDefinition": arn, "include": ["TAGS"]})


def list_definitions(family: str) -> Call:
    parameters = {"familyPrefix": family, "status": "ACTIVE", "sort": "DESC", "maxResults": MOST_REVISIONS}
    return Call("ecs", "list_task_definitions", parameters)


def read_definition(answer: Answer) -> seen.Definition:
    tags = {tag["key"]: tag.get("value", "") for tag in answer.get("tags", ())}
    arn = answer["taskDefinition"]["taskDefinitionArn"]
    return seen.Definition(arn, tags.get(seen.VERSION, ""), tags.get(seen.DIGEST, ""))


def family_of(tasks: EcsTasks) -> str:
    return tasks.task_definition.partition(":")[0]


def digest_of(file: Service) -> str:
    """What a version is made of: a revision with another one under the same name is of another time."""
    ecs = file.tasks.ecs
    made = [file.service, ecs.task_definition if ecs else "", dict(ecs.images) if ecs else {}, dict(file.tasks.env)]
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:16]


def register_definition(file: Service, version: str, template: Answer, operation: str) -> Call:
    """The template's copy with the images and the environment of this version. Sent once: twice would make two of them."""
    ecs = file.tasks.ecs
    images: Mapping[str, str] = ecs.images if ecs else {}
    described = template["taskDefinition"]
    env = {**file.tasks.env, "TIDEGATE_SERVICE": file.service, "TIDEGATE_VERSION": version}
    containers = [_container(one, images, env) for one in described["containerDefinitions"]]
    tags = {
        seen.SERVICE: file.service,
        seen.VERSION: version,
        seen.DIGEST: digest_of(file),
        seen.OPERATION: operation,
    }
    parameters = {key: described[key] for key in _COPIED if described.get(key)}
    parameters |= {
        "containerDefinitions": containers,
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }
    return Call("ecs", "register_task_definition", parameters, Manner.ONCE)


def _container(described: Mapping[str, Any], images: Mapping[str, str], env: Mapping[str, str]) -> dict[str, Any]:
    if described["name"] not in images:
        return dict(described)
    kept = [pair for pair in described.get("environment", ()) if pair["name"] not in env]
    added = [{"name": name, "value": value} for name, value in sorted(env.items())]
    return {**described, "image": images[described["name"]], "environment": [*kept, *added]}


def run(ecs: Ecs, side: seen.Side, definition: str, count: int) -> Call:
    """This many tasks of this definition. It states a value: it may be repeated. What failed before needs a new deployment."""
    parameters: dict[str, Any] = {"cluster": ecs.cluster, "service": side.service}
    parameters |= {"taskDefinition": definition, "desiredCount": count}
    if side.definition.arn == definition:
        parameters["forceNewDeployment"] = True
    return Call("ecs", "update_service", parameters)


def scale(ecs: Ecs, side: seen.Side, count: int) -> Call:
    return Call("ecs", "update_service", {"cluster": ecs.cluster, "service": side.service, "desiredCount": count})


def restart(ecs: Ecs, side: seen.Side) -> Call:
    parameters = {"cluster": ecs.cluster, "service": side.service, "forceNewDeployment": True}
    return Call("ecs", "update_service", parameters, Manner.ONCE)


def tag(ecs: Ecs, tags: Mapping[str, str], manner: Manner = Manner.USUAL) -> Call:
    written = [{"Key": key, "Value": value} for key, value in tags.items()]
    return Call("elbv2", "add_tags", {"ResourceArns": [ecs.listener_rule], "Tags": written}, manner)


def weigh(
    ecs: Ecs, actions: Sequence[Mapping[str, Any]], weights: Mapping[str, int], exposure: Exposure, manner: Manner
) -> Call:
    """The commit point. ModifyRule replaces all actions of the rule: the others (sign users in) are sent as they were."""
    keeps = NONE < exposure < FULL
    sticky: dict[str, Any] = {"Enabled": keeps}
    if keeps:
        sticky["DurationSeconds"] = round(ecs.sticky.total_seconds())
    groups = [{"TargetGroupArn": group, "Weight": weights[group]} for group in ecs.target_groups]
    forward: dict[str, Any] = {
        "Type": "forward",
        "ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": sticky},
    }
    others = [dict(action) for action in actions if action.get("Type") != "forward"]
    if others:
        forward["Order"] = 1 + max(int(action.get("Order", 1)) for action in others)
    return Call("elbv2", "modify_rule", {"RuleArn": ecs.listener_rule, "Actions": [*others, forward]}, manner)
