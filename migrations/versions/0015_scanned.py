"""What scans keep, so that the next one reads only what changed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    document = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.create_table("scanned",
    sa.Column("id", key, autoincrement=True, nullable=False),
    sa.Column("source_id", key, nullable=False),
    sa.Column("name", sa.String(length=1000), nullable=False),
    sa.Column("signature", sa.String(length=32), nullable=False),
    sa.Column("how", sa.String(length=32), nullable=False),
    sa.Column("version_id", key, nullable=False),
    sa.Column("columns", sa.LargeBinary(), nullable=False),
    sa.Column("forms", document, nullable=False),
    sa.Column("required", document, nullable=False),
    sa.Column("notices", document, nullable=False),
    sa.Column("scanned_at", sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(["source_id"], ["asset.id"], name=op.f("fk_scanned_source_id_asset")),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_scanned"))
    )
    op.create_index("uq_scanned", "scanned", ["source_id", "name"], unique=True)
    op.create_table("scanned_part",
    sa.Column("scanned_id", key, autoincrement=False, nullable=False),
    sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column("own", sa.String(length=16), nullable=False),
    sa.Column("marks", document, nullable=False),
    sa.Column("state", sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(
        ["scanned_id"], ["scanned.id"], name=op.f("fk_scanned_part_scanned_id_scanned"), ondelete="CASCADE"
    ),
    sa.PrimaryKeyConstraint("scanned_id", "key", name=op.f("pk_scanned_part"))
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("scanned_part")
    op.drop_index("uq_scanned", table_name="scanned")
    op.drop_table("scanned")
