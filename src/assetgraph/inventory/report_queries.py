"""SQL of the inventory report: each statement is of all datasets at once, however many there are.

Deleted datasets are not there. Retired ones, and those that only pass through, are counted and left out of the rest.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Row,
    String,
    Subquery,
    and_,
    case,
    column,
    exists,
    func,
    literal,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB

from assetgraph.catalog.tables import ASSET, DATASET, FIELD, OWNER, TAG, VERSION, VERSION_FIELD, Lifecycle
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage.tables import EDGE, EdgeKind, Level
from assetgraph.quality.tables import CHECK, METRIC, RESULT, Severity

#: Tags that say personal data, in any case: these, and those that begin with one of them and a colon (pii:email).
PERSONAL_TAGS = ("personal-data", "pii")

_OPEN = EDGE.c.valid_to.is_(None)


def _in(namespace: str | None) -> ColumnElement[bool]:
    """Tell whether an asset's row is there, and in the namespace that is asked about."""
    there = ASSET.c.namespace != ""
    return there if namespace is None else and_(there, ASSET.c.namespace == namespace)


def _latest() -> Any:
    """Return the id of the version that a dataset is, as `catalog.queries.latest_versions` finds it."""
    one = VERSION.alias("one")
    return (
        select(one.c.id)
        .where(one.c.dataset_id == DATASET.c.id, one.c.effective_at.is_not(None))
        .order_by(one.c.effective_at.desc(), one.c.number.desc())
        .limit(1)
        .correlate(DATASET)
        .scalar_subquery()
    )


_PASSING = func.coalesce(DATASET.c.transient, DATASET.c.temporary)
_RETIRED = DATASET.c.lifecycle == Lifecycle.RETIRED


def _shown(namespace: str | None) -> Subquery:
    """Return (dataset_id, version_id) of the datasets that the report is about."""
    joined = DATASET.join(ASSET, ASSET.c.id == DATASET.c.id)
    columns = (DATASET.c.id.label("dataset_id"), _latest().label("version_id"))
    return select(*columns).select_from(joined).where(_in(namespace), ~_PASSING, ~_RETIRED).subquery("shown")


def datasets(session: Session, namespace: str | None) -> Sequence[Row[Any]]:
    """Return every dataset with its latest version, that one's completeness, and why it is left out, if it is."""
    measured = and_(METRIC.c.asset_id == VERSION.c.id, METRIC.c.name == "completeness", METRIC.c.field.is_(None))
    completeness = select(METRIC.c.value).where(measured).order_by(METRIC.c.id.desc()).limit(1)
    joined = DATASET.join(ASSET, ASSET.c.id == DATASET.c.id).outerjoin(VERSION, VERSION.c.id == _latest())
    columns = (
        DATASET.c.id, ASSET.c.namespace, ASSET.c.key, ASSET.c.name, type_coerce(DATASET.c.role, String).label("role"),
        type_coerce(DATASET.c.lifecycle, String).label("lifecycle"), _PASSING.label("transient"),
        VERSION.c.number.label("version"), VERSION.c.row_count, VERSION.c.size_bytes,
        VERSION.c.effective_at.label("updated_at"), completeness.correlate(VERSION).scalar_subquery().label("complete"),
    )  # fmt: skip
    return session.execute(select(*columns).select_from(joined).where(_in(namespace))).all()


def field_counts(session: Session, namespace: str | None) -> Sequence[Row[Any]]:
    """Return (dataset_id, fields) of the latest versions."""
    shown = _shown(namespace)
    joined = shown.join(VERSION_FIELD, VERSION_FIELD.c.version_id == shown.c.version_id)
    counted = select(shown.c.dataset_id, func.count().label("fields")).select_from(joined)
    return session.execute(counted.group_by(shown.c.dataset_id)).all()


def newest_moments(session: Session, namespace: str | None) -> Sequence[Row[Any]]:
    """Return (dataset_id, path, newest) of the profiled columns of latest versions that hold dates or times.

    `newest` is the profile's text of the greatest value: ISO 8601.
    """
    shown = _shown(namespace)
    joined = shown.join(VERSION_FIELD, VERSION_FIELD.c.version_id == shown.c.version_id).join(
        FIELD, FIELD.c.id == VERSION_FIELD.c.field_id
    )
    kind = func.lower(VERSION_FIELD.c.type)
    timed = or_(kind.startswith("date"), kind.startswith("timestamp"))
    newest = VERSION_FIELD.c.profile["max"].as_string()
    columns = (shown.c.dataset_id, FIELD.c.path, newest.label("newest"))
    wanted = select(*columns).select_from(joined).where(timed, VERSION_FIELD.c.profile.is_not(None))
    return session.execute(wanted).all()


def _carries_values(dialect: str) -> ColumnElement[bool]:
    """Tell whether a column edge lets tags through, as `lineage.queries.value_edges_into` does: values, unmasked."""
    said: Any = EDGE.c.transformations
    if dialect == "postgresql":
        each = func.jsonb_array_elements(said).table_valued(column("value", JSONB)).alias("each")
        kind: Any = each.c.value.op("->>")("type")
        unmasked: Any = each.c.value.op("->>")("masking") == "false"
        length = func.jsonb_array_length(said)
    else:
        each = func.json_each(said).table_valued("value").alias("each")
        kind, unmasked = func.json_extract(each.c.value, "$.type"), func.json_extract(each.c.value, "$.masking") == 0
        length = func.json_array_length(said)
    plain = select(literal(1)).select_from(each).where(kind != "INDIRECT", unmasked)
    return or_(said.is_(None), length == 0, exists(plain.correlate(EDGE)))


def _flowing(dialect: str) -> CTE:
    """Return (id, tag) of all assets that bear a tag of personal data, and of the columns that it flows on to."""
    name = func.lower(TAG.c.name)
    says = or_(name.in_(PERSONAL_TAGS), *(name.startswith(f"{tag}:") for tag in PERSONAL_TAGS))
    own = select(TAG.c.asset_id.label("id"), TAG.c.name.label("tag")).where(says).cte("flowing", recursive=True)
    along = and_(EDGE.c.source_id == own.c.id, EDGE.c.level == Level.FIELD, _OPEN, _carries_values(dialect))
    return own.union(select(EDGE.c.target_id, own.c.tag).select_from(own.join(EDGE, along)))


def personal_data(session: Session, namespace: str | None) -> Sequence[Row[Any]]:
    """Return (dataset_id, field_id, tag) of columns with personal data, own tags and those that flow to them.

    A tag on the dataset itself has no field_id. Columns of older versions do not count; those that only column lineage
    names do.
    """
    shown, flowing = _shown(namespace), _flowing(session.dialect)
    of = func.coalesce(FIELD.c.dataset_id, flowing.c.id)
    here = and_(VERSION_FIELD.c.version_id == shown.c.version_id, VERSION_FIELD.c.field_id == FIELD.c.id)
    joined = (
        flowing.outerjoin(FIELD, FIELD.c.id == flowing.c.id)
        .join(shown, shown.c.dataset_id == of)
        .outerjoin(VERSION_FIELD, here)
    )
    other = VERSION_FIELD.alias("other")
    loose = ~exists(select(literal(1)).where(other.c.field_id == FIELD.c.id).correlate(FIELD))
    current = or_(FIELD.c.id.is_(None), VERSION_FIELD.c.field_id.is_not(None), loose)
    columns = (shown.c.dataset_id, FIELD.c.id.label("field_id"), flowing.c.tag)
    return session.execute(select(*columns).select_from(joined).where(current).distinct()).all()


def owners(session: Session, namespace: str | None) -> Sequence[Row[Any]]:
    """Return (id, principal) of the datasets and models that someone answers for."""
    joined = OWNER.join(ASSET, ASSET.c.id == OWNER.c.asset_id)
    owned = and_(ASSET.c.kind.in_((AssetKind.DATASET, AssetKind.MODEL)), _in(namespace))
    columns = (OWNER.c.asset_id.label("id"), OWNER.c.principal)
    return session.execute(select(*columns).select_from(joined).where(owned).distinct()).all()


def checks(session: Session, namespace: str | None) -> Sequence[Row[Any]]:
    """Return of each dataset with checks how many it has and how their newest results that count came out."""
    shown = _shown(namespace)
    newest = (RESULT.c.checked_at.desc(), RESULT.c.id.desc())
    rank = func.row_number().over(partition_by=RESULT.c.check_id, order_by=newest).label("rank")
    met = and_(RESULT.c.counted, RESULT.c.version_id.is_not(None))
    ranked = select(RESULT.c.check_id, RESULT.c.passed, rank).where(met).subquery()
    last = and_(ranked.c.check_id == CHECK.c.id, ranked.c.rank == 1)
    declared = and_(CHECK.c.dataset_id == shown.c.dataset_id, CHECK.c.removed_at.is_(None))
    joined = shown.join(CHECK, declared).outerjoin(ranked, last)
    failed = and_(ranked.c.check_id.is_not(None), ~ranked.c.passed)
    counts = {
        "checks": func.count(), "evaluated": func.count(ranked.c.check_id),
        "passed": func.sum(case((and_(ranked.c.check_id.is_not(None), ranked.c.passed), 1), else_=0)),
        "errors": func.sum(case((and_(failed, CHECK.c.severity == Severity.ERROR), 1), else_=0)),
        "warnings": func.sum(case((and_(failed, CHECK.c.severity == Severity.WARNING), 1), else_=0)),
    }  # fmt: skip
    counted = select(shown.c.dataset_id, *(count.label(name) for name, count in counts.items())).select_from(joined)
    return session.execute(counted.group_by(shown.c.dataset_id)).all()


def models(session: Session, namespace: str | None) -> Sequence[Row[Any]]:
    """Return (id, namespace, name, versions, newest_at) of all models; `mine`: whether the report is about it."""
    version = ASSET.alias("version")
    made = and_(
        EDGE.c.source_id == ASSET.c.id, EDGE.c.level == Level.VERSION, EDGE.c.kind == EdgeKind.VERSION_OF, _OPEN
    )
    joined = ASSET.outerjoin(EDGE, made).outerjoin(version, version.c.id == EDGE.c.target_id)
    mine = literal(True) if namespace is None else ASSET.c.namespace == namespace
    columns = (ASSET.c.id, ASSET.c.namespace, ASSET.c.name)
    counts = (func.count(version.c.id).label("versions"), func.max(version.c.created_at).label("newest_at"))
    there = and_(ASSET.c.kind == AssetKind.MODEL, ASSET.c.namespace != "")
    counted = select(*columns, *counts, mine.label("mine")).select_from(joined).where(there)
    return session.execute(counted.group_by(*columns).order_by(ASSET.c.id)).all()


def edges_to_models(session: Session) -> Sequence[Row[Any]]:
    """Return (source, target, of_dataset) of the open edges that lead to a model, not through another model.

    They are those of definitions; `of_dataset` says whether the source is a dataset.
    """
    above = ASSET.alias("above")

    def into(target: Any) -> ColumnElement[bool]:
        return and_(EDGE.c.target_id == target, EDGE.c.level == Level.DATASET, _OPEN)

    # No kind for a deleted node: nobody may come through it.
    far = and_(above.c.id == EDGE.c.source_id, above.c.kind != AssetKind.MODEL, above.c.namespace != "")
    there = and_(ASSET.c.kind == AssetKind.MODEL, ASSET.c.namespace != "")
    models_first = select(ASSET.c.id).where(there).cte("upstream", recursive=True)
    step = models_first.join(EDGE, into(models_first.c.id)).join(above, far)
    upstream = models_first.union(select(EDGE.c.source_id).select_from(step))
    joined = upstream.join(EDGE, into(upstream.c.id)).join(above, far)
    of_dataset = (above.c.kind == AssetKind.DATASET).label("of_dataset")
    columns = (EDGE.c.source_id.label("source"), EDGE.c.target_id.label("target"), of_dataset)
    return session.execute(select(*columns).select_from(joined).distinct()).all()
