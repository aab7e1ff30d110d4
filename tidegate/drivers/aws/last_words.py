"""Why tasks of a version ended, as ECS tells for an hour: what a person needs who reads that it was given up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tidegate.core.errors import TidegateError
from tidegate.core.platform import Ecs
from tidegate.drivers.aws.call import Call, Caller

MOST = 10
"""Tasks that are looked at."""
_LONGEST = 300
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def last_words(caller: Caller, ecs: Ecs, service: str, definition: str) -> str:
    """Of the task that ended last; "" when there is none, or AWS does not say: then it is given up all the same."""
    try:
        found = caller.do(stopped_tasks(ecs, service)).get("taskArns", ())
        told = caller.do(describe_tasks(ecs, found)).get("tasks", ()) if found else ()
    except TidegateError:
        return ""
    mine = [task for task in told if task.get("taskDefinitionArn") == definition]
    return read(max(mine, key=lambda task: task.get("stoppedAt") or _LONG_AGO)) if mine else ""


def stopped_tasks(ecs: Ecs, service: str) -> Call:
    parameters = {"cluster": ecs.cluster, "serviceName": service, "desiredStatus": "STOPPED", "maxResults": MOST}
    return Call("ecs", "list_tasks", parameters)


def describe_tasks(ecs: Ecs, tasks: list[str]) -> Call:
    return Call("ecs", "describe_tasks", {"cluster": ecs.cluster, "tasks": list(tasks)})


def read(task: Mapping[str, Any]) -> str:
    ends = [_end(container) for container in task.get("containers", ())]
    said = [str(task.get("stoppedReason", "")).rstrip("."), *(end for end in ends if end)]
    return "; ".join(one for one in said if one)[:_LONGEST]


def _end(container: Mapping[str, Any]) -> str:
    """A container that ended by itself with 0, or that was never started, says nothing."""
    code, reason = container.get("exitCode"), str(container.get("reason", "")).rstrip(".")
    how = [f"exit code {code}"] if code else []
    return f"{container.get('name')}: {', '.join([*how, *([reason] if reason else [])])}" if how or reason else ""
