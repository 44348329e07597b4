"""SQL of what was there at a moment.

An asset is there since it was registered, or since anything that happened to it by a producer's clock, if that is
earlier: an edge that was ever valid, or a run that began. So a walk of the past meets only what was there then.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, or_, select

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.tables import ASSET
from assetgraph.db.engine import Session
from assetgraph.db.page import Page, PageRequest
from assetgraph.lineage.queries import begun
from assetgraph.lineage.tables import EDGE, RUN


def there_at(at: datetime) -> ColumnElement[bool]:
    """Tell whether an asset (a row of `asset`) was there at a moment."""
    # An edge that was taken back was valid at no moment.
    ever = and_(EDGE.c.valid_from <= at, or_(EDGE.c.valid_to.is_(None), EDGE.c.valid_to > EDGE.c.valid_from))
    ends = [
        select(EDGE.c.id).where(end == ASSET.c.id, ever).correlate(ASSET).exists()
        for end in (EDGE.c.source_id, EDGE.c.target_id)
    ]
    ran = select(RUN.c.id).where(RUN.c.id == ASSET.c.id, begun(at)).correlate(ASSET).exists()
    return or_(ASSET.c.created_at <= at, *ends, ran)


def present(session: Session, ids: Sequence[int], at: datetime) -> dict[int, bool]:
    """Return which assets were there at a moment."""
    wanted = select(ASSET.c.id).where(ASSET.c.id.in_(list(ids)), there_at(at))
    return {int(row.id): True for row in session.execute(wanted).all()}


def datasets_page(
    session: Session, filters: dict[str, Any], request: PageRequest, at: datetime | None = None
) -> Page[Any]:
    """Return datasets by namespace and name, with what was said of them at a moment."""
    return catalog.datasets_page(session, filters, request, at, None if at is None else there_at(at))


def loose_fields(session: Session, datasets: Sequence[int], at: datetime | None = None) -> dict[int, list[Row[Any]]]:
    """Return the fields of datasets that only column lineage names, or named by a moment."""
    return catalog.unversioned_fields(session, datasets, at, None if at is None else there_at(at))


def current_fields(session: Session, datasets: Sequence[int], at: datetime | None = None) -> dict[int, list[int]]:
    """Return the ids of the fields that datasets have, or had at a moment."""
    return catalog.current_fields(session, datasets, at, None if at is None else there_at(at))
