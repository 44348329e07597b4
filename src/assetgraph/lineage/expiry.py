"""Time to live: edges that nobody has said for long close, as of when their time was over."""

from datetime import timedelta

from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Database
from assetgraph.lineage import edge_queries
from assetgraph.lineage.edge_log import Place, log_closed
from assetgraph.lineage.tables import Ending

#: Edges that one transaction closes: others may write in between.
BATCH = 5000


def expire(database: Database, days: int, *, actor: str, batch: int = BATCH) -> int:
    """Close edges between definitions and columns not seen for so many days; returns how many.

    An edge is valid until that time after it was seen last. One that is seen again afterwards opens anew, with its
    supporters counted from then on; where a late word makes times overlap, walks show the edge once.
    """
    lifetime = timedelta(days=days)
    after, closed = 0, 0
    while True:
        with database.transaction(actor) as session:
            # The log's lock, early: nobody sees an edge again while it is closed here.
            changes.lock(session)
            stale = edge_queries.stale_edges(session, now() - lifetime, after, batch)
            edge_queries.end_edges(session, [
                {"edge": int(row.id), "until": row.last_seen + lifetime, "why": Ending.EXPIRED} for row in stale
            ])  # fmt: skip
            log_closed(session, [
                (int(row.id), Place(int(row.source_id), int(row.target_id), row.kind, row.level)) for row in stale
            ])  # fmt: skip
        closed += len(stale)
        if len(stale) < batch:
            return closed
        after = int(stale[-1].id)
