"""The real marquez-python client reads a service that was told the story."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from marquez_client import MarquezClient
from marquez_client.errors import APIError
from marquez_story import ODD, ODD_SPACE, RUN_ID, served
from story import NS

from assetgraph.db.engine import Database
from assetgraph.settings import Settings


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[Any]:
    """The client, with a reader's token as its API key."""
    with served(database, settings) as (address, token):
        yield MarquezClient(address, api_key=token)


def test_it_reads_namespaces_and_datasets(client: Any) -> None:
    """With names that hold anything."""
    assert {one["name"] for one in client.list_namespaces()["namespaces"]} == {NS, ODD_SPACE, "shop"}
    assert len(client.list_namespaces(limit=1, offset=1)["namespaces"]) == 1
    assert client.get_namespace(ODD_SPACE)["name"] == ODD_SPACE
    listed = client.list_datasets(ODD_SPACE)
    assert {one["name"] for one in listed["datasets"]} == set(ODD)
    for name in ODD:
        one = client.get_dataset(ODD_SPACE, name)
        assert one["id"] == {"namespace": ODD_SPACE, "name": name}
        [version] = client.list_dataset_versions(ODD_SPACE, name)["versions"]
        assert client.get_dataset_version(ODD_SPACE, name, version["version"]) == version
    assert client.get_dataset(NS, "hive.lake")["name"] == "lake"
    with pytest.raises(APIError):
        client.get_dataset(NS, "none")


def test_it_reads_jobs_and_runs(client: Any) -> None:
    """The id of every run that it is given is a UUID, as it insists."""
    jobs = client.list_jobs("shop", limit=1000)
    assert jobs["totalCount"] == len(jobs["jobs"])
    for job in jobs["jobs"]:
        assert client.get_job("shop", job["name"]) == job
        for run in client.list_job_runs("shop", job["name"], limit=10)["runs"]:
            assert uuid.UUID(run["id"])
            assert client.get_job_run(run["id"]) == run
    assert client.get_job_run(RUN_ID)["jobVersion"]["name"] == "odd/job: 1%"


def test_it_reads_column_lineage(client: Any) -> None:
    """By dataset, column and job; at a version; with its own spelling of false."""
    whole = client.get_column_lineage_by_dataset(NS, "orders")
    assert whole == client.get_column_lineage_by_job("shop", "model")
    one = client.get_column_lineage_by_dataset_field(NS, "raw", "id", depth=5, with_downstream=True)
    fields = {(node["data"]["dataset"], node["data"]["field"]) for node in one["graph"]}
    assert {("raw", "id"), ("orders", "id"), ("lake", "id")} <= fields
    alone = client.get_column_lineage_by_dataset_field(NS, "raw", "id")
    assert [node["id"] for node in alone["graph"]] == [f"datasetField:{NS}:raw:id"]
    version = client.get_dataset(NS, "orders")["currentVersion"]
    then = client.get_column_lineage_by_dataset(NS, "orders", version=version)
    assert f"datasetField:{NS}:orders:id#{version}" in [node["id"] for node in then["graph"]]


def test_it_reads_the_rest(client: Any) -> None:
    """Events, sources, tags; and lineage and search, which it has no methods for, through its own requests."""
    events = client.list_events(limit=3)
    assert len(events["events"]) == 3
    assert events["totalCount"] > 3
    for source in client.list_sources()["sources"]:
        assert client.get_source(source["name"]) == source
    assert [one["name"] for one in client.list_tags()["tags"]] == ["gold", "pii", "tier=1"]
    for name in ODD:
        node = f"dataset:{ODD_SPACE}:{name}"
        graph = client._get(client._url("/lineage"), params={"nodeId": node})["graph"]
        assert node in [one["id"] for one in graph]
        found = client._get(client._url("/search"), params={"q": name, "limit": 100})
        assert node in [one["nodeId"] for one in found["results"]]


def test_what_the_documentation_shows_runs(database: Database, settings: Settings) -> None:
    """Both blocks of docs/howto/marquez.md, word for word."""
    page = (Path(__file__).parents[2] / "docs" / "howto" / "marquez.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with served(database, settings) as (address, token):
        environment = {**os.environ, "ASSETGRAPH_URL": address, "TOKEN": token, "PATH": path}
        for block in blocks:
            done = subprocess.run(["bash", "-euc", block], env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert "orders" in done.stdout
    assert len(blocks) == 2
