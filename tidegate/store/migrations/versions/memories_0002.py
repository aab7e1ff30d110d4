"""What each service's baseline was like during the last day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "memories",
        sa.Column("service", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("updated", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["service"], ["services.name"], name="fk_memories_service", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("service"),
    )
