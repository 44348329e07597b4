"""States of neighbouring parts of datasets, merged."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table("scanned_span",
    sa.Column("scanned_id", key, autoincrement=False, nullable=False),
    sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column("state", sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(
        ["scanned_id"], ["scanned.id"], name=op.f("fk_scanned_span_scanned_id_scanned"), ondelete="CASCADE"
    ),
    sa.PrimaryKeyConstraint("scanned_id", "key", name=op.f("pk_scanned_span"))
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("scanned_span")
