"""The tables of the loop."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

# Text as it was hashed: JSONB would rewrite numbers and refuse NUL, and the chain would break.
VERBATIM_JSON = sa.JSON(none_as_null=True)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "asset",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("namespace", sa.String(length=500), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
        sa.UniqueConstraint("kind", "namespace", "key", name="uq_asset_identity"),
    )
    op.create_table(
        "change",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("entity_type", sa.String(length=40), nullable=False),
        sa.Column("entity_key", sa.String(length=2000), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("before", VERBATIM_JSON, nullable=True),
        sa.Column("after", VERBATIM_JSON, nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_change")),
    )
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.create_index("ix_change_entity_sequence", ["entity_type", "entity_key", "sequence"], unique=False)

    op.create_table(
        "token",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_token_hash")),
    )
    op.create_table(
        "asset_owner",
        sa.Column("asset_id", KEY, nullable=False),
        sa.Column("principal", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_asset_owner_asset_id_asset")),
        sa.PrimaryKeyConstraint("asset_id", "principal", name=op.f("pk_asset_owner")),
    )
    with op.batch_alter_table("asset_owner", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_asset_owner_principal"), ["principal"], unique=False)

    op.create_table(
        "asset_tag",
        sa.Column("asset_id", KEY, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_asset_tag_asset_id_asset")),
        sa.PrimaryKeyConstraint("asset_id", "name", name=op.f("pk_asset_tag")),
    )
    with op.batch_alter_table("asset_tag", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_asset_tag_name"), ["name"], unique=False)

    op.create_table(
        "dataset",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("role", sa.String(length=40), nullable=True),
        sa.Column("lifecycle", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["asset.id"], name=op.f("fk_dataset_id_asset")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset")),
    )
    op.create_table(
        "edge",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("source_id", KEY, nullable=False),
        sa.Column("target_id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("level", sa.String(length=40), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_count", sa.Integer(), nullable=False),
        sa.Column("run_id", KEY, nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["asset.id"], name=op.f("fk_edge_run_id_asset")),
        sa.ForeignKeyConstraint(["source_id"], ["asset.id"], name=op.f("fk_edge_source_id_asset")),
        sa.ForeignKeyConstraint(["target_id"], ["asset.id"], name=op.f("fk_edge_target_id_asset")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edge")),
    )
    with op.batch_alter_table("edge", schema=None) as batch_op:
        batch_op.create_index("ix_edge_source", ["source_id", "level", "target_id"], unique=False)
        batch_op.create_index("ix_edge_target", ["target_id", "level", "source_id"], unique=False)
        batch_op.create_index(
            "uq_edge_open",
            ["source_id", "target_id", "kind"],
            unique=True,
            sqlite_where=sa.text("valid_to IS NULL"),
            postgresql_where=sa.text("valid_to IS NULL"),
        )

    op.create_table(
        "idempotency",
        sa.Column("principal", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("asset_id", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_idempotency_asset_id_asset")),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("pk_idempotency")),
    )
    op.create_table(
        "job",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["id"], ["asset.id"], name=op.f("fk_job_id_asset")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_table(
        "metric",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("asset_id", KEY, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("is_exact", sa.Boolean(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_metric_asset_id_asset")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metric")),
    )
    with op.batch_alter_table("metric", schema=None) as batch_op:
        batch_op.create_index("ix_metric_asset", ["asset_id", "name", "id"], unique=False)

    op.create_table(
        "model",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["id"], ["asset.id"], name=op.f("fk_model_id_asset")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model")),
    )
    op.create_table(
        "source",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["asset.id"], name=op.f("fk_source_id_asset")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
    )
    op.create_table(
        "dataset_version",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("dataset_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("external_version", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("row_count", sa.BigInteger(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_dataset_version_dataset_id_dataset")),
        sa.ForeignKeyConstraint(["id"], ["asset.id"], name=op.f("fk_dataset_version_id_asset")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_version")),
        sa.UniqueConstraint("dataset_id", "number", name="uq_dataset_version_number"),
    )
    with op.batch_alter_table("dataset_version", schema=None) as batch_op:
        batch_op.create_index("ix_dataset_version_fingerprint", ["dataset_id", "fingerprint"], unique=False)

    op.create_table(
        "field",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("dataset_id", KEY, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_field_dataset_id_dataset")),
        sa.ForeignKeyConstraint(["id"], ["asset.id"], name=op.f("fk_field_id_asset")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_field")),
        sa.UniqueConstraint("dataset_id", "path", name="uq_field_path"),
    )
    op.create_table(
        "model_version",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("model_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=40), nullable=False),
        sa.Column("parameters", JSON, nullable=False),
        sa.Column("artifact", sa.Text(), nullable=False),
        sa.Column("user_count", sa.BigInteger(), nullable=False),
        sa.Column("item_count", sa.BigInteger(), nullable=False),
        sa.Column("interaction_count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["asset.id"], name=op.f("fk_model_version_id_asset")),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_model_version_model_id_model")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_version")),
        sa.UniqueConstraint("model_id", "number", name="uq_model_version_number"),
    )
    op.create_table(
        "run",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("run_id", sa.String(length=500), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("progress", sa.Float(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("parameters", JSON, nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["id"], ["asset.id"], name=op.f("fk_run_id_asset")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_run_job_id_job")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index("ix_run_job", ["job_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_run_id"), ["run_id"], unique=False)
        batch_op.create_index("ix_run_state", ["state", "type", "id"], unique=False)

    op.create_table(
        "feedback",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("model_id", KEY, nullable=True),
        sa.Column("model_version_id", KEY, nullable=True),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recommendation", sa.Text(), nullable=True),
        sa.Column("key", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_feedback_model_id_model")),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_version.id"], name=op.f("fk_feedback_model_version_id_model_version")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
    )
    with op.batch_alter_table("feedback", schema=None) as batch_op:
        batch_op.create_index("ix_feedback_model", ["model_id", "id"], unique=False)
        batch_op.create_index("ix_feedback_model_version", ["model_version_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_feedback_recommendation"), ["recommendation"], unique=False)
        batch_op.create_index("uq_feedback_key", ["key"], unique=True)

    op.create_table(
        "feedback_export",
        sa.Column("run_id", KEY, autoincrement=False, nullable=False),
        sa.Column("model_id", KEY, nullable=False),
        sa.Column("last_feedback_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_feedback_export_model_id_model")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_feedback_export_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_feedback_export")),
    )
    with op.batch_alter_table("feedback_export", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_feedback_export_model_id"), ["model_id"], unique=False)

    op.create_table(
        "finding",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_finding_run_id_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
    )
    with op.batch_alter_table("finding", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_finding_run_id"), ["run_id"], unique=False)

    op.create_table(
        "lease",
        sa.Column("run_id", KEY, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=True),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("needs_gpu", sa.Boolean(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_lease_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_lease")),
    )
    with op.batch_alter_table("lease", schema=None) as batch_op:
        batch_op.create_index("ix_lease_claim", ["needs_gpu", "expires_at", "run_id"], unique=False)

    op.create_table(
        "version_field",
        sa.Column("version_id", KEY, nullable=False),
        sa.Column("field_id", KEY, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("nullable", sa.Boolean(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("profile", JSON, nullable=True),
        sa.ForeignKeyConstraint(["field_id"], ["field.id"], name=op.f("fk_version_field_field_id_field")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["dataset_version.id"], name=op.f("fk_version_field_version_id_dataset_version")
        ),
        sa.PrimaryKeyConstraint("version_id", "field_id", name=op.f("pk_version_field")),
    )
    with op.batch_alter_table("version_field", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_version_field_field_id"), ["field_id"], unique=False)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("version_field", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_version_field_field_id"))

    op.drop_table("version_field")
    with op.batch_alter_table("lease", schema=None) as batch_op:
        batch_op.drop_index("ix_lease_claim")

    op.drop_table("lease")
    with op.batch_alter_table("finding", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_finding_run_id"))

    op.drop_table("finding")
    with op.batch_alter_table("feedback_export", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_feedback_export_model_id"))

    op.drop_table("feedback_export")
    with op.batch_alter_table("feedback", schema=None) as batch_op:
        batch_op.drop_index("uq_feedback_key")
        batch_op.drop_index(batch_op.f("ix_feedback_recommendation"))
        batch_op.drop_index("ix_feedback_model_version")
        batch_op.drop_index("ix_feedback_model")

    op.drop_table("feedback")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index("ix_run_state")
        batch_op.drop_index(batch_op.f("ix_run_run_id"))
        batch_op.drop_index("ix_run_job")

    op.drop_table("run")
    op.drop_table("model_version")
    op.drop_table("field")
    with op.batch_alter_table("dataset_version", schema=None) as batch_op:
        batch_op.drop_index("ix_dataset_version_fingerprint")

    op.drop_table("dataset_version")
    op.drop_table("source")
    op.drop_table("model")
    with op.batch_alter_table("metric", schema=None) as batch_op:
        batch_op.drop_index("ix_metric_asset")

    op.drop_table("metric")
    op.drop_table("job")
    op.drop_table("idempotency")
    with op.batch_alter_table("edge", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_edge_open", sqlite_where=sa.text("valid_to IS NULL"), postgresql_where=sa.text("valid_to IS NULL")
        )
        batch_op.drop_index("ix_edge_target")
        batch_op.drop_index("ix_edge_source")

    op.drop_table("edge")
    op.drop_table("dataset")
    with op.batch_alter_table("asset_tag", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_asset_tag_name"))

    op.drop_table("asset_tag")
    with op.batch_alter_table("asset_owner", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_asset_owner_principal"))

    op.drop_table("asset_owner")
    op.drop_table("token")
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.drop_index("ix_change_entity_sequence")

    op.drop_table("change")
    op.drop_table("asset")
