"""Commands of checks: declare, remove; and which version drift is measured against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.service import AssetRef, find_asset, resolve_version
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid, Limit, NotFound
from assetgraph.ids import AssetKind
from assetgraph.quality import check_queries as queries
from assetgraph.quality import incidents
from assetgraph.quality.checks import Check, ForeignKey, Reference, expression_of, key_of, rule_of
from assetgraph.quality.queries import checks_by_ids
from assetgraph.quality.values import Family, family_of

ENTITY = "QualityCheck"
#: Checks that one command may declare, and that one dataset may have.
MAX_AT_ONCE, MAX_CHECKS = 200, 1000


@dataclass(frozen=True)
class DeclareChecks:
    """Let checks hold for a dataset; one with the name of another takes its place, and the others stay."""

    dataset: AssetRef
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class RemoveCheck:
    """Let a declared check hold no longer."""

    check_id: int


@dataclass(frozen=True)
class PinBaseline:
    """Measure drift against a version from now on; against the version before each when `pinned` is false."""

    dataset: AssetRef
    pinned: bool = True


def dataset_of(session: Session, ref: AssetRef, path: tuple[str, ...] = ("dataset",)) -> int:
    """Return the dataset that a reference means; NotFound names what exists."""
    if ref.id is not None:
        if catalog.asset_kinds(session, [ref.id]).get(ref.id) is AssetKind.DATASET:
            return ref.id
        raise NotFound("no dataset has this id", path=path)
    if ref.namespace is None or ref.name is None:
        raise Invalid("name a dataset by id, or by namespace and name", path=path)
    found = find_asset(session, AssetKind.DATASET, ref.namespace, ref.name)
    if found is None:
        known = catalog.dataset_names(session, ref.namespace)
        raise NotFound(f"no dataset '{ref.name}' in namespace '{ref.namespace}'", path=path, known=known)
    return found


def columns_of(session: Session, dataset: int, path: tuple[str, ...] = ("dataset",)) -> dict[str, Any]:
    """Return the columns of a dataset's latest version by path; NotFound where it has no version."""
    latest = catalog.latest_versions(session, [dataset]).get(dataset)
    if latest is None:
        raise NotFound("the dataset has no version yet; register or scan one first", path=path)
    return {str(row.path): row for row in catalog.fields_of_versions(session, [int(latest.id)])[int(latest.id)]}


def declare(session: Session, command: DeclareChecks) -> list[int]:
    """Store checks and return their ids in order; all of them, or none when one is wrong."""
    if len(command.checks) > MAX_AT_ONCE:
        raise Limit(f"{len(command.checks)} checks; at most {MAX_AT_ONCE} are allowed at once", path=("checks",))
    dataset = dataset_of(session, command.dataset)
    catalog.lock_dataset(session, dataset)
    columns = columns_of(session, dataset)
    there = {str(row.name): row for row in queries.in_force(session, dataset)}
    names = [check.name for check in command.checks]
    if len({*names, *there}) > MAX_CHECKS:
        raise Limit(f"a dataset may have at most {MAX_CHECKS:,} declared checks", path=("checks",))
    rows = []
    for place, check in enumerate(command.checks):
        path = ("checks", str(place))
        if check.name in names[:place]:
            raise Invalid(f"'{check.name}' is declared twice", path=(*path, "name"))
        refers_to = _fit(session, dataset, check, columns, (*path, "rule"))
        rows.append(_row(dataset, check, refers_to))
    if not rows:
        return []
    replaced = [there[str(row["name"])] for row in rows if row["name"] in there]
    replaced = [one for one in replaced if one.key not in {row["key"] for row in rows}]
    _end(session, dataset, replaced, "the check was changed")
    ids = queries.declare(session, rows)
    for row in rows:
        before = there.get(str(row["name"]))
        if before is None or before.key != row["key"] or before.severity is not row["severity"]:
            said = {name: row[name] for name in ("dataset_id", "name", "severity", "expression")}
            changes.record(session, ENTITY, ids[str(row["key"])], "declared", _said(before), said)
    return [ids[str(row["key"])] for row in rows]


def remove(session: Session, command: RemoveCheck) -> int:
    """Let a declared check hold no longer, close its incident, and return its id; results stay."""
    row = checks_by_ids(session, [command.check_id]).get(command.check_id)
    if row is None:
        raise NotFound("no check has this id", path=("check",))
    if not row.declared:
        raise Invalid("this check is told by a producer's events; only declared ones can be removed", path=("check",))
    catalog.lock_dataset(session, int(row.dataset_id))
    if row.removed_at is None:
        _end(session, int(row.dataset_id), [row], "the check was removed")
        changes.record(session, ENTITY, int(row.id), "removed", _said(row), None)
    return int(row.id)


def pin_baseline(session: Session, command: PinBaseline) -> int:
    """Pin, or unpin, the version that drift is measured against; returns the dataset."""
    ref = command.dataset
    if not command.pinned:
        dataset = dataset_of(session, replace(ref, version=None))
        before = queries.baselines(session, [dataset]).get(dataset)
        queries.unpin(session, dataset)
        if before is not None:
            changes.record_asset(session, AssetKind.DATASET, dataset, "unpinned", {"version": before.version_id}, None)
        return dataset
    version = resolve_version(session, ref, path=("dataset",))
    dataset = int(catalog.versions_by_ids(session, [version])[version].dataset_id)
    before = queries.baselines(session, [dataset]).get(dataset)
    if before is None or before.version_id != version:
        row = {"dataset_id": dataset, "version_id": version, "pinned_at": now(), "pinned_by": session.actor}
        queries.pin(session, row)
        said = None if before is None else {"version": int(before.version_id)}
        changes.record_asset(session, AssetKind.DATASET, dataset, "pinned", said, {"version": version})
    return dataset


def declared_checks(rows: Sequence[Any]) -> list[Check]:
    """Return checks of their rows."""
    return [
        Check(str(row.name), rule_of(row.expression), row.severity, int(row.id), str(row.key)) for row in rows
    ]  # fmt: skip


def resolve(session: Session, said: Reference, path: tuple[str, ...] = ("references",)) -> tuple[int, Any]:
    """Return the dataset that a foreign key refers to, and the row of the column in its latest version."""
    dataset = dataset_of(session, AssetRef(namespace=said.namespace, name=said.name), path)
    columns = columns_of(session, dataset, path)
    return dataset, columns[_known(said.field, columns, path)]


def _fit(session: Session, dataset: int, check: Check, columns: Mapping[str, Any], path: tuple[str, ...]) -> int | None:
    """Hold a rule to the columns that there are; returns the column that a foreign key refers to."""
    rule, kind = check.rule, next(iter(expression_of(check.rule)))
    families = set()
    for column in rule.columns:
        family = family_of(str(columns[_known(column, columns, (*path, kind))].type))
        rule.fits(family, (*path, kind))
        families.add(family)
    if not isinstance(rule, ForeignKey):
        return None
    at = (*path, kind, "references")
    other_dataset, row = resolve(session, rule.references, at)
    if other_dataset == dataset:
        raise Invalid("a foreign key refers to another dataset, not to its own", path=at)
    other = family_of(str(row.type))
    if len({*families, other} - {Family.UNKNOWN}) > 1:
        raise Invalid(f"the column that it refers to holds {other.value}, which this one does not", path=at)
    return int(row.id)


def _known(column: str, columns: Mapping[str, Any], path: tuple[str, ...]) -> str:
    if column not in columns:
        raise NotFound(f"the latest version has no column '{column}'", path=path, known=columns)
    return column


def _row(dataset: int, check: Check, refers_to: int | None) -> dict[str, Any]:
    expression, at = expression_of(check.rule), now()
    return {
        "dataset_id": dataset, "key": key_of(check.name, expression), "name": check.name, "severity": check.severity,
        "expression": expression, "said_at": at, "said_digest": "", "declared": True, "since": at, "removed_at": None,
        "refers_to": refers_to,
    }  # fmt: skip


def _end(session: Session, dataset: int, rows: Sequence[Any], reason: str) -> None:
    queries.remove(session, [int(row.id) for row in rows], now())
    if rows:
        incidents.settle(session, dataset, [str(row.key) for row in rows], reason)


def _said(row: Any) -> dict[str, Any] | None:
    return None if row is None else {"name": row.name, "severity": row.severity, "expression": row.expression}
