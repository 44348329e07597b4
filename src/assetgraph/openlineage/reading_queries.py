"""SQL of what events say of assets, as GraphQL shows it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, func, select

from assetgraph.catalog.tables import ALIAS
from assetgraph.db.engine import Session
from assetgraph.openlineage.tables import FACET, FACET_PAST


class ShownFacet(NamedTuple):
    """A facet as it is shown: its body is JSON."""

    name: str
    body: str
    event_time: datetime


def facets_of(session: Session, assets: Sequence[int], at: datetime | None = None) -> dict[int, list[ShownFacet]]:
    """Return the facets that describe assets themselves, whoever sent them, by asset; sorted by name.

    With a moment each has the body that stood then, and as its time since when it did.
    """
    found: dict[int, list[ShownFacet]] = {asset: [] for asset in assets}
    mine = FACET.c.asset_id.in_(list(assets)), FACET.c.by_id == FACET.c.asset_id
    since = func.coalesce(FACET.c.since, FACET.c.event_time)
    named = ("asset_id", "name", "body")
    now = select(*(FACET.c[name] for name in named), FACET.c.since, FACET.c.event_time).where(*mine)
    rows = list(session.execute(now if at is None else now.where(since <= at)).all())
    if at is not None:
        rank = func.row_number().over(
            partition_by=(FACET_PAST.c.asset_id, FACET_PAST.c.scope, FACET_PAST.c.name),
            order_by=FACET_PAST.c.since.desc(),
        ).label("rank")  # fmt: skip
        same = and_(FACET_PAST.c.asset_id == FACET.c.asset_id, FACET_PAST.c.scope == FACET.c.scope,
                    FACET_PAST.c.name == FACET.c.name)  # fmt: skip
        columns = (*(FACET_PAST.c[name] for name in named), FACET_PAST.c.since,
                   FACET_PAST.c.last_at.label("event_time"))  # fmt: skip
        before = select(*columns, rank).join(FACET, same).where(*mine, since > at, FACET_PAST.c.since <= at).subquery()
        rows += session.execute(select(before).where(before.c.rank == 1)).all()
    for row in sorted(rows, key=lambda row: (int(row.asset_id), str(row.name))):
        if row.body is not None:
            said = row.event_time if at is None else row.since or row.event_time
            found[int(row.asset_id)].append(ShownFacet(str(row.name), str(row.body), said))
    return found


def aliases_of(session: Session, datasets: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    """Return the other names of datasets, (namespace, name), by dataset."""
    found: dict[int, list[tuple[str, str]]] = {dataset: [] for dataset in datasets}
    mine = select(ALIAS).where(ALIAS.c.dataset_id.in_(list(datasets))).order_by(ALIAS.c.namespace, ALIAS.c.key)
    for row in session.execute(mine).all():
        found[int(row.dataset_id)].append((str(row.namespace), str(row.key)))
    return found
