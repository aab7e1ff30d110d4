"""Opening a database: SQLite beside us (WAL), or PostgreSQL by URL; migrated to this version's schema, or refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from tidegate.core.errors import Conflict, Refused, TidegateError, Unreachable

HEAD = "0001"
"""The schema that this version speaks: the newest file in migrations/versions/."""

BUSY_SECONDS = 5


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
    sqlite = make_url(url).get_backend_name() == "sqlite"
    if not sqlite:
        return create_engine(url, pool_pre_ping=True)
    patience = {} if "timeout" in make_url(url).query else {"timeout": BUSY_SECONDS}
    engine = create_engine(url, connect_args={**patience, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: the driver's own is late, and never IMMEDIATE
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot be upgraded when somebody else wrote between: lock at once.
    writes = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    with mapped(engine), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction: all of it, or nothing."""
    with mapped(engine), engine.connect().execution_options(writing=True) as connection, connection.begin():
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


def _name(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)


def _explain(error: DBAPIError, name: str) -> TidegateError:
    said = str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
    if "database or disk is full" in said or "disk I/O error" in said:
        return Unreachable(f"The database {name} cannot be written: {said}.", "Free some disk space; it goes on by itself.")
    if "locked" in said or "busy" in said:
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
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
