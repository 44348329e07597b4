"""Checks judged while a scan reads: what comes of them is what reading again would give, and nothing is read again."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scanning import NS, declared, scan

from assetgraph.db.engine import Database
from assetgraph.errors import AssetgraphError
from assetgraph.inventory import checking
from assetgraph.inventory.discover import discover
from assetgraph.inventory.profile import scan_candidate
from assetgraph.settings import Settings

ROWS = 20_000


def test_checks_are_judged_in_the_pass_of_the_profile(database: Database, settings: Settings, incoming: Path) -> None:
    """The files are gone when the checks are judged, in one part or several; the verdicts are those of all the data."""
    rng = np.random.default_rng(3)
    frame = pl.DataFrame({
        "id": rng.permutation(ROWS), "word": [f"w{n}" for n in rng.integers(0, 9_500, ROWS)],
        "price": rng.random(ROWS) * 10,
    })  # fmt: skip
    other = pl.DataFrame({"word": [f"w{n}" for n in range(9_000)]})
    folder = incoming / "events"
    folder.mkdir()
    other.write_parquet(incoming / "words.parquet")
    frame.write_parquet(folder / "events.parquet")
    scan(database, settings, incoming)
    checks = declared(
        database, "events/events", once={"unique": {"fields": ["id"]}}, both={"unique": {"fields": ["id", "word"]}},
        shape={"matchesPattern": {"field": "word", "pattern": "w[0-9]{1,3}"}},
        cheap={"inRange": {"field": "price", "min": 0, "max": 9.5, "maxFailingShare": 0.5}},
        some={"inSet": {"field": "word", "values": ["w1", "w2"]}}, there={"notNull": {"field": "price"}},
        known={"foreignKey": {"field": "word", "references": {"namespace": NS, "name": "words", "field": "word"}}},
    )  # fmt: skip
    long = frame.filter(pl.col("word").str.len_bytes() > 4).height
    failing = {
        "once": 0, "both": 0, "shape": long, "cheap": frame.filter(pl.col("price") > 9.5).height,
        "some": frame.filter(~pl.col("word").is_in(["w1", "w2"])).height, "there": 0,
        "known": frame.join(other, on="word", how="anti").height,
    }  # fmt: skip
    # Other bytes of the same content, so that it is read: in one file, and in several parts by two threads.
    for parts in (1, 3):
        for file in folder.iterdir():
            file.unlink()
        for n, part in enumerate(frame.iter_slices(ROWS // parts + 1)):
            name = f"events_{n}.parquet" if parts > 1 else "events.parquet"
            part.write_parquet(folder / name, compression="gzip")
        [found] = discover(folder, incoming)
        with checking.watch(database, settings, NS, "events/events") as watched:
            scanned = scan_candidate(found, parallel=2, on_rows=watched.add)
            for file in folder.iterdir():
                file.rename(file.with_suffix(".away"))
            judged = checking.judge(database, settings, NS, found, scanned, watched)
        assert [one.message for one in judged.outcomes if one.passed is None] == []
        told = {one.check.name: one.failing for one in judged.outcomes}
        assert told == failing
        assert {one.check.id for one in judged.outcomes} == set(checks.values())
        with (
            checking.watch(database, settings, NS, "events/events") as idle,
            pytest.raises(AssetgraphError, match="events"),
        ):
            checking.judge(database, settings, NS, found, scanned, idle)
        for file in folder.iterdir():
            file.rename(file.with_suffix(".parquet"))
