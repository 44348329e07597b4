"""The inventory report over HTTP and from the shell: the same numbers, who may see them, and what they cost."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from serving import serving
from sqlalchemy import event
from stocked import stock
from test_cli import Cli

from assetgraph.catalog import tokens
from assetgraph.catalog.service import RegisterDataset, register_dataset
from assetgraph.catalog.tokens import Role
from assetgraph.db.engine import Database
from assetgraph.settings import Settings

REPORT = """query($namespace: String, $first: Int, $after: String) { inventory(namespace: $namespace) {
  generatedAt namespace datasetCount rowCount sizeBytes retiredDatasets transientDatasets
  total { datasetCount newestEventAt meanQuality usedByModels } unassigned { datasetCount personalDataFields }
  roles { role datasetCount rowCount sizeBytes freshestAt meanQuality usedByModels personalDataFields checksPassed }
  models { modelCount versionCount newestVersionAt ownedModels modelsWithLineage }
  personalData { tag fieldCount datasetCount }
  gaps { code severity role message cost count examples datasets { namespace name owners { principal } } }
  datasets(first: $first, after: $after) { totalCount pageInfo { hasNextPage hasPreviousPage endCursor }
    nodes { rowCount updatedAt quality models personalDataTags dataset { name role } } } } }"""


@pytest.fixture
def address(database: Database, settings: Settings) -> Iterator[str]:
    """Run the real application on a stocked shop."""
    stock(database)
    with serving(create_app(settings, database)) as found:
        yield f"http://{found}"


def token_of(database: Database, role: Role) -> str:
    """Make a token."""
    with database.transaction("test") as session:
        return tokens.create(session, "t", role)[1]


def test_the_report_has_the_contract_s_names_and_more(address: str, database: Database) -> None:
    """Roles, gaps with the datasets that they are about, models, personal data."""
    client = Client(address, token_of(database, Role.READER))
    report = client.execute(REPORT)["inventory"]
    assert (report["datasetCount"], report["rowCount"], report["sizeBytes"]) == (5, 1070, 5007)
    roles = {one["role"]: one for one in report["roles"]}
    assert len(roles) == len(report["roles"]) == 11
    behaviour = roles["USER_BEHAVIOUR"]
    assert (behaviour["datasetCount"], behaviour["rowCount"], behaviour["usedByModels"]) == (1, 1000, 1)
    assert roles["EXPOSURE"]["meanQuality"] is roles["EXPOSURE"]["freshestAt"] is None
    assert report["models"]["modelCount"] == 1
    assert report["personalData"][0] == {"tag": "pii:user", "fieldCount": 2, "datasetCount": 2}
    gaps = {one["code"]: one for one in report["gaps"]}
    assert gaps["NO_EXPOSURES"]["message"] == "no exposure log: feedback cannot be debiased"
    assert gaps["NO_EXPOSURES"]["datasets"] == []
    about = gaps["PERSONAL_DATA_WITHOUT_OWNER"]["datasets"]
    assert [one["name"] for one in about] == ["d", "orders"]
    assert client.execute(REPORT, namespace="hr")["inventory"]["datasetCount"] == 1
    client.close()


def test_datasets_come_in_pages_and_a_strange_cursor_is_refused(address: str, database: Database) -> None:
    """Each once, by namespace and name."""
    client = Client(address, token_of(database, Role.READER))
    seen: list[str] = []
    after: str | None = None
    while True:
        page = client.execute(REPORT, first=2, after=after)["inventory"]["datasets"]
        assert page["totalCount"] == 5
        assert page["pageInfo"]["hasPreviousPage"] is bool(seen)
        seen += [one["dataset"]["name"] for one in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == ["people", "d", "events", "items | <b>", "orders"]
    client.close()
    headers = {"Authorization": f"Bearer {token_of(database, Role.READER)}"}
    for variables in ({"after": "nothing"}, {"first": 101}, {"namespace": ""}):
        asked = {"query": REPORT, "variables": variables}
        [error] = httpx.post(f"{address}/graphql", json=asked, headers=headers).json()["errors"]
        assert error["extensions"]["code"] == "INVALID"


@pytest.mark.parametrize("role", list(Role))
def test_only_those_who_may_read_see_it(address: str, database: Database, role: Role) -> None:
    """Frontends may not, and nobody without a token."""
    asked = {"query": "{ inventory { datasetCount gaps { message } } }"}
    assert httpx.post(f"{address}/graphql", json=asked).status_code == 401
    headers = {"Authorization": f"Bearer {token_of(database, role)}"}
    body = httpx.post(f"{address}/graphql", json=asked, headers=headers).json()
    codes = [error["extensions"]["code"] for error in body.get("errors", [])]
    assert codes == (["FORBIDDEN"] if role is Role.FRONTEND else [])
    assert (body.get("data") is None) is (role is Role.FRONTEND)


def test_statements_do_not_grow_with_the_datasets(address: str, database: Database) -> None:
    """The report's own, and two levels of children: a page's datasets, the gaps' datasets with owners."""
    client = Client(address, token_of(database, Role.ADMIN))

    def count() -> int:
        seen: list[Any] = []

        def note(*arguments: Any) -> None:
            if not arguments[2].startswith("BEGIN"):
                seen.append(arguments[2])

        event.listen(database.engine, "before_cursor_execute", note)
        try:
            client.execute(REPORT, first=100)
        finally:
            event.remove(database.engine, "before_cursor_execute", note)
        return len(seen)

    few = count()
    with database.transaction("test") as session:
        for number in range(40):
            register_dataset(session, RegisterDataset("more", f"d{number}"))
    assert count() <= few + 2 <= 20
    client.close()


def test_the_shell_writes_every_form(settings: Settings, database: Database, tmp_path: Path) -> None:
    """To a file that is whole or not there, or to standard output; a table for people."""
    stock(database)
    cli = Cli(settings)
    shown = cli.run("inventory", "--namespace", "shop")
    assert shown.returncode == 0, shown.stderr
    assert "behaviour data" in shown.stdout
    assert "WARNING no exposure log: feedback cannot be debiased" in shown.stdout
    assert cli.json("inventory")["total"]["dataset_count"] == 5
    for form, begins in (("parquet", b"PAR1"), ("markdown", b"# Inventory of shop"), ("html", b"<!doctype html>"),
                         ("json", b"{"), ("table", b"Inventory of shop")):  # fmt: skip
        path = tmp_path / f"report.{form}"
        done = cli.run("inventory", "--namespace", "shop", "--format", form, "--output", str(path))
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert path.read_bytes().startswith(begins)
    assert pl.read_parquet(BytesIO((tmp_path / "report.parquet").read_bytes())).height == 4
    assert json.loads((tmp_path / "report.json").read_text())["namespace"] == "shop"
    assert sorted(tmp_path.glob("*.part")) == []
    refused = cli.run("inventory", "--format", "pdf")
    assert refused.returncode == 2
    missing = cli.run("inventory", "--output", str(tmp_path / "no" / "where"))
    assert (missing.returncode, missing.stderr.split(":")[0]) == (1, "error (UNAVAILABLE)")
