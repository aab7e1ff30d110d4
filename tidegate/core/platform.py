"""Where a service runs when that is not this machine: the `platform` and `tasks.ecs` of a service file.

Everything that is named here exists already and belongs to whoever made it. Tidegate changes of it only what it releases
with: weights, stickiness and tags of the rule, task definition and count of the two ECS services.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator, model_validator

from tidegate.core.document import Document
from tidegate.core.duration import Duration
from tidegate.core.exposure import Exposure

GRAIN = Exposure(10)
"""ALB's weights are whole numbers up to 999: thousandths can be had exactly."""

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,255}$")]
_Rule = Annotated[
    str, StringConstraints(pattern=r"^arn:[a-z0-9-]+:elasticloadbalancing:[a-z0-9-]+:\d{12}:listener-rule/app/\S{1,200}$")
]
_Group = Annotated[
    str, StringConstraints(pattern=r"^arn:[a-z0-9-]+:elasticloadbalancing:[a-z0-9-]+:\d{12}:targetgroup/\S{1,100}$")
]
_Definition = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,255}:[1-9]\d{0,8}$")]
_Image = Annotated[str, StringConstraints(pattern=r"^\S{1,500}$")]


class Ecs(Document):
    """Two ECS services behind one rule of an ALB. One serves, the other gets the next version."""

    cluster: _Name
    """Name of the ECS cluster."""
    services: Annotated[tuple[_Name, ...], Field(min_length=2, max_length=2)]
    """Two services that are alike; each is attached to the target group in the same place."""
    target_groups: Annotated[tuple[_Group, ...], Field(min_length=2, max_length=2)]
    """ARNs of their target groups."""
    listener_rule: _Rule
    """ARN of the rule that forwards to both target groups."""
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{0,40}$")] = ""
    """AWS region; by default the one that boto3 finds."""
    sticky: Duration = timedelta(minutes=5)
    """How long ALB keeps a user on his side, by its own cookie. A side is reused or ended only when that is over."""
    start_within: Duration = timedelta(minutes=10)
    """Tasks that are not all healthy by then are given up."""

    @field_validator("sticky")
    @classmethod
    def _as_alb_has_it(cls, sticky: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= sticky <= timedelta(days=7) or sticky % timedelta(seconds=1):
            raise ValueError("ALB keeps users for whole seconds, from 1s to 7d.\nGive such a duration, as 5m.")
        return sticky

    @model_validator(mode="after")
    def _two_of_each(self) -> Ecs:
        for key in ("services", "target_groups"):
            if len(set(getattr(self, key))) == 1:
                raise ValueError(f"both {key} are the same.\nEach side needs its own.")
        return self


class Platform(Document):
    ecs: Ecs
    """Amazon ECS behind an Application Load Balancer."""


class EcsTasks(Document):
    """A version on ECS: a revision of a task definition with other images."""

    task_definition: _Definition
    """The revision to begin from, as web:7. It is copied, never changed."""
    images: Annotated[dict[str, _Image], Field(min_length=1)]
    """Image of each container that differs between versions."""
