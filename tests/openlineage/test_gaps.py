"""Column edges that close with their column and open again: each time shows, in whatever order it becomes known."""

import shutil
import tempfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from story import NS, columns, dataset, event
from telling import different, lines, tell

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.tables import VERSION, VERSION_FIELD
from assetgraph.db.engine import Database
from assetgraph.ids import AssetKind
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.indexed import walk_in_memory
from assetgraph.lineage.tables import EDGE, EDGE_RUN, EdgeKind, Level
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest, walk

#: What a run says of a dataset: whether its schema has the column, and what it says the column is made by, if at all.
Word = tuple[int, bool | None, str | None]


def moment(minute: float) -> datetime:
    """Return a moment of the story's clock."""
    return datetime(2026, 3, 1, 8, tzinfo=UTC) + timedelta(minutes=minute)


def told(minute: int, word: Word) -> dict[str, Any]:
    """Return the event of a run at a minute; runs are few, so that some speak twice."""
    run, has, made_by = word
    facets: dict[str, Any] = {}
    if has is not None:
        facets["schema"] = columns("id", "x") if has else columns("id")
    if made_by is not None:
        done = [{"type": "DIRECT", "subtype": made_by}]
        source = {"namespace": NS, "name": "s", "field": "x", "transformations": done}
        facets["columnLineage"] = {"fields": {"x": {"inputFields": [source]}}}
    return event("COMPLETE", f"r{run}", "job", minute, [dataset("s")], [dataset("t", **facets)])


words = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([True, False, False, None]),
              st.sampled_from(["IDENTITY", "IDENTITY", "TRANSFORMATION", None])),
    min_size=3, max_size=9,
)  # fmt: skip


def field_of(database: Database, key: str) -> int:
    """Return the id of a column; 0 when there is none."""
    with database.reading() as session:
        return catalog.asset_id(session, AssetKind.FIELD, NS, key) or 0


def times(database: Database) -> list[tuple[datetime, datetime | None, int]]:
    """Return when the one column edge was valid, and how many runs support it in each time."""
    with database.reading() as session:
        rows = session.execute(EDGE.select().where(EDGE.c.level == Level.FIELD)).all()
    real = [row for row in rows if row.valid_to != row.valid_from]
    return sorted((row.valid_from, row.valid_to, int(row.run_count)) for row in real)


def worked_out(database: Database) -> list[tuple[datetime, datetime | None, int]]:
    """Return the same, from who supports the edge and which versions lack its column, by trying every moment."""
    field = field_of(database, "t#x")
    with database.reading() as session:
        said: dict[int, list[datetime]] = defaultdict(list)
        joined = EDGE_RUN.join(EDGE, EDGE.c.id == EDGE_RUN.c.edge_id)
        for row in session.execute(joined.select().where(EDGE.c.level == Level.FIELD)).all():
            said[row.run_id] += [row.first_at, row.last_at]
        having = {
            int(row.version_id)
            for row in session.execute(VERSION_FIELD.select().where(VERSION_FIELD.c.field_id == field)).all()
        }
        versions = [row for row in session.execute(VERSION.select()).all() if row.described]
    drops = sorted(
        row.effective_at for row in versions
        if row.id not in having and any(one.id in having and one.effective_at < row.effective_at for one in versions)
    )  # fmt: skip
    never = datetime.max.replace(tzinfo=UTC)
    ends = {run: next((drop for drop in drops if drop > max(at)), never) for run, at in said.items()}
    points = sorted({one for at in said.values() for one in at} | set(drops))
    found: list[tuple[datetime, datetime | None, set[int]]] = []
    for point in points:
        now = {run for run, at in said.items() if min(at) <= point and point < ends[run]}
        if now and found and found[-1][1] is None:
            found[-1][2].update(now)
        elif now:
            found.append((point, None, now))
        elif found and found[-1][1] is None:
            found[-1] = (found[-1][0], point, found[-1][2])
    return [(begin, end, len(runs)) for begin, end, runs in found]


@given(words, st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_gives_the_times_that_follow_from_claims_and_drops(
    sqlite_template: Path, said: list[Word], data: st.DataObject
) -> None:
    """Runs that speak twice across a drop included; SQL and the graph in memory agree after each batch."""
    events = [told(minute, word) for minute, word in enumerate(said)]
    order = data.draw(st.permutations(events))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=3)))
    graphs = []
    for batches in ([[one] for one in events], [order[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "graph.db"
            shutil.copyfile(sqlite_template, path)
            database = Database(f"sqlite:///{path}")
            try:
                index = GraphIndex()
                for batch in batches:
                    if batch:
                        tell(database, batch)
                        agreed(database, index)
                assert times(database) == worked_out(database)
                graphs.append(lines(database))
            finally:
                database.close()
    assert not (found := different(*graphs)), found


def agreed(database: Database, index: GraphIndex) -> None:
    """Walk the columns in SQL and in memory."""
    field = field_of(database, "s#x")
    if field:
        request = WalkRequest(NodeRef(AssetKind.FIELD, str(field)), Direction.DOWNSTREAM, 3, Level.FIELD)
        with database.reading() as session:
            stored, indexed = walk(session, request), walk_in_memory(session, request, index)
        assert indexed is not None
        assert [*map(repr, indexed.edges)] == [*map(repr, stored.edges)]


def test_every_gap_shows(database: Database) -> None:
    """An edge that closed and opened twelve times, told backwards: as of each moment it is there, or not."""
    said: list[Word] = [(minute, minute % 2 == 0, "IDENTITY" if minute % 2 == 0 else None) for minute in range(24)]
    for minute in reversed(range(24)):
        tell(database, [orjson.loads(orjson.dumps(told(minute, said[minute])))])
    root = NodeRef(AssetKind.FIELD, str(field_of(database, "t#x")))
    with database.reading() as session:
        for minute in range(24):
            at = moment(minute + 0.5)
            found = walk(session, WalkRequest(root, Direction.UPSTREAM, 3, Level.FIELD, as_of=at))
            assert [edge.kind for edge in found.edges] == ([EdgeKind.DERIVED] if minute % 2 == 0 else []), minute
    seconds = timedelta(microseconds=123456)
    assert times(database) == [
        (moment(minute) + seconds, moment(minute + 1) + seconds, 1) for minute in range(0, 24, 2)
    ]  # fmt: skip
