"""How this service speaks OpenLineage itself: its producer, its facets, and names of what is no dataset elsewhere."""

import re
import uuid
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from assetgraph import __version__
from assetgraph.ids import AssetKind

PRODUCER = f"urn:assetgraph:producer:{__version__}"
SCHEMA_URL = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
#: Sources and models are datasets to the outside, in namespaces that no dataset of the catalog has.
SPACES = {
    AssetKind.SOURCE: "assetgraph://source/", AssetKind.MODEL: "assetgraph://model/",
    AssetKind.MODEL_VERSION: "assetgraph://model/",
}  # fmt: skip
_SCHEMAS = {
    "schema": ("1-2-0", "SchemaDatasetFacet"), "version": ("1-0-1", "DatasetVersionDatasetFacet"),
    "dataSource": ("1-0-1", "DatasourceDatasetFacet"), "datasetType": ("1-0-1", "DatasetTypeDatasetFacet"),
    "documentation": ("1-1-0", "DocumentationDatasetFacet"), "ownership": ("1-0-1", "OwnershipDatasetFacet"),
    "tags": ("1-0-0", "TagsDatasetFacet"), "columnLineage": ("1-2-0", "ColumnLineageDatasetFacet"),
    "dataQualityMetrics": ("1-0-0", "DataQualityMetricsDatasetFacet"),
    "outputStatistics": ("1-0-2", "OutputStatisticsOutputDatasetFacet"), "jobType": ("2-0-4", "JobTypeJobFacet"),
    "jobDocumentation": ("1-1-0", "DocumentationJobFacet"), "parent": ("1-2-0", "ParentRunFacet"),
    "processing_engine": ("1-1-1", "ProcessingEngineRunFacet"), "errorMessage": ("1-0-1", "ErrorMessageRunFacet"),
    "executionParameters": ("1-0-0", "ExecutionParametersRunFacet"),
    "nominalTime": ("1-0-1", "NominalTimeRunFacet"),
    "lifecycleStateChange": ("1-0-1", "LifecycleStateChangeDatasetFacet"),
}  # fmt: skip
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"<>\\^`{|}]+")


def facet(schema: str, **said: Any) -> dict[str, Any]:
    """Return a facet with its producer and schema: a standard one, or one of this service's own."""
    version, name = _SCHEMAS.get(schema, ("", ""))
    url = f"https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}"
    return {"_producer": PRODUCER, "_schemaURL": url if name else f"urn:assetgraph:facet:{schema}:1", **said}


def event(kind: str, at: datetime, **said: Any) -> dict[str, Any]:
    """Return an event: RunEvent, JobEvent or DatasetEvent."""
    return {"eventTime": moment(at), "producer": PRODUCER, "schemaURL": SCHEMA_URL + kind, **said}


def moment(at: datetime) -> str:
    """Return a moment in UTC as events write it."""
    return at.isoformat().replace("+00:00", "Z")


def run_uuid(namespace: str, job: str, run_id: str) -> str:
    """Return a run's id as the specification wants it: a UUID as it is, any other id as UUIDv5 of its urn."""
    if _UUID.fullmatch(run_id):
        return run_id
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:assetgraph:run:{namespace}:{job}:{run_id}"))


def named(kind: AssetKind, namespace: str, name: str) -> dict[str, Any]:
    """Return the name of a source, dataset or model as a dataset's."""
    return {"namespace": SPACES.get(kind, "") + namespace, "name": name}


def data_source(name: str, location: str | None) -> dict[str, Any]:
    """Return a dataSource facet by itself, or nothing when the location is no URI and no absolute path."""
    if location is None:
        return {}
    path = PurePosixPath(location)
    uri = path.as_uri() if path.is_absolute() else location
    return {"dataSource": facet("dataSource", name=name, uri=uri)} if _SCHEME.fullmatch(uri) else {}
