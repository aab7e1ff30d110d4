"""The outbox: letters leave it in the order in which a rollout wrote them, and are kept for a while once they have arrived."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, exists, insert, select, update

from tidegate.ports import Letter, Letters
from tidegate.store import codec
from tidegate.store.tables import outbox

KEPT = timedelta(days=30)
"""How long a letter is remembered once it has arrived."""
_NEVER = "9999"
"""Due when all others are: what has arrived is not looked through again."""


def post(connection: Connection, letters: Letters, now: datetime) -> None:
    for target, message in letters:
        values = {
            "target": codec.write_document(target),
            "message": json.dumps(message, default=str),
            "rollout": str(message.get("rollout", "")),
        }
        connection.execute(insert(outbox).values(tries=0, due=codec.write_time(now), problem="", sent="", **values))


def due(connection: Connection, now: datetime, limit: int) -> list[Letter]:
    """Those that may be tried now: no older one of the same rollout is still on its way to the same target."""
    older = outbox.alias()
    is_behind = exists().where(
        older.c.sent == "",
        older.c.id < outbox.c.id,
        older.c.rollout == outbox.c.rollout,
        older.c.target == outbox.c.target,
        outbox.c.rollout != "",
    )
    query = select(outbox).where(outbox.c.due <= codec.write_time(now), outbox.c.sent == "", ~is_behind)
    return [codec.read_letter(row) for row in connection.execute(query.order_by(outbox.c.id).limit(limit)).mappings()]


def note_delivered(connection: Connection, letter: int, now: datetime) -> None:
    sent = codec.write_time(now)
    connection.execute(update(outbox).where(outbox.c.id == letter).values(sent=sent, due=_NEVER, problem=""))
    connection.execute(delete(outbox).where(outbox.c.sent != "", outbox.c.sent < codec.write_time(now - KEPT)))


def note_undelivered(connection: Connection, letter: int, problem: str, again: datetime) -> None:
    values = {"problem": problem, "due": codec.write_time(again), "tries": outbox.c.tries + 1}
    connection.execute(update(outbox).where(outbox.c.id == letter).values(values))


def give_up(connection: Connection, letter: int) -> None:
    connection.execute(delete(outbox).where(outbox.c.id == letter))
