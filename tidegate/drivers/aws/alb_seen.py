"""What was seen of one service on ECS behind an ALB rule: both sides, the rule and its tags, as the answers of one look say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tidegate.core.exposure import FULL, Exposure
from tidegate.core.platform import Ecs
from tidegate.drivers.aws.call import Answer

VERSION = "tidegate:version"
SERVICE = "tidegate:service"
DIGEST = "tidegate:digest"
STABLE = "tidegate:stable"
SLOT = "tidegate:slot"
SALT = "tidegate:salt"
EXPOSURE = "tidegate:exposure"
OPERATION = "tidegate:operation"
MOVED = "tidegate:moved"
"""When the weights were changed last: who lost his last weight may still have pinned users."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A task definition: whose version it is, by its tags; "" when it is none of ours."""

    arn: str
    version: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """One ECS service with its target group."""

    service: str = ""
    target_group: str = ""
    weight: int = 0
    definition: Definition = Definition("")
    desired: int = 0
    running: int = 0
    state: str = ""  # of its newest deployment: IN_PROGRESS, COMPLETED, FAILED
    why: str = ""
    began: datetime | None = None  # its newest deployment
    deployments: int = 0  # the newest, and those before it that still have tasks
    healthy: int = 0
    unhealthy: int = 0
    unhealthy_why: str = ""
    setback: str = ""  # what ECS says last of a deployment that it gave up, and of the service else

    @property
    def version(self) -> str:
        return self.definition.version

    @property
    def is_empty(self) -> bool:
        return self.desired == 0 and self.running == 0

    def runs(self, version: str) -> bool:
        """Not what failed and was ended: ECS starts no task of it any more, until it is asked to run it anew."""
        return self.version == version and not (self.is_empty and self.state == "FAILED")


@dataclass(frozen=True, slots=True)
class Quiet:
    """Until when it is counted, and by version the end of the last period in which it answered somebody."""

    until: datetime
    last: Mapping[str, datetime]
    period: timedelta

    def since(self, version: str, moment: datetime) -> bool:
        """Whether nobody came to it after this moment, for a period and ten seconds at least."""
        last = max(self.last.get(version, moment), moment)
        return self.until - last >= max(self.period, _QUIET)


_QUIET = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Seen:
    """`is_ours`: the rule forwards to just our two groups. `actions` are those of the rule, as ALB told them."""

    sides: tuple[Side, Side]
    tags: Mapping[str, str]
    actions: Sequence[Mapping[str, Any]] = ()
    is_ours: bool = True
    sticky: int | None = None  # seconds; None when nobody is kept
    at: datetime | None = None
    quiet: Quiet | None = None  # None: nobody counts, or nobody can say
    given_up: Mapping[str, str] = field(default_factory=dict)  # by version, why it is not asked for again

    def of(self, version: str) -> Side | None:
        """The side that runs this version; of both (one was made like the other) that which serves, or has tasks."""
        mine = [side for side in self.sides if version and side.runs(version)]
        return max(mine, key=lambda side: (side.weight > 0, not side.is_empty), default=None)

    def other(self, side: Side) -> Side:
        return self.sides[1] if side is self.sides[0] else self.sides[0]

    @property
    def moved(self) -> datetime | None:
        try:
            return datetime.fromisoformat(self.tags.get(MOVED, ""))
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one look."""

    rules: Answer
    tags: Answer
    services: Answer
    health: tuple[Answer, Answer]
    definitions: Mapping[str, Definition] = field(default_factory=dict)


def read(ecs: Ecs, answers: Answers, at: datetime | None = None) -> Seen:
    rule: Mapping[str, Any] = next(iter(answers.rules.get("Rules", ())), {})
    actions = rule.get("Actions", ())
    weights, sticky = forwarding(actions)
    found = {service["serviceName"]: service for service in answers.services.get("services", ())}
    targets = {
        group: answer.get("TargetHealthDescriptions", ())
        for group, answer in zip(ecs.target_groups, answers.health, strict=True)
    }
    pairs = zip(ecs.services, ecs.target_groups, strict=True)
    sides = tuple(
        replace(
            _side(found.get(name, {}), targets[group], answers.definitions),
            service=name,
            target_group=group,
            weight=weights.get(group, 0),
        )
        for name, group in pairs
    )
    described: Mapping[str, Any] = next(iter(answers.tags.get("TagDescriptions", ())), {})
    tags = {tag["Key"]: tag.get("Value", "") for tag in described.get("Tags", ())}
    return Seen((sides[0], sides[1]), tags, actions, set(weights) == set(ecs.target_groups), sticky, at)


def forwarding(actions: Sequence[Mapping[str, Any]]) -> tuple[dict[str, int], int | None]:
    """The weight of each target group, and for how long users are kept."""
    forward = next((action for action in actions if action.get("Type") == "forward"), {})
    config = forward.get("ForwardConfig") or {}
    groups = config.get("TargetGroups") or [{"TargetGroupArn": forward.get("TargetGroupArn", ""), "Weight": 1}]
    kept = config.get("TargetGroupStickinessConfig") or {}
    sticky = kept.get("DurationSeconds") if kept.get("Enabled") else None
    return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups if group["TargetGroupArn"]}, sticky


def _side(service: Mapping[str, Any], targets: Sequence[Mapping[str, Any]], definitions: Mapping[str, Definition]) -> Side:
    deployments = service.get("deployments", ())
    newest: Mapping[str, Any] = next((one for one in deployments if one.get("status") == "PRIMARY"), {})
    failed = [one.get("rolloutStateReason", "") for one in deployments if one.get("rolloutState") == "FAILED"]
    told = [event.get("message", "") for event in service.get("events", ())[:1]]
    states = [target.get("TargetHealth", {}) for target in targets]
    sick = [state for state in states if state.get("State") == "unhealthy"]
    arn = service.get("taskDefinition", "")
    return Side(
        definition=definitions.get(arn, Definition(arn)),
        desired=service.get("desiredCount", 0),
        running=service.get("runningCount", 0),
        state=newest.get("rolloutState", ""),
        why=newest.get("rolloutStateReason", "").rstrip("."),
        began=newest.get("createdAt"),
        deployments=sum(one is newest or _has_tasks(one) for one in deployments),
        healthy=sum(state.get("State") == "healthy" for state in states),
        unhealthy=len(sick),
        unhealthy_why=str(sick[0].get("Description") or sick[0].get("Reason") or "unhealthy") if sick else "",
        setback=next(iter([*failed, *told]), "").rstrip("."),
    )


def _has_tasks(deployment: Mapping[str, Any]) -> bool:
    return bool(deployment.get("runningCount", 0) or deployment.get("pendingCount", 0))


def weights_of(exposure: Exposure) -> tuple[int, int]:
    """Of baseline and candidate. They need not add up to anything, and none may be above 999."""
    return min(999, (FULL - exposure) // 10), min(999, exposure // 10)


def share(weight: int, other: int) -> Exposure | None:
    """The exposure that these weights are; None when nobody gets anything."""
    return Exposure(round(FULL * weight / (weight + other))) if weight + other else None
