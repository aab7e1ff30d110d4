"""Environments and flag documents in the database. The store calls these inside of its transactions."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from tidegate.core.environment import Environment
from tidegate.core.errors import NotFound
from tidegate.ports import DocumentRecord, EnvironmentRecord, Serials
from tidegate.store.codec import read_time, write_document, write_time
from tidegate.store.tables import documents, environments

_COLUMNS = (
    environments.c.name,
    environments.c.file,
    environments.c.stable,
    environments.c.number,
    environments.c.salt,
)


def read_environments(connection: Connection) -> list[RowMapping]:
    return list(connection.execute(select(*_COLUMNS).order_by(environments.c.name)).mappings())


def read_environment(connection: Connection, subject: str) -> EnvironmentRecord | None:
    row = connection.execute(select(*_COLUMNS).where(environments.c.name == subject)).mappings().first()
    return record_of(row) if row else None


def record_of(row: RowMapping) -> EnvironmentRecord:
    return EnvironmentRecord(Environment.model_validate_json(row["file"]), row["stable"], row["number"], row["salt"])


def write_environment(connection: Connection, file: Environment, now: datetime) -> None:
    """A new one gets an origin of its own: serials of one that was there before say nothing about it."""
    values: dict[str, Any] = {"file": write_document(file), "updated": write_time(now)}
    if connection.execute(update(environments).where(environments.c.name == file.subject).values(values)).rowcount:
        return
    blank = {"stable": "", "number": 0, "salt": "", "serial": 0, "memory": "", "origin": secrets.token_hex(8)}
    connection.execute(insert(environments).values(name=file.subject, **values, **blank))


def forget(connection: Connection, subject: str) -> None:
    """Documents stay: they are the application's."""
    connection.execute(delete(environments).where(environments.c.name == subject))


def begin_in(connection: Connection, subject: str, salt: str) -> None:
    values = {"number": environments.c.number + 1, "salt": salt}
    connection.execute(update(environments).where(environments.c.name == subject).values(values))


def serve(connection: Connection, subject: str, stable: str) -> None:
    """This document is the one in force from now on."""
    connection.execute(update(environments).where(environments.c.name == subject).values(stable=stable))


def reserve(connection: Connection, subject: str, count: int) -> Serials:
    moved = update(environments).where(environments.c.name == subject).values(serial=environments.c.serial + count)
    row = connection.execute(moved.returning(environments.c.origin, environments.c.serial)).first()
    if row is None:
        raise NotFound(f"There is no environment {subject!r}.", "Deploy a flag document to it first.")
    return Serials(row.origin, row.serial - count + 1, row.serial)


# --- Documents --------------------------------------------------------------------------------------------------------------


def write_flags(connection: Connection, record: DocumentRecord) -> None:
    connection.execute(
        insert(documents).values(
            application=record.application,
            number=record.number,
            content=record.text,
            digest=record.digest,
            created=write_time(record.created),
            by=record.by[:200],
            why=record.why,
        )
    )


def read_flags(connection: Connection, application: str, number: int) -> DocumentRecord | None:
    where = (documents.c.application == application) & (documents.c.number == number)
    row = connection.execute(select(documents).where(where)).mappings().first()
    return _document(row) if row else None


def list_flags(connection: Connection, application: str, limit: int) -> Sequence[DocumentRecord]:
    query = select(documents).where(documents.c.application == application).order_by(documents.c.number.desc()).limit(limit)
    return [_document(row) for row in connection.execute(query).mappings()]


def _document(row: RowMapping) -> DocumentRecord:
    created = read_time(row["created"])
    return DocumentRecord(row["application"], row["number"], row["content"], row["digest"], created, row["by"], why=row["why"])


# --- What is remembered -----------------------------------------------------------------------------------------------------


def read_memories(connection: Connection) -> Mapping[str, str]:
    query = select(environments.c.name, environments.c.memory).where(environments.c.memory != "")
    return {row.name: row.memory for row in connection.execute(query)}


def remember(connection: Connection, memories: Mapping[str, str]) -> None:
    for name, memory in memories.items():
        connection.execute(update(environments).where(environments.c.name == name).values(memory=memory))
