"""Events as dbt-ol sends them, about 6 kB each: a project of models that runs again and again."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

PRODUCER = "https://github.com/OpenLineage/OpenLineage/tree/1.54.0/integration/dbt"
SPEC = "https://openlineage.io/spec/facets/1-0-0"
WAREHOUSE = "postgres://warehouse.internal:5432"
COLUMNS = 3


def _facet(name: str, /, **body: Any) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": f"{SPEC}/{name}.json#/$defs/{name}", **body}


def _id(*parts: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(map(str, parts))))


def _dataset(model: int, **facets: Any) -> dict[str, Any]:
    fields = [{"name": f"column_{place}", "type": "character varying", "description": ""} for place in range(COLUMNS)]
    return {
        "namespace": WAREHOUSE, "name": f"shop.analytics.model_{model}",
        "facets": {
            "dataSource": _facet("DatasourceDatasetFacet", name=WAREHOUSE, uri=WAREHOUSE),
            "schema": _facet("SchemaDatasetFacet", fields=fields), **facets,
        },
    }  # fmt: skip


def _lineage(sources: list[int]) -> dict[str, Any]:
    fields = {
        f"column_{place}": {
            "inputFields": [{
                "namespace": WAREHOUSE, "name": f"shop.analytics.model_{sources[place % len(sources)]}",
                "field": f"column_{place}", "transformations": [],
            }],
            "transformationDescription": "", "transformationType": "",
        }
        for place in range(COLUMNS)
    }  # fmt: skip
    return _facet("ColumnLineageDatasetFacet", fields=fields, dataset=[])


def dbt_events(runs: int, models: int = 200) -> Iterator[dict[str, Any]]:
    """Yield the START and COMPLETE of every model in every run of a project."""
    for run in range(runs):
        began = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=run)
        root = {"run": {"runId": _id("invocation", run)}, "job": {"namespace": "dbt", "name": "dbt-run-shop"}}
        for kind in ("START", "COMPLETE"):
            for model in range(models):
                sources = sorted({model // 2, max(model - 7, 0)} - {model}) or [models]
                inputs = [_dataset(source) for source in sources]
                output = _dataset(
                    model,
                    columnLineage=_lineage(sources),
                    documentation=_facet("DocumentationDatasetFacet", description=f"Model number {model} of the shop"),
                    ownership=_facet("OwnershipDatasetFacet", owners=[{"name": "team:analytics", "type": ""}]),
                )
                if kind == "COMPLETE":
                    statistics = _facet("OutputStatisticsOutputDatasetFacet", rowCount=1000 + run, size=4096)
                    output["outputFacets"] = {"outputStatistics": statistics}
                yield {
                    "eventType": kind, "producer": PRODUCER,
                    "eventTime": (began + timedelta(seconds=2 * model + (kind == "COMPLETE"))).isoformat(),
                    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
                    "run": {"runId": _id("run", run, model), "facets": {
                        "parent": _facet("ParentRunFacet", **root, root=root),
                        "dbt_version": _facet("DbtVersionRunFacet", version="1.10.23"),
                        "dbt_run": _facet("DbtRunRunFacet", invocation_id=_id("invocation", run)),
                        "processing_engine": _facet("ProcessingEngineRunFacet", name="dbt", version="1.10.23",
                                                    openlineageAdapterVersion="1.54.0"),
                        "tags": _facet("TagsRunFacet", tags=[
                            {"key": "openlineage_client_version", "value": "1.54.0", "source": "OPENLINEAGE_CLIENT"}]),
                    }},
                    "job": {"namespace": "dbt", "name": f"shop.analytics.shop.model_{model}", "facets": {
                        "jobType": _facet("JobTypeJobFacet", jobType="MODEL", integration="DBT",
                                          processingType="BATCH"),
                        "sql": _facet("SQLJobFacet", dialect="postgres", query=f"select * from model_{sources[0]}"),
                    }},
                    "inputs": inputs, "outputs": [output],
                }  # fmt: skip
