"""Column edges: transformations, producers, and which runs support an edge."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
OPEN = {"sqlite_where": sa.text("valid_to IS NULL"), "postgresql_where": sa.text("valid_to IS NULL")}

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("edge", sa.Column("producer", sa.String(length=200), nullable=False, server_default=""))
    op.add_column("edge", sa.Column("transformations", JSON, nullable=True))
    op.drop_index("uq_edge_open", table_name="edge", **OPEN)
    op.create_index("uq_edge_open", "edge", ["source_id", "target_id", "kind", "producer"], unique=True, **OPEN)
    op.create_table(
        "edge_run",
        sa.Column("edge_id", KEY, nullable=False),
        sa.Column("run_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["edge_id"], ["edge.id"], name=op.f("fk_edge_run_edge_id_edge")),
        sa.ForeignKeyConstraint(["run_id"], ["asset.id"], name=op.f("fk_edge_run_run_id_asset")),
        sa.PrimaryKeyConstraint("edge_id", "run_id", name=op.f("pk_edge_run")),
    )
    op.create_index("ix_edge_run_run_id", "edge_run", ["run_id"])


def downgrade() -> None:
    """Take back; edges that differ only by producer keep the first of them."""
    op.drop_table("edge_run")
    op.execute(
        "DELETE FROM edge WHERE valid_to IS NULL AND id NOT IN "
        "(SELECT min(id) FROM edge WHERE valid_to IS NULL GROUP BY source_id, target_id, kind)"
    )
    op.drop_index("uq_edge_open", table_name="edge", **OPEN)
    op.create_index("uq_edge_open", "edge", ["source_id", "target_id", "kind"], unique=True, **OPEN)
    op.drop_column("edge", "transformations")
    op.drop_column("edge", "producer")
