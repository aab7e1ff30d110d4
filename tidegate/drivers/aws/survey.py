"""What is there on AWS of what a file names, of a service or of an environment, and what a release would change. Looks only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tidegate.core.codedeploy import CodeDeploy, shift_of
from tidegate.core.environment import Environment
from tidegate.core.errors import Refused, TidegateError, Unreachable
from tidegate.core.platform import Ecs
from tidegate.core.service import Service
from tidegate.drivers.aws import alb_requests
from tidegate.drivers.aws.adopt_requests import OF_A_SERVICE
from tidegate.drivers.aws.alb_seen import STABLE, VERSION
from tidegate.drivers.aws.call import Call, Caller
from tidegate.drivers.aws.codedeploy import CodeDeployPilot
from tidegate.drivers.aws.findings import Finding, Survey, alarms, asked, asks_cloudwatch, role_of
from tidegate.drivers.aws.survey_appconfig import arns_of, survey_appconfig


def survey(file: Service | Environment, caller: Caller, region: str = "") -> Survey:
    """`caller` asks with the file's access; `region`: the one that is asked, where it is known. Raises Refused where the file
    names nothing of AWS, and Unreachable when AWS does not answer."""
    if not file.access.role:
        return _there(file, caller, region)
    role = role_of(file.access.role, caller)
    if role.wrong:
        return Survey((role,), flags=arns_of(file.access.role, region) if isinstance(file, Environment) else None)
    there = _there(file, caller, region)
    return replace(there, findings=(role, *there.findings))


def _there(file: Service | Environment, caller: Caller, region: str) -> Survey:
    if isinstance(file, Environment) and file.platform is not None:
        return survey_appconfig(file, file.platform.appconfig, caller, region)
    if isinstance(file, Service) and file.platform is not None and file.platform.ecs is not None:
        return _of_ecs(file, file.platform.ecs, caller)
    if isinstance(file, Service) and file.platform is not None and file.platform.codedeploy is not None:
        return _of_codedeploy(file, file.platform.codedeploy, caller)
    if not any(asks_cloudwatch(alarm) for alarm in file.alarms):
        raise Refused(
            f"{file.subject} asks nothing of AWS: it names neither a platform nor an alarm or metric of CloudWatch.",
            "See docs/aws.md for what there is.",
        )
    return Survey(tuple(alarms(file.alarms, caller)))


def _of_ecs(file: Service, ecs: Ecs, caller: Caller) -> Survey:
    template = file.tasks.ecs.task_definition if file.tasks.ecs else ""
    found = asked(lambda: caller.do(alb_requests.look(ecs)[2]))
    services = {one["serviceName"]: one for one in (found or {}).get("services", ()) if one.get("status") == "ACTIVE"}
    described = asked(lambda: caller.do(alb_requests.describe_definition(template)))
    definition: Mapping[str, Any] = described.get("taskDefinition", {}) if described else {}
    versions = {name: _version(caller, services.get(name)) for name in ecs.services}
    findings = [
        *(
            _service(ecs, name, group, services.get(name), versions[name] + _unlike(ecs, services, name))
            for name, group in zip(ecs.services, ecs.target_groups, strict=True)
        ),
        *(_targets(caller, group) for group in ecs.target_groups),
        _rule(caller, ecs),
        _definition(file, definition),
        *alarms(file.alarms, caller),
    ]
    return Survey(tuple(findings), _roles(definition))


def _roles(definition: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(definition[key] for key in ("taskRoleArn", "executionRoleArn") if definition.get(key))


def _of_codedeploy(file: Service, place: CodeDeploy, caller: Caller) -> Survey:
    name, wrong, mend = f"{place.application}/{place.deployment_group}", "", ""
    pilot, is_now, arn = CodeDeployPilot(place, lambda: caller, lambda: datetime.now(UTC)), "not there", ""
    try:
        group = pilot.group()
        is_now = str(group)
        arn = pilot.arn(group)
        pilot.check(file)
    except Unreachable:
        raise
    except TidegateError as error:
        wrong, mend = error.what, error.mend
    template = file.tasks.ecs.task_definition if file.tasks.ecs else ""
    described = asked(lambda: caller.do(alb_requests.describe_definition(template)))
    definition: Mapping[str, Any] = described.get("taskDefinition", {}) if described else {}
    changes = f"a deployment for each version, by {shift_of(file.plan.resolve()).name}"
    finding = Finding("deployment group", name, is_now, changes, wrong, mend)
    return Survey((finding, _definition(file, definition), *alarms(file.alarms, caller)), _roles(definition), arn)


def _version(caller: Caller, service: Mapping[str, Any] | None) -> str:
    """Which version it runs; "" when that is none of ours."""
    answer = asked(lambda: caller.do(alb_requests.describe_definition(service["taskDefinition"]))) if service else None
    version = alb_requests.read_definition(answer).version if answer else ""
    return f" ({version})" if version else ""


def _unlike(ecs: Ecs, services: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """In what this second side differs from the first one, where it should be like it."""
    first, second = ecs.services
    if name != second or not {first, second} <= services.keys():
        return ""
    one, other = services[first], services[second]
    differs = [key for key in OF_A_SERVICE if key != "taskDefinition" and (one.get(key) or None) != (other.get(key) or None)]
    return f"; unlike {first} in {', '.join(differs)}" if differs else ""


def _service(ecs: Ecs, name: str, group: str, found: Mapping[str, Any] | None, more: str) -> Finding:
    kind = "ECS service"
    if found is None:
        mend = "Make it like the other one, or correct the name."
        return Finding(kind, name, "not there", wrong=f"The cluster {ecs.cluster} has no service {name}.", mend=mend)
    definition = str(found["taskDefinition"]).rpartition("/")[2]
    is_now = f"{found.get('desiredCount', 0)} tasks of {definition}{more}"
    controller = (found.get("deploymentController") or {}).get("type", "ECS")
    groups = [one.get("targetGroupArn") for one in found.get("loadBalancers", ())]
    if controller != "ECS":
        wrong, mend = f"{name} is deployed by {controller}.", "Make a service with the deployment controller ECS."
    elif groups and group not in groups:
        wrong = f"{name} puts its tasks into {_short(groups[0])}, and not into {_short(group)}."
        mend = "Put services and target_groups into the same order."
    else:
        wrong = mend = ""
    return Finding(kind, name, is_now, "its task definition and its count", wrong, mend)


def _targets(caller: Caller, group: str) -> Finding:
    answer = asked(lambda: caller.do(Call("elbv2", "describe_target_health", {"TargetGroupArn": group})))
    if answer is None:
        wrong = f"There is no target group {_short(group)}."
        return Finding("target group", _short(group), "not there", wrong=wrong, mend="Make it, or correct its ARN.")
    states = [one["TargetHealth"]["State"] for one in answer.get("TargetHealthDescriptions", ())]
    return Finding("target group", _short(group), f"{states.count('healthy')} of {len(states)} targets are healthy")


def _rule(caller: Caller, ecs: Ecs) -> Finding:
    kind, name = "listener rule", ecs.listener_rule.rpartition("/")[2]
    look = alb_requests.look(ecs)
    rules = asked(lambda: caller.do(look[0]))
    if not rules or not rules.get("Rules"):
        return Finding(kind, name, "not there", wrong=f"There is no rule {name}.", mend="Make it, or correct its ARN.")
    tags = asked(lambda: caller.do(look[1])) or {}
    stable = next((tag["Value"] for one in tags.get("TagDescriptions", ()) for tag in one["Tags"] if tag["Key"] == STABLE), "")
    weights = alb_requests.weights_in(rules["Rules"][0])
    said = ", ".join(f"{_short(group)} {weight}" for group, weight in weights.items())
    wrong = mend = ""
    if set(weights) != set(ecs.target_groups):
        wrong = f"The rule {name} does not forward to just these two target groups."
        mend = "Let it forward to both, one with the weight 0; or: tidegate aws adopt."
    is_now = f"forwards to {said or 'nobody'}" + (f"; {stable} serves" if stable else "")
    return Finding(kind, name, is_now, "its weights, its stickiness and its tags", wrong, mend)


def _definition(file: Service, definition: Mapping[str, Any]) -> Finding:
    ecs, kind = file.tasks.ecs, "task definition"
    name = ecs.task_definition if ecs else ""
    if not definition:
        return Finding(
            kind, name, "not there", wrong=f"There is no task definition {name}.", mend="Register it, or correct it."
        )
    images = {one["name"]: one.get("image", "") for one in definition.get("containerDefinitions", ())}
    wanted = dict(ecs.images) if ecs else {}
    if unknown := sorted(set(wanted) - set(images)):
        wrong, mend = f"{name} has no container {unknown[0]}.", f"Its containers: {', '.join(images)}."
        return Finding(kind, name, "there", wrong=wrong, mend=mend)
    other = [f"{one}: {image}" for one, image in wanted.items() if images[one] != image]
    changes = f"a copy with the tag {VERSION}" + (f" and {', '.join(other)}" if other else "")
    running = ", ".join(f"{one} runs {image}" for one, image in images.items())
    return Finding(kind, name, running, f"nothing; each version is registered as {changes}")


def _short(arn: str) -> str:
    """web-blue of its ARN."""
    parts = arn.split("/")
    return parts[1] if len(parts) > 1 else arn
