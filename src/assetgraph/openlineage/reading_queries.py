"""SQL of what events say of assets, as GraphQL shows it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select

from assetgraph.catalog.tables import ALIAS
from assetgraph.db.engine import Session
from assetgraph.openlineage.tables import FACET


def facets_of(session: Session, assets: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return the facets that describe assets themselves, whoever sent them, by asset; sorted by name."""
    found: dict[int, list[Row[Any]]] = {asset: [] for asset in assets}
    mine = FACET.c.asset_id.in_(list(assets)), FACET.c.by_id == FACET.c.asset_id, FACET.c.body.is_not(None)
    for row in session.execute(select(FACET).where(*mine).order_by(FACET.c.asset_id, FACET.c.name)).all():
        found[int(row.asset_id)].append(row)
    return found


def aliases_of(session: Session, datasets: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    """Return the other names of datasets, (namespace, name), by dataset."""
    found: dict[int, list[tuple[str, str]]] = {dataset: [] for dataset in datasets}
    mine = select(ALIAS).where(ALIAS.c.dataset_id.in_(list(datasets))).order_by(ALIAS.c.namespace, ALIAS.c.key)
    for row in session.execute(mine).all():
        found[int(row.dataset_id)].append((str(row.namespace), str(row.key)))
    return found
