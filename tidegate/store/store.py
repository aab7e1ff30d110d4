"""The store: one SQLAlchemy Core store for SQLite and PostgreSQL. Every writing verb is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from tidegate.core.environment import Environment, is_environment
from tidegate.core.errors import Conflict, Stale, TidegateError
from tidegate.core.harm import Harm
from tidegate.core.rollout import Phase, Rollout
from tidegate.core.service import Service
from tidegate.ports import (
    Change,
    DocumentRecord,
    EnvironmentRecord,
    Event,
    Held,
    Letter,
    Serials,
    ServiceRecord,
    Start,
    Told,
    VersionRecord,
)
from tidegate.store import codec, letters
from tidegate.store import environments as flags
from tidegate.store.database import open_database, reading, writing
from tidegate.store.tables import OF_PEOPLE, TIDEGATE, events, memories, rollouts, services, versions

ACTIVE = frozenset({Phase.PREPARING, Phase.SHIFTING, Phase.WATCHING})


class SqlStore:
    """Implements ports.Store."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = open_database(url)
        # Rollouts as they were read, by id: most ticks read what they wrote themselves.
        self._seen: dict[str, Held] = {}
        self._files: dict[str, tuple[str, ServiceRecord]] = {}
        self._environments: dict[str, tuple[str, EnvironmentRecord]] = {}

    @property
    def alone(self) -> bool:
        return self._engine.dialect.name == "sqlite"  # a file of this machine, whose controller holds the lock of its home

    def close(self) -> None:
        self._engine.dispose()

    # --- Services and versions ----------------------------------------------------------------------------------------

    def services(self) -> Sequence[ServiceRecord]:
        with reading(self._engine) as connection:
            return [self._record(row) for row in connection.execute(_SERVICES).mappings()]

    def _record(self, row: RowMapping) -> ServiceRecord:
        """Reads a file again only when its row changed; the same row gives the same object."""
        key = f"{row['stable']} {row['number']} {row['file']}"
        known = self._files.get(row["name"])
        if known is None or known[0] != key:
            known = self._files[row["name"]] = (key, codec.read_service(row))
        return known[1]

    def service(self, name: str) -> ServiceRecord | None:
        with reading(self._engine) as connection:
            row = connection.execute(select(services).where(services.c.name == name)).mappings().first()
            return codec.read_service(row) if row else None

    def version(self, service: str, version: str) -> VersionRecord | None:
        where = (versions.c.service == service) & (versions.c.version == version)
        with reading(self._engine) as connection:
            row = connection.execute(select(versions).where(where)).mappings().first()
            return codec.read_version(row) if row else None

    def versions(self, service: str) -> Sequence[VersionRecord]:
        query = select(versions).where(versions.c.service == service).order_by(versions.c.created.desc())
        with reading(self._engine) as connection:
            return [codec.read_version(row) for row in connection.execute(query).mappings()]

    def apply(self, file: Service, now: datetime, told: Sequence[Told]) -> None:
        with writing(self._engine) as connection:
            _write_service(connection, file, now)
            _tell(connection, told, now)

    def remove(self, service: str, now: datetime, told: Sequence[Told]) -> None:
        with writing(self._engine) as connection:
            connection.execute(delete(services).where(services.c.name == service))
            flags.forget(connection, service)
            connection.execute(update(rollouts).where(rollouts.c.subject == service).values(open=False, active=False))
            _tell(connection, told, now)

    # --- Environments and flag documents ------------------------------------------------------------------------------

    def environments(self) -> Sequence[EnvironmentRecord]:
        with reading(self._engine) as connection:
            return [self._environment(row) for row in flags.read_environments(connection)]

    def _environment(self, row: RowMapping) -> EnvironmentRecord:
        key = f"{row['stable']} {row['number']} {row['file']}"
        known = self._environments.get(row["name"])
        if known is None or known[0] != key:
            known = self._environments[row["name"]] = (key, flags.record_of(row))
        return known[1]

    def environment(self, subject: str) -> EnvironmentRecord | None:
        with reading(self._engine) as connection:
            return flags.read_environment(connection, subject)

    def configure(self, file: Environment, now: datetime, told: Sequence[Told]) -> None:
        with writing(self._engine) as connection:
            flags.write_environment(connection, file, now)
            _tell(connection, told, now)

    def document(self, application: str, number: int) -> DocumentRecord | None:
        with reading(self._engine) as connection:
            return flags.read_flags(connection, application, number)

    def documents(self, application: str, limit: int = 50) -> Sequence[DocumentRecord]:
        with reading(self._engine) as connection:
            return flags.list_flags(connection, application, limit)

    def reserve_serials(self, subject: str, count: int) -> Serials:
        with writing(self._engine, hurry=True) as connection:
            return flags.reserve(connection, subject, count)

    # --- What is remembered of services -------------------------------------------------------------------------------

    def memories(self) -> Mapping[str, str]:
        with reading(self._engine) as connection:
            found = {row.service: row.content for row in connection.execute(select(memories.c.service, memories.c.content))}
            return {**found, **flags.read_memories(connection)}

    def remember(self, memories_: Mapping[str, str], now: datetime) -> None:
        with writing(self._engine, hurry=True) as connection:
            flags.remember(connection, {name: content for name, content in memories_.items() if is_environment(name)})
            known = set(connection.execute(select(services.c.name)).scalars())
            rows = [
                {"service": name, "content": content, "updated": codec.write_time(now)}
                for name, content in memories_.items()
                if name in known
            ]
            if rows:
                connection.execute(delete(memories).where(memories.c.service.in_([row["service"] for row in rows])))
                connection.execute(insert(memories), rows)

    # --- Rollouts -----------------------------------------------------------------------------------------------------

    def begin(self, starts: Sequence[Start], now: datetime) -> Sequence[Held]:
        with writing(self._engine) as connection:
            for start in starts:
                _begin(connection, start, now)
        return [Held(start.rollout, 1) for start in starts]

    def parts(self, release: str) -> Sequence[Held]:
        query = select(rollouts).where(rollouts.c.release == release).order_by(rollouts.c.id)
        with reading(self._engine) as connection:
            return [codec.read_held(row) for row in connection.execute(query).mappings()] if release else []

    def releases(self, limit: int | None = 50, *, name: str = "") -> Sequence[str]:
        newest = func.max(rollouts.c.created).desc()
        query = select(rollouts.c.release).where(rollouts.c.release != "").group_by(rollouts.c.release)
        query = query.where(rollouts.c.release.startswith(f"{name}-", autoescape=True)) if name else query
        with reading(self._engine) as connection:
            return list(connection.execute(query.order_by(newest, rollouts.c.release.desc()).limit(limit)).scalars())

    def claim(self, owner: str, now: datetime, lease: timedelta) -> Sequence[Held]:
        with reading(self._engine) as connection:
            rows = connection.execute(_OPEN).all()
            fresh = codec.write_time(now + lease * 2 / 3)
            until = codec.write_time(now + lease)
            if all(row.owner == owner and fresh < row.lease_until <= until for row in rows):
                return self._known(connection, [(row.id, row.revision) for row in rows])
        try:
            return self._claim_anew(owner, codec.write_time(now), until)
        except TidegateError:
            # Whoever takes one over writes his name: what was just read under ours is ours, whatever its lease says.
            ours = [(row.id, row.revision) for row in rows if row.owner == owner]
            if not ours:
                raise
            with reading(self._engine) as connection:
                return self._known(connection, ours)

    def _claim_anew(self, owner: str, now: str, until: str) -> Sequence[Held]:
        free = rollouts.c.open & ((rollouts.c.owner == owner) | (rollouts.c.lease_until < now))
        with writing(self._engine, hurry=True) as connection:
            connection.execute(update(rollouts).where(free).values(owner=owner, lease_until=until))
            rows = connection.execute(_OPEN).all()
            return self._known(connection, [(row.id, row.revision) for row in rows if row.owner == owner])

    def _known(self, connection: Connection, found: Sequence[tuple[str, int]]) -> Sequence[Held]:
        """Reads only those that somebody else wrote since we saw them."""
        unknown = [id_ for id_, revision in found if id_ not in self._seen or self._seen[id_].revision != revision]
        for start in range(0, len(unknown), 500):
            query = select(rollouts).where(rollouts.c.id.in_(unknown[start : start + 500]))
            for row in connection.execute(query).mappings():
                self._seen[row["id"]] = codec.read_held(row)
        self._seen = {id_: self._seen[id_] for id_, _ in found}
        return list(self._seen.values())

    def held(self, rollout: str) -> Held | None:
        with reading(self._engine) as connection:
            row = connection.execute(select(rollouts).where(rollouts.c.id == rollout)).mappings().first()
            return codec.read_held(row) if row else None

    def commit(self, changes: Sequence[Change], now: datetime, *, hurry: bool = False) -> Sequence[Held | Stale]:
        with writing(self._engine, hurry=hurry) as connection:
            written = _write(connection, changes, now)
        for held in written:
            if isinstance(held, Held) and held.rollout.id in self._seen:
                self._seen[held.rollout.id] = held
        return written

    def history(self, subject: str | None = None, limit: int = 50, *, open_only: bool = False) -> Sequence[Held]:
        query = select(rollouts).order_by(rollouts.c.created.desc(), rollouts.c.id.desc()).limit(limit)
        if subject is not None:
            query = query.where(rollouts.c.subject == subject)
        if open_only:
            query = query.where(rollouts.c.open)
        with reading(self._engine) as connection:
            return [codec.read_held(row) for row in connection.execute(query).mappings()]

    # --- Events and letters -------------------------------------------------------------------------------------------

    def events(
        self,
        *,
        after: int = 0,
        before: int | None = None,
        rollout: str | None = None,
        subject: str | None = None,
        by: str | None = None,
        people: bool = False,
        limit: int = 1000,
        last: bool = False,
    ) -> Sequence[Event]:
        query = select(events).where(events.c.id > after).limit(limit)
        if before is not None:
            query = query.where(events.c.id < before)
        if by is not None:
            query = query.where((events.c.actor == by) | events.c.actor.startswith(f"{by} (", autoescape=True))
        if people or by not in (None, TIDEGATE):
            query = query.where(OF_PEOPLE)
        if rollout is not None:
            query = query.where(events.c.rollout == rollout)
        if subject is not None:
            query = query.where(events.c.subject == subject)
        query = query.order_by(events.c.id.desc() if last else events.c.id)
        with reading(self._engine) as connection:
            found = [codec.read_event(row) for row in connection.execute(query).mappings()]
        return found[::-1] if last else found

    def letters(self, now: datetime, limit: int = 20) -> Sequence[Letter]:
        with reading(self._engine) as connection:
            return letters.due(connection, now, limit)

    def delivered(self, letter: int, now: datetime) -> None:
        with writing(self._engine) as connection:
            letters.note_delivered(connection, letter, now)

    def undelivered(self, letter: int, problem: str, due: datetime) -> None:
        with writing(self._engine) as connection:
            letters.note_undelivered(connection, letter, problem, due)

    def given_up(self, letter: int) -> None:
        with writing(self._engine) as connection:
            letters.give_up(connection, letter)


def _begin(connection: Connection, start: Start, now: datetime) -> None:
    rollout = start.rollout
    for dropped in _write(connection, start.superseded, now):
        if isinstance(dropped, Stale):
            raise dropped
    _write_file(connection, start.file, now)
    _write_version(connection, start.version)
    try:
        connection.execute(insert(rollouts).values(id=rollout.id, watch="", **_rollout_row(rollout, Harm(), 1)))
    except IntegrityError as error:
        raise Conflict(
            f"{rollout.subject} got another rollout at the same moment.",
            f"Look at it: tidegate status {rollout.subject}.",
        ) from error
    _note_begun(connection, rollout)
    _tell(connection, start.told, now)
    letters.post(connection, start.letters, now)


def _write_service(connection: Connection, file: Service, now: datetime) -> None:
    values = {"file": codec.write_document(file), "updated": codec.write_time(now)}
    changed = connection.execute(update(services).where(services.c.name == file.service).values(values))
    if not changed.rowcount:
        connection.execute(insert(services).values(name=file.service, stable="", number=0, salt="", **values))


def _version_row(version: VersionRecord) -> dict[str, Any]:
    return {
        "service": version.service,
        "version": version.version,
        "tasks": codec.write_document(version.tasks),
        "created": codec.write_time(version.created),
        "by": version.by[:200],
    }


def _rollout_row(rollout: Rollout, harm: Harm, revision: int) -> dict[str, Any]:
    return {
        "subject": rollout.subject,
        "release": rollout.release,
        "revision": revision,
        "active": rollout.phase in ACTIVE,
        "open": not rollout.tidied,
        "phase": rollout.phase.value,
        "state": codec.write_rollout(rollout),
        "harm": codec.write_harm(harm),
        "created": codec.write_time(rollout.created),
    }


_COLUMNS = ("revision", "active", "open", "phase", "state", "harm")
_WHERE = rollouts.c.id == bindparam("the_id")
_UPDATE = update(rollouts).where(_WHERE).values({name: bindparam(f"new_{name}") for name in _COLUMNS})
_UPDATE_WATCH = update(rollouts).where(_WHERE).values(watch=bindparam("new_watch"))
# Made once: to put a statement together costs as much as to run it.
_SERVICES = select(services).order_by(services.c.name)
_REVISIONS = (
    select(rollouts.c.id, rollouts.c.revision).where(rollouts.c.id.in_(bindparam("ids", expanding=True))).with_for_update()
)
_OPEN = (
    select(rollouts.c.id, rollouts.c.revision, rollouts.c.owner, rollouts.c.lease_until)
    .where(rollouts.c.open)
    .order_by(rollouts.c.created, rollouts.c.id)
)


def _write(connection: Connection, changes: Sequence[Change], now: datetime) -> list[Held | Stale]:
    """The claim is the revision: a row that was written since it was read is left alone. Statements are the same at every
    call and go to the database in one piece: this is what a tick costs most."""
    revisions = _revisions(connection, [change.held.rollout.id for change in changes])
    good = [change for change in changes if revisions.get(change.held.rollout.id) == change.held.revision]
    if good:
        connection.execute(_UPDATE, [_new_values(change) for change in good])
    books = [{"the_id": change.held.rollout.id, "new_watch": change.watch} for change in good if change.watch is not None]
    if books:
        connection.execute(_UPDATE_WATCH, books)
    for change in good:
        _write_rest(connection, change, now)
    written = {id(change) for change in good}
    return [_after(one) if id(one) in written else Stale(one.held.rollout.id) for one in changes]


def _revisions(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """The revisions now; the rows are ours until the transaction ends."""
    found: dict[str, int] = {}
    for start in range(0, len(ids), 500):
        rows = connection.execute(_REVISIONS, {"ids": ids[start : start + 500]})
        found |= {row.id: row.revision for row in rows}
    return found


def _new_values(change: Change) -> dict[str, Any]:
    row = _rollout_row(change.rollout, change.harm, change.held.revision + 1)
    return {"the_id": change.held.rollout.id, **{f"new_{name}": row[name] for name in _COLUMNS}}


def _after(change: Change) -> Held:
    held = change.held
    return Held(change.rollout, held.revision + 1, change.harm, held.watch if change.watch is None else change.watch)


def _write_rest(connection: Connection, change: Change, now: datetime) -> None:
    if change.stable is not None:
        _note_stable(connection, change.rollout.subject, change.stable)
    _tell(connection, change.told, now)
    letters.post(connection, change.letters, now)


def _note_stable(connection: Connection, subject: str, stable: str) -> None:
    if is_environment(subject):
        flags.serve(connection, subject, stable)
    else:
        connection.execute(update(services).where(services.c.name == subject).values(stable=stable))


def _note_begun(connection: Connection, rollout: Rollout) -> None:
    if is_environment(rollout.subject):
        flags.begin_in(connection, rollout.subject, rollout.salt)
        return
    moved = {"number": services.c.number + 1, "salt": rollout.salt}
    connection.execute(update(services).where(services.c.name == rollout.subject).values(moved))


def _write_file(connection: Connection, file: Service | Environment, now: datetime) -> None:
    if isinstance(file, Environment):
        flags.write_environment(connection, file, now)
    else:
        _write_service(connection, file, now)


def _write_version(connection: Connection, version: VersionRecord | DocumentRecord | None) -> None:
    match version:
        case VersionRecord():
            connection.execute(insert(versions).values(_version_row(version)))
        case DocumentRecord():
            flags.write_flags(connection, version)


def _tell(connection: Connection, told: Sequence[Told], now: datetime) -> None:
    if told:
        connection.execute(insert(events), [codec.write_told(one, now) for one in told])
