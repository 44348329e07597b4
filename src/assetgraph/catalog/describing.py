"""What stewards say of columns: over all versions, and before what producers say of them in one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from assetgraph.catalog import describing_queries, history, history_queries, queries
from assetgraph.catalog.tables import PEOPLE, Aspect
from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.errors import NotFound
from assetgraph.ids import AssetKind


@dataclass(frozen=True)
class DescribeField:
    """Say what a column is."""

    field_id: int
    description: str


def describe_field(session: Session, command: DescribeField) -> None:
    """Write a column's description, with what was said before kept."""
    row = queries.fields_by_ids(session, [command.field_id]).get(command.field_id)
    if row is None:
        raise NotFound("no column has this id", path=("field",))
    queries.lock_dataset(session, int(row.dataset_id))
    said = describing_queries.descriptions(session, [command.field_id])[command.field_id]
    if said == command.description:
        return
    describing_queries.describe(session, command.field_id, command.description)
    before, after = {"description": said}, {"description": command.description}
    changes.record_asset(session, AssetKind.FIELD, command.field_id, "changed", before, after)
    history.changed(session, command.field_id, row.created_at, before, after)


def said_of_fields(session: Session, fields: Sequence[int], at: datetime | None = None) -> dict[int, str | None]:
    """Return what stewards say of columns, or said at a moment."""
    found = describing_queries.descriptions(session, fields)
    if at is not None:
        then = history_queries.said_at(session, fields, Aspect.DESCRIPTION, at)
        found |= {field: text for (field, origin), text in then.items() if origin == PEOPLE}
    return found
