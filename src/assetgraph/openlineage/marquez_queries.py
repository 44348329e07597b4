"""SQL of the Marquez read API's lists and look-ups: which rows an answer is about."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Text,
    and_,
    case,
    cast,
    collate,
    column,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    table,
    union,
    union_all,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import JSONB

from assetgraph.catalog.tables import ALIAS, ASSET, SOURCE, TAG, VERSION
from assetgraph.changes.tables import CHANGE
from assetgraph.db.engine import Session
from assetgraph.ids import TYPE_NAMES, AssetKind
from assetgraph.lineage.tables import EDGE, RUN, EdgeKind, Level, RunState
from assetgraph.openlineage.tables import FACET, RAW_EVENT, RUN_DATASET


class Slice(NamedTuple):
    """Rows of a list: how many, and after how many."""

    limit: int
    offset: int


class Listed(NamedTuple):
    """A page of a list, and how many rows the whole list has."""

    rows: Sequence[Row[Any]]
    total: int


#: What has been merged into another keeps its row without a name.
_NAMED = ASSET.c.namespace != ""


def _listed(session: Session, statement: Select[Any], part: Slice) -> Listed:
    """Return a page of an ordered statement and the number of all its rows."""
    counted = select(func.count()).select_from(statement.order_by(None).subquery())
    total = int(session.execute(counted).scalar_one())
    if not part.limit or part.offset >= total:
        return Listed([], total)
    return Listed(session.execute(statement.limit(part.limit).offset(part.offset)).all(), total)


def namespaces(session: Session, part: Slice, name: str | None = None) -> Listed:
    """Return namespaces of datasets and jobs, or one, with when the first and the last thing in it was met."""
    first, last = func.min(ASSET.c.created_at).label("first"), func.max(ASSET.c.created_at).label("last")
    wanted = select(ASSET.c.namespace, first, last).where(ASSET.c.kind.in_([AssetKind.DATASET, AssetKind.JOB]), _NAMED)
    if name is not None:
        wanted = wanted.where(ASSET.c.namespace == name)
    return _listed(session, wanted.group_by(ASSET.c.namespace).order_by(ASSET.c.namespace), part)


def has_namespace(session: Session, name: str) -> bool:
    """Tell whether any dataset, job or other name of a dataset is in a namespace."""
    mine = and_(ASSET.c.kind.in_([AssetKind.DATASET, AssetKind.JOB]), ASSET.c.namespace == name, _NAMED)
    found = select(or_(exists().where(mine), exists().where(ALIAS.c.namespace == name)))
    return bool(session.execute(found).scalar_one())


def datasets(session: Session, namespace: str, part: Slice) -> Listed:
    """Return ids of a namespace's datasets by name."""
    mine = and_(ASSET.c.kind == AssetKind.DATASET, ASSET.c.namespace == namespace, _NAMED)
    return _listed(session, select(ASSET.c.id).where(mine).order_by(ASSET.c.key), part)


#: When a run was, as far as anybody said.
RUN_TIME = func.coalesce(RUN.c.started_at, RUN.c.first_at, ASSET.c.created_at)


def jobs(session: Session, namespace: str | None, states: Sequence[RunState], part: Slice) -> Listed:
    """Return ids of jobs by namespace and name; `states` keeps those whose latest run is in one of them."""
    wanted = select(ASSET.c.id).where(ASSET.c.kind == AssetKind.JOB, _NAMED)
    if namespace is not None:
        wanted = wanted.where(ASSET.c.namespace == namespace)
    if states:
        of_run = ASSET.alias()
        latest = (
            select(RUN.c.state)
            .join(of_run, of_run.c.id == RUN.c.id)
            .where(RUN.c.job_id == ASSET.c.id)
            .order_by(func.coalesce(RUN.c.started_at, RUN.c.first_at, of_run.c.created_at).desc(), RUN.c.id.desc())
            .limit(1)
            .correlate(ASSET)
            .scalar_subquery()
        )
        wanted = wanted.where(latest.in_(list(states)))
    return _listed(session, wanted.order_by(ASSET.c.namespace, ASSET.c.key), part)


def runs(session: Session, job: int, part: Slice) -> Listed:
    """Return ids of a job's runs, newest first."""
    wanted = select(RUN.c.id).join(ASSET, ASSET.c.id == RUN.c.id).where(RUN.c.job_id == job)
    return _listed(session, wanted.order_by(RUN_TIME.desc(), RUN.c.id.desc()), part)


def run_named(session: Session, texts: Sequence[str], row_id: int | None) -> int | None:
    """Return the newest run with a producer's id, or the one with a row's."""
    mine = RUN.c.run_id.in_(list(texts))
    wanted = select(RUN.c.id).where(mine if row_id is None else or_(mine, RUN.c.id == row_id))
    found = session.execute(wanted.order_by(RUN.c.id.desc()).limit(1)).scalar_one_or_none()
    return None if found is None else int(found)


#: Since when a dataset was as a version shows it.
VERSION_TIME = func.coalesce(VERSION.c.effective_at, ASSET.c.created_at)


def versions(session: Session, dataset: int, part: Slice) -> Listed:
    """Return ids of a dataset's versions, newest first."""
    wanted = select(VERSION.c.id).join(ASSET, ASSET.c.id == VERSION.c.id).where(VERSION.c.dataset_id == dataset)
    return _listed(session, wanted.order_by(VERSION_TIME.desc(), VERSION.c.number.desc()), part)


def is_version(session: Session, dataset: int, version: int) -> bool:
    """Tell whether a version is one of a dataset's."""
    mine = select(VERSION.c.id).where(VERSION.c.id == version, VERSION.c.dataset_id == dataset)
    return session.execute(mine).first() is not None


def version_time(session: Session, version: int) -> datetime:
    """Return the moment by which a version, and all that its writer said of it, was known."""
    written = and_(EDGE.c.target_id == version, EDGE.c.kind == EdgeKind.PRODUCED, EDGE.c.level == Level.VERSION)
    last = session.execute(select(func.max(EDGE.c.valid_from)).where(written)).scalar_one()
    own = select(VERSION_TIME).join(ASSET, ASSET.c.id == VERSION.c.id).where(VERSION.c.id == version)
    at: datetime = session.execute(own).scalar_one()
    return at if last is None else max(at, last)


def _packed(session: Session, value: Any, *, over: Any, by: Any) -> Any:
    joined = func.string_agg if session.dialect == "postgresql" else func.group_concat
    return joined(value, literal(",")).over(partition_by=over, order_by=by, rows=(None, None))


def job_versions(session: Session, job: int, part: Slice) -> Listed:
    """Return the sets of datasets that a job's runs (or the job by itself) had, the latest first.

    `io` packs a set as IN7,OUT9; `first` is when it was first met, `run` the newest run that had it.
    """
    mine = select(RUN.c.id.label("by_id"), RUN_TIME.label("at"), RUN.c.id.label("run"))
    mine = mine.join(ASSET, ASSET.c.id == RUN.c.id).where(RUN.c.job_id == job)
    own = exists().where(RUN_DATASET.c.by_id == ASSET.c.id)
    itself = select(ASSET.c.id, ASSET.c.created_at, null()).where(ASSET.c.id == job, own)
    actors = union_all(mine, itself).subquery("actors")
    io = run_io(select(actors.c.by_id)).subquery("io")
    token = (io.c.direction + cast(io.c.dataset_id, Text)).label("token")
    once = select(io.c.by_id, token).distinct().subquery("once")
    packed = _packed(session, once.c.token, over=once.c.by_id, by=once.c.token).label("io")
    inside = select(once.c.by_id, packed).distinct().subquery("sets")
    sets = func.coalesce(inside.c.io, "").label("io")
    wanted = select(
        sets, func.min(actors.c.at).label("first"), func.max(actors.c.at).label("last"),
        func.max(actors.c.run).label("run"),
    ).select_from(actors.outerjoin(inside, inside.c.by_id == actors.c.by_id))  # fmt: skip
    grouped = wanted.group_by(sets).order_by(func.max(actors.c.at).desc(), sets)
    return _listed(session, grouped, part)


def run_io(actors: Any) -> Any:
    """Return a statement of what runs (and jobs by themselves) read and wrote: by_id, direction, dataset, version.

    Events say datasets, of which some have no version yet; runs told through the API have edges to versions.
    """
    told = select(RUN_DATASET.c.by_id, RUN_DATASET.c.direction, RUN_DATASET.c.dataset_id, RUN_DATASET.c.version_id)
    branches = [told.where(RUN_DATASET.c.by_id.in_(actors))]
    for kind, direction, version, run in (
        (EdgeKind.CONSUMED, "IN", EDGE.c.source_id, EDGE.c.target_id),
        (EdgeKind.PRODUCED, "OUT", EDGE.c.target_id, EDGE.c.source_id),
    ):
        mine = and_(run.in_(actors), EDGE.c.kind == kind, EDGE.c.level == Level.VERSION, EDGE.c.valid_to.is_(None))
        edges = select(run, literal(direction), VERSION.c.dataset_id, VERSION.c.id)
        branches.append(edges.join(VERSION, VERSION.c.id == version).where(mine))
    return union(*branches)


class Window(NamedTuple):
    """Events from a moment on and before another, in an order."""

    after: datetime
    before: datetime
    ascending: bool


def events(session: Session, window: Window, part: Slice) -> Listed:
    """Return run events (packed) by their time."""
    within = and_(RAW_EVENT.c.event_time >= window.after, RAW_EVENT.c.event_time < window.before)
    order = [RAW_EVENT.c.event_time, RAW_EVENT.c.id]
    wanted = select(RAW_EVENT.c.body).where(within, RAW_EVENT.c.kind == "RUN")
    return _listed(session, wanted.order_by(*(order if window.ascending else [one.desc() for one in order])), part)


class Sought(NamedTuple):
    """What a search is for."""

    text: str
    kinds: Sequence[AssetKind]
    namespace: str | None
    after: datetime | None
    before: datetime | None
    by_time: bool


def changed_at() -> ColumnElement[datetime]:
    """Return an expression: when an asset last changed."""
    kinds = {one.value: TYPE_NAMES[one] for one in (AssetKind.DATASET, AssetKind.JOB)}
    kind = case(kinds, value=cast(ASSET.c.kind, Text))
    mine = and_(CHANGE.c.entity_type == kind, CHANGE.c.entity_key == cast(ASSET.c.id, Text))
    newest = select(CHANGE.c.at).where(mine).order_by(CHANGE.c.sequence.desc()).limit(1)
    return func.coalesce(newest.correlate(ASSET).scalar_subquery(), ASSET.c.created_at)


#: The collation of PostgreSQL, where it was built with ICU, that knows the letters of all scripts.
EVERY_SCRIPT = "und-x-icu"


def has_collation(session: Session, name: str) -> bool:
    """Tell whether PostgreSQL has a collation."""
    collations = table("pg_collation", column("collname"), schema="pg_catalog")
    wanted = select(collations.c.collname).where(collations.c.collname == name).limit(1)
    return session.execute(wanted).first() is not None


def _holds(session: Session, name: Any, text: str) -> ColumnElement[bool]:
    """Tell whether a name holds a text whatever its case; names are kept composed (NFC)."""
    text = unicodedata.normalize("NFC", text)
    # What SQLite, and PostgreSQL in the C locale, do by themselves knows letters of ASCII only, and is faster.
    if not text.isascii() and session.dialect == "sqlite":
        return func.instr(func.casefold(name), text.casefold()) > 0
    if not text.isascii() and has_collation(session, EVERY_SCRIPT):
        # Upper case, because one lower-case letter (the sigma) depends on where it stands.
        shown, wanted = (func.upper(collate(one, EVERY_SCRIPT)) for one in (name, literal(text)))
        return func.strpos(shown, wanted) > 0
    return name.icontains(text, autoescape=True)  # type: ignore[no-any-return]


def search(session: Session, sought: Sought, part: Slice) -> Listed:
    """Return datasets and jobs whose name, or another of whose names, holds a text whatever its case."""
    other = exists().where(ALIAS.c.dataset_id == ASSET.c.id, _holds(session, ALIAS.c.key, sought.text))
    named = or_(_holds(session, ASSET.c.key, sought.text), and_(ASSET.c.kind == AssetKind.DATASET, other))
    at = changed_at().label("at")
    wanted = select(ASSET.c.kind, ASSET.c.namespace, ASSET.c.key, at).where(
        ASSET.c.kind.in_(list(sought.kinds)), _NAMED, named
    )  # fmt: skip
    if sought.namespace is not None:
        wanted = wanted.where(ASSET.c.namespace == sought.namespace)
    if sought.after is not None:
        wanted = wanted.where(changed_at() >= sought.after)
    if sought.before is not None:
        wanted = wanted.where(changed_at() < sought.before)
    first = [at.desc()] if sought.by_time else []
    return _listed(session, wanted.order_by(*first, ASSET.c.key, ASSET.c.kind, ASSET.c.namespace), part)


def tags(session: Session, part: Slice) -> Listed:
    """Return the names of all tags."""
    return _listed(session, select(TAG.c.name).distinct().order_by(TAG.c.name), part)


def _json_text(session: Session, document: Any, name: str) -> Any:
    if session.dialect == "postgresql":
        return cast(document, JSONB)[name].astext
    return cast(func.json_extract(document, f"$.{name}"), Text)


def every_source(session: Session) -> Select[Any]:
    """Return a statement of where data lies: what producers call its source, scanned folders, datasets' namespaces.

    With when the first and the last thing of it was met.
    """
    said = _json_text(session, FACET.c.body, "name")
    facets = (
        select(said.label("name"), _json_text(session, FACET.c.body, "uri").label("location"),
               ASSET.c.created_at, FACET.c.event_time.label("updated_at"))
        .join(ASSET, ASSET.c.id == FACET.c.asset_id)
        .where(FACET.c.name == "dataSource", FACET.c.body.is_not(None), said != "")
    )  # fmt: skip
    scanned = select(ASSET.c.name, SOURCE.c.location, ASSET.c.created_at, ASSET.c.created_at).join(
        SOURCE, SOURCE.c.id == ASSET.c.id
    )  # fmt: skip
    spaces = select(
        ASSET.c.namespace, cast(null(), Text), func.min(ASSET.c.created_at), func.max(ASSET.c.created_at)
    ).where(ASSET.c.kind == AssetKind.DATASET, _NAMED).group_by(ASSET.c.namespace)  # fmt: skip
    every = union_all(facets, scanned, spaces).subquery("every")
    return select(
        every.c.name, func.max(every.c.location).label("location"), func.min(every.c.created_at).label("first"),
        func.max(every.c.updated_at).label("last"),
    ).group_by(every.c.name)  # fmt: skip


def sources(session: Session, part: Slice, name: str | None = None) -> Listed:
    """Return where data lies, or one such place, by name."""
    every = every_source(session)
    shown = every.selected_columns["name"]
    return _listed(session, (every if name is None else every.where(shown == name)).order_by(shown), part)
