"""Edges as commands say them; they are written set-wise by `support`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.lineage.edge_log import MASKS, Place
from assetgraph.lineage.support import Claims, Transformation, write_claims
from assetgraph.lineage.tables import EdgeKind, Level

__all__ = ["MASKS", "Link", "Transformation", "connect", "contain", "version_of"]


@dataclass(frozen=True)
class Link:
    """An edge to open."""

    source: int
    target: int
    kind: EdgeKind
    level: Level
    transformations: tuple[Transformation, ...] = ()


def connect(session: Session, links: Sequence[Link], *, run: int | None = None, at: datetime | None = None) -> None:
    """Open edges or see them again; a run counts once for each, however often it says so."""
    claims, moment = Claims(), at or now()
    for link in links:
        # At level VERSION a run is an end of its edges and supports them by being there.
        by = None if link.level is Level.VERSION else run
        place = Place(link.source, link.target, link.kind, link.level)
        claims.add(place, by, moment, transformations=link.transformations)
    write_claims(session, claims)


def contain(session: Session, source: int, dataset: int) -> None:
    """Say that a source holds a dataset."""
    connect(session, [Link(source, dataset, EdgeKind.CONTAINS, Level.DATASET)])


def contain_all(session: Session, source: int, datasets: Sequence[int]) -> None:
    """Say that a source holds datasets."""
    connect(session, [Link(source, dataset, EdgeKind.CONTAINS, Level.DATASET) for dataset in datasets])


def version_of(session: Session, definition: int, version: int) -> None:
    """Say that a version belongs to its dataset or model."""
    connect(session, [Link(definition, version, EdgeKind.VERSION_OF, Level.VERSION)])
