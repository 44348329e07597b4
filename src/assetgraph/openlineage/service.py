"""Apply events to the graph: set-wise, in one transaction, whatever order they come in and however often."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage.edge_log import Place
from assetgraph.lineage.support import Claims, write_claims
from assetgraph.lineage.tables import EdgeKind, Level, RunState, RunType
from assetgraph.openlineage import queries
from assetgraph.openlineage.facets import Bodies, merge_facets
from assetgraph.openlineage.facts import By, Facts
from assetgraph.openlineage.folding import fold
from assetgraph.openlineage.landing import land
from assetgraph.openlineage.merging import join_names, told_again
from assetgraph.openlineage.names import Names, resolve
from assetgraph.openlineage.versions import resolve_versions

FINAL = {"COMPLETE": RunState.SUCCEEDED, "ABORT": RunState.CANCELLED, "FAIL": RunState.FAILED}
#: Of two ends at the same time the worse one counts.
RANK = {RunState.SUCCEEDED: 0, RunState.CANCELLED: 1, RunState.FAILED: 2}
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


def ingest(session: Session, batch: Sequence[Facts]) -> list[bool]:
    """Keep events and change the graph by them; tells for each whether it was new."""
    told = keep(session, batch)
    news = [one for one, new in zip(batch, told, strict=True) if new]
    if news:
        apply(session, news)
    return told


def keep(session: Session, batch: Sequence[Facts]) -> list[bool]:
    """Keep events and do nothing else; tells for each whether it was new, once for equal ones."""
    # One batch at a time: two that first see the same name, or close a cycle together, must see each other.
    changes.lock(session)
    at = now()
    rows = {
        one.received.digest: {
            "digest": one.received.digest, "event_time": one.at, "received_at": at, "kind": one.kind,
            "event_type": one.event_type, "body": one.received.packed,
        }
        for one in batch
    }  # fmt: skip
    fresh = queries.keep_events(session, list(rows.values()))
    told = []
    for one in batch:
        told.append(one.received.digest in fresh)
        fresh.discard(one.received.digest)
    return told


def apply(session: Session, batch: Sequence[Facts]) -> None:
    """Change the graph by events that it does not know yet."""
    grown = join_names(session, batch)
    names = resolve(session, batch)
    # What this service runs itself it knows better than an event that comes back to it.
    own = {run for run, row in names.run_rows.items() if row.type is not RunType.EXTERNAL}
    batch = [one for one in batch if one.by.kind != "run" or names.runs[one.by] not in own]
    bodies = merge_facets(session, batch, names)
    again = told_again(session, grown, bodies)
    runs = _change_runs(session, batch, names, bodies)
    _change_run_datasets(session, batch, names, runs, bodies)
    write_claims(session, _claims(batch, names), modelless=True)
    resolved = resolve_versions(session, batch, names, again)
    resolved.redated |= grown
    land(session, batch, names, bodies, resolved)
    fold(session, batch, names, bodies)


def _change_runs(session: Session, batch: Sequence[Facts], names: Names, bodies: Bodies) -> dict[int, dict[str, Any]]:
    """Fold the batch's events into the state of their runs; returns the columns of RUN_STATE by run."""
    told: dict[int, list[Facts]] = {}
    for one in batch:
        if one.by.kind == "run":
            told.setdefault(names.runs[one.by], []).append(one)
    states, changed = {}, []
    for run, events in told.items():
        row = names.run_rows[run]
        had = {name: getattr(row, name) for name in queries.RUN_STATE}
        state = _folded(had, events)
        state |= bodies.of_run(run, names)
        states[run] = state
        if state != had:
            changed.append({"run": run, **{f"new_{name}": value for name, value in state.items()}})
            shown = [name for name in ("state", "started_at", "ended_at", "error") if state[name] != had[name]]
            if shown:
                before, after = {name: had[name] for name in shown}, {name: state[name] for name in shown}
                changes.record_asset(session, AssetKind.RUN, run, "changed", before, after)
    queries.update_runs(session, changed)
    return states


def _folded(had: dict[str, Any], events: Sequence[Facts]) -> dict[str, Any]:
    """A final state beats every other, a later one an earlier; nothing depends on the order of arrival."""
    new = dict(had)
    final = had["state"].final
    best = (had["ended_at"] or _LONG_AGO, RANK[had["state"]]) if final else None
    running = had["state"] is RunState.RUNNING
    for one in events:
        kind = one.event_type
        if kind in FINAL:
            end = (one.at, RANK[FINAL[kind]])
            if best is None or end > best:
                best = end
                new["state"], new["ended_at"] = FINAL[kind], one.at
        running = running or kind in ("START", "RUNNING")
        if kind == "START":
            new["started_at"] = min(one.at, new["started_at"] or one.at)
        if kind == "COMPLETE":
            new["completed_at"] = min(one.at, new["completed_at"] or one.at)
        new["first_at"] = min(one.at, new["first_at"] or one.at)
        new["streaming"] = new["streaming"] or one.streaming
    if best is None and running:
        new["state"] = RunState.RUNNING
    return new


def _change_run_datasets(
    session: Session, batch: Sequence[Facts], names: Names, runs: dict[int, dict[str, Any]], bodies: Bodies
) -> None:
    """Add what runs read and wrote: the union of all their events. All of a run's rows carry its earliest time."""
    said: dict[tuple[int, int, str], datetime] = {}
    for one in batch:
        for io in one.io:
            place = (names.by(io.by), names.datasets[io.dataset], io.direction)
            said[place] = min(one.at, said.get(place, one.at))
    places = dict.fromkeys([*said, *queries.datasets_of_runs(session, list(runs)), *bodies.labels, *bodies.schemas])
    there = queries.run_datasets(session, list(places))
    fresh, changed = [], []
    for place in places:
        row = there.get(place)
        # A run named only by others (a lineage facet's entry) has no event yet: then it is the time of that event.
        if place[0] in runs:
            first = runs[place[0]]["first_at"]
        else:
            first = min(one for one in (said.get(place), row and row.first_at) if one is not None)
        new = {
            "first_at": first,
            "label": bodies.labels.get(place, None if row is None else row.label),
            "schema_digest": bodies.schemas.get(place, None if row is None else row.schema_digest),
        }
        where = dict(zip(("by_id", "dataset_id", "direction"), place, strict=True))
        if row is None:
            fresh.append({**where, **new})
        elif any(getattr(row, name) != value for name, value in new.items()):
            moved = {f"new_{name}": value for name, value in new.items()}
            changed.append({"by": place[0], "dataset": place[1], "way": place[2], **moved})
    queries.write_run_datasets(session, fresh, changed)


def _claims(batch: Sequence[Facts], names: Names) -> Claims:
    claims = Claims()
    for one in batch:
        for io in one.io:
            dataset, job = names.datasets[io.dataset], names.job_of(io.by)
            place = (
                Place(dataset, job, EdgeKind.CONSUMED, Level.DATASET) if io.direction == "IN"
                else Place(job, dataset, EdgeKind.PRODUCED, Level.DATASET)
            )  # fmt: skip
            claims.add(place, names.by(io.by), one.at, counts=io.by.kind == "run")
        for link in one.links:
            source, target = _end(names, link.source), _end(names, link.target)
            place = Place(source, target, EdgeKind.DERIVED, Level.DATASET)
            claims.add(place, names.by(link.by), one.at, counts=link.by.kind == "run")
        for column in one.columns:
            place = Place(
                names.fields[(names.datasets[column.source[0]], column.source[1])],
                names.fields[(names.datasets[column.target[0]], column.target[1])],
                EdgeKind.DERIVED, Level.FIELD,
            )  # fmt: skip
            counts = column.by.kind == "run"
            if place.source != place.target:  # two names of one dataset may have met
                claims.add(
                    place, names.by(column.by), one.at, counts=counts, transformations=column.transformations
                )  # fmt: skip
    return claims


def _end(names: Names, end: tuple[str, tuple[str, str]]) -> int:
    kind, key = end
    return names.by(By(kind, key))
