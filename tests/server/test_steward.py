"""What columns mean over GraphQL: shown, accepted, rejected, said; by stewards only; statements stay few."""

from pathlib import Path

import polars as pl
import pytest

from assetgraph.catalog.service import RegisterSource, register_source
from assetgraph.db.engine import Database
from assetgraph.inventory.service import StartScan, start_scan
from assetgraph.jobs.worker import Worker
from assetgraph.settings import Settings

SHOWN = """query($name: String!) { dataset(namespace: "ns", name: $name) { role tags { name } fields {
  id name semanticType tags { name }
  classification { semanticType personalData confidence evidence status decidedBy } } } }"""
PARTS = """{ field { semanticType classification { status decidedBy personalData } tags { name } }
  userErrors { code message } }"""


def scan(database: Database, settings: Settings) -> None:
    """Scan the incoming folder with a worker of our own, as the service does."""
    with database.transaction("test") as session:
        source = register_source(session, RegisterSource("ns", "in", str(settings.scan_roots[0])))
        start_scan(session, settings, StartScan(source))
    worker = Worker(settings)
    while worker.run_once():
        pass


@pytest.fixture
def people(incoming: Path) -> None:
    """A file of people."""
    pl.DataFrame({
        "customer_id": [f"C{n:04d}" for n in range(60)], "contact": [f"p{n}@example.org" for n in range(60)],
        "first_seen": [f"2024-01-{n % 28 + 1:02d}" for n in range(60)],
    }).write_parquet(incoming / "people.parquet")  # fmt: skip
