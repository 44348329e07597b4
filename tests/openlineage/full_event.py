"""One run event with every standard facet of the specification, and events of the two other kinds."""

from typing import Any

NS = "snowflake://org-account"
PRODUCER = "https://example.com/producer"


def facet(**body: Any) -> dict[str, Any]:
    """Return a facet with what every facet has."""
    return {"_producer": PRODUCER, "_schemaURL": "https://openlineage.io/spec/facets/1-0-0/Facet.json", **body}


def dataset_facets() -> dict[str, Any]:
    """Return all facets that any dataset may have."""
    column = {"namespace": NS, "name": "DB.RAW.ORDERS", "field": "ID", "transformations": [
        {"type": "DIRECT", "subtype": "TRANSFORMATION", "description": "hashed", "masking": True},
        {"type": "INDIRECT", "subtype": "JOIN", "description": "", "masking": False}]}  # fmt: skip
    numbers = {"nullCount": 1, "distinctCount": 2, "sum": 3.5, "count": 4, "min": 0, "max": 9, "quantiles": {"0.5": 2}}
    inner = [{"name": "city", "type": "string", "description": "", "fields": [{"name": "zip", "type": "int"}]}]
    source = {"namespace": NS, "name": "DB.RAW.ORDERS", "type": "DATASET", "field": "ID", "transformations": []}
    return {
        "schema": facet(fields=[{"name": "id", "type": "int", "description": "key", "ordinal_position": 1},
                                {"name": "address", "type": "struct", "fields": inner}]),
        "dataSource": facet(name="warehouse", uri="snowflake://org-account/DB"),
        "version": facet(datasetVersion="42"),
        "columnLineage": facet(fields={"id": {"inputFields": [column], "transformationDescription": "as is",
                                              "transformationType": "IDENTITY"}}, dataset=[column]),
        "lineage": facet(inputs=[source, {"type": "JOB", "namespace": "jobs", "name": "maker", "runId": "x"}],
                         fields={"id": {"inputs": [source]}}),
        "symlinks": facet(identifiers=[{"namespace": "hive://ms:9083", "name": "db.orders", "type": "TABLE"}]),
        "lifecycleStateChange": facet(lifecycleStateChange="RENAME",
                                      previousIdentifier={"namespace": NS, "name": "DB.OLD.ORDERS"}),
        "ownership": facet(owners=[{"name": "team:shop", "type": "TEAM"}]),
        "documentation": facet(description="All orders", contentType="text/plain"),
        "tags": facet(tags=[{"key": "pii", "value": "true", "source": "DBT", "field": "id"}]),
        "storage": facet(storageLayer="iceberg", fileFormat="parquet"),
        "catalog": facet(framework="iceberg", type="hive", name="prod", metadataUri="hive://ms:9083",
                         warehouseUri="s3://lake", source="spark", catalogProperties={"a": "b"}),
        "datasetType": facet(datasetType="TABLE", subType="EXTERNAL"),
        "hierarchy": facet(hierarchy=[{"type": "DATABASE", "name": "DB"}, {"type": "SCHEMA", "name": "RAW"}]),
        "dataQualityMetrics": facet(rowCount=10, bytes=1000, fileCount=2, lastUpdated="2026-03-01T00:00:00Z",
                                    columnMetrics={"id": numbers}),
        "dataQualityAssertions": facet(assertions=[{
            "assertion": "not_null", "success": True, "column": "id", "severity": "error", "name": "id is there",
            "description": "no nulls", "expected": "0", "actual": "0", "content": "select 1", "contentType": "sql",
            "params": {"a": 1}}]),
        "custom_anything": facet(deep={"er": [1, 2.5, None, True, "ü"]}),
    }  # fmt: skip


def full_event() -> dict[str, Any]:
    """Return a run event with everything in it."""
    root = {"run": {"runId": "0195b1c2-0000-7000-8000-000000000001"}, "job": {"namespace": "air", "name": "dag"}}
    subset = {"type": "location", "locations": ["s3://a/b"]}
    statistics = facet(rowCount=10, size=1000, fileCount=3)
    test = {"name": "positive", "status": "fail", "severity": "warn", "type": "generic", "description": "d",
            "expected": ">0", "actual": "-1", "content": "c", "contentType": "sql", "params": {}}  # fmt: skip
    return {
        "eventType": "COMPLETE", "eventTime": "2026-03-01T10:00:00.123456789+02:00", "producer": PRODUCER,
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": "0195b1c2-0000-7000-8000-000000000002", "facets": {
            "parent": facet(**root, root=root),
            "nominalTime": facet(nominalStartTime="2026-03-01T00:00:00Z", nominalEndTime="2026-03-02T00:00:00Z"),
            "errorMessage": facet(message="no space left", programmingLanguage="JAVA", stackTrace="at x"),
            "processing_engine": facet(version="3.5", name="spark", openlineageAdapterVersion="1.54.0"),
            "externalQuery": facet(externalQueryId="q1", source="snowflake"),
            "extractionError": facet(totalTasks=1, failedTasks=1, errors=[{"errorMessage": "e", "task": "t"}]),
            "environmentVariables": facet(environmentVariables=[{"name": "A", "value": "b"}]),
            "executionParameters": facet(parameters=[{"key": "k", "name": "n", "description": "d", "value": "v"}]),
            "jobDependencies": facet(upstream=[{"job": root["job"], "dependency_type": "DIRECT"}], downstream=[]),
            "tags": facet(tags=[{"key": "k", "value": "v", "source": "USER"}]),
            "test": facet(tests=[test]),
        }},
        "job": {"namespace": "air", "name": "dag.task", "facets": {
            "sql": facet(query="select 1", dialect="snowflake"),
            "sourceCode": facet(language="python", sourceCode="print()"),
            "sourceCodeLocation": facet(type="git", url="https://example.com/r.git", repoUrl="https://example.com/r",
                                        path="a.py", version="abc", tag="v1", branch="main"),
            "jobType": facet(processingType="BATCH", integration="AIRFLOW", jobType="TASK", emissionPattern={
                "eventTrigger": "ON_RUN_END", "eventContentMode": "COMPLETE", "windowDuration": "PT1M"}),
            "documentation": facet(description="Loads orders"), "ownership": facet(owners=[{"name": "ann"}]),
            "tags": facet(tags=[{"key": "tier", "value": "1"}]),
            "lineage": facet(entries=[{"namespace": NS, "name": "DB.MART.ORDERS", "type": "DATASET", "inputs": [
                {"namespace": NS, "name": "DB.RAW.ORDERS", "type": "DATASET"}], "fields": {"id": {"inputs": [
                    {"namespace": NS, "name": "DB.RAW.ORDERS", "type": "DATASET", "field": "ID"}]}}}]),
        }},
        "inputs": [{"namespace": NS, "name": "DB.RAW.ORDERS", "facets": dataset_facets(), "inputFacets": {
            "inputStatistics": statistics, "subset": facet(inputCondition=subset)}}],
        "outputs": [{"namespace": NS, "name": "DB.MART.ORDERS", "facets": dataset_facets(), "outputFacets": {
            "outputStatistics": statistics, "subset": facet(outputCondition=subset)}}],
    }  # fmt: skip


def all_kinds() -> list[dict[str, Any]]:
    """Return the run event, and a dataset and a job event made of its parts."""
    run = full_event()
    job = {name: run[name] for name in ("eventTime", "producer", "job", "inputs", "outputs")}
    dataset = {"eventTime": run["eventTime"], "producer": PRODUCER, "dataset": {
        "namespace": NS, "name": "DB.MART.ITEMS", "facets": dataset_facets()}}  # fmt: skip
    return [run, dataset, job]
