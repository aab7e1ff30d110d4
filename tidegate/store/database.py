"""Opening a database: SQLite beside us (WAL), or PostgreSQL by URL; migrated to this version's schema, or refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import ConnectionPoolEntry

from tidegate.core.errors import Conflict, Refused, TidegateError, Unreachable

HEAD = "0006"
"""The schema that this version speaks: the newest file in migrations/versions/."""

BUSY_SECONDS = 5
"""How long a person's order waits while somebody else writes."""

HURRY_SECONDS = 0.5
"""How long the loop waits: it comes again at the next tick, and a rollback waits for it."""


def open_database(url: str) -> Engine:
    """Connects, and migrates when needed. Raises Refused for a database of a newer Tidegate, Unreachable when it is away."""
    engine = _connect(url)
    try:
        with mapped(engine):
            _migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _connect(url: str) -> Engine:
    made = make_url(url)
    if made.get_backend_name() != "sqlite":
        patience = {name: value for name, value in _SERVER.items() if name not in made.query}
        engine = create_engine(url, pool_pre_ping=True, pool_timeout=5, connect_args=patience)
        event.listen(engine, "connect", _prepare_server)
        return engine
    busy = float(str(made.query.get("timeout", BUSY_SECONDS)))
    # Each waits for the database and not for another's connection; there are no more of them than threads.
    engine = create_engine(url, max_overflow=-1, connect_args={"timeout": busy, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", partial(_begin_sqlite, busy))
    return engine


# A server that is not there any more must not hold the loop for longer than a lease.
_SERVER = {"connect_timeout": 3, "tcp_user_timeout": 5000}


def _prepare_server(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("SET lock_timeout = '1s'; SET statement_timeout = '5s'")
    cursor.close()
    connection.commit()


def _prepare_sqlite(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: the driver's own is late, and never IMMEDIATE
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(patience: float, connection: Connection) -> None:
    options = connection.get_execution_options()
    writes, hurry = options.get("writing", False), options.get("hurry", False)
    # Whoever reads waits for nobody, but for one who has the database to himself.
    wanted = min(patience, HURRY_SECONDS) if hurry or not writes else patience
    if connection.info.get("patience", patience) != wanted:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={round(wanted * 1000)}")
        connection.info["patience"] = wanted
    # A transaction that reads first and writes later cannot be upgraded when somebody else wrote between: lock at once.
    # Who only reads needs none: each statement sees what is committed, as in PostgreSQL.
    if writes:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    with mapped(engine), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine, *, hurry: bool = False) -> Iterator[Connection]:
    """One transaction: all of it, or nothing."""
    options = {"writing": True, "hurry": hurry}
    with mapped(engine), engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def mapped(engine: Engine) -> Iterator[None]:
    """Foreign errors end here."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict("Somebody else wrote the same at the same moment.", "Look at what is there now, and repeat.") from error
    except DBAPIError as error:
        raise _explain(error, _name(engine)) from error
    except NoConnection as error:
        raise Unreachable(f"All connections to the database {_name(engine)} are in use.") from error


def _name(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)


def _explain(error: DBAPIError, name: str) -> TidegateError:
    said = str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
    if "database or disk is full" in said or "disk I/O error" in said:
        return Unreachable(f"The database {name} cannot be written: {said}.", "Free some disk space; it goes on by itself.")
    if any(word in said for word in ("locked", "busy", "lock timeout")):
        return Unreachable(
            f"The database {name} was locked by another process for too long.",
            "End whoever holds it (a backup? sqlite3?); it goes on by itself.",
        )
    if "readonly" in said or "unable to open" in said:
        return Refused(f"The database {name} cannot be opened for writing: {said}.", "Check its directory and rights.")
    if "malformed" in said or "not a database" in said:
        return Refused(f"{name} is not a sound database: {said}.", "Put back a backup, or move the file away to begin anew.")
    if isinstance(error, OperationalError):
        return Unreachable(f"The database {name} did not answer: {said}.", "Check that it runs; it goes on by itself.")
    return Refused(f"The database {name} refused: {said}.", "Please report this: it should not happen.")


def _migrate(engine: Engine) -> None:
    found = _revision(engine)
    if found == HEAD:
        return
    # Alembic is imported only when there is something to do: it costs more than the rest of a start.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise Refused(
            f"The database {_name(engine)} was written by a newer Tidegate (schema {found}; this one knows {HEAD}).",
            "Install that version again, or put back a backup from before it.",
        )
    with writing(engine) as connection:
        if engine.dialect.name != "sqlite":
            connection.execute(text("SET LOCAL statement_timeout = 0"))  # this takes its time
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
