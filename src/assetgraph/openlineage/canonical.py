"""The graph as text that depends on nothing but what it says: no ids, no numbers of versions, no times of arrival.

Two services that were told the same, in whatever order, write the same lines; the SHA-256 over these is the graph's
hash.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import orjson

from assetgraph.catalog.tables import ALIAS, ASSET, DATASET, FIELD, OWNER, SOURCE, TAG, VERSION, VERSION_FIELD
from assetgraph.changes.service import plain
from assetgraph.db.engine import Session
from assetgraph.factorization.tables import MODEL, MODEL_VERSION
from assetgraph.ids import AssetKind
from assetgraph.lineage.tables import EDGE, EDGE_RUN, FINDING, JOB, RUN
from assetgraph.openlineage.own_runs import ASSET_PARAMETERS
from assetgraph.openlineage.queries import all_rows, rows_in_order
from assetgraph.openlineage.rows import (
    BY_NAME,
    CLASSIFICATION,
    DESCRIPTION_PROPOSAL,
    FEEDBACK,
    FEEDBACK_EXPORT,
    Copies,
    answered,
)
from assetgraph.openlineage.tables import FACET, RUN_DATASET
from assetgraph.quality.tables import BASELINE, CHECK, INCIDENT, METRIC, RESULT


def graph_lines(session: Session) -> list[str]:
    """Return the graph, a line of JSON for each thing that it holds, sorted."""
    names = _names(session)
    lines = {
        orjson.dumps(plain([table, *parts]), option=orjson.OPT_SORT_KEYS).decode()
        for table, parts in _things(session, names)
    }
    return sorted(lines)


def graph_hash(session: Session) -> str:
    """Return the SHA-256 of the graph's lines."""
    return hashlib.sha256("\n".join(graph_lines(session)).encode()).hexdigest()


def _names(session: Session) -> dict[int, Any]:
    """Return a name for each asset that holds in every copy of the graph."""
    names: dict[int, Any] = {
        int(row.id): [row.kind.value, row.namespace, row.key]
        for row in all_rows(session, ASSET, "id", "kind", "namespace", "key")
    }
    for row in all_rows(session, RUN, "id", "job_id", "run_id"):
        names[int(row.id)] = ["RUN", *names[int(row.job_id)][1:], row.run_id]
    for row in all_rows(session, VERSION, "id", "dataset_id", "origin", "number"):
        said = row.number if row.origin is None else row.origin
        names[int(row.id)] = [AssetKind.DATASET_VERSION.value, *names[int(row.dataset_id)][1:], said]
    return names


def _things(session: Session, names: dict[int, Any]) -> Iterator[tuple[str, list[Any]]]:
    for name in names.values():
        if name[1]:
            yield "asset", [name]
    for row in all_rows(session, DATASET, "id", "description", "documented", "role", "lifecycle", "temporary"):
        yield "dataset", [names[row.id], *row[1:]]
    for row in all_rows(session, VERSION, "id", "external_version", "effective_at", "row_count", "size_bytes",
                     "location", "fingerprint"):  # fmt: skip
        yield "version", [names[row.id], *row[1:]]
    for row in all_rows(session, VERSION_FIELD, "version_id", "field_id", "ordinal", "type", "nullable", "description"):
        yield "column", [names[row.version_id], names[row.field_id], *row[2:]]
    for row in all_rows(session, FIELD, "id", "dataset_id", "path", "description"):
        yield "field", [names[row.id], names[row.dataset_id], *row[2:]]
    for row in all_rows(session, JOB, "id", "description", "statement"):
        yield "job", [names[row.id], row.description, row.statement]
    for row in all_rows(session, RUN, "id", "type", "state", "started_at", "ended_at", "first_at", "completed_at",
                     "streaming", "error", "nominal_at", "parameters", "parent_id", "root_id"):  # fmt: skip
        above = [None if one is None else names[one] for one in row[11:]]
        yield "run", [names[row.id], *row[1:10], _parameters(row.parameters, names), *above]
    for row in all_rows(session, SOURCE, "id", "location", "grouping"):
        yield "source", [names[row.id], row.location, row.grouping]
    for row in all_rows(session, MODEL, "id", "description"):
        yield "model", [names[row.id], row.description]
    for row in all_rows(session, MODEL_VERSION, "id", "model_id", "number", "stage", "user_count", "item_count",
                     "interaction_count", "parameters", "files"):  # fmt: skip
        # Which files it has is the graph's, where they lie is this service's own matter.
        yield "model version", [names[row.id], names[row.model_id], *row[2:7], *map(_exact, row[7:])]
    yield from _relations(session, names)
    yield from _feedback(session, names)


def _parameters(said: dict[str, Any] | None, names: dict[int, Any]) -> Any:
    """Return what a run was asked to do, with names for ids."""
    return said and {
        name: names.get(one) if name in ASSET_PARAMETERS and isinstance(one, int) else _exact(one)
        for name, one in said.items()
    }


def _exact(value: Any) -> Any:
    """Return JSON with whole numbers as such: databases differ in how they write 1e22."""
    if isinstance(value, dict):
        return {name: _exact(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_exact(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**63 else value


def _relations(session: Session, names: dict[int, Any]) -> Iterator[tuple[str, list[Any]]]:
    ends: dict[int, Any] = {}
    for row in all_rows(session, EDGE, "id", "source_id", "target_id", "kind", "level", "producer", "valid_from",
                     "last_seen", "valid_to", "run_count", "transformations"):  # fmt: skip
        if row.valid_to == row.valid_from or not (names[row.source_id][1] and names[row.target_id][1]):
            continue  # taken back, or closed before one of its ends was merged into another
        ends[row.id] = [names[row.source_id], names[row.target_id], row.kind, row.producer, row.valid_to]
        yield "edge", [names[row.source_id], names[row.target_id], *row[3:]]
    for row in all_rows(session, EDGE_RUN, "edge_id", "run_id", "first_at", "last_at"):
        if row.edge_id not in ends:
            continue
        yield "support", [ends[row.edge_id], names[row.run_id], row.first_at, row.last_at]
    for row in all_rows(session, RUN_DATASET, "by_id", "dataset_id", "direction", "first_at", "label", "version_id"):
        version = None if row.version_id is None else names[row.version_id]
        yield "io", [names[row.by_id], names[row.dataset_id], *row[2:5], version]
    for row in all_rows(session, FACET, "asset_id", "by_id", "scope", "name", "event_time", "digest"):
        yield "facet", [names[row.asset_id], names[row.by_id], *row[2:]]
    for row in all_rows(session, TAG, "asset_id", "name", "origin"):
        yield "tag", [names[row.asset_id], *row[1:]]
    for row in all_rows(session, OWNER, "asset_id", "principal", "role", "origin"):
        yield "owner", [names[row.asset_id], *row[1:]]
    for row in all_rows(session, CLASSIFICATION, "field_id", "semantic_type", "personal_data", "confidence", "evidence",
                     "source", "status", "proposed_at", "decided_by", "decided_at"):  # fmt: skip
        yield "classification", [names[row.field_id], *row[1:]]
    for row in all_rows(session, DESCRIPTION_PROPOSAL, "asset_id", "digest", "text", "source", "evidence", "status",
                     "proposed_at", "decided_by", "decided_at"):  # fmt: skip
        yield "description proposal", [names[row.asset_id], *row[1:]]
    for row in all_rows(session, ALIAS, "namespace", "key", "dataset_id"):
        yield "alias", [row.namespace, row.key, names[row.dataset_id]]
    for row in all_rows(session, METRIC, "asset_id", "name", "field", "value", "is_exact", "measured_at"):
        yield "metric", [names[row.asset_id], *row[1:]]
    checks: dict[int, Any] = {}
    for row in all_rows(session, CHECK, "id", "dataset_id", "key", "name", "severity", "expression", "declared",
                     "since", "removed_at", "refers_to"):  # fmt: skip
        checks[row.id] = [names[row.dataset_id], row.key]
        yield "check", [names[row.dataset_id], *row[2:-1], None if row.refers_to is None else names[row.refers_to]]
    for row in all_rows(session, RESULT, "check_id", "run_id", "version_id", "passed", "observed", "message",
                     "checked_at", "counted"):  # fmt: skip
        version = None if row.version_id is None else names[row.version_id]
        yield "result", [checks[row.check_id], names[row.run_id], version, *row[3:]]
    for row in all_rows(session, INCIDENT, "version_id", "closing_version_id", "dataset_id", "subject", "check_key",
                     "metric", "field", "severity", "message", "failures", "opened_at", "failed_at", "closed_at",
                     "resolution", "acknowledged_at", "acknowledged_by", "note"):  # fmt: skip
        yield "incident", [*(None if one is None else names[one] for one in row[:3]), *row[3:]]
    for row in all_rows(session, BASELINE, "dataset_id", "version_id", "pinned_at", "pinned_by"):
        yield "baseline", [names[row.dataset_id], names[row.version_id], *row[2:]]
    for row in all_rows(session, FINDING, "run_id", "subject", "code", "message", "found_at"):
        yield "finding", [names[row.run_id], *row[1:]]


def _feedback(session: Session, names: dict[int, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield what people did, each answer with the recommendation that it is of, and which of it exports took."""
    exports: dict[int, list[Any]] = defaultdict(list)
    for row in all_rows(session, FEEDBACK_EXPORT, "run_id", "model_id", "last_feedback_id"):
        exports[row.last_feedback_id].append(row)
    # How many events of a model there were so far, and a sum of their digests, in which their order is none.
    taken: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    copies = Copies()
    for row in rows_in_order(session, FEEDBACK):
        said = dict(row._mapping)
        version = None if row.model_version_id is None else names[row.model_version_id]
        line = [names[row.model_id], version, answered(said), *(said[name] for name in (
            "user", "item", "event", "value", "occurred_at", "created_at", "key"
        )), copies.number(BY_NAME["feedback"], said)]  # fmt: skip
        yield "feedback", line
        digest = hashlib.blake2b(orjson.dumps(plain(line)), digest_size=16).digest()
        count, total = taken[row.model_id]
        taken[row.model_id] = (count + 1, (total + int.from_bytes(digest)) % 2**128)
        for one in exports.get(row.id, ()):
            count, total = taken[one.model_id]
            yield "taken", [names[one.run_id], names[one.model_id], count, f"{total:032x}"]
