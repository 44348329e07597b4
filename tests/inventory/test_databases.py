"""Tables and views of SQLite and PostgreSQL: found, typed, read in batches, and never by a URL that anybody stores."""

import datetime as dt
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from doing import EVENTS, ITEMS, learnt
from polars.testing import assert_frame_equal
from sqlalchemy import create_engine, text

from assetgraph.db.engine import Database
from assetgraph.errors import Forbidden, Invalid, Unavailable
from assetgraph.inventory.discover import BrokenFile, Candidate
from assetgraph.inventory.formats import open_dataset
from assetgraph.inventory.located import open_version
from assetgraph.inventory.places import candidates_at, check_location
from assetgraph.inventory.prepare.passes import Pieces
from assetgraph.inventory.prepare.plan import ROW
from assetgraph.inventory.profile import scan_candidate
from assetgraph.settings import Settings


def database_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Settings:
    """Return settings that name a database `shop` by a variable."""
    monkeypatch.setenv("SHOP_URL", url)
    return Settings(home=tmp_path, scan_databases={"shop": "env:SHOP_URL"})


@pytest.fixture
def sqlite_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A shop's SQLite file."""
    path = tmp_path / "my shop.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            """
            CREATE TABLE orders (id INTEGER PRIMARY KEY, price REAL, sku TEXT, at TIMESTAMP, paid BOOLEAN, raw BLOB);
            CREATE TABLE mixed (v INTEGER, "odd ""name" TEXT);
            CREATE TABLE "nothing" (a TEXT);
            CREATE VIEW paid AS SELECT id, price FROM orders WHERE paid;
            CREATE VIEW broken AS SELECT * FROM gone;
            """
        )
        rows = [(n, n / 2 if n % 3 else 1, f"00{n}", f"2026-01-{n % 28 + 1:02} 10:00:00", n % 2, b"\x00\xff")
                for n in range(50_000)]  # fmt: skip
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.executemany("INSERT INTO mixed VALUES (?, ?)", [(1, "x"), ("two", None), (2.5, "")])
    connection.close()
    return database_settings(tmp_path, monkeypatch, f"sqlite:///{path}")


@pytest.fixture
def postgres_shop(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A shop in PostgreSQL, in a schema of its own."""
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        for statement in (
            "CREATE SCHEMA shop",
            "CREATE TYPE shop.kind AS ENUM ('view', 'buy')",
            """CREATE TABLE shop.events (
                id bigint, small smallint, n integer, price numeric(10, 2), free numeric,
                ratio real, score double precision,
                name text, code char(3), ok boolean, day date, at timestamptz, local timestamp, clock time, raw bytea,
                tags text[], body jsonb, ref uuid, kind shop.kind, host inet)""",
            """INSERT INTO shop.events SELECT g, g % 100, g, g / 100.0, g, 0.5, 0.25, 'n' || g, 'abc', g % 2 = 0,
                date '2026-01-01' + g % 10, timestamptz '2026-01-01 00:00:00+02' + g * interval '1 second',
                timestamp '2026-01-01', time '10:00', '\\xff00', ARRAY['a', 'b'], '{"a": 1}',
                '00000000-0000-0000-0000-000000000001', 'buy', '10.0.0.1' FROM generate_series(1, 30000) g""",
            "INSERT INTO shop.events (id) VALUES (0)",
            "CREATE VIEW shop.buys AS SELECT id, kind FROM shop.events WHERE kind = 'buy'",
            "CREATE MATERIALIZED VIEW shop.days AS SELECT day, count(*) AS n FROM shop.events GROUP BY day",
        ):
            connection.execute(text(statement))
    engine.dispose()
    yield database_settings(tmp_path, monkeypatch, postgres_url.replace("postgresql+psycopg", "postgresql"))


def named(settings: Settings, location: str, name: str) -> Candidate:
    """Return one dataset of a database."""
    return next(one for one in candidates_at(settings, location) if one.name == name)


def test_tables_and_views_of_sqlite_are_datasets(sqlite_shop: Settings) -> None:
    """Types are those of the values, since SQLite's own bind nothing; codes stay text."""
    found = candidates_at(sqlite_shop, "database://shop")
    assert [one.name for one in found] == ["broken", "mixed", "nothing", "orders", "paid"]
    assert found[3].location == "database://shop/orders"
    with open_dataset(found[3]) as opened:
        assert dict(opened.schema) == {
            "id": pl.Int64, "price": pl.Float64, "sku": pl.String, "at": pl.Datetime("us"), "paid": pl.Boolean,
            "raw": pl.Binary,
        }  # fmt: skip
        sizes = [batch.height for batch in opened.batches(7_000)]
        assert (sum(sizes), max(sizes) <= 7_000) == (50_000, True)
        row = opened.frame.filter(pl.col("id") == 5).collect().row(0)
        assert row[:3] == (5, 2.5, "005")
        assert row[3].isoformat() == "2026-01-06T10:00:00"
        assert row[4:] == (True, b"\x00\xff")
    assert scan_candidate(found[4]).profile.row_count == 25_000
    mixed = open_dataset(found[1]).frame.collect()
    assert mixed.to_dict(as_series=False) == {"v": ["1", "two", "2.5"], 'odd "name': ["x", None, ""]}
    assert scan_candidate(found[2]).profile.row_count == 0
    with pytest.raises(BrokenFile) as caught:
        scan_candidate(found[0])
    assert caught.value.reason == "UNREADABLE"


def test_tables_and_views_of_postgresql_are_datasets(postgres_shop: Settings) -> None:
    """Every type has a column that loses nothing but the digits of unbounded numerics."""
    found = candidates_at(postgres_shop, "database://shop/shop")
    assert [one.name for one in found] == ["shop.buys", "shop.days", "shop.events"]
    with open_dataset(found[2]) as opened:
        frame = opened.frame.collect()
    assert frame.height == 30_001
    utc = dt.UTC
    assert frame.filter(pl.col("id") == 7).row(0, named=True) == {
        "id": 7, "small": 7, "n": 7, "price": Decimal("0.07"), "free": 7.0, "ratio": 0.5, "score": 0.25, "name": "n7",
        "code": "abc", "ok": False, "day": dt.date(2026, 1, 8), "at": dt.datetime(2025, 12, 31, 22, 0, 7, tzinfo=utc),
        "local": dt.datetime.fromisoformat("2026-01-01T00:00:00"), "clock": "10:00:00", "raw": b"\xff\x00",
        "tags": "{a,b}", "body": '{"a": 1}', "ref": "00000000-0000-0000-0000-000000000001", "kind": "buy",
        "host": "10.0.0.1/32",
    }  # fmt: skip
    assert frame.null_count().row(0)[1:] == (1,) * 19
    assert (scan_candidate(found[0]).profile.row_count, scan_candidate(found[1]).profile.row_count) == (30_000, 11)
    assert {one.name for one in candidates_at(postgres_shop, "database://shop")} > {one.name for one in found}


def test_what_is_open_does_not_change(postgres_shop: Settings, postgres_url: str) -> None:
    """Every reading of one opened table sees the same rows, whoever writes meanwhile."""
    engine = create_engine(postgres_url)
    with open_dataset(named(postgres_shop, "database://shop/shop", "shop.buys")) as opened:
        before = opened.frame.select(pl.len()).collect().item()
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM shop.events WHERE id < 1000"))
        assert opened.frame.select(pl.len()).collect().item() == before
    engine.dispose()


def test_databases_are_opened_for_reading_only(sqlite_shop: Settings) -> None:
    """A file that is not there is not made."""
    missing = sqlite_shop.home / "missing.db"
    candidate = named(sqlite_shop, "database://shop", "orders")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(BrokenFile) as caught:
        patch.setenv("SHOP_URL", f"sqlite:///{missing}")
        candidates_at(sqlite_shop, "database://shop")
    assert caught.value.reason == "UNREADABLE"
    assert not missing.exists()
    with open_dataset(candidate), sqlite3.connect(sqlite_shop.home / "my shop.db", timeout=0.1) as other:
        assert other.execute("SELECT count(*) FROM orders").fetchone() == (50_000,)
    other.close()


def test_no_secret_is_shown(sqlite_shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in what a candidate prints, and not in the error of a server that is not there."""
    monkeypatch.setenv("SHOP_URL", "postgresql://reader:hush-hush@127.0.0.1:1/shop")
    with pytest.raises(BrokenFile) as caught:
        candidates_at(sqlite_shop, "database://shop")
    assert "hush-hush" not in caught.value.message + repr(caught.value) + repr(sqlite_shop)
    monkeypatch.setenv("SHOP_URL", "mysql://reader:hush-hush@127.0.0.1:1/shop")
    with pytest.raises(BrokenFile) as caught:
        candidates_at(sqlite_shop, "database://shop")
    assert (caught.value.reason, "hush-hush" in caught.value.message) == ("UNSUPPORTED", False)
    monkeypatch.delenv("SHOP_URL")
    with pytest.raises(Unavailable, match="SHOP_URL"):
        candidates_at(sqlite_shop, "database://shop")


def test_only_named_databases_are_sources(sqlite_shop: Settings) -> None:
    """A URL is none, and a name that the settings do not have is refused."""
    assert check_location(sqlite_shop, "database://shop/public") == "database://shop/public"
    with pytest.raises(Forbidden, match="ASSETGRAPH_SCAN_DATABASES"):
        check_location(sqlite_shop, "database://other")
    for location in ("postgresql://u:p@h/d", "sqlite:////etc/passwd", "database://shop/a/b"):
        with pytest.raises(Invalid):
            check_location(sqlite_shop, location)
    with pytest.raises(ValueError, match="never write a URL"):
        Settings(scan_databases={"shop": "postgresql://u:p@h/d"})


@pytest.mark.parametrize(("shop", "count"), [("sqlite_shop", 4), ("postgres_shop", 1)])
def test_tables_open_again_by_their_location(
    request: pytest.FixtureRequest, tmp_path: Path, shop: str, count: int
) -> None:  # fmt: skip
    """With the rows that a scan saw, also read in pieces, as preparations do."""
    settings: Settings = request.getfixturevalue(shop)
    opened = 0
    for one in candidates_at(settings, "database://shop"):
        if one.name == "broken":
            continue
        with open_version(settings, one.location, tmp_path / "scratch").opened as again, open_dataset(one) as scanned:
            expected = scanned.frame.collect()
            assert_frame_equal(again.frame.collect(), expected, check_row_order=False)
            folder = tmp_path / f"work-{opened}"
            folder.mkdir()
            pieces = Pieces.of(again.frame, None, folder, 1_000)
            assert pieces.rows == expected.height
            read = pl.concat([expected.clear(), *(piece.drop(ROW) for piece in pieces.read(pl.all()))])
            assert_frame_equal(read, expected, check_row_order=False)
            opened += 1
    assert opened >= count
    with pytest.raises(BrokenFile, match="scan it again"):
        open_version(settings, "database://shop/gone", tmp_path / "scratch")
    with pytest.raises(Forbidden):
        open_version(settings, "database://other/orders", tmp_path / "scratch")


def test_a_database_is_related_and_learnt_from_as_a_folder_is(
    database: Database, settings: Settings, incoming: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tables give the relations and the model that two files with the same rows give."""
    path = tmp_path / "shop.db"
    for name, frame in (("events", EVENTS), ("items", ITEMS)):
        frame.write_csv(incoming / f"{name}.csv")
        with sqlite3.connect(path) as connection:
            connection.execute(f"CREATE TABLE {name} ({', '.join(frame.columns)})")
            connection.executemany(f"INSERT INTO {name} VALUES (?, ?)", frame.rows())
        connection.close()
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{path}")
    settings = settings.model_copy(update={"scan_databases": {"shop": "env:SHOP_URL"}})
    near = learnt(database, settings, "near", str(incoming))
    assert ("events.sku", "items.sku", "FOREIGN_KEY") in near["relations"]
    assert learnt(database, settings, "far", "database://shop") == near
