"""SQL of names that mean one dataset, and of moving what belongs to one dataset to another."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, exists, func, insert, or_, select, tuple_, update

from assetgraph.catalog.tables import ALIAS, ASSET, DATASET, FIELD, IDEMPOTENCY, OWNER, TAG, VERSION, VERSION_FIELD
from assetgraph.db.engine import Session
from assetgraph.db.given import given, ids, rows
from assetgraph.lineage.edge_queries import CLAIMED
from assetgraph.lineage.tables import EDGE, EDGE_RUN, RUN, Ending
from assetgraph.openlineage.rows import CLASSIFICATION, DESCRIPTION_PROPOSAL
from assetgraph.openlineage.tables import FACET, NAMING, RUN_DATASET
from assetgraph.openlineage.version_queries import bury
from assetgraph.quality.tables import BASELINE, CHECK, INCIDENT, RESULT

Key = tuple[str, str]


def namings_of(session: Session, names: Sequence[Key]) -> list[tuple[Key, Key, str]]:
    """Return all that was said of some names: the one that stays, the other, the time of a rename."""
    one, two = given(session.dialect, str, str), given(session.dialect, str, str)
    here = and_(NAMING.c.namespace == one.c.k0, NAMING.c.key == one.c.k1)
    there = and_(NAMING.c.other_namespace == two.c.k0, NAMING.c.other_key == two.c.k1)
    both = select(NAMING).select_from(one.join(NAMING, here)).union(select(NAMING).select_from(two.join(NAMING, there)))
    found = session.execute(both, {"given": rows(names)}).all()
    return [((row.namespace, row.key), (row.other_namespace, row.other_key), str(row.renamed_at)) for row in found]


def set_aliases(session: Session, dataset: int, names: Sequence[Key]) -> None:
    """Let names lead to a dataset."""
    session.execute(delete(ALIAS).where(ALIAS.c.dataset_id == dataset))
    for name in names:
        remove_alias(session, name)
    if names:
        session.execute(insert(ALIAS), [{"namespace": a, "key": b, "dataset_id": dataset} for a, b in names])


def remove_alias(session: Session, name: Key) -> None:
    """Let a name lead nowhere."""
    session.execute(delete(ALIAS).where(ALIAS.c.namespace == name[0], ALIAS.c.key == name[1]))


def rename(session: Session, named: Sequence[tuple[int, str, str, str]]) -> None:
    """Set namespace, key and name of assets by id."""
    if named:
        values: dict[Any, Any] = {"namespace": bindparam("space"), "key": bindparam("new"), "name": bindparam("shown")}
        final = [{"asset": asset, "space": space, "new": key, "shown": name} for asset, space, key, name in named]
        # Names may move up by one, each to where the next one still is: all step aside first.
        aside = [{**row, "new": f"moving/{row['asset']}"} for row in final]
        statement = update(ASSET).where(ASSET.c.id == bindparam("asset")).values(values)
        session.execute(statement, aside)
        session.execute(statement, final)


def fields_of(session: Session, dataset: int) -> list[tuple[int, str]]:
    """Return (id, path) of a dataset's columns."""
    found = session.execute(select(FIELD.c.id, FIELD.c.path).where(FIELD.c.dataset_id == dataset)).all()
    return [(int(row.id), str(row.path)) for row in found]


def versions_of(session: Session, dataset: int) -> list[tuple[int, int]]:
    """Return (id, number) of a dataset's versions."""
    found = session.execute(select(VERSION.c.id, VERSION.c.number).where(VERSION.c.dataset_id == dataset)).all()
    return [(int(row.id), int(row.number)) for row in found]


def event_versions(session: Session, dataset: int) -> Sequence[Row[Any]]:
    """Return (id, origin) of the versions that events made."""
    mine = and_(VERSION.c.dataset_id == dataset, VERSION.c.origin.is_not(None))
    return session.execute(select(VERSION.c.id, VERSION.c.origin).where(mine)).all()


def is_shown(session: Session, version: int) -> bool:
    """Tell whether a dataset event shows a version."""
    return bool(session.execute(select(exists().where(FACET.c.by_id == version))).scalar_one())


def forget_versions(session: Session, dataset: int) -> None:
    """Let the readings and writings of a dataset be of no version yet."""
    session.execute(update(RUN_DATASET).where(RUN_DATASET.c.dataset_id == dataset).values(version_id=None))


def move_shown(session: Session, goes: int, stays: int) -> None:
    """Move what dataset events say of one version to another that is the same."""
    _move_facets(session, FACET.c.by_id, goes, stays)


def move_facets(session: Session, stays: int, goes: int) -> None:
    """Move a dataset's facets: the newer of two stays."""
    _move_facets(session, FACET.c.by_id, goes, stays)
    _move_facets(session, FACET.c.asset_id, goes, stays)


def _move_facets(session: Session, column: Any, goes: int, stays: int) -> None:
    mine, other = FACET.alias("mine"), FACET.alias("other")
    rest = [name for name in ("asset_id", "by_id", "scope", "name") if name != column.name]
    same = and_(*(mine.c[name] == other.c[name] for name in rest), mine.c[column.name] == goes,
                other.c[column.name] == stays)  # fmt: skip
    newer = tuple_(mine.c.event_time, mine.c.digest) > tuple_(other.c.event_time, other.c.digest)
    pairs = session.execute(select(mine.c.id, other.c.id.label("other"), newer.label("newer"))
                            .select_from(mine.join(other, same))).all()  # fmt: skip
    losers = [int(row.other if row.newer else row.id) for row in pairs]
    if losers:
        session.execute(delete(FACET).where(FACET.c.id.in_(losers)))
    session.execute(update(FACET).where(column == goes).values({column.name: stays}))


def move_run_datasets(session: Session, stays: int, goes: int) -> None:
    """Move what runs read and wrote; of a run that names both, one row stays."""
    other = RUN_DATASET.alias("other")
    twice = select(other.c.by_id).where(
        other.c.dataset_id == stays, other.c.by_id == RUN_DATASET.c.by_id, other.c.direction == RUN_DATASET.c.direction
    )
    session.execute(delete(RUN_DATASET).where(RUN_DATASET.c.dataset_id == goes, twice.exists()))
    session.execute(update(RUN_DATASET).where(RUN_DATASET.c.dataset_id == goes).values(dataset_id=stays))


def move_checks(session: Session, stays: int, goes: int) -> None:
    """Move checks with their results; of two words for one check, or one result, the newer stays."""
    there = {str(row.key): row for row in session.execute(select(CHECK).where(CHECK.c.dataset_id == stays)).all()}
    for row in session.execute(select(CHECK).where(CHECK.c.dataset_id == goes)).all():
        other = there.get(str(row.key))
        if other is None:
            session.execute(update(CHECK).where(CHECK.c.id == row.id).values(dataset_id=stays))
            continue
        if (row.said_at, row.said_digest) > (other.said_at, other.said_digest):
            named = ("name", "severity", "expression", "said_at", "said_digest", "since", "removed_at", "refers_to")
            said = {name: row._mapping[name] for name in named}
            session.execute(update(CHECK).where(CHECK.c.id == other.id).values(said))
        _move_results(session, int(row.id), int(other.id))
        session.execute(delete(CHECK).where(CHECK.c.id == row.id))


def _move_results(session: Session, goes: int, stays: int) -> None:
    there = {int(row.run_id): row for row in session.execute(select(RESULT).where(RESULT.c.check_id == stays)).all()}
    for row in session.execute(select(RESULT).where(RESULT.c.check_id == goes)).all():
        other = there.get(int(row.run_id))
        loser = None
        if other is not None:
            newer = (row.checked_at, row.said_digest) > (other.checked_at, other.said_digest)
            loser = int(other.id if newer else row.id)
            session.execute(delete(RESULT).where(RESULT.c.id == loser))
        if loser != int(row.id):
            session.execute(update(RESULT).where(RESULT.c.id == row.id).values(check_id=stays))


def move_incidents(session: Session, stays: int, goes: int) -> None:
    """Move incidents and the baseline; of two open ones about the same, or two baselines, that which is there stays."""
    both = select(INCIDENT.c.subject).where(INCIDENT.c.dataset_id == stays, INCIDENT.c.closed_at.is_(None))
    twice = and_(INCIDENT.c.closed_at.is_(None), INCIDENT.c.subject.in_([*session.execute(both).scalars()]))
    session.execute(delete(INCIDENT).where(INCIDENT.c.dataset_id == goes, twice))
    session.execute(update(INCIDENT).where(INCIDENT.c.dataset_id == goes).values(dataset_id=stays))
    pinned = session.execute(select(BASELINE.c.dataset_id).where(BASELINE.c.dataset_id == stays)).first()
    if pinned is not None:
        session.execute(delete(BASELINE).where(BASELINE.c.dataset_id == goes))
    session.execute(update(BASELINE).where(BASELINE.c.dataset_id == goes).values(dataset_id=stays))


def move_labels(session: Session, moved: Mapping[int, int]) -> None:
    """Move tags and owners; those that are there already stay as they are."""
    for goes, stays in moved.items():
        for table, columns in ((TAG, ("name", "origin")), (OWNER, ("principal", "origin"))):
            other = table.alias("other")
            twice = select(other.c.asset_id).where(
                other.c.asset_id == stays, *(other.c[name] == table.c[name] for name in columns)
            )
            session.execute(delete(table).where(table.c.asset_id == goes, twice.exists()))
            session.execute(update(table).where(table.c.asset_id == goes).values(asset_id=stays))


def move_classifications(session: Session, moved: Mapping[int, int]) -> None:
    """Move what columns mean; of the same type what is known of the one that stays counts; so does its accepted one."""
    mine = CLASSIFICATION.c
    for goes, stays in moved.items():
        there = {str(row.semantic_type): str(row.status) for row in session.execute(
            select(mine.semantic_type, mine.status).where(mine.field_id == stays)
        ).all()}  # fmt: skip
        gone: Any = mine.semantic_type.in_(list(there))
        for status in {"ACCEPTED", "PROPOSED"} & set(there.values()):
            # One of each is shown; what is accepted hides every proposal.
            gone = or_(gone, mine.status == "PROPOSED", mine.status == status)
        session.execute(delete(CLASSIFICATION).where(mine.field_id == goes, gone))
        session.execute(update(CLASSIFICATION).where(mine.field_id == goes).values(field_id=stays))


def move_description_proposals(session: Session, moved: Mapping[int, int]) -> None:
    """Move what models propose to say of assets; one at most waits, and that of the asset that stays counts."""
    mine = DESCRIPTION_PROPOSAL.c
    for goes, stays in moved.items():
        there = session.execute(select(mine.digest, mine.status).where(mine.asset_id == stays)).all()
        gone: Any = mine.digest.in_([str(row.digest) for row in there])
        if any(str(row.status) == "PROPOSED" for row in there):
            gone = or_(gone, mine.status == "PROPOSED")
        session.execute(delete(DESCRIPTION_PROPOSAL).where(mine.asset_id == goes, gone))
        session.execute(update(DESCRIPTION_PROPOSAL).where(mine.asset_id == goes).values(asset_id=stays))


def adopt_fields(session: Session, dataset: int, alone: Sequence[int], moved: Mapping[int, int]) -> None:
    """Give columns to a dataset; where it has the column already, versions show that one."""
    if alone:
        session.execute(update(FIELD).where(FIELD.c.id.in_(list(alone))).values(dataset_id=dataset))
    for goes, stays in moved.items():
        session.execute(update(VERSION_FIELD).where(VERSION_FIELD.c.field_id == goes).values(field_id=stays))
        session.execute(update(CHECK).where(CHECK.c.refers_to == goes).values(refers_to=stays))


def delete_fields(session: Session, fields: Sequence[int]) -> None:
    """Delete columns that nothing refers to any more."""
    for field in fields:
        session.execute(delete(FIELD).where(FIELD.c.id == field))
        bury(session, field)


def delete_dataset(session: Session, dataset: int, stays: int) -> None:
    """Delete a dataset that nothing refers to any more but remembered requests, which get the one that stays."""
    session.execute(update(IDEMPOTENCY).where(IDEMPOTENCY.c.asset_id == dataset).values(asset_id=stays))
    session.execute(update(ALIAS).where(ALIAS.c.dataset_id == dataset).values(dataset_id=stays))
    session.execute(delete(DATASET).where(DATASET.c.id == dataset))
    bury(session, dataset)


def renumber(session: Session, stays: int, goes: int) -> None:
    """Give the versions of a dataset to another, numbered after its own."""
    newest = select(func.coalesce(func.max(VERSION.c.number), 0)).where(VERSION.c.dataset_id == stays)
    number = int(session.execute(newest).scalar_one())
    mine = select(VERSION.c.id).where(VERSION.c.dataset_id == goes).order_by(VERSION.c.number)
    for row in session.execute(mine).all():
        number += 1
        session.execute(update(VERSION).where(VERSION.c.id == row.id).values(dataset_id=stays, number=number))


def edges_at_assets(session: Session, assets: Sequence[int]) -> Sequence[Row[Any]]:
    """Return the edges at assets that are open, or closed by a dropped column."""
    wanted = list(assets)
    ends = or_(EDGE.c.source_id.in_(wanted), EDGE.c.target_id.in_(wanted))
    return session.execute(select(EDGE).where(ends, CLAIMED).order_by(EDGE.c.id)).all()


def past_edges_at_assets(session: Session, assets: Sequence[int]) -> Sequence[Row[Any]]:
    """Return the edges at assets that were valid once and are closed for good."""
    wanted = list(assets)
    ends = or_(EDGE.c.source_id.in_(wanted), EDGE.c.target_id.in_(wanted))
    closed = and_(EDGE.c.valid_to > EDGE.c.valid_from, or_(EDGE.c.ending.is_(None), EDGE.c.ending != Ending.DROPPED))
    return session.execute(select(EDGE).where(ends, closed).order_by(EDGE.c.id)).all()


def replace_past_edges(
    session: Session, changed: Sequence[dict[str, Any]], supporters: Sequence[dict[str, Any]]
) -> None:
    """Set the ends of closed edges (edge, source, target, last, count, done), and who supported them."""
    if not changed:
        return
    values: dict[Any, Any] = {
        EDGE.c.source_id: bindparam("source"), EDGE.c.target_id: bindparam("target"),
        EDGE.c.last_seen: bindparam("last"), EDGE.c.run_count: bindparam("count"),
        EDGE.c.transformations: bindparam("done"),
    }  # fmt: skip
    session.execute(update(EDGE).where(EDGE.c.id == bindparam("edge")).values(values), list(changed))
    session.execute(delete(EDGE_RUN).where(EDGE_RUN.c.edge_id.in_([one["edge"] for one in changed])))
    if supporters:
        session.execute(insert(EDGE_RUN), list(supporters))


def supporters_of(session: Session, edges: Sequence[int]) -> Sequence[Row[Any]]:
    """Return who supports edges, and whether that is a run."""
    if not edges:
        return []
    wanted = given(session.dialect, int)
    joined = wanted.join(EDGE_RUN, EDGE_RUN.c.edge_id == wanted.c.k0).outerjoin(RUN, RUN.c.id == EDGE_RUN.c.run_id)
    statement = select(EDGE_RUN, RUN.c.id.is_not(None).label("is_run")).select_from(joined)
    return session.execute(statement, {"given": ids(edges)}).all()


def runs_at(session: Session, datasets: Sequence[int]) -> list[int]:
    """Return the runs that read or write datasets."""
    joined = select(RUN_DATASET.c.by_id).join(RUN, RUN.c.id == RUN_DATASET.c.by_id)
    mine = joined.where(RUN_DATASET.c.dataset_id.in_(list(datasets))).distinct().order_by(RUN_DATASET.c.by_id)
    return [int(row.by_id) for row in session.execute(mine).all()]


def facets_of(session: Session, datasets: Sequence[int]) -> Sequence[Row[Any]]:
    """Return all facets of datasets."""
    return session.execute(select(FACET).where(FACET.c.asset_id.in_(list(datasets)))).all()
