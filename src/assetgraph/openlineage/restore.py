"""Put back what an export's rows say: what is missing is added, what is there stays as it is."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from assetgraph.catalog import batch_queries
from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid
from assetgraph.factorization.tables import ModelStage
from assetgraph.ids import AssetKind
from assetgraph.lineage.edge_log import Place, log_opened
from assetgraph.openlineage import queries
from assetgraph.openlineage import restore_queries as there
from assetgraph.openlineage.rows import (
    ABOVE,
    ASSET_COLUMNS,
    BY_NAME,
    ENTITIES,
    RELATIONS,
    Ref,
    Relation,
    decoded,
    identity,
    refs_of,
)

VERSIONED = {AssetKind.DATASET_VERSION: "dataset_id", AssetKind.MODEL_VERSION: "model_id"}


@dataclass(frozen=True)
class Told:
    """The rows of a line: its assets, and (table, columns, place of the parent)."""

    assets: list[Ref]
    rows: list[tuple[str, dict[str, Any], int | None]]


def told_of(facet: Any) -> Told:
    """Read the facet that holds rows; raises Invalid when it is not one."""
    try:
        assets = [(str(AssetKind(kind).value), str(space), str(key)) for kind, space, key in facet["assets"]]
        rows = [(str(one[0]), dict(one[1]), int(one[2]) if len(one) > 2 else None) for one in facet["rows"]]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Invalid(f"assetgraph_rows cannot be read: {error}", path=("assetgraph_rows",)) from None
    for table, _, _ in rows:
        if table not in BY_NAME and table not in AssetKind.__members__ and table != "above":
            raise Invalid(f"assetgraph_rows names the table '{table[:60]}', which this version does not know")
    return Told(assets, rows)


@dataclass
class Restorer:
    """Adds rows to a database, batch by batch; `merging` when it held something else before."""

    export: str
    merging: bool
    #: Assets that are called otherwise here.
    elsewhere: dict[Ref, int] = field(default_factory=dict)

    def restore(self, session: Session, lines: Sequence[Told]) -> int:
        """Add what lines tell; returns how many rows were new."""
        changes.lock(session)
        batch = _Batch(self, session)
        batch.find({ref for line in lines for ref in line.assets})
        count = batch.entities(lines) + batch.relations(lines)
        self.elsewhere |= batch.elsewhere
        return count


class _Batch:
    """A batch in its transaction."""

    def __init__(self, owner: Restorer, session: Session) -> None:
        self._owner = owner
        self._session = session
        self._ids: dict[Ref, int] = {}
        self.elsewhere: dict[Ref, int] = {}
        #: The highest numbers of versions, as this batch hands them out.
        self._numbers: dict[tuple[AssetKind, int], int] = {}

    def find(self, refs: set[Ref]) -> None:
        """Find the assets that are there."""
        wanted: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for ref in refs:
            if ref in self._owner.elsewhere:
                self._ids[ref] = self._owner.elsewhere[ref]
            else:
                wanted[ref[0]].append(ref[1:])
        for kind, keys in wanted.items():
            found = batch_queries.assets_named(self._session, AssetKind(kind), keys)
            if kind == AssetKind.DATASET.value and self._owner.merging:
                found |= queries.aliases_named(self._session, [key for key in keys if key not in found])
            self._ids |= {(kind, *key): id_ for key, id_ in found.items()}

    def _places(self, line: Told) -> list[int | None]:
        return [self._ids.get(ref) for ref in line.assets]

    def entities(self, lines: Sequence[Told]) -> int:
        """Add the assets that lines tell, those first that others refer to."""
        count = 0
        for kind, table in ENTITIES.items():
            refs = refs_of(table) - {"id"}
            columns = tuple(one.name for one in table.columns if one.name not in ("id", *ABOVE))
            new: dict[Ref, tuple[dict[str, Any], dict[str, Any]]] = {}
            for line in lines:
                mine = [said for name, said, _ in line.rows if name == kind.value]
                for said in mine:
                    ref = line.assets[said["id"]]
                    row = decoded(table, said, columns, refs, self._places(line))
                    _complete(kind.value, row, refs)
                    asset = {"kind": kind, "namespace": ref[1], "key": ref[2], **_asset_row(said)}
                    if not self._known(kind, ref, asset, row):
                        new[ref] = (asset, row)
            if new:
                self._insert(kind, new)
                count += len(new)
        return count

    def _known(self, kind: AssetKind, ref: Ref, asset: dict[str, Any], row: dict[str, Any]) -> bool:
        """Tell whether an asset is there; a version may be there under another number, or its number be taken."""
        if kind is AssetKind.FIELD and ref not in self._ids:
            place = (int(row["dataset_id"]), str(row["path"]))
            found = batch_queries.fields_named(self._session, [place]) if self._owner.merging else {}
            if place in found:
                self._here(ref, found[place])
        if kind not in VERSIONED or not self._owner.merging:
            return ref in self._ids
        same = self._same_version(kind, asset, row)
        if same is not None:
            if self._ids.get(ref) != same:
                self._here(ref, same)
            return True
        # Always a free number here: theirs may be another version's, or become one's in this batch.
        owner = int(row[VERSIONED[kind]])
        if (kind, owner) not in self._numbers:
            self._numbers[(kind, owner)] = there.newest_number(self._session, kind, owner)
        self._numbers[(kind, owner)] += 1
        number = self._numbers[(kind, owner)]
        space, name = batch_queries.asset_keys(self._session, [owner])[owner]
        shown = str(asset["name"]).rpartition("@")[0]
        row["number"] = number
        asset |= {"namespace": space, "key": f"{name}@{number}", "name": f"{shown}@{number}"}
        if row.get("stage") is ModelStage.PRODUCTION and there.in_production(self._session, owner):
            row["stage"] = ModelStage.CANDIDATE
        self._ids.pop(ref, None)
        return False

    def _same_version(self, kind: AssetKind, asset: dict[str, Any], row: dict[str, Any]) -> int | None:
        owner = int(row[VERSIONED[kind]])
        if kind is AssetKind.MODEL_VERSION:
            made = there.model_versions_of(self._session, [owner])
            return next((int(one.id) for one in made if one.created_at == asset["created_at"]), None)
        versions = there.versions_of(self._session, [owner])
        if row["origin"] is not None:
            return next((int(one.id) for one in versions if one.origin == row["origin"]), None)
        if row["fingerprint"] is not None:
            return next((int(one.id) for one in versions if one.fingerprint == row["fingerprint"]), None)
        native = [one for one in versions if one.origin is None and one.fingerprint is None]
        return next((int(one.id) for one in native if one.effective_at == row["effective_at"]), None)

    def _here(self, ref: Ref, id_: int) -> None:
        self._ids[ref] = self.elsewhere[ref] = id_

    def _insert(self, kind: AssetKind, new: dict[Ref, tuple[dict[str, Any], dict[str, Any]]]) -> None:
        if kind is AssetKind.MODEL_VERSION:
            for _, row in new.values():
                # Its files are those of another service: under a name that no training here ever writes.
                name = "".join(char if char.isalnum() or char in "-_" else "_" for char in str(row["artifact"]))
                row["artifact"] = f"imported-{self._owner.export[:8]}-{name}"[:200]
        made = there.insert_entities(self._session, kind, list(new.values()))
        for ref, id_, (asset, row) in zip(new, made, new.values(), strict=True):
            self._ids[ref] = id_
            if (asset["namespace"], asset["key"]) != ref[1:]:
                self.elsewhere[ref] = id_
            if kind is not AssetKind.FIELD:
                told = {name: value for name, value in row.items() if value is not None}
                named = {"namespace": asset["namespace"], "name": asset["name"]}
                changes.record_asset(self._session, kind, id_, "imported", None, {**named, **told})

    def relations(self, lines: Sequence[Told]) -> int:
        """Add what assets have and how they are connected."""
        counts: dict[str, int] = {}
        rows: dict[int, dict[int, int]] = {place: {} for place in range(len(lines))}
        for relation in RELATIONS:
            wanted: list[tuple[int, int, dict[str, Any]]] = []
            for place, line in enumerate(lines):
                assets = self._places(line)
                for position, (name, said, parent) in enumerate(line.rows):
                    if name != relation.name:
                        continue
                    row = decoded(relation.table, said, relation.columns, relation.refs, assets)
                    if relation.copies:
                        row["copy"] = int(said.get("copy") or 0)
                    if relation.parent is not None:
                        row[relation.parent] = None if parent is None else rows[place][parent]
                    elif parent is not None:
                        raise Invalid(f"{name} has no parent")
                    _complete(name, row, frozenset(relation.refs) & set(relation.lookup))
                    wanted.append((place, position, row))
            if wanted:
                found, counts[relation.name] = self._add(relation, [row for _, _, row in wanted])
                for (place, position, _), id_ in zip(wanted, found, strict=True):
                    rows[place][position] = id_
        self._above(lines)
        if any(counts.values()):
            changes.record(self._session, "Import", self._owner.export, "added", None, {"rows": counts})
        return sum(counts.values())

    def _add(self, relation: Relation, rows: Sequence[dict[str, Any]]) -> tuple[list[int], int]:
        """Add rows that are not there; returns the number of each row that has one, and how many were new."""
        known = self._there(relation, rows)
        new: dict[tuple[Any, ...], dict[str, Any]] = {}
        keys = [identity(relation, row) for row in rows]
        for key, row in zip(keys, rows, strict=True):
            if key not in known:
                new.setdefault(key, row)
        if new:
            fresh = [{name: value for name, value in row.items() if name != "copy"} for row in new.values()]
            made = there.insert_related(self._session, relation, fresh)
            known |= dict(zip(new, made or [0] * len(new), strict=True))
            if relation.name == "edge":
                self._opened([(known[key], row) for key, row in new.items() if row["valid_to"] is None])
            elif relation.name == "edge_run" and self._owner.merging:
                there.recount(self._session, sorted({row["edge_id"] for row in new.values()}))
        if relation.name == "edge" and self._owner.merging:
            told = {known[key]: row for key, row in zip(keys, rows, strict=True) if row["valid_to"] is None}
            there.widen(self._session, [
                {"edge": id_, "first": row["valid_from"], "last": row["last_seen"]} for id_, row in told.items()
            ])  # fmt: skip
        return [known[key] for key in keys], len(new)

    def _there(self, relation: Relation, rows: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], int]:
        """Return the numbers of the rows that are there already, and may be those told, by what tells them apart."""
        named = [row for row in rows if relation.alone is not None and row[relation.alone] is not None]
        found = list(there.there(self._session, relation, (str(relation.alone),), named)) if named else []
        if len(named) < len(rows):
            rest = [row for row in rows if relation.alone is None or row[relation.alone] is None]
            found += there.there(self._session, relation, relation.lookup, rest)
        known: dict[tuple[Any, ...], int] = {}
        copies: Counter[tuple[Any, ...]] = Counter()
        for one in found:
            row = dict(one._mapping)
            key = identity(relation, row)
            if relation.copies and row[str(relation.alone)] is None:
                copies[key] += 1
                key = (*key[:-1], copies[key] - 1)
            known[key] = int(row["id"]) if relation.surrogate else 0
        return known

    def _opened(self, edges: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
        log_opened(self._session, [
            (id_, Place(row["source_id"], row["target_id"], row["kind"], row["level"])) for id_, row in edges
        ])  # fmt: skip

    def _above(self, lines: Sequence[Told]) -> None:
        told = []
        for line in lines:
            assets = self._places(line)
            for name, said, _ in line.rows:
                if name == "above":
                    above = [None if said.get(one) is None else assets[said[one]] for one in ABOVE]
                    told.append({"run": assets[said["id"]], "parent": above[0], "root": above[1]})
        if told:
            there.set_above(self._session, told)


def _asset_row(said: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: said.get(f"asset.{name}") for name in ASSET_COLUMNS}
    return {**row, "created_at": datetime.fromisoformat(str(row["created_at"]))}


def _complete(name: str, row: Mapping[str, Any], refs: frozenset[str]) -> None:
    for column in refs:
        if row[column] is None:
            raise Invalid(f"{name}.{column} names an asset that no line before this one tells of")
