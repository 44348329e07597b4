"""Which files of a source make one dataset, where its owner knows better than the common rules."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; sources that are there keep to the common rules."""
    document = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.add_column("source", sa.Column("grouping", document, nullable=True))


def downgrade() -> None:
    """Take back."""
    op.drop_column("source", "grouping")
