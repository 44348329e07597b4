"""The change log: same transaction, commit order, hash chain."""

import threading
import time

import pytest
from sqlalchemy import text

from assetgraph.catalog import service as catalog
from assetgraph.changes import service
from assetgraph.db.engine import Database
from assetgraph.ids import AssetKind


def test_a_failed_transaction_leaves_no_change(database: Database) -> None:
    """Rows and their changes are written together or not at all."""
    with pytest.raises(RuntimeError), database.transaction("test") as session:
        catalog.ensure_dataset(session, "ns", "a")
        raise RuntimeError
    with database.reading() as session:
        assert service.newest(session) == 0
        assert catalog.find_asset(session, AssetKind.DATASET, "ns", "a") is None


def test_the_chain_holds_and_names_the_actor(database: Database) -> None:
    """Every change names who did what, and the chain computes again."""
    with database.transaction("ann") as session:
        catalog.register_dataset(session, catalog.RegisterDataset("ns", "ü\u2028", description="1e22 \\u0000"))
    with database.reading() as session:
        rows = service.follow(session, 0)
        found = service.verify(session)
    assert [(row.sequence, row.actor, row.action) for row in rows] == [(1, "ann", "created"), (2, "ann", "changed")]
    assert (found.checked, found.broken_at) == (2, None)


@pytest.mark.parametrize("damage", ["UPDATE change SET actor = 'eve' WHERE sequence = 2",
                                    "DELETE FROM change WHERE sequence = 2"])  # fmt: skip
def test_damage_is_found_where_it_is(database: Database, damage: str) -> None:
    """An altered or removed row breaks the chain at its place."""
    for name in "abc":
        with database.transaction("test") as session:
            catalog.ensure_dataset(session, "ns", name)
    with database.transaction("test") as session:
        session.execute(text(damage))
    with database.reading() as session:
        assert service.verify(session).broken_at == 2


def test_a_follower_misses_and_repeats_nothing_while_commits_interleave(postgres_url: str) -> None:
    """Transactions that begin early and commit late, on many threads, against a follower that polls all the while."""
    database = Database(postgres_url)
    stop = threading.Event()
    seen: list[int] = []

    def write(worker: int) -> None:
        for number in range(10):
            with database.transaction(f"w{worker}") as session:
                catalog.ensure_dataset(session, "ns", f"{worker}-{number}")
                time.sleep(0.004 * ((worker * 7 + number) % 5))

    def follow() -> None:
        after = 0
        while True:
            last_look = stop.is_set()
            with database.reading() as session:
                rows = service.follow(session, after, most=7)
            seen.extend(row.sequence for row in rows)
            after = seen[-1] if seen else 0
            if last_look and not rows:
                return

    writers = [threading.Thread(target=write, args=(worker,)) for worker in range(6)]
    follower = threading.Thread(target=follow)
    follower.start()
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    follower.join()
    with database.reading() as session:
        verified = service.verify(session)
    database.close()
    assert seen == list(range(1, 61))
    assert (verified.checked, verified.broken_at) == (60, None)
