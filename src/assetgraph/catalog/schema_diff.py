"""What changed between the fields of two versions, and whether readers of one can read the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from assetgraph.catalog.service import FieldSpec


class Compatibility(StrEnum):
    """Who keeps working: BACKWARD, readers of the new schema on old data; FORWARD, readers of the old on new data."""

    IDENTICAL = "IDENTICAL"
    FULL = "FULL"
    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"
    NONE = "NONE"


class SchemaChangeKind(StrEnum):
    """What happened to one field."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"
    TYPE_CHANGED = "TYPE_CHANGED"
    NULLABILITY_CHANGED = "NULLABILITY_CHANGED"
    MOVED = "MOVED"
    RENAMED = "RENAMED"


@dataclass(frozen=True)
class SchemaChange:
    """One difference; `before` and `after` are the type, the nullability or the position."""

    kind: SchemaChangeKind
    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class SchemaDiff:
    """All differences, with the verdict."""

    compatibility: Compatibility
    changes: tuple[SchemaChange, ...]


def compare(before: Sequence[FieldSpec], after: Sequence[FieldSpec]) -> SchemaDiff:
    """Compare two field lists by name; positions count only among the fields that both have."""
    old = {spec.name: spec for spec in before}
    new = {spec.name: spec for spec in after}
    found: list[SchemaChange] = []
    for name, spec in old.items():
        if name not in new:
            found.append(SchemaChange(SchemaChangeKind.REMOVED, name, spec.type, None))
    for name, spec in new.items():
        if name not in old:
            found.append(SchemaChange(SchemaChangeKind.ADDED, name, None, spec.type))
            continue
        was = old[name]
        if was.type != spec.type:
            found.append(SchemaChange(SchemaChangeKind.TYPE_CHANGED, name, was.type, spec.type))
        if was.nullable != spec.nullable and None not in (was.nullable, spec.nullable):
            nullability = ("nullable" if was.nullable else "required", "nullable" if spec.nullable else "required")
            found.append(SchemaChange(SchemaChangeKind.NULLABILITY_CHANGED, name, *nullability))
    shared_old = [name for name in old if name in new]
    shared_new = [name for name in new if name in old]
    for position, name in enumerate(shared_new):
        if shared_old[position] != name:
            was_at = str(shared_old.index(name))
            found.append(SchemaChange(SchemaChangeKind.MOVED, name, was_at, str(position)))
    return SchemaDiff(_verdict(found, old, new), tuple(found))


def _verdict(found: Sequence[SchemaChange], old: dict[str, FieldSpec], new: dict[str, FieldSpec]) -> Compatibility:
    if not found:
        return Compatibility.IDENTICAL
    backward = forward = True
    for change in found:
        if change.kind is SchemaChangeKind.TYPE_CHANGED:
            backward = forward = False
        elif change.kind is SchemaChangeKind.ADDED and new[change.field].nullable is False:
            backward = False  # old data cannot give the new required field
        elif change.kind is SchemaChangeKind.REMOVED and old[change.field].nullable is not True:
            forward = False  # old readers may rely on the field
        elif change.kind is SchemaChangeKind.NULLABILITY_CHANGED:
            backward = backward and new[change.field].nullable is True
            forward = forward and new[change.field].nullable is False
    if backward and forward:
        return Compatibility.FULL
    if backward:
        return Compatibility.BACKWARD
    return Compatibility.FORWARD if forward else Compatibility.NONE
