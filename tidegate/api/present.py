"""What the API answers, as JSON: durations as `1m30s`, shares as `10%`, times in ISO 8601 and UTC, no NaN."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from pydantic import BaseModel
from starlette.responses import JSONResponse

from tidegate.core.duration import say_duration
from tidegate.core.exposure import Exposure, say_share
from tidegate.core.harm import Harm
from tidegate.core.rollout import Rollout
from tidegate.engine.teller import describe_harm
from tidegate.engine.view import RolloutView, view_rollout
from tidegate.ports import Event, Held


def present(value: object) -> Any:
    match value:
        case None | bool():
            return value
        case Exposure():
            return say_share(value)
        case Enum():
            return present(value.value)
        case int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case timedelta():
            return say_duration(value)
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case Harm():
            return describe_harm(value)
        case Event():
            return _event(value)
        case BaseModel():
            return value.model_dump(mode="json", exclude_none=True)
        case _:
            return _many(value)


def _many(value: object) -> Any:
    if isinstance(value, Mapping):
        return {str(key): present(inner) for key, inner in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [present(inner) for inner in value]
    if is_dataclass(value):
        return {field.name: present(getattr(value, field.name)) for field in fields(value)}
    return str(value)


def _event(event: Event) -> dict[str, Any]:
    told = event.told
    return {
        "id": event.id,
        "at": present(event.at),
        "kind": told.kind,
        "service": told.subject,
        "rollout": told.rollout,
        "actor": told.actor,
        "why": told.why,
        "facts": present(told.facts),
    }


def seen_of(rollout: Rollout) -> RolloutView:
    """The view of a rollout that an order has just written: nothing was looked at since."""
    return view_rollout(Held(rollout, 0))


def answer(value: object, status: int = 200) -> JSONResponse:
    return JSONResponse(present(value), status)
