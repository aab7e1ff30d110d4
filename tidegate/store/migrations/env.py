"""Alembic's entry. It is run by database.py, which hands in the connection."""

from __future__ import annotations

from alembic import context

from tidegate.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
