"""Checks that people declare, incidents, pinned baselines, and keys that other datasets refer to."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Apply; every check so far was told by an event."""
    op.add_column("quality_check", sa.Column("declared", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("quality_check", sa.Column("since", MOMENT, nullable=True))
    op.add_column("quality_check", sa.Column("removed_at", MOMENT, nullable=True))
    # Written out: on SQLite a table that others refer to cannot be copied, as alembic would.
    key = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(f"ALTER TABLE quality_check ADD COLUMN refers_to {key} "
               "CONSTRAINT fk_quality_check_refers_to_asset REFERENCES asset (id)")  # fmt: skip
    op.create_index("ix_quality_check_refers_to", "quality_check", ["refers_to"])
    op.create_table("incident",
    sa.Column("id", KEY, autoincrement=True, nullable=False),
    sa.Column("dataset_id", KEY, nullable=False),
    sa.Column("subject", sa.String(length=64), nullable=False),
    sa.Column("check_key", sa.String(length=64), nullable=True),
    sa.Column("metric", sa.String(length=200), nullable=True),
    sa.Column("field", sa.Text(), nullable=True),
    sa.Column("severity", sa.String(length=40), nullable=False),
    sa.Column("message", sa.Text(), nullable=False),
    sa.Column("failures", sa.Integer(), nullable=False),
    sa.Column("version_id", KEY, nullable=True),
    sa.Column("opened_at", MOMENT, nullable=False),
    sa.Column("failed_at", MOMENT, nullable=False),
    sa.Column("closing_version_id", KEY, nullable=True),
    sa.Column("closed_at", MOMENT, nullable=True),
    sa.Column("resolution", sa.Text(), nullable=True),
    sa.Column("acknowledged_at", MOMENT, nullable=True),
    sa.Column("acknowledged_by", sa.String(length=200), nullable=True),
    sa.Column("note", sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(["closing_version_id"], ["asset.id"], name=op.f("fk_incident_closing_version_id_asset")),
    sa.ForeignKeyConstraint(["dataset_id"], ["asset.id"], name=op.f("fk_incident_dataset_id_asset")),
    sa.ForeignKeyConstraint(["version_id"], ["asset.id"], name=op.f("fk_incident_version_id_asset")),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_incident"))
    )
    op.create_index("ix_incident_moment", "incident", ["dataset_id", "opened_at"])
    op.create_index(op.f("ix_incident_opened_at"), "incident", ["opened_at"])
    op.create_index(op.f("ix_incident_version_id"), "incident", ["version_id"])
    op.create_index(op.f("ix_incident_closing_version_id"), "incident", ["closing_version_id"])
    op.create_index(
        "uq_incident_open", "incident", ["dataset_id", "subject"], unique=True,
        sqlite_where=sa.text("closed_at IS NULL"), postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table("quality_baseline",
    sa.Column("dataset_id", KEY, autoincrement=False, nullable=False),
    sa.Column("version_id", KEY, nullable=False),
    sa.Column("pinned_at", MOMENT, nullable=False),
    sa.Column("pinned_by", sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(["dataset_id"], ["asset.id"], name=op.f("fk_quality_baseline_dataset_id_asset")),
    sa.ForeignKeyConstraint(["version_id"], ["asset.id"], name=op.f("fk_quality_baseline_version_id_asset")),
    sa.PrimaryKeyConstraint("dataset_id", name=op.f("pk_quality_baseline"))
    )
    op.create_index(op.f("ix_quality_baseline_version_id"), "quality_baseline", ["version_id"])
    op.create_table("key_set",
    sa.Column("field_id", KEY, autoincrement=False, nullable=False),
    sa.Column("version_id", KEY, nullable=False),
    sa.Column("share", sa.Float(), nullable=False),
    sa.Column("hashes", sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint("field_id", name=op.f("pk_key_set"))
    )


def downgrade() -> None:
    """Take back: what people declared and what came of it is lost."""
    op.drop_table("key_set")
    op.drop_table("quality_baseline")
    op.drop_table("incident")
    op.execute("DELETE FROM check_result WHERE check_id IN (SELECT id FROM quality_check WHERE declared)")
    op.execute("DELETE FROM quality_check WHERE declared")
    op.drop_index("ix_quality_check_refers_to", table_name="quality_check")
    for column in ("refers_to", "removed_at", "since", "declared"):
        op.drop_column("quality_check", column)
