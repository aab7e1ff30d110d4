"""Metrics that somebody pushes, and the alarms of all services."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from tidegate.api.answers import ServiceAlarms, Taken
from tidegate.api.arguments import MetricName, OfService
from tidegate.api.body import PushBody, RawBody
from tidegate.api.needs import ApiServices, Services
from tidegate.api.openapi import described
from tidegate.api.present import answer
from tidegate.core.document import read
from tidegate.core.environment import is_environment
from tidegate.core.errors import Invalid
from tidegate.engine.view import EnvironmentView, ServiceView

router = APIRouter(tags=["metrics"])

MOST_VALUES = 1000
AHEAD = timedelta(minutes=1)
"""How far a time may lie in the future: clocks differ."""


@router.get("/alarms", **described(list[ServiceAlarms]))
def list_alarms(services: Services, service: OfService = None) -> Response:
    """The alarms of all services and environments, or of one."""
    return answer([{"service": view.name, "alarms": view.alarms} for view in _alarming(services, service)])


def _alarming(services: ApiServices, name: str | None) -> Sequence[ServiceView | EnvironmentView]:
    glance, flags = services.glance, services.flags.glance
    if name is None:
        return [*glance.services(), *(view for view in flags.environments() if view.alarms)]
    return [flags.environment(name) if is_environment(name) else glance.service(name)]


@router.post("/metrics/{metric}", **described(Taken, body=PushBody, many=True))
def push(metric: MetricName, services: Services, raw: RawBody) -> Response:
    """Takes one value of a metric, or a list of them; alarms speak of it as `pushed:NAME`."""
    now = services.clock()
    values = [(body, _time(body, now)) for body in _values(raw.read("the request"))]
    for body, at in values:
        of = body.service or body.environment or ""
        services.push(metric, body.value, labels=body.labels, service=of, version=body.version or "", at=at)
    return answer({"taken": len(values)})


def _values(content: Any) -> list[PushBody]:
    given = content if isinstance(content, list) else [content]
    if len(given) > MOST_VALUES:
        raise Invalid(f"The request has {len(given):,} values.", f"Send at most {MOST_VALUES:,} at once.")
    bodies = [read(PushBody, value, "the request") for value in given]
    if any(body.service and body.environment for body in bodies):
        raise Invalid("A value is of a service, or of an environment.", "Name one of both.", "environment")
    return bodies


def _time(body: PushBody, now: datetime) -> datetime:
    if body.at is None:
        return now
    try:
        at = datetime.fromisoformat(body.at)
    except ValueError as wrong:
        raise _bad_time(body.at) from wrong
    if at.tzinfo is None:
        raise _bad_time(body.at)
    if at - now > AHEAD:
        raise Invalid(f"The time {body.at} lies in the future.", "Set the clock, or leave `at` out for now.", "at")
    return at


def _bad_time(text: str) -> Invalid:
    return Invalid(f"{text!r} is not a time with its zone.", "Write it as 2026-01-31T12:00:00Z.", "at")
