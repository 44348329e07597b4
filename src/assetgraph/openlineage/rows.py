"""What an export holds of each table, and how a row is written without the ids of its database.

The columns are those that the tables have: a column that is added later is exported without a change here.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table

from assetgraph.catalog.tables import ALIAS, ASSET, DATASET, FIELD, HISTORY, OWNER, SOURCE, TAG, VERSION, VERSION_FIELD
from assetgraph.changes.service import plain
from assetgraph.clock import as_utc
from assetgraph.db.metadata import all_tables
from assetgraph.db.table import UtcDateTime
from assetgraph.errors import Invalid
from assetgraph.factorization.tables import MODEL, MODEL_VERSION
from assetgraph.ids import AssetKind, parse_recommendation_key, recommendation_key
from assetgraph.lineage.tables import EDGE, EDGE_RUN, FINDING, JOB, RUN
from assetgraph.openlineage.own_runs import ASSET_PARAMETERS
from assetgraph.openlineage.tables import FACET, FACET_PAST, NAMING, RUN_DATASET
from assetgraph.quality.tables import BASELINE, CHECK, INCIDENT, METRIC, RESULT

#: Those of slices that this one may not see.
FEEDBACK, FEEDBACK_EXPORT, CANDIDATE_KEY, RELATED, CLASSIFICATION, DESCRIPTION_PROPOSAL = (
    all_tables().tables[name]
    for name in (
        "feedback", "feedback_export", "candidate_key", "relation", "classification", "description_proposal"
    )
)  # fmt: skip

#: Kind, namespace and key: what an asset is called in every database.
Ref = tuple[str, str, str]

#: The typed row of each kind of asset, each after those that it refers to.
ENTITIES: dict[AssetKind, Table] = {
    AssetKind.SOURCE: SOURCE, AssetKind.DATASET: DATASET, AssetKind.JOB: JOB, AssetKind.MODEL: MODEL,
    AssetKind.FIELD: FIELD, AssetKind.DATASET_VERSION: VERSION, AssetKind.MODEL_VERSION: MODEL_VERSION,
    AssetKind.RUN: RUN,
}  # fmt: skip
#: Columns of the asset's own row, beside its identity.
ASSET_COLUMNS = ("name", "created_at")
#: Columns of a run that refer to other runs, which may come later: they are set at the end.
ABOVE = ("parent_id", "root_id")


@dataclass(frozen=True)
class Relation:
    """A table of what assets have and how they are connected."""

    table: Table
    #: The columns that tell whether a row is there already, and those of them that an index finds rows by.
    identity: tuple[str, ...]
    lookup: tuple[str, ...]
    #: The column that names a row of another relation, which is written before, in the same line.
    parent: str | None = None
    #: A number that the database hands out: it means nothing elsewhere.
    surrogate: bool = False
    #: A column that tells a row by itself where it is set.
    alone: str | None = None
    #: Rows may be equal in all else: `copy` tells the first of them (0) from the next.
    copies: bool = False

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    @property
    def refs(self) -> frozenset[str]:
        """The columns that name assets."""
        return refs_of(self.table) - {self.parent}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a line holds."""
        left_out = {self.parent} | ({"id"} if self.surrogate else set())
        return tuple(str(column.name) for column in self.table.columns if column.name not in left_out)


def refs_of(table: Table) -> frozenset[str]:
    """Return the columns of a table that name assets: those with a foreign key."""
    return frozenset(column.name for column in table.columns if column.foreign_keys)


def _keyed(table: Table, *lookup: str, parent: str | None = None) -> Relation:
    """Return a relation whose primary key says whether a row is there."""
    return Relation(table, tuple(column.name for column in table.primary_key.columns), lookup, parent)


def _counted(
    table: Table, lookup: tuple[str, ...], identity: tuple[str, ...] | None = None, parent: str | None = None,
    **more: Any,
) -> Relation:  # fmt: skip
    """Return a relation whose rows have a number of their own; without an identity, all else says which one it is."""
    rest = tuple(column.name for column in table.columns if column.name != "id")
    return Relation(table, identity or rest, lookup, parent, surrogate=True, **more)


#: Children stand behind their parents, and everything behind the assets.
RELATIONS = (
    _keyed(VERSION_FIELD, "version_id", "field_id"), _keyed(TAG, "asset_id"), _keyed(OWNER, "asset_id"),
    _keyed(HISTORY, "asset_id", "aspect"), _keyed(ALIAS, "namespace", "key"), _keyed(NAMING, "namespace", "key"),
    _keyed(RUN_DATASET, "by_id", "dataset_id"), _keyed(CLASSIFICATION, "field_id"),
    _keyed(DESCRIPTION_PROPOSAL, "asset_id"),
    _counted(FACET, ("asset_id", "by_id"), ("asset_id", "by_id", "scope", "name")),
    _keyed(FACET_PAST, "asset_id", "scope", "name"),
    _counted(METRIC, ("asset_id", "name"), parent="facet_id"),
    _counted(CHECK, ("dataset_id", "key"), ("dataset_id", "key")),
    _counted(RESULT, ("check_id", "run_id"), ("check_id", "run_id"), parent="check_id"),
    _counted(INCIDENT, ("dataset_id", "opened_at"), ("dataset_id", "subject", "opened_at")),
    _keyed(BASELINE, "dataset_id"),
    _counted(EDGE, ("source_id", "target_id", "level"),
             ("source_id", "target_id", "kind", "level", "producer", "valid_from", "valid_to")),
    _keyed(EDGE_RUN, "edge_id", "run_id", parent="edge_id"),
    _counted(FINDING, ("run_id",)),
    _keyed(CANDIDATE_KEY, "version_id"),
    _counted(RELATED, ("from_field_id",), ("from_field_id", "to_field_id", "kind")),
    _counted(FEEDBACK, ("model_id", "created_at"), alone="key", copies=True),
    _keyed(FEEDBACK_EXPORT, "run_id", parent="last_feedback_id"),
)  # fmt: skip
BY_NAME = {one.name: one for one in RELATIONS}
#: The relations whose rows belong to a row of another: metrics of facets, results of checks, supporters of edges, and
#: the exports that took feedback up to an event.
CHILDREN = {
    "facet": BY_NAME["metric"], "quality_check": BY_NAME["check_result"], "edge": BY_NAME["edge_run"],
    "feedback": BY_NAME["feedback_export"],
}  # fmt: skip
#: Those that are always children.
ONLY_CHILDREN = frozenset({"check_result", "edge_run", "feedback_export"})
#: What is no part of the graph: the log, the queue and the schedules of this service, who may use it, events as they
#: came (which are exported by themselves), sketches, keys and states, which the next scan makes of the data again, and
#: what models answered, which they can be asked again.
LEFT_OUT = frozenset({
    "asset", "change", "lease", "schedule", "idempotency", "token", "emission", "openlineage_event", "column_sketch",
    "key_set", "scanned", "scanned_part", "scanned_span", "model_answer",
})  # fmt: skip


class Copies:
    """Numbers rows that are equal in all that identifies them, as they come in the order of their ids.

    Equal ones came in one request, at one moment: only those of the newest moment are remembered.
    """

    def __init__(self) -> None:
        """Start with none seen."""
        self._seen: Counter[Any] = Counter()
        self._moment: datetime | None = None

    def number(self, relation: Relation, row: Mapping[str, Any]) -> int:
        """Return how many rows like this one there were before it."""
        if not relation.copies or row[relation.alone or "id"] is not None:
            return 0
        if row["created_at"] != self._moment:
            self._seen.clear()
            self._moment = row["created_at"]
        same = identity(relation, row)
        self._seen[same] += 1
        return self._seen[same] - 1


def answered(row: Mapping[str, Any]) -> Any:
    """Return the recommendation that feedback answers: [user, item, score, rank] of the row's model version."""
    key = row["recommendation"]
    parsed = None if key is None else parse_recommendation_key(key)
    return list(parsed[1:]) if parsed is not None and parsed[0] == row["model_version_id"] else key


def encoded(row: Mapping[str, Any], columns: tuple[str, ...], refs: frozenset[str], place: Callable[[int], int]) -> Any:
    """Return columns of a row as JSON; `place` gives the place of an asset in the line's list. Null is left out."""
    found: dict[str, Any] = {}
    for name in columns:
        value = row[name]
        if value is None:
            continue
        if name in refs:
            found[name] = place(int(value))
        elif name == "parameters" and isinstance(value, dict):
            found[name] = {
                key: {"asset": place(one)} if key in ASSET_PARAMETERS and isinstance(one, int) else one
                for key, one in value.items()
            }
        elif name == "recommendation":
            found[name] = answered(row)
        else:
            found[name] = plain(value)
    return found


def decoded(
    table: Table, said: Mapping[str, Any], columns: tuple[str, ...], refs: frozenset[str], assets: list[int | None]
) -> dict[str, Any]:
    """Return a row from JSON; `assets` are the ids of the line's assets."""
    row: dict[str, Any] = {}
    for name in columns:
        value = said.get(name)
        if value is None and table.columns[name].server_default is not None and not table.columns[name].nullable:
            continue  # an export of before this column was there
        if value is not None:
            try:
                value = _decoded(table, name, value, refs, assets)
            except (TypeError, ValueError, IndexError) as error:
                raise Invalid(f"{table.name}.{name}: {error}", path=(table.name, name)) from None
        row[name] = value
    if isinstance(said.get("recommendation"), list):
        try:
            row["recommendation"] = recommendation_key(int(row["model_version_id"]), *said["recommendation"])
        except (TypeError, ValueError, OverflowError) as error:
            raise Invalid(f"{table.name}.recommendation: {error}", path=(table.name, "recommendation")) from None
    return row


def _decoded(table: Table, name: str, value: Any, refs: frozenset[str], assets: list[int | None]) -> Any:
    kind = table.columns[name].type
    if name in refs:
        return assets[value]
    if isinstance(kind, UtcDateTime):
        return as_utc(datetime.fromisoformat(value))
    enum = getattr(kind, "enum", None)
    if enum is not None:
        return enum(value)
    if name == "parameters" and isinstance(value, dict):
        return {
            key: assets[one["asset"]] if key in ASSET_PARAMETERS and isinstance(one, dict) else one
            for key, one in value.items()
        }
    return value


def identity(relation: Relation, row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells a row from the others of its table, comparable between what is there and what is told."""
    if relation.alone is not None and row[relation.alone] is not None:
        return (repr(row[relation.alone]),)
    names = relation.identity
    if relation.name == "edge" and row["valid_to"] is None:
        names = tuple(name for name in names if name != "valid_from")
    return (*(repr(plain(row[name])) for name in names), row.get("copy") or 0)


def asset_columns() -> list[Any]:
    """Return the columns of the asset's own row under names that no typed row has."""
    return [ASSET.c[name].label(f"asset_{name}") for name in ("kind", "namespace", "key", *ASSET_COLUMNS)]
