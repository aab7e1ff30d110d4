"""Where a service runs when that is not this machine: the `platform` and `tasks.ecs` of a service file.

Everything that is named here exists already and belongs to whoever made it. Tidegate changes of it only what it releases
with: weights, stickiness and tags of the rule, task definition and count of the two ECS services.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, field_validator, model_validator

from tidegate.core.access import Access, Region, Role
from tidegate.core.codedeploy import CodeDeploy
from tidegate.core.document import Document
from tidegate.core.duration import Duration, say_duration
from tidegate.core.errors import Invalid
from tidegate.core.exposure import Exposure
from tidegate.core.metric_name import MetricName, Source, parse_metric_name

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


MINUTE = timedelta(minutes=1)
_HIGH_RESOLUTION = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 10, 20, 30))
_BY_SIDE = ("{version}", "{target_group}")


class OwnCounts(Document):
    """Counts that the tasks, or a proxy before them, publish to CloudWatch: sooner than the load balancer's own."""

    requests: str
    """How many were answered, as cloudwatch:Shop/Requests{Version="{version}"}."""
    failed: str
    """How many of them failed."""
    period: Duration = timedelta(seconds=10)
    """Length of the periods that are asked for: 1s, 5s, 10s, 20s, 30s or 1m."""
    late: Duration = timedelta(seconds=10)
    """How long after its end a period is believed to be whole. What comes later still counts when it comes."""

    @field_validator("requests", "failed")
    @classmethod
    def _of_one_side(cls, metric: str) -> str:
        try:
            name = parse_metric_name(metric)
        except Invalid as wrong:
            raise ValueError(str(wrong)) from wrong
        if name.source is not Source.CLOUDWATCH:
            raise ValueError(f'{metric} is none of CloudWatch\'s.\nWrite cloudwatch:NAMESPACE/NAME{{Dimension="value"}}.')
        if not any(placeholder in one.value for one in name.matchers for placeholder in _BY_SIDE):
            raise ValueError(f"{metric} is the same for both sides.\nGive it a dimension with {{version}} or {{target_group}}.")
        return str(name)

    @field_validator("period")
    @classmethod
    def _as_cloudwatch_has_it(cls, period: timedelta) -> timedelta:
        if period not in (*_HIGH_RESOLUTION, MINUTE):
            raise ValueError(f"nobody counts here by {say_duration(period)}.\nGive 1s, 5s, 10s, 20s, 30s or 1m.")
        return period

    @field_validator("late")
    @classmethod
    def _not_for_ever(cls, late: timedelta) -> timedelta:
        if not timedelta(0) <= late <= timedelta(minutes=10):
            raise ValueError(f"{say_duration(late)} is no time to wait for figures.\nGive at most 10m.")
        return late

    def metrics(self, values: Mapping[str, str]) -> tuple[MetricName, MetricName]:
        """Of all requests and of those that failed, for the side that these values of the placeholders are of."""
        return _filled(self.requests, values), _filled(self.failed, values)


def _filled(metric: str, values: Mapping[str, str]) -> MetricName:
    for name, value in values.items():
        metric = metric.replace("{" + name + "}", value)
    return parse_metric_name(metric)


_DIMENSIONS = '{TargetGroup="{target_group}",LoadBalancer="{load_balancer}"}'
ALB_COUNTS = OwnCounts(
    requests=f"cloudwatch:AWS/ApplicationELB/RequestCount{_DIMENSIONS}",
    failed=f"cloudwatch:AWS/ApplicationELB/HTTPCode_Target_5XX_Count{_DIMENSIONS}",
    period=MINUTE,
    late=2 * MINUTE,
)
"""What the load balancer counts by itself, by the minute. RequestCountPerTarget would be an average, and no count."""


def _kind(counts: Any) -> str:
    return "own" if isinstance(counts, dict | OwnCounts) else "who"


_Counts = Annotated[
    Annotated[Literal["alb", "off"], Tag("who")] | Annotated[OwnCounts, Tag("own")],
    Discriminator(_kind),
]


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
    region: Region = ""
    """AWS region; by default the one that boto3 finds."""
    role: Role = ""
    """ARN of an IAM role that is assumed for everything that concerns this service; by default the one that boto3 finds."""
    sticky: Duration = timedelta(minutes=5)
    """How long ALB keeps a user on his side, by its own cookie. A side is reused or ended only when that is over."""
    start_within: Duration = timedelta(minutes=10)
    """Tasks that are not all healthy by then are given up."""
    counts: _Counts = "alb"
    """Who counts the requests of each side: the load balancer, by the minute; metrics of your own; or nobody."""

    @field_validator("counts", mode="before")
    @classmethod
    def _off(cls, counts: Any) -> Any:
        """YAML reads `off` as no."""
        return "off" if counts is False else counts

    @property
    def counted_by(self) -> OwnCounts | None:
        """None: nobody counts."""
        if isinstance(self.counts, OwnCounts):
            return self.counts
        return ALB_COUNTS if self.counts == "alb" else None

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
    """One of both."""

    ecs: Ecs | None = None
    """Amazon ECS behind an Application Load Balancer: Tidegate moves the weights."""
    codedeploy: CodeDeploy | None = None
    """Amazon ECS, released by AWS CodeDeploy: it moves the weights, and Tidegate watches."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Platform:
        if (self.ecs is None) == (self.codedeploy is None):
            both = "both ecs and codedeploy" if self.ecs else "neither ecs nor codedeploy"
            raise ValueError(f"platform has {both}.\nGive one: who moves the weights.")
        return self

    def access(self, subject: str) -> Access:
        place = self.ecs or self.codedeploy
        return Access(place.region, place.role, subject) if place is not None else Access(subject=subject)

    @property
    def entry(self) -> str:
        """Where users come in, as well as the file says it."""
        if self.ecs is not None:
            return f"ALB {self.ecs.listener_rule.split('/')[2]}"
        place = self.codedeploy
        return f"CodeDeploy {place.application}/{place.deployment_group}" if place is not None else ""


class EcsTasks(Document):
    """A version on ECS: a revision of a task definition with other images."""

    task_definition: _Definition
    """The revision to begin from, as web:7. It is copied, never changed."""
    images: Annotated[dict[str, _Image], Field(min_length=1)]
    """Image of each container that differs between versions."""
