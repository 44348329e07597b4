"""Commands and rules of the catalog: sources, datasets, versions; services take a session and never commit."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Row

from assetgraph.catalog import grouping_queries, history, history_queries, queries, token_queries
from assetgraph.catalog.grouping import GroupingRule, stored_rules
from assetgraph.catalog.roles import DatasetRole
from assetgraph.catalog.tables import DATASET, SOURCE, VERSION, Aspect, Lifecycle
from assetgraph.catalog.temporary import is_temporary_name
from assetgraph.catalog.texts import tags_text
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import Conflict, Invalid, NotFound
from assetgraph.ids import MAX_NAMESPACE_BYTES, AssetKind, field_key, normalised

MAX_FIELDS = 50_000
MAX_KEY_CHARS = 200
INT64_MAX = 2**63 - 1


@dataclass(frozen=True)
class FieldSpec:
    """A column as a producer or a scan describes it."""

    name: str
    type: str
    nullable: bool | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    profile: dict[str, Any] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class RegisterSource:
    """Name a place that scans may read; the location was checked against the allow-list at the edge."""

    namespace: str
    name: str
    location: str
    #: None: as they are.
    grouping: tuple[GroupingRule, ...] | None = None


@dataclass(frozen=True)
class RegisterDataset:
    """Make a dataset, or change what is given of one; what is None stays."""

    namespace: str
    name: str
    description: str | None = None
    role: DatasetRole | None = None
    tags: tuple[str, ...] | None = None
    owners: tuple[str, ...] | None = None
    transient: bool | None = None


@dataclass(frozen=True)
class RegisterVersion:
    """Add a version of a dataset; the dataset is made when it is new."""

    namespace: str
    name: str
    fields: tuple[FieldSpec, ...] = ()
    location: str | None = None
    fingerprint: str | None = None
    external_version: str | None = None
    row_count: int | None = None
    size_bytes: int | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class AssetRef:
    """An asset by id, or a dataset by name: its latest version, or the numbered one."""

    id: int | None = None
    namespace: str | None = None
    name: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class Identity:
    """The normalised identity of a named asset, with the name that people see."""

    kind: AssetKind
    namespace: str
    key: str
    name: str

    @staticmethod
    def of(kind: AssetKind, namespace: str, name: str) -> "Identity":
        """Normalise; raises Invalid for empty, overlong or unprintable names."""
        space = normalised(namespace, what="namespace", path=("namespace",), most=MAX_NAMESPACE_BYTES)
        key = normalised(name, what="name", path=("name",))
        return Identity(kind, space, key, name.strip())


def create_asset(session: Session, identity: Identity, columns: dict[str, Any] | None = None) -> int | None:
    """Insert an asset with its change; None when the identity exists already."""
    made = queries.insert_asset(session, identity.kind, identity.namespace, identity.key, identity.name, now())
    if made is not None:
        named = {"namespace": identity.namespace, "name": identity.name}
        changes.record_asset(session, identity.kind, made, "created", None, {**named, **(columns or {})})
    return made


def find_asset(session: Session, kind: AssetKind, namespace: str, name: str) -> int | None:
    """Return the id of a named asset."""
    identity = Identity.of(kind, namespace, name)
    return queries.asset_id(session, kind, identity.namespace, identity.key)


def request_hash(request: object) -> str:
    """Return a digest of a request: what tells a repeated request from another one with the same key."""
    packed = json.dumps(changes.plain(request), sort_keys=True, default=str)
    return hashlib.sha256(packed.encode("utf-8", "surrogatepass")).hexdigest()


def remembered(session: Session, key: str, request: object) -> int | None:
    """Return the asset that this principal's request with this key made; Conflict when the request was another."""
    _check_key(key)
    row = token_queries.idempotency(session, session.actor, key)
    if row is None:
        return None
    if row.request_hash != request_hash(request):
        message = f"idempotencyKey '{key}' was used for another request; use a new key for a new request"
        raise Conflict(message, path=("idempotencyKey",))
    return int(row.asset_id)


def remember(session: Session, key: str, request: object, asset_id: int) -> None:
    """Keep which asset a request made."""
    row = {"principal": session.actor, "key": key, "request_hash": request_hash(request), "asset_id": asset_id}
    token_queries.insert_idempotency(session, {**row, "created_at": now()})


def _check_key(key: str) -> None:
    if not key.strip() or len(key) > MAX_KEY_CHARS:
        raise Invalid(f"idempotencyKey must have 1 to {MAX_KEY_CHARS} characters", path=("idempotencyKey",))


def register_source(session: Session, command: RegisterSource) -> int:
    """Make a source, or return it when it is there, with the rules that are given.

    Another location under the same name is a Conflict.
    """
    identity = Identity.of(AssetKind.SOURCE, command.namespace, command.name)
    grouping = stored_rules(command.grouping or ()) or None
    said = {"location": command.location, **({"grouping": grouping} if grouping else {})}
    made = create_asset(session, identity, said)
    if made is not None:
        queries.insert_row(session, SOURCE, {"id": made, "location": command.location, "grouping": grouping})
        return made
    found = queries.asset_id(session, identity.kind, identity.namespace, identity.key)
    assert found is not None  # noqa: S101 - the insert met this identity
    row = queries.sources_by_ids(session, [found])[found]
    if row.location != command.location:
        message = (
            f"source '{identity.namespace}/{identity.name}' exists with location '{row.location}'; choose another name"
        )
        raise Conflict(message, path=("location",))
    if command.grouping is not None and grouping != row.grouping:
        grouping_queries.set_grouping(session, found, grouping)
        before, after = {"grouping": row.grouping}, {"grouping": grouping}
        changes.record_asset(session, AssetKind.SOURCE, found, "changed", before, after)
    return found


def ensure_dataset(session: Session, namespace: str, name: str) -> tuple[int, bool]:
    """Return (id, created) of a dataset."""
    identity = Identity.of(AssetKind.DATASET, namespace, name)
    known = queries.asset_id(session, identity.kind, identity.namespace, identity.key)
    if known is not None:
        return known, False
    made = create_asset(session, identity, {"lifecycle": Lifecycle.ACTIVE})
    if made is not None:
        columns = {"lifecycle": Lifecycle.ACTIVE, "temporary": is_temporary_name(identity.key)}
        queries.insert_row(session, DATASET, {"id": made, **columns})
        return made, True
    # Another writer made it in between.
    found = queries.asset_id(session, identity.kind, identity.namespace, identity.key)
    assert found is not None  # noqa: S101 - the insert met this identity
    return found, False


def register_dataset(session: Session, command: RegisterDataset) -> tuple[int, bool]:
    """Make or change a dataset; returns (id, created)."""
    dataset_id, created = ensure_dataset(session, command.namespace, command.name)
    if not created:
        # Of two commands the one that is written later must also be the later one in history.
        queries.lock_dataset(session, dataset_id)
    row = queries.datasets_by_ids(session, [dataset_id])[dataset_id]
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name in ("description", "role"):
        value = getattr(command, name)
        if value is not None and value != getattr(row, name):
            before[name], after[name] = getattr(row, name), value
    if after:
        queries.update_dataset(session, dataset_id, after)
    if command.tags is not None:
        tags = sorted({normalised(tag, what="tag", path=("tags",), most=200) for tag in command.tags})
        own = queries.stewards_tags(session, dataset_id)
        if own != tags:
            queries.replace_tags(session, dataset_id, tags)
            before["tags"], after["tags"] = own, tags
    if command.owners is not None:
        owners = sorted({normalised(owner, what="owner", path=("owners",), most=200) for owner in command.owners})
        own = queries.stewards_owners(session, dataset_id)
        if own != owners:
            queries.replace_owners(session, dataset_id, owners)
            before["owners"], after["owners"] = own, owners
    if after:
        changes.record_asset(session, AssetKind.DATASET, dataset_id, "changed", before, after)
        if not created:
            history.changed(session, dataset_id, row.created_at, before, after)
    if command.transient is not None and command.transient != row.transient:
        queries.update_dataset(session, dataset_id, {"transient": command.transient})
        # An action of its own: the graph in memory follows it.
        said = {"transient": row.transient}, {"transient": command.transient}
        changes.record_asset(session, AssetKind.DATASET, dataset_id, "folded", *said)
    return dataset_id, created


def register_version(session: Session, command: RegisterVersion) -> tuple[int, bool]:
    """Add a version and return (id, created); equal content, or a repeated key, gives the version that exists."""
    _check_version(command)
    key = command.idempotency_key
    if key is not None and (known := remembered(session, key, asdict(command))) is not None:
        return known, False
    dataset_id, _ = ensure_dataset(session, command.namespace, command.name)
    queries.lock_dataset(session, dataset_id)
    same = None
    if command.fingerprint is not None:
        same = queries.version_by_fingerprint(session, dataset_id, command.fingerprint)
    if same is None:
        version_id = _insert_version(session, dataset_id, command)
    else:
        version_id = int(same.id)
        _move_version(session, same, command.location)
    if key is not None:
        remember(session, key, asdict(command), version_id)
    return version_id, same is None


def _check_version(command: RegisterVersion) -> None:
    for name, value in (("rowCount", command.row_count), ("sizeBytes", command.size_bytes)):
        if value is not None and not 0 <= value <= INT64_MAX:
            raise Invalid(f"{name} must be from 0 to {INT64_MAX}, not {value}", path=(name,))
    if len(command.fields) > MAX_FIELDS:
        raise Invalid(f"{len(command.fields)} fields; at most {MAX_FIELDS} are allowed", path=("fields",))
    if command.fingerprint is not None and not 0 < len(command.fingerprint) <= MAX_KEY_CHARS:
        raise Invalid(f"fingerprint must have 1 to {MAX_KEY_CHARS} characters", path=("fingerprint",))
    seen: set[str] = set()
    for position, spec in enumerate(command.fields):
        at = ("fields", str(position), "name")
        path = normalised(spec.name, what="field name", path=at)
        if path in seen:
            raise Invalid(f"field '{path}' is named twice", path=at)
        seen.add(path)


def _move_version(session: Session, version: Row[Any], location: str | None) -> None:
    """Follow content that lies somewhere else now: its version stays, its location moves."""
    if location is None or location == version.location:
        return
    queries.update_version(session, int(version.id), {"location": location})
    before, after = {"location": version.location}, {"location": location}
    history.changed(session, int(version.id), version.effective_at, before, after)
    changes.record_asset(session, AssetKind.DATASET_VERSION, int(version.id), "moved", before, after)


def _insert_version(session: Session, dataset_id: int, command: RegisterVersion) -> int:
    dataset = queries.datasets_by_ids(session, [dataset_id])[dataset_id]
    number = queries.newest_number(session, dataset_id) + 1
    named = (f"{dataset.key}@{number}", f"{dataset.name}@{number}")
    identity = Identity(AssetKind.DATASET_VERSION, dataset.namespace, *named)
    columns = {
        "dataset_id": dataset_id, "number": number, "fingerprint": command.fingerprint,
        "external_version": command.external_version, "location": command.location,
        "row_count": command.row_count, "size_bytes": command.size_bytes,
    }  # fmt: skip
    version_id = create_asset(session, identity, {**columns, "fields": [spec.name for spec in command.fields]})
    assert version_id is not None  # noqa: S101 - numbers are handed out under the dataset's lock
    described = bool(command.fields)
    queries.insert_row(session, VERSION, {"id": version_id, **columns, "effective_at": now(), "described": described})
    _insert_fields(session, dataset, version_id, command.fields)
    return version_id


def _insert_fields(session: Session, dataset: Row[Any], version_id: int, fields: Sequence[FieldSpec]) -> None:
    known = queries.field_ids(session, int(dataset.id))
    paths = [normalised(spec.name, what="field name") for spec in fields]
    tagged = {known[path]: set(spec.tags) for path, spec in zip(paths, fields, strict=True)
              if spec.tags and path in known}  # fmt: skip
    new = _field_keys(dataset, [path for path in paths if path not in known])
    if new:
        known |= queries.insert_fields(session, int(dataset.id), str(dataset.namespace), new, now())
    rows: list[dict[str, Any]] = []
    for ordinal, (path, spec) in enumerate(zip(paths, fields, strict=True)):
        shape = {"type": spec.type, "nullable": spec.nullable, "description": spec.description}
        where = {"version_id": version_id, "field_id": known[path], "ordinal": ordinal}
        rows.append({**where, **shape, "profile": spec.profile})
    queries.insert_version_fields(session, rows)
    tags = [(known[path], tag) for path, spec in zip(paths, fields, strict=True) for tag in spec.tags]
    if tagged:
        _remember_tags(session, tagged)
    queries.add_tags(session, tags)


def _remember_tags(session: Session, more: dict[int, set[str]]) -> None:
    """Keep the tags of fields as they were before some are added."""
    had = history_queries.peoples_tags(session, list(more))
    grown = {asset: names for asset, names in more.items() if not names <= had[asset]}
    since = {int(row.id): row.created_at for row in queries.created_at(session, list(grown))} if grown else {}
    history.reworded(session, [
        history.Reworded(asset, since[asset], Aspect.TAGS, tags_text(had[asset]), tags_text(had[asset] | names))
        for asset, names in grown.items()
    ])  # fmt: skip


def _field_keys(dataset: Row[Any], paths: Sequence[str]) -> dict[str, str]:
    return {path: field_key(str(dataset.key), path) for path in paths}


def resolve_version(session: Session, ref: AssetRef, *, path: tuple[str, ...]) -> int:
    """Return the dataset version that a reference means; NotFound names what exists."""
    if ref.id is not None:
        kind = queries.asset_kinds(session, [ref.id]).get(ref.id)
        if kind is AssetKind.DATASET_VERSION:
            return ref.id
        if kind is AssetKind.DATASET:
            return _latest(session, ref.id, ref.version, path)
        raise NotFound("no dataset or dataset version has this id", path=path)
    if ref.namespace is None or ref.name is None:
        raise Invalid("name an asset by id, or a dataset by namespace and name", path=path)
    dataset_id = find_asset(session, AssetKind.DATASET, ref.namespace, ref.name)
    if dataset_id is None:
        known = queries.dataset_names(session, ref.namespace)
        raise NotFound(f"no dataset '{ref.name}' in namespace '{ref.namespace}'", path=path, known=known)
    return _latest(session, dataset_id, ref.version, path)


def _latest(session: Session, dataset_id: int, number: int | None, path: tuple[str, ...]) -> int:
    latest = queries.latest_versions(session, [dataset_id]).get(dataset_id)
    if latest is None:
        raise NotFound("the dataset has no version yet; register or scan one first", path=path)
    if number is None:
        return int(latest.id)
    version = queries.version_by_number(session, dataset_id, number)
    if version is None:
        newest = queries.newest_number(session, dataset_id)
        raise NotFound(f"the dataset has no version {number}; its versions are 1 to {newest}", path=path)
    return int(version.id)
