"""The Marquez read API over real HTTP: the story's events told, every path asked, on both databases."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from marquez_story import ODD, ODD_SPACE, RUN_ID, odd_events, part, served
from story import NS, at, columns, dataset, event, made_of, story
from telling import tell

from assetgraph.catalog import service as catalog
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterVersion
from assetgraph.db.engine import Database
from assetgraph.lineage import service as lineage
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.tables import RunState
from assetgraph.settings import Settings

Get = Any


@pytest.fixture
def get(database: Database, settings: Settings) -> Iterator[Get]:
    """Ask a path with parameters; gives the JSON of a 200."""
    with (
        served(database, settings) as (address, token),
        httpx.Client(headers={"Authorization": f"Bearer {token}"}) as client,
    ):

        def ask(path: str, status: int = 200, **parameters: Any) -> Any:
            # httpx would decode and encode the path again: it goes out as it is written here.
            url = httpx.URL(f"{address}/api/v1/").copy_with(raw_path=f"/api/v1/{path}".encode())
            answer = client.get(url.copy_merge_params(parameters) if parameters else url)
            assert answer.status_code == status, answer.text
            assert answer.headers["content-type"] == "application/json"
            return answer.json()

        yield ask


def ids(answer: Any) -> list[str]:
    """Return the ids of a graph's nodes without what all names share."""
    return [node["id"].replace(f"{NS}:", "").replace("job:shop:", "job:") for node in answer["graph"]]


SPACE = part(NS)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def test_namespaces(get: Get) -> None:
    """Of datasets and jobs, paged, with how many there are."""
    found = get("namespaces")
    assert [one["name"] for one in found["namespaces"]] == sorted([NS, ODD_SPACE, "shop"])
    assert found["totalCount"] == 3
    page = get("namespaces", limit=1, offset=1)
    assert [one["name"] for one in page["namespaces"]] == [found["namespaces"][1]["name"]]
    assert page["totalCount"] == 3
    one = get(f"namespaces/{part(ODD_SPACE)}")
    assert one | {"name": ODD_SPACE, "ownerName": "anonymous", "description": None, "isHidden": False} == one
    assert TIME.fullmatch(one["createdAt"])
    assert TIME.fullmatch(one["updatedAt"])
    assert get("namespaces/none", 404)["errors"][0]["extensions"]["code"] == "NOT_FOUND"


def test_a_dataset_is_whole(get: Get) -> None:
    """Fields, tags, facets of the producer and of the newest version, column lineage, the version itself."""
    one = get(f"namespaces/{SPACE}/datasets/orders")
    assert one["id"] == {"namespace": NS, "name": "orders"}
    assert (one["type"], one["name"], one["physicalName"], one["namespace"]) == ("DB_TABLE", "orders", "orders", NS)
    assert one["tags"] == ["tier=1"]
    assert one["fields"] == [
        {"name": "id", "type": "int", "tags": [], "description": None},
        {"name": "hash", "type": "int", "tags": ["pii"], "description": None},
    ]
    assert {"ownership", "tags", "schema", "columnLineage"} <= set(one["facets"])
    assert one["lastModifiedAt"] == "2026-03-01T08:25:00.123456Z"
    assert one["deleted"] is False
    made = {column["name"]: column for column in one["columnLineage"]}
    assert {(two["dataset"], two["field"]) for two in made["hash"]["inputFields"]} >= {("raw", "mail")}
    assert made["id"]["transformationType"] == "IDENTITY"
    version = get(f"namespaces/{SPACE}/datasets/orders/versions/{one['currentVersion']}")
    assert version["version"] == one["currentVersion"]
    assert version["createdByRun"]["state"] == "COMPLETED"
    assert get(f"namespaces/{SPACE}/datasets/weekly")["deleted"] is True
    assert get(f"namespaces/{SPACE}/datasets/weekly")["lastLifecycleState"] == "DROP"
    assert get(f"namespaces/{SPACE}/datasets/raw")["description"] == "as it came"


def test_datasets_are_paged_by_name(get: Get) -> None:
    """A page and the number of all."""
    whole = get(f"namespaces/{SPACE}/datasets")
    names = [one["name"] for one in whole["datasets"]]
    assert len(names) == whole["totalCount"]
    assert {"orders", "raw", "lake", "final", "odd out"} <= set(names)
    pages = [get(f"namespaces/{SPACE}/datasets", limit=4, offset=start)["datasets"] for start in range(0, 16, 4)]
    assert [one["name"] for page in pages for one in page] == names
    assert get(f"namespaces/{SPACE}/datasets", limit=0)["datasets"] == []
    assert get("namespaces/none/datasets", 404)["code"] == 404


def test_versions_come_newest_first(get: Get) -> None:
    """By the producer's clock, with the run that wrote them and their own columns."""
    found = get(f"namespaces/{SPACE}/datasets/raw/versions")
    times = [one["createdAt"] for one in found["versions"]]
    assert times == sorted(times, reverse=True)
    assert found["totalCount"] == len(times) >= 2
    newest, before = found["versions"][:2]
    assert [field["name"] for field in newest["fields"]] == ["id", "mail"]
    assert [field["name"] for field in before["fields"]] == ["id", "mail", "age"]
    assert newest["createdByRun"]["jobVersion"]["name"] == "load"
    assert before["facets"]["schema"]["fields"][2]["name"] == "age"
    assert newest["currentSchemaVersion"] != found["versions"][1]["currentSchemaVersion"]
    path = f"namespaces/{SPACE}/datasets/raw/versions"
    assert get(f"{path}/{newest['version']}") == newest
    other = get(f"namespaces/{SPACE}/datasets/orders")["currentVersion"]
    for wrong in (other, "7", str(uuid.uuid4()), "x%2Fy"):
        assert get(f"{path}/{wrong}", 404)["errors"][0]["extensions"]["code"] == "NOT_FOUND"


def test_other_names_lead_to_the_dataset(get: Get) -> None:
    """Symlinks and former names, in paths and node ids."""
    for alias, name in (("hive.lake", "lake"), ("s3/raw", "raw"), ("out", "final")):
        assert get(f"namespaces/{SPACE}/datasets/{part(alias)}")["name"] == name
        assert get(f"namespaces/{SPACE}/datasets/{part(alias)}/versions")["versions"][0]["name"] == name
        graph = get("lineage", nodeId=f"dataset:{NS}:{alias}")
        assert graph == get("lineage", nodeId=f"dataset:{NS}:{name}")
    columns_of = [get("column-lineage", nodeId=f"datasetField:{NS}:{name}:id") for name in ("hive.lake", "lake")]
    assert columns_of[0] == columns_of[1]
    assert columns_of[0]["graph"]
    assert [one["name"] for one in get("search", q="hive")["results"]] == ["lake"]


def test_names_may_hold_anything(get: Get) -> None:
    """Slashes, colons, percent signs, spaces and any script, in paths and in node ids."""
    for name in ODD:
        assert get(f"namespaces/{part(ODD_SPACE)}/datasets/{part(name)}")["name"] == name
        node = f"dataset:{ODD_SPACE}:{name}"
        graph = get("lineage", nodeId=node, depth=1)["graph"]
        assert {one["id"] for one in graph} == {node, "job:shop:odd/job: 1%"}
        [result] = [one for one in get("search", q=name, limit=100)["results"] if one["name"] == name]
        assert result["nodeId"] == node


def test_jobs(get: Get) -> None:
    """All of the edges, the latest runs, what the job is."""
    one = get("namespaces/shop/jobs/model")
    assert one["id"] == {"namespace": "shop", "name": "model"}
    assert one["inputs"] == [{"namespace": NS, "name": "raw"}, {"namespace": NS, "name": "seed"}]
    assert one["outputs"] == [{"namespace": NS, "name": "orders"}]
    assert one["latestRun"]["id"] == one["latestRuns"][0]["id"]
    assert one["latestRun"]["durationMs"] == 300_000
    assert one["currentVersion"] == one["latestRun"]["jobVersion"]["version"]
    assert one["facets"]["jobType"]["integration"] == "DBT"
    assert [(run["state"], run["startedAt"][:16]) for run in one["latestRuns"]] == [
        ("COMPLETED", "2026-03-01T08:20"), ("COMPLETED", "2026-03-01T08:04"),
    ]  # fmt: skip
    stream = get("namespaces/shop/jobs/stream")
    assert (stream["type"], stream["latestRun"]["state"]) == ("STREAM", "RUNNING")
    load = get("namespaces/shop/jobs/load")
    assert load["type"] == "BATCH"
    report = get("namespaces/shop/jobs/report")
    assert (report["description"], report["latestRun"], report["latestRuns"]) == ("weekly", None, [])
    assert report["currentVersion"]
    assert one["latestRun"]["facets"] == {"errorMessage": {"message": "no space left"}}
    odd = get(f"namespaces/shop/jobs/{part('odd/job: 1%')}")
    assert odd["location"] == "https://example.com/x"
    assert get("namespaces/shop/jobs/none", 404)["code"] == 404
    child = get("namespaces/shop/jobs/load/runs")["runs"][-1]
    assert child["facets"]["parent"]["job"]["name"] == "daily"


def test_jobs_are_paged_and_filtered(get: Get) -> None:
    """By the state of the latest run."""
    whole = get("jobs")
    names = [one["name"] for one in whole["jobs"]]
    assert len(names) == whole["totalCount"]
    assert names == [one["name"] for one in get("namespaces/shop/jobs")["jobs"]]
    assert [one["name"] for one in get("jobs", limit=3, offset=2)["jobs"]] == names[2:5]
    assert [one["name"] for one in get("jobs", lastRunStates="RUNNING")["jobs"]] == ["stream"]
    both = get("jobs", lastRunStates=["RUNNING", "aborted"])
    assert {one["name"] for one in both["jobs"]} == {"stream", "model.test"}
    assert both["totalCount"] == 2
    assert get("jobs", 400, lastRunStates="LOST")["errors"][0]["extensions"] == {
        "code": "INVALID", "field": "lastRunStates",
    }  # fmt: skip


def test_a_job_s_versions_are_its_sets_of_datasets(get: Get) -> None:
    """Runs with equal inputs and outputs share one; all stay."""
    found = get("namespaces/shop/jobs/load/versions")
    assert found["totalCount"] == len(found["versions"]) == 1
    [one] = found["versions"]
    assert one["inputs"] == [{"namespace": NS, "name": "files"}]
    assert one["outputs"] == [{"namespace": NS, "name": "raw"}]
    assert one["id"] == {"namespace": "shop", "name": "load", "version": one["version"]}
    assert one["latestRun"]["jobVersion"] == one["id"]
    assert get(f"namespaces/shop/jobs/load/versions/{one['version']}") == one
    sync = get("namespaces/shop/jobs/model/versions")
    sets = [[two["name"] for two in version["inputs"]] for version in sync["versions"]]
    assert sets == [["raw"], ["raw", "seed"]]
    assert get("namespaces/shop/jobs/report/versions")["versions"][0]["latestRun"] is None
    assert get(f"namespaces/shop/jobs/load/versions/{sync['versions'][0]['version']}", 404)["code"] == 404


def test_runs(get: Get) -> None:
    """A producer's UUID is the id; other ids have a UUID that leads back to them."""
    one = get(f"jobs/runs/{RUN_ID.upper()}")
    assert one["id"] == RUN_ID
    assert one["nominalStartTime"] == "2026-03-01T00:00:00Z"
    read = {two["datasetVersionId"]["name"] for two in one["inputDatasetVersions"]}
    assert read == set(ODD)
    [wrote] = one["outputDatasetVersions"]
    assert [field["name"] for field in wrote["facets"]["schema"]["fields"]] == ["a:b", "c"]
    space, name = part(wrote["datasetVersionId"]["namespace"]), part(wrote["datasetVersionId"]["name"])
    version = get(f"namespaces/{space}/datasets/{name}/versions/{wrote['datasetVersionId']['version']}")
    assert version["createdByRun"] == one
    runs = get("namespaces/shop/jobs/model/runs")
    assert runs["totalCount"] == 2
    assert [get(f"jobs/runs/{run['id']}") for run in runs["runs"]] == runs["runs"]
    assert get("jobs/runs/r2") == runs["runs"][1]
    states = {run: get(f"jobs/runs/{run}")["state"] for run in ("dag", "t2", "s1", "o1")}
    assert states == {"dag": "COMPLETED", "t2": "ABORTED", "s1": "RUNNING", "o1": "NEW"}
    assert get(f"jobs/runs/{uuid.uuid4()}", 404)["code"] == 404
    facets = get(f"jobs/runs/{RUN_ID}/facets", type="run")
    assert (facets["runId"], list(facets["facets"])) == (RUN_ID, ["nominalTime"])
    assert "jobType" in get("jobs/runs/r2/facets", type="job")["facets"]
    assert get("jobs/runs/r2/facets", 400)["errors"][0]["extensions"]["field"] == "type"


def test_lineage_goes_both_ways_but_not_sideways(get: Get) -> None:
    """What feeds the root and what it feeds; edges lie between the nodes of the answer."""
    up = get("lineage", nodeId=f"dataset:{NS}:raw", depth=2)
    assert ids(up) == [
        "dataset:dim", "dataset:files", "dataset:lake", "dataset:orders", "dataset:orders__dbt_tmp", "dataset:raw",
        "dataset:scratch", "job:dept", "job:load", "job:model", "job:model.sql.1", "job:other.sql.1", "job:sync",
    ]  # fmt: skip
    assert ids(get("lineage", nodeId=f"dataset:{NS}:seed", depth=1)) == ["dataset:seed", "dataset:view", "job:model"]
    assert ids(get("lineage", nodeId="job:shop:load", depth=0)) == ["job:load"]
    known = {node["id"]: node for node in up["graph"]}
    raw = known[f"dataset:{NS}:raw"]
    assert raw["inEdges"] == [{"origin": "job:shop:load", "destination": raw["id"]}]
    assert {edge["destination"] for edge in raw["outEdges"]} == {
        f"job:shop:{name}" for name in ("model", "sync", "dept", "model.sql.1", "other.sql.1")
    }  # fmt: skip
    for node in up["graph"]:
        assert all(edge["destination"] == node["id"] and edge["origin"] in known for edge in node["inEdges"])
        assert all(edge["origin"] == node["id"] and edge["destination"] in known for edge in node["outEdges"])
    assert known["job:shop:load"]["data"]["inputs"] == [{"namespace": NS, "name": "files"}]
    assert known["job:shop:load"]["data"]["latestRun"]["state"] == "COMPLETED"
    assert [field["name"] for field in raw["data"]["fields"]] == ["id", "mail"]
    assert get("lineage", nodeId="run:r1") == get("lineage", nodeId="job:shop:load")
    whole = get("lineage", nodeId=f"dataset:{NS}:orders")
    assert "job:merge" in ids(whole)
    assert "truncated" not in whole


def test_a_node_id_is_cut_where_something_is_known(get: Get, database: Database) -> None:
    """Nothing in it is escaped: the longest namespace that has such a name stands."""
    tell(database, [
        {"eventTime": at(70), "dataset": {"namespace": "a", "name": "b:c", "facets": {"schema": columns("x:y")}}},
        {"eventTime": at(70), "dataset": {"namespace": "a:b", "name": "c#d", "facets": {"schema": columns("e")}}},
    ])  # fmt: skip
    assert get("lineage", nodeId="dataset:a:b:c")["graph"][0]["data"]["namespace"] == "a"
    assert get("lineage", nodeId="dataset:a:b:c#d")["graph"][0]["data"]["namespace"] == "a:b"
    [node] = get("column-lineage", nodeId="datasetField:a:b:c:x:y")["graph"]
    assert (node["data"]["dataset"], node["data"]["field"]) == ("b:c", "x:y")
    version = get("namespaces/a%3Ab/datasets/c%23d")["currentVersion"]
    [node] = get("column-lineage", nodeId=f"dataset:a:b:c#d#{version}")["graph"]
    assert node["id"] == f"datasetField:a:b:c#d:e#{version}"


def test_column_lineage(get: Get) -> None:
    """Upstream, and downstream when asked; of a dataset, a column, a job."""
    up = get("column-lineage", nodeId=f"datasetField:{NS}:orders:hash")
    assert ids(up) == ["datasetField:orders:hash", "datasetField:raw:mail"]
    one, other = up["graph"]
    assert one["data"]["inputFields"][0]["field"] == "mail"
    assert one["data"]["fieldType"] == "int"
    assert one["type"] == "DATASET_FIELD"
    # Marquez writes the node itself as the origin of both.
    assert one["inEdges"] == [{"origin": one["id"], "destination": other["id"]}]
    assert other["outEdges"] == [{"origin": other["id"], "destination": one["id"]}]
    down = get("column-lineage", nodeId=f"datasetField:{NS}:raw:id", withDownstream="True")
    assert {"datasetField:orders:id", "datasetField:lake:id", "datasetField:weekly:id"} <= set(ids(down))
    assert ids(get("column-lineage", nodeId=f"datasetField:{NS}:raw:id", withDownstream="False")) == [
        "datasetField:raw:id"
    ]
    near = get("column-lineage", nodeId=f"datasetField:{NS}:raw:id", withDownstream="true", depth=1)
    assert "datasetField:weekly:id" not in ids(near)
    whole = get("column-lineage", nodeId=f"dataset:{NS}:orders")
    assert {"datasetField:orders:id", "datasetField:orders:hash", "datasetField:raw:id"} <= set(ids(whole))
    assert get("column-lineage", nodeId="job:shop:model") == whole
    assert get("column-lineage", nodeId="run:r1", status=400)["code"] == 400


def test_column_lineage_of_a_version_is_as_it_was(get: Get, database: Database) -> None:
    """Edges that came later are not in it; the nodes carry the versions."""
    [newest, *_, first] = get(f"namespaces/{SPACE}/datasets/lake/versions")["versions"]
    then = get("column-lineage", nodeId=f"datasetField:{NS}:lake:id#{first['version']}")
    assert then["graph"][0]["id"].endswith(f"#{first['version']}")
    tell(database, [event("COMPLETE", "late", "late", 600, [dataset("seed")],
                          [dataset("lake", columnLineage=made_of(("id", "seed", "code")))])])  # fmt: skip
    assert get("column-lineage", nodeId=f"datasetField:{NS}:lake:id#{first['version']}") == then
    now = get("column-lineage", nodeId=f"datasetField:{NS}:lake:id")
    assert "datasetField:seed:code" in ids(now)
    assert not any("seed" in node["id"] for node in then["graph"])
    version = get("namespaces/shop/jobs/model/versions")["versions"][0]["version"]
    assert ids(get("column-lineage", nodeId=f"job:shop:model#{version}"))
    get("column-lineage", 404, nodeId=f"job:shop:model#{uuid.uuid4()}")
    get("column-lineage", 404, nodeId=f"datasetField:{NS}:lake:id#{uuid.uuid4()}")
    assert newest["version"] != first["version"]


def test_what_a_run_s_inputs_were_made_by(get: Get) -> None:
    """Run, version read, run that wrote it, and so on."""
    found = get("runlineage/upstream", runId="m1")["runs"]
    assert [one["job"]["name"] for one in found] == ["merge", "model", "load"]
    read = {one["name"]: one for one in found[0]["inputs"]}
    assert read["orders"]["producedByRunId"] == found[1]["run"]["id"]
    assert read["ledger"]["producedByRunId"] is None
    assert found[1]["run"] == {
        "id": get("jobs/runs/r3")["id"], "start": "2026-03-01T08:20:00.123456Z",
        "end": "2026-03-01T08:25:00.123456Z", "status": "COMPLETED",
    }  # fmt: skip
    version = get("jobs/runs/r3")["outputDatasetVersions"][0]["datasetVersionId"]["version"]
    assert read["orders"]["version"] == version
    assert len(get("runlineage/upstream", runId="m1", depth=0)["runs"]) == 1
    assert len(get("runlineage/upstream", runId="m1", depth=1)["runs"]) == 2


def test_events_come_as_they_were_sent(get: Get) -> None:
    """Newest first, or oldest; of a stretch of time; the number is that of run events."""
    runs = [one for one in [*story(), *odd_events()] if "run" in one]
    found = get("events/lineage", limit=1000)
    assert found["totalCount"] == len(found["events"]) == len(runs)
    times = [one["eventTime"] for one in found["events"]]
    assert times == sorted(times, reverse=True)
    key = orjson.dumps
    assert sorted(map(key, found["events"])) == sorted(map(key, runs))
    assert get("events", limit=1000) == found
    oldest = get("events/lineage", sortDirection="asc", limit=1, offset=1)
    assert oldest["events"][0]["run"]["runId"] == "r1"
    some = get("events/lineage", after="2026-03-01T08:05:00Z", before="2026-03-01T10:08:00+02:00")
    assert {one["eventTime"][:16] for one in some["events"]} == {f"2026-03-01T08:0{minute}" for minute in (5, 6, 7)}
    assert some["totalCount"] == len(some["events"])
    assert get("events?after=2026-03-01T09:00:00+00:00", 200)["totalCount"] == 1
    get("events", 400, before="soon")
    get("events", 400, sortDirection="up")


def test_search(get: Get) -> None:
    """A part of a name, whatever its case."""
    assert [one["name"] for one in get("search", q="ORDER")["results"]] == ["orders", "orders__dbt_tmp"]
    found = get("search", q="e", limit=2)
    assert len(found["results"]) == 2
    assert found["totalCount"] > 2
    assert {one["type"] for one in get("search", q="o", filter="JOB", limit=100)["results"]} == {"JOB"}
    assert {one["type"] for one in get("search", q="o", filter="dataset", limit=100)["results"]} == {"DATASET"}
    assert get("search", q="model", namespace=NS)["totalCount"] == 0
    assert get("search", q="o", after="2999-01-01")["totalCount"] == 0
    assert get("search", q="o", before="2999-01-01", sort="UPDATE_AT")["totalCount"] > 0
    assert get("search", q="%_", limit=10)["totalCount"] == 0
    for wrong in ({}, {"q": " "}, {"q": "a", "filter": "x"}, {"q": "a", "sort": "x"}, {"q": "a", "before": "2026"}):
        get("search", 400, **wrong)


def test_tags_and_sources(get: Get) -> None:
    """Tags of datasets and columns; sources by the producers' names, else by namespace."""
    assert [one["name"] for one in get("tags")["tags"]] == ["gold", "pii", "tier=1"]
    assert get("tags", limit=1, offset=2) == {"tags": [{"name": "tier=1", "description": None}], "totalCount": 3}
    assert get(f"namespaces/{SPACE}/datasets/lake")["sourceName"] == "the lake"
    one = get("sources/the%20lake")
    assert (one["name"], one["type"], one["connectionUrl"]) == ("the lake", "S3", "s3://lake")
    name = get(f"namespaces/{SPACE}/datasets/orders")["sourceName"]
    assert get(f"sources/{part(name)}")["type"] == "POSTGRESQL"
    assert get("sources")["totalCount"] == 3
    get("sources/none", 404)


def test_what_came_otherwise_is_there_too(get: Get, database: Database) -> None:
    """Runs recorded through the API: versions, jobs and lineage look the same."""
    with database.transaction("test") as session:
        source, _ = lineage.register_version(session, RegisterVersion("lab", "in", (FieldSpec("a", "Int64"),)))
        target, _ = lineage.register_version(session, RegisterVersion("lab", "out", (FieldSpec("b", "Int64"),)))
        ends = (AssetRef(id=source),), (AssetRef(id=target),)
        lineage.record_run(session, RecordRun("lab", "copy", RunState.SUCCEEDED, "run 1", *ends))
        catalog.ensure_dataset(session, "lab", "bare")
    run = get("namespaces/lab/jobs/copy")["latestRun"]
    assert [one["datasetVersionId"]["name"] for one in run["inputDatasetVersions"]] == ["in"]
    assert get("namespaces/lab/datasets/out/versions")["versions"][0]["createdByRun"] == run
    [version] = get("namespaces/lab/jobs/copy/versions")["versions"]
    assert version["version"] == run["jobVersion"]["version"]
    assert get("lineage", nodeId="dataset:lab:in")["graph"][-1]["id"] == "job:lab:copy"
    bare = get("namespaces/lab/datasets/bare")
    assert (bare["currentVersion"], bare["fields"], bare["columnLineage"]) == (None, [], None)
    assert get("column-lineage", nodeId="dataset:lab:bare") == {"graph": []}
