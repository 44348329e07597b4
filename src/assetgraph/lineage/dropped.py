"""Columns that a version dropped: their edges close then, unless something claims them at or after that moment."""

from collections.abc import Sequence

from assetgraph.db.engine import Session
from assetgraph.lineage import edge_queries
from assetgraph.lineage.settling import settle


def settle_versions(session: Session, versions: Sequence[int], *, anew: Sequence[int] = ()) -> None:
    """Close or open column edges by versions that are new; of the datasets `anew` all are looked at.

    Those are datasets whose known versions changed: drops may be gone, or earlier than they were.
    """
    fields, since = edge_queries.fields_that_versions_drop(session, versions) if versions else ([], None)
    whole = edge_queries.fields_of(session, anew) if anew else []
    edges = edge_queries.column_edges(session, sorted(set(fields) - set(whole)), since) if fields else []
    if whole:
        edges += edge_queries.column_edges(session, whole)
    settle(session, edges)
