"""What columns are thought, or known, to mean."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    document = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.create_table("classification",
    sa.Column("field_id", key, autoincrement=False, nullable=False),
    sa.Column("semantic_type", sa.String(length=60), nullable=False),
    sa.Column("personal_data", sa.String(length=40), nullable=True),
    sa.Column("confidence", sa.Float(), nullable=False),
    sa.Column("evidence", document, nullable=True),
    sa.Column("status", sa.String(length=40), nullable=False),
    sa.Column("proposed_at", moment, nullable=False),
    sa.Column("decided_by", sa.String(length=200), nullable=True),
    sa.Column("decided_at", moment, nullable=True),
    sa.ForeignKeyConstraint(["field_id"], ["field.id"], name=op.f("fk_classification_field_id_field")),
    sa.PrimaryKeyConstraint("field_id", "semantic_type", name=op.f("pk_classification"))
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("classification")
    op.execute("DELETE FROM asset_tag WHERE origin = 'scan'")
    op.execute("DELETE FROM asset_history WHERE origin = 'scan' OR aspect = 'SEMANTIC_TYPE'")
