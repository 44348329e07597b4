"""All SQL of sketches, candidate keys and relations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, or_, select, true, tuple_, update

from assetgraph.catalog.tables import ASSET, DATASET, ProposalStatus
from assetgraph.db.engine import Session
from assetgraph.db.page import Page, PageRequest, keyset_page
from assetgraph.inventory.relation_tables import KEY, RELATION, SKETCH
from assetgraph.lineage.tables import EDGE, EdgeKind, Level


def datasets_of(session: Session, namespace: str, most: int) -> list[Row[Any]]:
    """Return datasets of a namespace by name."""
    joined = select(DATASET.c.id, ASSET.c.name).join(ASSET, ASSET.c.id == DATASET.c.id)
    rows = session.execute(joined.where(ASSET.c.namespace == namespace).order_by(ASSET.c.key).limit(most))
    return list(rows.all())


def looked_at(session: Session, versions: Sequence[int]) -> set[int]:
    """Return the versions whose keys were looked for, with their sketches."""
    return set(session.execute(select(KEY.c.version_id).where(KEY.c.version_id.in_(list(versions)))).scalars())


def insert_sketches(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert sketches of columns."""
    if rows:
        session.execute(insert(SKETCH), list(rows))


def insert_keys(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert candidate keys."""
    session.execute(insert(KEY), list(rows))


def sketches_of(session: Session, versions: Sequence[int]) -> list[Row[Any]]:
    """Return the sketches of versions, in their order."""
    wanted = select(SKETCH).where(SKETCH.c.version_id.in_(list(versions)))
    return list(session.execute(wanted.order_by(SKETCH.c.version_id, SKETCH.c.field_id)).all())


def keys_of(session: Session, versions: Sequence[int]) -> dict[int, list[list[str]]]:
    """Return the candidate keys of versions, single columns first."""
    found: dict[int, list[list[str]]] = {version: [] for version in versions}
    wanted = select(KEY).where(KEY.c.version_id.in_(list(versions)), KEY.c.ordinal >= 0)
    for row in session.execute(wanted.order_by(KEY.c.version_id, KEY.c.ordinal)).all():
        found[int(row.version_id)].append(list(row.fields))
    return found


def data_flows(session: Session, datasets: Sequence[int]) -> list[tuple[int, int, bool]]:
    """Return (job, dataset, reads) of the jobs that read or make datasets."""
    ids = list(datasets)
    open_ones = and_(EDGE.c.level == Level.DATASET, EDGE.c.valid_to.is_(None))
    reads = select(EDGE.c.target_id, EDGE.c.source_id).where(
        open_ones, EDGE.c.kind == EdgeKind.CONSUMED, EDGE.c.source_id.in_(ids)
    )
    makes = select(EDGE.c.source_id, EDGE.c.target_id).where(
        open_ones, EDGE.c.kind == EdgeKind.PRODUCED, EDGE.c.target_id.in_(ids)
    )
    found = [(int(row.target_id), int(row.source_id), True) for row in session.execute(reads).all()]
    return found + [(int(row.source_id), int(row.target_id), False) for row in session.execute(makes).all()]


def relations_among(session: Session, datasets: Sequence[int]) -> list[Row[Any]]:
    """Return all relations whose both ends are among some datasets."""
    ids = list(datasets)
    wanted = select(RELATION).where(RELATION.c.from_dataset_id.in_(ids), RELATION.c.to_dataset_id.in_(ids))
    return list(session.execute(wanted).all())


def insert_relations(session: Session, rows: Sequence[dict[str, Any]]) -> list[Row[Any]]:
    """Insert relations and return them."""
    if not rows:
        return []
    session.execute(insert(RELATION), list(rows))
    ends = [(row["from_field_id"], row["to_field_id"], row["kind"]) for row in rows]
    place = tuple_(RELATION.c.from_field_id, RELATION.c.to_field_id, RELATION.c.kind)
    return list(session.execute(select(RELATION).where(place.in_(ends))).all())


def set_confidence(session: Session, relation: int, confidence: float) -> None:
    """Change how sure a relation is."""
    session.execute(update(RELATION).where(RELATION.c.id == relation).values(confidence=confidence))


def delete_relations(session: Session, ids: Sequence[int]) -> None:
    """Remove proposals that nothing speaks for any more."""
    if ids:
        session.execute(delete(RELATION).where(RELATION.c.id.in_(list(ids))))


def relations_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return relations by id."""
    wanted = select(RELATION).where(RELATION.c.id.in_(list(ids)))
    return {int(row.id): row for row in session.execute(wanted).all()}


def lock_relation(session: Session, relation: int) -> Row[Any] | None:
    """Return a relation and keep others from deciding it until the commit."""
    return session.execute(select(RELATION).where(RELATION.c.id == relation).with_for_update()).one_or_none()


def decide(session: Session, relation: int, status: ProposalStatus, by: str, at: datetime) -> None:
    """Write what a steward decided."""
    values = {"status": status, "decided_by": by, "decided_at": at}
    session.execute(update(RELATION).where(RELATION.c.id == relation).values(**values))


def relations_page(
    session: Session, dataset: int, request: PageRequest, at: datetime | None = None, *, rejected: bool = False
) -> Page[Any]:
    """Return the relations from and to a dataset, found by a moment; rejected ones only where asked for."""
    mine = or_(RELATION.c.from_dataset_id == dataset, RELATION.c.to_dataset_id == dataset)
    found = true() if at is None else RELATION.c.found_at <= at
    shown = true() if rejected else RELATION.c.status != ProposalStatus.REJECTED
    return keyset_page(
        session,
        select(RELATION).where(mine, found, shown),
        select(func.count()).select_from(RELATION).where(mine, found, shown),
        columns=[RELATION.c.id],
        names=["id"],
        request=request,
    )
