"""Buckets, against a real S3 server on loopback; and rules of a source on which files make one dataset."""

import gzip
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from doing import EVENTS, ITEMS, learnt
from polars.testing import assert_frame_equal

from assetgraph.catalog import queries as catalog
from assetgraph.catalog import service
from assetgraph.catalog.grouping import GroupingKind, GroupingRule, rules_of, stored_rules
from assetgraph.catalog.service import AssetRef, RegisterSource
from assetgraph.db.engine import Database
from assetgraph.errors import Conflict, Forbidden, Invalid, Unavailable
from assetgraph.factorization.interactions import id_expression
from assetgraph.ids import AssetKind
from assetgraph.inventory.discover import BrokenFile, discover
from assetgraph.inventory.formats import open_dataset, parts_of
from assetgraph.inventory.located import check_readable, open_version
from assetgraph.inventory.places import candidates_at, check_location
from assetgraph.inventory.prepare.rules import DuplicateRule, Rules
from assetgraph.inventory.prepare_service import StartPreparation, run_preparation, start_preparation
from assetgraph.inventory.profile import open_at, scan_candidate
from assetgraph.inventory.service import StartScan, run_scan, start_scan
from assetgraph.jobs import service as jobs
from assetgraph.jobs.context import JobContext
from assetgraph.settings import Settings

ROOT = Path(__file__).parents[2]
MOTO = ROOT / ".venv-moto" / "bin" / "moto_server"
FRAME = pl.DataFrame({"a": [1, 2, 3], "b": ["x", "ü", None]})
SECRET = "hush-hush-secret"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of a running S3 server."""
    if not MOTO.exists():
        pytest.skip("no .venv-moto: `make test` installs an S3 server there")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    server = subprocess.Popen([MOTO, "-H", "127.0.0.1", "-p", str(port)], stdout=-3, stderr=-3)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                httpx.get(address)
                break
            except httpx.TransportError:
                assert server.poll() is None
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def bucket(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that allow a folder of a fresh bucket, with options in a file."""
    httpx.post(f"{endpoint}/moto-api/reset").raise_for_status()
    options = {
        "aws_endpoint_url": endpoint, "aws_access_key_id": "reader", "aws_secret_access_key": SECRET,
        "aws_region": "us-east-1", "aws_allow_http": "true",
    }  # fmt: skip
    file = tmp_path / "options.json"
    file.write_text(json.dumps(options))
    httpx.put(f"{endpoint}/lake").raise_for_status()
    return Settings(home=tmp_path / "home", scan_urls={"s3://lake/raw": f"file:{file}"})


def store(settings: Settings) -> Any:
    """Return a client of the bucket that may write."""
    from obstore.store import S3Store

    [reference] = settings.scan_urls.values()
    options = json.loads(Path(reference.removeprefix("file:")).read_text())
    options.pop("aws_allow_http")
    return S3Store("lake", config=options, client_options={"allow_http": True})


def put(settings: Settings, key: str, content: bytes) -> None:
    """Store an object."""
    import obstore

    obstore.put(store(settings), key, content)


def upload(settings: Settings, folder: Path, prefix: str) -> None:
    """Store all files of a folder."""
    for file in folder.rglob("*"):
        if file.is_file():
            put(settings, f"{prefix}/{file.relative_to(folder).as_posix()}", file.read_bytes())


def test_a_bucket_is_scanned_like_a_folder(bucket: Settings, tmp_path: Path) -> None:
    """The same names and the same content, whichever format, as in the folder that was uploaded."""
    folder = tmp_path / "local"
    for year in (2025, 2026):
        (folder / "hive" / f"year={year}").mkdir(parents=True)
        FRAME.write_parquet(folder / "hive" / f"year={year}" / "x.parquet")
        (folder / "texts" / f"year={year}").mkdir(parents=True)
        FRAME.write_csv(folder / "texts" / f"year={year}" / "x.csv")
        FRAME.write_csv(folder / f"daily_{year}-01-01.csv")
    FRAME.write_delta(str(folder / "delta"))
    FRAME.write_excel(folder / "book.xlsx", "sheet")
    FRAME.write_ipc(folder / "a.arrow")
    (folder / "z.ndjson.gz").write_bytes(gzip.compress(FRAME.write_ndjson().encode()))
    (folder / "_hidden.csv").write_text("a\n1\n")
    (folder / "broken.parquet").write_bytes(b"PAR1 no")
    upload(bucket, folder, "raw/in")
    upload(bucket, folder, "raw/input")  # begins alike, and is another folder

    local = {part.name: part for one in discover(folder, folder) for part in parts_of(one)}
    remote = {part.name: part for one in candidates_at(bucket, "s3://lake/raw/in") for part in parts_of(one)}
    assert set(remote) == set(local)
    assert set(local) == {"a", "book/sheet", "broken", "daily", "delta", "hive", "texts", "z"}
    assert SECRET not in repr(remote)
    for name, candidate in remote.items():
        assert candidate.location.startswith("s3://lake/raw/in/")
        if name == "broken":
            with pytest.raises(BrokenFile) as caught:
                scan_candidate(candidate)
            assert (caught.value.reason, SECRET in caught.value.message) == ("MALFORMED", False)
        else:
            assert scan_candidate(candidate).fingerprint == scan_candidate(local[name]).fingerprint, name
    assert not list((bucket.home / "scratch").iterdir())


def test_versions_in_buckets_open_again_by_their_location(bucket: Settings, tmp_path: Path) -> None:
    """Files, series, partitions, tables, sheets and what a rule put together; not what is gone, nor what is outside."""
    folder = tmp_path / "local"
    (folder / "deep" / "hive" / "year=2026").mkdir(parents=True)
    FRAME.write_parquet(folder / "deep" / "hive" / "year=2026" / "x.parquet")
    for day in (1, 2):
        FRAME.write_csv(folder / f"daily_2026-01-0{day}.csv")
        (folder / "logs" / f"2026-01-0{day}").mkdir(parents=True)
        FRAME.write_ndjson(folder / "logs" / f"2026-01-0{day}" / "x.ndjson")
    FRAME.write_delta(str(folder / "delta"))
    FRAME.write_excel(folder / "book.xlsx", "sheet")
    for name in ("north", "south"):
        FRAME.write_parquet(folder / f"region-{name}.parquet")
    upload(bucket, folder, "raw")
    rule = GroupingRule(GroupingKind.GROUP, "region-*.parquet", "regions")
    found = [part for one in candidates_at(bucket, "s3://lake/raw", None, [rule]) for part in parts_of(one)]
    assert {one.name for one in found} == {"book/sheet", "daily", "deep/hive", "delta", "logs/x", "regions"}
    for one in found:
        with open_version(bucket, one.location, tmp_path / "scratch").opened as opened:
            assert (opened.candidate.entries, opened.candidate.part) == (one.entries, one.part)
            with open_dataset(one) as scanned:
                assert_frame_equal(opened.frame.collect(), scanned.frame.collect(), check_row_order=False)
    for gone in ("s3://lake/raw/none.parquet", "s3://lake/raw/none-*.csv", "s3://lake/raw/none/x.csv"):
        with pytest.raises(BrokenFile, match="scan it again"):
            open_version(bucket, gone, tmp_path / "scratch")
    for outside in ("s3://lake/x.parquet", "s3://lake/*/x.parquet", "s3://other/raw/x.parquet", "s3://lake/raw/../x"):
        with pytest.raises((Forbidden, Invalid)) as refused:
            check_readable(bucket, outside, path=("dataset",))
        assert refused.value.path == ("dataset",)


def test_a_version_in_a_bucket_is_prepared_like_one_in_a_folder(
    bucket: Settings, database: Database, settings: Settings, incoming: Path
) -> None:
    """The same rules on the same rows give the same content; nothing is left behind, an object that changed refused."""
    frame = pl.DataFrame({"user": ["b", "a", "b", "c"], "n": [1, 2, 1, -4]})
    frame.write_csv(incoming / "events.csv")
    put(bucket, "raw/events.csv", (incoming / "events.csv").read_bytes())
    settings = settings.model_copy(update={"scan_urls": bucket.scan_urls})
    rules = Rules(positive=("n",), duplicates=DuplicateRule(), user_field="user")

    def done(command: StartScan | StartPreparation) -> None:
        with database.transaction("test") as session:
            if isinstance(command, StartScan):
                start_scan(session, settings, command)
            else:
                start_preparation(session, settings, command)
        [claim] = jobs.claim(database, "test", lease_seconds=600, max_attempts=1)
        context = JobContext(database, settings, claim)
        if claim.kind == "scan":
            run_scan(context)
        else:
            run_preparation(context, id_expression)

    made: dict[str, list[Any]] = {}
    for namespace, location in (("near", str(incoming)), ("far", "s3://lake/raw")):
        with database.transaction("test") as session:
            source = service.register_source(session, RegisterSource(namespace, "s", location))
        done(StartScan(source))
        done(StartPreparation(AssetRef(namespace=namespace, name="events"), rules))
        with database.reading() as session:
            datasets = [
                service.find_asset(session, AssetKind.DATASET, namespace, f"events/{part}")
                for part in ("clean", "users")
            ]
            rows = catalog.latest_versions(session, [one for one in datasets if one is not None])
            made[namespace] = [(row.fingerprint, row.row_count) for row in rows.values()]
    assert made["far"] == made["near"]
    assert [rows for _, rows in made["far"]] == [2, 2]
    put(bucket, "raw/events.csv", b"user,n\na,3\n")
    with pytest.raises(Conflict):
        done(StartPreparation(AssetRef(namespace="far", name="events"), rules, name="again"))
    assert not list(settings.prepared.glob(".run-*"))


def test_a_bucket_is_related_and_learnt_from_as_a_folder_is(
    bucket: Settings, database: Database, settings: Settings, incoming: Path
) -> None:
    """The same rows give the same relations and the same model; what the settings name no more is refused."""
    for name, frame in (("events", EVENTS), ("items", ITEMS)):
        frame.write_csv(incoming / f"{name}.csv")
        put(bucket, f"raw/{name}.csv", (incoming / f"{name}.csv").read_bytes())
    settings = settings.model_copy(update={"scan_urls": bucket.scan_urls})
    near = learnt(database, settings, "near", str(incoming))
    assert ("events.sku", "items.sku", "FOREIGN_KEY") in near["relations"]
    assert learnt(database, settings, "far", "s3://lake/raw") == near
    assert not [file for file in (settings.home / "scratch").rglob("*") if file.is_file()]
    with pytest.raises(Forbidden) as caught:
        learnt(database, settings.model_copy(update={"scan_urls": {}}), "far", "s3://lake/raw")
    assert "s3://lake/raw" in caught.value.message


def test_an_object_s_version_is_its_identity(bucket: Settings) -> None:
    """Equal content has an equal etag, other content another one; nothing but the listing is read."""
    put(bucket, "raw/a.csv", b"a\n1\n")
    [first] = candidates_at(bucket, "s3://lake/raw")
    put(bucket, "raw/a.csv", b"a\n1\n")
    [again] = candidates_at(bucket, "s3://lake/raw")
    put(bucket, "raw/a.csv", b"a\n2\n")
    [other] = candidates_at(bucket, "s3://lake/raw")
    assert first.modified == again.modified != other.modified
    assert first.modified.startswith("a.csv\t4\t")


def test_a_part_of_a_bucket_keeps_its_names(bucket: Settings) -> None:
    """As a part of a folder does."""
    for key in ("raw/x/a.csv", "raw/y/b.csv"):
        put(bucket, key, b"a\n1\n")
    assert [one.name for one in candidates_at(bucket, "s3://lake/raw")] == ["x/a", "y/b"]
    assert [one.name for one in candidates_at(bucket, "s3://lake/raw", "x")] == ["x/a"]


def test_a_store_that_refuses_says_so_without_secrets(bucket: Settings, tmp_path: Path) -> None:
    """A bucket that is not there, and an object that is gone when it is read."""
    [reference] = bucket.scan_urls.values()
    settings = Settings(home=tmp_path, scan_urls={"s3://gone": reference})
    with pytest.raises(BrokenFile) as caught:
        candidates_at(settings, "s3://gone/raw")
    assert (caught.value.reason, SECRET in caught.value.message) == ("UNREADABLE", False)
    for name in ("a.csv", "b.parquet"):
        put(bucket, f"raw/{name}", b"a\n1\n")
    found = candidates_at(bucket, "s3://lake/raw")
    import obstore

    for candidate in found:
        obstore.delete(store(bucket), candidate.entries[0].path.removeprefix("s3://lake/"))
        with pytest.raises(BrokenFile) as caught:
            scan_candidate(candidate)
        assert (caught.value.reason, SECRET in caught.value.message) == ("UNREADABLE", False)


def test_large_objects_are_refused_by_the_budget(bucket: Settings) -> None:
    """Before they are fetched."""
    put(bucket, "raw/a.csv", b"a\n" + b"1\n" * 10_000)
    settings = bucket.model_copy(update={"scan_inflated_bytes": 1_000})
    [found] = candidates_at(settings, "s3://lake/raw")
    with pytest.raises(BrokenFile) as caught:
        open_dataset(found)
    assert caught.value.reason == "TOO_LARGE"


def test_only_allowed_urls_are_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefix ends at a name; dots, credentials and patterns are refused; a reference must lead somewhere."""
    settings = Settings(scan_urls={"s3://lake/raw": "env:LAKE", "gs://lake": ""})
    assert check_location(settings, "s3://lake/raw/in/") == "s3://lake/raw/in"
    assert check_location(settings, "gs://lake") == "gs://lake"
    for location in ("s3://lake", "s3://lake/rawer", "az://lake/raw", "s3://other/raw"):
        with pytest.raises(Forbidden, match="ASSETGRAPH_SCAN_URLS"):
            check_location(settings, location)
    for location in ("s3://lake/raw/../x", "s3://key:secret@lake/raw", "s3://lake/raw?x=1", "s3://lake/raw/*", "s3://",
                     "s3://lake//raw", "http://127.0.0.1/", "file:///etc"):  # fmt: skip
        with pytest.raises((Invalid, Forbidden)):
            check_location(settings, location)
    monkeypatch.delenv("LAKE", raising=False)
    with pytest.raises(Unavailable, match="LAKE"):
        candidates_at(settings, "s3://lake/raw")
    monkeypatch.setenv("LAKE", SECRET)
    with pytest.raises(Unavailable) as caught:
        candidates_at(settings, "s3://lake/raw")
    assert SECRET not in caught.value.message
    for wrong in ({"s3://u:p@lake": ""}, {"/folder": ""}, {"s3://lake": "literal"}):
        with pytest.raises(ValueError, match="credentials"):
            Settings(scan_urls=wrong)
    assert Settings.model_validate({"scan_urls": "s3://a=env:A gs://b"}).scan_urls == {"s3://a": "env:A", "gs://b": ""}


def files(folder: Path, *names: str) -> list[tuple[str, int]]:
    """Write small files and return the datasets that they make: name and number of files."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, path) if path.exists() else path.write_text("a,b\n1,x\n")
    return [(one.name, len(one.entries)) for one in discover(folder, folder)]


@pytest.mark.parametrize(
    ("names", "datasets"),
    [
        (["events_2026-01-01.csv", "events_2026-01-02.csv"], [("events", 2)]),
        (["events-0001.csv", "events-0002.csv", "items.csv"], [("events", 2), ("items", 1)]),
        (["events_20260101T1200.csv", "events_20260102T1300.csv.gz"], [("events", 2)]),
        (["2026-01-01_events.csv", "2026-01-02_events.csv", "2026-01-01_items.csv"],
         [("2026-01-01_items", 1), ("events", 2)]),
        (["logs/2026/01/01/a.csv", "logs/2026/01/02/a.csv", "logs/2026/02/01/b.csv"],
         [("logs/2026/02/01/b", 1), ("logs/a", 2)]),
        (["logs/2026/01.csv", "logs/2026/02.csv", "logs/2025/12.csv"], [("logs", 3)]),
        (["sales_2025Q1.csv", "sales_2025Q2.csv", "sales_2025.csv"], [("sales", 3)]),
        (["x/part-00000-3f2504e0-4f89-11d3-9a0c-0305e82c3301.csv", "x/part-00001-b.csv"], [("x", 2)]),
        (["a_3f2504e0-4f89-11d3-9a0c-0305e82c3301.csv", "a_6fa459ea-ee8a-3ca4-894e-db77e160355e.csv"], [("a", 2)]),
        (["model.v1.csv", "model.v2.csv"], [("model.v1", 1), ("model.v2", 1)]),
        (["store1.csv", "store2.csv"], [("store1", 1), ("store2", 1)]),
        (["events_2026-01-01.csv"], [("events_2026-01-01", 1)]),
        (["events_2026-01-01.csv", "events_2026-01-01.ndjson"],
         [("events_2026-01-01", 1), ("events_2026-01-01.ndjson", 1)]),
        (["events_1.csv", "events_2.csv", "events.csv"], [("events", 2), ("events.csv", 1)]),
        (["h/year=2025/a.csv", "h/year=2026/b.csv", "h/notes.csv"], [("h", 2), ("h/notes", 1)]),
        (["m/day=1/a.csv", "m/day=1/a.ndjson"], [("m", 1), ("m/", 1)]),
    ],
)  # fmt: skip
def test_series_and_partitions(tmp_path: Path, names: list[str], datasets: list[tuple[str, int]]) -> None:
    """What differs in dates, UUIDs and numbers at the end is one; versions and names that end in digits are not."""
    assert files(tmp_path, *names) == datasets
    for one in discover(tmp_path, tmp_path):
        assert one.location.startswith(str(tmp_path))
        if one.format == "csv" and not one.name.startswith("m"):
            assert open_at(Path(one.location)).candidate.entries == one.entries


@pytest.mark.parametrize(
    ("rules", "datasets"),
    [
        ([("SPLIT", "events_*.csv", None)], ["events_2026-01-01", "events_2026-01-02", "shops/a", "shops/b"]),
        ([("GROUP", "shops/*.csv", None)], ["events", "shops"]),
        ([("GROUP", "shops/*.csv", "all shops")], ["all shops", "events"]),
        ([("GROUP", "**", "everything")], ["everything"]),
        ([("SKIP", "shops/**", None)], ["events"]),
        ([("SKIP", "shops/b.csv", None), ("GROUP", "**/?.csv", "letters")], ["events", "letters"]),
        ([("SPLIT", "**", None), ("GROUP", "**", "never")],
         ["events_2026-01-01", "events_2026-01-02", "shops/a", "shops/b"]),
    ],
)  # fmt: skip
def test_rules_of_a_source_come_first(
    tmp_path: Path, rules: list[tuple[str, str, str | None]], datasets: list[str]
) -> None:
    """The first that matches a file counts; what no rule matches keeps to those that hold everywhere."""
    files(tmp_path, "events_2026-01-01.csv", "events_2026-01-02.csv", "shops/a.csv", "shops/b.csv")
    given = [GroupingRule(GroupingKind(kind), pattern, name) for kind, pattern, name in rules]
    assert rules_of(stored_rules(given)) == tuple(given)
    found = discover(tmp_path, tmp_path, given)
    assert [one.name for one in found] == datasets
    for one in found if len(rules) == 1 else ():  # a location tells one rule only
        assert_frame_equal(
            open_at(Path(one.location)).frame.collect(),
            pl.concat([pl.DataFrame({"a": [1], "b": ["x"]})] * len(one.entries)),
        )


@pytest.mark.parametrize(
    ("pattern", "name"), [("", None), ("/abs/*", None), ("a/../b", None), ("a//b", None), ("a**", None), ("a", " ")]
)
def test_rules_that_mean_nothing_are_refused(pattern: str, name: str | None) -> None:
    """When they are made, with what to write instead."""
    with pytest.raises(Invalid):
        GroupingRule(GroupingKind.GROUP, pattern, name)
    with pytest.raises(Invalid):
        stored_rules([GroupingRule(GroupingKind.SKIP, f"a{number}") for number in range(101)])
