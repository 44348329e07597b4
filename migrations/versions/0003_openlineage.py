"""OpenLineage: raw events, facets, what runs read and wrote, other names; checks and their results."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table("dataset_naming",
    sa.Column("digest", sa.String(length=32), nullable=False),
    sa.Column("namespace", sa.String(length=500), nullable=False),
    sa.Column("key", sa.String(length=900), nullable=False),
    sa.Column("other_namespace", sa.String(length=500), nullable=False),
    sa.Column("other_key", sa.String(length=900), nullable=False),
    sa.Column("renamed_at", sa.String(length=40), nullable=False),
    sa.PrimaryKeyConstraint("digest", name=op.f("pk_dataset_naming"))
    )
    op.create_index("ix_dataset_naming_name", "dataset_naming", ["namespace", "key"], unique=False)
    op.create_index("ix_dataset_naming_other", "dataset_naming", ["other_namespace", "other_key"], unique=False)
    op.create_table("openlineage_event",
    sa.Column("id", KEY, autoincrement=True, nullable=False),
    sa.Column("digest", sa.String(length=64), nullable=False),
    sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("kind", sa.String(length=10), nullable=False),
    sa.Column("body", sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_openlineage_event")),
    sa.UniqueConstraint("digest", name=op.f("uq_openlineage_event_digest"))
    )
    op.create_index("ix_openlineage_event_time", "openlineage_event", ["event_time", "id"], unique=False)
    op.create_table("dataset_alias",
    sa.Column("namespace", sa.String(length=500), nullable=False),
    sa.Column("key", sa.String(length=900), nullable=False),
    sa.Column("dataset_id", KEY, nullable=False),
    sa.ForeignKeyConstraint(["dataset_id"], ["asset.id"], name=op.f("fk_dataset_alias_dataset_id_asset")),
    sa.PrimaryKeyConstraint("namespace", "key", name=op.f("pk_dataset_alias"))
    )
    op.create_index(op.f("ix_dataset_alias_dataset_id"), "dataset_alias", ["dataset_id"], unique=False)
    op.create_table("facet",
    sa.Column("id", KEY, autoincrement=True, nullable=False),
    sa.Column("asset_id", KEY, nullable=False),
    sa.Column("by_id", KEY, nullable=False),
    sa.Column("scope", sa.String(length=10), nullable=False),
    sa.Column("name", sa.String(length=200), nullable=False),
    sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("digest", sa.String(length=64), nullable=False),
    sa.Column("body", sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_facet_asset_id_asset")),
    sa.ForeignKeyConstraint(["by_id"], ["asset.id"], name=op.f("fk_facet_by_id_asset")),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_facet")),
    sa.UniqueConstraint("asset_id", "by_id", "scope", "name", name="uq_facet_place")
    )
    op.create_index(op.f("ix_facet_by_id"), "facet", ["by_id"], unique=False)
    op.create_table("quality_check",
    sa.Column("id", KEY, autoincrement=True, nullable=False),
    sa.Column("dataset_id", KEY, nullable=False),
    sa.Column("key", sa.String(length=64), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("severity", sa.String(length=40), nullable=False),
    sa.Column("expression", JSON, nullable=False),
    sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("said_digest", sa.String(length=64), nullable=False),
    sa.ForeignKeyConstraint(["dataset_id"], ["asset.id"], name=op.f("fk_quality_check_dataset_id_asset")),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_check")),
    sa.UniqueConstraint("dataset_id", "key", name="uq_quality_check_key")
    )
    op.create_table("run_dataset",
    sa.Column("by_id", KEY, autoincrement=False, nullable=False),
    sa.Column("dataset_id", KEY, autoincrement=False, nullable=False),
    sa.Column("direction", sa.String(length=3), nullable=False),
    sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("label", sa.Text(), nullable=True),
    sa.Column("schema_digest", sa.String(length=32), nullable=True),
    sa.Column("version_id", KEY, nullable=True),
    sa.ForeignKeyConstraint(["by_id"], ["asset.id"], name=op.f("fk_run_dataset_by_id_asset")),
    sa.ForeignKeyConstraint(["dataset_id"], ["asset.id"], name=op.f("fk_run_dataset_dataset_id_asset")),
    sa.ForeignKeyConstraint(["version_id"], ["asset.id"], name=op.f("fk_run_dataset_version_id_asset")),
    sa.PrimaryKeyConstraint("by_id", "dataset_id", "direction", name=op.f("pk_run_dataset"))
    )
    op.create_index("ix_run_dataset_dataset", "run_dataset", ["dataset_id", "direction", "first_at"], unique=False)
    op.create_index("ix_run_dataset_version", "run_dataset", ["version_id"], unique=False)
    op.create_table("check_result",
    sa.Column("id", KEY, autoincrement=True, nullable=False),
    sa.Column("check_id", KEY, nullable=False),
    sa.Column("run_id", KEY, nullable=False),
    sa.Column("version_id", KEY, nullable=True),
    sa.Column("passed", sa.Boolean(), nullable=False),
    sa.Column("observed", JSON, nullable=True),
    sa.Column("message", sa.Text(), nullable=True),
    sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("said_digest", sa.String(length=64), nullable=False),
    sa.Column("counted", sa.Boolean(), server_default=sa.true(), nullable=False),
    sa.ForeignKeyConstraint(["check_id"], ["quality_check.id"], name=op.f("fk_check_result_check_id_quality_check")),
    sa.ForeignKeyConstraint(["run_id"], ["asset.id"], name=op.f("fk_check_result_run_id_asset")),
    sa.ForeignKeyConstraint(["version_id"], ["asset.id"], name=op.f("fk_check_result_version_id_asset")),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_check_result")),
    sa.UniqueConstraint("check_id", "run_id", name="uq_check_result_run")
    )
    op.create_index(op.f("ix_check_result_run_id"), "check_result", ["run_id"], unique=False)
    op.create_index(op.f("ix_check_result_version_id"), "check_result", ["version_id"], unique=False)
    op.add_column("dataset", sa.Column("documented", sa.Text(), nullable=True))
    op.add_column("dataset_version", sa.Column("origin", sa.String(length=300), nullable=True))
    op.add_column("dataset_version", sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_dataset_version_effective", "dataset_version", ["dataset_id", "effective_at"], unique=False)
    op.create_index("uq_dataset_version_origin", "dataset_version", ["dataset_id", "origin"], unique=True)
    op.add_column("edge_run", sa.Column("first_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("edge_run", sa.Column("last_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("metric", sa.Column("facet_id", KEY, nullable=True))
    op.create_index(op.f("ix_metric_facet_id"), "metric", ["facet_id"], unique=False)
    op.add_column("run", sa.Column("parent_id", KEY, nullable=True))
    op.add_column("run", sa.Column("root_id", KEY, nullable=True))
    op.add_column("run", sa.Column("first_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("run", sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("run", sa.Column("streaming", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(op.f("ix_run_parent_id"), "run", ["parent_id"], unique=False)
    op.execute("UPDATE dataset_version SET effective_at = "
               "(SELECT created_at FROM asset WHERE asset.id = dataset_version.id)")
    for table, columns in (("asset_tag", ["asset_id", "name", "origin"]),
                           ("asset_owner", ["asset_id", "principal", "origin"])):
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("origin", sa.String(length=20), nullable=False, server_default=""))
            batch.drop_constraint(f"pk_{table}", type_="primary")
            batch.create_primary_key(f"pk_{table}", columns)


def downgrade() -> None:
    """Take back; what events said is lost."""
    for table, columns in (("asset_tag", ["asset_id", "name"]), ("asset_owner", ["asset_id", "principal"])):
        op.execute(f"DELETE FROM {table} WHERE origin = 'openlineage'")
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(f"pk_{table}", type_="primary")
            batch.create_primary_key(f"pk_{table}", columns)
            batch.drop_column("origin")
    op.drop_index("ix_run_parent_id", table_name="run")
    for column in ("streaming", "completed_at", "first_at", "root_id", "parent_id"):
        op.drop_column("run", column)
    op.drop_index("ix_metric_facet_id", table_name="metric")
    op.drop_column("metric", "facet_id")
    op.drop_column("edge_run", "last_at")
    op.drop_column("edge_run", "first_at")
    op.drop_index("uq_dataset_version_origin", table_name="dataset_version")
    op.drop_index("ix_dataset_version_effective", table_name="dataset_version")
    op.drop_column("dataset_version", "effective_at")
    op.drop_column("dataset_version", "origin")
    op.drop_column("dataset", "documented")
    for table in ("check_result", "run_dataset", "quality_check", "facet", "dataset_alias", "openlineage_event",
                  "dataset_naming"):
        op.drop_table(table)
