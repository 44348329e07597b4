"""Why edges are closed, which versions say their columns, and when runs support edges."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; closed column edges were closed because a version dropped the column."""
    op.add_column("edge", sa.Column("ending", sa.String(length=40), nullable=True))
    op.add_column("dataset_version", sa.Column("described", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute("UPDATE edge SET ending = 'DROPPED' WHERE level = 'FIELD' AND valid_to > valid_from")
    op.execute(
        "UPDATE dataset_version SET described = true "
        "WHERE EXISTS (SELECT 1 FROM version_field v WHERE v.version_id = dataset_version.id) AND (origin IS NULL "
        "OR EXISTS (SELECT 1 FROM run_dataset r JOIN facet f ON f.asset_id = r.dataset_id AND f.by_id = r.by_id "
        "AND f.scope = 'OUT' AND f.name = 'schema' AND f.body IS NOT NULL "
        "WHERE r.version_id = dataset_version.id AND r.direction = 'OUT'))"
    )
    for column, seen in (("first_at", "valid_from"), ("last_at", "last_seen")):
        op.execute(
            f"UPDATE edge_run SET {column} = (SELECT {seen} FROM edge WHERE edge.id = edge_run.edge_id) "
            f"WHERE {column} IS NULL"
        )


def downgrade() -> None:
    """Take back; the times of supporters stay."""
    op.drop_column("dataset_version", "described")
    op.drop_column("edge", "ending")
