"""The alarms that an environment of AppConfig monitors, with what CloudWatch says of them. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.core.alarm_state import AlarmState
from tidegate.core.monitor import Monitor
from tidegate.drivers.aws import cloudwatch_requests
from tidegate.drivers.aws.call import Caller
from tidegate.drivers.aws.pages import pages


def monitors(caller: Caller, environment: Mapping[str, Any]) -> tuple[Monitor, ...]:
    """`environment` is as ListEnvironments tells it."""
    names = [str(one["AlarmArn"]).partition(":alarm:")[2] for one in environment.get("Monitors") or ()]
    states: dict[str, AlarmState] = {}
    for call in cloudwatch_requests.describe_alarms(names):
        for page in pages(caller, call):
            states |= _that_act(page)
    return tuple(Monitor(name, states.get(name)) for name in names)


def _that_act(answer: Mapping[str, Any]) -> dict[str, AlarmState]:
    """AppConfig goes by none whose actions are switched off."""
    found = [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
    return {one["AlarmName"]: AlarmState(one["StateValue"]) for one in found if one.get("ActionsEnabled", True)}
