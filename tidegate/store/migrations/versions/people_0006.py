"""What people did is found without reading everything else."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    people = sa.text("actor != 'tidegate'")
    op.create_index("ix_events_people", "events", ["id"], sqlite_where=people, postgresql_where=people)
