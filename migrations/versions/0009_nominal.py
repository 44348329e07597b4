"""When runs were planned for, which files a model version has, and finding feedback by when it came."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; what earlier trainings wrote is described by the manifests beside it only."""
    op.add_column("run", sa.Column("nominal_at", sa.DateTime(timezone=True), nullable=True))
    json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.add_column("model_version", sa.Column("files", json, nullable=True))
    op.create_index("ix_feedback_moment", "feedback", ["model_id", "created_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_feedback_moment", table_name="feedback")
    op.drop_column("model_version", "files")
    op.drop_column("run", "nominal_at")
