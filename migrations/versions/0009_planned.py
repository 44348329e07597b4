"""When runs were planned for, files of model versions, types of events, and finding feedback by when it came."""

import json
import zlib
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; what earlier trainings wrote is described by the manifests beside it only."""
    op.add_column("run", sa.Column("nominal_at", sa.DateTime(timezone=True), nullable=True))
    document = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.add_column("model_version", sa.Column("files", document, nullable=True))
    op.create_index("ix_feedback_moment", "feedback", ["model_id", "created_at"])
    op.add_column("openlineage_event", sa.Column("event_type", sa.String(length=10), nullable=True))
    _set_event_types()
    op.drop_index("ix_openlineage_event_time", table_name="openlineage_event")
    op.create_index("ix_openlineage_event_time", "openlineage_event", ["event_time", "id", "event_type"])


def _set_event_types() -> None:
    """Say the types of the events of the last eight days: those before are counted nowhere."""
    events = sa.table("openlineage_event", sa.column("id", sa.BigInteger), sa.column("kind"),
                      sa.column("event_time", sa.DateTime(timezone=True)), sa.column("event_type"),
                      sa.column("body", sa.LargeBinary))  # fmt: skip
    connection = op.get_bind()
    since = datetime.now(UTC) - timedelta(days=8)
    if connection.dialect.name == "sqlite":
        since = since.replace(tzinfo=None)  # moments are kept without an offset there
    after = 0
    while True:
        wanted = sa.select(events.c.id, events.c.body).where(
            events.c.id > after, events.c.kind == "RUN", events.c.event_time >= since
        )
        rows = connection.execute(wanted.order_by(events.c.id).limit(1000)).all()
        if not rows:
            return
        after = rows[-1].id
        told = [{"event": row.id, "type": json.loads(zlib.decompress(row.body)).get("eventType")} for row in rows]
        statement = sa.update(events).where(events.c.id == sa.bindparam("event"))
        connection.execute(statement.values(event_type=sa.bindparam("type")), told)


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_openlineage_event_time", table_name="openlineage_event")
    op.drop_column("openlineage_event", "event_type")
    op.create_index("ix_openlineage_event_time", "openlineage_event", ["event_time", "id"])
    op.drop_index("ix_feedback_moment", table_name="feedback")
    op.drop_column("model_version", "files")
    op.drop_column("run", "nominal_at")
