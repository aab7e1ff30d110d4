"""Rollouts that are parts of a release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("rollouts", sa.Column("release", sa.String(100), nullable=False, server_default=""))
    op.create_index("ix_rollouts_release", "rollouts", ["release"])
