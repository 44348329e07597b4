"""What was said of assets over time: tags, owners, descriptions, roles, lifecycles, locations, stages."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

#: Facets that describe a dataset or a job, and the aspect that each is about.
ASPECTS = {"documentation": "DESCRIPTION", "ownership": "OWNERS", "tags": "TAGS", "lifecycleStateChange": "LIFECYCLE"}
MOMENT = sa.DateTime(timezone=True)
FACET = sa.table("facet", sa.column("asset_id"), sa.column("scope"), sa.column("name"), sa.column("event_time", MOMENT),
                 sa.column("digest"), sa.column("body"))
HISTORY = sa.table("asset_history", sa.column("asset_id"), sa.column("aspect"), sa.column("origin"),
                   sa.column("at", MOMENT), sa.column("digest"), sa.column("value"))


def upgrade() -> None:
    """Apply. What events said last begins the history; all else was always as it is now, as far as is known."""
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
    connection = op.get_bind()
    words = connection.execute(sa.select(FACET).where(FACET.c.scope.in_(["DATASET", "JOB"]), FACET.c.name.in_(ASPECTS)))
    while rows := words.fetchmany(1000):
        connection.execute(sa.insert(HISTORY), [
            {"asset_id": row.asset_id, "aspect": ASPECTS[row.name], "origin": "openlineage", "at": row.event_time,
             "digest": row.digest, "value": _value(row.name, json.loads(row.body) if row.body else {})}
            for row in rows
        ])  # fmt: skip


def _value(name: str, body: dict[str, Any]) -> str | None:
    """Return what a facet says as the history holds it."""
    if name == "documentation":
        return body.get("description")
    if name == "lifecycleStateChange":
        return "RETIRED" if body.get("lifecycleStateChange") == "DROP" else "ACTIVE"
    if name == "ownership":
        pairs = {(one["name"], (one.get("type") or "OWNER")[:40]) for one in body.get("owners") or []}
    else:
        pairs = {(one.get("field") or "", _tag(one)) for one in body.get("tags") or []}
    return json.dumps(sorted(pairs), ensure_ascii=False, separators=(",", ":"))


def _tag(one: dict[str, Any]) -> str:
    value = str(one.get("value") or "").strip()
    return str(one["key"]) if value.lower() in ("", "true") else f"{one['key']}={value}"[:200]


def downgrade() -> None:
    """Take back; the past is lost, the present stays."""
    op.drop_table("asset_history")
