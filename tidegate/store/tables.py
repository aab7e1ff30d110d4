"""The tables. A change here needs a migration in migrations/versions/; a test holds both against each other."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, text

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "fk": "fk_%(table_name)s_%(column_0_N_name)s"}
)

# Times are ISO 8601 texts in UTC with microseconds: they sort as they are, and mean the same in every database.

services = Table(
    "services",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("file", Text, nullable=False),  # the service file as JSON
    Column("stable", String(64), nullable=False, default=""),  # version that serves; "" before the first
    Column("number", Integer, nullable=False, default=0),  # of rollouts begun so far
    Column("salt", String(64), nullable=False, default=""),  # of the last rollout
    Column("updated", String(32), nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("service", String(64), ForeignKey("services.name", ondelete="CASCADE"), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("tasks", Text, nullable=False),  # the task specification as JSON; never changed
    Column("created", String(32), nullable=False),
    Column("by", String(200), nullable=False),
)

memories = Table(
    "memories",
    metadata,
    Column("service", String(64), ForeignKey("services.name", ondelete="CASCADE"), primary_key=True),
    Column("content", Text, nullable=False),  # what its baseline was like during the last day
    Column("updated", String(32), nullable=False),
)

environments = Table(
    "environments",
    metadata,
    Column("name", String(64), primary_key=True),  # shop/prod
    Column("file", Text, nullable=False),  # the environment file as JSON
    Column("stable", String(64), nullable=False, default=""),  # number of the document in force; "" before the first
    Column("number", Integer, nullable=False, default=0),  # of rollouts begun so far
    Column("salt", String(64), nullable=False, default=""),
    Column("origin", String(32), nullable=False),  # of the count of serials: a new row begins a new one
    Column("serial", BigInteger, nullable=False, default=0),  # the largest that may have been given out
    Column("memory", Text, nullable=False, default=""),  # what its baseline was like during the last day
    Column("updated", String(32), nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("application", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False),  # the canonical text; never changed
    Column("digest", String(80), nullable=False),
    Column("created", String(32), nullable=False),
    Column("by", String(200), nullable=False),
    Column("why", Text, nullable=False, default=""),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("subject", String(64), nullable=False),
    Column("release", String(100), nullable=False, default=""),  # that it is a part of
    Column("revision", Integer, nullable=False),  # grows with every write; an old claim is refused
    Column("active", Boolean, nullable=False),  # preparing, shifting or watching
    Column("open", Boolean, nullable=False),  # in flight, or not tidied yet
    Column("phase", String(20), nullable=False),
    Column("state", Text, nullable=False),
    Column("harm", Text, nullable=False),
    Column("watch", Text, nullable=False, default=""),  # what the watcher needs to go on after a restart
    Column("created", String(32), nullable=False),
    Column("owner", String(100), nullable=False, default=""),
    Column("lease_until", String(32), nullable=False, default=""),
)
Index("ix_rollouts_open", rollouts.c.open)
Index("ix_rollouts_release", rollouts.c.release)
Index("ix_rollouts_subject_created", rollouts.c.subject, rollouts.c.created)
# One rollout goes forward for a subject, whoever asks at the same moment.
Index(
    "one_active",
    rollouts.c.subject,
    unique=True,
    # In PostgreSQL the same, as the migration says: to say it here would import that dialect with all its drivers.
    sqlite_where=text("active"),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", String(32), nullable=False),
    Column("actor", String(200), nullable=False),  # a person, or "tidegate"
    Column("kind", String(40), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("rollout", String(100), nullable=False, default=""),
    Column("why", Text, nullable=False, default=""),
    Column("facts", Text, nullable=False, default="{}"),
    sqlite_autoincrement=True,
)
Index("ix_events_rollout_id", events.c.rollout, events.c.id)
Index("ix_events_subject_id", events.c.subject, events.c.id)
TIDEGATE = "tidegate"
OF_PEOPLE = text(f"actor != '{TIDEGATE}'")
# Said by questions in these words, so that the database knows this index: people do little, and are asked about.
Index("ix_events_people", events.c.id, sqlite_where=OF_PEOPLE)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("target", Text, nullable=False),  # who is told: the `on` entry as JSON
    Column("message", Text, nullable=False),  # kind, sentence and facts as JSON
    Column("tries", Integer, nullable=False, default=0),
    Column("due", String(32), nullable=False),
    Column("problem", Text, nullable=False, default=""),
    Column("rollout", String(100), nullable=False, default=""),  # its letters arrive in order
    Column("sent", String(32), nullable=False, default=""),  # when it arrived; "" before
)
Index("ix_outbox_due", outbox.c.due)
Index("ix_outbox_sent", outbox.c.sent)
