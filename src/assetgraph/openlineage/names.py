"""Names of a batch as ids: what is new is made, other names lead to the dataset that they mean."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from assetgraph.catalog import batch_queries
from assetgraph.catalog.batches import ensure_fields, make_assets
from assetgraph.catalog.tables import DATASET, Lifecycle
from assetgraph.catalog.temporary import is_temporary_name
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage.tables import JOB, RUN, RunState, RunType
from assetgraph.openlineage import queries
from assetgraph.openlineage.facts import By, Facts, Key


@dataclass
class Names:
    """Ids of everything that a batch names."""

    datasets: dict[Key, int] = field(default_factory=dict)
    jobs: dict[Key, int] = field(default_factory=dict)
    runs: dict[By, int] = field(default_factory=dict)
    #: The rows of runs as they stood before the batch.
    run_rows: dict[int, Row[Any]] = field(default_factory=dict)
    #: Runs that the batch is the first to name: nothing that they said needs to be looked for.
    fresh_runs: set[int] = field(default_factory=set)
    fields: dict[tuple[int, str], int] = field(default_factory=dict)

    def by(self, by: By) -> int:
        """Return the id of who says something."""
        if by.kind == "run":
            return self.runs[by]
        return self.jobs[by.key] if by.kind == "job" else self.datasets[by.key]

    def job_of(self, by: By) -> int:
        """Return the id of the job that a run or job is."""
        return self.jobs[by.key]


def resolve(session: Session, batch: Sequence[Facts]) -> Names:
    """Return ids of all names in a batch; datasets, jobs, runs and columns that are new are made."""
    names = Names()
    names.jobs = _jobs(session, _unique(one.jobs for one in batch))
    names.datasets = datasets(session, _unique(one.datasets for one in batch))
    _runs(session, names, _unique(one.runs for one in batch))
    wanted: dict[tuple[int, str], None] = {}
    for one in batch:
        for key, paths in one.fields.items():
            wanted.update(dict.fromkeys((names.datasets[key], path) for path in paths))
    names.fields = ensure_fields(session, list(wanted))
    return names


def _unique(many: Iterable[Iterable[Any]]) -> list[Any]:
    return list(dict.fromkeys(one for some in many for one in some))


def datasets(session: Session, keys: Sequence[Key]) -> dict[Key, int]:
    """Return the ids of datasets by any of their names; those that are new are made."""
    found = batch_queries.assets_named(session, AssetKind.DATASET, keys)
    found |= queries.aliases_named(session, [key for key in keys if key not in found])
    missing = [key for key in keys if key not in found]
    made = make_assets(session, AssetKind.DATASET, {key: key[1] for key in missing}, {"lifecycle": Lifecycle.ACTIVE})
    queries.insert_all(session, DATASET, [
        {"id": one, "lifecycle": Lifecycle.ACTIVE, "temporary": is_temporary_name(key)}
        for (_, key), one in made.items()
    ])  # fmt: skip
    return found | made


def _jobs(session: Session, keys: Sequence[Key]) -> dict[Key, int]:
    found = batch_queries.assets_named(session, AssetKind.JOB, keys)
    made = make_assets(session, AssetKind.JOB, {key: key[1] for key in keys if key not in found}, {})
    queries.insert_all(session, JOB, [{"id": one} for one in made.values()])
    return found | made


def _runs(session: Session, names: Names, wanted: Sequence[By]) -> None:
    """Find runs by job and run id, and make those that are new: nothing is known of their state yet."""
    places = {(names.jobs[by.key], by.run): by for by in wanted}
    for row in queries.runs_named(session, list(places)):
        by = places[(int(row.job_id), str(row.run_id))]
        names.runs[by] = int(row.id)
        names.run_rows[int(row.id)] = row
    missing = [by for by in wanted if by not in names.runs]
    if not missing:
        return
    # A run id is one job's; where two jobs use the same, the later is told apart by its job's name.
    taken = set(batch_queries.assets_named(session, AssetKind.RUN, [(by.key[0], by.run) for by in missing]))
    keys: dict[Key, By] = {}
    for by in missing:
        key = (by.key[0], by.run)
        if key in taken or key in keys:
            key = (by.key[0], f"{by.key[1]}/{by.run}")
        keys[key] = by
    at = now()
    rows = [
        {"kind": AssetKind.RUN, "namespace": space, "key": key, "name": f"{by.key[1]} {by.run[:8]}", "created_at": at}
        for (space, key), by in keys.items()
    ]
    made = batch_queries.insert_assets(session, rows)
    fresh: list[dict[str, Any]] = []
    for key, id_ in made.items():
        by = keys[key]
        names.runs[by] = id_
        new: dict[str, Any] = {
            "job_id": names.jobs[by.key],
            "run_id": by.run,
            "type": RunType.EXTERNAL,
            "state": RunState.QUEUED,
        }
        fresh.append({"id": id_, **new, "attempt": 1, "streaming": False})
        changes.record_asset(session, AssetKind.RUN, id_, "created", None, {"namespace": key[0], **new})
    queries.insert_all(session, RUN, fresh)
    names.fresh_runs.update(made.values())
    names.run_rows |= {int(row.id): row for row in queries.runs_with(session, list(made.values()))}
