"""Preparations as jobs: versions, lineage, columns and metrics, done again without a new version; over HTTP too."""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from assetgraph_server import demo
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from serving import serving

from assetgraph.catalog import batches, tokens
from assetgraph.catalog import queries as catalog
from assetgraph.catalog import service as catalog_service
from assetgraph.catalog.service import AssetRef, RegisterSource, RegisterVersion
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.errors import AssetgraphError, Conflict, Forbidden, Invalid, NotFound
from assetgraph.factorization.interactions import id_expression
from assetgraph.ids import AssetKind
from assetgraph.inventory.prepare.rules import (
    DuplicateRule,
    PatternRule,
    Rules,
    SplitBy,
    SplitRule,
    TextRule,
    TimeRule,
)
from assetgraph.inventory.prepare_service import StartPreparation, run_preparation, start_preparation
from assetgraph.inventory.service import StartScan, run_scan, start_scan
from assetgraph.jobs import service as jobs
from assetgraph.jobs.context import JobContext
from assetgraph.jobs.worker import Worker
from assetgraph.lineage import queries as lineage_queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.propagation import tags_of_fields
from assetgraph.lineage.tables import EdgeKind, Level
from assetgraph.openlineage.own_runs import column_lineage
from assetgraph.quality import queries as quality
from assetgraph.settings import Settings

EARLY = "online_retail_to_2011-06-26.parquet"
CLEANING = Rules(
    text=(TextRule("Description"),),
    times=(TimeRule("InvoiceDate", ("%m/%d/%y %H:%M",)),),
    required=("Description",),
    excluded=(PatternRule("InvoiceNo", "^C"),),
    positive=("Quantity", "UnitPrice"),
    duplicates=DuplicateRule(),
    user_field="CustomerID",
    item_field="StockCode",
    split=SplitRule(SplitBy.TIME, "InvoiceDate"),
)
PARTS = ("clean", "train", "validation", "test", "users", "items")


def work(database: Database, settings: Settings) -> int:
    """Do the one job that waits, in this process, and return its run."""
    [claim] = jobs.claim(database, "test", lease_seconds=600, max_attempts=1)
    context = JobContext(database, settings, claim)
    if claim.kind == "scan":
        run_scan(context)
    else:
        run_preparation(context, id_expression)
    return claim.run_id


def scanned(database: Database, settings: Settings, folder: Path) -> None:
    """Scan a folder as source `s` of namespace shop."""
    with database.transaction("test") as session:
        source = catalog_service.register_source(session, RegisterSource("shop", "s", str(folder)))
        start_scan(session, settings, StartScan(source))
    work(database, settings)


def asked(database: Database, settings: Settings, command: StartPreparation) -> int:
    """Prepare, and return the run."""
    with database.transaction("test") as session:
        start_preparation(session, settings, command)
    return work(database, settings)


def versions(database: Database, name: str) -> dict[str, Any]:
    """Return the latest version of each part that is there."""
    found = {}
    with database.reading() as session:
        for part in PARTS:
            dataset = catalog_service.find_asset(session, AssetKind.DATASET, "shop", f"{name}/{part}")
            if dataset is not None:
                found[part] = catalog.latest_versions(session, [dataset])[dataset]
    return found


def test_a_delivery_becomes_versions_with_lineage_columns_and_counts(
    database: Database, settings: Settings, incoming: Path, retail: Path
) -> None:
    """Each part is a dataset version made by the run of the input; the counts of the rules add up to the input."""
    shutil.copyfile(retail / EARLY, incoming / "retail.parquet")
    scanned(database, settings, incoming)
    run = asked(database, settings, StartPreparation(AssetRef(namespace="shop", name="retail"), CLEANING))
    made = versions(database, "retail")
    assert tuple(made) == PARTS
    with database.reading() as session:
        source = catalog_service.resolve_version(session, AssetRef(namespace="shop", name="retail"), path=())
        neighbours = {
            upstream: lineage_queries.neighbours_by_kind(
                session, [run], [EdgeKind.CONSUMED, EdgeKind.PRODUCED], upstream=upstream, level=Level.VERSION
            )[run]
            for upstream in (True, False)
        }
        metrics = {(row.name, row.field): row.value for row in quality.metrics_of(session, [run])[run]}
        on_clean = quality.metrics_of(session, [int(made["clean"].id)])[int(made["clean"].id)]
        fields = catalog.fields_of_versions(session, [int(made["clean"].id)])[int(made["clean"].id)]
        assert changes.verify(session).broken_at is None
    assert neighbours == {True: [source], False: sorted(int(row.id) for row in made.values())}
    dropped = sum(value for (name, _), value in metrics.items() if name.startswith("dropped_"))
    assert (metrics["rows_in", None], metrics["rows_kept", None]) == (240_007, made["clean"].row_count)
    assert metrics["rows_kept", None] + dropped == 240_007
    assert metrics["dropped_null", "Description"] == 901
    assert metrics["dropped_time", "InvoiceDate"] == 0
    assert {(row.name, row.field) for row in on_clean} >= set(metrics)
    assert sum(made[part].row_count for part in ("train", "validation", "test")) == made["clean"].row_count
    assert (metrics["users_count", None], metrics["items_count", None]) == (
        made["users"].row_count, made["items"].row_count
    )  # fmt: skip
    types = {str(row.path): str(row.type) for row in fields}
    assert (types["InvoiceDate"], types["user_index"]) == ("Datetime[us]", "Int64")
    assert not list(settings.prepared.glob(".run-*"))


def test_the_same_input_and_rules_make_no_new_version(
    database: Database, settings: Settings, incoming: Path, retail: Path
) -> None:
    """Neither again, nor from the same rows in another file; other rules do; a changed file is refused."""
    shutil.copyfile(retail / EARLY, incoming / "retail.parquet")
    scanned(database, settings, incoming)
    command = StartPreparation(AssetRef(namespace="shop", name="retail"), CLEANING)
    asked(database, settings, command)
    first = versions(database, "retail")
    again = asked(database, settings, command)
    assert versions(database, "retail") == first
    with database.reading() as session:
        of = lineage_queries.neighbours_by_kind(
            session, [again], [EdgeKind.CONSUMED], upstream=True, level=Level.VERSION
        )
        assert len(of[again]) == 1
    other = Rules(required=("CustomerID",))
    asked(database, settings, StartPreparation(command.dataset, other))
    assert versions(database, "retail")["clean"].number == 2
    assert versions(database, "retail")["train"] == first["train"]

    pl.read_parquet(incoming / "retail.parquet").head(1000).write_parquet(incoming / "retail.parquet")
    with pytest.raises(Conflict, match="no longer at its location; scan it again"):
        asked(database, settings, command)
    assert not list(settings.prepared.glob(".run-*"))


def test_columns_come_from_columns_and_tags_flow(database: Database, settings: Settings, incoming: Path) -> None:
    """The index of users is made of their column: its tag reaches it; a filter carries no tag."""
    (incoming / "orders.csv").write_text("user,item,n\na,x,1\nb,y,0\nb,x,2\n")
    scanned(database, settings, incoming)
    rules = Rules(positive=("n",), user_field="user", text=(TextRule("item"),))
    run = asked(database, settings, StartPreparation(AssetRef(namespace="shop", name="orders"), rules))
    with database.transaction("test") as session:
        said = column_lineage(session, run)
        known = {
            name: batches.ensure_fields(session, [(of, name)])[of, name]
            for dataset, names in (("orders", ("user", "n")), ("orders/clean", ("user_index", "item")))
            if (of := catalog_service.find_asset(session, AssetKind.DATASET, "shop", dataset)) is not None
            for name in names
        }
        catalog.add_tags(session, [(known["user"], "personal"), (known["n"], "amount")])
        tags = tags_of_fields(session, [known["user_index"], known["item"]])
    assert [tag.name for tag in tags[known["user_index"]]] == ["personal"]
    assert tags[known["item"]] == []
    clean = said["shop", "orders/clean"]
    made = {
        (field, one["field"]): [done["subtype"] for done in one["transformations"]]
        for field, facet in clean.items() for one in facet["inputFields"]
    }  # fmt: skip
    assert made["user_index", "user"] == ["TRANSFORMATION", "FILTER"]
    assert made["item", "item"] == ["TRANSFORMATION"]
    assert made["n", "n"] == ["IDENTITY", "FILTER"]
    assert made["item", "n"] == ["FILTER"]
    assert set(said["shop", "orders/users"]) == {"user_index", "user_id"}
    frame = pl.read_parquet(str(versions(database, "orders")["clean"].location))
    assert frame.rows() == [("a", "x", 1, 0), ("b", "x", 2, 1)]


@pytest.mark.parametrize(
    ("dataset", "rules", "error", "said"),
    [
        ("nothing", Rules(), NotFound, "no dataset 'nothing'"),
        ("orders", Rules(required=("usr",)), NotFound, "known: user, item, n"),
        ("orders", Rules(text=(TextRule("n"),)), Invalid, "not text; known: user, item"),
        ("elsewhere", Rules(), Forbidden, "lies outside"),
        ("nowhere", Rules(), Invalid, "no location"),
    ],
)
def test_what_cannot_work_is_refused_before_it_is_queued(
    database: Database, settings: Settings, incoming: Path, dataset: str, rules: Rules, error: type[AssetgraphError],
    said: str,
) -> None:  # fmt: skip
    """And nothing is queued."""
    (incoming / "orders.csv").write_text("user,item,n\na,x,1\n")
    scanned(database, settings, incoming)
    with database.transaction("test") as session:
        lineage.register_version(session, RegisterVersion("shop", "elsewhere", location="/etc/passwd"))
        lineage.register_version(session, RegisterVersion("shop", "nowhere"))
    with pytest.raises(error) as raised, database.transaction("test") as session:
        start_preparation(session, settings, StartPreparation(AssetRef(namespace="shop", name=dataset), rules))
    assert said in raised.value.message
    assert jobs.claim(database, "test", lease_seconds=600, max_attempts=1) == []


def test_what_a_killed_run_left_is_removed(database: Database, settings: Settings, incoming: Path) -> None:
    """Its folder goes when the next preparation starts; that of a run that goes on stays."""
    (incoming / "orders.csv").write_text("user,item,n\na,x,1\n")
    scanned(database, settings, incoming)
    command = StartPreparation(AssetRef(namespace="shop", name="orders"), Rules())
    over = asked(database, settings, command)
    with database.transaction("test") as session:
        going, _ = start_preparation(session, settings, command)
    jobs.claim(database, "other", lease_seconds=600, max_attempts=1)
    for run in (over, going, 10**9):
        os.makedirs(settings.prepared / f".run-{run}" / "below")  # noqa: PTH103
    asked(database, settings, command)
    assert [path.name for path in settings.prepared.glob(".run-*")] == [f".run-{going}"]


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[Client]:
    """A client of a running service with a worker."""
    with database.transaction("test") as session:
        _, token = tokens.create(session, "pipeline", tokens.Role.PRODUCER)
    stop = threading.Event()
    thread = threading.Thread(target=Worker(settings).run, args=(stop,))
    thread.start()
    with serving(create_app(settings, database)) as address:
        opened = Client(f"http://{address}", token)
        yield opened
        opened.close()
    stop.set()
    thread.join()


PREPARE = """mutation($input: StartPreparationInput!) {
  startPreparation(input: $input) { run { id job { name } } userErrors { code message path } } }"""
RULES = {
    "text": [{"field": "Description"}],
    "times": [{"field": "InvoiceDate", "formats": ["%m/%d/%y %H:%M"]}],
    "required": ["Description"], "positive": ["Quantity", "UnitPrice"],
    "excluded": [{"field": "InvoiceNo", "pattern": "^C"}],
    "outliers": [{"field": "Quantity", "method": "MAD", "bound": 100}, {"field": "UnitPrice", "high": 0.999}],
    "duplicates": {}, "userField": "CustomerID", "itemField": "StockCode",
    "split": {"by": "TIME", "field": "InvoiceDate"},
}  # fmt: skip
MADE = """query($name: String!) { dataset(namespace: "shop", name: $name) { id latestVersion { id rowCount
  producedBy { id message inputs { name } metrics { name field value } } } } }"""


def quiet(_fraction: float, _message: str) -> None:
    """Show no progress."""


def test_scan_prepare_and_train_over_http(client: Client, incoming: Path, retail: Path) -> None:
    """The whole of it as a pipeline does it; the model knows the files it came from."""
    shutil.copyfile(retail / EARLY, incoming / "retail.parquet")
    given = {"namespace": "shop", "name": "s", "location": str(incoming)}
    source = client.mutate(demo.REGISTER, input=given)["source"]["id"]
    client.wait(client.mutate(demo.SCAN, input={"source": source})["run"]["id"], quiet)
    wanted = {"dataset": {"namespace": "shop", "name": "retail"}, "rules": RULES, "idempotencyKey": "once"}
    run = client.mutate(PREPARE, input=wanted)["run"]
    assert client.mutate(PREPARE, input=wanted)["run"]["id"] == run["id"]
    assert run["job"]["name"] == "prepare retail"
    client.wait(run["id"], quiet)
    train = client.execute(MADE, name="retail/train")["dataset"]["latestVersion"]
    by = train["producedBy"]
    metrics = {(one["name"], one["field"]): one["value"] for one in by["metrics"]}
    assert (by["id"], [one["name"] for one in by["inputs"]]) == (run["id"], ["retail@1"])
    dropped = sum(value for (name, _), value in metrics.items() if name.startswith("dropped_"))
    assert metrics["rows_kept", None] + dropped == metrics["rows_in", None] == 240_007
    assert metrics["outlier_low", "Quantity"] < 0 < metrics["dropped_outlier", "UnitPrice"]
    training = {"model": {"namespace": "shop", "name": "m"}, "userField": "CustomerID", "itemField": "item_index",
                "valueField": "Quantity", "dataset": {"namespace": "shop", "name": "retail/train"},
                "parameters": {"factors": 8, "iterations": 3}}  # fmt: skip
    client.wait(client.mutate(demo.TRAIN, input=training)["run"]["id"], quiet)
    [version] = client.execute(demo.VERSIONS, namespace="shop", name="m")["model"]["versions"]["nodes"]
    found = client.execute(demo.LINEAGE, root=version["id"])["lineage"]
    way = [node["name"].split()[0] for node in demo.longest_path(version["id"], found)]
    assert way == ["s", "retail", "retail@1", "prepare", "retail/train@1", "train", "m@1"]


@pytest.mark.parametrize(
    ("changed", "code", "message", "path"),
    [
        ({"required": ["Custmer"]}, "NOT_FOUND", "known: user, item, n", ["rules", "required", "0"]),
        ({"excluded": [{"field": "item", "pattern": "("}]}, "INVALID", "regular expression",
         ["rules", "excluded", "0", "pattern"]),
        ({"split": {"by": "USER", "field": "user", "test": 1.5}}, "INVALID", "test must be from 0",
         ["rules", "split", "test"]),
    ],
)  # fmt: skip
def test_bad_rules_are_user_errors(
    client: Client, incoming: Path, changed: dict[str, Any], code: str, message: str, path: list[str]
) -> None:
    """With their place."""
    (incoming / "orders.csv").write_text("user,item,n\na,x,1\n")
    given = {"namespace": "shop", "name": "s", "location": str(incoming)}
    source = client.mutate(demo.REGISTER, input=given)["source"]["id"]
    client.wait(client.mutate(demo.SCAN, input={"source": source})["run"]["id"], quiet)
    wanted = {"dataset": {"namespace": "shop", "name": "orders"}, "rules": changed}
    [error] = client.execute(PREPARE, input=wanted)["startPreparation"]["userErrors"]
    assert (error["code"], error["path"]) == (code, path)
    assert message in error["message"]


def test_a_reader_may_not_prepare(database: Database, settings: Settings) -> None:
    """It takes the permission to produce."""
    with database.transaction("test") as session:
        _, token = tokens.create(session, "reader", tokens.Role.READER)
    with serving(create_app(settings, database)) as address:
        reader = Client(f"http://{address}", token)
        wanted = {"dataset": {"namespace": "shop", "name": "x"}, "rules": {}}
        [error] = reader.execute(PREPARE, input=wanted)["startPreparation"]["userErrors"]
        reader.close()
    assert error["code"] == "FORBIDDEN"
