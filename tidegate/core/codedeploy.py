"""A service that AWS CodeDeploy releases on ECS: the `platform.codedeploy` of a service file, and which plans it can be told.

CodeDeploy moves the traffic by itself, by one of three shapes: all at once, one first share and then all, or equal shares at
equal intervals, in whole percents and whole minutes. A plan that is none of these is refused when it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tidegate.core.access import Region, Role
from tidegate.core.document import Document
from tidegate.core.errors import Invalid
from tidegate.core.exposure import FULL, NONE
from tidegate.core.plan import Plan, Step, Unsure

LEADER = "CodeDeploy"
MINUTE = timedelta(minutes=1)
PERCENT = FULL // 100
LONGEST = 2880
"""Minutes between two steps that it takes: two days."""

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+=,.@_-]{1,100}$")]
_Function = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:_.-]{1,200}$")]
HookName = Literal["BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"]
_Container = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,255}$")]


class CodeDeploy(Document):
    """An ECS service whose deployment controller is CODE_DEPLOY. Which one, and behind which listener, its group says."""

    application: _Name
    """Name of the CodeDeploy application; its compute platform is ECS."""
    deployment_group: _Name
    """Name of its deployment group."""
    container: _Container
    """Container of the task definition that the load balancer sends requests to."""
    port: Annotated[int, Field(strict=True, ge=1, le=65535)]
    """Port of that container."""
    hooks: dict[HookName, _Function] = Field(default_factory=dict)
    """Lambda functions (name or ARN) that CodeDeploy runs, by the lifecycle event; one that fails turns it back."""
    region: Region = ""
    """AWS region; by default the one that boto3 finds."""
    role: Role = ""
    """ARN of an IAM role that is assumed for everything that concerns this service; by default the one that boto3 finds."""


class Shape(StrEnum):
    """As CodeDeploy names them."""

    ALL_AT_ONCE = "AllAtOnce"
    CANARY = "TimeBasedCanary"
    LINEAR = "TimeBasedLinear"


@dataclass(frozen=True, slots=True)
class Shift:
    """How CodeDeploy moves the traffic. `first`: before it moves any, somebody has to let it."""

    shape: Shape
    percent: int = 100
    minutes: int = 0
    first: bool = False

    @property
    def name(self) -> str:
        """Of the deployment configuration: Amazon's own where there is one, else ours."""
        match self.shape:
            case Shape.ALL_AT_ONCE:
                return "CodeDeployDefault.ECSAllAtOnce"
            case Shape.CANARY:
                said = f"ECSCanary{self.percent}Percent{self.minutes}Minutes"
            case Shape.LINEAR:
                said = f"ECSLinear{self.percent}PercentEvery{self.minutes}Minutes"
        return f"{'CodeDeployDefault' if said in _AMAZONS else 'Tidegate'}.{said}"

    @property
    def is_amazons(self) -> bool:
        return self.name.startswith("CodeDeployDefault.")


_AMAZONS = (
    "ECSLinear10PercentEvery1Minutes",
    "ECSLinear10PercentEvery3Minutes",
    "ECSCanary10Percent5Minutes",
    "ECSCanary10Percent15Minutes",
)


def shift_of(plan: Plan) -> Shift:
    """How CodeDeploy is told this plan. Raises Invalid where it cannot be."""
    _must_not_hold(plan)
    is_asked = plan.steps[0].exposure == NONE
    steps = plan.steps[1:] if is_asked else plan.steps
    if not steps or steps[-1].exposure != FULL:
        raise _cannot("keep a part of the users back", "Take holdback out, or let the last step be 100%.")
    *before, _ = steps
    if not before:
        return Shift(Shape.ALL_AT_ONCE, first=is_asked)
    _must_go_on_alone(before)
    percent, minutes = _whole(before)
    if len(before) == 1:
        return Shift(Shape.CANARY, percent, minutes, is_asked)
    if [step.exposure for step in before] != list(range(percent * PERCENT, FULL, percent * PERCENT)):
        raise _cannot("take unlike steps", "Use one first share (canary), or equal ones (linear).")
    return Shift(Shape.LINEAR, percent, minutes, is_asked)


def _must_not_hold(plan: Plan) -> None:
    if plan.harm is not None:
        raise _cannot("go by evidence, as an adaptive plan does", "Choose linear or canary.")
    if Unsure.HOLD in (plan.unsure_blind, plan.unsure_no_data):
        raise _cannot("be held", "Take hold out of plan.unsure: rollback is its way to be careful.")


def _must_go_on_alone(steps: tuple[Step, ...] | list[Step]) -> None:
    if any(step.gate or step.hook for step in steps):
        raise _cannot(
            "wait for a gate or a hook between its steps",
            "Ask before the first one, with a step of exposure 0%, or at 100%, before the old tasks go.",
        )


def _whole(steps: list[Step]) -> tuple[int, int]:
    """Percent of the first step, and minutes of each."""
    holds = {step.hold for step in steps}
    if len(holds) > 1:
        raise _cannot("hold its steps for unlike times", "Hold all before 100% equally long.")
    hold, first = holds.pop(), steps[0].exposure
    if hold % MINUTE or not MINUTE <= hold <= LONGEST * MINUTE:
        raise _cannot("hold a step for other than whole minutes, 1 to 2880", "Use 1m, 5m or the like.")
    if any(step.exposure % PERCENT for step in steps):
        raise _cannot("move parts of a percent", "Use whole percents.")
    return first // PERCENT, hold // MINUTE


def _cannot(what: str, mend: str) -> Invalid:
    return Invalid(f"{LEADER} cannot {what}.", mend, "plan")
