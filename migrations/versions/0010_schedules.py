"""Schedules: when jobs are queued."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    key = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    document = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.create_table(
        "schedule",
        sa.Column("id", key, primary_key=True, autoincrement=True),
        sa.Column("asset_id", key, sa.ForeignKey("asset.id"), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("cron", sa.String(length=200), nullable=False),
        sa.Column("time_zone", sa.String(length=60), nullable=False),
        sa.Column("parameters", document, nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_run_id", key, sa.ForeignKey("asset.id"), nullable=True),
        sa.Column("problem", sa.Text, nullable=True),
        sa.UniqueConstraint("asset_id", "kind", name="uq_schedule_subject"),
    )
    op.create_index("ix_schedule_due", "schedule", ["next_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("schedule")
