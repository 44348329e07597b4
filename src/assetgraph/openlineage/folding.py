"""What walks fold away: datasets that only pass through, and jobs that are one statement of the job above them.

Worked out from what is stored, never from the event at hand, so that the order of events does not matter.
"""

import re
from collections.abc import Sequence

import orjson

from assetgraph.catalog.temporary import is_temporary_name
from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.openlineage import folding_queries, queries
from assetgraph.openlineage.facets import Bodies
from assetgraph.openlineage.facts import Facts
from assetgraph.openlineage.names import Names

#: The facet that says what kind of dataset it is, and what makes it one that only passes through.
DATASET_TYPE, TEMPORARY = "datasetType", ("TEMPORARY", "TEMP")
_STATEMENT = re.compile(r"(.+)\.sql\.\d+", re.DOTALL)


def fold(session: Session, batch: Sequence[Facts], names: Names, bodies: Bodies) -> None:
    """Mark what a batch may have made one that is folded away, or no longer one."""
    datasets = {asset for asset, _, _, name in bodies.changed if name == DATASET_TYPE}
    datasets |= {names.datasets[stays] for one in batch for stays, _, _ in one.names}
    if datasets:
        _fold_datasets(session, sorted(datasets))
    jobs = {names.jobs[one.by.key] for one in batch if one.by.kind == "run" and _STATEMENT.fullmatch(one.by.key[1])}
    if jobs:
        _fold_jobs(session, sorted(jobs))


def _fold_datasets(session: Session, datasets: Sequence[int]) -> None:
    said = {
        int(facet.asset_id): orjson.loads(facet.body)
        for facet in queries.facet_bodies(session, [(one, one, "DATASET") for one in datasets], [DATASET_TYPE])
    }
    for row in folding_queries.datasets(session, datasets):
        temporary = is_temporary_name(str(row.key)) or _is_temporary(said.get(int(row.id)))
        if temporary != row.temporary:
            folding_queries.set_temporary(session, int(row.id), temporary)
            before, after = {"temporary": row.temporary}, {"temporary": temporary}
            changes.record_asset(session, AssetKind.DATASET, int(row.id), "folded", before, after)


def _is_temporary(facet: object) -> bool:
    kinds = [facet.get(name) for name in (DATASET_TYPE, "subType")] if isinstance(facet, dict) else []
    return any(isinstance(kind, str) and kind.upper() in TEMPORARY for kind in kinds)


def _fold_jobs(session: Session, jobs: Sequence[int]) -> None:
    """A job is a statement when a run of it was started by the job whose name it extends by `.sql.<n>`."""
    found: dict[int, tuple[bool, bool]] = {}
    for row in folding_queries.jobs_and_parents(session, jobs):
        name = _STATEMENT.fullmatch(str(row.key))
        is_one = name is not None and row.parent == name[1]
        found[int(row.id)] = (bool(row.statement), is_one or found.get(int(row.id), (False, False))[1])
    for job, (was, statement) in found.items():
        if was != statement:
            folding_queries.set_statement(session, job, statement)
            before, after = {"statement": was}, {"statement": statement}
            changes.record_asset(session, AssetKind.JOB, job, "folded", before, after)
