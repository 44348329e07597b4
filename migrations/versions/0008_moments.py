"""Since when findings are there, what datasets were called, and bodies of facets that others replaced."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
#: Since when a dataset had the name that its first rename took from it.
ALWAYS = datetime(1, 1, 2, tzinfo=UTC)

Name = tuple[str, str]


def upgrade() -> None:
    """Apply. Findings are as old as the end of their run; names before renames follow from the renames."""
    op.add_column("finding", sa.Column("found_at", MOMENT, nullable=True))
    op.execute("UPDATE finding SET found_at = (SELECT coalesce(r.ended_at, r.started_at, a.created_at) "
               "FROM run r JOIN asset a ON a.id = r.id WHERE r.id = finding.run_id)")  # fmt: skip
    op.add_column("facet", sa.Column("since", MOMENT, nullable=True))
    op.create_table("facet_past",
    sa.Column("asset_id", KEY, autoincrement=False, nullable=False),
    sa.Column("scope", sa.String(length=10), nullable=False),
    sa.Column("name", sa.String(length=200), nullable=False),
    sa.Column("since", MOMENT, nullable=False),
    sa.Column("last_at", MOMENT, nullable=False),
    sa.Column("digest", sa.String(length=64), nullable=False),
    sa.Column("body", sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_facet_past_asset_id_asset")),
    sa.PrimaryKeyConstraint("asset_id", "scope", "name", "since", name=op.f("pk_facet_past"))
    )
    _name(op.get_bind())


def _name(connection: sa.Connection) -> None:
    """Keep what datasets were called that producers renamed."""
    renames: dict[int, list[tuple[datetime, Name, Name]]] = {}
    # Any name of a dataset finds it: its own, or an alias.
    for row in connection.execute(sa.text(
        "SELECT d.id, n.namespace, n.key, n.other_namespace, n.other_key, n.renamed_at FROM dataset_naming n JOIN "
        "(SELECT id, namespace, key FROM asset WHERE kind = 'DATASET' "
        "UNION ALL SELECT dataset_id, namespace, key FROM dataset_alias) d "
        "ON d.namespace = n.namespace AND d.key = n.key WHERE n.renamed_at <> ''"
    )):
        names = (str(row[1]), str(row[2])), (str(row[3]), str(row[4]))
        renames.setdefault(int(row[0]), []).append((datetime.fromisoformat(row[5]).astimezone(UTC), *names))
    history = sa.table("asset_history", sa.column("asset_id"), sa.column("aspect"), sa.column("origin"),
                       sa.column("at", MOMENT), sa.column("digest"), sa.column("value"))  # fmt: skip
    rows = []
    for dataset, said in renames.items():
        earliest = min(said)[0]
        since = {ALWAYS: max(other for at, _, other in said if at == earliest)}
        since |= {at: stays for at, stays, _ in sorted(said)}
        rows += [
            {"asset_id": dataset, "aspect": aspect, "origin": "openlineage", "at": at, "digest": "", "value": value}
            for at, name in since.items() for aspect, value in zip(("NAMESPACE", "NAME"), name, strict=True)
        ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(history), rows)


def downgrade() -> None:
    """Take back; the past is lost, the present stays."""
    op.execute("DELETE FROM asset_history WHERE aspect IN ('NAME', 'NAMESPACE')")
    op.drop_table("facet_past")
    op.drop_column("facet", "since")
    op.drop_column("finding", "found_at")
