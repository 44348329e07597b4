"""Where facets land: columns and counts on versions, metrics, checks, and what describes datasets and jobs."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from assetgraph.catalog import batch_queries
from assetgraph.catalog.tables import Lifecycle
from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage.dropped import settle_versions
from assetgraph.lineage.edge_log import retract
from assetgraph.lineage.settling import settle
from assetgraph.openlineage import landing_queries, queries, shapes
from assetgraph.openlineage.facets import Bodies, RunPlace
from assetgraph.openlineage.facts import JOB_LINEAGE, ColumnLink, Facts, columns_of_facet, flat
from assetgraph.openlineage.names import Names
from assetgraph.openlineage.remembering import description_of, lifecycle_of, owners_of, remember, tag_name, tags_of
from assetgraph.openlineage.shapes import validated
from assetgraph.openlineage.versions import Resolved
from assetgraph.quality.tables import Severity

#: When something was said of a check, a digest of it, and what.
Said = tuple[datetime, str, shapes.Assertion]
#: Before the keys of checks that runs are themselves.
TEST_KEY = "test:"
NUMBERS = ("outputStatistics", "dataQualityMetrics")
COLUMN_LINEAGE = ("columnLineage", "lineage", JOB_LINEAGE)
SEVERITIES = {"warn": Severity.WARNING, "warning": Severity.WARNING, "info": Severity.INFO}


def land(session: Session, batch: Sequence[Facts], names: Names, bodies: Bodies, resolved: Resolved) -> None:
    """Put what a batch's facets say where it is asked for."""
    _describe(session, bodies)
    remember(session, bodies.said)
    _shown_versions(session, resolved)
    shaped = set(_places(bodies, ("schema", *NUMBERS))) & set(resolved.version) | resolved.moved
    described = _columns_of_versions(session, shaped, resolved)
    _numbers(session, shaped, resolved)
    _checks(session, batch, names, bodies, resolved)
    _withdraw_columns(session, bodies)
    settle_versions(session, described, anew=sorted(resolved.redated))


def _places(bodies: Bodies, names: Sequence[str]) -> Iterator[RunPlace]:
    for asset, by, scope, name in bodies.changed:
        if scope in ("IN", "OUT") and name in names:
            yield by, asset, scope


def _describe(session: Session, bodies: Bodies) -> None:
    """Descriptions, owners, tags and lifecycle of datasets and jobs."""
    for (asset, _, scope, name), winner in bodies.changed.items():
        if scope not in ("DATASET", "JOB"):
            continue
        body = winner.body
        if name == "documentation":
            text = description_of(body)
            landing_queries.set_description(session, asset, text, job=scope == "JOB")
            _note(session, scope, asset, {"description": text})
        elif name == "ownership":
            owners = owners_of(body)
            landing_queries.replace_owners(session, asset, owners)
            _note(session, scope, asset, {"owners": sorted(owners)})
        elif name == "tags":
            _tag(session, asset, scope, tags_of(body))
        elif name == "lifecycleStateChange" and scope == "DATASET":
            lifecycle = lifecycle_of(body)
            if landing_queries.set_lifecycle(session, asset, lifecycle):
                action = "retired" if lifecycle is Lifecycle.RETIRED else "restored"
                _note(session, scope, asset, {"lifecycle": lifecycle}, action)


def _note(session: Session, scope: str, asset: int, after: dict[str, Any], action: str = "changed") -> None:
    kind = AssetKind.JOB if scope == "JOB" else AssetKind.DATASET
    changes.record_asset(session, kind, asset, action, {}, after)


def _tag(session: Session, asset: int, scope: str, tags: Sequence[shapes.TagPart]) -> None:
    fields = landing_queries.field_ids(session, asset) if any(one.field for one in tags) else {}
    rows = {
        (fields.get(one.field, asset) if one.field is not None else asset, tag_name(one)) for one in tags
    }  # fmt: skip
    landing_queries.replace_tags(session, asset, sorted(rows), columns=scope == "DATASET")
    _note(session, scope, asset, {"tags": sorted({tag_name(one) for one in tags})})


def _shown_versions(session: Session, resolved: Resolved) -> None:
    """Keep the facets of dataset events with the version that they show."""
    for version, said in resolved.shown.items():
        dataset = landing_queries.dataset_of(session, version)
        for at, name, body in said:
            landing_queries.keep_newer(session, dataset, version, name, at, body)


def _columns_of_versions(session: Session, touched: set[RunPlace], resolved: Resolved) -> list[int]:
    """Set the columns of versions: as their writer says, else a dataset event, else their latest reader.

    Returns the versions whose writer is now known to say their columns.
    """
    versions = {version for place in touched if (version := resolved.version.get(place)) is not None}
    versions |= resolved.left | set(resolved.shown)
    if not versions:
        return []
    best: dict[int, Any] = {}
    counts: dict[int, dict[str, tuple[Any, int]]] = {}
    for row in landing_queries.writers_facets(session, sorted(versions), ("schema", *NUMBERS)):
        version, rank = int(row.version_id), (row.event_time, row.digest)
        if row.name == "schema":
            if version not in best or rank > (best[version].event_time, best[version].digest):
                best[version] = row
            continue
        found = validated(shapes.MetricsFacet, orjson.loads(row.body), ())
        size = found.size if found.size is not None else found.bytes
        for name, value in (("row_count", found.row_count), ("size_bytes", size)):
            had = counts.setdefault(version, {}).get(name)
            if value is not None and (had is None or rank > had[0]):
                counts[version][name] = (rank, value)
    for row in landing_queries.readers_schemas(session, sorted(versions - set(best))):
        best[int(row.version_id)] = row
    bare = landing_queries.event_made(session, sorted(resolved.left - set(best)))
    landing_queries.set_counts(session, {
        version: {name: value for name, (_, value) in found.items()} for version, found in counts.items()
    })  # fmt: skip
    return _write_columns(session, best, bare, resolved)


def _write_columns(session: Session, best: dict[int, Any], bare: Mapping[int, int], resolved: Resolved) -> list[int]:
    """Write the columns of versions that differ from what is there; `bare` ones (with dataset) have none any more.

    Returns the versions whose columns their writers say now and did not before.
    """
    if not best and not bare:
        return []
    datasets = {version: int(row.dataset_id) for version, row in best.items()}
    drawn = {
        version: list(flat(validated(shapes.SchemaFacet, orjson.loads(row.body), ()).fields or ()))
        for version, row in best.items()
    }
    wanted = dict.fromkeys((datasets[version], path) for version, shape in drawn.items() for path, _, _ in shape)
    ids = batch_queries.fields_named(session, list(wanted))
    columns: dict[int, dict[int, tuple[int, str, str | None]]] = {version: {} for version in bare}
    for version, shape in drawn.items():
        of_version = columns[version] = {}
        for path, kind, description in shape:
            of_version.setdefault(ids[(datasets[version], path)], (len(of_version), kind, description))
    there = landing_queries.version_fields(session, sorted(columns))
    had = landing_queries.described(session, sorted(columns))
    changed = [version for version in sorted(columns) if columns[version] != there.get(version, {})]
    named = ("ordinal", "type", "description")
    landing_queries.replace_version_fields(session, [
        {"version_id": version, "field_id": field, "nullable": None, "profile": None,
         **dict(zip(named, said, strict=True))}
        for version in changed for field, said in columns[version].items()
    ], changed)  # fmt: skip
    told = dict.fromkeys(bare, False) | {version: row.scope == "OUT" for version, row in best.items()}
    landing_queries.set_described(session, {version: one for version, one in told.items() if one != had[version]})
    # What a version drops may be other columns than before: then all of its dataset are looked at.
    owners = {**bare, **datasets}
    resolved.redated |= {
        owners[one] for one in told
        if had[one] and (not told[one] or set(columns[one]) != set(there.get(one, {})))
    }  # fmt: skip
    return [version for version, one in told.items() if one and not had[version]]


def _numbers(session: Session, touched: set[RunPlace], resolved: Resolved) -> None:
    """Write the metrics of versions: those of a facet that was told again are replaced."""
    places = sorted((dataset, by, scope) for by, dataset, scope in touched)
    places += [(landing_queries.dataset_of(session, version), version, "VERSION") for version in sorted(resolved.shown)]
    facets = queries.facet_bodies(session, places, NUMBERS)
    rows = []
    for facet in facets:
        place = (int(facet.by_id), int(facet.asset_id), str(facet.scope))
        version = int(facet.by_id) if facet.scope == "VERSION" else resolved.version.get(place)
        if version is not None:
            found = validated(shapes.MetricsFacet, orjson.loads(facet.body), ())
            where = {"asset_id": version, "measured_at": facet.event_time, "facet_id": int(facet.id), "is_exact": True}
            rows += [{**where, "name": name, "field": field, "value": value} for name, field, value in _measured(found)]
    if facets:
        landing_queries.replace_metrics(session, [int(facet.id) for facet in facets], rows)


def _measured(found: shapes.MetricsFacet) -> Iterator[tuple[str, str | None, float]]:
    size = found.size if found.size is not None else found.bytes
    for name, value in (("row_count", found.row_count), ("size_bytes", size), ("file_count", found.file_count)):
        if value is not None:
            yield name, None, float(value)
    for field, of_one in (found.columns or {}).items():
        for name in ("null_count", "distinct_count", "count", "sum", "min", "max"):
            number = getattr(of_one, name)
            if number is not None:
                yield name, field, float(number)
        for q, number in (of_one.quantiles or {}).items():
            yield f"quantile_{q}"[:200], field, float(number)


def _checks(session: Session, batch: Sequence[Facts], names: Names, bodies: Bodies, resolved: Resolved) -> None:
    """Write checks and their results, each once per run however often it is told."""
    told: dict[tuple[int, str, int], Said] = {}
    for one in batch:
        for check in one.checks:
            place = (names.datasets[check.dataset], _key(check.assertion), names.runs[check.by])
            said = (one.at, _digest(check.assertion), check.assertion)
            if place not in told or said[:2] > told[place][:2]:
                told[place] = said
    tests, doubted = _tests(session, batch, names, bodies)
    told |= tests
    if told:
        newest: dict[tuple[int, str], Said] = {}
        for (dataset, key, _), said in told.items():
            if (dataset, key) not in newest or said[:2] > newest[(dataset, key)][:2]:
                newest[(dataset, key)] = said
        ids = landing_queries.upsert_checks(session, [_check_row(*place, said) for place, said in newest.items()])
        results = [
            _result_row(ids[(dataset, key)], run, *said) for (dataset, key, run), said in told.items()
        ]  # fmt: skip
        landing_queries.upsert_results(session, results)
    _say_tests_again(session, doubted)
    runs = {run for _, _, run in told} | {place[0] for place in resolved.moved}
    runs |= {names.runs[one.by] for one in batch if one.event_type in ("COMPLETE", "ABORT", "FAIL")}
    landing_queries.point_results(session, sorted(runs))


def _tests(
    session: Session, batch: Sequence[Facts], names: Names, bodies: Bodies
) -> tuple[dict[tuple[int, str, int], Said], list[int]]:
    """Return what runs say of themselves being tests (the run facet `test`), of each dataset that they read.

    Beside it the checks that are left and of which a run said something else before.
    """
    runs = sorted({names.runs[one.by] for one in batch if one.by.kind == "run"})
    again = [run for run in runs if (run, run, "RUN", "test") in bodies.contested]
    doubted = landing_queries.forget_tests(session, again, TEST_KEY)
    places = [(run, run, "RUN") for run in runs]
    facets = {int(row.asset_id): row for row in queries.facet_bodies(session, places, ["test"])}
    told: dict[tuple[int, str, int], Said] = {}
    for run, dataset, direction in queries.datasets_of_runs(session, sorted(facets)) if facets else ():
        if direction == "IN":
            row = facets[run]
            for key, one in _said_by(row.body).items():
                told[(dataset, key, run)] = (row.event_time, _digest(one), one)
    return told, doubted


def _said_by(body: str) -> dict[str, shapes.Assertion]:
    """Return the checks of a `test` facet by key."""
    tests = validated(shapes.TestsFacet, orjson.loads(body), ()).tests or ()
    return {TEST_KEY + _key(test.assertion): test.assertion for test in tests}


def _say_tests_again(session: Session, checks: Sequence[int]) -> None:
    """Let checks be described by the newest of the lists that stand, not by one that its run has replaced."""
    described = []
    for row in landing_queries.newest_results(session, checks):
        one = _said_by(row.body).get(str(row.key))
        if one is not None:  # an import may have brought the result of a list that another one stands for here
            said = (row.checked_at, str(row.said_digest), one)
            described.append(_check_row(int(row.dataset_id), str(row.key), said))
    landing_queries.describe_checks(session, described)


def _key(one: shapes.Assertion) -> str:
    packed = json.dumps([one.assertion, one.column, one.name], ensure_ascii=False)
    return hashlib.blake2b(packed.encode(), digest_size=16).hexdigest()


def _digest(one: shapes.Assertion) -> str:
    return hashlib.blake2b(one.model_dump_json().encode(), digest_size=16).hexdigest()


def _check_row(dataset: int, key: str, said: Said) -> dict[str, Any]:
    at, digest, one = said
    expression = {"assertion": one.assertion, "column": one.column, "expected": one.expected,
                  "description": one.description}  # fmt: skip
    return {
        "dataset_id": dataset, "key": key, "name": one.name or one.assertion,
        "severity": SEVERITIES.get((one.severity or "").lower(), Severity.ERROR),
        "expression": {name: value for name, value in expression.items() if value is not None},
        "said_at": at, "said_digest": digest,
    }  # fmt: skip


def _result_row(check: int, run: int, at: datetime, digest: str, one: shapes.Assertion) -> dict[str, Any]:
    observed = None if one.actual is None else {"actual": one.actual}
    return {
        "check_id": check, "run_id": run, "version_id": None, "passed": one.success, "observed": observed,
        "message": one.description, "checked_at": at, "said_digest": digest,
    }  # fmt: skip


def _withdraw_columns(session: Session, bodies: Bodies) -> None:
    """Take back column edges that a run no longer says: a facet told again replaces the earlier one whole."""
    again = {(asset, by) for asset, by, _, name in bodies.contested if name in COLUMN_LINEAGE}
    for dataset, by in sorted(again):
        places = [(dataset, by, scope) for scope in ("IN", "OUT", "DATASET")]
        kept = queries.facet_bodies(session, places, (*COLUMN_LINEAGE, "schema"))
        shown: list[str] = []
        for facet in kept:
            if facet.name == "schema":
                schema = validated(shapes.SchemaFacet, orjson.loads(facet.body), ())
                shown += [one.name for one in schema.fields or ()]
        links = [
            link for facet in kept if facet.name != "schema"
            for link in columns_of_facet(str(facet.name), orjson.loads(facet.body), shown)
        ]  # fmt: skip
        said = _ends(session, dataset, links)
        supported = landing_queries.supported_columns(session, by, dataset)
        gone = [edge for edge, ends in supported.items() if ends not in said]
        alone = landing_queries.withdraw(session, by, gone)
        retract(session, alone, dataset, AssetKind.DATASET)
        others = [edge for edge in gone if edge not in alone]
        landing_queries.recount(session, others)
        settle(session, others)


def _ends(session: Session, dataset: int, links: Sequence[ColumnLink]) -> set[tuple[int, int]]:
    """Return (source, target) fields of column links into a dataset."""
    keys = list(dict.fromkeys(one.source[0] for one in links))
    ids = {**queries.aliases_named(session, keys), **batch_queries.assets_named(session, AssetKind.DATASET, keys)}
    wanted = dict.fromkeys((ids[one.source[0]], one.source[1]) for one in links)
    wanted |= dict.fromkeys((dataset, one.target[1]) for one in links)
    fields = batch_queries.fields_named(session, list(wanted))
    return {
        (fields[(ids[one.source[0]], one.source[1])], fields[(dataset, one.target[1])]) for one in links
    }  # fmt: skip
