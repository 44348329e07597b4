"""The real openlineage-python against the real server: sync, async, gzip, its retries and its configuration."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import (
    DatasetEvent,
    InputDataset,
    Job,
    JobEvent,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
    StaticDataset,
)  # fmt: skip
from openlineage.client.facet_v2 import DatasetFacet, column_lineage_dataset, parent_run, schema_dataset, sql_job
from service import Service, running
from telling import lines
from test_ingest import stored

from assetgraph.db.engine import Database
from assetgraph.settings import Settings

PRODUCER = "https://example.com/pipeline"
NS = "postgres://shop:5432"


@pytest.fixture
def service(settings: Settings, database: Database) -> Iterator[Service]:
    """A server on the test's database."""
    with running(settings, database) as started:
        yield started


def pipeline(count: int) -> Iterator[RunEvent | DatasetEvent | JobEvent]:
    """Yield START and COMPLETE of children of one run, then a dataset and a job event."""
    began = datetime(2026, 3, 1, tzinfo=UTC)
    parent = parent_run.ParentRunFacet(
        parent_run.Run(str(uuid.uuid5(uuid.NAMESPACE_URL, "dag"))), parent_run.Job("shop", "daily")
    )
    columns = [schema_dataset.SchemaDatasetFacetFields(name="id", type="int", description="", fields=[])]
    made_of = column_lineage_dataset.Fields([column_lineage_dataset.InputField(NS, "shop.raw", "id")])
    for number in range(count):
        run = Run(str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))), {"parent": parent})
        job = Job("shop", f"task-{number % 5}", {"sql": sql_job.SQLJobFacet("select 1")})
        inputs = [InputDataset(NS, "shop.raw")]
        facets: dict[str, DatasetFacet] = {
            "schema": schema_dataset.SchemaDatasetFacet(columns),
            "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet({"id": made_of}),
        }
        outputs = [OutputDataset(namespace=NS, name=f"shop.orders-{number % 5}", facets=facets)]
        for state, seconds in ((RunState.START, 0), (RunState.COMPLETE, 30)):
            at = (began + timedelta(minutes=number, seconds=seconds)).isoformat()
            yield RunEvent(
                eventTime=at, run=run, job=job, producer=PRODUCER, eventType=state, inputs=inputs, outputs=outputs
            )
    yield DatasetEvent(
        eventTime=began.isoformat(), dataset=StaticDataset(namespace=NS, name="shop.raw"), producer=PRODUCER
    )
    read = [InputDataset(namespace=NS, name="shop.orders-0")]
    yield JobEvent(
        eventTime=began.isoformat(), job=Job(namespace="shop", name="report"), producer=PRODUCER, inputs=read
    )


def configured(service: Service, kind: str, **more: object) -> OpenLineageClient:
    """Return a client as its documentation configures it."""
    auth = {"type": "api_key", "apiKey": service.tokens["producer"]}
    return OpenLineageClient(config={"transport": {"type": kind, "url": service.url, "auth": auth, **more}})


def test_every_transport_tells_the_same_graph(
    service: Service, database: Database, sqlite_url: str, settings: Settings
) -> None:
    """Sync, gzip and a hundred concurrent requests: nothing refused, nothing lost, one graph."""
    client = configured(service, "http")
    for event in pipeline(20):
        client.emit(event)
    client.close()
    graph = lines(database)
    assert len(stored(database)) == 42
    assert sum('"RUN"' in line and line.startswith('["run"') for line in graph) == 21
    compressed = configured(service, "http", compression="gzip")
    for event in pipeline(20):
        compressed.emit(event)
    compressed.close()
    assert lines(database) == graph
    hurried = configured(service, "async_http", compression="gzip")
    for event in pipeline(20):
        hurried.emit(event)
    assert hurried.close(30)
    assert lines(database) == graph
    other = Database(sqlite_url)
    with running(settings.model_copy(update={"database_url": sqlite_url}), other) as fresh:
        hurried = configured(fresh, "async_http")
        for event in pipeline(20):
            hurried.emit(event)
        assert hurried.close(30)
        assert lines(other) == graph
    other.close()


def test_the_environment_configures_it(service: Service, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """OPENLINEAGE_URL and OPENLINEAGE_API_KEY are all it takes."""
    monkeypatch.setenv("OPENLINEAGE_URL", service.url)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", service.tokens["producer"])
    OpenLineageClient().emit(next(pipeline(1)))
    assert len(stored(database)) == 1


def test_a_refused_event_is_an_error_that_it_shows(service: Service) -> None:
    """A reader's token: 403 at once, no retries."""
    auth = {"type": "api_key", "apiKey": service.tokens["reader"]}
    client = OpenLineageClient(config={"transport": {"type": "http", "url": service.url, "auth": auth}})
    with pytest.raises(Exception, match="403"):
        client.emit(next(pipeline(1)))
