"""A deployment group of CodeDeploy, as far as it matters: its ECS service, whether it asks before users come, and for how
long old tasks stay. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tidegate.core.codedeploy import MINUTE, CodeDeploy, shift_of
from tidegate.core.duration import say_duration
from tidegate.core.errors import Invalid
from tidegate.core.plan import Plan
from tidegate.drivers.aws.call import Answer


@dataclass(frozen=True, slots=True)
class Group:
    cluster: str
    service: str
    asks: bool = False
    keeps: timedelta = timedelta(0)
    alarms: tuple[str, ...] = ()

    def __str__(self) -> str:
        by = f"it goes back by {', '.join(self.alarms)}" if self.alarms else "no alarms turn it back"
        return f"for {self.cluster}/{self.service}; old tasks stay {say_duration(self.keeps)}; {by}"


def read_group(place: CodeDeploy, answer: Answer) -> Group:
    """Raises Invalid when it is for something else than one ECS service."""
    told = answer.get("deploymentGroupInfo", {})
    services = told.get("ecsServices", ())
    if len(services) != 1:
        raise Invalid(
            f"The deployment group {place.deployment_group} is for {len(services)} ECS services.",
            "Name one whose compute platform is ECS.",
            "platform.codedeploy.deployment_group",
        )
    options = told.get("blueGreenDeploymentConfiguration") or {}
    asks = (options.get("deploymentReadyOption") or {}).get("actionOnTimeout") == "STOP_DEPLOYMENT"
    keeps = (options.get("terminateBlueInstancesOnDeploymentSuccess") or {}).get("terminationWaitTimeInMinutes", 0)
    alarms = tuple(one["name"] for one in (told.get("alarmConfiguration") or {}).get("alarms", ()))
    return Group(services[0]["clusterName"], services[0]["serviceName"], asks, keeps * MINUTE, alarms)


def must_have_time(plan: Plan, group: Group) -> None:
    """Raises Invalid for what the plan asks for, and the group does not give."""
    if shift_of(plan).first and not group.asks:
        raise Invalid(
            "The plan begins with a step of 0%, and the deployment group lets users in without asking.",
            "Give the group a deploymentReadyOption with STOP_DEPLOYMENT and a waiting time, or take the step out.",
            "plan",
        )
    bake = plan.steps[-1].hold
    if bake > group.keeps:
        raise Invalid(
            f"The plan bakes for {say_duration(bake)}, and the group ends the old tasks after {say_duration(group.keeps)}.",
            "Raise the group's terminationWaitTimeInMinutes, or shorten plan.bake.",
            "plan.bake",
        )
