"""What a survey of AWS finds, and the parts that are alike for services and for flags."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tidegate.core.alarm import AlarmFile
from tidegate.core.errors import NotFound, Refused, TidegateError, Unreachable
from tidegate.core.metric_name import Source
from tidegate.drivers.aws.call import Answer, Call, Caller
from tidegate.drivers.aws.cloudwatch import CloudWatch


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing. `wrong` says why no release could be made with it; "" when it is fine."""

    kind: str
    name: str
    is_now: str
    changes: str = ""
    wrong: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True)
class FlagArns:
    """Of an environment in AppConfig. What could not be found is `*`."""

    application: str
    environment: str
    profile: str
    configuration: str
    """What agents read."""
    strategies: str


@dataclass(frozen=True, slots=True)
class Survey:
    findings: tuple[Finding, ...]
    roles: tuple[str, ...] = ()
    """Of the tasks: ECS is handed them."""
    service: str = ""
    """ARN of the ECS service that CodeDeploy releases."""
    flags: FlagArns | None = None
    """Where AppConfig deploys flags."""

    @property
    def wrong(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.wrong)


def role_of(role: str, caller: Caller) -> Finding:
    """Whether it can be assumed: by whoever asks here, who need not be the controller."""
    try:
        caller.do(Call("sts", "get_caller_identity"))
    except Unreachable:
        raise
    except TidegateError as error:
        return Finding("role", role, "cannot be assumed, so nothing else is seen", wrong=error.what, mend=error.mend)
    return Finding("role", role, "can be assumed from here")


def asked(ask: Callable[[], Answer]) -> Answer | None:
    """None for what is not there, however AWS says so."""
    try:
        return ask()
    except NotFound:
        return None
    except Refused as refused:
        if any(word in refused.what for word in ("ClientException", "InvalidParameter", "ValidationError")):
            return None
        raise


def alarms(files: Sequence[AlarmFile], caller: Caller) -> Iterator[Finding]:
    """Those of CloudWatch that guard a release."""
    named = [alarm.cloudwatch for alarm in files if alarm.cloudwatch is not None]
    if not named:
        return
    try:
        states = CloudWatch(lambda: caller).states(named)
    except TidegateError as error:
        yield Finding("alarm", ", ".join(named), "cannot be seen", wrong=error.what, mend=error.mend)
        return
    for name in named:
        if name in states:
            yield Finding("alarm", name, states[name].value)
        else:
            yield Finding("alarm", name, "not there", wrong=f"CloudWatch has no alarm {name}.", mend="Make it, or correct it.")


def asks_cloudwatch(alarm: AlarmFile) -> bool:
    """Whether it is an alarm of CloudWatch, or on a metric of it."""
    return alarm.cloudwatch is not None or asks_metric(alarm)


def asks_metric(alarm: AlarmFile) -> bool:
    return alarm.metric is not None and alarm.metric_name.source is Source.CLOUDWATCH
