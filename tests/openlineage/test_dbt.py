"""The real dbt-ol with dbt-duckdb against the real server: a small shop, built and tested, in both of its modes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service import Service, running
from telling import different, lines, tell
from test_graphql import ask
from test_ingest import stored

from assetgraph.db import migrate
from assetgraph.db.engine import Database
from assetgraph.settings import Settings

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
DBT_OL = ROOT / ".venv-dbt" / "bin" / "dbt-ol"
NS = "duckdb://shop.duckdb"


@pytest.fixture
def service(settings: Settings, database: Database) -> Iterator[Service]:
    """A server on the test's database."""
    if not DBT_OL.exists():
        pytest.skip("no .venv-dbt: `make test` installs dbt-ol there")
    with running(settings, database) as started:
        yield started


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A copy of the dbt project."""
    return Path(shutil.copytree(ROOT / "tests" / "data" / "dbt_shop", tmp_path / "shop"))


def dbt(service: Service, shop: Path, *arguments: str) -> None:
    """Run dbt-ol as its documentation says, told where the service is by the environment."""
    environment = {
        "PATH": f"{DBT_OL.parent}:{os.environ['PATH']}", "HOME": str(shop), "DBT_PROFILES_DIR": str(shop),
        "SHOP_DUCKDB": "shop.duckdb", "OPENLINEAGE_URL": service.url, "OPENLINEAGE_NAMESPACE": "dbt",
        "OPENLINEAGE_API_KEY": service.tokens["producer"],
    }  # fmt: skip
    command = [str(DBT_OL), *arguments]
    done = subprocess.run(command, cwd=shop, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_project_is_seen_without_a_line_of_code(
    service: Service, shop: Path, database: Database, tmp_path: Path
) -> None:
    """Seeds, models, columns, owners, tests with their results; the stored events replay into the same graph."""
    dbt(service, shop, "build")
    found = ask(
        service,
        """query($ns: String!) { dataset(namespace: $ns, name: "shop.main.city_revenue") { id
        fields { name tags { name } } qualityChecks { nodes { name lastResult { passed } } } }
        orders: dataset(namespace: $ns, name: "shop.main.orders") { description owners { principal }
            fields { name } latestVersion { producedBy { state parent { job { name } } } }
            qualityChecks { nodes { name severity lastResult { passed observed version { number } } } } } }""",
        ns=NS,
    )
    assert found["orders"]["description"] == "All orders with the city of their buyer."
    assert found["orders"]["owners"] == [{"principal": "team:shop"}]
    fields = {one["name"] for one in found["orders"]["fields"]}
    assert fields == {"order_id", "buyer_id", "city", "amount", "bought_at"}
    assert found["orders"]["latestVersion"]["producedBy"] == {
        "state": "SUCCEEDED", "parent": {"job": {"name": "dbt-run-corner_shop"}}}  # fmt: skip
    checks = {one["name"]: one for one in found["orders"]["qualityChecks"]["nodes"]}
    assert checks["unique_orders_order_id"]["lastResult"]["passed"] is True
    assert checks["no_tiny_orders"]["severity"] == "WARNING"
    assert checks["no_tiny_orders"]["lastResult"] == {
        "passed": False, "observed": {"actual": "1"}, "version": {"number": 1}}  # fmt: skip
    walk = ask(
        service,
        """query($id: ID!) { lineage(root: $id, direction: UPSTREAM, depth: 10, kinds: [DATASET]) {
        nodes { node { name } distance } } }""",
        id=found["dataset"]["id"],
    )["lineage"]["nodes"]
    assert {one["node"]["name"]: one["distance"] for one in walk} == {
        "shop.main.city_revenue": 0, "shop.main.orders": 1, "shop.main.stg_orders": 2, "shop.main.stg_buyers": 2,
        "shop.main.raw_orders": 3, "shop.main.raw_buyers": 3,
    }  # fmt: skip
    graph = lines(database)
    assert sum('"DERIVED"' in line for line in graph if line.startswith('["edge"')) == 14
    again = Database(f"sqlite:///{tmp_path / 'again.db'}")
    migrate.upgrade(again.url)
    for event in reversed(stored(database)):
        tell(again, [event])
    assert not (wrong := different(lines(again), graph)), wrong
    again.close()


def test_live_events_of_every_statement_are_taken(service: Service, shop: Path, database: Database) -> None:
    """Structured logs: a run for each statement below its node's run below the invocation."""
    dbt(service, shop, "build", "--consume-structured-logs")
    events: list[dict[str, Any]] = stored(database)
    assert len(events) > 40
    names = {event["job"]["name"] for event in events}
    statements = {name for name in names if ".sql." in name}
    assert statements
    found = ask(
        service,
        """{ runs(first: 100) { nodes { state job { name } parent { job { name } }
        root { job { name } } } } }""",
    )["runs"]["nodes"]
    assert {one["state"] for one in found} == {"SUCCEEDED"}
    for one in found:
        if one["job"]["name"] in statements:
            assert one["parent"]["job"]["name"] == one["job"]["name"].split(".sql.")[0]
