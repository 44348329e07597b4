"""What models propose: the source of a proposed type, proposed descriptions, and answers of models kept by text."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime(timezone=True)
    document = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.add_column("classification", sa.Column("source", sa.String(length=200), nullable=False, server_default="scan"))
    # Stewards' own words are decided in the moment that they are said.
    op.execute("UPDATE classification SET source = 'steward' WHERE status = 'ACCEPTED' AND decided_at = proposed_at")
    op.add_column("field", sa.Column("description", sa.Text(), nullable=True))
    op.create_table("description_proposal",
    sa.Column("asset_id", key, autoincrement=False, nullable=False),
    sa.Column("digest", sa.String(length=64), nullable=False),
    sa.Column("text", sa.Text(), nullable=False),
    sa.Column("source", sa.String(length=200), nullable=False),
    sa.Column("evidence", document, nullable=True),
    sa.Column("status", sa.String(length=40), nullable=False),
    sa.Column("proposed_at", moment, nullable=False),
    sa.Column("decided_by", sa.String(length=200), nullable=True),
    sa.Column("decided_at", moment, nullable=True),
    sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_description_proposal_asset_id_asset")),
    sa.PrimaryKeyConstraint("asset_id", "digest", name=op.f("pk_description_proposal"))
    )
    op.create_table("model_answer",
    sa.Column("model", sa.String(length=200), nullable=False),
    sa.Column("digest", sa.String(length=64), nullable=False),
    sa.Column("answer", sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint("model", "digest", name=op.f("pk_model_answer"))
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("model_answer")
    op.drop_table("description_proposal")
    op.drop_column("field", "description")
    op.drop_column("classification", "source")
