"""Letters of one rollout arrive in order, and those that arrived are remembered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("rollout", sa.String(100), nullable=False, server_default=""))
    op.add_column("outbox", sa.Column("sent", sa.String(32), nullable=False, server_default=""))
    op.create_index("ix_outbox_sent", "outbox", ["sent"])
