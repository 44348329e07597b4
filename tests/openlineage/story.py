"""Events of a small shop's pipelines: Spark-like, dbt-like and Airflow-like, with the quirks of the real ones."""

from typing import Any

NS = "postgres://shop:5432"


def at(minute: float) -> str:
    """Return a moment as a producer writes it."""
    whole = int(minute)
    return f"2026-03-01T{8 + whole // 60:02d}:{whole % 60:02d}:{int((minute - whole) * 60):02d}.123456789Z"


def columns(*names: str) -> dict[str, Any]:
    """Return a schema facet."""
    return {"_producer": "p", "_schemaURL": "s", "fields": [{"name": name, "type": "int"} for name in names]}


def made_of(*pairs: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    """Return a columnLineage facet of (output column, input dataset, input column)."""
    fields: dict[str, Any] = {}
    for target, dataset, field in pairs:
        entry = fields.setdefault(target, {"inputFields": []})
        done = [{"type": "DIRECT", "subtype": "IDENTITY"}]
        entry["inputFields"].append({"namespace": NS, "name": dataset, "field": field, "transformations": done})
    return {"fields": fields, **more}


def whole(name: str, field: str, subtype: str) -> dict[str, Any]:
    """Return a column that affects a whole output."""
    return {
        "namespace": NS,
        "name": name,
        "field": field,
        "transformations": [{"type": "INDIRECT", "subtype": subtype}],
    }


def dataset(
    name: str, inputs: dict[str, Any] | None = None, outputs: dict[str, Any] | None = None, **facets: Any
) -> Any:  # fmt: skip
    """Return a dataset with facets."""
    return {"namespace": NS, "name": name, "facets": facets, "inputFacets": inputs or {}, "outputFacets": outputs or {}}


def event(
    kind: str, run: str, job: str, minute: float, inputs: list[Any] | None = None, outputs: list[Any] | None = None,
    run_facets: dict[str, Any] | None = None, job_facets: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return a run event."""
    return {
        "eventType": kind, "eventTime": at(minute), "producer": "https://example.com/p",
        "run": {"runId": run, "facets": run_facets or {}},
        "job": {"namespace": "shop", "name": job, "facets": job_facets or {}},
        "inputs": inputs or [], "outputs": outputs or [],
    }  # fmt: skip


def parent(run: str, job: str) -> dict[str, Any]:
    """Return a parent facet."""
    above = {"run": {"runId": run}, "job": {"namespace": "shop", "name": job}}
    return {"parent": {**above, "root": above}}


def story() -> list[dict[str, Any]]:
    """Return the events in the order they happened."""
    return [*_runs(), *_more(), *_drops()]


def _runs() -> list[dict[str, Any]]:
    """Loads, models and tests, one of them run again and one aborted."""
    good = {"assertions": [{"assertion": "not_null", "success": True, "column": "id", "actual": "0"}]}
    bad = {"assertions": [{"assertion": "not_null", "success": False, "column": "id", "severity": "warn"}]}
    numbers = {"rowCount": 10, "size": 99, "columnMetrics": {"id": {"nullCount": 0, "quantiles": {"0.5": 3}}}}
    return [
        event("START", "dag", "daily", 0),
        event("START", "r1", "load", 1, [dataset("files")], [dataset("raw", schema=columns("id", "mail"))],
              parent("dag", "daily")),
        event("RUNNING", "r1", "load", 2, [dataset("files", schema=columns("line"))]),
        event("COMPLETE", "r1", "load", 3, [],
              [dataset("raw", outputs={"outputStatistics": {"rowCount": 10, "size": 99}},
                       documentation={"description": "as it came"})]),
        event("START", "r2", "model", 4, [dataset("raw")], [dataset("orders")], parent("dag", "daily"),
              {"jobType": {"processingType": "BATCH", "integration": "DBT"}}),
        event("COMPLETE", "r2", "model", 5, [dataset("raw", schema=columns("id", "mail"))],
              [dataset("orders", schema=columns("id"), outputs={"dataQualityMetrics": numbers},
                       columnLineage=made_of(("id", "raw", "id"), ("hash", "raw", "mail"), ("name", "seed", "name"),
                                             dataset=[whole("raw", "mail", "FILTER")]),
                       tags={"tags": [{"key": "pii", "value": "true", "field": "hash"}, {"key": "tier", "value": "1"}]},
                       ownership={"owners": [{"name": "team:shop", "type": "TEAM"}]})]),
        event("COMPLETE", "t1", "model.test", 6,
              [dataset("orders", {"dataQualityAssertions": good}, dataQualityAssertions=good)]),
        event("START", "t2", "model.test", 7, [dataset("orders", dataQualityAssertions=bad)]),
        event("ABORT", "t2", "model.test", 7),
        event("START", "r3", "model", 20, [dataset("raw")],
              [dataset("orders", columnLineage=made_of(("id", "raw", "id"), ("hash", "raw", "guess")))]),
        event("FAIL", "r3", "model", 21, run_facets={"errorMessage": {"message": "no space left"}}),
        event("COMPLETE", "r3", "model", 25, [dataset("raw")],
              [dataset("orders", schema=columns("id", "hash"),
                       columnLineage=made_of(("id", "raw", "id"), ("hash", "raw", "mail")))]),
        event("COMPLETE", "r4", "load", 22, [dataset("files")], [dataset("raw", schema=columns("id", "mail", "age"))]),
        event("COMPLETE", "m1", "merge", 30, [dataset("ledger", version={"datasetVersion": "7"}), dataset("orders")],
              [dataset("ledger", version={"datasetVersion": "8"}, schema=columns("id", "total"))]),
        event("START", "m2", "merge", 31, [dataset("ledger", version={"datasetVersion": "8"})],
              [dataset("ledger", version={"datasetVersion": "9"})]),
        event("COMPLETE", "m2", "merge", 33),
    ]  # fmt: skip


def _drops() -> list[dict[str, Any]]:
    """Columns that writers say no longer, on both ends of column edges; some are claimed again, some told twice."""
    first = made_of(("id", "raw", "id"), ("zip", "raw", "age"), ("mail", "raw", "mail"), ("years", "raw", "age"),
                    ("ghost", "raw", "mail"))  # fmt: skip
    return [
        event("COMPLETE", "d1", "dept", 41, [dataset("raw")],
              [dataset("dim", schema=columns("id", "mail", "zip", "years"), columnLineage=first)]),
        event("START", "d2", "dept", 43, [dataset("raw")],
              [dataset("dim", schema=columns("id", "mail", "zip", "years"))]),
        event("COMPLETE", "d2", "dept", 44, [], [
            dataset("dim", schema=columns("id", "mail", "years"), columnLineage=made_of(("id", "raw", "id")))]),
        event("COMPLETE", "r6", "load", 46, [dataset("files")], [dataset("raw", schema=columns("id", "mail"))]),
        event("COMPLETE", "d3", "dept", 48, [dataset("raw")],
              [dataset("dim", schema=columns("id", "zip", "years"), columnLineage=made_of(("zip", "raw", "age")))]),
        event("COMPLETE", "d3", "dept", 49, [], [dataset("dim", schema=columns("id", "zip", "years"))]),
        {"eventTime": at(49), "dataset": dataset("dim", schema=columns("id"))},
        event("COMPLETE", "l6", "sync", 38, [dataset("raw")], [dataset("lake", schema=columns("id"))]),
        event("COMPLETE", "d4", "wide", 51, [dataset("dim")],
              [dataset("wide", columnLineage=made_of(("m", "dim", "mail"), ("z", "dim", "zip")))]),
    ]  # fmt: skip


def _tests_with_other_lists() -> list[dict[str, Any]]:
    """Two runs that test what another tests too; the later takes its word back, and that of the other counts again."""

    def tests(*said: tuple[str, str, str]) -> dict[str, Any]:
        listed = [{"name": name, "status": status, "severity": severity} for name, status, severity in said]
        return {"test": {"tests": listed}}

    return [
        event("COMPLETE", "t4", "singular", 8.25, [dataset("orders")],
              run_facets=tests(("few", "pass", "info"), ("positive", "pass", "info"), ("odd", "pass", "info"))),
        event("START", "t5", "singular", 9.25, [dataset("orders")],
              run_facets=tests(("few", "fail", "warn"), ("odd", "pass", "warn"))),
        event("COMPLETE", "t5", "singular", 9.5, run_facets=tests(("positive", "fail", "error"))),
    ]  # fmt: skip


def _more() -> list[dict[str, Any]]:
    """Streams, events without runs, and names that mean one dataset."""
    good = {"assertions": [{"assertion": "not_null", "success": True, "column": "id", "actual": "0"}]}
    return [
        event("START", "s1", "stream", 10, [dataset("orders")], [dataset("topic")],
              job_facets={"jobType": {"processingType": "STREAMING", "integration": "FLINK"}}),
        event("OTHER", "o1", "plan", 11, [dataset("orders")]),
        event("COMPLETE", "dag", "daily", 40),
        event("START", "t3", "singular", 8, [dataset("orders")], run_facets={"test": {"tests": [
            {"name": "positive", "status": "pass"}, {"name": "gone", "status": "pass"}]}}),
        event("COMPLETE", "t3", "singular", 9, run_facets={"test": {"tests": [
            {"name": "positive", "status": "fail", "severity": "warn"}, {"name": "few", "status": "pass"}]}}),
        *_tests_with_other_lists(),
        {"eventTime": at(12), "job": {"namespace": "shop", "name": "report", "facets": {
            "sql": {"query": "select 1"}, "documentation": {"description": "weekly"}}},
         "inputs": [dataset("orders")], "outputs": [dataset("weekly", schema=columns("id"),
                                                            columnLineage=made_of(("id", "orders", "id")))]},
        {"eventTime": at(13), "dataset": dataset("seed", schema=columns("name", "code"),
                                                 documentation={"description": "by hand"})},
        {"eventTime": at(14), "dataset": dataset("view", lineage={
            "inputs": [{"namespace": NS, "name": "seed", "type": "DATASET"}],
            "fields": {"n": {"inputs": [{"namespace": NS, "name": "seed", "field": "name", "type": "DATASET"}]}}})},
        event("COMPLETE", "l1", "sync", 15, [dataset("s3/raw", schema=columns("id", "mail"))],
              [dataset("lake", symlinks={"identifiers": [{"namespace": NS, "name": "hive.lake", "type": "TABLE"}]},
                       schema=columns("id"), columnLineage=made_of(("id", "s3/raw", "id")))]),
        event("COMPLETE", "l2", "use", 16, [dataset("hive.lake", schema=columns("id", "extra"))], [dataset("out")]),
        event("COMPLETE", "l3", "sync", 17, [dataset("raw")],
              [dataset("hive.lake", schema=columns("id", "new"),
                       columnLineage=made_of(("id", "raw", "id"), ("new", "raw", "mail")),
                       tags={"tags": [{"key": "gold", "value": "true"}]})]),
        event("COMPLETE", "l4", "use", 18, [dataset("lake", {"dataQualityAssertions": good})], [dataset("out")]),
        {"eventTime": at(19), "dataset": dataset("raw", symlinks={"identifiers": [
            {"namespace": NS, "name": "s3/raw", "type": "LOCATION"}]})},
        {"eventTime": at(35), "dataset": dataset("final", lifecycleStateChange={
            "lifecycleStateChange": "RENAME", "previousIdentifier": {"namespace": NS, "name": "out"}})},
        event("COMPLETE", "l5", "use", 36, [dataset("lake")], [dataset("final", schema=columns("id"))]),
        {"eventTime": at(50), "dataset": dataset("weekly", lifecycleStateChange={"lifecycleStateChange": "DROP"})},
        event("COMPLETE", "q1", "model.sql.1", 5, [dataset("raw")], [dataset("orders__dbt_tmp")],
              parent("r2", "model")),
        event("COMPLETE", "q2", "model.sql.2", 5, [dataset("orders__dbt_tmp")], [dataset("orders")],
              parent("r2", "model")),
        event("COMPLETE", "q3", "other.sql.1", 5, [dataset("raw")], [dataset("scratch")], parent("r2", "model")),
        {"eventTime": at(6), "dataset": dataset("scratch", datasetType={"datasetType": "TABLE"})},
        {"eventTime": at(7), "dataset": dataset("scratch", datasetType={
            "datasetType": "TABLE", "subType": "TEMPORARY"})},
        {"eventTime": at(8), "dataset": dataset("kept", symlinks={"identifiers": [
            {"namespace": NS, "name": "kept__dbt_tmp", "type": "TABLE"}]})},
    ]  # fmt: skip
