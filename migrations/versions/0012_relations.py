"""Sketches of columns, candidate keys of versions, relations between columns and datasets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "column_sketch",
        sa.Column("version_id", KEY, sa.ForeignKey("asset.id"), primary_key=True, autoincrement=False),
        sa.Column("field_id", KEY, sa.ForeignKey("asset.id"), primary_key=True, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("value_count", sa.BigInteger(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
    )
    document = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.create_table(
        "candidate_key",
        sa.Column("version_id", KEY, sa.ForeignKey("asset.id"), primary_key=True, autoincrement=False),
        sa.Column("ordinal", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("fields", document, nullable=False),
    )
    op.create_table(
        "relation",
        sa.Column("id", KEY, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        *(
            sa.Column(name, KEY, sa.ForeignKey("asset.id"), nullable=False)
            for name in ("from_field_id", "to_field_id", "from_dataset_id", "to_dataset_id")
        ),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index("uq_relation", "relation", ["from_field_id", "to_field_id", "kind"], unique=True)
    op.create_index("ix_relation_from", "relation", ["from_dataset_id", "id"])
    op.create_index("ix_relation_to", "relation", ["to_dataset_id", "id"])


def downgrade() -> None:
    """Take back."""
    for name in ("relation", "candidate_key", "column_sketch"):
        op.drop_table(name)
