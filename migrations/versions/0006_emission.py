"""Emission: how far the change log was told to the outside."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table("emission",
    sa.Column("name", sa.String(length=40), nullable=False),
    sa.Column("sequence", sa.BigInteger(), nullable=False),
    sa.Column("holder", sa.String(length=200), nullable=True),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint("name", name=op.f("pk_emission"))
    )


def downgrade() -> None:
    """Take back; what was sent is sent again after another upgrade."""
    op.drop_table("emission")
