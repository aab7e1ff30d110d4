"""What Tidegate's role has to be allowed on AWS for one file, and nothing more: an IAM policy, as plain data.

Reading calls whose service knows no permissions by resource are allowed for all (`*`): nothing narrower can be written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tidegate.core.codedeploy import CodeDeploy
from tidegate.core.environment import Environment
from tidegate.core.platform import Ecs
from tidegate.core.service import Service
from tidegate.drivers.aws.alb_requests import family_of
from tidegate.drivers.aws.findings import FlagArns, asks_metric

TASKS = "ecs-tasks.amazonaws.com"


def policy_of(
    file: Service | Environment,
    roles: Sequence[str] = (),
    namespace: str = "",
    service: str = "",
    flags: FlagArns | None = None,
) -> dict[str, Any]:
    """`roles`: those of the tasks, which ECS is handed. `namespace`: where our own figures are published. `service`: ARN of the
    ECS service that CodeDeploy releases; "" when nobody has looked it up. `flags`: where AppConfig deploys."""
    statements = [*_of_alarms(file)]
    if isinstance(file, Environment) and flags is not None:
        statements = [*_of_appconfig(flags), *statements]
    if isinstance(file, Service) and file.platform is not None and file.platform.ecs is not None:
        statements = [*_of_ecs(file, file.platform.ecs, roles), *_of_rule(file.platform.ecs), *statements]
    if isinstance(file, Service) and file.platform is not None and file.platform.codedeploy is not None:
        statements = [*_of_codedeploy(file, file.platform.codedeploy, roles, service), *statements]
    reads = _reading(file)
    statements += [reads] if reads else []
    return _document([*statements, *_own_figures(namespace)])


def agents_policy(flags: FlagArns) -> dict[str, Any]:
    """What the role of those needs that read flags from AppConfig: the agents beside the applications."""
    verbs = ["appconfig:GetLatestConfiguration", "appconfig:StartConfigurationSession"]
    return _document([_allow("ReadFlags", verbs, [flags.configuration])])


def controller_policy(role: str, namespace: str = "") -> dict[str, Any]:
    """What the controller needs by itself, where a file names a role for all the rest."""
    return _document([_allow("AssumeRole", ["sts:AssumeRole"], [role]), *_own_figures(namespace)])


def trust_policy(who: str) -> dict[str, Any]:
    """Of the role: whom it trusts. `who` is an ARN as STS tells it; "" when nobody knows."""
    session = re.fullmatch(r"arn:(.+):sts::(\d+):assumed-role/([^/]+)/.*", who)
    principal = f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}" if session else who or _SOMEBODY
    statement = {"Sid": "Controller", "Effect": "Allow", "Principal": {"AWS": principal}, "Action": ["sts:AssumeRole"]}
    return _document([statement | {"Condition": {"StringLike": {"sts:RoleSessionName": "tidegate*"}}}])


_SOMEBODY = "arn:aws:iam::ACCOUNT-OF-THE-CONTROLLER:role/ITS-ROLE"


def _own_figures(namespace: str) -> list[dict[str, Any]]:
    condition = {"StringEquals": {"cloudwatch:namespace": namespace}}
    return [_allow("OwnFigures", ["cloudwatch:PutMetricData"], ["*"], condition)] if namespace else []


def _document(statements: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def actions_of(policy: dict[str, Any]) -> set[str]:
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def _of_ecs(file: Service, ecs: Ecs, roles: Sequence[str]) -> list[dict[str, Any]]:
    here = _account(ecs)
    services = [f"{here}:service/{ecs.cluster}/{name}" for name in ecs.services]
    return [*_of_services(services), *_of_revisions(file, here, roles), *_of_last_words(here, ecs.cluster)]


def _of_codedeploy(file: Service, place: CodeDeploy, roles: Sequence[str], service: str) -> list[dict[str, Any]]:
    """What works on deployments by their ids alone cannot be had more narrowly than for all."""
    here = service.partition(":service/")[0] or "arn:aws:ecs:*:*"
    there = here.replace(":ecs:", ":codedeploy:", 1)
    group = [f"{there}:deploymentgroup:{place.application}/{place.deployment_group}"]
    verbs = ("CreateDeployment", "GetDeploymentGroup", "ListDeployments", "BatchGetDeployments")
    anywhere = ("ListDeploymentTargets", "BatchGetDeploymentTargets", "StopDeployment", "ContinueDeployment")
    revisions = ("GetApplicationRevision", "RegisterApplicationRevision")
    configs = ("CreateDeploymentConfig", "GetDeploymentConfig")
    return [
        _allow("Deployments", [f"codedeploy:{verb}" for verb in verbs], group),
        _allow("DeploymentsById", [f"codedeploy:{verb}" for verb in anywhere], ["*"]),
        _allow("AppSpecs", [f"codedeploy:{verb}" for verb in revisions], [f"{there}:application:{place.application}"]),
        _allow("DeploymentConfigs", [f"codedeploy:{verb}" for verb in configs], [f"{there}:deploymentconfig:*"]),
        *_of_services([service or "*"]),
        *_of_revisions(file, here, roles),
    ]


def _of_appconfig(flags: FlagArns) -> list[dict[str, Any]]:
    """AppConfig wants an action allowed for each resource that it is about. Lists of all, and what is new, have none."""
    deployments = f"{flags.environment}/deployment/*"
    versions = ("CreateHostedConfigurationVersion", "ListHostedConfigurationVersions")
    verbs = ("GetDeployment", "ListDeployments", "StopDeployment")
    everywhere = ("CreateDeploymentStrategy", "ListApplications", "ListDeploymentStrategies")
    inside = ("ListConfigurationProfiles", "ListEnvironments")
    started = [flags.application, flags.environment, flags.profile, deployments, flags.strategies]
    return [
        _allow("FindApplication", [f"appconfig:{verb}" for verb in everywhere], ["*"]),
        _allow("FindNames", [f"appconfig:{verb}" for verb in inside], [flags.application]),
        _allow("Documents", [f"appconfig:{verb}" for verb in versions], [flags.application, flags.profile]),
        _allow("Deployments", [f"appconfig:{verb}" for verb in verbs], [flags.application, flags.environment, deployments]),
        _allow("StartDeployments", ["appconfig:StartDeployment"], started),
    ]


def _of_services(services: Sequence[str]) -> list[dict[str, Any]]:
    return [_allow("Services", ["ecs:DescribeServices", "ecs:UpdateService"], services)]


def _of_last_words(here: str, cluster: str) -> list[dict[str, Any]]:
    """Why tasks ended, of versions that are given up. Tasks are listed by cluster, and have no other name before."""
    condition = {"ArnEquals": {"ecs:cluster": f"{here}:cluster/{cluster}"}}
    return [
        _allow("StoppedTasks", ["ecs:ListTasks"], ["*"], condition),
        _allow("LastWords", ["ecs:DescribeTasks"], [f"{here}:task/{cluster}/*"]),
    ]


def _of_revisions(file: Service, here: str, roles: Sequence[str]) -> list[dict[str, Any]]:
    family = family_of(file.tasks.ecs) if file.tasks.ecs else "*"
    found = [
        _allow(
            "Revisions",
            ["ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions", "ecs:RegisterTaskDefinition"],
            ["*"],
        ),
        _allow(
            "TagRevisions",
            ["ecs:TagResource"],
            [f"{here}:task-definition/{family}:*"],
            {"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}},
        ),
    ]
    if roles:
        found.append(
            _allow("PassRoles", ["iam:PassRole"], sorted(set(roles)), {"StringEquals": {"iam:PassedToService": TASKS}})
        )
    return found


def _of_rule(ecs: Ecs) -> list[dict[str, Any]]:
    looks = [f"elasticloadbalancing:Describe{what}" for what in ("Rules", "Tags", "TargetHealth")]
    writes = ["elasticloadbalancing:AddTags", "elasticloadbalancing:ModifyRule"]
    return [_allow("SeeRule", looks, ["*"]), _allow("ChangeRule", writes, [ecs.listener_rule])]


def _of_alarms(file: Service | Environment) -> list[dict[str, Any]]:
    """Those that it names, and those that AppConfig monitors. Composite alarms are only told to who may see all."""
    monitored = isinstance(file, Environment) and file.platform is not None
    named = any(alarm.cloudwatch is not None for alarm in file.alarms)
    return [_allow("Alarms", ["cloudwatch:DescribeAlarms"], ["*"])] if named or monitored else []


def _reading(file: Service | Environment) -> dict[str, Any] | None:
    ecs = file.platform.ecs if isinstance(file, Service) and file.platform is not None else None
    counted = ecs is not None and ecs.counted_by is not None
    is_asked = counted or any(asks_metric(alarm) for alarm in file.alarms)
    return _allow("Metrics", ["cloudwatch:GetMetricData"], ["*"]) if is_asked else None


def _account(ecs: Ecs) -> str:
    """arn:aws:ecs:REGION:ACCOUNT, of the account and the region that the rule is in."""
    _, partition, _, region, account, _ = ecs.listener_rule.split(":", 5)
    return f"arn:{partition}:ecs:{region}:{account}"


def _allow(
    name: str, actions: Sequence[str], resources: Sequence[str], condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    statement = {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": list(resources)}
    return statement | ({"Condition": condition} if condition else {})
