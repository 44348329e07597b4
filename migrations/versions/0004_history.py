"""What was said of assets over time: tags, owners, descriptions, roles, lifecycles, locations, stages."""

import sqlalchemy as sa
from alembic import op

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Of what has no rows here it is taken that it was always as it is now."""
    op.create_table("asset_history",
    sa.Column("asset_id", KEY, autoincrement=False, nullable=False),
    sa.Column("aspect", sa.String(length=40), nullable=False),
    sa.Column("origin", sa.String(length=20), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("digest", sa.String(length=64), nullable=False),
    sa.Column("value", sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_asset_history_asset_id_asset")),
    sa.PrimaryKeyConstraint("asset_id", "aspect", "origin", "at", name=op.f("pk_asset_history"))
    )


def downgrade() -> None:
    """Take back; the past is lost, the present stays."""
    op.drop_table("asset_history")
