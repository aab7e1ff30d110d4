"""What was seen of a service that CodeDeploy releases: its deployments, and the sets of tasks that ECS has of it.

Whose version a set of tasks is, the tags of its task definition say; how much traffic it has, the target of the deployment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tidegate.core.exposure import FULL, NONE, Exposure
from tidegate.drivers.aws.alb_seen import Definition
from tidegate.drivers.aws.call import Answer
from tidegate.drivers.aws.codedeploy_requests import IN_FLIGHT, OURS


@dataclass(frozen=True, slots=True)
class TaskSet:
    version: str
    status: str  # PRIMARY serves, ACTIVE is beside it, DRAINING goes
    running: int = 0
    began: datetime | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    id: str
    status: str
    rollout: str = ""  # "" when it is none of ours
    version: str = ""
    creator: str = ""
    description: str = ""
    created: datetime | None = None
    ended: datetime | None = None
    trouble: str = ""  # why it failed or was stopped
    rollback: str = ""  # the deployment that brings back what was before
    waits_to_end: bool = False  # everybody is there, and the old tasks wait for their end
    events: tuple[tuple[str, str], ...] = ()  # lifecycle events with their states, in order
    green: Exposure | None = None  # the share of the new tasks; None when it is not told

    @property
    def in_flight(self) -> bool:
        return self.status in IN_FLIGHT

    @property
    def is_rollback(self) -> bool:
        return self.creator == "codeDeployRollback"

    @property
    def is_past_traffic(self) -> bool:
        """Whether nothing but the end of the old tasks is left to do."""
        done = [state for name, state in self.events if name == "AfterAllowTraffic"]
        return self.waits_to_end or done in (["Succeeded"], ["Skipped"])

    def __str__(self) -> str:
        now = next((name for name, state in self.events if state == "InProgress"), "")
        return f"CodeDeploy {self.id} is {self.status}" + (f": {now}" if now else "")


@dataclass(frozen=True, slots=True)
class Seen:
    task_sets: tuple[TaskSet, ...] = ()
    deployments: tuple[Deployment, ...] = ()  # those that matter, oldest first
    desired: int = 0
    at: datetime | None = None

    @property
    def current(self) -> Deployment | None:
        """The one in flight; there is one at most, for CodeDeploy takes no second one of a group."""
        return next((one for one in reversed(self.deployments) if one.in_flight), None)

    def of(self, rollout: str, version: str) -> Deployment | None:
        """The last that this rollout had made to bring this version."""
        mine = [one for one in self.deployments if rollout and (one.rollout, one.version) == (rollout, version)]
        return mine[-1] if mine else None

    @property
    def living(self) -> list[TaskSet]:
        return [one for one in self.task_sets if one.status != "DRAINING"]

    def has(self, version: str) -> bool:
        return any(one.version == version for one in self.living)

    def share(self, version: str) -> Exposure | None:
        """How much of the traffic this version has; None when that cannot be told."""
        if not self.task_sets or not version:
            return None
        if not self.has(version):
            return NONE
        if len({one.version for one in self.living}) == 1:
            return FULL
        current = self.current
        if current is not None and current.is_rollback:
            return None
        last = current or next((one for one in reversed(self.deployments) if not one.is_rollback), None)
        if last is None or last.green is None:
            return None
        return last.green if version == last.version else Exposure(FULL - last.green)


def read_deployments(answer: Answer) -> list[Deployment]:
    found = [_deployment(one) for one in answer.get("deploymentsInfo", ())]
    return sorted(found, key=lambda one: str(one.created or ""))


def _deployment(info: Mapping[str, Any]) -> Deployment:
    described = str(info.get("description") or "")
    words = described.split()
    is_ours = len(words) == 3 and words[0] == OURS
    error = info.get("errorInformation") or {}
    return Deployment(
        id=info["deploymentId"],
        status=info.get("status", ""),
        rollout=words[1] if is_ours else "",
        version=words[2] if is_ours else "",
        creator=info.get("creator", ""),
        description=described,
        created=info.get("createTime"),
        ended=info.get("completeTime"),
        trouble=": ".join(str(error[key]) for key in ("code", "message") if error.get(key)),
        rollback=(info.get("rollbackInfo") or {}).get("rollbackDeploymentId", ""),
        waits_to_end=bool(info.get("instanceTerminationWaitTimeStarted")),
        # Until it has begun nobody has come to its tasks.
        green=NONE if info.get("status") in ("Created", "Queued") else None,
    )


def with_target(deployment: Deployment, answer: Answer) -> Deployment:
    """With what its target, the ECS service, tells of events and traffic."""
    targets = [one["ecsTarget"] for one in answer.get("deploymentTargets", ()) if one.get("ecsTarget")]
    if not targets:
        return deployment
    events = [(one["lifecycleEventName"], one.get("status", "")) for one in targets[0].get("lifecycleEvents", ())]
    sets = targets[0].get("taskSetsInfo", ())
    return replace(deployment, events=tuple(events), green=_green(sets, deployment.green))


def _green(sets: Sequence[Mapping[str, Any]], before: Exposure | None) -> Exposure | None:
    """While there are none but the old tasks nobody is anywhere else."""
    weights = {one.get("taskSetLabel"): one.get("trafficWeight") for one in sets}
    if "Green" not in weights:
        return NONE if "Blue" in weights else before
    weight = weights["Green"]
    return None if weight is None else Exposure(round(weight * FULL / 100))


def read_service(answer: Answer) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
    """The service, and its sets of tasks."""
    found: Mapping[str, Any] = next(iter(answer.get("services", ())), {})
    return found, found.get("taskSets", ())


def task_sets(sets: Iterable[Mapping[str, Any]], definitions: Mapping[str, Definition]) -> tuple[TaskSet, ...]:
    return tuple(
        TaskSet(
            definitions.get(one["taskDefinition"], Definition("")).version,
            one.get("status", ""),
            one.get("runningCount", 0),
            one.get("createdAt"),
        )
        for one in sets
    )
