"""Takes over an ECS service that runs behind a rule of an ALB: looks, says every change, then makes them.

A release needs two sides. The one that runs stays as it is; the other is made like it, under another name, without tasks, and
the rule forwards to both with the weight 0 for the new one. So nobody is moved. What exists already is used and not made again:
after a step that failed it is begun anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.core.errors import NotFound, Refused
from tidegate.drivers.aws import adopt_requests as requests
from tidegate.drivers.aws.alb_requests import describe_definition, weights_in
from tidegate.drivers.aws.alb_seen import SERVICE, VERSION
from tidegate.drivers.aws.call import Answer, Call, Caller, Manner

ALREADY = "already there"


@dataclass(frozen=True, slots=True)
class Found:
    """What runs now, as AWS told it."""

    cluster: str
    service: Mapping[str, Any]
    group: Mapping[str, Any]
    attributes: Sequence[Mapping[str, Any]]
    rule: Mapping[str, Any]
    definition: Mapping[str, Any]
    tags: Mapping[str, str]
    other: Mapping[str, Any] = field(default_factory=dict)  # the second service; empty while there is none
    other_group: Mapping[str, Any] = field(default_factory=dict)

    @property
    def container(self) -> str:
        """The one that users reach."""
        return str(self.service["loadBalancers"][0]["containerName"])

    @property
    def image(self) -> str:
        return next(str(one["image"]) for one in self.definition["containerDefinitions"] if one["name"] == self.container)

    @property
    def revision(self) -> str:
        """web:7"""
        return str(self.definition["taskDefinitionArn"]).rpartition("/")[2]

    @property
    def version(self) -> str:
        """The name of the version that runs, where it has one."""
        return self.tags.get(VERSION, "")


@dataclass(frozen=True, slots=True)
class Step:
    """One change. `call` is made of what was found when its turn has come; None when nothing is to do."""

    said: str
    call: Callable[[Found], Call] | None


def find(caller: Caller, cluster: str, name: str, other: str, rule: str = "") -> Found:
    """Raises NotFound or Refused, with the mend, for what cannot be taken over."""
    service = _service(caller, cluster, name)
    if service is None:
        raise NotFound(f"The cluster {cluster} has no service {name}.", "Correct the names: aws ecs list-services.")
    group_arn = _target_group(name, service)
    definition = caller.do(describe_definition(service["taskDefinition"]))
    group = caller.do(requests.group_by_arn(group_arn))["TargetGroups"][0]
    twin = _service(caller, cluster, other)
    if twin is not None:
        other_group = caller.do(requests.group_by_arn(_target_group(other, twin)))["TargetGroups"][0]
    else:
        other_group = _group_named(caller, requests.group_name(other))
    forwards = _rule(caller, group, rule)
    if strangers := set(weights_in(forwards)) - {group_arn, other_group.get("TargetGroupArn")}:
        raise Refused(
            f"The rule forwards to {min(strangers)} as well.",
            "Let it forward to one target group, or name its service with --other.",
        )
    return Found(
        cluster=cluster,
        service=service,
        group=group,
        attributes=caller.do(requests.attributes_of(group_arn))["Attributes"],
        rule=forwards,
        definition=definition["taskDefinition"],
        tags={tag["key"]: tag.get("value", "") for tag in definition.get("tags", ())},
        other=twin or {},
        other_group=other_group,
    )


def steps(found: Found, *, service: str, version: str, other: str, digest: str) -> Iterator[Step]:
    """Every change, in the order in which they are made. ECS takes only target groups that a load balancer has."""
    group = requests.group_name(other)
    if not found.other_group:
        yield Step(
            f"make the target group {group}, like {found.group['TargetGroupName']}",
            lambda now: requests.copy_group(now.group, group),
        )
        yield Step(f"give {group} the same attributes", lambda now: requests.copy_attributes(now.attributes, _arn(now)))
    if not found.other_group or _arn(found) not in weights_in(found.rule):
        said = f"let the rule forward to {found.group['TargetGroupName']} with all weight, and to {group} with none"
        yield Step(said, lambda now: requests.forward_to_both(now.rule, now.group["TargetGroupArn"], _arn(now)))
    if not found.other:
        token = hashlib.sha256(f"{found.service['serviceArn']} {other}".encode()).hexdigest()[:32]
        yield Step(
            f"make the ECS service {other}, like {found.service['serviceName']}, without tasks",
            lambda now: requests.copy_service(now.cluster, now.service, other, _arn(now), token),
        )
    if found.version != version or found.tags.get(SERVICE) != service:
        yield Step(
            f"tag the task definition {found.revision}: it is the version {version} of {service}",
            lambda now: requests.tag_definition(now.definition["taskDefinitionArn"], service, version, digest),
        )


def take(caller: Caller, found: Found, step: Step, other: str) -> Found:
    """Makes one change, and looks again at what it may have changed."""
    if step.call is not None:
        caller.do(step.call(found))
    name, rule = str(found.service["serviceName"]), str(found.rule["RuleArn"])
    return find(caller, found.cluster, name, other, rule)


def _arn(found: Found) -> str:
    return str(found.other_group["TargetGroupArn"])


def _service(caller: Caller, cluster: str, name: str) -> Mapping[str, Any] | None:
    call = Call("ecs", "describe_services", {"cluster": cluster, "services": [name]})
    found: Mapping[str, Any] | None = next(
        (one for one in caller.do(call).get("services", ()) if one.get("status") == "ACTIVE"), None
    )
    return found


def _target_group(name: str, service: Mapping[str, Any]) -> str:
    """Raises Refused for a service that cannot be one side of two."""
    groups = [one["targetGroupArn"] for one in service.get("loadBalancers", ()) if one.get("targetGroupArn")]
    controller = (service.get("deploymentController") or {}).get("type", "ECS")
    strategy = (service.get("deploymentConfiguration") or {}).get("strategy", "ROLLING")
    if controller != "ECS" or strategy != "ROLLING":
        by = controller if controller != "ECS" else f"ECS itself ({strategy})"
        raise Refused(f"{name} is released by {by} already.", "Make a service with the deployment controller ECS, ROLLING.")
    if service.get("schedulingStrategy", "REPLICA") != "REPLICA":
        raise Refused(f"{name} runs one task on each machine.", "Only services with a count of tasks have two sides.")
    if len(groups) != 1:
        raise Refused(
            f"{name} has {len(groups)} target groups.", "It has to be behind just one of an Application Load Balancer."
        )
    return str(groups[0])


def _group_named(caller: Caller, name: str) -> Mapping[str, Any]:
    try:
        groups: Sequence[Mapping[str, Any]] = caller.do(requests.group_by_name(name)).get("TargetGroups", ())
    except NotFound:
        return {}
    return groups[0] if groups else {}


def _rule(caller: Caller, group: Mapping[str, Any], wanted: str) -> Mapping[str, Any]:
    """The one rule that forwards to this group. Raises Refused when that is none, the listener's default, or several."""
    name, arn = group["TargetGroupName"], group["TargetGroupArn"]
    rules = [rule for rule in _rules(caller, group) if arn in weights_in(rule) and wanted in ("", rule["RuleArn"])]
    own = [rule for rule in rules if not rule.get("IsDefault")]
    if not own and rules:
        raise Refused(
            f"Only the default action of a listener forwards to {name}.",
            "Make a rule that does, as for the path /*: weights of the default action are not moved.",
        )
    if not own:
        raise NotFound(f"No rule of an Application Load Balancer forwards to {name}.", "Make one, or name another service.")
    if len(own) > 1:
        raise Refused(f"{len(own)} rules forward to {name}: {', '.join(r['RuleArn'] for r in own)}.", "Name one with --rule.")
    return own[0]


def _rules(caller: Caller, group: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for balancer in group.get("LoadBalancerArns", ()):
        for listener in _paged(caller, "describe_listeners", {"LoadBalancerArn": balancer}, "Listeners"):
            yield from _paged(caller, "describe_rules", {"ListenerArn": listener["ListenerArn"]}, "Rules")


def _paged(caller: Caller, operation: str, parameters: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    marker = ""
    while True:
        more = {"Marker": marker} if marker else {}
        answer: Answer = caller.do(Call("elbv2", operation, {**parameters, **more}, Manner.USUAL))
        yield from answer.get(key, ())
        marker = answer.get("NextMarker", "")
        if not marker:
            return
