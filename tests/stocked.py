"""A small shop whose data has most of what the inventory report speaks of, made by the commands that make it."""

from datetime import timedelta
from typing import Any

import orjson
from trained import train_nothing

from assetgraph.catalog.roles import DatasetRole
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterDataset, RegisterVersion, register_dataset
from assetgraph.clock import now
from assetgraph.db.engine import Database, Session
from assetgraph.lineage import service as lineage
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.edges import Transformation
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.tables import RunState
from assetgraph.openlineage.events import parse_event
from assetgraph.openlineage.facts import facts_of
from assetgraph.openlineage.service import ingest
from assetgraph.quality import service as quality
from assetgraph.quality.service import MetricSpec

COPY = Transformation("DIRECT", "IDENTITY")
MASK = Transformation("DIRECT", "TRANSFORMATION", "", masking=True)
FILTER = Transformation("INDIRECT", "FILTER")
#: Events of the behaviour data ended so many days ago.
BEHIND = 10


def timed(name: str, greatest: str) -> FieldSpec:
    """Return a column of times with as much of a profile as says how far they reach."""
    return FieldSpec(name, "Datetime[us]", profile={"field": name, "max": greatest})


def checked(run: str, name: str, passed: dict[str, bool], severity: str = "error") -> dict[str, Any]:
    """Return an event of a run that tested columns of a dataset."""
    assertions = [
        {"assertion": "not_null", "column": column, "success": good, "severity": severity}
        for column, good in passed.items()
    ]
    facet = {"_producer": "p", "_schemaURL": "s", "assertions": assertions}
    tested = {"namespace": "shop", "name": name, "inputFacets": {"dataQualityAssertions": facet}}
    return {
        "eventType": "COMPLETE", "eventTime": now().isoformat(), "producer": "p", "run": {"runId": run},
        "job": {"namespace": "shop", "name": f"test {name}"}, "inputs": [tested], "outputs": [],
    }  # fmt: skip


def dropped(name: str) -> dict[str, Any]:
    """Return an event that drops a dataset."""
    facet = {"_producer": "p", "_schemaURL": "s", "lifecycleStateChange": "DROP"}
    gone = {"namespace": "shop", "name": name, "facets": {"lifecycleStateChange": facet}}
    return {
        "eventType": "COMPLETE", "eventTime": now().isoformat(), "producer": "p", "run": {"runId": f"drop {name}"},
        "job": {"namespace": "shop", "name": "drop"}, "inputs": [], "outputs": [gone],
    }  # fmt: skip


def tell(session: Session, *events: dict[str, Any]) -> None:
    """Ingest events."""
    ingest(session, [facts_of(parse_event(orjson.dumps(event))) for event in events])


def stock(database: Database) -> None:
    """Fill the shop: events feed what model `m` learnt from, orders have checks, people have no tags."""
    moment = now()
    text = FieldSpec("item_id", "String")
    person = FieldSpec("user_id", "String", tags=("pii:user",))
    with database.transaction("test") as session:
        behaviour = (person, text, timed("at", (moment - timedelta(days=BEHIND, hours=1)).isoformat()))
        for fingerprint, rows in (("1", 400), ("2", 1000)):
            command = RegisterVersion("shop", "events", behaviour, None, fingerprint, None, rows, rows * 5)
            lineage.register_version(session, command)
        described = RegisterDataset("shop", "events", role=DatasetRole.USER_BEHAVIOUR, owners=("team:data", "ada"))
        register_dataset(session, described)
        items = (text, FieldSpec("title", "String"), timed("until", "9999-12-31T00:00:00"))
        version, _ = lineage.register_version(session, RegisterVersion("shop", "items | <b>", items, row_count=50))
        quality.record_metrics(session, version, [MetricSpec("completeness", 0.5), MetricSpec("completeness", 0.75)])
        register_dataset(session, RegisterDataset("shop", "items | <b>", role=DatasetRole.ITEM_CATALOGUE))
        mail = FieldSpec("mail", "String", tags=("personal-data", "nice"))
        orders = RegisterVersion("shop", "orders", (mail, text), row_count=20, size_bytes=7)
        version, _ = lineage.register_version(session, orders)
        quality.record_metrics(session, version, [MetricSpec("completeness", 97.0)])
        register_dataset(session, RegisterDataset("shop", "orders", role=DatasetRole.TRANSACTION))
        register_dataset(session, RegisterDataset("hr", "people", role=DatasetRole.USER_PROFILE, tags=("staff",)))
        register_dataset(session, RegisterDataset("shop", "gone", role=DatasetRole.EXPOSURE))
        register_dataset(session, RegisterDataset("shop", "orders__dbt_tmp", role=DatasetRole.EXPOSURE))
        train_nothing(session)
        made = AssetRef(namespace="shop", name="d")
        source = AssetRef(namespace="shop", name="events")
        columns = (
            ColumnEdge(source, "user_id", made, "user", COPY),
            ColumnEdge(source, "user_id", made, "hash", MASK),
            ColumnEdge(source, "user_id", made, "kept", FILTER),
        )
        lineage.record_run(session, RecordRun("shop", "prepare", RunState.SUCCEEDED, "p1", columns=columns))
    with database.transaction("test") as session:
        tell(session, checked("c1", "orders", {"mail": True, "item_id": True}), dropped("gone"))
    with database.transaction("test") as session:
        tell(session, checked("c2", "orders", {"mail": False}), checked("c3", "events", {"user_id": False}, "warn"))
