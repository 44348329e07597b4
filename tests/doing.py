"""Jobs done in this process, one by one: a small shop is scanned, related and learnt from wherever it lies."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.service import AssetRef, RegisterSource, find_asset, register_source
from assetgraph.db.engine import Database, Session
from assetgraph.factorization.service import StartTraining, TrainingParameters, start_training
from assetgraph.ids import AssetKind
from assetgraph.inventory import relation_queries
from assetgraph.inventory.located import check_readable
from assetgraph.inventory.relate_service import StartRelating, start_relating
from assetgraph.inventory.service import StartScan, start_scan
from assetgraph.jobs import service as jobs
from assetgraph.jobs.context import JobContext
from assetgraph.lineage import queries as lineage
from assetgraph.lineage.tables import RunState
from assetgraph.quality import queries as quality
from assetgraph.settings import Settings
from assetgraph.work import HANDLERS

_RNG = np.random.default_rng(3)
EVENTS = pl.DataFrame({"customer": _RNG.integers(0, 80, 3_000), "sku": _RNG.zipf(1.4, 3_000) % 60}).with_columns(
    sku="sku-" + pl.col("sku").cast(pl.String)
)
ITEMS = EVENTS.select(pl.col("sku").unique(maintain_order=True)).with_columns(title="thing " + pl.col("sku"))


def done(database: Database, settings: Settings, start: Callable[[Session], Any]) -> int:
    """Queue a job and do it here; returns its run, which must have succeeded without a finding."""
    with database.transaction("test") as session:
        run, _ = start(session)
    [claim] = jobs.claim(database, "test", lease_seconds=600, max_attempts=1)
    HANDLERS[claim.kind](JobContext(database, settings, claim))
    with database.reading() as session:
        assert lineage.runs_by_ids(session, [run])[run].state is RunState.SUCCEEDED
        assert lineage.findings_of(session, [run])[run] == []
    return int(run)


def learnt(database: Database, settings: Settings, namespace: str, location: str) -> dict[str, Any]:
    """Scan a shop that lies somewhere, look for relations, train a model on its events; return what came of it."""
    with database.transaction("test") as session:
        source = register_source(session, RegisterSource(namespace, "s", location))
    done(database, settings, lambda session: start_scan(session, settings, StartScan(source)))
    done(database, settings, lambda session: start_relating(session, StartRelating(namespace)))
    asked = StartTraining(
        namespace, "m", AssetRef(namespace=namespace, name="events"), "customer", "sku",
        parameters=TrainingParameters(factors=4, iterations=3, holdout=0.1),
    )  # fmt: skip
    run = done(
        database, settings, lambda session: start_training(session, settings, asked, check_readable=check_readable)
    )
    with database.reading() as session:
        events, items = (find_asset(session, AssetKind.DATASET, namespace, name) for name in ("events", "items"))
        assert events is not None
        assert items is not None
        names = {events: "events", items: "items"}
        paths = {
            int(row.id): f"{names[dataset]}.{row.path}"
            for dataset, version in catalog.latest_versions(session, [events, items]).items()
            for row in catalog.fields_of_versions(session, [int(version.id)])[int(version.id)]
        }
        relations = relation_queries.relations_among(session, [events, items])
        return {
            "relations": sorted((paths[row.from_field_id], paths[row.to_field_id], str(row.kind)) for row in relations),
            "message": lineage.runs_by_ids(session, [run])[run].message,
            "metrics": {row.name: row.value for row in quality.metrics_of(session, [run])[run]},
        }
