"""Rows and values: the only place that knows how state is written as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from tidegate.core.environment import Environment
from tidegate.core.harm import Harm
from tidegate.core.rollout import Rollout
from tidegate.core.service import On, Service, Tasks
from tidegate.ports import Event, Held, Letter, ServiceRecord, Told, VersionRecord

_rollout: TypeAdapter[Rollout] = TypeAdapter(Rollout)
_harm: TypeAdapter[Harm] = TypeAdapter(Harm)


def write_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def read_time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def write_rollout(rollout: Rollout) -> str:
    return _rollout.dump_json(rollout).decode()


def write_harm(harm: Harm) -> str:
    return _harm.dump_json(harm).decode()


def read_held(row: RowMapping) -> Held:
    return Held(
        rollout=_rollout.validate_json(row["state"]),
        revision=row["revision"],
        harm=_harm.validate_json(row["harm"]),
        watch=row["watch"],
    )


def write_document(document: Service | Environment | Tasks | On) -> str:
    return document.model_dump_json(exclude_none=True)


def read_service(row: RowMapping) -> ServiceRecord:
    return ServiceRecord(Service.model_validate_json(row["file"]), row["stable"], row["number"], row["salt"])


def read_version(row: RowMapping) -> VersionRecord:
    tasks = Tasks.model_validate_json(row["tasks"])
    return VersionRecord(row["service"], row["version"], tasks, read_time(row["created"]), row["by"])


def write_told(told: Told, at: datetime) -> dict[str, Any]:
    return {
        "at": write_time(told.at or at),
        "actor": told.actor[:200],
        "kind": told.kind,
        "subject": told.subject,
        "rollout": told.rollout,
        "why": told.why,
        "facts": json.dumps(told.facts, default=str),
    }


def read_event(row: RowMapping) -> Event:
    told = Told(row["kind"], row["subject"], row["why"], row["rollout"], row["actor"], json.loads(row["facts"]))
    return Event(row["id"], read_time(row["at"]), told)


def read_letter(row: RowMapping) -> Letter:
    return Letter(row["id"], On.model_validate_json(row["target"]), json.loads(row["message"]), row["tries"])
