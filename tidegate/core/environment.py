"""An environment of an application, as a person writes it: how changes of flags are released there, and what guards them.

It is to flags what the service file is to a service. Without one, changes go by the default plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pydantic import Field, field_validator, model_validator

from tidegate.core.access import HERE, Access
from tidegate.core.alarm import AlarmFile
from tidegate.core.alarm_set import check_alarms
from tidegate.core.compare_file import CompareFile
from tidegate.core.document import Document
from tidegate.core.errors import Invalid
from tidegate.core.flag_platform import FlagPlatform
from tidegate.core.metric_name import Source
from tidegate.core.plan import Plan, PlanFile
from tidegate.core.service import Name, On, check_plan
from tidegate.core.strategy import LEADER, delegated

LONGEST_SUBJECT = 60


class Released(Protocol):
    """What the engine asks of a file, of a service or of an environment: whose rollouts these are, and what guards them."""

    @property
    def subject(self) -> str: ...

    @property
    def plan(self) -> PlanFile: ...

    @property
    def alarms(self) -> Sequence[AlarmFile]: ...

    @property
    def compare(self) -> CompareFile: ...

    @property
    def on(self) -> Sequence[On]: ...

    @property
    def led(self) -> str:
        """Who moves the exposure, when that is not us."""

    @property
    def access(self) -> Access:
        """Where AWS is asked for what concerns it, and as whom."""


class Environment(Document):
    """One environment."""

    begin_with = "Start with two lines: application: shop, and environment: prod."

    application: Name
    environment: Name
    plan: PlanFile = Field(default_factory=PlanFile.default)
    alarms: tuple[AlarmFile, ...] = ()
    """On the outcomes that agents report (error_rate, p99, ...), and on pushed metrics."""
    compare: CompareFile = CompareFile()
    on: tuple[On, ...] = ()
    platform: FlagPlatform | None = None
    """Who brings the flags to those that ask, when that is not Tidegate's own agents."""

    @property
    def subject(self) -> str:
        """`shop/prod`: the name under which its rollouts go."""
        return subject_of(self.application, self.environment)

    @property
    def led(self) -> str:
        """Who moves the exposure, when that is not us."""
        return LEADER if self.platform is not None else ""

    @property
    def access(self) -> Access:
        """Where AWS is asked for what concerns it, and as whom."""
        return self.platform.access(self.subject) if self.platform is not None else HERE

    @field_validator("on", mode="before")
    @classmethod
    def _one_or_many(cls, on: Any) -> Any:
        return (on,) if isinstance(on, dict) else on

    @field_validator("alarms")
    @classmethod
    def _fit_together(cls, alarms: tuple[AlarmFile, ...]) -> tuple[AlarmFile, ...]:
        check_alarms(alarms, scraped=False, flags=True)
        return alarms

    @model_validator(mode="after")
    def _fits(self) -> Environment:
        if len(self.subject) > LONGEST_SUBJECT:
            raise ValueError(f"{self.subject} is longer than {LONGEST_SUBJECT} characters.\nGive one of both a shorter name.")
        for own in self.compare.metrics:
            if any(metric.startswith("tasks:") for metric in own.asked):
                raise ValueError(f"compare asks for {own.asked[0]}, and flags have no tasks.\nPush it: pushed:NAME.")
        try:
            check_plan(self.plan, self.compare)
            self.course(self.plan)
        except Invalid as wrong:
            raise ValueError(str(wrong)) from wrong
        if self.platform is not None:
            self._counts_nothing()
        return self

    def course(self, plan: PlanFile) -> Plan:
        """The steps of a rollout here along this plan. Raises Invalid where it cannot be gone."""
        return plan.resolve() if self.platform is None else delegated(plan)

    def _counts_nothing(self) -> None:
        """Whoever reads from AppConfig reports to nobody: there are no sides to be compared."""
        if self.compare.is_on:
            raise ValueError(
                "AppConfig tells nobody how requests end: nothing is compared.\nSay compare: off, and give alarms."
            )
        for alarm in self.alarms:
            if alarm.metric and not (alarm.metric_name.source.is_told or alarm.metric_name.source is Source.PUSHED):
                raise ValueError(
                    f"alarm {alarm.name} looks at {alarm.metric}, which nobody counts behind AppConfig.\nName an alarm or a "
                    "metric of CloudWatch, ask Prometheus, or push it: pushed:NAME."
                )


def subject_of(application: str, environment: str) -> str:
    return f"{application}/{environment}"


def is_environment(subject: str) -> bool:
    """Whether this subject is one of flags. No service has a slash in its name."""
    return "/" in subject
